/* From a raw file and its tasks to its status and what comes next. */
#include "test.h"

#include <string.h>

#include "common/db/db.h"
#include "scheduler/plan/outcome.h"
#include "scheduler/watch/acquisition.h"

static bson_t *raw_file(const char *status, const char *error, bool members)
{
    bson_t list = BSON_INITIALIZER;
    if (members) {
        BCON_APPEND(&list, "0", "{", "from", "a.raw", "to", "a.raw", "}");
    }
    bson_t *doc = BCON_NEW("_id", "a.raw", "original_name", "a.raw", "status", BCON_UTF8(status),
                           "watch", "{", "rule", "quiet", "error", BCON_UTF8(error), "members",
                           BCON_ARRAY(&list), "}");
    bson_destroy(&list);
    return doc;
}

static bson_t *task(const char *state, const char *msg)
{
    return BCON_NEW("state", BCON_UTF8(state), "settings", "msqc-v1", "error", "{", "msg",
                    BCON_UTF8(msg), "}", "result", "{", "size", BCON_INT64(5), "}");
}

static struct outcome of(const char *status, const bson_t *copy, const bson_t *quant, bool settings)
{
    AUTO(bson_destroy) bson_t *rf = raw_file(status, "", true);
    const bson_t *quants[] = {quant};
    struct outcome_tasks tasks = {.copy = copy, .quant = quants, .n_quant = quant != NULL};
    struct outcome o;
    outcome_of(rf, &tasks, NULL, settings, &o);
    return o;
}

static void an_acquisition_that_goes_on_is_left_to_its_watcher(void **state)
{
    (void)state;
    struct outcome o = of("monitoring_acquisition", NULL, NULL, true);
    assert_int_equal(o.next, NEXT_WAIT);
    assert_false(o.ended);
}

static void an_ended_acquisition_is_copied_next(void **state)
{
    (void)state;
    assert_int_equal(of("monitoring_done", NULL, NULL, true).next, NEXT_COPY);
}

static void a_renamed_file_is_not_copied(void **state)
{
    (void)state;
    AUTO(bson_destroy)
    bson_t *rf =
        BCON_NEW("status", "monitoring_done", "watch", "{", "rule", RAW_RULE_RENAMED, "error",
                 "File got renamed", "members", "[", "{", "from", "a.raw", "}", "]", "}");
    struct outcome_tasks none = {0};
    struct outcome o;
    outcome_of(rf, &none, NULL, true, &o);
    assert_string_equal(raw_status_names[o.status], "acquisition_failed");
    assert_string_equal(o.backup_status, "skipped");
    assert_string_equal(o.instrument_file_status, "renamed");
    assert_true(o.ended);
    assert_int_equal(o.next, NEXT_WAIT);
}

static void an_acquisition_without_files_has_failed(void **state)
{
    (void)state;
    AUTO(bson_destroy) bson_t *rf = raw_file("monitoring_done", "", false);
    struct outcome_tasks none = {0};
    struct outcome o;
    outcome_of(rf, &none, NULL, true, &o);
    assert_string_equal(o.details, "No files were found.");
    assert_true(o.ended);
}

/* Sent back to monitoring by an import; its watch has ended it without having seen its file. */
static bson_t *lost(const char *was, bool recorded)
{
    bson_t *doc = BCON_NEW("status", "monitoring_done", "watch", "{", "rule", "main file missing",
                           "error", "Main file was not created", "members", "[", "]", "}");
    bson_t mark = BSON_INITIALIZER;
    BCON_APPEND(&mark, "status", BCON_UTF8(was), "status_details", "as it was");
    if (recorded) {
        BCON_APPEND(&mark, "backup_base_path", "/b/t/2024_01", "file_info", "{", "}");
    }
    BSON_APPEND_DOCUMENT(doc, "imported", &mark);
    bson_destroy(&mark);
    return doc;
}

