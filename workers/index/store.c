/*
 * store.c - why this is right in any order, with any worker dying anywhere:
 *
 * - Entities are announced in the raw file's own contribution before the first of them is written,
 *   and dropped from it only after all are folded. Whatever a dead worker left behind is therefore
 *   named, and the next run buries or folds it.
 * - A run that announces takes the rev. One of a lower rev then fails to announce and writes
 *   nothing more; what it still has under way loses against the tombstones, which are written even
 *   where nothing was.
 * - Weeks are announced in the same way. A contribution is in one week, and its next version may
 *   be in another: the sums of both change. The week of what a run writes was announced by it,
 *   with its rev; the next run reads the announced weeks after it has taken the rev, so it knows
 *   the weeks of all that runs of a lower rev may have written or still write. It folds every
 *   announced week of every entity, buried ones too, and drops the others only then.
 * - Programs of earlier versions announce no weeks. So a run also reads which weeks the
 *   contributions are in that it is about to replace, and announces those before it does. What such
 *   a program, still running, writes between this read and the replacement is summed when it has
 *   folded: its fold makes the sums incomplete (common/index/sums.h).
 * - Each fold raises a counter before it reads (common/index/folded.h). Sums are folded before the
 *   counter of their aggregate is raised: a fold of sums that holds the highest number has read
 *   those of all that raised it. While sums are not complete (common/index/sums.h), an aggregate is
 *   folded from all contributions: slower, and as right.
 */
#include "workers/index/store.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/db/batch.h"
#include "common/index/sums.h"

#define RACES_MAX 5 /* lost inserts in a row before the attempt gives up */

static void append_ids(bson_t *out, const char *key, const struct contribution_list *list, size_t n)
{
    bson_t array;
    bson_append_array_begin(out, key, -1, &array);
    for (uint32_t i = 0; i < n; i++) {
        AUTO(free) char *id = entity_id(list->items[i].type, list->items[i].entity);
        char room[16];
        const char *index;
        bson_uint32_to_string(i, &index, room, sizeof room);
        if (id != NULL) {
            BSON_APPEND_UTF8(&array, index, id);
        }
    }
    bson_append_array_end(out, &array);
}

static bson_t *not_newer(const char *id, int64_t rev)
{
    return BCON_NEW("_id", BCON_UTF8(id), "rev", "{", "$lte", BCON_INT64(rev), "}");
}

/* --- announcing --- */

struct announcing {
    const struct store_source *s;
    const char *id; /* of the raw file's own contribution */
    struct contribution_list *list;
    struct weeks *weeks;
};

static void append_own_week(bson_t *out, const char *key, const struct store_source *s)
{
    const struct weeks own = {.items = &(int64_t){s->week}, .n = 1};
    weeks_append(out, key, &own);
}

static bson_t *announcement(const struct announcing *a)
{
    bson_t *update = BCON_NEW("$set", "{", "rev", BCON_INT64(a->s->rev), "}");
    bson_t add, each;
    BSON_APPEND_DOCUMENT_BEGIN(update, "$addToSet", &add);
    BSON_APPEND_DOCUMENT_BEGIN(&add, "entities", &each);
    append_ids(&each, "$each", a->list, a->list->n);
    bson_append_document_end(&add, &each);
    BSON_APPEND_DOCUMENT_BEGIN(&add, "weeks", &each);
    append_own_week(&each, "$each", a->s);
    bson_append_document_end(&add, &each);
    bson_append_document_end(update, &add);
    return update;
}

static bson_t *first_announcement(const struct announcing *a)
{
    bson_t *doc =
        BCON_NEW("_id", BCON_UTF8(a->id), "type", BCON_UTF8(entity_type_name(ENTITY_RAW_FILE)),
                 "entity", BCON_UTF8(a->s->raw_file), "raw_file", BCON_UTF8(a->s->raw_file), "rev",
                 BCON_INT64(a->s->rev), "deleted", BCON_BOOL(false), "contents", "{", "}");
    append_ids(doc, "entities", a->list, a->list->n);
    append_own_week(doc, "weeks", a->s);
    return doc;
}

/* Take the rev. *own = the raw file's contribution with all that is announced now, or NULL when a
 * higher rev is there. */
