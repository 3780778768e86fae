#include "cli/settings_json.h"

json_t *settings_json(const bson_t *settings)
{
    char id[SETTINGS_ID_MAX];
    json_t *out = json_of_named(settings);
    if (out != NULL) {
        json_object_set_new(out, "_id", json_text(settings_id(settings, id)));
    }
    return out;
}

json_t *assignment_json(const struct settings_book *b, const bson_t *assignment)
{
    char id[SETTINGS_ID_MAX];
    json_t *out = json_of_named(assignment);
    if (out != NULL) {
        json_object_set_new(out, "settings", json_text(settings_of_name(b, assignment, id)));
    }
    return out;
}
