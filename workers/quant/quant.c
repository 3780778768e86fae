#include "workers/quant/quant.h"

#include "workers/quant/files.h"

static const struct worker_step quant_steps[] = {
    {"prepare", quant_prepare},
    {"submit", quant_submit},
    {"collect", quant_collect},
    {"store", quant_store},
    {0},
};

/* Looked at for what is there already, and for the results. */
static const struct worker_location quant_locations[] = {{"output", false}, {0}};

static int watch(void **keep, const struct job_base *base, struct err *err)
{
    return job_watch("quant", keep, base, err);
}

static int64_t watch_ms(const struct config *cfg)
{
    return cfg->quant.poll_s * 1000;
}

static int64_t threads(const struct config *cfg)
{
    return cfg->quant.threads;
}

static void *open_shared(const struct config *cfg, struct err *err)
{
    (void)cfg;
    return files_seen_new(err);
}

static void close_shared(void *shared)
{
    files_seen_free(shared);
}

const struct worker_kind worker_quant = {
    .name = "quant",
    .locations = quant_locations,
    .job_size = sizeof(struct quant_job),
    .decode = quant_decode,
    .steps = quant_steps,
    .result = quant_result,
    .parked = quant_parked,
    .destroy = quant_destroy,
    .watch = watch,
    .watch_free = job_watch_free,
    .watch_ms = watch_ms,
    .threads = threads,
    .open = open_shared,
    .close = close_shared,
};
