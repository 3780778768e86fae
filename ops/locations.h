/*
 * locations.h - the locations and instruments that the configuration names, and how their states
 * are shown.
 */
#ifndef OPS_LOCATIONS_H
#define OPS_LOCATIONS_H
#include "cli/cli.h"
#include "common/db/docs.h"
#include "common/mount/mount_probe.h"

/* Which are meant: names as people type them ("backup", "astral1", "instrument/astral1"). */
struct locations_wanted {
    const char *const *names;
    size_t n; /* 0: all */
};
/* Not 0 stops. */
typedef int location_fn(void *ctx, const struct mount_need *need, struct err *err);
/* Calls fn for each that is wanted, with whether it is written to. CLI_MISSING when a name is
 * neither a location with a path nor an instrument whose file can be read. */
enum cli_exit locations_each(struct cli *c, const struct locations_wanted *wanted, location_fn *fn,
                             void *ctx, struct err *err) __attribute__((nonnull(1, 2, 3, 5)));

/* A location's state as a document of the collection "mounts"; bson_destroy. */
bson_t *locations_doc(const char *host, const struct mounts_view *v) OWNED __attribute__((nonnull));
/* Whether a document says that all is well. */
bool locations_well(const bson_t *doc) __attribute__((nonnull));
/* Documents of "mounts" as a table. */
int locations_table(struct cli *c, const struct docs *d, struct err *err)
    __attribute__((nonnull, warn_unused_result));
#endif
