/*
 * smb.c - the server's memory: who has what open, what is locked, what outlives its process, what
 * waits to be removed, and which times are shown.
 *
 * It is a table in a file that every host maps; a host is a faultfs process. The table is changed
 * under a mutex of the process and an flock of the file, so a host that dies leaves it usable; what
 * it had open is forgotten when the next host starts.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "tests/faultfs/smb_table.h"

static const struct {
    const char *word;
    unsigned bits;
} words[] = {
    {"cifs", SMB_ALL},        {"casefold", SMB_CASEFOLD}, {"names", SMB_NAMES},
    {"plain", SMB_PLAIN},     {"locks", SMB_LOCKS},       {"nobrl", SMB_NOBRL},
    {"outlive", SMB_OUTLIVE}, {"pending", SMB_PENDING},   {"busy", SMB_BUSY},
    {"strict", SMB_STRICT},   {"late", SMB_LATE},         {"modes", SMB_MODES},
    {"replace", SMB_REPLACE}, {"hidden", SMB_HIDDEN},     {"shares", SMB_SHARES},
};

bool smb_switch(unsigned *switches, const char *word)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(word, words[i].word) == 0) {
            *switches |= words[i].bits;
            return true;
        }
        if (strncmp(word, "no", 2) == 0 && strcmp(word + 2, words[i].word) == 0) {
            *switches &= ~words[i].bits;
            return true;
        }
    }
    return false;
}

bool smb_has(const struct smb *s, unsigned switches)
{
    return (s->o.switches & switches) != 0;
}

int smb_root(const struct smb *s)
{
    return s->o.root;
}

int64_t smb_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec * SECOND_NS + t.tv_nsec;
}

int64_t smb_mtime_ns(const struct stat *st)
{
    return st->st_mtim.tv_sec * SECOND_NS + st->st_mtim.tv_nsec;
}

/* --- the table; all under its lock --- */

struct slot *smb_next(struct table *t, const struct stat *st, struct slot *at)
{
    for (struct slot *p = at == NULL ? t->at : at + 1; p < t->at + t->used; p++) {
        if (p->state != FREE && p->dev == st->st_dev && p->ino == st->st_ino) {
            return p;
        }
    }
    return NULL;
}

bool smb_is_held(const struct slot *p)
{
    return p->state == OPEN || p->state == GHOST;
}

static bool anyone_holds(struct table *t, const struct stat *st)
{
    for (struct slot *p = NULL; (p = smb_next(t, st, p)) != NULL;) {
        if (smb_is_held(p)) {
            return true;
        }
    }
    return false;
}

/* The time of change becomes that of the close if that is news, or what was set before. */
static bool settle_time(const struct smb *s, const struct slot *p)
{
    int64_t now = smb_now_ns(), due = p->first_write_ns + LATE_NS;
    int64_t to = p->set_ns != 0 ? p->set_ns : p->last_write_ns < due && due < now ? due : now;
    to -= to % GRAIN_NS;
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {to / SECOND_NS, to % SECOND_NS}};
    return utimensat(s->o.root, p->path, times, AT_SYMLINK_NOFOLLOW) == 0 && p->set_ns == 0;
}

