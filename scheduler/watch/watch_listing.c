/*
 * watch_listing.c - all names of a folder, so that a poll that finds the same names as the last one
 * need not look up each of them. Where a raw file is a set of names, they are sorted so that the
 * names of a set are neighbours.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/fs.h"
#include "common/base/path.h"
#include "scheduler/watch/watch.h"

static int add_name(void *ctx, const char *name, struct err *err)
{
    struct watch *w = ctx;
    struct listing *l = &w->now;
    size_t len = strlen(name) + 1;
    if (l->n++ % 64 == 0) {
        atomic_store(&w->progress_ms, mono_ms());
    }
    if (l->len + len > l->room) {
        size_t room = (l->room + len) * 2;
        char *more = realloc(l->names, room);
        if (more == NULL) {
            return err_no_memory(err);
        }
        l->names = more;
        l->room = room;
    }
    memcpy(l->names + l->len, name, len);
    l->len += len;
    return 0;
}

int listing_read(struct watch *w, bool *same, struct err *err)
{
    struct listing *now = &w->now, *before = &w->before;
    now->len = now->n = now->n_sorted = 0;
    *same = false;
    if (fs_each_name(w->cfg->path, add_name, w, err) != 0) {
        return -1;
    }
    *same = now->n == before->n && now->len == before->len &&
            (now->len == 0 || memcmp(now->names, before->names, now->len) == 0);
    return 0;
}

void listing_keep(struct watch *w)
{
    struct listing spare = w->before;
    w->before = w->now;
    w->now = spare;
}

void listing_clear(struct watch *w)
{
    free(w->now.names);
    free(w->now.sorted);
    free(w->before.names);
    free(w->before.sorted);
    w->now = w->before = (struct listing){0};
}

/* --- which raw file a name belongs to --- */

static int by_place(const void *a, const void *b, void *rule)
{
    return members_compare(rule, *(char *const *)a, *(char *const *)b);
}

/* Ask the share how it compares names, once while it is well. */
static void ask_case(struct watch *w, const struct listing *l)
{
    const char *end = l->names + l->len;
    for (const char *name = l->names; name < end && !w->case_known; name += strlen(name) + 1) {
        if (members_is_raw_file(w->cfg, name)) {
            members_probe(w->cfg->path, name, &w->nocase, &w->case_known);
            w->before.n_sorted = 0;
            break;
        }
    }
}

/* The index of the first name that begins with the stem of main. */
static size_t place_of(const struct listing *l, const struct members_rule *rule, const char *main)
{
    size_t low = 0, high = l->n_sorted;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (members_place(rule, main, l->sorted[mid]) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

static bool has_main(const struct listing *l, const struct members_rule *rule, const char *name)
{
    AUTO(free) char *main = NULL;
    if (asprintf(&main, "%.*s.wiff", (int)members_own_stem(name), name) < 0) {
        main = NULL;
        return true;
    }
    for (size_t i = place_of(l, rule, main);
         i < l->n_sorted && members_place(rule, main, l->sorted[i]) == 0; i++) {
        if (members_is_raw_file(rule->instrument, l->sorted[i]) &&
            members_fits(rule, l->sorted[i], name)) {
            return true;
        }
    }
    return false;
}

/* Collect names of acquisitions whose main file is missing: they are not copied, so trawl status
 * must show them. */
static void collect_strays(struct watch *w, const struct members_rule *rule)
{
    const struct listing *l = &w->before;
    const char *first = NULL;
    size_t n = 0;
    for (size_t i = 0; i < l->n_sorted; i++) {
        if (members_needs_main(w->cfg, l->sorted[i]) && !has_main(l, rule, l->sorted[i])) {
            first = first == NULL ? l->sorted[i] : first;
            n++;
        }
    }
    AUTO(free) char *shown = first != NULL ? path_escape(first) : NULL;
    w->strays[0] = '\0';
    if (n > 0) {
        snprintf(w->strays, sizeof w->strays,
                 "%.150s%s: not acquired, because its .wiff is missing",
                 shown != NULL ? shown : "a name", n > 1 ? " and others" : "");
    }
}

int listing_sort(struct watch *w, struct err *err)
{
    struct listing *l = &w->before;
    if (!w->case_known) {
        ask_case(w, l);
    }
    if (l->n == 0) {
        w->strays[0] = '\0';
    }
    if (l->n_sorted == l->n) {
        return 0;
    }
    char **sorted = reallocarray(l->sorted, l->n, sizeof *sorted);
    if (sorted == NULL) {
        return err_no_memory(err);
    }
    l->sorted = sorted;
    l->n_sorted = 0;
    for (char *name = l->names; l->n_sorted < l->n; name += strlen(name) + 1) {
        sorted[l->n_sorted++] = name;
    }
    struct members_rule rule = {.instrument = w->cfg, .nocase = w->nocase};
    qsort_r(sorted, l->n, sizeof *sorted, by_place, &rule);
    collect_strays(w, &rule);
    return 0;
}

int watch_members(struct watch *w, const char *main, struct members *out, struct err *err)
{
    const struct listing *l = &w->before;
    if (listing_sort(w, err) != 0) {
        return -1;
    }
    const struct members_rule rule = {.instrument = w->cfg, .nocase = w->nocase};
    for (size_t i = place_of(l, &rule, main);
         i < l->n && members_place(&rule, main, l->sorted[i]) == 0; i++) {
        if (members_add(out, &rule, main, l->sorted[i], err) != 0) {
            return -1;
        }
    }
    members_drop_others(out, &rule, main);
    return 0;
}
