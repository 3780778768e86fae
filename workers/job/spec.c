/* spec.c - what a job of "slurm" and "local" reads: job.env; and what it leaves: status.json. */
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/shell.h"
#include "workers/job/embedded.h"
#include "workers/job/job.h"

#define STATUS_MAX 4096

char *job_script_path(const char *root)
{
    char hex[HASH_XXH_HEX];
    char *path = NULL;
    hash_mem(embedded_run_job, embedded_run_job_len, hex);
    return asprintf(&path, "%s/scripts/run_job-%s.sh", root, hex) >= 0 ? path : NULL;
}

static void put_export(FILE *out, const char *name, const char *value)
{
    fprintf(out, "export %s=", name);
    shell_quote_always(out, value);
    fputc('\n', out);
}

int job_env_write(const struct config *c, const struct job_spec *spec, bool limited,
                  struct strbuf *out, struct err *err)
{
    char limit[24];
    snprintf(limit, sizeof limit, "%" PRId64, limited ? spec->time_s : 0);
    const struct job_pair own[] = {
        {"TRAWL_JOB_NAME", spec->name},
        {"TRAWL_COMMAND", spec->command},
        {"TRAWL_OUTPUT", spec->output},
        {"TRAWL_INPUT", spec->input},
        {"TRAWL_RESULTS", spec->results},
        {"TRAWL_COPY", spec->copy},
        {"TRAWL_COPY_VARIABLE", spec->copy_variable},
        {"TRAWL_MODULES", c->slurm.modules},
        {"TRAWL_LIMIT_S", limit}, /* kept by the script itself where nobody else does; 0: none */
    };
    if (strbuf_open(out, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < spec->n_env; i++) {
        put_export(out->out, spec->env[i].name, spec->env[i].value);
    }
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        put_export(out->out, own[i].name, own[i].value);
    }
    return strbuf_close(out, err);
}

static int64_t number_of(const json_t *object, const char *key, int64_t or_else)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? (int64_t)json_integer_value(value) : or_else;
}

void job_status_read(const char *json, size_t len, struct job_view *view)
{
    if (len > STATUS_MAX) {
        return;
    }
    json_t *status = json_loadb(json, len, JSON_REJECT_DUPLICATES, NULL);
    const char *name = json_string_value(json_object_get(status, "job_name"));
    const char *state = json_string_value(json_object_get(status, "state"));
    if (name != NULL && state != NULL && strcmp(name, view->name) == 0 &&
        number_of(status, "job_id", -1) == view->id) {
        int64_t code = number_of(status, "exit_code", -1);
        int64_t kib = number_of(status, "peak_memory_kib", 0);
        snprintf(view->wrapper.state, sizeof view->wrapper.state, "%s", state);
        view->wrapper.exit_code = code >= 0 && code < 65536 ? (int)code : -1;
        view->wrapper.elapsed_s = number_of(status, "elapsed_s", -1);
        view->wrapper.peak_mib = kib > 0 ? (kib + 1023) / 1024 : 0;
    }
    json_decref(status);
}
