/*
 * cluster.h - the one SSH session of this process, and running a script on whichever head node
 * answers.
 *
 * The session is shared by all threads under a lock: scripts are short, and one login serves them
 * all. It heals by itself: what is broken is closed, and the next call connects again, to the next
 * head node of [ssh] hosts when one does not answer. Any thread.
 */
#ifndef WORKERS_JOB_CLUSTER_H
#define WORKERS_JOB_CLUSTER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/strbuf.h"
#include "common/config/config.h"

/*
 * Run the script (engine_slurm.h). 0: *reply is the whole answer; free(). -1 with ERR_HOLD: no head
 * node answered, or the answer was not whole: then what came instead is in the message, and *reply
 * is NULL. *maybe_ran says whether the script may have run all the same, in part or in whole.
 */
int cluster_run(const struct config *c, const struct strbuf *script, char **reply, bool *maybe_ran,
                struct err *err) __attribute__((nonnull, warn_unused_result));
/* The same for a script that may run twice: it is tried once more when the session broke. */
int cluster_ask(const struct config *c, const struct strbuf *script, char **reply, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* Close the session; the next call opens it again. */
void cluster_close(void);
/* Logins since the start of the process. */
uint64_t cluster_logins(void);
#endif
