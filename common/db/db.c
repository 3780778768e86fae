/*
 * db.c - libmongoc behind one small set of calls.
 *
 * Every call pops a client from the pool and pushes it back. Errors are sorted in one place
 * (db_error): away -> TRANSIENT, refused login -> INVALID with the key to look at, what is refused
 * whenever it is asked -> INVALID, and messages never repeat the URI, which may hold a password.
 *
 * Reads ask the primary for what a majority has: decisions are made by what was read, and a
 * secondary may be behind, or a primary that was cut off may not know it yet.
 */
#include "common/db/db.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/db/db_internal.h"

#define POOL_CLIENTS 32

void db_lease_end(struct db_lease *l)
{
    if (l->coll != NULL) {
        mongoc_collection_destroy(l->coll);
    }
    mongoc_client_pool_push(l->db->pool, l->client);
}

struct db_lease db_lease_begin(struct db *db, const char *coll)
{
    struct db_lease l = {.db = db, .client = mongoc_client_pool_pop(db->pool)};
    if (coll != NULL) {
        l.coll = mongoc_client_get_collection(l.client, db->database, coll);
    }
    return l;
}

static bool is_login_error(const bson_error_t *e)
{
    return e->domain == MONGOC_ERROR_CLIENT && (e->code == MONGOC_ERROR_CLIENT_AUTHENTICATE ||
                                                e->code == MONGOC_ERROR_CLIENT_NO_ACCEPTABLE_PEER);
}

static bool is_refusal(const bson_error_t *e)
{
    /* 13 Unauthorized, 18 AuthenticationFailed */
    return e->domain == MONGOC_ERROR_SERVER && (e->code == 13 || e->code == 18);
}

static bool is_one_of(uint32_t code, const uint32_t *codes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (code == codes[i]) {
            return true;
        }
    }
    return false;
}

/* What a server answers to the same command for ever, and what never leaves the driver. */
static bool is_permanent(const bson_error_t *e)
{
    static const uint32_t codes[] = {
        2,     /* BadValue */
        9,     /* FailedToParse */
        14,    /* TypeMismatch */
        28,    /* PathNotViable */
        40,    /* ConflictingUpdateOperators */
        52,    /* DollarPrefixedFieldName */
        54,    /* NotSingleValueField */
        57,    /* DottedFieldName */
        66,    /* ImmutableField */
        67,    /* CannotCreateIndex */
        73,    /* InvalidNamespace */
        85,    /* IndexOptionsConflict */
        86,    /* IndexKeySpecsConflict */
        121,   /* DocumentValidationFailure */
        292,   /* QueryExceededMemoryLimitNoDiskUseAllowed */
        10334, /* BSONObjectTooLarge */
        17419, /* a document that an update makes too large */
        17420, /* the same, by a replacement */
        40414, /* a field is missing in the command */
        40415, /* the command has a field that this server does not know */
    };
    return e->domain == MONGOC_ERROR_BSON ||
           (e->domain == MONGOC_ERROR_COMMAND && e->code == MONGOC_ERROR_COMMAND_INVALID_ARG) ||
           (e->domain == MONGOC_ERROR_SERVER &&
            is_one_of(e->code, codes, sizeof codes / sizeof *codes));
}

/* What passes without our doing: elections, overload, waits for replication. */
static bool passes(const bson_error_t *e)
{
    static const uint32_t codes[] = {
        6,     /* HostUnreachable */
        7,     /* HostNotFound */
        43,    /* CursorNotFound */
        50,    /* MaxTimeMSExpired */
        64,    /* WriteConcernFailed */
        89,    /* NetworkTimeout */
        91,    /* ShutdownInProgress */
        134,   /* ReadConcernMajorityNotAvailableYet */
        189,   /* PrimarySteppedDown */
        202,   /* NetworkInterfaceExceededTimeLimit */
        262,   /* ExceededTimeLimit */
        9001,  /* SocketException */
        10058, /* LegacyNotPrimary */
        10107, /* NotWritablePrimary */
        11600, /* InterruptedAtShutdown */
        11602, /* InterruptedDueToReplStateChange */
        13435, /* NotPrimaryNoSecondaryOk */
        13436, /* NotPrimaryOrSecondary */
    };
    return (e->domain == MONGOC_ERROR_SERVER || e->domain == MONGOC_ERROR_WRITE_CONCERN) &&
           is_one_of(e->code, codes, sizeof codes / sizeof *codes);
}

