/*
 * fuzz_task.c - any document as a task of any kind: refused or decoded, and freed either way. Bytes
 * that begin with '{' are the document's JSON, others BSON as the server sends it.
 */
#include <assert.h>
#include <bson/bson.h>
#include <stdlib.h>
#include <string.h>

#include "common/task/task.h"
#include "workers/copy/job.h"
#include "workers/worker.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bson_t *document(const uint8_t *data, size_t size)
{
    bson_error_t e;
    if (size > 0 && data[0] == '{') {
        return bson_new_from_json(data, (ssize_t)size, &e);
    }
    bson_t *doc = bson_new_from_data(data, size);
    if (doc != NULL && !bson_validate(doc, BSON_VALIDATE_UTF8, NULL)) {
        bson_destroy(doc); /* libmongoc gives us no such document */
        return NULL;
    }
    return doc;
}

static void decode_as(const struct worker_kind *kind, const bson_t *doc)
{
    struct err err = {0};
    void *job = calloc(1, kind->job_size);
    assert(job != NULL);
    int rc = kind->decode(job, doc, &err);
    if (rc == 0 && strcmp(kind->name, "copy") == 0) {
        rc = copy_read_earlier(job, &err);
    }
    assert((rc == 0) == (err.kind == ERR_NONE));
    kind->destroy(job);
    free(job);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bson_t *doc = document(data, size);
    if (doc == NULL) {
        return 0;
    }
    for (size_t i = 0; worker_kinds[i] != NULL; i++) {
        decode_as(worker_kinds[i], doc);
    }
    enum task_state state;
    (void)!task_state_parse(doc_str(doc, "state", ""), &state);
    bson_destroy(doc);
    return 0;
}
