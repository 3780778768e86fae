/*
 * The one table of what an operator may set, and the one of an instrument's file. They parse,
 * validate, show, and generate config/: a new key is a field in config.h and a line here.
 */
#include "common/config/config_keys.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define AT(sec, key) .section = #sec, .name = #key, .offset = offsetof(struct config, sec.key)

#define TEXT(value)              .type = CONFIG_TEXT, .def = (value)
#define INT(value, least, most)  .type = CONFIG_INT, .def = (value), .min = (least), .max = (most)
#define BOOL(value)              .type = CONFIG_BOOL, .def = (value)
#define REAL(value, least, most) .type = CONFIG_REAL, .def = (value), .min = (least), .max = (most)
#define ONE_OF(words)            .choices = (words)
#define HELP(text)               .help = (text)

#define LOCATION(sec, what)                                                                        \
    {AT(sec, worker), TEXT(""), .flags = CONFIG_ABSOLUTE,                                          \
     HELP(what ", as Trawl's processes see it.")},                                                 \
        {AT(sec, cluster), TEXT(""), .flags = CONFIG_ABSOLUTE,                                     \
         HELP("The same folder as the cluster's nodes see it. Empty: as worker.")},                \
    {                                                                                              \
        AT(sec, url), TEXT(""), HELP("The same folder for people's browsers. Empty: no links.")    \
    }

#define MINUTE_MS 60000
#define HOUR_MS   3600000
#define DAY_S     86400

#define RETENTION_DAYS 36500

