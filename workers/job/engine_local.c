/*
 * engine_local.c - jobs as processes of this host, for a site without a cluster.
 *
 * A job is run_job.sh in a session of its own, which outlives the worker. It and its children hold
 * a flock on <folder>/alive: any process that sees the folder can ask the kernel whether the job
 * still runs; a process id alone proves nothing. A lock that can be had proves that the job is gone
 * where it was started (<folder>/boot); on another host, or after a restart, its beat must have
 * stopped, too. The lock of the folder makes a submission one of a kind: it is held until the
 * process has started and its id is written down (spawn.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/fs.h"
#include "common/base/path.h"
#include "workers/job/embedded.h"
#include "workers/job/folder.h"
#include "workers/job/job.h"
#include "workers/job/spawn.h"

#define STATUS_MAX   4096
#define KILL_AFTER_S 30
#define QUIET_S      60 /* as T_QUIET of remote.sh */

static int unusable(struct job_result *out, const struct err *why)
{
    out->answer = JOB_UNUSABLE;
    snprintf(out->message, sizeof out->message, "%.300s", why->msg);
    return 0;
}

/* The id that a submission of this name has left; 0: none. */
static int64_t submitted_id(const char *folder)
{
    char line[64];
    return place_line(folder, "job_id", line, sizeof line) ? strtoll(line, NULL, 10) : 0;
}

static char *script_in(const struct config *c, struct err *err)
{
    const char *root = c->location.slurm.worker;
    AUTO(free) char *folder = path_join(root, "scripts", err);
    AUTO(free) char *path = job_script_path(root);
    struct err ignored = {0};
    size_t len = 0;
    if (folder == NULL || path == NULL) {
        (void)err_no_memory(err);
        return NULL;
    }
    AUTO(free) char *there = fs_read(path, embedded_run_job_len + 1, &len, &ignored);
    if (there != NULL && len == embedded_run_job_len && memcmp(there, embedded_run_job, len) == 0) {
        return TAKE(path);
    }
    if (fs_mkdirs(folder, err) != 0 ||
        fs_write(path, embedded_run_job, embedded_run_job_len, err) != 0) {
        return NULL;
    }
    return TAKE(path);
}

enum alive { IS_ALIVE, IS_GONE, IS_ABSENT, IS_UNSEEN };

/* A folder that is not there (IS_ABSENT), or a lock that nobody can ask for, says nothing. */
static enum alive is_alive(const char *folder)
{
    struct err ignored = {0};
    AUTO(free) char *path = path_join(folder, "alive", &ignored);
    int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) {
        return path != NULL && errno == ENOENT ? IS_ABSENT : IS_UNSEEN;
    }
    enum alive alive = flock(fd, LOCK_SH | LOCK_NB) == 0 ? IS_GONE
                       : fs_is_held(errno)               ? IS_ALIVE
                                                         : IS_UNSEEN;
    close(fd);
    return alive;
}

/* Which start of which host this is; "" when the kernel does not say. */
static void boot_id(char out[static 64])
{
    struct err ignored = {0};
    AUTO(free) char *text = fs_read("/proc/sys/kernel/random/boot_id", 63, NULL, &ignored);
    snprintf(out, 64, "%.*s\n", text != NULL ? (int)strcspn(text, "\n") : 0,
             text != NULL ? text : "");
}

/* Whether the job was started where this process runs. */
static bool was_started_here(const char *folder)
{
    char boot[64], here[64];
    boot_id(here);
    here[strcspn(here, "\n")] = '\0';
    return !place_line(folder, "boot", boot, sizeof boot) || strcmp(boot, here) == 0;
}

/* Whether a job that has begun and not said its end has a beat that was seen to move within
 * QUIET_S. When it was first seen is noted beside it. */
static bool is_beating(const char *folder)
{
    char status[STATUS_MAX], beat[64], note[128];
    struct err ignored = {0};
    bool has_status = place_line(folder, "status.json", status, sizeof status);
    if (!place_has(folder, "claimed") ||
        (has_status && strstr(status, "\"state\":\"RUNNING\"") == NULL)) {
        return false;
    }
    int64_t now_s = wall_ms() / 1000;
    if (!place_line(folder, "beat", beat, sizeof beat)) {
        snprintf(beat, sizeof beat, "-");
    }
    size_t len = strlen(beat);
    if (place_line(folder, "looked", note, sizeof note) && strncmp(note, beat, len) == 0 &&
        note[len] == ' ') {
        return now_s - strtoll(note + len, NULL, 10) < QUIET_S;
    }
    snprintf(note, sizeof note, "%s %" PRId64 "\n", beat, now_s);
    int rc = place_put(folder, "looked", note, &ignored);
    (void)rc; /* noted the next time */
    return true;
}

