/*
 * internal.h - what the rooms of the engine share. Nobody outside engine/ includes it.
 *
 * A raw file has members (top-level names); a member has entries (itself, or all files and folders
 * below it). Each member is built as one part (a file or a folder) beside its final name, and has
 * one journal, which is also the lock of the process that writes the part.
 */
#ifndef WORKERS_COPY_INTERNAL_H
#define WORKERS_COPY_INTERNAL_H
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

#include "common/mount/mount_traits.h"
#include "workers/copy/engine/engine.h"

#define COPY_BLOCK       ((size_t)1 << 20) /* unit of reading and writing */
#define COPY_ALIGN       ((size_t)4096)    /* of buffers, offsets and lengths under O_DIRECT */
#define COPY_NAME_ROOM   256               /* a file name and its NUL */
#define COPY_THREADS_MAX 256

struct journal; /* journal.c */

struct identity { /* of a source file; a difference means that it is another file or was changed */
    uint64_t ino;
    int64_t size;
    struct timespec mtime, ctime, atime; /* atime is kept, not compared */
    mode_t mode;
};

struct entry {
    char *rel; /* below the member; "" for a member that is a file, and for a folder itself */
    uint32_t member;
    bool is_dir;
    bool kept;    /* at least one chunk of an earlier attempt was taken over */
    bool proven;  /* read back and equal */
    bool touched; /* its times moved before it was read: it is read twice */
    bool doubt;   /* the flush failed, perhaps for another file: it is read back in any case */
    struct identity id;
    struct hash_hex hash;         /* of the bytes read from the source */
    char (*claims)[HASH_XXH_HEX]; /* chunk hashes that the journal claims, "" = none; or NULL */
};

struct listing { /* scan.c */
    struct entry *entries;
    size_t n, room;
};

struct member {
    const struct copy_member *names;
    bool is_dir;
    bool exists;     /* the final name is taken by other content, to be renamed aside */
    bool there;      /* the final name has the same content: nothing to do */
    bool superseded; /* the final name has the content of the earlier copy, to be replaced */
    bool has_more;   /* of superseded: also files that the source has no more, so it is kept */
    bool has_part;
    bool adopted;             /* the part is that of an earlier attempt */
    int source_fd;            /* of a folder; -1 for a file */
    int part_fd;              /* of a folder's part */
    size_t first, count;      /* its entries */
    struct listing old;       /* of superseded: the files as they were when they were hashed */
    struct journal *journal;  /* NULL until the part is begun */
    char key[COPY_NAME_ROOM]; /* the name, or its hash, as part names hold it */
    char part[COPY_NAME_ROOM];
};

struct copy {
    const struct copy_plan *plan;
    int source_fd, target_root_fd, target_fd;
    char *target_path;
    struct mount_traits traits; /* of the target */
    struct member *members;
    struct listing files; /* all entries of all members, in order */
    int64_t total;        /* bytes of the source */
    int64_t started_ms;
    atomic_bool stop; /* helpers leave; set by the first failure */
    atomic_bool from_disk;
    _Atomic int64_t read, written, readback, resumed, repaired;
    _Atomic int64_t limit_next_ns; /* when the bandwidth limit lets the next byte pass */
    bool flush_each;               /* few small files: each is flushed by itself */
    bool discard;                  /* copy_free removes the parts */
    size_t mapped_names;           /* that the manifest has as the server writes them */
};

/* --- entry.c: where an entry's bytes are, and what it is called --- */
struct place { /* a folder's descriptor and a name relative to it */
    int dir;
    const char *name;
};
struct place entry_source(const struct copy *c, const struct entry *e);
struct place entry_part(const struct copy *c, const struct entry *e);
/* The entry's name for messages: "from" or "from/rel" into buf, escaped; returns buf. */
#define COPY_SHOWN_ROOM 200
char *entry_shown(const struct copy *c, const struct entry *e, char buf[static COPY_SHOWN_ROOM]);
/* Relative to target_dir; NULL and TRANSIENT when out of memory. free(). */
char *entry_target(const struct copy *c, const struct entry *e, struct err *err) OWNED;
int64_t entry_chunks(const struct copy *c, const struct entry *e);

/* --- part_names.c: the names of parts and journals --- */
void part_key(const char *name, char key[static COPY_NAME_ROOM]);
/* Ours: of this attempt's fence, in the form that the target wants. */
void part_name(const struct copy *c, const char *key, char out[static COPY_NAME_ROOM]);
void part_journal(const struct copy *c, const char *key, char out[static COPY_NAME_ROOM]);
struct part_id {
    int64_t fence;
    bool is_journal;
    bool dotted; /* may stay hidden on a share of Windows' kind */
};
/* Whether name is a part (or a journal) of key, in either form. */
bool part_parse(const char *name, const char *key, struct part_id *id);
/* Where old content waits to be removed, where it cannot be swapped with the new (supersede.c). */
void part_old(const char *key, bool dotted, char out[static COPY_NAME_ROOM]);

