/*
 * retention.c - what grows has an end. Raw files, lists of files, metrics and settings stay: they
 * prove a backup or are results.
 *
 * Done tasks stay, too, because the planner makes a task again that a raw file names and the
 * database does not have. They get thin: what remains is what is decided by, of a fixed size. One
 * whose raw file is not settled keeps everything, for the planner may still need its result. How
 * far this has come is in DB_RETENTION, by the time at which the tasks ended.
 *
 * Each batch is one command by `_id`s that says again what it is due by, so that a round may be cut
 * off anywhere, and two leaders at a time do no harm. An audit entry is deleted once its line is on
 * the disk; after a crash in between it has two lines with the same `_id`.
 */
#include "scheduler/retention.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/fs.h"
#include "common/base/log.h"
#include "common/db/doc_json.h"
#include "common/task/retention.h"
#include "scheduler/scheduler.h"

#define BATCH    500
#define PAUSE_MS 1000    /* between two batches: planning and workers come first */
#define AGAIN_MS 60000   /* after a round that failed */
#define REST_MS  3600000 /* what is due is counted in days */

/* What others have, or what can be long. A rerun counts on from input.run. */
static const char *const bulk_of_jobs[] = {
    "input.settings", "input.raw_path",    "input.backup_path", "input.output_path",
    "input.raw_name", "input.raw_file_id", "kept.log_tail",     NULL,
};
static const char *const bulk_of_others[] = {
    "input", "result.files", "result.members", "result.deleted", "kept", "published", NULL,
};

struct retaining {
    struct scheduler *s;
    enum retention_kind kind;
    struct retention_rule rule;
    bson_t *due; /* matches what is due */
};

static void append_id(bson_t *ids, uint32_t n, const bson_t *doc)
{
    char buf[16];
    const char *key;
    size_t len = bson_uint32_to_string(n, &key, buf, sizeof buf);
    bson_append_utf8(ids, key, (int)len, doc_str(doc, "_id", ""), -1);
}

/* --- tasks --- */

/* The raw files of these tasks, as far as they are settled; in the order of their ids. */
static struct docs *read_settled(struct db *db, const struct docs *tasks, struct err *err)
{
    bson_t names = BSON_INITIALIZER, ids = BSON_INITIALIZER;
    for (size_t i = 0; i < tasks->n; i++) {
        const char *raw_file = doc_str(tasks->items[i], "raw_file", "");
        if (!db_has_key(&names, raw_file)) {
            BSON_APPEND_BOOL(&names, raw_file, true);
        }
    }
    db_append_keys(&ids, &names);
    AUTO(bson_destroy)
    bson_t *filter = BCON_NEW("_id", "{", "$in", BCON_ARRAY(&ids), "}", "settled", BCON_BOOL(true));
    AUTO(bson_destroy) bson_t *opts = BCON_NEW("projection", "{", "_id", BCON_INT32(1), "}");
    bson_destroy(&names);
    bson_destroy(&ids);
    struct docs *out = docs_read(db, &(struct docs_query){DB_RAW_FILES, filter, opts}, err);
    if (out != NULL) {
        docs_sort(out);
    }
    return out;
}

static int thin_some(const struct retaining *r, const bson_t *ids, bool jobs, int64_t *n,
                     struct err *err)
{
    int64_t some = 0;
    bson_t unset = BSON_INITIALIZER;
    const char *const *field = jobs ? bulk_of_jobs : bulk_of_others;
    for (; *field != NULL; field++) {
        BSON_APPEND_BOOL(&unset, *field, true);
    }
    AUTO(bson_destroy) bson_t *filter = bson_copy(r->due);
    BCON_APPEND(filter, "_id", "{", "$in", BCON_ARRAY(ids), "}", "kind", "{", jobs ? "$eq" : "$ne",
                BCON_UTF8("quant"), "}");
    AUTO(bson_destroy) bson_t *update = BCON_NEW("$unset", BCON_DOCUMENT(&unset));
    bson_destroy(&unset);
    int rc = db_update_each(r->s->db, DB_TASKS, filter, update, &some, err);
    *n += some;
    return rc;
}

