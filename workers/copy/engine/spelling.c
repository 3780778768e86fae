/*
 * spelling.c - names that the target does not keep as they are.
 *
 * A share of Windows' kind finds "Data.bin" when it is asked for "data.bin": of two such files of a
 * source one would be lost without a word. Which names a server takes for one is known to it alone
 * (case, but also a dot at the end, composed letters, short names), so it is asked: before the
 * first byte for those that look alike, and after the last one by listing what was built. A raw
 * file that cannot be kept whole is refused. Names with what SMB cannot write are found by both
 * forms.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>

#include "common/base/fs.h"
#include "common/base/path.h"
#include "common/base/smb_name.h"
#include "workers/copy/engine/internal.h"

/* --- what looks alike --- */

struct reading { /* of names as UTF-8, by this thread */
    locale_t utf8, before;
};

static struct reading reading_begin(void)
{
    struct reading r = {.utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0)};
    r.before = r.utf8 != (locale_t)0 ? uselocale(r.utf8) : (locale_t)0;
    return r;
}

static void reading_end(const struct reading *r)
{
    if (r->utf8 != (locale_t)0) {
        uselocale(r->before);
        freelocale(r->utf8);
    }
}

/* Upper case, and nothing of what Windows ignores at the end; bytes that are no UTF-8 stay as they
 * are. Never longer than 4 times the name. */
static void fold(const char *name, char *out, size_t room)
{
    mbstate_t in = {0}, to = {0};
    size_t used = 0, len = strlen(name);
    while (len > 1 && (name[len - 1] == '.' || name[len - 1] == ' ')) {
        len--;
    }
    for (const char *end = name + len; name < end && used + MB_LEN_MAX < room;) {
        wchar_t wide;
        size_t n = mbrtowc(&wide, name, (size_t)(end - name), &in);
        size_t put = (size_t)-1;
        if (n > 0 && n <= (size_t)(end - name)) {
            put = wcrtomb(out + used, (wchar_t)towupper((wint_t)wide), &to);
        }
        if (put == (size_t)-1) {
            in = to = (mbstate_t){0};
            out[used] = *name;
            n = put = 1;
        }
        name += n;
        used += put;
    }
    out[used] = '\0';
}

struct alike {
    char *key; /* where it is, and its name folded */
    const char *name;
    const struct entry *entry;
};

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct alike *)a)->key, ((const struct alike *)b)->key);
}

/* The members are in one folder, what is below one is in its own. */
static int make_key(const struct copy *c, const struct entry *e, struct alike *out)
{
    char folded[4 * COPY_NAME_ROOM];
    const char *slash = strrchr(e->rel, '/');
    bool top = *e->rel == '\0';
    out->entry = e;
    out->name = top ? c->members[e->member].names->to : slash == NULL ? e->rel : slash + 1;
    fold(out->name, folded, sizeof folded);
    int parent = slash == NULL ? 0 : (int)(slash - e->rel);
    return asprintf(&out->key, "%lld/%.*s/%s", top ? -1LL : (long long)e->member, parent, e->rel,
                    folded) < 0
               ? (out->key = NULL, -1)
               : 0;
}

static void alike_free(struct alike *all, size_t n)
{
    for (size_t i = 0; all != NULL && i < n; i++) {
        free(all[i].key);
    }
    free(all);
}

static struct alike *alike_new(const struct copy *c, struct err *err)
{
    struct reading r = reading_begin();
    struct alike *all = calloc(c->files.n + 1, sizeof *all);
    bool good = all != NULL;
    for (size_t i = 0; good && i < c->files.n; i++) {
        good = make_key(c, &c->files.entries[i], &all[i]) == 0;
    }
    reading_end(&r);
    if (!good) {
        alike_free(all, c->files.n);
        err_no_memory(err);
        return NULL;
    }
    if (c->files.n > 0) {
        qsort(all, c->files.n, sizeof *all, by_key);
    }
    return all;
}

/* --- before the first byte --- */

static int refuse_pair(const struct copy *c, const struct entry *a, const struct entry *b,
                       struct err *err)
{
    char one[COPY_SHOWN_ROOM], other[COPY_SHOWN_ROOM];
    return ERR(err, ERR_INVALID, EEXIST,
               "the target takes %.80s and %.80s for one name, and could keep one of the files "
               "only: rename one at the source",
               entry_shown(c, a, one), entry_shown(c, b, other));
}

