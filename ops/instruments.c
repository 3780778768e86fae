/* instruments.c - the instruments of config/instruments.d. */
#include "ops/instruments.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/fs.h"
#include "common/base/path.h"

#define SUFFIX ".ini"

struct names {
    char **items;
    size_t n;
};

static void names_clear(struct names *l)
{
    for (size_t i = 0; i < l->n; i++) {
        free(l->items[i]);
    }
    free(l->items);
}

static int keep_name(void *ctx, const char *name, struct err *err)
{
    struct names *l = ctx;
    if (!path_ends_with(name, SUFFIX, false) || name[0] == '.') {
        return 0;
    }
    char **items = reallocarray(l->items, l->n + 1, sizeof *items);
    if (items == NULL) {
        return err_no_memory(err);
    }
    l->items = items;
    items[l->n] = strdup(name);
    return items[l->n] == NULL ? err_no_memory(err) : (l->n++, 0);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int call_with(const struct config *cfg, char *name, instrument_fn *fn, void *ctx)
{
    struct err why = {0};
    AUTO(free) char *file = path_join(cfg->scheduler.instruments_dir, name, &why);
    AUTO(instrument_free)
    struct instrument *i = file != NULL ? instrument_load(cfg, file, &why) : NULL;
    name[strlen(name) - strlen(SUFFIX)] = '\0';
    return fn(ctx, name, i, &why);
}

int instruments_each(const struct config *cfg, instrument_fn *fn, void *ctx, struct err *err)
{
    struct names l = {0};
    int rc = fs_each_name(cfg->scheduler.instruments_dir, keep_name, &l, err);
    if (rc == 0 && l.n > 0) {
        qsort(l.items, l.n, sizeof *l.items, by_name);
    }
    for (size_t i = 0; rc == 0 && i < l.n; i++) {
        rc = call_with(cfg, l.items[i], fn, ctx);
    }
    names_clear(&l);
    return rc;
}
