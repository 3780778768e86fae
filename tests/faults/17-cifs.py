"""The copy engine against a share of Windows' kind (faultfs, "cifs"; what a real one does: ../shared/reference/cifs.md).

Each C is a line of that document's first table, as measured with Linux 6.1's client and Samba 4.17.
"""

from check import *

HIDDEN_OR_SYSTEM = 2 | 4


class Backup(Share):
    """A share with a folder of sources beside it."""

    def __init__(self, options: str = "cifs", hosts: int = 1):
        super().__init__(options, hosts)
        self.source = f"{self.dir}/source"
        os.mkdir(self.source)

    def finals(self) -> list:
        return sorted(n for n in os.listdir(self.back) if not n.startswith(".") and ".trawl-" not in n)

    def ours(self) -> list:
        return sorted(n for n in os.listdir(self.back) if ".trawl-" in n)

    def expect_nothing_of_ours(self) -> None:
        """A removed file keeps its name until the kernel has told the share of its last close, a moment after the call."""
        wait_until(lambda: not self.ours(), 3, f"no leftovers: {self.ours()}")

    def attribute_list(self) -> dict:
        found = {}
        for top, folders, names in os.walk(self.back):
            for name in folders + names:
                path = os.path.relpath(os.path.join(top, name), self.back)
                if not os.path.basename(path).startswith("."):
                    found[path] = self.attributes(path)
        return found

    def expect_visible(self) -> None:
        hidden = {p: a for p, a in self.attribute_list().items() if a & HIDDEN_OR_SYSTEM}
        equal(hidden, {}, "hidden or system files")

    def expect_manifest(self, name: str) -> None:
        """It is accepted at the server and through the mount."""
        for folder in (self.back, self.path):
            manifest = next(n for n in os.listdir(folder) if n in (f".{name}.MANIFEST.xxh3", f".{at_server(name)}.MANIFEST.xxh3"))
            done = subprocess.run(["xxhsum", "-c", "--", manifest], cwd=folder, capture_output=True)
            equal(done.returncode, 0, f"xxhsum -c in {folder}: {done.stdout!r} {done.stderr!r}")


def at_server(name: str) -> str:
    return name.replace(":", "\uf022")


def make(folder: str, names, size: int = 1000) -> None:
    for seed, name in enumerate(names):
        os.makedirs(os.path.dirname(f"{folder}/{name}"), exist_ok=True)
        write_file(f"{folder}/{name}", size, seed)


def chunks_noted(s) -> int:
    noted = 0
    for name in s.ours():
        if name.endswith(".chunks"):
            with contextlib.suppress(FileNotFoundError), open(f"{s.back}/{name}", errors="replace") as journal:
                noted += sum(line[0].isdigit() for line in journal)
    return noted


def killed_copy(s, name: str, chunks: int, *options: str) -> None:
    """A copy that was killed when so many chunks were noted as written."""
    bench = Bench(f"{s.source}/{name}", s.path, "--limit", str(8 * MIB), *options)
    try:
        wait_until(lambda: chunks_noted(s) >= chunks, 30, "a part of it is written")
    finally:
        bench.kill()
        bench.child.communicate()


def held_at_its_name(s, name: str, *options: str):
    """A copy that is about to give the final name."""
    s.hosts[0].rules(f"hang rename {name}")
    bench = Bench(f"{s.source}/{name}", s.path, *options)
    s.hosts[0].wait_hit("hang rename")
    return bench


# ---- C1: names that the share takes for one ----

@test
def names_that_differ_in_case_only_are_refused_before_the_first_byte():
    many = [f"M{n}" for n in range(1100)]  # more than one batch
    for pair, others in ((("Data.bin", "data.bin"), []), (("Data.bin", "data.bin"), many), (("a/X", "A/y"), []), (("a/b/X", "a/b/x"), []),
                         (("Ärger", "ärger"), []), (("ΣΙΓΜΑ", "σιγμα"), []), (("same", "SAME"), [])):
        with Backup() as s:
            make(f"{s.source}/c.d", [pair[0], *others, pair[1]])
            code, _, err = copy(f"{s.source}/c.d", s.path)
            equal(code, 1, f"{pair} with {len(others)} others")
            holds("permanent" in err and "for one name" in err, err)
            for name in pair:
                holds(name.split("/")[0] in err or "%" in err, f"{name} in {err}")
            equal((s.finals(), s.ours()), ([], []), "nothing is there")


