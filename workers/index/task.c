/* task.c - task document -> job, and the end of a job. */
#include <string.h>

#include "workers/index/job.h"

#define RAW_FILE_MAX 800 /* 255 bytes, each of them escaped as %XX, and a prefix */

int index_decode(void *job, const bson_t *task, struct err *err)
{
    struct index_job *j = job;
    const char *raw_file = doc_str(task, "raw_file", "");
    size_t len = strlen(raw_file);
    if (len == 0 || len > RAW_FILE_MAX) {
        return ERR(err, ERR_INVALID, 0,
                   "an index task names one raw file (raw_file, 1 to %d bytes)", RAW_FILE_MAX);
    }
    j->raw_file = strdup(raw_file);
    return j->raw_file != NULL ? 0 : err_no_memory(err);
}

void index_destroy(void *job)
{
    struct index_job *j = job;
    free(j->raw_file);
    if (j->raw != NULL) {
        bson_destroy(j->raw);
    }
    doc_list_clear(&j->metrics);
    doc_list_clear(&j->tasks);
    contribution_list_clear(&j->touched);
}
