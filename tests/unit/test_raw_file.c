/*
 * A raw file's statuses: what the table allows is exactly what can happen.
 *
 * The walk begins with each raw file that there can be, of ours and of AlphaKraken's, and lets all
 * happen to it that can: its watch ends the acquisition or sends it back, its tasks go through the
 * states that task_may allows, an operator quantifies it again, settings come and go, its original
 * is found to differ. At each stop the planner may look, or not yet.
 */
#include "test.h"

#include <string.h>

#include "common/db/db.h"
#include "common/raw/raw_file.h"
#include "common/task/task.h"
#include "scheduler/plan/outcome.h"
#include "scheduler/watch/acquisition.h"
#include "scheduler/watch/watch_reopen.h"

#define NO_TASK TASK_STATE_COUNT
#define CHANGED (TASK_STATE_COUNT + 1) /* failed: its source is not what was listed */

enum ended { STILL_OPEN, WITH_FILES, WITHOUT_FILES, WITHOUT_MAIN, RENAMED, ENDED_COUNT };

/* One raw file at one moment; small, so that all there can be are visited once. */
struct world {
    uint8_t status, copy, quant, ended, backup, settings, differs, settled, foreign, empty, skips;
};
static const char *const backups[] = {"", "copying_in_progress", "copying_done", "copying_failed",
                                      "skipped"};
#define N_BACKUPS (sizeof backups / sizeof *backups)

struct walk {
    struct world *ahead;
    size_t n, room;
    bool *visited;
    bool seen[RAW_STATUS_COUNT][RAW_STATUS_COUNT];
};

static size_t number_of(const struct world *w)
{
    size_t n = w->status;
    n = n * (CHANGED + 1) + w->copy;
    n = n * (NO_TASK + 1) + w->quant;
    n = n * ENDED_COUNT + w->ended;
    n = n * N_BACKUPS + w->backup;
    n = n * 4 + w->empty * 2U + w->skips;
    return n * 16 + w->settings * 8U + w->differs * 4U + w->settled * 2U + w->foreign;
}

#define NUMBERS                                                                                    \
    ((size_t)RAW_STATUS_COUNT * (CHANGED + 1) * (NO_TASK + 1) * ENDED_COUNT * N_BACKUPS * 64)

static void visit(struct walk *k, struct world w)
{
    size_t n = number_of(&w);
    if (k->visited[n]) {
        return;
    }
    k->visited[n] = true;
    if (k->n == k->room) {
        k->room = k->room * 2 + 1024;
        k->ahead = realloc(k->ahead, k->room * sizeof *k->ahead);
        assert_non_null(k->ahead);
    }
    k->ahead[k->n++] = w;
}

static void go(struct walk *k, const struct world *from, struct world to)
{
    k->seen[from->status][to.status] |= from->status != to.status;
    visit(k, to);
}

/* --- its documents --- */

static bson_t *document(const struct world *w)
{
    bson_t *rf = BCON_NEW("_id", "a.raw", "original_name", "a.raw", "instrument_file_status",
                          BCON_UTF8(w->ended == RENAMED ? "renamed" : "initial"), "status",
                          BCON_UTF8(raw_status_names[w->status]));
    if (backups[w->backup][0] != '\0') {
        BSON_APPEND_UTF8(rf, "backup_status", backups[w->backup]);
    }
    if (w->differs) {
        BCON_APPEND(rf, "original", "{", "state", "differs", "why", "a.raw: other content", "}");
    }
    if (w->foreign) {
        return rf;
    }
    bson_t watch = BSON_INITIALIZER;
    if (w->ended == WITH_FILES || w->ended == WITHOUT_MAIN) {
        BCON_APPEND(&watch, "members", "[", "{", "from", "a.raw", "to", "a.raw", "}", "]");
    }
    BCON_APPEND(&watch, "rule", BCON_UTF8(w->ended == RENAMED ? RAW_RULE_RENAMED : "quiet"),
                "error", BCON_UTF8(w->ended == WITHOUT_MAIN ? "Main file disappeared" : ""));
    BSON_APPEND_DOCUMENT(rf, "watch", &watch);
    BSON_APPEND_BOOL(rf, "settled", w->settled);
    bson_destroy(&watch);
    return rf;
}

static bson_t *task(unsigned state, bool empty)
{
    if (state == NO_TASK) {
        return NULL;
    }
    bool changed = state == CHANGED;
    return BCON_NEW("state",
                    BCON_UTF8(task_state_name(changed ? TASK_FAILED : (enum task_state)state)),
                    "error", "{", "msg", "x", "code", BCON_UTF8(changed ? "source_changed" : ""),
                    "}", "result", "{", "size", BCON_INT64(empty ? 0 : 5), "}", "kept", "{",
                    "job_id", BCON_INT64(state == TASK_RUNNING), "}");
}

