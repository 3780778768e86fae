/* task.c - a move task's document -> struct move_job. Names in documents are escaped (path.h). */
#include <stdlib.h>

#include "workers/decode.h"
#include "workers/move/job.h"

static int take_members(struct move_job *job, const bson_t *task, struct err *err)
{
    bson_t list, one;
    bson_iter_t at;
    uint32_t n = 0;
    if (decode_members(task, &list, &n, err) != 0) {
        return -1;
    }
    job->members = calloc(n, sizeof *job->members);
    if (job->members == NULL) {
        return err_no_memory(err);
    }
    for (bool more = bson_iter_init(&at, &list) && bson_iter_next(&at); more;
         more = bson_iter_next(&at)) {
        struct move_member *m = &job->members[job->n_members++];
        if (!doc_sub(&list, bson_iter_key(&at), &one)) {
            return ERR(err, ERR_INVALID, 0, "task: a member is no {from, to}");
        }
        if (decode_member(&one, &m->from, &m->to, err) != 0) {
            return -1;
        }
    }
    return 0;
}

int move_decode(void *arg, const bson_t *task, struct err *err)
{
    struct move_job *job = arg;
    job->set = decode_is_set(task);
    if (decode_raw_file(task, &job->raw_file, err) != 0 ||
        decode_source_root(task, &job->source_root, err) != 0) {
        return -1;
    }
    return take_members(job, task, err);
}

void move_destroy(void *arg)
{
    struct move_job *job = arg;
    for (size_t i = 0; i < job->n_members; i++) {
        free(job->members[i].from);
        free(job->members[i].to);
        tree_clear(&job->members[i].tree);
    }
    record_fini(&job->record);
    free(job->members);
    free(job->raw_file);
    free(job->source_root);
    free(job->backup);
    free(job->pool);
}
