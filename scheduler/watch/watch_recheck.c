/*
 * watch_recheck.c - was it really over? While an original is where it was acquired, compare all
 * that belongs to it with what it was when its acquisition ended.
 *
 * Another size, another name, one more name: it goes back to monitoring (watch_reopen.h). Where
 * only times have moved (servers write them late, scanners and backup programs touch files), or
 * names are gone, its content decides: the document says "unsettled", the original is read again
 * (watch_reread.c), and either it goes back, or the new look is what later ones are compared with.
 * One that is touched again and again is read more rarely each time.
 *
 * Raw files that ended lately are checked often, all others in turns, LOOKS_A_POLL at most in a
 * poll.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/path.h"
#include "common/base/utf8.h"
#include "common/raw/backup_record.h"
#include "common/raw/raw_file.h"
#include "scheduler/watch/watch.h"
#include "scheduler/watch/watch_reopen.h"

#define LATELY_MS       3600000 /* how long after its end a raw file is checked outside the turns */
#define LATELY_PART     8       /* it is checked again after 1/8 of the time since its end */
#define LOOKS_A_POLL    128     /* at files, in turns; after a large folder some polls have none */
#define NOTES_A_POLL    64
#define UPGRADES_A_POLL 8    /* documents of an earlier version */
#define DOUBT_MAX_S     3600 /* the longest wait before a touched original is read again */
#define REST_PART       3 /* the rest after reading an original, in times of how long that took */
#define REST_MS         1000
#define DOUBT_LEAST_S   1

/* --- notes, written at the end of the poll --- */

static int add_note(struct watch *w, const struct entry *e, const bson_t *memory,
                    const struct raw_original *original, struct err *err)
{
    return db_batch_add(&w->notes, raw_file_looking(e->id, memory, original), err);
}

static int write_notes(struct watch *w, struct err *err)
{
    int rc = db_batch_write(&w->notes, w->s->db, DB_RAW_FILES, err);
    db_batch_clear(&w->notes);
    w->loaded = w->loaded && rc == 0;
    return rc;
}

/* --- what a difference leads to --- */

/* Compare it with this look from now on. state: of its original; NULL: it was not compared. */
static int accept_look(struct watch *w, struct entry *e, const struct signature *sig,
                       const char *state, struct err *err)
{
    bson_t memory = BSON_INITIALIZER;
    const struct raw_original original = {.state = state, .by = "watch"};
    bool says = state != NULL || e->doubtful;
    watch_append_signature(&memory, sig);
    e->a.sig = *sig;
    e->doubtful = false;
    e->doubt_ms = 0;
    int rc = add_note(w, e, &memory, says ? &original : NULL, err);
    bson_destroy(&memory);
    return rc;
}

/* A raw file that was set aside or moved (another file may have its name) is never sent back. */
static bool is_left_alone(const bson_t *rf)
{
    return raw_file_status(rf) == RAW_IGNORED ||
           strcmp(doc_str(rf, "instrument_file_status", ""), "initial") != 0;
}

static int send_back(struct watch *w, struct entry *e, const struct look *l, struct err *err)
{
    AUTO(bson_destroy) bson_t *rf = NULL;
    bool won = false;
    if (db_find_id(w->s->db, DB_RAW_FILES, e->id, &rf, err) != 0) {
        return -1;
    }
    if (rf != NULL && is_left_alone(rf)) {
        return accept_look(w, e, &l->sig, NULL, err);
    }
    if (rf == NULL || !reopen_may(rf)) {
        return 0; /* the next look finds the change again */
    }
    if (reopen_raw_file(w->s->db, rf, "It changed after its acquisition had ended.", &won, err) !=
        0) {
        w->loaded = false; /* it may have gone back, and only the reply was lost */
        return -1;
    }
    if (won) {
        log_warn("acquisition_goes_on", KV("raw_file", e->id), KV("size_was", e->size),
                 KV("size_is", l->size), KV("changed", l->newest));
        e->a = acquisition_new();
        e->open = true;
        e->doubtful = false;
        e->looked_ms = e->saved_ms = e->doubt_ms = 0;
    }
    return 0;
}

