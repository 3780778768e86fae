/*
 * The layers: built-in default, trawl.ini, <env>.ini, environment. Later ones win; where a value
 * came from is remembered for `trawl config show --origin`. Each file is read and checked as a
 * whole before any of it counts, and any error frees everything.
 */
#include "common/config/config.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/bandwidth.h"
#include "common/base/fs.h"
#include "common/config/config_keys.h"

#define URI_MAX_BYTES 16384

static struct config_box *box_of(struct config *c)
{
    static_assert(offsetof(struct config_box, c) == 0, "one is the other");
    return (struct config_box *)c;
}

void config_free(struct config *c)
{
    if (c == NULL) {
        return;
    }
    struct config_box *box = box_of(c);
    config_free_values(c, &config_keys);
    for (int i = 0; i < CONFIG_LAYER_COUNT; i++) {
        free(box->file[i]);
    }
    free(box->dir);
    free(box);
}

static struct config_origin *origin_of(struct config_box *box, const char *section,
                                       const char *name)
{
    const struct config_key *k = config_find(&config_keys, section, name);
    assert(k != NULL);
    return &box->origin[k - config_keys.at];
}

static int out_of_memory(struct err *err)
{
    return err_no_memory(err);
}

/* A name that becomes part of a topic, and of a file's name. */
static bool is_env_name(const char *name)
{
    size_t len = strlen(name);
    return len >= 1 && len <= 32 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == len;
}

static int check_env_name(const char *name, struct err *err)
{
    if (!is_env_name(name)) {
        return ERR(err, ERR_INVALID, 0,
                   "'%.60s' is no name of an environment: 1 to 32 of a-z 0-9 _ -", name);
    }
    if (strcmp(name, "trawl") == 0) {
        return ERR(err, ERR_INVALID, 0,
                   "an environment cannot have the name 'trawl': its file is "
                   "the common one");
    }
    return 0;
}

static int read_layer(struct config_box *box, const char *file, enum config_layer layer,
                      struct err *err)
{
    if (asprintf(&box->file[layer], "%s/%s.ini", box->dir, file) < 0) {
        box->file[layer] = NULL; /* undefined then */
        return out_of_memory(err);
    }
    struct config_file f;
    if (config_file_read(&f, box->file[layer], true, err) != 0) {
        return -1;
    }
    const struct config_target t = {
        .base = &box->c, .keys = &config_keys, .origin = box->origin, .layer = layer};
    int rc = config_file_apply(&f, &t, err);
    config_file_fini(&f);
    return rc;
}

static int set_env_from(struct config_box *box, const char *variable, enum config_layer layer,
                        struct err *err)
{
    const char *value = getenv(variable);
    if (check_env_name(value, err) != 0 ||
        config_set(&box->c, config_find(&config_keys, "trawl", "env"), value, err) != 0) {
        return err_context(err, "environment %s", variable);
    }
    *origin_of(box, "trawl", "env") = (struct config_origin){.layer = layer};
    return 0;
}

/* TRAWL_TRAWL_ENV, else ENV, else what trawl.ini says: it names the second file. */
static int choose_env(struct config_box *box, struct err *err)
{
    const char *selector = getenv("ENV");
    if (getenv("TRAWL_TRAWL_ENV") != NULL) {
        return set_env_from(box, "TRAWL_TRAWL_ENV", CONFIG_FROM_VARIABLE, err);
    }
    if (selector != NULL && *selector != '\0') {
        return set_env_from(box, "ENV", CONFIG_FROM_SELECTOR, err);
    }
    if (check_env_name(box->c.trawl.env, err) != 0) {
        return err_context(err, "%s: trawl.env", box->file[CONFIG_FROM_FILE]);
    }
    return 0;
}

static int read_env_file(struct config_box *box, struct err *err)
{
    struct config_origin before = *origin_of(box, "trawl", "env");
    AUTO(free) char *env = strdup(box->c.trawl.env);
    if (env == NULL) {
        return out_of_memory(err);
    }
    if (read_layer(box, env, CONFIG_FROM_ENV_FILE, err) != 0) {
        return -1;
    }
    if (strcmp(env, box->c.trawl.env) != 0) {
        return ERR(err, ERR_INVALID, 0,
                   "%s:%d: trawl.env: this file is read because env is '%s'; "
                   "it cannot change it",
                   box->file[CONFIG_FROM_ENV_FILE], origin_of(box, "trawl", "env")->line, env);
    }
    *origin_of(box, "trawl", "env") = before;
    return 0;
}

