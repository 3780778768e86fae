/*
 * contents.c - the words of each contribution. Fields keep AlphaKraken's names, so that one name
 * means one thing in the raw file's document, in the index and in its pages.
 *
 * Of several metrics of one type the newest is shown whole; of the older ones only the ids.
 */
#include <string.h>

#include "common/db/named.h"
#include "common/raw/backup_record.h"
#include "common/raw/original.h"
#include "common/raw/raw_file.h"
#include "workers/index/contribution.h"

static const char *const raw_fields[] = {
    "original_name",
    "instrument_id",
    "project_id",
    "collision_flag",
    "status",
    "status_details",
    "backup_status",
    "backup_base_path",
    "instrument_file_status",
    "s3_upload_path",
    "size",
    "created_at",
    "created_at_",
    "updated_at_",
    NULL,
};

static const char *const task_fields[] = {
    "raw_file", "settings",   "instrument_id", "project_id", "state", "attempt",
    "error",    "started_at", "ended_at",      "result",     NULL,
};

static void copy_fields(bson_t *out, const bson_t *from, const char *const *fields)
{
    for (; *fields != NULL; fields++) {
        bson_iter_t at;
        if (bson_iter_init_find(&at, from, *fields)) {
            BSON_APPEND_VALUE(out, *fields, bson_iter_value(&at));
        }
    }
}

static bool is_newer(const bson_t *a, const bson_t *b)
{
    int64_t at_a = doc_i64(a, "created_at_", 0);
    int64_t at_b = doc_i64(b, "created_at_", 0);
    if (at_a != at_b) {
        return at_a > at_b;
    }
    char x[NAMED_ROOM], y[NAMED_ROOM];
    return strcmp(named_name(a, x), named_name(b, y)) > 0;
}

static const char *type_of(const bson_t *metrics)
{
    return doc_str(metrics, "type", "unknown");
}

/* Metrics of a run carry "<task id>#<run>"; those of elsewhere belong to no task. */
static bool belongs(const bson_t *metrics, const char *task)
{
    size_t len = strlen(task);
    char buf[NAMED_ROOM];
    const char *id = named_name(metrics, buf);
    return len == 0 || (strncmp(id, task, len) == 0 && id[len] == '#');
}

/* Whether no other of this task (any, when "") and this type is newer. */
static bool is_newest(const struct docs *all, const bson_t *metrics, const char *task)
{
    for (size_t i = 0; i < all->n; i++) {
        const bson_t *other = all->items[i];
        if (other != metrics && belongs(other, task) &&
            strcmp(type_of(other), type_of(metrics)) == 0 && is_newer(other, metrics)) {
            return false;
        }
    }
    return true;
}

static int by_type_then_id(const void *a, const void *b)
{
    const bson_t *x = *(bson_t *const *)a;
    const bson_t *y = *(bson_t *const *)b;
    int order = strcmp(type_of(x), type_of(y));
    char name_x[NAMED_ROOM], name_y[NAMED_ROOM];
    return order != 0 ? order : strcmp(named_name(x, name_x), named_name(y, name_y));
}

/* A field's name may hold no dot and begin with no dollar: dots become ':' as in metric names. */
static void safe_key(const char *name, char key[static 64])
{
    size_t n = strnlen(name, 63);
    memcpy(key, name, n);
    key[n] = '\0';
    for (size_t i = 0; i < n; i++) {
        if (key[i] == '.' || (i == 0 && key[i] == '$')) {
            key[i] = ':';
        }
    }
}

/* The index knows metrics by their name, whatever `_id` they have. */
static void append_named(bson_t *types, const char *key, const bson_t *metrics)
{
    bson_t one;
    char buf[NAMED_ROOM];
    BSON_APPEND_DOCUMENT_BEGIN(types, key, &one);
    BSON_APPEND_UTF8(&one, "_id", named_name(metrics, buf));
    bson_copy_to_excluding_noinit(metrics, &one, "_id", NAMED_FIELD, NULL);
    bson_append_document_end(types, &one);
}

static void append_newest(bson_t *out, bson_t **sorted, const struct docs *all, const char *task)
{
    bson_t types;
    BSON_APPEND_DOCUMENT_BEGIN(out, "metrics", &types);
    for (size_t i = 0; i < all->n; i++) {
        if (belongs(sorted[i], task) && is_newest(all, sorted[i], task)) {
            char key[64];
            safe_key(type_of(sorted[i]), key);
            append_named(&types, key, sorted[i]);
        }
    }
    bson_append_document_end(out, &types);
}

