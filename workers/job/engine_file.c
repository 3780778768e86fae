/*
 * engine_file.c - jobs as files in a folder, for programs that run where Trawl cannot start
 * anything (docs/rules.md, "Job files"). The program that watches <output location>/job_queue takes
 * <name>.job (lines KEY=value), runs CUSTOM_COMMAND, and renames the file to <name>.job.processed.
 * The last line of <output folder>/job_status.log says how it goes: COMPLETED, FAILED, anything
 * else: it runs.
 *
 * The folder's lock keeps submissions and questions apart; <name>.closed gives a name up. The
 * program that takes a job may do anything with its file, so a file that is gone says nothing about
 * the job. An output folder is not used again before the job that was taken for it has said its
 * end.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/fs.h"
#include "common/base/hash.h"
#include "common/base/path.h"
#include "workers/job/folder.h"
#include "workers/job/job.h"

#define STATUS_LOG     "job_status.log"
#define STATUS_MAX     65536
#define SAFE_INTEGER   ((INT64_C(1) << 53) - 1) /* whole in JSON and in a double */
#define NAME_FILE_ROOM (JOB_NAME_MAX + 24)

static int64_t id_of(const char *name)
{
    char hex[HASH_XXH_HEX];
    hash_mem(name, strlen(name), hex);
    hex[16] = '\0';
    int64_t id = (int64_t)(strtoull(hex, NULL, 16) & (unsigned long long)SAFE_INTEGER);
    return id > 0 ? id : 1;
}

static char *queue_folder(const struct config *c, struct err *err)
{
    return path_join(c->location.output.worker, "job_queue", err);
}

/* The lock of the queue; *folder is freed by the caller. */
static int lock_queue(const struct config *c, char **folder, struct err *err)
{
    *folder = queue_folder(c, err);
    AUTO(free) char *lock = *folder != NULL ? path_join(*folder, ".lock", err) : NULL;
    if (lock == NULL || fs_mkdirs(*folder, err) != 0) {
        return -1;
    }
    return place_lock(lock, err);
}

static bool has(const char *queue, const char *name, const char *suffix)
{
    char file[NAME_FILE_ROOM];
    snprintf(file, sizeof file, "%s%s", name, suffix);
    return place_has(queue, file);
}

static bool was_submitted(const char *queue, const char *name)
{
    return has(queue, name, ".job") || has(queue, name, ".job.processed") ||
           has(queue, name, ".job.error.processed") || has(queue, name, ".job.cancelled");
}

