/* fuzz_message.c - any bytes as a message of Kafka: refused with a reason, or a pointer that says
 * the same after another way through Kafka. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/task.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct task_pointer there, back;
    struct err err = {0};
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
