/*
 * test_retire_fixture.h - an instrument, a pool and a raw file's document in a temporary folder;
 * what the runner would give a kind; and death before any change of the file system. Included by
 * one test program each.
 */
#ifndef TESTS_RETIRE_FIXTURE_H
#define TESTS_RETIRE_FIXTURE_H
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/fs.h"
#include "common/base/hash.h"
#include "common/base/path.h"
#include "common/config/config.h"
#include "workers/worker.h"

#define MONTH       "2026_11"
#define WORLD(test) cmocka_unit_test_setup_teardown(test, world_new, world_free)
#define SPARE       __attribute__((unused)) static

struct world {
    char root[64], inst[96], pool[96], backup[128]; /* backup: of the instrument */
    bson_t *raw;                                    /* what db_find_id gives; NULL: nothing */
    bson_t files, members;
    uint32_t n_files, n_members;
    struct config cfg;
    bson_t *kept;
    enum err_kind stop; /* run_check answers with it at its stop_at-th call */
    int stop_at;
    int checks;              /* calls of run_check */
    void (*on_check)(int n); /* called by the n-th, or NULL */
    int finds, damaged_at;   /* calls of db_find_id; from which on the backup is marked damaged */
    bool moved_on;           /* no guarded update of the raw file wins */
    int die_at;              /* SIGKILL before this change of the file system; 0: never */
    int changes;
    int refuse; /* the errno of every rename and unlink, as another's open handle gives; 0: none */
};
static struct world w;

/* --- the runner's and the database's part: tests/CMakeLists.txt wraps the latter --- */

int __wrap_db_find_id(struct db *db, const char *coll, const char *id, bson_t **out,
                      struct err *err);
int __wrap_db_update(struct db *db, const char *coll, const bson_t *filter, const bson_t *update,
                     bool *won, struct err *err);

int run_check(struct run *run, struct err *err)
{
    (void)run;
    if (w.on_check != NULL) {
        w.on_check(++w.checks);
    }
    if (w.stop != ERR_NONE && --w.stop_at <= 0) {
        return ERR(err, w.stop, 0, "stopped");
    }
    return 0;
}

void run_progress(struct run *run, int64_t done, int64_t total)
{
    (void)run;
    (void)done;
    (void)total;
}

int run_keep(struct run *run, const bson_t *fields, struct err *err)
{
    (void)run;
    (void)err;
    if (w.kept != NULL) {
        bson_destroy(w.kept);
    }
    w.kept = bson_copy(fields);
    return 0;
}

int __wrap_db_find_id(struct db *db, const char *coll, const char *id, bson_t **out,
                      struct err *err)
{
    (void)db;
    (void)coll;
    (void)id;
    (void)err;
    *out = w.raw != NULL ? bson_copy(w.raw) : NULL;
    if (++w.finds == w.damaged_at) {
        BSON_APPEND_BOOL(*out, "backup_damaged", true);
    }
    return 0;
}

int __wrap_db_update(struct db *db, const char *coll, const bson_t *filter, const bson_t *update,
                     bool *won, struct err *err)
{
    (void)db;
    (void)coll;
    (void)update;
    (void)err;
    *won = !w.moved_on && doc_i64(filter, "rev", 0) == doc_i64(w.raw, "rev", 0);
    return 0;
}

/* --- death: these take the place of libc's --- */

static void change(void)
{
    if (++w.changes == w.die_at) {
        kill(getpid(), SIGKILL);
    }
}

int renameat2(int a, const char *from, int b, const char *to, unsigned flags)
{
    change();
    if (w.refuse != 0) {
        errno = w.refuse;
        return -1;
    }
    return (int)syscall(SYS_renameat2, a, from, b, to, flags);
}

int unlinkat(int dir, const char *name, int flags)
{
    change();
    if (w.refuse != 0) {
        errno = w.refuse;
        return -1;
    }
    return (int)syscall(SYS_unlinkat, dir, name, flags);
}

int fsync(int fd)
{
    change();
    return (int)syscall(SYS_fsync, fd);
}

/* Run fn in a child that dies before its n-th change; false when it came to its end. */
SPARE bool dies_at(int n, void (*fn)(void))
{
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        w.die_at = n;
        w.changes = 0;
        fn();
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGKILL);
        return true;
    }
    assert_int_equal(status, 0);
    return false;
}

/* --- files --- */

SPARE const char *at(const char *folder, const char *relative)
{
    static char paths[8][PATH_MAX];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, PATH_MAX, "%s/%s", folder, relative);
    return path;
}

