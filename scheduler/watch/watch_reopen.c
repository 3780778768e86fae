#include "scheduler/watch/watch_reopen.h"

#include <string.h>

#include "common/raw/raw_file.h"
#include "common/raw/retire.h"
#include "common/task/task.h"

bool reopen_may(const bson_t *rf)
{
    const char *retire = doc_str(rf, "retire", "");
    bool copies = !doc_bool(rf, "settled", false) && !retire_backup_is_complete(rf);
    return strcmp(retire, "moving") != 0 && strcmp(retire, "removing") != 0 && !copies &&
           raw_file_status(rf) != RAW_IGNORED &&
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

int reopen_raw_file(struct db *db, const bson_t *rf, const char *why, bool *won, struct err *err)
{
    return reopen_cancel_jobs(db, rf, err) != 0
               ? -1
               : raw_file_make(db, raw_file_reopening(rf, why), won, err);
}
