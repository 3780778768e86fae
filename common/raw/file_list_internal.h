/* file_list_internal.h - what file_list.c (reads) and file_list_write.c (writes, deletes) share. */
#ifndef COMMON_RAW_FILE_LIST_INTERNAL_H
#define COMMON_RAW_FILE_LIST_INTERNAL_H
#include <bson/bson.h>

#include "common/base/hash.h"
#include "common/raw/file_list.h"

/* Add a file to the hash of its list: by its content, whatever way the store writes numbers. */
void file_list_hash(struct hasher *h, const bson_t *file);
/* The _id of a list's document n; free(). */
char *file_list_document(const char *list, uint32_t n, struct err *err) OWNED;
#endif