int db_error(const struct db *db, const bson_error_t *e, struct err *err)
{
    if (is_permanent(e)) {
        return ERR(err, ERR_INVALID, ERR_CODE_DATABASE_REFUSED,
                   "MongoDB at %s refuses this for good (code %u): %s", db->hosts, e->code,
                   e->message);
    }
    if (is_login_error(e) || is_refusal(e)) {
        return ERR(err, ERR_INVALID, ERR_CODE_DATABASE,
                   "MongoDB at %s refused the login or the right: check user and password in "
                   "%s (%s)",
                   db->hosts, db->key, e->message);
    }
    if (e->domain == MONGOC_ERROR_SERVER_SELECTION || e->domain == MONGOC_ERROR_STREAM) {
        return ERR(err, ERR_TRANSIENT, ERR_CODE_DATABASE, "MongoDB at %s does not answer: %s",
                   db->hosts, e->message);
    }
    return ERR(err, ERR_TRANSIENT, passes(e) ? ERR_CODE_DATABASE : ERR_CODE_DATABASE_REFUSED,
               "MongoDB at %s: %s", db->hosts, e->message);
}

static void log_mongoc(mongoc_log_level_t level, const char *domain, const char *msg, void *ctx)
{
    (void)ctx;
    if (level <= MONGOC_LOG_LEVEL_WARNING) {
        static struct log_gate gate;
        uint64_t missed = 0;
        if (log_gate_open(&gate, &missed)) {
            log_warn("mongoc", KV("domain", domain), KV("msg", msg), KV("missed", missed));
        }
    }
}

static void init_once(void)
{
    mongoc_log_set_handler(log_mongoc, NULL);
    mongoc_init();
    /* The driver's counters go by this name from the moment the library is loaded; a killed process
     * would leave it behind, and a later one of the same pid would complain. */
    char counters[32];
    snprintf(counters, sizeof counters, "/mongoc-%d", (int)getpid());
    shm_unlink(counters);
}

/* With mongodb+srv:// the driver asks DNS for hosts: then the name that it asks for. */
static void remember_hosts(struct db *db, const mongoc_uri_t *uri)
{
    size_t used = 0;
    const char *service = mongoc_uri_get_srv_hostname(uri);
    snprintf(db->hosts, sizeof db->hosts, "%s", service != NULL ? service : "");
    for (const mongoc_host_list_t *h = mongoc_uri_get_hosts(uri); h != NULL; h = h->next) {
        int n = snprintf(db->hosts + used, sizeof db->hosts - used, "%s%s", used > 0 ? "," : "",
                         h->host_and_port);
        if (n < 0 || (size_t)n >= sizeof db->hosts - used) {
            return;
        }
        used += (size_t)n;
    }
}

static int check_read_preference(const mongoc_uri_t *uri, const char *key, struct err *err)
{
    const mongoc_read_prefs_t *prefs = mongoc_uri_get_read_prefs_t(uri);
    return mongoc_read_prefs_get_mode(prefs) == MONGOC_READ_PRIMARY
               ? 0
               : ERR(err, ERR_INVALID, 0,
                     "%s asks for a readPreference that is not primary: take it out, "
                     "decisions must not be made by what a secondary has not heard of",
                     key);
}

