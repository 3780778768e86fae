/*
 * index_model.h - index tasks over a store that is a model in memory, with the guards of store.c
 * and common/index. Each call of advance() is one command. Contributions, tombstones, rows and
 * their sums are made by the real functions.
 */
#ifndef TESTS_INDEX_MODEL_H
#define TESTS_INDEX_MODEL_H
#include <stdio.h>
#include <string.h>

#include "common/index/fold.h"
#include "common/index/week.h"
#include "test.h"
#include "workers/index/contribution.h"

#define FILES     3
#define PROJECTS  3
#define WEEKS     3 /* the last one: no date */
#define RUNS      6
#define SLOTS_MAX 64

struct entry { /* a contribution, a sum or an aggregate */
    char id[96];
    int64_t rev, wanted, by_week, summed;
    bool deleted;
    enum entity_type type;
    char entity[64];
    bson_t *contents;   /* of a sum: its rows */
    bson_t *entities;   /* of a raw file's own contribution */
    struct weeks weeks; /* of that */
};
struct shelf {
    struct entry items[SLOTS_MAX];
    size_t n;
};
struct raw {
    char id[16];
    int64_t rev, indexed;
    int project, status, week;
    bool dirty;
};
struct folding { /* one document's fold under way */
    int64_t wanted;
    bool complete; /* what the aggregate's counters said */
    bson_t *read;
};
struct run { /* one index task under way */
    bool live;
    bool old;        /* of an earlier version */
    struct raw seen; /* as read */
    struct raw *of;
    struct contribution_list list;
    struct weeks weeks;
    size_t live_n, at, week_at;
    enum {
        ANNOUNCE,
        READ_PRESENT,
        ANNOUNCE_PRESENT,
        CONTRIBUTE,
        FOLD_SUMS,
        FOLD,
        CONCLUDE,
        SETTLE
    } phase;
    struct folding fold;
};
struct leader { /* completes the sums of one aggregate */
    struct entry *of;
    int64_t missed;
    struct weeks weeks;
    size_t at;
    struct folding fold;
};
struct world {
    struct shelf contributions, sums, aggregates;
    struct raw raws[FILES];
    struct run runs[RUNS];
    struct leader leader;
    bool has_old;
    uint32_t random;
};

static uint32_t draw(struct world *w, uint32_t n)
{
    w->random = w->random * 1664525U + 1013904223U;
    return (w->random >> 8) % n;
}

static struct entry *look(struct shelf *s, const char *id)
{
    for (size_t i = 0; i < s->n; i++) {
        if (strcmp(s->items[i].id, id) == 0) {
            return &s->items[i];
        }
    }
    return NULL;
}

static struct entry *make(struct shelf *s, const char *id)
{
    struct entry *e = look(s, id);
    if (e == NULL) {
        assert_true(s->n < SLOTS_MAX);
        e = &s->items[s->n++];
        snprintf(e->id, sizeof e->id, "%s", id);
        e->rev = -1;
        e->summed = -1;
        e->contents = bson_new();
        e->entities = bson_new();
    }
    return e;
}

static void set_contents(struct entry *e, const bson_t *contents)
{
    bson_t *copy = bson_copy(contents);
    bson_destroy(e->contents);
    e->contents = copy;
}

static bson_t *document(const struct raw *r)
{
    static const char *const statuses[] = {"copying", "done", "error"};
    char project[8];
    snprintf(project, sizeof project, "P%d", r->project);
    bson_t *doc = BCON_NEW("_id", BCON_UTF8(r->id), "project_id", BCON_UTF8(project),
                           "instrument_id", "tims", "status", BCON_UTF8(statuses[r->status]),
                           "size", BCON_INT64(r->rev), "rev", BCON_INT64(r->rev));
    if (r->week < WEEKS - 1) {
        BSON_APPEND_DATE_TIME(doc, "created_at", (100 + r->week) * WEEK_MS + r->rev);
    }
    return doc;
}

static void add_name(bson_t *list, const char *name)
{
    bson_iter_t at;
    char key[16];
    bson_iter_init(&at, list);
    while (bson_iter_next(&at)) {
        if (strcmp(bson_iter_utf8(&at, NULL), name) == 0) {
            return;
        }
    }
    snprintf(key, sizeof key, "%u", bson_count_keys(list));
    BSON_APPEND_UTF8(list, key, name);
}

static void start(struct world *w, struct run *r, bool old)
{
    static const struct docs none;
    struct err err = {0};
    struct raw *raw = &w->raws[draw(w, FILES)];
    *r = (struct run){.live = true, .old = old, .seen = *raw, .of = raw};
    AUTO(bson_destroy) bson_t *doc = document(raw);
    const struct contribution_sources src = {doc, &none, &none};
    assert_int_equal(contribution_build(&src, &r->list, &err), 0);
    r->live_n = r->list.n;
}

