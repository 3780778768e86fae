/*
 * plan_retire.c - plans moves and removals (docs/rules.md); common/raw/retire.h decides which are
 * due.
 *
 * A raw file says in "retire" what is to happen to its original: "move <instrument>" from the copy
 * on, until its move is planned; "moving" and "removing" while such a task is open. It is settled
 * meanwhile: thousands of files that wait for their move cost nothing. plan_pass writes down how a
 * task has ended when an event reports it; because events can be lost, each full pass compares the
 * marks with the open tasks and unsettles the raw files where they differ.
 *
 * A task is made when its time has come, and only the first few of each instrument, so that any
 * backlog waits in the raw files' documents. Tasks are made first, marks come last: a scheduler
 * that dies in between leaves an open task without its mark, or a mark that the next pass finds.
 */
#include "scheduler/plan/plan_retire.h"

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/db/batch.h"
#include "common/db/docs.h"
#include "common/raw/raw_file.h"
#include "common/raw/retire.h"
#include "common/task/kinds.h"
#include "scheduler/scheduler.h"

#define OPEN_MAX        16 /* tasks of one kind and instrument that are open at the same time */
#define MOVES_AT_ONCE   200
#define REMOVES_AT_ONCE 256
#define PRIORITY        50
#define DAY_MS          86400000
#define INSTRUMENT_MAX  33

struct retire_seen { /* of one instrument */
    char instrument[INSTRUMENT_MAX];
    int64_t measured_at; /* when the free space was measured that removals were last planned by, or
                            ran under */
};

struct site { /* an instrument in this pass */
    char id[INSTRUMENT_MAX];
    struct instrument_facts f;
    int64_t free_gb, measured_at;
    size_t moves, removes; /* open */
};

struct retiring {
    struct scheduler *s;
    struct site *sites;
    size_t n_sites;
    struct docs marked; /* raw files whose move or removal is under way */
    int64_t now;
};

/* --- what there is --- */

static struct site *find_site(const struct retiring *r, const char *instrument)
{
    for (size_t i = 0; i < r->n_sites; i++) {
        if (strcmp(r->sites[i].id, instrument) == 0) {
            return &r->sites[i];
        }
    }
    return NULL;
}

static int add_site(void *ctx, const bson_t *doc, struct err *err)
{
    struct retiring *r = ctx;
    const char *id = doc_str(doc, "_id", "");
    struct instrument_facts f = instruments_facts(r->s->instruments, id);
    if (!f.known || strlen(id) >= INSTRUMENT_MAX) {
        return 0;
    }
    struct site *more = reallocarray(r->sites, r->n_sites + 1, sizeof *more);
    if (more == NULL) {
        return err_no_memory(err);
    }
    r->sites = more;
    struct site *site = &r->sites[r->n_sites++];
    *site = (struct site){
        .f = f, .free_gb = doc_i64(doc, "free_space_gb", -1), .measured_at = doc_i64(doc, "at", 0)};
    snprintf(site->id, sizeof site->id, "%s", id);
    return 0;
}

static void count_open(struct retiring *r)
{
    for (size_t i = 0; i < r->s->dispatch.n_open; i++) {
        const struct open_task *t = &r->s->dispatch.open[i];
        struct site *site = task_kind(t->kind)->retires ? find_site(r, t->instrument) : NULL;
        if (site != NULL) {
            site->moves += strcmp(t->kind, "move") == 0;
            site->removes += strcmp(t->kind, "remove") == 0;
        }
    }
}

static int load_all(struct retiring *r, struct err *err)
{
    bson_t all = BSON_INITIALIZER;
    AUTO(bson_destroy)
    bson_t *marks =
        BCON_NEW("retire", "{", "$in", "[", BCON_UTF8("moving"), BCON_UTF8("removing"), "]", "}");
    AUTO(bson_destroy)
    bson_t *opts =
        BCON_NEW("projection", "{", "retire", BCON_INT32(1), "settled", BCON_INT32(1), "}");
    if (db_each(r->s->db, DB_WATCHES, &all, NULL, add_site, r, err) != 0 ||
        db_each(r->s->db, DB_RAW_FILES, marks, opts, docs_add, &r->marked, err) != 0) {
        return -1;
    }
    docs_sort(&r->marked);
    count_open(r);
    return 0;
}

/* --- marks and open tasks agree, or plan_pass decides --- */

static int unsettle_file(struct retiring *r, const char *raw_file, struct err *err)
{
    bool won;
    return raw_file_make(r->s->db, raw_file_unsettling(raw_file, true), &won, err);
}

