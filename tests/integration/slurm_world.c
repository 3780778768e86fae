#include "slurm_world.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/fs.h"
#include "common/base/path.h"
#include "common/task/task.h"
#include "test.h"
#include "workers/job/cluster.h"

struct world world;

/* Something to point at: the fakes never look. */
static void *nothing(void)
{
    return &world;
}

/* --- fakes: the runner and the database of one task --- */

int run_check(struct run *run, struct err *err)
{
    (void)run;
    return world.cancel ? ERR(err, ERR_CANCELLED, 0, "cancelled") : 0;
}

static void take(const bson_t *fields, const char *key, char *to, size_t room)
{
    bson_iter_t at;
    if (bson_iter_init_find(&at, fields, key)) {
        snprintf(to, room, "%s", bson_iter_utf8(&at, NULL));
    }
}

int run_keep(struct run *run, const bson_t *fields, struct err *err)
{
    bson_iter_t at;
    (void)run;
    (void)err;
    if (bson_iter_init_find(&at, fields, "kept.job_id")) {
        world.kept_id = bson_iter_as_int64(&at);
    }
    take(fields, "kept.job_name", world.kept_name, sizeof world.kept_name);
    take(fields, "kept.output", world.kept_output, sizeof world.kept_output);
    take(fields, "kept.log_tail", world.log_tail, sizeof world.log_tail);
    return 0;
}

int task_note_wait(struct db *db, const char *task, int64_t fence, const char *state,
                   struct err *err)
{
    (void)db;
    (void)err;
    assert_string_equal(task, world.task_id);
    assert_int_equal(fence, world.fence);
    assert_true(state[0] != '\0');
    return 0;
}

int task_ended(struct db *db, const char *task, int64_t fence, const bson_t *ended, bool *won,
               struct err *err)
{
    (void)db;
    (void)err;
    assert_string_equal(task, world.task_id);
    assert_int_equal(fence, world.fence);
    *won = true;
    world.ended = true;
    world.outcome = (struct job_outcome){.exit_code = (int)doc_i64(ended, "exit_code", -9),
                                         .elapsed_s = doc_i64(ended, "elapsed_s", -9)};
    snprintf(world.outcome.state, sizeof world.outcome.state, "%s", doc_str(ended, "state", ""));
    snprintf(world.outcome.source, sizeof world.outcome.source, "%s", doc_str(ended, "source", ""));
    return 0;
}

static bson_t *task_document(void)
{
    AUTO(free) char *raw = path_escape(world.raw);
    AUTO(free) char *backup = NULL;
    AUTO(free) char *output = NULL;
    assert_true(asprintf(&backup, "test1/2026_11/%s", raw) > 0);
    assert_true(asprintf(&output, "P1/out_%s/msqc", raw) > 0);
    bson_t *doc = BCON_NEW(
        "_id", BCON_UTF8(world.task_id), "kind", "quant", "fence", BCON_INT64(world.fence), "input",
        "{", "backup_path", BCON_UTF8(backup), "output_relative", BCON_UTF8(output), "project_id",
        "P1", "raw_file_id", BCON_UTF8(raw), "instrument_type", "generic", "output_exists_mode",
        BCON_UTF8(world.exists_mode), "settings", "{", "name", "qc", "version", BCON_INT64(2),
        "software_type", "msqc", "metrics_type", "msqc", "slurm_cpus_per_task", BCON_INT64(1),
        "slurm_mem", "50M", "slurm_time", BCON_UTF8(world.slurm_time), "num_threads", BCON_INT64(1),
        "}", "}", "kept", "{", "job_id", BCON_INT64(world.kept_id), "job_name",
        BCON_UTF8(world.kept_name), "output", BCON_UTF8(world.kept_output), "}");
    bson_t sub, ended;
    if (world.cancel) {
        BSON_APPEND_DOCUMENT_BEGIN(doc, "cancel", &sub);
        BSON_APPEND_UTF8(&sub, "by", "test");
        bson_append_document_end(doc, &sub);
    }
    if (world.parked) {
        BSON_APPEND_DOCUMENT_BEGIN(doc, "parked", &sub);
        BSON_APPEND_INT64(&sub, "job_id", world.parked_id);
        BSON_APPEND_UTF8(&sub, "job_name", world.parked_name);
        BSON_APPEND_UTF8(&sub, "folder", world.parked_folder);
        BSON_APPEND_UTF8(&sub, "engine", world.cfg.quant.engine);
        if (world.ended) {
            BSON_APPEND_DOCUMENT_BEGIN(&sub, "ended", &ended);
            BSON_APPEND_UTF8(&ended, "state", world.outcome.state);
            BSON_APPEND_UTF8(&ended, "source", world.outcome.source);
            BSON_APPEND_INT32(&ended, "exit_code", world.outcome.exit_code);
            BSON_APPEND_INT64(&ended, "elapsed_s", world.outcome.elapsed_s);
            bson_append_document_end(&sub, &ended);
        }
        bson_append_document_end(doc, &sub);
    }
    return doc;
}

