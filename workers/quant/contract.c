/*
 * contract.c - environment and command of a job.
 *
 * Placeholders in config_params are replaced inside words, after the words were split: a name with
 * blanks or quotes stays one argument whatever it holds, and nothing in it is looked at again.
 */
#include "workers/quant/contract.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/path.h"
#include "common/base/shell.h"
#include "workers/quant/metrics.h"

#define VALUES_MAX 8

void contract_fini(struct contract *c)
{
    char *const texts[] = {c->raw, c->read, c->settings, c->software, c->command, c->results};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        free(texts[i]);
    }
}

static char *read_path(const struct quant_job *job, const char *raw)
{
    char *path = NULL;
    if (job->copy == NULL) {
        return strdup(raw);
    }
    int n = asprintf(&path, "%s/tmp_raw_data/%s", job->cluster_output, path_base(raw));
    return n >= 0 ? path : NULL;
}

static int find_paths(const struct quant_job *job, struct contract *p, struct err *err)
{
    const struct config *c = job->base.cfg;
    const struct settings *s = &job->settings;
    const char *program = s->software[0] != '\0' ? s->software : s->software_type;
    if (strcmp(s->software_type, "msqc") == 0) {
        program = "trawl-msqc";
    }
    const char *set = s->set[0] != '\0' ? s->set : s->name;
    if ((p->raw = path_join(job_path(job->engine, &c->location.backup), job->raw, err)) == NULL) {
        return err_context(err, "[location.backup]");
    }
    if ((p->settings = path_join(job_path(job->engine, &c->location.settings), set, err)) == NULL) {
        return err_context(err, "[location.settings]");
    }
    p->software = path_join(job_path(job->engine, &c->location.software), program, err);
    if (p->software == NULL) {
        return err_context(err, "[location.software]");
    }
    p->read = read_path(job, p->raw);
    if (p->read == NULL) {
        return err_no_memory(err);
    }
    snprintf(p->threads, sizeof p->threads, "%" PRId64, s->threads);
    snprintf(p->version, sizeof p->version, "%" PRId64, s->version);
    return 0;
}

/* --- words and placeholders --- */

struct command {
    FILE *out;
    bool failed;                        /* memory was short */
    struct job_pair values[VALUES_MAX]; /* a longer name before one that it ends with */
};

static const struct job_pair *placeholder_at(const struct command *c, const char *at)
{
    for (size_t i = 0; i < VALUES_MAX; i++) {
        if (strncmp(at, c->values[i].name, strlen(c->values[i].name)) == 0) {
            return &c->values[i];
        }
    }
    return NULL;
}

static void put_word(void *ctx, const char *word)
{
    struct command *c = ctx;
    AUTO(strbuf_fini) struct strbuf filled = {0};
    struct err ignored = {0};
    if (c->failed || strbuf_open(&filled, &ignored) != 0) {
        c->failed = true;
        return;
    }
    for (const char *at = word; *at != '\0';) {
        const struct job_pair *p = placeholder_at(c, at);
        fputs(p != NULL ? p->value : (char[]){*at, '\0'}, filled.out);
        at += p != NULL ? strlen(p->name) : 1;
    }
    c->failed = strbuf_close(&filled, &ignored) != 0;
    if (!c->failed) {
        fputc(' ', c->out);
        shell_quote(c->out, filled.data);
    }
}

static int put_parameters(struct command *c, const char *parameters, struct err *err)
{
    if (shell_words(parameters, put_word, c, err) != 0) {
        return err_context(err, "config_params");
    }
    return c->failed ? err_no_memory(err) : 0;
}

static void put_plain(struct command *c, const char *word)
{
    fputc(' ', c->out);
    shell_quote(c->out, word);
}

/* alphadia runs in the conda environment whose name is the settings' software. */
static int put_alphadia(const struct quant_job *job, const struct contract *p, struct command *c,
                        struct err *err)
{
    const struct settings *s = &job->settings;
    const char *const begin[] = {"run", "-n", s->software, "alphadia", "--file", p->read};
    const struct job_pair files[] = {
        {"--library", s->speclib_file}, {"--fasta", s->fasta_file}, {"--config", s->config_file}};
    fputs("conda", c->out);
    for (size_t i = 0; i < sizeof begin / sizeof *begin; i++) {
        put_plain(c, begin[i]);
    }
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (files[i].value[0] != '\0') {
            AUTO(free) char *file = path_join(p->settings, files[i].value, err);
            if (file == NULL) {
                return -1;
            }
            put_plain(c, files[i].name);
            put_plain(c, file);
        }
    }
    char config[64];
    snprintf(config, sizeof config, "{\"general\": {\"thread_count\": %" PRId64 "}}", s->threads);
    put_plain(c, "--output");
    put_plain(c, job->cluster_output);
    put_plain(c, "--config-dict");
    put_plain(c, config);
    return put_parameters(c, s->config_params, err);
}

