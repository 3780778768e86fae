/*
 * raw_file.c - the statuses of a raw file, and every write to its document but the planner's
 * (raw_file_plan.c).
 *
 * A change that the index must see grows rev, and sets dirty and updated_at_. Guards: by rev where
 * the whole document was read before; by status where the watch writes, so that a deposed leader
 * changes nothing that the new one has moved on.
 */
#include "common/raw/raw_file.h"

#include <assert.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/db/batch.h"
#include "common/raw/raw_file_internal.h"

const char *const raw_status_names[] = {
    [RAW_QUEUED_FOR_MONITORING] = "queued_for_monitoring",
    [RAW_MONITORING_ACQUISITION] = "monitoring_acquisition",
    [RAW_MONITORING_DONE] = "monitoring_done",
    [RAW_CHECKSUMMING] = "checksumming",
    [RAW_CHECKSUMMING_DONE] = "checksumming_done",
    [RAW_COPYING] = "copying",
    [RAW_COPYING_DONE] = "copying_done",
    [RAW_QUEUED_FOR_QUANTING] = "queued_for_quanting",
    [RAW_QUANTING] = "quanting",
    [RAW_DONE] = "done",
    [RAW_DONE_NOT_QUANTED] = "done_not_quanted",
    [RAW_ERROR] = "error",
    [RAW_QUANTING_FAILED] = "quanting_failed",
    [RAW_ACQUISITION_FAILED] = "acquisition_failed",
    [RAW_IGNORED] = "ignored",
    [RAW_STATUS_COUNT] = NULL,
};
static_assert(sizeof raw_status_names / sizeof *raw_status_names == RAW_STATUS_COUNT + 1,
              "a name for each");

#define BIT(s) (1U << (s))
/* A look at its original may send any acquired raw file back. */
#define AGAIN BIT(RAW_MONITORING_ACQUISITION)
/* While it is quantified, and after that. */
#define QUANTIFIED                                                                                 \
    (BIT(RAW_QUEUED_FOR_QUANTING) | BIT(RAW_QUANTING) | BIT(RAW_DONE) |                            \
     BIT(RAW_DONE_NOT_QUANTED) | BIT(RAW_ERROR) | BIT(RAW_QUANTING_FAILED) | AGAIN)
/* While it is copied, and however that ends; trawl rerun may have added a task meanwhile. */
#define COPIED                                                                                     \
    (QUANTIFIED | BIT(RAW_MONITORING_DONE) | BIT(RAW_COPYING) | BIT(RAW_ACQUISITION_FAILED) |      \
     BIT(RAW_IGNORED))

/* from -> the statuses that may follow. The planner may see several steps as one. */
static const unsigned allowed[] = {
    [RAW_QUEUED_FOR_MONITORING] = AGAIN | BIT(RAW_MONITORING_DONE),
    [RAW_MONITORING_ACQUISITION] = BIT(RAW_MONITORING_DONE),
    [RAW_MONITORING_DONE] = COPIED,
    [RAW_CHECKSUMMING] = AGAIN,
    [RAW_CHECKSUMMING_DONE] = AGAIN,
    [RAW_COPYING] = COPIED,
    [RAW_COPYING_DONE] = AGAIN,
    [RAW_QUEUED_FOR_QUANTING] = QUANTIFIED,
    [RAW_QUANTING] = QUANTIFIED,
    [RAW_DONE] = QUANTIFIED,
    [RAW_DONE_NOT_QUANTED] = QUANTIFIED | BIT(RAW_ACQUISITION_FAILED),
    [RAW_ERROR] = COPIED,
    [RAW_QUANTING_FAILED] = QUANTIFIED,
    [RAW_ACQUISITION_FAILED] = QUANTIFIED,
    [RAW_IGNORED] = COPIED,
};
static_assert(sizeof allowed / sizeof *allowed == RAW_STATUS_COUNT, "a row for each");

