/*
 * audit.h - who changed what, when and why: one entry of "audit" for every action of an operator,
 * on every single thing that it changes. All of them go through audit_make.
 *
 * The entry comes first, in state "intended", with what stands there before the action; then the
 * action's own guarded update is made; then the entry is completed with what became of it. Killed
 * in between, an entry stays "intended": nothing is changed without an entry, and an entry whose
 * change nobody knows of says so. Any thread.
 */
#ifndef COMMON_TASK_AUDIT_H
#define COMMON_TASK_AUDIT_H
#include "common/db/db.h"

#define AUDIT_INTENDED "intended" /* not known whether it was made */
#define AUDIT_DONE     "done"
#define AUDIT_REFUSED  "refused" /* the state of the target did not allow it: nothing changed */

/* The action: *won = whether it was made; what stands there now is appended to after. -1 with an
 * error of kind INVALID: nothing was changed; of any other kind: it may have been made. */
typedef int audit_fn(void *ctx, bool *won, bson_t *after, struct err *err);

struct audit_act {
    const char *verb;     /* the command: "pool set" */
    const char *target;   /* the id of what it changes: "file_copy" */
    const char *by;       /* "user@host" */
    const char *why;      /* "" for no reason */
    const bson_t *before; /* the part that it changes; or NULL */
    audit_fn *run;
    void *ctx;
};
/*
 * Make the action, with its entry. When the entry cannot be written nothing is changed: -1. After
 * that the result is the action's, except that an entry which cannot be completed is -1, too, and
 * says that the action was made.
 */
int audit_make(struct db *db, const struct audit_act *a, bool *won, struct err *err)
    __attribute__((nonnull, warn_unused_result));
#endif
