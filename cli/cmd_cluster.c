/*
 * cmd_cluster.c - trawl cluster trust|strays|cancel: the head nodes' keys, and jobs that belong to
 * no task.
 *
 * trust asks the host for its keys, shows them, and adds to [ssh] known_hosts only those that the
 * options allow, each with its entry in the audit. strays lists the documents in which the worker
 * that watches the cluster reports jobs of no task; cancel marks one of them, and that worker stops
 * the job.
 */
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "cli/args.h"
#include "cli/table.h"
#include "common/base/clock.h"
#include "common/base/human.h"
#include "common/db/doc_json.h"
#include "common/ssh/ssh.h"
#include "ops/act.h"

/* --- trust --- */

static json_t *key_json(const struct ssh_host_key *k)
{
    return json_pack("{s:s, s:s, s:b, s:b, s:b}", "type", k->type, "fingerprint", k->fingerprint,
                     "known", (int)k->known, "changed", (int)k->changed, "revoked",
                     (int)k->revoked);
}

static int show_keys(struct cli *c, const struct ssh_host_key *keys, size_t n, struct err *err)
{
    AUTO(json_decref) json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        if (c->json) {
            json_array_append_new(list, key_json(&keys[i]));
        } else if (!c->quiet) {
            fprintf(c->out, "%-22s %s  %s\n", keys[i].type, keys[i].fingerprint,
                    keys[i].known     ? "known"
                    : keys[i].revoked ? "REVOKED"
                    : keys[i].changed ? "CHANGED"
                                      : "unknown");
        }
    }
    return c->json ? json_print(TAKE(list), c->out, err) : 0;
}

struct wish {
    const char *fingerprint; /* NULL: any */
    bool any, replace;
};

struct key_adding {
    struct cli *c;
    const struct args *args;
    const struct ssh_login *login;
    struct wish wish;
};

struct one_key {
    const struct ssh_login *login;
    const struct ssh_host_key *key;
};

static int run_add_key(void *ctx, bool *won, bson_t *after, struct err *err)
{
    const struct one_key *o = ctx;
    BCON_APPEND(after, "type", BCON_UTF8(o->key->type), "fingerprint",
                BCON_UTF8(o->key->fingerprint), "known_hosts", BCON_UTF8(o->login->known_hosts));
    *won = ssh_host_trust(o->login, o->key, err) == 0;
    return *won ? 0 : -1;
}

static int add_key(const struct key_adding *t, struct ssh_host_key *k, struct err *err)
{
    struct one_key one = {t->login, k};
    AUTO(bson_destroy)
    bson_t *before = BCON_NEW("fingerprint", BCON_UTF8(k->changed ? "another" : "none"));
    const struct act act = {&t->c->ops, "cluster trust", t->args->words[0], before};
    bool won;
    if (act_run(&act, run_add_key, &one, &won, err) != 0) {
        return -1;
    }
    k->known = true;
    k->changed = false;
    return 0;
}

/* Add the keys that the options allow; *taken: how many are trusted now. */
static enum cli_exit add_keys(const struct key_adding *t, struct ssh_host_key *keys, size_t n,
                              size_t *taken, struct err *err)
{
    const struct wish *w = &t->wish;
    *taken = 0;
    for (size_t i = 0; i < n; i++) {
        struct ssh_host_key *k = &keys[i];
        bool wanted =
            w->any || (w->fingerprint != NULL && strcmp(w->fingerprint, k->fingerprint) == 0);
        if (wanted && k->revoked) {
            return cli_fail(err, CLI_REFUSED,
                            "the key %s is marked @revoked in %s: give the host a new key, or "
                            "delete that line if it is wrong",
                            k->fingerprint, t->login->known_hosts);
        }
        if (wanted && k->changed && !w->replace) {
            return cli_fail(err, CLI_REFUSED,
                            "%s has another key for this host, which now shows %s: if the change "
                            "is right, add --replace",
                            t->login->known_hosts, k->fingerprint);
        }
        if (wanted && !k->known && add_key(t, k, err) != 0) {
            return cli_exit_of(err);
        }
        *taken += k->known;
    }
    return CLI_OK;
}

