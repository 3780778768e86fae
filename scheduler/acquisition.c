#include "scheduler/acquisition.h"

#define SCAN_GATE_BYTES    144 /* Zeno: an empty .wiff.scan has a header of 44 + 100 bytes */
#define SCAN_GATE_QUIET_MS (24LL * 3600 * 1000)

struct acquisition acquisition_new(void)
{
    return (struct acquisition){.size = -1, .checked_size = -1};
}

static void remember(struct acquisition *a, const struct sighting *s)
{
    a->check_ms += s->since_ms;
    if (!s->main_present) {
        a->missing_ms += s->since_ms;
        return;
    }
    a->missing_ms = 0;
    a->quiet_ms = a->size == s->size ? a->quiet_ms + s->since_ms : 0;
    a->size = s->size;
}

/* Every size_check_s the size is compared with the one at the check before. */
static bool same_at_two_checks(const struct instrument *i, struct acquisition *a)
{
    if (a->check_ms < i->size_check_s * 1000) {
        return false;
    }
    a->check_ms = 0;
    bool same = a->checked_size == a->size && a->size > 0;
    a->checked_size = a->size;
    return same;
}

static bool scan_is_plausible(const struct instrument *i, const struct acquisition *a,
                              const struct sighting *s)
{
    return i->type != INSTRUMENT_SCIEX || s->scan_size > SCAN_GATE_BYTES ||
           a->quiet_ms >= SCAN_GATE_QUIET_MS;
}

enum verdict acquisition_look(const struct instrument *i, struct acquisition *a,
                              const struct sighting *s, const char **rule)
{
    bool unchanged = s->main_present && a->size == s->size && s->since_ms > 0;
    remember(a, s);
    if (s->corrupted_sibling) {
        *rule = "renamed";
        return VERDICT_RENAMED;
    }
    if (!s->main_present) {
        *rule = "main file missing";
        return a->missing_ms >= i->missing_main_s * 1000 ? VERDICT_MAIN_MISSING : VERDICT_WAIT;
    }
    bool checks_agree = same_at_two_checks(i, a);
    if (!scan_is_plausible(i, a, s)) {
        *rule = "waits for .wiff.scan to be written";
        return VERDICT_WAIT;
    }
    if (i->old_files_done && s->behind_youngest_ms > i->old_file_s * 1000) {
        *rule = "old file";
        return VERDICT_DONE;
    }
    if (s->successor && unchanged) {
        *rule = "next file";
        return VERDICT_DONE;
    }
    if (i->quiet_s > 0 && a->size > 0 && a->quiet_ms >= i->quiet_s * 1000) {
        *rule = "quiet";
        return VERDICT_DONE;
    }
    *rule = checks_agree ? "size unchanged" : a->size == 0 ? "waits for data" : "still growing";
    return checks_agree ? VERDICT_DONE : VERDICT_WAIT;
}
