/* decode.c - fields that the task documents of several kinds have in common. */
#include "workers/decode.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/path.h"
#include "common/db/db.h"

#define MEMBERS_MAX  4096
#define RAW_FILE_MAX 800 /* 255 bytes, each of them escaped as %XX, and a prefix */

static int duplicate(const char *text, char **out, struct err *err)
{
    *out = strdup(text);
    return *out != NULL ? 0 : err_no_memory(err);
}

int decode_raw_file(const bson_t *task, char **out, struct err *err)
{
    const char *text = doc_str(task, "raw_file", "");
    size_t len = strlen(text);
    if (len == 0 || len > RAW_FILE_MAX) {
        return ERR(err, ERR_INVALID, 0, "task: raw_file has %zu bytes, not 1 to %d", len,
                   RAW_FILE_MAX);
    }
    return duplicate(text, out, err);
}

int decode_source_root(const bson_t *task, char **out, struct err *err)
{
    const char *text = doc_str(task, "input.source_root", "");
    if (*text != '/') {
        return ERR(err, ERR_INVALID, 0, "task: input.source_root '%.200s' is not absolute", text);
    }
    return duplicate(text, out, err);
}

int decode_text(const bson_t *doc, const char *path, char **out, struct err *err)
{
    const char *text = doc_str(doc, path, "");
    if (*text == '\0') {
        return ERR(err, ERR_INVALID, 0, "task: %s is missing or no text", path);
    }
    *out = path_unescape(text);
    return *out != NULL ? 0 : err_no_memory(err);
}

static int check_file_name(const char *name, struct err *err)
{
    return path_is_safe(name) && strchr(name, '/') == NULL
               ? 0
               : ERR(err, ERR_INVALID, 0, "task: member '%.200s' is no name of a file", name);
}

int decode_file_name(const char *escaped, char **out, struct err *err)
{
    *out = path_unescape(escaped);
    return *out != NULL ? check_file_name(*out, err) : err_no_memory(err);
}

int decode_member(const bson_t *member, char **from, char **to, struct err *err)
{
    if (decode_text(member, "from", from, err) != 0 || check_file_name(*from, err) != 0 ||
        decode_text(member, "to", to, err) != 0) {
        return -1;
    }
    return check_file_name(*to, err);
}

int decode_members(const bson_t *task, bson_t *list, uint32_t *n, struct err *err)
{
    if (!doc_sub(task, "input.members", list) || bson_empty(list)) {
        return ERR(err, ERR_INVALID, 0, "task: input.members is missing or empty");
    }
    *n = bson_count_keys(list);
    return *n <= MEMBERS_MAX ? 0 : ERR(err, ERR_INVALID, 0, "task: %u members are too many", *n);
}

bool decode_is_set(const bson_t *task)
{
    return strcmp(doc_str(task, "input.type", ""), "sciex") == 0;
}
