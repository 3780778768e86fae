/* test_quant_job.c - task document -> job -> environment and command, read back by a real bash. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/fs.h"
#include "common/base/shell.h"
#include "common/base/strbuf.h"
#include "test.h"
#include "workers/quant/backup_files.h"
#include "workers/quant/contract.h"

static char empty[] = "", root_backup[] = "/pool/back up", root_output[] = "/pool/out",
            root_settings[] = "/pool/settings", root_software[] = "/soft ware",
            root_slurm[] = "/slurm", modules[] = "gcc conda", engine[] = "slurm";
static struct config cfg = {
    .location = {.backup = {.worker = root_backup, .cluster = empty},
                 .output = {.worker = root_output, .cluster = empty},
                 .settings = {.worker = root_settings, .cluster = empty},
                 .software = {.worker = empty, .cluster = root_software},
                 .slurm = {.worker = root_slurm, .cluster = empty}},
    .slurm = {.modules = modules},
    .quant = {.engine = engine},
};

static bson_t *document(const char *raw, const char *type, const char *params)
{
    char backup[600], output[600];
    snprintf(backup, sizeof backup, "test1/2026_11/%s", raw);
    snprintf(output, sizeof output, "P1/out_%s/%s", raw, type);
    return BCON_NEW("_id", "t", "input", "{", "backup_path", BCON_UTF8(backup), "output_relative",
                    BCON_UTF8(output), "raw_file_id", BCON_UTF8(raw), "project_id", "P1",
                    "instrument_type", "thermo", "settings", "{", "name", "set", "version",
                    BCON_INT64(3), "software_type", BCON_UTF8(type), "software", "my tool/run.sh",
                    "config_params", BCON_UTF8(params), "slurm_cpus_per_task", BCON_INT64(4),
                    "slurm_mem", "62G", "slurm_time", "1-02:00:00", "num_threads", BCON_INT64(8),
                    "fasta_file_name", "human.fasta", "config_file_name", "c.yaml", "}", "}");
}

/* The content of job.env, and the command; free(). NULL with *err. */
static char *job_env(const struct quant_job *job, struct err *err)
{
    AUTO(contract_fini) struct contract c = {0};
    struct strbuf t = {0};
    return contract_make(job, &c, err) == 0 && job_env_write(&cfg, &c.spec, false, &t, err) == 0
               ? t.data
               : NULL;
}

static char *job_command(const struct quant_job *job, struct err *err)
{
    AUTO(contract_fini) struct contract c = {0};
    return contract_make(job, &c, err) == 0 ? strdup(c.command) : NULL;
}

static int decode(struct quant_job *job, const bson_t *doc, struct err *err)
{
    *job = (struct quant_job){.base = {.cfg = &cfg, .task_id = "t", .fence = 1}};
    int rc = quant_decode(job, doc, err);
    if (rc == 0) {
        assert_true(asprintf(&job->cluster_output, "%s/%s", root_output, job->output) > 0);
    }
    return rc;
}

/* What bash prints (NUL-separated words) when it runs this script on the files in folder. */
static void bash(const char *folder, const char *script, char *out, size_t room, size_t *len)
{
    AUTO(free) char *line = NULL;
    assert_true(asprintf(&line, "cd %s && exec env -i /bin/bash -u %s", folder, script) > 0);
    FILE *p = popen(line, "r");
    assert_non_null(p);
    *len = fread(out, 1, room - 1, p);
    out[*len] = '\0';
    assert_int_equal(pclose(p), 0);
}

static void put(const char *folder, const char *name, const char *text)
{
    struct err err = {0};
    AUTO(free) char *path = NULL;
    assert_true(asprintf(&path, "%s/%s", folder, name) > 0);
    assert_int_equal(fs_write(path, text, strlen(text), &err), 0);
}

