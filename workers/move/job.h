/*
 * job.h - one move task in the worker's hands. Only the files of this folder and their tests
 * include it.
 */
#ifndef WORKERS_MOVE_JOB_H
#define WORKERS_MOVE_JOB_H
#include "common/base/rehash.h"
#include "common/base/tree.h"
#include "common/raw/backup_record.h"
#include "common/raw/original.h"
#include "workers/worker.h"

enum move_action { /* what the matrix says about a member: source there, target there */
                   MOVE_MISSING,   /* no, no: somebody has taken it away; nothing to do */
                   MOVE_ALREADY,   /* no, yes: moved by an earlier attempt */
                   MOVE_RENAME,    /* yes, no */
                   MOVE_DUPLICATE, /* yes, yes and equal: the source gets another name */
                   MOVE_ACTION_COUNT
};

struct move_member {
    char *from, *to; /* in the instrument's folder, in its Backup */
    enum move_action action;
    bool acted;
    struct tree tree; /* the source as it was when it was read */
};

struct move_job {
    struct job_base base; /* first: filled in by the runner */
    char *raw_file, *source_root;
    struct move_member *members;
    size_t n_members;
    bool set; /* Sciex: several names with one stem */

    const char *skipped; /* why there is nothing to do; NULL: go on */
    char *backup;        /* <source_root>/Backup */
    char *pool;          /* the folder of the copies */
    struct record record;
    int64_t bytes_read;
};

int move_decode(void *job, const bson_t *task, struct err *err);
extern const struct worker_step move_steps[];
void move_result(const void *job, bson_t *out);
void move_destroy(void *job);

/* matrix.c: decide what to do with each member, reading every file that is there. INVALID, with
 * nothing touched, when something is not as it was backed up: with ERR_CODE_SOURCE_CHANGED when the
 * raw file must be acquired again, after move_undo. */
int move_decide(struct move_job *job, struct err *err) __attribute__((warn_unused_result));
/* set.c: whether the names of a set are still those that belong to it: none has come, none is
 * another raw file's. Else INVALID with ERR_CODE_SOURCE_CHANGED. */
int move_check_set(const struct move_job *job, struct err *err) __attribute__((warn_unused_result));
/* Members that an earlier attempt has moved go back to where they were acquired. May run again
 * after having been cut off anywhere. */
int move_undo(struct move_job *job, struct err *err) __attribute__((warn_unused_result));
/* rename.c: do it. Each may run again after having been cut off anywhere. */
int move_prepare(struct move_job *job, struct err *err) __attribute__((warn_unused_result));
int move_member(struct move_job *job, struct move_member *m, struct err *err)
    __attribute__((warn_unused_result));
/* From Backup to where it was; never over another. both: it has both names, and loses the one. */
int move_member_back(struct move_job *job, struct move_member *m, bool both, struct err *err)
    __attribute__((warn_unused_result));
const char *move_action_name(enum move_action a) __attribute__((returns_nonnull));
#endif
