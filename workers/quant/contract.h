/*
 * contract.h - the job contract (docs/rules.md): the environment and the command of one
 * job. Pure; any thread.
 */
#ifndef WORKERS_QUANT_CONTRACT_H
#define WORKERS_QUANT_CONTRACT_H
#include "workers/quant/quant.h"

#define CONTRACT_VARIABLES 16

/* One job as its engine takes it; spec borrows from the rest and from the quant_job. */
struct contract {
    struct job_spec spec;
    struct job_pair env[CONTRACT_VARIABLES];
    char *raw;      /* the raw file in the backup */
    char *read;     /* what the software reads: the raw file, or the copy of a Sciex set */
    char *settings; /* the folder of these settings */
    char *software; /* the program */
    char *command;  /* CUSTOM_COMMAND: shell words */
    char *results;  /* the files that metrics are read from, a line each */
    char threads[24], version[24];
};

/*
 * job->engine and cluster_output are set. INVALID for parameters that are no words (an open quote),
 * a path that leaves its location, or a type without a command. contract_fini in any case.
 */
int contract_make(const struct quant_job *job, struct contract *out, struct err *err)
    __attribute__((nonnull, warn_unused_result));
void contract_fini(struct contract *c) __attribute__((nonnull));
static inline void auto_contract_fini(struct contract *c)
{
    contract_fini(c);
}
#endif
