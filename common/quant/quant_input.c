#include "common/quant/quant_input.h"

#include <stdio.h>
#include <string.h>

#include "common/base/path.h"
#include "common/db/db.h"
#include "common/quant/settings_resolve.h"

/* <project>/[YYYY_MM for the fallback]/out_<id>/<software type> */
static char *output_folder(const bson_t *rf, const bson_t *settings)
{
    char month[8];
    path_month(doc_i64(rf, "created_at", 0), month);
    const char *project = doc_str(rf, "project_id", PROJECT_FALLBACK);
    bool fallback = strcmp(project, PROJECT_FALLBACK) == 0;
    char *path = NULL;
    return asprintf(&path, "%s/%s%sout_%s/%s", project, fallback ? month : "", fallback ? "/" : "",
                    doc_str(rf, "_id", ""), settings_type(settings)) < 0
               ? NULL
               : path;
}

/* The folder that the copy was made in: AlphaKraken's month may be that of another time zone. */
static const char *backup_month(const bson_t *rf, char month[static 8])
{
    const char *last = path_base(doc_str(rf, "backup_base_path", ""));
    return strlen(last) == strlen("YYYY_MM") && last[4] == '_'
               ? last
               : path_month(doc_i64(rf, "created_at", 0), month);
}

bson_t *quant_input(const struct quant_ask *a)
{
    const bson_t *rf = a->raw_file;
    char room[8];
    const char *month = backup_month(rf, room);
    AUTO(free) char *backup = NULL;
    AUTO(free) char *output = output_folder(rf, a->settings);
    if (asprintf(&backup, "%s/%s/%s", doc_str(rf, "instrument_id", ""), month,
                 doc_str(rf, "_id", "")) < 0) {
        backup = NULL;
    }
    if (backup == NULL || output == NULL) {
        return NULL;
    }
    return BCON_NEW("raw_file_id", BCON_UTF8(doc_str(rf, "_id", "")), "raw_name",
                    BCON_UTF8(doc_str(rf, "original_name", "")), "project_id",
                    BCON_UTF8(doc_str(rf, "project_id", "")), "instrument_type",
                    BCON_UTF8(a->instrument_type), "backup_path", BCON_UTF8(backup),
                    "output_relative", BCON_UTF8(output), "output_exists_mode",
                    BCON_UTF8(a->exists_mode), "run", BCON_INT64(a->run), "settings",
                    BCON_DOCUMENT(a->settings));
}
