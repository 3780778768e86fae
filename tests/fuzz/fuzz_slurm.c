/* fuzz_slurm.c - what a head node answers: squeue, sacct, scontrol and status.json lines, replies
 * to submissions, and times. */
#include <stdlib.h>
#include <string.h>

#include "workers/quant/slurm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct job_view views[] = {{.id = 1, .name = "a"}, {.id = 17, .name = "n1"}};
    struct job_outcome outcome;
    struct slurm_result result;
    struct slurm_poll poll;
    char *text = malloc(size + 1);
    if (text == NULL) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    slurm_read_poll(text, views, 2, &poll);
    for (size_t i = 0; i < 2; i++) {
        enum job_fate fate = states_decide(&views[i], &outcome);
        if (fate == JOB_FATE_COUNT || memchr(outcome.state, '\0', sizeof outcome.state) == NULL) {
            abort();
        }
    }
    slurm_read_submit(text, "n1", &result);
    if ((result.answer == SLURM_JOB) != (result.id > 0)) {
        abort();
    }
    slurm_read_find(text, "n1", &result);
    if (slurm_reply_whole(text) && size < 10) {
        abort(); /* "trawl|end\n" is the shortest */
    }
    if (elapsed_s(text) < -1) {
        abort();
    }
    free(text);
    return 0;
}
