/*
 * watch.c - a poll lists the folder's names once and looks only at raw files that are new or open.
 *
 * The known raw files are read from MongoDB when the scheduler begins to lead, or when their names
 * appear; from then on the table in memory lists what needs no look. A name that left the listing
 * and comes back is treated as new. A poll writes its decisions by updates guarded by the status,
 * so a deposed leader changes nothing that the new one has moved on.
 */
#include "scheduler/watch/watch.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/clock.h"
#include "common/base/fs.h"
#include "common/base/log.h"
#include "common/base/path.h"
#include "common/raw/raw_file.h"
#include "scheduler/watch/name_rules.h"

#define SAVE_EVERY_MS 10000 /* the memory of an open acquisition that does not change */

/* --- new raw files --- */

/* A file that is still growing is the same whatever its size: its identity is its birth. Where the
 * share reports no birth, its substitute moves while the file grows, so the inode must do. */
static bool same_node(const struct entry *e, const struct look *l)
{
    bool born = e->born_ns == l->born_ns || (e->open && !l->birth_known);
    return e->ino == l->ino && e->ino != 0 && born;
}

bool watch_same_content(const struct entry *e, const struct look *l)
{
    bool dated = e->mtime_ns != 0;
    return e->size == l->size && (!dated || e->mtime_ns == l->mtime_ns);
}

/* A poll may outlast the scheduler's lead. Counted before the look at it, so that one that steps
 * aside sees what it must wait for (lead.c). */
static int create(struct scheduler *s, const struct raw_file_found *found, bool *made,
                  struct err *err)
{
    atomic_fetch_add(&s->creating, 1);
    int rc = atomic_load(&s->leading)
                 ? raw_file_create(s->db, found, made, err)
                 : ERR(err, ERR_TRANSIENT, ERR_CODE_DATABASE, "this scheduler has stepped aside");
    atomic_fetch_sub(&s->creating, 1);
    return rc;
}

static int make_document(struct watch *w, struct entry *e, const struct look *l, bool *made,
                         struct err *err)
{
    AUTO(free) char *original = path_escape(e->name);
    int64_t limit = w->cfg->ignore_older_than_h;
    bool ignored = limit >= 0 && wall_ms() - l->born_ns / 1000000 > limit * 3600000;
    if (w->book.projects == NULL && settings_book_load_projects(&w->book, w->s->db, err) != 0) {
        return -1;
    }
    const struct raw_file_found found = {
        .id = e->id,
        .original_name = original,
        .instrument = w->cfg->id,
        .project = names_project(original, (const char *const *)w->book.projects),
        .collision = e->prefix,
        .ignored = ignored ? "Older than ignore_older_than_h." : NULL,
        .ino = l->ino,
        .born_ns = l->born_ns,
        .mtime_ns = l->mtime_ns,
        .size = l->size,
    };
    e->open = !ignored;
    return create(w->s, &found, made, err);
}

static int choose_id(const struct watch *w, struct entry *e, const char *name, bool collides,
                     struct err *err)
{
    char prefix[NAMES_PREFIX_LEN + 1] = "";
    if (collides) {
        names_collision_prefix(wall_ms() * 1000 + mono_ns() / 1000 % 1000, prefix);
    }
    AUTO(free) char *target = names_target(prefix, name, members_stem(w->cfg, name));
    AUTO(free) char *id = target != NULL ? path_escape(target) : NULL;
    if (id == NULL) {
        return err_no_memory(err);
    }
    return entry_name(e, name, prefix, id, err);
}

/* Whether the document with this id is of this very file: the reply to an earlier insert was lost,
 * or the leader before us made it after we had read the table. */
static int is_known(struct watch *w, const char *id, const struct look *l, bool *known,
                    struct err *err)
{
    AUTO(bson_destroy) bson_t *rf = NULL;
    if (db_find_id(w->s->db, DB_RAW_FILES, id, &rf, err) != 0) {
        return -1;
    }
    if (rf == NULL) { /* and must not be made under another id */
        return ERR(err, ERR_TRANSIENT, ERR_CODE_DATABASE,
                   "%s is there, but a majority of MongoDB's servers does not have it yet", id);
    }
    bool born = doc_i64(rf, "watch.born_ns", 0) == l->born_ns || !l->birth_known;
    bool same = born && (uint64_t)doc_i64(rf, "watch.ino", 0) == l->ino;
    *known = strcmp(doc_str(rf, "instrument_id", ""), w->cfg->id) == 0 &&
             (same || !raw_file_is_ours(rf)); /* AlphaKraken's is left alone, as in the table */
    return 0;
}

