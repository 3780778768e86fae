#include "msqc/mzml.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "msqc/mzml_parser.h"

/* Large enough for a network file system, small enough to stay in the cache. */
#define PIECE_BYTES ((size_t)512 << 10)

static int feed_all(int fd, struct mzml_parser *parser, struct progress *progress, struct err *err)
{
    AUTO(free) char *piece = malloc(PIECE_BYTES);
    if (piece == NULL) {
        return ERR(err, ERR_FATAL, ENOMEM, "out of memory for a read buffer");
    }
    uint64_t done = 0;
    for (;;) {
        ssize_t n = read(fd, piece, PIECE_BYTES);
        if (n == 0) {
            return 0;
        }
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return ERR(err, ERR_TRANSIENT, errno, "cannot be read: %m");
        }
        if (mzml_parser_feed(parser, piece, (size_t)n, err) != 0) {
            return -1;
        }
        done += (uint64_t)n;
        progress_at(progress, done);
    }
}

static int read_open(int fd, struct mzml_parser *parser, struct progress *progress, struct err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return ERR(err, ERR_TRANSIENT, errno, "cannot be examined: %m");
    }
    progress->total = (uint64_t)st.st_size;
    progress_say(progress, "%" PRIu64 " bytes of mzML", progress->total);
    posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    return feed_all(fd, parser, progress, err);
}

int mzml_read(const char *path, struct figures *figures, struct result *result,
              struct progress *progress, struct err *err)
{
    AUTO(mzml_parser_free) struct mzml_parser *parser = mzml_parser_new(figures, err);
    if (parser == NULL) {
        return -1;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return ERR(err, ERR_TRANSIENT, errno, "%s: cannot be opened: %m", path);
    }
    int status = read_open(fd, parser, progress, err);
    if (status == 0) {
        status = mzml_parser_end(parser, result, err);
    }
    close(fd);
    if (status != 0) {
        err_context(err, "%.180s", path);
        return -1;
    }
    progress_say(progress, "  read in %.2f s (%.0f MB/s)", progress_seconds(progress),
                 (double)progress->total / 1e6 / (progress_seconds(progress) + 1e-9));
    return 0;
}
