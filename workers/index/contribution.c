/* contribution.c - which entities a raw file touches, and the ids of what it says. */
#include "workers/index/contribution.h"

#include <stdio.h>
#include <string.h>

char *contribution_id(enum entity_type type, const char *entity, const char *raw_file)
{
    char *id = NULL;
    return asprintf(&id, "%s/%s/%s", entity_type_name(type), entity, raw_file) < 0 ? NULL : id;
}

void contribution_list_clear(struct contribution_list *l)
{
    for (size_t i = 0; i < l->n; i++) {
        free(l->items[i].entity);
        bson_destroy(l->items[i].contents);
    }
    free(l->items);
    *l = (struct contribution_list){0};
}

/* Takes contents, also when it fails; NULL makes a tombstone. */
static int add(struct contribution_list *l, enum entity_type type, const char *entity,
               bson_t *contents)
{
    char *name = strdup(entity);
    struct contribution *items = reallocarray(l->items, l->n + 1, sizeof *items);
    if (items != NULL) {
        l->items = items;
    }
    if (name == NULL || items == NULL) {
        free(name);
        if (contents != NULL) {
            bson_destroy(contents);
        }
        return -1;
    }
    items[l->n++] = (struct contribution){
        .type = type,
        .entity = name,
        .deleted = contents == NULL,
        .contents = contents != NULL ? contents : bson_new(),
    };
    return 0;
}

static int add_results(const struct contribution_sources *src, struct contribution_list *out)
{
    for (size_t i = 0; i < src->tasks->n; i++) {
        const bson_t *task = src->tasks->items[i];
        const char *id = doc_str(task, "_id", "");
        if (strcmp(doc_str(task, "kind", ""), "quant") != 0 || id[0] == '\0') {
            continue;
        }
        if (add(out, ENTITY_RESULT, id, contents_result(src, task)) != 0) {
            return -1;
        }
    }
    return 0;
}

static int add_member(const struct contribution_sources *src, enum entity_type type,
                      const char *entity, struct contribution_list *out)
{
    return entity[0] == '\0' ? 0 : add(out, type, entity, contents_member(src));
}

int contribution_build(const struct contribution_sources *src, struct contribution_list *out,
                       struct err *err)
{
    const char *id = doc_str(src->raw, "_id", "");
    const char *project = doc_str(src->raw, "project_id", "");
    const char *instrument = doc_str(src->raw, "instrument_id", "");
    if (add(out, ENTITY_RAW_FILE, id, contents_raw_file(src)) != 0 || add_results(src, out) != 0 ||
        add_member(src, ENTITY_PROJECT, project, out) != 0 ||
        add_member(src, ENTITY_INSTRUMENT, instrument, out) != 0) {
        return err_no_memory(err);
    }
    return 0;
}

/* "<type>/<entity>" -> both parts; *entity is borrowed from id. */
static bool split_id(const char *id, enum entity_type *type, const char **entity)
{
    for (size_t t = 0; t < ENTITY_TYPE_COUNT; t++) {
        const char *name = entity_type_name((enum entity_type)t);
        size_t len = strlen(name);
        if (strncmp(id, name, len) == 0 && id[len] == '/' && id[len + 1] != '\0') {
            *type = (enum entity_type)t;
            *entity = id + len + 1;
            return true;
        }
    }
    return false;
}

static bool names(const struct contribution_list *l, enum entity_type type, const char *entity)
{
    for (size_t i = 0; i < l->n; i++) {
        if (l->items[i].type == type && strcmp(l->items[i].entity, entity) == 0) {
            return true;
        }
    }
    return false;
}

int contribution_bury(const bson_t *before, struct contribution_list *list, struct err *err)
{
    bson_iter_t at;
    if (!bson_iter_init(&at, before)) {
        return 0;
    }
    while (bson_iter_next(&at)) {
        enum entity_type type;
        const char *entity;
        if (!BSON_ITER_HOLDS_UTF8(&at) || !split_id(bson_iter_utf8(&at, NULL), &type, &entity) ||
            names(list, type, entity)) {
            continue;
        }
        if (add(list, type, entity, NULL) != 0) {
            return err_no_memory(err);
        }
    }
    return 0;
}
