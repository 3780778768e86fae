/* Who goes before whom in a pool, and which tasks go with one of them. */
#include "test.h"

#include <string.h>

#include "ops/queue.h"
#include "ops/task_tree.h"

#define NOW 1000000

static void add(struct docs *d, bson_t *doc)
{
    struct err err = {0};
    AUTO(bson_destroy) bson_t *own = doc;
    assert_int_equal(docs_add(d, own, &err), 0);
}

struct copy {
    const char *id, *instrument, *state;
    int64_t priority, ready_at, not_before;
};

static bson_t *copy(const struct copy *c)
{
    return BCON_NEW("_id", BCON_UTF8(c->id), "kind", "copy", "pool", "file_copy", "state",
                    BCON_UTF8(c->state), "instrument_id", BCON_UTF8(c->instrument), "priority",
                    BCON_INT64(c->priority), "ready_at", BCON_DATE_TIME(c->ready_at), "not_before",
                    BCON_DATE_TIME(c->not_before));
}

static const struct queue_cap caps[] = {{"a", 2}, {"b", 2}};

static struct queue_place place_of(const char *id, const struct copy *copies, size_t n, bool *found)
{
    struct err err = {0};
    struct queue_place out;
    AUTO(docs_free) struct docs *open = docs_new(&err);
    for (size_t i = 0; i < n; i++) {
        add(open, copy(&copies[i]));
    }
    const struct queue q = {.open = open, .caps = caps, .n_caps = 2, .now_ms = NOW};
    *found = queue_place(&q, docs_by_id(open, id), &out);
    return out;
}

static void the_group_that_holds_least_goes_first_then_the_oldest(void **state)
{
    (void)state;
    static const struct copy copies[] = {
        {"a/run", "a", "running", 100, 1, 0},      {"a/old", "a", "ready", 100, 2, 0},
        {"b/new", "b", "ready", 100, 9, 0},        {"b/newer", "b", "ready", 100, 10, 0},
        {"a/late", "a", "ready", 100, 3, NOW * 2}, {"c/first", "c", "ready", 200, 50, 0},
    };
    bool found;
    struct queue_place p = place_of("c/first", copies, 6, &found);
    assert_true(found);
    assert_int_equal(p.ahead, 0);
    p = place_of("b/new", copies, 6, &found);
    assert_int_equal(p.ahead, 1);
    assert_int_equal(p.higher, 1);
    p = place_of("a/old", copies, 6, &found); /* its instrument has a slot, b has none */
    assert_int_equal(p.ahead, 2);
    assert_int_equal(p.held, 1);
    assert_int_equal(p.cap, 2);
    p = place_of("b/newer", copies, 6, &found); /* as many as a by then, and younger */
    assert_int_equal(p.ahead, 3);
    (void)place_of("a/late", copies, 6, &found); /* its time has not come */
    assert_false(found);
    (void)place_of("a/run", copies, 6, &found);
    assert_false(found);
}

static void a_group_at_its_cap_lets_the_others_go_first(void **state)
{
    (void)state;
    static const struct copy copies[] = {
        {"a/1", "a", "running", 100, 1, 0}, {"a/2", "a", "parked", 100, 1, 0},
        {"a/3", "a", "ready", 100, 2, 0},   {"b/1", "b", "ready", 100, 9, 0},
        {"b/2", "b", "ready", 100, 9, 0},   {"b/3", "b", "ready", 100, 9, 0},
    };
    bool found;
    struct queue_place p = place_of("a/3", copies, 6, &found);
    assert_true(found);
    assert_int_equal(p.held, 2);
    assert_int_equal(p.cap, 2);
    assert_int_equal(p.ahead, 2); /* b, up to its own cap */
}

static bson_t *task(const char *id, const char *kind, const char *state)
{
    return BCON_NEW("_id", BCON_UTF8(id), "kind", BCON_UTF8(kind), "state", BCON_UTF8(state));
}

/* "copy quant": the ids that are selected, in order. */
static const char *selected(enum tree_what what, const char *root, const char *const states[5],
                            char buf[static 200])
{
    static const char *const kinds[] = {"copy", "quant", "index", "move", "remove"};
    struct err err = {0};
    AUTO(docs_free) struct docs *all = docs_new(&err);
    for (size_t i = 0; i < 5; i++) {
        if (states[i] != NULL) {
            add(all, task(kinds[i], kinds[i], states[i]));
        }
    }
    AUTO(docs_free) struct docs *out = tree_select(what, docs_by_id(all, root), all, &err);
    buf[0] = '\0';
    for (size_t i = 0; i < out->n; i++) {
        size_t used = strlen(buf);
        snprintf(buf + used, 200 - used, "%s%s", i > 0 ? " " : "",
                 doc_str(out->items[i], "_id", "?"));
    }
    return buf;
}

static void a_tree_is_retried_as_far_as_it_has_what_it_needs(void **state)
{
    (void)state;
    static const struct {
        const char *root, *states[5], *want;
    } cases[] = {
        {"copy", {"failed", NULL, "done"}, "copy"},
        {"copy", {"failed", "skipped", "failed"}, "copy index"}, /* quant: when the copy is done */
        {"copy", {"done", "failed", "done"}, "quant"},
        {"copy", {"done", "dead", "dead", "cancelled"}, "quant index move"},
        {"copy", {"done", "ignored", "done"}, ""}, /* accepted: that stands */
        {"copy", {"done", "running", "done", "failed", "failed"}, "move"},
        {"quant", {"done", "ignored", "failed", "failed"}, "quant index"},
        {"move", {"done", "failed", "done", "done", "failed"}, "remove"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char buf[200];
        assert_string_equal(selected(TREE_RETRY, cases[i].root, cases[i].states, buf),
                            cases[i].want);
    }
}

static void a_tree_is_skipped_but_for_what_ended_or_runs(void **state)
{
    (void)state;
    static const char *const states[5] = {"failed", "ready", "ready", "running", "dead"};
    char buf[200];
    assert_string_equal(selected(TREE_SKIP, "copy", states, buf), "copy quant remove");
    assert_string_equal(selected(TREE_SKIP, "index", states, buf), "index");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_group_that_holds_least_goes_first_then_the_oldest),
        cmocka_unit_test(a_group_at_its_cap_lets_the_others_go_first),
        cmocka_unit_test(a_tree_is_retried_as_far_as_it_has_what_it_needs),
        cmocka_unit_test(a_tree_is_skipped_but_for_what_ended_or_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
