/*
 * mount.c - one look at one location.
 *
 * The order of the questions decides the answer that people get: is there a folder; is the file
 * system mounted that was mounted when it was initialised; is there an identity, and the right one;
 * is there room, and may we write. A share that is not mounted shows the folder below it, which is
 * local and empty, so the mount is asked for before the identity.
 */
#include "common/mount/mount.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/base/fs.h"
#include "common/base/own.h"
#include "common/base/utf8.h"

#define PROBE_TRIES 8

const char *mount_status_name(enum mount_status s)
{
    static const char *const names[] = {
        [MOUNT_OK] = "ok",           [MOUNT_UNINITIALISED] = "uninitialised",
        [MOUNT_MISSING] = "missing", [MOUNT_EMPTY] = "empty",
        [MOUNT_WRONG] = "wrong",     [MOUNT_READ_ONLY] = "read_only",
        [MOUNT_STALE] = "stale",     [MOUNT_HANGS] = "hangs",
        [MOUNT_FULL] = "full",
    };
    static_assert(sizeof names / sizeof *names == MOUNT_STATUS_COUNT, "a name for every status");
    return names[s];
}

static void found(struct mount_proof *out, enum mount_status s, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void found(struct mount_proof *out, enum mount_status s, const char *fmt, ...)
{
    va_list ap;
    out->status = s;
    va_start(ap, fmt);
    vsnprintf(out->detail, sizeof out->detail, fmt, ap);
    va_end(ap);
    utf8_mend(out->detail);
}

/* --- the questions; each returns false when the answer is found --- */

static bool is_folder(const struct mount_expect *e, struct mount_proof *out)
{
    struct stat st;
    if (e->path[0] != '/') {
        found(out, MOUNT_MISSING, "its path is not configured");
        return false;
    }
    if (stat(e->path, &st) != 0) {
        found(out, errno == ENOENT || errno == ENOTDIR ? MOUNT_MISSING : MOUNT_STALE, "%s",
              errno == ENOENT ? "there is no such folder" : strerror(errno));
        return false;
    }
    if (!S_ISDIR(st.st_mode)) {
        found(out, MOUNT_MISSING, "it is no folder");
        return false;
    }
    return true;
}

/* Names of disks change from boot to boot; a server's name and export do not. */
static bool same_source(const struct mount_place *a, const struct mount_place *b)
{
    return strncmp(a->source, "/dev/", 5) == 0 || strcmp(a->source, b->source) == 0;
}

static bool is_mounted(const struct mount_expect *e, struct mount_proof *out)
{
    struct mount_place now;
    struct err err = {0};
    const struct mount_place *then = &e->place;
    if (!e->placed || strcmp(then->point, "/") == 0) {
        return true; /* a local folder: its identity is all the proof there is */
    }
    if (mount_find(e->path, &now, &err) != 0) {
        found(out, MOUNT_STALE, "%.190s", err.msg);
        return false;
    }
    if (strlen(now.point) < strlen(then->point)) {
        found(out, MOUNT_MISSING, "%.30s %.60s is not mounted; the folder is on %.30s %.40s",
              then->fstype, then->source, now.fstype, now.source);
        return false;
    }
    if (strcmp(now.fstype, then->fstype) != 0 || !same_source(then, &now)) {
        found(out, MOUNT_WRONG, "%.20s %.50s is mounted there; it was initialised on %.20s %.50s",
              now.fstype, now.source, then->fstype, then->source);
        return false;
    }
    return true;
}

static bool is_the_one(const struct mount_expect *e, struct mount_proof *out)
{
    struct mount_identity id;
    struct err err = {0};
    bool there;
    if (mount_identity_read(e->path, &id, &there, &err) != 0) {
        found(out, err.kind == ERR_INVALID ? MOUNT_WRONG : MOUNT_STALE, "%.190s", err.msg);
        return false;
    }
    if (!there && e->initialised) {
        found(out, MOUNT_EMPTY, "it has no identity file " MOUNT_FILE);
        return false;
    }
    if (there && strcmp(id.location, e->location) != 0) {
        found(out, MOUNT_WRONG, "it is the share of %s", id.location);
        return false;
    }
    if (e->initialised && strcmp(id.uuid, e->uuid) != 0) {
        found(out, MOUNT_WRONG, "it is another share that was once initialised as %s (%.8s…)",
              e->location, id.uuid);
        return false;
    }
    return true;
}

static bool has_room(const struct mount_expect *e, struct mount_proof *out)
{
    struct statvfs fs;
    if (statvfs(e->path, &fs) != 0) {
        found(out, MOUNT_STALE, "%s", strerror(errno));
        return false;
    }
    out->free_bytes = (int64_t)(fs.f_bavail * fs.f_frsize);
    out->total_bytes = (int64_t)(fs.f_blocks * fs.f_frsize);
    out->no_inodes = fs.f_files > 0 && fs.f_favail == 0;
    if ((fs.f_flag & ST_RDONLY) != 0) {
        out->write_errno = EROFS;
    }
    return true;
}

static int remove_probe(const char *file)
{
    return unlink(file) == 0 || errno == ENOENT ? 0 : errno;
}

/* Only a file that was really made shows that one can be made. Its name is the host's: what a
 * killed process has left, the next look takes away; another process of this host may do so at any
 * time. */
static int write_probe(const char *path)
{
    char host[64] = "unknown", file[MOUNT_PATH_MAX + sizeof host + 16];
    gethostname(host, sizeof host - 1);
    snprintf(file, sizeof file, "%s/.trawl-probe-%s", path, host);
    for (int try = 0; try < PROBE_TRIES; try++) {
        int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd >= 0) {
            int code = close(fd) != 0 ? errno : 0;
            int left = remove_probe(file); /* a scanner may have it open: the next look does it */
            return code != 0 ? code : fs_is_held(left) ? 0 : left;
        }
        int code = errno == EEXIST ? remove_probe(file) : errno;
        if (code != 0) {
            return code;
        }
    }
    return 0; /* somebody else makes the same file again and again: it can be made */
}

