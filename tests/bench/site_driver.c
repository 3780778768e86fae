/*
 * site_driver.c - fills a database as years of work leave it: raw files with five tasks each,
 * metrics, contributions and aggregates, in bulk, then sums by the code that migrates. The same
 * seed and count make the same documents.
 *
 * Two of five raw files are of the largest project; instruments share them evenly. The newest
 * OPEN_FILES wait for the cluster, some of the others failed, the rest is finished.
 *
 * Usage: trawl-site-driver SEED COUNT     (TRAWL_CONFIG_DIR is set)
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/db/db.h"
#include "common/db/named.h"
#include "common/index/sums.h"

#define INSTRUMENTS 20
#define PROJECTS    50
#define OPEN_FILES  100
#define YEARS_MS    (5 * INT64_C(365) * 24 * 3600 * 1000)
#define END_MS      INT64_C(1795824000000) /* 2026-11-28 */
#define ROOM        5000                   /* documents a collection that are written together */

static const char *const kinds[] = {"copy", "quant", "index", "move", "remove"};
#define N_KINDS (sizeof kinds / sizeof *kinds)

struct pile {
    const char *coll;
    bson_t *docs[ROOM];
    size_t n;
};

struct sum_of {
    int64_t files, size, errors, newest;
};

struct site {
    struct db *db;
    uint64_t random; /* state of the generator */
    long count;
    struct pile raws, tasks, metrics, contributions, aggregates, audit;
    struct sum_of projects[PROJECTS], instruments[INSTRUMENTS];
};

struct file {
    char id[64], project[16], instrument[16], result[96];
    const char *status;
    int project_no, instrument_no;
    int64_t created_ms, size;
    bool open, failed;
};

static uint64_t next_random(struct site *s, uint64_t below)
{
    s->random ^= s->random << 13;
    s->random ^= s->random >> 7;
    s->random ^= s->random << 17;
    return s->random % below;
}

/* --- writing --- */

static int flush(struct site *s, struct pile *p, struct err *err)
{
    AUTO(free) bool *inserted = calloc(p->n + 1, sizeof *inserted);
    if (inserted == NULL) {
        return err_no_memory(err);
    }
    int rc = db_insert_all(s->db, p->coll, p->docs, p->n, inserted, err);
    for (size_t i = 0; i < p->n; i++) {
        bson_destroy(p->docs[i]);
    }
    p->n = 0;
    return rc;
}

/* Takes the document. */
static int put(struct site *s, struct pile *p, bson_t *doc, struct err *err)
{
    p->docs[p->n++] = doc;
    return p->n == ROOM ? flush(s, p, err) : 0;
}

/* --- documents --- */

static struct file make_file(struct site *s, long n)
{
    struct file f = {.status = "done"};
    f.project_no = next_random(s, 5) < 2 ? 0 : (int)next_random(s, PROJECTS);
    f.instrument_no = (int)next_random(s, INSTRUMENTS);
    f.created_ms = END_MS - YEARS_MS + n * (YEARS_MS / s->count) + (int64_t)next_random(s, 60000);
    f.size = INT64_C(100000000) + (int64_t)next_random(s, UINT64_C(5000000000));
    f.open = n >= s->count - OPEN_FILES;
    f.failed = !f.open && next_random(s, 50) == 0;
    f.status = f.open ? "queued_for_quanting" : f.failed ? "quanting_failed" : "done";
    snprintf(f.project, sizeof f.project, "P%03d", f.project_no);
    snprintf(f.instrument, sizeof f.instrument, "inst%02d", f.instrument_no);
    snprintf(f.id, sizeof f.id, "%08ld_%s_%s_HeLa.raw", n, f.project, f.instrument);
    snprintf(f.result, sizeof f.result, "%s/quant/msqc-v1", f.id);
    return f;
}

