#include "msqc/output.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int join(char *dst, const char *folder, const char *name, const char *suffix)
{
    int n = snprintf(dst, PATH_MAX, "%s/%s%s", folder, name, suffix);
    return n >= 0 && n < PATH_MAX ? 0 : -1;
}

int output_open(struct output *out, const char *folder, const char *name, struct err *err)
{
    out->stream = NULL;
    if (join(out->path, folder, name, "") != 0 || join(out->part, folder, name, ".part") != 0 ||
        snprintf(out->folder, sizeof out->folder, "%s", folder) >= PATH_MAX) {
        return ERR(err, ERR_INVALID, ENAMETOOLONG, "the name of the output folder is too long");
    }
    int fd = open(out->part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0) {
        return ERR(err, ERR_TRANSIENT, errno, "cannot write %s: %m", out->part);
    }
    if (unlink(out->path) != 0 && errno != ENOENT) {
        ERR(err, ERR_TRANSIENT, errno, "cannot remove the old %s: %m", out->path);
    } else if ((out->stream = fdopen(fd, "w")) == NULL) {
        ERR(err, ERR_FATAL, errno, "cannot buffer %s: %m", out->part);
    }
    if (out->stream == NULL) {
        close(fd);
        unlink(out->part);
        return -1;
    }
    return 0;
}

void output_number(struct output *out, double value)
{
    if (isnan(value)) {
        return;
    }
    char text[32];
    snprintf(text, sizeof text, "%.15g", value);
    double back = strtod(text, NULL);
    if (back < value || back > value) {
        snprintf(text, sizeof text, "%.17g", value);
    }
    fputs(text, out->stream);
}

int output_check(struct output *out, struct err *err)
{
    if (ferror(out->stream)) {
        return ERR(err, ERR_TRANSIENT, errno, "cannot write %s: %m", out->part);
    }
    return 0;
}

/* The rename itself must survive a power cut; a file system that cannot fsync a folder is let be.
 */
static int sync_folder(const char *folder, struct err *err)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return ERR(err, ERR_TRANSIENT, errno, "cannot open the folder %s: %m", folder);
    }
    int failed = fsync(fd) != 0 && errno != EINVAL && errno != ENOTSUP;
    int code = errno;
    close(fd);
    return failed ? ERR(err, ERR_TRANSIENT, code, "cannot fsync %s: %s", folder, strerror(code))
                  : 0;
}

int output_commit(struct output *out, struct err *err)
{
    int bad = fflush(out->stream) != 0 || ferror(out->stream) || fsync(fileno(out->stream)) != 0;
    int code = errno;
    if (fclose(out->stream) != 0 && !bad) {
        bad = 1;
        code = errno;
    }
    out->stream = NULL;
    if (!bad && rename(out->part, out->path) != 0) {
        bad = 1;
        code = errno;
    }
    if (bad) {
        unlink(out->part);
        return ERR(err, ERR_TRANSIENT, code, "cannot write %s: %s", out->path, strerror(code));
    }
    return sync_folder(out->folder, err);
}

void output_abandon(struct output *out)
{
    if (out->stream != NULL) {
        fclose(out->stream);
        out->stream = NULL;
        unlink(out->part);
    }
}
