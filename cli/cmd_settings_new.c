/*
 * cmd_settings_new.c - trawl settings new: makes a version. Options that are not given are taken
 * from the newest version of the name; its files go into a folder named by their content.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "common/base/clock.h"
#include "common/base/fs.h"
#include "common/base/human.h"
#include "common/base/path.h"
#include "common/base/shell.h"
#include "common/db/named.h"
#include "common/quant/settings.h"
#include "common/quant/settings_files.h"
#include "common/quant/settings_words.h"
#include "ops/act.h"
#include "ops/settings.h"

#define COLUMNS_BYTES_MAX (256u * 1024)
#define RACES_MAX         20

/* A text option and its field; the default applies to the first version. */
static const struct {
    const char *option, *field, *first;
} texts[] = {
    {"description", "description", ""}, {"type", "software_type", ""},
    {"software", "software", ""},       {"params", "config_params", ""},
    {"engine", "job_engine", ""},       {"metrics", "metrics_type", ""},
    {"mem", "slurm_mem", ""},           {"time", "slurm_time", ""},
};
static const struct {
    const char *option, *field;
} files[] = {{"fasta", "fasta_file_name"},
             {"speclib", "speclib_file_name"},
             {"config-file", "config_file_name"}};
#define FILES_N (sizeof files / sizeof *files)

/* --- the column map --- */

struct map_line {
    const char *words[5];
    size_t n;
    char room[1024];
    size_t used;
};

static void add_word(void *ctx, const char *word)
{
    struct map_line *l = ctx;
    size_t len = strlen(word) + 1;
    if (l->n < sizeof l->words / sizeof *l->words && l->used + len <= sizeof l->room) {
        memcpy(l->room + l->used, word, len);
        l->words[l->n] = l->room + l->used;
        l->used += len;
    }
    l->n++;
}

static int add_column(bson_t *list, const char *text, int number, struct err *err)
{
    struct map_line l = {0};
    bson_t one;
    char key[16];
    if (!bson_utf8_validate(text, strlen(text), false)) {
        return ERR(err, ERR_INVALID, 0, "line %d is no UTF-8", number);
    }
    if (shell_words(text, add_word, &l, err) != 0) {
        return err_context(err, "line %d", number);
    }
    if (l.n == 0 || l.words[0][0] == '#') {
        return 0;
    }
    if (l.n < 3 || l.n > 4) {
        return ERR(err, ERR_INVALID, 0, "line %d is not: file column metric [how]", number);
    }
    snprintf(key, sizeof key, "%u", bson_count_keys(list));
    BSON_APPEND_DOCUMENT_BEGIN(list, key, &one);
    BSON_APPEND_UTF8(&one, "file", l.words[0]);
    BSON_APPEND_UTF8(&one, "column", l.words[1]);
    BSON_APPEND_UTF8(&one, "metric", l.words[2]);
    BSON_APPEND_UTF8(&one, "how", l.n == 4 ? l.words[3] : "mean");
    bson_append_document_end(list, &one);
    return 0;
}

static int read_columns(const char *path, bson_t *list, struct err *err)
{
    AUTO(free) char *text = fs_read(path, COLUMNS_BYTES_MAX, NULL, err);
    if (text == NULL) {
        return -1;
    }
    int number = 0;
    for (char *at = text; at != NULL;) {
        char *line = at;
        at = strchr(at, '\n');
        if (at != NULL) {
            *at++ = '\0';
        }
        if (add_column(list, line, ++number, err) != 0) {
            return err_context(err, "--columns %s", path);
        }
    }
    return 0;
}

/* --- the document --- */

static int append_numbers(const struct args *a, const bson_t *last, bson_t *doc, struct err *err)
{
    int64_t cpus = 0, threads = 0;
    const struct args_number of_cpus = {"cpus", 1, SETTINGS_CPUS_MAX,
                                        doc_i64(last, "slurm_cpus_per_task", 1)};
    if (args_i64(a, &of_cpus, &cpus, err) != 0) {
        return -1;
    }
    bool more = args_get(a, "cpus") != NULL;
    const struct args_number of_threads = {"threads", 1, SETTINGS_CPUS_MAX,
                                           more ? cpus : doc_i64(last, "num_threads", cpus)};
    if (args_i64(a, &of_threads, &threads, err) != 0) {
        return -1;
    }
    BSON_APPEND_INT64(doc, "slurm_cpus_per_task", cpus);
    BSON_APPEND_INT64(doc, "num_threads", threads);
    return 0;
}

static int append_texts(const struct args *a, const bson_t *last, bson_t *doc, struct err *err)
{
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *value = args_get(a, texts[i].option);
        value = value != NULL ? value : doc_str(last, texts[i].field, texts[i].first);
        if (!bson_utf8_validate(value, strlen(value), false)) {
            return ERR(err, ERR_INVALID, 0, "--%s is no UTF-8", texts[i].option);
        }
        BSON_APPEND_UTF8(doc, texts[i].field, value);
    }
    return append_numbers(a, last, doc, err);
}

