/*
 * spawn.h - a process that outlives this one: its own session, its own limits, no terminal.
 */
#ifndef WORKERS_JOB_SPAWN_H
#define WORKERS_JOB_SPAWN_H
#include <stdint.h>

#include "common/base/err.h"

struct spawn {
    const char *const *argv; /* NULL-terminated; argv[0] is a path */
    const char *const *envp; /* NULL-terminated; no "SLURM_JOB_ID" */
    const char *folder;      /* where it starts */
    const char *said;        /* file that what it says is appended to */
    const char *alive;       /* file that it and its children hold a flock on while they live */
    const char *id;          /* file that gets its id and a line break, before it starts */
    int64_t mem_mib;         /* RLIMIT_DATA; 0: none */
};
/*
 * Start it; *pid is its id, its session and its process group, and SLURM_JOB_ID in its environment.
 * What is locked by a descriptor of the caller stays locked until it has started: the next holder
 * of the lock finds the id's file, or nothing was started. -1 with HOLD: it was not. Any thread.
 */
int spawn(const struct spawn *s, int64_t *pid, struct err *err)
    __attribute__((nonnull, warn_unused_result));
#endif
