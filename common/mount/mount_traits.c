/*
 * mount_traits.c - what follows from a mount's type and options. Reads the type and the options of
 * one line of /proc/self/mountinfo. mount_traits answers what other code decides by: whether it is
 * SMB, whether locks reach other hosts, whether odd names can be written. mount_warn says which
 * options of CIFS and NFS break locks, hide changes or end in errors, and what to mount with
 * instead.
 */
#include "common/mount/mount_traits.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ECHO_MIN_S     30  /* CIFS gives a silent server up after two of them; 60 is the default */
#define TIMEO_MIN_DS   100 /* NFS, tenths of a second */
#define NFS_ACREGMAX_S 60  /* the default, which the options do not show */

static const char *find_option(const char *options, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = options; *at != '\0'; at += *at == ',') {
        size_t word = strcspn(at, ",");
        if (word >= len && strncmp(at, name, len) == 0 && (word == len || at[len] == '=')) {
            return at + len;
        }
        at += word;
    }
    return NULL;
}

static bool has(const struct mount_place *p, const char *name)
{
    return find_option(p->options, name) != NULL;
}

static bool is_set_to(const struct mount_place *p, const char *name, const char *value)
{
    const char *at = find_option(p->options, name);
    size_t len = strlen(value);
    return at != NULL && *at == '=' && strncmp(at + 1, value, len) == 0 &&
           (at[1 + len] == ',' || at[1 + len] == '\0');
}

/* -1: not given. */
static long number(const struct mount_place *p, const char *name)
{
    const char *at = find_option(p->options, name);
    return at != NULL && *at == '=' ? strtol(at + 1, NULL, 10) : -1;
}

static bool is_cifs(const struct mount_place *p)
{
    return strcmp(p->fstype, "cifs") == 0 || strcmp(p->fstype, "smb3") == 0;
}

static bool is_nfs(const struct mount_place *p)
{
    return strcmp(p->fstype, "nfs") == 0 || strcmp(p->fstype, "nfs4") == 0;
}

static bool is_fuse(const struct mount_place *p)
{
    return strcmp(p->fstype, "fuse") == 0 || strncmp(p->fstype, "fuse.", 5) == 0;
}

static bool has_local_locks(const struct mount_place *p)
{
    static const char *const without[] = {"9p", "virtiofs", "vboxsf", "prl_fs", "vmhgfs"};
    bool local = is_fuse(p) || (is_cifs(p) && has(p, "nobrl")) ||
                 (is_nfs(p) && (has(p, "nolock") || is_set_to(p, "local_lock", "all") ||
                                is_set_to(p, "local_lock", "flock"))) ||
                 has(p, "localflock") || has(p, "localflocks");
    for (size_t i = 0; !local && i < sizeof without / sizeof *without; i++) {
        local = strcmp(p->fstype, without[i]) == 0;
    }
    return local;
}

struct mount_traits mount_traits(const struct mount_place *p)
{
    return (struct mount_traits){
        .smb = strstr(p->fstype, "cifs") != NULL || strstr(p->fstype, "smb") != NULL,
        .local_locks = has_local_locks(p),
        .plain_names = is_cifs(p) && !has(p, "mapposix") && !has(p, "mapchars"),
    };
}

/* --- warnings --- */

static void add(struct mount_warnings *w, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void add(struct mount_warnings *w, const char *fmt, ...)
{
    va_list ap;
    assert(w->n < MOUNT_WARNINGS_MAX);
    va_start(ap, fmt);
    vsnprintf(w->text[w->n], sizeof w->text[w->n], fmt, ap);
    va_end(ap);
    w->n++;
}

static void warn_of_age(long seconds, struct mount_warnings *out)
{
    if (seconds > 1) {
        add(out, "attributes are up to %ld s old, so files grow late: mount with actimeo=1",
            seconds);
    }
}

static void warn_cifs(const struct mount_place *p, struct mount_warnings *out)
{
    long age = number(p, "actimeo"), echo = number(p, "echo_interval");
    if (has(p, "nobrl")) {
        add(out, "nobrl: no other host sees our locks, so none takes over a broken copy: mount "
                 "without it");
    }
    if (is_set_to(p, "cache", "loose")) {
        add(out, "cache=loose: what others write is seen late: mount with cache=strict");
    }
    if (!has(p, "hard") && echo >= 0 && echo < ECHO_MIN_S) {
        add(out,
            "soft, echo_interval=%ld: a server that is slow for %ld s gives errors: mount without "
            "echo_interval",
            echo, 2 * echo);
    }
    if (age < 0 && number(p, "acregmax") < 0) {
        add(out, "actimeo is not set: files may grow late: mount with actimeo=1");
    }
    warn_of_age(age < 0 ? number(p, "acregmax") : age, out);
    if (!has(p, "serverino")) {
        add(out, "noserverino: a file that was replaced looks like the old one: mount with "
                 "serverino");
    }
    if (mount_traits(p).plain_names) {
        add(out, "nomapposix: names with \" * : < > ? | or a dot at the end cannot be written: "
                 "mount with mapposix");
    }
}

static void warn_nfs(const struct mount_place *p, bool watched, struct mount_warnings *out)
{
    long age = number(p, "acregmax"), timeo = number(p, "timeo");
    if (has_local_locks(p)) {
        add(out, "nolock: no other host sees our locks, so none takes over a broken copy: mount "
                 "without it");
    }
    if (has(p, "soft") && timeo >= 0 && timeo < TIMEO_MIN_DS) {
        add(out,
            "soft, timeo=%ld: a server that is slow for seconds gives errors: mount with "
            "timeo=600",
            timeo);
    }
    if (watched && !has(p, "noac")) {
        warn_of_age(age < 0 ? NFS_ACREGMAX_S : age, out);
    }
}

void mount_warn(const struct mount_place *p, bool watched, struct mount_warnings *out)
{
    *out = (struct mount_warnings){0};
    if (is_cifs(p)) {
        warn_cifs(p, out);
    } else if (is_nfs(p)) {
        warn_nfs(p, watched, out);
    }
}
