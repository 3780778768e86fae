/* fuzz_manifest.c - the manifest beside a backup, which anybody may have written. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/raw/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct manifest m;
    struct err err = {0};
    char *text = malloc(size + 1); /* as fs_read gives it */
    if (text == NULL) {
        return 0;
    }
    if (size > 0) {
        memcpy(text, data, size);
    }
    text[size] = '\0';
    if (manifest_parse(text, size, &m, &err) == 0) {
        for (size_t i = 0; i < m.n; i++) {
            if (manifest_find(&m, m.lines[i].path) == NULL) {
                abort();
            }
        }
    }
    manifest_fini(&m);
    free(text);
    return 0;
}
