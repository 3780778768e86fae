/* why_acquire.c - by which rule an acquisition would end, what holds it (which file moved last, or
 * cannot be looked at), and how long that takes at most. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/human.h"
#include "common/raw/raw_file.h"
#include "ops/why.h"

struct rules {
    int64_t quiet_left_ms; /* -1: there is no such rule */
    int64_t check_left_ms; /* until the next size check */
    bool checked;          /* whether one has been, with the same size */
};

static int64_t positive(int64_t ms)
{
    return ms > 0 ? ms : 0;
}

static struct rules rules_of(const struct instrument *i, const bson_t *raw)
{
    int64_t quiet_ms = doc_i64(raw, "watch.quiet_ms", 0);
    int64_t size = doc_i64(raw, "watch.size", -1);
    return (struct rules){
        .quiet_left_ms = i->quiet_s > 0 ? positive(i->quiet_s * 1000 - quiet_ms) : -1,
        .check_left_ms = positive(i->size_check_s * 1000 - doc_i64(raw, "watch.check_ms", 0)),
        .checked = size > 0 && doc_i64(raw, "watch.checked_size", -1) == size,
    };
}

/* "; changed last: x.d/analysis.tdf", or nothing. */
static const char *newest_of(const bson_t *raw, char buf[static 240])
{
    const char *newest = doc_str(raw, "watch.newest", "");
    snprintf(buf, 240, "%s%.200s", newest[0] != '\0' ? "; changed last: " : "", newest);
    return buf;
}

/* What stands above all rules: "nothing of it may change for another 7 s; then ", or nothing. */
static const char *gate_of(const struct instrument *i, const bson_t *raw, char buf[static 80])
{
    char left[TEXT_SHORT];
    int64_t left_ms = positive(i->still_s * 1000 - doc_i64(raw, "watch.quiet_ms", 0));
    buf[0] = '\0';
    if (left_ms > 0) {
        snprintf(buf, 80, "nothing of it may change for another %s; then ",
                 text_duration(left_ms, left));
    }
    return buf;
}

static void main_missing(const struct instrument *i, const bson_t *raw, struct why *out)
{
    char left[TEXT_SHORT], newest[240], gate[80];
    int64_t missing_ms = doc_i64(raw, "watch.missing_ms", 0);
    snprintf(out->what, sizeof out->what, "its main file has been missing for %s%s",
             text_duration(missing_ms, left), newest_of(raw, newest));
    int64_t left_ms = positive(i->missing_main_s * 1000 - missing_ms);
    snprintf(out->next, sizeof out->next,
             "the instrument must write it; if it does not, %sthe acquisition counts as failed in "
             "%s",
             left_ms == 0 ? gate_of(i, raw, gate) : "", text_duration(left_ms, left));
}

static void no_scan(const struct instrument *i, const bson_t *raw, struct why *out)
{
    char quiet[TEXT_SHORT], left[TEXT_SHORT];
    int64_t quiet_ms = doc_i64(raw, "watch.quiet_ms", 0);
    why_say(out, WHY_ACQUIRING,
            "its .wiff.scan is not there or has no spectra yet; nothing of it "
            "has changed for %s",
            text_duration(quiet_ms, quiet));
    why_next(out, "%s must write %.300s.scan; if it does not, the acquisition may end in %s", i->id,
             doc_str(raw, "original_name", "the"),
             text_duration(positive(INSTRUMENT_SCAN_QUIET_MS - quiet_ms), left));
}

static void still_writing(const struct instrument *i, const bson_t *raw, struct why *out)
{
    const struct rules r = rules_of(i, raw);
    const int64_t size = doc_i64(raw, "watch.size", -1);
    char text[3][TEXT_SHORT], newest[240], gate[80];
    snprintf(out->what, sizeof out->what, "%s may still write it: %s, unchanged for %s%s", i->id,
             size < 0 ? "not looked at yet" : text_size(size, text[0]),
             text_duration(doc_i64(raw, "watch.quiet_ms", 0), text[1]), newest_of(raw, newest));
    if (size == 0) {
        snprintf(out->next, sizeof out->next,
                 "the instrument must write data: an empty file never counts as done");
        return;
    }
    gate_of(i, raw, gate);
    if (r.quiet_left_ms >= 0) {
        snprintf(out->next, sizeof out->next,
                 "%sthe next acquisition on %s, or no change for another %s", gate, i->id,
                 text_duration(r.quiet_left_ms, text[2]));
        return;
    }
    snprintf(out->next, sizeof out->next,
             "%sthe next acquisition on %s, or the same size at %s in %s", gate, i->id,
             r.checked ? "the size check" : "two size checks, the first",
             text_duration(r.check_left_ms, text[2]));
}

/* The share is not there, or not proven: nobody can tell what happens on it. */
static bool share_is_away(const struct why_facts *f, struct why *out)
{
    const char *status = f->watch != NULL ? doc_str(f->watch, "status", "ok") : "ok";
    char since[TEXT_SHORT];
    if (strcmp(status, "ok") == 0 || strcmp(status, "uninitialised") == 0) {
        return false;
    }
    why_say(out, WHY_HELD, "the share of %s has been %s for %s: %s", doc_str(f->watch, "_id", "?"),
            status, text_duration(f->now_ms - doc_i64(f->watch, "since", f->now_ms), since),
            doc_str(f->watch, "detail", ""));
    why_next(out, "it goes on when the share is back; trawl mount check %s",
             doc_str(f->watch, "_id", "?"));
    return true;
}

void why_acquiring(const struct why_facts *f, const bson_t *raw, struct why *out)
{
    const char *trouble = doc_str(raw, "watch.error", "");
    const char *unreadable = doc_str(raw, "watch.trouble", "");
    out->reason = f->led ? WHY_ACQUIRING : WHY_NO_LEADER;
    if (!f->led) {
        snprintf(out->what, sizeof out->what,
                 "no scheduler leads, so the acquisition is not watched");
        snprintf(out->next, sizeof out->next, "start one: trawl-scheduler");
    } else if (share_is_away(f, out)) {
        return;
    } else if (f->instrument == NULL) {
        snprintf(out->what, sizeof out->what,
                 "the acquisition is watched; the file of instrument %s cannot be read here",
                 doc_str(raw, "instrument_id", "?"));
        snprintf(out->next, sizeof out->next, "see trawl config check --instruments");
    } else if (trouble[0] != '\0') {
        snprintf(out->what, sizeof out->what, "the acquisition cannot be watched: %s", trouble);
        snprintf(out->next, sizeof out->next, "see the share of %s: trawl status",
                 f->instrument->id);
    } else if (unreadable[0] != '\0') {
        why_say(out, WHY_ACQUIRING, "a part of it cannot be looked at: %s", unreadable);
        why_next(out, "the watch goes on as soon as it can read it; look at the share of %s",
                 f->instrument->id);
    } else if (doc_i64(raw, "watch.missing_ms", 0) > 0) {
        main_missing(f->instrument, raw, out);
    } else if (strcmp(doc_str(raw, "watch.waits_for", ""), RAW_WAITS_SCAN) == 0) {
        no_scan(f->instrument, raw, out);
    } else {
        still_writing(f->instrument, raw, out);
    }
}