static int append_columns(const struct args *a, const bson_t *last, bson_t *doc, struct err *err)
{
    const char *path = args_get(a, "columns");
    bson_t list = BSON_INITIALIZER, before;
    int rc = 0;
    if (path != NULL) {
        rc = read_columns(path, &list, err);
        BSON_APPEND_ARRAY(doc, "columns", &list);
    } else if (doc_sub(last, "columns", &before)) {
        BSON_APPEND_ARRAY(doc, "columns", &before);
    }
    bson_destroy(&list);
    return rc;
}

/* The files of the new version: those given, and the others from the last version. */
struct sources {
    char *paths[FILES_N];
    const char *list[FILES_N];
    size_t n;
};

static void auto_sources_fini(struct sources *s)
{
    for (size_t i = 0; i < FILES_N; i++) {
        free(s->paths[i]);
    }
}

static int find_sources(struct cli *c, const struct args *a, const bson_t *last, bson_t *doc,
                        struct sources *out, struct err *err)
{
    const char *root = c->ops.cfg->location.settings.worker;
    for (size_t i = 0; i < FILES_N; i++) {
        const char *given = args_get(a, files[i].option);
        const char *name = given != NULL ? path_base(given) : doc_str(last, files[i].field, "");
        const char *set = doc_str(last, "set", "");
        if (*name == '\0') {
            continue;
        }
        if (!bson_utf8_validate(name, strlen(name), false) || !path_is_safe(name)) {
            return ERR(err, ERR_INVALID, 0, "--%s: a file of that name cannot be kept",
                       files[i].option);
        }
        BSON_APPEND_UTF8(doc, files[i].field, name);
        if (given == NULL && *set == '\0') { /* files that people maintain, in a folder by name */
            set = doc_str(last, "name", "");
        }
        int n = given != NULL ? asprintf(&out->paths[i], "%s", given)
                              : asprintf(&out->paths[i], "%s/%s/%s", root, set, name);
        if (n < 0) {
            out->paths[i] = NULL;
            return err_no_memory(err);
        }
        out->list[out->n++] = out->paths[i];
    }
    if (out->n > 0 && root[0] == '\0') {
        return ERR(
            err, ERR_INVALID, 0,
            "settings with files need [location.settings] worker, the folder that keeps them");
    }
    return 0;
}

static void append_stored(bson_t *doc, const struct settings_stored *s)
{
    bson_t list, one;
    BSON_APPEND_UTF8(doc, "set", s->set);
    BSON_APPEND_ARRAY_BEGIN(doc, "files", &list);
    for (size_t i = 0; i < s->n; i++) {
        char key[16];
        snprintf(key, sizeof key, "%zu", i);
        BSON_APPEND_DOCUMENT_BEGIN(&list, key, &one);
        BSON_APPEND_UTF8(&one, "name", s->files[i].name);
        BSON_APPEND_INT64(&one, "size", s->files[i].size);
        BSON_APPEND_UTF8(&one, "xxh3", s->files[i].xxh3);
        bson_append_document_end(&list, &one);
    }
    bson_append_array_end(doc, &list);
}

static int check_settings(const bson_t *doc, const char *name, struct err *err)
{
    AUTO(settings_fini) struct settings s = {0};
    AUTO(bson_destroy) bson_t *whole = bson_copy(doc);
    BSON_APPEND_UTF8(whole, "name", name);
    return settings_decode(whole, &s, err) != 0 ? -1 : settings_check_new(&s, err);
}

/* All fields but name and version. Everything is checked before the first byte is copied. */
static int make_doc(struct cli *c, const struct args *a, const bson_t *last, bson_t *doc,
                    struct err *err)
{
    AUTO(sources_fini) struct sources from = {0};
    struct settings_stored stored = {0};
    if (append_texts(a, last, doc, err) != 0 || append_columns(a, last, doc, err) != 0 ||
        find_sources(c, a, last, doc, &from, err) != 0 ||
        check_settings(doc, a->words[0], err) != 0) {
        return -1;
    }
    if (from.n > 0) {
        if (settings_files_store(c->ops.cfg->location.settings.worker, from.list, from.n, &stored,
                                 err) != 0) {
            settings_stored_fini(&stored);
            return -1;
        }
        append_stored(doc, &stored);
        settings_stored_fini(&stored);
    }
    BSON_APPEND_UTF8(doc, "status", "active");
    BSON_APPEND_UTF8(doc, "created_by", c->ops.by);
    BSON_APPEND_DATE_TIME(doc, "created_at_", wall_ms());
    return check_settings(doc, a->words[0], err);
}

