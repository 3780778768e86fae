#include "workers/job/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/fs.h"
#include "common/base/path.h"

#define LOCK_MS        20000
#define LINE_MAX_BYTES 8192

int place_lock(const char *path, struct err *err)
{
    int64_t until = mono_ms() + LOCK_MS;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) {
        return ERR(err, ERR_HOLD, errno, "%s: %m", path);
    }
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (!fs_is_held(errno) || mono_ms() > until) {
            int code = errno;
            close(fd);
            errno = code;
            return ERR(err, ERR_HOLD, code, "the lock %s: %m", path);
        }
        mono_sleep_ms(20);
    }
    return fd;
}

bool place_line(const char *folder, const char *name, char *buf, size_t room)
{
    struct err ignored = {0};
    AUTO(free) char *path = path_join(folder, name, &ignored);
    AUTO(free) char *text = path != NULL ? fs_read(path, LINE_MAX_BYTES, NULL, &ignored) : NULL;
    char *end = text != NULL ? strchr(text, '\n') : NULL;
    if (end == NULL || (size_t)(end - text) >= room) {
        return false;
    }
    *end = '\0';
    memcpy(buf, text, strlen(text) + 1);
    return true;
}

bool place_has(const char *folder, const char *name)
{
    struct stat st;
    struct err ignored = {0};
    AUTO(free) char *path = path_join(folder, name, &ignored);
    return path != NULL && lstat(path, &st) == 0;
}

int place_put(const char *folder, const char *name, const char *text, struct err *err)
{
    AUTO(free) char *path = path_join(folder, name, err);
    return path != NULL ? fs_write(path, text, strlen(text), err) : -1;
}

static int stop_at_content(void *ctx, const char *name, struct err *err)
{
    if (strncmp(name, ".trawl-", strlen(".trawl-")) == 0) {
        return 0;
    }
    *(bool *)ctx = true;
    return ERR(err, ERR_CANCELLED, 0, "one name is enough");
}

static bool is_unreadable(const char *folder, const char *name)
{
    struct err why = {0};
    AUTO(free) char *path = path_join(folder, name, &why);
    AUTO(free) char *text = path != NULL ? fs_read(path, LINE_MAX_BYTES, NULL, &why) : NULL;
    return text == NULL && why.code != ENOENT;
}

enum place_owner place_owner_of(const char *folder, const char *owner)
{
    char line[LINE_MAX_BYTES];
    if (place_line(folder, ".trawl-task", line, sizeof line)) {
        return strcmp(line, owner) == 0 ? PLACE_OURS : PLACE_TAKEN;
    }
    bool any = is_unreadable(folder, ".trawl-task");
    struct err why = {0};
    if (!any && fs_each_name(folder, stop_at_content, &any, &why) != 0 && why.code != ENOENT) {
        return PLACE_TAKEN;
    }
    return any ? PLACE_TAKEN : PLACE_FREE;
}

static int mark(const char *folder, const char *name, const char *word, struct err *err)
{
    AUTO(free) char *line = NULL;
    if (asprintf(&line, "%s\n", word) < 0) {
        line = NULL;
        return err_no_memory(err);
    }
    return place_put(folder, name, line, err);
}

bool place_last_job(const struct job_spec *spec, char name[static JOB_NAME_MAX], bool *ours)
{
    const char *folder = spec->worker_output;
    if (!place_line(folder, ".trawl-job", name, JOB_NAME_MAX) || strcmp(name, spec->name) == 0 ||
        name[0] == '.' || strchr(name, '/') != NULL) {
        return false;
    }
    *ours = place_owner_of(folder, spec->owner) == PLACE_OURS;
    return true;
}

void place_busy(const struct job_spec *spec, const char *last, struct job_result *out)
{
    out->answer = JOB_UNUSABLE;
    snprintf(out->message, sizeof out->message, "job %.90s still writes to %.200s", last,
             spec->worker_output);
}

void place_output(const struct job_spec *spec, struct job_result *out)
{
    struct err why = {0};
    const char *folder = spec->worker_output;
    *out = (struct job_result){.answer = JOB_UNUSABLE};
    if (fs_mkdirs(folder, &why) == 0) {
        enum place_owner owner = place_owner_of(folder, spec->owner);
        if (owner == PLACE_TAKEN && strcmp(spec->exists_mode, "overwrite") != 0) {
            out->answer = JOB_TAKEN;
            snprintf(out->message, sizeof out->message,
                     "%.250s exists already and is not of this task", folder);
            return;
        }
        if ((owner == PLACE_OURS || mark(folder, ".trawl-task", spec->owner, &why) == 0) &&
            mark(folder, ".trawl-job", spec->name, &why) == 0) {
            out->answer = JOB_FOUND;
            return;
        }
    }
    snprintf(out->message, sizeof out->message, "%.300s", why.msg);
}