/* --- scan.c: what is there --- */
struct scan_root {
    int dir;
    const char *name;
    uint32_t member;
    bool at_target; /* only for messages */
};
/* Append all entries of one member, a folder before what is in it, in byte order. Symbolic links
 * and special files are INVALID. Of a source: what its share refuses at present is HOLD, a name
 * that is gone since its folder was read is "source changed: …", the member itself "source
 * vanished: …".
 */
int scan_member(const struct scan_root *root, struct listing *out, struct err *err);
void scan_fini(struct listing *l);
/* Whether the folder lists the name: one that it lists, and that is not there, is being made or
 * taken away by somebody. */
bool scan_is_listed(int dir, const char *name);
struct identity identity_of(const struct stat *st);

/* --- source.c --- */
/* scan_member of the i-th member: one that is gone while another is there is a source that changed.
 */
int source_scan(struct copy *c, size_t i, struct listing *out, struct err *err);
/* INVALID "source changed: …" (ERR_CODE_SOURCE_CHANGED) or "source vanished: …" unless the source
 * is what was listed. A file of which only the times have moved is read once more: an SMB server
 * writes them late and once more at the close, and scanners touch files. */
int source_recheck(struct copy *c, struct err *err);
/* The same for one open file that was not read yet: new times are taken for what they are, and the
 * file is read twice. */
int source_same(const struct copy *c, struct entry *e, int fd, struct err *err);
/* errno -> err for a source path: what its share refuses at present is HOLD, what is gone "source
 * changed: …", or "source vanished: …" when all of it is. */
int source_err(const struct copy *c, const struct entry *e, const char *what, struct err *err);

/* --- crew.c: helpers that run while the owner looks at the hooks --- */
struct crew_job {
    int (*run)(void *ctx,
               struct err *err); /* each thread runs it once; leaves early on copy.stop */
    void *ctx;
    unsigned threads;
};
int crew_run(struct copy *c, const struct crew_job *job, struct err *err);
/* A lock and its condition on the monotonic clock. */
void crew_lock_init(pthread_mutex_t *lock, pthread_cond_t *cond);
/* Wait for a change, at most 100 ms: copy.stop is set without the caller's lock. */
void crew_wait(pthread_cond_t *cond, pthread_mutex_t *lock);
/* A call on a name of the target has failed for code. True, a moment later, when it may be tried
 * again: somebody has the file open, and not longer than until_ms. The owner's thread only. */
#define COPY_PATIENCE_MS 10000
bool crew_again(struct copy *c, int code, int64_t until_ms);
/* Wait until the bandwidth limit lets these bytes pass. */
void crew_throttle(struct copy *c, size_t bytes);

/* --- target.c: a file at the target, without the page cache where that is possible --- */
struct target {
    int fd;
    atomic_bool direct;
};
int target_open(struct target *t, bool direct, struct place at, int flags);
void target_close(struct target *t);
/* len bytes at a multiple of COPY_ALIGN; buf is aligned and has room up to the next COPY_ALIGN,
 * which is overwritten. The file may end up longer by the padding: cut it afterwards. -1 and errno.
 */
int target_write(struct target *t, unsigned char *buf, size_t len, int64_t at);
/* Read up to len bytes; returns how many there were, or -1 and errno. */
ssize_t target_read(struct target *t, unsigned char *buf, size_t len, int64_t at);
/* How much to ask for where so much should be left: whole blocks, and a little more than the rest,
 * which shows the end. O_DIRECT clears all that is asked for and not there: of a small file in a
 * large buffer that takes longer than its bytes. */
size_t target_want(int64_t left);
/* Forget what the page cache holds of a file that has been flushed; true when nothing is left. */
bool target_drop(struct target *t, int64_t at, int64_t len);
/* Buffers in huge pages where there are any: O_DIRECT is three times as fast into them. */
struct buffers {
    unsigned char *data; /* aligned to COPY_ALIGN and more */
    size_t size;
};
struct buffers *buffers_new(size_t n_blocks, struct err *err) OWNED;
void buffers_free(struct buffers *b);
AUTO_DEFINE(struct buffers, buffers_free);
/* Read exactly len bytes unless the file ends before; -1 and errno. */
ssize_t read_full(int fd, unsigned char *buf, size_t len, int64_t at);
/* Modes and times. A file that is read-only at the source gets that mark with its final name where
 * a share would hide it else (fs_rename.c). */