static int compare_marks(struct retiring *r, struct err *err)
{
    bson_t open = BSON_INITIALIZER; /* keys: raw files with an open move or removal */
    int rc = 0;
    for (size_t i = 0; i < r->s->dispatch.n_open && rc == 0; i++) {
        const struct open_task *t = &r->s->dispatch.open[i];
        if (!task_kind(t->kind)->retires) {
            continue;
        }
        BSON_APPEND_BOOL(&open, t->raw_file, true);
        if (docs_find(&r->marked, t->raw_file) == NULL) {
            rc = unsettle_file(r, t->raw_file, err);
        }
    }
    for (size_t i = 0; i < r->marked.n && rc == 0; i++) {
        const char *id = doc_str(r->marked.items[i], "_id", "");
        bson_iter_t at; /* bson_has_field would read dots in an id as a path */
        if (!bson_iter_init_find(&at, &open, id) && doc_bool(r->marked.items[i], "settled", true)) {
            rc = unsettle_file(r, id, err);
        }
    }
    bson_destroy(&open);
    return rc;
}

/* --- making tasks --- */

/* A task of this name that has ended is opened again, unless a newer leader has had it; an open one
 * stays as it is. */
static int make_or_open(struct retiring *r, const struct task_new *t, struct err *err)
{
    bool done;
    if (task_create(r->s->db, t, &done, err) != 0 || done) {
        return done ? 0 : -1;
    }
    struct db_change c = task_reopening(t, TASK_REOPEN_ENDED);
    BCON_APPEND(c.filter, "epoch", "{", "$lte", BCON_INT64(lease_epoch(r->s->lease)), "}");
    return db_make(r->s->db, DB_TASKS, c, &done, err);
}

static int set_mark(struct retiring *r, const struct task_new *t, const char *before,
                    struct err *err)
{
    AUTO(free) char *id = task_id(t->raw_file, t->kind, NULL);
    if (id == NULL) {
        return err_no_memory(err);
    }
    const struct raw_retiring change = {
        .id = t->raw_file,
        .before = before,
        .mark = strcmp(t->kind, "move") == 0 ? "moving" : "removing",
        .task = id,
    };
    bool won;
    return raw_file_make(r->s->db, raw_file_retiring(&change), &won, err);
}

static int plan_task(struct retiring *r, const bson_t *raw, const struct site *site,
                     struct task_new *t, struct err *err)
{
    bson_t members = BSON_INITIALIZER, list;
    if (doc_sub(raw, "watch.members", &list)) {
        bson_concat(&members, &list);
    }
    AUTO(bson_destroy)
    bson_t *input =
        BCON_NEW("source_root", BCON_UTF8(site->f.path), "type",
                 BCON_UTF8(instrument_type_name(site->f.type)), "members", BCON_ARRAY(&members));
    bson_destroy(&members);
    t->raw_file = doc_str(raw, "_id", "");
    t->instrument = site->id;
    t->project = doc_str(raw, "project_id", "");
    t->priority = PRIORITY;
    t->round = doc_i64(raw, "round", 0);
    t->input = input;
    int rc = make_or_open(r, t, err) != 0 ? -1 : set_mark(r, t, doc_str(raw, "retire", ""), err);
    t->input = NULL;
    return rc;
}

static bson_t *wanted_fields(const char *order, int32_t limit)
{
    return BCON_NEW("projection", "{", "instrument_id", BCON_INT32(1), "project_id", BCON_INT32(1),
                    "backup_status", BCON_INT32(1), "backup_damaged", BCON_INT32(1),
                    "instrument_file_status", BCON_INT32(1), "copied_at", BCON_INT32(1),
                    "created_at", BCON_INT32(1), "size", BCON_INT32(1), "remove_refused",
                    BCON_INT32(1), "watch.members", BCON_INT32(1), "retire", BCON_INT32(1), "round",
                    BCON_INT32(1), "}", "sort", "{", order, BCON_INT32(1), "}", "limit",
                    BCON_INT64(limit));
}

/* --- moves --- */

static int move_one(struct retiring *r, const bson_t *raw, struct err *err)
{
    struct site *site = find_site(r, doc_str(raw, "instrument_id", ""));
    int64_t due = site != NULL ? retire_move_due_ms(raw, site->f.file_move_delay_m) : -1;
    if (due < 0 || due > r->now || site->moves >= OPEN_MAX) {
        return 0;
    }
    struct task_new t = {.kind = "move", .not_before_ms = due};
    site->moves++;
    return plan_task(r, raw, site, &t, err);
}

/* One clause for each instrument that may have another move; false when there is none. */
static bool append_due(const struct retiring *r, bson_t *filter)
{
    bson_t clauses;
    uint32_t n = 0;
    BSON_APPEND_ARRAY_BEGIN(filter, "$or", &clauses);
    for (size_t i = 0; i < r->n_sites; i++) {
        const struct site *site = &r->sites[i];
        if (site->f.file_move_delay_m < 0 || site->moves >= OPEN_MAX) {
            continue;
        }
        char text[INSTRUMENT_MAX + 8], buf[16];
        const char *key;
        snprintf(text, sizeof text, "move %s", site->id);
        bson_uint32_to_string(n++, &key, buf, sizeof buf);
        BCON_APPEND(&clauses, key, "{", "retire", BCON_UTF8(text), "copied_at", "{", "$lte",
                    BCON_DATE_TIME(r->now - site->f.file_move_delay_m * 60000), "}", "}");
    }
    bson_append_array_end(filter, &clauses);
    return n > 0;
}