static void stop(struct run *r)
{
    contribution_list_clear(&r->list);
    weeks_clear(&r->weeks);
    bson_destroy(r->fold.read);
    *r = (struct run){0};
}

static int64_t week_of_raw(const struct raw *r)
{
    AUTO(bson_destroy) bson_t *doc = document(r);
    return week_of(doc, "created_at");
}

static struct entry *own(struct world *w, const struct run *r, bool makes)
{
    char id[96];
    snprintf(id, sizeof id, "raw_files/%s/%s", r->seen.id, r->seen.id);
    return makes ? make(&w->contributions, id) : look(&w->contributions, id);
}

static void add_week(struct weeks *weeks, int64_t week)
{
    struct err err = {0};
    assert_int_equal(weeks_add(weeks, week, &err), 0);
}

static void add_weeks(struct weeks *to, const struct weeks *from)
{
    for (size_t i = 0; i < from->n; i++) {
        add_week(to, from->items[i]);
    }
}

static void announce(struct world *w, struct run *r)
{
    struct err err = {0};
    struct entry *e = own(w, r, false);
    if (e != NULL && !contribution_replaces(e->rev, r->seen.rev)) {
        stop(r); /* superseded */
        return;
    }
    e = own(w, r, true);
    e->type = ENTITY_RAW_FILE;
    snprintf(e->entity, sizeof e->entity, "%s", r->seen.id);
    e->rev = r->seen.rev;
    for (size_t i = 0; i < r->list.n; i++) {
        AUTO(free) char *name = entity_id(r->list.items[i].type, r->list.items[i].entity);
        add_name(e->entities, name);
    }
    assert_int_equal(contribution_bury(e->entities, &r->list, &err), 0);
    r->phase = CONTRIBUTE;
    if (!r->old) {
        add_week(&e->weeks, week_of_raw(&r->seen));
        add_weeks(&r->weeks, &e->weeks);
        r->phase = READ_PRESENT;
    }
}

static void read_present(struct world *w, struct run *r)
{
    for (size_t i = 0; i < r->list.n; i++) {
        const struct contribution *c = &r->list.items[i];
        AUTO(free) char *id = contribution_id(c->type, c->entity, r->seen.id);
        const struct entry *e = look(&w->contributions, id);
        if (!entity_type_is_single(c->type) && e != NULL && !e->deleted) {
            add_week(&r->weeks, week_of(e->contents, "created_at"));
        }
    }
    r->phase = ANNOUNCE_PRESENT;
}

static void announce_present(struct world *w, struct run *r)
{
    struct entry *e = own(w, r, true);
    if (e->rev != r->seen.rev) {
        stop(r); /* superseded */
        return;
    }
    add_weeks(&e->weeks, &r->weeks);
    r->phase = CONTRIBUTE;
}

static void contribute(struct world *w, struct run *r)
{
    const struct contribution *c = &r->list.items[r->at];
    AUTO(free) char *id = contribution_id(c->type, c->entity, r->seen.id);
    struct entry *e = make(&w->contributions, id);
    if (contribution_replaces(e->rev, r->seen.rev)) {
        e->type = c->type;
        snprintf(e->entity, sizeof e->entity, "%s", c->entity);
        e->rev = r->seen.rev;
        e->deleted = c->deleted;
        set_contents(e, c->contents);
    }
    if (++r->at == r->list.n) {
        r->at = 0;
        r->phase = r->old ? FOLD : FOLD_SUMS;
    }
}

/* --- folding --- */

static bool is_of(const struct entry *e, const struct entity *of)
{
    return e->type == of->type && !e->deleted && strcmp(e->entity, of->name) == 0;
}

/* Rows of the contributions, of all weeks when NULL. */
static bson_t *read_rows(const struct shelf *s, const struct entity *of, const int64_t *week)
{
    bson_t *rows = bson_new();
    for (size_t i = 0; i < s->n; i++) {
        const struct entry *e = &s->items[i];
        if (is_of(e, of) && (week == NULL || week_of(e->contents, "created_at") == *week)) {
            char key[16];
            AUTO(bson_destroy) bson_t *row = fold_row(e->contents);
            snprintf(key, sizeof key, "%u", bson_count_keys(rows));
            BSON_APPEND_DOCUMENT(rows, key, row);
        }
    }
    return rows;
}

static void add_rows(struct fold *f, const bson_t *rows)
{
    struct err err = {0};
    bson_iter_t at;
    bson_iter_init(&at, rows);
    while (bson_iter_next(&at)) {
        bson_t row;
        assert_true(doc_sub(rows, bson_iter_key(&at), &row));
        assert_int_equal(fold_add(f, &row, &err), 0);
    }
}

