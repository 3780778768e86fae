#include "common/mount/mount.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/own.h"
#include "common/mount/mount_traits.h"
#include "test.h"

#define UUID  "01234567-89ab-4cde-8f01-23456789abcd"
#define OTHER "11234567-89ab-4cde-8f01-23456789abcd"

static char root[64];

static int make_root(void **state)
{
    (void)state;
    return test_folder(root, sizeof root, "test_mount") == NULL;
}

static int remove_root(void **state)
{
    (void)state;
    char command[256];
    snprintf(command, sizeof command, "umount -l %s/share 2>/dev/null; rm -rf --one-file-system %s",
             root, root);
    return system(command);
}

static const char *at(const char *name)
{
    static char path[160];
    snprintf(path, sizeof path, "%.60s/%.90s", root, name);
    return path;
}

static void put(const char *name, const char *text)
{
    FILE *f = fopen(at(name), "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void identify(const char *folder, const char *location, const char *uuid)
{
    struct mount_identity id = {.by = "test"};
    struct err err = {0};
    snprintf(id.location, sizeof id.location, "%s", location);
    snprintf(id.uuid, sizeof id.uuid, "%s", uuid);
    assert_int_equal(mount_identity_write(at(folder), &id, &err), 0);
}

static struct mount_expect expect(bool initialised)
{
    struct mount_expect e = {
        .location = "backup", .initialised = initialised, .uuid = UUID, .placed = false};
    snprintf(e.path, sizeof e.path, "%s", at("share"));
    return e;
}

static struct mount_proof prove(const struct mount_expect *e)
{
    struct mount_proof p;
    mount_prove(e, true, &p);
    return p;
}

static enum mount_status judge(const struct mount_proof *p, int64_t bytes, char detail[200])
{
    const struct mount_need n = {.location = "backup", .path = "/x", .write = true, .bytes = bytes};
    return mount_judge(p, &n, false, detail);
}

static enum mount_status status_of(bool initialised)
{
    char detail[200];
    struct mount_expect e = expect(initialised);
    struct mount_proof p = prove(&e);
    return judge(&p, 0, detail);
}

static size_t entries(const char *folder)
{
    char command[200];
    unsigned n = 0;
    snprintf(command, sizeof command, "ls -A %s | wc -l", at(folder));
    FILE *f = popen(command, "r");
    assert_int_equal(fscanf(f, "%u", &n), 1);
    pclose(f);
    return n;
}

/* A tmpfs at share; skips where nobody may mount. */
static void mount_share(const char *options)
{
    if (geteuid() != 0 || mount("trawl-test", at("share"), "tmpfs", 0, options) != 0) {
        print_message("skipped: mounting is not allowed here: %s\n", strerror(errno));
        skip();
    }
}

static void the_right_share_is_proven_and_left_as_it_was(void **state)
{
    (void)state;
    mkdir(at("share"), 0755);
    identify("share", "backup", UUID);
    assert_int_equal(status_of(true), MOUNT_OK);
    assert_int_equal(entries("share"), 1);
}

static void a_folder_that_is_not_there_is_missing(void **state)
{
    (void)state;
    assert_int_equal(status_of(true), MOUNT_MISSING);
    assert_int_equal(status_of(false), MOUNT_MISSING);
    put("share", "a file");
    assert_int_equal(status_of(false), MOUNT_MISSING);
}

static void an_empty_folder_is_no_share_and_nothing_is_written_to_it(void **state)
{
    (void)state;
    mkdir(at("share"), 0755);
    assert_int_equal(status_of(true), MOUNT_EMPTY);
    assert_int_equal(entries("share"), 0);
    assert_int_equal(status_of(false), MOUNT_OK);
}

static void another_locations_share_is_wrong_even_before_init(void **state)
{
    (void)state;
    mkdir(at("share"), 0755);
    identify("share", "instrument/astral1", UUID);
    assert_int_equal(status_of(true), MOUNT_WRONG);
    assert_int_equal(status_of(false), MOUNT_WRONG);
    identify("share", "backup", OTHER);
    assert_int_equal(status_of(true), MOUNT_WRONG);
    assert_int_equal(status_of(false), MOUNT_OK);
}

static void a_broken_identity_is_wrong(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "{",
                                        "[]",
                                        "{\"v\":1}",
                                        "{\"v\":2,\"location\":\"backup\",\"uuid\":\"" UUID "\"}",
                                        "{\"v\":1,\"location\":\"../x\",\"uuid\":\"" UUID "\"}",
                                        "{\"v\":1,\"location\":\"backup\",\"uuid\":\"short\"}",
                                        "{\"v\":1,\"v\":1,\"location\":\"backup\",\"uuid\":\"" UUID
                                        "\"}"};
    mkdir(at("share"), 0755);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        put("share/" MOUNT_FILE, texts[i]);
        assert_int_equal(status_of(false), MOUNT_WRONG);
    }
    unlink(at("share/" MOUNT_FILE));
    assert_int_equal(mkfifo(at("share/" MOUNT_FILE), 0644), 0); /* nobody waits for a writer */
    assert_int_equal(status_of(true), MOUNT_WRONG);
}

