/*
 * instruments.h - the threads of config/instruments.d, one for each instrument, as the rest of the
 * scheduler sees them. Private to scheduler/.
 */
#ifndef SCHEDULER_WATCH_INSTRUMENTS_H
#define SCHEDULER_WATCH_INSTRUMENTS_H
#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/own.h"
#include "common/config/config.h"

struct scheduler;
struct instruments;

/* Read the folder and start the threads. NULL with *err set. Freed with instruments_free. */
struct instruments *instruments_new(struct scheduler *s, struct err *err) OWNED;
void instruments_free(struct instruments *all);
/* Start, reload and stop threads to match the folder. Brain thread. */
void instruments_reload(struct instruments *all);

/* A copy of what is configured for an instrument, for decisions; known = false: it is not
 * configured. Any thread. */
struct instrument_facts {
    bool known, skip_processing, skip_quanting;
    enum instrument_type type;
    int64_t max_copies, file_move_delay_m, min_free_space_gb;
    double min_file_age_days;
    char path[1024];
};
struct instrument_facts instruments_facts(struct instruments *all, const char *id);
/* This scheduler has begun or stopped leading: wake the threads. Any thread. */
void instruments_nudge(struct instruments *all);
/* A raw file went back to monitoring: have the instrument's thread read its documents again. Any
 * thread. */
void instruments_recall(struct instruments *all, const char *id);
#endif
