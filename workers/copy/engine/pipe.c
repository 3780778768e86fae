/*
 * pipe.c - one large file, several streams. The file is cut into blocks (1 MiB); each helper takes
 * the next block, reads it into a slot of a ring, writes it to the part, and then feeds whatever
 * blocks have come in to the hashers, strictly in order, so that the whole file's XXH3-128 (and MD5
 * or SHA-256) is the plain one although the reads overtake each other. A slot is free again when
 * its block is both written and hashed: memory is bounded by the ring, whatever the file's size.
 *
 * Blocks make chunks, the unit of resumption: OPEN -> WRITTEN (all written and hashed, noted in the
 * journal) -> SYNCED (flushed) -> PROVEN (read back from the disk, equal). Chunks are flushed and
 * read back while later ones are still being copied. A chunk that the journal of an earlier attempt
 * claims is not written, only proven; if it proves wrong, it is written again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "workers/copy/engine/pipe.h"

enum work { WORK_BLOCK, WORK_SYNC, WORK_PROVE, WORK_WAIT, WORK_END };

/* --- what to do next (under the lock) --- */

static int64_t find_chunk(const struct pipe *p, enum chunk_state state)
{
    for (int64_t i = p->open; i < p->touched; i++) {
        if (p->chunks[i].state == state) {
            return i;
        }
    }
    return -1;
}

static struct slot *slot_of(struct pipe *p, int64_t block)
{
    return &p->slots[block % p->n_slots];
}

/* Proving first: it keeps what is read back close behind what is written. */
static enum work choose(struct pipe *p, int64_t *at)
{
    if (atomic_load(&p->copy->stop) || p->open == p->n_chunks) {
        return WORK_END;
    }
    if ((*at = find_chunk(p, CHUNK_SYNCED)) >= 0) {
        p->chunks[*at].state = CHUNK_PROVING;
        return WORK_PROVE;
    }
    if (!p->syncing && find_chunk(p, CHUNK_WRITTEN) >= 0) {
        p->syncing = true;
        return WORK_SYNC;
    }
    if (p->next_block < p->n_blocks && !slot_of(p, p->next_block)->busy) {
        *at = p->next_block++;
        *slot_of(p, *at) = (struct slot){.block = *at, .busy = true};
        p->touched = *at / p->per_chunk + 1;
        return WORK_BLOCK;
    }
    return WORK_WAIT;
}

