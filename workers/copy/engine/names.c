/* names.c - what the engine's own files are called (its manifests: common/manifest.h). All begin
 * with a dot and end in .part, .part.chunks or -old, whatever the raw file is called. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "workers/copy/engine/internal.h"

/* "." key ".trawl-" 19 digits ".part" ".chunks" must stay within 255 bytes: longer names are
 * represented by their hash. */
#define KEY_MAX 200

void part_key(const char *name, char key[static COPY_NAME_ROOM])
{
    size_t len = strlen(name);
    if (len <= KEY_MAX) {
        memcpy(key, name, len + 1);
    } else {
        hash_mem(name, len, key);
    }
}

void part_name(const char *key, int64_t fence, char out[static COPY_NAME_ROOM])
{
    snprintf(out, COPY_NAME_ROOM, ".%.*s.trawl-%lld.part", KEY_MAX, key, (long long)fence);
}

void part_journal(const char *key, int64_t fence, char out[static COPY_NAME_ROOM])
{
    snprintf(out, COPY_NAME_ROOM, ".%.*s.trawl-%lld.part.chunks", KEY_MAX, key, (long long)fence);
}

bool part_parse(const char *name, const char *key, int64_t *fence, bool *is_journal)
{
    static const char mark[] = ".trawl-";
    size_t len = strlen(key);
    if (name[0] != '.' || strncmp(name + 1, key, len) != 0 ||
        strncmp(name + 1 + len, mark, sizeof mark - 1) != 0) {
        return false;
    }
    const char *digits = name + len + sizeof mark;
    size_t n = strspn(digits, "0123456789");
    if (n == 0 || n > 18) {
        return false;
    }
    *fence = strtoll(digits, NULL, 10);
    *is_journal = strcmp(digits + n, ".part.chunks") == 0;
    return *is_journal || strcmp(digits + n, ".part") == 0;
}

void part_old(const char *key, char out[static COPY_NAME_ROOM])
{
    snprintf(out, COPY_NAME_ROOM, ".%.*s.trawl-old", KEY_MAX, key);
}
