/*
 * old_lists.c - a copy that replaces another, or whose earlier attempts were cut off, leaves lists
 * of files behind that nothing names any more (common/raw/file_list.h). The planner marks the raw
 * file in the write that names the new list; here they go, beside planning, a raw file at a time.
 *
 * The mark goes last, so a round may be cut off anywhere, and two leaders at a time do no harm.
 */
#include "scheduler/old_lists.h"

#include "common/base/log.h"
#include "common/db/docs.h"
#include "common/raw/file_list.h"
#include "common/raw/raw_file.h"
#include "scheduler/scheduler.h"

#define BATCH    100
#define REST_MS  10000
#define AGAIN_MS 60000 /* after a round that failed */

/* In a document that went back to monitoring since, no list is named: its next copy marks it. */
static int drop_of(struct db *db, const bson_t *rf, struct err *err)
{
    bool won;
    const char *id = doc_str(rf, "_id", ""), *list = doc_str(rf, "file_list.list", "");
    if (list[0] != '\0' && file_list_drop_others(db, id, doc_i64(rf, "round", 0), list, err) != 0) {
        return -1;
    }
    return raw_file_make(db, raw_file_lists_dropped(rf), &won, err);
}

int64_t old_lists_round(struct chore *c, struct scheduler *s)
{
    struct err err = {0};
    AUTO(bson_destroy) bson_t *filter = BCON_NEW("old_lists", BCON_BOOL(true));
    AUTO(bson_destroy)
    bson_t *opts = BCON_NEW("projection", "{", "file_list.list", BCON_INT32(1), "round",
                            BCON_INT32(1), "}", "limit", BCON_INT64(BATCH));
    AUTO(docs_free)
    struct docs *marked = docs_read(s->db, &(struct docs_query){DB_RAW_FILES, filter, opts}, &err);
    int rc = marked != NULL ? 0 : -1;
    for (size_t i = 0; rc == 0 && i < marked->n && chore_continues(c, 0); i++) {
        rc = drop_of(s->db, marked->items[i], &err);
    }
    if (rc != 0) {
        log_err_rarely("old_lists", &err);
        return AGAIN_MS;
    }
    return marked->n == BATCH ? 0 : REST_MS;
}
