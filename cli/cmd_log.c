/*
 * cmd_log.c - trawl log: what operators did, newest last.
 *
 * Following reads the last minute again each time, because an entry is completed after it was made,
 * and the clocks of two hosts differ. An entry that stays "intended" is shown when it is too old to
 * be still in progress, and again if it is completed after all.
 */
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "cli/args.h"
#include "cli/table.h"
#include "common/base/clock.h"
#include "common/base/human.h"
#include "common/db/doc_json.h"
#include "common/task/audit.h"

#define DEFAULT_LIMIT 100
#define FOLLOW_MS     500
#define OVERLAP_MS    60000
#define SETTLED_MS    5000
#define LAST_CHAR     "\xf4\x8f\xbf\xbf" /* U+10FFFF sorts after every name */

struct reading {
    struct cli *c;
    const char *who, *target; /* NULL: any */
    int64_t since_ms, limit;  /* limit 0: all */
};

/* Matches a target, and all that begin with it and a slash: a raw file's tasks. */
static void append_target(bson_t *filter, const char *target)
{
    AUTO(free) char *below = NULL;
    AUTO(free) char *end = NULL;
    if (asprintf(&below, "%s/", target) < 0 || asprintf(&end, "%s/" LAST_CHAR, target) < 0) {
        return;
    }
    BCON_APPEND(filter, "$or", "[", "{", "target", BCON_UTF8(target), "}", "{", "target", "{",
                "$gte", BCON_UTF8(below), "$lt", BCON_UTF8(end), "}", "}", "]");
}

static void append_who(bson_t *filter, const char *who)
{
    const char *at = strrchr(who, '@');
    char user[128];
    snprintf(user, sizeof user, "%.*s", at != NULL ? (int)(at - who) : (int)strlen(who), who);
    BSON_APPEND_UTF8(filter, "who", user);
    if (at != NULL) {
        BSON_APPEND_UTF8(filter, "host", at + 1);
    }
}

/* Newest first. */
static struct docs *read_entries(const struct reading *r, struct err *err)
{
    AUTO(bson_destroy) bson_t *filter = bson_new();
    if (r->since_ms > 0) {
        BCON_APPEND(filter, "at", "{", "$gte", BCON_DATE_TIME(r->since_ms), "}");
    }
    if (r->who != NULL) {
        append_who(filter, r->who);
    }
    if (r->target != NULL) {
        append_target(filter, r->target);
    }
    AUTO(bson_destroy)
    bson_t *opts = BCON_NEW("limit", BCON_INT64(r->limit), "sort", "{", "at", BCON_INT32(-1), "_id",
                            BCON_INT32(-1), "}");
    if (r->limit == 0) { /* all */
        BSON_APPEND_INT64(opts, "maxTimeMS", DB_LISTING_MS);
    }
    return docs_read(r->c->ops.db, &(struct docs_query){DB_AUDIT, filter, opts}, err);
}

#define VALUE_MAX 160

/* A text or a number; "" for anything else. */
static const char *value_of(const bson_t *doc, const char *path, char buf[static VALUE_MAX])
{
    bson_iter_t top, at;
    buf[0] = '\0';
    if (!bson_iter_init(&top, doc) || !bson_iter_find_descendant(&top, path, &at)) {
        return buf;
    }
    if (BSON_ITER_HOLDS_UTF8(&at)) {
        snprintf(buf, VALUE_MAX, "%.150s", bson_iter_utf8(&at, NULL));
    } else if (BSON_ITER_HOLDS_NUMBER(&at)) {
        snprintf(buf, VALUE_MAX, "%" PRId64, bson_iter_as_int64(&at));
    }
    return buf;
}

struct differences {
    const bson_t *before, *after;
    char *buf;
    size_t room, used;
};

