/*
 * cmd_doctor.c - trawl doctor: whether this host can do the work of its kinds.
 *
 * It needs nothing to begin with: a configuration that cannot be read and a server that is away are
 * lines of the answer.
 */
#include <string.h>

#include "cli/args.h"
#include "cli/table.h"
#include "common/base/human.h"
#include "common/db/doc_json.h"
#include "ops/doctor.h"

static json_t *json_of_lines(const struct doctor *d)
{
    AUTO(json_decref) json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < d->n; i++) {
        const struct doctor_line *l = &d->lines[i];
        json_t *line = json_pack("{s:o, s:s, s:o, s:o}", "check", json_text(l->check), "state",
                                 doctor_state_name(l->state), "text", json_text(l->text), "remedy",
                                 l->remedy[0] != '\0' ? json_text(l->remedy) : json_null());
        if (json_array_append_new(list, line) != 0) {
            return NULL;
        }
    }
    return TAKE(list);
}

static void print_lines(struct cli *c, const struct doctor *d)
{
    static const enum style styles[] = {
        [DOCTOR_OK] = STYLE_GOOD, [DOCTOR_WARN] = STYLE_WAIT, [DOCTOR_FAIL] = STYLE_BAD};
    for (size_t i = 0; i < d->n; i++) {
        const struct doctor_line *l = &d->lines[i];
        if (c->quiet && l->state == DOCTOR_OK) {
            continue;
        }
        style_put(c->out, styles[l->state], c->color, doctor_state_name(l->state));
        fprintf(c->out, "%*s", (int)(6 - strlen(doctor_state_name(l->state))), "");
        text_put(c->out, l->check);
        fputs(": ", c->out);
        text_put(c->out, l->text);
        if (l->remedy[0] != '\0') {
            fputs(" -> ", c->out);
            text_put(c->out, l->remedy);
        }
        fputc('\n', c->out);
    }
}

static enum cli_exit print(struct cli *c, const struct doctor *d, struct err *err)
{
    if (d->incomplete) {
        err_no_memory(err);
        return cli_exit_of(err);
    }
    if (!c->json) {
        print_lines(c, d);
    } else if (json_print(json_of_lines(d), c->out, err) != 0) {
        return cli_exit_of(err);
    }
    return doctor_well(d) ? CLI_OK : CLI_NO;
}

static enum cli_exit cmd_doctor(struct cli *c, const struct args *a, struct err *err)
{
    const char *kinds[DOCTOR_KINDS + 1];
    struct err bad = {0};
    __attribute__((cleanup(doctor_clear))) struct doctor d = {0};
    if (doctor_kinds(args_get(a, "kinds"), kinds, err) != 0) {
        return CLI_USAGE;
    }
    c->ops.cfg = c->cfg = config_load(c->config_dir, &bad);
    if (c->cfg == NULL) {
        doctor_add(&d, DOCTOR_FAIL, "configuration",
                   "correct that line (trawl config template: every key and its meaning)", "%s",
                   bad.msg);
        return print(c, &d, err);
    }
    c->ops.db = db_new(c->cfg, "trawl", &bad);
    const struct doctor_want want = {c->cfg, c->ops.db, kinds, &bad};
    doctor_look(&want, &d);
    return print(c, &d, err);
}

static const struct cli_option doctor_options[] = {
    {"kinds", "LIST", "the kinds of task that this host runs (copy,quant,index)"},
    {0},
};

const struct command command_doctor = {
    .name = "doctor",
    .args = "",
    .brief = "whether this host can do the work of its kinds",
    .help =
        "Run it on each worker's host, as the worker's user. One line a check, with the remedy "
        "where\n"
        "something is wrong: the configuration, MongoDB with its clock, its environment and our\n"
        "rights, Kafka and its topics, the locations as the kinds read and write them, the head\n"
        "nodes and the jobs' programs. Nothing is made but a document in MongoDB and probe files "
        "in\n"
        "the locations, which are removed again. --quiet leaves out what is ok. Exit 1 when "
        "something\n"
        "fails; warnings do not count.",
    .options = doctor_options,
    .need = NEED_NOTHING,
    .run = cmd_doctor};
