/*
 * settings.c - a document of settings, decoded and checked. A document of settings becomes struct
 * settings in settings_decode: texts with their lengths, resources with their ranges, the files
 * with their hashes, the column map. It is as strict as a task's decoder, because the document
 * comes from a database that others write, too.
 *
 * settings_check_new is stricter: it says what a new version may look like (names, known types,
 * reserved metrics), which versions made before may not fulfil.
 */
#include "common/quant/settings.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/own.h"
#include "common/base/path.h"
#include "common/base/shell.h"
#include "common/db/named.h"
#include "common/quant/metrics_words.h"
#include "common/quant/settings_words.h"

#define FILE_NAME_MAX 128
#define WORD_MAX      200

static int bad(const char *what, const char *value, struct err *err)
{
    return ERR(err, ERR_INVALID, 0, "%s cannot be \"%.100s\"", what, value);
}

/* --- numbers --- */

int64_t settings_mib(const char *mem)
{
    static const char units[] = "KMGT";
    size_t digits = strspn(mem, "0123456789");
    const char *unit = mem + digits;
    if (digits == 0 || digits > 9 || (unit[0] != '\0' && unit[1] != '\0')) {
        return -1;
    }
    int64_t n = strtoll(mem, NULL, 10);
    const char *found =
        unit[0] != '\0' ? strchr(units, toupper((unsigned char)unit[0])) : units + 1;
    if (found == NULL || n == 0) {
        return -1;
    }
    if (found == units) {
        return n < 1024 ? 1 : n / 1024;
    }
    for (; found > units + 1; found--) {
        n *= 1024;
    }
    return n;
}

static const char *const how_words[] = {
    [METRIC_MEAN] = "mean",   [METRIC_MEDIAN] = "median", [METRIC_STD] = "std",
    [METRIC_SUM] = "sum",     [METRIC_MIN] = "min",       [METRIC_MAX] = "max",
    [METRIC_COUNT] = "count", [METRIC_TEXT] = "text",
};
_Static_assert(sizeof how_words / sizeof *how_words == METRIC_HOW_COUNT, "a word for each");

int metric_how_parse(const char *word, enum metric_how *out)
{
    for (int i = 0; i < METRIC_HOW_COUNT; i++) {
        if (strcmp(word, how_words[i]) == 0) {
            *out = (enum metric_how)i;
            return 0;
        }
    }
    return -1;
}

/* --- reading --- */

/* A copy of the text in field, at most max bytes; "" when there is none. */
static int take_text(const bson_t *doc, const char *field, size_t max, char **out, struct err *err)
{
    const char *text = doc_str(doc, field, "");
    if (strlen(text) > max) {
        return ERR(err, ERR_INVALID, 0, "%s is longer than %zu bytes", field, max);
    }
    *out = strdup(text);
    return *out != NULL ? 0 : err_no_memory(err);
}

/* The same for a name below a folder, which it must not leave. */
static int take_name(const bson_t *doc, const char *field, char **out, struct err *err)
{
    if (take_text(doc, field, WORD_MAX, out, err) != 0) {
        return -1;
    }
    return (*out)[0] == '\0' || path_is_safe(*out) ? 0 : bad(field, *out, err);
}

static int decode_texts(const bson_t *doc, struct settings *s, struct err *err)
{
    if (take_name(doc, "name", &s->name, err) != 0 ||
        take_text(doc, "software_type", 32, &s->software_type, err) != 0 ||
        take_name(doc, "software", &s->software, err) != 0 ||
        take_text(doc, "metrics_type", 32, &s->metrics_type, err) != 0 ||
        take_text(doc, "job_engine", 32, &s->engine, err) != 0 ||
        take_text(doc, "config_params", SETTINGS_PARAMS_MAX, &s->config_params, err) != 0 ||
        take_name(doc, "config_file_name", &s->config_file, err) != 0 ||
        take_name(doc, "speclib_file_name", &s->speclib_file, err) != 0 ||
        take_name(doc, "fasta_file_name", &s->fasta_file, err) != 0 ||
        take_name(doc, "set", &s->set, err) != 0) {
        return -1;
    }
    if (s->name[0] == '\0' || s->software_type[0] == '\0') {
        return ERR(err, ERR_INVALID, 0, "the settings have no %s",
                   s->name[0] == '\0' ? "name" : "software_type");
    }
    return 0;
}

static int decode_resources(const bson_t *doc, struct settings *s, struct err *err)
{
    s->cpus = doc_i64(doc, "slurm_cpus_per_task", 1);
    s->threads = doc_i64(doc, "num_threads", s->cpus);
    s->version = doc_i64(doc, "version", 1);
    if (s->cpus < 1 || s->cpus > SETTINGS_CPUS_MAX || s->threads < 1 ||
        s->threads > SETTINGS_CPUS_MAX) {
        return ERR(err, ERR_INVALID, 0, "slurm_cpus_per_task and num_threads must be 1 to %d",
                   SETTINGS_CPUS_MAX);
    }
    if (take_text(doc, "slurm_mem", 16, &s->mem, err) != 0 ||
        take_text(doc, "slurm_time", 16, &s->time, err) != 0) {
        return -1;
    }
    s->mem_mib = s->mem[0] != '\0' ? settings_mib(s->mem) : 0;
    s->time_s = s->time[0] != '\0' ? elapsed_s(s->time) : 0;
    if (s->mem_mib < 0) {
        return bad("slurm_mem", s->mem, err);
    }
    return s->time_s > 0 || s->time[0] == '\0' ? 0 : bad("slurm_time", s->time, err);
}

