/*
 * cmd_verify.c - trawl verify: chooses raw files and their order, and acts on the results. verify.c
 * reads backups, verify_source.c compares originals with them, verify_note.c records,
 * cmd_verify_print.c prints.
 *
 * The raw file whose last verification is the oldest goes first, so the next run continues one that
 * was cut off. A missing share would look like the loss of everything, so the location is proven
 * before each raw file, and again before damage is believed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/args.h"
#include "cli/cmd_verify_print.h"
#include "common/base/bandwidth.h"
#include "common/base/clock.h"
#include "common/base/human.h"
#include "common/base/log.h"
#include "common/base/path.h"
#include "common/db/doc_json.h"
#include "common/mount/mount_probe.h"
#include "common/raw/original.h"
#include "common/raw/retire.h"
#include "common/task/audit.h"
#include "ops/find.h"
#include "ops/verify_note.h"
#include "ops/verify_source.h"

#define MIB      ((int64_t)1 << 20)
#define FRESH_MS 5000

struct waiting { /* a raw file to verify */
    char *id;
    int64_t size, verified_at;
};

struct queue {
    struct waiting *at;
    size_t n;
    bool originals; /* compare originals instead of reading backups */
};

struct verify_run {
    struct cli *c;
    struct mounts *mounts;
    bool initialised; /* the backup location has an identity, so a missing folder is a lost one */
    int64_t rate;     /* bytes/s; 0: no limit */
    struct bandwidth *limit;
    struct bandwidth_share *share;
    struct rehash *hash;
    struct verify_show show;
};

/* --- which --- */

static void queue_clear(struct queue *q)
{
    for (size_t i = 0; i < q->n; i++) {
        free(q->at[i].id);
    }
    free(q->at);
}

static int queue_add(void *ctx, const bson_t *raw, struct err *err)
{
    struct queue *q = ctx;
    struct waiting *more = q->n % 256 != 0 ? q->at : reallocarray(q->at, q->n + 256, sizeof *more);
    char *id = strdup(doc_str(raw, "_id", ""));
    if (more != NULL) {
        q->at = more;
    }
    if (more == NULL || id == NULL) {
        free(id);
        return err_no_memory(err);
    }
    const char *when = q->originals ? "original.at" : "verified_at";
    q->at[q->n++] = (struct waiting){
        .id = id, .size = doc_i64(raw, "size", 0), .verified_at = doc_i64(raw, when, 0)};
    return 0;
}

static int oldest_first(const void *a, const void *b)
{
    const struct waiting *x = a, *y = b;
    if (x->verified_at != y->verified_at) {
        return x->verified_at < y->verified_at ? -1 : 1;
    }
    return strcmp(x->id, y->id);
}

static int choose_many(struct cli *c, const struct args *a, struct queue *q, struct err *err)
{
    const char *since = args_get(a, "since"), *instrument = args_get(a, "instrument");
    int64_t since_ms = 0;
    if (since != NULL && text_since(since, wall_ms(), &since_ms, err) != 0) {
        return -1;
    }
    AUTO(bson_destroy) bson_t *filter = bson_new();
    retire_append_complete(filter);
    if (instrument != NULL) {
        BSON_APPEND_UTF8(filter, "instrument_id", instrument);
    }
    if (q->originals) {
        BCON_APPEND(filter, "instrument_file_status", "{", "$ne", BCON_UTF8("purged"), "}");
    }
    if (since != NULL) {
        BCON_APPEND(filter, "created_at", "{", "$gte", BCON_DATE_TIME(since_ms), "}");
    }
    AUTO(bson_destroy)
    bson_t *opts = BCON_NEW("maxTimeMS", BCON_INT64(DB_LISTING_MS), "projection", "{", "size",
                            BCON_INT32(1), "verified_at", BCON_INT32(1), /* an index holds these */
                            q->originals ? "original" : "_id", BCON_INT32(1), "}");
    if (db_each(c->ops.db, DB_RAW_FILES, filter, opts, queue_add, q, err) != 0) {
        return -1;
    }
    if (q->n > 0) {
        qsort(q->at, q->n, sizeof *q->at, oldest_first);
    }
    return 0;
}

