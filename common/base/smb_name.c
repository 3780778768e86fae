/* smb_name.c - the tables are those of Linux' client (fs/smb/client/cifs_unicode.[ch]). */
#include "common/base/smb_name.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define PRIVATE 0xf000U

static const struct {
    char plain;
    unsigned char sfm; /* SFU takes the character's own number */
    bool sfu;
} table[] = {
    {'"', 0x20, false}, {'*', 0x21, true}, {':', 0x22, true},   {'<', 0x23, true},
    {'>', 0x24, true},  {'?', 0x25, true}, {'\\', 0x26, false}, {'|', 0x27, true},
};

/* The last character of a name that is neither "." nor "..". */
static bool ends_name(const char *path, const char *at)
{
    if (at[1] != '\0' && at[1] != '/') {
        return false;
    }
    size_t len = 1;
    while (at - len >= path && at[-(ptrdiff_t)len] != '/') {
        len++;
    }
    return strncmp(at + 1 - len, "..", len) != 0 || len > 2;
}

/* What the server has for *at; 0 when the same. */
static unsigned mapped(const char *path, const char *at, enum smb_map map)
{
    bool sfm = map == SMB_MAP_SFM;
    if (sfm && *at > 0 && *at < ' ') {
        return PRIVATE + (unsigned char)*at;
    }
    if (sfm && (*at == ' ' || *at == '.') && ends_name(path, at)) {
        return PRIVATE + (*at == ' ' ? 0x28 : 0x29);
    }
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (table[i].plain == *at && (sfm || table[i].sfu)) {
            return PRIVATE + (sfm ? table[i].sfm : (unsigned char)*at);
        }
    }
    return 0;
}

bool smb_name_is_odd(const char *path)
{
    const char *at = path;
    while (*at != '\0' && mapped(path, at, SMB_MAP_SFM) == 0) {
        at++;
    }
    return *at != '\0';
}

char *smb_name_mapped(const char *path, enum smb_map map)
{
    char *out = malloc(3 * strlen(path) + 1), *to = out;
    for (const char *at = path; out != NULL && *at != '\0'; at++) {
        unsigned c = mapped(path, at, map);
        if (c == 0) {
            *to++ = *at;
        } else { /* UTF-8 of U+F001 to U+F07C */
            *to++ = (char)(0xe0 | (c >> 12));
            *to++ = (char)(0x80 | ((c >> 6) & 0x3f));
            *to++ = (char)(0x80 | (c & 0x3f));
        }
    }
    if (out != NULL) {
        *to = '\0';
    }
    return out;
}