static enum work take_work(struct pipe *p, int64_t *at)
{
    pthread_mutex_lock(&p->lock);
    enum work w;
    while ((w = choose(p, at)) == WORK_WAIT) {
        crew_wait(&p->changed, &p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return w;
}

/* --- copying a block --- */

size_t pipe_block_len(const struct pipe *p, int64_t block)
{
    int64_t left = p->entry->id.size - block * (int64_t)COPY_BLOCK;
    return left < (int64_t)COPY_BLOCK ? (size_t)left : COPY_BLOCK;
}

static unsigned char *slot_data(const struct pipe *p, int64_t block)
{
    return p->ring->data + (size_t)(block % p->n_slots) * COPY_BLOCK;
}

int pipe_read_block(struct pipe *p, int64_t block, unsigned char *buf, struct err *err)
{
    size_t len = pipe_block_len(p, block);
    int64_t at = block * (int64_t)COPY_BLOCK;
    crew_throttle(p->copy, len);
    ssize_t n = read_full(p->source, buf, len, at);
    if (n < 0) {
        return source_err(p->copy, p->entry, "read", err);
    }
    atomic_fetch_add(&p->copy->read, n);
    if ((size_t)n < len) {
        char shown[COPY_SHOWN_ROOM];
        return ERR(err, ERR_INVALID, ERR_CODE_SOURCE_CHANGED,
                   "source changed: %s shrank to %lld of %lld bytes",
                   entry_shown(p->copy, p->entry, shown), (long long)(at + n),
                   (long long)p->entry->id.size);
    }
    return 0;
}

int pipe_write_block(struct pipe *p, int64_t block, unsigned char *buf, struct err *err)
{
    size_t len = pipe_block_len(p, block);
    if (target_write(&p->target, buf, len, block * (int64_t)COPY_BLOCK) != 0) {
        return target_err(p->copy, p->entry, "write", err);
    }
    atomic_fetch_add(&p->copy->written, (int64_t)len);
    return 0;
}

/* Under the lock: the slot is free, and its chunk one block further, once both have happened. */
static void release(struct pipe *p, struct slot *s)
{
    if (!s->written || !s->hashed) {
        return;
    }
    struct chunk *chunk = &p->chunks[s->block / p->per_chunk];
    s->busy = false;
    if (--chunk->left == 0) {
        chunk->state = CHUNK_WRITTEN;
    }
    pthread_cond_broadcast(&p->changed);
}

static void hash_block(struct pipe *p, int64_t block)
{
    struct hash_hex hex;
    size_t len = pipe_block_len(p, block);
    hasher_add(p->whole, slot_data(p, block), len);
    hasher_add(p->part, slot_data(p, block), len);
    if ((block + 1) % p->per_chunk == 0 || block + 1 == p->n_blocks) {
        hasher_hex(p->part, &hex);
        hasher_reset(p->part);
        memcpy(p->chunks[block / p->per_chunk].hash, hex.xxh3, sizeof hex.xxh3);
    }
}

/* Under the lock, which is given up while hashing: one helper hashes, the others go on. */
static void hash_what_came(struct pipe *p)
{
    if (p->hashing) {
        return;
    }
    p->hashing = true;
    while (p->next_hash < p->n_blocks) {
        struct slot *s = slot_of(p, p->next_hash);
        if (!s->busy || s->block != p->next_hash || !s->read) {
            break;
        }
        pthread_mutex_unlock(&p->lock);
        hash_block(p, s->block);
        pthread_mutex_lock(&p->lock);
        p->next_hash++;
        s->hashed = true;
        release(p, s);
    }
    p->hashing = false;
}

static int copy_block(struct pipe *p, int64_t block, struct err *err)
{
    struct slot *s = slot_of(p, block);
    unsigned char *buf = slot_data(p, block);
    if (pipe_read_block(p, block, buf, err) != 0) {
        return -1;
    }
    pthread_mutex_lock(&p->lock);
    s->read = true; /* the helper that hashes may take it while it is being written */
    pthread_mutex_unlock(&p->lock);
    if (!p->chunks[block / p->per_chunk].kept && pipe_write_block(p, block, buf, err) != 0) {
        return -1;
    }
    pthread_mutex_lock(&p->lock);
    s->written = true;
    release(p, s);
    hash_what_came(p);
    pthread_mutex_unlock(&p->lock);
    return 0;
}

/* --- the whole --- */

static int help(struct helper *h, struct err *err)
{
    struct pipe *p = h->pipe;
    for (;;) {
        int64_t at = 0;
        int rc = 0;
        switch (take_work(p, &at)) {
        case WORK_BLOCK:
            rc = copy_block(p, at, err);
            break;
        case WORK_SYNC:
            rc = chunks_sync(p, err);
            break;
        case WORK_PROVE:
            rc = chunks_prove(h, at, err);
            break;
        case WORK_WAIT:
        case WORK_END:
            return 0;
        }
        if (rc != 0) {
            return -1;
        }
    }
}

static int pipe_helper(void *ctx, struct err *err)
{
    struct pipe *p = ctx;
    AUTO(hasher_free) struct hasher *hasher = hasher_new(HASH_NONE, err);
    if (hasher == NULL) {
        return -1;
    }
    unsigned me = atomic_fetch_add(&p->next_helper, 1);
    struct helper h = {.pipe = p, .hasher = hasher, .buf = p->private->data + me * COPY_BLOCK};
    return help(&h, err);
}

static int pipe_init(struct pipe *p, struct copy *c, struct entry *e, struct err *err)
{
    unsigned streams = c->plan->streams;
    *p = (struct pipe){.copy = c, .entry = e, .source = -1, .target = {.fd = -1}};
    p->n_blocks = (e->id.size + (int64_t)COPY_BLOCK - 1) / (int64_t)COPY_BLOCK;
    p->per_chunk = c->plan->chunk_bytes / (int64_t)COPY_BLOCK;
    p->n_chunks = entry_chunks(c, e);
    p->n_slots = 2 * streams;
    p->ring = buffers_new(p->n_slots, err);
    p->private = buffers_new(streams, err);
    p->whole = hasher_new_etag(c->plan->digest, c->plan->etag_part_bytes, err);
    p->part = hasher_new(HASH_NONE, err);
    p->slots = calloc(p->n_slots, sizeof *p->slots);
    p->chunks = calloc((size_t)p->n_chunks, sizeof *p->chunks);
    crew_lock_init(&p->lock, &p->changed);
    if (p->ring == NULL || p->private == NULL || p->whole == NULL || p->part == NULL) {
        return -1;
    }
    if (p->slots == NULL || p->chunks == NULL) {
        return err_no_memory(err);
    }
    for (int64_t i = 0; i < p->n_chunks; i++) {
        p->chunks[i].left = (int32_t)(chunks_end(p, i) - chunks_begin(p, i));
        p->chunks[i].kept = e->claims != NULL && e->claims[i][0] != '\0';
    }
    return 0;
}

static void pipe_fini(struct pipe *p)
{
    if (p->source >= 0) {
        close(p->source);
    }
    target_close(&p->target);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
    free(p->slots);
    free(p->chunks);
    hasher_free(p->whole);
    hasher_free(p->part);
    buffers_free(p->ring);
    buffers_free(p->private);
}

static int pipe_open(struct pipe *p, struct err *err)
{
    struct place from = entry_source(p->copy, p->entry);
    p->source = openat(from.dir, from.name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (p->source < 0) {
        return source_err(p->copy, p->entry, "open", err);
    }
    if (source_same(p->copy, p->entry, p->source, err) != 0) {
        return -1;
    }
    (void)posix_fadvise(p->source, 0, 0, POSIX_FADV_SEQUENTIAL);
    if (target_open(&p->target, !p->copy->plan->buffered, entry_part(p->copy, p->entry),
                    O_RDWR | O_CREAT) != 0) {
        return leftover_part_err(p->copy, p->entry, "open the part of", err);
    }
    return 0;
}

/* All chunks are proven: the length (O_DIRECT pads the end), the times, the last flush. */
static int pipe_finish(struct pipe *p, struct err *err)
{
    struct hash_hex hex;
    hasher_hex(p->whole, &hex);
    p->entry->hash = hex;
    p->entry->proven = p->copy->plan->readback != COPY_READBACK_NONE;
    if (ftruncate(p->target.fd, p->entry->id.size) != 0 ||
        apply_metadata(p->copy, p->target.fd, p->entry) != 0 ||
        (!p->copy->plan->no_sync && fsync(p->target.fd) != 0)) {
        return target_err(p->copy, p->entry, "finish", err);
    }
    return 0;
}

int pipe_transfer(struct copy *c, struct entry *e, struct err *err)
{
    struct pipe p;
    struct crew_job job = {.run = pipe_helper, .ctx = &p, .threads = c->plan->streams};
    int rc = pipe_init(&p, c, e, err);
    if (rc == 0) {
        rc = pipe_open(&p, err);
    }
    if (rc == 0) {
        rc = crew_run(c, &job, err);
    }
    if (rc == 0) {
        rc = pipe_finish(&p, err);
    }
    pipe_fini(&p);
    return rc;
}
