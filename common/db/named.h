/*
 * named.h - documents with a name whose `_id` is an ObjectId: metrics, settings and
 * project_settings.
 *
 * AlphaKraken reads only ObjectIds there. The `_id` that Trawl gives is made of the name, so that
 * two documents of one name are impossible; the name itself is in the field trawl_id. Both other
 * kinds are read, too: earlier versions of Trawl made the name the `_id`, and AlphaKraken's own
 * documents have an ObjectId of chance and no name. Pure, any thread.
 */
#ifndef COMMON_DB_NAMED_H
#define COMMON_DB_NAMED_H
#include "common/db/docs.h"

#define NAMED_FIELD     "trawl_id"
#define NAMED_MIGRATING "trawl_migrating" /* its `_id` is being changed: nobody else changes it */
#define NAMED_ROOM      25

/* The first 12 bytes of the name's XXH3-128. */
void named_oid(const char *name, bson_oid_t *out) __attribute__((nonnull));
/* A document that begins with `_id` and name. bson_destroy. */
bson_t *named_new(const char *name) OWNED __attribute__((nonnull));
/* The name; of a document without one the 24 digits of its `_id`, in buf. "" when its `_id` is of
 * another type: then nothing is known of it. */
const char *named_name(const bson_t *doc, char buf[static NAMED_ROOM]) __attribute__((nonnull));
/* Whether the field of holder refers to doc: by its `_id`, or by that which it has had or will have
 * from its name. */
bool named_is_meant(const bson_t *doc, const bson_t *holder, const char *field)
    __attribute__((nonnull));
/* Append the ObjectId that doc has, or will have from its name. */
void named_append_ref(bson_t *out, const char *field, const bson_t *doc) __attribute__((nonnull));
/* {_id: that of doc, and that a migration does not hold it}: for what changes or deletes it. */
bson_t *named_filter(const bson_t *doc) OWNED __attribute__((nonnull));
/* While a migration runs, a document is there twice for a moment: drop the one whose `_id` is its
 * name. The order of the others stays. */
void named_drop_twins(struct docs *d) __attribute__((nonnull));
#endif