/* The id is the name. If that is taken (this instrument had it with other content, or another
 * instrument has it), a prefix with the time precedes it. */
static int add_new(struct watch *w, const char *name, const struct look *l, bool collides,
                   struct err *err)
{
    struct entry e = {.a = acquisition_new(),
                      .born_ns = l->born_ns,
                      .mtime_ns = l->mtime_ns,
                      .ino = l->ino,
                      .size = l->size,
                      .made_ms = INT64_MAX, /* newest, whatever the clock says */
                      .poll = w->poll};
    bool made = false, known = false;
    for (int tries = 0; !made && tries < 3; tries++) {
        if (choose_id(w, &e, name, collides || tries > 0, err) != 0 ||
            make_document(w, &e, l, &made, err) != 0 ||
            (!made && !collides && is_known(w, e.id, l, &known, err) != 0)) {
            w->loaded = false; /* perhaps only the reply was lost */
            entry_fini(&e);
            return -1;
        }
        if (known) {
            w->loaded = false; /* the next poll reads it */
            entry_fini(&e);
            return 0;
        }
    }
    log_info("raw_file_found", KV("raw_file", e.id), KV("instrument", w->cfg->id),
             KV("collision", collides));
    wake_raise(&w->s->wake, e.id);
    return watch_put(w, &e, err);
}

/* --- following open acquisitions --- */

/* A Thermo file that has got the name <stem>_CORRUPTED.raw. */
static bool is_renamed(const struct watch *w, const struct entry *e)
{
    struct stat st;
    AUTO(free) char *path = NULL;
    int stem = (int)members_stem(w->cfg, e->name);
    if (asprintf(&path, "%s/%.*s_CORRUPTED.raw", w->cfg->path, stem, e->name) < 0) {
        path = NULL;
        return false;
    }
    return lstat(path, &st) == 0;
}

static struct sighting sighting_of(const struct watch *w, const struct entry *e,
                                   const struct look *l)
{
    return (struct sighting){
        .since_ms = e->looked_ms == 0 ? 0 : mono_ms() - e->looked_ms,
        .main_present = l->main_there,
        .unreadable = l->trouble[0] != '\0',
        .size = l->size,
        .sig = l->sig,
        .scan_size = l->scan_size,
        .corrupted_sibling = w->cfg->type == INSTRUMENT_THERMO && !l->main_there &&
                             l->trouble[0] == '\0' && is_renamed(w, e),
        .successor = e->born_ns < w->youngest_ns,
        .behind_youngest_ms = (w->youngest_ns - e->born_ns) / 1000000,
    };
}

static int append_member(const struct watch *w, const struct entry *e, const char *name,
                         bson_t *out, struct err *err)
{
    AUTO(free) char *from = path_escape(name);
    AUTO(free) char *target = names_target(e->prefix, name, members_stem(w->cfg, e->name));
    AUTO(free) char *to = target != NULL ? path_escape(target) : NULL;
    if (from == NULL || to == NULL) {
        return err_no_memory(err);
    }
    char key[16];
    snprintf(key, sizeof key, "%u", bson_count_keys(out));
    BCON_APPEND(out, key, "{", "from", BCON_UTF8(from), "to", BCON_UTF8(to), "}");
    return 0;
}

static int append_members(struct watch *w, const struct entry *e, const struct look *l, bson_t *out,
                          struct err *err)
{
    struct members m = {0};
    if (l->files == 0) { /* a folder without any file has nothing to be copied */
        return 0;
    }
    if (!members_is_set(w->cfg)) {
        return append_member(w, e, e->name, out, err);
    }
    int rc = watch_members(w, e->name, &m, err);
    for (size_t i = 0; i < m.n && rc == 0; i++) {
        rc = append_member(w, e, m.names[i], out, err);
    }
    members_fini(&m);
    return rc;
}

void watch_append_signature(bson_t *set, const struct signature *sig)
{
    BCON_APPEND(set, "watch.sig", "{", "n", BCON_INT64(sig->n), "bytes", BCON_INT64(sig->bytes),
                "newest", BCON_INT64(sig->newest), "shape", BCON_INT64(sig->shape), "stamp",
                BCON_INT64(sig->stamp), "}");
}

