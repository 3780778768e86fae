/* test_lists.c - lists of files against a real store: only a whole list is believed, and only what
 * nothing names any more is deleted. */
#include <stdio.h>
#include <string.h>

#include "common/raw/file_list.h"
#include "store.h"
#include "test.h"

#define RAW "a.d"

static int fresh(void **state)
{
    (void)state;
    bson_t all = BSON_INITIALIZER;
    struct err err = {0};
    must(db_delete(db, DB_FILE_LISTS, &all, NULL, &err), &err);
    return 0;
}

static bson_t *file_of(int i, const char *hash)
{
    char path[64];
    snprintf(path, sizeof path, RAW "/%06d", i);
    return BCON_NEW("path", BCON_UTF8(path), "size", BCON_INT64(i), "xxh3", BCON_UTF8(hash));
}

/* Adds n files, whose first has this hash. */
static int write_list(struct file_list_name name, int n, const char *hash, bson_t *ref,
                      struct err *err)
{
    AUTO(file_list_writer_free)
    struct file_list_writer *w = file_list_writer_new(db, &name, err);
    assert_non_null(w);
    int rc = 0;
    for (int i = 0; rc == 0 && i < n; i++) {
        AUTO(bson_destroy) bson_t *file = file_of(i, i == 0 ? hash : "11");
        rc = file_list_add(w, file, err);
    }
    return rc == 0 ? file_list_end(w, ref, err) : -1;
}

/* {"file_list": reference} of a list that was written. */
static bson_t *written(const char *raw, int64_t round, int64_t fence, int n)
{
    struct err err = {0};
    bson_t ref = BSON_INITIALIZER;
    must(write_list((struct file_list_name){raw, round, fence}, n, "00", &ref, &err), &err);
    bson_t *doc = BCON_NEW("file_list", BCON_DOCUMENT(&ref));
    bson_destroy(&ref);
    return doc;
}

static int count_in_order(void *ctx, const bson_t *file, struct err *err)
{
    (void)err;
    int64_t *n = ctx;
    assert_int_equal(doc_i64(file, "size", -1), *n);
    ++*n;
    return 0;
}

static int read_list(const bson_t *doc, int64_t *n, struct err *err)
{
    *n = 0;
    return file_list_each(db, (struct file_list_at){doc, "file_list"}, count_in_order, n, err);
}

static void must_refuse(const bson_t *doc, const char *why)
{
    int64_t n;
    struct err err = {0};
    assert_int_equal(read_list(doc, &n, &err), -1);
    assert_int_equal(err.kind, ERR_INVALID);
    if (strstr(err.msg, why) == NULL) {
        fail_msg("'%s' does not say '%s'", err.msg, why);
    }
}

static int64_t count_documents(void)
{
    int64_t n;
    struct err err = {0};
    bson_t all = BSON_INITIALIZER;
    must(db_count(db, DB_FILE_LISTS, &all, &n, &err), &err);
    return n;
}

static void change(const char *id, bson_t *update)
{
    bool won = false;
    struct err err = {0};
    AUTO(bson_destroy) bson_t *filter = BCON_NEW("_id", BCON_UTF8(id));
    must(db_update(db, DB_FILE_LISTS, filter, update, &won, &err), &err);
    assert_true(won);
    bson_destroy(update);
}

static void a_list_of_any_length_is_read_as_it_was_written(void **state)
{
    (void)state;
    static const int sizes[] = {0, 1, FILE_LIST_FILES, FILE_LIST_FILES + 1, 2500};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int64_t n;
        struct err err = {0};
        fresh(NULL);
        AUTO(bson_destroy) bson_t *doc = written(RAW, 0, 1, sizes[i]);
        assert_int_equal(doc_i64(doc, "file_list.files", -1), sizes[i]);
        assert_int_equal(count_documents(), (sizes[i] + FILE_LIST_FILES - 1) / FILE_LIST_FILES);
        must(read_list(doc, &n, &err), &err);
        assert_int_equal(n, sizes[i]);
    }
}