static enum cli_exit cmd_cluster_trust(struct cli *c, const struct args *a, struct err *err)
{
    struct ssh_host host;
    struct ssh_host_key keys[SSH_HOST_KEYS];
    size_t n = 0, taken = 0;
    const struct config *cfg = c->ops.cfg;
    const struct wish wish = {args_get(a, "fingerprint"), args_get(a, "first-use") != NULL,
                              args_get(a, "replace") != NULL};
    if (!ssh_host_parse(a->words[0], strlen(a->words[0]), &host)) {
        return cli_fail(err, CLI_USAGE, "'%s' is no host:port", a->words[0]);
    }
    if (cfg->ssh.known_hosts[0] == '\0') {
        return cli_fail(err, CLI_USAGE,
                        "[ssh] known_hosts is not set: name the file that keeps the keys");
    }
    const struct ssh_login login = {.host = host.host,
                                    .port = host.port,
                                    .user = "",
                                    .key_file = "",
                                    .password_file = "",
                                    .known_hosts = cfg->ssh.known_hosts,
                                    .connect_ms = cfg->ssh.connect_ms};
    if (ssh_host_keys(&login, keys, &n, err) != 0) {
        return CLI_AWAY;
    }
    const struct key_adding key_adding = {c, a, &login, wish};
    enum cli_exit e = add_keys(&key_adding, keys, n, &taken, err);
    if (show_keys(c, keys, n, err) != 0 || e != CLI_OK) {
        return e != CLI_OK ? e : cli_exit_of(err);
    }
    if (taken > 0) {
        return CLI_OK;
    }
    return wish.fingerprint != NULL
               ? cli_fail(err, CLI_NO, "%s shows no key with the fingerprint %s", a->words[0],
                          wish.fingerprint)
               : cli_fail(err, CLI_NO,
                          "not trusted; compare the fingerprint on the host itself, then "
                          "trawl cluster trust --fingerprint SHA256:… %s",
                          a->words[0]);
}

static const struct cli_option cluster_trust_options[] = {
    {"fingerprint", "SHA256:…", "add the host's key that has this fingerprint"},
    {"first-use", NULL, "add every key that the host shows now"},
    {"replace", NULL, "replace another key that is known for the host"},
    {"why", "TEXT", "the reason, kept in trawl log"},
    {0},
};

const struct command command_cluster_trust = {
    .name = "cluster trust",
    .args = "<host>[:port]",
    .brief = "add a head node's key to [ssh] known_hosts; without an option: show it",
    .help =
        "Nothing else ever adds a key. Compare the fingerprint with the one on the host itself:\n"
        "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub. Exit 1 when the host is not trusted. A "
        "key\n"
        "that known_hosts marks @revoked is never added.",
    .options = cluster_trust_options,
    .min_words = 1,
    .max_words = 1,
    .need = NEED_DB,
    .run = cmd_cluster_trust};

/* --- jobs that belong to no task --- */

static struct docs *read_strays(struct cli *c, int64_t job, struct err *err)
{
    AUTO(bson_destroy)
    bson_t *filter = BCON_NEW("kind", BCON_UTF8("stray_job"), "open", BCON_BOOL(true));
    AUTO(bson_destroy) bson_t *opts = BCON_NEW("sort", "{", "at", BCON_INT32(-1), "}");
    if (job > 0) {
        BSON_APPEND_INT64(filter, "job_id", job);
    }
    return docs_read(c->ops.db, &(struct docs_query){DB_ALERTS, filter, opts}, err);
}

