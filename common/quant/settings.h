/*
 * settings.h - one version of settings: how to quantify, and whether it can be. Who makes a version
 * and who runs it read it with the same rules. Pure; any thread.
 *
 * A version is never changed: its document is inserted once, its files lie in a folder named by
 * their content (settings_files.h). docs/data-model.md describes the document.
 */
#ifndef COMMON_QUANT_SETTINGS_H
#define COMMON_QUANT_SETTINGS_H
#include <bson/bson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/hash.h"
#include "common/db/db.h"

#define SETTINGS_NAME_MAX    64
#define SETTINGS_PARAMS_MAX  2048
#define SETTINGS_FILES_MAX   16
#define SETTINGS_COLUMNS_MAX 256
#define SETTINGS_CPUS_MAX    4096
#define SETTINGS_ID_MAX      96 /* "<name>-v<version>" */

struct settings_file {
    char *name;
    int64_t size;
    char xxh3[HASH_XXH_HEX];
};

/* One metric of metrics_type "custom": this column of this result file. */
struct settings_column {
    char *file, *column, *metric;
    char how[8]; /* metric_how_parse knows the words */
};

struct settings {
    char *name, *software_type, *software, *metrics_type, *engine;
    char *config_params, *config_file, *speclib_file, *fasta_file;
    char *mem, *time; /* "" : the cluster's default */
    char *set;        /* folder of its files; "" for settings whose files people look after */
    int64_t version, cpus, threads;
    int64_t time_s, mem_mib; /* the same as numbers; 0: not limited */
    struct settings_file *files;
    size_t n_files;
    struct settings_column *columns;
    size_t n_columns;
};

/*
 * Document -> settings. INVALID names the field: a name that leaves its folder, resources that
 * sbatch would not read, parameters with an open quote, more than fits. *out may be half-filled
 * then; settings_fini in any case.
 */
int settings_decode(const bson_t *doc, struct settings *out, struct err *err)
    __attribute__((nonnull, warn_unused_result));
void settings_fini(struct settings *s) __attribute__((nonnull));
static inline void auto_settings_fini(struct settings *s)
{
    settings_fini(s);
}

/* What a new version must be beyond what can be run: a plain name, a type that there is, what that
 * type needs. INVALID says what is missing and how to give it. */
int settings_check_new(const struct settings *s, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* "<name>-v<version>" of a document. */
const char *settings_id(const bson_t *doc, char buf[static SETTINGS_ID_MAX])
    __attribute__((nonnull));
/* software_type of a document; "alphadia" when it has none, as AlphaKraken reads its oldest ones.
 */
const char *settings_type(const bson_t *doc) __attribute__((nonnull, returns_nonnull));
/* Which metrics its results give: metrics_type, or the software's own. */
const char *settings_metrics_type(const struct settings *s) __attribute__((nonnull));

/* How the rows of a column become one value. */
enum metric_how {
    METRIC_MEAN, /* over the rows, empty ones left out, as in all of these */
    METRIC_MEDIAN,
    METRIC_STD, /* of a sample: n - 1 */
    METRIC_SUM,
    METRIC_MIN,
    METRIC_MAX,
    METRIC_COUNT, /* of the rows */
    METRIC_TEXT,  /* of the first row, unchanged */
    METRIC_HOW_COUNT
};
/* -1 for an unknown word. */
int metric_how_parse(const char *word, enum metric_how *out) __attribute__((nonnull));

/* "62G" in MiB (without a unit: MiB, as sbatch reads it); -1 for anything else. */
int64_t settings_mib(const char *mem) __attribute__((nonnull));
/* Keep a stored document of settings, in Trawl's words (settings_words.h): one that has a name, and
 * an `_id` that assignments can refer to. ctx: struct docs. INVALID for another one: which settings
 * apply to what would not be known. */
db_doc_fn settings_add;
#endif
