#include "common/quant/settings_words.h"

#include <string.h>

#include "common/quant/settings.h"

#define TYPE   "trawl_type"
#define ENGINE "trawl_engine"

struct word {
    const char *ours, *theirs;
    bool tells; /* theirs tells which of ours it is; otherwise ours is stored, too */
};

static const struct word types[] = {{"diann", "custom", false}, {0}};
static const struct word engines[] = {{"file", "file_based", true},
                                      {"slurm", "slurm_no_sacct", true},
                                      {"local", "generic", false},
                                      {0}};

static void append_type(bson_t *out, const bson_t *settings)
{
    const char *type = settings_type(settings), *metrics = doc_str(settings, "metrics_type", "");
    for (const struct word *w = types; w->ours != NULL; w++) {
        if (strcmp(w->ours, type) == 0) {
            BSON_APPEND_UTF8(out, "software_type", w->theirs);
            BSON_APPEND_UTF8(out, TYPE, w->ours);
            BSON_APPEND_UTF8(out, "metrics_type", *metrics != '\0' ? metrics : w->ours);
            return;
        }
    }
    BSON_APPEND_UTF8(out, "software_type", type);
    BSON_APPEND_UTF8(out, "metrics_type", *metrics != '\0' ? metrics : type);
}

/* Without an engine, the site's; AlphaKraken reads what is missing as "slurm". */
static void append_engine(bson_t *out, const bson_t *settings)
{
    const char *engine = doc_str(settings, "job_engine", "");
    for (const struct word *w = engines; w->ours != NULL; w++) {
        if (strcmp(w->ours, engine) == 0 && strcmp(engine, "slurm") != 0) {
            BSON_APPEND_UTF8(out, "job_engine", w->theirs);
            if (!w->tells) {
                BSON_APPEND_UTF8(out, ENGINE, w->ours);
            }
            return;
        }
    }
    if (*engine != '\0') {
        BSON_APPEND_UTF8(out, "job_engine", engine);
    }
}

static const char *our_engine(const bson_t *doc)
{
    const char *ours = doc_str(doc, ENGINE, ""), *stored = doc_str(doc, "job_engine", "");
    for (const struct word *w = engines; *ours == '\0' && w->ours != NULL; w++) {
        if (w->tells && strcmp(w->theirs, stored) == 0) {
            return w->ours;
        }
    }
    return *ours != '\0' ? ours : stored;
}

bool settings_engine_is_known(const bson_t *doc)
{
    const char *engine = our_engine(doc);
    bool known = *engine == '\0' || strcmp(engine, "slurm") == 0;
    for (const struct word *w = engines; !known && w->ours != NULL; w++) {
        known = strcmp(w->ours, engine) == 0;
    }
    return known;
}

bson_t *settings_from_stored(const bson_t *doc)
{
    const char *type = doc_str(doc, TYPE, settings_type(doc)), *engine = our_engine(doc);
    const char *metrics = doc_str(doc, "metrics_type", "");
    bson_t *out = bson_new();
    bson_copy_to_excluding_noinit(doc, out, "software_type", "metrics_type", "job_engine", TYPE,
                                  ENGINE, NULL);
    BSON_APPEND_UTF8(out, "software_type", type);
    BSON_APPEND_UTF8(out, "metrics_type", strcmp(metrics, type) == 0 ? "" : metrics);
    BSON_APPEND_UTF8(out, "job_engine", engine);
    return out;
}

void settings_append_stored(bson_t *out, const bson_t *settings)
{
    AUTO(bson_destroy) bson_t *ours = settings_from_stored(settings);
    append_type(out, ours);
    append_engine(out, ours);
    bson_copy_to_excluding_noinit(ours, out, "_id", "software_type", "metrics_type", "job_engine",
                                  NULL);
}