static bool is_hash(const char *hex)
{
    return strlen(hex) == HASH_XXH_HEX - 1 && hex[strspn(hex, "0123456789abcdef")] == '\0';
}

static int decode_file(const bson_t *doc, struct settings *s, struct err *err)
{
    struct settings_file *f = &s->files[s->n_files++];
    const char *hash = doc_str(doc, "xxh3", "");
    f->size = doc_i64(doc, "size", -1);
    if (take_name(doc, "name", &f->name, err) != 0) {
        return err_context(err, "files");
    }
    if (f->name[0] == '\0' || strchr(f->name, '/') != NULL || f->size < 0 || !is_hash(hash)) {
        return bad("a file of these settings", f->name, err);
    }
    memcpy(f->xxh3, hash, HASH_XXH_HEX);
    return 0;
}

static int decode_column(const bson_t *doc, struct settings *s, struct err *err)
{
    struct settings_column *c = &s->columns[s->n_columns++];
    enum metric_how how;
    if (take_name(doc, "file", &c->file, err) != 0 ||
        take_text(doc, "column", WORD_MAX, &c->column, err) != 0 ||
        take_text(doc, "metric", WORD_MAX, &c->metric, err) != 0) {
        return err_context(err, "columns");
    }
    snprintf(c->how, sizeof c->how, "%s", doc_str(doc, "how", "mean"));
    if (c->file[0] == '\0' || c->column[0] == '\0' || c->metric[0] == '\0') {
        return ERR(err, ERR_INVALID, 0, "a column map needs file, column and metric in each line");
    }
    return metric_how_parse(c->how, &how) == 0 ? 0 : bad("how a column is read", c->how, err);
}

/* Each document of an array, at most max; room is allocated before the first call. */
static int each(const bson_t *doc, const char *field, size_t max,
                int (*take)(const bson_t *, struct settings *, struct err *), struct settings *s,
                struct err *err)
{
    bson_t list;
    bson_iter_t at;
    if (!doc_sub(doc, field, &list) || !bson_iter_init(&at, &list)) {
        return 0;
    }
    if (bson_count_keys(&list) > max) {
        return ERR(err, ERR_INVALID, 0, "more than %zu %s", max, field);
    }
    while (bson_iter_next(&at)) {
        bson_t one;
        if (!doc_sub(&list, bson_iter_key(&at), &one)) {
            return bad(field, "something else than documents", err);
        }
        if (take(&one, s, err) != 0) {
            return -1;
        }
    }
    return 0;
}

static void ignore_word(void *ctx, const char *word)
{
    (void)ctx;
    (void)word;
}

int settings_decode(const bson_t *doc, struct settings *out, struct err *err)
{
    *out = (struct settings){0};
    out->files = calloc(SETTINGS_FILES_MAX, sizeof *out->files);
    out->columns = calloc(SETTINGS_COLUMNS_MAX, sizeof *out->columns);
    if (out->files == NULL || out->columns == NULL) {
        return err_no_memory(err);
    }
    if (decode_texts(doc, out, err) != 0 || decode_resources(doc, out, err) != 0 ||
        each(doc, "files", SETTINGS_FILES_MAX, decode_file, out, err) != 0 ||
        each(doc, "columns", SETTINGS_COLUMNS_MAX, decode_column, out, err) != 0) {
        return -1;
    }
    if (out->n_files > 0 && out->set[0] == '\0') {
        return ERR(err, ERR_INVALID, 0, "settings with files and without their folder (set)");
    }
    if (shell_words(out->config_params, ignore_word, NULL, err) != 0) {
        return err_context(err, "config_params");
    }
    return 0;
}

void settings_fini(struct settings *s)
{
    char *const texts[] = {s->name,       s->software_type, s->software,    s->metrics_type,
                           s->engine,     s->config_params, s->config_file, s->speclib_file,
                           s->fasta_file, s->mem,           s->time,        s->set};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        free(texts[i]);
    }
    for (size_t i = 0; i < s->n_files; i++) {
        free(s->files[i].name);
    }
    for (size_t i = 0; i < s->n_columns; i++) {
        free(s->columns[i].file);
        free(s->columns[i].column);
        free(s->columns[i].metric);
    }
    free(s->files);
    free(s->columns);
    *s = (struct settings){0};
}

/* --- a new version --- */