static void a_read_only_share_is_refused_to_writers_only(void **state)
{
    (void)state;
    char detail[200];
    mkdir(at("share"), 0755);
    mount_share("size=8m");
    identify("share", "backup", UUID);
    assert_int_equal(mount(NULL, at("share"), NULL, MS_REMOUNT | MS_RDONLY, "size=8m"), 0);
    assert_int_equal(status_of(true), MOUNT_READ_ONLY);
    struct mount_expect e = expect(true);
    struct mount_proof p = prove(&e);
    const struct mount_need read = {.location = "backup", .path = "/x"};
    assert_int_equal(mount_judge(&p, &read, true, detail), MOUNT_OK);
}

static void a_probe_that_a_killed_process_has_left_is_taken_away(void **state)
{
    (void)state;
    char host[64] = "", left[128];
    mkdir(at("share"), 0755);
    gethostname(host, sizeof host - 1);
    snprintf(left, sizeof left, "share/.trawl-probe-%s", host);
    put(left, "");
    struct mount_expect e = expect(false);
    struct mount_proof p = prove(&e);
    assert_int_equal(p.write_errno, 0);
    assert_int_equal(entries("share"), 0);
}

static void a_full_share_is_refused_to_writers(void **state)
{
    (void)state;
    char detail[200];
    mkdir(at("share"), 0755);
    mount_share("size=8m");
    identify("share", "backup", UUID);
    struct mount_expect e = expect(true);
    struct mount_proof p = prove(&e);
    assert_true(p.free_bytes > 0 && p.free_bytes <= 8 << 20);
    assert_int_equal(judge(&p, 1 << 20, detail), MOUNT_OK);
    assert_int_equal(judge(&p, 16 << 20, detail), MOUNT_FULL);
    assert_non_null(strstr(detail, "16 are needed"));
}

static void a_share_without_room_for_a_name_is_full(void **state)
{
    (void)state;
    char name[32];
    mkdir(at("share"), 0755);
    mount_share("size=8m,nr_inodes=10");
    identify("share", "backup", UUID);
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "share/%d", i);
        FILE *f = fopen(at(name), "w");
        if (f != NULL) {
            fclose(f);
        }
    }
    assert_int_equal(status_of(true), MOUNT_FULL);
}

static void an_unmounted_share_is_missing_though_its_folder_is_there(void **state)
{
    (void)state;
    char detail[200];
    struct err err = {0};
    mkdir(at("share"), 0755);
    identify("share", "backup",
             UUID); /* even below the mount: somebody initialised the wrong one */
    mount_share("size=8m");
    identify("share", "backup", UUID);
    struct mount_expect e = expect(true);
    e.placed = true;
    assert_int_equal(mount_find(e.path, &e.place, &err), 0);
    assert_string_equal(e.place.source, "trawl-test");
    assert_string_equal(e.place.point, e.path);
    struct mount_proof p = prove(&e);
    assert_int_equal(p.status, MOUNT_OK);
    assert_int_equal(umount(at("share")), 0);
    p = prove(&e);
    assert_int_equal(judge(&p, 0, detail), MOUNT_MISSING);
    assert_non_null(strstr(detail, "tmpfs trawl-test is not mounted"));
    assert_int_equal(entries("share"), 1);
}

static void the_same_identity_from_another_server_is_wrong(void **state)
{
    (void)state;
    struct err err = {0};
    mkdir(at("share"), 0755);
    mount_share("size=8m");
    identify("share", "backup", UUID);
    struct mount_expect e = expect(true);
    e.placed = true;
    assert_int_equal(mount_find(e.path, &e.place, &err), 0);
    snprintf(e.place.source, sizeof e.place.source, "//old-server/pool");
    assert_int_equal(prove(&e).status, MOUNT_WRONG);
    snprintf(e.place.source, sizeof e.place.source, "/dev/sdb1"); /* disks change their names */
    assert_int_equal(prove(&e).status, MOUNT_OK);
    snprintf(e.place.fstype, sizeof e.place.fstype, "cifs");
    assert_int_equal(prove(&e).status, MOUNT_WRONG);
}