/* Read it again after twice the wait before. */
static void wait_longer(struct entry *e, int64_t now)
{
    int32_t wait = e->doubt_wait_s * 2;
    e->doubt_wait_s = wait < DOUBT_MAX_S ? wait : DOUBT_MAX_S;
    e->doubt_ms = now + e->doubt_wait_s * 1000LL;
}

/* Mark it as unsettled, and set when to read it again. */
static int put_in_doubt(struct watch *w, struct entry *e, const struct look *l, const char *what,
                        struct err *err)
{
    int64_t now = mono_ms();
    if (e->doubt_ms == 0 && e->settled_ms != 0 && now - e->settled_ms < DOUBT_MAX_S * 1000LL) {
        wait_longer(e, now);
    } else if (e->doubt_ms == 0) {
        int64_t wait = w->cfg->still_s > DOUBT_LEAST_S ? w->cfg->still_s : DOUBT_LEAST_S;
        e->doubt_wait_s = (int32_t)(wait < DOUBT_MAX_S ? wait : DOUBT_MAX_S);
        e->doubt_ms = now + e->doubt_wait_s * 1000LL;
    }
    if (e->doubtful) {
        return 0;
    }
    char why[300];
    AUTO(free) char *newest = path_escape(l->newest);
    snprintf(why, sizeof why, "%s; changed last: %.200s", what, newest != NULL ? newest : "");
    utf8_mend(why);
    e->doubtful = true;
    log_info("original_unsettled", KV("raw_file", e->id), KV("why", why));
    return add_note(w, e, NULL, &(struct raw_original){"unsettled", "watch", why}, err);
}

/* Whether number and bytes of its files, also of those beside the main one, are those of the
 * backup. A record that proves nothing is none of them. */
static int compare_files(struct db *db, const bson_t *rf, const struct look *l, bool *same,
                         struct err *err)
{
    struct record r = {0};
    struct err why = {0};
    int rc = record_load(&r, db, rf, &why);
    *same = rc == 0 && r.n == l->files && r.size == l->sig.bytes;
    record_fini(&r);
    if (rc != 0 && (why.kind != ERR_INVALID || err_is_of_database(&why))) {
        *err = why;
        return -1;
    }
    return 0;
}

static int compare_with_record(struct watch *w, struct entry *e, const struct look *l,
                               struct err *err)
{
    AUTO(bson_destroy) bson_t *rf = NULL;
    if (db_find_id(w->s->db, DB_RAW_FILES, e->id, &rf, err) != 0) {
        return -1;
    }
    bool same = true; /* without a record there is nothing to compare with */
    if (rf != NULL && record_exists(rf) && !is_left_alone(rf) &&
        compare_files(w->s->db, rf, l, &same, err) != 0) {
        return -1;
    }
    return same ? accept_look(w, e, &l->sig, NULL, err)
                : put_in_doubt(w, e, l, "its files are not those of its backup", err);
}

/* For a memory from a version that knew only the main file. */
static int compare_main(struct watch *w, struct entry *e, const struct look *l, struct err *err)
{
    bool counted = e->members > 0 && members_is_set(w->cfg);
    bool had_main = e->size >= 0 && l->main_there;
    if (had_main && (l->size != e->size || (counted && l->members != e->members))) {
        return send_back(w, e, l, err);
    }
    if (had_main && e->mtime_ns != 0 && l->mtime_ns != e->mtime_ns) {
        return put_in_doubt(w, e, l, "its time has moved", err);
    }
    return w->notes.n < UPGRADES_A_POLL ? compare_with_record(w, e, l, err) : 0;
}

