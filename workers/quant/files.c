#include "workers/quant/files.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/path.h"
#include "common/quant/settings_files.h"

#define SEEN_MAX 256

struct files_seen {
    pthread_mutex_t lock;
    char keys[SEEN_MAX][HASH_XXH_HEX]; /* lock; a ring */
    size_t next;                       /* lock */
};

struct files_seen *files_seen_new(struct err *err)
{
    struct files_seen *seen = calloc(1, sizeof *seen);
    if (seen == NULL) {
        (void)err_no_memory(err);
        return NULL;
    }
    pthread_mutex_init(&seen->lock, NULL);
    return seen;
}

void files_seen_free(struct files_seen *seen)
{
    if (seen != NULL) {
        pthread_mutex_destroy(&seen->lock);
        free(seen);
    }
}

static bool was_seen(struct files_seen *seen, const char *key)
{
    bool found = false;
    pthread_mutex_lock(&seen->lock);
    for (size_t i = 0; i < SEEN_MAX && !found; i++) {
        found = strcmp(seen->keys[i], key) == 0;
    }
    pthread_mutex_unlock(&seen->lock);
    return found;
}

static void remember_file(struct files_seen *seen, const char *key)
{
    pthread_mutex_lock(&seen->lock);
    memcpy(seen->keys[seen->next], key, HASH_XXH_HEX);
    seen->next = (seen->next + 1) % SEEN_MAX;
    pthread_mutex_unlock(&seen->lock);
}

/* Which file this is, now, and what it must be. False when there is none. */
static bool identify(const char *root, const struct settings *s, const struct settings_file *f,
                     char key[static HASH_XXH_HEX])
{
    struct stat st;
    char text[1024];
    AUTO(free) char *path = NULL;
    if (asprintf(&path, "%s/%s/%s", root, s->set, f->name) < 0) {
        path = NULL;
        return false;
    }
    if (stat(path, &st) != 0) {
        return false;
    }
    int n =
        snprintf(text, sizeof text, "%s|%ju|%ju|%jd|%jd.%ld|%jd.%ld|%s", path, (uintmax_t)st.st_dev,
                 (uintmax_t)st.st_ino, (intmax_t)st.st_size, (intmax_t)st.st_mtim.tv_sec,
                 st.st_mtim.tv_nsec, (intmax_t)st.st_ctim.tv_sec, st.st_ctim.tv_nsec, f->xxh3);
    hash_mem(text, strlen(text), key);
    return n > 0 && (size_t)n < sizeof text;
}

int files_check(struct files_seen *seen, const struct config *cfg, const struct settings *s,
                struct err *err)
{
    const char *root = cfg->location.settings.worker;
    for (size_t i = 0; i < s->n_files; i++) {
        char key[HASH_XXH_HEX];
        bool known = seen != NULL && identify(root, s, &s->files[i], key);
        if (known && was_seen(seen, key)) {
            continue;
        }
        if (settings_file_check(root, s, &s->files[i], err) != 0) {
            return -1;
        }
        if (known) {
            remember_file(seen, key);
        }
    }
    return 0;
}
