#include "common/bus/event.h"

#include <stdio.h>
#include <string.h>

#include "common/db/db.h"

#define EVENT_MAX 8192 /* our own are below 4 KiB */

static bool is_known(const char *event)
{
    return strcmp(event, "task") == 0 || strcmp(event, "raw_file") == 0 ||
           strcmp(event, "pool") == 0;
}

int event_decode(const void *data, size_t len, struct event *out, struct err *err)
{
    bson_error_t e;
    if (len == 0 || len > EVENT_MAX) {
        return ERR(err, ERR_INVALID, 0, "an event of %zu bytes", len);
    }
    AUTO(bson_destroy) bson_t *doc = bson_new_from_json(data, (ssize_t)len, &e);
    if (doc == NULL) {
        return ERR(err, ERR_INVALID, 0, "an event that is no JSON object");
    }
    int64_t version = doc_i64(doc, "v", -1);
    if (version != 1) {
        return ERR(err, ERR_INVALID, 0, "an event of version %lld, not 1", (long long)version);
    }
    const char *raw_file = doc_str(doc, "raw_file", "");
    if (!is_known(doc_str(doc, "event", "")) || strlen(raw_file) >= sizeof out->raw_file) {
        return ERR(err, ERR_INVALID, 0, "an event '%.40s' of raw file '%.80s'",
                   doc_str(doc, "event", ""), raw_file);
    }
    memcpy(out->raw_file, raw_file, strlen(raw_file) + 1);
    return 0;
}

char *event_encode(const char *event, const char *id, const char *raw_file)
{
    bson_t doc = BSON_INITIALIZER;
    BCON_APPEND(&doc, "v", BCON_INT32(1), "event", BCON_UTF8(event), "id", BCON_UTF8(id));
    if (raw_file[0] != '\0') {
        BSON_APPEND_UTF8(&doc, "raw_file", raw_file);
    }
    char *json = bson_as_relaxed_extended_json(&doc, NULL);
    bson_destroy(&doc);
    return json;
}