static void hostile_values_come_through_a_real_shell(void **state)
{
    (void)state;
    static const char *const values[] = {
        "plain",
        "",
        " ",
        "a b",
        "it's",
        "''",
        "\"$HOME\"",
        "$(touch pwned)",
        "`touch pwned`",
        "line\nbreak\n",
        "tab\t",
        "[a-z]*?{1,2}",
        "~",
        "!!",
        "\\",
        "\\'",
        "-n",
        "#x",
        "a=b",
        "&& || ; | > <",
        "\xff\xfe\x80",
        "\xc3\xa4",
        "'$(touch pwned)'",
        "\r\n",
    };
    size_t n = sizeof values / sizeof *values;
    struct err err = {0};
    char folder[64];
    assert_non_null(test_folder(folder, sizeof folder, "trawl-job"));
    AUTO(strbuf_fini) struct strbuf t = {0};
    assert_int_equal(strbuf_open(&t, &err), 0);
    fputs("printf '%s\\0'", t.out);
    for (size_t i = 0; i < n; i++) {
        fputc(' ', t.out);
        shell_quote(t.out, values[i]);
        fputc(' ', t.out);
        shell_quote_always(t.out, values[i]);
    }
    fputc('\n', t.out);
    assert_int_equal(strbuf_close(&t, &err), 0);
    put(folder, "words.sh", t.data);
    char got[4096];
    size_t len = 0;
    bash(folder, "words.sh", got, sizeof got, &len);
    const char *at = got;
    for (size_t i = 0; i < 2 * n; i++) {
        assert_string_equal(at, values[i / 2]);
        at += strlen(at) + 1;
    }
    assert_int_equal(at - got, (long)len);
    char pwned[80];
    snprintf(pwned, sizeof pwned, "%s/pwned", folder);
    assert_int_equal(access(pwned, F_OK), -1);
    AUTO(free) char *rm = NULL;
    assert_true(asprintf(&rm, "rm -rf %s", folder) > 0);
    assert_int_equal(system(rm), 0);
}

#define RAW_NAME "a b'c$(touch pwned)\n[1].raw"
/* What the job sees of document() below, in the order in which show.sh prints it. */
static const char *const expected[] = {
    "/pool/back up/test1/2026_11/" RAW_NAME,
    "/pool/settings/set",
    "/pool/out/P1/out_" RAW_NAME "/custom",
    "P1/out_" RAW_NAME "/custom",
    "",
    "human.fasta",
    "c.yaml",
    "my tool/run.sh",
    "custom",
    "",
    "8",
    RAW_NAME,
    "P1",
    "set",
    "3",
    "gcc conda",
    "/soft ware/my tool/run.sh",
    "--in",
    "/pool/back up/test1/2026_11/" RAW_NAME,
    "--id=" RAW_NAME "-x",
    "two words",
    "q'uote",
    "--rel",
    "test1/2026_11/" RAW_NAME,
    "--var-mod",
    "UniMod:35,15.99,M",
    "--threads",
    "8",
    "/pool/out/P1/out_" RAW_NAME "/custom/x",
    "--p",
    "P1",
    "/pool/settings/set",
};

