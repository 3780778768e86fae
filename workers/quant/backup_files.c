#include "workers/quant/backup_files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/path.h"
#include "common/base/shell.h"
#include "common/db/db.h"
#include "common/raw/backup_record.h"

/* *main: the path that the software gets to read. */
static int put_file(const struct quant_job *job, const char *name, FILE *out, bool *main,
                    struct err *err)
{
    AUTO(free) char *relative = NULL;
    const char *slash = strrchr(job->raw, '/');
    int folder = slash != NULL ? (int)(slash + 1 - job->raw) : 0;
    if (asprintf(&relative, "%.*s%s", folder, job->raw, name) < 0) {
        relative = NULL;
        return err_no_memory(err);
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

static int put_files(struct quant_job *job, const struct record *r, struct err *err)
{
    AUTO(strbuf_fini) struct strbuf t = {0};
    bool main = false;
    if (strbuf_open(&t, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < r->n; i++) {
        if (put_file(job, r->files[i].path, t.out, &main, err) != 0) {
            return -1;
        }
    }
    if (strbuf_close(&t, err) != 0) {
        return -1;
    }
    if (!main) {
        return ERR(err, ERR_INVALID, ENOENT,
                   "the document of %s does not list it among the files of its backup: what "
                   "belongs to it is not known",
                   job->raw_id_text);
    }
    free(job->copy);
    job->copy = TAKE(t.data);
    return 0;
}

int backup_files_of(struct quant_job *job, const bson_t *raw, struct err *err)
{
    struct record r = {0};
    int rc = record_load(&r, job->base.db, raw, err) == 0 ? put_files(job, &r, err) : -1;
    record_fini(&r);
    return rc;
}

int backup_files_find(struct quant_job *job, struct err *err)
{
    AUTO(bson_destroy) bson_t *raw = NULL;
    if (!job->sciex) {
        return 0;
    }
    if (db_find_id(job->base.db, DB_RAW_FILES, job->raw_id_text, &raw, err) != 0) {
        return -1;
    }
    return raw != NULL ? backup_files_of(job, raw, err)
                       : ERR(err, ERR_INVALID, ENOENT, "there is no raw file %s", job->raw_id_text);
}