enum raw_status raw_status_parse(const char *name)
{
    for (int i = 0; i < RAW_STATUS_COUNT; i++) {
        if (strcmp(name, raw_status_names[i]) == 0) {
            return (enum raw_status)i;
        }
    }
    return RAW_UNKNOWN;
}

bool raw_file_is_ours(const bson_t *rf)
{
    return doc_has(rf, "rev");
}

enum raw_status raw_file_status(const bson_t *rf)
{
    return raw_status_parse(doc_str(rf, "status", ""));
}

bool raw_status_may(enum raw_status from, enum raw_status to)
{
    return from == RAW_UNKNOWN || (to != RAW_UNKNOWN && (allowed[from] & BIT(to)) != 0);
}

bool raw_status_is_open(enum raw_status s)
{
    return s == RAW_QUEUED_FOR_MONITORING || s == RAW_MONITORING_ACQUISITION;
}

bool raw_status_is_copied(enum raw_status s)
{
    return s == RAW_COPYING_DONE || s == RAW_QUEUED_FOR_QUANTING || s == RAW_QUANTING;
}

bool raw_status_is_error(enum raw_status s)
{
    return s == RAW_ERROR || s == RAW_ACQUISITION_FAILED || s == RAW_QUANTING_FAILED;
}

/* --- what changes have in common --- */

void raw_append_change(bson_t *set, bson_t *update)
{
    BSON_APPEND_BOOL(set, "dirty", true);
    BSON_APPEND_DATE_TIME(set, "updated_at_", wall_ms());
    BCON_APPEND(update, "$inc", "{", "rev", BCON_INT64(1), "}");
}

bson_t *raw_guard(const bson_t *rf)
{
    bson_t *guard = BCON_NEW("_id", BCON_UTF8(doc_str(rf, "_id", "")));
    if (doc_has(rf, "rev")) {
        BSON_APPEND_INT64(guard, "rev", doc_i64(rf, "rev", 0));
    } else {
        BSON_APPEND_NULL(guard, "rev"); /* matches a missing field */
    }
    return guard;
}

void raw_append_original(bson_t *set, const struct raw_original *o)
{
    bson_t doc;
    BSON_APPEND_DOCUMENT_BEGIN(set, "original", &doc);
    BCON_APPEND(&doc, "state", BCON_UTF8(o->state), "at", BCON_DATE_TIME(wall_ms()), "by",
                BCON_UTF8(o->by));
    if (o->why != NULL) {
        BSON_APPEND_UTF8(&doc, "why", o->why);
    }
    bson_append_document_end(set, &doc);
}

static bson_t *by_openness(const char *id, bool open)
{
    return BCON_NEW("_id", BCON_UTF8(id), "status", "{", open ? "$in" : "$nin", "[",
                    BCON_UTF8(raw_status_names[RAW_QUEUED_FOR_MONITORING]),
                    BCON_UTF8(raw_status_names[RAW_MONITORING_ACQUISITION]), "]", "}");
}

int raw_file_make(struct db *db, struct db_change change, bool *won, struct err *err)
{
    return db_make(db, DB_RAW_FILES, change, won, err);
}

/* --- the watch's --- */

