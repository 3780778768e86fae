/*
 * test.h - what every unit test includes: cmocka with the headers that it needs before it.
 */
#ifndef TESTS_TEST_H
#define TESTS_TEST_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cmocka.h>

/* Make a new folder, called so and a few characters more, where $TMPDIR says (else in /tmp): the
 * tests run on other file systems, too. out, or NULL. */
static inline char *test_folder(char *out, size_t room, const char *name)
{
    const char *top = getenv("TMPDIR");
    int n = snprintf(out, room, "%s/%s-XXXXXX", top != NULL && *top != '\0' ? top : "/tmp", name);
    return n > 0 && (size_t)n < room ? mkdtemp(out) : NULL;
}

/* A share of Windows' kind closes a second late: only then its locks are free, and the times of
 * what was written its own. Elsewhere at once. */
static inline void test_settle(const char *path)
{
    struct statfs fs;
    if (statfs(path, &fs) == 0 &&
        ((uint32_t)fs.f_type == 0xfe534d42u || (uint32_t)fs.f_type == 0xff534d42u)) {
        usleep(2500000);
    }
}
#endif
