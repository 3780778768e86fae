/*
 * errors.h - why a job's software failed, as a short code that can be counted and filtered
 * (docs/rules.md, "Why a job's software failed"). Which text means which code is data:
 * error_codes.txt, and the site's own table before it.
 */
#ifndef WORKERS_QUANT_ERRORS_H
#define WORKERS_QUANT_ERRORS_H
#include "workers/quant/quant.h"

#define ERRORS_CODE_MAX 64

/*
 * The code of a job that ended with a state of failure: what the software itself noted in
 * quant/<stem>/events.jsonl, else what the newest line of the log that the tables know means, else
 * ERRORS_UNKNOWN or ERRORS_NO_LOG; for states that say why themselves (TIMEOUT, OUT_OF_MEMORY, …)
 * the state. tail is the end of log.txt.
 */
#define ERRORS_UNKNOWN "__UNKNOWN_ERROR"
#define ERRORS_NO_LOG  "__NO_LOG_FILE"
void errors_classify(const struct quant_job *job, const char *tail, char code[ERRORS_CODE_MAX])
    __attribute__((nonnull));

/* The code of the last "exception" with one in the text of an events.jsonl; false: none. */
bool errors_of_events(const char *text, char code[ERRORS_CODE_MAX]) __attribute__((nonnull));
/* The code of a line of the log by the text of a table; false: none. A line of the table that is
 * none is passed over. */
bool errors_of_line(const char *table, const char *type, const char *line,
                    char code[ERRORS_CODE_MAX]) __attribute__((nonnull));
#endif
