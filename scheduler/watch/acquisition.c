#include "scheduler/watch/acquisition.h"

#include "common/raw/raw_file.h"

#define SCAN_GATE_BYTES 144 /* Zeno: an empty .wiff.scan has a header of 44 + 100 bytes */

struct acquisition acquisition_new(void)
{
    return (struct acquisition){.size = -1, .checked_size = -1, .sig.n = -1};
}

bool signature_known(const struct signature *s)
{
    return s->n >= 0;
}

bool signature_same_shape(const struct signature *a, const struct signature *b)
{
    return a->n == b->n && a->bytes == b->bytes && a->shape == b->shape;
}

bool signature_same(const struct signature *a, const struct signature *b)
{
    return signature_same_shape(a, b) && a->stamp == b->stamp;
}

/* A memory without a signature is new, or was written by a version that watched sizes only. */
static bool has_moved(const struct acquisition *a, const struct sighting *s)
{
    bool resized = s->main_present && a->size != s->size;
    return s->unreadable || resized ||
           (signature_known(&a->sig) && !signature_same(&a->sig, &s->sig));
}

static void remember_look(struct acquisition *a, const struct sighting *s)
{
    a->check_ms += s->since_ms;
    a->quiet_ms = has_moved(a, s) ? 0 : a->quiet_ms + s->since_ms;
    a->sig = s->sig;
    a->missing_ms = s->main_present ? 0 : a->missing_ms + s->since_ms;
    a->size = s->main_present ? s->size : a->size;
}

/* Every size_check_s, compare the size with that at the check before; in between nothing else may
 * have moved. */
static bool same_at_two_checks(const struct instrument *i, struct acquisition *a)
{
    if (a->check_ms < i->size_check_s * 1000) {
        return false;
    }
    a->check_ms = 0;
    bool same = a->checked_size == a->size && a->size > 0;
    a->checked_size = a->size;
    return same && a->quiet_ms >= i->size_check_s * 1000;
}

static bool scan_is_plausible(const struct instrument *i, const struct acquisition *a,
                              const struct sighting *s)
{
    return i->type != INSTRUMENT_SCIEX || s->scan_size > SCAN_GATE_BYTES ||
           a->quiet_ms >= INSTRUMENT_SCAN_QUIET_MS;
}

/* The rules for a raw file of which nothing moves. */
static enum verdict verdict_when_still(const struct instrument *i, const struct acquisition *a,
                                       const struct sighting *s, const char **rule)
{
    if (i->old_files_done && s->behind_youngest_ms > i->old_file_s * 1000) {
        *rule = "old file";
        return VERDICT_DONE;
    }
    if (s->successor) {
        *rule = "next file";
        return VERDICT_DONE;
    }
    if (i->quiet_s > 0 && a->size > 0 && a->quiet_ms >= i->quiet_s * 1000) {
        *rule = "quiet";
        return VERDICT_DONE;
    }
    *rule = a->size == 0 ? "waits for data" : "still growing";
    return VERDICT_WAIT;
}

enum verdict acquisition_add_look(const struct instrument *i, struct acquisition *a,
                                  const struct sighting *s, const char **rule)
{
    remember_look(a, s);
    if (s->corrupted_sibling) {
        *rule = RAW_RULE_RENAMED;
        return VERDICT_RENAMED;
    }
    bool still = s->since_ms > 0 && a->quiet_ms > 0 && a->quiet_ms >= i->still_s * 1000;
    if (!s->main_present) {
        *rule = s->unreadable ? RAW_WAITS_UNREADABLE : "main file missing";
        bool over = a->missing_ms >= i->missing_main_s * 1000 && still;
        return over ? VERDICT_MAIN_MISSING : VERDICT_WAIT;
    }
    bool checks_agree = same_at_two_checks(i, a);
    if (!scan_is_plausible(i, a, s)) {
        *rule = RAW_WAITS_SCAN;
        return VERDICT_WAIT;
    }
    if (!still) {
        *rule = s->unreadable ? RAW_WAITS_UNREADABLE : RAW_WAITS_STILL;
        return VERDICT_WAIT;
    }
    if (verdict_when_still(i, a, s, rule) == VERDICT_DONE) {
        return VERDICT_DONE;
    }
    *rule = checks_agree ? "size unchanged" : *rule;
    return checks_agree ? VERDICT_DONE : VERDICT_WAIT;
}
