/*
 * listing.c - a folder's names, whole, so that a poll that finds the very names of the last one
 * need not look up each of them.
 */
#include <string.h>

#include "common/fs.h"
#include "common/mono.h"
#include "scheduler/watch.h"

static int add_name(void *ctx, const char *name, struct err *err)
{
    struct watch *w = ctx;
    struct listing *l = &w->now;
    size_t len = strlen(name) + 1;
    if (l->n++ % 64 == 0) {
        atomic_store(&w->moved_ms, mono_ms());
    }
    if (l->len + len > l->room) {
        size_t room = (l->room + len) * 2;
        char *more = realloc(l->names, room);
        if (more == NULL) {
            return ERR(err, ERR_TRANSIENT, 0, "out of memory");
        }
        l->names = more;
        l->room = room;
    }
    memcpy(l->names + l->len, name, len);
    l->len += len;
    return 0;
}

int listing_read(struct watch *w, bool *same, struct err *err)
{
    struct listing *now = &w->now, *before = &w->before;
    now->len = now->n = 0;
    *same = false;
    if (fs_each_name(w->cfg->path, add_name, w, err) != 0) {
        return -1;
    }
    *same = now->n == before->n && now->len == before->len &&
            (now->len == 0 || memcmp(now->names, before->names, now->len) == 0);
    return 0;
}

void listing_keep(struct watch *w)
{
    struct listing spare = w->before;
    w->before = w->now;
    w->now = spare;
}

void listing_forget(struct watch *w)
{
    free(w->now.names);
    free(w->before.names);
    w->now = w->before = (struct listing){0};
}
