/* The lines that mount a share. */
#include <string.h>

#include "cli/cmd_mount_lines.h"
#include "test.h"

static void mount_lines_quote_for_shell_and_fstab(void **state)
{
    (void)state;
    const struct mount_share s = {"tims2", "/mnt/it's a share", true};
    AUTO(free) char *command = mount_command(&s);
    AUTO(free) char *fstab = mount_fstab(&s);
    assert_non_null(strstr(command, "mkdir -p '/mnt/it'\\''s a share' && mount -t cifs"));
    assert_non_null(strstr(command, " -o ro,credentials=/etc/trawl/cifs-tims2,"));
    assert_null(strstr(command, "nolease"));
    assert_non_null(strstr(fstab, "//HOST/SHARE /mnt/it's\\040a\\040share cifs ro,"));
    assert_non_null(strstr(fstab, "_netdev,nofail 0 0"));
}

static void mount_lines_hold_no_password(void **state)
{
    (void)state;
    const struct mount_share s = {"backup", "/b", false};
    AUTO(free) char *command = mount_command(&s);
    AUTO(free) char *fstab = mount_fstab(&s);
    assert_null(strstr(command, "pass"));
    assert_null(strstr(fstab, "user"));
    assert_non_null(strstr(fstab, "cifs rw,"));
}

/* Measured with a kernel client: ../shared/reference/cifs.md. */
static void mount_lines_ask_for_what_copies_need(void **state)
{
    (void)state;
    static const char *const wanted[] = {"vers=3.1.1",  "iocharset=utf8", ",mapposix,",
                                         ",serverino,", ",actimeo=1,",    ",cache=strict,",
                                         ",nolease,"};
    const struct mount_share s = {"backup", "/b", false};
    AUTO(free) char *command = mount_command(&s);
    AUTO(free) char *fstab = mount_fstab(&s);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        assert_non_null(strstr(fstab, wanted[i]));
    }
    assert_non_null(strstr(command, "-o rw,nolease,"));
    assert_null(strstr(command, "nobrl"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(mount_lines_quote_for_shell_and_fstab),
        cmocka_unit_test(mount_lines_hold_no_password),
        cmocka_unit_test(mount_lines_ask_for_what_copies_need),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
