/*
 * config.h - what an operator may set. One table (config_keys.c) parses, validates, prints help and
 * generates config/. Layers, later wins: built-in default, config/trawl.ini, config/<env>.ini,
 * environment TRAWL_<SECTION>_<KEY> (dots in a section become '_').
 *
 * After config_load the struct is const and passed in; there is no global configuration.
 */
#ifndef COMMON_CONFIG_CONFIG_H
#define COMMON_CONFIG_CONFIG_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/base/err.h"
#include "common/base/hash.h"
#include "common/base/own.h"

/* A location's path as each party sees it. */
struct config_location {
    char *worker;  /* our processes' mount */
    char *cluster; /* the SLURM nodes' path; the same as worker when empty */
    char *url;     /* for people's browsers; may be empty */
    char *limit;   /* common/base/bandwidth.h; only the backup has one */
};

#define POOL_MAX_SLOTS 4096 /* of one pool; each is a document */

struct config {
    struct {
        char *env;         /* local, sandbox, production: also the prefix of every topic */
        char *health_file; /* common/health.h */
    } trawl;
    struct {
        char *level;
    } log;
    struct {
        char *uri;      /* secret: may hold a password; shown masked */
        char *uri_file; /* holds the uri; already read into it by config_load */
        char *database;
        int64_t timeout_ms;
    } mongo;
    struct {
        char *brokers;
        char *security, *mechanism, *user, *password_file; /* common/bus/bus_security.c */
        char *ca_file, *cert_file, *key_file;
        int64_t partitions;
        int64_t session_ms;
        int64_t redispatch_ms;
    } kafka;
    struct {
        int64_t sweep_ms; /* full level-triggered pass */
        int64_t lease_ms; /* a standby takes over after this silence */
        int64_t poll_s;   /* default of the instruments */
        char *instruments_dir;
    } scheduler;
    struct {
        int64_t heartbeat_ms;
        int64_t lease_ms; /* silence after which a worker counts as lost */
    } worker;
    struct {
        int64_t max_attempts;
        int64_t base_ms; /* back-off: random in [0, min(max, base * 2^n)) */
        int64_t max_ms;
        int64_t max_lost;
        int64_t held_alert_s; /* a task that a busy source holds longer than this raises an alert */
    } retry;
    struct { /* days; 0: for ever */
        int64_t tasks_days, audit_days, alerts_days, mounts_days, tombstones_days;
        char *audit_dir; /* "": the audit is kept for ever */
    } retention;
    struct { /* sizes of pools that do not exist yet; afterwards MongoDB holds the live value */
        int64_t file_copy, cluster_slots, index, file_move, file_remove, s3_upload;
    } pool;
    struct {
        struct config_location backup, output, settings, slurm, software;
    } location;
    struct {
        bool require;         /* a location that was never initialised holds its tasks */
        int64_t check_s;      /* between two looks at every location */
        int64_t deadline_ms;  /* a look that takes longer hangs */
        int64_t min_free_mib; /* less room is none */
    } mount;
    struct {
        int64_t threads;      /* raw files copied at the same time by one worker process */
        char *digest;         /* none, md5 or sha256 beside XXH3-128 */
        int64_t s3_part_mib;  /* of an upload whose ETag is worked out, too; 0: none */
        int64_t streams;      /* parallel streams in one large file */
        int64_t chunk_mib;    /* unit of resumption and of a stream */
        int64_t file_threads; /* small files of one folder copied at the same time */
        bool readback;        /* read the target again from the disk before it gets its name */
    } copy;
    struct {
        int64_t limit_mib_per_s; /* of `trawl verify`; 0: none */
    } scrub;
    struct {
        int64_t threads;
        int64_t poll_s;         /* one look at all jobs of the cluster */
        bool seed;              /* make the msqc settings when there are no settings at all */
        char *engine;           /* what runs jobs whose settings do not say: slurm, local, file */
        char *without_settings; /* of a project none of whose settings apply: done_not_quanted,
                                   fallback */
        char *error_codes;      /* the site's own table of what logs mean; "" : none */
    } quant;
    struct {
        int64_t threads;
        int64_t linger_ms; /* changes of one raw file within this time are indexed together */
    } index;
    struct {
        int64_t threads;
    } move, remove;
    struct {
        char *hosts; /* host:port,host:port: the head nodes */
        char *user;
        char *key_file;
        bool agent;
        char *known_hosts;
        char *password_file;
        int64_t connect_ms;
        int64_t command_ms;
    } ssh;
    struct {
        char *partition;
        char *account;
        char *modules; /* loaded by the job script, separated by spaces */
    } slurm;
    struct {
        bool alphakraken;      /* its programs read this database */
        bool shadow;           /* watch and plan beside AlphaKraken, and do nothing */
        char *alphakraken_uri; /* secret: of AlphaKraken's database; "": none */
    } compat;
};

