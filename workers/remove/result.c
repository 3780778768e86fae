/* result.c - struct remove_job -> the result's fields (README.md). */
#include "common/base/path.h"
#include "workers/remove/job.h"

#define DELETED_MAX 100 /* names of files in the result, beside their number */

void remove_result(const void *arg, bson_t *out)
{
    const struct remove_job *job = arg;
    bson_t list;
    if (job->skipped != NULL) {
        BSON_APPEND_UTF8(out, "skipped", job->skipped);
        return;
    }
    uint32_t n = 0;
    BSON_APPEND_ARRAY_BEGIN(out, "deleted", &list);
    for (size_t i = 0; job->deleted != NULL && i < job->check.tree.n && n < DELETED_MAX; i++) {
        if (!job->deleted[i] || job->check.tree.entries[i].kind != TREE_FILE) {
            continue;
        }
        AUTO(free) char *path = path_escape(job->check.tree.entries[i].path);
        char buf[16];
        const char *key;
        bson_uint32_to_string(n++, &key, buf, sizeof buf);
        BSON_APPEND_UTF8(&list, key, path != NULL ? path : "?");
    }
    bson_append_array_end(out, &list);
    BSON_APPEND_BOOL(out, "purged", true);
    BSON_APPEND_INT64(out, "files", (int64_t)job->n_deleted);
    BSON_APPEND_INT64(out, "gone_before", (int64_t)job->check.gone);
    BSON_APPEND_INT64(out, "freed_bytes", job->freed_bytes);
    BSON_APPEND_INT64(out, "bytes_read", job->bytes_read);
}