/* Everything is in place: start it. */
static int start(const struct config *c, const struct job_spec *spec, int64_t *id, struct err *err)
{
    const char *const names[] = {"host.out", "alive", "job_id"};
    char *paths[3] = {0};
    char boot[64];
    AUTO(strbuf_fini) struct strbuf env = {0};
    AUTO(free) char *script = script_in(c, err);
    boot_id(boot);
    int rc = script != NULL && job_env_write(c, spec, true, &env, err) == 0 &&
                     place_put(spec->folder, "job.env", env.data, err) == 0 &&
                     place_put(spec->folder, "boot", boot, err) == 0
                 ? 0
                 : -1;
    for (size_t i = 0; i < 3 && rc == 0; i++) {
        paths[i] = path_join(spec->folder, names[i], err);
        rc = paths[i] != NULL ? 0 : -1;
    }
    if (rc == 0) {
        const char *home = getenv("HOME"), *path = getenv("PATH");
        char home_is[512], path_is[4096];
        snprintf(home_is, sizeof home_is, "HOME=%s", home != NULL ? home : "/");
        snprintf(path_is, sizeof path_is, "PATH=%s", path != NULL ? path : "/usr/bin:/bin");
        rc = spawn(
            &(struct spawn){.argv = (const char *const[]){"/bin/bash", script, spec->folder, NULL},
                            .envp = (const char *const[]){home_is, path_is, NULL},
                            .folder = spec->folder,
                            .said = paths[0],
                            .alive = paths[1],
                            .id = paths[2],
                            .mem_mib = spec->mem_mib},
            id, err);
    }
    for (size_t i = 0; i < 3; i++) {
        free(paths[i]);
    }
    return rc;
}

/* Whether the job that used the output folder last still runs; one of the same task is asked to
 * stop.
 */
static bool is_in_use(const struct job_spec *spec, struct job_result *out)
{
    char last[JOB_NAME_MAX];
    bool ours = false;
    struct err ignored = {0};
    const char *slash = strrchr(spec->folder, '/');
    AUTO(free) char *folder = NULL;
    if (slash == NULL || !place_last_job(spec, last, &ours) ||
        asprintf(&folder, "%.*s/%s", (int)(slash - spec->folder), spec->folder, last) < 0) {
        return false;
    }
    enum alive alive = is_alive(folder);
    if (alive == IS_ABSENT ||
        (alive == IS_GONE && (was_started_here(folder) || !is_beating(folder)))) {
        return false;
    }
    int rc = ours ? place_put(folder, "closed", "", &ignored) : 0;
    (void)rc; /* it is waited for all the same */
    place_busy(spec, last, out);
    return true;
}

/* The folder's lock is held. */
static int submit_locked(const struct config *c, const struct job_spec *spec,
                         struct job_result *out, struct err *why)
{
    if (place_has(spec->folder, "closed")) {
        out->answer = JOB_NONE;
        return 0;
    }
    out->id = submitted_id(spec->folder);
    if (out->id > 0) {
        out->answer = JOB_FOUND;
        return 0;
    }
    if (is_in_use(spec, out)) {
        return 0;
    }
    place_output(spec, out);
    if (out->answer != JOB_FOUND) {
        return 0;
    }
    return start(c, spec, &out->id, why) == 0 ? 0 : unusable(out, why);
}

static int lock_folder(const char *folder, struct err *err)
{
    AUTO(free) char *path = path_join(folder, "lock", err);
    if (path == NULL || fs_mkdirs(folder, err) != 0) {
        return -1;
    }
    return place_lock(path, err);
}

static int submit(const struct config *c, const struct job_spec *spec, struct job_result *out,
                  struct err *err)
{
    struct err why = {0};
    if (c->location.slurm.worker[0] == '\0') {
        return ERR(err, ERR_HOLD, 0,
                   "jobs on this host need a folder: set [location.slurm] worker");
    }
    int fd = lock_folder(spec->folder, &why);
    if (fd < 0) {
        return unusable(out, &why);
    }
    int rc = submit_locked(c, spec, out, &why);
    close(fd);
    return rc;
}

static int find(const struct config *c, const struct job_spec *spec, struct job_result *out,
                struct err *err)
{
    (void)c;
    struct err why = {0};
    int fd = lock_folder(spec->folder, &why);
    if (fd < 0) {
        return ERR(err, ERR_HOLD, why.code, "%s", why.msg);
    }
    out->id = submitted_id(spec->folder);
    out->answer = out->id > 0 ? JOB_FOUND : JOB_NONE;
    int rc = out->id > 0 ? 0 : place_put(spec->folder, "closed", "", err);
    close(fd);
    return rc;
}

