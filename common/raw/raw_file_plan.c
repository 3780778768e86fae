/*
 * raw_file_plan.c - the planner's writes to a raw file's document: its status, new tasks, and the
 * marks of its move and removal.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/path.h"
#include "common/raw/file_list.h"
#include "common/raw/raw_file_internal.h"

/* --- the copy's result --- */

/* AlphaKraken's: path -> [size, md5], or [size, md5, "<ETag>__<MiB of a part>"]. */
static void append_one_info(const bson_t *file, bson_t *info)
{
    bson_t one;
    const char *etag = doc_str(file, "etag", "");
    BSON_APPEND_ARRAY_BEGIN(info, doc_str(file, "path", ""), &one);
    BSON_APPEND_INT64(&one, "0", doc_i64(file, "size", 0));
    BSON_APPEND_UTF8(&one, "1", doc_str(file, "md5", ""));
    if (etag[0] != '\0') {
        BSON_APPEND_UTF8(&one, "2", etag);
    }
    bson_append_array_end(info, &one);
}

/* Where a copy's result has its list of files: earlier versions had it there whole. */
static struct file_list_at list_of(const bson_t *copy)
{
    bool whole = doc_has(copy, "result.files");
    return (struct file_list_at){copy, whole ? "result.files" : "result.file_list"};
}

static int add_info(void *ctx, const bson_t *file, struct err *err)
{
    bson_t *info = ctx;
    (void)err;
    if (info->len < RAW_INFO_BYTES && doc_has(file, "md5")) {
        append_one_info(file, info);
    }
    return 0;
}

bson_t *raw_file_info_of(struct db *db, const bson_t *copy, struct err *err)
{
    AUTO(bson_destroy) bson_t *info = bson_new();
    struct file_list_at list = list_of(copy);
    if (file_list_count(list) > RAW_INFO_FILES) {
        return TAKE(info);
    }
    if (file_list_each(db, list, add_info, info, err) != 0) {
        return NULL;
    }
    if (info->len >= RAW_INFO_BYTES) {
        bson_reinit(info);
    }
    return TAKE(info);
}

bool raw_file_adopts(const struct raw_file_plan *p)
{
    return p->copy != NULL && !doc_has(p->rf, "backup_base_path") &&
           doc_has(p->copy, list_of(p->copy).path);
}

static void append_value(bson_t *set, const char *field, struct file_list_at from)
{
    bson_iter_t top, at;
    if (bson_iter_init(&top, from.doc) && bson_iter_find_descendant(&top, from.path, &at)) {
        BSON_APPEND_VALUE(set, field, bson_iter_value(&at));
    }
}

/* Whether there can be lists of files beside that of the copy which is adopted: of the copy before,
 * or of attempts that were cut off. */
static bool has_older_lists(const struct raw_file_plan *p)
{
    return file_list_is_reference(list_of(p->copy)) &&
           (doc_i64(p->rf, "round", 0) > 0 || doc_i64(p->copy, "fence", 0) > 1);
}

static void append_copied(const struct raw_file_plan *p, bson_t *set)
{
    if (!raw_file_adopts(p)) {
        return;
    }
    char month[8], base[1200];
    struct file_list_at list = list_of(p->copy);
    path_month(doc_i64(p->rf, "created_at", 0), month);
    snprintf(base, sizeof base, "%s/%s/%s", p->backup, doc_str(p->rf, "instrument_id", ""), month);
    append_value(set, file_list_is_reference(list) ? "file_list" : "files", list);
    if (has_older_lists(p)) {
        BSON_APPEND_BOOL(set, "old_lists", true);
    }
    BSON_APPEND_INT64(set, "size", doc_i64(p->copy, "result.size", 0));
    BSON_APPEND_DATE_TIME(set, "copied_at", doc_i64(p->copy, "ended_at", wall_ms()));
    BSON_APPEND_UTF8(set, "backup_base_path", base);
    if (p->info != NULL && !bson_empty(p->info)) {
        BSON_APPEND_DOCUMENT(set, "file_info", p->info);
    }
}

/* --- what a pass has decided --- */

/* What an import kept (raw_file_import.c), in its place again. */
static void append_restored(const struct raw_file_plan *p, bson_t *set)
{
    static const char *const fields[] = {"backup_base_path", "size", "file_info", NULL};
    bson_t mark;
    bson_iter_t at;
    if (!p->restored || doc_has(p->rf, "backup_base_path") || !doc_sub(p->rf, "imported", &mark)) {
        return;
    }
    for (const char *const *f = fields; *f != NULL; f++) {
        if (bson_iter_init_find(&at, &mark, *f)) {
            BSON_APPEND_VALUE(set, *f, bson_iter_value(&at));
        }
    }
}

static void append_text(bson_t *set, const bson_t *rf, const char *field, const char *value)
{
    if (value != NULL && strcmp(doc_str(rf, field, ""), value) != 0) {
        BSON_APPEND_UTF8(set, field, value);
    }
}