static int64_t missed(const struct entry *aggregate)
{
    return aggregate->wanted - aggregate->by_week;
}

/* Each call is one command; true: stored. */
static bool fold_sum(struct world *w, struct folding *f, const struct entity *of, int64_t week)
{
    char id[96];
    snprintf(id, sizeof id, "%s/%s/%lld", entity_type_name(of->type), of->name, (long long)week);
    struct entry *e = make(&w->sums, id);
    e->type = of->type;
    snprintf(e->entity, sizeof e->entity, "%s", of->name);
    if (f->wanted == 0) {
        f->wanted = ++e->wanted;
        return false;
    }
    if (f->read == NULL) {
        f->read = read_rows(&w->contributions, of, &week);
        return false;
    }
    if (e->rev < f->wanted) {
        e->rev = f->wanted;
        set_contents(e, f->read);
    }
    bson_destroy(f->read);
    *f = (struct folding){0};
    return true;
}

static void fold_sums(struct world *w, struct run *r)
{
    const struct contribution *c = &r->list.items[r->at];
    const struct entity of = {c->type, c->entity};
    bool single = entity_type_is_single(c->type);
    if (!single && r->week_at < r->weeks.n) {
        r->week_at += fold_sum(w, &r->fold, &of, r->weeks.items[r->week_at]);
        return;
    }
    r->week_at = 0;
    if (++r->at == r->list.n) {
        r->at = 0;
        r->phase = FOLD;
    }
}

/* What all live contributions of the entity say; empty when there are none. */
static bson_t *read_all(const struct world *w, const struct entity *of, bool complete)
{
    struct err err = {0};
    const struct shelf *s = complete ? &w->sums : &w->contributions;
    AUTO(fold_free) struct fold *f = fold_new(&err);
    for (size_t i = 0; i < s->n; i++) {
        if (is_of(&s->items[i], of) && (complete || entity_type_is_single(of->type))) {
            if (!complete) {
                return bson_copy(s->items[i].contents);
            }
            add_rows(f, s->items[i].contents);
        }
    }
    if (!complete) {
        AUTO(bson_destroy) bson_t *rows = read_rows(s, of, NULL);
        add_rows(f, rows);
    }
    return fold_is_empty(f) ? bson_new() : fold_contents(f);
}

static void fold(struct world *w, struct run *r)
{
    const struct contribution *c = &r->list.items[r->at];
    const struct entity of = {c->type, c->entity};
    AUTO(free) char *id = entity_id(c->type, c->entity);
    struct entry *e = make(&w->aggregates, id);
    struct folding *f = &r->fold;
    bool sums = !r->old && !entity_type_is_single(c->type);
    if (f->wanted == 0) {
        e->type = c->type;
        snprintf(e->entity, sizeof e->entity, "%s", c->entity);
        e->by_week += sums;
        f->wanted = ++e->wanted;
        f->complete = sums && e->summed == missed(e);
    } else if (f->read == NULL) {
        f->read = read_all(w, &of, f->complete);
    } else {
        if (e->rev < f->wanted) {
            e->rev = f->wanted;
            e->deleted = bson_empty(f->read);
            set_contents(e, f->read);
        }
        bson_destroy(f->read);
        *f = (struct folding){0};
        r->phase = ++r->at == r->list.n ? CONCLUDE : FOLD;
    }
}

static void conclude(struct world *w, struct run *r)
{
    struct entry *e = own(w, r, true);
    if (e->rev == r->seen.rev) {
        bson_destroy(e->entities);
        e->entities = bson_new();
        for (size_t i = 0; i < r->live_n; i++) {
            AUTO(free) char *name = entity_id(r->list.items[i].type, r->list.items[i].entity);
            add_name(e->entities, name);
        }
        if (!r->old) {
            weeks_clear(&e->weeks);
            add_week(&e->weeks, week_of_raw(&r->seen));
        }
    }
    r->phase = SETTLE;
}

static void settle(struct run *r)
{
    if (r->of->rev == r->seen.rev) {
        r->of->indexed = r->seen.rev;
        r->of->dirty = false;
    }
    stop(r);
}

static void advance(struct world *w, struct run *r)
{
    static void (*const does[])(struct world *, struct run *) = {
        [ANNOUNCE] = announce,
        [READ_PRESENT] = read_present,
        [ANNOUNCE_PRESENT] = announce_present,
        [CONTRIBUTE] = contribute,
        [FOLD_SUMS] = fold_sums,
        [FOLD] = fold,
        [CONCLUDE] = conclude,
    };
    if (r->phase == SETTLE) {
        settle(r);
    } else {
        does[r->phase](w, r);
    }
}
#endif