static const struct config_key main_keys[] = {
    {AT(trawl, env), TEXT("local"),
     HELP("Name of this environment (a-z 0-9 _ -, at most 32): prefix of every Kafka topic. The "
          "variable ENV sets it too; <env>.ini is read after trawl.ini.")},
    {AT(trawl, health_file), TEXT(""), .flags = CONFIG_ABSOLUTE,
     HELP("File that a scheduler or worker marks every second, for --healthy. One process, one "
          "file; in a container of its own. Empty: none.")},
    {AT(log, level), TEXT("info"), ONE_OF("debug info warn error"),
     HELP("The least important level that is logged.")},
    {AT(mongo, uri), TEXT("mongodb://127.0.0.1:27017"), .flags = CONFIG_SECRET | CONFIG_REQUIRED,
     HELP("MongoDB connection string. With a password in it, use uri_file or TRAWL_MONGO_URI.")},
    {AT(mongo, uri_file), TEXT(""), HELP("File that holds the connection string, instead of uri.")},
    {AT(mongo, database), TEXT("trawl"), .flags = CONFIG_REQUIRED, HELP("Name of the database.")},
    {AT(mongo, timeout_ms), INT("5000", 100, 10 * MINUTE_MS), HELP("Deadline of every call.")},
    {AT(kafka, brokers), TEXT("127.0.0.1:9092"), .flags = CONFIG_REQUIRED,
     HELP("host:port of the first brokers to ask, separated by commas.")},
    {AT(kafka, security), TEXT("plaintext"), ONE_OF("plaintext ssl sasl_plaintext sasl_ssl"),
     HELP("How the brokers are talked to: ssl is TLS, sasl a login by user and password.")},
    {AT(kafka, mechanism), TEXT("SCRAM-SHA-256"), ONE_OF("SCRAM-SHA-256 SCRAM-SHA-512 PLAIN"),
     HELP("How the login proves the password; PLAIN shows it to the broker.")},
    {AT(kafka, user), TEXT(""), HELP("The user of the login. Its rights: docs/operators.md.")},
    {AT(kafka, password_file), TEXT(""),
     HELP("File that holds the user's password; a changed one is used at the next login.")},
    {AT(kafka, ca_file), TEXT(""),
     HELP("Certificates (PEM) of the authorities that may sign a broker's. Empty: those that the "
          "system trusts.")},
    {AT(kafka, cert_file), TEXT(""),
     HELP("Certificate (PEM) that this client shows to the brokers. Empty: none.")},
    {AT(kafka, key_file), TEXT(""), HELP("Private key (PEM) of cert_file, without a passphrase.")},
    {AT(kafka, partitions), INT("8", 1, 1000),
     HELP("Partitions of our topics: the most worker processes of one kind. A topic with fewer "
          "gets more, one with more keeps them.")},
    {AT(kafka, session_ms), INT("10000", 1000, 30 * MINUTE_MS),
     HELP("How long a worker that died keeps its partitions, and a new one waits for some. The "
          "broker's group.min.session.timeout.ms is the least, 6000 unless it was changed.")},
    {AT(kafka, redispatch_ms), INT("1000", 10, HOUR_MS),
     HELP("An admitted task that no worker has claimed after this time is sent again.")},
    {AT(scheduler, sweep_ms), INT("1000", 10, HOUR_MS),
     HELP("Time between two full passes over everything; events cause smaller passes in "
          "between.")},
    {AT(scheduler, lease_ms), INT("8000", 100, HOUR_MS),
     HELP("A standby scheduler takes over when the leader has been silent for this time.")},
    {AT(scheduler, poll_s), INT("10", 1, DAY_S),
     HELP("Time between two looks at an instrument's folder, unless its file says otherwise.")},
    {AT(scheduler, instruments_dir), TEXT(NULL),
     HELP("Folder of the instruments' files; a relative path starts at the working directory. "
          "Not set: instruments.d in the folder of trawl.ini.")},
    {AT(worker, heartbeat_ms), INT("1000", 50, HOUR_MS),
     HELP("Time between two signs of life; each extends the lease of every task that the worker "
          "has.")},
    {AT(worker, lease_ms), INT("30000", 100, HOUR_MS),
     HELP("A worker that has been silent for this time counts as lost; at least 3 heartbeats.")},
    {AT(retry, max_attempts), INT("5", 1, 1000),
     HELP("After so many attempts that failed for temporary reasons, a task is dead until an "
          "operator retries it.")},
    {AT(retry, base_ms), INT("1000", 1, HOUR_MS),
     HELP("Back-off before attempt n+1: random, below base_ms * 2^n and below max_ms.")},
    {AT(retry, max_ms), INT("300000", 1, 24 * HOUR_MS), HELP("The longest back-off.")},
    {AT(retry, max_lost), INT("10", 1, 1000),
     HELP("After so many of its workers died while they ran it, a task is dead until an "
          "operator retries it, because it may be what kills them.")},
    {AT(retry, held_alert_s), INT("3600", 1, 30 * 24 * 3600),
     HELP("After this time an alert shows a task that waits because another program has its "
          "original open, or because the share refuses it. The task resumes without help in any "
          "case.")},
    {AT(retention, tasks_days), INT("90", 0, RETENTION_DAYS),
     HELP(
         "A task that was done so many days ago keeps its state, times and figures, and loses what "
         "others have: its input's lists and settings, its result's lists. 0: nothing is "
         "taken. `trawl retention` shows what is due.")},
    {AT(retention, audit_dir), TEXT(""), .flags = CONFIG_ABSOLUTE,
     HELP("Folder that the leading scheduler writes old entries of `trawl log` to, as JSON lines, "
          "before it removes them. Empty: all entries stay in the database.")},
    {AT(retention, audit_days), INT("730", 0, RETENTION_DAYS),
     HELP("Days that entries of `trawl log` stay, where audit_dir is set; 0: for ever.")},
    {AT(retention, alerts_days), INT("365", 0, RETENTION_DAYS),
     HELP("Days after which an alert that is over is removed; 0: never.")},
    {AT(retention, mounts_days), INT("30", 0, RETENTION_DAYS),
     HELP("Days after which the last view of a share is removed whose host reports no more; 0: "
          "never.")},
    {AT(retention, tombstones_days), INT("30", 0, RETENTION_DAYS),
     HELP("Days that the index remembers what a raw file is no longer part of, so that an index "
          "task from before cannot bring it back; 0: for ever.")},
    {AT(pool, file_copy), INT("3", 0, POOL_MAX_SLOTS),
     HELP("Slots for copying. The sizes here apply only when a pool is first made; from then on "
          "MongoDB holds the size, and `trawl pool set` changes it.")},
    {AT(pool, cluster_slots), INT("30", 0, POOL_MAX_SLOTS), HELP("Slots for cluster jobs.")},
    {AT(pool, index), INT("4", 0, POOL_MAX_SLOTS), HELP("Slots for indexing.")},
    {AT(pool, file_move), INT("2", 0, POOL_MAX_SLOTS), HELP("Slots for moving on instruments.")},
    {AT(pool, file_remove), INT("1", 0, POOL_MAX_SLOTS),
     HELP("Slots for removing from instruments.")},
    {AT(pool, s3_upload), INT("2", 0, POOL_MAX_SLOTS), HELP("Slots for uploading.")},
    LOCATION(location.backup, "Folder of the raw files' copies"),
    {AT(location.backup, limit), TEXT(""),
     HELP("The most that all copies of one worker process read together: MiB/s, or by hours of "
          "the local day, as in 08-18:50,18-08:0. 0, and hours that are not named: no limit. A "
          "copy that resumes on another host reads what it has again, also at this rate.")},
    LOCATION(location.output, "Folder of the results"),
    LOCATION(location.settings, "Folder of the settings' files"),
    LOCATION(location.slurm, "Folder of the job scripts"),
    LOCATION(location.software, "Folder of the programs that jobs run"),
    {AT(mount, require), BOOL("false"),
     HELP("Refuse a location until `trawl mount init` was run for it; set this in production. "
          "From then on its identity is required in any case.")},
    {AT(mount, check_s), INT("60", 1, DAY_S),
     HELP("Time between two checks of every location, besides the check before each step of a "
          "task.")},
    {AT(mount, deadline_ms), INT("5000", 50, 10 * MINUTE_MS),
     HELP("A location that does not answer within this time hangs: its tasks wait, others "
          "continue.")},
    {AT(mount, min_free_mib), INT("16", 0, 1000000000),
     HELP("With less free space than this, a location counts as full for everything that writes "
          "to it, MiB.")},
    {AT(copy, threads), INT("2", 1, 64),
     HELP("Raw files that one worker process copies at the same time.")},
    {AT(copy, digest), TEXT("none"), ONE_OF("none md5 sha256"),
     HELP("A second hash beside XXH3-128; md5 fills AlphaKraken's file_info. With "
          "compat.alphakraken the default is md5.")},
    {AT(copy, s3_part_mib), INT("0", 0, 5120),
     HELP("Also compute, in the same pass, the ETag that S3 gives to an upload in parts of so "
          "many MiB (AlphaKraken: 100); 0: do not.")},
    {AT(copy, streams), INT("4", 1, 64), HELP("Parallel streams in one large file.")},
    {AT(copy, chunk_mib), INT("16", 1, 1024), HELP("Unit of a stream and of resumption, MiB.")},
    {AT(copy, file_threads), INT("8", 1, 256),
     HELP("Small files of one folder that are copied at the same time.")},
    {AT(copy, readback), BOOL("true"),
     HELP("Read the copy again from the disk and compare it before it gets its final name.")},
    {AT(scrub, limit_mib_per_s), INT("0", 0, 1000000),
     HELP("trawl verify reads backups no faster than this, MiB/s; 0: no limit.")},
    {AT(quant, threads), INT("16", 1, 256),
     HELP("Cluster jobs that one worker process prepares or collects at the same time.")},
    {AT(quant, poll_s), INT("10", 1, 3600), HELP("Time between two looks at all cluster jobs.")},
    {AT(quant, seed), BOOL("true"),
     HELP("Make the msqc settings when the database has no settings at all.")},
    {AT(quant, engine), TEXT("slurm"), ONE_OF("slurm local file"),
     HELP("What runs a job whose settings name no engine: slurm; local: a process on the "
          "worker's host, in [location.slurm] worker; file: the program that takes job files "
          "from job_queue in the output location.")},
    {AT(quant, without_settings), TEXT("done_not_quanted"), ONE_OF("done_not_quanted fallback"),
     HELP("What becomes of a raw file when no settings of its project apply to it: "
          "done_not_quanted, as in AlphaKraken; fallback: it is quantified with the settings of "
          "_FALLBACK.")},
    {AT(quant, error_codes), TEXT(""), .flags = CONFIG_ABSOLUTE,
     HELP("File with lines 'software-type code text': a failed job whose log contains the text "
          "gets the code. It is searched before the built-in table.")},
    {AT(index, threads), INT("1", 1, 64),
     HELP("Raw files that one worker process indexes at the same time.")},
    {AT(index, linger_ms), INT("1000", 0, HOUR_MS),
     HELP("Changes of one raw file within this time are indexed together.")},
    {AT(move, threads), INT("2", 1, 64),
     HELP("Raw files that one worker process moves into Backup at the same time.")},
    {AT(remove, threads), INT("1", 1, 64),
     HELP("Raw files that one worker process removes from Backup at the same time.")},
    {AT(ssh, hosts), TEXT(""),
     HELP("host:port of the cluster's head nodes, separated by commas; the first that answers "
          "is used.")},
    {AT(ssh, user), TEXT(""), HELP("The cluster user.")},
    {AT(ssh, key_file), TEXT(""), HELP("Private key, Ed25519 or ECDSA.")},
    {AT(ssh, agent), BOOL("false"),
     HELP("Without a key_file: log in with the keys of the SSH agent at $SSH_AUTH_SOCK.")},
    {AT(ssh, known_hosts), TEXT(""),
     HELP("The head nodes' public keys, as OpenSSH has them: one file, or several separated by "
          "blanks. An unknown host and a @revoked key are refused; host certificates are not "
          "checked.")},
    {AT(ssh, password_file), TEXT(""),
     HELP("File that holds the user's password, if the cluster takes no key.")},
    {AT(ssh, connect_ms), INT("10000", 100, 10 * MINUTE_MS), HELP("Deadline of connecting.")},
    {AT(ssh, command_ms), INT("60000", 100, HOUR_MS), HELP("Deadline of one command.")},
    {AT(slurm, partition), TEXT(""), HELP("Partition of the jobs. Empty: SLURM's default.")},
    {AT(slurm, account), TEXT(""), HELP("Account of the jobs. Empty: SLURM's default.")},
    {AT(slurm, modules), TEXT(""),
     HELP("Environment modules that the job script loads, separated by spaces.")},
    {AT(compat, alphakraken), BOOL("false"),
     HELP("AlphaKraken's web pages, monitoring, REST API or MCP server read this database: the "
          "leading scheduler writes kraken_status, and copy.digest is md5 unless it is set, which "
          "fills file_info.")},
    {AT(compat, shadow), BOOL("false"),
     HELP("Run beside an AlphaKraken that does the work: Trawl watches the instruments and plans, "
          "in "
          "a new database of its own, and admits no task; `trawl shadow` compares. It ends with "
          "`trawl import alphakraken --switch`.")},
    {AT(compat, alphakraken_uri), TEXT(""), .flags = CONFIG_SECRET,
     HELP("AlphaKraken's database, as mongodb://host:27017/krakendb: what `trawl shadow` compares "
          "with and `trawl import alphakraken --switch` takes over. It is only read.")},
};
static_assert(sizeof main_keys / sizeof *main_keys <= CONFIG_KEYS_MAX, "origin has room for all");
const struct config_keys config_keys = {main_keys, sizeof main_keys / sizeof *main_keys};

