#include "common/base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

static char root[64];

static int make_root(void **state)
{
    (void)state;
    return test_folder(root, sizeof root, "test_fs") == NULL;
}

static int remove_root(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", root);
    return system(command);
}

/* A path below root, in one of four buffers that take turns. */
static const char *at(const char *name)
{
    static char paths[4][256];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", root, name);
    return path;
}

static void put(const char *name, const char *text)
{
    FILE *f = fopen(at(name), "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void mkdirs_makes_the_missing_parents(void **state)
{
    (void)state;
    struct err err = {0};
    struct stat st;
    assert_int_equal(fs_mkdirs(at("a/b/c"), &err), 0);
    assert_int_equal(fs_mkdirs(at("a/b/c/"), &err), 0);
    assert_int_equal(fs_mkdirs(at("a/b//d"), &err), 0);
    assert_int_equal(stat(at("a/b/c"), &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    assert_int_equal(stat(at("a/b/d"), &st), 0);
}

static void mkdirs_through_a_file_is_refused_by_name(void **state)
{
    (void)state;
    struct err err = {0};
    put("file", "x");
    assert_int_equal(fs_mkdirs(at("file/below"), &err), -1);
    assert_int_equal(err.kind, ERR_INVALID);
    assert_non_null(strstr(err.msg, at("file")));
    struct err empty = {0};
    assert_int_equal(fs_mkdirs("", &empty), -1);
}

static void what_was_written_is_read_back(void **state)
{
    (void)state;
    struct err err = {0};
    static char data[300000];
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (char)(i % 251);
    }
    static const size_t lengths[] = {0, 1, 4095, 4096, 4097, 8192, sizeof data};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        size_t len = 99;
        assert_int_equal(fs_write(at("data"), data, lengths[i], &err), 0);
        char *back = fs_read(at("data"), sizeof data, &len, &err);
        assert_non_null(back);
        assert_int_equal(len, lengths[i]);
        assert_memory_equal(back, data, len);
        assert_int_equal(back[len], 0);
        free(back);
    }
}

static void a_file_of_just_the_limit_is_read_and_a_larger_one_is_refused(void **state)
{
    (void)state;
    struct err err = {0};
    put("ten", "0123456789");
    char *text = fs_read(at("ten"), 10, NULL, &err);
    assert_string_equal(text, "0123456789");
    free(text);
    assert_null(fs_read(at("ten"), 9, NULL, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    assert_int_equal(err.code, EFBIG);
}

static void a_missing_file_is_named(void **state)
{
    (void)state;
    struct err err = {0};
    assert_null(fs_read(at("nothing"), 10, NULL, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    assert_int_equal(err.code, ENOENT);
    assert_non_null(strstr(err.msg, at("nothing")));
}

static int count_name(void *ctx, const char *name, struct err *err)
{
    (void)name;
    (void)err;
    ++*(int *)ctx;
    return 0;
}

static void write_leaves_no_temporary_name_behind(void **state)
{
    (void)state;
    struct err err = {0};
    int before = 0, after = 0;
    assert_int_equal(fs_mkdirs(at("clean/target"), &err), 0); /* a folder: rename must fail */
    assert_int_equal(fs_each_name(at("clean"), count_name, &before, &err), 0);
    assert_int_equal(fs_write(at("clean/target"), "x", 1, &err), -1);
    struct err none = {0};
    assert_int_equal(fs_write(at("missing/target"), "x", 1, &none), -1);
    assert_int_equal(none.code, ENOENT);
    assert_int_equal(fs_each_name(at("clean"), count_name, &after, &none), 0);
    assert_int_equal(before, after);
}

static void a_full_device_is_held(void **state)
{
    (void)state;
    struct err err = {0};
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fs_write_all(fd, "x", 1, &err), -1);
    close(fd);
    assert_int_equal(err.kind, ERR_HOLD);
    assert_int_equal(err.code, ENOSPC);
}

static int stop_at_once(void *ctx, const char *name, struct err *err)
{
    ++*(int *)ctx;
    return ERR(err, ERR_CANCELLED, 0, "stopped at %s", name);
}

static void each_name_stops_when_the_callback_fails(void **state)
{
    (void)state;
    struct err err = {0};
    int calls = 0;
    assert_int_equal(fs_mkdirs(at("each/a"), &err), 0);
    assert_int_equal(fs_mkdirs(at("each/b"), &err), 0);
    assert_int_equal(fs_each_name(at("each"), stop_at_once, &calls, &err), -1);
    assert_int_equal(calls, 1);
    assert_int_equal(err.kind, ERR_CANCELLED);
    struct err missing = {0};
    assert_int_equal(fs_each_name(at("no_such"), count_name, &calls, &missing), -1);
    assert_int_equal(missing.code, ENOENT);
}

struct seen {
    char text[512];
};

static int see(void *ctx, const char *relative, int64_t size, struct err *err)
{
    (void)err;
    struct seen *s = ctx;
    size_t used = strlen(s->text);
    snprintf(s->text + used, sizeof s->text - used, "%s=%d;", relative, (int)size);
    return 0;
}

static void walk_sees_every_regular_file_in_byte_order(void **state)
{
    (void)state;
    struct err err = {0};
    struct seen seen = {0};
    assert_int_equal(fs_mkdirs(at("walk/a/z"), &err), 0);
    assert_int_equal(fs_mkdirs(at("walk/empty"), &err), 0);
    put("walk/a/z/deep", "12345");
    put("walk/a/1", "");
    put("walk/a.txt", "12"); /* '.' sorts before '/': before what is in a */
    put("walk/a0", "1");
    put("walk/B", "123");
    put("outside", "x");
    assert_int_equal(symlink("../outside", at("walk/link")), 0);
    assert_int_equal(symlink("..", at("walk/up")), 0);
    assert_int_equal(mkfifo(at("walk/fifo"), 0600), 0);
    assert_int_equal(fs_walk(at("walk"), see, &seen, &err), 0);
    assert_string_equal(seen.text, "B=3;a.txt=2;a/1=0;a/z/deep=5;a0=1;");
}

static int stop_walk(void *ctx, const char *relative, int64_t size, struct err *err)
{
    (void)size;
    ++*(int *)ctx;
    return ERR(err, ERR_FENCED, 0, "%s", relative);
}

static void walk_stops_when_the_callback_fails(void **state)
{
    (void)state;
    struct err err = {0};
    int calls = 0;
    assert_int_equal(fs_mkdirs(at("stop/d"), &err), 0);
    put("stop/d/1", "");
    put("stop/d/2", "");
    put("stop/e", "");
    assert_int_equal(fs_walk(at("stop"), stop_walk, &calls, &err), -1);
    assert_int_equal(calls, 1);
    assert_int_equal(err.kind, ERR_FENCED);
    assert_string_equal(err.msg, "d/1");
}

static void walk_of_a_missing_root_names_it(void **state)
{
    (void)state;
    struct err err = {0};
    struct seen seen = {0};
    assert_int_equal(fs_walk(at("gone"), see, &seen, &err), -1);
    assert_int_equal(err.kind, ERR_INVALID);
    assert_non_null(strstr(err.msg, at("gone")));
}

static void walk_refuses_a_bottomless_tree(void **state)
{
    (void)state;
    struct err err = {0};
    struct seen seen = {0};
    char deep[256];
    int n = snprintf(deep, sizeof deep, "%s/deep", root);
    for (int i = 0; i < 70; i++) {
        n += snprintf(deep + n, sizeof deep - (size_t)n, "/d");
    }
    assert_int_equal(fs_mkdirs(deep, &err), 0);
    assert_int_equal(fs_walk(at("deep"), see, &seen, &err), -1);
    assert_int_equal(err.code, ELOOP);
}

static void errno_decides_between_waiting_trying_again_and_giving_up(void **state)
{
    (void)state;
    assert_int_equal(fs_errno_kind(ENOSPC), ERR_HOLD);
    assert_int_equal(fs_errno_kind(EDQUOT), ERR_HOLD);
    assert_int_equal(fs_errno_kind(EHOSTDOWN), ERR_HOLD);
    assert_int_equal(fs_errno_kind(EIO), ERR_TRANSIENT);
    assert_int_equal(fs_errno_kind(EMFILE), ERR_TRANSIENT);
    assert_int_equal(fs_errno_kind(ENOENT), ERR_INVALID);
    assert_int_equal(fs_errno_kind(EACCES), ERR_INVALID);
}

static int rename_at(const char *from, const char *to)
{
    char old[256];
    snprintf(old, sizeof old, "%s", at(from));
    return fs_rename_new(&(struct fs_name){AT_FDCWD, old}, &(struct fs_name){AT_FDCWD, at(to)});
}

static void a_new_name_is_taken_from_nobody(void **state)
{
    (void)state;
    struct err err = {0};
    struct stat st;
    put("new_a", "a");
    put("new_b", "b");
    assert_int_equal(rename_at("new_a", "new_b"), -1);
    assert_int_equal(errno, EEXIST);
    assert_int_equal(rename_at("new_a", "new_c"), 0);
    assert_int_equal(stat(at("new_a"), &st), -1);
    assert_int_equal(stat(at("new_c"), &st), 0);
    assert_int_equal(st.st_nlink, 1);
    assert_int_equal(fs_mkdirs(at("new_d/x"), &err), 0);
    assert_int_equal(fs_mkdirs(at("new_e/y"), &err), 0);
    assert_int_equal(rename_at("new_d", "new_e"), -1);
    assert_true(errno == EEXIST || errno == ENOTEMPTY);
    assert_int_equal(rename_at("new_d", "new_c"), -1);
    assert_int_equal(rename_at("new_d", "new_f"), 0);
    assert_int_equal(rename_at("new_gone", "new_g"), -1);
    assert_int_equal(errno, ENOENT);
}

static void two_names_of_one_file_are_known_as_such(void **state)
{
    (void)state;
    put("same_a", "a");
    put("same_c", "a");
    assert_int_equal(link(at("same_a"), at("same_b")), 0);
    const struct fs_name a = {AT_FDCWD, at("same_a")}, b = {AT_FDCWD, at("same_b")},
                         c = {AT_FDCWD, at("same_c")}, gone = {AT_FDCWD, at("same_gone")};
    assert_true(fs_same_file(&a, &b));
    assert_false(fs_same_file(&a, &c));
    assert_false(fs_same_file(&a, &gone));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mkdirs_makes_the_missing_parents),
        cmocka_unit_test(mkdirs_through_a_file_is_refused_by_name),
        cmocka_unit_test(what_was_written_is_read_back),
        cmocka_unit_test(a_file_of_just_the_limit_is_read_and_a_larger_one_is_refused),
        cmocka_unit_test(a_missing_file_is_named),
        cmocka_unit_test(write_leaves_no_temporary_name_behind),
        cmocka_unit_test(a_full_device_is_held),
        cmocka_unit_test(each_name_stops_when_the_callback_fails),
        cmocka_unit_test(walk_sees_every_regular_file_in_byte_order),
        cmocka_unit_test(walk_stops_when_the_callback_fails),
        cmocka_unit_test(walk_of_a_missing_root_names_it),
        cmocka_unit_test(walk_refuses_a_bottomless_tree),
        cmocka_unit_test(a_new_name_is_taken_from_nobody),
        cmocka_unit_test(two_names_of_one_file_are_known_as_such),
        cmocka_unit_test(errno_decides_between_waiting_trying_again_and_giving_up),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
