#include "ops/import_convert.h"

#include <stdio.h>
#include <string.h>

#include "common/base/path.h"
#include "common/base/utf8.h"
#include "common/db/db.h"
#include "common/quant/settings_words.h"

/* Copies what is not null and not there yet. */
static void append_rest(const bson_t *theirs, bson_t *doc)
{
    bson_iter_t at;
    for (bool more = bson_iter_init(&at, theirs) && bson_iter_next(&at); more;
         more = bson_iter_next(&at)) {
        if (!BSON_ITER_HOLDS_NULL(&at) && !db_has_key(doc, bson_iter_key(&at))) {
            BSON_APPEND_VALUE(doc, bson_iter_key(&at), bson_iter_value(&at));
        }
    }
}

static void append_default(const bson_t *theirs, const char *field, const char *value, bson_t *doc)
{
    if (doc_str(theirs, field, "")[0] == '\0') {
        BSON_APPEND_UTF8(doc, field, value);
    }
}

/* --- metrics --- */

/* What a metric is called today; NULL: as it was. */
static const char *metric_name(const char *name)
{
    static const char *const names[][2] = {
        {"raw:gradient_length_m", "gradient_length"},
        {"quanting_time_elapsed", "time_elapsed"},
        {"calibration:ms1_median_accuracy", "calibration:ms1_bias"},
        {"calibration:ms2_median_accuracy", "calibration:ms2_bias"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i][0]) == 0) {
            return names[i][1];
        }
    }
    bool msqc = strncmp(name, "msqc_", strlen("msqc_")) == 0 && name[strlen("msqc_")] != '\0';
    return msqc ? name + strlen("msqc_") : NULL;
}

bson_t *import_metrics(const bson_t *theirs, bool rename)
{
    bson_iter_t at;
    AUTO(bson_destroy) bson_t *doc = bson_new();
    AUTO(free) char *raw_file = path_escape(doc_str(theirs, "raw_file", ""));
    if (raw_file == NULL) {
        return NULL;
    }
    for (bool more = bson_iter_init(&at, theirs) && bson_iter_next(&at); more;
         more = bson_iter_next(&at)) {
        const char *field = bson_iter_key(&at), *name = metric_name(field);
        bool taken = name != NULL && (db_has_key(theirs, name) || db_has_key(doc, name));
        if (rename && strcmp(field, "raw_file") == 0 && BSON_ITER_HOLDS_UTF8(&at)) {
            BSON_APPEND_UTF8(doc, field, raw_file);
        } else if (!BSON_ITER_HOLDS_NULL(&at)) {
            BSON_APPEND_VALUE(doc, name == NULL || taken ? field : name, bson_iter_value(&at));
        }
    }
    append_default(doc, "type", "alphadia", doc);
    return TAKE(doc);
}

/* --- settings --- */

struct resources {
    const char *type;
    int64_t cpus;
    const char *mem, *time;
};

/* AlphaKraken's own, from when settings did not name them. */
static const struct resources defaults[] = {
    {"msqc", 2, "31G", "00:10:00"},
    {"skyline", 2, "31G", "00:10:00"},
    {"", 8, "62G", "02:00:00"},
};

static void append_resources(const bson_t *theirs, const char *type, bson_t *doc)
{
    const struct resources *r = defaults;
    while (r->type[0] != '\0' && strcmp(r->type, type) != 0) {
        r++;
    }
    static const char *const counts[] = {"slurm_cpus_per_task", "num_threads", NULL};
    for (const char *const *field = counts; *field != NULL; field++) {
        if (!doc_has(theirs, *field)) {
            BSON_APPEND_INT64(doc, *field, r->cpus);
        }
    }
    append_default(theirs, "slurm_mem", r->mem, doc);
    append_default(theirs, "slurm_time", r->time, doc);
}

/* The words for engines stay: stored settings have AlphaKraken's. */
static void archive_unknown_engine(const bson_t *theirs, bson_t *doc, char why[static IMPORT_WHY])
{
    if (!settings_engine_is_known(theirs) &&
        strcmp(doc_str(theirs, "status", "active"), "active") == 0) {
        BSON_APPEND_UTF8(doc, "status", "inactive");
        snprintf(why, IMPORT_WHY, "no engine of Trawl's is like '%.40s'",
                 doc_str(theirs, "job_engine", "?"));
        utf8_mend(why);
    }
}

bson_t *import_settings(const bson_t *theirs, char why[static IMPORT_WHY])
{
    const char *type = doc_str(theirs, "software_type", "");
    bson_t *doc = bson_new();
    why[0] = '\0';
    type = type[0] != '\0' ? type : "alphadia";
    append_default(theirs, "software_type", type, doc);
    append_default(theirs, "metrics_type", type, doc);
    append_default(theirs, "status", "active", doc);
    if (!doc_has(theirs, "version")) {
        BSON_APPEND_INT64(doc, "version", 1);
    }
    append_resources(theirs, type, doc);
    archive_unknown_engine(theirs, doc, why);
    append_rest(theirs, doc);
    return doc;
}

/* --- projects and assignments --- */

bson_t *import_project(const bson_t *theirs)
{
    bson_t *doc = bson_new();
    bson_t rest = BSON_INITIALIZER;
    append_default(theirs, "name", doc_str(theirs, "_id", ""), doc);
    append_default(theirs, "status", "active", doc);
    bson_copy_to_excluding_noinit(theirs, &rest, "settings", NULL);
    append_rest(&rest, doc);
    bson_destroy(&rest);
    return doc;
}

bson_t *import_assignment(const bson_t *theirs)
{
    bson_t none = BSON_INITIALIZER;
    bson_t *doc = bson_new();
    append_default(theirs, "scope", "*", doc);
    if (!doc_has(theirs, "excluded")) {
        BSON_APPEND_ARRAY(doc, "excluded", &none);
    }
    if (!doc_has(theirs, "raw_file_id_filter")) {
        BSON_APPEND_UTF8(doc, "raw_file_id_filter", "");
    }
    append_rest(theirs, doc);
    return doc;
}