int db_each(struct db *db, const char *coll, const bson_t *filter, const bson_t *opts,
            db_doc_fn *fn, void *ctx, struct err *err)
{
    (void)db;
    (void)opts;
    if (strcmp(coll, DB_ALERTS) == 0) {
        return 0;
    }
    assert_string_equal(coll, DB_TASKS);
    assert_string_equal(doc_str(filter, "state", ""), "parked");
    AUTO(bson_destroy) bson_t *doc = task_document();
    return world.parked ? fn(ctx, doc, err) : 0;
}

int db_find_id(struct db *db, const char *coll, const char *id, bson_t **out, struct err *err)
{
    (void)db, (void)coll, (void)id, (void)err;
    *out = NULL;
    return 0;
}

/* Of the sweep for jobs that nobody knows: there are none here. */
int db_count(struct db *db, const char *coll, const bson_t *filter, int64_t *out, struct err *err)
{
    (void)db;
    (void)err;
    assert_string_equal(coll, DB_TASKS);
    *out = strcmp(doc_str(filter, "kept.job_name", ""), world.kept_name) == 0;
    return 0;
}

int db_update(struct db *db, const char *coll, const bson_t *filter, const bson_t *update,
              bool *won, struct err *err)
{
    (void)db;
    (void)filter;
    (void)update;
    (void)err;
    assert_string_equal(coll, DB_ALERTS);
    *won = true;
    return 0;
}

int db_upsert(struct db *db, const char *coll, const bson_t *filter, const bson_t *update,
              bool *won, struct err *err)
{
    (void)db;
    (void)filter;
    (void)err;
    assert_string_equal(coll, DB_METRICS);
    *won = true;
    snprintf(world.metrics_id, sizeof world.metrics_id, "%s", doc_str(update, "$set.trawl_id", ""));
    bson_destroy(world.metrics);
    world.metrics = bson_copy(update);
    return 0;
}

/* --- the world --- */

const char *world_env(const char *name)
{
    const char *value = getenv(name);
    assert_non_null(value);
    return value;
}

static long number(const char *name, long otherwise)
{
    const char *value = getenv(name);
    return value != NULL ? strtol(value, NULL, 10) : otherwise;
}

struct cuts world_cuts(struct cuts usual)
{
    return (struct cuts){.step = number("TRAWL_TEST_CUT_STEP", usual.step),
                         .from = number("TRAWL_TEST_CUT_FROM", usual.from)};
}

void world_shell(const char *format, ...)
{
    AUTO(free) char *line = NULL;
    va_list ap;
    va_start(ap, format);
    assert_true(vasprintf(&line, format, ap) > 0);
    va_end(ap);
    assert_int_equal(system(line), 0);
}

static char *below(const char *name)
{
    char *path = NULL;
    assert_true(asprintf(&path, "%s/%s", world.root, name) > 0);
    assert_true(mkdir(path, 0777) == 0 && chmod(path, 0777) == 0);
    return path;
}

