"""The copy engine on a real share: C1 to C8 of ../shared/reference/cifs.md, and servers that break, stop and come back."""

from world import *
from harness import hash_tree, write_file

MIB = 1 << 20


def finals(w) -> list:
    return sorted(n for n in os.listdir(w.b.folder) if not n.startswith(".") and ".trawl-" not in n)


def parts(w) -> list:
    return sorted(n for n in os.listdir(w.b.folder) if ".trawl-" in n)


def make(w, name: str, *files: str, size: int = 2000) -> str:
    """A source on the instruments' share, written behind it."""
    path = f"{w.a.folder}/{name}"
    for seed, file in enumerate(files or ("",)):
        at = f"{path}/{file}".rstrip("/")
        os.makedirs(os.path.dirname(at), exist_ok=True)
        write_file(at, size, seed + 1)
    return path


def expect_equal(w, name: str) -> None:
    equal(hash_tree(f"{w.b.folder}/{name}"), hash_tree(f"{w.a.folder}/{name}"), f"{name}: content")
    done = subprocess.run(["xxhsum", "-c", "--", f".{name}.MANIFEST.xxh3"], cwd=w.b.folder, capture_output=True)
    equal(done.returncode, 0, f"xxhsum -c on the server: {done.stdout!r} {done.stderr!r}")
    equal(parts(w), [], "leftovers")
    holds(not set("HS") & set(w.b.attributes(name)), f"{name} is {w.b.attributes(name)}")


def slow(w, name: str, *options: str, mib: int = 2, guest=None) -> GuestProcess:
    """A copy that is under way."""
    words = map(shlex.quote, (BENCH, "--chunk-mib", "1", "--limit", str(mib * MIB), *options, f"{w.a.folder}/{name}", w.b.folder))
    process = (guest or w.one).start(" ".join(words))

    wait_until(lambda: part_bytes(w.b.folder) >= 2 * MIB, 40, f"two MiB of {name} in the backup")
    return process


@case("short", "copy")
def a_file_and_a_folder_are_copied_read_back_and_already_there(w):
    w.fresh()
    for name, files, size in (("a.raw", (), 8 * MIB), ("b.d", [f"1.m/{n}" for n in range(60)], 20_000)):
        source = make(w, name, *files, size=size)
        code, report, said = w.one.copy(source, w.b.folder)
        equal((code, said), (0, ""), name)
        equal(report["from_disk"], True, f"{name}: read back from the server")
        expect_equal(w, name)
        equal(w.one.copy(source, w.b.folder, "--fence", "2")[1].get("already_there"), True, f"{name} again")


@case("short", "copy")
def c1_names_that_differ_in_case_only_are_refused_and_both_are_named(w):
    w.fresh()
    for others in (10, 1100):
        w.one.do(f"rm -rf /tmp/c.d; mkdir /tmp/c.d; cd /tmp/c.d; echo 1 >Data.bin; for i in $(seq {others}); do echo >M$i; done; echo 2 >data.bin")
        code, _, said = w.one.copy("/tmp/c.d", w.b.folder)
        holds(code == 1 and "permanent" in said and "Data.bin" in said and "data.bin" in said, f"{others} others: {code}, {said}")
        equal((finals(w), parts(w)), ([], []), "nothing is there")


@case("short", "copy")
def c2_c4_a_killed_copy_costs_bytes_only_and_is_not_hidden(w):
    for name in ("kill.raw", "kill.d"):
        w.fresh()
        source = make(w, name, *([f"f{n}" for n in range(4)] if name.endswith(".d") else []), size=12 * MIB if name.endswith("raw") else 3 * MIB)
        equal(slow(w, name).kill(), 128 + signal.SIGKILL, "the first was killed while it wrote")
        for fence in range(2, 14):
            code, report, said = w.one.copy(source, w.b.folder, "--fence", str(fence))
            holds("permanent" not in said, f"fence {fence}: {said}")
            if code == 0:
                break
            time.sleep(5)
        equal(code, 0, f"{name}: the last attempt: {said}")
        expect_equal(w, name)


@case("copy")
def c3_two_hosts_never_get_one_name(w):
    w.fresh(w.one, w.two)
    for n in range(8):
        for seed, folder in ((1, "x"), (2, "y")):
            os.makedirs(f"{w.a.folder}/{folder}", exist_ok=True)
            write_file(f"{w.a.folder}/{folder}/r{n}.raw", 50_000, 10 * n + seed)
        ends = [guest.start(f"until [ -e {w.dir}/go ]; do sleep 0.01; done; {BENCH} --fence {fence} {w.a.folder}/{folder}/r{n}.raw {w.b.folder}")
                for guest, folder, fence in ((w.one, "x", 1), (w.two, "y", 1000))]
        with flag(f"{w.dir}/go"):
            codes = [process.wait(60) for process in ends]
        equal(sorted(codes), [0, 1], f"exactly one got r{n}.raw: {[p.text() for p in ends]}")
        winner = "xy"[codes.index(0)]
        equal(digest(f"{w.b.folder}/r{n}.raw"), digest(f"{w.a.folder}/{winner}/r{n}.raw"), "its content")


