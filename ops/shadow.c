/*
 * shadow.c - each raw file that both have is compared as the import would see it: its project, the
 * end of its acquisition, the size of its main file, its names, and the settings that quantified
 * it. One that only one of them has is said, when the other could have seen it.
 */
#include "ops/shadow.h"

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/strset.h"
#include "common/quant/settings.h"
#include "common/quant/settings_resolve.h"
#include "common/raw/database_owner.h"
#include "common/raw/raw_file.h"
#include "common/raw/raw_file_import.h"
#include "ops/facts.h"
#include "ops/import_internal.h"

#define WORDS 400

struct comparing {
    const struct ops *o;
    struct shadow_report *out;
    struct db *theirs;
    const char *from;
    struct docs *ours;         /* by _id */
    struct docs *metrics;      /* AlphaKraken's, by raw file */
    struct settings_book book; /* AlphaKraken's */
    int64_t began_ms;          /* the shadow */
    struct strset seen;        /* ours that AlphaKraken has, too */
};

void shadow_report_clear(struct shadow_report *r)
{
    docs_clear(&r->notes);
    *r = (struct shadow_report){0};
}

static int add_note(struct comparing *c, const char *id, const char *what, const char *theirs,
                    const char *ours, struct err *err)
{
    AUTO(bson_destroy)
    bson_t *note = BCON_NEW("id", BCON_UTF8(id), "what", BCON_UTF8(what), "alphakraken",
                            BCON_UTF8(theirs), "trawl", BCON_UTF8(ours));
    return docs_add(&c->out->notes, note, err);
}

/* --- one raw file that both have --- */

/* What became of its acquisition; "": it is being followed. */
static const char *fate_of(const bson_t *rf)
{
    enum raw_status s = raw_file_status(rf);
    return raw_status_is_open(s)         ? ""
           : s == RAW_IGNORED            ? "ignored"
           : s == RAW_ACQUISITION_FAILED ? "acquisition failed"
                                         : "to be copied";
}

static void list_names(const bson_t *rf, char *out, size_t room)
{
    bson_t list;
    bson_iter_t at;
    size_t used = 0;
    out[0] = '\0';
    for (bool more = doc_sub(rf, "watch.members", &list) && bson_iter_init(&at, &list) &&
                     bson_iter_next(&at);
         more && used < room; more = bson_iter_next(&at)) {
        bson_t one;
        int n = doc_sub(&list, bson_iter_key(&at), &one)
                    ? snprintf(out + used, room - used, "%s%s", used > 0 ? " " : "",
                               doc_str(&one, "to", "?"))
                    : 0;
        used += n > 0 ? (size_t)n : 0;
    }
}

static int compare_files(struct comparing *c, const bson_t *theirs, const bson_t *ours, bool *same,
                         struct err *err)
{
    char a[WORDS], b[WORDS];
    const char *id = doc_str(ours, "_id", "");
    int64_t x = doc_i64(theirs, "watch.size", -1), y = doc_i64(ours, "watch.size", -1);
    int rc = 0;
    if (x >= 0 && x != y) {
        snprintf(a, sizeof a, "%lld", (long long)x);
        snprintf(b, sizeof b, "%lld", (long long)y);
        *same = false;
        rc = add_note(c, id, "size of its main file", a, b, err);
    }
    list_names(theirs, a, sizeof a);
    list_names(ours, b, sizeof b);
    if (rc == 0 && a[0] != '\0' && strcmp(a, b) != 0) {
        *same = false;
        rc = add_note(c, id, "its files", a, b, err);
    }
    return rc;
}

