/*
 * part_names.c - what the engine's own files are called (its manifests: common/raw/manifest.h). All
 * end in .part, .part.chunks or -old, whatever the raw file is called. They begin with a dot, so
 * that a listing shows finished copies only; but on a share of Windows' kind, where a file that
 * once had such a name may stay hidden under its final one, none does. Names of both forms are
 * recognised.
 */
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

/* How a name of this form begins; a key with a dot in front is represented by its hash. */
static void stem(const char *key, bool dotted, char out[static COPY_NAME_ROOM])
{
    if (dotted) {
        snprintf(out, COPY_NAME_ROOM, ".%.*s", KEY_MAX, key);
    } else if (key[0] == '.') {
        hash_mem(key, strlen(key), out);
    } else {
        snprintf(out, COPY_NAME_ROOM, "%.*s", KEY_MAX, key);
    }
}

static void name_of(const char *key, bool dotted, const char *end, char out[static COPY_NAME_ROOM])
{
    char begin[COPY_NAME_ROOM];
    stem(key, dotted, begin);
    snprintf(out, COPY_NAME_ROOM, "%.*s.trawl-%s", KEY_MAX + 1, begin, end);
}

void part_name(const struct copy *c, const char *key, char out[static COPY_NAME_ROOM])
{
    char end[40];
    snprintf(end, sizeof end, "%lld.part", (long long)c->plan->fence);
    name_of(key, !c->traits.smb, end, out);
}

void part_journal(const struct copy *c, const char *key, char out[static COPY_NAME_ROOM])
{
    char end[40];
    snprintf(end, sizeof end, "%lld.part.chunks", (long long)c->plan->fence);
    name_of(key, !c->traits.smb, end, out);
}

void part_old(const char *key, bool dotted, char out[static COPY_NAME_ROOM])
{
    name_of(key, dotted, "old", out);
}

static bool parse(const char *name, const char *begin, struct part_id *id)
{
    static const char mark[] = ".trawl-";
    size_t len = strlen(begin);
    if (strncmp(name, begin, len) != 0 || strncmp(name + len, mark, sizeof mark - 1) != 0) {
        return false;
    }
    const char *digits = name + len + sizeof mark - 1;
    size_t n = strspn(digits, "0123456789");
    if (n == 0 || n > 18) {
        return false;
    }
    id->fence = strtoll(digits, NULL, 10);
    id->is_journal = strcmp(digits + n, ".part.chunks") == 0;
    return id->is_journal || strcmp(digits + n, ".part") == 0;
}

bool part_parse(const char *name, const char *key, struct part_id *id)
{
    char begin[COPY_NAME_ROOM];
    id->dotted = name[0] == '.';
    stem(key, id->dotted, begin);
    return parse(name, begin, id);
}
