/*
 * fs.h - small helpers on files and folders. Any thread.
 */
#ifndef COMMON_BASE_FS_H
#define COMMON_BASE_FS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/own.h"

/* Make a folder and its missing parents, mode 0775. 0; -1 with the folder's name. */
int fs_mkdirs(const char *path, struct err *err) __attribute__((nonnull, warn_unused_result));

/* fsync the folder so that names made in it last. */
int fs_sync_dir(const char *path, struct err *err) __attribute__((nonnull, warn_unused_result));

/* The same for an open folder: -1 and errno. A file system that has no such thing (EINVAL or
 * EOPNOTSUPP: network file systems) keeps names by itself. */
int fs_fsync_dir(int fd) __attribute__((warn_unused_result));

/* A name in an open folder (or AT_FDCWD and a path). */
struct fs_name {
    int dir;
    const char *name;
};
/* Rename a file or a folder to a name that is free: EEXIST or ENOTEMPTY when it is taken, also
 * where two hosts ask at the same moment (fs_rename.c). -1 and errno; a file may then have both
 * names, and the next call goes on from there. */
int fs_rename_new(const struct fs_name *from, const struct fs_name *to)
    __attribute__((nonnull, warn_unused_result));
/* Give a file its mode without the right to write, also where the client of a share remembers
 * another one. -1 and errno. */
int fs_mark_read_only(const struct fs_name *n, mode_t mode)
    __attribute__((nonnull, warn_unused_result));
/* Whether both are names of one file, as a call leaves them that was cut off. */
bool fs_same_file(const struct fs_name *a, const struct fs_name *b) __attribute__((nonnull));
/* Whether a call failed for what others hold open or locked there at the moment. */
bool fs_is_held(int code);

/* The whole file, NUL-terminated, at most max bytes (larger: INVALID). Freed with free(). */
char *fs_read(const char *path, size_t max, size_t *len, struct err *err) OWNED
    __attribute__((nonnull(1, 4)));

/* Write to a temporary name beside path, fsync, rename, fsync the folder. */
int fs_write(const char *path, const void *data, size_t len, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* The same below an open folder by the temporary name tmp, which nobody may have: for a writer who
 * is to find again what was left when it was killed. */
int fs_write_at(int dir, const char *tmp, const char *name, const void *data, size_t len,
                struct err *err) __attribute__((nonnull, warn_unused_result));

/* Write all bytes to fd, whatever the kernel takes at a time. */
int fs_write_all(int fd, const void *data, size_t len, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* Call fn for every name in the folder, "." and ".." left out; fn returns -1 to stop with *err set.
 */
typedef int fs_name_fn(void *ctx, const char *name, struct err *err);
int fs_each_name(const char *path, fs_name_fn *fn, void *ctx, struct err *err)
    __attribute__((nonnull(1, 2, 4), warn_unused_result));

/* Call fn for every regular file below root, with the path relative to root and its size, in byte
 * order. Symbolic links are not followed and not reported. */
typedef int fs_file_fn(void *ctx, const char *relative, int64_t size, struct err *err);
int fs_walk(const char *root, fs_file_fn *fn, void *ctx, struct err *err)
    __attribute__((nonnull(1, 2, 4), warn_unused_result));

/* errno -> err_kind: ENOSPC, EDQUOT, ESTALE, EIO, EROFS, ... are HOLD or TRANSIENT, ENOENT and the
 * like are INVALID. */
enum err_kind fs_errno_kind(int code);
/* The same for a file on a share that others write: what their open handles and locks, the server
 * or the net refuse passes by itself, so EACCES, EPERM, EBUSY, ETXTBSY, ... are HOLD. */
enum err_kind fs_share_kind(int code);
/* To be called with the error of a look at such a file: one that passes by itself becomes HOLD with
 * the code ERR_CODE_SOURCE_BUSY, others stay as they are. Always -1. */
int fs_share_failed(struct err *err) __attribute__((nonnull));
#endif