/* --- looking --- */

static void read_status(struct job_watched *job)
{
    struct err ignored = {0};
    size_t len = 0;
    AUTO(free) char *path = path_join(job->folder, "status.json", &ignored);
    AUTO(free) char *text = path != NULL ? fs_read(path, STATUS_MAX, &len, &ignored) : NULL;
    if (text != NULL) {
        job_status_read(text, len, &job->view);
    }
}

static bool has_ended(const struct job_watched *job)
{
    const char *state = job->view.wrapper.state;
    return state[0] != '\0' && strcmp(state, "RUNNING") != 0;
}

/* Whether this process is our job: its arguments name the folder. */
static bool is_ours(const struct job_watched *job)
{
    char path[64];
    struct err ignored = {0};
    size_t len = 0, want = strlen(job->folder);
    snprintf(path, sizeof path, "/proc/%" PRId64 "/cmdline", job->view.id);
    AUTO(free) char *line = fs_read(path, 65536, &len, &ignored);
    return line != NULL && memmem(line, len, job->folder, want + 1) != NULL;
}

/* What the wrapper could not say: that it was stopped, or that it is gone with its host. */
static void say_end(struct job_watched *job)
{
    bool killed = strcmp(job->view.wrapper.state, "KILLED") == 0;
    struct job_word *own = &job->view.own;
    if (killed || (!has_ended(job) && job->cancel)) {
        snprintf(own->state, sizeof own->state, "CANCELLED");
    } else if (!has_ended(job)) {
        snprintf(own->state, sizeof own->state, "NODE_FAIL");
    }
    own->exit_code = -1;
    own->elapsed_s = killed ? job->view.wrapper.elapsed_s : -1;
}

/* TERM, and KILL for what goes on for long after it. */
static void stop(const struct job_watched *job)
{
    struct stat st;
    struct err ignored = {0};
    AUTO(free) char *mark = path_join(job->folder, "stopped", &ignored);
    if (mark == NULL || !is_ours(job)) {
        return;
    }
    bool asked = stat(mark, &st) == 0;
    if (!asked && place_put(job->folder, "stopped", "", &ignored) != 0) {
        return;
    }
    bool patience = !asked || wall_ms() / 1000 - st.st_mtim.tv_sec < KILL_AFTER_S;
    kill(-(pid_t)job->view.id, patience ? SIGTERM : SIGKILL);
}

/* Nobody holds the job's lock. */
static void look_at_gone(struct job_watched *job)
{
    read_status(job); /* its last word may have come between the two looks */
    say_end(job);
    job->view.gone = was_started_here(job->folder);
    job->view.claimed = place_has(job->folder, "claimed");
    job->view.closed = place_has(job->folder, "closed");
    if (!place_line(job->folder, "beat", job->view.beat, sizeof job->view.beat)) {
        job->view.beat[0] = '\0';
    }
}

/* -1: nothing can be seen of it. */
static int look_at(struct job_watched *job, struct job_poll *out)
{
    struct err why = {0};
    if (job->close && place_put(job->folder, "closed", "", &why) != 0) {
        snprintf(out->message, sizeof out->message, "%.300s", why.msg);
        return -1;
    }
    read_status(job);
    enum alive alive = has_ended(job) ? IS_GONE : is_alive(job->folder);
    if (alive == IS_UNSEEN || alive == IS_ABSENT) {
        snprintf(out->message, sizeof out->message,
                 "job %" PRId64 ": nothing can be seen of it at %.200s from here", job->view.id,
                 job->folder);
        return -1;
    }
    if (alive == IS_GONE) {
        look_at_gone(job);
        return 0;
    }
    if (job->cancel || job->close) {
        stop(job);
    }
    snprintf(job->view.squeue.state, sizeof job->view.squeue.state, "RUNNING");
    return 0;
}

static int look_at_jobs(const struct config *c, struct job_watched *jobs, size_t n,
                        struct job_poll *out, struct err *err)
{
    (void)c;
    (void)err;
    *out = (struct job_poll){.queue_ok = true, .accounting_ok = true};
    for (size_t i = 0; i < n; i++) {
        if (jobs[i].folder != NULL && look_at(&jobs[i], out) != 0) {
            out->queue_ok = false;
        }
    }
    return 0;
}

const struct job_engine engine_local = {
    .name = "local",
    .here = true,
    .submit = submit,
    .find = find,
    .look = look_at_jobs,
};
