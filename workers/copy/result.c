/* result.c - struct copy_job -> the result's fields (docs/data-model.md, "copy"). */
#include "common/base/path.h"
#include "workers/copy/job.h"

void copy_result(const void *arg, bson_t *out)
{
    const struct copy_job *job = arg;
    const struct copy_report *r = &job->report;
    AUTO(free) char *manifest = r->manifest == NULL ? NULL : path_escape(r->manifest);
    double s = (double)(r->ms > 0 ? r->ms : 1) / 1000;
    BSON_APPEND_DOCUMENT(out, "file_list", job->list);
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
