/*
 * doctor_servers.c - the servers that this host must reach: MongoDB with its clock and our rights,
 * Kafka with its topics, the cluster's head nodes.
 *
 * Rights are tried and not read, because that is what a worker does. Nothing is written to a
 * database that is not ours, or is of another environment.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/bus/bus.h"
#include "common/db/schema.h"
#include "common/mount/location.h"
#include "common/raw/database_owner.h"
#include "common/ssh/ssh.h"
#include "ops/doctor_internal.h"

#define CLOCK_WARN_MS 1000
#define CLOCK_FAIL_MS 60000
#define SSH_PATIENCE  5000

/* --- MongoDB --- */

void doctor_add_clock(struct doctor *d, int64_t ahead_ms)
{
    int64_t off = ahead_ms < 0 ? -ahead_ms : ahead_ms;
    enum doctor_state s = off > CLOCK_FAIL_MS   ? DOCTOR_FAIL
                          : off > CLOCK_WARN_MS ? DOCTOR_WARN
                                                : DOCTOR_OK;
    if (s == DOCTOR_OK) {
        doctor_add(d, s, "clock", "", "MongoDB's clock and ours differ by %" PRId64 " ms", off);
        return;
    }
    doctor_add(d, s, "clock", "set the clocks of both hosts by NTP (chronyc tracking, timedatectl)",
               "MongoDB's clock is %" PRId64 " ms %s ours (at most %d ms are well, above %d s a "
               "host must not work): the turns of tasks, the ages at which originals are moved and "
               "removed, and all dates in trawl log follow the clocks of the hosts",
               off, ahead_ms > 0 ? "ahead of" : "behind", CLOCK_WARN_MS, CLOCK_FAIL_MS / 1000);
}

static bool is_our_database(const struct doctor_want *want, struct doctor *d)
{
    const struct config *cfg = want->cfg;
    struct err err = {0};
    bool shadow;
    if (database_is_ours(want->db, cfg->mongo.database, &shadow, &err) != 0) {
        doctor_add(d, DOCTOR_FAIL, "database",
                   "name Trawl's own database in [mongo] database, or end the import", "%s",
                   err.msg);
        return false;
    }
    if (schema_check(want->db, cfg->trawl.env, &err) != 0) {
        doctor_add(d, DOCTOR_FAIL, "environment",
                   "correct ENV or [trawl] env, [mongo] uri or database (trawl config show "
                   "--origin), or install the newer version",
                   "%s", err.msg);
        return false;
    }
    doctor_add(d, DOCTOR_OK, "environment", "", "database %s is of the environment %s%s",
               cfg->mongo.database, cfg->trawl.env, shadow ? ", as a shadow" : "");
    return true;
}

/* A document of this host's own comes and goes. */
static int try_to_write(struct db *db, struct err *err)
{
    char host[64];
    bool won;
    int64_t deleted;
    location_host(host, sizeof host);
    AUTO(bson_destroy) bson_t *mine = BCON_NEW("_id", BCON_UTF8(host));
    AUTO(bson_destroy)
    bson_t *update = BCON_NEW("$set", "{", "at", BCON_DATE_TIME(wall_ms()), "}");
    return db_upsert(db, DB_DOCTOR, mine, update, &won, err) == 0 &&
                   db_delete(db, DB_DOCTOR, mine, &deleted, err) == 0
               ? 0
               : -1;
}

static void try_rights(const struct doctor_want *want, struct doctor *d)
{
    struct err err = {0};
    AUTO(bson_destroy) bson_t *first = NULL;
    AUTO(bson_destroy) bson_t *any = BCON_NEW("_id", "{", "$gt", BCON_UTF8(""), "}");
    if (try_to_write(want->db, &err) != 0 ||
        db_find_one(want->db, DB_RAW_FILES, any, &first, &err) != 0) {
        doctor_add(d, DOCTOR_FAIL, "MongoDB rights",
                   "give the user of [mongo] uri the role readWrite on the database", "%s",
                   err.msg);
        return;
    }
    doctor_add(d, DOCTOR_OK, "MongoDB rights", "",
               "wrote and deleted a document in " DB_DOCTOR ", read " DB_RAW_FILES);
}