/* The longest paths there are, of bytes that are written as three. */
static void no_document_reaches_a_mebibyte(void **state)
{
    (void)state;
    enum { LONG = 3 * 4096, N = 1200 };
    static char path[LONG + 1];
    struct err err = {0};
    bson_t ref = BSON_INITIALIZER;
    AUTO(file_list_writer_free)
    struct file_list_writer *w =
        file_list_writer_new(db, &(struct file_list_name){RAW, 0, 1}, &err);
    assert_non_null(w);
    memset(path, 'x', LONG);
    for (int i = 0; i < N; i++) {
        AUTO(bson_destroy)
        bson_t *file = BCON_NEW("path", BCON_UTF8(path), "size", BCON_INT64(i), "xxh3", "00");
        must(file_list_add(w, file, &err), &err);
    }
    must(file_list_end(w, &ref, &err), &err);
    for (uint32_t i = 0; i < doc_i64(&ref, "documents", 0); i++) {
        char id[64];
        bson_t *doc = NULL;
        snprintf(id, sizeof id, RAW "#0.1/%06u", i);
        must(db_find_id(db, DB_FILE_LISTS, id, &doc, &err), &err);
        assert_non_null(doc);
        assert_in_range(doc->len, 1, 1 << 20);
        bson_destroy(doc);
    }
    AUTO(bson_destroy) bson_t *owner = BCON_NEW("file_list", BCON_DOCUMENT(&ref));
    int64_t n;
    must(read_list(owner, &n, &err), &err);
    assert_int_equal(n, N);
    bson_destroy(&ref);
}

/* The insert was made, and its reply was lost: the writer makes it again. */
static void a_list_that_is_written_twice_is_one_list(void **state)
{
    (void)state;
    int64_t n;
    struct err err = {0};
    AUTO(bson_destroy) bson_t *first = written(RAW, 0, 1, 1500);
    AUTO(bson_destroy) bson_t *again = written(RAW, 0, 1, 1500);
    assert_true(bson_equal(first, again));
    assert_int_equal(count_documents(), 2);
    must(read_list(again, &n, &err), &err);
}

static void another_list_under_the_same_name_is_refused(void **state)
{
    (void)state;
    int64_t n;
    struct err err = {0};
    bson_t ref = BSON_INITIALIZER;
    AUTO(bson_destroy) bson_t *doc = written(RAW, 0, 1, 3);
    assert_int_equal(write_list((struct file_list_name){RAW, 0, 1}, 3, "22", &ref, &err), -1);
    assert_int_equal(err.kind, ERR_INVALID);
    assert_non_null(strstr(err.msg, "a.d#0.1"));
    bson_destroy(&ref);
    err = (struct err){0};
    must(read_list(doc, &n, &err), &err);
}

static void a_list_that_is_not_whole_is_refused(void **state)
{
    (void)state;
    AUTO(bson_destroy) bson_t *doc = written(RAW, 0, 1, 2500);
    AUTO(bson_destroy) bson_t *gone = BCON_NEW("_id", RAW "#0.1/000001");
    struct err err = {0};
    must(db_delete(db, DB_FILE_LISTS, gone, NULL, &err), &err);
    must_refuse(doc, "document 2 of 3 (a.d#0.1/000001) is missing");
}

static void a_list_that_was_changed_is_refused(void **state)
{
    (void)state;
    AUTO(bson_destroy) bson_t *doc = written(RAW, 0, 1, 20);
    change(RAW "#0.1/000000", BCON_NEW("$set", "{", "files.3.xxh3", "99", "}"));
    must_refuse(doc, "is not what was written");
    fresh(NULL);
    AUTO(bson_destroy) bson_t *shorter = written(RAW, 0, 1, 20);
    change(RAW "#0.1/000000", BCON_NEW("$pop", "{", "files", BCON_INT32(1), "}"));
    must_refuse(shorter, "has 19 files");
    AUTO(bson_destroy) bson_t *none = BCON_NEW("files", BCON_INT32(1));
    must_refuse(none, "there is no list");
    AUTO(bson_destroy) bson_t *odd = BCON_NEW("file_list", "{", "documents", BCON_INT64(1), "}");
    must_refuse(odd, "is broken");
}