static bson_t *raw_file(const struct file *f)
{
    int64_t end = f->created_ms + 3600000;
    bson_t *d =
        BCON_NEW("_id", BCON_UTF8(f->id), "original_name", BCON_UTF8(f->id), "instrument_id",
                 BCON_UTF8(f->instrument), "project_id", BCON_UTF8(f->project), "collision_flag",
                 "", "status", BCON_UTF8(f->status), "status_details", "", "instrument_file_status",
                 BCON_UTF8(f->open ? "initial" : "purged"), "backup_status", "copying_done",
                 "backup_base_path", "/backup/instrument/2026_11", "size", BCON_INT64(f->size),
                 "created_at", BCON_DATE_TIME(f->created_ms), "created_at_",
                 BCON_DATE_TIME(f->created_ms), "updated_at_", BCON_DATE_TIME(end), "copied_at",
                 BCON_DATE_TIME(end), "rev", BCON_INT64(5), "indexed_rev", BCON_INT64(5), "dirty",
                 BCON_BOOL(false), "round", BCON_INT64(0), "settled", BCON_BOOL(!f->open));
    BCON_APPEND(d, "files", "[", "{", "path", BCON_UTF8(f->id), "size", BCON_INT64(f->size), "xxh3",
                "0123456789abcdef0123456789abcdef", "md5", "0123456789abcdef0123456789abcdef", "}",
                "]");
    BCON_APPEND(d, "watch", "{", "ino", BCON_INT64(f->created_ms), "born_ns",
                BCON_INT64(f->created_ms * 1000000), "mtime_ns", BCON_INT64(end * 1000000), "size",
                BCON_INT64(f->size), "quiet_ms", BCON_INT64(60000), "rule", "next file", "error",
                "", "members", "[", "{", "from", BCON_UTF8(f->id), "to", BCON_UTF8(f->id), "}", "]",
                "sig", "{", "n", BCON_INT64(1), "bytes", BCON_INT64(f->size), "newest",
                BCON_INT64(end * 1000000), "shape", BCON_INT64(f->size ^ 7), "stamp",
                BCON_INT64(f->size ^ 9), "}", "}");
    bson_t list;
    BSON_APPEND_ARRAY_BEGIN(d, "tasks", &list);
    for (size_t k = 0; k < (f->open ? 3 : N_KINDS); k++) {
        char key[8], id[96];
        snprintf(key, sizeof key, "%zu", k);
        snprintf(id, sizeof id, "%s/%s", f->id, kinds[k]);
        BSON_APPEND_UTF8(&list, key, k == 1 ? f->result : id);
    }
    bson_append_array_end(d, &list);
    return d;
}

static bson_t *task(const struct file *f, size_t kind)
{
    char id[96];
    bool quant = kind == 1;
    bool waits = f->open && quant;
    int64_t at = f->created_ms + 3600000 * (int64_t)(kind + 1);
    snprintf(id, sizeof id, "%s/%s", f->id, kinds[kind]);
    bson_t *d =
        BCON_NEW("_id", BCON_UTF8(quant ? f->result : id), "v", BCON_INT64(1), "kind",
                 BCON_UTF8(kinds[kind]), "pool",
                 BCON_UTF8(quant       ? "cluster_slots"
                           : kind == 2 ? "index"
                                       : "file_copy"),
                 "raw_file", BCON_UTF8(f->id), "settings", BCON_UTF8(quant ? "msqc-v1" : ""),
                 "instrument_id", BCON_UTF8(f->instrument), "project_id", BCON_UTF8(f->project),
                 "priority", BCON_INT64(50), "state",
                 BCON_UTF8(waits                ? "ready"
                           : quant && f->failed ? "failed"
                                                : "done"),
                 "attempt", BCON_INT64(waits ? 0 : 1), "fence", BCON_INT64(waits ? 0 : 1), "epoch",
                 BCON_INT64(1), "round", BCON_INT64(0), "slot", BCON_NULL, "created_at",
                 BCON_DATE_TIME(at - 1000), "ready_at", BCON_DATE_TIME(at));
    BCON_APPEND(d, "input", "{", "source_root", "/instruments/instrument", "members", "[", "{",
                "from", BCON_UTF8(f->id), "to", BCON_UTF8(f->id), "}", "]", "}");
    if (!waits) {
        BCON_APPEND(d, "worker", "w1-4711-5f1c", "admitted_at", BCON_DATE_TIME(at), "started_at",
                    BCON_DATE_TIME(at), "ended_at", BCON_DATE_TIME(at + 60000), "result", "{",
                    "size", BCON_INT64(f->size), "job_id", "4711", "}");
    }
    if (quant && f->failed) {
        BCON_APPEND(d, "error", "{", "kind", "permanent", "code", "job_failed", "msg",
                    "FAILED: job 4711, exit code 3", "}");
    }
    return d;
}

static bson_t *metrics(struct site *s, const struct file *f)
{
    char id[120];
    snprintf(id, sizeof id, "%s#f1", f->result);
    bson_t *d = named_new(id);
    BCON_APPEND(d, "raw_file", BCON_UTF8(f->id), "settings_name", "msqc", "settings_version",
                BCON_INT64(1), "type", "msqc", "created_at_",
                BCON_DATE_TIME(f->created_ms + 7200000));
    for (int i = 0; i < 40; i++) {
        char name[32];
        snprintf(name, sizeof name, "msqc:metric_%02d", i);
        BSON_APPEND_DOUBLE(d, name, (double)next_random(s, 1000000) / 1000);
    }
    return d;
}

