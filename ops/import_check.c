/*
 * import_check.c - before the first write: whether the backups are where [location.backup] says.
 *
 * A wrong key would have most raw files refused, and their originals acquired again. A look at some
 * of them is enough to see it; single ones that are elsewhere are refused one by one.
 */
#include <stdio.h>
#include <string.h>

#include "common/raw/backup_record.h"
#include "ops/import_internal.h"

#define LOOKED_AT 500 /* from each end of the collection */

struct looking {
    const struct config *cfg;
    int64_t recorded, elsewhere;
    char folder[160]; /* the first that is elsewhere */
};

static int look(void *ctx, const bson_t *theirs, struct err *err)
{
    (void)err;
    struct looking *l = ctx;
    struct err why = {0};
    const char *base = doc_str(theirs, "backup_base_path", "");
    if (base[0] == '\0') {
        return 0;
    }
    l->recorded++;
    AUTO(free) char *folder = record_folder(l->cfg, theirs, &why);
    if (folder == NULL && why.kind == ERR_INVALID && l->elsewhere++ == 0) {
        snprintf(l->folder, sizeof l->folder, "%.150s", base);
    }
    return 0;
}

int importing_check_backups(struct importing *i, struct err *err)
{
    struct looking l = {.cfg = i->o->cfg};
    AUTO(bson_destroy) bson_t *texts = BCON_NEW("_id", "{", "$gt", BCON_UTF8(""), "}");
    for (int32_t order = -1; order <= 1; order += 2) {
        AUTO(bson_destroy)
        bson_t *opts =
            BCON_NEW("sort", "{", "_id", BCON_INT32(order), "}", "limit", BCON_INT64(LOOKED_AT),
                     "projection", "{", "backup_base_path", BCON_INT32(1), "}");
        if (db_each(i->source, DB_RAW_FILES, texts, opts, look, &l, err) != 0) {
            return -1;
        }
    }
    if (l.elsewhere * 2 <= l.recorded) {
        return 0;
    }
    return ERR(err, ERR_INVALID, 0,
               "[location.backup] cluster is '%.80s', but the backups of most raw files are "
               "elsewhere, as in '%.100s': set it to the folder that AlphaKraken's backups are in "
               "(nothing was written)",
               config_cluster_path(&i->o->cfg->location.backup), l.folder);
}
