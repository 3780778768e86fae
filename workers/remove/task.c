/* task.c - a remove task's document -> struct remove_job, and the end of a job. */
#include <string.h>

#include "workers/remove/job.h"

#define RAW_FILE_MAX 800 /* 255 bytes, each of them escaped as %XX, and a prefix */

int remove_decode(void *arg, const bson_t *task, struct err *err)
{
    struct remove_job *job = arg;
    const char *raw_file = doc_str(task, "raw_file", "");
    const char *root = doc_str(task, "input.source_root", "");
    size_t len = strlen(raw_file);
    if (len == 0 || len > RAW_FILE_MAX) {
        return ERR(err, ERR_INVALID, 0, "task: raw_file has %zu bytes, not 1 to %d", len,
                   RAW_FILE_MAX);
    }
    if (root[0] != '/') {
        return ERR(err, ERR_INVALID, 0, "task: input.source_root '%.200s' is not absolute", root);
    }
    job->raw_file = strdup(raw_file);
    job->source_root = strdup(root);
    job->set = strcmp(doc_str(task, "input.type", ""), "sciex") == 0;
    return job->raw_file != NULL && job->source_root != NULL ? 0 : err_no_memory(err);
}

void remove_destroy(void *arg)
{
    struct remove_job *job = arg;
    record_fini(&job->record);
    retire_check_fini(&job->check);
    free(job->deleted);
    free(job->raw_file);
    free(job->source_root);
    free(job->backup);
    free(job->pool);
}
