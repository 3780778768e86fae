/*
 * recheck.c - was it really over? A main file whose size differs from what it was when its
 * acquisition ended, or a file that joined its set since, sends the raw file back to monitoring.
 * Its copy is superseded: the next one may take its place, and only because its content is exactly
 * what we recorded. Jobs that still measure the old content are cancelled.
 */
#include <string.h>

#include "common/fs.h"
#include "common/log.h"
#include "common/mono.h"
#include "scheduler/names.h"
#include "scheduler/watch.h"

#define LATELY_MS    3600000 /* after its end a raw file is looked at in every poll for so long */
#define TURNS_A_POLL 32      /* of all others */

/* The document as it stands, moved back; guarded by its rev. */
static int send_back(struct watch *w, const bson_t *rf, bool *won, struct err *err)
{
    bson_t none = BSON_INITIALIZER, files;
    bool copied = doc_sub(rf, "files", &files) || doc_sub(rf, "superseded", &files);
    AUTO(bson_destroy)
    bson_t *filter = BCON_NEW("_id", BCON_UTF8(doc_str(rf, "_id", "")), "rev",
                              BCON_INT64(doc_i64(rf, "rev", 0)));
    AUTO(bson_destroy)
    bson_t *update = BCON_NEW(
        "$set", "{", "status", BCON_UTF8("monitoring_acquisition"), "status_details",
        BCON_UTF8("It changed after its acquisition had ended."), "tasks", BCON_ARRAY(&none),
        "settled", BCON_BOOL(false), "dirty", BCON_BOOL(true), "updated_at_",
        BCON_DATE_TIME(wall_ms()), "superseded", BCON_ARRAY(copied ? &files : &none), "}", "$unset",
        "{", "files", BCON_BOOL(true), "file_info", BCON_BOOL(true), "watch.rule", BCON_BOOL(true),
        "backup_base_path", BCON_BOOL(true), "verified_at", BCON_BOOL(true), "backup_damaged",
        BCON_BOOL(true), "}", "$inc", "{", "rev", BCON_INT64(1), "round", BCON_INT64(1), "}");
    return db_update(w->s->db, DB_RAW_FILES, filter, update, won, err);
}

static int cancel_jobs(struct watch *w, const bson_t *rf, struct err *err)
{
    bson_t list;
    bson_iter_t at;
    for (bool more =
             doc_sub(rf, "tasks", &list) && bson_iter_init(&at, &list) && bson_iter_next(&at);
         more; more = bson_iter_next(&at)) {
        bool won;
        const struct task_order stop = {
            .task = bson_iter_utf8(&at, NULL), .by = "scheduler", .why = "the raw file changed"};
        if (strstr(stop.task, "/quant/") != NULL && task_cancel(w->s->db, &stop, &won, err) != 0) {
            return -1;
        }
    }
    return 0;
}

/* Only what stays on the share as it was acquired and is not being copied right now (a running copy
 * notices by itself). */
static bool may_go_back(const bson_t *rf)
{
    const char *retire = doc_str(rf, "retire", "");
    return strcmp(retire, "moving") != 0 && strcmp(retire, "removing") != 0 &&
           doc_bool(rf, "settled", false) && strcmp(doc_str(rf, "status", ""), "ignored") != 0 &&
           strcmp(doc_str(rf, "instrument_file_status", ""), "initial") == 0;
}

static int reopen(struct watch *w, struct entry *e, const struct look *l, struct err *err)
{
    AUTO(bson_destroy) bson_t *rf = NULL;
    bool won = false;
    if (db_find_id(w->s->db, DB_RAW_FILES, e->id, &rf, err) != 0) {
        return -1;
    }
    if (rf == NULL || !may_go_back(rf)) {
        return 0;
    }
    if (cancel_jobs(w, rf, err) != 0 || send_back(w, rf, &won, err) != 0) {
        w->loaded = false; /* it may have gone back, and only the reply was lost */
        return -1;
    }
    if (won) {
        log_warn("acquisition_goes_on", KV("raw_file", e->id), KV("size_was", e->size),
                 KV("size_is", l->size));
        e->a = acquisition_new();
        e->open = true;
        e->looked_ms = e->saved_ms = 0;
    }
    return 0;
}

struct tally {
    const struct watch *w;
    const struct entry *e;
    uint32_t n;
};

static int count_member(void *ctx, const char *name, struct err *err)
{
    (void)err;
    struct tally *t = ctx;
    t->n += names_is_companion(t->w->cfg, t->e->name, name);
    return 0;
}

/* Sciex writes the files of a set one after the other; one may come after the set had ended. */
static int has_latecomer(const struct watch *w, const struct entry *e, bool *has, struct err *err)
{
    struct tally t = {.w = w, .e = e};
    if (w->cfg->type == INSTRUMENT_SCIEX && e->members > 0 &&
        fs_each_name(w->cfg->path, count_member, &t, err) != 0) {
        return -1;
    }
    *has = t.n > e->members;
    return 0;
}

static int look_again(struct watch *w, struct entry *e, struct err *err)
{
    if (e->open || e->poll != w->poll) {
        return 0;
    }
    struct look l = watch_look(w, e->name);
    if (l.there && l.ino != e->ino) {
        e->poll = 0; /* swapped between two polls: the next one looks at it as at a new name */
        w->all_known = false;
        return 0;
    }
    bool latecomer = false;
    if (has_latecomer(w, e, &latecomer, err) != 0) {
        return -1;
    }
    bool grown = l.main_there && e->size >= 0 && (l.size != e->size || latecomer);
    return grown ? reopen(w, e, &l, err) : 0;
}

int recheck(struct watch *w, struct err *err)
{
    int64_t now = mono_ms();
    for (size_t i = 0; i < w->n; i++) {
        struct entry *e = &w->entries[i];
        bool lately = e->ended_ms != 0 && now - e->ended_ms < LATELY_MS;
        if (lately && look_again(w, e, err) != 0) {
            return -1;
        }
    }
    for (size_t k = 0; k < TURNS_A_POLL && k < w->n; k++) {
        w->recheck_next = (w->recheck_next + 1) % w->n;
        if (look_again(w, &w->entries[w->recheck_next], err) != 0) {
            return -1;
        }
    }
    return 0;
}