static int put_command(const struct quant_job *job, const struct contract *p, FILE *out,
                       struct err *err)
{
    struct command c = {.out = out,
                        .values = {{"RELATIVE_RAW_FILE_PATH", job->raw},
                                   {"RAW_FILE_PATH", p->read},
                                   {"RAW_FILE_ID", job->raw_id},
                                   {"SETTINGS_PATH", p->settings},
                                   {"RELATIVE_OUTPUT_PATH", job->output},
                                   {"OUTPUT_PATH", job->cluster_output},
                                   {"NUM_THREADS", p->threads},
                                   {"PROJECT_ID", job->project}}};
    const char *type = job->settings.software_type;
    if (strcmp(type, "alphadia") == 0) {
        return put_alphadia(job, p, &c, err);
    }
    shell_quote(out, p->software);
    if (strcmp(type, "msqc") == 0) {
        put_plain(&c, p->read);
        put_plain(&c, job->cluster_output);
        return 0;
    }
    return put_parameters(&c, job->settings.config_params, err);
}

static int make_command(const struct quant_job *job, struct contract *c, struct err *err)
{
    AUTO(strbuf_fini) struct strbuf t = {0};
    if (strbuf_open(&t, err) != 0 || put_command(job, c, t.out, err) != 0 ||
        strbuf_close(&t, err) != 0) {
        return -1;
    }
    c->command = TAKE(t.data);
    c->results = metrics_files(job);
    return c->results != NULL ? 0 : err_no_memory(err);
}

static void fill_env(const struct quant_job *job, struct contract *c)
{
    const struct settings *s = &job->settings;
    const struct job_pair env[] = {
        {"RAW_FILE_PATH", c->raw},
        {"SETTINGS_PATH", c->settings},
        {"OUTPUT_PATH", job->cluster_output},
        {"RELATIVE_OUTPUT_PATH", job->output},
        {"SPECLIB_FILE_NAME", s->speclib_file},
        {"FASTA_FILE_NAME", s->fasta_file},
        {"CONFIG_FILE_NAME", s->config_file},
        {"SOFTWARE", s->software},
        {"SOFTWARE_TYPE", s->software_type},
        {"METRICS_TYPE", s->metrics_type},
        {"CUSTOM_COMMAND", c->command},
        {"NUM_THREADS", c->threads},
        {"RAW_FILE_ID", job->raw_id},
        {"PROJECT_ID", job->project},
        {"SETTINGS_NAME", s->name},
        {"SETTINGS_VERSION", c->version},
    };
    _Static_assert(sizeof env / sizeof *env == CONTRACT_VARIABLES, "all that docs/rules.md names");
    memcpy(c->env, env, sizeof env);
}

int contract_make(const struct quant_job *job, struct contract *c, struct err *err)
{
    const struct settings *s = &job->settings;
    *c = (struct contract){0};
    if (find_paths(job, c, err) != 0 || make_command(job, c, err) != 0) {
        return -1;
    }
    fill_env(job, c);
    c->spec = (struct job_spec){.name = job->job_name,
                                .folder = job->folder != NULL ? job->folder : "",
                                .owner = job->owner,
                                .output = job->cluster_output,
                                .worker_output = job->worker_output,
                                .exists_mode = quant_exists_name(job->exists),
                                .command = c->command,
                                .env = c->env,
                                .n_env = CONTRACT_VARIABLES,
                                .input = c->raw,
                                .results = c->results,
                                .copy = job->copy != NULL ? job->copy : "",
                                .copy_variable = "RAW_FILE_PATH",
                                .mem = s->mem,
                                .time = s->time,
                                .cpus = s->cpus,
                                .mem_mib = s->mem_mib,
                                .time_s = s->time_s};
    return 0;
}
