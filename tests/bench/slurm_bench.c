/*
 * slurm_bench.c - submit N jobs as the quant kind does, from [quant] threads threads, and wait
 * until each has its id: trawl-slurm-bench N TAG. The cluster is that of the configuration.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "workers/job/job.h"

#define THREADS_MAX 256

struct work {
    const struct config *cfg;
    const char *tag;
    long n;
    atomic_long next, failed;
};

static int submit_one(const struct work *w, long number)
{
    char key[100], name[JOB_NAME_MAX], output[500];
    struct err err = {0};
    int64_t id = 0;
    snprintf(key, sizeof key, "bench/%s/%ld", w->tag, number);
    snprintf(output, sizeof output, "%s/bench-%s/%ld",
             config_cluster_path(&w->cfg->location.output), w->tag, number);
    job_name(w->cfg, key, 1, name);
    AUTO(free) char *folder = job_folder(&engine_slurm, w->cfg, "bench", name);
    const struct job_spec spec = {.name = name,
                                  .folder = folder,
                                  .owner = key,
                                  .output = output,
                                  .worker_output = output,
                                  .exists_mode = "raise",
                                  .command = "true",
                                  .input = "",
                                  .results = "",
                                  .copy = "",
                                  .copy_variable = "",
                                  .mem = "50M",
                                  .time = "00:10:00",
                                  .cpus = 1};
    if (folder != NULL && job_submit(&engine_slurm, w->cfg, &spec, &id, &err) == 0) {
        return 0;
    }
    fprintf(stderr, "job %ld: %s\n", number, err.msg);
    return -1;
}

static void *submit_main(void *arg)
{
    struct work *w = arg;
    for (long number = w->next++; number < w->n; number = w->next++) {
        w->failed += submit_one(w, number) != 0;
    }
    return NULL;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    pthread_t threads[THREADS_MAX];
    log_init("trawl-slurm-bench", LOG_ERROR);
    if (argc != 3) {
        fputs("usage: trawl-slurm-bench N TAG\n", stderr);
        return 2;
    }
    AUTO(config_free) struct config *cfg = config_load(NULL, &err);
    if (cfg == NULL) {
        fprintf(stderr, "%s\n", err.msg);
        return 2;
    }
    struct work w = {.cfg = cfg, .tag = argv[2], .n = strtol(argv[1], NULL, 10)};
    int64_t n = cfg->quant.threads;
    for (int64_t i = 0; i < n; i++) {
        if (pthread_create(&threads[i], NULL, submit_main, &w) != 0) {
            return 1;
        }
    }
    for (int64_t i = 0; i < n; i++) {
        pthread_join(threads[i], NULL);
    }
    engine_slurm.close();
    return w.failed == 0 ? 0 : 1;
}
