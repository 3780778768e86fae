/* remove.c - the kind "remove": frees the instrument's Backup. README.md says how. */
#include "workers/remove/job.h"

static int64_t remove_threads(const struct config *cfg)
{
    return cfg->remove.threads;
}

/* It does write to the instrument, but needs no room there: a full disk must not hold it. A
 * read-only share does so when the kernel refuses the first change. */
static const struct worker_location remove_locations[] = {
    {"instrument", .write = false}, {"backup", .write = false}, {0}};

extern const struct worker_kind worker_remove;
const struct worker_kind worker_remove = {
    .name = "remove",
    .locations = remove_locations,
    .job_size = sizeof(struct remove_job),
    .decode = remove_decode,
    .steps = remove_steps,
    .result = remove_result,
    .destroy = remove_destroy,
    .threads = remove_threads,
};
