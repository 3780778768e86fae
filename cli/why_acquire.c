/* why_acquire.c - by which rule an acquisition would end, and how long that takes at most. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/text.h"
#include "cli/why.h"

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

static void main_missing(const struct instrument *i, int64_t missing_ms, struct why *out)
{
    char left[TEXT_SHORT];
    snprintf(out->what, sizeof out->what, "its main file is not there since %s",
             text_duration(missing_ms, left));
    snprintf(out->next, sizeof out->next,
             "the instrument must write it; if it does not, the acquisition counts as failed in %s",
             text_duration(positive(i->missing_main_s * 1000 - missing_ms), left));
}

static void still_writing(const struct instrument *i, const bson_t *raw, struct why *out)
{
    const struct rules r = rules_of(i, raw);
    const int64_t size = doc_i64(raw, "watch.size", -1);
    char text[3][TEXT_SHORT];
    snprintf(out->what, sizeof out->what, "%s may still write it: %s, unchanged for %s", i->id,
             size < 0 ? "not looked at yet" : text_size(size, text[0]),
             text_duration(doc_i64(raw, "watch.quiet_ms", 0), text[1]));
    if (size == 0) {
        snprintf(out->next, sizeof out->next,
                 "the instrument must write data: an empty file never counts as done");
        return;
    }
    if (r.quiet_left_ms >= 0) {
        snprintf(out->next, sizeof out->next,
                 "the next acquisition on %s, or no change for another %s", i->id,
                 text_duration(r.quiet_left_ms, text[2]));
        return;
    }
    snprintf(out->next, sizeof out->next,
             "the next acquisition on %s, or the same size at %s in %s", i->id,
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
    why_say(out, WHY_HELD, "the share of %s is %s since %s: %s", doc_str(f->watch, "_id", "?"),
            status, text_duration(f->now_ms - doc_i64(f->watch, "since", f->now_ms), since),
            doc_str(f->watch, "detail", ""));
    why_next(out, "goes on by itself when the share is back; trawl mount check %s",
             doc_str(f->watch, "_id", "?"));
    return true;
}

void why_acquiring(const struct why_facts *f, const bson_t *raw, struct why *out)
{
    const char *trouble = doc_str(raw, "watch.error", "");
    int64_t missing_ms = doc_i64(raw, "watch.missing_ms", 0);
    out->reason = f->led ? WHY_ACQUIRING : WHY_NO_LEADER;
    if (!f->led) {
        snprintf(out->what, sizeof out->what, "no scheduler leads: nobody watches the acquisition");
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
    } else if (missing_ms > 0) {
        main_missing(f->instrument, missing_ms, out);
    } else {
        still_writing(f->instrument, raw, out);
    }
}