static void the_environment_holds_the_contract(void **state)
{
    (void)state;
    struct err err = {0};
    struct quant_job job;
    AUTO(bson_destroy)
    bson_t *doc = document("a b'c$(touch pwned)%0A[1].raw", "custom",
                           "--in RAW_FILE_PATH --id=RAW_FILE_ID-x 'two words' \"q'uote\" "
                           "--rel RELATIVE_RAW_FILE_PATH --var-mod UniMod:35,15.99,M "
                           "--threads NUM_THREADS OUTPUT_PATH/x --p PROJECT_ID SETTINGS_PATH");
    if (decode(&job, doc, &err) != 0) {
        fail_msg("%s", err.msg);
    }
    AUTO(free) char *env = job_env(&job, &err);
    assert_non_null(env);
    char folder[64];
    assert_non_null(test_folder(folder, sizeof folder, "trawl-job"));
    put(folder, "job.env", env);
    put(folder, "show.sh",
        ". ./job.env; eval \"set -- $CUSTOM_COMMAND\"\n"
        "printf '%s\\0' \"$RAW_FILE_PATH\" \"$SETTINGS_PATH\" \"$OUTPUT_PATH\" "
        "\"$RELATIVE_OUTPUT_PATH\" \"$SPECLIB_FILE_NAME\" \"$FASTA_FILE_NAME\" "
        "\"$CONFIG_FILE_NAME\" \"$SOFTWARE\" \"$SOFTWARE_TYPE\" \"$METRICS_TYPE\" "
        "\"$NUM_THREADS\" \"$RAW_FILE_ID\" \"$PROJECT_ID\" \"$SETTINGS_NAME\" "
        "\"$SETTINGS_VERSION\" \"$TRAWL_MODULES\" \"$@\"\n");
    char got[8192];
    size_t len = 0;
    bash(folder, "show.sh", got, sizeof got, &len);
    const char *at = got;
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        assert_string_equal(at, expected[i]);
        at += strlen(at) + 1;
    }
    assert_int_equal(at - got, (long)len);
    AUTO(free) char *rm = NULL;
    assert_true(asprintf(&rm, "test ! -e %s/pwned && rm -rf %s", folder, folder) > 0);
    assert_int_equal(system(rm), 0);
    quant_destroy(&job);
}

static void each_software_has_its_command(void **state)
{
    (void)state;
    struct err err = {0};
    struct quant_job job;
    AUTO(bson_destroy) bson_t *msqc = document("a.raw", "msqc", "");
    assert_int_equal(decode(&job, msqc, &err), 0);
    AUTO(free) char *command = job_command(&job, &err);
    assert_string_equal(command, "'/soft ware/trawl-msqc' '/pool/back up/test1/2026_11/a.raw' "
                                 "/pool/out/P1/out_a.raw/msqc");
    assert_string_equal(job.month, "2026_11");
    quant_destroy(&job);
    AUTO(bson_destroy) bson_t *alphadia = document("a.raw", "alphadia", "--quiet");
    assert_int_equal(decode(&job, alphadia, &err), 0);
    AUTO(free) char *dia = job_command(&job, &err);
    assert_string_equal(
        dia, "conda run -n 'my tool/run.sh' alphadia --file "
             "'/pool/back up/test1/2026_11/a.raw' --fasta /pool/settings/set/human.fasta "
             "--config /pool/settings/set/c.yaml --output /pool/out/P1/out_a.raw/alphadia "
             "--config-dict '{\"general\": {\"thread_count\": 8}}' --quiet");
    quant_destroy(&job);
}

/* doc with one field of input.settings (or of input) replaced */
static void assert_refused(const char *key, const char *value, const char *part)
{
    struct err err = {0};
    struct quant_job job;
    AUTO(bson_destroy) bson_t *doc = document("a.raw", "custom", "");
    bson_t changed = BSON_INITIALIZER, input, settings, old_input, old_settings;
    assert_true(doc_sub(doc, "input", &old_input) && doc_sub(doc, "input.settings", &old_settings));
    BSON_APPEND_DOCUMENT_BEGIN(&changed, "input", &input);
    bson_copy_to_excluding_noinit(&old_input, &input, "settings", key, NULL);
    BSON_APPEND_DOCUMENT_BEGIN(&input, "settings", &settings);
    bson_copy_to_excluding_noinit(&old_settings, &settings, "none", key, NULL);
    BSON_APPEND_UTF8(&settings, key, value);
    bson_append_document_end(&input, &settings);
    BSON_APPEND_UTF8(&input, key, value);
    bson_append_document_end(&changed, &input);
    int rc = decode(&job, &changed, &err);
    bson_destroy(&changed);
    if (rc == 0) {
        AUTO(free) char *env = job_env(&job, &err);
        assert_null(env);
    }
    quant_destroy(&job);
    if (err.kind != ERR_INVALID || strstr(err.msg, part) == NULL) {
        fail_msg("%s=%s: %s", key, value, err.msg);
    }
}

