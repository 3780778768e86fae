/*
 * lists.c - lists of files in the database (common/raw/file_list.h): those of earlier copies, whose
 * files may make way for this one, and this copy's own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/path.h"
#include "common/raw/file_list.h"
#include "workers/copy/job.h"
#include "workers/decode.h"

#define MIB ((int64_t)1 << 20)

/* --- of earlier copies --- */

struct taking {
    struct copy_job *job;
    unsigned copy;
};

static int take_fields(const bson_t *file, struct copy_superseded *to, struct err *err)
{
    const char *xxh3 = doc_str(file, "xxh3", "");
    to->size = doc_i64(file, "size", -1);
    if (decode_text(file, "path", &to->path, err) != 0) {
        return -1;
    }
    if (!path_is_safe(to->path) || to->size < 0 || strlen(xxh3) != HASH_XXH_HEX - 1) {
        return ERR(err, ERR_INVALID, 0,
                   "task: superseded '%.200s' has no safe path, size and XXH3-128", to->path);
    }
    memcpy(to->xxh3, xxh3, HASH_XXH_HEX);
    return 0;
}

static int take_file(void *ctx, const bson_t *file, struct err *err)
{
    enum { STEP = 1024 };
    const struct taking *t = ctx;
    struct copy_job *job = t->job;
    if (job->n_supersedes % STEP == 0) {
        struct copy_superseded *more =
            reallocarray(job->supersedes, job->n_supersedes + STEP, sizeof *more);
        if (more == NULL) {
            return err_no_memory(err);
        }
        job->supersedes = more;
    }
    struct copy_superseded *to = &job->supersedes[job->n_supersedes++]; /* destroy frees it */
    *to = (struct copy_superseded){.copy = t->copy};
    return take_fields(file, to, err);
}

/* A list that is not whole proves nothing: what it names may not be replaced, and this copy writes
 * its own. */
static int take_list(struct copy_job *job, const char *path, unsigned copy, struct err *err)
{
    const struct file_list_at at = {job->earlier, path};
    struct taking t = {job, copy};
    struct err why = {0};
    size_t before = job->n_supersedes;
    bson_t ref;
    bool is_reference = file_list_is_reference(at) && doc_sub(at.doc, at.path, &ref);
    if (file_list_each(job->base.db, at, take_file, &t, &why) == 0) {
        if (is_reference) {
            BSON_APPEND_DOCUMENT(job->whole, path, &ref);
        }
        return 0;
    }
    if (!is_reference || why.kind != ERR_INVALID || err_is_of_database(&why)) {
        *err = why;
        return -1;
    }
    while (job->n_supersedes > before) {
        free(job->supersedes[--job->n_supersedes].path);
    }
    log_warn("copy_list_not_whole", KV("raw_file", job->id), KV("why", why.msg));
    return 0;
}

static int by_copy_and_path(const void *a, const void *b)
{
    const struct copy_superseded *x = a, *y = b;
    return x->copy != y->copy ? (x->copy < y->copy ? -1 : 1) : strcmp(x->path, y->path);
}

int copy_read_earlier(void *arg, struct err *err)
{
    struct copy_job *job = arg;
    bson_t published;
    unsigned n = doc_sub(job->earlier, "published", &published) ? bson_count_keys(&published) : 0;
    job->whole = bson_new();
    if (doc_has(job->earlier, "supersedes") && take_list(job, "supersedes", 0, err) != 0) {
        return -1;
    }
    for (unsigned i = 0; i < n; i++) {
        char path[32];
        snprintf(path, sizeof path, "published.%u", i);
        if (take_list(job, path, i + 1, err) != 0) {
            return -1;
        }
    }
    if (job->n_supersedes > 0) {
        qsort(job->supersedes, job->n_supersedes, sizeof *job->supersedes, by_copy_and_path);
    }
    return 0;
}

/* --- this copy's --- */

int copy_wait_for_database(struct copy_job *job, struct err *err)
{
    enum { AGAIN_MS = 500 };
    if (err->kind == ERR_FENCED || err->kind == ERR_INVALID || run_check(job->base.run, err) != 0) {
        return -1;
    }
    log_err_rarely("copy_record", err);
    *err = (struct err){0};
    mono_sleep_ms(AGAIN_MS);
    return 0;
}

