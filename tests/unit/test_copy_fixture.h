/*
 * test_copy_fixture.h - real folders below a temporary one for the copy engine's tests.
 */
#ifndef TESTS_UNIT_TEST_COPY_FIXTURE_H
#define TESTS_UNIT_TEST_COPY_FIXTURE_H
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/mount/mount_traits.h"
#include "test.h"
#include "workers/copy/engine/engine.h"

#define MIB ((int64_t)1 << 20)

struct fixture {
    char root[64], src[80], dst[80];
    struct copy_member members[4];
    struct copy_plan plan;
    struct copy_report report;
    struct err err;
};

__attribute__((format(printf, 1, 2))) static inline char *fmt(const char *f, ...)
{
    static char buf[8][4096]; /* borrowed: the next eight calls leave it alone */
    static unsigned next;
    char *out = buf[next++ % 8];
    va_list ap;
    va_start(ap, f);
    vsnprintf(out, 4096, f, ap);
    va_end(ap);
    return out;
}

static inline int shell(const char *command)
{
    int rc = system(command);
    return WIFEXITED(rc) ? WEXITSTATUS(rc) : -1;
}

static inline void fixture_init(struct fixture *f, const char *from)
{
    *f = (struct fixture){0};
    assert_non_null(test_folder(f->root, sizeof f->root, "trawl-copy"));
    snprintf(f->src, sizeof f->src, "%s/src", f->root);
    snprintf(f->dst, sizeof f->dst, "%s/dst", f->root);
    assert_int_equal(mkdir(f->src, 0755), 0);
    assert_int_equal(mkdir(f->dst, 0755), 0);
    f->members[0] = (struct copy_member){.from = strdup(from), .to = strdup(from)};
    f->plan = (struct copy_plan){
        .source_root = f->src,
        .target_root = f->dst,
        .target_dir = "i1/2026_11",
        .name = f->members[0].to,
        .members = f->members,
        .n_members = 1,
        .fence = 1,
        .streams = 4,
        .file_threads = 4,
        .chunk_bytes = MIB,
    };
}

static inline void fixture_add(struct fixture *f, const char *from)
{
    f->members[f->plan.n_members++] =
        (struct copy_member){.from = strdup(from), .to = strdup(from)};
}

static inline void fixture_fini(struct fixture *f)
{
    copy_report_fini(&f->report);
    for (size_t i = 0; i < f->plan.n_members; i++) {
        free(f->members[i].from);
        free(f->members[i].to);
    }
    assert_int_equal(shell(fmt("chmod -R u+rwx %s; rm -rf %s", f->root, f->root)), 0);
}

static inline char *in_src(struct fixture *f, const char *name)
{
    return fmt("%s/%s", f->src, name);
}

static inline char *in_dst(struct fixture *f, const char *name)
{
    return fmt("%s/i1/2026_11/%s", f->dst, name);
}

/* A file of reproducible bytes. */
static inline void put_file(const char *path, int64_t size, unsigned seed)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    uint64_t x = seed + 1;
    static uint64_t block[8192];
    while (size > 0) {
        for (size_t i = 0; i < 8192; i++) {
            x = x * 6364136223846793005u + 1442695040888963407u;
            block[i] = x ^ (x >> 29);
        }
        size_t n = size < (int64_t)sizeof block ? (size_t)size : sizeof block;
        assert_int_equal(write(fd, block, n), (ssize_t)n);
        size -= (int64_t)n;
    }
    close(fd);
}

static inline bool is_there(const char *path)
{
    return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Of the file system that the target is on. */
static inline struct mount_traits traits(struct fixture *f)
{
    struct mount_place place;
    struct err err = {0};
    assert_int_equal(mount_find(f->dst, &place, &err), 0);
    return mount_traits(&place);
}

/* In the target's folder: a part or a journal, named as it would be but for the dot in front, which
 * it has except on a share of Windows' kind. */
static inline char *in_part(struct fixture *f, const char *name)
{
    return fmt("%s/i1/2026_11/%s%s", f->dst, traits(f).smb ? "" : ".", name);
}

/* How many of the engine's parts and journals are in the target's folder. */
static inline int leftovers(struct fixture *f)
{
    char out[32] = "";
    FILE *p = popen(fmt("ls -A %s/i1/2026_11 | grep -a -c -e '\\.part'", f->dst), "r");
    assert_non_null(p);
    assert_non_null(fgets(out, sizeof out, p));
    pclose(p);
    return (int)strtol(out, NULL, 10);
}

static inline int run_copy(struct fixture *f)
{
    copy_report_fini(&f->report);
    f->err = (struct err){0};
    return copy_run(&f->plan, &f->report, &f->err);
}

static inline void must_copy(struct fixture *f)
{
    test_settle(f->root);
    if (run_copy(f) != 0) {
        fail_msg("copy failed: %s", f->err.msg);
    }
}

static inline void must_fail(struct fixture *f, enum err_kind kind, const char *part_of_message)
{
    test_settle(f->root);
    assert_int_equal(run_copy(f), -1);
    if (f->err.kind != kind || strstr(f->err.msg, part_of_message) == NULL) {
        fail_msg("%s: '%s', expected %s: '%s'", err_kind_name(f->err.kind), f->err.msg,
                 err_kind_name(kind), part_of_message);
    }
}

static inline bool same_tree(struct fixture *f, const char *name)
{
    return shell(fmt("diff -r --no-dereference -- '%s/%s' '%s/i1/2026_11/%s' >/dev/null", f->src,
                     name, f->dst, name)) == 0;
}
#endif
