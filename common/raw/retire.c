#include "common/raw/retire.h"

#include <assert.h>
#include <string.h>

#include "common/db/db.h"

#define DAY_MS   86400000
#define GB_SHIFT 30

/* Verification marks a damaged backup; any value but false and null counts. */
static bool is_damaged(const bson_t *raw)
{
    return doc_has(raw, "backup_damaged") && doc_bool(raw, "backup_damaged", true);
}

static const char *const complete[] = {"copying_done", "upload_in_progress", "upload_done",
                                       "upload_failed"};
#define N_COMPLETE (sizeof complete / sizeof *complete)

bool retire_backup_is_complete(const bson_t *raw)
{
    const char *status = doc_str(raw, "backup_status", "");
    bool found = false;
    for (size_t i = 0; i < N_COMPLETE; i++) {
        found |= strcmp(status, complete[i]) == 0;
    }
    return found;
}

void retire_append_complete(bson_t *filter)
{
    bson_t in, list;
    BSON_APPEND_DOCUMENT_BEGIN(filter, "backup_status", &in);
    BSON_APPEND_ARRAY_BEGIN(&in, "$in", &list);
    for (uint32_t i = 0; i < N_COMPLETE; i++) {
        char buf[16];
        const char *key;
        bson_uint32_to_string(i, &key, buf, sizeof buf);
        BSON_APPEND_UTF8(&list, key, complete[i]);
    }
    bson_append_array_end(&in, &list);
    bson_append_document_end(filter, &in);
}

const char *retire_backup_problem(const bson_t *raw)
{
    if (!retire_backup_is_complete(raw)) {
        return "its backup is not complete (backup_status is not copying_done)";
    }
    if (is_damaged(raw)) {
        return "its backup is damaged (backup_damaged)";
    }
    return NULL;
}

int64_t retire_move_due_ms(const bson_t *raw, int64_t delay_m)
{
    int64_t copied = doc_i64(raw, "copied_at", -1);
    if (delay_m < 0 || copied < 0 || retire_backup_problem(raw) != NULL ||
        strcmp(doc_str(raw, "instrument_file_status", ""), "initial") != 0) {
        return -1;
    }
    return copied + delay_m * 60000;
}

const char *retire_verdict_name(enum retire_verdict v)
{
    static const char *const names[] = {
        [RETIRE_GO] = "removable",
        [RETIRE_PURGED] = "purged already",
        [RETIRE_NOT_MOVED] = "not in Backup",
        [RETIRE_NO_BACKUP] = "no good backup",
        [RETIRE_TOO_YOUNG] = "too young",
        [RETIRE_TOO_OLD] = "too old",
        [RETIRE_REFUSED] = "refused",
        [RETIRE_ENOUGH] = "not needed",
    };
    static_assert(sizeof names / sizeof *names == RETIRE_VERDICT_COUNT, "a name for every verdict");
    return names[v];
}

int64_t retire_wanted_bytes(int64_t min_free_gb, int64_t free_gb)
{
    return min_free_gb > 0 && free_gb >= 0 && free_gb < min_free_gb
               ? (min_free_gb - free_gb) << GB_SHIFT
               : 0;
}

enum retire_verdict retire_verdict_of(const struct retire_rule *r, const bson_t *raw,
                                      int64_t chosen_bytes)
{
    const char *status = doc_str(raw, "instrument_file_status", "");
    double age_days = (double)(r->now_ms - doc_i64(raw, "created_at", r->now_ms)) / DAY_MS;
    if (strcmp(status, "purged") == 0) {
        return RETIRE_PURGED;
    }
    if (strcmp(status, "moved") != 0) {
        return RETIRE_NOT_MOVED;
    }
    if (retire_backup_problem(raw) != NULL) {
        return RETIRE_NO_BACKUP;
    }
    if (age_days < r->min_age_days) {
        return RETIRE_TOO_YOUNG;
    }
    if (age_days > RETIRE_MAX_AGE_DAYS) {
        return RETIRE_TOO_OLD;
    }
    if (chosen_bytes >= r->wanted_bytes) {
        return RETIRE_ENOUGH;
    }
    int64_t refused = doc_i64(raw, "remove_refused.at", -1);
    return refused >= 0 && r->now_ms - refused < r->recheck_ms ? RETIRE_REFUSED : RETIRE_GO;
}