/* --- what can happen --- */

static void the_planner_looks(struct walk *k, const struct world *w)
{
    AUTO(bson_destroy) bson_t *rf = document(w);
    AUTO(bson_destroy) bson_t *copy = task(w->copy, w->empty);
    AUTO(bson_destroy) bson_t *quant = task(w->quant, false);
    const bson_t *quants[] = {quant};
    const struct outcome_tasks tasks = {.copy = copy, .quant = quants, .n_quant = quant != NULL};
    struct outcome o;
    const struct instrument instrument = {.skip_processing = w->skips};
    outcome_of(rf, &tasks, &instrument, w->settings, &o);
    struct world to = *w;
    to.status = (uint8_t)o.status;
    if (o.next == NEXT_MONITOR_AGAIN) {
        to = (struct world){.status = (uint8_t)o.status, .copy = NO_TASK, .quant = NO_TASK};
        go(k, w, to);
        return;
    }
    for (uint8_t i = 0; o.backup_status != NULL && i < N_BACKUPS; i++) {
        to.backup = strcmp(backups[i], o.backup_status) == 0 ? i : to.backup;
    }
    to.copy = o.next == NEXT_COPY ? TASK_READY : to.copy;
    to.quant = o.next == NEXT_QUANT ? TASK_READY : to.quant;
    to.settled = o.ended && to.status == w->status;
    go(k, w, to);
}

static void its_watch_writes(struct walk *k, const struct world *w)
{
    if (raw_status_is_open((enum raw_status)w->status)) {
        struct world to = *w;
        to.foreign = false;
        to.status = RAW_MONITORING_ACQUISITION;
        go(k, w, to);
        to.status = RAW_MONITORING_DONE;
        for (to.ended = WITH_FILES; to.ended < ENDED_COUNT; to.ended++) {
            to.empty = false;
            go(k, w, to);
            to.empty = true;
            go(k, w, to);
        }
        return;
    }
    AUTO(bson_destroy) bson_t *rf = document(w);
    if (reopen_may(rf)) {
        struct world to = {.status = RAW_MONITORING_ACQUISITION,
                           .copy = NO_TASK,
                           .quant = NO_TASK,
                           .foreign = w->foreign};
        go(k, w, to);
        to.quant = TASK_READY; /* trawl rerun read it before, and adds its task afterwards */
        go(k, w, to);
    }
}

static void its_tasks_move(struct walk *k, const struct world *w)
{
    for (int s = 0; s < TASK_STATE_COUNT; s++) {
        struct world to = *w;
        bool of_copy = w->copy < TASK_STATE_COUNT && w->copy != TASK_DONE;
        enum task_state copy = w->copy == CHANGED ? TASK_FAILED : (enum task_state)w->copy;
        if ((of_copy || w->copy == CHANGED) && task_may(copy, (enum task_state)s)) {
            to.copy = (uint8_t)s;
            to.settled = false; /* an open task of a settled raw file unsettles it */
            go(k, w, to);
            to.copy = s == TASK_FAILED ? CHANGED : to.copy;
            go(k, w, to);
        }
        to = *w;
        if (w->quant != NO_TASK && task_may((enum task_state)w->quant, (enum task_state)s)) {
            to.quant = (uint8_t)s;
            to.settled = false;
            go(k, w, to);
        }
    }
}

static void people_act(struct walk *k, const struct world *w)
{
    struct world to = *w;
    to.settings = !w->settings;
    go(k, w, to);
    to = *w;
    to.skips = !w->skips; /* the instrument's skip_processing */
    go(k, w, to);
    bool copied = w->backup == 2;
    if (copied && !w->foreign) {
        to = *w;
        to.differs = true;
        to.settled = false;
        go(k, w, to);
    }
    if (copied && w->copy == TASK_DONE && w->quant == NO_TASK) { /* trawl rerun */
        to = *w;
        to.quant = TASK_READY;
        to.settled = false;
        go(k, w, to);
    }
}

static void begin(struct walk *k)
{
    struct world w = {.copy = NO_TASK, .quant = NO_TASK};
    visit(k, w);
    w.status = RAW_IGNORED;
    visit(k, w);
    w.foreign = true;
    for (w.status = 0; w.status < RAW_STATUS_COUNT; w.status++) {
        bool open = raw_status_is_open((enum raw_status)w.status);
        for (w.backup = 0; w.backup < (open ? 1 : N_BACKUPS); w.backup++) {
            visit(k, w);
        }
    }
}

