/* health.c - the mark is the file's time of change: it costs no block on the disk. */
#include "common/health.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"

#define EVERY_MS  1000
#define SILENT_MS 30000 /* longer than any call has for its answer */

static int touch(const char *file)
{
    if (utimensat(AT_FDCWD, file, NULL, 0) == 0) {
        return 0;
    }
    int fd = errno == ENOENT ? open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644) : -1;
    return fd < 0 ? -1 : close(fd);
}

void health_mark(struct health *h)
{
    struct err err = {0};
    int64_t now = mono_ms();
    if (h->file[0] == '\0' || (h->marked_ms != 0 && now - h->marked_ms < EVERY_MS)) {
        return;
    }
    h->marked_ms = now;
    if (touch(h->file) != 0) {
        (void)!ERR(&err, ERR_TRANSIENT, errno, "[trawl] health_file %s: %m", h->file);
        log_err_rarely("health", &err);
    }
}

int health_ask(const struct config *cfg, struct err *err)
{
    struct stat st;
    const char *file = cfg->trawl.health_file;
    if (file[0] == '\0') {
        return ERR(err, ERR_INVALID, 0,
                   "--healthy needs [trawl] health_file, the file that the process marks");
    }
    if (stat(file, &st) != 0) {
        return ERR(err, ERR_TRANSIENT, errno, "no process has marked %s: %m", file);
    }
    int64_t age_ms = wall_ms() - (st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000);
    return age_ms <= SILENT_MS
               ? 0
               : ERR(err, ERR_TRANSIENT, 0,
                     "the process has not marked %s for %" PRId64 " s: it hangs, or has ended",
                     file, age_ms / 1000);
}