static int compare_look(struct watch *w, struct entry *e, const struct look *l, struct err *err)
{
    const struct signature *was = &e->a.sig;
    if (!signature_known(was)) {
        return compare_main(w, e, l, err);
    }
    if (signature_same(was, &l->sig)) {
        return e->doubtful ? accept_look(w, e, &l->sig, NULL, err) : 0;
    }
    if (e->size >= 0 && !l->main_there) { /* what is left must never replace the backup */
        return put_in_doubt(w, e, l, "its main file is gone", err);
    }
    if (signature_same_shape(was, &l->sig)) {
        return put_in_doubt(w, e, l, "times of its files have moved", err);
    }
    return l->sig.n < was->n ? put_in_doubt(w, e, l, "files of it are gone", err)
                             : send_back(w, e, l, err);
}

/* An unreadable part may have changed: after still_s, stop showing the original as safe. */
static int handle_unreadable(struct watch *w, struct entry *e, const struct look *l,
                             struct err *err)
{
    char what[200];
    int64_t now = mono_ms();
    e->blind_ms = e->blind_ms == 0 ? now : e->blind_ms;
    if (now - e->blind_ms < w->cfg->still_s * 1000) {
        return 0;
    }
    snprintf(what, sizeof what, "a part of it cannot be read: %.150s", l->trouble);
    return put_in_doubt(w, e, l, what, err);
}

/* A name that is left alone may be a new file's: then people must see it (watch_share.c). */
static void look_at_apart(struct watch *w, struct entry *e, size_t *looks)
{
    struct look l;
    e->younger = watch_look_top(w, e->name, &l) && l.born_ns / 1000000 > e->written_ms;
    *looks += l.looks;
}

static int look_again(struct watch *w, struct entry *e, size_t *looks, struct err *err)
{
    struct look l;
    if (e->open || e->poll != w->poll) {
        return 0;
    }
    e->looked_ms = mono_ms();
    if (e->apart) {
        look_at_apart(w, e, looks);
        return 0;
    }
    if (watch_look(w, e->name, &l, err) != 0) {
        return -1;
    }
    *looks += l.looks;
    bool reborn = l.birth_known && l.born_ns != e->born_ns; /* inodes are reused */
    bool swapped = l.there && (l.ino != e->ino || reborn);
    if (swapped && !watch_same_content(e, &l)) {
        e->poll = 0; /* swapped between two polls: the next poll treats the name as new */
        w->all_known = false;
        return 0;
    }
    if (swapped) {
        e->ino = l.ino;
        e->born_ns = l.born_ns;
    }
    if (!l.there) {
        return 0;
    }
    if (l.trouble[0] != '\0') {
        return handle_unreadable(w, e, &l, err);
    }
    e->blind_ms = 0;
    return compare_look(w, e, &l, err);
}

/* --- reading an original again --- */

static int settle_reread(struct watch *w, struct entry *e, const struct reread_end *end,
                         struct err *err)
{
    struct look l;
    int64_t now = mono_ms();
    if (watch_look(w, e->name, &l, err) != 0) {
        return -1;
    }
    bool same = end->state == ORIGINAL_SAME, fewer = end->state == ORIGINAL_FEWER;
    log_info("original_reread", KV("raw_file", e->id), KV("state", original_state_name(end->state)),
             KV("why", end->why), KV("ms", end->ms));
    wait_longer(e, now);
    if (same && end->sig.n < e->a.sig.n) { /* all recorded files are there, but fewer belong to it:
                                              another raw file has taken some */
        return send_back(w, e, &l, err);
    }
    if ((same || fewer) && l.there && signature_same(&l.sig, &end->sig)) {
        e->settled_ms = now;
        e->doubt_wait_s /= 2;
        return accept_look(w, e, &l.sig, same ? original_state_name(end->state) : NULL, err);
    }
    bool goes_on = end->state == ORIGINAL_DIFFERS && (e->size < 0 || l.main_there);
    return goes_on ? send_back(w, e, &l, err) : 0;
}

