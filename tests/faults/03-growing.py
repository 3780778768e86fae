"""Appendix C 3: an original that changes while it is copied goes back to monitoring, and is right later."""

from check import *


def append(path, size, seed):
    write_file(f"{path}.more", size, seed)
    with open(f"{path}.more", "rb") as more, open(path, "ab") as out:
        out.write(more.read())
    os.unlink(f"{path}.more")


@test
def a_source_that_changes_during_its_copy_is_monitored_again_and_copied_right():
    with Site("grows", {"copy.threads": 8, "pool.file_copy": 8, "copy.chunk_mib": 1}) as site, FaultFs(site.backup) as fs:
        site.env["TRAWL_LOCATION_BACKUP_WORKER"] = fs.path
        kinds = {"grows": "thermo", "shrinks": "thermo", "rewritten": "thermo", "gains": "bruker", "small": "thermo"}
        folder = {name: site.instrument(name, kind, skip_quanting="true") for name, kind in kinds.items()}
        for name in ("grows", "shrinks", "rewritten"):
            write_file(f"{folder[name]}/{name}.raw", 4 * MIB, 1)
        write_file(f"{folder['small']}/small.raw", 20000, 1)
        os.mkdir(f"{folder['gains']}/gains.d")
        write_file(f"{folder['gains']}/gains.d/analysis.tdf_bin", 3 * MIB, 2)
        fs.rules("hang write grows/*.part after=2000000", "hang write shrinks/*.part after=2000000",
                 "hang write rewritten/*.part after=2000000", "hang write gains/*.part/* after=2000000",
                 "hang write small/*.part")
        site.start_scheduler()
        site.start_worker("copy,index")
        for name in folder:
            fs.wait_hit(f"hang write {name}/", 30)

        append(f"{folder['grows']}/grows.raw", MIB, 3)
        os.truncate(f"{folder['shrinks']}/shrinks.raw", 3 * MIB)
        with open(f"{folder['rewritten']}/rewritten.raw", "r+b") as file:  # the same size
            file.seek(100)
            file.write(b"other bytes")
        write_file(f"{folder['gains']}/gains.d/late.tdf", 5000, 4)
        append(f"{folder['small']}/small.raw", 10, 5)
        originals = Originals()
        for path in folder.values():
            originals.note(path)
        with Watcher(site.backup, originals):
            fs.rules()
            names = [f"{n}.d" if kinds[n] == "bruker" else f"{n}.raw" for n in folder]
            for name in names:
                site.wait_status(name, "done_not_quanted", 40)
        site.expect_nothing_left()
        check(site, originals, copied=len(names))
        again = {l["raw_file"] for l in site.logs("raw_file", status="monitoring_acquisition")}
        equal(again, set(names), "raw files that were monitored again")


@test
def a_copy_that_got_its_name_makes_way_when_its_worker_dies_before_it_says_so_and_the_source_grows():
    with Site("unsaid", {"copy.threads": 8, "pool.file_copy": 8, "copy.chunk_mib": 1}) as site, FaultFs(site.backup) as fs:
        site.env["TRAWL_LOCATION_BACKUP_WORKER"] = fs.path
        file, dot_d = site.instrument("file", "thermo", skip_quanting="true"), site.instrument("dot_d", "bruker", skip_quanting="true")
        write_file(f"{file}/a.raw", 300_000, 1)
        os.mkdir(f"{dot_d}/b.d")
        write_file(f"{dot_d}/b.d/analysis.tdf_bin", 300_000, 2)
        site.start_scheduler()
        for size in (10, 20):  # twice: the second attempt dies, too
            fs.rules("hang rename */.*.xxh3")  # what comes after the final name
            worker = site.start_worker("copy,index")
            for name in ("file/", "dot_d/"):
                wait_until(lambda n=name: [hit for hit in fs.hits("hang rename") if n in hit], 40, f"{name} has its final name")
            os.kill(worker.pid, signal.SIGKILL)
            append(f"{file}/a.raw", size, 3)
            append(f"{dot_d}/b.d/analysis.tdf_bin", size, 4)
            fs.rules()
            worker.child.wait()
            os.unlink(f"{fs.control}.hits")
        originals = Originals()
        originals.note(file)
        originals.note(dot_d)
        site.start_worker("copy,index")
        for name in ("a.raw", "b.d"):  # once it is settled its size is looked at, too
            site.wait_status(name, "done_not_quanted", 40)
            wait_until(lambda n=name: site.logs("acquisition_goes_on", raw_file=n), 20, f"{name} is seen to have grown")
            site.wait_status(name, "done_not_quanted", 40)
        site.expect_nothing_left()
        check(site, originals, copied=2)


@test
def a_file_that_grows_after_it_was_done_is_copied_again_and_never_left_half():
    with Site("later", {"copy.chunk_mib": 1}) as site:
        folder = site.instrument("late", "thermo", skip_quanting="true")
        first = write_file(f"{folder}/late.raw", 300_000, 1)
        site.start_scheduler()
        site.start_worker("copy,index")
        site.wait_status("late.raw", "done_not_quanted")
        append(first, 100_000, 2)
        originals = Originals()
        originals.note(folder)
        wait_until(lambda: [p for p in files_below(site.backup) if digest(p) in originals.digests()], 30,
                   "the longer file is in the backup")
        site.wait_settled()
        check_manifests(site.backup)
        check_documents(site)
        equal(part_files(site.backup), [], "parts")


run()
