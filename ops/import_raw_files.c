/*
 * import_raw_files.c - AlphaKraken's raw files become ours (common/raw/raw_file_import.h).
 *
 * One that cannot be ours stays AlphaKraken's, also out of another database: it is made as it is,
 * so that the watch leaves its original alone, and a later import may take it.
 */
#include <string.h>

#include "common/base/clock.h"
#include "common/base/path.h"
#include "common/raw/raw_file.h"
#include "common/raw/raw_file_import.h"
#include "ops/facts.h"
#include "ops/import_internal.h"

/* Without its instrument's file nothing follows it to its end. */
static int note_instrument(struct importing *i, const bson_t *ours, struct err *err)
{
    struct err why = {0};
    AUTO(instrument_free)
    struct instrument *instrument =
        facts_instrument(i->o, doc_str(ours, "instrument_id", ""), &why);
    return instrument != NULL ? 0 : importing_note(i, "waits", ours, why.msg, err);
}

static int count(struct importing *i, const struct raw_imported *r, struct err *err)
{
    struct import_report *out = i->out;
    out->kept += r->way == RAW_IMPORT_KEPT;
    out->quantify += r->way == RAW_IMPORT_QUANTIFY;
    out->adopt += r->way == RAW_IMPORT_ADOPT;
    bool ignored = raw_file_status(r->doc) == RAW_IGNORED;
    if (r->way == RAW_IMPORT_KEPT && !r->recorded && !ignored) {
        out->unproven++;
        return importing_note(
            i, "unproven", r->doc,
            "its backup is not complete, or has no sizes and hashes: it cannot be "
            "verified, and its original is not moved or removed",
            err);
    }
    return r->way == RAW_IMPORT_ADOPT ? note_instrument(i, r->doc, err) : 0;
}

/* Its id takes another form, so it is made again under that. */
static int take_renamed(struct importing *i, const bson_t *theirs, const bson_t *ours,
                        struct err *err)
{
    bool won = true;
    struct err unmade = {0};
    if (!i->ask->dry && (importing_flush(i, err) != 0 || importing_keep_lease(i, err) != 0)) {
        return -1;
    }
    if (!i->ask->dry && raw_file_import_rename(i->o->db, theirs, ours, &won, &unmade) != 0) {
        if (importing_is_refused(&unmade)) {
            importing_sum(i)->refused++;
            return importing_note(i, "refused", theirs, unmade.msg, err);
        }
        *err = unmade;
        return -1;
    }
    importing_sum(i)->taken += won;
    importing_sum(i)->refused += !won;
    return won ? importing_note(i, "renamed", theirs, doc_str(ours, "_id", ""), err)
               : importing_note(i, "refused", theirs, "another raw file has its id in escaped form",
                                err);
}

static int add_id(struct importing *i, const bson_t *theirs, bool refused, struct err *err)
{
    AUTO(free) char *id = path_escape(doc_str(theirs, "_id", ""));
    return id != NULL ? import_ids_add(&i->raw_files, id, refused, err) : err_no_memory(err);
}

static int refuse(struct importing *i, const bson_t *theirs, const char *why, struct err *err)
{
    importing_sum(i)->refused++;
    if (importing_note(i, "refused", theirs, why, err) != 0 || add_id(i, theirs, true, err) != 0) {
        return -1;
    }
    if (i->in_place || i->ask->dry || doc_str(theirs, "_id", "")[0] == '\0') {
        return 0;
    }
    struct err unmade = {0};
    if (importing_keep_lease(i, err) != 0) {
        return -1;
    }
    if (raw_file_import_leave(i->o->db, theirs, &unmade) != 0 && !importing_is_refused(&unmade)) {
        *err = unmade;
        return -1;
    }
    return 0;
}

static int take_one(void *ctx, const bson_t *theirs, struct err *err)
{
    struct importing *i = ctx;
    const struct raw_import how = {.cfg = i->o->cfg, .from = i->from, .now_ms = wall_ms()};
    struct raw_imported r;
    struct err why = {0};
    importing_sum(i)->seen++;
    if (raw_file_is_ours(theirs)) {
        importing_sum(i)->left++;
        return 0;
    }
    if (raw_file_import(&how, theirs, &r, &why) != 0) {
        if (why.kind != ERR_INVALID) {
            *err = why;
            return -1;
        }
        return refuse(i, theirs, why.msg, err);
    }
    int rc = add_id(i, theirs, false, err) != 0 ? -1 : count(i, &r, err);
    rc = rc != 0                    ? rc
         : r.renamed && i->in_place ? take_renamed(i, theirs, r.doc, err)
                                    : importing_take(i, theirs, r.doc, err);
    raw_imported_fini(&r);
    return rc;
}

int import_raw_files_of(struct importing *i, struct err *err)
{
    bson_t all = BSON_INITIALIZER;
    return importing_each(i, IMPORT_RAW_FILES, &all, take_one, err);
}
