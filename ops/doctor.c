/* doctor.c - the lines of trawl doctor, and the order of its checks. */
#include "ops/doctor.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ops/doctor_internal.h"

const char *doctor_state_name(enum doctor_state s)
{
    static const char *const names[] = {
        [DOCTOR_OK] = "ok", [DOCTOR_WARN] = "warn", [DOCTOR_FAIL] = "fail"};
    static_assert(sizeof names / sizeof *names == DOCTOR_STATE_COUNT, "a name for every state");
    return names[s];
}

/* --- kinds --- */

static int add_kind(const char *name, size_t len, const char **out, size_t *n, struct err *err)
{
    for (size_t i = 0; task_kind_names[i] != NULL && *n < DOCTOR_KINDS; i++) {
        if (strlen(task_kind_names[i]) == len && strncmp(task_kind_names[i], name, len) == 0) {
            out[(*n)++] = task_kind_names[i];
            return 0;
        }
    }
    return ERR(err, ERR_INVALID, 0, "--kinds: '%.*s' is no kind of task (see trawl-worker --help)",
               (int)(len < 60 ? len : 60), name);
}

int doctor_kinds(const char *text, const char *out[static DOCTOR_KINDS + 1], struct err *err)
{
    size_t n = 0;
    for (size_t i = 0; text == NULL && task_kind_names[i] != NULL && n < DOCTOR_KINDS; i++) {
        if (!task_kind(task_kind_names[i])->retires) {
            out[n++] = task_kind_names[i];
        }
    }
    for (const char *at = text; at != NULL; at = *at == ',' ? at + 1 : NULL) {
        size_t len = strcspn(at, ",");
        if (add_kind(at, len, out, &n, err) != 0) {
            return -1;
        }
        at += len;
    }
    out[n] = NULL;
    return 0;
}

bool doctor_runs(const struct doctor_want *want, const char *kind)
{
    for (size_t i = 0; want->kinds[i] != NULL; i++) {
        if (strcmp(want->kinds[i], kind) == 0) {
            return true;
        }
    }
    return false;
}

/* --- lines --- */

void doctor_add(struct doctor *d, enum doctor_state state, const char *check, const char *remedy,
                const char *fmt, ...)
{
    struct doctor_line *lines = reallocarray(d->lines, d->n + 1, sizeof *lines);
    if (lines == NULL) {
        d->incomplete = true;
        return;
    }
    struct doctor_line *line = &lines[d->n++];
    d->lines = lines;
    *line = (struct doctor_line){.state = state};
    snprintf(line->check, sizeof line->check, "%s", check);
    snprintf(line->remedy, sizeof line->remedy, "%s", remedy);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line->text, sizeof line->text, fmt, ap);
    va_end(ap);
}

bool doctor_well(const struct doctor *d)
{
    bool well = !d->incomplete;
    for (size_t i = 0; i < d->n; i++) {
        well = well && d->lines[i].state != DOCTOR_FAIL;
    }
    return well;
}

void doctor_clear(struct doctor *d)
{
    free(d->lines);
    *d = (struct doctor){0};
}

void doctor_look(const struct doctor_want *want, struct doctor *out)
{
    doctor_add(out, DOCTOR_OK, "configuration", "", "valid, environment %s", want->cfg->trawl.env);
    bool identities = doctor_look_at_mongo(want, out);
    doctor_look_at_kafka(want, out);
    doctor_look_at_places(want, identities, out);
    if (doctor_runs(want, "quant") && strcmp(want->cfg->quant.engine, "slurm") == 0) {
        doctor_look_at_head_nodes(want, out);
    }
}