#undef AT
#define AT(key) .section = "instrument", .name = #key, .offset = offsetof(struct instrument, key)

static const struct config_key one_instrument[] = {
    {AT(type), .type = CONFIG_CHOICE, .flags = CONFIG_REQUIRED, .def = NULL,
     ONE_OF("thermo bruker sciex generic"),
     HELP("What kind of files it writes: .raw, .d, .wiff and what belongs to it, or by glob.")},
    {AT(path), TEXT(NULL), .flags = CONFIG_REQUIRED | CONFIG_ABSOLUTE,
     HELP("The share's acquisition folder, as Trawl's processes see it.")},
    {AT(glob), TEXT(""), HELP("generic only, and needed there: names to take, e.g. *.mzML.")},
    {AT(main_file), TEXT(""),
     HELP("generic only, for folders: the file inside whose size is watched.")},
    {AT(poll_s), INT(NULL, 1, DAY_S),
     HELP("Time between two looks at the folder. Not set: [scheduler] poll_s.")},
    {AT(still_s), INT("10", 0, 7 * DAY_S),
     HELP("No acquisition ends before every size, time and name of what belongs to the raw file "
          "has been unchanged for this time.")},
    {AT(quiet_s), INT(NULL, 0, 7 * DAY_S),
     HELP("An acquisition that has not changed for this time is done; 0: the rules below decide. "
          "Not set: 60 for generic, otherwise 0.")},
    {AT(size_check_s), INT("3600", 1, 7 * DAY_S),
     HELP("Time between two checks of the main file's size; two equal sizes: done.")},
    {AT(missing_main_s), INT("7200", 1, 7 * DAY_S),
     HELP("An acquisition without a main file for this time has failed.")},
    {AT(old_file_s), INT("18000", 1, 3650LL * DAY_S),
     HELP("An acquisition that is this much older than the youngest in the folder is done, if "
          "old_files_done.")},
    {AT(old_files_done), BOOL("false"), HELP("Whether old_file_s applies.")},
    {AT(ignore_older_than_h), INT("-1", -1, 1000000),
     HELP("Raw files that are older than this when they are found get the status ignored; -1: "
          "none.")},
    {AT(skip_processing), BOOL("false"), HELP("Copy only: no cluster job.")},
    {AT(skip_quanting), BOOL("false"), HELP("Go through processing, but submit no job.")},
    {AT(max_copies), INT("2", 1, 1000), HELP("Copies from this instrument at the same time.")},
    {AT(file_move_delay_m), INT("5", -1, 1000000),
     HELP("Minutes from the copy to the move into the instrument's Backup; negative: never.")},
    {AT(min_free_space_gb), INT("-1", -1, 10000000),
     HELP("Remove raw files from Backup when less than this is free; 0 or less: never.")},
    {AT(min_file_age_days), REAL("14", 0, 36500),
     HELP("Remove no raw file that is younger than this.")},
};
static_assert(sizeof one_instrument / sizeof *one_instrument <= CONFIG_KEYS_MAX, "room for all");
const struct config_keys instrument_keys = {one_instrument,
                                            sizeof one_instrument / sizeof *one_instrument};

