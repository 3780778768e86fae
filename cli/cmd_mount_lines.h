/*
 * cmd_mount_lines.h - the lines that mount a share. Pure; HOST, SHARE and the credentials stay
 * placeholders.
 */
#ifndef CLI_CMD_MOUNT_LINES_H
#define CLI_CMD_MOUNT_LINES_H
#include <stdbool.h>

#include "common/base/err.h"
#include "common/base/own.h"

struct mount_share {
    const char
        *name; /* the instrument's or the location's; also in the name of its credentials file */
    const char *path; /* where our processes see it */
    bool read_only;
};
/* One shell line; free(), NULL when memory is short. */
char *mount_command(const struct mount_share *s) OWNED __attribute__((nonnull));
/* One line of /etc/fstab; free(), NULL when memory is short. */
char *mount_fstab(const struct mount_share *s) OWNED __attribute__((nonnull));
#endif