static int make_thin(const struct retaining *r, const struct docs *tasks, int64_t *n,
                     struct err *err)
{
    AUTO(docs_free) struct docs *settled = read_settled(r->s->db, tasks, err);
    AUTO(bson_destroy) bson_t *ids = bson_new();
    uint32_t found = 0;
    for (size_t i = 0; settled != NULL && i < tasks->n; i++) {
        if (docs_find(settled, doc_str(tasks->items[i], "raw_file", "")) != NULL) {
            append_id(ids, found++, tasks->items[i]);
        }
    }
    if (settled == NULL || found == 0) {
        return settled != NULL ? 0 : -1;
    }
    return thin_some(r, ids, true, n, err) != 0 || thin_some(r, ids, false, n, err) != 0 ? -1 : 0;
}

/* The next tasks in the order in which they ended, and all that ended in the same moment as the
 * last of them. */
static int thin_tasks(const struct retaining *r, int64_t *n, bool *more, struct err *err)
{
    AUTO(bson_destroy)
    bson_t *some = BCON_NEW("projection", "{", "ended_at", BCON_INT32(1), "}", "sort", "{",
                            "ended_at", BCON_INT32(1), "}", "limit", BCON_INT64(BATCH));
    AUTO(docs_free)
    struct docs *next = docs_read(r->s->db, &(struct docs_query){DB_TASKS, r->due, some}, err);
    *more = next != NULL && next->n == BATCH;
    if (next == NULL || next->n == 0) {
        return next != NULL ? 0 : -1;
    }
    int64_t from = doc_i64(next->items[0], "ended_at", 0);
    int64_t last = doc_i64(next->items[next->n - 1], "ended_at", 0);
    AUTO(bson_destroy)
    bson_t *filter = BCON_NEW("state", BCON_UTF8("done"), "ended_at", "{", "$gte",
                              BCON_DATE_TIME(from), "$lte", BCON_DATE_TIME(last), "}");
    AUTO(bson_destroy) bson_t *opts = BCON_NEW("projection", "{", "raw_file", BCON_INT32(1), "}");
    AUTO(docs_free)
    struct docs *all = docs_read(r->s->db, &(struct docs_query){DB_TASKS, filter, opts}, err);
    return all == NULL || make_thin(r, all, n, err) != 0
               ? -1
               : retention_note(r->s->db, &r->rule, *n, last + 1, err);
}

/* --- what is deleted --- */

/* A line that a crash has cut off is ended, so that it spoils no other. */
static int append_lines(int fd, const char *text, size_t len, struct err *err)
{
    struct stat st;
    char last = '\n';
    if (fstat(fd, &st) != 0 || (st.st_size > 0 && pread(fd, &last, 1, st.st_size - 1) != 1)) {
        return ERR(err, ERR_TRANSIENT, errno, "read: %m");
    }
    if ((last != '\n' && fs_write_all(fd, "\n", 1, err) != 0) ||
        fs_write_all(fd, text, len, err) != 0) {
        return -1;
    }
    return fsync(fd) == 0 ? 0 : ERR(err, ERR_TRANSIENT, errno, "fsync: %m");
}

static char *lines_of(const struct docs *entries, size_t *len, struct err *err)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, len);
    int rc = out != NULL ? 0 : err_no_memory(err);
    for (size_t i = 0; rc == 0 && i < entries->n; i++) {
        AUTO(json_decref) json_t *one = json_of_doc(entries->items[i]);
        bool whole = one != NULL && json_dumpf(one, out, JSON_COMPACT) == 0;
        rc = whole && fputc('\n', out) != EOF ? 0 : err_no_memory(err);
    }
    if (out != NULL && fclose(out) != 0 && rc == 0) {
        rc = err_no_memory(err);
    }
    if (rc != 0) {
        free(text);
    }
    return rc == 0 ? text : NULL;
}

