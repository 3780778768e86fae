/*
 * pipe.h - one large file under way; shared by pipe.c (blocks) and chunks.c (flushing and proving).
 */
#ifndef WORKERS_COPY_PIPE_H
#define WORKERS_COPY_PIPE_H
#include "workers/copy/engine/internal.h"

enum chunk_state {
    CHUNK_OPEN,
    CHUNK_WRITTEN,
    CHUNK_SYNCING,
    CHUNK_SYNCED,
    CHUNK_PROVING,
    CHUNK_PROVEN,
    CHUNK_STATE_COUNT
};

struct chunk {
    char hash[HASH_XXH_HEX]; /* of the source's bytes */
    uint8_t state;           /* enum chunk_state */
    bool kept;               /* claimed by the journal, not written by us */
    int32_t left;            /* blocks that are not yet written and hashed */
};

struct slot {
    int64_t block;
    bool busy, read, written, hashed;
};

struct pipe {
    struct copy *copy;
    struct entry *entry;
    int source;
    struct target target;
    struct buffers *ring, *private; /* a block for each slot; one for each helper's read-back */
    struct hasher *whole, *part;
    int64_t n_blocks, n_chunks, per_chunk;
    atomic_uint next_helper;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct slot *slots; /* lock, and all that follows */
    unsigned n_slots;
    struct chunk *chunks;
    int64_t next_block, next_hash;
    int64_t open;    /* all chunks before it are PROVEN */
    int64_t touched; /* no chunk from here on has been begun */
    bool hashing, syncing;
};

struct helper { /* what proving needs of its own */
    struct pipe *pipe;
    struct hasher *hasher;
    unsigned char *buf;
};

/* pipe.c */
size_t pipe_block_len(const struct pipe *p, int64_t block);
int pipe_read_block(struct pipe *p, int64_t block, unsigned char *buf, struct err *err);
int pipe_write_block(struct pipe *p, int64_t block, unsigned char *buf, struct err *err);

/* chunks.c */
int64_t chunks_begin(const struct pipe *p, int64_t chunk); /* its first block */
int64_t chunks_end(const struct pipe *p, int64_t chunk);   /* the block after its last */
/* Flush whatever is WRITTEN: one helper at a time (p->syncing). */
int chunks_sync(struct pipe *p, struct err *err);
/* Read a chunk back (its state is PROVING); write it again when it was adopted and is wrong. */
int chunks_prove(struct helper *h, int64_t at, struct err *err);
#endif
