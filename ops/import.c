/*
 * import.c - an import from its beginning to its end.
 *
 * The mark and the lease keep everybody else away (import_mark.c). Settings come before raw files,
 * so that nothing is planned without them; at the end it makes the pools, by which a database is
 * Trawl's.
 */
#include "ops/import.h"

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/db/schema.h"
#include "common/task/audit.h"
#include "ops/import_internal.h"

#define AUDIT_DROPPED 200 /* what an entry of trawl log names; the rest is counted */

void import_report_clear(struct import_report *r)
{
    docs_clear(&r->notes);
    *r = (struct import_report){0};
}

/* --- what trawl log keeps --- */

static void append_sums(const struct import_report *r, bson_t *after)
{
    for (int k = 0; k < IMPORT_KIND_COUNT; k++) {
        const struct import_sum *s = &r->sums[k];
        BCON_APPEND(after, import_kind_name((enum import_kind)k), "{", "taken",
                    BCON_INT64(s->taken), "left", BCON_INT64(s->left), "dropped",
                    BCON_INT64(s->dropped), "refused", BCON_INT64(s->refused), "}");
    }
}

/* What is deleted is nowhere else: which documents, and why. */
static void append_dropped(const struct import_report *r, bson_t *after)
{
    bson_t list;
    int n = 0;
    BSON_APPEND_ARRAY_BEGIN(after, "dropped", &list);
    for (size_t i = 0; i < r->notes.n && n < AUDIT_DROPPED; i++) {
        char key[16];
        if (doc_says(r->notes.items[i], "what", "dropped")) {
            snprintf(key, sizeof key, "%d", n++);
            BSON_APPEND_DOCUMENT(&list, key, r->notes.items[i]);
        }
    }
    bson_append_array_end(after, &list);
}

/* --- the work --- */

static int take_all(struct importing *i, struct err *err)
{
    int rc = (i->ends_shadow && importing_discard(i, err) != 0) ||
                     import_settings_of(i, err) != 0 || import_raw_files_of(i, err) != 0 ||
                     import_metrics_of(i, err) != 0
                 ? -1
                 : 0;
    import_ids_clear(&i->raw_files);
    docs_clear(&i->inserts);
    db_batch_clear(&i->change);
    return rc;
}

static int run_import(void *ctx, bool *won, bson_t *after, struct err *err)
{
    struct importing *i = ctx;
    if (importing_begin(i, err) != 0) {
        return -1;
    }
    int rc = take_all(i, err) != 0 || importing_end(i, err) != 0 ? -1 : 0;
    if (rc != 0 && err->kind == ERR_INVALID && i->writing[0] != '\0') {
        err->kind = ERR_REFUSED; /* INVALID would say that nothing was changed */
    }
    append_sums(i->out, after);
    append_dropped(i->out, after);
    *won = rc == 0;
    return rc;
}

static int run(struct importing *i, struct err *err)
{
    const struct ops *o = i->o;
    bool won;
    const struct audit_act act = {.verb = "import alphakraken",
                                  .target = i->from,
                                  .by = o->by,
                                  .why = o->why,
                                  .run = run_import,
                                  .ctx = i};
    if (importing_may_begin(i, err) != 0 || importing_check_backups(i, err) != 0) {
        return -1;
    }
    return i->ask->dry ? take_all(i, err) : audit_make(o->db, &act, &won, err);
}

int import_alphakraken(const struct ops *o, const struct import_ask *a, struct import_report *out,
                       struct err *err)
{
    struct importing i = {
        .o = o, .ask = a, .out = out, .ends_shadow = a->ends_shadow, .writing = ""};
    AUTO(db_free) struct db *own = NULL;
    *out = (struct import_report){0};
    int rc = schema_check(o->db, o->cfg->trawl.env, err) != 0 || importing_open(&i, &own, err) != 0
                 ? -1
                 : run(&i, err);
    importing_leave(&i);
    snprintf(out->from, sizeof out->from, "%s", i.from);
    return rc;
}

static int run_abandon(void *ctx, bool *won, bson_t *after, struct err *err)
{
    (void)after;
    *won = importing_abandon(ctx, err) == 0;
    return *won ? 0 : -1;
}

int import_abandon(const struct ops *o, struct err *err)
{
    struct import_report none = {0};
    const struct import_ask ask = {0};
    struct importing i = {.o = o, .ask = &ask, .out = &none, .writing = ""};
    bool won;
    const struct audit_act act = {.verb = "import alphakraken",
                                  .target = "abandon",
                                  .by = o->by,
                                  .why = o->why,
                                  .run = run_abandon,
                                  .ctx = &i};
    int rc =
        schema_check(o->db, o->cfg->trawl.env, err) != 0 ? -1 : audit_make(o->db, &act, &won, err);
    importing_leave(&i);
    return rc;
}
