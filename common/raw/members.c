/*
 * members.c - which names belong to which raw file. It answers two questions. Is a name a raw file
 * (by the instrument's type: extension, or the glob of a generic one)? And which raw file does a
 * name in a folder of sets belong to? For the second, fit() measures how much of a name a main
 * file's stem covers; is_mains() gives the name to the main file that covers most.
 *
 * members_add collects the names that could be main's while a folder is listed, members_drop_others
 * drops those that fit another main file better. members_read does both for a folder of its own,
 * after it has found out by members_probe whether the folder ignores the case of letters.
 */
#include "common/raw/members.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "common/base/fs.h"
#include "common/base/path.h"
#include "common/base/upcase.h"
#include "common/raw/retire.h"

#define WIFF       ".wiff"
#define TIMESERIES ".timeseries.data"

static const char *const extensions[] = {
    [INSTRUMENT_THERMO] = ".raw",
    [INSTRUMENT_BRUKER] = ".d",
    [INSTRUMENT_SCIEX] = WIFF,
    [INSTRUMENT_GENERIC] = "",
};

/* Names that a move left behind or made. */
static bool is_retired(const char *name)
{
    return strcmp(name, RETIRE_FOLDER) == 0 || path_ends_with(name, RETIRE_DUPLICATE, false);
}

bool members_is_raw_file(const struct instrument *i, const char *name)
{
    if (name[0] == '.' || is_retired(name)) { /* bare extensions, and the names that Trawl makes */
        return false;
    }
    if (i->type == INSTRUMENT_GENERIC) {
        return fnmatch(i->glob, name, FNM_PERIOD) == 0;
    }
    return path_ends_with(name, extensions[i->type], true);
}

size_t members_stem(const struct instrument *i, const char *name)
{
    size_t len = strlen(name);
    if (i->type == INSTRUMENT_GENERIC) {
        const char *dot = strrchr(name, '.');
        return dot != NULL && dot != name ? (size_t)(dot - name) : len;
    }
    return len - strlen(extensions[i->type]);
}

bool members_is_set(const struct instrument *i)
{
    return i->type == INSTRUMENT_SCIEX;
}

/* --- comparing --- */

int members_compare(const struct members_rule *r, const char *a, const char *b)
{
    if (!r->nocase) {
        return strcmp(a, b);
    }
    while (*a != '\0' && *b != '\0') {
        uint32_t x = upcase_next(&a), y = upcase_next(&b);
        if (x != y) {
            return x < y ? -1 : 1;
        }
    }
    return (*a != '\0') - (*b != '\0');
}

/* Compare name with the first len bytes of text; *end: where in name they end. */
static int compare_beginning(const struct members_rule *r, const char *name, const char *text,
                             size_t len, const char **end)
{
    const char *stop = text + len;
    while (text < stop) {
        if (*name == '\0') {
            return -1;
        }
        uint32_t x, y;
        if (r->nocase) {
            x = upcase_next(&name);
            y = upcase_next(&text);
        } else {
            x = (unsigned char)*name++;
            y = (unsigned char)*text++;
        }
        if (x != y) {
            return x < y ? -1 : 1;
        }
    }
    *end = name;
    return 0;
}

int members_place(const struct members_rule *r, const char *main, const char *name)
{
    const char *end = name;
    int order = compare_beginning(r, name, main, members_stem(r->instrument, main), &end);
    if (order != 0 || *end == '.') {
        return order;
    }
    return (unsigned char)*end < '.' ? -1 : 1;
}

/* --- which raw file a name belongs to --- */

size_t members_own_stem(const char *name)
{
    size_t len = strlen(name), wiff = strlen(WIFF), series = strlen(TIMESERIES);
    if (path_ends_with(name, TIMESERIES, true)) {
        return len - series;
    }
    for (size_t at = len; at > 0; at--) {
        const char *end = name + at + wiff - 1;
        bool fits = at - 1 + wiff <= len && strncasecmp(name + at - 1, WIFF, wiff) == 0;
        if (fits && (*end == '\0' || *end == '.' || (*end >= '0' && *end <= '9'))) {
            return at - 1;
        }
    }
    return 0;
}

/* How well main's stem fits a name: 0 not at all, then the longer the better; of two main files
 * with one stem (A.wiff and A.WIFF where case counts) the one whose whole name it begins with. */
static size_t fit(const struct members_rule *r, const char *main, const char *name)
{
    if (strcmp(main, name) == 0) {
        return SIZE_MAX;
    }
    size_t own = members_own_stem(name);
    if (members_is_raw_file(r->instrument, name) || members_place(r, main, name) != 0) {
        return 0;
    }
    const char *end = name;
    size_t stem = members_stem(r->instrument, main);
    if (compare_beginning(r, name, main, stem, &end) != 0 || (own > 0 && end != name + own)) {
        return 0;
    }
    return 2 * (size_t)(end - name) + (strncmp(name, main, strlen(main)) == 0);
}

