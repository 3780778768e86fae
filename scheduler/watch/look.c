/*
 * look.c - one look at a raw file on its share: each file that belongs to it, folders to their
 * depth, summed up in a signature. Descends by descriptor and follows no link. What is too deep or
 * takes too long for an acquisition is reported as trouble.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "common/base/clock.h"
#include "common/base/path.h"
#include "common/base/utf8.h"
#include "scheduler/watch/name_rules.h"
#include "scheduler/watch/watch.h"

#define DEPTH_MAX 32
#define LOOK_MS   300000 /* for one raw file */
#define PATH_ROOM 4096

AUTO_DEFINE(DIR, closedir);

struct looking {
    struct watch *w;
    struct look *l;
    int64_t until_ms;
    bool data, index; /* files of a folder: names_inside */
    size_t top;       /* length of the member's name in path, with its '/' */
    char path[PATH_ROOM];
};

static int64_t ns_of(const struct statx_timestamp *t)
{
    return t->tv_sec * 1000000000 + t->tv_nsec;
}

static void note_trouble(struct looking *k, const char *why)
{
    struct look *l = k->l;
    if (l->trouble[0] == '\0') {
        AUTO(free) char *shown = path_escape(k->path);
        snprintf(l->trouble, sizeof l->trouble, "%.150s: %s", shown != NULL ? shown : "", why);
        utf8_mend(l->trouble);
    }
}

/* --- one name --- */

static int64_t add_wrapping(int64_t a, uint64_t b)
{
    return (int64_t)((uint64_t)a + b);
}

static void add_to_signature(struct looking *k, const struct statx *st)
{
    struct signature *sig = &k->l->sig;
    bool file = S_ISREG(st->stx_mode);
    int64_t mtime = ns_of(&st->stx_mtime), ctime = ns_of(&st->stx_ctime);
    const int64_t facts[] = {st->stx_mode & S_IFMT, file ? (int64_t)st->stx_size : 0, mtime, ctime};
    uint64_t name = XXH3_64bits(k->path, strlen(k->path));
    sig->n++;
    sig->shape = add_wrapping(sig->shape, XXH3_64bits_withSeed(facts, 2 * sizeof *facts, name));
    sig->stamp =
        add_wrapping(sig->stamp, XXH3_64bits_withSeed(facts, (file ? 4 : 2) * sizeof *facts, name));
    if (!file) {
        return;
    }
    k->l->files++;
    sig->bytes += (int64_t)st->stx_size;
    int64_t newest = mtime > ctime ? mtime : ctime;
    if (k->l->newest[0] == '\0' || newest > sig->newest) {
        sig->newest = newest;
        snprintf(k->l->newest, sizeof k->l->newest, "%.*s", (int)sizeof k->l->newest - 1, k->path);
    }
}

static void add_main(struct look *l, const struct statx *st)
{
    l->size = (l->main_there ? l->size : 0) + (int64_t)st->stx_size;
    l->main_there = true;
    l->mtime_ns = ns_of(&st->stx_mtime);
}

static void sort_inside(struct looking *k, const struct statx *st)
{
    switch (names_inside(k->w->cfg, k->path + k->top)) {
    case NAMES_MAIN:
        add_main(k->l, st);
        break;
    case NAMES_DATA:
        k->data |= st->stx_size > 0 || k->w->cfg->type == INSTRUMENT_GENERIC;
        break;
    case NAMES_INDEX:
        k->index = true;
        break;
    case NAMES_NOTE:
    case NAMES_INSIDE_COUNT:
        break;
    }
}

static int look_below(struct looking *k, int dir, const char *name, int depth);

