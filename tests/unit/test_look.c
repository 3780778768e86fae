/* One look at a raw file on its share. */
#include "test.h"

#include <bson/bson.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/path.h"
#include "scheduler/watch/watch.h"

static void look_in(char *folder, const char *name, struct look *l)
{
    char id[] = "i";
    struct instrument cfg = {.id = id, .type = INSTRUMENT_THERMO, .path = folder};
    struct watch w = {.cfg = &cfg};
    struct err err = {0};
    assert_int_equal(watch_look(&w, name, l, &err), 0);
}

/* TalAloni/SMBLibrary#245: a share that refuses a look does not say that the file is gone. */
static void a_name_that_cannot_be_looked_at_is_trouble_and_one_that_is_gone_is_none(void **state)
{
    (void)state;
    char dir[256];
    struct err err = {0};
    struct look l;
    assert_non_null(test_folder(dir, sizeof dir, "look"));
    AUTO(free) char *loop = path_join(dir, "loop", &err);
    assert_int_equal(symlink("loop", loop), 0);
    look_in(loop, "a.raw", &l); /* ELOOP, as EACCES and ESTALE on a share */
    assert_false(l.there);
    assert_non_null(strstr(l.trouble, "a.raw"));
    look_in(dir, "a.raw", &l);
    assert_false(l.there);
    assert_string_equal(l.trouble, "");
    assert_int_equal(unlink(loop), 0);
    assert_int_equal(rmdir(dir), 0);
}

/* What is cut for a document is cut between characters: MongoDB takes only UTF-8. */
static void the_trouble_of_a_long_name_is_text(void **state)
{
    (void)state;
    char dir[256], name[160] = "";
    struct err err = {0};
    struct look l;
    assert_non_null(test_folder(dir, sizeof dir, "look"));
    AUTO(free) char *loop = path_join(dir, "loop", &err);
    assert_int_equal(symlink("loop", loop), 0);
    for (size_t odd = 0; odd < 2; odd++) {
        memset(name, 'a', odd);
        for (size_t at = odd; at + 2 < sizeof name; at += 2) {
            memcpy(name + at, "\u00fc", 3);
        }
        look_in(loop, name, &l);
        assert_true(l.trouble[0] != '\0');
        assert_true(bson_utf8_validate(l.trouble, strlen(l.trouble), false));
    }
    assert_int_equal(unlink(loop), 0);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_that_cannot_be_looked_at_is_trouble_and_one_that_is_gone_is_none),
        cmocka_unit_test(the_trouble_of_a_long_name_is_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
