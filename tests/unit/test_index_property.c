/*
 * Whatever the order: raw files change, several workers index them at once, each stopped between
 * any two of its writes, some of them for ever, and in the end the aggregates say what the raw
 * files say. The store is a model in memory with the guards of store.c; contributions, tombstones
 * and sums are made by the real functions.
 */
#include <stdio.h>
#include <string.h>

#include "test.h"
#include "workers/index/fold.h"

#define FILES     3
#define PROJECTS  3
#define RUNS      6
#define CHANGES   8
#define SEEDS     600
#define SLOTS_MAX 64

struct entry { /* a contribution or an aggregate */
    char id[96];
    int64_t rev, wanted;
    bool deleted;
    enum entity_type type;
    char entity[64];
    bson_t *contents;
    bson_t *entities; /* of a raw file's own contribution */
};
struct shelf {
    struct entry items[SLOTS_MAX];
    size_t n;
};
struct raw {
    char id[16];
    int64_t rev, indexed;
    int project, status;
    bool dirty;
};
struct run { /* one index task under way */
    bool live;
    struct raw seen; /* as read */
    struct raw *of;
    struct contribution_list list;
    size_t live_n, at;
    int phase; /* 0 announce, 1 contribute, 2 raise wanted, 3 fold, 4 conclude, 5 settle */
    int64_t wanted;
    bson_t *read; /* what the fold under way has read */
};
struct world {
    struct shelf contributions, aggregates;
    struct raw raws[FILES];
    struct run runs[RUNS];
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
    return BCON_NEW("_id", BCON_UTF8(r->id), "project_id", BCON_UTF8(project), "instrument_id",
                    "tims", "status", BCON_UTF8(statuses[r->status]), "size", BCON_INT64(r->rev),
                    "rev", BCON_INT64(r->rev));
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

static void start(struct world *w, struct run *r)
{
    static const struct docs none;
    struct err err = {0};
    struct raw *raw = &w->raws[draw(w, FILES)];
    *r = (struct run){.live = true, .seen = *raw, .of = raw};
    AUTO(bson_destroy) bson_t *doc = document(raw);
    const struct contribution_sources src = {doc, &none, &none};
    assert_int_equal(contribution_build(&src, &r->list, &err), 0);
    r->live_n = r->list.n;
}

static void stop(struct run *r)
{
    contribution_list_clear(&r->list);
    if (r->read != NULL) {
        bson_destroy(r->read);
    }
    *r = (struct run){0};
}

static void own_id(const struct run *r, char id[static 96])
{
    snprintf(id, 96, "raw_files/%s/%s", r->seen.id, r->seen.id);
}

static void announce(struct world *w, struct run *r)
{
    struct err err = {0};
    char id[96];
    own_id(r, id);
    struct entry *e = look(&w->contributions, id);
    if (e != NULL && !contribution_replaces(e->rev, r->seen.rev)) {
        stop(r); /* superseded */
        return;
    }
    e = make(&w->contributions, id);
    e->type = ENTITY_RAW_FILE;
    snprintf(e->entity, sizeof e->entity, "%s", r->seen.id);
    e->rev = r->seen.rev;
    for (size_t i = 0; i < r->list.n; i++) {
        AUTO(free) char *name = entity_id(r->list.items[i].type, r->list.items[i].entity);
        add_name(e->entities, name);
    }
    assert_int_equal(contribution_bury(e->entities, &r->list, &err), 0);
    r->phase = 1;
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
        r->phase = 2;
    }
}

/* What all live contributions of the entity say; NULL when there are none. */
static bson_t *read_all(const struct shelf *s, const struct contribution *c)
{
    struct err err = {0};
    AUTO(fold_free) struct fold *f = fold_new(&err);
    for (size_t i = 0; i < s->n; i++) {
        const struct entry *e = &s->items[i];
        if (e->type != c->type || e->deleted || strcmp(e->entity, c->entity) != 0) {
            continue;
        }
        if (entity_type_is_single(c->type)) {
            return bson_copy(e->contents);
        }
        AUTO(bson_destroy) bson_t *row = fold_row(e->contents);
        assert_int_equal(fold_add(f, row, &err), 0);
    }
    return fold_is_empty(f) ? NULL : fold_contents(f);
}

static void raise_and_read(struct world *w, struct run *r)
{
    const struct contribution *c = &r->list.items[r->at];
    AUTO(free) char *id = entity_id(c->type, c->entity);
    struct entry *e = make(&w->aggregates, id);
    if (r->wanted == 0) {
        r->wanted = ++e->wanted;
        return;
    }
    r->read = read_all(&w->contributions, c);
    r->phase = 3;
}