bool members_fits(const struct members_rule *r, const char *main, const char *name)
{
    return fit(r, main, name) > 0;
}

bool members_needs_main(const struct instrument *i, const char *name)
{
    return members_is_set(i) && name[0] != '.' && !is_retired(name) && members_own_stem(name) > 0 &&
           !members_is_raw_file(i, name);
}

static bool is_mains(const struct members *m, const struct members_rule *r, const char *main,
                     const char *name)
{
    size_t mine = fit(r, main, name);
    for (size_t i = 0; mine > 0 && i < m->n; i++) {
        const char *other = m->names[i];
        if (strcmp(other, main) == 0 || !members_is_raw_file(r->instrument, other)) {
            continue;
        }
        size_t theirs = fit(r, other, name);
        if (theirs > mine || (theirs == mine && strcmp(other, main) < 0)) {
            return false;
        }
    }
    return mine > 0;
}

/* --- sets --- */

void members_fini(struct members *m)
{
    for (size_t i = 0; i < m->n; i++) {
        free(m->names[i]);
    }
    free(m->names);
    *m = (struct members){0};
}

bool members_has(const struct members *m, const char *name)
{
    for (size_t i = 0; i < m->n; i++) {
        if (strcmp(m->names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

int members_add(struct members *m, const struct members_rule *r, const char *main, const char *name,
                struct err *err)
{
    bool set = members_is_set(r->instrument);
    if (strcmp(main, name) != 0 &&
        (!set || members_place(r, main, name) != 0 || is_retired(name))) {
        return 0;
    }
    if (m->n == m->room) {
        size_t room = m->room == 0 ? 8 : 2 * m->room;
        char **more = reallocarray(m->names, room, sizeof *more);
        if (more == NULL) {
            return err_no_memory(err);
        }
        m->names = more;
        m->room = room;
    }
    m->names[m->n] = strdup(name);
    return m->names[m->n] != NULL ? (m->n++, 0) : err_no_memory(err);
}

void members_drop_others(struct members *m, const struct members_rule *r, const char *main)
{
    size_t kept = 0; /* all stay in the array until each has been decided */
    for (size_t i = 0; i < m->n; i++) {
        if (is_mains(m, r, main, m->names[i])) {
            char *name = m->names[i];
            m->names[i] = m->names[kept];
            m->names[kept++] = name;
        }
    }
    while (m->n > kept) {
        free(m->names[--m->n]);
    }
}

/* --- the folder --- */

static int stat_in(const char *folder, const char *name, struct stat *st)
{
    struct err err = {0};
    AUTO(free) char *path = path_join(folder, name, &err);
    return path != NULL ? lstat(path, st) : -1;
}

struct wanted {
    const char *name;
    bool listed;
};

static int find_name(void *ctx, const char *name, struct err *err)
{
    struct wanted *w = ctx;
    (void)err;
    w->listed |= strcmp(w->name, name) == 0;
    return 0;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    bool dated = a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
                 a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
    return a->st_dev == b->st_dev && (a->st_ino == b->st_ino || dated);
}

/* The letters of ASCII in the other case; NULL when there is none, or no memory. */
static char *flip(const char *name)
{
    char *other = strdup(name);
    bool flipped = false;
    for (char *c = other; c != NULL && *c != '\0'; c++) {
        if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z')) {
            *c = (char)(*c ^ 0x20);
            flipped = true;
        }
    }
    if (!flipped) {
        free(other);
        other = NULL;
    }
    return other;
}

void members_probe(const char *folder, const char *name, bool *nocase, bool *known)
{
    AUTO(free) char *other = flip(name);
    struct stat st, st_other;
    if (other == NULL || stat_in(folder, name, &st) != 0) {
        return;
    }
    if (stat_in(folder, other, &st_other) != 0) {
        *known = *known || errno == ENOENT;
        *nocase = errno == ENOENT ? false : *nocase;
        return;
    }
    struct wanted w = {.name = other};
    struct err err = {0};
    if (fs_each_name(folder, find_name, &w, &err) == 0 && !w.listed && is_same(&st, &st_other)) {
        *nocase = *known = true;
    }
}

struct reading {
    struct members *out;
    const struct members_rule *rule;
    const char *main;
};

static int read_name(void *ctx, const char *name, struct err *err)
{
    struct reading *r = ctx;
    return members_add(r->out, r->rule, r->main, name, err);
}

int members_read(struct members *out, const struct members_ask *ask, struct err *err)
{
    struct members_rule rule = {.instrument = ask->instrument, .nocase = true};
    struct reading r = {.out = out, .rule = &rule, .main = ask->main};
    if (fs_each_name(ask->folder, read_name, &r, err) != 0) {
        return -1;
    }
    bool known = !members_is_set(ask->instrument);
    rule.nocase = false;
    for (size_t i = 0; i < out->n && !known; i++) {
        members_probe(ask->folder, out->names[i], &rule.nocase, &known);
    }
    members_drop_others(out, &rule, ask->main);
    return 0;
}
