/* kinds.c - the kinds that this build knows. */
#include "workers/worker.h"

extern const struct worker_kind worker_copy, worker_quant, worker_index, worker_move, worker_remove;

const struct worker_kind *const worker_kinds[] = {
    &worker_copy, &worker_quant, &worker_index, &worker_move, &worker_remove, NULL,
};