static int finish_reread(struct watch *w, struct err *err)
{
    const struct reread_end *end = reread_poll(w->reread);
    if (end == NULL) {
        return 0;
    }
    struct entry *e = watch_find(w, end->name);
    int rc = e != NULL && !e->open ? settle_reread(w, e, end, err) : 0;
    int64_t rest = end->ms * REST_PART;
    w->rest_until_ms = mono_ms() + (rest > REST_MS ? rest : REST_MS);
    reread_free(w->reread);
    w->reread = NULL;
    return rc;
}

static int begin_reread(struct watch *w, struct entry *e, struct err *err)
{
    AUTO(bson_destroy) bson_t *rf = NULL;
    struct look l;
    struct err why = {0};
    if (watch_look(w, e->name, &l, err) != 0 ||
        db_find_id(w->s->db, DB_RAW_FILES, e->id, &rf, err) != 0) {
        return -1;
    }
    e->doubt_ms = mono_ms() + e->doubt_wait_s * 1000LL;
    if (rf == NULL || !l.there) {
        return 0;
    }
    bool copied = record_exists(rf);
    if (is_left_alone(rf) || (!copied && reopen_may(rf))) {
        return accept_look(w, e, &l.sig, NULL, err); /* there is nothing to compare with */
    }
    if (!reopen_may(rf)) {
        return 0;
    }
    w->reread = reread_new(w->cfg->path, e->name, &l.sig, w->s->db, rf, &why);
    if (w->reread == NULL) {
        wait_longer(e, mono_ms());
        err_context(&why, "read %s again", e->id);
        log_err("original_reread", &why);
    }
    return 0;
}

/* The one that has waited longest, so that touches of others delay no original for ever. */
static int reread_next(struct watch *w, struct err *err)
{
    int64_t now = mono_ms();
    struct entry *next = NULL;
    if (w->reread != NULL) {
        return finish_reread(w, err);
    }
    if (now < w->rest_until_ms) {
        return 0;
    }
    for (size_t i = 0; i < w->n; i++) {
        struct entry *e = &w->entries[i];
        bool due = e->doubt_ms != 0 && e->doubt_ms <= now && !e->open && e->poll == w->poll;
        next = due && (next == NULL || e->doubt_ms < next->doubt_ms) ? e : next;
    }
    return next != NULL ? begin_reread(w, next, err) : 0;
}

/* --- a poll --- */

/* The original is gone: clear its doubt. */
static int forget_gone(struct watch *w, struct entry *e, struct err *err)
{
    if (!e->doubtful || e->open || e->poll == w->poll) {
        return 0;
    }
    e->doubtful = false;
    e->doubt_ms = 0;
    return add_note(w, e, NULL, &(struct raw_original){.state = NULL}, err);
}

static bool is_due(const struct entry *e, int64_t now)
{
    int64_t since = now - e->ended_ms;
    return e->ended_ms != 0 && since < LATELY_MS && now - e->looked_ms >= since / LATELY_PART;
}

static int look_at_all(struct watch *w, struct err *err)
{
    int64_t now = mono_ms();
    size_t looks = 0;
    for (size_t i = 0; i < w->n; i++) {
        struct entry *e = &w->entries[i];
        if ((is_due(e, now) && look_again(w, e, &looks, err) != 0) || forget_gone(w, e, err) != 0) {
            return -1;
        }
    }
    w->looks_left = w->looks_left < 0 ? w->looks_left + LOOKS_A_POLL : LOOKS_A_POLL;
    for (size_t k = 0; k < w->n && w->looks_left > 0 && w->notes.n < NOTES_A_POLL; k++) {
        w->recheck_next = (w->recheck_next + 1) % w->n;
        struct entry *e = &w->entries[w->recheck_next];
        looks = 0;
        if (e->looked_ms < now && look_again(w, e, &looks, err) != 0) {
            return -1;
        }
        w->looks_left -= (int64_t)looks;
    }
    return reread_next(w, err);
}

int watch_recheck(struct watch *w, struct err *err)
{
    struct err why = {0};
    int rc = look_at_all(w, err);
    if (write_notes(w, &why) != 0 && rc == 0) {
        *err = why;
        return -1;
    }
    return rc;
}