static void an_imported_one_whose_original_is_gone_is_what_its_record_says(void **state)
{
    (void)state;
    static const struct {
        const char *was;
        bool recorded;
        const char *status, *details, *backup;
    } rows[] = {
        {"quanting", true, "done_not_quanted", "imported while quanting, and its original is gone",
         "copying_done"},
        {"copying", true, "error", "its backup may not be whole", "copying_failed"},
        {"error", true, "error", "as it was", "copying_failed"},
        {"acquisition_failed", false, "acquisition_failed", "as it was", "skipped"},
        {"copying", false, "acquisition_failed", "No files were found.", "skipped"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO(bson_destroy) bson_t *rf = lost(rows[i].was, rows[i].recorded);
        struct outcome_tasks tasks = {0};
        struct outcome o;
        outcome_of(rf, &tasks, NULL, true, &o);
        assert_string_equal(raw_status_names[o.status], rows[i].status);
        assert_non_null(strstr(o.details, rows[i].details));
        assert_string_equal(o.backup_status, rows[i].backup);
        assert_int_equal(o.restored, rows[i].recorded);
        assert_true(o.ended);
    }
}

static void an_imported_one_whose_original_is_gone_can_be_quantified(void **state)
{
    (void)state;
    AUTO(bson_destroy) bson_t *rf = lost("quanting", true);
    AUTO(bson_destroy) bson_t *ready = task("ready", "");
    AUTO(bson_destroy) bson_t *done = task("done", "");
    const bson_t *quants[] = {ready};
    struct outcome_tasks tasks = {.quant = quants, .n_quant = 1};
    struct outcome o;
    outcome_of(rf, &tasks, NULL, true, &o);
    assert_string_equal(raw_status_names[o.status], "queued_for_quanting");
    assert_false(o.ended);
    quants[0] = done;
    outcome_of(rf, &tasks, NULL, true, &o);
    assert_string_equal(raw_status_names[o.status], "done");
    assert_string_equal(o.details, "");
}

static void a_missing_main_file_fails_only_after_the_rest_is_copied(void **state)
{
    (void)state;
    AUTO(bson_destroy) bson_t *rf = raw_file("monitoring_done", "Main file was not created", true);
    AUTO(bson_destroy) bson_t *copy = task("done", "");
    struct outcome_tasks tasks = {0};
    struct outcome o;
    outcome_of(rf, &tasks, NULL, true, &o);
    assert_int_equal(o.next, NEXT_COPY);
    tasks.copy = copy;
    outcome_of(rf, &tasks, NULL, true, &o);
    assert_string_equal(raw_status_names[o.status], "acquisition_failed");
    assert_string_equal(o.details, "Main file was not created");
    assert_string_equal(o.backup_status, "copying_done");
}

static void the_copy_shows_in_status_and_backup_status(void **state)
{
    (void)state;
    AUTO(bson_destroy) bson_t *running = task("running", "");
    struct outcome o = of("monitoring_done", running, NULL, true);
    assert_string_equal(raw_status_names[o.status], "copying");
    assert_string_equal(o.backup_status, "copying_in_progress");
    AUTO(bson_destroy) bson_t *dead = task("dead", "disk on fire");
    o = of("copying", dead, NULL, true);
    assert_string_equal(raw_status_names[o.status], "error");
    assert_string_equal(o.backup_status, "copying_failed");
    assert_non_null(strstr(o.details, "disk on fire"));
    assert_true(o.ended);
}

static void a_source_that_changed_goes_back_to_monitoring(void **state)
{
    (void)state;
    AUTO(bson_destroy) bson_t *copy = task("failed", "transfer: source changed: it grew");
    struct outcome o = of("copying", copy, NULL, true);
    assert_int_equal(o.next, NEXT_MONITOR_AGAIN);
    assert_string_equal(raw_status_names[o.status], "monitoring_acquisition");
    assert_false(o.ended);
}

static bson_t *failed_with(const char *code, const char *msg)
{
    return BCON_NEW("state", "failed", "error", "{", "kind", "permanent", "code", BCON_UTF8(code),
                    "msg", BCON_UTF8(msg), "}");
}

static void whether_a_source_changed_is_said_by_a_code_and_not_by_names_in_a_text(void **state)
{
    (void)state;
    AUTO(bson_destroy) bson_t *named = failed_with("", "source: open source changed: x.raw: ?");
    AUTO(bson_destroy) bson_t *coded = failed_with("source_changed", "in other words");
    struct outcome o = of("copying", named, NULL, true);
    assert_int_equal(o.next, NEXT_WAIT);
    assert_string_equal(raw_status_names[o.status], "error");
    o = of("copying", coded, NULL, true);
    assert_int_equal(o.next, NEXT_MONITOR_AGAIN);
    assert_non_null(strstr(o.details, "in other words"));
}

struct original_case {
    const char *on_share, *original, *why, *retire;
    const bson_t *move, *remove;
};

static struct outcome of_original(const struct original_case *c)
{
    AUTO(bson_destroy) bson_t *copy = task("done", "");
    AUTO(bson_destroy) bson_t *rf = raw_file("done", "", true);
    BCON_APPEND(rf, "instrument_file_status", BCON_UTF8(c->on_share), "backup_base_path", "/b",
                "retire", BCON_UTF8(c->retire));
    if (c->original != NULL) {
        BCON_APPEND(rf, "original", "{", "state", BCON_UTF8(c->original), "why", BCON_UTF8(c->why),
                    "}");
    }
    struct outcome_tasks tasks = {.copy = copy, .move = c->move, .remove = c->remove};
    struct outcome o;
    outcome_of(rf, &tasks, NULL, false, &o);
    return o;
}

/* snowtrack/snowfs#176: in production the move is the first to see what was filled late. */
static void a_move_that_finds_a_difference_sends_the_raw_file_back(void **state)
{
    (void)state;
    AUTO(bson_destroy) bson_t *changed = failed_with("source_changed", "a.raw: hashes differ");
    AUTO(bson_destroy) bson_t *refused = failed_with("", "its backup is damaged");
    AUTO(bson_destroy) bson_t *open = task("running", "");
    struct outcome o = of_original(
        &(struct original_case){.on_share = "initial", .retire = "moving", .move = changed});
    assert_int_equal(o.next, NEXT_MONITOR_AGAIN);
    assert_string_equal(raw_status_names[o.status], "monitoring_acquisition");
    assert_non_null(strstr(o.details, "hashes differ"));
    o = of_original(
        &(struct original_case){.on_share = "initial", .retire = "moving", .move = refused});
    assert_int_equal(o.next, NEXT_WAIT);
    o = of_original(&(struct original_case){
        .on_share = "initial", .retire = "removing", .move = changed, .remove = open});
    assert_int_equal(o.next, NEXT_WAIT);
    o = of_original(&(struct original_case){.on_share = "moved", .retire = "", .move = changed});
    assert_int_equal(o.next, NEXT_WAIT);
}

static void what_another_raw_file_has_the_name_of_is_never_sent_back(void **state)
{
    (void)state;
    AUTO(bson_destroy) bson_t *changed = failed_with("source_changed", "a.raw was replaced");
    AUTO(bson_destroy) bson_t *copy = task("done", "");
    AUTO(bson_destroy) bson_t *rf = raw_file("done", "", true);
    BCON_APPEND(rf, "instrument_file_status", "initial", "backup_base_path", "/b", "retire",
                "moving");
    struct outcome_tasks tasks = {.copy = copy, .move = changed, .replaced = true};
    struct outcome o;
    outcome_of(rf, &tasks, NULL, false, &o);
    assert_int_equal(o.next, NEXT_WAIT);
    assert_true(o.copied);
    tasks = (struct outcome_tasks){.copy = changed, .replaced = true};
    outcome_of(rf, &tasks, NULL, false, &o);
    assert_int_equal(o.next, NEXT_WAIT);
    assert_string_equal(raw_status_names[o.status], "error");
    assert_non_null(strstr(o.details, "a.raw was replaced"));
}

static void an_original_that_was_found_to_differ_is_acquired_anew_while_it_stays(void **state)
{
    (void)state;
    AUTO(bson_destroy) bson_t *open = task("ready", "");
    struct original_case c = {
        .on_share = "initial", .original = "differs", .why = "x is new", .retire = ""};
    struct outcome o = of_original(&c);
    assert_int_equal(o.next, NEXT_MONITOR_AGAIN);
    assert_non_null(strstr(o.details, "x is new"));
    c.move = open; /* which compares by itself */
    assert_int_equal(of_original(&c).next, NEXT_WAIT);
    c.move = NULL;
    c.on_share = "moved"; /* it is where nobody acquires: a person decides */
    assert_int_equal(of_original(&c).next, NEXT_WAIT);
    c.on_share = "initial";
    c.original = "unsettled"; /* its watcher decides */
    assert_int_equal(of_original(&c).next, NEXT_WAIT);
    c.original = "same";
    assert_int_equal(of_original(&c).next, NEXT_WAIT);
}

static void a_removal_that_finds_a_difference_is_told_as_one(void **state)
{
    (void)state;
    AUTO(bson_destroy) bson_t *differs = failed_with("original_differs", "a.raw: other content");
    AUTO(bson_destroy) bson_t *damaged = failed_with("", "its backup is damaged");
    struct original_case c = {.on_share = "moved", .retire = "removing", .remove = differs};
    struct outcome o = of_original(&c);
    assert_string_equal(o.differs, "a.raw: other content");
    assert_string_equal(o.kept, "a.raw: other content");
    c.remove = damaged;
    assert_null(of_original(&c).differs);
}

static void a_retried_copy_brings_an_errored_file_back(void **state)
{
    (void)state;
    AUTO(bson_destroy) bson_t *copy = task("ready", "old trouble");
    struct outcome o = of("error", copy, NULL, true);
    assert_string_equal(raw_status_names[o.status], "monitoring_done");
    assert_false(o.ended);
}

static void a_copied_file_is_quantified_when_settings_resolve(void **state)
{
    (void)state;
    AUTO(bson_destroy) bson_t *copy = task("done", "");
    struct outcome o = of("copying", copy, NULL, true);
    assert_int_equal(o.next, NEXT_QUANT);
    assert_string_equal(raw_status_names[o.status], "queued_for_quanting");
    o = of("copying", copy, NULL, false);
    assert_string_equal(raw_status_names[o.status], "done_not_quanted");
    assert_string_equal(o.details, "No settings configured.");
    assert_true(o.ended);
}

static void quantification_ends_as_the_reference_says(void **state)
{
    (void)state;
    static const struct {
        const char *task, *status;
        bool ended;
    } cases[] = {
        {"ready", "queued_for_quanting", false}, {"running", "queued_for_quanting", false},
        {"parked", "quanting", false},           {"done", "done", true},
        {"failed", "quanting_failed", true},     {"dead", "error", true},
        {"cancelled", "quanting_failed", true},
    };
    AUTO(bson_destroy) bson_t *copy = task("done", "");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO(bson_destroy) bson_t *quant = task(cases[i].task, "TIMEOUT\nlong log");
        struct outcome o = of("quanting", copy, quant, true);
        assert_string_equal(raw_status_names[o.status], cases[i].status);
        assert_int_equal(o.ended, cases[i].ended);
        if (strcmp(cases[i].task, "failed") == 0) {
            assert_string_equal(o.details, "[msqc-v1] TIMEOUT");
        }
    }
}

