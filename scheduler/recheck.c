/*
 * recheck.c - was it really over? A main file whose size differs from what it was when its
 * acquisition ended, or a file that joined its set since, sends the raw file back to monitoring
 * (reopen.h).
 */
#include "common/fs.h"
#include "common/log.h"
#include "common/mono.h"
#include "scheduler/names.h"
#include "scheduler/reopen.h"
#include "scheduler/watch.h"

#define LATELY_MS    3600000 /* after its end a raw file is looked at in every poll for so long */
#define TURNS_A_POLL 32      /* of all others */

static int send_back(struct watch *w, struct entry *e, const struct look *l, struct err *err)
{
    AUTO(bson_destroy) bson_t *rf = NULL;
    bool won = false;
    if (db_find_id(w->s->db, DB_RAW_FILES, e->id, &rf, err) != 0) {
        return -1;
    }
    if (rf == NULL || !reopen_may(rf)) {
        return 0;
    }
    if (reopen(w->s->db, rf, "It changed after its acquisition had ended.", &won, err) != 0) {
        w->loaded = false; /* it may have gone back, and only the reply was lost */
        return -1;
    }
    if (won) {
        log_warn("acquisition_goes_on", KV("raw_file", e->id), KV("size_was", e->size),
                 KV("size_is", l->size));
        e->a = acquisition_new();
        e->open = true;
        e->looked_ms = e->saved_ms = 0;
    }
    return 0;
}

struct tally {
    const struct watch *w;
    const struct entry *e;
    uint32_t n;
};

static int count_member(void *ctx, const char *name, struct err *err)
{
    (void)err;
    struct tally *t = ctx;
    t->n += names_is_companion(t->w->cfg, t->e->name, name);
    return 0;
}

/* Sciex writes the files of a set one after the other; one may come after the set had ended. */
static int has_latecomer(const struct watch *w, const struct entry *e, bool *has, struct err *err)
{
    struct tally t = {.w = w, .e = e};
    if (w->cfg->type == INSTRUMENT_SCIEX && e->members > 0 &&
        fs_each_name(w->cfg->path, count_member, &t, err) != 0) {
        return -1;
    }
    *has = t.n > e->members;
    return 0;
}

static int look_again(struct watch *w, struct entry *e, struct err *err)
{
    if (e->open || e->poll != w->poll) {
        return 0;
    }
    struct look l = watch_look(w, e->name);
    if (l.there && l.ino != e->ino) {
        e->poll = 0; /* swapped between two polls: the next one looks at it as at a new name */
        w->all_known = false;
        return 0;
    }
    bool latecomer = false;
    if (has_latecomer(w, e, &latecomer, err) != 0) {
        return -1;
    }
    bool grown = l.main_there && e->size >= 0 && (l.size != e->size || latecomer);
    return grown ? send_back(w, e, &l, err) : 0;
}

int recheck(struct watch *w, struct err *err)
{
    int64_t now = mono_ms();
    for (size_t i = 0; i < w->n; i++) {
        struct entry *e = &w->entries[i];
        bool lately = e->ended_ms != 0 && now - e->ended_ms < LATELY_MS;
        if (lately && look_again(w, e, err) != 0) {
            return -1;
        }
    }
    for (size_t k = 0; k < TURNS_A_POLL && k < w->n; k++) {
        w->recheck_next = (w->recheck_next + 1) % w->n;
        if (look_again(w, &w->entries[w->recheck_next], err) != 0) {
            return -1;
        }
    }
    return 0;
}