static void mountinfo_gives_the_file_system_of_a_path(void **state)
{
    (void)state;
    static const char info[] =
        "22 1 0:20 / / rw - ext4 /dev/root rw\n"
        "30 22 0:30 / /mnt/pool rw,noatime shared:5 master:1 - cifs //srv/My\\040Share rw\n"
        "31 22 0:31 / /mnt/pool rw - nfs4 srv:/pool rw\n"
        "32 31 0:32 / /mnt/pool/a\\040b rw - tmpfs x rw\n"
        "broken line\n";
    struct mount_place p;
    struct err err = {0};
    assert_int_equal(mount_find_in(info, "/mnt/pool/x", &p, &err), 0);
    assert_string_equal(p.source, "srv:/pool"); /* the one on top */
    assert_string_equal(p.fstype, "nfs4");
    assert_int_equal(mount_find_in(info, "/mnt/pool/a b/c", &p, &err), 0);
    assert_string_equal(p.point, "/mnt/pool/a b");
    assert_int_equal(mount_find_in(info, "/mnt/poolside", &p, &err), 0);
    assert_string_equal(p.point, "/");
    assert_int_equal(mount_find_in("", "/x", &p, &err), -1);
}

static struct mount_place as_mounted(const char *type_and_options)
{
    char line[1200];
    struct mount_place p;
    struct err err = {0};
    snprintf(line, sizeof line, "36 1 0:40 / /mnt/x rw,relatime shared:1 - %s\n", type_and_options);
    assert_int_equal(mount_find_in(line, "/mnt/x/y", &p, &err), 0);
    return p;
}