static int set_options(mongoc_uri_t *uri, int32_t ms, const struct db_other *o, struct err *err)
{
    int32_t answer_ms = (int32_t)o->answer_ms;
    mongoc_write_concern_t *wc = mongoc_write_concern_new();
    mongoc_write_concern_set_wmajority(wc, ms);
    mongoc_uri_set_write_concern(uri, wc);
    mongoc_write_concern_destroy(wc);
    mongoc_read_concern_t *rc = mongoc_read_concern_new();
    mongoc_read_concern_set_level(rc, MONGOC_READ_CONCERN_LEVEL_MAJORITY);
    mongoc_uri_set_read_concern(uri, rc);
    mongoc_read_concern_destroy(rc);
    return mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, ms) &&
                   mongoc_uri_set_option_as_int32(uri, MONGOC_URI_CONNECTTIMEOUTMS, ms) &&
                   mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SOCKETTIMEOUTMS,
                                                  answer_ms + ms) &&
                   mongoc_uri_set_option_as_int32(uri, MONGOC_URI_HEARTBEATFREQUENCYMS, 10000) &&
                   mongoc_uri_set_option_as_bool(uri, MONGOC_URI_RETRYWRITES, false) &&
                   mongoc_uri_set_option_as_bool(uri, MONGOC_URI_RETRYREADS, false)
               ? 0
               : ERR(err, ERR_INVALID, 0, "%s takes no timeouts", o->key);
}

struct db *db_new(const struct config *c, const char *appname, struct err *err)
{
    const struct db_other ours = {.uri = c->mongo.uri,
                                  .database = c->mongo.database,
                                  .key = "[mongo] uri",
                                  .answer_ms = c->mongo.timeout_ms};
    return db_new_other(c, &ours, appname, err);
}

struct db *db_new_other(const struct config *c, const struct db_other *o, const char *appname,
                        struct err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_once);
    bson_error_t e;
    mongoc_uri_t *uri = mongoc_uri_new_with_error(o->uri, &e);
    if (uri == NULL) {
        ERR(err, ERR_INVALID, 0, "%s is no MongoDB address: %s", o->key, e.message);
        return NULL;
    }
    AUTO(db_free) struct db *db = calloc(1, sizeof *db);
    if (db != NULL) {
        pthread_mutex_init(&db->together.lock, NULL);
    }
    if (db == NULL || (db->database = strdup(o->database)) == NULL) {
        mongoc_uri_destroy(uri);
        err_no_memory(err);
        return NULL;
    }
    db->key = o->key;
    db->answer_ms = (int32_t)o->answer_ms;
    remember_hosts(db, uri);
    if (check_read_preference(uri, o->key, err) != 0 ||
        set_options(uri, (int32_t)c->mongo.timeout_ms, o, err) != 0) {
        mongoc_uri_destroy(uri);
        return NULL;
    }
    db->pool = mongoc_client_pool_new_with_error(uri, &e);
    mongoc_uri_destroy(uri);
    if (db->pool == NULL) {
        ERR(err, ERR_INVALID, 0, "%s cannot be used: %s", o->key, e.message);
        return NULL;
    }
    mongoc_client_pool_max_size(db->pool, POOL_CLIENTS);
    mongoc_client_pool_set_error_api(db->pool, MONGOC_ERROR_API_VERSION_2);
    mongoc_client_pool_set_appname(db->pool, appname);
    return TAKE(db);
}

void db_free(struct db *db)
{
    if (db == NULL) {
        return;
    }
    if (db->pool != NULL) {
        mongoc_client_pool_destroy(db->pool);
    }
    pthread_mutex_destroy(&db->together.lock);
    free(db->database);
    free(db);
}

const char *db_hosts(const struct db *db)
{
    return db->hosts;
}

int db_ping(struct db *db, struct err *err)
{
    LEASE(l, db, NULL);
    bson_error_t e;
    AUTO(bson_destroy) bson_t *cmd = BCON_NEW("ping", BCON_INT32(1));
    if (!mongoc_client_command_simple(l.client, db->database, cmd, NULL, NULL, &e)) {
        return db_error(db, &e, err);
    }
    return 0;
}

/* The ping before it connects, so that only one way there and back is between the clocks. */
int db_hello(struct db *db, struct db_server *out, struct err *err)
{
    if (db_ping(db, err) != 0) {
        return -1;
    }
    LEASE(l, db, NULL);
    bson_error_t e;
    bson_t reply;
    AUTO(bson_destroy) bson_t *cmd = BCON_NEW("hello", BCON_INT32(1));
    int64_t asked_ms = wall_ms();
    bool ok = mongoc_client_command_simple(l.client, db->database, cmd, NULL, &reply, &e);
    int64_t middle_ms = asked_ms + (wall_ms() - asked_ms) / 2;
    if (ok) {
        *out = (struct db_server){.ahead_ms = doc_i64(&reply, "localTime", middle_ms) - middle_ms,
                                  .wire_version = doc_i64(&reply, "maxWireVersion", 0)};
        snprintf(out->replica_set, sizeof out->replica_set, "%s", doc_str(&reply, "setName", ""));
    }
    bson_destroy(&reply);
    return ok ? 0 : db_error(db, &e, err);
}