int apply_metadata(const struct copy *c, int fd, const struct entry *e);
bool is_marked_last(const struct copy *c, const struct entry *e);
/* A rename within the target's folder that fails with EEXIST or ENOTEMPTY when the name is taken,
 * and waits for a while when somebody has the file open. */
int target_rename_new(struct copy *c, const char *from, const char *to);
/* errno -> err for the target: says what it means to the operator. */
int target_err(const struct copy *c, const struct entry *e, const char *what, struct err *err);

/* --- journal.c: which chunks an interrupted attempt had written --- */
/* Owns adopted_fd, which is locked; -1: none is taken over. */
struct journal *journal_open(struct copy *c, const struct member *m, int adopted_fd,
                             struct err *err);
/* Whether a lock on this journal that we got means that nobody writes the part. */
bool journal_lock_is_proof(const struct copy *c, int fd);
/* Take our journal away: no attempt takes the part over any more. */
void journal_give_up(struct copy *c, const struct member *m);
void journal_free(struct journal *j);
int journal_load(struct copy *c, struct member *m, struct err *err);
/* Note that a chunk is written. A journal that cannot be written costs resumption, nothing else. */
void journal_add(struct journal *j, const struct entry *e, int64_t chunk, const char *hash);
void journal_flush(struct journal *j, bool sync);

/* --- leftover.c --- */
int leftover_adopt(struct copy *c, struct member *m, struct err *err);
/* Remove what attempts have left up to this one's fence (of_older: before it), but m's own part. 1
 * when something stays that somebody has open; -1 and *err on other failures. */
int leftover_clear(struct copy *c, const char *key, struct err *err);
int leftover_clear_older(struct copy *c, const struct member *m, struct err *err);
/* errno -> err for the part of an entry. One that was taken over and cannot be opened (the server
 * still holds it for its dead writer) is given up: the next attempt begins a fresh one. */
int leftover_part_err(struct copy *c, const struct entry *e, const char *what, struct err *err);
int remove_tree(int dir, const char *name);

/* --- the passes --- */
int existing_check(struct copy *c, struct err *err); /* existing.c */
int existing_equal(struct copy *c, struct member *m, struct err *err);
int reserve_room(struct copy *c, struct err *err); /* reserve.c */
int folders_make(struct copy *c, struct err *err); /* folders.c */
int folders_finish(struct copy *c, struct err *err);
int small_transfer(struct copy *c, struct err *err); /* small.c */
bool small_is(const struct copy *c, const struct entry *e);
int pipe_transfer(struct copy *c, struct entry *e, struct err *err); /* pipe.c */
int manifest_write(struct copy *c, struct err *err);                 /* manifests.c */
int publish_all(struct copy *c, struct err *err);                    /* publish.c */

/* --- flush.c --- */
/* All that was written to the target is on its disk. Where that cannot be said of the file system
 * as a whole (another file's lost write is reported to the next call), each of these is flushed
 * alone, and then read back in any case. */
int flush_files(struct copy *c, struct entry **files, size_t n, struct err *err);
int flush_all(struct copy *c, struct err *err);

/* --- spelling.c: names that the target takes for one, or writes otherwise --- */
/* Before the first byte: INVALID, naming both, when two of the raw file's names are one there. */
int spelling_check(struct copy *c, struct err *err);
/* How the file with a member's final name is really called: "" when exactly so. */
int spelling_of_existing(struct copy *c, const struct member *m, char other[static COPY_NAME_ROOM],
                         struct err *err);
/* After the last write: the parts have the source's names, kinds and sizes, none else. */
int spelling_of_parts(struct copy *c, struct err *err);
/* A path below target_dir as the server writes it, where final names are given. free(); NULL and
 * *err when memory is short. */
char *spelling_at_server(struct copy *c, const char *path, struct err *err) OWNED;

/* --- supersede.c: content of an earlier copy of this raw file makes way for the new --- */
/* 1 when exactly that has the final name, 0 when not, -1 on failure. *alike = whether by names and
 * sizes it could be the source's content as well. */
int superseded_is(struct copy *c, struct member *m, bool *alike, struct err *err);
/* Whether the earlier copy has a file that the source has no more. */
bool superseded_has_more(const struct copy *c, const struct member *m);
/* Give the final name to the part, which is proven; there is a whole copy at every moment. */
int superseded_replace(struct copy *c, struct member *m, struct err *err);
/* An attempt that died in between may have left the old content beside its name: 1 when it has its
 * name again, 0 when there was nothing to do. */
int superseded_restore(struct copy *c, struct member *m, struct err *err);
/* The new content has the name: what is left of the old goes. */
int superseded_clear(struct copy *c, const struct member *m, struct err *err);
#endif