static int print_strays(struct cli *c, const struct docs *d, struct err *err)
{
    static const struct column columns[] = {
        {.title = "JOB", .right = true},     {.title = "NAME", .min = 20, .rank = 2},
        {.title = "SINCE", .right = true},   {.title = "SEEN", .right = true, .rank = 1},
        {.title = "CANCELLED BY", .min = 8}, {0},
    };
    AUTO(table_free) struct table *t = table_new(columns, err);
    for (size_t i = 0; t != NULL && i < d->n; i++) {
        const bson_t *s = d->items[i];
        char since[TEXT_SHORT], seen[TEXT_SHORT];
        table_cellf(t, STYLE_PLAIN, "%" PRId64, doc_i64(s, "job_id", 0));
        table_cell(t, STYLE_DIM, doc_str(s, "raw_file", "?"));
        table_cell(t, STYLE_PLAIN, text_age(doc_i64(s, "at", 0), wall_ms(), since));
        table_cell(t, STYLE_PLAIN, text_age(doc_i64(s, "seen_at", 0), wall_ms(), seen));
        table_cell(t, STYLE_PLAIN, doc_str(s, "cancel.by", ""));
    }
    return t == NULL ? -1 : table_print(t, &(struct table_look){c->width, c->color}, c->out, err);
}

static enum cli_exit cmd_cluster_strays(struct cli *c, const struct args *a, struct err *err)
{
    (void)a;
    AUTO(docs_free) struct docs *d = read_strays(c, 0, err);
    if (d == NULL) {
        return cli_exit_of(err);
    }
    int rc = c->json ? json_print(json_of_docs(d), c->out, err) : print_strays(c, d, err);
    return rc != 0 ? cli_exit_of(err) : d->n > 0 ? CLI_NO : CLI_OK;
}

const struct command command_cluster_strays = {
    .name = "cluster strays",
    .args = "",
    .brief = "jobs on the cluster that belong to no task",
    .help = "As the worker that watches the cluster last saw them. Exit 1 when there are any.",
    .need = NEED_DB,
    .run = cmd_cluster_strays};

static enum cli_exit cmd_cluster_cancel(struct cli *c, const struct args *a, struct err *err)
{
    int64_t job = 0;
    bool won = false;
    const struct args_number number = {"<job>", 1, INT64_MAX, 0};
    if (text_i64(a->words[0], &number, &job, err) != 0) {
        return CLI_USAGE;
    }
    AUTO(docs_free) struct docs *d = read_strays(c, job, err);
    if (d == NULL) {
        return cli_exit_of(err);
    }
    if (d->n == 0) {
        return cli_fail(
            err, CLI_MISSING,
            "%s is not among the jobs that belong to no task (trawl cluster strays); to stop a "
            "task's job: trawl task cancel",
            a->words[0]);
    }
    AUTO(bson_destroy)
    bson_t *filter =
        BCON_NEW("_id", BCON_UTF8(doc_str(d->items[0], "_id", "")), "open", BCON_BOOL(true));
    AUTO(bson_destroy)
    bson_t *update = BCON_NEW("$set", "{", "cancel", "{", "by", BCON_UTF8(c->ops.by), "at",
                              BCON_DATE_TIME(wall_ms()), "}", "}");
    AUTO(bson_destroy)
    bson_t *before = BCON_NEW("job_name", BCON_UTF8(doc_str(d->items[0], "raw_file", "")));
    const struct act act = {&c->ops, "cluster cancel", a->words[0], before};
    if (act_update(&act, DB_ALERTS, filter, update, &won, err) != 0) {
        return cli_exit_of(err);
    }
    if (!won) {
        return cli_fail(err, CLI_REFUSED, "job %" PRId64 " is gone already", job);
    }
    if (c->json) {
        json_t *answer = json_pack("{s:I, s:s}", "job", (json_int_t)job, "state", "cancelling");
        return json_print(answer, c->out, err) == 0 ? CLI_OK : cli_exit_of(err);
    }
    if (!c->quiet) {
        fprintf(c->out,
                "job %" PRId64
                ": the worker that watches the cluster will stop it at its next look\n",
                job);
    }
    return CLI_OK;
}

const struct command command_cluster_cancel = {
    .name = "cluster cancel",
    .args = "<job>",
    .brief = "stop a job that belongs to no task",
    .help = "The worker that watches the cluster stops it at its next look.",
    .options = why_option,
    .min_words = 1,
    .max_words = 1,
    .need = NEED_DB,
    .destructive = true,
    .run = cmd_cluster_cancel};
