/* chunks.c - flushing and proving the chunks of a large file; see pipe.c for their states. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "workers/copy/engine/pipe.h"

int chunks_sync(struct pipe *p, struct err *err)
{
    struct journal *journal = p->copy->members[p->entry->member].journal;
    bool fresh = false;
    pthread_mutex_lock(&p->lock);
    for (int64_t i = p->open; i < p->touched; i++) {
        struct chunk *chunk = &p->chunks[i];
        if (chunk->state == CHUNK_WRITTEN) {
            chunk->state = CHUNK_SYNCING;
            if (!chunk->kept) {
                journal_add(journal, p->entry, i, chunk->hash);
                fresh = true;
            }
        }
    }
    pthread_mutex_unlock(&p->lock);
    if (fresh && !p->copy->plan->no_sync) {
        if (fdatasync(p->target.fd) != 0) {
            return target_err(p->copy, p->entry, "flush", err);
        }
        journal_flush(journal, true);
    }
    pthread_mutex_lock(&p->lock);
    for (int64_t i = p->open; i < p->touched; i++) {
        if (p->chunks[i].state == CHUNK_SYNCING) {
            p->chunks[i].state = CHUNK_SYNCED;
        }
    }
    p->syncing = false;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    return 0;
}

int64_t chunks_begin(const struct pipe *p, int64_t chunk)
{
    return chunk * p->per_chunk;
}

int64_t chunks_end(const struct pipe *p, int64_t chunk)
{
    int64_t end = (chunk + 1) * p->per_chunk;
    return end < p->n_blocks ? end : p->n_blocks;
}

static int64_t chunk_bytes(const struct pipe *p, int64_t chunk)
{
    int64_t from = chunks_begin(p, chunk), last = chunks_end(p, chunk) - 1;
    return (last - from) * (int64_t)COPY_BLOCK + (int64_t)pipe_block_len(p, last);
}

/* 1 when the chunk on the disk is what was read from the source, 0 when not, -1 on failure. */
static int chunk_equals(struct helper *h, int64_t at, struct err *err)
{
    struct pipe *p = h->pipe;
    struct hash_hex hex;
    if (p->copy->plan->readback == COPY_READBACK_DISK && !atomic_load(&p->target.direct) &&
        !target_drop(&p->target, at * p->copy->plan->chunk_bytes, chunk_bytes(p, at))) {
        atomic_store(&p->copy->from_disk, false);
    }
    hasher_reset(h->hasher);
    for (int64_t b = chunks_begin(p, at); b < chunks_end(p, at); b++) {
        if (atomic_load(&p->copy->stop)) {
            return ERR(err, ERR_CANCELLED, 0, "stopped");
        }
        ssize_t n = target_read(&p->target, h->buf, pipe_block_len(p, b), b * (int64_t)COPY_BLOCK);
        if (n < 0) {
            return target_err(p->copy, p->entry, "read back", err);
        }
        hasher_add(h->hasher, h->buf, (size_t)n);
        atomic_fetch_add(&p->copy->readback, n);
    }
    hasher_hex(h->hasher, &hex);
    return strcmp(hex.xxh3, p->chunks[at].hash) == 0 ? 1 : 0;
}

/* An adopted chunk proved wrong: read its source again and write it. */
static int repair_chunk(struct helper *h, int64_t at, struct err *err)
{
    struct pipe *p = h->pipe;
    struct hash_hex hex;
    hasher_reset(h->hasher);
    for (int64_t b = chunks_begin(p, at); b < chunks_end(p, at); b++) {
        if (pipe_read_block(p, b, h->buf, err) != 0 || pipe_write_block(p, b, h->buf, err) != 0) {
            return -1;
        }
        hasher_add(h->hasher, h->buf, pipe_block_len(p, b));
    }
    hasher_hex(h->hasher, &hex);
    if (strcmp(hex.xxh3, p->chunks[at].hash) != 0) {
        char shown[COPY_SHOWN_ROOM];
        return ERR(err, ERR_INVALID, ERR_CODE_SOURCE_CHANGED,
                   "source changed: %s has other bytes now", entry_shown(p->copy, p->entry, shown));
    }
    atomic_fetch_add(&p->copy->repaired, chunk_bytes(p, at));
    journal_add(p->copy->members[p->entry->member].journal, p->entry, at, hex.xxh3);
    if (!p->copy->plan->no_sync && fdatasync(p->target.fd) != 0) {
        return target_err(p->copy, p->entry, "flush", err);
    }
    return 0;
}

int chunks_prove(struct helper *h, int64_t at, struct err *err)
{
    struct pipe *p = h->pipe;
    struct chunk *chunk = &p->chunks[at];
    bool look = chunk->kept || p->copy->plan->readback != COPY_READBACK_NONE;
    bool stale = chunk->kept && strcmp(chunk->hash, p->entry->claims[at]) != 0;
    int rc = stale ? 0 : look ? chunk_equals(h, at, err) : 1;
    if (rc == 0 && chunk->kept) {
        rc = repair_chunk(h, at, err) != 0 ? -1 : chunk_equals(h, at, err);
    } else if (rc == 1 && chunk->kept) {
        atomic_fetch_add(&p->copy->resumed, chunk_bytes(p, at));
    }
    if (rc == 0) {
        char shown[COPY_SHOWN_ROOM];
        return ERR(err, ERR_TRANSIENT, EIO,
                   "read-back differs: %s is not on the disk as written, chunk at byte %lld",
                   entry_shown(p->copy, p->entry, shown),
                   (long long)(at * p->copy->plan->chunk_bytes));
    }
    pthread_mutex_lock(&p->lock);
    chunk->state = CHUNK_PROVEN;
    while (p->open < p->touched && p->chunks[p->open].state == CHUNK_PROVEN) {
        p->open++;
    }
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    return rc == 1 ? 0 : -1;
}
