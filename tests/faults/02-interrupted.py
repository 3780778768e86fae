"""Appendix C 2: a copy that is killed anywhere resumes by itself; its final name never exists unverified."""

from check import *

SIZE = 6 * MIB
BIG = 24 * MIB  # for the engine alone


def wait_still(folder):
    """Until no file of the folder has changed for a moment, however busy the machine is."""
    def state():
        return sorted((path, os.stat(path).st_size, os.stat(path).st_mtime_ns) for path in files_below(folder))

    seen, since = state(), time.monotonic()
    while time.monotonic() - since < 0.5:
        time.sleep(0.05)
        if state() != seen:
            seen, since = state(), time.monotonic()


def kill_at(f, source, percent, fence):
    """Kill the engine when so much is written; how many bytes of the part were written."""
    f.fs.rules(f"hang write *.part after={BIG * percent // 100}")
    bench = Bench(source, f.pool, "--streams", "2", "--fence", str(fence))
    f.fs.wait_hit("hang write")
    wait_still(f.back)  # what is in flight ends or hangs
    bench.kill()
    f.fs.rules()
    bench.end()
    os.unlink(f"{f.fs.control}.hits")


@test
def the_engine_killed_at_1_50_and_99_percent_writes_only_the_rest():
    with Folders() as f:
        originals = Originals()
        for percent, at_most in ((1, 100), (50, 62), (99, 15)):
            source = write_file(f"{f.source}/p{percent}.raw", BIG, percent)
            originals.note(f.source)
            with Watcher(f.back, originals) as watcher:
                kill_at(f, source, percent, 1)
                equal(os.path.exists(f"{f.back}/p{percent}.raw"), False, "a final name after the kill")
                code, said, err = copy(source, f.pool, "--fence", "2")
                equal((code, err), (0, ""), "the second run")
            equal(len(watcher.seen), 1 + len([p for p in (1, 50, 99) if p < percent]), "final names that were seen")
            written = 100 * said["bytes_written"] / BIG
            holds(written <= at_most, f"killed at {percent} %: the second run wrote {written:.0f} %, at most {at_most} %")
        check_folders(f.back, f.source)
        equal(part_files(f.back), [], "parts")


@test
def the_engine_killed_again_and_again_at_any_point_gets_there():
    with Folders() as f:
        source = f"{f.source}/x.d"
        os.makedirs(f"{source}/1.m")
        for i in range(40):
            write_file(f"{source}/small{i}", 3000 + i, i)
        write_file(f"{source}/analysis.tdf_bin", 4 * MIB, 77)
        write_file(f"{source}/1.m/method", 100, 78)
        originals = Originals()
        originals.note(f.source)
        f.fs.rules("delay write,create,meta,remove,rename * ms=4")
        with Watcher(f.back, originals):
            fence, wait = 0, 0.02
            while not os.path.exists(f"{f.back}/x.d") and fence < 60:
                fence, wait = fence + 1, wait * 1.17
                bench = Bench(source, f.pool, "--fence", str(fence))
                time.sleep(wait)
                bench.kill()
                bench.end()
            f.fs.rules()
            code, _, err = copy(source, f.pool, "--fence", "99")
            equal((code, err), (0, ""), "the last run")
        holds(fence >= 5, f"it was killed {fence} times")
        equal(hash_tree(f"{f.back}/x.d"), hash_tree(source), "the copy")
        check_folders(f.back, f.source)
        equal(part_files(f.back), [], "parts")


# Where the worker is killed: a rule that holds it there. Each has a folder of its own, because what holds a rename or
# a creation holds its whole folder.
BOUNDARIES = {
    "reserve": "hang create {at}/.*.part.chunks",
    "allocate": "hang alloc {at}/*.part",
    "write01": f"hang write {{at}}/*.part after={SIZE // 100}",
    "write50": f"hang write {{at}}/*.part after={SIZE // 2}",
    "write98": f"hang write {{at}}/*.part after={SIZE - (128 << 10)}",  # all but the last request
    "sync": "hang fsync {at}/*.part",
    "readback": "hang read {at}/*.part",
    "finish": "hang meta {at}/*.part",
    "publish": "hang create {at}/*.raw",
    "manifest": "hang rename {at}/*.MANIFEST.xxh3",
    "clear": "hang remove {at}/*.part.chunks",
}


@test
def a_worker_killed_at_every_boundary_of_a_copy_loses_and_doubles_nothing():
    settings = {"copy.threads": 12, "pool.file_copy": 12, "copy.chunk_mib": 1, "copy.streams": 2}
    with Site("killed", settings) as site, FaultFs(site.backup) as fs:
        site.env["TRAWL_LOCATION_BACKUP_WORKER"] = fs.path
        originals = Originals()
        for seed, name in enumerate(BOUNDARIES):
            folder = site.instrument(name, "thermo", skip_quanting="true")
            write_file(f"{folder}/{name}.raw", SIZE, seed)
            originals.note(folder)
        fs.rules(*[rule.format(at=f"{name}/*") for name, rule in BOUNDARIES.items()])
        with Watcher(site.backup, originals) as watcher:
            site.start_scheduler()
            worker = site.start_worker("copy,index")
            for name, rule in BOUNDARIES.items():
                fs.wait_hit(f"hang {rule.split()[1]} {name}/", 30)
            time.sleep(0.2)
            finals = {os.fsdecode(p).split("/")[-1] for p in watcher.seen}
            equal(finals - {"manifest.raw", "clear.raw"}, set(), "final names while the others are held")
            worker.child.kill()
            fs.rules()
            worker.child.wait(20)
            site.start_worker("copy,index")
            for name in BOUNDARIES:
                site.wait_status(f"{name}.raw", "done_not_quanted", 40)
        site.expect_nothing_left()
        check(site, originals, copied=len(BOUNDARIES))
        result = {name: site.task(f"{name}.raw/copy")["result"] for name in BOUNDARIES}
        for name, least in (("write50", 1), ("write98", 3)):  # two streams have two chunks of 1 MiB under way
            holds(result[name]["resumed_bytes"] >= least * MIB, f"{name}: only {result[name]['resumed_bytes']} bytes were resumed")
        for name in ("publish", "manifest", "clear", "finish"):
            holds(result[name]["bytes_written"] <= SIZE / 2, f"{name}: {result[name]['bytes_written']} of {SIZE} again")


run()