static void set_config(void)
{
    struct config *c = &world.cfg;
    struct config_location *const locations[] = {&c->location.backup, &c->location.output,
                                                 &c->location.slurm, &c->location.software,
                                                 &c->location.settings};
    const char *const names[] = {"backup", "output", "slurm", "software", "settings"};
    for (size_t i = 0; i < 5; i++) {
        *locations[i] =
            (struct config_location){.worker = below(names[i]), .cluster = strdup(""), .url = NULL};
    }
    c->ssh.hosts = strdup(world_env("TRAWL_SSH_HOSTS"));
    c->ssh.user = strdup(world_env("TRAWL_SSH_USER"));
    c->ssh.key_file = strdup(world_env("TRAWL_SSH_KEY_FILE"));
    c->ssh.known_hosts = strdup(world_env("TRAWL_SSH_KNOWN_HOSTS"));
    c->ssh.password_file = strdup("");
    c->ssh.connect_ms = 5000;
    c->ssh.command_ms = 30000;
    c->slurm.partition = strdup("");
    c->slurm.account = strdup("");
    c->slurm.modules = strdup("");
    c->quant.error_codes = strdup("");
    c->quant.engine = strdup("slurm");
    c->trawl.env = strdup("test");
    c->mongo.database = strdup("test");
}

static void write_text(const char *path, const char *text)
{
    struct err err = {0};
    if (fs_write(path, text, strlen(text), &err) != 0) {
        fail_msg("%s", err.msg);
    }
    chmod(path, 0755);
}

void world_new(const char *name, const char *script)
{
    static int count;
    struct err err = {0};
    cluster_close();
    world = (struct world){.fence = 6, .attempt = 1, .exists_mode = "raise", .slurm_time = "5:00"};
    assert_non_null(test_folder(world.root, sizeof world.root, "trawl-slurm"));
    chmod(world.root, 0777);
    set_config();
    snprintf(world.raw, sizeof world.raw, "%s", name);
    snprintf(world.task_id, sizeof world.task_id, "raw-%d-%d/quant/qc-v2", (int)getpid(), count++);
    AUTO(free) char *folder = NULL;
    AUTO(free) char *raw = NULL;
    AUTO(free) char *tool = NULL;
    AUTO(free) char *program = NULL;
    assert_true(asprintf(&folder, "%s/backup/test1/2026_11", world.root) > 0);
    assert_true(asprintf(&raw, "%s/%s", folder, name) > 0);
    assert_true(asprintf(&tool, "%s/software/trawl-msqc", world.root) > 0);
    assert_true(
        asprintf(&program, "#!/bin/bash\nOUT=$2\necho ran >>%s/ran\n. \"$1\"\n", world.root) > 0);
    assert_int_equal(fs_mkdirs(folder, &err), 0);
    write_text(raw, script);
    write_text(tool, program);
}

void world_remove(void)
{
    cluster_close();
    world_shell("rm -rf %s", world.root);
    bson_destroy(world.metrics);
    struct config *c = &world.cfg;
    struct config_location *const locations[] = {&c->location.backup, &c->location.output,
                                                 &c->location.slurm, &c->location.software,
                                                 &c->location.settings};
    for (size_t i = 0; i < 5; i++) {
        free(locations[i]->worker);
        free(locations[i]->cluster);
    }
    char *const texts[] = {c->ssh.hosts,       c->ssh.user,          c->ssh.key_file,
                           c->ssh.known_hosts, c->ssh.password_file, c->slurm.partition,
                           c->slurm.account,   c->slurm.modules,     c->quant.error_codes};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        free(texts[i]);
    }
    world = (struct world){0};
}

