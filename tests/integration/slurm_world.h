/*
 * slurm_world.h - what test_slurm.c stands on: folders that both sides see, one task document, the
 * runner and the database as fakes, and a TCP proxy that cuts a connection at a chosen byte.
 */
#ifndef TESTS_SLURM_WORLD_H
#define TESTS_SLURM_WORLD_H
#include "workers/quant/quant.h"

struct world {
    struct config cfg;
    char root[64]; /* below: backup output slurm software settings */
    /* the one task */
    char task_id[200], raw[200], exists_mode[16], slurm_time[16];
    int64_t fence, attempt;
    bool cancel;
    /* what the fakes keep */
    int64_t kept_id;
    char kept_name[200], kept_output[400], log_tail[10000];
    bool parked, ended;
    int64_t parked_id;
    char parked_name[200], parked_folder[400];
    struct job_outcome outcome;
    bson_t *metrics; /* the update of the last upsert */
    char metrics_id[300];
};
extern struct world world;

/* New folders and a new task; script is what the raw file holds: the "software" runs it with the
 * output folder as $OUT. */
void world_new(const char *name, const char *script);
void world_remove(void);
/* Run the steps once as the runner would; 0 done, STEP_PARK parked, -1 failed. The fence grows. */
int world_attempt(struct err *err);
/* Attempt, then watch until the task has ended, then attempt again: what a whole task does. */
int world_run(struct err *err);
/* Watch until the end was noted; fails the test after 60 s. */
void world_watch(void);
/* How many jobs of this task really ran: lines in <root>/ran. */
int world_ran(void);
double world_metric(const char *name);
void world_shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *world_env(const char *name);

/* Where an answer is cut: each so many bytes, the first so many bytes before its end. By itself as
 * told here; TRAWL_TEST_CUT_STEP and TRAWL_TEST_CUT_FROM say otherwise: all bytes take an hour, and
 * several processes can share them. */
struct cuts {
    long step, from;
};
struct cuts world_cuts(struct cuts usual);

/* Listen on a free port and pass everything on to port; the answer is cut after cut bytes (0:
 * never). Returns the port; the bytes that were answered so far are in *answered. */
struct proxy;
struct proxy *proxy_start(int to_port, long cut, int *port);
long proxy_stop(struct proxy *p);
#endif
