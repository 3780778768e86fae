/*
 * watch_reread.c - reads an original whose times have moved again and compares it with the record
 * of its backup, on a thread beside the poll. reread_free stops it between two blocks.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/raw/backup_record.h"
#include "scheduler/watch/watch.h"

struct reread {
    pthread_t thread;
    atomic_bool stop, over;
    char *folder, *name;
    struct original original;
    struct record record;
    struct original_seen seen;
    struct err err;
    struct reread_end end; /* once over */
};

static int check_hook(void *ctx, struct err *err)
{
    struct reread *r = ctx;
    return atomic_load(&r->stop) ? ERR(err, ERR_CANCELLED, 0, "the watch stops") : 0;
}

static int compare_original(struct reread *r)
{
    const struct rehash_hooks hooks = {.check = check_hook, .ctx = r};
    AUTO(rehash_free) struct rehash *rehash = rehash_new(&hooks, &r->err);
    const struct original_look look = {.folder = r->folder,
                                       .members = r->original.members,
                                       .n = r->original.n,
                                       .record = &r->record,
                                       .rehash = rehash};
    return rehash == NULL ? -1 : original_compare(&look, &r->seen, &r->err);
}

static void *reread_main(void *arg)
{
    struct reread *r = arg;
    int64_t began = mono_ms();
    bool failed = compare_original(r) != 0;
    r->end.state = failed ? ORIGINAL_BUSY : r->seen.state;
    r->end.why = failed ? r->err.msg : r->seen.why;
    r->end.ms = mono_ms() - began;
    atomic_store(&r->over, true);
    return NULL;
}

static void free_reread(struct reread *r)
{
    original_fini(&r->original);
    original_seen_fini(&r->seen);
    record_fini(&r->record);
    free(r->folder);
    free(r->name);
    free(r);
}

struct reread *reread_new(const char *folder, const char *name, const struct signature *sig,
                          struct db *db, const bson_t *raw, struct err *err)
{
    struct reread *r = calloc(1, sizeof *r);
    if (r == NULL) {
        err_no_memory(err);
        return NULL;
    }
    r->folder = strdup(folder);
    r->name = strdup(name);
    r->end = (struct reread_end){.name = r->name, .sig = *sig};
    if (r->folder == NULL || r->name == NULL) {
        err_no_memory(err);
    } else if (record_load(&r->record, db, raw, err) == 0 &&
               original_load_of(&r->original, raw, &r->record, err) == 0) {
        if (pthread_create(&r->thread, NULL, reread_main, r) == 0) {
            return r;
        }
        ERR(err, ERR_TRANSIENT, 0, "cannot start a thread");
    }
    free_reread(r);
    return NULL;
}

const struct reread_end *reread_poll(const struct reread *r)
{
    return atomic_load(&r->over) ? &r->end : NULL;
}

void reread_free(struct reread *r)
{
    if (r != NULL) {
        atomic_store(&r->stop, true);
        pthread_join(r->thread, NULL);
        free_reread(r);
    }
}
