/*
 * errors.c - from a failed job to a short code. A state that says why itself (TIMEOUT,
 * OUT_OF_MEMORY) is the code. Else the software's own events.jsonl is asked, then the end of the
 * log from its newest line back: each line is held against the site's table and then against ours,
 * which is built into the program. A table's line has three words: the software type or *, the
 * code, and the text to look for.
 */
#include "workers/quant/errors.h"

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/fs.h"
#include "common/base/log.h"
#include "common/base/path.h"
#include "common/base/shell.h"
#include "workers/quant/embedded.h"

#define TABLE_MAX  (256u * 1024)
#define EVENTS_MAX (8u * 1024 * 1024)
#define ENTRY_MAX  1024 /* of a table */

AUTO_DEFINE(json_t, json_decref);

static bool is_code(const char *text)
{
    size_t len = strlen(text);
    for (const char *c = text; *c != '\0'; c++) {
        if (!isalnum((unsigned char)*c) && *c != '_' && *c != '-') {
            return false;
        }
    }
    return len > 0 && len < ERRORS_CODE_MAX;
}

/* --- tables --- */

struct entry {
    char words[3][ENTRY_MAX];
    size_t n;
};

static void take_word(void *ctx, const char *word)
{
    struct entry *e = ctx;
    if (e->n < 3) {
        snprintf(e->words[e->n], sizeof e->words[e->n], "%s", word);
    }
    e->n++;
}

static bool fits(const struct entry *e, const char *type, const char *line)
{
    return e->n == 3 && (strcmp(e->words[0], "*") == 0 || strcmp(e->words[0], type) == 0) &&
           is_code(e->words[1]) && e->words[2][0] != '\0' && strstr(line, e->words[2]) != NULL;
}

bool errors_of_line(const char *table, const char *type, const char *line,
                    char code[ERRORS_CODE_MAX])
{
    for (const char *at = table; *at != '\0';) {
        char text[ENTRY_MAX];
        struct err ignored = {0};
        struct entry e = {.n = 0};
        size_t len = strcspn(at, "\n");
        snprintf(text, sizeof text, "%.*s", (int)(len < sizeof text ? len : sizeof text - 1), at);
        at += len + (at[len] == '\n' ? 1 : 0);
        if (text[0] == '#' || shell_words(text, take_word, &e, &ignored) != 0) {
            continue;
        }
        if (fits(&e, type, line)) {
            snprintf(code, ERRORS_CODE_MAX, "%.*s", ERRORS_CODE_MAX - 1, e.words[1]);
            return true;
        }
    }
    return false;
}

static char *site_table(const struct config *cfg)
{
    static struct log_gate gate;
    uint64_t missed = 0;
    struct err err = {0};
    if (cfg->quant.error_codes[0] == '\0') {
        return NULL;
    }
    char *table = fs_read(cfg->quant.error_codes, TABLE_MAX, NULL, &err);
    if (table == NULL && log_gate_open(&gate, &missed)) {
        err_context(&err, "[quant] error_codes");
        log_err("error_codes", &err);
    }
    return table;
}

/* From the newest line back. */
static bool of_log(const struct quant_job *job, const char *tail, char code[ERRORS_CODE_MAX])
{
    AUTO(free) char *site = site_table(job->base.cfg);
    AUTO(free) char *own = strndup((const char *)embedded_error_codes, embedded_error_codes_len);
    AUTO(free) char *text = strdup(tail);
    const char *type = job->settings.software_type;
    while (text != NULL && own != NULL && text[0] != '\0') {
        char *end = strrchr(text, '\n');
        const char *line = end != NULL ? end + 1 : text;
        if ((site != NULL && errors_of_line(site, type, line, code)) ||
            errors_of_line(own, type, line, code)) {
            return true;
        }
        *(end != NULL ? end : text) = '\0';
    }
    return false;
}

/* --- what the software noted itself --- */

bool errors_of_events(const char *text, char code[ERRORS_CODE_MAX])
{
    bool found = false;
    for (const char *at = text; *at != '\0';) {
        size_t len = strcspn(at, "\n");
        AUTO(json_decref) json_t *event = json_loadb(at, len, JSON_REJECT_DUPLICATES, NULL);
        const char *name = json_string_value(json_object_get(event, "name"));
        const char *value = json_string_value(json_object_get(event, "error_code"));
        if (name != NULL && value != NULL && strcmp(name, "exception") == 0 && is_code(value)) {
            snprintf(code, ERRORS_CODE_MAX, "%.*s", ERRORS_CODE_MAX - 1, value);
            found = true;
        }
        at += len + (at[len] == '\n' ? 1 : 0);
    }
    return found;
}

static bool of_events_file(const struct quant_job *job, char code[ERRORS_CODE_MAX])
{
    struct err ignored = {0};
    AUTO(free) char *path = NULL;
    const char *base = path_base(job->raw);
    const char *dot = strrchr(base, '.');
    int stem = (int)(dot != NULL && dot != base ? (size_t)(dot - base) : strlen(base));
    if (asprintf(&path, "%s/quant/%.*s/events.jsonl", job->worker_output, stem, base) < 0) {
        path = NULL;
        return false;
    }
    AUTO(free) char *text = fs_read(path, EVENTS_MAX, NULL, &ignored);
    return text != NULL && errors_of_events(text, code);
}

void errors_classify(const struct quant_job *job, const char *tail, char code[ERRORS_CODE_MAX])
{
    const char *state = job->outcome.state;
    if (strcmp(state, "FAILED") != 0 && strcmp(state, "COMPLETED") != 0) {
        snprintf(code, ERRORS_CODE_MAX, "%.31s", state);
        return;
    }
    if (of_events_file(job, code) || of_log(job, tail, code)) {
        return;
    }
    snprintf(code, ERRORS_CODE_MAX, "%s", tail[0] != '\0' ? ERRORS_UNKNOWN : ERRORS_NO_LOG);
}
