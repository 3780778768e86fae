/* result.c - struct copy_job -> the result's fields (docs/data-model.md, "copy"). */
#include <stdio.h>
#include <string.h>

#include "common/base/path.h"
#include "workers/copy/job.h"

#define MIB ((int64_t)1 << 20)

/* "<ETag>__<MiB of a part>", as in AlphaKraken's file_info. */
static void put_etag(const struct copy_file *f, int64_t part_bytes, bson_t *out)
{
    char text[HASH_ETAG_HEX + 32];
    if (f->hash.etag[0] != '\0') {
        snprintf(text, sizeof text, "%s__%lld", f->hash.etag, (long long)(part_bytes / MIB));
        BSON_APPEND_UTF8(out, "etag", text);
    }
}

static void put_file(const struct copy_file *f, const char *digest, bson_t *out)
{
    AUTO(free) char *path = path_escape(f->path);
    BSON_APPEND_UTF8(out, "path", path != NULL ? path : "");
    BSON_APPEND_INT64(out, "size", f->size);
    BSON_APPEND_UTF8(out, "xxh3", f->hash.xxh3);
    if (f->hash.digest[0] != '\0') {
        BSON_APPEND_UTF8(out, digest, f->hash.digest);
    }
}

static void put_files(const struct copy_job *job, const char *name, bson_t *out)
{
    const char *digest = hash_digest_name(job->plan.digest);
    bson_t files, one;
    char buf[16];
    const char *key;
    BSON_APPEND_ARRAY_BEGIN(out, name, &files);
    for (size_t i = 0; i < job->report.n_files; i++) {
        bson_uint32_to_string((uint32_t)i, &key, buf, sizeof buf);
        BSON_APPEND_DOCUMENT_BEGIN(&files, key, &one);
        put_file(&job->report.files[i], digest, &one);
        put_etag(&job->report.files[i], job->plan.etag_part_bytes, &one);
        bson_append_document_end(&files, &one);
    }
    bson_append_array_end(out, &files);
}

/* The last few contents: a task's document has a limit. */
#define PUBLISHED_MAX 4

static bool is_recorded(const bson_t *published, const bson_t *files)
{
    bson_t one;
    bson_iter_t at;
    bool same = false;
    for (bool more = bson_iter_init(&at, published) && bson_iter_next(&at); more && !same;
         more = bson_iter_next(&at)) {
        same = doc_sub(published, bson_iter_key(&at), &one) && bson_equal(&one, files);
    }
    return same;
}

bool copy_published(const struct copy_job *job, bson_t *out)
{
    bson_t list, one;
    bson_iter_t at;
    char key[16];
    const char *k;
    bson_t now = BSON_INITIALIZER;
    put_files(job, "files", &now);
    bool known =
        job->published != NULL && doc_sub(&now, "files", &one) && is_recorded(job->published, &one);
    bson_destroy(&now);
    if (known) {
        return false;
    }
    uint32_t n = 0, there = job->published != NULL ? bson_count_keys(job->published) : 0;
    BSON_APPEND_ARRAY_BEGIN(out, "published", &list);
    for (bool more = there > 0 && bson_iter_init(&at, job->published) && bson_iter_next(&at); more;
         more = bson_iter_next(&at)) {
        if (there-- < PUBLISHED_MAX && doc_sub(job->published, bson_iter_key(&at), &one)) {
            bson_uint32_to_string(n++, &k, key, sizeof key);
            BSON_APPEND_ARRAY(&list, k, &one);
        }
    }
    bson_uint32_to_string(n, &k, key, sizeof key);
    put_files(job, k, &list);
    bson_append_array_end(out, &list);
    return true;
}

void copy_result(const void *arg, bson_t *out)
{
    const struct copy_job *job = arg;
    const struct copy_report *r = &job->report;
    AUTO(free) char *manifest = r->manifest == NULL ? NULL : path_escape(r->manifest);
    double s = (double)(r->ms > 0 ? r->ms : 1) / 1000;
    put_files(job, "files", out);
    BSON_APPEND_INT64(out, "size", r->size);
    BSON_APPEND_INT64(out, "bytes_read", r->bytes_read);
    BSON_APPEND_INT64(out, "bytes_written", r->bytes_written);
    BSON_APPEND_INT64(out, "bytes_readback", r->bytes_readback);
    BSON_APPEND_INT64(out, "resumed_bytes", r->resumed_bytes);
    BSON_APPEND_INT64(out, "repaired_bytes", r->repaired_bytes);
    BSON_APPEND_INT64(out, "ms", r->ms);
    BSON_APPEND_DOUBLE(out, "mib_per_s", (double)r->size / 1048576 / s);
    BSON_APPEND_BOOL(out, "already_there", r->already_there);
    BSON_APPEND_BOOL(out, "replaced", r->replaced);
    BSON_APPEND_BOOL(out, "from_disk", r->from_disk);
    if (r->mapped_names > 0) {
        BSON_APPEND_INT64(out, "mapped_names", (int64_t)r->mapped_names);
    }
    if (manifest != NULL) {
        BSON_APPEND_UTF8(out, "manifest", manifest);
    }
}
