/*
 * watch_table.c - the table of an instrument's raw files, read from MongoDB and found by name: a
 * look-up is one hash, one bucket and one comparison.
 *
 * An instrument has tens of thousands of raw files after years, and few of them are still on its
 * disk. So only those are read that are open or in doubt, and those whose names the folder has.
 */
#include <string.h>
#include <xxhash.h>

#include "common/base/path.h"
#include "scheduler/watch/watch.h"

#define ENTRIES_AT_ONCE 256 /* a power of two */

int entry_name(struct entry *e, const char *name, const char *prefix, const char *id,
               struct err *err)
{
    size_t n = strlen(name) + 1, p = strlen(prefix) + 1, i = strlen(id) + 1;
    bool same = strcmp(name, id) == 0;
    char *block = malloc(n + p + (same ? 0 : i));
    if (block == NULL) {
        return err_no_memory(err);
    }
    free(e->name);
    e->name = memcpy(block, name, n);
    e->prefix = memcpy(block + n, prefix, p);
    e->id = same ? block : memcpy(block + n + p, id, i);
    return 0;
}

void entry_fini(struct entry *e)
{
    free(e->name);
}

void watch_forget(struct watch *w)
{
    for (size_t i = 0; i < w->n; i++) {
        entry_fini(&w->entries[i]);
    }
    free(w->entries);
    free(w->buckets);
    w->entries = NULL;
    w->buckets = NULL;
    w->n = w->n_buckets = 0;
    w->loaded = w->all_known = false;
    listing_clear(w);
}

static uint32_t hash_of(const char *name)
{
    return (uint32_t)XXH3_64bits(name, strlen(name));
}

/* The bucket of a name: the one that holds it, or the free one where it would go. */
static struct bucket *bucket_of(const struct watch *w, const char *name, uint32_t hash)
{
    size_t at = hash & (w->n_buckets - 1);
    for (;; at = (at + 1) & (w->n_buckets - 1)) {
        struct bucket *b = &w->buckets[at];
        if (b->number == 0 ||
            (b->hash == hash && strcmp(w->entries[b->number - 1].name, name) == 0)) {
            return b;
        }
    }
}

struct entry *watch_find(const struct watch *w, const char *name)
{
    const struct bucket *b = w->n > 0 ? bucket_of(w, name, hash_of(name)) : NULL;
    return b != NULL && b->number > 0 ? &w->entries[b->number - 1] : NULL;
}

static void index_entry(struct watch *w, size_t i)
{
    uint32_t hash = hash_of(w->entries[i].name);
    *bucket_of(w, w->entries[i].name, hash) =
        (struct bucket){.hash = hash, .number = (uint32_t)i + 1};
}

/* Room for one more entry; buckets are never more than half full. */
static int grow(struct watch *w)
{
    if (w->n % ENTRIES_AT_ONCE == 0) {
        struct entry *more = realloc(w->entries, (w->n + ENTRIES_AT_ONCE) * sizeof *more);
        if (more == NULL) {
            return -1;
        }
        w->entries = more;
    }
    if (w->n * 2 < w->n_buckets) {
        return 0;
    }
    size_t n = w->n_buckets == 0 ? ENTRIES_AT_ONCE : w->n_buckets * 2;
    struct bucket *more = calloc(n, sizeof *more);
    if (more == NULL) {
        return -1;
    }
    free(w->buckets);
    w->buckets = more;
    w->n_buckets = n;
    for (size_t i = 0; i < w->n; i++) {
        index_entry(w, i);
    }
    return 0;
}

int watch_put(struct watch *w, struct entry *e, struct err *err)
{
    struct entry *same = watch_find(w, e->name);
    if (same != NULL) {
        struct entry older = *same;
        if (older.made_ms <= e->made_ms) {
            *same = *e;
        } else {
            older = *e;
        }
        bool replaced = older.open && older.made_ms < same->made_ms;
        int rc = replaced ? watch_end_replaced(w, &older, err) : 0;
        entry_fini(&older);
        return rc;
    }
    if (grow(w) != 0) {
        entry_fini(e);
        return err_no_memory(err);
    }
    w->entries[w->n] = *e;
    index_entry(w, w->n++);
    return 0;
}

static struct signature load_signature(const bson_t *doc)
{
    bson_t sig;
    if (!doc_sub(doc, "watch.sig", &sig)) {
        return (struct signature){.n = -1};
    }
    return (struct signature){.n = doc_i64(&sig, "n", -1),
                              .bytes = doc_i64(&sig, "bytes", 0),
                              .newest = doc_i64(&sig, "newest", 0),
                              .shape = doc_i64(&sig, "shape", 0),
                              .stamp = doc_i64(&sig, "stamp", 0)};
}

