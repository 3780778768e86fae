/* cmd_task_act.c - trawl task retry|cancel|skip|ignore. */
#include "cli/args.h"
#include "cli/cmd_steer.h"
#include "ops/facts.h"
#include "ops/find.h"
#include "ops/task_tree.h"

static struct docs *only(const bson_t *task, struct err *err)
{
    AUTO(docs_free) struct docs *one = docs_new(err);
    return one == NULL || docs_add(one, task, err) != 0 ? NULL : TAKE(one);
}

static struct docs *tree_of(struct cli *c, enum tree_what what, const bson_t *root, struct err *err)
{
    AUTO(docs_free) struct docs *all = facts_tasks_of(&c->ops, doc_str(root, "raw_file", ""), err);
    return all == NULL ? NULL : tree_select(what, root, all, err);
}

struct wish {
    const struct steer *steer;
    bool tree, needs_why;
    enum tree_what what;
};

static enum cli_exit act(struct cli *c, const struct args *a, const struct wish *w, struct err *err)
{
    AUTO(bson_destroy) bson_t *root = NULL;
    const char *why;
    if (cli_why(a, w->needs_why, &why, err) != 0) {
        return CLI_USAGE;
    }
    if (find_task(&c->ops, a->words[0], &root, err) != 0) {
        return cli_exit_of(err);
    }
    AUTO(docs_free) struct docs *tasks = w->tree ? tree_of(c, w->what, root, err) : only(root, err);
    if (tasks == NULL) {
        return cli_exit_of(err);
    }
    if (tasks->n == 0) {
        return cli_fail(err, CLI_REFUSED, "%s is done, and nothing below it has failed",
                        a->words[0]);
    }
    const struct steering s = {.verb = a->command->name,
                               .steer = w->steer,
                               .why = why,
                               .root = w->tree ? a->words[0] : NULL,
                               .list = w->tree};
    return cmd_steer(c, &s, tasks, err);
}

enum cli_exit cmd_task_retry(struct cli *c, const struct args *a, struct err *err)
{
    const struct wish w = {.steer = &steer_retry, .tree = args_get(a, "tree") != NULL};
    return act(c, a, &w, err);
}

enum cli_exit cmd_task_cancel(struct cli *c, const struct args *a, struct err *err)
{
    const struct wish w = {.steer = &steer_cancel};
    return act(c, a, &w, err);
}

enum cli_exit cmd_task_skip(struct cli *c, const struct args *a, struct err *err)
{
    const struct wish w = {
        .steer = &steer_skip, .tree = true, .needs_why = true, .what = TREE_SKIP};
    return act(c, a, &w, err);
}

enum cli_exit cmd_task_ignore(struct cli *c, const struct args *a, struct err *err)
{
    const struct wish w = {.steer = &steer_ignore, .needs_why = true};
    return act(c, a, &w, err);
}
