#include "msqc/result.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/ban.h" /* last: system headers declare what it forbids */

void result_init(struct result *result)
{
    const double unknown = (double)NAN;
    const struct result_level level = {unknown, unknown, unknown};
    *result = (struct result){.level = {level, level},
                              .pump_pressure_max = unknown,
                              .gradient_min = unknown,
                              .ms2_unique_precursors = unknown};
}

void result_note(struct result *result, const char *fmt, ...)
{
    char note[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(note, sizeof note, fmt, ap);
    va_end(ap);
    result_plain_text(note);
    size_t used = strlen(result->detail);
    snprintf(result->detail + used, sizeof result->detail - used, "%s%s", used > 0 ? "; " : "",
             note);
}

void result_plain_text(char *text)
{
    for (char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            *c = ' ';
        }
    }
}

static void write_level(const struct result_level *level, struct output *out)
{
    output_number(out, level->median_injection_ms);
    fputc('\t', out->stream);
    output_number(out, level->scans);
    fputc('\t', out->stream);
    output_number(out, level->median_tic);
    fputc('\t', out->stream);
}

void result_write(const struct result *result, struct output *out)
{
    fputs("ms1_median_injection_time\tms1_scans\tms1_median_tic\t"
          "ms2_median_injection_time\tms2_scans\tms2_median_tic\t"
          "evosep_pump_hp_pressure_max\tgradient_length\t"
          "ms2_unique_precursors\tstatus\tdetail\n",
          out->stream);
    write_level(&result->level[RESULT_MS1], out);
    write_level(&result->level[RESULT_MS2], out);
    output_number(out, result->pump_pressure_max);
    fputc('\t', out->stream);
    output_number(out, result->gradient_min);
    fputc('\t', out->stream);
    output_number(out, result->ms2_unique_precursors);
    fprintf(out->stream, "\t%s\t%s\n", result->unsupported ? "unsupported" : "ok", result->detail);
}