static bson_t *set_aside(const char *state)
{
    bson_t *doc = task(state, "OUT_OF_MEMORY\nlong log");
    BCON_APPEND(doc, state, "{", "by", "kim@lab", "why", "a blank", "}");
    return doc;
}

static void what_an_operator_sets_aside_is_no_error_and_says_why(void **state)
{
    (void)state;
    AUTO(bson_destroy) bson_t *copied = task("done", "");
    AUTO(bson_destroy) bson_t *skipped = set_aside("skipped");
    AUTO(bson_destroy) bson_t *ignored = set_aside("ignored");
    struct outcome o = of("quanting_failed", copied, skipped, true);
    assert_string_equal(raw_status_names[o.status], "done_not_quanted");
    assert_string_equal(o.details, "[msqc-v1] skipped by kim@lab: a blank");
    o = of("quanting_failed", copied, ignored, true);
    assert_string_equal(raw_status_names[o.status], "done");
    assert_string_equal(o.details, "[msqc-v1] OUT_OF_MEMORY; accepted by kim@lab: a blank");
    assert_true(o.ended);
    o = of("error", skipped, NULL, true);
    assert_string_equal(raw_status_names[o.status], "ignored");
    assert_string_equal(o.backup_status, "skipped");
    assert_int_equal(o.next, NEXT_WAIT);
    o = of("error", ignored, NULL, true); /* there is no backup, and nothing says that there is */
    assert_string_equal(raw_status_names[o.status], "ignored");
    assert_string_equal(o.backup_status, "copying_failed");
    assert_true(o.ended && !o.copied);
    AUTO(bson_destroy) bson_t *again = task("ready", "");
    assert_int_equal(of("ignored", again, NULL, true).status, RAW_MONITORING_DONE);
    o = of("ignored", NULL, NULL, true); /* by the watcher: its status is not ours to change */
    assert_true(o.ended);
    assert_int_equal(o.next, NEXT_WAIT);
}