@test
def the_same_names_are_copied_where_the_target_tells_them_apart():
    with Backup("cifs,nocasefold") as s:
        make(f"{s.source}/c.d", ["Data.bin", "data.bin", "Ärger", "ärger"])
        equal(copy(f"{s.source}/c.d", s.path)[0], 0, "exit")
        equal(hash_tree(f"{s.back}/c.d"), hash_tree(f"{s.source}/c.d"), "content")
        s.expect_nothing_of_ours()


@test
def a_raw_file_is_not_taken_for_another_whose_name_differs_in_case():
    for equal_content in (False, True):
        with Backup() as s:
            make(s.source, ["Case.raw"])
            equal(copy(f"{s.source}/Case.raw", s.path)[0], 0, "the first")
            write_file(f"{s.source}/case.raw", 1000, 0 if equal_content else 9)
            code, _, err = copy(f"{s.source}/case.raw", s.path)
            equal(code, 1, "the second")
            holds("permanent" in err and "Case.raw" in err and "case.raw" in err, err)
            equal(hash_tree(f"{s.back}/Case.raw"), hash_tree(f"{s.source}/Case.raw"), "the first stays")
            s.expect_nothing_of_ours()


@test
def a_part_that_lacks_a_file_or_has_another_never_gets_its_name():
    with Backup() as s:
        make(f"{s.source}/x.d", [f"f{n:02}" for n in range(20)])
        bench = Bench(f"{s.source}/x.d", s.path, "--limit", "8000")
        part = f"{s.back}/x.d.trawl-1.part"
        wait_until(lambda: os.path.exists(f"{part}/f03"), 20, "it is being written")
        wait_until(lambda: os.path.isdir(part) and len(os.listdir(part)) > 5, 20, "more")
        write_file(f"{part}/stranger", 10)
        code, _, err = bench.end()
        equal(code, 1, f"exit: {err}")
        holds("transient" in err and "stranger" in err, err)
        equal(s.finals(), [], "no final name")
        code, _, err = copy(f"{s.source}/x.d", s.path, "--fence", "2")
        equal((code, err), (0, ""), "the next attempt")
        equal(hash_tree(f"{s.back}/x.d"), hash_tree(f"{s.source}/x.d"), "content")


# ---- C2: what a killed copy has left ----

@test
def a_killed_copy_costs_bytes_and_never_a_person():
    for options in ("cifs", "cifs,outlive_locks_ms=60000", "cifs,outlive_ms=60000", "cifs,outlive_ms=60000,outlive_locks_ms=60000",
                    "cifs,outlive_ms=0"):
        for folder in (False, True):
            with Backup(options) as s:
                make(s.source, [f"k/f{n}" for n in range(8)] if folder else ["k"], MIB if folder else 8 * MIB)
                killed_copy(s, "k", 3)
                code, report, err = copy(f"{s.source}/k", s.path, "--fence", "2")
                if folder and "outlive_ms=60000" in options and "locks" not in options:
                    holds(code == 1 and "hold" in err, f"its dead writer's server has a file in it open: {err}")
                    continue
                equal(code, 0, f"{options}, folder {folder}: the next attempt: {err}")
                equal(hash_tree(f"{s.back}/k"), hash_tree(f"{s.source}/k"), "content")
                if "locks" not in options:
                    holds(report["resumed_bytes"] >= MIB, f"{options}, folder {folder}: {report}")
                s.expect_visible()


@test
def a_part_that_cannot_be_opened_any_more_is_begun_afresh():
    for code in ("EINVAL", "EIO", "EACCES", "EBUSY", "ESTALE"):
        for folder in (False, True):
            with Backup("cifs,outlive_ms=0") as s:
                make(s.source, ["k/f0", "k/f1", "k/f2", "k/f3"] if folder else ["k"], 2 * MIB if folder else 8 * MIB)
                killed_copy(s, "k", 3)
                s.hosts[0].rules(f"error={code} open k.trawl-1.part{'/*' if folder else ''}")
                result, report, err = copy(f"{s.source}/k", s.path, "--fence", "2")
                equal((result, err), (0, ""), f"{code}, folder {folder}")
                holds(s.hosts[0].hits("error"), "the fault really happened")
                equal((report["resumed_bytes"], report["bytes_written"]), (0, 8 * MIB), "a fresh part")
                equal(hash_tree(f"{s.back}/k"), hash_tree(f"{s.source}/k"), "content")
                s.expect_nothing_of_ours()


