/*
 * why_acquire.c - by which rule an acquisition would end, what prevents that (the file that changed
 * last, or cannot be read), and how long it takes at most.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/human.h"
#include "common/raw/raw_file.h"
#include "ops/why.h"

struct rules {
    int64_t quiet_left_ms; /* -1: the rule is off */
    int64_t check_left_ms; /* until the next size check */
    bool checked;          /* one has been made and found the same size */
};

static int64_t at_least_0(int64_t ms)
{
    return ms > 0 ? ms : 0;
}

static struct rules rules_of(const struct instrument *i, const bson_t *raw)
{
    int64_t quiet_ms = doc_i64(raw, "watch.quiet_ms", 0);
    int64_t size = doc_i64(raw, "watch.size", -1);
    return (struct rules){
        .quiet_left_ms = i->quiet_s > 0 ? at_least_0(i->quiet_s * 1000 - quiet_ms) : -1,
        .check_left_ms = at_least_0(i->size_check_s * 1000 - doc_i64(raw, "watch.check_ms", 0)),
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

static int64_t still_left_ms(const struct instrument *i, const bson_t *raw)
{
    return at_least_0(i->still_s * 1000 - doc_i64(raw, "watch.quiet_ms", 0));
}

/* The condition above all rules: "must not change for another 7 s, then ", or nothing. */
static const char *gate_of(const struct instrument *i, const bson_t *raw, char buf[static 80])
{
    char left[TEXT_SHORT];
    int64_t left_ms = still_left_ms(i, raw);
    buf[0] = '\0';
    if (left_ms > 0) {
        snprintf(buf, 80, "must not change for another %s, then ", text_duration(left_ms, left));
    }
    return buf;
}

static void explain_missing_main(const struct instrument *i, const bson_t *raw, struct why *out)
{
    char left[TEXT_SHORT], newest[240];
    int64_t missing_ms = doc_i64(raw, "watch.missing_ms", 0);
    snprintf(out->what, sizeof out->what, "its main file has been missing for %s%s",
             text_duration(missing_ms, left), newest_of(raw, newest));
    int64_t left_ms = at_least_0(i->missing_main_s * 1000 - missing_ms);
    int64_t still_ms = left_ms == 0 ? still_left_ms(i, raw) : 0;
    why_set_next(out,
                 "the instrument must write it; if it does not, the acquisition counts as failed "
                 "%s %s%s",
                 still_ms > 0 ? "after another" : "in",
                 text_duration(still_ms > 0 ? still_ms : left_ms, left),
                 still_ms > 0 ? " without a change" : "");
}

static void explain_missing_scan(const struct instrument *i, const bson_t *raw, struct why *out)
{
    char quiet[TEXT_SHORT], left[TEXT_SHORT];
    int64_t quiet_ms = doc_i64(raw, "watch.quiet_ms", 0);
    why_set(out, WHY_ACQUIRING,
            "its .wiff.scan is missing or has no spectra yet; none of its files "
            "has changed for %s",
            text_duration(quiet_ms, quiet));
    why_set_next(out, "%s must write %.300s.scan; if it does not, the acquisition may end in %s",
                 i->id, doc_str(raw, "original_name", "the"),
                 text_duration(at_least_0(INSTRUMENT_SCAN_QUIET_MS - quiet_ms), left));
}

static void explain_writing(const struct instrument *i, const bson_t *raw, struct why *out)
{
    const struct rules r = rules_of(i, raw);
    const int64_t size = doc_i64(raw, "watch.size", -1);
    char text[3][TEXT_SHORT], newest[240], gate[80];
    snprintf(out->what, sizeof out->what, "%s may still be writing it: %s, unchanged for %s%s",
             i->id, size < 0 ? "size not known yet" : text_size(size, text[0]),
             text_duration(doc_i64(raw, "watch.quiet_ms", 0), text[1]), newest_of(raw, newest));
    if (size == 0) {
        snprintf(out->next, sizeof out->next,
                 "the instrument must write data: an empty file never counts as done");
        return;
    }
    gate_of(i, raw, gate);
    if (r.quiet_left_ms >= 0) {
        snprintf(out->next, sizeof out->next,
                 "%sends with the next acquisition on %s, or after another %s without a change",
                 gate, i->id, text_duration(r.quiet_left_ms, text[2]));
        return;
    }
    snprintf(out->next, sizeof out->next,
             "%sends with the next acquisition on %s, or with the same size at %s in %s", gate,
             i->id, r.checked ? "the size check" : "two size checks, the first",
             text_duration(r.check_left_ms, text[2]));
}

/* While the share is away or not proven, what happens on it is unknown. */
static bool share_is_away(const struct why_facts *f, struct why *out)
{
    const char *status = f->watch != NULL ? doc_str(f->watch, "status", "ok") : "ok";
    char since[TEXT_SHORT];
    if (strcmp(status, "ok") == 0 || strcmp(status, "uninitialised") == 0) {
        return false;
    }
    why_set(out, WHY_HELD, "the share of %s has been %s for %s: %s", doc_str(f->watch, "_id", "?"),
            status, text_duration(f->now_ms - doc_i64(f->watch, "since", f->now_ms), since),
            doc_str(f->watch, "detail", ""));
    why_set_next(out, "resumes when the share is back; to check it: trawl mount check %s",
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
        snprintf(
            out->what, sizeof out->what,
            "the acquisition is being watched; its rules are unknown here, because the file of "
            "instrument %s cannot be read",
            doc_str(raw, "instrument_id", "?"));
        snprintf(out->next, sizeof out->next, "to see why: trawl config check --instruments");
    } else if (trouble[0] != '\0') {
        snprintf(out->what, sizeof out->what, "the acquisition cannot be watched: %s", trouble);
        snprintf(out->next, sizeof out->next, "check the share of %s: trawl status",
                 f->instrument->id);
    } else if (unreadable[0] != '\0') {
        why_set(out, WHY_ACQUIRING, "a part of it cannot be read: %s", unreadable);
        why_set_next(out, "resumes when it can be read; check the share of %s and its permissions",
                     f->instrument->id);
    } else if (doc_i64(raw, "watch.missing_ms", 0) > 0) {
        explain_missing_main(f->instrument, raw, out);
    } else if (strcmp(doc_str(raw, "watch.waits_for", ""), RAW_WAITS_SCAN) == 0) {
        explain_missing_scan(f->instrument, raw, out);
    } else {
        explain_writing(f->instrument, raw, out);
    }
}
