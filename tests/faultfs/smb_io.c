/* smb_io.c - locks, and the times that are shown. */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "tests/faultfs/smb_table.h"

/* --- locks --- */

/* Of others; with nobrl each host knows only its own. */
static int strongest_lock(const struct smb *s, const struct slot *own)
{
    const struct stat st = {.st_dev = own->dev, .st_ino = own->ino};
    int lock = 0;
    for (struct slot *p = NULL; (p = smb_next(s->table, &st, p)) != NULL;) {
        bool counts =
            p != own && smb_is_held(p) && (!smb_has(s, SMB_NOBRL) || p->host == own->host);
        lock = counts && (p->lock == LOCK_EX || lock == 0) ? p->lock : lock;
    }
    return lock;
}

static int try_lock(struct smb *s, int number, int op)
{
    smb_take_table(s);
    struct slot *p = &s->table->at[number];
    int others = op == LOCK_UN ? 0 : strongest_lock(s, p), rc = 0;
    if (others == LOCK_EX || (others == LOCK_SH && op == LOCK_EX)) {
        rc = smb_has(s, SMB_NOBRL) ? -EWOULDBLOCK : -EACCES;
    } else {
        p->lock = op == LOCK_UN ? 0 : op;
    }
    smb_give_table(s);
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
    int64_t shown = 0, now = smb_now_ns();
    for (struct slot *p = NULL; (p = smb_next(s->table, st, p)) != NULL;) {
        if (!smb_is_held(p)) {
            continue;
        }
        if (p->set_ns != 0) {
            shown = p->set_ns;
            break;
        }
        if (p->first_write_ns != 0 && shown == 0) {
            int64_t due = (p->first_write_ns + LATE_NS) / GRAIN_NS * GRAIN_NS;
            shown = now < due ? p->before_ns : due;
        }
    }
    if (shown != 0) {
        st->st_mtim = (struct timespec){shown / SECOND_NS, shown % SECOND_NS};
    }
}

int smb_before_io(struct smb *s, int number, int fd, bool write)
{
    smb_take_table(s);
    struct slot *p = &s->table->at[number];
    struct stat st;
    int others = smb_has(s, SMB_LOCKS) && !smb_has(s, SMB_NOBRL) ? strongest_lock(s, p) : 0;
    bool refused = others == LOCK_EX || (write && (others == LOCK_SH || p->lock == LOCK_SH)) ||
                   is_range_locked(s, fd, write);
    if (!refused && write) {
        p->last_write_ns = smb_now_ns();
        if (p->first_write_ns == 0 && fstat(fd, &st) == 0) {
            show_time(s, &st);
            p->before_ns = smb_mtime_ns(&st);
            p->first_write_ns = p->last_write_ns;
        }
    }
    smb_give_table(s);
    return refused ? -EACCES : 0;
}

void smb_synced(struct smb *s, int number)
{
    smb_take_table(s);
    s->table->at[number].first_write_ns = 0;
    smb_give_table(s);
}

void smb_timed(struct smb *s, const char *path)
{
    struct stat st;
    if (fstatat(s->o.root, path, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return;
    }
    smb_take_table(s);
    for (struct slot *p = NULL; (p = smb_next(s->table, &st, p)) != NULL;) {
        p->set_ns = smb_mtime_ns(&st);
        if (p->state == CLOSED) {
            p->state = FREE;
        }
    }
    smb_give_table(s);
}

void smb_show(struct smb *s, const char *path, struct stat *st)
{
    if (smb_has(s, SMB_LATE) && S_ISREG(st->st_mode)) {
        smb_take_table(s);
        show_time(s, st);
        smb_give_table(s);
    }
    if (smb_has(s, SMB_MODES)) {
        bool fixed = S_ISREG(st->st_mode) && (smb_attributes(s, path) & SMB_READ_ONLY) != 0;
        st->st_mode = (st->st_mode & S_IFMT) | (fixed ? 0555 : 0755);
    }
}