/* 1 when the target says that the second is there when only the first was made. */
static int is_one_name(int dir, const char *a, const char *b)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    int first = openat(dir, a, flags, 0600);
    if (first < 0) {
        return -1;
    }
    int second = openat(dir, b, flags, 0600);
    int rc = second >= 0 ? 0 : errno == EEXIST ? 1 : -1, code = errno;
    close(first);
    if (second >= 0) {
        close(second);
        (void)unlinkat(dir, b, 0);
    }
    (void)unlinkat(dir, a, 0); /* what stays is cleared with the folder */
    errno = code;
    return rc;
}

static int ask(struct copy *c, int dir, const struct alike *all, struct err *err)
{
    for (size_t i = 1; i < c->files.n; i++) {
        if (strcmp(all[i - 1].key, all[i].key) != 0) {
            continue;
        }
        int one = is_one_name(dir, all[i - 1].name, all[i].name);
        if (one != 0) {
            return one > 0 ? refuse_pair(c, all[i - 1].entry, all[i].entry, err)
                           : target_err(c, all[i].entry, "try the name of", err);
        }
    }
    return 0;
}

/* In a folder of its own, called like a part of this raw file. */
static int ask_in_folder(struct copy *c, const struct alike *all, struct err *err)
{
    char key[COPY_NAME_ROOM], name[COPY_NAME_ROOM];
    AUTO(free) char *what = NULL;
    if (asprintf(&what, "names of %s", c->plan->name) < 0) {
        what = NULL;
        return err_no_memory(err);
    }
    part_key(what, key);
    part_name(c, key, name);
    if (leftover_clear(c, key, err) < 0) {
        return -1;
    }
    int dir = mkdirat(c->target_fd, name, 0700) != 0
                  ? -1
                  : openat(c->target_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int rc = dir < 0 ? target_err(c, NULL, "make a folder in", err) : ask(c, dir, all, err);
    if (dir >= 0) {
        close(dir);
    }
    (void)remove_tree(c->target_fd, name);
    return rc;
}

static int check_plain(const struct copy *c, struct err *err)
{
    char shown[COPY_SHOWN_ROOM];
    for (size_t i = 0; c->traits.plain_names && i < c->files.n; i++) {
        const struct entry *e = &c->files.entries[i];
        if (smb_name_is_odd(*e->rel == '\0' ? c->members[e->member].names->to : e->rel)) {
            return ERR(err, ERR_INVALID, EINVAL,
                       "the target's share cannot write the name %s: mount it with mapposix",
                       entry_shown(c, e, shown));
        }
    }
    return 0;
}

int spelling_check(struct copy *c, struct err *err)
{
    if (check_plain(c, err) != 0) {
        return -1;
    }
    struct alike *all = alike_new(c, err);
    if (all == NULL) {
        return -1;
    }
    size_t i = 1;
    while (i < c->files.n && strcmp(all[i - 1].key, all[i].key) != 0) {
        i++;
    }
    int rc = i < c->files.n ? ask_in_folder(c, all, err) : 0;
    alike_free(all, c->files.n);
    return rc;
}

/* --- what is there already --- */

struct spelled {
    const char *want;
    char folded[4 * COPY_NAME_ROOM];
    bool exact;
    char other[COPY_NAME_ROOM]; /* "" or a name that looks alike */
};

static int on_name(void *ctx, const char *name, struct err *err)
{
    struct spelled *s = ctx;
    char folded[sizeof s->folded];
    (void)err;
    s->exact = s->exact || strcmp(name, s->want) == 0;
    fold(name, folded, sizeof folded);
    if (strcmp(folded, s->folded) == 0) {
        snprintf(s->other, sizeof s->other, "%s", name);
    }
    return 0;
}

int spelling_of_existing(struct copy *c, const struct member *m, char other[static COPY_NAME_ROOM],
                         struct err *err)
{
    struct spelled s = {.want = m->names->to};
    struct reading r = reading_begin();
    fold(s.want, s.folded, sizeof s.folded);
    int rc = fs_each_name(c->target_path, on_name, &s, err);
    reading_end(&r);
    if (rc != 0) {
        err->kind = fs_share_kind(err->code);
        return -1;
    }
    snprintf(other, COPY_NAME_ROOM, "%s", s.exact ? "" : s.other);
    return 0;
}

/* --- after the last write --- */

static bool same_file(const struct stat *a, const struct entry *b)
{
    return a->st_ino == b->id.ino && (S_ISDIR(a->st_mode) != 0) == b->is_dir;
}

/* The target does not list e, but may find it under the name of another. */
static int missing(struct copy *c, const struct member *m, const struct entry *e,
                   const struct listing *there, struct err *err)
{
    struct stat st;
    char shown[COPY_SHOWN_ROOM];
    entry_shown(c, e, shown);
    bool found = fstatat(m->part_fd, e->rel, &st, AT_SYMLINK_NOFOLLOW) == 0;
    for (size_t i = 0; found && i < there->n; i++) {
        const struct entry *is = &there->entries[i];
        if (!same_file(&st, is)) {
            continue;
        }
        for (size_t k = m->first; k < m->first + m->count; k++) {
            if (strcmp(c->files.entries[k].rel, is->rel) == 0) {
                return refuse_pair(c, &c->files.entries[k], e, err);
            }
        }
        AUTO(free) char *other = path_escape(is->rel);
        return ERR(err, ERR_INVALID, EINVAL, "the target writes the name of %s as %.100s", shown,
                   other != NULL ? other : "?");
    }
    return ERR(err, ERR_TRANSIENT, EIO, "%s was written, and is not in the part at the target",
               shown);
}

static int compare(struct copy *c, const struct member *m, const struct listing *there,
                   struct err *err)
{
    char shown[COPY_SHOWN_ROOM];
    const struct entry *stranger = NULL;
    for (size_t i = 0, k = 0; i < m->count || k < there->n;) {
        const struct entry *a = i < m->count ? &c->files.entries[m->first + i] : NULL;
        const struct entry *b = k < there->n ? &there->entries[k] : NULL;
        int order = a == NULL ? 1 : b == NULL ? -1 : strcmp(a->rel, b->rel);
        if (order < 0) {
            return missing(c, m, a, there, err);
        }
        if (order == 0 && (a->is_dir != b->is_dir || (!a->is_dir && a->id.size != b->id.size))) {
            return ERR(err, ERR_TRANSIENT, EIO, "%s is not at the target as written",
                       entry_shown(c, a, shown));
        }
        stranger = order > 0 && stranger == NULL ? b : stranger;
        i += order == 0;
        k++;
    }
    return stranger == NULL
               ? 0
               : ERR(err, ERR_TRANSIENT, EEXIST, "somebody has put %s into the part at the target",
                     entry_shown(c, stranger, shown));
}

int spelling_of_parts(struct copy *c, struct err *err)
{
    for (size_t i = 0; i < c->plan->n_members; i++) {
        const struct member *m = &c->members[i];
        struct scan_root root = {
            .dir = c->target_fd, .name = m->part, .member = (uint32_t)i, .at_target = true};
        struct listing there = {0};
        int rc = m->there ? 0 : scan_member(&root, &there, err);
        rc = m->there || rc != 0 ? rc : compare(c, m, &there, err);
        scan_fini(&there);
        if (rc != 0) {
            return -1;
        }
    }
    return 0;
}

/* --- at the server --- */

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino ||
           (a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
            a->st_mtim.tv_nsec == b->st_mtim.tv_nsec);
}

char *spelling_at_server(struct copy *c, const char *path, struct err *err)
{
    struct stat plain, other;
    bool odd =
        smb_name_is_odd(path) && fstatat(c->target_fd, path, &plain, AT_SYMLINK_NOFOLLOW) == 0;
    for (enum smb_map map = 0; odd && map < SMB_MAP_COUNT; map++) {
        char *mapped = smb_name_mapped(path, map);
        if (mapped != NULL && strcmp(mapped, path) != 0 &&
            fstatat(c->target_fd, mapped, &other, AT_SYMLINK_NOFOLLOW) == 0 &&
            is_same(&plain, &other)) {
            return mapped;
        }
        free(mapped);
    }
    char *same = strdup(path);
    if (same == NULL) {
        err_no_memory(err);
    }
    return same;
}