SPARE void put(const char *folder, const char *relative, const char *text)
{
    struct err err = {0};
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, relative);
    *strrchr(path, '/') = '\0';
    assert_int_equal(fs_mkdirs(path, &err), 0);
    FILE *f = fopen(at(folder, relative), "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

SPARE bool there(const char *folder, const char *relative)
{
    struct stat st;
    return lstat(at(folder, relative), &st) == 0;
}

SPARE void assert_text(const char *folder, const char *relative, const char *text)
{
    struct err err = {0};
    char *found = fs_read(at(folder, relative), 1 << 20, NULL, &err);
    if (found == NULL) {
        fail_msg("%s: %s", relative, err.msg);
    }
    assert_string_equal(found, text);
    free(found);
}

/* --- the raw file --- */

/* A file that was backed up: it is in the pool and in the record. */
SPARE void record_file(const char *path, const char *text)
{
    char hex[HASH_XXH_HEX], key[16];
    hash_mem(text, strlen(text), hex);
    put(w.pool, path, text);
    char *escaped = path_escape(path);
    snprintf(key, sizeof key, "%u", w.n_files++);
    BCON_APPEND(&w.files, key, "{", "path", BCON_UTF8(escaped), "size",
                BCON_INT64((int64_t)strlen(text)), "xxh3", BCON_UTF8(hex), "}");
    free(escaped);
}

SPARE void add_member(const char *from, const char *to)
{
    char key[16];
    snprintf(key, sizeof key, "%u", w.n_members++);
    BCON_APPEND(&w.members, key, "{", "from", BCON_UTF8(from), "to", BCON_UTF8(to), "}");
}

/* The document, once all files are known; more is appended to it. */
SPARE void make_raw(const char *id, const char *status)
{
    char base[128];
    snprintf(base, sizeof base, "%s/qe1/" MONTH, w.cfg.location.backup.worker);
    if (w.raw != NULL) {
        bson_destroy(w.raw);
    }
    w.raw = BCON_NEW("_id", BCON_UTF8(id), "instrument_id", "qe1", "backup_status",
                     BCON_UTF8("copying_done"), "instrument_file_status", BCON_UTF8(status),
                     "backup_base_path", BCON_UTF8(base), "files", BCON_ARRAY(&w.files), "watch",
                     "{", "members", BCON_ARRAY(&w.members), "}");
}

SPARE bson_t *make_task(const char *id, const char *type)
{
    return BCON_NEW("_id", "t", "raw_file", BCON_UTF8(id), "input", "{", "source_root",
                    BCON_UTF8(w.inst), "type", BCON_UTF8(type), "members", BCON_ARRAY(&w.members),
                    "}");
}

/* --- a whole run, as the runner does it --- */

struct outcome_seen {
    int rc;
    struct err err;
    bson_t *result; /* when rc is 0 */
};

SPARE void seen_free(struct outcome_seen *s)
{
    if (s->result != NULL) {
        bson_destroy(s->result);
    }
    s->result = NULL;
}

SPARE struct outcome_seen run_kind(const struct worker_kind *kind, const char *type)
{
    struct outcome_seen s = {0};
    bson_t *task = make_task("x", type);
    void *job = calloc(1, kind->job_size);
    assert_non_null(job);
    void *nobody_looks_inside = &w;
    *(struct job_base *)job =
        (struct job_base){.cfg = &w.cfg, .db = nobody_looks_inside, .run = nobody_looks_inside};
    s.rc = kind->decode(job, task, &s.err);
    for (const struct worker_step *step = kind->steps; s.rc == 0 && step->name != NULL; step++) {
        s.rc = step->run(job, &s.err);
    }
    if (s.rc == 0) {
        s.result = bson_new();
        kind->result(job, s.result);
    }
    kind->destroy(job);
    free(job);
    bson_destroy(task);
    return s;
}

/* The same as somebody who may not read what has no permissions: root may read all. */
SPARE struct outcome_seen run_kind_as_nobody(const struct worker_kind *kind, const char *type)
{
    uid_t me = geteuid();
    if (me == 0) {
        assert_int_equal(seteuid(65534), 0);
    }
    struct outcome_seen s = run_kind(kind, type);
    assert_int_equal(seteuid(me), 0);
    return s;
}

SPARE void holds_as_busy(struct outcome_seen s, const char *why)
{
    if (s.rc == 0 || s.err.kind != ERR_HOLD || strstr(s.err.msg, why) == NULL) {
        fail_msg("rc %d, %s: '%s', expected hold: '%s'", s.rc, err_kind_name(s.err.kind), s.err.msg,
                 why);
    }
    assert_int_equal(s.err.code, ERR_CODE_SOURCE_BUSY);
}

static int world_new(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    if (test_folder(w.root, sizeof w.root, "test_retire") == NULL || chmod(w.root, 0755) != 0) {
        return -1;
    }
    snprintf(w.inst, sizeof w.inst, "%s/qe1", w.root);
    snprintf(w.backup, sizeof w.backup, "%s/Backup", w.inst);
    snprintf(w.pool, sizeof w.pool, "%s/pool/qe1/" MONTH, w.root);
    struct err err = {0};
    char *pool = NULL;
    if (fs_mkdirs(w.inst, &err) != 0 || fs_mkdirs(w.pool, &err) != 0 ||
        asprintf(&pool, "%s/pool", w.root) < 0) {
        return -1;
    }
    w.cfg.trawl.env = strdup("production");
    w.cfg.location.backup.worker = pool;
    w.cfg.location.backup.cluster = strdup("");
    bson_init(&w.files);
    bson_init(&w.members);
    return 0;
}

static int world_free(void **state)
{
    (void)state;
    char command[192];
    snprintf(command, sizeof command, "chmod -R u+rwx %s && rm -rf %s", w.root, w.root);
    free(w.cfg.trawl.env);
    free(w.cfg.location.backup.worker);
    free(w.cfg.location.backup.cluster);
    bson_destroy(&w.files);
    bson_destroy(&w.members);
    if (w.raw != NULL) {
        bson_destroy(w.raw);
    }
    if (w.kept != NULL) {
        bson_destroy(w.kept);
    }
    return system(command);
}
#endif