static bson_t *member(const struct file *f, const char *type, const char *entity)
{
    char id[200];
    snprintf(id, sizeof id, "%s/%s/%s", type, entity, f->id);
    return BCON_NEW("_id", BCON_UTF8(id), "type", BCON_UTF8(type), "entity", BCON_UTF8(entity),
                    "raw_file", BCON_UTF8(f->id), "rev", BCON_INT64(5), "deleted", BCON_BOOL(false),
                    "contents", "{", "status", BCON_UTF8(f->status), "size", BCON_INT64(f->size),
                    "error", BCON_INT64(f->failed), "metrics", BCON_INT64(!f->open), "created_at",
                    BCON_DATE_TIME(f->created_ms), "}");
}

/* What the raw file and its result say of themselves; their aggregates are the same. */
static bson_t *single(const struct file *f, const char *type, const char *entity, bool aggregate)
{
    char id[200];
    snprintf(id, sizeof id, aggregate ? "%s/%s" : "%s/%s/%s", type, entity, f->id);
    bson_t *d = BCON_NEW("_id", BCON_UTF8(id), "type", BCON_UTF8(type), "entity", BCON_UTF8(entity),
                         "rev", BCON_INT64(aggregate ? 1 : 5), "deleted", BCON_BOOL(false),
                         "contents", "{", "status", BCON_UTF8(f->status), "instrument_id",
                         BCON_UTF8(f->instrument), "project_id", BCON_UTF8(f->project), "size",
                         BCON_INT64(f->size), "created_at", BCON_DATE_TIME(f->created_ms), "}");
    if (aggregate) {
        BCON_APPEND(d, "wanted", BCON_INT64(1), "updated_at_", BCON_DATE_TIME(f->created_ms));
        return d;
    }
    BSON_APPEND_UTF8(d, "raw_file", f->id);
    if (strcmp(type, "raw_files") == 0) {
        char raw[96], result[128], project[32], instrument[32];
        snprintf(raw, sizeof raw, "raw_files/%s", f->id);
        snprintf(result, sizeof result, "results/%s", f->result);
        snprintf(project, sizeof project, "projects/%s", f->project);
        snprintf(instrument, sizeof instrument, "instruments/%s", f->instrument);
        BCON_APPEND(d, "entities", "[", BCON_UTF8(raw), BCON_UTF8(result), BCON_UTF8(project),
                    BCON_UTF8(instrument), "]", "weeks", "[", BCON_INT64(f->created_ms / WEEK_MS),
                    "]");
    }
    return d;
}

/* Each tenth raw file was verified by somebody. */
static bson_t *entry(const struct file *f, long n)
{
    char id[32];
    snprintf(id, sizeof id, "audit-%08ld", n);
    return BCON_NEW("_id", BCON_UTF8(id), "at", BCON_DATE_TIME(f->created_ms), "who",
                    BCON_UTF8(n % 3 == 0 ? "ada" : "grace"), "host", "desk1", "verb", "verify",
                    "target", BCON_UTF8(f->id), "state", "done", "why", "");
}

static void add_to(struct sum_of *sum, const struct file *f)
{
    sum->files++;
    sum->size += f->size;
    sum->errors += f->failed;
    sum->newest = f->created_ms > sum->newest ? f->created_ms : sum->newest;
}

/* --- all --- */

static int put_file(struct site *s, long n, struct err *err)
{
    struct file f = make_file(s, n);
    int rc = put(s, &s->raws, raw_file(&f), err);
    for (size_t k = 0; k < (f.open ? 3 : N_KINDS) && rc == 0; k++) {
        rc = put(s, &s->tasks, task(&f, k), err);
    }
    if (rc != 0 || put(s, &s->metrics, metrics(s, &f), err) != 0 ||
        put(s, &s->contributions, single(&f, "raw_files", f.id, false), err) != 0 ||
        put(s, &s->contributions, single(&f, "results", f.result, false), err) != 0 ||
        put(s, &s->contributions, member(&f, "projects", f.project), err) != 0 ||
        put(s, &s->contributions, member(&f, "instruments", f.instrument), err) != 0 ||
        put(s, &s->aggregates, single(&f, "raw_files", f.id, true), err) != 0 ||
        put(s, &s->aggregates, single(&f, "results", f.result, true), err) != 0 ||
        (n % 10 == 0 && put(s, &s->audit, entry(&f, n), err) != 0)) {
        return -1;
    }
    add_to(&s->projects[f.project_no], &f);
    add_to(&s->instruments[f.instrument_no], &f);
    return 0;
}

