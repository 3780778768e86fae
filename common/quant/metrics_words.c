#include "common/quant/metrics_words.h"

#include <string.h>

#include "common/db/named.h"

static const char *const reserved[] = {
    "_id", NAMED_FIELD, NAMED_MIGRATING, "raw_file", "type", "settings_name", "settings_version",
    "output_path", "created_at_", "time_elapsed", "peak_memory_mib", "error_code",
    "missing_columns", METRICS_UNKNOWN, METRICS_STATUS, METRICS_DETAIL, METRICS_PARTIAL,
    /* of the raw file, as AlphaKraken's overview shows it */
    "status", "status_details", "instrument_id", "eta", "size_gb", "file_created", NULL};

static const struct {
    const char *before, *now;
} renamed[] = {
    {"status", METRICS_STATUS}, {"detail", METRICS_DETAIL}, {"partial", METRICS_PARTIAL}};

/* The names that msqc's metrics had; custom metrics keep theirs. */
static const char *name_of(const bson_t *metrics, const char *field)
{
    bool ours = doc_says(metrics, "type", "msqc");
    for (size_t i = 0; ours && i < sizeof renamed / sizeof *renamed; i++) {
        if (strcmp(field, renamed[i].before) == 0) {
            return renamed[i].now;
        }
    }
    return field;
}

bool metrics_name_is_free(const char *name)
{
    for (const char *const *one = reserved; *one != NULL; one++) {
        if (strcmp(name, *one) == 0) {
            return false;
        }
    }
    return true;
}

static void append_unknown(bson_t *unknown, const bson_t *metrics, const char *field)
{
    char room[16];
    const char *key, *name = name_of(metrics, field);
    if (metrics_name_is_free(name)) { /* time_elapsed and the like are just absent */
        bson_uint32_to_string(bson_count_keys(unknown), &key, room, sizeof room);
        BSON_APPEND_UTF8(unknown, key, name);
    }
}

void metrics_append_stored(bson_t *out, const bson_t *metrics)
{
    bson_iter_t at;
    bson_t unknown = BSON_INITIALIZER;
    for (bool more = bson_iter_init(&at, metrics) && bson_iter_next(&at); more;
         more = bson_iter_next(&at)) {
        const char *field = bson_iter_key(&at);
        if (BSON_ITER_HOLDS_NULL(&at)) {
            append_unknown(&unknown, metrics, field);
        } else if (strcmp(field, "_id") != 0) {
            bson_append_iter(out, name_of(metrics, field), -1, &at);
        }
    }
    if (!bson_empty(&unknown)) {
        BSON_APPEND_ARRAY(out, METRICS_UNKNOWN, &unknown);
    }
    bson_destroy(&unknown);
}

const char *metrics_run_status(const bson_t *metrics)
{
    bool ours = doc_says(metrics, "type", "msqc");
    return ours ? doc_str(metrics, METRICS_STATUS, doc_str(metrics, "status", "ok")) : "ok";
}
