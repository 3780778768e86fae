/* import_raw_files.c - AlphaKraken's raw files become ours (common/raw/raw_file_import.h). */
#include <string.h>

#include "common/base/clock.h"
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
    enum raw_status s = raw_file_status(r->doc);
    bool copied = s == RAW_DONE || s == RAW_DONE_NOT_QUANTED || s == RAW_QUANTING_FAILED;
    if (r->way == RAW_IMPORT_KEPT && !r->recorded && copied) {
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
    if (!i->ask->dry && (importing_flush(i, err) != 0 || importing_keep_lease(i, err) != 0 ||
                         raw_file_import_rename(i->o->db, theirs, ours, &won, err) != 0)) {
        return -1;
    }
    importing_sum(i)->taken += won;
    importing_sum(i)->refused += !won;
    return won ? importing_note(i, "renamed", theirs, doc_str(ours, "_id", ""), err)
               : importing_note(i, "refused", theirs, "another raw file has its id in escaped form",
                                err);
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
        importing_sum(i)->refused++;
        return importing_note(i, "refused", theirs, why.msg, err);
    }
    int rc = count(i, &r, err);
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