static void append_older(bson_t *out, bson_t **sorted, const struct docs *all, const char *task)
{
    bson_t older;
    uint32_t n = 0;
    BSON_APPEND_ARRAY_BEGIN(out, "metrics_older", &older);
    for (size_t i = 0; i < all->n; i++) {
        if (belongs(sorted[i], task) && !is_newest(all, sorted[i], task)) {
            char room[16], buf[NAMED_ROOM];
            const char *key;
            bson_uint32_to_string(n++, &key, room, sizeof room);
            BSON_APPEND_UTF8(&older, key, named_name(sorted[i], buf));
        }
    }
    bson_append_array_end(out, &older);
}

static void append_metrics(bson_t *out, const struct docs *all, const char *task)
{
    bson_t **sorted = bson_malloc0((all->n + 1) * sizeof *sorted);
    for (size_t i = 0; i < all->n; i++) {
        sorted[i] = all->items[i];
    }
    qsort(sorted, all->n, sizeof *sorted, by_type_then_id);
    append_newest(out, sorted, all, task);
    append_older(out, sorted, all, task);
    bson_free(sorted);
}

static int by_id(const void *a, const void *b)
{
    const bson_t *x = *(bson_t *const *)a;
    const bson_t *y = *(bson_t *const *)b;
    return strcmp(doc_str(x, "_id", ""), doc_str(y, "_id", ""));
}

static void append_result_states(bson_t *out, const struct docs *tasks)
{
    bson_t **sorted = bson_malloc0((tasks->n + 1) * sizeof *sorted);
    uint32_t n = 0;
    for (size_t i = 0; i < tasks->n; i++) {
        if (strcmp(doc_str(tasks->items[i], "kind", ""), "quant") == 0) {
            sorted[n++] = tasks->items[i];
        }
    }
    qsort(sorted, n, sizeof *sorted, by_id);
    bson_t list;
    BSON_APPEND_ARRAY_BEGIN(out, "results", &list);
    for (uint32_t i = 0; i < n; i++) {
        char room[16];
        const char *key;
        bson_t one;
        bson_uint32_to_string(i, &key, room, sizeof room);
        BSON_APPEND_DOCUMENT_BEGIN(&list, key, &one);
        BSON_APPEND_UTF8(&one, "task", doc_str(sorted[i], "_id", ""));
        BSON_APPEND_UTF8(&one, "state", doc_str(sorted[i], "state", ""));
        bson_append_document_end(&list, &one);
    }
    bson_append_array_end(out, &list);
    bson_free(sorted);
}

bson_t *contents_raw_file(const struct contribution_sources *src)
{
    bson_t *out = bson_new();
    copy_fields(out, src->raw, raw_fields);
    BSON_APPEND_INT64(out, "file_count", record_count(src->raw));
    BSON_APPEND_BOOL(out, "backup_damaged", doc_has(src->raw, "backup_damaged"));
    if (!original_is_safe(src->raw)) {
        BSON_APPEND_BOOL(out, "original_differs", true);
    }
    append_result_states(out, src->tasks);
    append_metrics(out, src->metrics, "");
    return out;
}

bson_t *contents_result(const struct contribution_sources *src, const bson_t *task)
{
    bson_t *out = bson_new();
    copy_fields(out, task, task_fields);
    BSON_APPEND_UTF8(out, "original_name", doc_str(src->raw, "original_name", ""));
    append_metrics(out, src->metrics, doc_str(task, "_id", ""));
    return out;
}

bson_t *contents_member(const struct contribution_sources *src)
{
    bson_t *out = bson_new();
    const char *status = doc_str(src->raw, "status", "unknown");
    BSON_APPEND_UTF8(out, "status", status);
    int64_t size = doc_i64(src->raw, "size", 0);
    BSON_APPEND_INT64(out, "size", size > 0 ? size : 0); /* -1: not known yet */
    BSON_APPEND_INT64(out, "error", raw_status_is_error(raw_status_parse(status)) ? 1 : 0);
    BSON_APPEND_INT64(out, "metrics", (int64_t)src->metrics->n);
    if (doc_has(src->raw, "created_at")) {
        BSON_APPEND_DATE_TIME(out, "created_at", doc_i64(src->raw, "created_at", 0));
    }
    return out;
}