static void an_array_of_an_earlier_version_is_read_too(void **state)
{
    (void)state;
    int64_t n;
    struct err err = {0};
    AUTO(bson_destroy)
    bson_t *doc = BCON_NEW("file_list", "[", "{", "path", "a", "size", BCON_INT32(0), "}", "{",
                           "path", "b", "size", BCON_INT32(1), "}", "]");
    must(read_list(doc, &n, &err), &err);
    assert_int_equal(n, 2);
    assert_int_equal(file_list_count((struct file_list_at){doc, "file_list"}), 2);
    AUTO(bson_destroy) bson_t *bad = BCON_NEW("file_list", "[", BCON_INT32(1), "]");
    must_refuse(bad, "broken");
}

static void a_reference_without_a_list_names_the_same_files(void **state)
{
    (void)state;
    struct err err = {0};
    bson_t ref = BSON_INITIALIZER, list;
    AUTO(bson_destroy) bson_t *doc = written(RAW, 0, 1, 1500);
    AUTO(file_list_writer_free)
    struct file_list_writer *w =
        file_list_writer_new(NULL, &(struct file_list_name){RAW, 3, 9}, &err);
    assert_non_null(w);
    for (int i = 0; i < 1500; i++) {
        AUTO(bson_destroy) bson_t *file = file_of(i, i == 0 ? "00" : "11");
        must(file_list_add(w, file, &err), &err);
    }
    must(file_list_end(w, &ref, &err), &err);
    assert_int_equal(count_documents(), 2);
    assert_true(doc_sub(doc, "file_list", &list));
    assert_true(file_list_same(&ref, &list));
    bson_destroy(&ref);
    AUTO(bson_destroy) bson_t *shorter = written(RAW, 1, 1, 1499);
    assert_true(doc_sub(shorter, "file_list", &ref));
    assert_false(file_list_same(&ref, &list));
}

static bool is_there(const bson_t *doc)
{
    int64_t n;
    struct err err = {0};
    return read_list(doc, &n, &err) == 0;
}

/* What a deposed leader is late with must not hit the lists of the next round, nor another raw
 * file's. */
static void only_what_nothing_names_any_more_is_dropped(void **state)
{
    (void)state;
    struct err err = {0};
    AUTO(bson_destroy) bson_t *early = written(RAW, 0, 4, 1200);
    AUTO(bson_destroy) bson_t *cut_off = written(RAW, 1, 2, 3);
    AUTO(bson_destroy) bson_t *kept = written(RAW, 1, 3, 1200);
    AUTO(bson_destroy) bson_t *next = written(RAW, 2, 5, 1200);
    AUTO(bson_destroy) bson_t *like = written(RAW "#1", 0, 1, 3);
    AUTO(bson_destroy) bson_t *other = written("b.d", 0, 1, 3);
    must(file_list_drop_others(db, RAW, 1, "a.d#1.3", &err), &err);
    assert_false(is_there(early));
    assert_false(is_there(cut_off));
    assert_true(is_there(kept));
    assert_true(is_there(next));
    assert_true(is_there(like));
    assert_true(is_there(other));
    assert_int_equal(count_documents(), 2 + 2 + 1 + 1);
}

static int run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_list_of_any_length_is_read_as_it_was_written, fresh),
        cmocka_unit_test_setup(no_document_reaches_a_mebibyte, fresh),
        cmocka_unit_test_setup(a_list_that_is_written_twice_is_one_list, fresh),
        cmocka_unit_test_setup(another_list_under_the_same_name_is_refused, fresh),
        cmocka_unit_test_setup(a_list_that_is_not_whole_is_refused, fresh),
        cmocka_unit_test_setup(a_list_that_was_changed_is_refused, fresh),
        cmocka_unit_test_setup(an_array_of_an_earlier_version_is_read_too, fresh),
        cmocka_unit_test_setup(a_reference_without_a_list_names_the_same_files, fresh),
        cmocka_unit_test_setup(only_what_nothing_names_any_more_is_dropped, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
    return store_main("lists", run);
}