bool doctor_look_at_mongo(const struct doctor_want *want, struct doctor *d)
{
    struct err err = *want->db_trouble;
    struct db_server server;
    if (want->db == NULL || db_hello(want->db, &server, &err) != 0) {
        doctor_add(d, DOCTOR_FAIL, DOCTOR_MONGO,
                   "check that MongoDB runs, and [mongo] uri (trawl config show)", "%s", err.msg);
        return false;
    }
    doctor_add(d, DOCTOR_OK, DOCTOR_MONGO, "", "%s answers: wire version %" PRId64 ", %s%s",
               db_hosts(want->db), server.wire_version,
               server.replica_set[0] != '\0' ? "replica set " : "no replica set",
               server.replica_set);
    doctor_add_clock(d, server.ahead_ms);
    if (!is_our_database(want, d)) {
        return false;
    }
    try_rights(want, d);
    return true;
}

/* --- Kafka --- */

/* Topics are the leader's to make, so a host that is set up first misses none. */
void doctor_look_at_kafka(const struct doctor_want *want, struct doctor *d)
{
    struct err err = {0};
    AUTO(bus_free) struct bus *bus = bus_new(want->cfg, "trawl", &err);
    __attribute__((cleanup(auto_strbuf_fini))) struct strbuf missing = {0};
    if (bus == NULL || bus_missing_topics(bus, want->kinds, &missing, &err) != 0) {
        doctor_add(d, DOCTOR_FAIL, "Kafka",
                   "check that a broker runs at [kafka] brokers and that this host reaches it, and "
                   "[kafka] security, user and ca_file (trawl config show)",
                   "%s: %s", want->cfg->kafka.brokers, err.msg);
        return;
    }
    doctor_add(d, DOCTOR_OK, "Kafka", "", "%s answers", want->cfg->kafka.brokers);
    if (missing.data[0] != '\0') {
        doctor_add(d, DOCTOR_WARN, "topics", "start trawl-scheduler: the leader makes the topics",
                   "not there: %s", missing.data);
        return;
    }
    doctor_add(d, DOCTOR_OK, "topics", "", "those of the kinds are there");
}

/* --- the cluster --- */

static bool log_in(const struct config *cfg, const struct ssh_host *host, struct err *err)
{
    struct ssh_login login = ssh_login_of(cfg, host);
    login.connect_ms = login.connect_ms < SSH_PATIENCE ? login.connect_ms : SSH_PATIENCE;
    AUTO(ssh_close) struct ssh *ssh = ssh_open(&login, err);
    return ssh != NULL;
}

/* Work goes on as long as one of them answers. */
void doctor_look_at_head_nodes(const struct doctor_want *want, struct doctor *d)
{
    struct ssh_host hosts[SSH_HOSTS];
    struct err err[SSH_HOSTS] = {0}, bad = {0};
    size_t n = 0, well = 0;
    if (ssh_hosts_parse(want->cfg->ssh.hosts, hosts, &n, &bad) != 0) {
        doctor_add(d, DOCTOR_FAIL, "head node", "name the head nodes in [ssh] hosts", "%s",
                   bad.msg);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        well += log_in(want->cfg, &hosts[i], &err[i]);
    }
    for (size_t i = 0; i < n; i++) {
        char check[96], remedy[240];
        snprintf(check, sizeof check, "head node %.60s:%d", hosts[i].host, hosts[i].port);
        snprintf(remedy, sizeof remedy,
                 "check [ssh] user, key_file and known_hosts; the host's key: trawl cluster trust "
                 "%.100s:%d",
                 hosts[i].host, hosts[i].port);
        if (err[i].kind == ERR_NONE) {
            doctor_add(d, DOCTOR_OK, check, "", "the host's key is known, and %s logs in",
                       want->cfg->ssh.user);
        } else {
            doctor_add(d, well > 0 ? DOCTOR_WARN : DOCTOR_FAIL, check, remedy, "%s", err[i].msg);
        }
    }
}