/* One raw file that was named must have a backup. */
static enum cli_exit choose_one(struct verify_run *s, const char *name, struct queue *q,
                                struct err *err)
{
    AUTO(bson_destroy) bson_t *raw = NULL;
    bool still;
    if (find_raw_file(&s->c->ops, name, &raw, err) != 0) {
        return cli_exit_of(err);
    }
    const char *id = doc_str(raw, "_id", "?");
    int64_t files = record_count(raw);
    if (files == 0) {
        return cli_fail(err, CLI_REFUSED, "%s has no backup yet (%s); see trawl why %s", id,
                        doc_str(raw, "status", "?"), id);
    }
    if (verify_backup_is_settled(s->c->ops.db, raw, &still, err) != 0) {
        return cli_exit_of(err);
    }
    if (!still) {
        return cli_fail(err, CLI_REFUSED, "%s has no complete backup now (%s); see trawl why %s",
                        id, doc_str(raw, "backup_status", "?"), id);
    }
    s->show.n_total = files;
    return queue_add(q, raw, err) == 0 ? CLI_OK : cli_exit_of(err);
}

static enum cli_exit choose_files(struct verify_run *s, const struct args *a, struct queue *q,
                                  struct err *err)
{
    int ways = (a->n > 0) + (args_get(a, "all") != NULL) + (args_get(a, "instrument") != NULL);
    if (ways != 1 || (a->n > 0 && args_get(a, "since") != NULL)) {
        return cli_fail(err, CLI_USAGE,
                        "name <file>, --instrument ID or --all, and only one of them; --since goes "
                        "with the last two; see trawl verify --help");
    }
    q->originals = s->show.originals = args_get(a, "source") != NULL;
    s->show.many = a->n == 0;
    if (!s->show.many) {
        enum cli_exit e = choose_one(s, a->words[0], q, err);
        if (e != CLI_OK) {
            return e;
        }
    } else if (choose_many(s->c, a, q, err) != 0) {
        return cli_exit_of(err);
    } else {
        s->show.n_total = (int64_t)q->n;
    }
    for (size_t i = 0; i < q->n; i++) {
        s->show.total += q->at[i].size;
    }
    return CLI_OK;
}

/* --- the share --- */

static int need_share(struct verify_run *s, int64_t max_age_ms, struct err *err)
{
    const struct mount_need need = {.location = "backup",
                                    .path = s->c->ops.cfg->location.backup.worker,
                                    .max_age_ms = max_age_ms};
    if (need.path[0] == '\0') {
        return ERR(err, ERR_HOLD, 0,
                   "[location.backup] worker is not configured, so there is no backup to read");
    }
    return mounts_check(s->mounts, &need, err);
}

static void note_view(void *ctx, const struct mounts_view *v)
{
    struct verify_run *s = ctx;
    s->initialised = v->initialised;
}

static int check_share(struct verify_run *s, struct err *err)
{
    const struct mount_need need = {.location = "backup",
                                    .path = s->c->ops.cfg->location.backup.worker,
                                    .max_age_ms = FRESH_MS};
    return need_share(s, 0, err) != 0 ? -1 : mounts_look(s->mounts, &need, note_view, s, err);
}

/* Without an identity, a lost folder and a lost share look the same. */
static int need_folder(const struct verify_run *s, const char *folder, struct err *err)
{
    struct stat st;
    if (s->initialised || stat(folder, &st) == 0) {
        return 0;
    }
    return ERR(err, ERR_HOLD, errno,
               "%s is missing: either the folder is lost, or another share is mounted. To find "
               "out, mount the right share and run: trawl mount init backup",
               folder);
}

/* --- one raw file --- */

static void on_read(void *ctx, int64_t bytes)
{
    struct verify_run *s = ctx;
    verify_show_read(&s->show, bytes);
    if (s->share != NULL) {
        bandwidth_take(s->share, bytes, NULL);
    }
}

static int read_backup(struct verify_run *s, const bson_t *raw, struct err *err)
{
    struct record record;
    struct verify_one *one = s->show.one;
    const struct verify_watch watch = {.file = verify_show_file, .ctx = &s->show};
    AUTO(free) char *folder = record_folder(s->c->ops.cfg, raw, err);
    AUTO(free) char *id = path_unescape(one->id);
    if (folder == NULL || id == NULL) {
        return -1;
    }
    int rc = record_load(&record, s->c->ops.db, raw, err);
    rc = rc == 0 ? need_folder(s, folder, err) : rc;
    rc = rc == 0 ? verify_files(s->hash, folder, &record, &watch, err) : rc;
    rc = rc == 0 ? verify_manifests(folder, id, &record, one->why, err) : rc;
    record_fini(&record);
    return rc;
}

/* Beside the mark, a line for readers of the log; on a terminal the screen shows it already. */
static void log_damage(const struct verify_one *one)
{
    if (isatty(STDERR_FILENO) != 1) {
        log_error("backup_damaged", KV("raw_file", one->id), KV("files", one->damaged),
                  KV("first", one->first));
    }
}

struct marking {
    struct db *db;
    const struct verify_found_backup *found;
    bool *stale;
};

