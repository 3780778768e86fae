/*
 * engine.h - copying one raw file (a file, a folder or a set) with proof that the copy is right.
 *
 * It knows nothing of Kafka, MongoDB or tasks: the copy worker, the bench and the tests call it
 * alike. Order of calls: copy_new, copy_reserve, copy_transfer, copy_verify, copy_publish,
 * copy_free; or copy_run for all of them. Every phase may be run again by a later attempt, which
 * finds what is done: parts of an older fence are adopted, published members are recognised by
 * their content.
 *
 * Threads: one engine belongs to one thread; it starts its own helpers inside a phase and has
 * joined them when the phase returns. The hooks are called by the owner's thread only.
 */
#ifndef WORKERS_COPY_ENGINE_H
#define WORKERS_COPY_ENGINE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/bandwidth.h"
#include "common/base/err.h"
#include "common/base/hash.h"
#include "common/base/own.h"

/* A top-level name of the raw file at the source, and its name at the target. */
struct copy_member {
    char *from, *to;
};

/* Called a few times a second while a phase runs; check returns -1 with *err set to stop it. */
struct copy_hooks {
    int (*check)(void *ctx, struct err *err);
    void (*progress)(void *ctx, int64_t done_bytes, int64_t total_bytes);
    void *ctx;
};

enum copy_readback {
    COPY_READBACK_DISK,  /* read the target again from the disk, not from the page cache */
    COPY_READBACK_CACHE, /* read it again, wherever the bytes come from */
    COPY_READBACK_NONE,
    COPY_READBACK_COUNT
};

/* A file of an earlier copy of this raw file, as that copy recorded it. */
struct copy_superseded {
    unsigned copy; /* which: a file or folder that is there is replaced only as one copy's whole */
    char *path;    /* relative to target_dir */
    int64_t size;
    char xxh3[HASH_XXH_HEX];
};

struct copy_plan {
    const char *source_root; /* an existing folder: the instrument's */
    const char *target_root; /* an existing folder: the location; never made here */
    const char *target_dir;  /* below target_root; made when missing; "" for the root itself */
    const char *name;        /* the raw file's id: names its MANIFEST */
    const char *main;        /* the member (its name at the target) to publish last; may be NULL */
    const struct copy_member *members;
    size_t n_members;
    int64_t fence;
    enum hash_digest digest;
    int64_t etag_part_bytes; /* of the upload whose ETag is worked out, too; 0: none */
    /* What may be replaced, by copy, then by path in byte order: nothing else that has a final
     * name. */
    const struct copy_superseded *supersedes;
    size_t n_supersedes;
    unsigned streams, file_threads;
    int64_t chunk_bytes; /* unit of resumption; a multiple of 1 MiB */
    enum copy_readback readback;
    bool no_sync;              /* leave flushing to the kernel: for scratch copies and benches */
    bool buffered;             /* never O_DIRECT */
    bool rename_aside;         /* an operator allowed to move other content out of the way */
    bool no_exchange;          /* as where two names cannot be swapped in one call (NFS, CIFS) */
    int64_t limit_bytes_per_s; /* of the source's bytes; 0 = none */
    struct bandwidth_share *limit; /* beside it, shared with other copies; NULL: none */
    struct copy_hooks hooks;       /* each may be NULL */
};

struct copy_file {
    char *path; /* relative to target_dir */
    int64_t size;
    struct hash_hex hash;
};

struct copy_report {
    struct copy_file *files;
    size_t n_files;
    int64_t size;           /* of all files */
    int64_t bytes_read;     /* from the source */
    int64_t bytes_written;  /* to the target */
    int64_t bytes_readback; /* from the target, to prove it */
    int64_t resumed_bytes;  /* found from an earlier attempt, proven and not written again */
    int64_t repaired_bytes; /* found from an earlier attempt, wrong, and written again */
    int64_t ms;
    bool already_there;  /* nothing was copied: the same content had been published before */
    bool replaced;       /* superseded content has made way for this */
    size_t mapped_names; /* files that the target's server has under another form of their name */
    bool from_disk;      /* the read-back came from the disk (false on file systems of memory) */
    char *manifest;      /* name of the XXH3 manifest in target_dir; NULL when there are no files */
};
void copy_report_fini(struct copy_report *r) __attribute__((nonnull));

struct copy;
/* Borrows the plan for its own life. INVALID for a plan that cannot be. Freed with copy_free. */
struct copy *copy_new(const struct copy_plan *plan, struct err *err) OWNED __attribute__((nonnull));
/* After a failure that no retry can mend (INVALID, CANCELLED) the parts are discarded; after others
 * they stay for the next attempt to resume. */
void copy_free(struct copy *c);
AUTO_DEFINE(struct copy, copy_free);

/* Look at the source, at what is published or left over already, and reserve room: HOLD, and no
 * byte written, when there is not enough. */
int copy_reserve(struct copy *c, struct err *err) __attribute__((nonnull, warn_unused_result));
/* Read once, hash, write to the parts; large files are proven while they are written. */
int copy_transfer(struct copy *c, struct err *err) __attribute__((nonnull, warn_unused_result));
/* Flush, prove what is not proven yet, and check that the source is still what was copied: INVALID
 * "source changed: …" or "source vanished: …" when it is not. */
int copy_verify(struct copy *c, struct err *err) __attribute__((nonnull, warn_unused_result));
/* Give the final names, write the manifests, clear leftovers away. */
int copy_publish(struct copy *c, struct err *err) __attribute__((nonnull, warn_unused_result));
/* Fill the report from what is known so far; call after copy_publish. copy_report_fini frees. */
int copy_report(const struct copy *c, struct copy_report *out, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* All of it. *out is only filled on success. */
int copy_run(const struct copy_plan *plan, struct copy_report *out, struct err *err)
    __attribute__((nonnull, warn_unused_result));
#endif