static void look_at(struct looking *k, int dir, const char *name, int depth)
{
    struct statx st;
    atomic_store(&k->w->progress_ms, mono_ms());
    k->l->looks++;
    if (statx(dir, name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &st) != 0) {
        if (errno != ENOENT) { /* gone since it was listed: the next look notices */
            note_trouble(k, strerror(errno));
        }
        return;
    }
    add_to_signature(k, &st);
    if (S_ISDIR(st.stx_mode)) {
        if (look_below(k, dir, name, depth + 1) != 0) {
            note_trouble(k, strerror(errno));
        }
    } else if (depth > 0 && S_ISREG(st.stx_mode)) {
        sort_inside(k, &st);
    }
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int look_below(struct looking *k, int dir, const char *name, int depth)
{
    size_t len = strlen(k->path);
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    AUTO(closedir) DIR *open = fd < 0 ? NULL : fdopendir(fd);
    if (open == NULL) {
        int code = errno;
        if (fd >= 0) {
            close(fd);
        }
        errno = code;
        return code == ENOENT ? 0 : -1;
    }
    for (;;) {
        errno = 0;
        const struct dirent *d = readdir(open);
        if (d == NULL) {
            return errno == 0 ? 0 : -1;
        }
        if (is_dots(d->d_name)) {
            continue;
        }
        bool fits = len + 1 + strlen(d->d_name) < sizeof k->path;
        if (!fits || depth >= DEPTH_MAX || mono_ms() > k->until_ms) {
            errno = !fits ? ENAMETOOLONG : depth >= DEPTH_MAX ? ELOOP : ETIMEDOUT;
            return -1;
        }
        snprintf(k->path + len, sizeof k->path - len, "/%s", d->d_name);
        look_at(k, fd, d->d_name, depth);
        k->path[len] = '\0';
    }
}

/* --- a raw file --- */

/* A folder without a main file of its own is watched as a whole: its size is that of all of it. */
static void use_whole_folder(const struct looking *k)
{
    struct look *l = k->l;
    if (!l->main_there && k->data && !k->index) {
        l->main_there = true;
        l->size = l->sig.bytes;
        l->mtime_ns = l->sig.newest;
    }
}

static void look_at_member(struct looking *k, const char *name)
{
    AUTO(free) char *path = NULL;
    if (asprintf(&path, "%s/%s", k->w->cfg->path, name) < 0) {
        path = NULL;
        return;
    }
    snprintf(k->path, sizeof k->path, "%s", name);
    k->top = strlen(name) + 1;
    look_at(k, AT_FDCWD, path, 0);
}

static int look_at_set(struct looking *k, const char *main, struct err *err)
{
    const struct members_rule rule = {.instrument = k->w->cfg, .nocase = true};
    struct look *l = k->l;
    struct members m = {0};
    char scan[NAME_MAX + sizeof ".scan"];
    snprintf(scan, sizeof scan, "%s.scan", main);
    int rc = watch_members(k->w, main, &m, err);
    for (size_t i = 0; i < m.n; i++) {
        int64_t bytes = l->sig.bytes;
        look_at_member(k, m.names[i]);
        if (members_compare(&rule, m.names[i], scan) == 0) {
            l->scan_size = l->sig.bytes - bytes;
        }
    }
    l->members = (uint32_t)m.n;
    members_fini(&m);
    return rc;
}

/* Leaves the path of name in k->path. */
static bool look_at_top(struct looking *k, const char *name, struct statx *st)
{
    struct look *l = k->l;
    *l = (struct look){.size = -1, .scan_size = -1, .members = 1, .looks = 1};
    atomic_store(&k->w->progress_ms, mono_ms());
    snprintf(k->path, sizeof k->path, "%s/%s", k->w->cfg->path, name);
    if (statx(AT_FDCWD, k->path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, st) != 0) {
        int code = errno;
        snprintf(k->path, sizeof k->path, "%s", name);
        if (code != ENOENT) { /* it may be there: its acquisition must not end without it */
            note_trouble(k, strerror(code));
        }
        return false;
    }
    if (S_ISLNK(st->stx_mode)) {
        return false;
    }
    l->there = true;
    l->ino = st->stx_ino;
    l->birth_known = (st->stx_mask & STATX_BTIME) != 0;
    l->born_ns = ns_of(l->birth_known ? &st->stx_btime : &st->stx_ctime);
    if (S_ISREG(st->stx_mode) && !names_is_folder(k->w->cfg)) {
        add_main(l, st);
    }
    return true;
}

bool watch_look_top(struct watch *w, const char *name, struct look *l)
{
    struct looking k = {.w = w, .l = l};
    struct statx st;
    return look_at_top(&k, name, &st);
}

int watch_look(struct watch *w, const char *name, struct look *l, struct err *err)
{
    struct looking k = {.w = w, .l = l, .until_ms = mono_ms() + LOOK_MS};
    struct statx st;
    if (!look_at_top(&k, name, &st)) {
        return 0;
    }
    snprintf(k.path, sizeof k.path, "%s", name);
    if (members_is_set(w->cfg)) {
        return look_at_set(&k, name, err);
    }
    if (S_ISDIR(st.stx_mode)) {
        look_at_member(&k, name);
        use_whole_folder(&k);
    } else {
        add_to_signature(&k, &st);
    }
    return 0;
}
