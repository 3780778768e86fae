#include "common/index/week.h"

#include <stdlib.h>
#include <string.h>

#include "common/db/db.h"

int64_t week_of(const bson_t *doc, const char *path)
{
    if (!doc_has(doc, path)) {
        return WEEK_NONE;
    }
    int64_t ms = doc_i64(doc, path, 0);
    return ms / WEEK_MS - (ms % WEEK_MS < 0 ? 1 : 0);
}

void week_append(bson_t *doc, const char *key, int64_t week)
{
    if (week == WEEK_NONE) {
        BSON_APPEND_NULL(doc, key);
    } else {
        BSON_APPEND_INT64(doc, key, week);
    }
}

int weeks_add(struct weeks *w, int64_t week, struct err *err)
{
    size_t at = 0;
    while (at < w->n && w->items[at] < week) {
        at++;
    }
    if (at < w->n && w->items[at] == week) {
        return 0;
    }
    int64_t *more = reallocarray(w->items, w->n + 1, sizeof *more);
    if (more == NULL) {
        return err_no_memory(err);
    }
    memmove(more + at + 1, more + at, (w->n - at) * sizeof *more);
    more[at] = week;
    w->items = more;
    w->n++;
    return 0;
}

int weeks_add_array(struct weeks *w, const bson_t *array, struct err *err)
{
    bson_iter_t at;
    for (bool more = bson_iter_init(&at, array) && bson_iter_next(&at); more;
         more = bson_iter_next(&at)) {
        int64_t week = BSON_ITER_HOLDS_NUMBER(&at) ? bson_iter_as_int64(&at) : WEEK_NONE;
        if (weeks_add(w, week, err) != 0) {
            return -1;
        }
    }
    return 0;
}

void weeks_append(bson_t *doc, const char *key, const struct weeks *w)
{
    bson_t array;
    bson_append_array_begin(doc, key, -1, &array);
    for (size_t i = 0; i < w->n; i++) {
        char room[16];
        const char *index;
        bson_uint32_to_string((uint32_t)i, &index, room, sizeof room);
        week_append(&array, index, w->items[i]);
    }
    bson_append_array_end(doc, &array);
}

void weeks_clear(struct weeks *w)
{
    free(w->items);
    *w = (struct weeks){0};
}