/* "etag": "<ETag>__<MiB of a part>", as in AlphaKraken's file_info. */
static int put_file(const struct copy_job *job, const struct copy_file *f, bson_t *out,
                    struct err *err)
{
    AUTO(free) char *path = path_escape(f->path);
    if (path == NULL) {
        return err_no_memory(err);
    }
    BCON_APPEND(out, "path", BCON_UTF8(path), "size", BCON_INT64(f->size), "xxh3",
                BCON_UTF8(f->hash.xxh3));
    if (f->hash.digest[0] != '\0') {
        BSON_APPEND_UTF8(out, hash_digest_name(job->plan.digest), f->hash.digest);
    }
    if (f->hash.etag[0] != '\0') {
        char text[HASH_ETAG_HEX + 32];
        snprintf(text, sizeof text, "%s__%lld", f->hash.etag,
                 (long long)(job->plan.etag_part_bytes / MIB));
        BSON_APPEND_UTF8(out, "etag", text);
    }
    return 0;
}

static int add_files(struct copy_job *job, struct file_list_writer *w, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < job->report.n_files; i++) {
        bson_t one = BSON_INITIALIZER;
        rc = put_file(job, &job->report.files[i], &one, err);
        while (rc == 0 && file_list_add(w, &one, err) != 0) {
            rc = copy_wait_for_database(job, err);
        }
        bson_destroy(&one);
    }
    return rc;
}

/* db NULL: only work out the reference. bson_destroy; NULL with *err set. */
static bson_t *list_files(struct copy_job *job, struct db *db, struct err *err)
{
    const struct file_list_name name = {job->id, job->round, job->base.fence};
    AUTO(file_list_writer_free)
    struct file_list_writer *w = file_list_writer_new(db, &name, err);
    if (w == NULL || add_files(job, w, err) != 0) {
        return NULL;
    }
    AUTO(bson_destroy) bson_t *ref = bson_new();
    while (file_list_end(w, ref, err) != 0) {
        if (copy_wait_for_database(job, err) != 0) {
            return NULL;
        }
    }
    return TAKE(ref);
}

/* A list of the same files that was read whole serves as well. */
static bson_t *find_same(const struct copy_job *job, const bson_t *ref)
{
    bson_iter_t at;
    for (bool more = bson_iter_init(&at, job->whole) && bson_iter_next(&at); more;
         more = bson_iter_next(&at)) {
        bson_t one;
        const uint8_t *data;
        uint32_t len;
        bson_iter_document(&at, &len, &data); /* its key is a path, which no other reader finds */
        if (bson_init_static(&one, data, len) && file_list_same(&one, ref)) {
            return bson_copy(&one);
        }
    }
    return NULL;
}

int copy_write_list(struct copy_job *job, struct err *err)
{
    AUTO(bson_destroy) bson_t *ref = list_files(job, NULL, err);
    if (ref == NULL) {
        return -1;
    }
    job->list = find_same(job, ref);
    job->list = job->list != NULL ? job->list : list_files(job, job->base.db, err);
    return job->list != NULL ? 0 : -1;
}

/* The last few contents: each is read by the next attempt. */
#define PUBLISHED_MAX 4

static bool is_published(const struct copy_job *job, const bson_t *published)
{
    bson_iter_t at;
    bool same = false;
    for (bool more = bson_iter_init(&at, published) && bson_iter_next(&at); more && !same;
         more = bson_iter_next(&at)) {
        bson_t one;
        same = BSON_ITER_HOLDS_DOCUMENT(&at) && doc_sub(published, bson_iter_key(&at), &one) &&
               file_list_same(&one, job->list);
    }
    return same;
}

bool copy_published(const struct copy_job *job, bson_t *out)
{
    bson_t published = BSON_INITIALIZER, list;
    bson_iter_t at;
    char room[16];
    const char *key;
    bool has = doc_sub(job->earlier, "published", &published);
    if (has && is_published(job, &published)) {
        return false;
    }
    uint32_t n = 0, there = bson_count_keys(&published);
    BSON_APPEND_ARRAY_BEGIN(out, "published", &list);
    for (bool more = bson_iter_init(&at, &published) && bson_iter_next(&at); more;
         more = bson_iter_next(&at)) {
        if (there-- < PUBLISHED_MAX) {
            bson_uint32_to_string(n++, &key, room, sizeof room);
            BSON_APPEND_VALUE(&list, key, bson_iter_value(&at));
        }
    }
    bson_uint32_to_string(n, &key, room, sizeof room);
    BSON_APPEND_DOCUMENT(&list, key, job->list);
    bson_append_array_end(out, &list);
    return true;
}