const struct config_key *config_find(const struct config_keys *keys, const char *section,
                                     const char *name)
{
    for (size_t i = 0; i < keys->n; i++) {
        const struct config_key *k = &keys->at[i];
        if (strcmp(k->section, section) == 0 && strcmp(k->name, name) == 0) {
            return k;
        }
    }
    return NULL;
}

void config_variable(const struct config_key *k, char name[static CONFIG_VARIABLE_MAX])
{
    int n = snprintf(name, CONFIG_VARIABLE_MAX, "TRAWL_%s_%s", k->section, k->name);
    assert(n > 0 && n < CONFIG_VARIABLE_MAX);
    for (char *c = name; *c != '\0'; c++) {
        *c = *c == '.' ? '_' : (char)toupper((unsigned char)*c);
    }
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein's distance, one row at a time. */
size_t config_distance(const char *a, const char *b)
{
    enum { LONGEST = 63 };
    size_t row[LONGEST + 1];
    size_t la = strnlen(a, LONGEST), lb = strnlen(b, LONGEST);
    for (size_t j = 0; j <= lb; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= la; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t swapped = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = least(swapped, least(row[j], row[j - 1]) + 1);
        }
    }
    return row[lb];
}

/* The right name in the wrong section is near, too. */
const struct config_key *config_nearest(const struct config_keys *keys, const char *section,
                                        const char *name)
{
    const struct config_key *best = NULL;
    size_t best_distance = 4;
    for (size_t i = 0; i < keys->n; i++) {
        const struct config_key *k = &keys->at[i];
        size_t in_name = config_distance(k->name, name);
        size_t d = in_name == 0 ? least(3, config_distance(k->section, section))
                                : in_name + config_distance(k->section, section);
        if (d < best_distance) {
            best = k;
            best_distance = d;
        }
    }
    return best;
}