static void name_of(enum entity_type type, int number, char name[static 16])
{
    snprintf(name, 16, type == ENTITY_PROJECT ? "P%03d" : "inst%02d", number);
}

static int put_members(struct site *s, enum entity_type type, const struct sum_of *sums, int n,
                       struct err *err)
{
    for (int i = 0; i < n; i++) {
        char name[16];
        name_of(type, i, name);
        AUTO(free) char *id = entity_id(type, name);
        if (id == NULL) {
            return err_no_memory(err);
        }
        bson_t *d = BCON_NEW("_id", BCON_UTF8(id), "type", BCON_UTF8(entity_type_name(type)),
                             "entity", BCON_UTF8(name), "wanted", BCON_INT64(1), "by_week",
                             BCON_INT64(1), "rev", BCON_INT64(1), "deleted", BCON_BOOL(false),
                             "contents", "{", "file_count", BCON_INT64(sums[i].files), "size",
                             BCON_INT64(sums[i].size), "error_count", BCON_INT64(sums[i].errors),
                             "newest_created_at", BCON_DATE_TIME(sums[i].newest), "}");
        if (put(s, &s->aggregates, d, err) != 0) {
            return -1;
        }
    }
    return 0;
}

/* When all is written. */
static int make_sums(struct site *s, enum entity_type type, int n, struct err *err)
{
    int rc = 0;
    for (int i = 0; i < n && rc == 0; i++) {
        char name[16];
        name_of(type, i, name);
        AUTO(free) char *id = entity_id(type, name);
        AUTO(bson_destroy) bson_t *aggregate = NULL;
        if (id == NULL) {
            return err_no_memory(err);
        }
        rc = db_find_id(s->db, DB_AGGREGATES, id, &aggregate, err) != 0 || aggregate == NULL
                 ? -1
                 : sums_complete(s->db, &(struct entity){type, name}, aggregate, err);
    }
    return rc;
}

static int fill(struct site *s, struct err *err)
{
    for (long n = 0; n < s->count; n++) {
        if (put_file(s, n, err) != 0) {
            return -1;
        }
    }
    struct pile *const piles[] = {&s->raws,          &s->tasks,      &s->metrics,
                                  &s->contributions, &s->aggregates, &s->audit};
    int rc = put_members(s, ENTITY_PROJECT, s->projects, PROJECTS, err) != 0
                 ? -1
                 : put_members(s, ENTITY_INSTRUMENT, s->instruments, INSTRUMENTS, err);
    for (size_t i = 0; i < sizeof piles / sizeof *piles && rc == 0; i++) {
        rc = flush(s, piles[i], err);
    }
    return rc != 0 || make_sums(s, ENTITY_PROJECT, PROJECTS, err) != 0
               ? -1
               : make_sums(s, ENTITY_INSTRUMENT, INSTRUMENTS, err);
}

int main(int argc, char **argv)
{
    struct err err = {0};
    const char *dir = getenv("TRAWL_CONFIG_DIR");
    if (argc != 3 || dir == NULL) {
        fputs("usage: trawl-site-driver SEED COUNT (TRAWL_CONFIG_DIR is set)\n", stderr);
        return 2;
    }
    AUTO(config_free) struct config *cfg = config_load(dir, &err);
    AUTO(db_free) struct db *db = cfg != NULL ? db_new(cfg, "trawl-site-driver", &err) : NULL;
    AUTO(free) struct site *s = calloc(1, sizeof *s);
    if (db == NULL || s == NULL) {
        fprintf(stderr, "trawl-site-driver: %s\n", err.msg);
        return 1;
    }
    s->db = db;
    s->random = strtoull(argv[1], NULL, 10) * 2 + UINT64_C(0x9e3779b97f4a7c15);
    s->count = strtol(argv[2], NULL, 10);
    s->raws.coll = DB_RAW_FILES;
    s->tasks.coll = DB_TASKS;
    s->metrics.coll = DB_METRICS;
    s->contributions.coll = DB_CONTRIBUTIONS;
    s->aggregates.coll = DB_AGGREGATES;
    s->audit.coll = DB_AUDIT;
    if (s->count <= OPEN_FILES || fill(s, &err) != 0) {
        fprintf(stderr, "trawl-site-driver: %s\n",
                err.msg[0] != '\0' ? err.msg : "COUNT is too small");
        return 1;
    }
    return 0;
}