void mount_prove(const struct mount_expect *e, bool probe_write, struct mount_proof *out)
{
    *out = (struct mount_proof){.initialised = e->initialised, .free_bytes = -1, .total_bytes = -1};
    if (!is_folder(e, out) || !is_mounted(e, out) || !is_the_one(e, out) || !has_room(e, out)) {
        return;
    }
    if (probe_write && out->write_errno == 0) {
        out->write_errno = write_probe(e->path);
    }
}

/* --- what it means for somebody who needs it --- */

static bool is_no_room(int code)
{
    return code == ENOSPC || code == EDQUOT;
}

static enum mount_status judge_write(const struct mount_proof *p, const struct mount_need *n,
                                     char detail[static 200])
{
    const char *why = strerror(p->write_errno);
    if (p->write_errno == EROFS || p->write_errno == EACCES || p->write_errno == EPERM) {
        snprintf(detail, 200, "it cannot be written: %s", why);
        return MOUNT_READ_ONLY;
    }
    if (p->write_errno != 0 && !is_no_room(p->write_errno)) {
        snprintf(detail, 200, "it cannot be written: %s", why);
        return MOUNT_STALE;
    }
    if (p->write_errno != 0 || p->no_inodes || (p->free_bytes >= 0 && p->free_bytes < n->bytes)) {
        snprintf(detail, 200, "%lld MiB of room are left, %lld are needed%s",
                 (long long)(p->free_bytes >> 20), (long long)((n->bytes + (1 << 20) - 1) >> 20),
                 p->no_inodes          ? "; no file can be made"
                 : p->write_errno != 0 ? "; it refuses a new file"
                                       : "");
        return MOUNT_FULL;
    }
    return MOUNT_OK;
}

enum mount_status mount_judge(const struct mount_proof *p, const struct mount_need *n, bool require,
                              char detail[static 200])
{
    snprintf(detail, 200, "%s", p->detail);
    if (p->status != MOUNT_OK) {
        return p->status;
    }
    if (require && !p->initialised) {
        snprintf(detail, 200, "it was never initialised");
        return MOUNT_UNINITIALISED;
    }
    return n->write ? judge_write(p, n, detail) : MOUNT_OK;
}

void mount_remedy(enum mount_status s, const struct mount_need *n, char out[static 160])
{
    const char *id = strncmp(n->location, "instrument/", 11) == 0 ? n->location + 11 : n->location;
    switch (s) {
    case MOUNT_UNINITIALISED:
        snprintf(out, 160, "trawl mount init %s", id);
        return;
    case MOUNT_MISSING:
        snprintf(out, 160, "mount it (trawl mount commands %s)", id);
        return;
    case MOUNT_EMPTY:
    case MOUNT_WRONG:
        snprintf(out, 160,
                 "mount the right share, or, if this is it: trawl mount init %s --replace", id);
        return;
    case MOUNT_STALE:
        snprintf(out, 160, "mount it again (umount -l, mount)");
        return;
    case MOUNT_READ_ONLY:
        snprintf(out, 160, "mount it writable for us");
        return;
    case MOUNT_HANGS:
        snprintf(out, 160, "see whether its server and the network are up");
        return;
    case MOUNT_FULL:
        snprintf(out, 160, "make room");
        return;
    case MOUNT_OK:
    case MOUNT_STATUS_COUNT:
        break;
    }
    out[0] = '\0';
}

int mount_refuse(enum mount_status s, const struct mount_need *n, const char *detail,
                 struct err *err)
{
    char what_helps[160];
    mount_remedy(s, n, what_helps);
    return ERR(err, ERR_HOLD, ERR_CODE_LOCATION - (int)s, "location %s at %.80s: %s: %s; %s",
               n->location, n->path, mount_status_name(s), detail, what_helps);
}
