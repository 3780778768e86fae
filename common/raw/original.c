/*
 * original.c - an original compared with the record of its backup. original_load turns a document's
 * members into names. original_compare lists all that is below them and compares names and sizes
 * with the record: a new file or another size is DIFFERS, nothing at all is GONE, fewer files are
 * DIFFERS or FEWER by their bytes. Only while all that is there agrees are the files read and
 * hashed.
 *
 * A failure to read is an answer, BUSY with its reason, unless the cause is ours (out of memory, a
 * hook that stops). The last part reads the stored result from the raw file's document.
 */
#include "common/raw/original.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/fs.h"
#include "common/base/path.h"
#include "common/base/utf8.h"
#include "common/db/db.h"

const char *original_state_name(enum original_state s)
{
    static const char *const names[] = {
        [ORIGINAL_SAME] = "same", [ORIGINAL_DIFFERS] = "differs", [ORIGINAL_FEWER] = "fewer",
        [ORIGINAL_GONE] = "gone", [ORIGINAL_BUSY] = "busy",
    };
    static_assert(sizeof names / sizeof *names == ORIGINAL_STATE_COUNT, "a name for every state");
    return names[s];
}

/* --- its names --- */

static char *name_of(const bson_t *member, const char *field, struct err *err)
{
    const char *text = doc_str(member, field, "");
    AUTO(free) char *name = path_unescape(text);
    if (name == NULL) {
        err_no_memory(err);
        return NULL;
    }
    if (!path_is_safe(name) || strchr(name, '/') != NULL) {
        ERR(err, ERR_INVALID, 0, "member '%.200s' is no name of a file", text);
        return NULL;
    }
    return TAKE(name);
}

int original_load(struct original *o, const bson_t *members, struct err *err)
{
    bson_iter_t at;
    *o = (struct original){.members = calloc(bson_count_keys(members) + 1, sizeof *o->members)};
    if (o->members == NULL) {
        return err_no_memory(err);
    }
    for (bool more = bson_iter_init(&at, members) && bson_iter_next(&at); more;
         more = bson_iter_next(&at)) {
        bson_t one;
        struct original_member *m = &o->members[o->n++];
        if (!doc_sub(members, bson_iter_key(&at), &one)) {
            return ERR(err, ERR_INVALID, 0, "a member is no {from, to}");
        }
        if ((m->from = name_of(&one, "from", err)) == NULL ||
            (m->to = name_of(&one, "to", err)) == NULL) {
            return -1;
        }
    }
    return 0;
}

/* Only the copy's name has the collision prefix. */
static void append_recorded(const bson_t *raw_file, const struct record *r, bson_t *list)
{
    const char *mark = doc_str(raw_file, "collision_flag", "");
    for (size_t i = 0; i < r->n_names; i++) {
        char key[24];
        AUTO(free) char *to = path_escape(r->names[i]);
        if (to != NULL) {
            bool marked = mark[0] != '\0' && strncmp(to, mark, strlen(mark)) == 0;
            snprintf(key, sizeof key, "%zu", i);
            BCON_APPEND(list, key, "{", "from", BCON_UTF8(marked ? to + strlen(mark) : to), "to",
                        BCON_UTF8(to), "}");
        }
    }
}

int original_load_of(struct original *o, const bson_t *raw_file, const struct record *r,
                     struct err *err)
{
    bson_t members, recorded = BSON_INITIALIZER;
    bool has = doc_sub(raw_file, "watch.members", &members) && !bson_empty(&members);
    if (!has) {
        append_recorded(raw_file, r, &recorded);
    }
    int rc = original_load(o, has ? &members : &recorded, err);
    bson_destroy(&recorded);
    return rc;
}

void original_fini(struct original *o)
{
    for (size_t i = 0; i < o->n; i++) {
        free(o->members[i].from);
        free(o->members[i].to);
    }
    free(o->members);
    *o = (struct original){0};
}

void original_seen_fini(struct original_seen *s)
{
    tree_clear(&s->tree);
    *s = (struct original_seen){0};
}

/* --- what is found --- */

static void set_differs(struct original_seen *out, const char *path, const char *how)
{
    char shown[TREE_SHOWN];
    if (out->state != ORIGINAL_DIFFERS) {
        out->state = ORIGINAL_DIFFERS;
        snprintf(out->why, sizeof out->why, "%s %s", tree_shown(path, shown), how);
    }
}

/* A failure to read is the answer BUSY, unless the cause is ours (out of memory, a hook that
 * stops). */
static int set_busy(struct original_seen *out, const struct err *why, struct err *err)
{
    if (why->code == ENOMEM || (why->code == 0 && why->kind != ERR_INVALID)) {
        *err = *why;
        return -1;
    }
    out->state = ORIGINAL_BUSY;
    out->busy = *why;
    out->busy.kind = fs_share_kind(why->code);
    if (out->busy.kind == ERR_INVALID) {
        out->busy.kind = ERR_TRANSIENT;
    }
    snprintf(out->why, sizeof out->why, "%s", why->msg);
    return 0;
}

