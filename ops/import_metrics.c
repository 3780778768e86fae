/*
 * import_metrics.c - metrics, after their raw files.
 *
 * In place they stay with the document that they are of. Out of another database only those of raw
 * files that this import has taken are: an id may be another file's here.
 */
#include "ops/import_convert.h"
#include "ops/import_internal.h"

/* Once for each raw file. */
static int refuse(struct importing *i, struct import_id *id, const bson_t *theirs, struct err *err)
{
    importing_sum(i)->refused++;
    if (id->noted) {
        return 0;
    }
    id->noted = true;
    return importing_note(i, "refused", theirs, "its raw file was not taken", err);
}

static int take_metrics(void *ctx, const bson_t *theirs, struct err *err)
{
    struct importing *i = ctx;
    AUTO(bson_destroy) bson_t *ours = import_metrics(theirs, !i->in_place);
    importing_sum(i)->seen++;
    if (ours == NULL) {
        return err_no_memory(err);
    }
    if (i->in_place) {
        return importing_take(i, theirs, ours, err);
    }
    struct import_id *id = import_ids_find(&i->raw_files, doc_str(ours, "raw_file", ""));
    if (id == NULL) {
        return importing_drop(i, theirs, "its raw file is gone", err);
    }
    return id->refused ? refuse(i, id, theirs, err) : importing_take(i, theirs, ours, err);
}

int import_metrics_of(struct importing *i, struct err *err)
{
    bson_t all = BSON_INITIALIZER;
    return importing_each(i, IMPORT_METRICS, &all, take_metrics, err);
}
