/* fuzz_mount.c - what lies on a share under the name of the identity file, and mountinfo. */
#include <string.h>

#include "common/base/own.h"
#include "common/mount/mount.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mount_identity id;
    struct mount_place place;
    struct err err = {0};
    (void)!mount_identity_parse((const char *)data, size, &id, &err);
    AUTO(free) char *text = malloc(size + 1);
    if (text != NULL) {
        struct err other = {0};
        memcpy(text, data, size);
        text[size] = '\0';
        (void)!mount_find_in(text, "/mnt/pool/x", &place, &other);
    }
    return 0;
}