static int run_steps(struct quant_job *job, struct err *err)
{
    for (const struct worker_step *step = worker_quant.steps; step->name != NULL; step++) {
        int rc = step->run(job, err);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

int world_attempt(struct err *err)
{
    struct quant_job job = {0};
    world.fence++;
    job.base = (struct job_base){.cfg = &world.cfg,
                                 .db = nothing(),
                                 .run = nothing(),
                                 .task_id = world.task_id,
                                 .worker = "test",
                                 .attempt = world.attempt,
                                 .fence = world.fence};
    AUTO(bson_destroy) bson_t *doc = task_document();
    assert_int_equal(worker_quant.decode(&job, doc, err), 0);
    int rc = run_steps(&job, err);
    world.parked = rc == STEP_PARK;
    if (rc == STEP_PARK) {
        bson_t parked = BSON_INITIALIZER;
        worker_quant.parked(&job, &parked);
        world.ended = false;
        world.parked_id = doc_i64(&parked, "job_id", 0);
        snprintf(world.parked_name, sizeof world.parked_name, "%s",
                 doc_str(&parked, "job_name", ""));
        snprintf(world.parked_folder, sizeof world.parked_folder, "%s",
                 doc_str(&parked, "folder", ""));
        bson_destroy(&parked);
    }
    worker_quant.destroy(&job);
    return rc;
}

void world_watch(void)
{
    void *keep = NULL;
    int64_t until = mono_ms() + 60000;
    struct job_base base = {.cfg = &world.cfg, .db = nothing(), .worker = "test"};
    while (!world.ended) {
        struct err err = {0};
        if (worker_quant.watch(&keep, &base, &err) != 0) {
            fail_msg("watch: %s", err.msg);
        }
        if (mono_ms() > until) {
            fail_msg("job %ld did not end within 60 s", (long)world.parked_id);
        }
        if (!world.ended) {
            mono_sleep_ms(100);
        }
    }
    worker_quant.watch_free(keep);
}

int world_run(struct err *err)
{
    int rc = world_attempt(err);
    if (rc == STEP_PARK) {
        world_watch();
        rc = world_attempt(err);
    }
    return rc;
}

int world_ran(void)
{
    struct err err = {0};
    AUTO(free) char *path = NULL;
    assert_true(asprintf(&path, "%s/ran", world.root) > 0);
    AUTO(free) char *text = fs_read(path, 10000, NULL, &err);
    int lines = 0;
    for (const char *c = text; c != NULL && *c != '\0'; c++) {
        lines += *c == '\n';
    }
    return lines;
}

double world_metric(const char *name)
{
    bson_t set;
    bson_iter_t at;
    assert_non_null(world.metrics);
    assert_true(doc_sub(world.metrics, "$set", &set));
    assert_true(bson_iter_init_find(&at, &set, name));
    return bson_iter_as_double(&at);
}

/* --- the proxy --- */

struct proxy {
    pthread_t thread;
    int listen_fd, to_port;
    long cut;
    atomic_long answered;
    atomic_bool stop;
};

static int dial(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port),
                            .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    return connect(fd, (struct sockaddr *)&a, sizeof a) == 0 ? fd : -1;
}

/* One direction; false when the connection is over or cut. */
static bool pass(struct proxy *p, int from, int to, bool answer)
{
    char buf[4096];
    ssize_t n = recv(from, buf, sizeof buf, 0);
    if (n <= 0) {
        return false;
    }
    if (answer && p->cut > 0 && p->answered + n > p->cut) {
        n = p->cut - p->answered;
    }
    bool ok = send(to, buf, (size_t)n, MSG_NOSIGNAL) == n;
    if (answer) {
        p->answered += n;
    }
    return ok && !(answer && p->cut > 0 && p->answered >= p->cut);
}

static void serve(struct proxy *p, int client)
{
    int server = dial(p->to_port);
    struct pollfd fds[2] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};
    bool open = server >= 0;
    while (open && !p->stop) {
        if (poll(fds, 2, 50) <= 0) {
            continue;
        }
        open = (fds[0].revents == 0 || pass(p, client, server, false)) &&
               (fds[1].revents == 0 || pass(p, server, client, true));
    }
    close(client);
    if (server >= 0) {
        close(server);
    }
}

static void *proxy_main(void *arg)
{
    struct proxy *p = arg;
    while (!p->stop) {
        struct pollfd one = {.fd = p->listen_fd, .events = POLLIN};
        if (poll(&one, 1, 50) != 1) {
            continue;
        }
        int client = accept4(p->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (client >= 0 && p->cut > 0 && p->answered >= p->cut) {
            close(client); /* once cut, the way stays closed */
        } else if (client >= 0) {
            serve(p, client);
        }
    }
    return NULL;
}

struct proxy *proxy_start(int to_port, long cut, int *port)
{
    struct proxy *p = calloc(1, sizeof *p);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof a;
    assert_non_null(p);
    p->to_port = to_port;
    p->cut = cut;
    p->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(bind(p->listen_fd, (struct sockaddr *)&a, sizeof a) == 0);
    assert_true(listen(p->listen_fd, 4) == 0);
    assert_true(getsockname(p->listen_fd, (struct sockaddr *)&a, &len) == 0);
    *port = ntohs(a.sin_port);
    assert_int_equal(pthread_create(&p->thread, NULL, proxy_main, p), 0);
    return p;
}

long proxy_stop(struct proxy *p)
{
    p->stop = true;
    pthread_join(p->thread, NULL);
    long answered = p->answered;
    close(p->listen_fd);
    free(p);
    return answered;
}
