/*
 * smb.c - the server's memory: who has what open, what is locked, what outlives its process, what
 * waits to be removed, and which times are shown.
 *
 * It is a table in a file that every host maps; a host is a faultfs process. The table is changed
 * under a mutex of the process and an flock of the file, so a host that dies leaves it usable; what
 * it had open is forgotten when the next host starts.
 */
#include "tests/faultfs/smb.h"

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

#define SLOTS     4096
#define MILLI_NS  1000000LL
#define SECOND_NS (1000 * MILLI_NS)
#define LATE_NS   (2 * SECOND_NS)  /* Samba's delayed write time */
#define CLOSE_NS  SECOND_NS        /* the client closes so much later: closetimeo */
#define SKEW_NS   (-48 * MILLI_NS) /* the server's clock against the client's */
#define GRAIN_NS  100              /* what SMB can say of a time */

enum state {
    FREE,
    OPEN,
    GHOST,  /* its process was killed; the server does not know yet */
    CLOSED, /* by the process; its host remembers */
};

struct slot {
    enum state state;
    pid_t host;
    dev_t dev;
    ino_t ino;
    bool fresh;   /* made by its host, which closes it a second late */
    bool seen;    /* closed; the host that wrote shows its own clock's time of change */
    bool renamed; /* since it was opened or, of a ghost, killed */
    bool pending; /* to be removed at the last close */
    int lock;     /* LOCK_SH, LOCK_EX or 0 */
    int64_t until_ns, lock_until_ns;
    int64_t first_write_ns, before_ns; /* and the time of change before it */
    int64_t set_ns;                    /* time of change that somebody set while it was open */
    char path[1024];
};

struct table {
    size_t used; /* slots from here on were never in use */
    struct slot at[SLOTS];
};

struct smb {
    struct smb_options o;
    pthread_mutex_t mutex;
    int fd;
    struct table *table; /* mutex and flock of fd */
};

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

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec * SECOND_NS + t.tv_nsec;
}

static int64_t stat_ns(const struct stat *st)
{
    return st->st_mtim.tv_sec * SECOND_NS + st->st_mtim.tv_nsec;
}

static void lock_table(struct smb *s)
{
    pthread_mutex_lock(&s->mutex);
    while (flock(s->fd, LOCK_EX) != 0 && errno == EINTR) {
    }
}

static void unlock_table(struct smb *s)
{
    flock(s->fd, LOCK_UN);
    pthread_mutex_unlock(&s->mutex);
}

/* --- the table; all under its lock --- */

/* The next slot of the file after `at`, or NULL: for (p = NULL; (p = next(t, st, p)) != NULL;). */
static struct slot *next_of(struct table *t, const struct stat *st, struct slot *at)
{
    for (struct slot *p = at == NULL ? t->at : at + 1; p < t->at + t->used; p++) {
        if (p->state != FREE && p->dev == st->st_dev && p->ino == st->st_ino) {
            return p;
        }
    }
    return NULL;
}

static bool is_held(const struct slot *p)
{
    return p->state == OPEN || p->state == GHOST;
}

static bool anyone_holds(struct table *t, const struct stat *st)
{
    for (struct slot *p = NULL; (p = next_of(t, st, p)) != NULL;) {
        if (is_held(p)) {
            return true;
        }
    }
    return false;
}

/* The time of change becomes that of the close, or what was set before. */
static bool settle_time(const struct smb *s, const struct slot *p)
{
    int64_t to = p->set_ns != 0 ? p->set_ns : now_ns() / GRAIN_NS * GRAIN_NS;
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
    bool there = is_there(s, p), late = smb_has(s, SMB_LATE);
    p->seen = there && late && p->first_write_ns != 0 && settle_time(s, p);
    p->fresh = p->fresh && !p->renamed;
    p->state = p->state == OPEN && !p->pending && (p->fresh || p->seen) ? CLOSED : FREE;
    p->lock = 0;
    p->until_ns = now_ns() + CLOSE_NS;
    if (p->pending && there && !anyone_holds(s->table, &st)) {
        unlinkat(s->o.root, p->path, 0);
    }
}

static void expire(struct smb *s)
{
    int64_t now = now_ns();
    for (struct slot *p = s->table->at; p < s->table->at + s->table->used; p++) {
        if (p->state == GHOST && p->lock_until_ns <= now) {
            p->lock = 0;
        }
        if (p->state == GHOST && p->until_ns <= now) {
            end(s, p);
        } else if (p->state == CLOSED && !p->seen && p->until_ns <= now) {
            p->state = FREE;
        }
    }
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

/* What this host remembers of the file ends here; whether it has just made it. */
static bool take_closed(const struct smb *s, const struct stat *st)
{
    bool fresh = false;
    for (struct slot *p = NULL; (p = next_of(s->table, st, p)) != NULL;) {
        if (p->host != getpid() || p->state != CLOSED) {
            continue;
        }
        fresh = fresh || (p->fresh && !p->renamed);
        if (p->seen) {
            int64_t to = stat_ns(st) + SKEW_NS;
            const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
                                              {to / SECOND_NS, to % SECOND_NS}};
            (void)!utimensat(s->o.root, p->path, times, AT_SYMLINK_NOFOLLOW);
        }
        p->state = FREE;
    }
    return fresh;
}

