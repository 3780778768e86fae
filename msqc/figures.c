#include "msqc/figures.h"

#include <math.h>
#include <stdio.h>

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
    figures->with_time += isnan(spectrum->retention_min) ? 0 : 1;
    if (spectrum->level != 1 && spectrum->level != 2) {
        figures->others++;
        return 0;
    }
    enum figures_ms ms = spectrum->level == 1 ? FIGURES_MS1 : FIGURES_MS2;
    figures->scans[ms]++;
    figures->with_precursor += ms == FIGURES_MS2 && spectrum->has_precursor ? 1 : 0;
    if (append_known(&figures->tic[ms], spectrum->tic, err) != 0) {
        return -1;
    }
    return append_known(&figures->injection_ms[ms], spectrum->injection_ms, err);
}

int figures_add_precursor(struct figures *figures, double mz, struct err *err)
{
    return append_known(&figures->precursor_mz, mz, err);
}

static void set_median(struct result *result, enum result_figure figure,
                       struct stats_values *values, size_t scans)
{
    const struct result_part part = {values->count, scans, "spectra"};
    result_set(result, figure, stats_median(values), &part);
}

static void set_precursors(struct figures *figures, struct result *result)
{
    const struct result_part part = {figures->with_precursor,
                                     figures->with_precursor > 0 ? figures->scans[FIGURES_MS2] : 0,
                                     "MS2 spectra"};
    if (figures->precursor_mz.count > 0) {
        result_set(result, RESULT_PRECURSORS, (double)stats_distinct(&figures->precursor_mz),
                   &part);
    }
}

void figures_summarise(struct figures *figures, struct result *result)
{
    static const enum result_figure columns[FIGURES_MS_COUNT][3] = {
        {RESULT_MS1_INJECTION, RESULT_MS1_SCANS, RESULT_MS1_TIC},
        {RESULT_MS2_INJECTION, RESULT_MS2_SCANS, RESULT_MS2_TIC}};
    const struct result_part all = {0};
    for (int ms = 0; ms < FIGURES_MS_COUNT; ms++) {
        size_t scans = figures->scans[ms];
        set_median(result, columns[ms][0], &figures->injection_ms[ms], scans);
        result_set(result, columns[ms][1], (double)scans, &all);
        set_median(result, columns[ms][2], &figures->tic[ms], scans);
    }
    const struct result_part times = {
        figures->with_time,
        figures->scans[FIGURES_MS1] + figures->scans[FIGURES_MS2] + figures->others, "spectra"};
    result_set(result, RESULT_GRADIENT, figures->retention_max_min, &times);
    set_precursors(figures, result);
    if (figures->others > 0) {
        result_note(result, "%zu spectra are neither MS1 nor MS2", figures->others);
    }
}

void figures_fini(struct figures *figures)
{
    for (int ms = 0; ms < FIGURES_MS_COUNT; ms++) {
        stats_fini(&figures->tic[ms]);
        stats_fini(&figures->injection_ms[ms]);
    }
    stats_fini(&figures->precursor_mz);
}