static void append_difference(struct differences *d, const char *path)
{
    char old[VALUE_MAX], new[VALUE_MAX];
    value_of(d->before, path, old);
    value_of(d->after, path, new);
    if (strcmp(old, new) == 0 || d->used >= d->room) {
        return;
    }
    int n = snprintf(d->buf + d->used, d->room - d->used, "%s%s %s%s%s", d->used > 0 ? ", " : "",
                     path, old, old[0] != '\0' ? " -> " : "", new);
    d->used += n > 0 ? (size_t)n : 0;
}

/* "slots 3 -> 0, cancel.by kim@lab": what differs; of a nested document only "by", since the JSON
 * form has the rest. */
static void list_changes(const bson_t *entry, char *buf, size_t room)
{
    bson_t before = BSON_INITIALIZER, after;
    bson_iter_t at;
    buf[0] = '\0';
    (void)doc_sub(entry, "before", &before);
    if (!doc_sub(entry, "after", &after) || !bson_iter_init(&at, &after)) {
        return;
    }
    struct differences d = {&before, &after, buf, room, 0};
    while (bson_iter_next(&at)) {
        char path[VALUE_MAX];
        bool nested = BSON_ITER_HOLDS_DOCUMENT(&at);
        snprintf(path, sizeof path, "%.100s%s", bson_iter_key(&at), nested ? ".by" : "");
        append_difference(&d, path);
    }
}

static void print_entry(struct cli *c, const bson_t *e)
{
    char when[TEXT_SHORT], what[400];
    const char *state = doc_str(e, "state", "?");
    const char *parts[] = {doc_str(e, "verb", "?"), doc_str(e, "target", "?")};
    list_changes(e, what, sizeof what);
    style_put(c->out, STYLE_DIM, c->color, text_time(doc_i64(e, "at", 0), when));
    fputs("  ", c->out);
    text_put(c->out, doc_str(e, "who", "?"));
    fputc('@', c->out);
    text_put(c->out, doc_str(e, "host", "?"));
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        fputs("  ", c->out);
        text_put(c->out, parts[i]);
    }
    if (strcmp(state, AUDIT_DONE) != 0) {
        bool refused = strcmp(state, AUDIT_REFUSED) == 0;
        fputs("  ", c->out);
        style_put(c->out, STYLE_BAD, c->color,
                  refused ? "refused" : "intended: unknown whether it was made; check its target");
    }
    const char *tails[] = {what, doc_str(e, "why", ""), doc_str(e, "error", "")};
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        fputs(tails[i][0] != '\0' ? (i == 0 ? "  " : "  | ") : "", c->out);
        text_put(c->out, tails[i]);
    }
    fputc('\n', c->out);
}

/* One JSON value a line, so that a program that follows can read each at once. */
static int print_line(struct cli *c, const bson_t *e, struct err *err)
{
    AUTO(json_decref) json_t *doc = json_of_doc(e);
    if (doc == NULL) {
        return err_no_memory(err);
    }
    (void)json_dumpf(doc, c->out, JSON_COMPACT);
    fputc('\n', c->out);
    return 0;
}

static bool was_shown(const struct docs *before, const bson_t *e)
{
    const bson_t *old = docs_by_id(before, doc_str(e, "_id", ""));
    return old != NULL && strcmp(doc_str(old, "state", ""), doc_str(e, "state", "")) == 0;
}

/* Remember the shown entries that the next reading may find again. */
static int show_new(struct cli *c, const struct docs *found, struct docs **shown, struct err *err)
{
    AUTO(docs_free) struct docs *keep = docs_new(err);
    for (size_t i = found->n; keep != NULL && i > 0; i--) {
        const bson_t *e = found->items[i - 1];
        bool known = was_shown(*shown, e);
        bool open = strcmp(doc_str(e, "state", ""), AUDIT_INTENDED) == 0 &&
                    wall_ms() - doc_i64(e, "at", 0) < SETTLED_MS;
        if (!known && open) {
            continue;
        }
        if (!known && c->json && print_line(c, e, err) != 0) {
            return -1;
        }
        if (!known && !c->json) {
            print_entry(c, e);
        }
        if (docs_add(keep, e, err) != 0) {
            return -1;
        }
    }
    if (keep == NULL) {
        return -1;
    }
    docs_free(*shown);
    *shown = TAKE(keep);
    return fflush(c->out) == 0 ? 0 : ERR(err, ERR_TRANSIENT, 0, "the output cannot be written");
}