int raw_file_create(struct db *db, const struct raw_file_found *f, bool *made, struct err *err)
{
    int64_t now = wall_ms();
    enum raw_status status = f->ignored != NULL ? RAW_IGNORED : RAW_QUEUED_FOR_MONITORING;
    AUTO(bson_destroy)
    bson_t *doc = BCON_NEW(
        "_id", BCON_UTF8(f->id), "original_name", BCON_UTF8(f->original_name), "instrument_id",
        BCON_UTF8(f->instrument), "status", BCON_UTF8(raw_status_names[status]), "status_details",
        BCON_UTF8(f->ignored != NULL ? f->ignored : ""), "size", BCON_INT64(f->size),
        "instrument_file_status", BCON_UTF8("initial"), "created_at",
        BCON_DATE_TIME(f->born_ns / 1000000), "created_at_", BCON_DATE_TIME(now), "updated_at_",
        BCON_DATE_TIME(now), "rev", BCON_INT64(1), "indexed_rev", BCON_INT64(0), "dirty",
        BCON_BOOL(true), "settled", BCON_BOOL(false), "watch", "{", "ino",
        BCON_INT64((int64_t)f->ino), "born_ns", BCON_INT64(f->born_ns), "mtime_ns",
        BCON_INT64(f->mtime_ns), "size", BCON_INT64(f->size), "}");
    if (f->collision[0] != '\0') {
        BSON_APPEND_UTF8(doc, "collision_flag", f->collision);
    }
    BSON_APPEND_UTF8(doc, "project_id", f->project);
    return db_insert(db, DB_RAW_FILES, doc, made, err);
}

struct db_change raw_file_following(const char *id, const bson_t *memory, enum raw_status to)
{
    bson_t set = BSON_INITIALIZER;
    bson_t *update = bson_new();
    bson_concat(&set, memory);
    if (to != RAW_UNKNOWN) {
        BSON_APPEND_UTF8(&set, "status", raw_status_names[to]);
        raw_append_change(&set, update);
    }
    BSON_APPEND_DOCUMENT(update, "$set", &set);
    bson_destroy(&set);
    return (struct db_change){.filter = by_openness(id, true), .update = update};
}

struct db_change raw_file_looking(const char *id, const bson_t *memory,
                                  const struct raw_original *original)
{
    bson_t set = BSON_INITIALIZER;
    bson_t *update = bson_new();
    if (memory != NULL) {
        bson_concat(&set, memory);
    }
    if (original != NULL && original->state != NULL) {
        raw_append_original(&set, original);
    } else if (original != NULL) {
        BCON_APPEND(update, "$unset", "{", "original", BCON_BOOL(true), "}");
    }
    if (!bson_empty(&set)) {
        BSON_APPEND_DOCUMENT(update, "$set", &set);
    }
    bson_destroy(&set);
    return (struct db_change){.filter = by_openness(id, false), .update = update};
}

struct db_change raw_file_reopening(const bson_t *rf, const char *why)
{
    int64_t now = wall_ms();
    bson_t none = BSON_INITIALIZER, set, info;
    bson_iter_t list;
    bson_t *update = BCON_NEW("$unset", "{", "file_list", BCON_BOOL(true), "files", BCON_BOOL(true),
                              "file_info", BCON_BOOL(true), "watch.rule", BCON_BOOL(true),
                              "backup_base_path", BCON_BOOL(true), "backup_status", BCON_BOOL(true),
                              "verified_at", BCON_BOOL(true), "backup_damaged", BCON_BOOL(true),
                              "original", BCON_BOOL(true), "retire", BCON_BOOL(true), "}", "$inc",
                              "{", "rev", BCON_INT64(1), "round", BCON_INT64(1), "}");
    BSON_APPEND_DOCUMENT_BEGIN(update, "$set", &set);
    BCON_APPEND(&set, "status", BCON_UTF8(raw_status_names[RAW_MONITORING_ACQUISITION]),
                "status_details", BCON_UTF8(why), "tasks", BCON_ARRAY(&none), "settled",
                BCON_BOOL(false), "dirty", BCON_BOOL(true), "updated_at_", BCON_DATE_TIME(now));
    if (bson_iter_init_find(&list, rf, "file_list") || bson_iter_init_find(&list, rf, "files")) {
        BSON_APPEND_VALUE(&set, "superseded", bson_iter_value(&list));
    } else if (doc_has(rf, "imported") && !doc_has(rf, "superseded") &&
               doc_sub(rf, "file_info", &info)) {
        BSON_APPEND_DOCUMENT(&set, "imported.file_info", &info); /* of what is kept aside */
    }
    bson_append_document_end(update, &set);
    return (struct db_change){
        .filter = raw_guard(rf),
        .update = update,
        .proof =
            BCON_NEW("_id", BCON_UTF8(doc_str(rf, "_id", "")), "rev",
                     BCON_INT64(doc_i64(rf, "rev", 0) + 1), "updated_at_", BCON_DATE_TIME(now)),
    };
}