/* As the import makes it: no watch of ours has ended its acquisition. */
static struct outcome of_imported(const char *status, const bson_t *quant, bool settings)
{
    AUTO(bson_destroy)
    bson_t *rf = BCON_NEW("_id", "a.raw", "original_name", "a.raw", "status", BCON_UTF8(status),
                          "status_details", "as it was", "size", BCON_INT64(5), "watch", "{",
                          "size", BCON_INT64(5), "}");
    const bson_t *quants[] = {quant};
    struct outcome_tasks tasks = {.quant = quants, .n_quant = quant != NULL};
    struct outcome o;
    outcome_of(rf, &tasks, NULL, settings, &o);
    return o;
}

static void an_imported_raw_file_keeps_its_status_until_it_is_quantified_again(void **state)
{
    (void)state;
    static const char *const finished[] = {"done",  "done_not_quanted", "quanting_failed",
                                           "error", "ignored",          "acquisition_failed"};
    AUTO(bson_destroy) bson_t *open = task("ready", "");
    AUTO(bson_destroy) bson_t *done = task("done", "");
    for (size_t i = 0; i < sizeof finished / sizeof *finished; i++) {
        struct outcome o = of_imported(finished[i], NULL, true);
        assert_string_equal(raw_status_names[o.status], finished[i]);
        assert_string_equal(o.details, "");
        assert_true(o.ended);
        assert_null(o.backup_status);
        o = of_imported(finished[i], open, true);
        assert_int_equal(o.status, RAW_QUEUED_FOR_QUANTING);
        assert_false(o.ended);
        o = of_imported(finished[i], done, true);
        assert_int_equal(o.status, RAW_DONE);
        assert_false(o.copied);
    }
}

