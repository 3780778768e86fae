/*
 * small_file.c - one small file, copied, proven and repaired by one helper (struct hand). hand_copy
 * reads the source once; it writes the part unless the journal claims that an earlier attempt did
 * and the hash agrees (then the file is "kept").
 *
 * hand_prove reads the part back. What was kept and turns out wrong is written again and flushed at
 * once; what we wrote ourselves and is wrong is an error. A repair that reads other bytes than the
 * first pass did means that the source has changed.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "workers/copy/engine/small.h"

/* Below, the page cache is the faster way in: one flush gathers many files, and no end is padded.
 * The read-back is O_DIRECT all the same. */
#define DIRECT_MIN (256 << 10)

int hand_init(struct hand *h, struct copy *c, struct err *err)
{
    *h = (struct hand){.copy = c};
    h->buf = buffers_new(1, err);
    h->hasher = hasher_new_etag(c->plan->digest, c->plan->etag_part_bytes, err);
    h->prover = hasher_new(HASH_NONE, err);
    return h->buf == NULL || h->hasher == NULL || h->prover == NULL ? -1 : 0;
}

void hand_fini(struct hand *h)
{
    buffers_free(h->buf);
    hasher_free(h->hasher);
    hasher_free(h->prover);
}

/* One block of the source: read, hashed, and written when t is not NULL. */
static int pass_block(struct hand *h, const struct entry *e, int source, struct target *t,
                      int64_t at, struct err *err)
{
    struct copy *c = h->copy;
    int64_t left = e->id.size - at;
    size_t want = left < (int64_t)COPY_BLOCK ? (size_t)left : COPY_BLOCK;
    crew_throttle(c, want);
    ssize_t n = read_full(source, h->buf->data, want, at);
    if (n < 0) {
        return source_err(c, e, "read", err);
    }
    atomic_fetch_add(&c->read, n);
    if ((size_t)n < want) {
        char shown[COPY_SHOWN_ROOM];
        return ERR(err, ERR_INVALID, ERR_CODE_SOURCE_CHANGED,
                   "source changed: %s shrank to %lld of %lld bytes", entry_shown(c, e, shown),
                   (long long)(at + n), (long long)e->id.size);
    }
    hasher_add(h->hasher, h->buf->data, want);
    if (t == NULL) {
        return 0;
    }
    if (target_write(t, h->buf->data, want, at) != 0) {
        return target_err(c, e, "write", err);
    }
    atomic_fetch_add(&c->written, (int64_t)want);
    return 0;
}

static int pass(struct hand *h, struct entry *e, int source, struct target *t, struct err *err)
{
    hasher_reset(h->hasher);
    for (int64_t at = 0; at < e->id.size; at += (int64_t)COPY_BLOCK) {
        if (atomic_load(&h->copy->stop)) {
            return ERR(err, ERR_CANCELLED, 0, "stopped");
        }
        if (pass_block(h, e, source, t, at, err) != 0) {
            return -1;
        }
    }
    hasher_hex(h->hasher, &e->hash);
    return 0;
}

/* Write the whole part, whatever it holds. */
static int write_part(struct hand *h, struct entry *e, int source, struct err *err)
{
    struct copy *c = h->copy;
    struct target t = {.fd = -1};
    bool direct = !c->plan->buffered && e->id.size >= DIRECT_MIN;
    if (target_open(&t, direct, entry_part(c, e), O_RDWR | O_CREAT | O_TRUNC) != 0) {
        return leftover_part_err(c, e, "create a part for", err);
    }
    int rc = pass(h, e, source, &t, err);
    if (rc == 0 && atomic_load(&t.direct) && ftruncate(t.fd, e->id.size) != 0) {
        rc = target_err(c, e, "cut", err);
    }
    if (rc == 0 && apply_metadata(c, t.fd, e) != 0) {
        rc = target_err(c, e, "set times of", err);
    }
    bool alone = c->flush_each || h->repairs;
    if (rc == 0 && alone && !c->plan->no_sync && fsync(t.fd) != 0) {
        rc = target_err(c, e, "flush", err);
    }
    target_close(&t);
    if (rc == 0) {
        journal_add(c->members[e->member].journal, e, 0, e->hash.xxh3);
    }
    return rc;
}