static int take_rev(const struct announcing *a, bson_t **own, struct err *err)
{
    struct db *db = a->s->db;
    AUTO(bson_destroy) bson_t *filter = not_newer(a->id, a->s->rev);
    AUTO(bson_destroy) bson_t *update = announcement(a);
    for (int i = 0; i < RACES_MAX; i++) {
        AUTO(bson_destroy) bson_t *there = NULL;
        bool inserted = false;
        if (db_find_update(db, DB_CONTRIBUTIONS, filter, update, own, err) != 0) {
            return -1;
        }
        if (*own != NULL) {
            return 0;
        }
        AUTO(bson_destroy) bson_t *first = first_announcement(a);
        if (db_insert(db, DB_CONTRIBUTIONS, first, &inserted, err) != 0) {
            return -1;
        }
        if (inserted) {
            *own = TAKE(first);
            return 0;
        }
        if (db_find_id(db, DB_CONTRIBUTIONS, a->id, &there, err) != 0) {
            return -1;
        }
        if (there != NULL && !contribution_replaces(doc_i64(there, "rev", 0), a->s->rev)) {
            return 0;
        }
    }
    return ERR(err, ERR_TRANSIENT, 0, "contribution %s: lost %d races in a row", a->id, RACES_MAX);
}

/* The contributions of the list, to entities that have one each or to the others. */
static bson_t *by_ids(const struct store_source *s, const struct contribution_list *list,
                      bool single)
{
    bson_t in, ids;
    uint32_t n = 0;
    bson_t *filter = bson_new();
    BSON_APPEND_DOCUMENT_BEGIN(filter, "_id", &in);
    BSON_APPEND_ARRAY_BEGIN(&in, "$in", &ids);
    for (size_t i = 0; i < list->n; i++) {
        const struct contribution *c = &list->items[i];
        AUTO(free) char *id = contribution_id(c->type, c->entity, s->raw_file);
        char room[16];
        const char *key;
        if (id != NULL && entity_type_is_single(c->type) == single) {
            bson_uint32_to_string(n++, &key, room, sizeof room);
            BSON_APPEND_UTF8(&ids, key, id);
        }
    }
    bson_append_array_end(&in, &ids);
    bson_append_document_end(filter, &in);
    return filter;
}

static int add_present(void *ctx, const bson_t *contribution, struct err *err)
{
    return doc_bool(contribution, "deleted", false)
               ? 0
               : weeks_add(ctx, week_of(contribution, "contents.created_at"), err);
}

/* 1, or 0 when a higher rev has come meanwhile. */
static int announce_present(const struct announcing *a, struct err *err)
{
    size_t announced = a->weeks->n;
    bool won = true;
    AUTO(bson_destroy) bson_t *members = by_ids(a->s, a->list, false);
    AUTO(bson_destroy)
    bson_t *dates = BCON_NEW("projection", "{", "deleted", BCON_INT32(1), "contents.created_at",
                             BCON_INT32(1), "}");
    if (db_each(a->s->db, DB_CONTRIBUTIONS, members, dates, add_present, a->weeks, err) != 0) {
        return -1;
    }
    if (a->weeks->n > announced) {
        AUTO(bson_destroy)
        bson_t *filter = BCON_NEW("_id", BCON_UTF8(a->id), "rev", BCON_INT64(a->s->rev));
        AUTO(bson_destroy) bson_t *each = bson_new();
        weeks_append(each, "$each", a->weeks);
        AUTO(bson_destroy)
        bson_t *update = BCON_NEW("$addToSet", "{", "weeks", BCON_DOCUMENT(each), "}");
        if (db_update(a->s->db, DB_CONTRIBUTIONS, filter, update, &won, err) != 0) {
            return -1;
        }
    }
    return won ? 1 : 0;
}

int store_announce(const struct store_source *s, struct contribution_list *list,
                   struct weeks *weeks, struct err *err)
{
    AUTO(free) char *id = contribution_id(ENTITY_RAW_FILE, s->raw_file, s->raw_file);
    AUTO(bson_destroy) bson_t *own = NULL;
    if (id == NULL) {
        return err_no_memory(err);
    }
    const struct announcing a = {.s = s, .id = id, .list = list, .weeks = weeks};
    if (take_rev(&a, &own, err) != 0) {
        return -1;
    }
    bson_t entities, announced;
    if (own == NULL) {
        return 0;
    }
    if ((doc_sub(own, "entities", &entities) && contribution_bury(&entities, list, err) != 0) ||
        (doc_sub(own, "weeks", &announced) && weeks_add_array(weeks, &announced, err) != 0)) {
        return -1;
    }
    return announce_present(&a, err);
}

