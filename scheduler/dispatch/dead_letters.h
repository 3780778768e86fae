/* dead_letters.h - tasks that have failed or are dead, sent to <env>.dead. Brain thread only. */
#ifndef SCHEDULER_DISPATCH_DEAD_LETTERS_H
#define SCHEDULER_DISPATCH_DEAD_LETTERS_H
#include "common/db/docs.h"

struct scheduler;

struct dead_letters { /* zeroed: none */
    struct docs sent; /* by the last call; may still be on their way */
    uint64_t failed;  /* messages that had failed before they were sent */
};

/* Send each task that is marked "untold"; clear the marks of those that have arrived. */
int dead_letters_send(struct scheduler *s, struct err *err) __attribute__((warn_unused_result));
#endif
