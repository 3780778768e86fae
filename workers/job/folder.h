/*
 * folder.h - folders and marks of a job, for engines whose jobs this process places itself; on a
 * cluster remote.sh does the same. Names and files are those of remote.sh. Any thread.
 */
#ifndef WORKERS_JOB_FOLDER_H
#define WORKERS_JOB_FOLDER_H
#include "workers/job/job.h"

/* The lock at path, made when it is not there; -1 with *err (HOLD) after 20 s or when it cannot be
 * had. It falls when the descriptor is closed: here, and in children that have it. */
int place_lock(const char *path, struct err *err) __attribute__((nonnull, warn_unused_result));

/* Whose an output folder is, by its .trawl-task. Nobody's: it is not there, or holds no more than
 * marks of ours and no whole .trawl-task, because the process that was about to claim it was
 * killed. What cannot be read is somebody's. */
enum place_owner { PLACE_FREE, PLACE_OURS, PLACE_TAKEN };
enum place_owner place_owner_of(const char *folder, const char *owner) __attribute__((nonnull));

/* Make the output folder ours: new, empty, ours already, or to be taken over. 0 with out->answer
 * JOB_FOUND, or JOB_TAKEN or JOB_UNUSABLE and why. */
void place_output(const struct job_spec *spec, struct job_result *out) __attribute__((nonnull));

/* The job that used the output folder last, when it is another one than this; false: none. *ours:
 * it was of the same task. */
bool place_last_job(const struct job_spec *spec, char name[static JOB_NAME_MAX], bool *ours)
    __attribute__((nonnull));
/* "busy": it still writes there. */
void place_busy(const struct job_spec *spec, const char *last, struct job_result *out)
    __attribute__((nonnull));

/* The first line of folder/name that is whole; false when there is none. */
bool place_line(const char *folder, const char *name, char *buf, size_t room)
    __attribute__((nonnull));
/* Whether folder/name is there. */
bool place_has(const char *folder, const char *name) __attribute__((nonnull));
/* Write folder/name whole; -1 with *err. */
int place_put(const char *folder, const char *name, const char *text, struct err *err)
    __attribute__((nonnull, warn_unused_result));
#endif
