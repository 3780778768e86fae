/* task.c - a copy task's document -> struct copy_job. Names in documents are escaped (path.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/path.h"
#include "workers/copy/job.h"
#include "workers/decode.h"

static int take_target(const bson_t *task, char **out, struct err *err)
{
    if (decode_text(task, "input.target_dir", out, err) != 0) {
        return -1;
    }
    return path_is_safe(*out) ? 0
                              : ERR(err, ERR_INVALID, 0,
                                    "task: input.target_dir '%.200s' leaves its location", *out);
}

/* {from, to}, or only a text when both are the same. */
static int take_member(const bson_t *list, const bson_iter_t *at, struct copy_member *m,
                       struct err *err)
{
    bson_t doc;
    if (BSON_ITER_HOLDS_UTF8(at)) {
        const char *name = bson_iter_utf8(at, NULL);
        return decode_file_name(name, &m->from, err) != 0 ? -1
                                                          : decode_file_name(name, &m->to, err);
    }
    if (!BSON_ITER_HOLDS_DOCUMENT(at) || !doc_sub(list, bson_iter_key(at), &doc)) {
        return ERR(err, ERR_INVALID, 0, "task: a member is neither a name nor {from, to}");
    }
    return decode_member(&doc, &m->from, &m->to, err);
}

static int take_members(const bson_t *task, struct copy_job *job, struct err *err)
{
    bson_t list;
    bson_iter_t at;
    uint32_t n = 0;
    if (decode_members(task, &list, &n, err) != 0) {
        return -1;
    }
    job->members = calloc(n, sizeof *job->members);
    if (job->members == NULL) {
        return err_no_memory(err);
    }
    if (!bson_iter_init(&at, &list)) {
        return ERR(err, ERR_INVALID, 0, "task: input.members is broken");
    }
    while (job->n_members < n && bson_iter_next(&at)) {
        job->n_members++; /* first: destroy frees a half-filled one */
        if (take_member(&list, &at, &job->members[job->n_members - 1], err) != 0) {
            return -1;
        }
    }
    return 0;
}

static int take_digest(const bson_t *task, char **out, struct err *err)
{
    enum hash_digest known;
    const char *name = doc_str(task, "input.digest", NULL);
    if (name == NULL || *name == '\0') {
        return 0;
    }
    if (hash_digest_parse(name, &known) != 0) {
        return ERR(err, ERR_INVALID, 0, "task: unknown digest '%.40s'", name);
    }
    *out = strdup(name);
    return *out == NULL ? err_no_memory(err) : 0;
}

/* What the copy before the raw file changed and earlier attempts of this task may have published:
 * a step reads these lists (lists.c). */
static int take_earlier(const bson_t *task, struct copy_job *job, struct err *err)
{
    bson_iter_t top, at;
    job->earlier = bson_new();
    if (bson_iter_init(&top, task) && bson_iter_find_descendant(&top, "input.supersedes", &at)) {
        BSON_APPEND_VALUE(job->earlier, "supersedes", bson_iter_value(&at));
    }
    if (bson_iter_init_find(&at, task, "published")) {
        if (!BSON_ITER_HOLDS_ARRAY(&at)) {
            return ERR(err, ERR_INVALID, 0, "task: published is no list of copies");
        }
        BSON_APPEND_VALUE(job->earlier, "published", bson_iter_value(&at));
    }
    job->round = doc_i64(task, "round", 0);
    job->id = strdup(doc_str(task, "raw_file", ""));
    return job->id != NULL ? 0 : err_no_memory(err);
}

int copy_decode(void *arg, const bson_t *task, struct err *err)
{
    struct copy_job *job = arg;
    const char *main = doc_str(task, "input.main", "");
    if (decode_text(task, "raw_file", &job->name, err) != 0 ||
        decode_source_root(task, &job->source_root, err) != 0 ||
        take_target(task, &job->target_dir, err) != 0 || take_members(task, job, err) != 0 ||
        take_digest(task, &job->digest, err) != 0 || take_earlier(task, job, err) != 0) {
        return -1;
    }
    if (strchr(job->name, '/') != NULL) {
        return ERR(err, ERR_INVALID, 0, "task: raw_file '%.200s' cannot name a file", job->name);
    }
    if (*main != '\0' && (job->main = path_unescape(main)) == NULL) {
        return err_no_memory(err);
    }
    job->rename_aside = doc_bool(task, "input.rename_aside", false);
    job->s3_part_mib = doc_i64(task, "input.s3_part_mib", -1);
    job->limit_bytes_per_s = doc_i64(task, "input.limit_bytes_per_s", 0);
    return 0;
}

void copy_destroy(void *arg)
{
    struct copy_job *job = arg;
    copy_free(job->copy);
    copy_report_fini(&job->report);
    bandwidth_share_free(job->share);
    for (size_t i = 0; i < job->n_members; i++) {
        free(job->members[i].from);
        free(job->members[i].to);
    }
    for (size_t i = 0; i < job->n_supersedes; i++) {
        free(job->supersedes[i].path);
    }
    free(job->supersedes);
    bson_t *const docs[] = {job->earlier, job->whole, job->list};
    for (size_t i = 0; i < sizeof docs / sizeof *docs; i++) {
        if (docs[i] != NULL) {
            bson_destroy(docs[i]);
        }
    }
    free(job->id);
    free(job->members);
    free(job->name);
    free(job->source_root);
    free(job->target_dir);
    free(job->main);
    free(job->digest);
}