static void the_table_of_statuses_allows_exactly_what_can_happen(void **state)
{
    (void)state;
    struct walk k = {.visited = calloc(NUMBERS, sizeof *k.visited)};
    assert_non_null(k.visited);
    begin(&k);
    size_t stops = 0;
    for (; k.n > 0; stops++) {
        struct world w = k.ahead[--k.n];
        its_watch_writes(&k, &w);
        its_tasks_move(&k, &w);
        people_act(&k, &w);
        the_planner_looks(&k, &w);
    }
    size_t wrong = 0;
    for (int from = 0; from < RAW_STATUS_COUNT; from++) {
        for (int to = 0; to < RAW_STATUS_COUNT; to++) {
            bool may = raw_status_may((enum raw_status)from, (enum raw_status)to);
            if (from != to && may != k.seen[from][to]) {
                print_error("%s -> %s: %s\n", raw_status_names[from], raw_status_names[to],
                            may ? "allowed, but it never happens" : "happens, but is not allowed");
                wrong++;
            }
        }
    }
    assert_true(stops > 1000);
    assert_int_equal(wrong, 0);
    free(k.ahead);
    free(k.visited);
}

static void a_status_is_named_as_alphakraken_names_it_and_read_back(void **state)
{
    (void)state;
    for (int i = 0; i < RAW_STATUS_COUNT; i++) {
        assert_int_equal(raw_status_parse(raw_status_names[i]), i);
    }
    assert_null(raw_status_names[RAW_STATUS_COUNT]);
    assert_int_equal(raw_status_parse("of a later AlphaKraken"), RAW_UNKNOWN);
    assert_true(raw_status_may(RAW_UNKNOWN, RAW_DONE));
    assert_false(raw_status_may(RAW_DONE, RAW_UNKNOWN));
}

static void a_status_that_may_not_follow_is_refused_by_name(void **state)
{
    (void)state;
    AUTO(bson_destroy)
    bson_t *rf = BCON_NEW("_id", "a.raw", "status", "done", "rev", BCON_INT64(3));
    const struct raw_file_plan p = {.rf = rf, .status = RAW_QUEUED_FOR_MONITORING};
    struct err err = {0};
    assert_null(raw_file_news(&p, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    assert_non_null(strstr(err.msg, "is done cannot become queued_for_monitoring"));
}

static struct db_change planned(const bson_t *rf, enum raw_status status)
{
    struct err err = {0};
    const struct raw_file_plan p = {.rf = rf, .status = status, .ended = true};
    AUTO(bson_destroy) bson_t *news = raw_file_news(&p, &err);
    bson_t none = BSON_INITIALIZER;
    assert_non_null(news);
    return raw_file_planning(&p, news, &none);
}

static void a_change_is_guarded_by_the_rev_that_was_read_and_raises_it(void **state)
{
    (void)state;
    AUTO(bson_destroy)
    bson_t *rf = BCON_NEW("_id", "a.raw", "status", "quanting", "rev", BCON_INT64(3));
    struct db_change c = planned(rf, RAW_DONE);
    assert_int_equal(doc_i64(c.filter, "rev", 0), 3);
    assert_int_equal(doc_i64(c.update, "$inc.rev", 0), 1);
    assert_int_equal(doc_i64(c.proof, "rev", 0), 4);
    assert_string_equal(doc_str(c.update, "$set.status", ""), "done");
    assert_true(doc_bool(c.update, "$set.dirty", false));
    assert_false(doc_bool(c.update, "$set.settled", true)); /* the index has not seen it yet */
    db_change_fini(&c);
}

static void what_the_document_says_already_is_not_written_again(void **state)
{
    (void)state;
    AUTO(bson_destroy)
    bson_t *rf = BCON_NEW("_id", "a.raw", "status", "done", "rev", BCON_INT64(3), "settled",
                          BCON_BOOL(true));
    assert_null(planned(rf, RAW_DONE).filter);
}

static void a_document_of_another_program_gets_no_rev(void **state)
{
    (void)state;
    AUTO(bson_destroy) bson_t *rf = BCON_NEW("_id", "a.raw", "status", "done");
    bson_t files = BSON_INITIALIZER;
    struct db_change c =
        raw_file_backup_verified(rf, &(struct raw_damage){.files = &files, .n = 1, .by = "test"});
    assert_true(doc_has(c.update, "$set.backup_damaged"));
    assert_false(doc_has(c.update, "$inc.rev"));
    assert_false(doc_has(c.update, "$set.dirty"));
    db_change_fini(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_of_statuses_allows_exactly_what_can_happen),
        cmocka_unit_test(a_status_is_named_as_alphakraken_names_it_and_read_back),
        cmocka_unit_test(a_status_that_may_not_follow_is_refused_by_name),
        cmocka_unit_test(a_change_is_guarded_by_the_rev_that_was_read_and_raises_it),
        cmocka_unit_test(what_the_document_says_already_is_not_written_again),
        cmocka_unit_test(a_document_of_another_program_gets_no_rev),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