static int run_mark(void *ctx, bool *won, bson_t *after, struct err *err)
{
    struct marking *m = ctx;
    if (verify_note_backup(m->db, m->found, m->stale, err) != 0) {
        return -1;
    }
    *won = !*m->stale;
    BSON_APPEND_INT64(after, "damaged_files", m->found->n);
    return 0;
}

/* Only setting or removing the mark makes an entry in the audit. */
static int record_found(struct verify_run *s, const struct verify_found_backup *f, bool *stale,
                        struct err *err)
{
    struct marking m = {s->c->ops.db, f, stale};
    if (f->n == 0 && !doc_has(f->raw, "backup_damaged")) {
        return verify_note_backup(s->c->ops.db, f, stale, err);
    }
    AUTO(bson_destroy)
    bson_t *before = BCON_NEW("damaged_files", BCON_INT64(doc_i64(f->raw, "backup_damaged.n", 0)));
    const struct audit_act entry = {.verb = "verify",
                                    .target = doc_str(f->raw, "_id", ""),
                                    .by = f->by,
                                    .why = f->n > 0 ? f->text : "its backup is as recorded",
                                    .before = before,
                                    .run = run_mark,
                                    .ctx = &m};
    bool won;
    return audit_make(s->c->ops.db, &entry, &won, err);
}

/* *stale = true: it is being copied again, so what was read does not count. */
static int record_result(struct verify_run *s, const bson_t *raw, bool *stale, struct err *err)
{
    struct verify_one *one = s->show.one;
    char text[500];
    bool still = true;
    snprintf(text, sizeof text, "the backup is damaged: %.400s%s", one->first,
             one->damaged > 1 ? " (and more)" : "");
    if (one->damaged > 0 && (need_share(s, 0, err) != 0 ||
                             verify_backup_is_settled(s->c->ops.db, raw, &still, err) != 0)) {
        return -1;
    }
    *stale = !still;
    if (!still || (one->damaged == 0 && one->bad > 0)) {
        return 0;
    }
    const struct verify_found_backup found = {
        .raw = raw, .files = &one->files, .n = one->damaged, .text = text, .by = s->c->ops.by};
    if (record_found(s, &found, stale, err) != 0) {
        return -1;
    }
    if (one->damaged > 0 && !*stale) {
        log_damage(one);
    }
    return 0;
}

/* A share that is away must not end the run for other instruments. */
static int compare_original(struct verify_run *s, const bson_t *raw, bool *skip, struct err *err)
{
    struct verify_one *one = s->show.one;
    const struct verify_source v = {
        .ops = &s->c->ops, .log = isatty(STDERR_FILENO) != 1, .mounts = s->mounts, .hash = s->hash};
    if (verify_source(&v, raw, one, skip, err) == 0) {
        return 0;
    }
    if (err->kind != ERR_INVALID && (err->kind != ERR_HOLD || !s->show.many)) {
        return -1;
    }
    one->state = original_state_name(ORIGINAL_BUSY);
    one->bad++;
    snprintf(one->why, sizeof one->why, "%.290s", err->msg);
    *err = (struct err){0};
    return 0;
}

/* A bad document of one raw file must not end the run for the others. */
static int verify_raw(struct verify_run *s, const bson_t *raw, bool *skip, struct err *err)
{
    struct verify_one *one = s->show.one;
    bool still = false;
    if (verify_backup_is_settled(s->c->ops.db, raw, &still, err) != 0) {
        return -1;
    }
    if (still && s->show.originals) {
        return compare_original(s, raw, skip, err);
    }
    if (need_share(s, FRESH_MS, err) != 0) {
        return -1;
    }
    *skip = !still;
    if (still && read_backup(s, raw, err) == 0) {
        if (record_result(s, raw, skip, err) != 0) {
            return -1;
        }
    } else if (still && err->kind == ERR_INVALID) {
        one->bad++;
        snprintf(one->why, sizeof one->why, "%.290s", err->msg);
        *err = (struct err){0};
    } else if (still) {
        return -1;
    }
    if (*skip) {
        snprintf(one->why, sizeof one->why,
                 "its backup changed while it was read (a new copy); try again when that is done");
    }
    return 0;
}

static int verify_next(struct verify_run *s, const struct waiting *w, struct verify_one *one,
                       struct err *err)
{
    bool skip = false;
    AUTO(bson_destroy) bson_t *raw = NULL;
    one->list = s->c->json ? json_array() : NULL;
    s->show.one = one;
    if (db_find_id(s->c->ops.db, DB_RAW_FILES, w->id, &raw, err) != 0 ||
        (raw != NULL && verify_raw(s, raw, &skip, err) != 0)) {
        return -1;
    }
    if (raw == NULL || skip) {
        verify_show_skipped(&s->show, w->size);
    } else {
        verify_show_one(&s->show, w->size);
    }
    return 0;
}