int store_conclude(const struct store_source *s, const struct contribution_list *list, size_t n,
                   struct err *err)
{
    AUTO(free) char *id = contribution_id(ENTITY_RAW_FILE, s->raw_file, s->raw_file);
    if (id == NULL) {
        return err_no_memory(err);
    }
    AUTO(bson_destroy) bson_t *filter = BCON_NEW("_id", BCON_UTF8(id), "rev", BCON_INT64(s->rev));
    AUTO(bson_destroy) bson_t *update = bson_new();
    bson_t set;
    BSON_APPEND_DOCUMENT_BEGIN(update, "$set", &set);
    append_ids(&set, "entities", list, n);
    append_own_week(&set, "weeks", s);
    bson_append_document_end(update, &set);
    bool won = false;
    return db_update(s->db, DB_CONTRIBUTIONS, filter, update, &won, err);
}

/* --- contributing --- */

static bson_t *writing(const struct store_source *s, const struct contribution *c)
{
    bson_t *update = BCON_NEW("$set", "{", "type", BCON_UTF8(entity_type_name(c->type)), "entity",
                              BCON_UTF8(c->entity), "raw_file", BCON_UTF8(s->raw_file), "rev",
                              BCON_INT64(s->rev), "deleted", BCON_BOOL(c->deleted), "contents",
                              BCON_DOCUMENT(c->contents), "}");
    if (c->deleted) { /* a tombstone has an end, too: common/task/retention.h */
        BCON_APPEND(update, "$max", "{", "buried_at", BCON_DATE_TIME(wall_ms()), "}");
    } else {
        BCON_APPEND(update, "$unset", "{", "buried_at", BCON_BOOL(true), "}");
    }
    return update;
}

/* An upsert loses against a higher rev, and may lose a race for the insert: which of both it was
 * shows the document. */
static int write_again(const struct store_source *s, struct db_change *lost, struct err *err)
{
    const char *id = doc_str(lost->filter, "_id", "");
    for (int i = 0; i < RACES_MAX; i++) {
        AUTO(bson_destroy) bson_t *there = NULL;
        if (db_find_id(s->db, DB_CONTRIBUTIONS, id, &there, err) != 0) {
            return -1;
        }
        if (there != NULL && !contribution_replaces(doc_i64(there, "rev", 0), s->rev)) {
            return 0;
        }
        if (db_upsert(s->db, DB_CONTRIBUTIONS, lost->filter, lost->update, &lost->won, err) != 0) {
            return -1;
        }
        if (lost->won) {
            return 0;
        }
    }
    return ERR(err, ERR_TRANSIENT, 0, "contribution %s: lost %d races in a row", id, RACES_MAX);
}