bson_t *raw_file_news(const struct raw_file_plan *p, struct err *err)
{
    enum raw_status from = raw_file_status(p->rf);
    if (from != p->status && p->status != RAW_UNKNOWN && !raw_status_may(from, p->status)) {
        ERR(err, ERR_INVALID, 0, "a bug in Trawl: a raw file that is %s cannot become %s",
            raw_status_names[from], raw_status_names[p->status]);
        return NULL;
    }
    bson_t *set = bson_new();
    append_text(set, p->rf, "status", raw_status_names[p->status]);
    append_text(set, p->rf, "status_details", p->details);
    append_text(set, p->rf, "backup_status", p->backup_status);
    append_text(set, p->rf, "instrument_file_status", p->instrument_file_status);
    append_copied(p, set);
    append_restored(p, set);
    if (p->differs != NULL && strcmp(doc_str(p->rf, "original.why", ""), p->differs) != 0) {
        const struct raw_original o = {"differs", "remove", p->differs};
        raw_append_original(set, &o);
    }
    if (p->kept != NULL) {
        BCON_APPEND(set, "remove_refused", "{", "at", BCON_DATE_TIME(wall_ms()), "why",
                    BCON_UTF8(p->kept), "}");
    }
    return set;
}

static void append_unset(const struct raw_file_plan *p, bson_t *update)
{
    bson_t unset = BSON_INITIALIZER;
    if (p->retire != NULL && p->retire[0] == '\0') {
        BSON_APPEND_BOOL(&unset, "retire", true);
    }
    if (doc_has(p->rf, "superseded") && raw_file_adopts(p)) { /* the new copy has replaced it */
        BSON_APPEND_BOOL(&unset, "superseded", true);
    }
    if (p->purged && doc_has(p->rf, "remove_refused")) {
        BSON_APPEND_BOOL(&unset, "remove_refused", true);
    }
    if (p->purged && doc_has(p->rf, "original")) { /* there is no original left to compare */
        BSON_APPEND_BOOL(&unset, "original", true);
    }
    if (!bson_empty(&unset)) {
        BSON_APPEND_DOCUMENT(update, "$unset", &unset);
    }
    bson_destroy(&unset);
}

static bson_t *make_update(const struct raw_file_plan *p, const bson_t *news,
                           const bson_t *new_tasks, bool settled)
{
    bson_t *update = bson_new();
    bson_t set = BSON_INITIALIZER;
    bson_concat(&set, news);
    if (!bson_empty(news)) {
        raw_append_change(&set, update);
    }
    if (p->retire != NULL && p->retire[0] != '\0') {
        BSON_APPEND_UTF8(&set, "retire", p->retire);
    }
    if (!bson_empty(new_tasks)) {
        BCON_APPEND(update, "$addToSet", "{", "tasks", "{", "$each", BCON_ARRAY(new_tasks), "}",
                    "}");
    }
    append_unset(p, update);
    BSON_APPEND_BOOL(&set, "settled", settled);
    BSON_APPEND_DOCUMENT(update, "$set", &set);
    bson_destroy(&set);
    return update;
}

struct db_change raw_file_planning(const struct raw_file_plan *p, const bson_t *news,
                                   const bson_t *new_tasks)
{
    bool changed = !bson_empty(news);
    bool settled = p->ended && !changed && !doc_bool(p->rf, "dirty", false);
    if (!changed && bson_empty(new_tasks) && p->retire == NULL &&
        settled == doc_bool(p->rf, "settled", false)) {
        return (struct db_change){0};
    }
    struct db_change c = {.filter = raw_guard(p->rf),
                          .update = make_update(p, news, new_tasks, settled)};
    c.proof = BCON_NEW("_id", BCON_UTF8(doc_str(p->rf, "_id", "")), "rev",
                       BCON_INT64(doc_i64(p->rf, "rev", 0) + changed), "updated_at_",
                       BCON_DATE_TIME(doc_i64(c.update, "$set.updated_at_", 0)));
    return c;
}

struct db_change raw_file_lists_dropped(const bson_t *rf)
{
    const char *list = doc_str(rf, "file_list.list", NULL);
    bson_t *filter = BCON_NEW("_id", BCON_UTF8(doc_str(rf, "_id", "")));
    if (list != NULL) {
        BSON_APPEND_UTF8(filter, "file_list.list", list);
    } else {
        BSON_APPEND_NULL(filter, "file_list.list"); /* matches a missing field */
    }
    return (struct db_change){.filter = filter,
                              .update = BCON_NEW("$unset", "{", "old_lists", BCON_BOOL(true), "}")};
}

struct db_change raw_file_unsettling(const char *id, bool foreign)
{
    bson_t *filter = BCON_NEW("_id", BCON_UTF8(id));
    if (foreign) {
        BCON_APPEND(filter, "settled", "{", "$ne", BCON_BOOL(false), "}");
    } else {
        BSON_APPEND_BOOL(filter, "settled", true);
    }
    return (struct db_change){.filter = filter,
                              .update = BCON_NEW("$set", "{", "settled", BCON_BOOL(false), "}")};
}

struct db_change raw_file_retiring(const struct raw_retiring *r)
{
    bson_t *filter = BCON_NEW("_id", BCON_UTF8(r->id));
    if (r->before[0] != '\0') {
        BSON_APPEND_UTF8(filter, "retire", r->before);
    } else {
        BSON_APPEND_NULL(filter, "retire"); /* matches a missing field */
    }
    return (struct db_change){.filter = filter,
                              .update =
                                  BCON_NEW("$set", "{", "retire", BCON_UTF8(r->mark), "}",
                                           "$addToSet", "{", "tasks", BCON_UTF8(r->task), "}")};
}