/* --- all --- */

static int64_t fixed_rate(void *ctx)
{
    return *(int64_t *)ctx;
}

static int begin_run(struct verify_run *s, const struct args *a, struct err *err)
{
    const struct args_number limit = {
        .name = "limit", .min = 0, .max = 1000000, .or_else = s->c->ops.cfg->scrub.limit_mib_per_s};
    const struct rehash_hooks hooks = {.read = on_read, .ctx = s};
    int64_t mib;
    if (args_i64(a, &limit, &mib, err) != 0 || (s->hash = rehash_new(&hooks, err)) == NULL ||
        (s->mounts = mounts_new(s->c->ops.cfg, s->c->ops.db, err)) == NULL) {
        return -1;
    }
    s->rate = mib * MIB;
    if (mib > 0 && ((s->limit = bandwidth_new(fixed_rate, &s->rate, err)) == NULL ||
                    (s->share = bandwidth_share_new(s->limit, err)) == NULL)) {
        return -1;
    }
    s->show.results = s->c->json && a->n == 0 ? json_array() : NULL;
    return 0;
}

static void end_run(struct verify_run *s)
{
    rehash_free(s->hash);
    mounts_free(s->mounts);
    bandwidth_share_free(s->share);
    bandwidth_free(s->limit);
    json_decref(s->show.results);
}

static enum cli_exit verify_all(struct verify_run *s, const struct queue *q, struct err *err)
{
    if (q->n > 0 && !q->originals && check_share(s, err) != 0) {
        return err->kind == ERR_HOLD ? CLI_REFUSED : cli_exit_of(err);
    }
    s->show.start_ms = mono_ms();
    for (size_t i = 0; i < q->n; i++) {
        struct verify_one one;
        verify_one_init(&one, q->at[i].id);
        int rc = verify_next(s, &q->at[i], &one, err);
        enum cli_exit e = rc == 0 && !s->show.many ? verify_show_end(&s->show, err) : CLI_OK;
        verify_one_fini(&one);
        s->show.one = NULL;
        if (rc != 0) {
            verify_show_clear(&s->show);
            return err->kind == ERR_HOLD ? CLI_REFUSED : cli_exit_of(err);
        }
        if (!s->show.many) {
            return e;
        }
    }
    return verify_show_end(&s->show, err);
}

static enum cli_exit cmd_verify(struct cli *c, const struct args *a, struct err *err)
{
    struct verify_run s = {.c = c, .show = {.c = c}};
    struct queue q = {0};
    enum cli_exit e = begin_run(&s, a, err) == 0 ? choose_files(&s, a, &q, err) : cli_exit_of(err);
    e = e == CLI_OK ? verify_all(&s, &q, err) : e;
    queue_clear(&q);
    end_run(&s);
    return e;
}

static const struct cli_option verify_options[] = {
    {"all", NULL, "every backup; with --source every original that is still there"},
    {"instrument", "ID", "every backup (original) of this instrument"},
    {"source", NULL, "compare the originals at the instruments with what was backed up"},
    {"since", "WHEN", "of these, only those created since 30m, 2h, 3d, 1w ago, or 2026-11-21"},
    {"limit", "MIB", "read at most so many MiB/s; 0: no limit (default [scrub] limit_mib_per_s)"},
    {0},
};

const struct command command_verify = {
    .name = "verify",
    .args = "[<file>]",
    .brief = "read backups again and compare their hashes",
    .help =
        "Reads every file of a backup from the disk and compares size and hashes with what the "
        "copy\n"
        "recorded, and the manifests beside it. With --all or --instrument the backup whose last\n"
        "verification is the oldest goes first, so the next run continues one that was cut off.\n"
        "A damaged backup is marked: trawl status lists it, and its original is not removed until "
        "it\n"
        "verifies again. Exit 1 when one is not as recorded.\n\n"
        "With --source it reads the originals instead, where they are now (the instrument's "
        "folder, or\n"
        "its Backup), and compares names, sizes and content with what was backed up. An original "
        "that\n"
        "differs is not shown as safe: where it was acquired, Trawl acquires and copies it again; "
        "in\n"
        "Backup, Trawl never removes it, and trawl status lists it. One that is gone is no "
        "difference.\n"
        "Exit 1 when one differs or cannot be read. The instruments' shares must be mounted.\n\n"
        "  trawl verify --source 20261121_P123_0001.raw\n"
        "  trawl verify --source --instrument tims1 --since 2d",
    .options = verify_options,
    .max_words = 1,
    .need = NEED_DB,
    .run = cmd_verify};
