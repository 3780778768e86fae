/*
 * manifests.c - one line a file, in the format that the tools read with -c in the target's folder:
 * `<hash>  <path>`. md5sum and sha256sum escape a backslash and a newline in the path and begin
 * such a line with a backslash. xxhsum 0.8.1 escapes nothing; newer ones read both. So a backslash
 * stays as it is for xxhsum, and only a newline (which 0.8.1 cannot check at all) is written
 * escaped. A name that the share writes in another form (SMB: "a:b") is listed as it is called
 * there: so it is found at the server and through a mount.
 *
 * Until it is whole, a manifest is a part of its attempt: the next one clears away what was left.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/fs.h"
#include "common/raw/manifest.h"
#include "workers/copy/engine/internal.h"

static void put_path(FILE *out, const char *path, bool escape)
{
    if (strcmp(path, "-") == 0) { /* alone it would mean standard input */
        fputs("./", out);
    }
    for (; *path != '\0'; path++) {
        if (escape && *path == '\n') {
            fputs("\\n", out);
        } else if (escape && *path == '\r') {
            fputs("\\r", out);
        } else if (escape && *path == '\\') {
            fputs("\\\\", out);
        } else {
            fputc(*path, out);
        }
    }
}

static void put_line(FILE *out, const char *hash, const char *path, bool xxhsum)
{
    bool escape = strpbrk(path, xxhsum ? "\n" : "\n\r\\") != NULL;
    fprintf(out, "%s%s  ", escape ? "\\" : "", hash);
    put_path(out, path, escape);
    fputc('\n', out);
}

static int put_all(struct copy *c, FILE *out, bool xxhsum, struct err *err)
{
    size_t mapped = 0;
    for (size_t i = 0; i < c->files.n; i++) {
        const struct entry *e = &c->files.entries[i];
        if (e->is_dir) {
            continue;
        }
        AUTO(free) char *path = entry_target(c, e, err);
        AUTO(free) char *there = path == NULL ? NULL : spelling_at_server(c, path, err);
        if (there == NULL) {
            return -1;
        }
        mapped += strcmp(path, there) != 0;
        put_line(out, xxhsum ? e->hash.xxh3 : e->hash.digest, there, xxhsum);
    }
    c->mapped_names = mapped;
    return 0;
}

static int write_file(struct copy *c, const char *name, const char *text, size_t len,
                      struct err *err)
{
    char key[COPY_NAME_ROOM], part[COPY_NAME_ROOM];
    int64_t until = mono_ms() + COPY_PATIENCE_MS;
    part_key(name, key);
    part_name(c, key, part);
    if (leftover_clear(c, key, err) < 0) {
        return -1;
    }
    struct err why = {0};
    while (fs_write_at(c->target_fd, part, name, text, len, &why) != 0) {
        if (!crew_again(c, why.code, until)) {
            if (why.code == ENOSPC || why.code == EDQUOT) {
                errno = why.code;
                return target_err(c, NULL, "write a manifest", err);
            }
            bool passes = why.code == ENOENT || why.code == EEXIST; /* the folder was there */
            why.kind = passes ? ERR_TRANSIENT : fs_share_kind(why.code);
            *err = why;
            return err_context(err, "%s/%s", c->target_path, name);
        }
        why = (struct err){0};
    }
    return 0;
}

static int write_one(struct copy *c, const char *suffix, bool xxhsum, struct err *err)
{
    char name[MANIFEST_NAME_ROOM];
    AUTO(free) char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (out == NULL) {
        return err_no_memory(err);
    }
    int rc = put_all(c, out, xxhsum, err);
    if (fclose(out) != 0 && rc == 0) {
        rc = err_no_memory(err);
    }
    if (rc != 0 || len == 0) { /* an empty manifest is an error to the tools: none is written */
        return rc;
    }
    manifest_name(c->plan->name, suffix, name);
    return write_file(c, name, text, len, err);
}

int manifest_write(struct copy *c, struct err *err)
{
    enum hash_digest d = c->plan->digest;
    if (write_one(c, "xxh3", true, err) != 0) {
        return -1;
    }
    return d == HASH_NONE ? 0 : write_one(c, hash_digest_name(d), false, err);
}
