#include "msqc/result.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const names[] = {
    [RESULT_MS1_INJECTION] = "ms1_median_injection_time",
    [RESULT_MS1_SCANS] = "ms1_scans",
    [RESULT_MS1_TIC] = "ms1_median_tic",
    [RESULT_MS2_INJECTION] = "ms2_median_injection_time",
    [RESULT_MS2_SCANS] = "ms2_scans",
    [RESULT_MS2_TIC] = "ms2_median_tic",
    [RESULT_PRESSURE] = "evosep_pump_hp_pressure_max",
    [RESULT_GRADIENT] = "gradient_length",
    [RESULT_PRECURSORS] = "ms2_unique_precursors",
};
_Static_assert(sizeof names / sizeof *names == RESULT_FIGURE_COUNT, "a name for every figure");

static const char *const statuses[] = {
    [RESULT_OK] = "ok", [RESULT_UNSUPPORTED] = "unsupported", [RESULT_INCOMPLETE] = "incomplete"};
_Static_assert(sizeof statuses / sizeof *statuses == RESULT_STATUS_COUNT,
               "a word for every status");

void result_init(struct result *result)
{
    *result = (struct result){.status = RESULT_OK};
    for (size_t i = 0; i < RESULT_FIGURE_COUNT; i++) {
        result->figure[i] = (double)NAN;
    }
}

const char *result_name(enum result_figure figure)
{
    return names[figure];
}

const char *result_word(enum result_status status)
{
    return statuses[status];
}

void result_plain_text(char *text)
{
    for (char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            *c = ' ';
        }
    }
}

/* Append to a list of `room` bytes whose entries are separated by "; ". */
static void append(char *list, size_t room, const char *entry)
{
    size_t used = strlen(list);
    snprintf(list + used, room - used, "%s%s", used > 0 ? "; " : "", entry);
}

void result_note(struct result *result, const char *fmt, ...)
{
    char note[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(note, sizeof note, fmt, ap);
    va_end(ap);
    result_plain_text(note);
    append(result->detail, sizeof result->detail, note);
}

void result_set(struct result *result, enum result_figure figure, double value,
                const struct result_part *part)
{
    const struct result_part *of = result->read.all > 0 ? &result->read : part;
    if (isnan(value) || (part->all > 0 && part->known == 0)) {
        return;
    }
    if (of->known >= of->all) {
        result->figure[figure] = value;
        return;
    }
    char entry[128];
    snprintf(entry, sizeof entry, "%s %.10g (%" PRIu64 " of %" PRIu64 " %s)", names[figure], value,
             of->known, of->all, of->unit);
    append(result->partial, sizeof result->partial, entry);
}

void result_write(const struct result *result, struct output *out)
{
    for (size_t i = 0; i < RESULT_FIGURE_COUNT; i++) {
        fprintf(out->stream, "%s\t", names[i]);
    }
    fputs("status\tdetail\tpartial\n", out->stream);
    for (size_t i = 0; i < RESULT_FIGURE_COUNT; i++) {
        output_number(out, result->figure[i]);
        fputc('\t', out->stream);
    }
    fprintf(out->stream, "%s\t%s\t%s\n", statuses[result->status], result->detail, result->partial);
}
