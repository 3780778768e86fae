/*
 * smb_name.h - names that SMB cannot write. A client that maps them writes another character in
 * place of each, from Unicode's private use area; who looks at the server sees these. Names in
 * which they are written open through the mount as well. Pure; any thread.
 */
#ifndef COMMON_BASE_SMB_NAME_H
#define COMMON_BASE_SMB_NAME_H
#include <stdbool.h>

#include "common/base/own.h"

enum smb_map {
    SMB_MAP_SFM, /* as "Services for Mac", Linux' default (mapposix) */
    SMB_MAP_SFU, /* as "Services for Unix" (mapchars) */
    SMB_MAP_COUNT
};
/* Whether no server of Windows' kind has such a path as it is: one of " * : < > ? | \ or a control
 * character, or a dot or a blank at a name's end. */
bool smb_name_is_odd(const char *path) __attribute__((nonnull));
/* The path as the server writes it. free(); NULL when memory is short. */
char *smb_name_mapped(const char *path, enum smb_map map) OWNED __attribute__((nonnull));
#endif
