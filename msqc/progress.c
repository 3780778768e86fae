#include "msqc/progress.h"

#include <inttypes.h>
#include <stdarg.h>

void progress_start(struct progress *progress, FILE *log, const char *unit)
{
    *progress = (struct progress){.log = log, .unit = unit, .next_percent = 10};
    clock_gettime(CLOCK_MONOTONIC, &progress->start);
}

double progress_seconds(const struct progress *progress)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - progress->start.tv_sec) +
           (double)(now.tv_nsec - progress->start.tv_nsec) / 1e9;
}

void progress_at(struct progress *progress, uint64_t done)
{
    if (progress->log == NULL || progress->total == 0) {
        return;
    }
    double percent = 100.0 * (double)done / (double)progress->total;
    if (percent < progress->next_percent || progress->next_percent > 100) {
        return;
    }
    while (progress->next_percent <= 100 && percent >= progress->next_percent) {
        progress->next_percent += 10;
    }
    fprintf(progress->log, "  %3u %%  %" PRIu64 " of %" PRIu64 " %s, %.1f s\n",
            progress->next_percent - 10, done, progress->total, progress->unit,
            progress_seconds(progress));
}

void progress_say(const struct progress *progress, const char *fmt, ...)
{
    if (progress->log == NULL) {
        return;
    }
    va_list ap;
    va_start(ap, fmt);
    vfprintf(progress->log, fmt, ap);
    va_end(ap);
    fputc('\n', progress->log);
}
