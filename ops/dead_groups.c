/*
 * dead_groups.c - groups dead letters by their pattern: the first line of the message with <file>,
 * <path>, <id> and # for what differs from task to task.
 *
 * dead_pattern walks through the message word by word. The group's id is a hash of kind, class,
 * step and pattern; groups are found by id and sorted by their newest error.
 */
#include "ops/dead_groups.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define HASH_MIN   8 /* letters and digits from which a word of hexadecimal digits is a hash */
#define PATH_ENDS  " \t'\"`,;:)]}>"
#define WORD_CHARS "_-"

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || (c != '\0' && strchr(WORD_CHARS, c) != NULL);
}

static size_t word_len(const char *s)
{
    size_t n = 0;
    while (is_word(s[n])) {
        n++;
    }
    return n;
}

static bool is_hash(const char *word, size_t len)
{
    bool digit = false;
    for (size_t i = 0; i < len; i++) {
        if (!isxdigit((unsigned char)word[i]) && word[i] != '-') {
            return false;
        }
        digit = digit || isdigit((unsigned char)word[i]);
    }
    return digit && len >= HASH_MIN && strspn(word, "0123456789") < len;
}

/* Write the word with # for each run of digits. */
static void put_word(FILE *out, const char *word, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bool digit = isdigit((unsigned char)word[i]);
        if (digit && i > 0 && isdigit((unsigned char)word[i - 1])) {
            continue;
        }
        fputc(digit ? '#' : word[i], out);
    }
}

/* Write the pattern for the text at s (before: the character in front of it); returns how many
 * bytes of s it covers. */
static size_t put_next(FILE *out, const char *s, char before, const char *raw_file)
{
    size_t name = strlen(raw_file), word = word_len(s);
    if (name > 0 && strncmp(s, raw_file, name) == 0) {
        fputs("<file>", out);
        return name;
    }
    if (*s == '/' && !is_word(before)) {
        fputs("<path>", out);
        return strcspn(s, PATH_ENDS);
    }
    if (word == 0) {
        fputc(*s, out);
        return 1;
    }
    if (is_hash(s, word)) {
        fputs("<id>", out);
    } else {
        put_word(out, s, word);
    }
    return word;
}

char *dead_pattern(const char *message, const char *raw_file)
{
    char *text = NULL;
    size_t size;
    size_t len = strcspn(message, "\n");
    AUTO(free) char *line = strndup(message, len);
    FILE *out = line != NULL ? open_memstream(&text, &size) : NULL;
    if (out == NULL) {
        return NULL;
    }
    for (const char *s = line; *s != '\0';) {
        s += put_next(out, s, s == line ? ' ' : s[-1], raw_file);
    }
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

static char *pattern_of(const bson_t *task)
{
    return dead_pattern(doc_str(task, "error.msg", ""), doc_str(task, "raw_file", ""));
}

static int make_id(const bson_t *task, const char *pattern, char id[static DEAD_ID_MAX],
                   struct err *err)
{
    AUTO(free) char *key = NULL;
    int len = pattern == NULL ? -1
                              : asprintf(&key, "%s\n%s\n%s\n%s", doc_str(task, "kind", ""),
                                         doc_str(task, "error.kind", ""),
                                         doc_str(task, "error.step", ""), pattern);
    if (len < 0) {
        key = NULL;
        return err_no_memory(err);
    }
    snprintf(id, DEAD_ID_MAX, "%08x", (unsigned)(XXH3_64bits(key, (size_t)len) & 0xffffffffU));
    return 0;
}

int dead_group_id(const bson_t *task, char id[static DEAD_ID_MAX], struct err *err)
{
    AUTO(free) char *pattern = pattern_of(task);
    return make_id(task, pattern, id, err);
}

static struct dead_group *find_group(const struct dead_groups *g, const char *id)
{
    for (size_t i = 0; i < g->n; i++) {
        if (strcmp(g->at[i].id, id) == 0) {
            return &g->at[i];
        }
    }
    return NULL;
}

static struct dead_group *add_group(struct dead_groups *g, const char *id, struct err *err)
{
    struct dead_group *more = reallocarray(g->at, g->n + 1, sizeof *more);
    if (more == NULL) {
        (void)err_no_memory(err);
        return NULL;
    }
    g->at = more;
    struct dead_group *one = &more[g->n++];
    *one = (struct dead_group){.first_ms = INT64_MAX};
    snprintf(one->id, sizeof one->id, "%s", id);
    return one;
}

static int by_last(const void *a, const void *b)
{
    const struct dead_group *x = a, *y = b;
    return x->last_ms != y->last_ms ? (x->last_ms < y->last_ms ? 1 : -1) : strcmp(x->id, y->id);
}

int dead_groups_make(const struct docs *tasks, struct dead_groups *out, struct err *err)
{
    *out = (struct dead_groups){0};
    for (size_t i = 0; i < tasks->n; i++) {
        char id[DEAD_ID_MAX];
        const bson_t *task = tasks->items[i];
        AUTO(free) char *pattern = pattern_of(task);
        if (make_id(task, pattern, id, err) != 0) {
            return -1;
        }
        struct dead_group *group = find_group(out, id);
        if (group == NULL && (group = add_group(out, id, err)) == NULL) {
            return -1;
        }
        if (group->first == NULL) {
            group->first = task;
            group->pattern = TAKE(pattern);
        }
        int64_t at = doc_i64(task, "error.at", doc_i64(task, "ended_at", 0));
        group->n++;
        group->first_ms = at < group->first_ms ? at : group->first_ms;
        group->last_ms = at > group->last_ms ? at : group->last_ms;
    }
    if (out->n > 0) {
        qsort(out->at, out->n, sizeof *out->at, by_last);
    }
    return 0;
}

void dead_groups_fini(struct dead_groups *g)
{
    for (size_t i = 0; i < g->n; i++) {
        free(g->at[i].pattern);
    }
    free(g->at);
    *g = (struct dead_groups){0};
}