@case("short", "copy")
def c4_what_is_read_only_at_the_source_is_not_hidden(w):
    w.fresh()
    source = make(w, "ro.raw")
    w.a.client("setmode ro.raw +r")
    holds("R" in w.a.attributes("ro.raw"), "the source is read-only")
    equal(w.one.copy(source, w.b.folder)[0], 0, "exit")
    equal(w.b.attributes("ro.raw").replace("N", ""), "AR", "attributes")


@case("short", "copy")
def c5_a_second_process_under_one_fence_is_told(w):
    w.fresh()
    source = make(w, "twice.raw", size=12 * MIB)
    first = slow(w, "twice.raw")
    code, _, said = w.one.copy(source, w.b.folder)
    holds(code == 1 and "hold" in said and "another process" in said, f"the second: {code}, {said}")
    equal(first.wait(60), 0, f"the first: {first.text()}")
    expect_equal(w, "twice.raw")


@case("copy")
def c6_where_locks_stay_on_the_host_nothing_of_another_is_taken_over(w):
    w.fresh(w.one, w.two, options=f"vers=3.0,{BASE},nobrl")
    source = make(w, "nobrl.raw", size=12 * MIB)
    other = slow(w, "nobrl.raw", guest=w.two)
    code, report, said = w.one.copy(source, w.b.folder, "--fence", "2")
    equal((code, report.get("resumed_bytes")), (0, 0), f"begun afresh: {said}")
    other.wait(120)
    equal(digest(f"{w.b.folder}/nobrl.raw"), digest(source), "content")


@case("copy")
def c7_a_folder_that_somebody_has_open_gets_its_name_later(w):
    w.fresh(lines=("strict rename = yes",))
    source = make(w, "f.d", *[f"f{n}" for n in range(4)], size=3 * MIB)
    copying = slow(w, "f.d")
    part = next(n for n in parts(w) if n.endswith(".part"))
    with w.smb(w.b, "read", f"{part}/f0"):
        equal(copying.wait(90), 1, f"while it is open: {copying.text()}")
        holds("hold" in copying.text(), copying.text())
        equal(finals(w), [], "no final name")
    code, report, said = w.one.copy(source, w.b.folder, "--fence", "2")
    equal((code, report.get("bytes_written")), (0, 0), f"closed: {said}, {report}")
    expect_equal(w, "f.d")


@case("short", "copy")
def c8_names_that_smb_cannot_write_verify_on_the_server(w):
    w.fresh(options=f"vers=3.1.1,{BASE},iocharset=utf8,mapposix")
    w.one.do("rm -rf /tmp/o.d; mkdir /tmp/o.d; cd /tmp/o.d; for n in 'trail.' 'blank ' 'a:b' 'q?s*' plain; do echo \"$n\" >\"$n\"; done")
    code, report, said = w.one.copy("/tmp/o.d", w.b.folder)
    equal((code, report.get("mapped_names")), (0, 4), f"{said} {report}")
    done = subprocess.run(["xxhsum", "-c", "--", ".o.d.MANIFEST.xxh3"], cwd=w.b.folder, capture_output=True)
    equal(done.returncode, 0, f"on the server: {done.stdout!r} {done.stderr!r}")
    w.one.do(f"cd {w.b.folder} && xxhsum -c -- .o.d.MANIFEST.xxh3")


@case("copy")
def a_source_that_is_locked_holds_and_goes_on(w):
    w.fresh()
    source = make(w, "lock.raw")
    with w.smb(w.a, "read", "lock.raw", 0):
        code, _, said = w.one.copy(source, w.b.folder)
        holds(code == 1 and "hold" in said, f"{code}: {said}")
    equal(w.one.copy(source, w.b.folder, "--fence", "2")[0], 0, "released")
    expect_equal(w, "lock.raw")


@case("copy")
def a_source_that_grows_is_refused(w):
    w.fresh()
    make(w, "grow.raw", size=8 * MIB)
    copying = slow(w, "grow.raw")
    with w.smb(w.a, "append", "grow.raw"):
        equal(copying.wait(60), 1, "exit")
    holds("source changed" in copying.text(), copying.text())
    equal((finals(w), parts(w)), ([], []), "nothing is left")


@case("copy")
def a_server_that_is_away_holds_and_the_copy_resumes(w):
    w.fresh()
    source = make(w, "cut.raw", size=12 * MIB)
    copying = slow(w, "cut.raw")
    w.b.down()
    time.sleep(10)
    w.b.up()
    equal(copying.wait(180), 1, f"the copy that lost its server: {copying.text()}")
    holds("hold" in copying.text() or "transient" in copying.text(), copying.text())
    for fence in range(2, 14):
        code, _, said = w.one.copy(source, w.b.folder, "--fence", str(fence))
        holds("permanent" not in said, said)
        if code == 0:
            break
        time.sleep(5)
    equal(code, 0, f"the last attempt: {said}")
    expect_equal(w, "cut.raw")