static int copy_open(struct hand *h, struct entry *e, int source, struct err *err)
{
    bool claimed = e->claims != NULL && e->claims[0][0] != '\0';
    if (source_same(h->copy, e, source, err) != 0) {
        return -1;
    }
    if (!claimed) {
        return write_part(h, e, source, err);
    }
    if (pass(h, e, source, NULL, err) != 0) { /* the hashes are needed in any case */
        return -1;
    }
    e->kept = strcmp(e->hash.xxh3, e->claims[0]) == 0;
    return e->kept ? 0 : write_part(h, e, source, err);
}

static int with_source(struct hand *h, struct entry *e,
                       int (*fn)(struct hand *, struct entry *, int, struct err *), struct err *err)
{
    struct place from = entry_source(h->copy, e);
    int source = openat(from.dir, from.name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (source < 0) {
        return source_err(h->copy, e, "open", err);
    }
    int rc = fn(h, e, source, err);
    close(source);
    return rc;
}

int hand_copy(struct hand *h, struct entry *e, struct err *err)
{
    return with_source(h, e, copy_open, err);
}

/* --- proving --- */

/* 1 when what is on the disk is what was read from the source, 0 when not, -1 on failure. */
static int equals(struct hand *h, const struct entry *e, struct target *t, struct err *err)
{
    struct copy *c = h->copy;
    struct hash_hex there;
    bool disk = c->plan->readback == COPY_READBACK_DISK || e->doubt;
    if (disk && !atomic_load(&t->direct) && e->id.size > 0 && !target_drop(t, 0, e->id.size)) {
        atomic_store(&c->from_disk, false);
    }
    struct stat st;
    if (fstat(t->fd, &st) != 0) {
        return target_err(c, e, "look at", err);
    }
    if (st.st_size != e->id.size) {
        return 0;
    }
    hasher_reset(h->prover);
    int64_t at = 0;
    for (ssize_t n = 1; n > 0 && at < e->id.size; at += n) {
        int64_t left = e->id.size - at;
        size_t want = left < (int64_t)COPY_BLOCK ? (size_t)left : COPY_BLOCK;
        n = target_read(t, h->buf->data, want, at);
        if (n < 0) {
            return target_err(c, e, "read back", err);
        }
        hasher_add(h->prover, h->buf->data, (size_t)n);
    }
    atomic_fetch_add(&c->readback, at);
    hasher_hex(h->prover, &there);
    return at == e->id.size && strcmp(there.xxh3, e->hash.xxh3) == 0 ? 1 : 0;
}

static int look_back(struct hand *h, const struct entry *e, struct err *err)
{
    struct target t = {.fd = -1};
    if (target_open(&t, !h->copy->plan->buffered, entry_part(h->copy, e), O_RDONLY) != 0) {
        return errno == ENOENT && e->kept ? 0 : leftover_part_err(h->copy, e, "open", err);
    }
    int rc = equals(h, e, &t, err);
    target_close(&t);
    return rc;
}

/* An adopted part proved wrong: write it again. */
static int repair(struct hand *h, struct entry *e, int source, struct err *err)
{
    struct copy *c = h->copy;
    char before[HASH_XXH_HEX];
    memcpy(before, e->hash.xxh3, sizeof before);
    e->kept = false;
    h->repairs = true;
    int rc = source_same(c, e, source, err) == 0 ? write_part(h, e, source, err) : -1;
    h->repairs = false;
    if (rc != 0) {
        return -1;
    }
    if (strcmp(before, e->hash.xxh3) != 0) {
        char shown[COPY_SHOWN_ROOM];
        return ERR(err, ERR_INVALID, ERR_CODE_SOURCE_CHANGED,
                   "source changed: %s has other bytes now", entry_shown(c, e, shown));
    }
    atomic_fetch_add(&c->repaired, e->id.size);
    return 0;
}

int hand_prove(struct hand *h, struct entry *e, struct err *err)
{
    struct copy *c = h->copy;
    int rc = look_back(h, e, err);
    if (rc == 0 && e->kept) {
        rc = with_source(h, e, repair, err) != 0 ? -1 : look_back(h, e, err);
    } else if (rc == 1 && e->kept) {
        atomic_fetch_add(&c->resumed, e->id.size);
    }
    if (rc == 0) {
        char shown[COPY_SHOWN_ROOM];
        return ERR(err, ERR_TRANSIENT, EIO, "read-back differs: %s is not on the disk as written",
                   entry_shown(c, e, shown));
    }
    e->proven = rc == 1;
    return rc == 1 ? 0 : -1;
}