enum instrument_type {
    INSTRUMENT_THERMO,
    INSTRUMENT_BRUKER,
    INSTRUMENT_SCIEX,
    INSTRUMENT_GENERIC,
    INSTRUMENT_TYPE_COUNT
};

/* Sciex: without spectra in its .wiff.scan an acquisition ends when nothing of it has moved for so
 * long. */
#define INSTRUMENT_SCAN_QUIET_MS (24LL * 3600 * 1000)

/* config/instruments.d/<id>.ini, section [instrument]. Thresholds: docs/rules.md, "The end of an
 * acquisition". */
struct instrument {
    char *id; /* the file's name without .ini: [a-z0-9_-], at most 32 characters */
    enum instrument_type type;
    char *path;      /* worker view of the share's acquisition folder */
    char *glob;      /* generic only: names to take, e.g. *.mzML */
    char *main_file; /* generic folders only: the file inside whose size is watched */
    int64_t poll_s;
    int64_t still_s;      /* how long nothing may have moved before any rule says done (10) */
    int64_t quiet_s;      /* generic: unchanged this long = done; 0 = by the rules of the others */
    int64_t size_check_s; /* two equal sizes so far apart = done (3600) */
    int64_t missing_main_s;      /* no main file this long = failed (7200) */
    int64_t old_file_s;          /* so much older than the youngest = done (18000) */
    bool old_files_done;         /* whether the rule above holds (consider_old_files_acquired) */
    int64_t ignore_older_than_h; /* -1: never; older files get the status "ignored" */
    bool skip_processing;
    bool skip_quanting;
    int64_t max_copies;        /* at the same time (2) */
    int64_t file_move_delay_m; /* negative: never move */
    int64_t min_free_space_gb; /* <= 0: never remove */
    double min_file_age_days;
};

/*
 * Read the layers below config_dir (NULL: $TRAWL_CONFIG_DIR, else "config"). A missing trawl.ini is
 * fine, a named folder that is missing is not. An unknown key, a bad value or a line of over 199
 * bytes is INVALID, naming file, line, section and key, and nothing is applied. Freed with
 * config_free. Call once, before threads.
 */
struct config *config_load(const char *config_dir, struct err *err) OWNED
    __attribute__((nonnull(2)));
void config_free(struct config *c);
AUTO_DEFINE(struct config, config_free);

/* One instrument file. INVALID names file, line and key. Freed with instrument_free. */
struct instrument *instrument_load(const struct config *c, const char *file, struct err *err) OWNED
    __attribute__((nonnull));
void instrument_free(struct instrument *i);
AUTO_DEFINE(struct instrument, instrument_free);
const char *instrument_type_name(enum instrument_type t) __attribute__((returns_nonnull));

/* Whether somebody said which environment this is: a file or a variable, not the default. */
bool config_env_is_chosen(const struct config *c) __attribute__((nonnull));
/* Print what is in force, secrets masked; with origin the layer (file:line, environment, default).
 */
void config_show(const struct config *c, bool origin, bool json, FILE *out)
    __attribute__((nonnull));
/* The text of config/trawl.ini (and of an instrument file): every key, its meaning, its default. */
void config_template(FILE *out) __attribute__((nonnull));
void instrument_template(FILE *out) __attribute__((nonnull));
/* The size that a pool starts with; -1 for a name that is no pool. */
int64_t config_pool_default(const struct config *c, const char *pool) __attribute__((nonnull));
/* The path of a location for the cluster: its cluster view, or the worker's when that is empty. */
const char *config_cluster_path(const struct config_location *l) __attribute__((nonnull));
#endif