static void append_memory(const struct entry *e, const char *rule, bson_t *set)
{
    if (signature_known(&e->a.sig)) {
        watch_append_signature(set, &e->a.sig);
    }
    BCON_APPEND(set, "watch.size", BCON_INT64(e->a.size), "watch.quiet_ms",
                BCON_INT64(e->a.quiet_ms), "watch.missing_ms", BCON_INT64(e->a.missing_ms),
                "watch.check_ms", BCON_INT64(e->a.check_ms), "watch.checked_size",
                BCON_INT64(e->a.checked_size), "watch.mtime_ns", BCON_INT64(e->mtime_ns),
                "watch.waits_for", BCON_UTF8(rule), "size", BCON_INT64(e->a.size));
}

static int save_memory(struct watch *w, struct entry *e, const struct look *l, const char *rule,
                       struct err *err)
{
    bson_t memory = BSON_INITIALIZER;
    bool won, first = e->saved_ms == 0;
    AUTO(free) char *newest = path_escape(l->newest);
    append_memory(e, rule, &memory);
    BCON_APPEND(&memory, "watch.newest", BCON_UTF8(newest != NULL ? newest : ""), "watch.trouble",
                BCON_UTF8(l->trouble));
    int rc = raw_file_make(
        w->s->db,
        raw_file_following(e->id, &memory, first ? RAW_MONITORING_ACQUISITION : RAW_UNKNOWN), &won,
        err);
    bson_destroy(&memory);
    e->saved_ms = mono_ms();
    w->loaded = w->loaded && (rc != 0 || won); /* another leader has ended it: read it again */
    return rc;
}

static const char *error_of(enum verdict v, const struct entry *e)
{
    switch (v) {
    case VERDICT_RENAMED:
        return "File got renamed";
    case VERDICT_MAIN_MISSING:
        return e->a.size < 0 ? "Main file was not created" : "Main file disappeared";
    case VERDICT_REPLACED:
        return "Replaced by another file before its acquisition had ended";
    case VERDICT_WAIT:
    case VERDICT_DONE:
    case VERDICT_COUNT:
        break;
    }
    return "";
}

/* v and rule are from acquisition_add_look; l: the look, NULL when another file has the name. */
struct ending {
    enum verdict v;
    const char *rule;
    const struct look *l;
};

static int end_acquisition(struct watch *w, struct entry *e, const struct ending *end,
                           struct err *err)
{
    bson_t memory = BSON_INITIALIZER, members = BSON_INITIALIZER;
    bool won = false;
    int rc = end->l == NULL ? 0 : append_members(w, e, end->l, &members, err);
    const char *rule = end->rule;
    if (rc == 0) {
        append_memory(e, rule, &memory);
        BSON_APPEND_ARRAY(&memory, "watch.members", &members);
        BCON_APPEND(&memory, "watch.rule", BCON_UTF8(rule), "watch.error",
                    BCON_UTF8(error_of(end->v, e)));
        rc = raw_file_make(w->s->db, raw_file_following(e->id, &memory, RAW_MONITORING_DONE), &won,
                           err);
    }
    e->members = bson_count_keys(&members);
    bson_destroy(&memory);
    bson_destroy(&members);
    if (rc == 0) {
        e->open = false;
        e->ended_ms = mono_ms();
        e->size =
            end->v == VERDICT_MAIN_MISSING ? -1 : e->size; /* it ended without its main file */
        w->loaded = w->loaded && won; /* another leader was first: its members are those copied */
        log_info("acquisition_ended", KV("raw_file", e->id), KV("rule", rule), KV("won", won));
        wake_raise(&w->s->wake, e->id);
    }
    return rc;
}

int watch_end_replaced(struct watch *w, struct entry *e, struct err *err)
{
    const struct ending end = {.v = VERDICT_REPLACED, .rule = RAW_RULE_REPLACED};
    return end_acquisition(w, e, &end, err);
}

static int follow_acquisition(struct watch *w, struct entry *e, struct err *err)
{
    struct look l;
    if (watch_look(w, e->name, &l, err) != 0 ||
        ((!l.main_there || l.trouble[0] != '\0') && watch_prove(w, err) != 0)) {
        return -1; /* the share is missing, not the file */
    }
    struct sighting s = sighting_of(w, e, &l);
    struct acquisition before = e->a;
    struct ending end = {.rule = "", .l = &l};
    end.v = acquisition_add_look(w->cfg, &e->a, &s, &end.rule);
    e->looked_ms = mono_ms();
    if (l.main_there) {
        e->mtime_ns = l.mtime_ns;
        e->size = l.size;
    }
    if (end.v != VERDICT_WAIT) {
        return end_acquisition(w, e, &end, err);
    }
    bool due = e->saved_ms == 0 || before.size != e->a.size ||
               !signature_same(&before.sig, &e->a.sig) || mono_ms() - e->saved_ms >= SAVE_EVERY_MS;
    return due ? save_memory(w, e, &l, end.rule, err) : 0;
}

