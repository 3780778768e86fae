/*
 * plan_tasks.c - makes a raw file's tasks with their input. A task's id follows from the raw
 * file's, so making one twice makes one task.
 */
#include "scheduler/plan/plan_tasks.h"

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/path.h"
#include "common/quant/quant_input.h"
#include "common/quant/settings.h"
#include "scheduler/watch/name_rules.h"

#define PRIORITY_ACQUISITION 100
#define PRIORITY_INDEX       50

static int make_task(struct plan *p, const struct task_new *t, struct err *err)
{
    if (!db_has_key(&p->planned, t->raw_file)) {
        BSON_APPEND_BOOL(&p->planned, t->raw_file, true);
    }
    bool index = strcmp(t->kind, "index") == 0;
    struct db_change reopen = task_reopening(t, index ? TASK_REOPEN_DONE : TASK_REOPEN_EARLIER);
    return ledger_task(&p->ledger, task_new_document(t), reopen, err);
}

static struct task_new task_for(const bson_t *rf, const char *kind, const char *settings)
{
    return (struct task_new){
        .raw_file = doc_str(rf, "_id", ""),
        .kind = kind,
        .settings = settings,
        .instrument = doc_str(rf, "instrument_id", ""),
        .project = doc_str(rf, "project_id", ""),
        .priority = PRIORITY_ACQUISITION,
        .round = doc_i64(rf, "round", 0),
    };
}

int plan_copy(struct plan *p, const bson_t *rf, bson_t *new_ids, struct err *err)
{
    const char *instrument = doc_str(rf, "instrument_id", "");
    struct instrument_facts f = instruments_facts(p->s->instruments, instrument);
    if (!f.known) {
        return 0; /* its file is missing from instruments.d: the copy waits until it is back */
    }
    char month[8], target[64];
    path_month(doc_i64(rf, "created_at", 0), month);
    snprintf(target, sizeof target, "%s/%s", instrument, month);
    bson_t members;
    if (!doc_sub(rf, "watch.members", &members)) {
        return 0;
    }
    AUTO(bson_destroy)
    bson_t *input = BCON_NEW(
        "source_root", BCON_UTF8(f.path), "type", BCON_UTF8(instrument_type_name(f.type)), "main",
        BCON_UTF8(doc_str(rf, "original_name", "")), "members", BCON_ARRAY(&members), "target_dir",
        BCON_UTF8(target), "month", BCON_UTF8(month), "digest", BCON_UTF8(p->s->cfg->copy.digest),
        "s3_part_mib", BCON_INT64(p->s->cfg->copy.s3_part_mib));
    if (doc_has(rf, "imported")) { /* half a copy may have its final name there */
        BSON_APPEND_BOOL(input, "rename_aside", true);
    }
    struct task_new t = task_for(rf, "copy", NULL);
    t.input = input;
    AUTO(free) char *id = task_id(t.raw_file, "copy", NULL);
    BSON_APPEND_UTF8(new_ids, "0", id);
    bson_iter_t superseded;
    if (bson_iter_init_find(&superseded, rf, "superseded")) {
        BSON_APPEND_VALUE(input, "supersedes", bson_iter_value(&superseded));
    }
    return make_task(p, &t, err);
}

static const char *vendor_of(struct plan *p, const bson_t *rf)
{
    struct instrument_facts f =
        instruments_facts(p->s->instruments, doc_str(rf, "instrument_id", ""));
    return f.known ? instrument_type_name(f.type) : "generic";
}

/* An acquisition that is quantified again writes to the folder of the last run: a rerun's, if there
 * was one. */
static int find_run(const struct plan *p, const bson_t *rf, const char *task, int64_t *run,
                    struct err *err)
{
    AUTO(bson_destroy) bson_t *before = NULL;
    *run = 1;
    if (doc_i64(rf, "round", 0) == 0) {
        return 0;
    }
    if (db_find_id(p->s->db, DB_TASKS, task, &before, err) != 0) {
        return -1;
    }
    *run = before != NULL ? doc_i64(before, "input.run", 1) : 1;
    return 0;
}

int plan_quant(struct plan *p, const bson_t *rf, const bson_t *settings, bson_t *new_ids,
               struct err *err)
{
    char name[SETTINGS_ID_MAX], key[16];
    struct task_new t = task_for(rf, "quant", settings_id(settings, name));
    AUTO(free) char *id = task_id(t.raw_file, "quant", name);
    int64_t run;
    if (id == NULL || find_run(p, rf, id, &run, err) != 0) {
        return id == NULL ? err_no_memory(err) : -1;
    }
    bool others = run > 1 || doc_has(rf, "imported"); /* an earlier run, AlphaKraken's job */
    AUTO(bson_destroy)
    bson_t *input = quant_input(&(struct quant_ask){.raw_file = rf,
                                                    .settings = settings,
                                                    .instrument_type = vendor_of(p, rf),
                                                    .exists_mode = others ? "add" : "raise",
                                                    .run = run});
    if (input == NULL) {
        return err_no_memory(err);
    }
    t.input = input;
    snprintf(key, sizeof key, "%u", bson_count_keys(new_ids));
    BSON_APPEND_UTF8(new_ids, key, id);
    return make_task(p, &t, err);
}

size_t plan_resolve(struct plan *p, const bson_t *rf, const bson_t *out[RESOLVE_MAX])
{
    struct resolve_for f;
    return resolve_raw_file(&p->book, rf, vendor_of(p, rf), &f, out);
}

int plan_collect_indexing(struct plan *p, struct err *err)
{
    const struct scheduler *s = p->s;
    if (strset_begin(&p->indexing, s->dispatch.n_open, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < s->dispatch.n_open; i++) {
        if (strcmp(s->dispatch.open[i].kind, "index") == 0) {
            strset_add(&p->indexing, s->dispatch.open[i].raw_file);
        }
    }
    strset_sort(&p->indexing);
    return 0;
}

/* Index a changed raw file once it has not changed for linger_ms, or at once when it has ended. */
int plan_index(struct plan *p, const bson_t *rf, bool ended, bool changes, struct err *err)
{
    int64_t age = changes ? 0 : wall_ms() - doc_i64(rf, "updated_at_", 0);
    bool dirty = changes || doc_bool(rf, "dirty", false);
    if (!dirty || (!ended && age >= 0 && age < p->s->cfg->index.linger_ms)) {
        return 0;
    }
    if (strset_has(&p->indexing, doc_str(rf, "_id", ""))) {
        return 0;
    }
    struct task_new t = task_for(rf, "index", NULL);
    t.priority = PRIORITY_INDEX;
    return make_task(p, &t, err);
}
