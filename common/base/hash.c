/*
 * hash.c - XXH3-128, digests and ETags of a stream. One pass over the bytes feeds up to four
 * hashes: XXH3-128 always, a digest of OpenSSL, and for S3's ETag the MD5 of the part under way and
 * the MD5 of the parts' MD5s (struct parts).
 *
 * hasher_new asks OpenSSL for each algorithm: only there can a caller see a failure. After that a
 * failing call means that this code is wrong, so it is an assertion.
 */
#include "common/base/hash.h"

#include <assert.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/md5.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

struct parts {             /* of an upload to S3 */
    EVP_MD_CTX *one, *all; /* MD5 of the part under way, and of the MD5s of those before */
    int64_t bytes, left;   /* of a whole part, of the one under way */
    int64_t n;             /* parts that have ended */
    unsigned char first[MD5_DIGEST_LENGTH];
};

struct hasher {
    XXH3_state_t *xxh;
    EVP_MD_CTX *md;      /* NULL for HASH_NONE */
    struct parts *parts; /* NULL without an ETag */
};

static const char *const digest_names[] = {
    [HASH_NONE] = "none", [HASH_MD5] = "md5", [HASH_SHA256] = "sha256"};
static_assert(sizeof digest_names / sizeof *digest_names == HASH_DIGEST_COUNT, "one name each");

static const EVP_MD *digest_md(enum hash_digest digest)
{
    switch (digest) {
    case HASH_MD5:
        return EVP_md5();
    case HASH_SHA256:
        return EVP_sha256();
    case HASH_NONE:
    case HASH_DIGEST_COUNT:
        break;
    }
    return NULL;
}

static void to_hex(const unsigned char *bytes, size_t n, char *hex)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        hex[2 * i] = digits[bytes[i] >> 4];
        hex[2 * i + 1] = digits[bytes[i] & 15];
    }
    hex[2 * n] = '\0';
}

static void xxh_hex(XXH128_hash_t hash, char hex[static HASH_XXH_HEX])
{
    XXH128_canonical_t canonical; /* big-endian, as xxhsum prints it */
    XXH128_canonicalFromHash(&canonical, hash);
    to_hex(canonical.digest, sizeof canonical.digest, hex);
}

/* --- the ETag --- */

/* Fails only for a digest that OpenSSL lacks, which parts_new has found out. */
static void start_md5(EVP_MD_CTX *md)
{
    int ok = EVP_DigestInit_ex(md, EVP_md5(), NULL);
    assert(ok == 1);
}

static void add_md5(EVP_MD_CTX *md, const void *data, size_t len)
{
    int ok = EVP_DigestUpdate(md, data, len);
    assert(ok == 1);
}

static void end_md5(EVP_MD_CTX *md, unsigned char out[static MD5_DIGEST_LENGTH])
{
    int ok = EVP_DigestFinal_ex(md, out, NULL);
    assert(ok == 1);
}

static void parts_free(struct parts *p)
{
    if (p != NULL) {
        EVP_MD_CTX_free(p->one);
        EVP_MD_CTX_free(p->all);
        free(p);
    }
}
AUTO_DEFINE(struct parts, parts_free);

static void parts_reset(struct parts *p)
{
    start_md5(p->one);
    start_md5(p->all);
    p->left = p->bytes;
    p->n = 0;
}

static struct parts *parts_new(int64_t bytes, struct err *err)
{
    AUTO(parts_free) struct parts *p = calloc(1, sizeof *p);
    if (p == NULL || (p->one = EVP_MD_CTX_new()) == NULL || (p->all = EVP_MD_CTX_new()) == NULL) {
        err_no_memory(err);
        return NULL;
    }
    if (EVP_DigestInit_ex(p->one, EVP_md5(), NULL) != 1) {
        ERR(err, ERR_INVALID, 0, "OpenSSL does not offer md5 here, which ETags need");
        return NULL;
    }
    p->bytes = bytes;
    parts_reset(p);
    return TAKE(p);
}

static void parts_end_one(struct parts *p)
{
    unsigned char md5[MD5_DIGEST_LENGTH];
    end_md5(p->one, md5);
    add_md5(p->all, md5, sizeof md5);
    if (p->n++ == 0) {
        memcpy(p->first, md5, sizeof md5);
    }
    start_md5(p->one);
    p->left = p->bytes;
}

