/*
 * ops.h - what the operations of faultfs share: the file system, handles, and names. Failures are
 * -errno, as FUSE wants them.
 */
#ifndef TESTS_FAULTFS_OPS_H
#define TESTS_FAULTFS_OPS_H
#define FUSE_USE_VERSION 314
#include <dirent.h>
#include <fuse.h>
#include <stdbool.h>
#include <stddef.h>

#include "tests/faultfs/names.h"
#include "tests/faultfs/rules.h"
#include "tests/faultfs/smb.h"

struct fs {
    int root;
    struct rules *rules;
    struct naming naming;
    struct smb *smb; /* NULL: a POSIX file system */
    struct smb_options options;
    char *control, *folder, *server, *share;
};

struct handle {
    int fd, number; /* number: at the server; -1 without one */
    DIR *dir;
    bool killed; /* by who closed it last */
    bool direct; /* past the page cache, which takes a short read for the end of the file */
    char path[];
};

struct fs *fs_get(void);
struct handle *handle_get(const struct fuse_file_info *fi);
/* -errno when rc says so. */
int result(int rc);
/* FUSE's path as one below the root; "." for the root itself. */
const char *find(const char *path, struct name *n);
/* By handle or by path. A file's handle is followed over renames. */
const char *find_any(const char *path, const struct fuse_file_info *fi, struct name *n);
/* What goes wrong is decided before each operation: 0 to go on. len as in rules_before. */
int before(enum op op, const char *path, const struct fuse_file_info *fi, size_t *len);
/* Whether it is a share with one of these switches. */
bool smb_on(unsigned switches);
/* A server lets nobody write to what is read-only, the superuser of a client included. */
bool is_fixed(const char *found);
/* A handle for what was opened. */
int keep(const char *path, int fd, DIR *dir, struct fuse_file_info *fi);

/* Fill in the operations of ops_attributes.c, ops_files.c. */
void ops_attributes(struct fuse_operations *ops);
void ops_files(struct fuse_operations *ops);
#endif
