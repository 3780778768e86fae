/*
 * settings.h - finds the settings and projects that an operator's words mean.
 */
#ifndef OPS_SETTINGS_H
#define OPS_SETTINGS_H
#include <bson/bson.h>

#include "common/db/docs.h"
#include "common/quant/settings_resolve.h"
#include "ops/ops.h"

/* "<name>" (its newest version that is not archived, or the newest of all) or "<name>-v<n>". *out:
 * bson_destroy. ERR_MISSING suggests similar names. */
int settings_find(const struct ops *o, const char *name, bson_t **out, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* All versions of a name, newest first; "": of all names. Freed with docs_free. */
struct docs *settings_versions(const struct ops *o, const char *name, struct err *err) OWNED
    __attribute__((nonnull));
/* ERR_MISSING when there is none. *out: bson_destroy. */
int project_find(const struct ops *o, const char *id, bson_t **out, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* The type of an instrument: from its file here, or as the leading scheduler sees it; "" when
 * neither knows it. */
int instrument_vendor(const struct ops *o, const char *id, char buf[static 16], struct err *err)
    __attribute__((nonnull, warn_unused_result));
#endif