/* Set where the next reading begins: a minute back, but not before what --limit has left out. */
static void move_start(struct reading *r, const struct docs *found)
{
    int64_t from = wall_ms() - OVERLAP_MS;
    if (r->limit > 0 && found->n > 0) {
        r->since_ms = doc_i64(found->items[found->n - 1], "at", 0);
    }
    r->since_ms = from > r->since_ms ? from : r->since_ms;
    r->limit = 0;
}

/* Until it is interrupted, or its reader closes the pipe. */
static enum cli_exit follow_log(struct reading *r, struct err *err)
{
    AUTO(docs_free) struct docs *shown = docs_new(err);
    while (shown != NULL) {
        AUTO(docs_free) struct docs *found = read_entries(r, err);
        if (found == NULL) {
            break;
        }
        if (show_new(r->c, found, &shown, err) != 0) {
            break;
        }
        move_start(r, found);
        mono_sleep_ms(FOLLOW_MS);
    }
    bool gone = ferror(r->c->out) != 0;
    if (gone) {
        *err = (struct err){0};
    }
    return gone ? CLI_OK : cli_exit_of(err);
}

static enum cli_exit show_all(const struct reading *r, struct err *err)
{
    AUTO(docs_free) struct docs *found = read_entries(r, err);
    AUTO(json_decref) json_t *list = json_array();
    if (found == NULL) {
        return cli_exit_of(err);
    }
    for (size_t i = found->n; i > 0; i--) {
        if (r->c->json) {
            json_array_append_new(list, json_of_doc(found->items[i - 1]));
        } else {
            print_entry(r->c, found->items[i - 1]);
        }
    }
    if (found->n == 0 && !r->c->json && !r->c->quiet) {
        fputs("no entries\n", stderr);
    }
    return !r->c->json || json_print(TAKE(list), r->c->out, err) == 0 ? CLI_OK : cli_exit_of(err);
}

static enum cli_exit cmd_log(struct cli *c, const struct args *a, struct err *err)
{
    static const struct args_number limits = {"limit", 0, INT_MAX, DEFAULT_LIMIT};
    const char *since = args_get(a, "since");
    struct reading r = {.c = c, .who = args_get(a, "who"), .target = args_get(a, "target")};
    const char *texts[] = {r.who, r.target};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (texts[i] != NULL && !bson_utf8_validate(texts[i], strlen(texts[i]), false)) {
            return cli_fail(err, CLI_USAGE, "--who and --target must be UTF-8");
        }
    }
    if (args_i64(a, &limits, &r.limit, err) != 0 ||
        (since != NULL && text_since(since, wall_ms(), &r.since_ms, err) != 0)) {
        return CLI_USAGE;
    }
    return args_get(a, "follow") != NULL ? follow_log(&r, err) : show_all(&r, err);
}

static const struct cli_option log_options[] = {
    {"since", "WHEN", "only since 30m, 2h, 3d, 1w ago, or 2026-11-21[T02:40]"},
    {"who", "USER", "only by this user, or user@host"},
    {"target", "ID", "only on this pool, location or task, or on any task of this raw file"},
    {"limit", "N", "the newest N (100; 0: all)"},
    {"follow", NULL, "keep showing new entries; with --json one a line"},
    {0},
};

const struct command command_log = {.name = "log",
                                    .args = "",
                                    .brief =
                                        "what operators did: who, when, what, why; newest last",
                                    .help = "An entry is made before the action and completed "
                                            "after it. One that stays intended was cut\n"
                                            "off in between: check its target.\n\n"
                                            "  trawl log --since 2h --target file_copy\n"
                                            "  trawl log --follow --json",
                                    .options = log_options,
                                    .need = NEED_DB,
                                    .run = cmd_log};