static int load_entry(void *ctx, const bson_t *doc, struct err *err)
{
    struct watch *w = ctx;
    if (strcmp(doc_str(doc, "instrument_id", ""), w->cfg->id) != 0) {
        return 0; /* another instrument's, of the same name */
    }
    bool ours = raw_file_is_ours(doc);
    struct entry e = {
        .a = {.size = doc_i64(doc, "watch.size", -1),
              .quiet_ms = doc_i64(doc, "watch.quiet_ms", 0),
              .missing_ms = doc_i64(doc, "watch.missing_ms", 0),
              .check_ms = doc_i64(doc, "watch.check_ms", 0),
              .checked_size = doc_i64(doc, "watch.checked_size", -1),
              .sig = load_signature(doc)},
        .born_ns = doc_i64(doc, "watch.born_ns", doc_i64(doc, "created_at", 0) * 1000000),
        .mtime_ns = doc_i64(doc, "watch.mtime_ns", 0),
        .ino = (uint64_t)doc_i64(doc, "watch.ino", 0),
        .size = doc_i64(doc, "watch.size", -1),
        .made_ms = doc_i64(doc, "created_at_", 0),
        .open = ours && raw_status_is_open(raw_file_status(doc)),
        .doubtful = strcmp(doc_str(doc, "original.state", ""), "unsettled") == 0,
    };
    e.adopted = e.open && !doc_has(doc, "watch.ino");
    e.apart = !e.open && (!ours || !doc_has(doc, "watch.size"));
    e.written_ms = doc_i64(doc, "updated_at_", e.made_ms);
    if (!e.open && doc_str(doc, "watch.error", "")[0] != '\0') {
        e.size = -1; /* it ended without its main file */
    }
    bson_t members;
    e.members = doc_sub(doc, "watch.members", &members) ? bson_count_keys(&members) : 0;
    const char *original = doc_str(doc, "original_name", "");
    AUTO(free) char *name = ours ? path_unescape(original) : strdup(original);
    if (name == NULL) {
        return err_no_memory(err);
    }
    return entry_name(&e, name, doc_str(doc, "collision_flag", ""), doc_str(doc, "_id", ""), err) !=
                   0
               ? -1
               : watch_put(w, &e, err);
}

static int load(struct watch *w, const bson_t *filter, struct err *err)
{
    AUTO(bson_destroy)
    bson_t *opts =
        BCON_NEW("maxTimeMS", BCON_INT64(DB_LISTING_MS), "projection", "{", "instrument_id",
                 BCON_INT32(1), "original_name", BCON_INT32(1), "collision_flag", BCON_INT32(1),
                 "status", BCON_INT32(1), "size", BCON_INT32(1), "created_at", BCON_INT32(1),
                 "created_at_", BCON_INT32(1), "updated_at_", BCON_INT32(1), "watch", BCON_INT32(1),
                 "original.state", BCON_INT32(1), "rev", BCON_INT32(1), "}");
    return db_each(w->s->db, DB_RAW_FILES, filter, opts, load_entry, w, err);
}

int watch_load(struct watch *w, struct err *err)
{
    watch_forget(w);
    const char *id = w->cfg->id;
    AUTO(bson_destroy)
    bson_t *open = BCON_NEW("instrument_id", BCON_UTF8(id), "status", "{", "$in", "[",
                            BCON_UTF8(raw_status_names[RAW_QUEUED_FOR_MONITORING]),
                            BCON_UTF8(raw_status_names[RAW_MONITORING_ACQUISITION]), "]", "}");
    AUTO(bson_destroy)
    bson_t *doubtful = BCON_NEW("instrument_id", BCON_UTF8(id), "original.state", "unsettled");
    if (load(w, open, err) != 0 || load(w, doubtful, err) != 0) {
        return -1;
    }
    w->loaded = true;
    return 0;
}

static int load_named(struct watch *w, const bson_t *names, struct err *err)
{
    AUTO(bson_destroy)
    bson_t *filter = BCON_NEW("original_name", "{", "$in", BCON_ARRAY(names), "}");
    return bson_empty(names) ? 0 : load(w, filter, err);
}

/* Of several raw files of one name the newest has it, so the others do not answer for it. */
static bool must_ask(const struct watch *w, const char *name)
{
    const struct entry *e = watch_find(w, name);
    return (e == NULL || e->poll == 0) && members_is_raw_file(w->cfg, name);
}

static void append_name(bson_t *names, uint32_t *n, const char *name)
{
    char room[16];
    const char *key;
    bson_uint32_to_string((*n)++, &key, room, sizeof room);
    bson_append_utf8(names, key, -1, name, -1);
}

/* As documents of ours have it, and as AlphaKraken's do. */
static int ask_for(bson_t *names, uint32_t *n, const char *name, struct err *err)
{
    AUTO(free) char *escaped = path_escape(name);
    if (escaped == NULL) {
        return err_no_memory(err);
    }
    append_name(names, n, escaped);
    if (strcmp(escaped, name) != 0 && bson_utf8_validate(name, strlen(name), false)) {
        append_name(names, n, name);
    }
    return 0;
}

int watch_load_listed(struct watch *w, struct err *err)
{
    enum { AT_ONCE = 500 };
    int rc = 0;
    const char *name = w->now.names, *end = w->now.names + w->now.len;
    while (rc == 0 && name < end) {
        bson_t names = BSON_INITIALIZER;
        for (uint32_t n = 0; rc == 0 && name < end && n < AT_ONCE; name += strlen(name) + 1) {
            rc = must_ask(w, name) ? ask_for(&names, &n, name, err) : 0;
        }
        rc = rc == 0 ? load_named(w, &names, err) : rc;
        bson_destroy(&names);
    }
    return rc;
}
