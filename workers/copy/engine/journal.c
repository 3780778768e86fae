/*
 * journal.c - which chunks of a part an interrupted attempt had written, and with which hashes.
 *
 * A text file beside the part, one line a chunk, appended as chunks are written:
 *     trawl-chunks 1 <chunk bytes>
 *     by <boot id of the writer's host> <device number of the target there>
 *     <chunk> <XXH3-128 of the chunk> <size of the file> <its path below the member, escaped>
 * It is a hint, never proof: the next attempt skips writing what is claimed here, but publishes
 * only after the bytes were read back and equal the hash of the source's bytes. So a torn, stale or
 * lying journal costs time, not truth, and lines need no ordering against the data.
 *
 * The journal is also the lock: the process that writes the part holds flock(2) on it as long as it
 * lives. A part is adopted only when nobody holds its journal any more; a live writer of an older
 * fence could otherwise change bytes that have been proven. Where locks do not leave the host or
 * the mount, only the last "by" shows whether the lock means anything.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/fs.h"
#include "common/base/path.h"
#include "workers/copy/engine/internal.h"

#define JOURNAL_MAX   ((size_t)512 << 20)
#define JOURNAL_ROOM  ((size_t)16 << 10)
#define FLUSH_LAG_MS  500
#define SYNC_EVERY_MS 5000

struct journal {
    int fd;
    pthread_mutex_t lock;
    char buf[JOURNAL_ROOM]; /* lock, and what follows */
    size_t used;
    int64_t flushed_ms, synced_ms;
};

/* Who writes here, as a line of the journal. */
static void by_line(const struct copy *c, char out[static 128])
{
    char boot[64] = "?";
    struct stat st = {0};
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, boot, sizeof boot - 1);
    if (fd >= 0) {
        close(fd);
    }
    boot[n > 0 ? strcspn(boot, "\n") : 1] = '\0';
    (void)fstat(c->target_fd, &st);
    snprintf(out, 128, "by %s %llx\n", boot, (unsigned long long)st.st_dev);
}

static char *read_all(int fd)
{
    off_t size = lseek(fd, 0, SEEK_END);
    if (size < 0 || (size_t)size > JOURNAL_MAX) {
        return NULL;
    }
    char *text = malloc((size_t)size + 1);
    ssize_t n = text == NULL ? -1 : read_full(fd, (unsigned char *)text, (size_t)size, 0);
    if (n < 0) {
        free(text);
        return NULL;
    }
    text[n] = '\0';
    return text;
}

bool journal_lock_is_proof(const struct copy *c, int fd)
{
    char ours[128];
    if (!c->traits.local_locks) {
        return true;
    }
    AUTO(free) char *text = read_all(fd);
    const char *last = NULL;
    for (const char *at = text; at != NULL && (at = strstr(at, "\nby ")) != NULL;) {
        last = ++at;
    }
    by_line(c, ours);
    return last != NULL && strncmp(last, ours, strlen(ours)) == 0;
}

/* CIFS says EACCES for a lock that another host has, and EINVAL or EIO for one that was lost with
 * the connection. A file system without locks is used without. */
static int lock(const struct copy *c, int fd, struct err *err)
{
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        struct stat st;
        bool fresh = fstat(fd, &st) == 0 && st.st_size == 0;
        return fresh || journal_lock_is_proof(c, fd)
                   ? 0
                   : ERR(err, ERR_HOLD, EBUSY,
                         "another host may be writing this copy under the same fence");
    }
    if (errno == EWOULDBLOCK || fs_is_held(errno)) {
        return ERR(err, ERR_HOLD, errno, "another process writes this copy under the same fence");
    }
    if (errno == EOPNOTSUPP || errno == ENOSYS || errno == ENOLCK || errno == ENOTTY) {
        return 0;
    }
    return ERR(err, ERR_HOLD, errno, "target %s: lock the journal: %m", c->target_path);
}