/* AlphaKraken found it, and Trawl follows it to its end. */
static int adopt(struct watch *w, struct entry *e, const struct look *l, struct err *err)
{
    bson_t identity = BSON_INITIALIZER;
    bool won;
    BCON_APPEND(&identity, "watch.ino", BCON_INT64((int64_t)l->ino), "watch.born_ns",
                BCON_INT64(l->born_ns));
    int rc = raw_file_make(w->s->db, raw_file_following(e->id, &identity, RAW_UNKNOWN), &won, err);
    bson_destroy(&identity);
    if (rc != 0) {
        return -1;
    }
    e->ino = l->ino;
    e->born_ns = l->born_ns;
    e->poll = w->poll;
    e->adopted = false;
    w->loaded = w->loaded && won;
    log_info("raw_file_adopted", KV("raw_file", e->id), KV("instrument", w->cfg->id));
    return 0;
}

static int check_name(struct watch *w, const char *name, struct err *err)
{
    if (!members_is_raw_file(w->cfg, name)) {
        return 0;
    }
    struct entry *e = watch_find(w, name);
    if (e != NULL && e->poll != 0 && e->poll == w->poll - 1) {
        e->poll = w->poll;
        return 0;
    }
    atomic_store(&w->progress_ms, mono_ms());
    struct look l;
    if (e != NULL && e->apart) {
        e->poll = w->poll;
        return 0;
    }
    if (!watch_look_top(w, name, &l)) {
        w->all_known = false;
        return 0;
    }
    if (e != NULL && e->adopted) {
        return adopt(w, e, &l, err);
    }
    bool same = e != NULL && same_node(e, &l);
    if (!same) {
        if (watch_look(w, name, &l, err) != 0) {
            return -1;
        }
        same = e != NULL && watch_same_content(e, &l);
    }
    if (same) {
        e->ino = l.ino;
        e->poll = w->poll;
        return 0;
    }
    if (e != NULL && e->open && watch_end_replaced(w, e, err) != 0) {
        return -1;
    }
    return add_new(w, name, &l, e != NULL, err);
}

/* --- one poll --- */

static void find_youngest(struct watch *w)
{
    w->youngest_ns = 0;
    for (size_t i = 0; i < w->n; i++) {
        if (w->entries[i].poll == w->poll && w->entries[i].born_ns > w->youngest_ns) {
            w->youngest_ns = w->entries[i].born_ns;
        }
    }
}

/* Most polls find the same names as the last one: then every entry is still current. */
static int check_names(struct watch *w, struct err *err)
{
    bool same;
    if (listing_read(w, &same, err) != 0) {
        return -1;
    }
    if (same && w->all_known) {
        return 0;
    }
    if (watch_load_listed(w, err) != 0) {
        return -1;
    }
    w->poll++;
    w->all_known = true;
    const char *end = w->now.names + w->now.len;
    for (const char *name = w->now.names; name < end; name += strlen(name) + 1) {
        if (check_name(w, name, err) != 0) {
            w->all_known = false;
            return -1;
        }
    }
    listing_keep(w);
    return 0;
}

static int poll_once(struct watch *w, struct err *err)
{
    if (atomic_exchange(&w->recall, false)) {
        w->loaded = false;
    }
    if ((!w->loaded && watch_load(w, err) != 0) || check_names(w, err) != 0) {
        return -1;
    }
    if (members_is_set(w->cfg) && listing_sort(w, err) != 0) {
        return -1;
    }
    find_youngest(w);
    for (size_t i = 0; i < w->n && !atomic_load(&w->stop); i++) {
        if (w->entries[i].open && follow_acquisition(w, &w->entries[i], err) != 0) {
            return -1;
        }
    }
    return watch_recheck(w, err);
}

void watch_poll(struct watch *w)
{
    struct err err = {0};
    bool was_well = w->trouble[0] == '\0';
    atomic_store(&w->progress_ms, mono_ms());
    bool unproven = watch_prove(w, &err) != 0;
    int rc = unproven ? -1 : poll_once(w, &err);
    settings_book_clear(&w->book);
    watch_record_status(w, &err, unproven);
    atomic_store(&w->progress_ms, 0);
    static struct log_gate gate; /* the database is away for all instruments at once */
    uint64_t missed = 0;
    bool away = err_is_of_database(&err);
    if (rc != 0 && was_well && (!away || log_gate_open(&gate, &missed))) {
        err_context(&err, "instrument %s", w->cfg->id);
        log_err("watch", &err);
    }
}