static const struct config_key *key_of_variable(const char *variable, size_t len)
{
    for (size_t i = 0; i < config_keys.n; i++) {
        char name[CONFIG_VARIABLE_MAX];
        config_variable(&config_keys.at[i], name);
        if (strlen(name) == len && strncmp(name, variable, len) == 0) {
            return &config_keys.at[i];
        }
    }
    return NULL;
}

/* Variables of the scripts around us, which share our prefix. */
static bool is_of_scripts(const char *variable, size_t len)
{
    static const char *const names[] = {"TRAWL_LOCAL_DIR", "TRAWL_PORT_BASE", "TRAWL_CONFIG_DIR",
                                        "TRAWL_JAVA_DIR", "TRAWL_SLURM_EXTRA"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strlen(names[i]) == len && strncmp(names[i], variable, len) == 0) {
            return true;
        }
    }
    return strncmp(variable, "TRAWL_TEST_", strlen("TRAWL_TEST_")) == 0;
}

/* An unknown TRAWL_* variable is an error when it was probably meant for us: it names one of our
 * sections or is almost one of our variables. Others belong to somebody else. */
static int unknown_variable(const char *variable, size_t len, struct err *err)
{
    char nearest[CONFIG_VARIABLE_MAX] = "";
    size_t best = 3;
    bool of_section = false;
    AUTO(free) char *mine = strndup(variable, len);
    if (mine == NULL) {
        return out_of_memory(err);
    }
    for (size_t i = 0; i < config_keys.n; i++) {
        const struct config_key *k = &config_keys.at[i];
        char name[CONFIG_VARIABLE_MAX];
        config_variable(k, name);
        size_t prefix = strlen("TRAWL_") + strlen(k->section) + 1;
        of_section = of_section || strncmp(name, mine, prefix) == 0;
        size_t d = config_distance(name, mine);
        if (d < best) {
            best = d;
            memcpy(nearest, name, sizeof nearest);
        }
    }
    if (*nearest != '\0') {
        return ERR(err, ERR_INVALID, 0, "environment %.80s: no such key; did you mean %s?", mine,
                   nearest);
    }
    return of_section ? ERR(err, ERR_INVALID, 0, "environment %.80s: no such key", mine) : 0;
}

static int apply_variable(struct config_box *box, const char *pair, struct err *err)
{
    size_t len = strcspn(pair, "=");
    if (strncmp(pair, "TRAWL_", strlen("TRAWL_")) != 0 || pair[len] != '=' ||
        is_of_scripts(pair, len)) {
        return 0;
    }
    const struct config_key *k = key_of_variable(pair, len);
    if (k == NULL) {
        return unknown_variable(pair, len, err);
    }
    if (config_set(&box->c, k, pair + len + 1, err) != 0) {
        return err_context(err, "environment %.*s", (int)len, pair);
    }
    box->origin[k - config_keys.at] = (struct config_origin){.layer = CONFIG_FROM_VARIABLE};
    return 0;
}

static int apply_environment(struct config_box *box, struct err *err)
{
    for (char **pair = environ; pair != NULL && *pair != NULL; pair++) {
        if (apply_variable(box, *pair, err) != 0) {
            return -1;
        }
    }
    return 0;
}

/* The later of uri and uri_file wins, so that a test's TRAWL_MONGO_URI overrules a file's uri_file.
 */
static int read_uri_file(struct config_box *box, struct err *err)
{
    const char *path = box->c.mongo.uri_file;
    struct config_origin *uri = origin_of(box, "mongo", "uri");
    const struct config_origin *file = origin_of(box, "mongo", "uri_file");
    if (*path == '\0' || uri->layer > file->layer) {
        return 0;
    }
    if (uri->layer == file->layer) {
        return ERR(err, ERR_INVALID, 0, "mongo.uri and mongo.uri_file are both set (%s)",
                   box->file[uri->layer] != NULL ? box->file[uri->layer] : "environment");
    }
    AUTO(free) char *text = fs_read(path, URI_MAX_BYTES, NULL, err);
    if (text == NULL) {
        return err_context(err, "mongo.uri_file");
    }
    text[strcspn(text, "\r\n")] = '\0';
    if (config_set(&box->c, config_find(&config_keys, "mongo", "uri"), text, err) != 0) {
        return err_context(err, "mongo.uri_file: %s", path);
    }
    box->file[CONFIG_FROM_URI_FILE] = strdup(path);
    *uri = (struct config_origin){.layer = CONFIG_FROM_URI_FILE, .line = 1};
    return box->file[CONFIG_FROM_URI_FILE] == NULL ? out_of_memory(err) : 0;
}