static int open_slot(struct smb *s, const char *path, int fd, int flags)
{
    struct stat st;
    int rc = fstat(fd, &st) != 0 ? -errno : check_share(s, fd);
    for (struct slot *p = NULL; rc == 0 && (p = next_of(s->table, &st, p)) != NULL;) {
        if (p->state == GHOST && p->host == getpid() && p->renamed) {
            rc = -EINVAL; /* its lease is held under the old name */
        }
    }
    if (rc != 0) {
        return rc;
    }
    bool fresh = take_closed(s, &st) || (flags & O_CREAT) != 0;
    struct slot *p = add(s->table, path, &st);
    if (p == NULL) {
        return -ENFILE;
    }
    p->fresh = fresh;
    return (int)(p - s->table->at);
}

int smb_open(struct smb *s, const char *path, int fd, int flags)
{
    lock_table(s);
    expire(s);
    int rc = open_slot(s, path, fd, flags);
    unlock_table(s);
    return rc;
}

void smb_close(struct smb *s, int number, bool by_kill)
{
    lock_table(s);
    struct slot *p = &s->table->at[number];
    if (by_kill && smb_has(s, SMB_OUTLIVE)) {
        p->state = GHOST;
        p->renamed = false;
        p->until_ns = now_ns() + s->o.outlive_ms * MILLI_NS;
        p->lock_until_ns = now_ns() + s->o.outlive_locks_ms * MILLI_NS;
    } else {
        end(s, p);
    }
    expire(s);
    unlock_table(s);
}

void smb_path(struct smb *s, int number, char *out, size_t room)
{
    lock_table(s);
    snprintf(out, room, "%s", s->table->at[number].path);
    unlock_table(s);
}

/* --- locks --- */

/* Of others; with nobrl each host knows only its own. */
static int strongest_lock(const struct smb *s, const struct slot *own)
{
    const struct stat st = {.st_dev = own->dev, .st_ino = own->ino};
    int lock = 0;
    for (struct slot *p = NULL; (p = next_of(s->table, &st, p)) != NULL;) {
        bool counts = p != own && is_held(p) && (!smb_has(s, SMB_NOBRL) || p->host == own->host);
        lock = counts && (p->lock == LOCK_EX || lock == 0) ? p->lock : lock;
    }
    return lock;
}

static int try_lock(struct smb *s, int number, int op)
{
    lock_table(s);
    expire(s);
    struct slot *p = &s->table->at[number];
    int others = op == LOCK_UN ? 0 : strongest_lock(s, p), rc = 0;
    if (others == LOCK_EX || (others == LOCK_SH && op == LOCK_EX)) {
        rc = smb_has(s, SMB_NOBRL) ? -EWOULDBLOCK : -EACCES;
    } else {
        p->lock = op == LOCK_UN ? 0 : op;
    }
    unlock_table(s);
    return rc;
}

int smb_lock(struct smb *s, int number, int op)
{
    int rc;
    while ((rc = try_lock(s, number, op & ~LOCK_NB)) != 0 && (op & LOCK_NB) == 0) {
        const struct timespec tick = {.tv_nsec = 10 * MILLI_NS};
        nanosleep(&tick, NULL);
    }
    return rc;
}

/* Whether somebody in the folder itself has locked a part of it by fcntl(2). */
static bool is_range_locked(const struct smb *s, int fd, bool write)
{
    struct flock range = {.l_type = write ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET};
    return smb_has(s, SMB_SHARES) && fcntl(fd, F_OFD_GETLK, &range) == 0 && range.l_type != F_UNLCK;
}

/* --- times --- */

static void show_time(const struct smb *s, struct stat *st)
{
    int64_t shown = 0, now = now_ns();
    for (struct slot *p = NULL; (p = next_of(s->table, st, p)) != NULL;) {
        if (!is_held(p)) {
            continue;
        }
        if (p->set_ns != 0) {
            shown = p->set_ns;
            break;
        }
        if (p->first_write_ns != 0 && shown == 0) {
            int64_t due = p->first_write_ns + LATE_NS;
            shown = now < due ? p->before_ns : due;
        }
    }
    if (shown != 0) {
        st->st_mtim = (struct timespec){shown / SECOND_NS, shown % SECOND_NS};
    }
}

