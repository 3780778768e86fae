/*
 * Whatever the order: raw files change their project, status and date, several workers index them
 * at once, each stopped between any two of its commands, some of them for ever, and in the end the
 * aggregates and the sums say what the raw files say. In every other world some workers are of an
 * earlier version, which knows no sums, and a leader completes them.
 */
#include "index_model.h"

#define CHANGES 12
#define SEEDS   4000

/* --- the leader --- */

static void dismiss(struct leader *l)
{
    weeks_clear(&l->weeks);
    bson_destroy(l->fold.read);
    *l = (struct leader){0};
}

static struct entry *first_incomplete(struct world *w)
{
    for (size_t i = 0; i < w->aggregates.n; i++) {
        struct entry *e = &w->aggregates.items[i];
        if (!entity_type_is_single(e->type) && e->summed != missed(e)) {
            return e;
        }
    }
    return NULL;
}

/* false: nothing is left. */
static bool complete(struct world *w)
{
    struct leader *l = &w->leader;
    if (l->of == NULL) {
        l->of = first_incomplete(w);
        l->missed = l->of != NULL ? missed(l->of) : 0;
        return l->of != NULL;
    }
    const struct entity of = {l->of->type, l->of->entity};
    if (l->weeks.n == 0) {
        for (int week = 0; week < WEEKS; week++) { /* a superset of those that it has */
            add_week(&l->weeks, week_of_raw(&(struct raw){.week = week}));
        }
    } else if (l->at < l->weeks.n) {
        l->at += fold_sum(w, &l->fold, &of, l->weeks.items[l->at]);
    } else {
        l->of->summed = l->missed;
        dismiss(l);
    }
    return true;
}

/* --- playing --- */

static void change(struct world *w)
{
    struct raw *r = &w->raws[draw(w, FILES)];
    r->project = (int)draw(w, PROJECTS);
    r->status = (int)draw(w, 3);
    r->week = (int)draw(w, WEEKS);
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

/* One of an earlier version that dies after it has written, and before it raises a counter, may
 * leave a week behind that only it knew (store.c): not here. */
static bool may_die(const struct run *r)
{
    return !r->old || r->phase == ANNOUNCE || r->phase >= CONCLUDE;
}

static void play(struct world *w)
{
    for (int changes = 0; changes < CHANGES || any_dirty(w);) {
        struct run *r = &w->runs[draw(w, RUNS)];
        uint32_t what = draw(w, 100);
        if (what < 20) {
            (void)complete(w);
        } else if (what < 21) {
            dismiss(&w->leader); /* killed */
        } else if (!r->live) {
            start(w, r, w->has_old && changes < CHANGES / 2 && draw(w, 2) == 0);
        } else if (what < 24 && may_die(r)) {
            stop(r); /* killed */
        } else { /* some hurry, some dawdle: only so does one overtake another between two writes */
            for (uint32_t n = 1 + draw(w, 24); n > 0 && r->live; n--) {
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

/* When all are complete, sums and aggregates say the same. */
static void check_sums(struct world *w)
{
    while (complete(w)) {
    }
    for (size_t i = 0; i < w->aggregates.n; i++) {
        const struct entry *e = &w->aggregates.items[i];
        if (!entity_type_is_single(e->type)) {
            AUTO(bson_destroy)
            bson_t *sums = read_all(w, &(struct entity){e->type, e->entity}, true);
            assert_true(bson_equal(sums, e->contents));
        }
    }
}

static void clear(struct shelf *s)
{
    for (size_t i = 0; i < s->n; i++) {
        weeks_clear(&s->items[i].weeks);
        bson_destroy(s->items[i].contents);
        bson_destroy(s->items[i].entities);
    }
}

static void aggregates_and_sums_say_what_the_raw_files_say_whatever_the_order(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= SEEDS; seed++) {
        struct world *w = calloc(1, sizeof *w);
        assert_non_null(w);
        w->random = seed * 2654435761U;
        w->has_old = seed % 2 == 0;
        for (size_t i = 0; i < FILES; i++) {
            snprintf(w->raws[i].id, sizeof w->raws[i].id, "f%zu.raw", i);
            w->raws[i].rev = 1;
            w->raws[i].dirty = true;
        }
        play(w);
        for (int p = 0; p < PROJECTS; p++) {
            check_project(w, p);
        }
        check_sums(w);
        clear(&w->contributions);
        clear(&w->sums);
        clear(&w->aggregates);
        free(w);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(aggregates_and_sums_say_what_the_raw_files_say_whatever_the_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
