/*
 * small.h - one small file in one helper's hands; shared by small.c (the lot) and small_file.c
 * (one).
 */
#ifndef WORKERS_COPY_SMALL_H
#define WORKERS_COPY_SMALL_H
#include "workers/copy/engine/internal.h"

struct hand { /* of one helper */
    struct copy *copy;
    struct buffers *buf;
    struct hasher *hasher, *prover;
    bool repairs; /* what it writes is flushed at once */
};

int hand_init(struct hand *h, struct copy *c, struct err *err); /* hand_fini also after a failure */
void hand_fini(struct hand *h);
/* Read, hash, write to the part; nothing is written that an earlier attempt is believed to have. */
int hand_copy(struct hand *h, struct entry *e, struct err *err);
/* Read back; what was adopted and is wrong is written again. The part has been flushed. */
int hand_prove(struct hand *h, struct entry *e, struct err *err);
#endif
