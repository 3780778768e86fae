/*
 * engine_slurm.c - scripts for the head node and what they answer.
 *
 * A script is remote.sh (functions), then one function t_main with a call a line, then t_reply,
 * which runs that and frames what it said (frame.h). Every value crosses in single quotes. Answers
 * are lines "trawl|<verb>|…"; see remote.sh.
 */
#include "workers/job/engine_slurm.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/shell.h"
#include "workers/job/cluster.h"
#include "workers/job/embedded.h"

int slurm_begin(struct strbuf *t, struct err *err)
{
    if (strbuf_open(t, err) != 0) {
        return -1;
    }
    fwrite(embedded_remote, 1, embedded_remote_len, t->out);
    fputs("\nt_main() {\nt_tools\n", t->out);
    return 0;
}

/* One call: the words in single quotes, NULL-terminated. */
static void put_call(struct strbuf *t, const char *function, const char *const *words)
{
    fputs(function, t->out);
    for (; *words != NULL; words++) {
        fputc(' ', t->out);
        shell_quote_always(t->out, *words);
    }
    fputc('\n', t->out);
}

void slurm_put_wrapper(struct strbuf *t, const struct config *c)
{
    AUTO(free) char *path = job_script_path(config_cluster_path(&c->location.slurm));
    AUTO(free) char *body = strndup((const char *)embedded_run_job, embedded_run_job_len);
    if (path != NULL && body != NULL) {
        put_call(t, "t_script", (const char *const[]){path, body, NULL});
    }
}

static void put_option(struct strbuf *t, const char *option, const char *value)
{
    if (value != NULL && value[0] != '\0') {
        fprintf(t->out, " %s=", option);
        shell_quote_always(t->out, value);
    }
}

/* sbatch expands %j and the like in --output: a percent sign of the folder's own is doubled. */
static void put_log_option(struct strbuf *t, const char *folder)
{
    AUTO(free) char *twice = malloc(2 * strlen(folder) + 1);
    if (twice == NULL) {
        return;
    }
    char *to = twice;
    for (const char *c = folder; *c != '\0'; c++) {
        *to++ = *c;
        if (*c == '%') {
            *to++ = '%';
        }
    }
    *to = '\0';
    fputs(" --output=", t->out);
    shell_quote_always(t->out, twice);
    fputs("/slurm-%j.out", t->out);
}

void slurm_put_submit(struct strbuf *t, const struct config *c, const struct job_spec *job,
                      const char *env)
{
    AUTO(free) char *script = job_script_path(config_cluster_path(&c->location.slurm));
    AUTO(free) char *month = strdup(job->folder);
    if (script == NULL || month == NULL) {
        return; /* no call: the answer is JOB_CUT, and the name is asked for */
    }
    char *slash = strrchr(month, '/');
    if (slash != NULL) {
        *slash = '\0';
    }
    fputs("t_group", t->out);
    const char *const words[] = {job->name,   job->folder,      job->owner,
                                 job->output, job->exists_mode, env};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        fputc(' ', t->out);
        shell_quote_always(t->out, words[i]);
    }
    /* --no-requeue: one id is one run. What SLURM would run again, we submit under a new fence. */
    fprintf(t->out, " --no-requeue --export=NONE --nodes=1 --ntasks=1 --open-mode=append");
    fprintf(t->out, " --cpus-per-task=%" PRId64, job->cpus);
    put_option(t, "--mem", job->mem);
    put_option(t, "--time", job->time);
    put_option(t, "--partition", c->slurm.partition);
    put_option(t, "--account", c->slurm.account);
    put_option(t, "--chdir", month);
    put_log_option(t, month);
    fputc(' ', t->out);
    shell_quote_always(t->out, script);
    fputc('\n', t->out);
}

void slurm_put_find(struct strbuf *t, const char *name, const char *folder)
{
    put_call(t, "t_find", (const char *const[]){name, folder, NULL});
}

void slurm_put_cancel(struct strbuf *t, int64_t id, const char *name)
{
    char number[24];
    snprintf(number, sizeof number, "%" PRId64, id);
    put_call(t, "t_cancel", (const char *const[]){number, name, NULL});
}

void slurm_put_close(struct strbuf *t, const struct job_watched *job)
{
    char number[24];
    snprintf(number, sizeof number, "%" PRId64, job->view.id);
    put_call(t, "t_close", (const char *const[]){number, job->view.name, job->folder, NULL});
}

void slurm_put_watch(struct strbuf *t, int64_t id, const char *name, const char *folder)
{
    char number[24];
    snprintf(number, sizeof number, "%" PRId64, id);
    put_call(t, "t_watch", (const char *const[]){number, name, folder, NULL});
}

void slurm_put_poll(struct strbuf *t, const char *prefix)
{
    put_call(t, "t_poll", (const char *const[]){prefix, NULL});
}

int slurm_end(struct strbuf *t, struct err *err)
{
    fputs("wait\n}\nt_reply \"$1\"\n", t->out);
    return strbuf_close(t, err);
}

/* --- the engine --- */

static int find_job(const struct config *c, const struct job_spec *spec, struct job_result *out,
                    struct err *err)
{
    AUTO(strbuf_fini) struct strbuf script = {0};
    AUTO(free) char *reply = NULL;
    if (slurm_begin(&script, err) != 0) {
        return -1;
    }
    slurm_put_find(&script, spec->name, spec->folder);
    if (slurm_end(&script, err) != 0 || cluster_ask(c, &script, &reply, err) != 0) {
        return -1;
    }
    slurm_read_find(reply, spec->name, out);
    return 0;
}

/* One script, one round trip. */
static int look_at_jobs(const struct config *c, struct job_watched *jobs, size_t n,
                        struct job_poll *out, struct err *err)
{
    AUTO(strbuf_fini) struct strbuf script = {0};
    AUTO(free) char *reply = NULL;
    char prefix[JOB_PREFIX_MAX];
    if (slurm_begin(&script, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        if (jobs[i].cancel) {
            slurm_put_cancel(&script, jobs[i].view.id, jobs[i].view.name);
        }
        if (jobs[i].close && jobs[i].folder != NULL) {
            slurm_put_close(&script, &jobs[i]);
        }
        if (jobs[i].folder != NULL) {
            slurm_put_watch(&script, jobs[i].view.id, jobs[i].view.name, jobs[i].folder);
        }
    }
    job_prefix(c, prefix);
    slurm_put_poll(&script, prefix);
    if (slurm_end(&script, err) != 0 || cluster_ask(c, &script, &reply, err) != 0) {
        return -1;
    }
    slurm_read_poll(reply, jobs, n, out);
    return 0;
}

const struct job_engine engine_slurm = {
    .name = "slurm",
    .submit = slurm_batch,
    .find = find_job,
    .look = look_at_jobs,
    .close = cluster_close,
};
