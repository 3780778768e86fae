/* Names that SMB cannot write, as Linux' client maps them (fs/smb/client/cifs_unicode.h). */
#include <string.h>

#include "common/base/smb_name.h"
#include "test.h"

static void odd_characters_become_those_of_the_private_area(void **state)
{
    (void)state;
    static const struct {
        const char *path, *sfm, *sfu;
    } cases[] = {
        {"plain.raw", "plain.raw", "plain.raw"},
        {"a:/b", "a\xef\x80\xa2/b", "a\xef\x80\xba/b"},
        {"q?s*", "q\xef\x80\xa5s\xef\x80\xa1", "q\xef\x80\xbfs\xef\x80\xaa"},
        {"<>|", "\xef\x80\xa3\xef\x80\xa4\xef\x80\xa7", "\xef\x80\xbc\xef\x80\xbe\xef\x81\xbc"},
        {"\"", "\xef\x80\xa0", "\""},
        {"trail.", "trail\xef\x80\xa9", "trail."},
        {"blank /in .", "blank\xef\x80\xa8/in \xef\x80\xa9", "blank /in ."},
        {"x. y/.z", "x. y/.z", "x. y/.z"},
        {"./../x", "./../x", "./../x"},
        {"...", "..\xef\x80\xa9", "..."},
        {".", ".", "."},
        {"t\tx", "t\xef\x80\x89x", "t\tx"},
        {"\xc3\xbc:", "\xc3\xbc\xef\x80\xa2", "\xc3\xbc\xef\x80\xba"},
        {"", "", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO(free) char *sfm = smb_name_mapped(cases[i].path, SMB_MAP_SFM);
        AUTO(free) char *sfu = smb_name_mapped(cases[i].path, SMB_MAP_SFU);
        assert_string_equal(sfm, cases[i].sfm);
        assert_string_equal(sfu, cases[i].sfu);
        assert_int_equal(smb_name_is_odd(cases[i].path), strcmp(cases[i].path, sfm) != 0);
    }
    assert_true(smb_name_is_odd("back\\slash"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(odd_characters_become_those_of_the_private_area),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
