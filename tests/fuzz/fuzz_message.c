/* fuzz_message.c - any bytes as a message of Kafka, to a worker and to a scheduler: refused with a
 * reason, or something that says the same after another way through Kafka. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/bus/event.h"
#include "common/task/task.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void as_event(const uint8_t *data, size_t size)
{
    struct event there, back;
    struct err err = {0};
    if (event_decode(data, size, &there, &err) != 0) {
        assert(err.kind == ERR_INVALID && err.msg[0] != '\0');
        return;
    }
    char *json = event_encode("task", "id", there.raw_file);
    assert(json != NULL && event_decode(json, strlen(json), &back, &err) == 0);
    assert(strcmp(there.raw_file, back.raw_file) == 0);
    free(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct task_pointer there, back;
    struct err err = {0};
    as_event(data, size);
    if (task_pointer_decode(data, size, &there, &err) != 0) {
        assert(err.kind == ERR_INVALID && err.msg[0] != '\0');
        return 0;
    }
    assert(there.fence >= 0 && there.attempt >= 0);
    char *json = task_pointer_encode(&there);
    assert(json != NULL);
    if (task_pointer_decode(json, strlen(json), &back, &err) == 0) {
        assert(strcmp(there.task, back.task) == 0 && strcmp(there.kind, back.kind) == 0);
        assert(there.fence == back.fence && there.attempt == back.attempt);
    } else {
        assert(strlen(json) > 4096); /* escapes made it too long */
    }
    free(json);
    return 0;
}
