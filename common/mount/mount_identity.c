/* mount_identity.c - the identity file of a location. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/fs.h"
#include "common/mount/mount.h"

#define IDENTITY_BYTES_MAX 4096
#define IDENTITY_VERSION   1

AUTO_DEFINE(json_t, json_decref);

static bool is_uuid(const char *s)
{
    return strlen(s) == MOUNT_UUID_MAX - 1 && strspn(s, "0123456789abcdef-") == MOUNT_UUID_MAX - 1;
}

static bool is_location(const char *s)
{
    return s[0] != '\0' && strlen(s) < MOUNT_LOCATION_MAX &&
           strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_-/") == strlen(s);
}

int mount_identity_parse(const char *text, size_t len, struct mount_identity *out, struct err *err)
{
    json_error_t why;
    const char *location = NULL, *uuid = NULL, *by = "";
    int version = 0;
    *out = (struct mount_identity){0};
    AUTO(json_decref) json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
    if (root == NULL || json_unpack(root, "{s:i, s:s, s:s, s?s}", "v", &version, "location",
                                    &location, "uuid", &uuid, "by", &by) != 0) {
        return ERR(err, ERR_INVALID, 0, "its " MOUNT_FILE " is no identity");
    }
    if (version != IDENTITY_VERSION) {
        return ERR(err, ERR_INVALID, 0, "its " MOUNT_FILE " has version %d, which is not known",
                   version);
    }
    if (!is_location(location) || !is_uuid(uuid)) {
        return ERR(err, ERR_INVALID, 0, "its " MOUNT_FILE " names no location or no uuid");
    }
    snprintf(out->location, sizeof out->location, "%s", location);
    snprintf(out->uuid, sizeof out->uuid, "%s", uuid);
    snprintf(out->by, sizeof out->by, "%s", by);
    return 0;
}

/* A share may hold anything under our name: neither a link nor a pipe is followed or waited for. */
static int read_small(int fd, char *buf, size_t room, size_t *len, struct err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return ERR(err, ERR_TRANSIENT, errno, "its " MOUNT_FILE " cannot be read: %m");
    }
    if (!S_ISREG(st.st_mode) || st.st_size >= (off_t)room) {
        return ERR(err, ERR_INVALID, 0, "its " MOUNT_FILE " is no small file");
    }
    *len = 0;
    ssize_t n;
    while ((n = read(fd, buf + *len, room - *len)) > 0) {
        *len += (size_t)n;
    }
    return n == 0 ? 0 : ERR(err, ERR_TRANSIENT, errno, "its " MOUNT_FILE " cannot be read: %m");
}

int mount_identity_read(const char *path, struct mount_identity *out, bool *found, struct err *err)
{
    char file[MOUNT_PATH_MAX + 32], buf[IDENTITY_BYTES_MAX];
    size_t len = 0;
    *found = false;
    snprintf(file, sizeof file, "%s/" MOUNT_FILE, path);
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return errno == ENOENT ? 0
               : errno == ELOOP
                   ? ERR(err, ERR_INVALID, errno, "its " MOUNT_FILE " is a link")
                   : ERR(err, ERR_TRANSIENT, errno, "its " MOUNT_FILE " cannot be read: %m");
    }
    int rc = read_small(fd, buf, sizeof buf, &len, err);
    close(fd);
    if (rc != 0 || mount_identity_parse(buf, len, out, err) != 0) {
        return -1;
    }
    *found = true;
    return 0;
}

int mount_identity_write(const char *path, const struct mount_identity *id, struct err *err)
{
    char file[MOUNT_PATH_MAX + 32], at[32];
    snprintf(file, sizeof file, "%s/" MOUNT_FILE, path);
    AUTO(json_decref)
    json_t *root =
        json_pack("{s:i, s:s, s:s, s:s, s:s}", "v", IDENTITY_VERSION, "location", id->location,
                  "uuid", id->uuid, "made_at", wall_iso(wall_ms(), at, sizeof at), "by", id->by);
    AUTO(free) char *text = root != NULL ? json_dumps(root, JSON_COMPACT) : NULL;
    AUTO(free) char *line = NULL;
    if (text == NULL || asprintf(&line, "%s\n", text) < 0) {
        return err_no_memory(err);
    }
    return fs_write(file, line, strlen(line), err);
}

void mount_uuid(char out[static MOUNT_UUID_MAX])
{
    unsigned char b[16];
    if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b) {
        for (size_t i = 0; i < sizeof b; i++) {
            b[i] = (unsigned char)mono_random(256);
        }
    }
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    snprintf(out, MOUNT_UUID_MAX,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
             b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
             b[15]);
}