static void what_a_target_is_follows_from_how_it_is_mounted(void **state)
{
    (void)state;
    static const struct {
        const char *mounted;
        bool smb, local_locks, plain_names;
    } cases[] = {
        {"ext4 /dev/sda1 rw", false, false, false},
        {"cifs //s/x rw,vers=3.1.1,mapposix,actimeo=1", true, false, false},
        {"cifs //s/x rw,vers=3.1.1,nobrl,mapposix", true, true, false},
        {"smb3 //s/x rw,mapchars", true, false, false},
        {"cifs //s/x rw,nobrlx", true, false, true},
        {"nfs4 s:/x rw,local_lock=none", false, false, false},
        {"nfs s:/x rw,nolock,local_lock=all", false, true, false},
        {"nfs4 s:/x rw,local_lock=flock", false, true, false},
        {"nfs4 s:/x rw,local_lock=posix", false, false, false},
        {"fuse.sshfs s:/x rw", false, true, false},
        {"fuse.cifs //s/x rw", true, true, false},
        {"fuseblk /dev/sdb1 rw", false, false, false},
        {"9p host0 rw", false, true, false},
        {"lustre s:/x rw,localflock", false, true, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mount_place p = as_mounted(cases[i].mounted);
        struct mount_traits t = mount_traits(&p);
        if (t.smb != cases[i].smb || t.local_locks != cases[i].local_locks ||
            t.plain_names != cases[i].plain_names) {
            fail_msg("%s: smb %d, local locks %d, plain names %d", cases[i].mounted, t.smb,
                     t.local_locks, t.plain_names);
        }
    }
}

static void options_that_hurt_are_told_with_what_to_do(void **state)
{
    (void)state;
    static const char good[] = "cifs //s/x rw,vers=3.1.1,cache=strict,soft,nounix,serverino,"
                               "mapposix,echo_interval=60,actimeo=1,closetimeo=1";
    static const struct {
        const char *mounted, *told;
    } cases[] = {
        {"cifs //s/x rw,nobrl,serverino,mapposix,actimeo=1", "nobrl"},
        {"cifs //s/x rw,cache=loose,serverino,mapposix,actimeo=1", "cache=loose"},
        {"cifs //s/x rw,soft,serverino,mapposix,echo_interval=5,actimeo=1", "echo_interval=5"},
        {"cifs //s/x rw,serverino,mapposix,echo_interval=5,actimeo=1", "echo_interval=5"},
        {"cifs //s/x rw,serverino,mapposix", "actimeo is not set"},
        {"cifs //s/x rw,serverino,mapposix,actimeo=30", "30 s old"},
        {"cifs //s/x rw,serverino,mapposix,acregmax=10,acdirmax=5", "10 s old"},
        {"cifs //s/x rw,mapposix,actimeo=1", "noserverino"},
        {"cifs //s/x rw,serverino,actimeo=1", "nomapposix"},
        {"nfs s:/x rw,nolock,noac", "nolock"},
        {"nfs4 s:/x rw,soft,timeo=10,noac", "timeo=10"},
        {"nfs4 s:/x rw", "60 s old"},
    };
    struct mount_warnings w;
    struct mount_place p = as_mounted(good);
    mount_warn(&p, true, &w);
    assert_int_equal(w.n, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        p = as_mounted(cases[i].mounted);
        mount_warn(&p, true, &w);
        assert_int_equal(w.n, 1);
        assert_non_null(strstr(w.text[0], cases[i].told));
        assert_non_null(strstr(w.text[0], "mount with"));
    }
    p = as_mounted("cifs //s/x rw,nobrl,cache=loose,echo_interval=1");
    mount_warn(&p, true, &w);
    assert_int_equal(w.n, 6);
    p = as_mounted("cifs //s/x rw,hard,serverino,mapposix,echo_interval=5,actimeo=1");
    mount_warn(&p, true, &w);
    assert_int_equal(w.n, 0);
    p = as_mounted("nfs4 s:/x rw");
    mount_warn(&p, false, &w); /* nobody watches files grow there */
    assert_int_equal(w.n, 0);
    p = as_mounted("ext4 /dev/sda1 rw");
    mount_warn(&p, true, &w);
    assert_int_equal(w.n, 0);
}

static void a_refusal_names_location_path_trouble_and_remedy(void **state)
{
    (void)state;
    const struct mount_need n = {.location = "instrument/astral1", .path = "/mnt/astral1"};
    for (enum mount_status s = MOUNT_UNINITIALISED; s < MOUNT_STATUS_COUNT; s++) {
        struct err err = {0};
        assert_int_equal(mount_refuse(s, &n, "it is so", &err), -1);
        assert_int_equal(err.kind, ERR_HOLD);
        assert_non_null(strstr(err.msg, "instrument/astral1 at /mnt/astral1: "));
        assert_non_null(strstr(err.msg, mount_status_name(s)));
        assert_non_null(strstr(err.msg, "it is so; "));
    }
}

static void uninitialised_is_refused_only_when_required(void **state)
{
    (void)state;
    char detail[200];
    const struct mount_proof p = {.status = MOUNT_OK};
    const struct mount_need n = {.location = "backup", .path = "/x"};
    assert_int_equal(mount_judge(&p, &n, false, detail), MOUNT_OK);
    assert_int_equal(mount_judge(&p, &n, true, detail), MOUNT_UNINITIALISED);
}

static void trouble_with_writing_has_its_own_names(void **state)
{
    (void)state;
    static const struct {
        int code;
        enum mount_status status;
    } known[] = {{EROFS, MOUNT_READ_ONLY}, {EACCES, MOUNT_READ_ONLY}, {ENOSPC, MOUNT_FULL},
                 {EDQUOT, MOUNT_FULL},     {EIO, MOUNT_STALE},        {ESTALE, MOUNT_STALE}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        char detail[200];
        const struct mount_proof p = {.write_errno = known[i].code, .free_bytes = 1 << 30};
        assert_int_equal(judge(&p, 0, detail), known[i].status);
    }
}

static void uuids_differ_and_are_read_back(void **state)
{
    (void)state;
    char a[MOUNT_UUID_MAX], b[MOUNT_UUID_MAX];
    struct mount_identity id;
    struct err err = {0};
    bool found;
    mount_uuid(a);
    mount_uuid(b);
    assert_string_not_equal(a, b);
    mkdir(at("share"), 0755);
    assert_int_equal(mount_identity_read(at("share"), &id, &found, &err), 0);
    assert_false(found);
    identify("share", "instrument/x-1", a);
    assert_int_equal(mount_identity_read(at("share"), &id, &found, &err), 0);
    assert_true(found);
    assert_string_equal(id.uuid, a);
    assert_string_equal(id.location, "instrument/x-1");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_root, remove_root)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_right_share_is_proven_and_left_as_it_was),
        TEST(a_folder_that_is_not_there_is_missing),
        TEST(an_empty_folder_is_no_share_and_nothing_is_written_to_it),
        TEST(another_locations_share_is_wrong_even_before_init),
        TEST(a_broken_identity_is_wrong),
        TEST(a_read_only_share_is_refused_to_writers_only),
        TEST(a_probe_that_a_killed_process_has_left_is_taken_away),
        TEST(a_full_share_is_refused_to_writers),
        TEST(a_share_without_room_for_a_name_is_full),
        TEST(an_unmounted_share_is_missing_though_its_folder_is_there),
        TEST(the_same_identity_from_another_server_is_wrong),
        TEST(mountinfo_gives_the_file_system_of_a_path),
        TEST(what_a_target_is_follows_from_how_it_is_mounted),
        TEST(options_that_hurt_are_told_with_what_to_do),
        TEST(a_refusal_names_location_path_trouble_and_remedy),
        TEST(uninitialised_is_refused_only_when_required),
        TEST(trouble_with_writing_has_its_own_names),
        TEST(uuids_differ_and_are_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
