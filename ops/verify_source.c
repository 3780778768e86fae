/*
 * verify_source.c - finds the original of a raw file, compares it, and records the result.
 *
 * The original is in the instrument's folder, or in its Backup after the move. The share is proven
 * before, and again when anything differs, because an absent share looks like originals that are
 * gone. A result that the raw file's document has outrun is dropped (skip).
 */
#include "ops/verify_source.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/path.h"
#include "common/mount/location.h"
#include "common/raw/original.h"
#include "common/raw/retire.h"
#include "common/task/audit.h"
#include "ops/facts.h"
#include "ops/verify_note.h"

struct place { /* where the original of a raw file is */
    struct instrument *instrument;
    struct original names;
    char *folder;
};

static void auto_place_fini(struct place *p)
{
    instrument_free(p->instrument);
    original_fini(&p->names);
    free(p->folder);
}

static bool is_moved(const bson_t *raw)
{
    return strcmp(doc_str(raw, "instrument_file_status", ""), "moved") == 0;
}

/* In Backup a raw file has the same names as in the pool. */
static int use_names_of_backup(struct original *o, struct err *err)
{
    for (size_t i = 0; i < o->n; i++) {
        free(o->members[i].from);
        o->members[i].from = strdup(o->members[i].to);
        if (o->members[i].from == NULL) {
            return err_no_memory(err);
        }
    }
    return 0;
}

static int find_names(const bson_t *raw, const struct record *r, struct original *out,
                      struct err *err)
{
    int rc = original_load_of(out, raw, r, err);
    return rc == 0 && is_moved(raw) ? use_names_of_backup(out, err) : rc;
}

static int find_place(const struct verify_source *v, const bson_t *raw, const struct record *r,
                      struct place *p, struct err *err)
{
    p->instrument = facts_instrument(v->ops, doc_str(raw, "instrument_id", ""), err);
    if (p->instrument == NULL || find_names(raw, r, &p->names, err) != 0) {
        return -1;
    }
    p->folder = is_moved(raw) ? path_join(p->instrument->path, RETIRE_FOLDER, err)
                              : strdup(p->instrument->path);
    return p->folder != NULL ? 0 : err_no_memory(err);
}

/* Prove the share: an absent one looks like originals that are gone. */
static int prove_share(const struct verify_source *v, const struct place *p, struct err *err)
{
    char location[MOUNT_LOCATION_MAX];
    snprintf(location, sizeof location, LOCATION_INSTRUMENT "%s", p->instrument->id);
    const struct mount_need need = {.location = location, .path = p->instrument->path};
    return mounts_check(v->mounts, &need, err);
}

/* --- recording --- */

struct marking {
    struct db *db;
    const struct verify_found_original *found;
    bool *stale;
};

static int run_mark(void *ctx, bool *won, bson_t *after, struct err *err)
{
    struct marking *m = ctx;
    if (verify_note_original(m->db, m->found, m->stale, err) != 0) {
        return -1;
    }
    *won = !*m->stale;
    BSON_APPEND_UTF8(after, "original", m->found->state);
    return 0;
}

/* Only setting or removing the mark makes an entry in the audit. */
static int record_result(const struct verify_source *v, const bson_t *raw,
                         const struct original_seen *seen, bool *stale, struct err *err)
{
    char text[ORIGINAL_PROBLEM];
    bool differs = seen->state == ORIGINAL_DIFFERS;
    AUTO(free) char *why = path_escape(seen->why); /* may name the file */
    snprintf(text, sizeof text, "its original is not what was backed up: %.300s",
             why != NULL ? why : "?");
    const struct verify_found_original f = {.raw = raw,
                                            .state = original_state_name(seen->state),
                                            .why = why != NULL ? why : "",
                                            .text = text,
                                            .by = v->ops->by};
    if (!differs && original_is_safe(raw)) {
        return verify_note_original(v->ops->db, &f, stale, err);
    }
    struct marking m = {v->ops->db, &f, stale};
    AUTO(bson_destroy)
    bson_t *before = BCON_NEW("original", BCON_UTF8(doc_str(raw, "original.state", "")));
    const struct audit_act entry = {.verb = "verify",
                                    .target = doc_str(raw, "_id", ""),
                                    .by = f.by,
                                    .why = differs ? text : "its original is what was backed up",
                                    .before = before,
                                    .run = run_mark,
                                    .ctx = &m};
    bool won;
    if (differs && v->log) {
        log_error("original_differs", KV("raw_file", entry.target), KV("why", f.why));
    }
    return audit_make(v->ops->db, &entry, &won, err);
}

/* --- one raw file --- */

/* NULL: it can be compared; nothing has removed it or is moving it. */
static const char *why_not_now(const bson_t *raw)
{
    const char *retire = doc_str(raw, "retire", "");
    return strcmp(doc_str(raw, "instrument_file_status", ""), "purged") == 0
               ? "its original was removed from the instrument"
           : strcmp(retire, "moving") == 0 || strcmp(retire, "removing") == 0
               ? "its original is being moved or removed; try again when that has ended"
               : NULL;
}

static int compare_original(const struct verify_source *v, const struct place *p,
                            const struct record *r, struct original_seen *seen, struct err *err)
{
    const struct original_look look = {.folder = p->folder,
                                       .members = p->names.members,
                                       .n = p->names.n,
                                       .record = r,
                                       .rehash = v->hash};
    if (original_compare(&look, seen, err) != 0) {
        return -1;
    }
    bool doubtful = seen->state != ORIGINAL_SAME;
    return doubtful ? prove_share(v, p, err) : 0;
}

static void set_result(const struct original_seen *seen, struct verify_one *one)
{
    bool bad = seen->state == ORIGINAL_DIFFERS || seen->state == ORIGINAL_BUSY;
    AUTO(free) char *why = path_escape(seen->why);
    one->state = original_state_name(seen->state);
    one->n = (int64_t)seen->files;
    one->bad = bad;
    one->damaged = 0;
    snprintf(one->why, sizeof one->why, "%.290s", why != NULL ? why : "");
}

static int verify_original(const struct verify_source *v, const bson_t *raw, const struct record *r,
                           struct verify_one *one, bool *skip, struct err *err)
{
    __attribute__((cleanup(auto_place_fini))) struct place p = {0};
    struct original_seen seen = {0};
    bool stale = false;
    int rc = find_place(v, raw, r, &p, err) != 0 || prove_share(v, &p, err) != 0 ||
                     compare_original(v, &p, r, &seen, err) != 0
                 ? -1
                 : 0;
    if (rc == 0 && seen.state != ORIGINAL_BUSY) {
        rc = record_result(v, raw, &seen, &stale, err);
    }
    if (rc == 0) {
        set_result(&seen, one);
        *skip = stale;
    }
    original_seen_fini(&seen);
    return rc;
}

int verify_source(const struct verify_source *v, const bson_t *raw, struct verify_one *one,
                  bool *skip, struct err *err)
{
    struct record record = {0};
    const char *not_now = why_not_now(raw);
    if (not_now != NULL) {
        *skip = true;
        snprintf(one->why, sizeof one->why, "%s", not_now);
        return 0;
    }
    int rc = record_load(&record, v->ops->db, raw, err) != 0
                 ? -1
                 : verify_original(v, raw, &record, one, skip, err);
    record_fini(&record);
    if (rc == 0 && *skip) {
        snprintf(one->why, sizeof one->why,
                 "it changed while it was compared (a new copy, a move); try again when no task of "
                 "it runs");
    }
    return rc;
}