/* A server must not go on with what nobody waits for. Not for updates: libmongoc puts their options
 * into the statement, where MongoDB refuses this one. bson_destroy. */
static bson_t *with_deadline(const struct db *db, const bson_t *opts)
{
    bson_t *all = opts != NULL ? bson_copy(opts) : bson_new();
    if (!bson_has_field(all, "maxTimeMS")) {
        BSON_APPEND_INT32(all, "maxTimeMS", db->answer_ms);
    }
    return all;
}

int db_find_one(struct db *db, const char *coll, const bson_t *filter, bson_t **out,
                struct err *err)
{
    LEASE(l, db, coll);
    AUTO(bson_destroy)
    bson_t *opts = BCON_NEW("limit", BCON_INT64(1), "maxTimeMS", BCON_INT32(db->answer_ms));
    mongoc_cursor_t *cur = mongoc_collection_find_with_opts(l.coll, filter, opts, NULL);
    const bson_t *doc;
    *out = mongoc_cursor_next(cur, &doc) ? bson_copy(doc) : NULL;
    bson_error_t e;
    int rc = mongoc_cursor_error(cur, &e) ? db_error(db, &e, err) : 0;
    mongoc_cursor_destroy(cur);
    return rc;
}

int db_find_id(struct db *db, const char *coll, const char *id, bson_t **out, struct err *err)
{
    AUTO(bson_destroy) bson_t *filter = BCON_NEW("_id", BCON_UTF8(id));
    return db_find_one(db, coll, filter, out, err);
}

static int drain(const struct db *db, mongoc_cursor_t *cur, db_doc_fn *fn, void *ctx,
                 struct err *err)
{
    const bson_t *doc;
    int rc = 0;
    mongoc_cursor_set_batch_size(cur, DB_BATCH);
    while (rc == 0 && mongoc_cursor_next(cur, &doc)) {
        rc = fn(ctx, doc, err);
    }
    bson_error_t e;
    if (rc == 0 && mongoc_cursor_error(cur, &e)) {
        rc = db_error(db, &e, err);
    }
    mongoc_cursor_destroy(cur);
    return rc;
}

int db_each(struct db *db, const char *coll, const bson_t *filter, const bson_t *opts,
            db_doc_fn *fn, void *ctx, struct err *err)
{
    LEASE(l, db, coll);
    AUTO(bson_destroy) bson_t *timed = with_deadline(db, opts);
    return drain(db, mongoc_collection_find_with_opts(l.coll, filter, timed, NULL), fn, ctx, err);
}

int db_aggregate(struct db *db, const char *coll, const bson_t *pipeline, db_doc_fn *fn, void *ctx,
                 struct err *err)
{
    LEASE(l, db, coll);
    AUTO(bson_destroy)
    bson_t *opts =
        BCON_NEW("allowDiskUse", BCON_BOOL(true), "maxTimeMS", BCON_INT32(db->answer_ms));
    return drain(db, mongoc_collection_aggregate(l.coll, MONGOC_QUERY_NONE, pipeline, opts, NULL),
                 fn, ctx, err);
}

int db_count(struct db *db, const char *coll, const bson_t *filter, int64_t *out, struct err *err)
{
    LEASE(l, db, coll);
    bson_error_t e;
    AUTO(bson_destroy)
    bson_t *opts =
        BCON_NEW("limit", BCON_INT64(DB_COUNT_MAX), "maxTimeMS", BCON_INT32(db->answer_ms));
    *out = mongoc_collection_count_documents(l.coll, filter, opts, NULL, NULL, &e);
    return *out < 0 ? db_error(db, &e, err) : 0;
}