/* A value of more than one line has no place in such a file. */
static int write_job(const struct job_spec *spec, struct strbuf *t, struct err *err)
{
    if (strbuf_open(t, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < spec->n_env; i++) {
        if (strpbrk(spec->env[i].value, "\r\n") != NULL) {
            return ERR(err, ERR_INVALID, 0, "%s has a line break: no job file can say that",
                       spec->env[i].name);
        }
        fprintf(t->out, "%s=%s\n", spec->env[i].name, spec->env[i].value);
    }
    return strbuf_close(t, err);
}

/* What an earlier job said must not pass for this one's word. */
static int set_status_aside(const struct job_spec *spec, struct err *err)
{
    AUTO(free) char *path = path_join(spec->worker_output, STATUS_LOG, err);
    AUTO(free) char *aside = NULL;
    if (path == NULL || asprintf(&aside, "%s.before-%s", path, spec->name) < 0) {
        aside = NULL;
        return err_no_memory(err);
    }
    return rename(path, aside) == 0 || errno == ENOENT ? 0
                                                       : ERR(err, ERR_HOLD, errno, "%s: %m", path);
}

/* The last line that is not blank; "" when there is none. False without a file. */
static bool last_word(const char *folder, char *buf, size_t room, int64_t *changed_s)
{
    struct stat st;
    struct err ignored = {0};
    AUTO(free) char *path = path_join(folder, STATUS_LOG, &ignored);
    AUTO(free) char *text = path != NULL ? fs_read(path, STATUS_MAX, NULL, &ignored) : NULL;
    buf[0] = '\0';
    if (text == NULL || stat(path, &st) != 0) {
        return false;
    }
    *changed_s = st.st_mtim.tv_sec;
    for (char *at = text; *at != '\0';) {
        size_t len = strcspn(at, "\n");
        size_t from = strspn(at, " \t\r");
        size_t end = len;
        while (end > from && strchr(" \t\r", at[end - 1]) != NULL) {
            end--;
        }
        if (end > from) {
            snprintf(buf, room, "%.*s", (int)(end - from), at + from);
        }
        at += len + (at[len] == '\n' ? 1 : 0);
    }
    return true;
}

static bool is_end(const char *word)
{
    return strcmp(word, "COMPLETED") == 0 || strcmp(word, "FAILED") == 0;
}

/* A job can be stopped only before a program takes it. */
static void withdraw(const char *queue, const char *name)
{
    AUTO(free) char *from = NULL;
    AUTO(free) char *to = NULL;
    if (asprintf(&from, "%s/%s.job", queue, name) >= 0 &&
        asprintf(&to, "%s.cancelled", from) >= 0) {
        int rc = rename(from, to);
        (void)rc; /* its name shows what became of it */
    }
}

/* Whether the job that used the output folder last may still write there. */
static bool is_in_use(const char *queue, const struct job_spec *spec, struct job_result *out)
{
    char last[JOB_NAME_MAX], word[JOB_STATE_MAX];
    bool ours = false;
    int64_t ignored = 0;
    if (!place_last_job(spec, last, &ours)) {
        return false;
    }
    if (ours) {
        withdraw(queue, last);
    }
    bool has_word = last_word(spec->worker_output, word, sizeof word, &ignored);
    bool runs = has_word ? !is_end(word) && !has(queue, last, ".job.error.processed")
                         : has(queue, last, ".job.processed");
    if (!runs && !has(queue, last, ".job")) {
        return false;
    }
    place_busy(spec, last, out);
    return true;
}

/* The queue's lock is held. -1: surely nothing was submitted. */
static int submit_locked(const char *queue, const struct job_spec *spec, struct job_result *out,
                         struct err *err)
{
    AUTO(strbuf_fini) struct strbuf job = {0};
    char file[NAME_FILE_ROOM];
    if (has(queue, spec->name, ".closed")) {
        out->answer = JOB_NONE;
        return 0;
    }
    if (was_submitted(queue, spec->name)) {
        out->answer = JOB_FOUND;
    } else if (!is_in_use(queue, spec, out)) {
        place_output(spec, out);
        snprintf(file, sizeof file, "%s.job", spec->name);
        if (out->answer == JOB_FOUND &&
            (write_job(spec, &job, err) != 0 || set_status_aside(spec, err) != 0 ||
             place_put(queue, file, job.data, err) != 0)) {
            return -1;
        }
    }
    out->id = out->answer == JOB_FOUND ? id_of(spec->name) : 0;
    return 0;
}

static int submit(const struct config *c, const struct job_spec *spec, struct job_result *out,
                  struct err *err)
{
    AUTO(free) char *queue = NULL;
    int fd = lock_queue(c, &queue, err);
    if (fd < 0) {
        return -1;
    }
    int rc = submit_locked(queue, spec, out, err);
    close(fd);
    return rc;
}

static int find(const struct config *c, const struct job_spec *spec, struct job_result *out,
                struct err *err)
{
    AUTO(free) char *queue = NULL;
    char file[NAME_FILE_ROOM];
    int rc = 0, fd = lock_queue(c, &queue, err);
    if (fd < 0) {
        return -1;
    }
    out->answer = was_submitted(queue, spec->name) ? JOB_FOUND : JOB_NONE;
    out->id = out->answer == JOB_FOUND ? id_of(spec->name) : 0;
    if (out->id == 0) {
        snprintf(file, sizeof file, "%s.closed", spec->name);
        rc = place_put(queue, file, "", err);
    }
    close(fd);
    return rc;
}

/* --- looking --- */

/* When the job was taken, as the folder shows; 0: not known. */
static int64_t taken_s(const char *queue, const char *name)
{
    struct stat st;
    AUTO(free) char *path = NULL;
    if (asprintf(&path, "%s/%s.job.processed", queue, name) < 0) {
        path = NULL;
        return 0;
    }
    return stat(path, &st) == 0 ? st.st_ctim.tv_sec : 0;
}

/* Nobody can submit this name any more. */
static void give_up(const char *queue, const char *name)
{
    char file[NAME_FILE_ROOM];
    struct err ignored = {0};
    snprintf(file, sizeof file, "%s.closed", name);
    int rc = place_put(queue, file, "", &ignored);
    (void)rc; /* tried again at the next look */
}

static void look_at(const char *queue, struct job_watched *job)
{
    char word[JOB_STATE_MAX];
    int64_t changed_s = 0;
    struct job_word *own = &job->view.own;
    const char *name = job->view.name;
    if (job->cancel || job->close) {
        withdraw(queue, name);
    }
    if (job->close) {
        give_up(queue, name);
    }
    bool has_word = last_word(job->worker_output, word, sizeof word, &changed_s);
    int64_t since_s = taken_s(queue, name);
    *own = (struct job_word){.exit_code = -1, .elapsed_s = -1};
    if (has(queue, name, ".job.cancelled")) {
        snprintf(own->state, sizeof own->state, "CANCELLED");
        job->view.gone = true; /* nobody had taken it */
    } else if (has_word && is_end(word)) {
        snprintf(own->state, sizeof own->state, "%s", word);
        own->exit_code = strcmp(word, "COMPLETED") == 0 ? 0 : -1;
        own->elapsed_s = since_s > 0 && changed_s >= since_s ? changed_s - since_s : -1;
    } else if (has(queue, name, ".job.error.processed")) {
        snprintf(own->state, sizeof own->state, "FAILED");
    } else if (has(queue, name, ".job")) {
        snprintf(job->view.squeue.state, sizeof job->view.squeue.state, "PENDING");
    } else if (has(queue, name, ".job.processed")) {
        snprintf(job->view.squeue.state, sizeof job->view.squeue.state, "RUNNING");
    } else if (!job->cancel && !has(queue, name, ".closed")) {
        snprintf(job->view.squeue.state, sizeof job->view.squeue.state, "VANISHED");
    }
    job->view.closed = has(queue, name, ".closed");
}

static int look_at_jobs(const struct config *c, struct job_watched *jobs, size_t n,
                        struct job_poll *out, struct err *err)
{
    struct stat st;
    *out = (struct job_poll){.queue_ok = true, .accounting_ok = true};
    AUTO(free) char *queue = queue_folder(c, err);
    if (queue == NULL) {
        return -1;
    }
    if (stat(queue, &st) != 0) { /* a share that is away says nothing about its jobs */
        return n == 0 ? 0 : ERR(err, ERR_HOLD, errno, "%s: %m", queue);
    }
    for (size_t i = 0; i < n; i++) {
        look_at(queue, &jobs[i]);
    }
    return 0;
}

const struct job_engine engine_file = {
    .name = "file",
    .submit = submit,
    .find = find,
    .look = look_at_jobs,
    .id_of = id_of,
};