static bool is_one_of(const char *word, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (strcmp(word, *words) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_plain(const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (!isalnum((unsigned char)*c) && *c != '_') {
            return false;
        }
    }
    return *text != '\0';
}

static int check_columns(const struct settings *s, struct err *err)
{
    bool custom = strcmp(settings_metrics_type(s), "custom") == 0;
    if (!custom && s->n_columns > 0) {
        return ERR(err, ERR_INVALID, 0, "a column map (--columns) goes with --metrics custom only");
    }
    for (size_t i = 0; i < s->n_columns; i++) {
        const char *metric = s->columns[i].metric;
        for (const char *f = s->columns[i].file; *f != '\0'; f++) {
            if (iscntrl((unsigned char)*f)) {
                return ERR(err, ERR_INVALID, 0, "a result file's name has a control character");
            }
        }
        if (!metrics_name_is_free(metric) || metric[0] == '$' || strchr(metric, '.') != NULL) {
            return ERR(err, ERR_INVALID, 0, "a metric cannot be called \"%.80s\"", metric);
        }
        for (size_t k = 0; k < i; k++) {
            if (strcmp(metric, s->columns[k].metric) == 0) {
                return ERR(err, ERR_INVALID, 0, "two columns give the metric %.80s", metric);
            }
        }
    }
    return 0;
}

/* Metrics of another type than the software's are for software that we do not know. */
static int check_types(const struct settings *s, struct err *err)
{
    static const char *const types[] = {"alphadia", "diann", "msqc", "skyline", "custom", NULL};
    static const char *const engines[] = {"", "slurm", "local", "file", NULL};
    if (!is_one_of(s->software_type, types)) {
        return ERR(err, ERR_INVALID, 0,
                   "--type is alphadia, diann, msqc, skyline or custom, not %s", s->software_type);
    }
    if (s->metrics_type[0] != '\0' && !is_one_of(s->metrics_type, types)) {
        return ERR(err, ERR_INVALID, 0,
                   "--metrics is alphadia, diann, msqc, skyline or custom, not %s",
                   s->metrics_type);
    }
    if (s->metrics_type[0] != '\0' && strcmp(s->software_type, "custom") != 0 &&
        strcmp(s->metrics_type, s->software_type) != 0) {
        return ERR(err, ERR_INVALID, 0,
                   "the metrics of %s are %s's own: --metrics goes with --type custom only",
                   s->software_type, s->software_type);
    }
    if (!is_one_of(s->engine, engines)) {
        return ERR(err, ERR_INVALID, 0, "--engine is slurm, local or file, not %s", s->engine);
    }
    return 0;
}

int settings_check_new(const struct settings *s, struct err *err)
{
    if (!is_plain(s->name) || strlen(s->name) > SETTINGS_NAME_MAX) {
        return ERR(err, ERR_INVALID, 0, "a name of settings is 1 to %d of a-z A-Z 0-9 _, not '%s'",
                   SETTINGS_NAME_MAX, s->name);
    }
    if (check_types(s, err) != 0 || check_columns(s, err) != 0) {
        return -1;
    }
    if (strcmp(s->software_type, "alphadia") == 0 && s->fasta_file[0] == '\0' &&
        s->speclib_file[0] == '\0') {
        return ERR(err, ERR_INVALID, 0, "alphadia needs --fasta or --speclib");
    }
    if (strcmp(s->software_type, "msqc") != 0 && s->software[0] == '\0') {
        return ERR(err, ERR_INVALID, 0,
                   "--software is missing: for alphadia its conda environment, otherwise the "
                   "program below the software location");
    }
    for (size_t i = 0; i < s->n_files; i++) {
        if (strlen(s->files[i].name) > FILE_NAME_MAX) {
            return ERR(err, ERR_INVALID, 0, "the file name %.60s… is longer than %d bytes",
                       s->files[i].name, FILE_NAME_MAX);
        }
    }
    return 0;
}

const char *settings_id(const bson_t *doc, char buf[static SETTINGS_ID_MAX])
{
    snprintf(buf, SETTINGS_ID_MAX, "%s-v%lld", doc_str(doc, "name", ""),
             (long long)doc_i64(doc, "version", 1));
    return buf;
}

const char *settings_type(const bson_t *doc)
{
    const char *type = doc_str(doc, "software_type", "");
    return *type != '\0' ? type : "alphadia";
}

const char *settings_metrics_type(const struct settings *s)
{
    return s->metrics_type[0] != '\0' ? s->metrics_type : s->software_type;
}

int settings_add(void *docs, const bson_t *doc, struct err *err)
{
    char name[NAMED_ROOM];
    if (named_name(doc, name)[0] == '\0') {
        return ERR(err, ERR_INVALID, 0,
                   "the settings '%.60s' have an _id that is neither a text nor an ObjectId: no "
                   "assignment can refer to them; insert them again with an ObjectId",
                   doc_str(doc, "name", ""));
    }
    if (doc_str(doc, "name", "")[0] == '\0') {
        return ERR(err, ERR_INVALID, 0,
                   "the settings with the _id %.60s have no name: delete them, or give them one",
                   named_name(doc, name));
    }
    AUTO(bson_destroy) bson_t *ours = settings_from_stored(doc);
    return docs_add(docs, ours, err);
}