int db_estimate(struct db *db, const char *coll, int64_t *out, struct err *err)
{
    LEASE(l, db, coll);
    bson_error_t e;
    AUTO(bson_destroy) bson_t *timed = with_deadline(db, NULL);
    *out = mongoc_collection_estimated_document_count(l.coll, timed, NULL, NULL, &e);
    return *out < 0 ? db_error(db, &e, err) : 0;
}

int db_insert(struct db *db, const char *coll, const bson_t *doc, bool *inserted, struct err *err)
{
    LEASE(l, db, coll);
    bson_error_t e;
    *inserted = mongoc_collection_insert_one(l.coll, doc, NULL, NULL, &e);
    return *inserted || e.code == DB_DUPLICATE_KEY ? 0 : db_error(db, &e, err);
}

static int update_one(struct db *db, const char *coll, const bson_t *const pair[2], bool upsert,
                      bool *won, struct err *err)
{
    LEASE(l, db, coll);
    AUTO(bson_destroy)
    bson_t *opts = BCON_NEW("upsert", BCON_BOOL(upsert));
    bson_t reply;
    bson_error_t e;
    *won = false;
    bool ok = mongoc_collection_update_one(l.coll, pair[0], pair[1], opts, &reply, &e);
    if (ok) {
        *won = doc_i64(&reply, "matchedCount", 0) > 0 || doc_i64(&reply, "upsertedCount", 0) > 0;
    }
    bson_destroy(&reply);
    return ok || e.code == DB_DUPLICATE_KEY ? 0 : db_error(db, &e, err);
}

int db_update(struct db *db, const char *coll, const bson_t *filter, const bson_t *update,
              bool *won, struct err *err)
{
    return update_one(db, coll, (const bson_t *const[]){filter, update}, false, won, err);
}

int db_upsert(struct db *db, const char *coll, const bson_t *filter, const bson_t *update,
              bool *won, struct err *err)
{
    return update_one(db, coll, (const bson_t *const[]){filter, update}, true, won, err);
}

int db_find_update(struct db *db, const char *coll, const bson_t *filter, const bson_t *update,
                   bson_t **out, struct err *err)
{
    LEASE(l, db, coll);
    mongoc_find_and_modify_opts_t *opts = mongoc_find_and_modify_opts_new();
    mongoc_find_and_modify_opts_set_update(opts, update);
    mongoc_find_and_modify_opts_set_max_time_ms(opts, (uint32_t)db->answer_ms);
    mongoc_find_and_modify_opts_set_flags(opts, MONGOC_FIND_AND_MODIFY_RETURN_NEW);
    bson_t reply;
    bson_error_t e;
    bool ok = mongoc_collection_find_and_modify_with_opts(l.coll, filter, opts, &reply, &e);
    mongoc_find_and_modify_opts_destroy(opts);
    bson_t view;
    *out = ok && doc_sub(&reply, "value", &view) ? bson_copy(&view) : NULL;
    bson_destroy(&reply);
    return ok ? 0 : db_error(db, &e, err);
}

int db_update_each(struct db *db, const char *coll, const bson_t *filter, const bson_t *update,
                   int64_t *changed, struct err *err)
{
    LEASE(l, db, coll);
    bson_t reply;
    bson_error_t e;
    bool ok = mongoc_collection_update_many(l.coll, filter, update, NULL, &reply, &e);
    *changed = doc_i64(&reply, "modifiedCount", 0);
    bson_destroy(&reply);
    return ok ? 0 : db_error(db, &e, err);
}

int db_delete(struct db *db, const char *coll, const bson_t *filter, int64_t *deleted,
              struct err *err)
{
    LEASE(l, db, coll);
    bson_t reply;
    bson_error_t e;
    AUTO(bson_destroy) bson_t *timed = with_deadline(db, NULL);
    bool ok = mongoc_collection_delete_many(l.coll, filter, timed, &reply, &e);
    if (ok && deleted != NULL) {
        *deleted = doc_i64(&reply, "deletedCount", 0);
    }
    bson_destroy(&reply);
    return ok ? 0 : db_error(db, &e, err);
}
