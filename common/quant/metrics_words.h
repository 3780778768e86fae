/*
 * metrics_words.h - the fields of a metrics document that Trawl itself gives, besides the figures.
 * AlphaKraken shows all fields beside those of the raw file, so none may have the name of one of
 * those, and what is not known is absent. Documents of earlier versions have nulls, and the names
 * status, detail, partial. Pure, any thread.
 */
#ifndef COMMON_QUANT_METRICS_WORDS_H
#define COMMON_QUANT_METRICS_WORDS_H
#include <bson/bson.h>
#include <stdbool.h>

#define METRICS_STATUS  "run_status"      /* msqc: ok, unsupported, incomplete */
#define METRICS_DETAIL  "run_detail"      /* why */
#define METRICS_PARTIAL "run_partial"     /* figures of a part of the acquisition */
#define METRICS_UNKNOWN "unknown_metrics" /* names of the figures that are not known */

/* Append the fields of a metrics document, but for its `_id`, as they are stored: without nulls,
 * whose names are listed in METRICS_UNKNOWN, and with the names of today. */
void metrics_append_stored(bson_t *out, const bson_t *metrics) __attribute__((nonnull));
/* run_status of a document of any version; "ok" when it has none. */
const char *metrics_run_status(const bson_t *metrics) __attribute__((nonnull, returns_nonnull));
/* Whether a metric may have this name: it is no field of ours, and none that AlphaKraken shows of
 * the raw file. */
bool metrics_name_is_free(const char *name) __attribute__((nonnull));
#endif
