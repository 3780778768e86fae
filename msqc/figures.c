#include "msqc/figures.h"

#include <math.h>
#include <stdio.h>

#include "common/ban.h" /* last: system headers declare what it forbids */

void figures_init(struct figures *figures, struct output *tic_file)
{
    *figures = (struct figures){.tic_file = tic_file, .retention_max_min = (double)NAN};
    if (tic_file != NULL) {
        fputs("retention_time\tms_level\ttic\n", tic_file->stream);
    }
}

static int write_line(struct output *out, const struct figures_spectrum *spectrum, struct err *err)
{
    output_number(out, spectrum->retention_min);
    fputc('\t', out->stream);
    if (spectrum->level > 0) {
        fprintf(out->stream, "%d", spectrum->level);
    }
    fputc('\t', out->stream);
    output_number(out, spectrum->tic);
    fputc('\n', out->stream);
    return output_check(out, err);
}

static int append_known(struct stats_values *values, double value, struct err *err)
{
    return isnan(value) ? 0 : stats_append(values, value, err);
}

int figures_add(struct figures *figures, const struct figures_spectrum *spectrum, struct err *err)
{
    if (figures->tic_file != NULL && write_line(figures->tic_file, spectrum, err) != 0) {
        return -1;
    }
    figures->retention_max_min = fmax(figures->retention_max_min, spectrum->retention_min);
    if (spectrum->level != 1 && spectrum->level != 2) {
        figures->others++;
        return 0;
    }
    enum result_ms ms = spectrum->level == 1 ? RESULT_MS1 : RESULT_MS2;
    figures->scans[ms]++;
    if (append_known(&figures->tic[ms], spectrum->tic, err) != 0) {
        return -1;
    }
    return append_known(&figures->injection_ms[ms], spectrum->injection_ms, err);
}

int figures_add_precursor(struct figures *figures, double mz, struct err *err)
{
    return append_known(&figures->precursor_mz, mz, err);
}

void figures_summarise(struct figures *figures, struct result *result)
{
    for (int ms = 0; ms < RESULT_MS_COUNT; ms++) {
        struct result_level *level = &result->level[ms];
        level->scans = (double)figures->scans[ms];
        level->median_tic = stats_median(&figures->tic[ms]);
        level->median_injection_ms = stats_median(&figures->injection_ms[ms]);
    }
    result->gradient_min = figures->retention_max_min;
    if (figures->precursor_mz.count > 0) {
        result->ms2_unique_precursors = (double)stats_distinct(&figures->precursor_mz);
    }
    if (figures->others > 0) {
        result_note(result, "%zu spectra are neither MS1 nor MS2", figures->others);
    }
}

void figures_fini(struct figures *figures)
{
    for (int ms = 0; ms < RESULT_MS_COUNT; ms++) {
        stats_fini(&figures->tic[ms]);
        stats_fini(&figures->injection_ms[ms]);
    }
    stats_fini(&figures->precursor_mz);
}