struct journal *journal_open(struct copy *c, const struct member *m, int adopted_fd,
                             struct err *err)
{
    char name[COPY_NAME_ROOM];
    part_journal(c, m->key, name);
    struct journal *j = calloc(1, sizeof *j);
    if (j == NULL) {
        err_no_memory(err);
        return NULL;
    }
    pthread_mutex_init(&j->lock, NULL);
    j->fd = adopted_fd;
    if (adopted_fd < 0) {
        j->fd = openat(c->target_fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    }
    if (j->fd < 0) {
        target_err(c, NULL, "create a journal", err);
    } else if (adopted_fd >= 0 || lock(c, j->fd, err) == 0) {
        return j;
    }
    journal_free(j);
    return NULL;
}

void journal_give_up(struct copy *c, const struct member *m)
{
    char name[COPY_NAME_ROOM];
    part_journal(c, m->key, name);
    (void)unlinkat(c->target_fd, name, 0); /* then the part, too, stays open */
}

void journal_free(struct journal *j)
{
    if (j == NULL) {
        return;
    }
    journal_flush(j, false);
    if (j->fd >= 0) {
        close(j->fd);
    }
    pthread_mutex_destroy(&j->lock);
    free(j);
}

/* Under the lock. What cannot be written is dropped: a hint is lost, no byte. */
static void flush_locked(struct journal *j, bool sync)
{
    struct err ignored = {0};
    int64_t now = mono_ms();
    if (j->fd >= 0 && j->used > 0 && fs_write_all(j->fd, j->buf, j->used, &ignored) != 0) {
        ignored = (struct err){0};
    }
    j->used = 0;
    j->flushed_ms = now;
    if (sync && now - j->synced_ms >= SYNC_EVERY_MS) {
        j->synced_ms = fdatasync(j->fd) == 0 ? mono_ms() : now;
    }
}

void journal_flush(struct journal *j, bool sync)
{
    pthread_mutex_lock(&j->lock);
    flush_locked(j, sync);
    pthread_mutex_unlock(&j->lock);
}

void journal_add(struct journal *j, const struct entry *e, int64_t chunk, const char *hash)
{
    AUTO(free) char *rel = path_escape(e->rel);
    if (rel == NULL) {
        return;
    }
    pthread_mutex_lock(&j->lock);
    if (strlen(rel) + 100 > JOURNAL_ROOM - j->used) {
        flush_locked(j, false);
    }
    if (strlen(rel) + 100 <= JOURNAL_ROOM) {
        j->used +=
            (size_t)snprintf(j->buf + j->used, JOURNAL_ROOM - j->used,
                             "%" PRId64 " %s %" PRId64 " %s\n", chunk, hash, e->id.size, rel);
    }
    if (mono_ms() - j->flushed_ms >= FLUSH_LAG_MS || e->id.size > (int64_t)COPY_BLOCK) {
        flush_locked(j, false);
    }
    pthread_mutex_unlock(&j->lock);
}

/* --- loading --- */

struct claims {
    const struct copy *copy;
    struct entry **files; /* of the member, by rel */
    size_t n;
};

static int by_rel(const void *a, const void *b)
{
    return strcmp((*(struct entry *const *)a)->rel, (*(struct entry *const *)b)->rel);
}

static bool is_hash(const char *text)
{
    return strspn(text, "0123456789abcdef") == HASH_XXH_HEX - 1;
}

/* One line without its end. What does not fit is left out. */
static int take_line(const struct claims *claims, const char *line, struct err *err)
{
    int64_t chunk, size;
    char hash[HASH_XXH_HEX];
    int at = 0;
    if (sscanf(line, "%" SCNd64 " %32s %" SCNd64 " %n", &chunk, hash, &size, &at) != 3 || at == 0 ||
        !is_hash(hash)) {
        return 0;
    }
    AUTO(free) char *rel = path_unescape(line + at);
    if (rel == NULL) {
        return err_no_memory(err);
    }
    struct entry wanted = {.rel = rel};
    const struct entry *key = &wanted;
    struct entry **found = bsearch(&key, claims->files, claims->n, sizeof *claims->files, by_rel);
    int64_t n = found == NULL ? 0 : entry_chunks(claims->copy, *found);
    if (chunk < 0 || chunk >= n || (*found)->id.size != size) {
        return 0;
    }
    struct entry *e = *found;
    if (e->claims == NULL && (e->claims = calloc((size_t)n, sizeof *e->claims)) == NULL) {
        return err_no_memory(err);
    }
    memcpy(e->claims[chunk], hash, sizeof hash);
    return 0;
}

static int take_lines(const struct claims *claims, char *text, struct err *err)
{
    for (char *end; (end = strchr(text, '\n')) != NULL; text = end + 1) {
        *end = '\0';
        if (take_line(claims, text, err) != 0) {
            return -1;
        }
    }
    return 0;
}

/* An empty journal, or one that is not worth reading: begin it. */
static void begin(struct journal *j, const char *header, const char *by)
{
    struct err ignored = {0};
    if (ftruncate(j->fd, 0) != 0 || lseek(j->fd, 0, SEEK_SET) != 0 ||
        fs_write_all(j->fd, header, strlen(header), &ignored) != 0 ||
        fs_write_all(j->fd, by, strlen(by), &ignored) != 0) {
        return; /* only a hint */
    }
}

int journal_load(struct copy *c, struct member *m, struct err *err)
{
    char header[64], by[128];
    by_line(c, by);
    size_t len = (size_t)snprintf(header, sizeof header, "trawl-chunks 1 %lld\n",
                                  (long long)c->plan->chunk_bytes);
    AUTO(free) char *text = read_all(m->journal->fd);
    if (text == NULL || strncmp(text, header, len) != 0) {
        begin(m->journal, header, by);
        return 0;
    }
    AUTO(free) struct entry **files = calloc(m->count + 1, sizeof *files);
    if (files == NULL) {
        return err_no_memory(err);
    }
    struct claims claims = {.copy = c, .files = files};
    for (size_t i = m->first; i < m->first + m->count; i++) {
        if (!c->files.entries[i].is_dir) {
            files[claims.n++] = &c->files.entries[i];
        }
    }
    qsort(files, claims.n, sizeof *files, by_rel);
    /* A torn line ends here, so that the next one is a line of its own. */
    const char *end = text[strlen(text) - 1] != '\n' ? "\n" : "";
    m->journal->used = (size_t)snprintf(m->journal->buf, JOURNAL_ROOM, "%s%s", end, by);
    journal_flush(m->journal, false);
    return take_lines(&claims, text + len, err);
}
