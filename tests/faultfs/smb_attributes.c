/* smb_attributes.c - read-only, hidden and the like, kept in user.DOSATTRIB as Samba does. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "tests/faultfs/smb.h"

#define STORED "user.DOSATTRIB"
#define NORMAL 0x80U /* in a request: none of the others */

struct place {
    char at[4200];
};

static const char *place(const struct smb *s, const char *path, struct place *p)
{
    snprintf(p->at, sizeof p->at, "/proc/self/fd/%d/%s", smb_root(s), path);
    return p->at;
}

static bool is_folder(const struct smb *s, const char *path)
{
    struct stat st;
    return fstatat(smb_root(s), path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

unsigned smb_attributes(const struct smb *s, const char *path)
{
    struct place p;
    char text[32] = "";
    ssize_t n = lgetxattr(place(s, path, &p), STORED, text, sizeof text - 1);
    return n > 0                ? (unsigned)strtoul(text, NULL, 16)
           : is_folder(s, path) ? SMB_FOLDER
                                : SMB_ARCHIVE;
}

unsigned smb_attributes_shown(const struct smb *s, const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash == NULL ? path : slash + 1;
    bool hidden = smb_has(s, SMB_HIDDEN) && name[0] == '.' && name[1] != '\0';
    return smb_attributes(s, path) | (hidden ? SMB_HIDE : 0);
}

int smb_attributes_set(const struct smb *s, const char *path, unsigned attributes)
{
    struct place p;
    char text[32];
    int n = snprintf(text, sizeof text, "0x%x", attributes);
    return lsetxattr(place(s, path, &p), STORED, text, (size_t)n, 0) == 0 ? 0 : -errno;
}

int smb_chmod(const struct smb *s, const char *path, mode_t mode)
{
    unsigned now = smb_attributes_shown(s, path), bit = (mode & 0222) == 0 ? SMB_READ_ONLY : 0;
    return (now & SMB_READ_ONLY) == bit ? 0
                                        : smb_attributes_set(s, path, (now & ~SMB_READ_ONLY) | bit);
}

void smb_before_unlink(const struct smb *s, const char *path)
{
    unsigned now = smb_attributes(s, path);
    if (smb_has(s, SMB_HIDDEN) && (now & SMB_READ_ONLY) != 0) {
        (void)smb_attributes_set(s, path, (now & ~SMB_READ_ONLY) | SMB_HIDE);
    }
}

void smb_attributes_renamed(const struct smb *s, const char *path)
{
    if (smb_has(s, SMB_HIDDEN) && !is_folder(s, path)) {
        (void)smb_attributes_set(s, path, smb_attributes_shown(s, path) | SMB_ARCHIVE);
    }
}

static bool is_known(const struct smb *s, const char *name)
{
    return smb_has(s, SMB_HIDDEN) &&
           (strcmp(name, "user.cifs.dosattrib") == 0 || strcmp(name, "user.smb3.dosattrib") == 0);
}

int smb_xattr_get(const struct smb *s, const char *path, const char *name, char *value, size_t room)
{
    uint32_t bits = smb_attributes_shown(s, path);
    if (!is_known(s, name)) {
        return -EOPNOTSUPP;
    }
    if (room > 0 && room < sizeof bits) {
        return -ERANGE;
    }
    if (room > 0) {
        memcpy(value, &bits, sizeof bits);
    }
    return (int)sizeof bits;
}

int smb_xattr_set(const struct smb *s, const char *path, const char *name, const char *value,
                  size_t len)
{
    uint32_t bits;
    if (!is_known(s, name)) {
        return -EOPNOTSUPP;
    }
    if (len != sizeof bits) {
        return -EINVAL;
    }
    memcpy(&bits, value, sizeof bits);
    unsigned kind = is_folder(s, path) ? SMB_FOLDER : 0;
    return bits == 0 ? 0 : smb_attributes_set(s, path, (bits & ~NORMAL) | kind);
}
