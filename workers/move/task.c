/* task.c - a move task's document -> struct move_job. Names in documents are escaped (path.h). */
#include <string.h>

#include "common/base/path.h"
#include "workers/move/job.h"

#define MEMBERS_MAX  4096
#define RAW_FILE_MAX 800 /* 255 bytes, each of them escaped as %XX, and a prefix */

static int no_memory(struct err *err)
{
    return err_no_memory(err);
}

static int take_name(const bson_t *member, const char *field, char **out, struct err *err)
{
    const char *text = doc_str(member, field, "");
    *out = path_unescape(text);
    if (*out == NULL) {
        return no_memory(err);
    }
    return path_is_safe(*out) && strchr(*out, '/') == NULL
               ? 0
               : ERR(err, ERR_INVALID, 0, "task: member '%.200s' is no name of a file", text);
}

static int take_members(struct move_job *job, const bson_t *task, struct err *err)
{
    bson_t list, one;
    bson_iter_t at;
    uint32_t n = doc_sub(task, "input.members", &list) ? bson_count_keys(&list) : 0;
    if (n == 0 || n > MEMBERS_MAX || !bson_iter_init(&at, &list)) {
        return ERR(err, ERR_INVALID, 0, "task: input.members has %u names, not 1 to %d", n,
                   MEMBERS_MAX);
    }
    job->members = calloc(n, sizeof *job->members);
    if (job->members == NULL) {
        return no_memory(err);
    }
    while (job->n_members < n && bson_iter_next(&at)) {
        struct move_member *m = &job->members[job->n_members++];
        if (!doc_sub(&list, bson_iter_key(&at), &one)) {
            return ERR(err, ERR_INVALID, 0, "task: a member is no {from, to}");
        }
        if (take_name(&one, "from", &m->from, err) != 0 ||
            take_name(&one, "to", &m->to, err) != 0) {
            return -1;
        }
    }
    return 0;
}

int move_decode(void *arg, const bson_t *task, struct err *err)
{
    struct move_job *job = arg;
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
    job->set = strcmp(doc_str(task, "input.type", ""), "sciex") == 0;
    job->raw_file = strdup(raw_file);
    job->source_root = strdup(root);
    if (job->raw_file == NULL || job->source_root == NULL) {
        return no_memory(err);
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