static bool is_there(const struct smb *s, const struct slot *p)
{
    struct stat st;
    return fstatat(s->o.root, p->path, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev == p->dev &&
           st.st_ino == p->ino;
}

/* The server hears that it is closed. */
static void end(struct smb *s, struct slot *p)
{
    const struct stat st = {.st_dev = p->dev, .st_ino = p->ino};
    bool there = is_there(s, p);
    bool jumps = there && smb_has(s, SMB_LATE) && p->first_write_ns != 0 && settle_time(s, p);
    p->state = p->state == OPEN && jumps && !p->pending ? CLOSED : FREE;
    p->lock = 0;
    if (p->pending && there && !anyone_holds(s->table, &st)) {
        unlinkat(s->o.root, p->path, 0);
    }
}

static void expire(struct smb *s)
{
    int64_t now = smb_now_ns();
    for (struct slot *p = s->table->at; p < s->table->at + s->table->used; p++) {
        if (p->state == GHOST && p->lock_until_ns <= now) {
            p->lock = 0;
        }
        if (p->state == GHOST && p->until_ns <= now) {
            end(s, p);
        }
    }
}

void smb_take_table(struct smb *s)
{
    pthread_mutex_lock(&s->mutex);
    while (flock(s->fd, LOCK_EX) != 0 && errno == EINTR) {
    }
    expire(s);
}

void smb_give_table(struct smb *s)
{
    flock(s->fd, LOCK_UN);
    pthread_mutex_unlock(&s->mutex);
}

static struct slot *add(struct table *t, const char *path, const struct stat *st)
{
    for (size_t i = 0; i < SLOTS; i++) {
        struct slot *p = &t->at[i];
        if (p->state == FREE) {
            *p = (struct slot){
                .state = OPEN, .host = getpid(), .dev = st->st_dev, .ino = st->st_ino};
            snprintf(p->path, sizeof p->path, "%s", path);
            t->used = t->used > i + 1 ? t->used : i + 1;
            return p;
        }
    }
    return NULL;
}

/* --- opening and closing --- */

/* What another process holds in the folder itself, as an instrument's software does. */
static int check_share(const struct smb *s, int fd)
{
    if (!smb_has(s, SMB_SHARES)) {
        return 0;
    }
    if (flock(fd, LOCK_SH | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK ? -s->o.share_code : 0;
    }
    flock(fd, LOCK_UN);
    return 0;
}

/* The server's time of change is seen from now on, by whoever wrote, too. */
static void take_closed(const struct smb *s, const struct stat *st)
{
    for (struct slot *p = NULL; (p = smb_next(s->table, st, p)) != NULL;) {
        if (p->host == getpid() && p->state == CLOSED) {
            int64_t to = smb_mtime_ns(st) + SKEW_NS;
            const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
                                              {to / SECOND_NS, to % SECOND_NS}};
            (void)!utimensat(s->o.root, p->path, times, AT_SYMLINK_NOFOLLOW);
            p->state = FREE;
        }
    }
}

static int open_slot(struct smb *s, const char *path, int fd)
{
    struct stat st;
    int rc = fstat(fd, &st) != 0 ? -errno : check_share(s, fd);
    for (struct slot *p = NULL; rc == 0 && (p = smb_next(s->table, &st, p)) != NULL;) {
        if (p->state == GHOST && p->host == getpid() && p->renamed) {
            rc = -EINVAL; /* its lease is held under the old name */
        }
    }
    if (rc != 0) {
        return rc;
    }
    take_closed(s, &st);
    const struct slot *p = add(s->table, path, &st);
    return p == NULL ? -ENFILE : (int)(p - s->table->at);
}

int smb_open(struct smb *s, const char *path, int fd)
{
    smb_take_table(s);
    int rc = open_slot(s, path, fd);
    smb_give_table(s);
    return rc;
}

void smb_close(struct smb *s, int number, bool by_kill)
{
    smb_take_table(s);
    struct slot *p = &s->table->at[number];
    if (by_kill && smb_has(s, SMB_OUTLIVE)) {
        p->state = GHOST;
        p->renamed = false;
        p->until_ns = smb_now_ns() + s->o.outlive_ms * MILLI_NS;
        p->lock_until_ns = smb_now_ns() + s->o.outlive_locks_ms * MILLI_NS;
    } else {
        end(s, p);
    }
    smb_give_table(s);
}

void smb_path(struct smb *s, int number, char *out, size_t room)
{
    smb_take_table(s);
    snprintf(out, room, "%s", s->table->at[number].path);
    smb_give_table(s);
}

/* --- names --- */

bool smb_is_pending(struct smb *s, const char *path)
{
    struct stat st;
    if (!smb_has(s, SMB_PENDING) || fstatat(s->o.root, path, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return false;
    }
    bool pending = false;
    smb_take_table(s);
    for (struct slot *p = NULL; (p = smb_next(s->table, &st, p)) != NULL;) {
        pending = pending || (smb_is_held(p) && p->pending);
    }
    smb_give_table(s);
    return pending;
}

bool smb_keep(struct smb *s, const char *path)
{
    struct stat st;
    if (!smb_has(s, SMB_PENDING) || fstatat(s->o.root, path, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return false;
    }
    bool kept = false;
    smb_take_table(s);
    for (struct slot *p = NULL; (p = smb_next(s->table, &st, p)) != NULL;) {
        p->pending = smb_is_held(p);
        kept = kept || p->pending;
    }
    smb_give_table(s);
    return kept;
}

static bool is_below(const char *path, const char *folder)
{
    size_t len = strlen(folder);
    return strncmp(path, folder, len) == 0 && path[len] == '/';
}

int smb_before_rename(struct smb *s, const char *from, const char *to)
{
    struct stat st = {0};
    int rc = 0;
    bool replaces = fstatat(s->o.root, to, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
    smb_take_table(s);
    for (struct slot *p = s->table->at; p < s->table->at + s->table->used; p++) {
        bool own = p->state == OPEN && p->host == getpid();
        bool is_target = replaces && p->dev == st.st_dev && p->ino == st.st_ino;
        if (smb_is_held(p) && ((is_target && own) || is_below(p->path, from)) &&
            smb_has(s, own ? SMB_BUSY : SMB_STRICT)) {
            rc = -EACCES;
        }
    }
    smb_give_table(s);
    return rc;
}

void smb_renamed(struct smb *s, const char *from, const char *to)
{
    smb_take_table(s);
    for (struct slot *p = s->table->at; p < s->table->at + s->table->used; p++) {
        if (p->state != FREE && (strcmp(p->path, from) == 0 || is_below(p->path, from))) {
            char path[2 * sizeof p->path];
            snprintf(path, sizeof path, "%s%s", to, p->path + strlen(from));
            snprintf(p->path, sizeof p->path, "%.*s", (int)sizeof p->path - 1, path);
            p->renamed = true;
        }
    }
    smb_give_table(s);
    smb_attributes_renamed(s, to);
}

/* --- start --- */

/* What hosts that are no more had open is forgotten; what they had removed is. */
static void forget_dead(struct smb *s)
{
    for (struct slot *p = s->table->at; p < s->table->at + s->table->used; p++) {
        if (p->state != FREE && kill(p->host, 0) != 0 && errno == ESRCH) {
            end(s, p);
            p->state = FREE;
        }
    }
}

struct smb *smb_new(const struct smb_options *o)
{
    struct smb *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return NULL;
    }
    s->o = *o;
    s->fd = open(o->file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->fd < 0 || ftruncate(s->fd, sizeof *s->table) != 0) {
        return NULL;
    }
    s->table = mmap(NULL, sizeof *s->table, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
    if (s->table == MAP_FAILED) {
        return NULL;
    }
    pthread_mutex_init(&s->mutex, NULL);
    smb_take_table(s);
    forget_dead(s);
    smb_give_table(s);
    return s;
}