static void store_fold(struct world *w, struct run *r)
{
    const struct contribution *c = &r->list.items[r->at];
    AUTO(free) char *id = entity_id(c->type, c->entity);
    struct entry *e = make(&w->aggregates, id);
    if (e->rev < r->wanted) {
        AUTO(bson_destroy) bson_t *nothing = bson_new();
        e->rev = r->wanted;
        e->deleted = r->read == NULL;
        set_contents(e, r->read != NULL ? r->read : nothing);
    }
    if (r->read != NULL) {
        bson_destroy(TAKE(r->read));
    }
    r->wanted = 0;
    r->phase = ++r->at == r->list.n ? 4 : 2;
}

static void conclude(struct world *w, struct run *r)
{
    char id[96];
    own_id(r, id);
    struct entry *e = make(&w->contributions, id);
    if (e->rev == r->seen.rev) {
        bson_destroy(e->entities);
        e->entities = bson_new();
        for (size_t i = 0; i < r->live_n; i++) {
            AUTO(free) char *name = entity_id(r->list.items[i].type, r->list.items[i].entity);
            add_name(e->entities, name);
        }
    }
    r->phase = 5;
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
    switch (r->phase) {
    case 0:
        announce(w, r);
        return;
    case 1:
        contribute(w, r);
        return;
    case 2:
        raise_and_read(w, r);
        return;
    case 3:
        store_fold(w, r);
        return;
    case 4:
        conclude(w, r);
        return;
    default:
        settle(r);
    }
}

static void change(struct world *w)
{
    struct raw *r = &w->raws[draw(w, FILES)];
    r->project = (int)draw(w, PROJECTS);
    r->status = (int)draw(w, 3);
    r->rev++;
    r->dirty = true;
}

static bool any_dirty(const struct world *w)
{
    for (size_t i = 0; i < FILES; i++) {
        if (w->raws[i].dirty) {
            return true;
        }
    }
    return false;
}

static void play(struct world *w)
{
    for (int changes = 0; changes < CHANGES || any_dirty(w);) {
        struct run *r = &w->runs[draw(w, RUNS)];
        uint32_t what = draw(w, 100);
        if (!r->live) {
            start(w, r);
        } else if (what < 3) {
            stop(r); /* killed */
        } else { /* some hurry, some dawdle: only so does one overtake another between two writes */
            for (uint32_t n = 1 + draw(w, 16); n > 0 && r->live; n--) {
                advance(w, r);
            }
        }
        if (changes < CHANGES && draw(w, 20) == 0) {
            change(w);
            changes++;
        }
    }
    for (size_t i = 0; i < RUNS; i++) { /* those that were slow come last */
        while (w->runs[i].live) {
            advance(w, &w->runs[i]);
        }
    }
}

static void check_project(struct world *w, int p)
{
    struct err err = {0};
    char id[32];
    static const struct docs none;
    AUTO(fold_free) struct fold *f = fold_new(&err);
    for (size_t i = 0; i < FILES; i++) {
        if (w->raws[i].project == p) {
            AUTO(bson_destroy) bson_t *doc = document(&w->raws[i]);
            const struct contribution_sources src = {doc, &none, &none};
            AUTO(bson_destroy) bson_t *contents = contents_member(&src);
            AUTO(bson_destroy) bson_t *row = fold_row(contents);
            assert_int_equal(fold_add(f, row, &err), 0);
        }
    }
    snprintf(id, sizeof id, "projects/P%d", p);
    const struct entry *e = look(&w->aggregates, id);
    if (fold_is_empty(f)) {
        assert_true(e == NULL || e->deleted);
        return;
    }
    AUTO(bson_destroy) bson_t *expected = fold_contents(f);
    assert_true(e != NULL && !e->deleted && bson_equal(expected, e->contents));
}

static void clear(struct shelf *s)
{
    for (size_t i = 0; i < s->n; i++) {
        bson_destroy(s->items[i].contents);
        bson_destroy(s->items[i].entities);
    }
}

static void aggregates_say_what_the_raw_files_say_whatever_the_order(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= SEEDS; seed++) {
        struct world *w = calloc(1, sizeof *w);
        assert_non_null(w);
        w->random = seed * 2654435761U;
        for (size_t i = 0; i < FILES; i++) {
            snprintf(w->raws[i].id, sizeof w->raws[i].id, "f%zu.raw", i);
            w->raws[i].rev = 1;
            w->raws[i].dirty = true;
        }
        play(w);
        for (int p = 0; p < PROJECTS; p++) {
            check_project(w, p);
        }
        clear(&w->contributions);
        clear(&w->aggregates);
        free(w);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(aggregates_say_what_the_raw_files_say_whatever_the_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
