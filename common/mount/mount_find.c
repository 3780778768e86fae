/* mount_find.c - the file system that a path lies on, by /proc/self/mountinfo (proc(5)). */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/own.h"
#include "common/mount/mount.h"

/* "\040" becomes a blank: the kernel writes blanks, tabs, newlines and backslashes so. */
static void unescape(const char *from, size_t len, char *out, size_t room)
{
    size_t used = 0;
    for (size_t i = 0; i < len && used + 1 < room; i++) {
        if (from[i] == '\\' && i + 3 < len && from[i + 1] >= '0' && from[i + 1] <= '3') {
            out[used++] =
                (char)((from[i + 1] - '0') * 64 + (from[i + 2] - '0') * 8 + (from[i + 3] - '0'));
            i += 3;
        } else {
            out[used++] = from[i];
        }
    }
    out[used] = '\0';
}

/* The n-th word from the start of the line; its length, 0 when there is none. */
static size_t word(const char *line, const char *end, int n, const char **at)
{
    const char *p = line;
    for (; n > 0 && p < end; n--) {
        const char *blank = memchr(p, ' ', (size_t)(end - p));
        p = blank == NULL ? end : blank + 1;
    }
    const char *blank = p < end ? memchr(p, ' ', (size_t)(end - p)) : NULL;
    *at = p;
    return (size_t)((blank == NULL ? end : blank) - p);
}

static bool is_below(const char *path, const char *point)
{
    size_t len = strlen(point);
    return strcmp(point, "/") == 0 ||
           (strncmp(path, point, len) == 0 && (path[len] == '/' || path[len] == '\0'));
}

/* "36 35 98:0 /root /mount/point rw,noatime master:1 - ext3 /dev/root rw" */
static bool read_line(const char *line, const char *end, struct mount_place *out)
{
    const char *point, *type, *source, *here, *there;
    size_t point_len = word(line, end, 4, &point), here_len = word(line, end, 5, &here);
    const char *rest = memmem(line, (size_t)(end - line), " - ", 3);
    if (point_len == 0 || rest == NULL) {
        return false;
    }
    size_t type_len = word(rest + 3, end, 0, &type);
    size_t source_len = word(rest + 3, end, 1, &source);
    size_t there_len = word(rest + 3, end, 2, &there);
    unescape(point, point_len, out->point, sizeof out->point);
    unescape(type, type_len, out->fstype, sizeof out->fstype);
    unescape(source, source_len, out->source, sizeof out->source);
    snprintf(out->options, sizeof out->options, "%.*s,%.*s", (int)here_len, here, (int)there_len,
             there);
    return true;
}

/* The longest mount point counts; of two at one point the later, which covers the other. */
int mount_find_in(const char *mountinfo, const char *path, struct mount_place *out, struct err *err)
{
    bool any = false;
    for (const char *line = mountinfo; *line != '\0';) {
        const char *end = strchrnul(line, '\n');
        struct mount_place p;
        if (read_line(line, end, &p) && is_below(path, p.point) &&
            (!any || strlen(p.point) >= strlen(out->point))) {
            *out = p;
            any = true;
        }
        line = *end == '\n' ? end + 1 : end;
    }
    return any ? 0 : ERR(err, ERR_TRANSIENT, 0, "no mounted file system holds %.150s", path);
}

/* The size of a file in /proc is not known before it is read. */
static char *read_all(FILE *f)
{
    char *text = NULL;
    size_t room = 0;
    ssize_t n = getdelim(&text, &room, '\0', f);
    if (n < 0) {
        free(text);
        return NULL;
    }
    return text;
}

int mount_find(const char *path, struct mount_place *out, struct err *err)
{
    char real[PATH_MAX];
    if (realpath(path, real) == NULL) {
        return ERR(err, ERR_TRANSIENT, errno, "%.150s: %m", path);
    }
    FILE *f = fopen("/proc/self/mountinfo", "re");
    AUTO(free) char *text = f != NULL ? read_all(f) : NULL;
    if (f != NULL) {
        fclose(f);
    }
    if (text == NULL) {
        return ERR(err, ERR_TRANSIENT, errno, "/proc/self/mountinfo cannot be read: %m");
    }
    return mount_find_in(text, real, out, err);
}
