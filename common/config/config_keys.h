/*
 * config_keys.h - inside of the configuration, for config*.c only: the table of keys, what is
 * remembered about where a value came from, and the reader of one ini file.
 */
#ifndef COMMON_CONFIG_CONFIG_KEYS_H
#define COMMON_CONFIG_CONFIG_KEYS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/config/config.h"

enum config_type {
    CONFIG_TEXT,   /* char * */
    CONFIG_INT,    /* int64_t */
    CONFIG_REAL,   /* double */
    CONFIG_BOOL,   /* bool */
    CONFIG_CHOICE, /* an enum that counts the words of choices */
    CONFIG_TYPE_COUNT
};

enum { CONFIG_SECRET = 1, CONFIG_ABSOLUTE = 2, CONFIG_REQUIRED = 4 };

struct config_key {
    const char *section, *name;
    enum config_type type;
    unsigned flags;
    size_t offset;
    const char *def;     /* NULL: worked out from other keys; help says how */
    int64_t min, max;    /* of a number */
    const char *choices; /* of a text or a choice: the allowed words, separated by spaces */
    const char *help;
};

struct config_keys {
    const struct config_key *at;
    size_t n;
};
extern const struct config_keys config_keys;     /* offsets in struct config */
extern const struct config_keys instrument_keys; /* offsets in struct instrument */
#define CONFIG_KEYS_MAX 96                       /* no table is longer */

enum config_layer {
    CONFIG_FROM_DEFAULT,
    CONFIG_FROM_FILE,     /* trawl.ini, or the instrument's file */
    CONFIG_FROM_ENV_FILE, /* <env>.ini */
    CONFIG_FROM_SELECTOR, /* the variable ENV */
    CONFIG_FROM_VARIABLE, /* TRAWL_<SECTION>_<KEY> */
    CONFIG_FROM_URI_FILE, /* the file that mongo.uri_file names */
    CONFIG_LAYER_COUNT
};
struct config_origin {
    enum config_layer layer;
    int line; /* of the two files */
};

/* What config_load really makes. The struct config is its first member, so one is the other. */
struct config_box {
    struct config c;
    char *dir;
    char *file[CONFIG_LAYER_COUNT]; /* the name of a layer that is a file */
    struct config_origin origin[CONFIG_KEYS_MAX];
};

/* --- config_keys.c --- */
/* NULL when there is no such key. */
const struct config_key *config_find(const struct config_keys *keys, const char *section,
                                     const char *name);
/* The known "section.key" that the unknown one was probably meant to be, or NULL. */
const struct config_key *config_nearest(const struct config_keys *keys, const char *section,
                                        const char *name);
/* TRAWL_<SECTION>_<KEY> */
#define CONFIG_VARIABLE_MAX 80
void config_variable(const struct config_key *k, char name[static CONFIG_VARIABLE_MAX]);
/* Changes in text, each at most 63 bytes long, that make b out of a. */
size_t config_distance(const char *a, const char *b);

/* --- config_value.c --- */
/* Parse text into the field that k names in *base. -1 and INVALID with the reason only: the caller
 * adds where. Texts are owned by *base: config_free_values. */
int config_set(void *base, const struct config_key *k, const char *text, struct err *err);
int config_set_defaults(void *base, const struct config_keys *keys, struct err *err);
void config_free_values(void *base, const struct config_keys *keys);
const char *config_text(const void *base, const struct config_key *k);
int64_t config_int(const void *base, const struct config_key *k);
bool config_bool(const void *base, const struct config_key *k);
double config_real(const void *base, const struct config_key *k);
/* The word of a choice, written to buf. */
const char *config_word(const char *choices, unsigned n, char *buf, size_t room);

/* --- config_file.c --- */
struct config_entry {
    int line;
    char *section, *name, *value;
};
struct config_file {
    const char *name; /* borrowed; for messages */
    struct config_entry *entries;
    size_t n, room;
};
/* Read all of it before anything is applied. A missing file is empty when optional. */
int config_file_read(struct config_file *f, const char *path, bool optional, struct err *err);
/* The same from memory; name is for messages. */
int config_file_parse(struct config_file *f, const char *name, const char *text, size_t len,
                      struct err *err);
void config_file_fini(struct config_file *f);
/* Set each entry; origin (as many as keys) gets layer and line. Unknown, doubled and bad: INVALID.
 */
struct config_target {
    void *base;
    const struct config_keys *keys;
    struct config_origin *origin;
    enum config_layer layer;
};
int config_file_apply(const struct config_file *f, const struct config_target *t, struct err *err);
#endif