@test
def a_part_that_fails_when_it_is_opened_once_more_is_begun_afresh_by_the_next_attempt():
    for code in ("EINVAL", "EIO", "EACCES"):
        with Backup("cifs,outlive_ms=0") as s:
            make(s.source, ["k"], 8 * MIB)
            killed_copy(s, "k", 3)
            s.hosts[0].rules(f"error={code} open k.trawl-1.part after=1")
            result, _, err = copy(f"{s.source}/k", s.path, "--fence", "2")
            equal(result, 1, "the second")
            holds("permanent" not in err, err)
            result, report, err = copy(f"{s.source}/k", s.path, "--fence", "3")
            equal((result, err, report["resumed_bytes"]), (0, "", 0), f"{code}: the third")
            equal(hash_tree(f"{s.back}/k"), hash_tree(f"{s.source}/k"), "content")


# ---- C3: two hosts, one name ----

@test
def two_hosts_never_get_the_same_name():
    with Backup(hosts=2) as s:
        for n in range(3):
            sources = []
            for seed in (1, 2):
                os.makedirs(f"{s.source}/{n}-{seed}")
                write_file(f"{s.source}/{n}-{seed}/r{n}.raw", 10_000, 10 * n + seed)
                sources.append(f"{s.source}/{n}-{seed}/r{n}.raw")
            for host in s.hosts:
                host.rules(f"delay create,rename r{n}.raw ms=1200")
            benches = [Bench(sources[0], s.hosts[0].path, "--fence", "1"), Bench(sources[1], s.hosts[1].path, "--fence", "1000")]
            ends = [b.end() for b in benches]
            codes = [e[0] for e in ends]
            equal(sorted(codes), [0, 1], f"exactly one got it: {ends}")
            equal(digest(f"{s.back}/r{n}.raw"), digest(sources[codes.index(0)]), "its content")


# ---- C4: nothing is hidden ----

@test
def nothing_that_is_published_is_hidden():
    with Backup("cifs,outlive_ms=0") as s:
        make(s.source, ["plain.raw", "d.d/sub/f", "d.d/g"])
        make(s.source, ["cut.raw"], 8 * MIB)
        os.chmod(f"{s.source}/plain.raw", 0o444)
        os.chmod(f"{s.source}/d.d/g", 0o444)
        os.chmod(f"{s.source}/d.d/sub", 0o555)
        for name in ("plain.raw", "d.d"):
            equal(copy(f"{s.source}/{name}", s.path)[0], 0, name)
        for fence in (1, 2):
            killed_copy(s, "cut.raw", 2 + fence, "--fence", str(fence))
        code, report, _ = copy(f"{s.source}/cut.raw", s.path, "--fence", "3")
        equal(code, 0, "resumed twice")
        holds(report["resumed_bytes"] > 0, f"it was resumed: {report}")
        s.expect_visible()
        equal(s.attributes("plain.raw"), 0x21, "read-only as the source")
        s.expect_nothing_of_ours()
        for name in ("plain.raw", "d.d", "cut.raw"):
            s.expect_manifest(name)


@test
def parts_with_a_dot_of_an_older_version_are_cleared():
    with Backup("cifs,outlive_ms=0") as s:
        make(s.source, ["a.raw"], 3 * MIB)
        make(s.source, ["x.d/f"])
        for path, text in ((".a.raw.trawl-1.part", "x" * MIB), (".a.raw.trawl-1.part.chunks", "trawl-chunks 1 1048576\n"),
                           ("..a.raw.MANIFEST.xxh3.trawl-1.part", "half")):
            with open(f"{s.back}/{path}", "w") as out:
                out.write(text)
        equal(copy(f"{s.source}/x.d", s.path)[0], 0, "x.d")
        os.makedirs(f"{s.back}/.x.d.trawl-old")
        for name in ("a.raw", "x.d"):
            code, _, err = copy(f"{s.source}/{name}", s.path, "--fence", "2")
            equal((code, err), (0, ""), name)
        s.expect_visible()
        s.expect_nothing_of_ours()


# ---- C5, C6: locks ----

@test
def two_processes_under_one_fence_are_told_apart():
    with Backup(hosts=2) as s:
        write_file(f"{s.source}/a.raw", 8 * MIB)
        first = Bench(f"{s.source}/a.raw", s.path, "--limit", str(4 * MIB))
        wait_until(lambda: any(n.endswith(".part") for n in s.ours()), 20, "it writes")
        for host in s.hosts:
            code, _, err = copy(f"{s.source}/a.raw", host.path)
            equal(code, 1, "the second")
            holds("hold" in err and "another process" in err, err)
        equal(first.end()[0], 0, "the first")
        equal(hash_tree(f"{s.back}/a.raw"), hash_tree(f"{s.source}/a.raw"), "content")


