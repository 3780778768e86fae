/* fold.c - sums over rows, kept by status in byte order so that equal sums are equal documents. */
#include "common/index/fold.h"

#include <string.h>

#include "common/db/db.h"
#include "common/index/week.h"

struct by_status {
    char *status;
    int64_t files;
};

struct fold {
    struct by_status *statuses; /* sorted */
    size_t n;
    int64_t files, size, errors, metrics;
    int64_t newest_ms;
    bool has_newest;
};

struct fold *fold_new(struct err *err)
{
    struct fold *f = calloc(1, sizeof *f);
    if (f == NULL) {
        err_no_memory(err);
    }
    return f;
}

void fold_free(struct fold *f)
{
    if (f == NULL) {
        return;
    }
    for (size_t i = 0; i < f->n; i++) {
        free(f->statuses[i].status);
    }
    free(f->statuses);
    free(f);
}

/* The entry of this status, made when missing; NULL when memory is short. */
static struct by_status *entry(struct fold *f, const char *status)
{
    size_t i = 0;
    while (i < f->n && strcmp(f->statuses[i].status, status) < 0) {
        i++;
    }
    if (i < f->n && strcmp(f->statuses[i].status, status) == 0) {
        return &f->statuses[i];
    }
    struct by_status *grown = reallocarray(f->statuses, f->n + 1, sizeof *grown);
    if (grown == NULL) {
        return NULL;
    }
    f->statuses = grown;
    char *name = strdup(status);
    if (name == NULL) {
        return NULL;
    }
    memmove(&grown[i + 1], &grown[i], (f->n - i) * sizeof *grown);
    grown[i] = (struct by_status){.status = name};
    f->n++;
    return &grown[i];
}

int fold_add(void *ctx, const bson_t *row, struct err *err)
{
    struct fold *f = ctx;
    struct by_status *s = entry(f, doc_str(row, "_id", "unknown"));
    if (s == NULL) {
        return err_no_memory(err);
    }
    int64_t files = doc_i64(row, "files", 0);
    s->files += files;
    f->files += files;
    f->size += doc_i64(row, "size", 0);
    f->errors += doc_i64(row, "errors", 0);
    f->metrics += doc_i64(row, "metrics", 0);
    int64_t newest_ms = doc_i64(row, "newest", 0);
    if (doc_has(row, "newest") && (!f->has_newest || newest_ms > f->newest_ms)) {
        f->newest_ms = newest_ms;
        f->has_newest = true;
    }
    return 0;
}

bool fold_is_empty(const struct fold *f)
{
    return f->files == 0;
}

bson_t *fold_contents(const struct fold *f)
{
    bson_t *out = bson_new();
    BSON_APPEND_INT64(out, "file_count", f->files);
    BSON_APPEND_INT64(out, "size", f->size);
    BSON_APPEND_INT64(out, "error_count", f->errors);
    BSON_APPEND_INT64(out, "metrics_count", f->metrics);
    if (f->has_newest) {
        BSON_APPEND_DATE_TIME(out, "newest_created_at", f->newest_ms);
    }
    bson_t statuses;
    BSON_APPEND_DOCUMENT_BEGIN(out, "by_status", &statuses);
    for (size_t i = 0; i < f->n; i++) {
        BSON_APPEND_INT64(&statuses, f->statuses[i].status, f->statuses[i].files);
    }
    bson_append_document_end(out, &statuses);
    return out;
}

bson_t *fold_row(const bson_t *contents)
{
    bson_t *row = bson_new();
    BSON_APPEND_UTF8(row, "_id", doc_str(contents, "status", "unknown"));
    BSON_APPEND_INT64(row, "files", 1);
    BSON_APPEND_INT64(row, "size", doc_i64(contents, "size", 0));
    BSON_APPEND_INT64(row, "errors", doc_i64(contents, "error", 0));
    BSON_APPEND_INT64(row, "metrics", doc_i64(contents, "metrics", 0));
    if (doc_has(contents, "created_at")) {
        BSON_APPEND_DATE_TIME(row, "newest", doc_i64(contents, "created_at", 0));
    }
    return row;
}

/* Each member has contents.error: named here, so that the index of members serves this and holds
 * all that is read. */
bson_t *fold_filter(const struct entity *e, const int64_t *week)
{
    bson_t *filter =
        BCON_NEW("entity", BCON_UTF8(e->name), "type", BCON_UTF8(entity_type_name(e->type)),
                 "deleted", BCON_BOOL(false), "contents.error", "{", "$gte", BCON_INT64(0), "}");
    if (week != NULL && *week == WEEK_NONE) {
        BSON_APPEND_NULL(filter, "contents.created_at");
    } else if (week != NULL) {
        BCON_APPEND(filter, "contents.created_at", "{", "$gte", BCON_DATE_TIME(*week * WEEK_MS),
                    "$lt", BCON_DATE_TIME((*week + 1) * WEEK_MS), "}");
    }
    return filter;
}

bson_t *fold_pipeline(const struct entity *e, const int64_t *week)
{
    AUTO(bson_destroy) bson_t *filter = fold_filter(e, week);
    return BCON_NEW("pipeline", "[", "{", "$match", BCON_DOCUMENT(filter), "}", "{", "$group", "{",
                    "_id", BCON_UTF8("$contents.status"), "files", "{", "$sum", BCON_INT64(1), "}",
                    "size", "{", "$sum", BCON_UTF8("$contents.size"), "}", "errors", "{", "$sum",
                    BCON_UTF8("$contents.error"), "}", "metrics", "{", "$sum",
                    BCON_UTF8("$contents.metrics"), "}", "newest", "{", "$max",
                    BCON_UTF8("$contents.created_at"), "}", "}", "}", "]");
}
