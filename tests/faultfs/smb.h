/*
 * smb.h - what a server of Windows' kind does that a POSIX file system does not, for faultfs.
 *
 * Each behaviour is a switch, a word of faultfs' options; "cifs" turns on all but nobrl, and "no"
 * before a word turns it off again (cifs,nostrict is Samba as it is installed). As measured with
 * Linux 6.1's client and Samba 4.17:
 * - casefold: a name finds a file that differs from it only in case
 * - names: what SMB cannot write stands in the folder as U+F0xx; a backslash is EINVAL
 * - plain: no symbolic links or fifos, no owners, allocation only sets the length, no inode figures
 * - locks: flock(2) is mandatory; who asks for a taken one, reads or writes there: EACCES
 * - nobrl: flock(2) is known to one host only, and advisory
 * - outlive: files that a killed process had open stay open for outlive_ms (5000), their locks for
 *   outlive_locks_ms (0); opened by the same host after a rename they are EINVAL
 * - pending: a removed file that is open keeps its name, can no longer be opened (ENOENT) and not
 *   be replaced (EACCES)
 * - busy: a folder cannot be renamed while its host has a file in it open, nor a file be renamed
 *   over one that it has open (EACCES)
 * - strict: a folder neither while anybody else has
 * - late: the time of change follows the first write after 2 s, jumps once more at the close if
 *   there were others, and is set back a little when the host that wrote opens the file again; a
 *   flush makes it right; 100 ns count
 * - modes: chmod changes the read-only bit of a file, and nothing else
 * - replace: RENAME_NOREPLACE replaces what another host made meanwhile; RENAME_EXCHANGE is EINVAL
 * - hidden: attributes in user.DOSATTRIB of the folder ("0x22"; user.cifs.dosattrib shows them as
 *   the client does): a file whose name begins with a dot is hidden, and stays so under any name
 *   when it got that name by a rename, or was made read-only under it (as a folder does, too)
 * - shares: what a process holds by flock(2) in the folder itself cannot be opened (EBUSY, or
 *   share=ECODE), what it has locked by fcntl(2) cannot be read (EACCES)
 *
 * The server's memory is a file that is mapped. Two mounts of one folder with one server=FILE are
 * two hosts. Threads: any.
 */
#ifndef TESTS_FAULTFS_SMB_H
#define TESTS_FAULTFS_SMB_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

enum smb_switch {
    SMB_CASEFOLD = 1,
    SMB_NAMES = 2,
    SMB_PLAIN = 4,
    SMB_LOCKS = 8,
    SMB_NOBRL = 16,
    SMB_OUTLIVE = 32,
    SMB_PENDING = 64,
    SMB_BUSY = 128,
    SMB_STRICT = 256,
    SMB_LATE = 512,
    SMB_MODES = 1024,
    SMB_REPLACE = 2048,
    SMB_HIDDEN = 4096,
    SMB_SHARES = 8192,
    SMB_ALL = 16383 & ~SMB_NOBRL,
};

struct smb_options {
    unsigned switches;
    int root;         /* the folder; borrowed */
    const char *file; /* the server's memory */
    unsigned outlive_ms, outlive_locks_ms;
    int share_code; /* errno of what cannot be opened */
};

struct smb; /* opaque; defined in smb.c */

/* NULL, errno set. Lives as long as the process. */
struct smb *smb_new(const struct smb_options *o) __attribute__((nonnull));
/* Turn the switch called word on, or off with "no" before it. false: there is none. */
bool smb_switch(unsigned *switches, const char *word) __attribute__((nonnull));
bool smb_has(const struct smb *s, unsigned switches) __attribute__((nonnull));

/* All paths are those of the folder (names.h). Failures are -errno. */

/* An opened file: its number from now on. fd is borrowed. */
int smb_open(struct smb *s, const char *path, int fd) __attribute__((nonnull));
/* It was closed; by_kill: because its process was killed. May remove the file. */
void smb_close(struct smb *s, int number, bool by_kill) __attribute__((nonnull));
/* Where it is now, after renames. */
void smb_path(struct smb *s, int number, char *out, size_t room) __attribute__((nonnull));
/* flock(2). */
int smb_lock(struct smb *s, int number, int op) __attribute__((nonnull));
/* Before a read or a write: whether it may be. Of a write, the time is kept. */
int smb_before_io(struct smb *s, int number, int fd, bool write) __attribute__((nonnull));
/* The file was flushed. */
void smb_synced(struct smb *s, int number) __attribute__((nonnull));
/* Times were set. */
void smb_timed(struct smb *s, const char *path) __attribute__((nonnull));

/* Whether the file waits for its last close to be removed. */
bool smb_is_pending(struct smb *s, const char *path) __attribute__((nonnull));
/* Asked before a removal: whether the file is open, and so keeps its name until the last close. */
bool smb_keep(struct smb *s, const char *path) __attribute__((nonnull));
/* Whether a rename may be; it becomes known by smb_renamed. */
int smb_before_rename(struct smb *s, const char *from, const char *to) __attribute__((nonnull));
void smb_renamed(struct smb *s, const char *from, const char *to) __attribute__((nonnull));
/* What a look shows of a file: times and mode as the server tells them. */
void smb_show(struct smb *s, const char *path, struct stat *st) __attribute__((nonnull));

/* --- attributes (smb_attributes.c) --- */

#define SMB_READ_ONLY 0x01U
#define SMB_HIDE      0x02U
#define SMB_FOLDER    0x10U
#define SMB_ARCHIVE   0x20U

/* As stored, and as shown: a name that begins with a dot is hidden. */
unsigned smb_attributes(const struct smb *s, const char *path) __attribute__((nonnull));
unsigned smb_attributes_shown(const struct smb *s, const char *path) __attribute__((nonnull));
int smb_attributes_set(const struct smb *s, const char *path, unsigned attributes)
    __attribute__((nonnull));
/* What a rename makes of them. */
/* Linux' client makes a read-only file writable and hidden before it takes a name of it away. */
void smb_before_unlink(const struct smb *s, const char *path) __attribute__((nonnull));
void smb_attributes_renamed(const struct smb *s, const char *path) __attribute__((nonnull));
/* chmod(2). */
int smb_chmod(const struct smb *s, const char *path, mode_t mode) __attribute__((nonnull));
/* getxattr(2) and setxattr(2) of user.cifs.dosattrib and user.smb3.dosattrib. */
int smb_xattr_get(const struct smb *s, const char *path, const char *name, char *value, size_t room)
    __attribute__((nonnull(1, 2, 3)));
int smb_xattr_set(const struct smb *s, const char *path, const char *name, const char *value,
                  size_t len) __attribute__((nonnull));
/* The folder, for the other file. */
int smb_root(const struct smb *s) __attribute__((nonnull));
#endif
