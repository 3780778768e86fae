/* copy.c - the kind "copy": a raw file into the backup, with proof. README.md is its contract. */
#include <stdlib.h>

#include "workers/copy/job.h"

static int64_t copy_threads(const struct config *cfg)
{
    return cfg->copy.threads;
}

static void copy_close(void *arg)
{
    struct copy_shared *s = arg;
    bandwidth_free(s->limit);
    free(s);
}

static void *copy_open(const struct config *cfg, struct err *err)
{
    struct copy_shared *s = calloc(1, sizeof *s);
    if (s == NULL) {
        ERR(err, ERR_FATAL, 0, "out of memory");
        return NULL;
    }
    if (bandwidth_parse(cfg->location.backup.limit, &s->schedule, err) != 0 ||
        (!bandwidth_is_none(&s->schedule) &&
         (s->limit = bandwidth_new(bandwidth_by_clock, &s->schedule, err)) == NULL)) {
        copy_close(s);
        return NULL;
    }
    return s;
}

static const struct worker_location copy_locations[] = {
    {"instrument", false}, {"backup", true}, {0}};

extern const struct worker_kind worker_copy;
const struct worker_kind worker_copy = {
    .name = "copy",
    .locations = copy_locations,
    .job_size = sizeof(struct copy_job),
    .decode = copy_decode,
    .steps = copy_steps,
    .result = copy_result,
    .destroy = copy_destroy,
    .threads = copy_threads,
    .open = copy_open,
    .close = copy_close,
};
