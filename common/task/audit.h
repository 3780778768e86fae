/*
 * audit.h - who changed what, when and why: one entry of "audit" for every action of an operator on
 * every single thing. All of them go through audit_make.
 *
 * The entry is written first, in state "intended", with the values before the action; then the
 * action's own guarded update is made; then the entry is completed with the result. So nothing
 * changes without an entry, and after a crash in between the entry stays "intended": whether the
 * change was made is unknown. Any thread.
 */
#ifndef COMMON_TASK_AUDIT_H
#define COMMON_TASK_AUDIT_H
#include "common/db/db.h"

#define AUDIT_INTENDED "intended" /* unknown whether it was made */
#define AUDIT_DONE     "done"
#define AUDIT_REFUSED  "refused" /* the state of the target did not allow it: nothing changed */

/* The action. *won: whether it was made; after gets the new values. -1 with an error of kind
 * INVALID: nothing was changed; of any other kind: it may have been made. */
typedef int audit_fn(void *ctx, bool *won, bson_t *after, struct err *err);

struct audit_act {
    const char *verb;     /* the command: "pool set" */
    const char *target;   /* the id of what it changes: "file_copy" */
    const char *by;       /* "user@host" */
    const char *why;      /* "" for no reason */
    const bson_t *before; /* the values that it changes; or NULL */
    audit_fn *run;
    void *ctx;
};
/*
 * Make the action, with its entry. -1, and nothing changed, when the entry cannot be written. After
 * that the result is the action's, except that -1 also means that the action was made but its entry
 * could not be completed; the error says so.
 */
int audit_make(struct db *db, const struct audit_act *a, bool *won, struct err *err)
    __attribute__((nonnull, warn_unused_result));
#endif
