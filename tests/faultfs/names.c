#include "tests/faultfs/names.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>

/* "mapposix" of the kernel's client (fs/smb/client/cifs_unicode.c). Last two: at the end only. */
static const struct {
    char plain;
    wchar_t mapped;
} map[] = {
    {'"', 0xF020}, {'*', 0xF021}, {':', 0xF022}, {'<', 0xF023}, {'>', 0xF024},
    {'?', 0xF025}, {'|', 0xF027}, {' ', 0xF028}, {'.', 0xF029},
};

void names_init(void)
{
    if (setlocale(LC_CTYPE, "C.UTF-8") == NULL) {
        fputs("faultfs: there is no C.UTF-8: names are compared as ASCII\n", stderr);
    }
}

static wchar_t map_char(const char *at, size_t len)
{
    bool last = len == 1, only_at_end = *at == ' ' || *at == '.';
    if (*at > 0 && *at < ' ') {
        return 0xF000 + *at;
    }
    for (size_t i = 0; i < sizeof map / sizeof *map; i++) {
        if (map[i].plain == *at && (last || !only_at_end)) {
            return map[i].mapped;
        }
    }
    return 0;
}

/* One name of length len; what it becomes is appended to out. */
static void map_name(const char *at, size_t len, char *out, size_t room)
{
    bool dots = (len == 1 && at[0] == '.') || (len == 2 && memcmp(at, "..", 2) == 0);
    size_t used = strlen(out);
    for (; len > 0 && used + MB_LEN_MAX < room; at++, len--) {
        wchar_t wide = dots ? 0 : map_char(at, len);
        int n = wide == 0 ? -1 : wctomb(out + used, wide);
        if (n <= 0) {
            out[used] = *at;
            n = 1;
        }
        used += (size_t)n;
    }
    out[used] = '\0';
}

static void map_path(const struct naming *naming, const char *path, struct name *n)
{
    n->at[0] = '\0';
    if (!naming->mapped) {
        snprintf(n->at, sizeof n->at, "%s", path);
        return;
    }
    for (const char *at = path; *at != '\0';) {
        size_t len = strcspn(at, "/");
        map_name(at, len, n->at, sizeof n->at);
        at += len;
        if (*at == '/') {
            strncat(n->at, "/", sizeof n->at - strlen(n->at) - 1);
            at++;
        }
    }
}

static bool same_name(const char *a, const char *b)
{
    for (mbstate_t left = {0}, right = {0}; *a != '\0' && *b != '\0';) {
        wchar_t x, y;
        size_t n = mbrtowc(&x, a, MB_LEN_MAX, &left), m = mbrtowc(&y, b, MB_LEN_MAX, &right);
        if (n > MB_LEN_MAX || m > MB_LEN_MAX) {
            return strcasecmp(a, b) == 0; /* not UTF-8 */
        }
        if (towupper((wint_t)x) != towupper((wint_t)y)) {
            return false;
        }
        a += n;
        b += m;
    }
    return *a == *b;
}

/* Replace the name of length len at `at` by what the folder has in another case. */
static void fold_name(int root, char *path, char *at, size_t len)
{
    char after = at[len], name[256];
    struct stat st;
    at[len] = '\0';
    if (len < sizeof name && fstatat(root, path, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        memcpy(name, at, len + 1);
        char first = *at;
        *at = '\0';
        int fd = openat(root, at == path ? "." : path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        *at = first;
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        for (const struct dirent *d; dir != NULL && (d = readdir(dir)) != NULL;) {
            if (strlen(d->d_name) == len && same_name(d->d_name, name)) {
                memcpy(at, d->d_name, len);
                break;
            }
        }
        if (dir != NULL) {
            closedir(dir);
        } else if (fd >= 0) {
            close(fd);
        }
    }
    at[len] = after;
}

static const char *find(const struct naming *naming, const char *path, struct name *n, bool last)
{
    map_path(naming, path + 1, n);
    for (char *at = n->at; naming->casefold && *at != '\0';) {
        size_t len = strcspn(at, "/");
        if (last || at[len] == '/') {
            fold_name(naming->root, n->at, at, len);
        }
        at += len + (at[len] == '/');
    }
    return n->at[0] == '\0' ? "." : n->at;
}

const char *names_find(const struct naming *naming, const char *path, struct name *n)
{
    return find(naming, path, n, true);
}

const char *names_new(const struct naming *naming, const char *path, struct name *n)
{
    return find(naming, path, n, false);
}

static char plain_char(wchar_t wide)
{
    for (size_t i = 0; i < sizeof map / sizeof *map; i++) {
        if (map[i].mapped == wide) {
            return map[i].plain;
        }
    }
    return wide > 0xF000 && wide < 0xF020 ? (char)(wide - 0xF000) : '\0';
}

const char *names_shown(const struct naming *naming, const char *entry, struct name *n)
{
    size_t used = 0;
    mbstate_t state = {0};
    if (!naming->mapped) {
        return entry;
    }
    for (const char *at = entry; *at != '\0' && used + MB_LEN_MAX < sizeof n->at;) {
        wchar_t wide = 0;
        size_t len = mbrtowc(&wide, at, MB_LEN_MAX, &state);
        char plain = len > MB_LEN_MAX ? '\0' : plain_char(wide);
        if (len > MB_LEN_MAX) {
            len = 1;
            state = (mbstate_t){0};
        }
        if (plain != '\0') {
            n->at[used++] = plain;
        } else {
            memcpy(n->at + used, at, len);
            used += len;
        }
        at += len;
    }
    n->at[used] = '\0';
    return n->at;
}

int names_check(const struct naming *naming, const char *path)
{
    if (!naming->mapped) {
        return 0;
    }
    return strchr(path, '\\') != NULL              ? -EINVAL
           : mbstowcs(NULL, path, 0) == (size_t)-1 ? -ENOENT
                                                   : 0;
}