static void what_can_never_run_is_refused_before_it_starts(void **state)
{
    (void)state;
    assert_refused("backup_path", "../../etc/passwd", "backup_path cannot be");
    assert_refused("backup_path", "/etc/passwd", "backup_path cannot be");
    assert_refused("backup_path", "", "backup_path cannot be");
    assert_refused("output_relative", "a/%2E%2E/b", "output_relative cannot be");
    assert_refused("name", "../x", "name cannot be");
    assert_refused("software", "/bin/sh", "software cannot be");
    assert_refused("fasta_file_name", "../x", "fasta_file_name cannot be");
    assert_refused("slurm_mem", "4G --evil", "slurm_mem cannot be");
    assert_refused("slurm_time", "soon", "slurm_time cannot be");
    assert_refused("output_exists_mode", "destroy", "output_exists_mode cannot be");
    assert_refused("config_params", "--x 'open", "quote is not closed");
    assert_refused("software_type", "", "no software_type");
}

#define RECORDED(path) "{", "path", path, "size", BCON_INT64(7), "xxh3", "e1", "}"

/* Recorded names beside those of another raw file whose name begins with the same stem, and with a
 * companion whose case differs: reports of pwiz's reader tests. */
static void a_sciex_set_is_what_was_backed_up_as_its_own(void **state)
{
    (void)state;
    struct err err = {0}, unknown = {0};
    struct quant_job job;
    AUTO(bson_destroy) bson_t *doc = document("sample_0.5ng [x].wiff", "msqc", "");
    assert_int_equal(decode(&job, doc, &err), 0);
    AUTO(bson_destroy)
    bson_t *raw = BCON_NEW("files", "[", RECORDED("sample_0.5ng [x].wiff"),
                           RECORDED("Sample_0.5NG [x].wiff.scan"),
                           RECORDED("sample_0.5ng [x]%0A%FF.txt"), "]");
    assert_int_equal(backup_files_of(&job, raw, &err), 0);
    AUTO(free) char *env = job_env(&job, &err);
    assert_non_null(env);
    static const char words[] = "/pool/back up/test1/2026_11/Sample_0.5NG [x].wiff.scan\0"
                                "/pool/back up/test1/2026_11/sample_0.5ng [x]\n\xff.txt\0"
                                "/pool/back up/test1/2026_11/sample_0.5ng [x].wiff";
    char out[4096], folder[64];
    size_t len = 0;
    assert_non_null(test_folder(folder, sizeof folder, "trawl-job"));
    put(folder, "job.env", env);
    put(folder, "show", ". ./job.env; eval \"set -- $TRAWL_COPY\"; printf '%s\\0' \"$@\"\n");
    bash(folder, "show", out, sizeof out, &len);
    assert_int_equal(len, sizeof words);
    assert_memory_equal(out, words, len);
    AUTO(free) char *command = job_command(&job, &err);
    assert_non_null(strstr(command, "/tmp_raw_data/sample_0.5ng [x].wiff"));

    AUTO(bson_destroy)
    bson_t *others = BCON_NEW("files", "[", RECORDED("Sample_0.5NG [x].wiff"), "]");
    assert_int_equal(backup_files_of(&job, others, &unknown), -1);
    assert_int_equal(unknown.kind, ERR_INVALID);
    AUTO(bson_destroy)
    bson_t *alphakraken =
        BCON_NEW("file_info", "{", "sample_0.5ng [x].wiff", "[", BCON_INT64(7), "e1", "]", "}");
    assert_int_equal(backup_files_of(&job, alphakraken, &err), 0);
    assert_string_equal(job.copy, " '/pool/back up/test1/2026_11/sample_0.5ng [x].wiff'");
    quant_destroy(&job);
    AUTO(free) char *rm = NULL;
    assert_true(asprintf(&rm, "rm -rf %s", folder) > 0);
    assert_int_equal(system(rm), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_values_come_through_a_real_shell),
        cmocka_unit_test(the_environment_holds_the_contract),
        cmocka_unit_test(each_software_has_its_command),
        cmocka_unit_test(what_can_never_run_is_refused_before_it_starts),
        cmocka_unit_test(a_sciex_set_is_what_was_backed_up_as_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