@test
def a_lock_that_was_lost_with_the_connection_holds():
    for code in ("EINVAL", "EIO"):
        with Backup() as s:
            write_file(f"{s.source}/a.raw", 1000)
            s.hosts[0].rules(f"error={code} lock *.chunks")
            result, _, err = copy(f"{s.source}/a.raw", s.path)
            holds(result == 1 and "hold" in err, err)
            s.hosts[0].rules()
            equal(copy(f"{s.source}/a.raw", s.path, "--fence", "2")[0], 0, "the next attempt")
            s.expect_nothing_of_ours()


@test
def where_locks_stay_on_the_host_nothing_of_another_is_taken_over():
    with Backup("cifs,nobrl,outlive_ms=0", hosts=2) as s:
        write_file(f"{s.source}/a.raw", 8 * MIB)
        slow = Bench(f"{s.source}/a.raw", s.hosts[1].path, "--limit", str(3 * MIB))
        wait_until(lambda: os.path.exists(f"{s.back}/a.raw.trawl-1.part.chunks")
                   and open(f"{s.back}/a.raw.trawl-1.part.chunks").read().count("\n") > 3, 20, "it writes")
        code, report, err = copy(f"{s.source}/a.raw", s.path, "--fence", "2")
        equal((code, err, report.get("resumed_bytes")), (0, "", 0), "the newer one began afresh")
        slow.end()
        equal(hash_tree(f"{s.back}/a.raw"), hash_tree(f"{s.source}/a.raw"), "content")
    with Backup("cifs,nobrl,outlive_ms=0") as s:
        write_file(f"{s.source}/a.raw", 8 * MIB)
        killed_copy(s, "a.raw", 4)
        code, report, err = copy(f"{s.source}/a.raw", s.path, "--fence", "2")
        equal((code, err), (0, ""), "on the same host")
        holds(report["resumed_bytes"] > 0, f"what this host has left is taken over: {report}")


# ---- C7: somebody has a file open ----

@test
def a_folder_that_somebody_has_open_gets_its_name_later_and_is_not_written_again():
    with Backup(hosts=2) as s:
        make(f"{s.source}/f.d", [f"f{n}" for n in range(4)], MIB)
        bench = held_at_its_name(s, "f.d")
        with open(f"{s.hosts[1].path}/f.d.trawl-1.part/f2", "rb"):
            s.hosts[0].rules()
            code, _, err = bench.end()
            holds(code == 1 and "hold" in err, f"while it is open: {err}")
            equal(s.finals(), [], "no final name")
            code, _, err = copy(f"{s.source}/f.d", s.path, "--fence", "2")
            holds(code == 1 and "hold" in err, f"still open: {err}")
        code, report, err = copy(f"{s.source}/f.d", s.path, "--fence", "3")
        equal((code, err), (0, ""), "closed")
        equal((report["bytes_written"], report["resumed_bytes"]), (0, 4 * MIB), "nothing was written again")
        equal(hash_tree(f"{s.back}/f.d"), hash_tree(f"{s.source}/f.d"), "content")
        s.expect_nothing_of_ours()


@test
def a_look_of_a_scanner_is_waited_for():
    with Backup(hosts=2) as s:
        make(f"{s.source}/f.d", ["f0", "f1"], MIB)
        bench = held_at_its_name(s, "f.d")
        with open(f"{s.hosts[1].path}/f.d.trawl-1.part/f0", "rb"):
            s.hosts[0].rules("delay rename f.d ms=1")
            s.hosts[0].wait_hit("delay rename")  # refused once, at least
        code, _, err = bench.end()
        equal((code, err), (0, ""), "exit")
        equal(hash_tree(f"{s.back}/f.d"), hash_tree(f"{s.source}/f.d"), "content")


# ---- C8: names that SMB cannot write ----

@test
def odd_names_verify_at_the_server_and_through_the_mount():
    names = ["trail.", "blank ", "a:b", "q?s*", "<x>|\"", "sub:1/in.", "plain"]
    with Backup() as s:
        make(f"{s.source}/o.d", names)
        code, report, err = copy(f"{s.source}/o.d", s.path, "--digest", "md5")
        equal((code, err), (0, ""), "exit")
        equal(report["mapped_names"], len(names) - 1, "names that stand there in another form")
        s.expect_manifest("o.d")
        for folder in (s.back, s.path):
            equal(subprocess.run(["md5sum", "--quiet", "-c", ".o.d.MANIFEST.md5"], cwd=folder).returncode, 0, "md5sum")
        equal(copy(f"{s.source}/o.d", s.path, "--fence", "2")[1]["already_there"], True, "again")
        make(s.source, ["r:1.raw"])
        equal(copy(f"{s.source}/r:1.raw", s.path)[0], 0, "a file")
        s.expect_manifest("r:1.raw")


run()