static int by_word(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void join(char words[][SETTINGS_ID_MAX], size_t n, char *out, size_t room)
{
    size_t used = 0;
    out[0] = '\0';
    if (n > 0) {
        qsort(words, n, sizeof *words, by_word);
    }
    for (size_t i = 0; i < n && used < room; i++) {
        bool again = i > 0 && strcmp(words[i], words[i - 1]) == 0;
        int more =
            again ? 0 : snprintf(out + used, room - used, "%s%s", used > 0 ? " " : "", words[i]);
        used += more > 0 ? (size_t)more : 0;
    }
}

static int by_raw_file(const void *a, const void *b)
{
    return strcmp(doc_str(*(bson_t *const *)a, "raw_file", ""),
                  doc_str(*(bson_t *const *)b, "raw_file", ""));
}

/* With which settings it was quantified there, by its metrics. Whether these say it: those of old
 * settings have no name. */
static bool list_used(const struct comparing *c, const char *id, char *out, size_t room)
{
    char words[RESOLVE_MAX][SETTINGS_ID_MAX];
    bool named = true;
    size_t n = 0, low = 0, high = c->metrics->n;
    while (low < high) { /* the first one of it */
        size_t mid = low + (high - low) / 2;
        bool before = strcmp(doc_str(c->metrics->items[mid], "raw_file", ""), id) < 0;
        low = before ? mid + 1 : low;
        high = before ? high : mid;
    }
    for (; low < c->metrics->n && n < RESOLVE_MAX; low++) {
        const bson_t *m = c->metrics->items[low];
        const char *name = doc_str(m, "settings_name", "n/a");
        if (strcmp(doc_str(m, "raw_file", ""), id) != 0) {
            break;
        }
        if (strcmp(name, "n/a") == 0) {
            named = false;
        } else {
            snprintf(words[n++], SETTINGS_ID_MAX, "%.70s-v%lld", name,
                     (long long)doc_i64(m, "settings_version", 1));
        }
    }
    join(words, n, out, room);
    return named;
}

/* What Trawl would quantify it with. */
static void list_applying(const struct comparing *c, const bson_t *theirs,
                          const struct instrument *instrument, char *out, size_t room)
{
    char words[RESOLVE_MAX][SETTINGS_ID_MAX];
    const bson_t *apply[RESOLVE_MAX];
    struct resolve_for f;
    size_t n =
        instrument->skip_quanting
            ? 0
            : resolve_raw_file(&c->book, theirs, instrument_type_name(instrument->type), &f, apply);
    for (size_t i = 0; i < n; i++) {
        settings_id(apply[i], words[i]);
    }
    join(words, n, out, room);
}

/* Whether AlphaKraken has come to its end with it; a failed one has metrics of some settings only.
 */
static bool has_been_quantified(const bson_t *theirs)
{
    enum raw_status s = raw_file_status(theirs);
    return s == RAW_DONE || s == RAW_DONE_NOT_QUANTED;
}

static int compare_settings(struct comparing *c, const bson_t *theirs, const bson_t *ours,
                            bool *same, struct err *err)
{
    char a[WORDS], b[WORDS];
    struct err none = {0};
    AUTO(instrument_free)
    struct instrument *instrument =
        facts_instrument(c->o, doc_str(theirs, "instrument_id", ""), &none);
    const char *id = doc_str(theirs, "imported.id", doc_str(theirs, "_id", ""));
    if (!has_been_quantified(theirs) || instrument == NULL || !list_used(c, id, a, sizeof a)) {
        return 0;
    }
    list_applying(c, theirs, instrument, b, sizeof b);
    if (strcmp(a, b) == 0) {
        return 0;
    }
    *same = false;
    return add_note(c, doc_str(ours, "_id", ""), "settings", a, b, err);
}

static int compare_both(struct comparing *c, const bson_t *theirs, const bson_t *ours,
                        struct err *err)
{
    bool same = true;
    const char *id = doc_str(ours, "_id", ""), *a = fate_of(theirs), *b = fate_of(ours);
    if (a[0] == '\0' || b[0] == '\0') {
        c->out->early++;
        return 0;
    }
    c->out->compared++;
    int rc = 0;
    if (strcmp(a, b) != 0) {
        same = false;
        rc = add_note(c, id, "its acquisition", a, b, err);
    } else if (strcmp(a, "to be copied") == 0) {
        rc = compare_files(c, theirs, ours, &same, err) != 0 ||
                     compare_settings(c, theirs, ours, &same, err) != 0
                 ? -1
                 : 0;
    }
    const char *p = doc_str(theirs, "project_id", ""), *q = doc_str(ours, "project_id", "");
    if (rc == 0 && strcmp(p, q) != 0) {
        same = false;
        rc = add_note(c, id, "project", p, q, err);
    }
    c->out->same += same;
    return rc;
}

/* --- all --- */

static bool is_watched(struct comparing *c, const bson_t *theirs)
{
    struct err none = {0};
    AUTO(instrument_free)
    struct instrument *i = facts_instrument(c->o, doc_str(theirs, "instrument_id", ""), &none);
    return i != NULL;
}

static int compare_one(void *ctx, const bson_t *doc, struct err *err)
{
    struct comparing *c = ctx;
    const struct raw_import how = {.cfg = c->o->cfg, .from = c->from, .now_ms = wall_ms()};
    struct raw_imported r;
    struct err why = {0};
    if (raw_file_import(&how, doc, &r, &why) != 0) {
        return add_note(c, doc_str(doc, "_id", "?"), "cannot be imported", why.msg, "", err);
    }
    const char *id = doc_str(r.doc, "_id", "");
    const bson_t *ours = docs_find(c->ours, id);
    int rc = 0;
    if (ours != NULL) {
        if (c->seen.n < c->ours->n) { /* two of theirs may be one by our spelling */
            strset_add(&c->seen, doc_str(ours, "_id", ""));
        }
        rc = compare_both(c, r.doc, ours, err);
    } else if (doc_i64(doc, "created_at_", 0) > c->began_ms && is_watched(c, doc)) {
        c->out->only_theirs++;
        rc = add_note(c, id, "only AlphaKraken has it", doc_str(doc, "status", ""), "", err);
    }
    raw_imported_fini(&r);
    return rc;
}

static int list_only_ours(struct comparing *c, struct err *err)
{
    strset_sort(&c->seen);
    for (size_t i = 0; i < c->ours->n; i++) {
        const bson_t *rf = c->ours->items[i];
        const char *id = doc_str(rf, "_id", "");
        if (strset_has(&c->seen, id)) {
            continue;
        }
        AUTO(bson_destroy) bson_t *theirs = NULL; /* an older one than was asked for */
        if (db_find_id(c->theirs, DB_RAW_FILES, id, &theirs, err) != 0) {
            return -1;
        }
        if (theirs == NULL) {
            c->out->only_ours++;
            if (add_note(c, id, "only Trawl has it", "", doc_str(rf, "status", ""), err) != 0) {
                return -1;
            }
        }
    }
    return 0;
}

static int read_ours(struct comparing *c, int64_t since_ms, struct err *err)
{
    AUTO(bson_destroy) bson_t *mark = NULL;
    AUTO(bson_destroy)
    bson_t *filter = BCON_NEW("created_at", "{", "$gte", BCON_DATE_TIME(since_ms), "}");
    AUTO(bson_destroy)
    bson_t *opts = BCON_NEW("projection", "{", "status", BCON_INT32(1), "project_id", BCON_INT32(1),
                            "watch.size", BCON_INT32(1), "watch.members", BCON_INT32(1), "}",
                            "maxTimeMS", BCON_INT64(DB_LISTING_MS));
    c->ours = docs_read(c->o->db, &(struct docs_query){DB_RAW_FILES, filter, opts}, err);
    if (c->ours == NULL || db_find_id(c->o->db, DB_IMPORTS, IMPORT_ALPHAKRAKEN, &mark, err) != 0) {
        return -1;
    }
    if (mark == NULL || strcmp(doc_str(mark, "state", ""), IMPORT_SHADOW) != 0) {
        return ERR(
            err, ERR_REFUSED, 0,
            "this is no shadow's database: set [compat] shadow and name a new one in [mongo] "
            "database, then start trawl-scheduler");
    }
    c->began_ms = doc_i64(mark, "began_at", 0);
    docs_sort(c->ours);
    return strset_begin(&c->seen, c->ours->n, err);
}

static int read_metrics(struct comparing *c, int64_t since_ms, struct err *err)
{
    AUTO(bson_destroy)
    bson_t *filter = BCON_NEW("created_at_", "{", "$gte", BCON_DATE_TIME(since_ms), "}");
    AUTO(bson_destroy)
    bson_t *opts = BCON_NEW("projection", "{", "raw_file", BCON_INT32(1), "settings_name",
                            BCON_INT32(1), "settings_version", BCON_INT32(1), "}");
    c->metrics = docs_read(c->theirs, &(struct docs_query){DB_METRICS, filter, opts}, err);
    if (c->metrics != NULL && c->metrics->n > 0) {
        qsort(c->metrics->items, c->metrics->n, sizeof *c->metrics->items, by_raw_file);
    }
    return c->metrics != NULL ? 0 : -1;
}

static int compare_all(struct comparing *c, int64_t since_ms, struct err *err)
{
    AUTO(bson_destroy)
    bson_t *filter = BCON_NEW("created_at", "{", "$gte", BCON_DATE_TIME(since_ms), "}");
    if (read_ours(c, since_ms, err) != 0 || read_metrics(c, since_ms, err) != 0 ||
        settings_book_load(&c->book, c->theirs, err) != 0) {
        return -1;
    }
    settings_book_rule(&c->book, c->o->cfg);
    return db_each(c->theirs, DB_RAW_FILES, filter, NULL, compare_one, c, err) != 0 ||
                   list_only_ours(c, err) != 0
               ? -1
               : 0;
}

int shadow_compare(const struct ops *o, const struct shadow_ask *a, struct shadow_report *out,
                   struct err *err)
{
    AUTO(db_free) struct db *own = NULL;
    struct import_report taken = {0};
    const struct import_ask ask = {.from = a->from, .key = "[compat] alphakraken_uri"};
    struct importing i = {.o = o, .ask = &ask, .out = &taken, .writing = ""};
    *out = (struct shadow_report){0};
    struct comparing c = {.o = o, .out = out, .from = i.from};
    int rc = importing_open(&i, &own, err);
    c.theirs = own;
    rc = rc == 0 ? compare_all(&c, a->since_ms, err) : rc;
    rc = rc == 0 ? import_settings_of(&i, err) : rc;
    docs_clear(&i.inserts);
    import_report_clear(&taken);
    docs_free(c.ours);
    docs_free(c.metrics);
    settings_book_clear(&c.book);
    strset_clear(&c.seen);
    return rc;
}
