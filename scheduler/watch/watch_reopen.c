#include "scheduler/watch/watch_reopen.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/task/task.h"

bool reopen_may(const bson_t *rf)
{
    const char *retire = doc_str(rf, "retire", "");
    bool copies = !doc_bool(rf, "settled", false) &&
                  strcmp(doc_str(rf, "backup_status", ""), "copying_done") != 0;
    return strcmp(retire, "moving") != 0 && strcmp(retire, "removing") != 0 && !copies &&
           strcmp(doc_str(rf, "status", ""), "ignored") != 0 &&
           strcmp(doc_str(rf, "instrument_file_status", ""), "initial") == 0;
}

int reopen_cancel_jobs(struct db *db, const bson_t *rf, struct err *err)
{
    bson_t list;
    bson_iter_t at;
    for (bool more =
             doc_sub(rf, "tasks", &list) && bson_iter_init(&at, &list) && bson_iter_next(&at);
         more; more = bson_iter_next(&at)) {
        bool won;
        const struct task_order stop = {
            .task = bson_iter_utf8(&at, NULL), .by = "scheduler", .why = "the raw file changed"};
        if (strstr(stop.task, "/quant/") != NULL && task_cancel(db, &stop, &won, err) != 0) {
            return -1;
        }
    }
    return 0;
}

/* What says that a backup stands for the original goes: until the next copy has ended there is
 * none. */
static bson_t *update_of(const bson_t *rf, const char *why, int64_t now)
{
    bson_t none = BSON_INITIALIZER, files;
    bool copied = doc_sub(rf, "files", &files) || doc_sub(rf, "superseded", &files);
    return BCON_NEW("$set", "{", "status", BCON_UTF8("monitoring_acquisition"), "status_details",
                    BCON_UTF8(why), "tasks", BCON_ARRAY(&none), "settled", BCON_BOOL(false),
                    "dirty", BCON_BOOL(true), "updated_at_", BCON_DATE_TIME(now), "superseded",
                    BCON_ARRAY(copied ? &files : &none), "}", "$unset", "{", "files",
                    BCON_BOOL(true), "file_info", BCON_BOOL(true), "watch.rule", BCON_BOOL(true),
                    "backup_base_path", BCON_BOOL(true), "backup_status", BCON_BOOL(true),
                    "verified_at", BCON_BOOL(true), "backup_damaged", BCON_BOOL(true), "original",
                    BCON_BOOL(true), "retire", BCON_BOOL(true), "}", "$inc", "{", "rev",
                    BCON_INT64(1), "round", BCON_INT64(1), "}");
}

struct db_change reopen_change(const bson_t *rf, const char *why)
{
    const char *id = doc_str(rf, "_id", "");
    int64_t rev = doc_i64(rf, "rev", 0), now = wall_ms();
    return (struct db_change){
        .filter = doc_guard(rf),
        .update = update_of(rf, why, now),
        .proof = BCON_NEW("_id", BCON_UTF8(id), "rev", BCON_INT64(rev + 1), "updated_at_",
                          BCON_DATE_TIME(now)),
    };
}

int reopen(struct db *db, const bson_t *rf, const char *why, bool *won, struct err *err)
{
    if (reopen_cancel_jobs(db, rf, err) != 0) {
        return -1;
    }
    struct db_change c = reopen_change(rf, why);
    int rc = db_update(db, DB_RAW_FILES, c.filter, c.update, won, err);
    db_change_fini(&c);
    return rc;
}