static void parts_add(struct parts *p, const unsigned char *data, size_t len)
{
    while (len > 0) {
        size_t n = (int64_t)len < p->left ? len : (size_t)p->left;
        add_md5(p->one, data, n);
        data += n;
        len -= n;
        p->left -= (int64_t)n;
        if (p->left == 0) {
            parts_end_one(p);
        }
    }
}

static void parts_etag(struct parts *p, char out[static HASH_ETAG_HEX])
{
    enum { HEX = 2 * MD5_DIGEST_LENGTH };
    unsigned char md5[MD5_DIGEST_LENGTH];
    if (p->left < p->bytes || p->n == 0) { /* nothing at all is one empty part */
        parts_end_one(p);
    }
    if (p->n == 1) {
        to_hex(p->first, sizeof p->first, out);
        return;
    }
    end_md5(p->all, md5);
    to_hex(md5, sizeof md5, out);
    snprintf(out + HEX, HASH_ETAG_HEX - HEX, "-%" PRId64, p->n % 10000000000);
}

/* --- all together --- */

struct hasher *hasher_new(enum hash_digest digest, struct err *err)
{
    return hasher_new_etag(digest, 0, err);
}

struct hasher *hasher_new_etag(enum hash_digest digest, int64_t part_bytes, struct err *err)
{
    AUTO(hasher_free) struct hasher *h = calloc(1, sizeof *h);
    if (h == NULL || (h->xxh = XXH3_createState()) == NULL ||
        (digest != HASH_NONE && (h->md = EVP_MD_CTX_new()) == NULL)) {
        err_no_memory(err);
        return NULL;
    }
    if (digest != HASH_NONE && EVP_DigestInit_ex(h->md, digest_md(digest), NULL) != 1) {
        ERR(err, ERR_INVALID, 0, "OpenSSL does not offer %s here", hash_digest_name(digest));
        return NULL;
    }
    if (part_bytes > 0 && (h->parts = parts_new(part_bytes, err)) == NULL) {
        return NULL;
    }
    XXH3_128bits_reset(h->xxh);
    return TAKE(h);
}

void hasher_free(struct hasher *h)
{
    if (h != NULL) {
        XXH3_freeState(h->xxh);
        EVP_MD_CTX_free(h->md);
        parts_free(h->parts);
        free(h);
    }
}

void hasher_reset(struct hasher *h)
{
    XXH3_128bits_reset(h->xxh);
    if (h->md != NULL) {
        int ok = EVP_DigestInit_ex(h->md, EVP_MD_CTX_get0_md(h->md), NULL);
        assert(ok == 1);
    }
    if (h->parts != NULL) {
        parts_reset(h->parts);
    }
}

void hasher_add(struct hasher *h, const void *data, size_t len)
{
    if (len == 0) {
        return; /* data may be NULL then */
    }
    XXH3_128bits_update(h->xxh, data, len);
    if (h->md != NULL) {
        int ok = EVP_DigestUpdate(h->md, data, len);
        assert(ok == 1); /* fails only when used after the end: hasher_reset was forgotten */
    }
    if (h->parts != NULL) {
        parts_add(h->parts, data, len);
    }
}

void hasher_hex(struct hasher *h, struct hash_hex *out)
{
    xxh_hex(XXH3_128bits_digest(h->xxh), out->xxh3);
    out->digest[0] = '\0';
    out->etag[0] = '\0';
    if (h->md != NULL) {
        unsigned char bytes[EVP_MAX_MD_SIZE];
        unsigned n = 0;
        int ok = EVP_DigestFinal_ex(h->md, bytes, &n);
        assert(ok == 1 && 2 * n < sizeof out->digest);
        to_hex(bytes, n, out->digest);
    }
    if (h->parts != NULL) {
        parts_etag(h->parts, out->etag);
    }
}

void hash_mem(const void *data, size_t len, char hex[static HASH_XXH_HEX])
{
    xxh_hex(XXH3_128bits(data, len), hex);
}

const char *hash_digest_name(enum hash_digest d)
{
    return digest_names[d];
}

int hash_digest_parse(const char *name, enum hash_digest *out)
{
    for (unsigned i = 0; i < HASH_DIGEST_COUNT; i++) {
        if (strcmp(name, digest_names[i]) == 0) {
            *out = (enum hash_digest)i;
            return 0;
        }
    }
    return -1;
}
