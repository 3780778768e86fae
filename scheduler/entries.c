/* entries.c - the table of an instrument's raw files: read from MongoDB, kept sorted by name. */
#include <string.h>

#include "common/path.h"
#include "scheduler/watch.h"

void entry_fini(struct entry *e)
{
    free(e->name);
    free(e->id);
    free(e->prefix);
}

void watch_forget(struct watch *w)
{
    for (size_t i = 0; i < w->n; i++) {
        entry_fini(&w->entries[i]);
    }
    free(w->entries);
    w->entries = NULL;
    w->n = 0;
    w->loaded = false;
}

static size_t lower_bound(const struct watch *w, const char *name)
{
    size_t low = 0, high = w->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (strcmp(w->entries[mid].name, name) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

struct entry *watch_find(const struct watch *w, const char *name)
{
    size_t at = lower_bound(w, name);
    return at < w->n && strcmp(w->entries[at].name, name) == 0 ? &w->entries[at] : NULL;
}

int watch_put(struct watch *w, struct entry *e, struct err *err)
{
    struct entry *same = watch_find(w, e->name);
    if (same != NULL) {
        struct entry older = *same;
        if (older.seen_ms <= e->seen_ms) {
            *same = *e;
        } else {
            older = *e;
        }
        entry_fini(&older);
        return 0;
    }
    struct entry *more =
        w->n % 256 != 0 ? w->entries : realloc(w->entries, (w->n + 256) * sizeof *more);
    if (more == NULL) {
        entry_fini(e);
        return ERR(err, ERR_TRANSIENT, 0, "out of memory");
    }
    w->entries = more;
    size_t at = lower_bound(w, e->name);
    memmove(more + at + 1, more + at, (w->n - at) * sizeof *more);
    more[at] = *e;
    w->n++;
    return 0;
}

static bool is_open_status(const char *status)
{
    return strcmp(status, "queued_for_monitoring") == 0 ||
           strcmp(status, "monitoring_acquisition") == 0;
}

static int load_entry(void *ctx, const bson_t *doc, struct err *err)
{
    struct watch *w = ctx;
    struct entry e = {
        .name = path_unescape(doc_str(doc, "original_name", "")),
        .id = strdup(doc_str(doc, "_id", "")),
        .prefix = strdup(doc_str(doc, "collision_flag", "")),
        .a = {.size = doc_i64(doc, "watch.size", -1),
              .quiet_ms = doc_i64(doc, "watch.quiet_ms", 0),
              .missing_ms = doc_i64(doc, "watch.missing_ms", 0),
              .check_ms = doc_i64(doc, "watch.check_ms", 0),
              .checked_size = doc_i64(doc, "watch.checked_size", -1)},
        .born_ns = doc_i64(doc, "watch.born_ns", doc_i64(doc, "created_at", 0) * 1000000),
        .mtime_ns = doc_i64(doc, "watch.mtime_ns", 0),
        .ino = (uint64_t)doc_i64(doc, "watch.ino", 0),
        .size = doc_i64(doc, "watch.size", doc_i64(doc, "size", -1)),
        .seen_ms = doc_i64(doc, "created_at_", 0),
        .open = is_open_status(doc_str(doc, "status", "")),
    };
    bson_t members;
    e.members = doc_sub(doc, "watch.members", &members) ? bson_count_keys(&members) : 0;
    if (e.name == NULL || e.id == NULL || e.prefix == NULL) {
        entry_fini(&e);
        return ERR(err, ERR_TRANSIENT, 0, "out of memory");
    }
    return watch_put(w, &e, err);
}

int watch_load(struct watch *w, struct err *err)
{
    watch_forget(w);
    AUTO(bson_destroy) bson_t *filter = BCON_NEW("instrument_id", BCON_UTF8(w->cfg->id));
    AUTO(bson_destroy)
    bson_t *opts =
        BCON_NEW("projection", "{", "original_name", BCON_INT32(1), "collision_flag", BCON_INT32(1),
                 "status", BCON_INT32(1), "size", BCON_INT32(1), "created_at", BCON_INT32(1),
                 "created_at_", BCON_INT32(1), "watch", BCON_INT32(1), "}");
    if (db_each(w->s->db, DB_RAW_FILES, filter, opts, load_entry, w, err) != 0) {
        return -1;
    }
    w->loaded = true;
    return 0;
}
