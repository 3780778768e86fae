/* cmd_steer.c - steers tasks for a command and prints the answer. */
#include "cli/cmd_steer.h"

#include <string.h>

#include "cli/table.h"
#include "common/base/human.h"
#include "common/db/doc_json.h"

struct answer {
    struct cli *c;
    const struct steering *s;
    json_t *list;
};

static void print_steered(struct cli *c, const struct steering *s, const struct steered *one)
{
    text_put(c->out, one->task);
    if (one->done && strcmp(one->state, s->steer->past) == 0) {
        fprintf(c->out, ": %s\n", one->state);
    } else if (one->done && s->steer == &steer_cancel) {
        fprintf(c->out, ": will stop at its next safe point, still %s\n", one->state);
    } else if (one->done) {
        fprintf(c->out, ": %s, now %s\n", s->steer->past, one->state);
    } else {
        fprintf(c->out, ": %snot %s%s, it is %s\n", style_on(STYLE_BAD, c->color), s->steer->past,
                style_off(STYLE_BAD, c->color), one->state);
    }
}

static void add_answer(void *ctx, const struct steered *one)
{
    struct answer *a = ctx;
    if (!a->c->json && !a->c->quiet) {
        print_steered(a->c, a->s, one);
    }
    json_array_append_new(a->list, json_pack("{s:s, s:s, s:b}", "task", one->task, "state",
                                             one->state, "done", (int)one->done));
}

enum cli_exit cmd_steer(struct cli *c, const struct steering *s, const struct docs *tasks,
                        struct err *err)
{
    size_t done;
    AUTO(json_decref) json_t *list = json_array();
    struct answer a = {c, s, list};
    if (steer_tasks(&c->ops, s, tasks, add_answer, &a, &done, err) != 0) {
        return cli_exit_of(err);
    }
    json_t *shown = s->list ? list : json_array_get(list, 0);
    if (c->json && json_print(json_incref(shown), c->out, err) != 0) {
        return cli_exit_of(err);
    }
    if (done > 0) {
        fflush(c->out); /* waking may wait for a broker */
        steer_wake(&c->ops, tasks);
    }
    return done == tasks->n ? CLI_OK
                            : cli_fail(err, CLI_REFUSED, "%zu of %zu could not be %s",
                                       tasks->n - done, tasks->n, s->steer->past);
}
