/*
 * birth.c - LD_PRELOAD: what is on a mount of tests/faultfs was born when the file below it was, as
 * a client of CIFS tells it. libfuse before 3.18 cannot tell one.
 *
 * $TEST_BIRTH is MOUNT:FOLDER, what is shown where.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int really(int dir, const char *path, int flags, unsigned mask, struct statx *st)
{
    return (int)syscall(SYS_statx, dir, path, flags, mask, st);
}

/* The absolute path of what is asked for; 0 when it has none. */
static int path_of(int dir, const char *path, char out[static PATH_MAX])
{
    char link[64], top[PATH_MAX] = "";
    if (*path != '/') {
        snprintf(link, sizeof link, dir == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", dir);
        ssize_t n = readlink(link, top, sizeof top - 1);
        if (n < 0) {
            return 0;
        }
        top[n] = '\0';
    }
    const char *between = *top != '\0' && *path != '\0' ? "/" : "";
    int n = snprintf(out, PATH_MAX, "%s%s%s", top, between, path);
    return n > 0 && n < PATH_MAX;
}

int statx(int dir, const char *restrict path, int flags, unsigned mask, struct statx *restrict st)
{
    const char *places = getenv("TEST_BIRTH");
    const char *folder = places != NULL ? strchr(places, ':') : NULL;
    char asked[PATH_MAX], below[PATH_MAX];
    struct statx birth;
    int rc = really(dir, path, flags, mask, st);
    if (rc != 0 || (mask & STATX_BTIME) == 0 || folder == NULL || !path_of(dir, path, asked)) {
        return rc;
    }
    size_t len = (size_t)(folder - places);
    if (strncmp(asked, places, len) != 0 || (asked[len] != '/' && asked[len] != '\0')) {
        return rc;
    }
    int n = snprintf(below, sizeof below, "%s%s", folder + 1, asked + len);
    if (n > 0 && n < PATH_MAX && really(AT_FDCWD, below, flags, STATX_BTIME, &birth) == 0 &&
        birth.stx_ino == st->stx_ino) {
        st->stx_mask |= birth.stx_mask & STATX_BTIME;
        st->stx_btime = birth.stx_btime;
    }
    return rc;
}
