/* fuzz_side.c - what lies beside a Bruker database: a write-ahead log, a roll-back journal. The
 * first byte says which, the second the size of the database's pages. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "msqc/side.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[] = "/tmp/trawl-fuzz-side-XXXXXX";

static void clean_up(void)
{
    char line[80];
    snprintf(line, sizeof line, "rm -rf %s", folder);
    (void)!system(line);
}

static void put(const char *path, const uint8_t *data, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size || close(fd) != 0) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool ready;
    char database[64], side[80];
    if (!ready && (mkdtemp(folder) == NULL || atexit(clean_up) != 0)) {
        abort();
    }
    ready = true;
    if (size < 2) {
        return 0;
    }
    enum side_kind kind = data[0] & 1 ? SIDE_WAL : SIDE_JOURNAL;
    struct side_database db = {
        .page_bytes = 512U << (data[1] & 7), .wal_mode = kind == SIDE_WAL, .counter = data[1]};
    snprintf(database, sizeof database, "%s/db", folder);
    snprintf(side, sizeof side, "%s%s", database, side_suffix(kind));
    put(database, data, 0);
    put(side, data + 2, size - 2);
    struct err err = {0};
    struct side_finding finding = {0};
    if (side_judge(database, kind, &db, &finding, &err) == 0 && finding.verdict == SIDE_BELONGS) {
        int fd = open(database, O_RDWR | O_CLOEXEC);
        if (fd < 0 || (side_apply(database, kind, &db, fd, &err) != 0 && err.kind == ERR_NONE)) {
            abort();
        }
        close(fd);
    }
    return 0;
}
