/* Settings and metrics as AlphaKraken reads them. */
#include <string.h>

#include "common/db/db.h"
#include "common/quant/metrics_words.h"
#include "common/quant/settings.h"
#include "common/quant/settings_words.h"
#include "test.h"

static bson_t *settings(const char *type, const char *engine, const char *metrics)
{
    return BCON_NEW("_id", "x", "name", "human", "software_type", BCON_UTF8(type), "job_engine",
                    BCON_UTF8(engine), "metrics_type", BCON_UTF8(metrics));
}

static bson_t *stored(bson_t *settings)
{
    AUTO(bson_destroy) bson_t *own = settings;
    bson_t *out = bson_new();
    settings_append_stored(out, own);
    return out;
}

static void settings_are_stored_in_alphakrakens_words_and_read_in_ours(void **state)
{
    (void)state;
    static const struct {
        const char *type, *engine, *metrics;
        const char *their_type, *their_engine, *their_metrics;
    } all[] = {
        {"diann", "slurm", "", "custom", "slurm", "diann"},
        {"msqc", "file", "", "msqc", "file_based", "msqc"},
        {"custom", "local", "diann", "custom", "generic", "diann"},
        {"custom", "", "custom", "custom", "", "custom"},
        {"alphadia", "slurm", "", "alphadia", "slurm", "alphadia"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        AUTO(bson_destroy)
        bson_t *doc = stored(settings(all[i].type, all[i].engine, all[i].metrics));
        assert_string_equal(doc_str(doc, "software_type", ""), all[i].their_type);
        assert_string_equal(doc_str(doc, "job_engine", ""), all[i].their_engine);
        assert_string_equal(doc_str(doc, "metrics_type", ""), all[i].their_metrics);
        assert_string_equal(doc_str(doc, "name", ""), "human");
        AUTO(bson_destroy) bson_t *ours = settings_from_stored(doc);
        assert_string_equal(doc_str(ours, "software_type", ""), all[i].type);
        assert_string_equal(doc_str(ours, "job_engine", ""), all[i].engine);
        assert_false(doc_has(ours, "trawl_type") || doc_has(ours, "trawl_engine"));
        AUTO(bson_destroy) bson_t *again = stored(bson_copy(doc));
        AUTO(bson_destroy) bson_t *twice = settings_from_stored(again);
        assert_string_equal(doc_str(twice, "software_type", ""), all[i].type);
    }
}

static void settings_of_earlier_versions_and_alphakrakens_own_are_read(void **state)
{
    (void)state;
    static const char *const cases[][4] = {
        {"diann", "local", "diann", "local"},
        {"custom", "file_based", "custom", "file"},
        {"skyline", "slurm_no_sacct", "skyline", "slurm"},
        {"", "", "alphadia", ""},
        {"custom", "generic", "custom", "generic"}, /* nothing of ours: refused when it is to run */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO(bson_destroy) bson_t *doc = settings(cases[i][0], cases[i][1], "");
        AUTO(bson_destroy) bson_t *ours = settings_from_stored(doc);
        assert_string_equal(doc_str(ours, "software_type", ""), cases[i][2]);
        assert_string_equal(doc_str(ours, "job_engine", ""), cases[i][3]);
    }
}

static void metrics_that_are_not_known_are_absent_and_listed(void **state)
{
    (void)state;
    AUTO(bson_destroy)
    bson_t *old = BCON_NEW("_id", "a/quant/msqc-v1#f1", "type", "msqc", "status", "unsupported",
                           "detail", "Thermo", "gradient_length", BCON_NULL, "time_elapsed",
                           BCON_NULL, "ms1_scans", BCON_DOUBLE(7));
    AUTO(bson_destroy) bson_t *out = bson_new();
    metrics_append_stored(out, old);
    assert_string_equal(metrics_run_status(old), "unsupported");
    assert_string_equal(metrics_run_status(out), "unsupported");
    assert_string_equal(doc_str(out, "run_detail", ""), "Thermo");
    assert_string_equal(doc_str(out, "unknown_metrics.0", ""), "gradient_length");
    bson_iter_t at;
    assert_false(doc_has(out, "unknown_metrics.1")); /* time_elapsed is no figure */
    static const char *const gone[] = {"_id", "status", "detail", "gradient_length",
                                       "time_elapsed"};
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++) {
        assert_false(bson_iter_init_find(&at, out, gone[i]));
    }
}

static void metrics_of_other_software_keep_their_names(void **state)
{
    (void)state;
    AUTO(bson_destroy) bson_t *doc = BCON_NEW("type", "custom", "status", "fine");
    AUTO(bson_destroy) bson_t *out = bson_new();
    metrics_append_stored(out, doc);
    assert_string_equal(doc_str(out, "status", ""), "fine");
    assert_string_equal(metrics_run_status(out), "ok");
    assert_false(metrics_name_is_free("status"));
    assert_false(metrics_name_is_free("trawl_id"));
    assert_true(metrics_name_is_free("proteins"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_are_stored_in_alphakrakens_words_and_read_in_ours),
        cmocka_unit_test(settings_of_earlier_versions_and_alphakrakens_own_are_read),
        cmocka_unit_test(metrics_that_are_not_known_are_absent_and_listed),
        cmocka_unit_test(metrics_of_other_software_keep_their_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
