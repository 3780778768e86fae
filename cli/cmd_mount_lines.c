/*
 * cmd_mount_lines.c - writes a share for mount(8) and fstab(5). serverino keeps the inode numbers
 * by which a file is recognised; actimeo=1 shows a growing file's size within a second;
 * cache=strict shows what other hosts write; mapposix keeps names that Windows does not allow.
 * Where Trawl writes, nolease: a server may keep a killed client's lease and refuse the file to the
 * next client.
 */
#include "cli/cmd_mount_lines.h"

#include <stdio.h>
#include <string.h>

#define OPTIONS                                                                                    \
    "vers=3.1.1,iocharset=utf8,mapposix,serverino,actimeo=1,cache=strict,uid=trawl,gid=trawl,"     \
    "file_mode=0664,dir_mode=0775"

static const char *access_of(const struct mount_share *s)
{
    return s->read_only ? "ro" : "rw,nolease";
}

/* Text for the shell in single quotes: ' becomes '\''. */
static char *quoted(const char *s)
{
    char *out = malloc(4 * strlen(s) + 3);
    if (out == NULL) {
        return NULL;
    }
    char *at = out;
    *at++ = '\'';
    for (; *s != '\0'; s++) {
        if (*s == '\'') {
            memcpy(at, "'\\''", 4);
            at += 4;
        } else {
            *at++ = *s;
        }
    }
    *at++ = '\'';
    *at = '\0';
    return out;
}

/* Text for fstab: blanks and backslashes become octal numbers. */
static char *octal(const char *s)
{
    char *out = malloc(4 * strlen(s) + 1);
    char *at = out;
    for (; out != NULL && *s != '\0'; s++) {
        if (strchr(" \t\n\\#", *s) != NULL) {
            at += snprintf(at, 5, "\\%03o", (unsigned char)*s);
        } else {
            *at++ = *s;
        }
    }
    if (out != NULL) {
        *at = '\0';
    }
    return out;
}

char *mount_command(const struct mount_share *s)
{
    AUTO(free) char *path = quoted(s->path);
    char *line = NULL;
    if (path == NULL || asprintf(&line,
                                 "mkdir -p %s && mount -t cifs //HOST/SHARE %s -o "
                                 "%s,credentials=/etc/trawl/cifs-%s," OPTIONS,
                                 path, path, access_of(s), s->name) < 0) {
        return NULL;
    }
    return line;
}

char *mount_fstab(const struct mount_share *s)
{
    AUTO(free) char *path = octal(s->path);
    char *line = NULL;
    if (path == NULL || asprintf(&line,
                                 "//HOST/SHARE %s cifs %s,credentials=/etc/trawl/cifs-%s," OPTIONS
                                 ",_netdev,nofail 0 0",
                                 path, access_of(s), s->name) < 0) {
        return NULL;
    }
    return line;
}
