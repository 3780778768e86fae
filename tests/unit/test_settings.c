/* test_settings.c - versions of settings: what can be one, and its files. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/fs.h"
#include "common/db/db.h"
#include "common/quant/settings_files.h"
#include "test.h"

static bson_t *document(const char *key, const char *value)
{
    static const char *const fields[][2] = {{"name", "human_1"},
                                            {"software_type", "custom"},
                                            {"software", "diann/run.sh"},
                                            {"metrics_type", "diann"},
                                            {"config_params", "--var-mod UniMod:35,15.994915,M"},
                                            {"slurm_mem", "62G"},
                                            {"slurm_time", "1-02:00:00"}};
    bson_t *doc = bson_new();
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (strcmp(fields[i][0], key) != 0) {
            BSON_APPEND_UTF8(doc, fields[i][0], fields[i][1]);
        }
    }
    BSON_APPEND_UTF8(doc, key, value);
    return doc;
}

static int try(const char *key, const char *value, struct err *err)
{
    AUTO(settings_fini) struct settings s = {0};
    AUTO(bson_destroy) bson_t *doc = document(key, value);
    return settings_decode(doc, &s, err) == 0 ? settings_check_new(&s, err) : -1;
}

static void assert_taken(const char *key, const char *value)
{
    struct err err = {0};
    if (try(key, value, &err) != 0) {
        fail_msg("%s=%s: %s", key, value, err.msg);
    }
}

static void assert_refused(const char *key, const char *value, const char *part)
{
    struct err err = {0};
    int rc = try(key, value, &err);
    if (rc == 0 || err.kind != ERR_INVALID || strstr(err.msg, part) == NULL) {
        fail_msg("%s=%s: %d %s", key, value, rc, err.msg);
    }
}

static void a_version_is_checked_before_it_is_made(void **state)
{
    (void)state;
    assert_taken("description", "any text");
    assert_taken("config_params", "--a=b,c:d *? 'x y' \"it's\" $(no) `no` --lib \\\\;");
    assert_taken("slurm_mem", "500");
    assert_taken("slurm_mem", "");
    assert_taken("slurm_time", "72:00:00");
    assert_taken("metrics_type", "custom");
    assert_refused("name", "a-b", "a name of settings");
    assert_refused("name", "../x", "name cannot be");
    assert_refused("software_type", "spectro", "--type is");
    assert_refused("software_type", "diann/../..", "--type is");
    assert_refused("software_type", "alphadia", "--metrics goes with");
    assert_refused("software", "", "--software is missing");
    assert_refused("software", "/bin/sh", "software cannot be");
    assert_refused("software", "a/../../b", "software cannot be");
    assert_refused("metrics_type", "excel", "--metrics is");
    assert_refused("job_engine", "cron", "--engine is");
    assert_refused("slurm_mem", "62GB", "slurm_mem cannot be");
    assert_refused("slurm_mem", "0G", "slurm_mem cannot be");
    assert_refused("slurm_time", "two hours", "slurm_time cannot be");
    assert_refused("slurm_time", "00:00:00", "slurm_time cannot be");
    assert_refused("config_params", "--x 'open", "quote is not closed");
    assert_refused("fasta_file_name", "../x", "fasta_file_name cannot be");
}

static void memory_and_time_are_read_as_sbatch_reads_them(void **state)
{
    (void)state;
    assert_int_equal(settings_mib("62G"), 62 * 1024);
    assert_int_equal(settings_mib("2T"), 2 * 1024 * 1024);
    assert_int_equal(settings_mib("400"), 400);
    assert_int_equal(settings_mib("2048K"), 2);
    assert_int_equal(settings_mib("1K"), 1);
    assert_int_equal(settings_mib("G"), -1);
    assert_int_equal(settings_mib("1GB"), -1);
    assert_int_equal(settings_mib("-1"), -1);
    assert_int_equal(settings_mib(""), -1);
}

static void put(const char *folder, const char *name, const char *text)
{
    struct err err = {0};
    AUTO(free) char *path = NULL;
    assert_true(asprintf(&path, "%s/%s", folder, name) > 0);
    assert_int_equal(fs_write(path, text, strlen(text), &err), 0);
}

static void count_name(const char *folder, int expected)
{
    char line[300];
    snprintf(line, sizeof line, "[ $(ls -A %s | wc -l) = %d ]", folder, expected);
    assert_int_equal(system(line), 0);
}

static void files_are_kept_by_their_content_and_a_change_is_noticed(void **state)
{
    (void)state;
    struct err err = {0};
    char top[50], root[60], a[60], b[60];
    assert_non_null(test_folder(top, sizeof top, "trawl-settings"));
    snprintf(root, sizeof root, "%s/root", top);
    snprintf(a, sizeof a, "%s/a b.fasta", top);
    snprintf(b, sizeof b, "%s/lib", top);
    assert_int_equal(mkdir(root, 0700), 0);
    put(top, "a b.fasta", ">x\nPEPTIDE\n");
    put(top, "lib", "library");
    struct settings_stored one, same, other;
    assert_int_equal(settings_files_store(root, (const char *const[]){a, b}, 2, &one, &err), 0);
    assert_int_equal(settings_files_store(root, (const char *const[]){b, a}, 2, &same, &err), 0);
    assert_string_equal(one.set, same.set);
    assert_true(one.made && !same.made);
    assert_int_equal(one.files[0].size, 11);
    put(top, "lib", "Library");
    assert_int_equal(settings_files_store(root, (const char *const[]){a, b}, 2, &other, &err), 0);
    assert_string_not_equal(one.set, other.set);
    count_name(root, 2);

    struct settings s = {.name = a, .set = one.set, .version = 3};
    assert_int_equal(settings_file_check(root, &s, &one.files[1], &err), 0);
    AUTO(free) char *stored = NULL;
    assert_true(asprintf(&stored, "%s/%s/lib", root, one.set) > 0);
    put(root, "lib", "lIbrary");
    AUTO(free) char *changed = NULL;
    assert_true(asprintf(&changed, "%s/lib", root) > 0);
    assert_int_equal(rename(changed, stored), 0);
    assert_int_equal(settings_file_check(root, &s, &one.files[1], &err), -1);
    assert_int_equal(err.kind, ERR_INVALID);
    assert_non_null(strstr(err.msg, "is not what"));
    struct err again = {0}, gone = {0}, away = {0};
    put(top, "lib", "library");
    settings_stored_fini(&same);
    assert_int_equal(settings_files_store(root, (const char *const[]){a, b}, 2, &same, &again), -1);
    assert_non_null(strstr(again.msg, "is not what"));
    count_name(root, 2);
    assert_int_equal(unlink(stored), 0);
    assert_int_equal(settings_file_check(root, &s, &one.files[1], &gone), -1);
    assert_int_equal(gone.kind, ERR_INVALID);
    assert_int_equal(settings_file_check("/nowhere", &s, &one.files[1], &away), -1);
    assert_int_equal(away.kind, ERR_HOLD);
    settings_stored_fini(&one);
    settings_stored_fini(&same);
    settings_stored_fini(&other);
    char line[100];
    snprintf(line, sizeof line, "rm -rf %s", top);
    assert_int_equal(system(line), 0);
}

static void two_files_of_one_name_or_none_leave_nothing_behind(void **state)
{
    (void)state;
    struct err err = {0}, missing = {0}, folder = {0};
    char top[50], root[60], a[60];
    assert_non_null(test_folder(top, sizeof top, "trawl-settings"));
    snprintf(root, sizeof root, "%s/root", top);
    snprintf(a, sizeof a, "%s/a", top);
    assert_int_equal(mkdir(root, 0700), 0);
    put(top, "a", "x");
    struct settings_stored s;
    assert_int_equal(settings_files_store(root, (const char *const[]){a, a}, 2, &s, &err), -1);
    assert_non_null(strstr(err.msg, "two files are called a"));
    settings_stored_fini(&s);
    assert_int_equal(
        settings_files_store(root, (const char *const[]){a, "/no/such"}, 2, &s, &missing), -1);
    assert_non_null(strstr(missing.msg, "/no/such"));
    settings_stored_fini(&s);
    assert_int_equal(settings_files_store(root, (const char *const[]){top}, 1, &s, &folder), -1);
    assert_non_null(strstr(folder.msg, "is no file"));
    settings_stored_fini(&s);
    count_name(root, 0);
    char line[100];
    snprintf(line, sizeof line, "rm -rf %s", top);
    assert_int_equal(system(line), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_version_is_checked_before_it_is_made),
        cmocka_unit_test(memory_and_time_are_read_as_sbatch_reads_them),
        cmocka_unit_test(files_are_kept_by_their_content_and_a_change_is_noticed),
        cmocka_unit_test(two_files_of_one_name_or_none_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