static void an_imported_raw_file_with_a_backup_goes_on_with_its_quantification(void **state)
{
    (void)state;
    struct outcome o = of_imported("queued_for_quanting", NULL, true);
    assert_int_equal(o.next, NEXT_QUANT);
    assert_false(o.ended);
    o = of_imported("queued_for_quanting", NULL, false);
    assert_int_equal(o.status, RAW_DONE_NOT_QUANTED);
    assert_string_equal(o.details, "No settings configured.");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_acquisition_that_goes_on_is_left_to_its_watcher),
        cmocka_unit_test(an_imported_raw_file_keeps_its_status_until_it_is_quantified_again),
        cmocka_unit_test(an_imported_raw_file_with_a_backup_goes_on_with_its_quantification),
        cmocka_unit_test(an_ended_acquisition_is_copied_next),
        cmocka_unit_test(a_renamed_file_is_not_copied),
        cmocka_unit_test(an_acquisition_without_files_has_failed),
        cmocka_unit_test(an_imported_one_whose_original_is_gone_is_what_its_record_says),
        cmocka_unit_test(an_imported_one_whose_original_is_gone_can_be_quantified),
        cmocka_unit_test(a_missing_main_file_fails_only_after_the_rest_is_copied),
        cmocka_unit_test(the_copy_shows_in_status_and_backup_status),
        cmocka_unit_test(a_source_that_changed_goes_back_to_monitoring),
        cmocka_unit_test(whether_a_source_changed_is_said_by_a_code_and_not_by_names_in_a_text),
        cmocka_unit_test(a_move_that_finds_a_difference_sends_the_raw_file_back),
        cmocka_unit_test(what_another_raw_file_has_the_name_of_is_never_sent_back),
        cmocka_unit_test(an_original_that_was_found_to_differ_is_acquired_anew_while_it_stays),
        cmocka_unit_test(a_removal_that_finds_a_difference_is_told_as_one),
        cmocka_unit_test(a_retried_copy_brings_an_errored_file_back),
        cmocka_unit_test(a_copied_file_is_quantified_when_settings_resolve),
        cmocka_unit_test(quantification_ends_as_the_reference_says),
        cmocka_unit_test(what_an_operator_sets_aside_is_no_error_and_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