static int default_instruments_dir(struct config_box *box, struct err *err)
{
    char **dir = &box->c.scheduler.instruments_dir;
    if (*dir != NULL && **dir != '\0') {
        return 0;
    }
    free(*dir);
    if (asprintf(dir, "%s/instruments.d", box->dir) < 0) {
        *dir = NULL; /* undefined then */
        return out_of_memory(err);
    }
    return 0;
}

static int default_digest(struct config_box *box, struct err *err)
{
    bool set = origin_of(box, "copy", "digest")->layer != CONFIG_FROM_DEFAULT;
    return set || !box->c.compat.alphakraken
               ? 0
               : config_set(&box->c, config_find(&config_keys, "copy", "digest"), "md5", err);
}

/* What one key alone cannot say. */
static int check(const struct config *c, struct err *err)
{
    if (c->retry.base_ms > c->retry.max_ms) {
        return ERR(err, ERR_INVALID, 0, "retry.base_ms (%lld) is above retry.max_ms (%lld)",
                   (long long)c->retry.base_ms, (long long)c->retry.max_ms);
    }
    if (c->worker.lease_ms < 3 * c->worker.heartbeat_ms) {
        return ERR(err, ERR_INVALID, 0,
                   "worker.lease_ms (%lld) is below 3 times worker.heartbeat_ms (%lld)",
                   (long long)c->worker.lease_ms, (long long)c->worker.heartbeat_ms);
    }
    struct bandwidth_schedule limit;
    return bandwidth_parse(c->location.backup.limit, &limit, err) != 0
               ? err_context(err, "location.backup.limit")
               : 0;
}

/* A folder that somebody named and that is not there is a mistake; the default one may be missing.
 */
static int choose_dir(struct config_box *box, const char *dir, struct err *err)
{
    const char *named = dir != NULL ? dir : getenv("TRAWL_CONFIG_DIR");
    if (named != NULL && *named != '\0') {
        struct stat st;
        if (stat(named, &st) != 0) {
            return ERR(err, ERR_INVALID, errno, "configuration folder %s: %m", named);
        }
        if (!S_ISDIR(st.st_mode)) {
            return ERR(err, ERR_INVALID, ENOTDIR, "configuration folder %s is no folder", named);
        }
    } else {
        named = "config";
    }
    box->dir = strdup(named);
    return box->dir == NULL ? out_of_memory(err) : 0;
}

struct config *config_load(const char *config_dir, struct err *err)
{
    struct config_box *box = calloc(1, sizeof *box);
    if (box == NULL) {
        out_of_memory(err);
        return NULL;
    }
    AUTO(config_free) struct config *c = &box->c;
    if (choose_dir(box, config_dir, err) != 0 || config_set_defaults(c, &config_keys, err) != 0 ||
        read_layer(box, "trawl", CONFIG_FROM_FILE, err) != 0 || choose_env(box, err) != 0 ||
        read_env_file(box, err) != 0 || apply_environment(box, err) != 0 ||
        read_uri_file(box, err) != 0 || default_instruments_dir(box, err) != 0 ||
        default_digest(box, err) != 0 || check(c, err) != 0) {
        return NULL;
    }
    return TAKE(c);
}

int64_t config_pool_default(const struct config *c, const char *pool)
{
    const struct config_key *k = config_find(&config_keys, "pool", pool);
    return k == NULL ? -1 : config_int(c, k);
}

const char *config_cluster_path(const struct config_location *l)
{
    return l->cluster != NULL && *l->cluster != '\0' ? l->cluster : l->worker;
}

bool config_env_is_chosen(const struct config *c)
{
    const struct config_box *box = (const struct config_box *)c; /* its first member */
    return box->origin[config_find(&config_keys, "trawl", "env") - config_keys.at].layer !=
           CONFIG_FROM_DEFAULT;
}