/* --- the operator's and the workers' --- */

struct db_change raw_file_adding_task(const char *id, const char *task)
{
    return (struct db_change){.filter = BCON_NEW("_id", BCON_UTF8(id)),
                              .update = BCON_NEW("$addToSet", "{", "tasks", BCON_UTF8(task), "}",
                                                 "$set", "{", "settled", BCON_BOOL(false), "}")};
}

struct db_change raw_file_erasing(const bson_t *rf)
{
    bson_t *guard = raw_guard(rf); /* a document of AlphaKraken's has no rev that grows */
    BCON_APPEND(guard, "backup_status", BCON_UTF8(doc_str(rf, "backup_status", "")),
                "backup_damaged", "{", "$in", "[", BCON_NULL, BCON_BOOL(false), "]", "}");
    return (struct db_change){
        .filter = guard,
        .update = BCON_NEW("$set", "{", "erase_at", BCON_DATE_TIME(wall_ms()), "}")};
}

struct db_change raw_file_indexing(const char *id, int64_t rev)
{
    bson_t *filter = BCON_NEW("_id", BCON_UTF8(id));
    if (rev >= 0) {
        BSON_APPEND_INT64(filter, "rev", rev);
    } else {
        BSON_APPEND_NULL(filter, "rev"); /* matches a missing field */
    }
    return (struct db_change){.filter = filter,
                              .update = BCON_NEW("$set", "{", "indexed_rev",
                                                 BCON_INT64(rev >= 0 ? rev : 0), "dirty",
                                                 BCON_BOOL(false), "}")};
}

/* --- what a verification found --- */

/* The index must see it, and the planner too, unless another program made the document: a rev would
 * make it look like one of ours. */
static void append_news(const bson_t *rf, bson_t *set, bson_t *update)
{
    if (doc_has(rf, "rev")) {
        raw_append_change(set, update);
    }
    if (doc_has(rf, "settled")) {
        BSON_APPEND_BOOL(set, "settled", false);
    }
}

struct db_change raw_file_backup_verified(const bson_t *rf, const struct raw_damage *d)
{
    bson_t *update = bson_new();
    bson_t set = BSON_INITIALIZER;
    if (d->n > 0) {
        BCON_APPEND(&set, "backup_damaged", "{", "at", BCON_DATE_TIME(wall_ms()), "by",
                    BCON_UTF8(d->by), "n", BCON_INT64(d->n), "files", BCON_ARRAY(d->files), "}");
        append_news(rf, &set, update);
    } else {
        BSON_APPEND_DATE_TIME(&set, "verified_at", wall_ms());
        if (doc_has(rf, "backup_damaged")) {
            append_news(rf, &set, update);
            BCON_APPEND(update, "$unset", "{", "backup_damaged", BCON_BOOL(true), "}");
        }
    }
    BSON_APPEND_DOCUMENT(update, "$set", &set);
    bson_destroy(&set);
    return (struct db_change){.filter = raw_guard(rf), .update = update};
}

struct db_change raw_file_original_verified(const bson_t *rf, const struct raw_original *o,
                                            bool news)
{
    bson_t *update = bson_new();
    bson_t set = BSON_INITIALIZER;
    raw_append_original(&set, o);
    if (news) {
        append_news(rf, &set, update);
    }
    BSON_APPEND_DOCUMENT(update, "$set", &set);
    bson_destroy(&set);
    return (struct db_change){.filter = raw_guard(rf), .update = update};
}
