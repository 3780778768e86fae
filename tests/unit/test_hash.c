/*
 * The expected values were printed by xxhsum -H2 (0.8.1), md5sum and sha256sum for the same bytes:
 * no byte, "abc", 0..199 counted up, and the 1048577 bytes of pattern().
 */
#include "common/base/hash.h"

#include <stdlib.h>
#include <string.h>

#include "test.h"

struct sample {
    const unsigned char *data;
    size_t len;
    const char *xxh3, *md5, *sha256;
};

#define BIG 1048577

static unsigned char big[BIG];
static unsigned char counted[200];

static const struct sample samples[] = {
    {(const unsigned char *)"", 0, "99aa06d3014798d86001c324468d497f",
     "d41d8cd98f00b204e9800998ecf8427e",
     "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {(const unsigned char *)"abc", 3, "06b05ab6733a618578af5f94892f3950",
     "900150983cd24fb0d6963f7d28e17f72",
     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {counted, sizeof counted, "cb0395310643ba0edd97e9af3609d9f5",
     "fb7001d34b8e82c9b579be5005d5b0a5",
     "1901da1c9f699b48f6b2636e65cbf73abf99d0441ef67f5c540a42f7051dec6f"},
    {big, BIG, "9fc2bb9dd26bf47c47de1db22d792a57", "b19b111425ce601f7b782d7286ae5dd6",
     "7d129a470ea3dee543fdd2b4423cb950a5037750f9427a1b4b6488a7b7ff574c"},
};
#define SAMPLES (sizeof samples / sizeof *samples)

static int pattern(void **state)
{
    (void)state;
    for (size_t i = 0; i < BIG; i++) {
        big[i] = (unsigned char)((i * 7 + i / 251) % 256);
    }
    for (size_t i = 0; i < sizeof counted; i++) {
        counted[i] = (unsigned char)i;
    }
    return 0;
}

/* In pieces of odd and growing length, so that the block boundaries are crossed. */
static void add_in_pieces(struct hasher *h, const unsigned char *data, size_t len)
{
    size_t piece = 1;
    for (size_t at = 0; at < len; at += piece, piece = piece * 3 + 1) {
        piece = len - at < piece ? len - at : piece;
        hasher_add(h, data + at, piece);
    }
}

static void check_stream(enum hash_digest digest)
{
    struct err err = {0};
    struct hasher *h = hasher_new(digest, &err);
    assert_non_null(h);
    for (size_t i = 0; i < SAMPLES; i++) {
        struct hash_hex hex;
        add_in_pieces(h, samples[i].data, samples[i].len);
        hasher_hex(h, &hex);
        hasher_reset(h);
        assert_string_equal(hex.xxh3, samples[i].xxh3);
        assert_string_equal(hex.digest, digest == HASH_MD5      ? samples[i].md5
                                        : digest == HASH_SHA256 ? samples[i].sha256
                                                                : "");
    }
    hasher_free(h);
}

static void a_stream_hashes_as_xxhsum_does(void **state)
{
    (void)state;
    check_stream(HASH_NONE);
}

static void a_stream_hashes_as_md5sum_does_beside_it(void **state)
{
    (void)state;
    check_stream(HASH_MD5);
}

static void a_stream_hashes_as_sha256sum_does_beside_it(void **state)
{
    (void)state;
    check_stream(HASH_SHA256);
}

static void an_etag_is_that_of_an_upload_in_parts(void **state)
{
    (void)state;
    /* Worked out by Python: md5(b"".join(md5(part) for part in parts)) and "-<parts>". */
    static const struct {
        size_t len;
        const char *etag;
    } cases[] = {
        {0, "d41d8cd98f00b204e9800998ecf8427e"},
        {100, "109febc79b8e9e79d686d0773cf44fa0"},
        {262143, "7460aaca32416d02d99ffc9082433165"},
        {262144, "3cd2f99b33ba34daa35b7d09e37078c8"},
        {262145, "992405e0cd18fb5942d87b21a447e4e8-2"},
        {524288, "c7463d70c2f607446d8aa564912728b2-2"},
        {BIG, "8717b5d41e5d60c06d477807076ffcd7-5"},
    };
    struct err err = {0};
    struct hasher *h = hasher_new_etag(HASH_MD5, 262144, &err);
    assert_non_null(h);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct hash_hex hex;
        add_in_pieces(h, big, cases[i].len);
        hasher_hex(h, &hex);
        hasher_reset(h);
        assert_string_equal(hex.etag, cases[i].etag);
    }
    struct hash_hex hex;
    add_in_pieces(h, big, BIG);
    hasher_hex(h, &hex);
    assert_string_equal(hex.digest, samples[3].md5);
    assert_string_equal(hex.xxh3, samples[3].xxh3);
    hasher_free(h);
}

static void a_piece_of_memory_hashes_as_xxhsum_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        char hex[HASH_XXH_HEX];
        hash_mem(samples[i].data, samples[i].len, hex);
        assert_string_equal(hex, samples[i].xxh3);
    }
}

static void nothing_added_from_null_is_the_empty_hash(void **state)
{
    (void)state;
    struct err err = {0};
    struct hash_hex hex;
    struct hasher *h = hasher_new(HASH_MD5, &err);
    assert_non_null(h);
    const void *nothing = samples[0].data;
    hasher_add(h, nothing, 0);
    hasher_hex(h, &hex);
    assert_string_equal(hex.xxh3, samples[0].xxh3);
    assert_string_equal(hex.digest, samples[0].md5);
    hasher_free(h);
    hasher_free(NULL);
}

static void digest_names_go_both_ways(void **state)
{
    (void)state;
    for (int i = 0; i < HASH_DIGEST_COUNT; i++) {
        enum hash_digest d = HASH_NONE;
        assert_int_equal(hash_digest_parse(hash_digest_name((enum hash_digest)i), &d), 0);
        assert_int_equal(d, i);
    }
    enum hash_digest d;
    assert_int_equal(hash_digest_parse("sha1", &d), -1);
    assert_int_equal(hash_digest_parse("", &d), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_hashes_as_xxhsum_does),
        cmocka_unit_test(a_stream_hashes_as_md5sum_does_beside_it),
        cmocka_unit_test(a_stream_hashes_as_sha256sum_does_beside_it),
        cmocka_unit_test(an_etag_is_that_of_an_upload_in_parts),
        cmocka_unit_test(a_piece_of_memory_hashes_as_xxhsum_does),
        cmocka_unit_test(nothing_added_from_null_is_the_empty_hash),
        cmocka_unit_test(digest_names_go_both_ways),
    };
    return cmocka_run_group_tests(tests, pattern, NULL);
}
