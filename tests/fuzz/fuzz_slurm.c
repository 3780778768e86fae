/* fuzz_slurm.c - what a head node answers: squeue, sacct, scontrol and status.json lines, replies
 * to submissions, and times. */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "workers/job/engine_slurm.h"
#include "workers/job/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct job_watched jobs[] = {{.view = {.id = 1, .name = "a"}},
                                 {.view = {.id = 17, .name = "n1"}}};
    struct job_outcome outcome;
    struct job_result result;
    struct job_poll poll;
    char *text = malloc(size + 1);
    if (text == NULL) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    slurm_read_poll(text, jobs, 2, &poll);
    job_poll_fini(&poll);
    for (size_t i = 0; i < 2; i++) {
        enum job_fate fate = states_decide(&jobs[i].view, &outcome);
        if (fate == JOB_FATE_COUNT || memchr(outcome.state, '\0', sizeof outcome.state) == NULL) {
            abort();
        }
    }
    slurm_read_submit(text, "n1", &result);
    if ((result.answer == JOB_FOUND) != (result.id > 0)) {
        abort();
    }
    slurm_read_find(text, "n1", &result);
    char *lines = NULL;
    enum frame frame = frame_open("n", (const char *)data, size, &lines);
    if ((frame == FRAME_WHOLE) != (lines != NULL) || (lines != NULL && strlen(lines) > size)) {
        abort(); /* a nonce and the two lines of the frame are longer than what is made of a line */
    }
    free(lines);
    char shown[40];
    frame_show((const char *)data, size, shown, sizeof shown);
    if (elapsed_s(text) < -1) {
        abort();
    }
    free(text);
    return 0;
}
