/*
 * output.c - the output folder, and the end of its log. output_choose decides which folder the job
 * writes to. A folder that is ours, from an earlier attempt, or that nobody has is taken; one that
 * somebody else owns is what the exists mode decides about: refuse it, write into it, adopt the job
 * that wrote it (its id is in log.txt, its name in .trawl-job), or take the next free
 * <output>.runN.
 *
 * output_log_tail reads the end of log.txt and escapes it line by line, so that it can be stored as
 * UTF-8.
 */
#include "workers/quant/output.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/fs.h"
#include "common/base/path.h"
#include "workers/job/folder.h"

#define RUNS_MAX       1000
#define LOG_TAIL_BYTES 8192
#define LOG_TAIL_LINES 50
#define MARKER_MAX     8192

/* The first line of a small file in the folder; NULL when it cannot be read. */
static char *read_small(const char *folder, const char *name)
{
    struct err ignored = {0};
    AUTO(free) char *path = path_join(folder, name, &ignored);
    char *text = path != NULL ? fs_read(path, MARKER_MAX, NULL, &ignored) : NULL;
    if (text != NULL) {
        text[strcspn(text, "\n")] = '\0';
    }
    return text;
}

static int set_folder(struct quant_job *job, const char *relative, struct err *err)
{
    const struct config_location *l = &job->base.cfg->location.output;
    free(TAKE(job->worker_output));
    free(TAKE(job->cluster_output));
    job->worker_output = path_join(l->worker, relative, err);
    if (job->worker_output != NULL) {
        job->cluster_output = path_join(job_path(job->engine, l), relative, err);
    }
    return job->cluster_output != NULL ? 0 : -1;
}

/* <output>, <output>.run2, …: the first that is ours or nobody's. */
static int choose_next(struct quant_job *job, struct err *err)
{
    for (int run = 2; run < RUNS_MAX; run++) {
        AUTO(free) char *relative = NULL;
        if (asprintf(&relative, "%s.run%d", job->output, run) < 0) {
            return err_no_memory(err);
        }
        if (set_folder(job, relative, err) != 0) {
            return -1;
        }
        if (place_owner_of(job->worker_output, job->owner) != PLACE_TAKEN) {
            free(job->output);
            job->output = TAKE(relative);
            return 0;
        }
    }
    return ERR(err, ERR_INVALID, 0, "%s.run2 to .run%d exist already", job->output, RUNS_MAX);
}

/* The job that wrote this folder: log.txt has its id, .trawl-job its name. Where nothing is written
 * there the name is enough. */
static int adopt(struct quant_job *job, struct err *err)
{
    static const char key[] = "slurm_job_id:";
    AUTO(free) char *name = read_small(job->worker_output, ".trawl-job");
    AUTO(free) char *path = path_join(job->worker_output, "log.txt", err);
    FILE *log = path != NULL ? fopen(path, "re") : NULL;
    char line[256];
    while (log != NULL && job->job_id == 0 && fgets(line, sizeof line, log) != NULL) {
        const char *at = strstr(line, key);
        long long id = at != NULL ? strtoll(at + sizeof key - 1, NULL, 10) : 0;
        job->job_id = id > 0 ? id : 0;
    }
    if (log != NULL) {
        fclose(log);
    }
    if (job->job_id == 0 && name != NULL && job->engine->id_of != NULL) {
        job->job_id = job->engine->id_of(name);
    }
    if (job->job_id == 0 || name == NULL || name[0] == '\0' || strlen(name) >= JOB_NAME_MAX) {
        job->job_id = 0;
        return ERR(err, ERR_INVALID, 0, "%s names no job of Trawl to associate with",
                   job->worker_output);
    }
    memcpy(job->job_name, name, strlen(name) + 1);
    return 0;
}

int output_choose(struct quant_job *job, struct err *err)
{
    const char *root = job->base.cfg->location.output.worker;
    struct stat st;
    if (stat(root, &st) != 0 || !S_ISDIR(st.st_mode)) {
        return ERR(err, ERR_HOLD, errno, "the output location %s is not there: is it mounted?",
                   root);
    }
    if (set_folder(job, job->output, err) != 0) {
        return -1;
    }
    if (job->job_name[0] != '\0' || place_owner_of(job->worker_output, job->owner) != PLACE_TAKEN) {
        return 0;
    }
    switch (job->exists) {
    case EXISTS_OVERWRITE:
        return 0;
    case EXISTS_ASSOCIATE:
        return adopt(job, err);
    case EXISTS_ADD:
        return choose_next(job, err);
    case EXISTS_RAISE:
    case EXISTS_COUNT:
        break;
    }
    return ERR(err, ERR_INVALID, EEXIST,
               "the output folder %s exists already and is not of this task: choose the output "
               "mode overwrite, associate or add",
               job->worker_output);
}

/* Where the last LOG_TAIL_LINES lines of text begin. */
static const char *last_lines(const char *text, size_t len)
{
    size_t at = len;
    int lines = 0;
    while (at > 0) {
        if (text[at - 1] == '\n' && at != len && ++lines == LOG_TAIL_LINES) {
            break;
        }
        at--;
    }
    return text + at;
}

/* Line by line, because path_escape would make %0A of the line breaks. */
static char *escape_lines(char *text, struct strbuf *out)
{
    struct err ignored = {0};
    if (strbuf_open(out, &ignored) != 0) {
        return NULL;
    }
    for (char *at = text; *at != '\0';) {
        size_t len = strcspn(at, "\n");
        bool more = at[len] == '\n';
        at[len] = '\0';
        at[strcspn(at, "\r")] = '\0';
        AUTO(free) char *clean = path_escape(at);
        fputs(clean != NULL ? clean : "", out->out);
        fputc('\n', out->out);
        at += len + (more ? 1 : 0);
    }
    return strbuf_close(out, &ignored) == 0 ? TAKE(out->data) : NULL;
}

char *output_log_tail(const struct quant_job *job)
{
    AUTO(strbuf_fini) struct strbuf out = {0};
    struct err ignored = {0};
    AUTO(free) char *path = path_join(job->worker_output, "log.txt", &ignored);
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) : -1;
    if (fd < 0) {
        return strdup("");
    }
    char text[LOG_TAIL_BYTES + 1];
    off_t size = lseek(fd, 0, SEEK_END);
    off_t from = size > LOG_TAIL_BYTES ? size - LOG_TAIL_BYTES : 0;
    ssize_t n = pread(fd, text, LOG_TAIL_BYTES, from);
    close(fd);
    size_t len = n > 0 ? (size_t)n : 0;
    text[len] = '\0';
    for (size_t i = 0; i < len; i++) {
        text[i] = text[i] == '\0' ? '?' : text[i];
    }
    AUTO(free) char *tail = strdup(last_lines(text, len));
    return tail != NULL ? escape_lines(tail, &out) : NULL;
}
