#include "workers/job/states.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    enum job_fate fate;
} states[] = {
    {"PENDING", JOB_WAITS},        {"RUNNING", JOB_WAITS},       {"COMPLETING", JOB_WAITS},
    {"CONFIGURING", JOB_WAITS},    {"SUSPENDED", JOB_WAITS},     {"STOPPED", JOB_WAITS},
    {"REQUEUED", JOB_WAITS},       {"REQUEUE_FED", JOB_WAITS},   {"REQUEUE_HOLD", JOB_WAITS},
    {"SPECIAL_EXIT", JOB_WAITS},   {"RESIZING", JOB_WAITS},      {"SIGNALING", JOB_WAITS},
    {"STAGE_OUT", JOB_WAITS},      {"RESV_DEL_HOLD", JOB_WAITS}, {"POWER_UP_NODE", JOB_WAITS},
    {"COMPLETED", JOB_SUCCEEDED},  {"FAILED", JOB_FAILED},       {"TIMEOUT", JOB_FAILED},
    {"OUT_OF_MEMORY", JOB_FAILED}, {"DEADLINE", JOB_FAILED},     {"NODE_FAIL", JOB_LOST},
    {"PREEMPTED", JOB_LOST},       {"BOOT_FAIL", JOB_LOST},      {"LAUNCH_FAILED", JOB_LOST},
    {"RECONFIG_FAIL", JOB_LOST},   {"REVOKED", JOB_LOST},        {"SUPERSEDED", JOB_LOST},
    {"CANCELLED", JOB_CANCELLED},
};
#define STATES_COUNT (sizeof states / sizeof *states)

/* The first word; a '+' at its end says that the rest was cut off. STATES_COUNT: none. */
static size_t find(const char *state)
{
    size_t len = strcspn(state, " \t");
    bool cut = len >= 4 && state[len - 1] == '+';
    size_t compare = cut ? len - 1 : len;
    for (size_t i = 0; i < STATES_COUNT; i++) {
        if (strncmp(states[i].name, state, compare) == 0 &&
            (cut || states[i].name[compare] == '\0')) {
            return i;
        }
    }
    return STATES_COUNT;
}

enum job_fate states_fate(const char *state)
{
    size_t i = find(state);
    return i < STATES_COUNT ? states[i].fate : JOB_UNKNOWN;
}

const char *states_name(const char *state)
{
    size_t i = find(state);
    return i < STATES_COUNT ? states[i].name : "UNKNOWN";
}

static enum job_fate outcome_of(const struct job_word *word, const char *source,
                                struct job_outcome *out)
{
    *out = (struct job_outcome){.exit_code = word->exit_code, .elapsed_s = word->elapsed_s};
    snprintf(out->state, sizeof out->state, "%s", states_name(word->state));
    snprintf(out->source, sizeof out->source, "%s", source);
    return states_fate(word->state);
}

static bool ended(const struct job_word *word)
{
    enum job_fate fate = states_fate(word->state);
    return word->state[0] != '\0' && fate != JOB_WAITS && fate != JOB_UNKNOWN;
}

/* The engine's own account of an end; SLURM's is sacct, then scontrol, then squeue. */
static enum job_fate engine_says(const struct job_view *view, struct job_outcome *out)
{
    if (ended(&view->own)) {
        return outcome_of(&view->own, "engine", out);
    }
    if (ended(&view->sacct)) {
        return outcome_of(&view->sacct, "sacct", out);
    }
    if (ended(&view->scontrol)) {
        return outcome_of(&view->scontrol, "scontrol", out);
    }
    return ended(&view->squeue) ? outcome_of(&view->squeue, "squeue", out) : JOB_UNKNOWN;
}

static enum job_fate weigh(const struct job_view *view, struct job_outcome *out)
{
    *out = (struct job_outcome){
        .state = "UNKNOWN", .source = "none", .exit_code = -1, .elapsed_s = -1};
    const char *queue = view->squeue.state;
    enum job_fate queued = queue[0] != '\0' ? states_fate(queue) : JOB_UNKNOWN;
    bool may_end = strcmp(queue, "RUNNING") == 0 || strcmp(queue, "COMPLETING") == 0;
    if (ended(&view->wrapper) && states_fate(view->wrapper.state) == JOB_SUCCEEDED &&
        (queued != JOB_WAITS || may_end)) {
        return outcome_of(&view->wrapper, "wrapper", out);
    }
    if (queued == JOB_WAITS || (queue[0] != '\0' && queued == JOB_UNKNOWN)) {
        return JOB_WAITS; /* a state that we do not know, but the queue lists it */
    }
    struct job_outcome slurm = *out;
    enum job_fate fate = engine_says(view, &slurm);
    if (ended(&view->wrapper)) {
        /* The wrapper knows the exit code, SLURM knows why: over time, over memory, preempted. */
        enum job_fate wrapper = outcome_of(&view->wrapper, "wrapper", out);
        bool slurm_knows_why =
            fate != JOB_UNKNOWN && fate != JOB_SUCCEEDED && strcmp(slurm.state, "FAILED") != 0;
        if (!slurm_knows_why) {
            return wrapper;
        }
    }
    if (fate != JOB_UNKNOWN) {
        *out = slurm;
        return fate;
    }
    /* That sacct has it running means little once neither squeue nor slurmctld itself knows it: a
     * job that slurmctld forgot (it was killed, its state was restored) stays so there for ever. */
    return states_fate(view->scontrol.state) == JOB_WAITS ? JOB_WAITS : JOB_UNKNOWN;
}

enum job_fate states_decide(const struct job_view *view, struct job_outcome *out)
{
    enum job_fate fate = weigh(view, out);
    if (view->over_memory && (fate == JOB_FAILED || fate == JOB_CANCELLED)) {
        snprintf(out->state, sizeof out->state, "OUT_OF_MEMORY");
        fate = JOB_FAILED;
    }
    out->peak_mib = view->wrapper.peak_mib > 0 ? view->wrapper.peak_mib : -1;
    return fate;
}

bool states_may_run(const struct job_view *view, enum job_fate fate)
{
    const char *said = view->wrapper.state;
    bool runs = strcmp(said, "RUNNING") == 0;
    if (view->gone || (said[0] != '\0' && !runs)) {
        return false;
    }
    if (view->claimed || runs) {
        return true;
    }
    return fate != JOB_CANCELLED && !view->closed;
}
