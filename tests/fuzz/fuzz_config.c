/*
 * Any bytes as trawl.ini, and as an instrument's file: refused with a message or taken, and what
 * was taken can be shown.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/fs.h"
#include "common/base/path.h"
#include "common/config/config.h"
#include "common/config/config_keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_file(const char *path, const uint8_t *data, size_t size)
{
    FILE *f = fopen(path, "w");
    assert(f != NULL);
    size_t n = fwrite(data, 1, size, f);
    assert(n == size);
    fclose(f);
}

static void as_instrument(const struct config *c, const char *path)
{
    struct err err = {0};
    struct instrument *i = instrument_load(c, path, &err);
    assert((i == NULL) == (err.kind != ERR_NONE));
    assert(i == NULL || (i->path[0] == '/' && i->max_copies >= 1));
    instrument_free(i);
}

static void as_config(const char *dir, FILE *nowhere)
{
    struct err err = {0};
    struct config *c = config_load(dir, &err);
    assert((c == NULL) == (err.kind == ERR_INVALID));
    if (c != NULL) {
        config_show(c, true, true, nowhere);
        config_show(c, true, false, nowhere);
    }
    config_free(c);
}

static void escape_and_back(const uint8_t *data, size_t size)
{
    char *text = strndup((const char *)data, size);
    char *escaped = text == NULL ? NULL : path_escape(text);
    char *back = escaped == NULL ? NULL : path_unescape(escaped);
    assert(back == NULL || strcmp(back, text) == 0);
    free(text);
    free(escaped);
    free(back);
}

/* One process, one temporary folder in memory; libFuzzer has no end to clean up at. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char dir[] = "/dev/shm/fuzz_config_XXXXXX";
    static char main_file[64], instrument_file[64];
    static struct config *defaults;
    static FILE *nowhere;
    if (nowhere == NULL) {
        struct err err = {0};
        char *made = mkdtemp(dir);
        assert(made != NULL);
        snprintf(main_file, sizeof main_file, "%s/trawl.ini", dir);
        snprintf(instrument_file, sizeof instrument_file, "%s/x1.ini", dir);
        defaults = config_load(dir, &err);
        nowhere = fopen("/dev/null", "w");
        assert(defaults != NULL && nowhere != NULL);
    }
    write_file(main_file, data, size);
    as_config(dir, nowhere);
    write_file(instrument_file, data, size);
    as_instrument(defaults, instrument_file);
    unlink(main_file);
    escape_and_back(data, size);
    return 0;
}
