/*
 * index.h - the kind "index": what is said about one raw file becomes what people search.
 */
#ifndef WORKERS_INDEX_INDEX_H
#define WORKERS_INDEX_INDEX_H
#include "workers/worker.h"

extern const struct worker_kind worker_index;
#endif
