/* A backup read again: good, damaged, cut, missing; and its manifests. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/fs.h"
#include "common/base/hash.h"
#include "common/db/db.h"
#include "ops/verify.h"
#include "test.h"

struct seen {
    enum verify_state states[8];
    char details[8][200];
    size_t n;
    int64_t bytes;
};

static void on_read(void *ctx, int64_t bytes)
{
    struct seen *s = ctx;
    s->bytes += bytes;
}

static void on_file(void *ctx, const struct verify_file *f)
{
    struct seen *s = ctx;
    snprintf(s->details[s->n], sizeof s->details[0], "%s", f->detail);
    s->states[s->n++] = f->state;
}

static char folder[64];

static void write_file(const char *name, const char *text)
{
    struct err err = {0};
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(fs_write(path, text, strlen(text), &err), 0);
}

static void add_file(bson_t *files, const char *path, const char *text)
{
    struct err err = {0};
    struct hash_hex hex;
    char key[16];
    AUTO(hasher_free) struct hasher *h = hasher_new(HASH_MD5, &err);
    hasher_add(h, text, strlen(text));
    hasher_hex(h, &hex);
    snprintf(key, sizeof key, "%u", bson_count_keys(files));
    BCON_APPEND(files, key, "{", "path", BCON_UTF8(path), "size", BCON_INT64((int64_t)strlen(text)),
                "xxh3", BCON_UTF8(hex.xxh3), "md5", BCON_UTF8(hex.digest), "}");
}

static void load(struct record *r, const bson_t *files)
{
    struct err err = {0};
    AUTO(bson_destroy) bson_t *raw = BCON_NEW("files", BCON_ARRAY(files));
    assert_int_equal(record_load(r, NULL, raw, &err), 0);
}

static int set_up(void **state)
{
    (void)state;
    char path[128];
    if (test_folder(folder, sizeof folder, "trawl-test-verify") == NULL) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/x.d", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    write_file("x.d/good", "good");
    write_file("x.d/bad", "evil");
    write_file("x.d/cut", "cu");
    write_file("x.d/odd\xff", "odd");
    snprintf(path, sizeof path, "%s/x.d/link", folder);
    return symlink("good", path);
}

static int tear_down(void **state)
{
    (void)state;
    static const char *const names[] = {"x.d/good",           "x.d/bad",          "x.d/cut",
                                        "x.d/odd\xff",        "x.d/link",         "y",
                                        ".x.d.MANIFEST.xxh3", ".x.d.MANIFEST.md5"};
    char path[128];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    snprintf(path, sizeof path, "%s/x.d", folder);
    return rmdir(path) != 0 || rmdir(folder) != 0 ? -1 : 0;
}

static void verify_judges_every_file(void **state)
{
    (void)state;
    static const struct { /* in the order of the paths */
        enum verify_state state;
        const char *detail;
    } wanted[] = {
        {VERIFY_UNREADABLE, "no regular file"},
        {VERIFY_DAMAGED, "xxh3 is "},
        {VERIFY_WRONG_SIZE, "2 bytes instead of 4"},
        {VERIFY_MISSING, "No such file"},
        {VERIFY_OK, ""},
        {VERIFY_UNREADABLE, "no regular file"},
        {VERIFY_OK, ""},
        {VERIFY_MISSING, "Not a directory"},
    };
    struct err err = {0};
    struct seen seen = {0};
    struct record record;
    AUTO(bson_destroy) bson_t *files = bson_new();
    add_file(files, "x.d", "");
    add_file(files, "x.d/bad", "good");
    add_file(files, "x.d/cut", "cut!");
    add_file(files, "x.d/gone", "gone");
    add_file(files, "x.d/good", "good");
    add_file(files, "x.d/link", "good");
    add_file(files, "x.d/odd%FF", "odd");
    add_file(files, "y/good", "good");
    load(&record, files);
    write_file("y", "a file where a folder should be");
    const struct rehash_hooks hooks = {.read = on_read, .ctx = &seen};
    const struct verify_watch w = {on_file, &seen};
    AUTO(rehash_free) struct rehash *r = rehash_new(&hooks, &err);
    assert_int_equal(verify_files(r, folder, &record, &w, &err), 0);
    assert_int_equal(seen.n, 8);
    for (size_t i = 0; i < seen.n; i++) {
        assert_string_equal(verify_state_name(seen.states[i]), verify_state_name(wanted[i].state));
        if (strstr(seen.details[i], wanted[i].detail) == NULL) {
            fail_msg("%zu: '%s', expected '%s'", i, seen.details[i], wanted[i].detail);
        }
    }
    assert_int_equal(seen.bytes, 4 + 4 + 3);
    record_fini(&record);
}