/* A file that was opened anew keeps what its name makes of it. */
static void keep_hidden(const struct smb *s, const char *path)
{
    if (smb_has(s, SMB_HIDDEN)) {
        (void)!smb_attributes_set(s, path, smb_attributes_shown(s, path));
    }
}

int smb_before_io(struct smb *s, int number, int fd, bool write)
{
    lock_table(s);
    expire(s);
    struct slot *p = &s->table->at[number];
    struct stat st;
    int others = smb_has(s, SMB_LOCKS) && !smb_has(s, SMB_NOBRL) ? strongest_lock(s, p) : 0;
    bool refused = others == LOCK_EX || (write && (others == LOCK_SH || p->lock == LOCK_SH)) ||
                   is_range_locked(s, fd, write);
    if (!refused && write && p->first_write_ns == 0 && fstat(fd, &st) == 0) {
        show_time(s, &st);
        p->before_ns = stat_ns(&st);
        p->first_write_ns = now_ns();
        if (!p->fresh) {
            keep_hidden(s, p->path);
        }
    }
    unlock_table(s);
    return refused ? -EACCES : 0;
}

void smb_timed(struct smb *s, const char *path)
{
    struct stat st;
    if (fstatat(s->o.root, path, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return;
    }
    lock_table(s);
    expire(s);
    bool fresh = false;
    for (struct slot *p = NULL; (p = next_of(s->table, &st, p)) != NULL;) {
        p->set_ns = stat_ns(&st);
        p->seen = false;
        fresh = fresh || (p->host == getpid() && p->fresh && !(p->state == CLOSED && p->renamed));
    }
    if (!fresh && S_ISREG(st.st_mode)) {
        keep_hidden(s, path);
    }
    unlock_table(s);
}

void smb_show(struct smb *s, const char *path, struct stat *st)
{
    if (smb_has(s, SMB_LATE) && S_ISREG(st->st_mode)) {
        lock_table(s);
        expire(s);
        show_time(s, st);
        unlock_table(s);
    }
    if (smb_has(s, SMB_MODES)) {
        bool fixed = S_ISREG(st->st_mode) && (smb_attributes(s, path) & SMB_READ_ONLY) != 0;
        st->st_mode = (st->st_mode & S_IFMT) | (fixed ? 0555 : 0755);
    }
}

/* --- names --- */

bool smb_is_pending(struct smb *s, const char *path)
{
    struct stat st;
    if (!smb_has(s, SMB_PENDING) || fstatat(s->o.root, path, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return false;
    }
    bool pending = false;
    lock_table(s);
    expire(s);
    for (struct slot *p = NULL; (p = next_of(s->table, &st, p)) != NULL;) {
        pending = pending || (is_held(p) && p->pending);
    }
    unlock_table(s);
    return pending;
}

bool smb_keep(struct smb *s, const char *path)
{
    struct stat st;
    if (!smb_has(s, SMB_PENDING) || fstatat(s->o.root, path, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return false;
    }
    bool kept = false;
    lock_table(s);
    expire(s);
    for (struct slot *p = NULL; (p = next_of(s->table, &st, p)) != NULL;) {
        p->pending = is_held(p);
        kept = kept || p->pending;
    }
    unlock_table(s);
    return kept;
}

static bool is_below(const char *path, const char *folder)
{
    size_t len = strlen(folder);
    return strncmp(path, folder, len) == 0 && path[len] == '/';
}

int smb_before_rename(struct smb *s, const char *path)
{
    int rc = 0;
    lock_table(s);
    expire(s);
    for (struct slot *p = s->table->at; p < s->table->at + s->table->used; p++) {
        bool own = p->state == OPEN && p->host == getpid();
        if (is_held(p) && is_below(p->path, path) && smb_has(s, own ? SMB_BUSY : SMB_STRICT)) {
            rc = -EACCES;
        }
    }
    unlock_table(s);
    return rc;
}

void smb_renamed(struct smb *s, const char *from, const char *to)
{
    lock_table(s);
    for (struct slot *p = s->table->at; p < s->table->at + s->table->used; p++) {
        if (p->state != FREE && (strcmp(p->path, from) == 0 || is_below(p->path, from))) {
            char path[2 * sizeof p->path];
            snprintf(path, sizeof path, "%s%s", to, p->path + strlen(from));
            snprintf(p->path, sizeof p->path, "%.*s", (int)sizeof p->path - 1, path);
            p->renamed = true;
        }
    }
    unlock_table(s);
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
    lock_table(s);
    forget_dead(s);
    unlock_table(s);
    return s;
}
