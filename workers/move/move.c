/* move.c - the kind "move": from the instrument's folder into its Backup. README.md says how. */
#include "workers/move/job.h"

static int64_t move_threads(const struct config *cfg)
{
    return cfg->move.threads;
}

/* It does write to the instrument, but needs no room there: a full disk must not hold it. A
 * read-only share does so when the kernel refuses the first change. */
static const struct worker_location move_locations[] = {
    {"instrument", .write = false}, {"backup", .write = false}, {0}};

extern const struct worker_kind worker_move;
const struct worker_kind worker_move = {
    .name = "move",
    .locations = move_locations,
    .job_size = sizeof(struct move_job),
    .decode = move_decode,
    .steps = move_steps,
    .result = move_result,
    .destroy = move_destroy,
    .threads = move_threads,
};
