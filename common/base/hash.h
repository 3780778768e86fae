/*
 * hash.h - content hashes of streams: XXH3-128 always, MD5 or SHA-256 and S3's ETag beside it when
 * wanted. One hasher belongs to one thread.
 */
#ifndef COMMON_BASE_HASH_H
#define COMMON_BASE_HASH_H
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/own.h"

enum hash_digest { HASH_NONE, HASH_MD5, HASH_SHA256, HASH_DIGEST_COUNT };

#define HASH_XXH_HEX    33 /* 32 hexadecimal digits and NUL, as xxhsum -H2 prints them */
#define HASH_DIGEST_HEX 65 /* room for the longest digest and NUL */
#define HASH_ETAG_HEX   48 /* 32 digits, "-", the number of parts, NUL */

struct hash_hex {
    char xxh3[HASH_XXH_HEX];
    char digest[HASH_DIGEST_HEX]; /* "" for HASH_NONE */
    char etag[HASH_ETAG_HEX];     /* "" without hasher_new_etag */
};

struct hasher;

/* NULL and TRANSIENT when memory is short. The caller frees with hasher_free. */
struct hasher *hasher_new(enum hash_digest digest, struct err *err) OWNED __attribute__((nonnull));
/* The same, and the ETag that S3 gives to an upload in parts of part_bytes: the MD5 of the parts'
 * MD5s and "-<parts>"; of a single part its plain MD5. part_bytes 0: no ETag. */
struct hasher *hasher_new_etag(enum hash_digest digest, int64_t part_bytes, struct err *err) OWNED
    __attribute__((nonnull));
void hasher_free(struct hasher *h);
AUTO_DEFINE(struct hasher, hasher_free);
void hasher_reset(struct hasher *h) __attribute__((nonnull));
void hasher_add(struct hasher *h, const void *data, size_t len) __attribute__((nonnull(1)));
/* The hashes of all bytes added since new or reset; more may be added afterwards only after reset.
 */
void hasher_hex(struct hasher *h, struct hash_hex *out) __attribute__((nonnull));

/* XXH3-128 of a piece of memory, as 32 hexadecimal digits. */
void hash_mem(const void *data, size_t len, char hex[static HASH_XXH_HEX]);

/* "none", "md5", "sha256" and back; -1 for an unknown name. */
const char *hash_digest_name(enum hash_digest d) __attribute__((returns_nonnull));
int hash_digest_parse(const char *name, enum hash_digest *out) __attribute__((nonnull));
#endif