int store_contribute(const struct store_source *s, const struct contribution_list *list,
                     struct err *err)
{
    AUTO_BATCH all = {0};
    for (size_t i = 0; i < list->n; i++) {
        const struct contribution *c = &list->items[i];
        AUTO(free) char *id = contribution_id(c->type, c->entity, s->raw_file);
        if (id == NULL) {
            return err_no_memory(err);
        }
        struct db_change change = {.filter = not_newer(id, s->rev), .update = writing(s, c)};
        if (db_batch_add(&all, change, err) != 0) {
            return -1;
        }
    }
    if (db_upsert_all(s->db, DB_CONTRIBUTIONS, all.items, all.n, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < all.n; i++) {
        if (!all.items[i].won && write_again(s, &all.items[i], err) != 0) {
            return -1;
        }
    }
    return 0;
}

/* --- folding --- */

static struct entity entity_of(const struct contribution *c)
{
    return (struct entity){.type = c->type, .name = c->entity};
}

static int fold_weeks(const struct store_source *s, const struct contribution_list *list,
                      const struct weeks *weeks, struct err *err)
{
    AUTO(free) struct sum *sums = calloc(list->n * weeks->n + 1, sizeof *sums);
    size_t n = 0;
    if (sums == NULL) {
        return err_no_memory(err);
    }
    for (size_t i = 0; i < list->n; i++) {
        for (size_t k = 0; k < weeks->n && !entity_type_is_single(list->items[i].type); k++) {
            sums[n++] = (struct sum){.of = entity_of(&list->items[i]), .week = weeks->items[k]};
        }
    }
    return sums_fold(s->db, sums, n, err);
}

static bson_t *raise_of(const struct contribution *c)
{
    bson_t *update = BCON_NEW("$setOnInsert", "{", "type", BCON_UTF8(entity_type_name(c->type)),
                              "entity", BCON_UTF8(c->entity), "rev", BCON_INT64(0), "deleted",
                              BCON_BOOL(true), "contents", "{", "}", "}");
    bson_t inc;
    BSON_APPEND_DOCUMENT_BEGIN(update, "$inc", &inc);
    BSON_APPEND_INT64(&inc, "wanted", 1);
    if (!entity_type_is_single(c->type)) {
        BSON_APPEND_INT64(&inc, "by_week", 1);
    }
    bson_append_document_end(update, &inc);
    return update;
}

/* What all live contributions say together. NULL: there are none. */
static void set_contents(struct folded *f, const bson_t *contents)
{
    static const bson_t nothing = BSON_INITIALIZER;
    BSON_APPEND_BOOL(f->news, "deleted", contents == NULL);
    BSON_APPEND_DOCUMENT(f->news, "contents", contents != NULL ? contents : &nothing);
}

static int read_singles(const struct store_source *s, const struct contribution_list *list,
                        struct folded_list *all, struct err *err)
{
    AUTO(bson_destroy) bson_t *ids = by_ids(s, list, true);
    AUTO(docs_free)
    struct docs *found =
        docs_read(s->db, &(struct docs_query){.coll = DB_CONTRIBUTIONS, .filter = ids}, err);
    if (found == NULL) {
        return -1;
    }
    docs_sort(found);
    for (size_t i = 0; i < list->n; i++) {
        const struct contribution *c = &list->items[i];
        if (!entity_type_is_single(c->type)) {
            continue;
        }
        AUTO(free) char *id = contribution_id(c->type, c->entity, s->raw_file);
        if (id == NULL) {
            return err_no_memory(err);
        }
        const bson_t *one = docs_find(found, id);
        bson_t view;
        bool live =
            one != NULL && !doc_bool(one, "deleted", false) && doc_sub(one, "contents", &view);
        set_contents(&all->items[i], live ? &view : NULL);
    }
    return 0;
}

/* The aggregate of a new entity, or one that was lost, gets its sums from the first who folds it.
 */
static int read_members(const struct store_source *s, const struct entity *e, struct folded *f,
                        struct err *err)
{
    AUTO(fold_free) struct fold *sum = fold_new(err);
    if (sum == NULL) {
        return -1;
    }
    bool complete = sums_are_complete(f->now);
    if (!complete && sums_missed(f->now) == 0 && sums_complete(s->db, e, f->now, err) != 0) {
        return -1;
    }
    AUTO(bson_destroy) bson_t *pipeline = fold_pipeline(e, NULL);
    int rc = complete ? sums_read(s->db, e, sum, err)
                      : db_aggregate(s->db, DB_CONTRIBUTIONS, pipeline, fold_add, sum, err);
    if (rc != 0) {
        return -1;
    }
    AUTO(bson_destroy) bson_t *contents = fold_contents(sum);
    set_contents(f, fold_is_empty(sum) ? NULL : contents);
    return 0;
}

int store_fold(const struct store_source *s, const struct contribution_list *list,
               const struct weeks *weeks, struct err *err)
{
    AUTO_FOLDED all = {0};
    for (size_t i = 0; i < list->n; i++) {
        const struct contribution *c = &list->items[i];
        if (folded_add(&all, entity_id(c->type, c->entity), raise_of(c), err) != 0) {
            return -1;
        }
    }
    if (fold_weeks(s, list, weeks, err) != 0 ||
        folded_raise(&all, s->db, DB_AGGREGATES, err) != 0 ||
        read_singles(s, list, &all, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < list->n; i++) {
        struct entity e = entity_of(&list->items[i]);
        if (!entity_type_is_single(e.type) && read_members(s, &e, &all.items[i], err) != 0) {
            return -1;
        }
    }
    return folded_store(&all, s->db, DB_AGGREGATES, err);
}