static bool is_below(const char *path, const char *name)
{
    size_t len = strlen(name);
    return strncmp(path, name, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

/* *found = the record of the file at path; NULL: it is not recorded. */
static int find_recorded(const struct original_look *l, const char *path,
                         const struct record_file **found, struct err *err)
{
    *found = NULL;
    for (size_t i = 0; i < l->n; i++) {
        const struct original_member *m = &l->members[i];
        AUTO(free) char *name = NULL;
        if (!is_below(path, m->from)) {
            continue;
        }
        if (asprintf(&name, "%s%s", m->to, path + strlen(m->from)) < 0) {
            name = NULL;
            return err_no_memory(err);
        }
        *found = record_find(l->record, name);
        return 0;
    }
    return 0;
}

/* --- names and sizes --- */

static int compare_entry(const struct original_look *l, const struct tree_entry *e,
                         struct original_seen *out, struct err *err)
{
    char how[120];
    const struct record_file *f;
    if (e->kind == TREE_DIR) {
        return 0;
    }
    out->files++;
    if (find_recorded(l, e->path, &f, err) != 0) {
        return -1;
    }
    if (e->kind == TREE_OTHER || f == NULL) {
        set_differs(out, e->path, "is not in the record of the backup");
    } else if (e->size != f->size) {
        snprintf(how, sizeof how, "has %lld bytes, its backup has %lld", (long long)e->size,
                 (long long)f->size);
        set_differs(out, e->path, how);
    }
    return 0;
}

struct recorded { /* files of the record under one of the members' names */
    size_t n;
    int64_t bytes;
};

static struct recorded count_recorded(const struct original_look *l)
{
    struct recorded r = {0};
    for (size_t i = 0; i < l->record->n; i++) {
        const struct record_file *f = &l->record->files[i];
        for (size_t k = 0; k < l->n; k++) {
            if (is_below(f->path, l->members[k].to)) {
                r.n++;
                r.bytes += f->size;
                break;
            }
        }
    }
    return r;
}

/* Called only when no file is new or has another size, so the counts show how many are missing. */
static void count_missing(const struct original_look *l, struct original_seen *out)
{
    const struct recorded r = count_recorded(l);
    int64_t bytes = 0;
    for (size_t i = 0; i < out->tree.n; i++) {
        bytes += out->tree.entries[i].kind == TREE_FILE ? out->tree.entries[i].size : 0;
    }
    out->missing = r.n - out->files;
    if (out->missing > 0) {
        out->state = 2 * bytes < r.bytes ? ORIGINAL_FEWER : ORIGINAL_DIFFERS;
        snprintf(out->why, sizeof out->why, "it has %zu files, its backup has %zu", out->files,
                 r.n);
    }
}

static int compare_names(const struct original_look *l, struct original_seen *out, struct err *err)
{
    for (size_t i = 0; i < l->n; i++) {
        struct err why = {0};
        if (tree_add(&out->tree, l->folder, l->members[i].from, &why) != 0) {
            return set_busy(out, &why, err);
        }
    }
    if (out->tree.n == 0) {
        out->state = ORIGINAL_GONE;
        out->missing = count_recorded(l).n;
        return 0;
    }
    for (size_t i = 0; i < out->tree.n; i++) {
        if (compare_entry(l, &out->tree.entries[i], out, err) != 0) {
            return -1;
        }
    }
    if (out->state == ORIGINAL_SAME) {
        count_missing(l, out);
    }
    return 0;
}

/* --- content --- */

static int compare_content(const struct original_look *l, const struct tree_entry *e,
                           struct original_seen *out, struct err *err)
{
    const struct record_file *f;
    struct rehash_seen seen;
    struct err why = {0};
    if (find_recorded(l, e->path, &f, err) != 0) {
        return -1;
    }
    const struct rehash_file at = {l->folder, e->path, f->digest};
    if (rehash_file(l->rehash, &at, &seen, &why) == 0) {
        if (!record_matches(f, &seen)) {
            set_differs(out, e->path,
                        seen.size != f->size ? "is not what was backed up (sizes differ)"
                                             : "is not what was backed up (hashes differ)");
        }
        return 0;
    }
    if (why.kind == ERR_INVALID && (why.code == 0 || why.code == ELOOP || why.code == ENOTDIR)) {
        set_differs(out, e->path, "is no longer a regular file");
        return 0;
    }
    return set_busy(out, &why, err);
}

int original_compare(const struct original_look *l, struct original_seen *out, struct err *err)
{
    *out = (struct original_seen){.state = ORIGINAL_SAME};
    if (compare_names(l, out, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < out->tree.n; i++) {
        bool alike = out->state == ORIGINAL_SAME || out->state == ORIGINAL_FEWER;
        const struct tree_entry *e = &out->tree.entries[i];
        if (alike && e->kind == TREE_FILE && compare_content(l, e, out, err) != 0) {
            return -1;
        }
    }
    return 0;
}

/* --- what its raw file's document says --- */

bool original_is_safe(const bson_t *raw_file)
{
    const char *state = doc_str(raw_file, "original.state", "same");
    return strcmp(state, "differs") != 0 && strcmp(state, "unsettled") != 0;
}

const char *original_problem(const bson_t *raw_file, char buf[static ORIGINAL_PROBLEM])
{
    const char *why = doc_str(raw_file, "original.why", "");
    buf[0] = '\0';
    if (!original_is_safe(raw_file)) {
        bool settled = strcmp(doc_str(raw_file, "original.state", ""), "differs") == 0;
        snprintf(buf, ORIGINAL_PROBLEM, "%s%s%.300s",
                 settled ? "its original is not what was backed up"
                         : "its original was touched, and is being compared with its backup",
                 why[0] != '\0' ? ": " : "", why);
        utf8_mend(buf);
    }
    return buf;
}