/* One file a year and host, so that no two schedulers write to one. */
static int export_entries(const struct retaining *r, const struct docs *entries, struct err *err)
{
    const char *dir = r->s->cfg->retention.audit_dir;
    char host[65] = "unknown", path[4096];
    time_t now = (time_t)(wall_ms() / 1000);
    struct tm day;
    gethostname(host, sizeof host - 1);
    int n = snprintf(path, sizeof path, "%s/audit-%s-%d.jsonl", dir, host,
                     1900 + gmtime_r(&now, &day)->tm_year);
    if (n < 0 || (size_t)n >= sizeof path) {
        return ERR(err, ERR_INVALID, 0, "[retention] audit_dir is too long");
    }
    size_t len = 0;
    AUTO(free) char *text = lines_of(entries, &len, err);
    if (text == NULL) {
        return -1;
    }
    int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    int rc =
        fd >= 0 ? append_lines(fd, text, len, err) : ERR(err, ERR_TRANSIENT, errno, "open: %m");
    if (fd >= 0 && close(fd) != 0 && rc == 0) {
        rc = ERR(err, ERR_TRANSIENT, errno, "close: %m");
    }
    return rc == 0 && fs_sync_dir(dir, err) == 0
               ? 0
               : err_context(err, "no old audit entry is removed: %s", path);
}

static int remove_some(const struct retaining *r, int64_t *n, bool *more, struct err *err)
{
    bool whole = r->kind == RETENTION_AUDIT;
    AUTO(bson_destroy)
    bson_t *opts = BCON_NEW("limit", BCON_INT64(BATCH));
    if (whole) {
        BCON_APPEND(opts, "sort", "{", "at", BCON_INT32(1), "}");
    } else {
        BCON_APPEND(opts, "projection", "{", "_id", BCON_INT32(1), "}");
    }
    AUTO(docs_free)
    struct docs *old = docs_read(r->s->db, &(struct docs_query){r->rule.coll, r->due, opts}, err);
    *more = old != NULL && old->n == BATCH;
    if (old == NULL || old->n == 0) {
        return old != NULL ? 0 : -1;
    }
    if (whole && export_entries(r, old, err) != 0) {
        return -1;
    }
    AUTO(bson_destroy) bson_t *ids = bson_new();
    for (size_t i = 0; i < old->n; i++) {
        append_id(ids, (uint32_t)i, old->items[i]);
    }
    AUTO(bson_destroy) bson_t *filter = bson_copy(r->due);
    BCON_APPEND(filter, "_id", "{", "$in", BCON_ARRAY(ids), "}");
    return db_delete(r->s->db, r->rule.coll, filter, n, err) != 0
               ? -1
               : retention_note(r->s->db, &r->rule, *n, 0, err);
}

/* --- a round --- */

static int take_some(struct retaining *r, int64_t *n, bool *more, struct err *err)
{
    AUTO(bson_destroy) bson_t *seen = NULL;
    if (db_find_id(r->s->db, DB_RETENTION, r->rule.name, &seen, err) != 0) {
        return -1;
    }
    r->due = retention_due(r->s->cfg, r->kind, seen, wall_ms());
    int rc =
        r->kind == RETENTION_TASKS ? thin_tasks(r, n, more, err) : remove_some(r, n, more, err);
    bson_destroy(r->due);
    return rc;
}

static int take_all(struct chore *c, struct retaining *r, int64_t *sum, struct err *err)
{
    bool more = r->rule.days > 0;
    for (int64_t rest = 0; more && chore_continues(c, rest); rest = PAUSE_MS) {
        int64_t n = 0;
        int rc = take_some(r, &n, &more, err);
        *sum += n;
        if (rc != 0) {
            return -1;
        }
    }
    return 0;
}

int64_t retention_round(struct chore *c, struct scheduler *s)
{
    int64_t sums[RETENTION_KIND_COUNT] = {0}, all = 0, began = mono_ms(), wait = REST_MS;
    for (int k = 0; k < RETENTION_KIND_COUNT; k++) {
        struct err err = {0};
        struct retaining r = {.s = s, .kind = (enum retention_kind)k};
        r.rule = retention_rule_of(s->cfg, r.kind);
        if (take_all(c, &r, &sums[k], &err) != 0) {
            log_err_rarely("retention", &err);
            wait = AGAIN_MS; /* the other kinds do not wait for this one */
        }
        all += sums[k];
    }
    if (all > 0) {
        log_info("retention", KV("tasks", sums[RETENTION_TASKS]),
                 KV("audit", sums[RETENTION_AUDIT]), KV("alerts", sums[RETENTION_ALERTS]),
                 KV("mounts", sums[RETENTION_MOUNTS]), KV("tombstones", sums[RETENTION_TOMBSTONES]),
                 KV("ms", mono_ms() - began));
    }
    return wait;
}