/* As AlphaKraken gives its settings numbers. */
static int next_number(struct cli *c, int64_t *out, struct err *err)
{
    bson_t all = BSON_INITIALIZER;
    int rc = db_count(c->ops.db, DB_SETTINGS, &all, out, err);
    *out += 1;
    return rc;
}

/* Insert under the next free version; after losing a race for one, try the next. */
static int insert_version(struct cli *c, const struct args *a, int64_t version,
                          const bson_t *fields, bson_t **made, struct err *err)
{
    const char *name = a->words[0];
    int64_t number;
    if (next_number(c, &number, err) != 0) {
        return -1;
    }
    for (int i = 0; i < RACES_MAX; i++, version++) {
        char id[SETTINGS_ID_MAX];
        bool won = false;
        snprintf(id, sizeof id, "%s-v%" PRId64, name, version);
        AUTO(bson_destroy) bson_t *doc = named_new(id);
        BCON_APPEND(doc, "name", BCON_UTF8(name), "version", BCON_INT64(version), "number",
                    BCON_INT64(number + i));
        settings_append_stored(doc, fields);
        const struct act act = {&c->ops, "settings new", id, NULL};
        if (act_insert(&act, DB_SETTINGS, doc, &won, err) != 0) {
            return -1;
        }
        if (won) {
            *made = settings_from_stored(doc);
            return 0;
        }
    }
    return ERR(err, ERR_TRANSIENT, 0, "too many others are making versions of %s: try again", name);
}

static enum cli_exit cmd_settings_new(struct cli *c, const struct args *a, struct err *err)
{
    const char *name = a->words[0];
    char said[SETTINGS_ID_MAX + 16], id[SETTINGS_ID_MAX];
    AUTO(bson_destroy) bson_t *doc = bson_new();
    AUTO(bson_destroy) bson_t *made = NULL;
    bson_t none = BSON_INITIALIZER;
    if (!bson_utf8_validate(name, strlen(name), false)) {
        return cli_fail(err, CLI_USAGE, "the name is no UTF-8");
    }
    AUTO(docs_free) struct docs *versions = settings_versions(&c->ops, name, err);
    if (versions == NULL) {
        return cli_exit_of(err);
    }
    const bson_t *last = versions->n > 0 && *name != '\0' ? versions->items[0] : &none;
    if (make_doc(c, a, last, doc, err) != 0 ||
        insert_version(c, a, doc_i64(last, "version", 0) + 1, doc, &made, err) != 0) {
        return cli_exit_of(err);
    }
    snprintf(said, sizeof said, "made %s", settings_id(made, id));
    return cli_done(c, said, made, err);
}

static const struct cli_option settings_new_options[] = {
    {"type", "TYPE", "software type: alphadia, diann, msqc, skyline, custom"},
    {"software", "NAME", "program below the software location; alphadia: its conda environment"},
    {"params", "TEXT", "parameters of the command line, quoted as for a shell"},
    {"fasta", "FILE", "keep this file with the version"},
    {"speclib", "FILE", "keep this file with the version"},
    {"config-file", "FILE", "keep this file with the version"},
    {"cpus", "N", "CPUs of the job"},
    {"threads", "N", "NUM_THREADS of the software (as --cpus)"},
    {"mem", "SIZE", "memory of the job, such as 62G"},
    {"time", "TIME", "longest run: HH:MM:SS or D-HH:MM:SS"},
    {"metrics", "TYPE", "with --type custom: the type whose result files it writes, or custom"},
    {"columns", "FILE", "with --metrics custom: lines 'file column metric [how]'"},
    {"engine", "ENGINE", "slurm, local or file (default [quant] engine)"},
    {"description", "TEXT", "for people"},
    {"why", "TEXT", "the reason, kept in trawl log"},
    {0},
};

const struct command command_settings_new = {
    .name = "settings new",
    .args = "<name>",
    .brief = "make a version; options not given are taken from the newest one",
    .help =
        "A version never changes. Its files are copied to [location.settings], into a folder named "
        "by\n"
        "their content, and a job runs only while they are unchanged. Placeholders in --params:\n"
        "RAW_FILE_PATH RELATIVE_RAW_FILE_PATH RAW_FILE_ID SETTINGS_PATH OUTPUT_PATH\n"
        "RELATIVE_OUTPUT_PATH NUM_THREADS PROJECT_ID; each stays one word, whatever it contains.\n"
        "A line of --columns names a result file (.csv: commas, else tabs), a column, the metric "
        "and how\n"
        "its rows become one value: mean (default), median, std, sum, min, max, text (of the first "
        "row).",
    .options = settings_new_options,
    .min_words = 1,
    .max_words = 1,
    .need = NEED_DB,
    .run = cmd_settings_new};