static int plan_moves(struct retiring *r, struct err *err)
{
    struct docs due = {0};
    int rc = 0;
    AUTO(bson_destroy)
    bson_t *filter =
        BCON_NEW("instrument_file_status", BCON_UTF8("initial"), "backup_damaged", "{", "$in", "[",
                 BCON_NULL, BCON_BOOL(false), "]", "}", "backup_base_path", "{", "$exists",
                 BCON_BOOL(true), "}"); /* none: it is being acquired and copied again */
    retire_append_complete(filter);
    if (append_due(r, filter)) {
        AUTO(bson_destroy) bson_t *opts = wanted_fields("copied_at", MOVES_AT_ONCE);
        rc = db_each(r->s->db, DB_RAW_FILES, filter, opts, docs_add, &due, err);
    }
    for (size_t i = 0; i < due.n && rc == 0; i++) {
        rc = move_one(r, due.items[i], err);
    }
    docs_clear(&due);
    return rc;
}

/* --- removals --- */

static struct retire_seen *seen_of(struct retiring *r, const struct site *site, struct err *err)
{
    struct scheduler *s = r->s;
    for (size_t i = 0; i < s->retirement.n; i++) {
        if (strcmp(s->retirement.seen[i].instrument, site->id) == 0) {
            return &s->retirement.seen[i];
        }
    }
    struct retire_seen *more = reallocarray(s->retirement.seen, s->retirement.n + 1, sizeof *more);
    if (more == NULL) {
        err_no_memory(err);
        return NULL;
    }
    s->retirement.seen = more;
    struct retire_seen *seen = &more[s->retirement.n++];
    *seen = (struct retire_seen){0};
    snprintf(seen->instrument, sizeof seen->instrument, "%s", site->id);
    return seen;
}

static int load_removable(struct retiring *r, const struct site *site, struct docs *out,
                          struct err *err)
{
    int64_t youngest = r->now - (int64_t)(site->f.min_file_age_days * DAY_MS);
    int64_t oldest = r->now - RETIRE_MAX_AGE_DAYS * (int64_t)DAY_MS;
    AUTO(bson_destroy)
    bson_t *filter =
        BCON_NEW("instrument_id", BCON_UTF8(site->id), "instrument_file_status", BCON_UTF8("moved"),
                 "created_at", "{", "$gte", BCON_DATE_TIME(oldest), "$lte",
                 BCON_DATE_TIME(youngest), "}", "remove_refused.at", "{", "$not", "{", "$gte",
                 BCON_DATE_TIME(r->now - RETIRE_RECHECK_MS), "}", "}");
    retire_append_complete(filter);
    AUTO(bson_destroy) bson_t *opts = wanted_fields("created_at", REMOVES_AT_ONCE);
    return db_each(r->s->db, DB_RAW_FILES, filter, opts, docs_add, out, err);
}

static int remove_some(struct retiring *r, struct site *site, const struct retire_rule *rule,
                       struct err *err)
{
    struct docs files = {0};
    int64_t chosen = 0;
    int rc = load_removable(r, site, &files, err);
    for (size_t i = 0; i < files.n && rc == 0 && site->removes < OPEN_MAX; i++) {
        if (retire_verdict_of(rule, files.items[i], chosen) == RETIRE_GO) {
            struct task_new t = {.kind = "remove", .not_before_ms = r->now};
            chosen += doc_i64(files.items[i], "size", 0);
            site->removes++;
            rc = plan_task(r, files.items[i], site, &t, err);
        }
    }
    docs_clear(&files);
    if (chosen > 0) {
        log_info("removals_planned", KV("instrument", site->id), KV("files", site->removes),
                 KV("bytes", chosen), KV("wanted_bytes", rule->wanted_bytes));
    }
    return rc;
}

/* While removals run, and until the free space is measured again, plan no more: what they free does
 * not show yet. */
static int plan_removals(struct retiring *r, struct err *err)
{
    for (size_t i = 0; i < r->n_sites; i++) {
        struct site *site = &r->sites[i];
        const struct retire_rule rule = {
            .now_ms = r->now,
            .min_age_days = site->f.min_file_age_days,
            .wanted_bytes = retire_wanted_bytes(site->f.min_free_space_gb, site->free_gb),
            .recheck_ms = RETIRE_RECHECK_MS,
        };
        if (rule.wanted_bytes == 0) {
            continue;
        }
        struct retire_seen *seen = seen_of(r, site, err);
        if (seen == NULL) {
            return -1;
        }
        bool stale = seen->measured_at == site->measured_at;
        seen->measured_at = site->measured_at;
        if (!stale && site->removes == 0 && remove_some(r, site, &rule, err) != 0) {
            return -1;
        }
    }
    return 0;
}

int plan_retirement(struct scheduler *s, struct err *err)
{
    struct retiring r = {.s = s, .now = wall_ms()};
    int rc = load_all(&r, err) != 0 || compare_marks(&r, err) != 0 || plan_moves(&r, err) != 0 ||
                     plan_removals(&r, err) != 0
                 ? -1
                 : 0;
    docs_clear(&r.marked);
    free(r.sites);
    return rc;
}