static void a_wrong_md5_alone_is_damage(void **state)
{
    (void)state;
    char xxh3[HASH_XXH_HEX];
    struct err err = {0};
    struct seen seen = {0};
    struct record record;
    hash_mem("good", 4, xxh3);
    AUTO(bson_destroy)
    bson_t *files = BCON_NEW("0", "{", "path", "x.d/good", "size", BCON_INT64(4), "xxh3",
                             BCON_UTF8(xxh3), "md5", "900150983cd24fb0d6963f7d28e17f72", "}");
    load(&record, files);
    const struct rehash_hooks hooks = {.read = on_read, .ctx = &seen};
    const struct verify_watch w = {on_file, &seen};
    AUTO(rehash_free) struct rehash *r = rehash_new(&hooks, &err);
    assert_int_equal(verify_files(r, folder, &record, &w, &err), 0);
    assert_int_equal(seen.states[0], VERIFY_DAMAGED);
    assert_non_null(strstr(seen.details[0], "md5 is "));
    record_fini(&record);
}

/* Lines as the engine writes them, in folder. */
static void write_manifest(const char *suffix, const struct record *r, const char *more)
{
    char name[64], text[1024] = "";
    for (size_t i = 0; i < r->n; i++) {
        const struct hash_hex *hex = &r->files[i].hex;
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s  %s\n",
                 strcmp(suffix, "xxh3") == 0 ? hex->xxh3 : hex->digest, r->files[i].path);
    }
    size_t used = strlen(text);
    snprintf(text + used, sizeof text - used, "%s", more);
    snprintf(name, sizeof name, ".x.d.MANIFEST.%s", suffix);
    write_file(name, text);
}

static void expect_manifest(const struct record *r, const char *wanted)
{
    char why[VERIFY_WHY];
    struct err err = {0};
    assert_int_equal(verify_manifests(folder, "x.d", r, why, &err), 0);
    if (*wanted == '\0' ? why[0] != '\0' : strstr(why, wanted) == NULL) {
        fail_msg("'%s', expected '%s'", why, wanted);
    }
}

static void a_manifest_that_says_otherwise_is_reported(void **state)
{
    (void)state;
    struct record record;
    AUTO(bson_destroy) bson_t *files = bson_new();
    add_file(files, "x.d/a", "a");
    add_file(files, "x.d/b", "b");
    load(&record, files);
    expect_manifest(&record, ".x.d.MANIFEST.xxh3 cannot be used");
    write_manifest("xxh3", &record, "");
    expect_manifest(&record, ".x.d.MANIFEST.md5 cannot be used");
    write_manifest("md5", &record, "");
    expect_manifest(&record, "");
    record.n--;
    write_manifest("xxh3", &record, "");
    record.n++;
    expect_manifest(&record, ".x.d.MANIFEST.xxh3 does not list x.d/b");
    write_manifest("xxh3", &record, "06b05ab6733a618578af5f94892f3950  x.d/c\n");
    expect_manifest(&record, "lists a file that was not recorded: x.d/c");
    write_manifest("xxh3", &record, "nonsense\n");
    expect_manifest(&record, "line 3 is not '<hash>  <path>'");
    write_manifest("xxh3", &record, "");
    record.files[0].hex.digest[0] ^= 1; /* another digit */
    expect_manifest(&record, ".x.d.MANIFEST.md5 has another hash of x.d/a");
    record.files[0].hex.xxh3[0] = '\0'; /* AlphaKraken's backups have no manifest of ours */
    expect_manifest(&record, "");
    record_fini(&record);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(verify_judges_every_file),
        cmocka_unit_test(a_wrong_md5_alone_is_damage),
        cmocka_unit_test(a_manifest_that_says_otherwise_is_reported),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
