/*
 * watch_share.c - whether an instrument's folder can be trusted, and its status document in
 * "watches".
 *
 * A poll of a folder that is not proven decides nothing: an empty folder below a share that is not
 * mounted would otherwise look as if all files had disappeared. The time in which the share was
 * away counts for no rule.
 */
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/path.h"
#include "common/base/utf8.h"
#include "common/mount/location.h"
#include "scheduler/watch/watch.h"

#define REPORT_EVERY_MS 10000
#define HUNG_MS         30000 /* the shortest silence that counts as a hang */

int watch_prove(struct watch *w, struct err *err)
{
    char location[MOUNT_LOCATION_MAX];
    snprintf(location, sizeof location, LOCATION_INSTRUMENT "%s", w->cfg->id);
    const struct mount_need need = {.location = location, .path = w->cfg->path};
    return mounts_check(w->s->mounts, &need, err);
}

/* What people must see although the share is well. */
static void describe_ignored(const struct watch *w, char *text, size_t room)
{
    const char *first = NULL;
    size_t n = 0;
    for (size_t i = 0; i < w->n; i++) {
        if (w->entries[i].younger && w->entries[i].poll == w->poll) {
            first = first == NULL ? w->entries[i].name : first;
            n++;
        }
    }
    AUTO(free) char *shown = first != NULL ? path_escape(first) : NULL;
    snprintf(text, room, "%s", w->strays);
    if (n > 0) {
        size_t used = strlen(text);
        snprintf(text + used, room - used,
                 "%s%.150s%s: not acquired, because AlphaKraken's raw file of that name is left "
                 "alone, and the file is younger: give it another name",
                 used > 0 ? "; " : "", shown != NULL ? shown : "a name",
                 n > 1 ? " and others" : "");
        utf8_mend(text);
    }
}

static void report_share(struct watch *w)
{
    char ignored[600];
    size_t open = 0, files = 0;
    for (size_t i = 0; i < w->n; i++) {
        open += w->entries[i].open;
        files += w->entries[i].poll == w->poll;
    }
    struct statvfs fs;
    int64_t free_gb = w->trouble[0] == '\0' && statvfs(w->cfg->path, &fs) == 0
                          ? (int64_t)(fs.f_bavail * fs.f_frsize >> 30)
                          : -1;
    atomic_store(&w->progress_ms, 0); /* from here on the database may be slow, not the share */
    describe_ignored(w, ignored, sizeof ignored);
    AUTO(bson_destroy) bson_t *filter = BCON_NEW("_id", BCON_UTF8(w->cfg->id));
    AUTO(bson_destroy)
    bson_t *update =
        BCON_NEW("$set", "{", "type", BCON_UTF8(instrument_type_name(w->cfg->type)), "path",
                 BCON_UTF8(w->cfg->path), "status", BCON_UTF8(w->status), "detail",
                 BCON_UTF8(w->trouble[0] != '\0' ? w->trouble : ignored), "since",
                 BCON_DATE_TIME(w->since_ms), "at", BCON_DATE_TIME(wall_ms()), "files",
                 BCON_INT64((int64_t)files), "open", BCON_INT64((int64_t)open), "free_space_gb",
                 BCON_INT64(free_gb), "poll_s", BCON_INT64(w->cfg->poll_s), "}");
    struct err err = {0};
    bool won;
    if (db_upsert(w->s->db, DB_WATCHES, filter, update, &won, &err) == 0) {
        w->reported_ms = mono_ms();
    }
}

/* The mount's status name when the proof failed, "error" when the share failed after it. */
static const char *status_of(const struct err *why, bool unproven)
{
    if (!unproven) {
        return why->kind == ERR_NONE ? "ok" : "error";
    }
    int status = ERR_CODE_LOCATION - why->code;
    return status > MOUNT_OK && status < MOUNT_STATUS_COUNT
               ? mount_status_name((enum mount_status)status)
               : "error";
}

void watch_record_status(struct watch *w, const struct err *why, bool unproven)
{
    static const struct err nothing = {0};
    bool share = why->kind != ERR_NONE && !err_is_of_database(why);
    const char *status = status_of(share ? why : &nothing, share && unproven);
    bool was_hung = atomic_exchange(&w->hung, false);
    bool changed = was_hung || w->status == NULL || strcmp(w->status, status) != 0;
    if (share) {
        for (size_t i = 0; i < w->n; i++) {
            w->entries[i].looked_ms = 0; /* its clocks stop until it is seen again */
        }
        w->case_known = false; /* another server may answer when it is back */
    }
    snprintf(w->trouble, sizeof w->trouble, "%s", share ? why->msg : "");
    w->since_ms = changed ? wall_ms() : w->since_ms;
    w->status = status;
    if (changed) {
        log_info("instrument_share", KV("instrument", w->cfg->id), KV("status", status),
                 KV("detail", w->trouble));
    }
    if (changed || w->reported_ms == 0 || mono_ms() - w->reported_ms >= REPORT_EVERY_MS) {
        report_share(w);
    }
}

void watch_report_hung(struct watch *w)
{
    int64_t now = mono_ms(), moved = atomic_load(&w->progress_ms);
    int64_t limit = w->cfg->poll_s * 3000;
    limit = limit > HUNG_MS ? limit : HUNG_MS;
    if (moved == 0 || now - moved < limit) {
        return;
    }
    if (atomic_load(&w->hung) && now - w->hung_reported_ms < REPORT_EVERY_MS) {
        return;
    }
    char detail[200];
    snprintf(detail, sizeof detail,
             "%.100s has not answered for %lld s; check that its server and the network are up",
             w->cfg->path, (long long)((now - moved) / 1000));
    AUTO(bson_destroy) bson_t *filter = BCON_NEW("_id", BCON_UTF8(w->cfg->id));
    AUTO(bson_destroy)
    bson_t *update =
        BCON_NEW("$set", "{", "status", BCON_UTF8(mount_status_name(MOUNT_HANGS)), "detail",
                 BCON_UTF8(detail), "since", BCON_DATE_TIME(wall_ms() - (now - moved)), "at",
                 BCON_DATE_TIME(wall_ms()), "free_space_gb", BCON_INT64(-1), "}");
    struct err err = {0};
    bool won;
    if (!atomic_exchange(&w->hung, true)) {
        log_warn("instrument_hangs", KV("instrument", w->cfg->id), KV("path", w->cfg->path));
    }
    w->hung_reported_ms = now;
    if (atomic_load(&w->progress_ms) == moved &&
        db_upsert(w->s->db, DB_WATCHES, filter, update, &won, &err) != 0) {
        w->hung_reported_ms = 0;
    }
}
