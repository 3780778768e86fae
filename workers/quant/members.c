#include "workers/quant/members.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/db.h"
#include "common/path.h"

#include "common/ban.h"

/* One file, by its escaped path below the folder of the raw file. *main: it is what the software is
 * told to read. */
static int put_file(const struct quant_job *job, const char *escaped, FILE *out, bool *main,
                    struct err *err)
{
    AUTO(free) char *name = path_unescape(escaped);
    AUTO(free) char *relative = NULL;
    const char *slash = strrchr(job->raw, '/');
    int folder = slash != NULL ? (int)(slash + 1 - job->raw) : 0;
    if (name == NULL || asprintf(&relative, "%.*s%s", folder, job->raw, name) < 0) {
        relative = NULL;
        return ERR(err, ERR_TRANSIENT, errno, "out of memory");
    }
    AUTO(free)
    char *path = path_join(job_path(job->engine, &job->base.cfg->location.backup), relative, err);
    if (path == NULL) {
        return -1;
    }
    *main = *main || strcmp(relative, job->raw) == 0;
    fputc(' ', out);
    shell_quote(out, path);
    return 0;
}

/* `files` is a list of {path, …}; `file_info`, of documents that others wrote, has the paths as its
 * keys. */
static int put_files(const struct quant_job *job, const bson_t *raw, FILE *out, bool *main,
                     struct err *err)
{
    bson_iter_t top, at;
    bool list = bson_iter_init_find(&top, raw, "files") && bson_iter_recurse(&top, &at);
    if (!list && !(bson_iter_init_find(&top, raw, "file_info") && bson_iter_recurse(&top, &at))) {
        return 0;
    }
    while (bson_iter_next(&at)) {
        bson_iter_t path;
        const char *name = bson_iter_key(&at);
        if (list) {
            bool has = bson_iter_recurse(&at, &path) && bson_iter_find(&path, "path") &&
                       BSON_ITER_HOLDS_UTF8(&path);
            name = has ? bson_iter_utf8(&path, NULL) : NULL;
        }
        if (name != NULL && put_file(job, name, out, main, err) != 0) {
            return -1;
        }
    }
    return 0;
}

int members_of(struct quant_job *job, const bson_t *raw, struct err *err)
{
    AUTO(text_fini) struct text t = {0};
    bool main = false;
    if (text_open(&t, err) != 0 || put_files(job, raw, t.out, &main, err) != 0 ||
        text_close(&t, err) != 0) {
        return -1;
    }
    if (!main) {
        return ERR(
            err, ERR_INVALID, ENOENT,
            "the document of %s does not list it among the files of its backup: what belongs "
            "to it is not known",
            job->raw_id_text);
    }
    free(job->copy);
    job->copy = TAKE(t.data);
    return 0;
}

int members_find(struct quant_job *job, struct err *err)
{
    AUTO(bson_destroy) bson_t *raw = NULL;
    if (!job->sciex) {
        return 0;
    }
    if (db_find_id(job->base.db, DB_RAW_FILES, job->raw_id_text, &raw, err) != 0) {
        return -1;
    }
    return raw != NULL ? members_of(job, raw, err)
                       : ERR(err, ERR_INVALID, ENOENT, "there is no raw file %s", job->raw_id_text);
}
