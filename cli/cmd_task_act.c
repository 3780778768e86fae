/* cmd_task_act.c - trawl task retry|cancel|skip|ignore. */
#include "cli/args.h"
#include "cli/cmd_steer.h"
#include "ops/facts.h"
#include "ops/find.h"
#include "ops/task_tree.h"

static struct docs *list_of_one(const bson_t *task, struct err *err)
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

static enum cli_exit steer_named(struct cli *c, const struct args *a, const struct wish *w,
                                 struct err *err)
{
    AUTO(bson_destroy) bson_t *root = NULL;
    const char *why;
    if (cli_why(a, w->needs_why, &why, err) != 0) {
        return CLI_USAGE;
    }
    if (find_task(&c->ops, a->words[0], &root, err) != 0) {
        return cli_exit_of(err);
    }
    AUTO(docs_free)
    struct docs *tasks = w->tree ? tree_of(c, w->what, root, err) : list_of_one(root, err);
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

static enum cli_exit cmd_task_retry(struct cli *c, const struct args *a, struct err *err)
{
    const struct wish w = {.steer = &steer_retry, .tree = args_get(a, "tree") != NULL};
    return steer_named(c, a, &w, err);
}

static const struct cli_option task_retry_options[] = {
    {"tree", NULL, "also the tasks after it that failed or were set aside"},
    {"why", "TEXT", "the reason, kept in trawl log"},
    {0},
};

const struct command command_task_retry = {
    .name = "task retry",
    .args = "<task>",
    .brief = "retry a task that failed, died or was set aside",
    .help = "With --tree also the tasks after it (copy, then quant, index, move; move, then "
            "remove): those\n"
            "that failed or were cancelled or skipped become ready as soon as they have all that "
            "they need.\n"
            "A task that is done is not repeated, only what is below it.\n\n"
            "  trawl task retry run7.d/copy --tree --why \"the switch is back\"",
    .options = task_retry_options,
    .min_words = 1,
    .max_words = 1,
    .need = NEED_DB,
    .run = cmd_task_retry};

static enum cli_exit cmd_task_cancel(struct cli *c, const struct args *a, struct err *err)
{
    const struct wish w = {.steer = &steer_cancel};
    return steer_named(c, a, &w, err);
}

const struct command command_task_cancel = {
    .name = "task cancel",
    .args = "<task>",
    .brief = "stop a task",
    .help = "A waiting task is cancelled at once, a running one when its worker next checks.",
    .options = why_option,
    .min_words = 1,
    .max_words = 1,
    .need = NEED_DB,
    .destructive = true,
    .run = cmd_task_cancel};

static enum cli_exit cmd_task_skip(struct cli *c, const struct args *a, struct err *err)
{
    const struct wish w = {
        .steer = &steer_skip, .tree = true, .needs_why = true, .what = TREE_SKIP};
    return steer_named(c, a, &w, err);
}

static const struct cli_option why_needed_option[] = {
    {"why", "TEXT", "the reason, required: kept with the task and in trawl log"},
    {0},
};

const struct command command_task_skip = {
    .name = "task skip",
    .args = "<task>",
    .brief = "leave out a task and those after it",
    .help =
        "For a task that waits or has failed; a running one must be cancelled first. A raw file "
        "whose\n"
        "copy is skipped becomes ignored; without its jobs it becomes done_not_quanted. To undo:\n"
        "trawl task retry.\n\n"
        "  trawl task skip run7.d/quant/msqc-v1 --why \"a blank\"",
    .options = why_needed_option,
    .min_words = 1,
    .max_words = 1,
    .need = NEED_DB,
    .destructive = true,
    .run = cmd_task_skip};

static enum cli_exit cmd_task_ignore(struct cli *c, const struct args *a, struct err *err)
{
    const struct wish w = {.steer = &steer_ignore, .needs_why = true};
    return steer_named(c, a, &w, err);
}

const struct command command_task_ignore = {
    .name = "task ignore",
    .args = "<task>",
    .brief = "accept that a task has failed",
    .help = "The raw file continues as if the task had not been asked for: a failed job then makes "
            "it no\n"
            "error. A raw file whose copy has failed has no backup: it becomes ignored, and Trawl "
            "moves and\n"
            "removes nothing of it. The error and the reason stay in its details.\n\n"
            "  trawl task ignore run7.d/quant/diann-v2 --why \"too few spectra\"",
    .options = why_needed_option,
    .min_words = 1,
    .max_words = 1,
    .need = NEED_DB,
    .destructive = true,
    .run = cmd_task_ignore};
