/*
 * config_scratch.h - for tests of the configuration: a folder of its own for every test, and an
 * environment without our variables (`make test` sets some). Included by one test program each.
 */
#ifndef TESTS_CONFIG_SCRATCH_H
#define TESTS_CONFIG_SCRATCH_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/config/config.h"
#include "test.h"

#define SCRATCH_TEST(name) cmocka_unit_test_setup_teardown(name, make_dir, remove_dir)

struct bad {
    const char *text, *message;
};

static char dir[64];
/* Forget every variable that config_load looks at. */
__attribute__((unused)) static void clear_environment(void)
{
    for (size_t i = 0; environ[i] != NULL;) {
        char name[128];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(environ[i], "="), environ[i]);
        if (strncmp(name, "TRAWL_", 6) == 0 || strcmp(name, "ENV") == 0) {
            unsetenv(name);
        } else {
            i++;
        }
    }
}

__attribute__((unused)) static int make_dir(void **state)
{
    (void)state;
    clear_environment();
    return test_folder(dir, sizeof dir, "test_config") == NULL;
}

__attribute__((unused)) static int remove_dir(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    clear_environment();
    return system(command);
}

__attribute__((unused)) static char *put(const char *name, const char *text)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    return path;
}

__attribute__((unused)) static struct config *load(void)
{
    struct err err = {0};
    struct config *c = config_load(dir, &err);
    if (c == NULL) {
        fail_msg("%s", err.msg);
    }
    return c;
}

__attribute__((unused)) static void refused(const char *message)
{
    struct err err = {0};
    struct config *c = config_load(dir, &err);
    assert_null(c);
    assert_int_equal(err.kind, ERR_INVALID);
    if (strstr(err.msg, message) == NULL) {
        fail_msg("'%s' is not in '%s'", message, err.msg);
    }
}

__attribute__((unused)) static char *shown(const struct config *c, bool origin, bool json)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    config_show(c, origin, json, f);
    fclose(f);
    return text;
}
#endif
