/*
 * settings.h - what the commands on settings, projects and reruns share.
 */
#ifndef OPS_SETTINGS_H
#define OPS_SETTINGS_H
#include <bson/bson.h>

#include "cli/cli.h"
#include "common/db/docs.h"
#include "common/quant/settings_resolve.h"

/* "<name>" (its newest version that is not archived, or the newest of all) or "<name>-v<n>". *out:
 * bson_destroy. CLI_MISSING names what is near. */
enum cli_exit settings_find(struct cli *c, const char *name, bson_t **out, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* All versions of a name, the newest first; of "" of all names. Freed with docs_free. */
struct docs *settings_versions(struct cli *c, const char *name, struct err *err) OWNED
    __attribute__((nonnull));
enum cli_exit project_find(struct cli *c, const char *id, bson_t **out, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* The type of an instrument: as its file here says, or as the leading scheduler sees it; "" when
 * neither knows it. */
int instrument_vendor(struct cli *c, const char *id, char buf[static 16], struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* A line for people about what was done ("made alphadia_a-v2"), or with --json the document. */
enum cli_exit settings_say(struct cli *c, const char *what, const bson_t *doc, struct err *err)
    __attribute__((nonnull(1, 2, 4), warn_unused_result));
#endif
