"""What belongs to a raw file decides when it has ended, and is looked at for as long as it stands there."""

import threading

from check import *

COPY = {"copy.threads": 4, "pool.file_copy": 4}


class Filler(threading.Thread):
    """Gives a file its full size at once and fills it afterwards, piece by piece."""

    def __init__(self, path, pieces=12, every=0.4, pause=0):
        super().__init__(daemon=True)
        self.path, self.pieces, self.every, self.pause = path, pieces, every, pause
        with open(path, "wb") as file:
            file.truncate(pieces * 20_000)

    def run(self):
        for number in range(self.pieces):
            time.sleep(self.pause if self.pause and number % 4 == 3 else self.every)
            self.fill(number)

    def fill(self, number):
        with open(self.path, "r+b") as file:
            file.seek(number * 20_000)
            file.write(bytes([number + 1]) * 20_000)


def keep_mtime(path, change):
    """Change a file as one that keeps its time does."""
    before = os.stat(path)
    change()
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def copies_of(site, name):
    return site.task(f"{name}/copy").get("attempt", 0)


def backed_up(site, name, path):
    raw = site.raw(name)
    return (raw.get("backup_status") == "copying_done" and raw["status"] == "done_not_quanted"
            and hash_tree(f"{raw['backup_base_path']}/{name}") == hash_tree(path))


# snowtrack/snowfs#176, gorakhargosh/watchdog#586
@test
def a_file_that_has_its_full_size_and_is_filled_afterwards_is_not_done_before_it_is_whole():
    with Site("fills", COPY) as site:
        folder = site.instrument("thermo1", "thermo", skip_quanting="true", still_s=4, size_check_s=2)
        site.start_scheduler()
        site.start_worker("copy,index")
        fillers = [Filler(f"{folder}/steady.raw"), Filler(f"{folder}/pauses.raw", pause=2)]
        time.sleep(0.05)
        write_file(f"{folder}/next.raw", 20_000, 9)  # the next acquisition has begun long ago
        for filler in fillers:
            filler.start()
        for filler in fillers:
            filler.join()
        originals = Originals()
        originals.note(folder)
        for name in ("steady.raw", "pauses.raw", "next.raw"):
            site.wait_status(name, "done_not_quanted", 40)
        site.expect_nothing_left()
        equal([copies_of(site, f"{n}.raw") for n in ("steady", "pauses")], [1, 1], "copies: nothing was copied half")
        check(site, originals, copied=3)


@test
def a_file_that_is_filled_after_it_was_called_done_is_copied_again_at_equal_size_whatever_its_time_says():
    with Site("filled", COPY) as site:
        folder = site.instrument("thermo1", "thermo", skip_quanting="true")
        site.start_scheduler()
        site.start_worker("copy,index")
        late, kept = Filler(f"{folder}/late.raw"), Filler(f"{folder}/kept.raw")
        for filler in (late, kept):
            filler.fill(0)
        for name in ("late.raw", "kept.raw"):
            site.wait_status(name, "done_not_quanted", 40)
        late.fill(7)
        keep_mtime(kept.path, lambda: kept.fill(7))
        for filler in (late, kept):
            wait_until(lambda f=filler: site.logs("acquisition_goes_on", raw_file=os.path.basename(f.path)), 30, "it is found")
            wait_until(lambda f=filler: backed_up(site, os.path.basename(f.path), f.path), 30, "the filled file is in the backup")
        originals = Originals()
        originals.note(folder)
        site.expect_nothing_left()
        check(site, originals, copied=2)


@test
def a_change_while_no_scheduler_runs_is_found_by_the_next_one():
    with Site("away", COPY) as site:
        folder = site.instrument("thermo1", "thermo", skip_quanting="true")
        scheduler = site.start_scheduler()
        site.start_worker("copy,index")
        filler = Filler(f"{folder}/a.raw")
        write_file(f"{folder}/b.raw", 30_000, 3)
        for name in ("a.raw", "b.raw"):
            site.wait_status(name, "done_not_quanted", 40)
        scheduler.kill()
        filler.fill(3)
        os.utime(f"{folder}/b.raw")
        site.start_scheduler()
        wait_until(lambda: backed_up(site, "a.raw", filler.path), 40, "the changed file is in the backup")
        wait_until(lambda: site.raw("b.raw").get("original", {}).get("state") == "same", 30, "the touched one is found to be equal")
        equal(site.logs("acquisition_goes_on", raw_file="b.raw"), [], "the touched one is not acquired again")


# robocopy's order; an analysis.tdf that is preallocated and filled last
@test
def what_comes_or_changes_in_a_folder_after_its_main_file_is_in_the_backup():
    with Site("folder", COPY) as site:
        folder = site.instrument("tims1", "bruker", skip_quanting="true")
        site.start_scheduler()
        site.start_worker("copy,index")
        paths = {name: f"{folder}/{name}.d" for name in ("comes", "fills", "shrinks", "renames")}
        for seed, path in enumerate(paths.values()):
            os.makedirs(f"{path}/1.m")
            write_file(f"{path}/analysis.tdf_bin", 90_000, seed)
            write_file(f"{path}/1.m/method", 500, seed)
        index = Filler(f"{paths['fills']}/analysis.tdf")
        for name in paths:
            site.wait_status(f"{name}.d", "done_not_quanted", 40)
        originals = Originals()
        originals.note(folder)
        os.makedirs(f"{paths['comes']}/2.m/deep")
        write_file(f"{paths['comes']}/2.m/deep/SampleInfo.xml", 300, 8)
        keep_mtime(index.path, lambda: index.fill(2))
        os.unlink(f"{paths['shrinks']}/1.m/method")
        os.rename(f"{paths['renames']}/1.m/method", f"{paths['renames']}/1.m/Method")
        originals.note(folder)
        for name, path in paths.items():
            wait_until(lambda n=name, p=path: backed_up(site, f"{n}.d", p), 60, f"{name}: the backup is as the original")
        site.expect_nothing_left()
        check(site, originals, copied=4)


@test
def a_folder_that_somebody_deletes_takes_nothing_out_of_the_backup():
    with Site("deletes", COPY) as site:
        folder = site.instrument("tims1", "bruker", skip_quanting="true")
        site.start_scheduler()
        site.start_worker("copy,index")
        for name in ("main", "most"):
            os.makedirs(f"{folder}/{name}.d")
            write_file(f"{folder}/{name}.d/analysis.tdf_bin", 90_000, 1)
            write_file(f"{folder}/{name}.d/analysis.tdf", 9_000, 2)
        originals = Originals()
        originals.note(folder)
        for name in ("main.d", "most.d"):
            site.wait_status(name, "done_not_quanted", 40)
        os.unlink(f"{folder}/main.d/analysis.tdf_bin")
        with open(f"{folder}/main.d/Thumbs.db", "wb") as file:
            file.write(b"from Explorer")
        shutil.rmtree(f"{folder}/most.d")
        wait_until(lambda: site.logs("original_reread", raw_file="main.d"), 40, "what is left has been compared")
        equal(site.logs("acquisition_goes_on"), [], "nothing goes back to monitoring")
        equal(site.raw("main.d").get("original", {}).get("state"), "unsettled", "what is said of the one that lost its main file")
        shutil.rmtree(f"{folder}/main.d")
        wait_until(lambda: "original" not in site.raw("main.d"), 20, "nothing is said of one that is gone")
        check(site, originals, copied=2)


@test
def what_somebody_deletes_in_a_folder_stays_in_the_backup_whatever_is_added_to_the_rest():
    with Site("deleted", COPY) as site:
        folder = site.instrument("tims1", "bruker", skip_quanting="true")
        whole = site.instrument("gen1", "generic", skip_quanting="true", glob="*.d")
        site.start_scheduler()
        site.start_worker("copy,index")
        for path in (f"{folder}/one.d", f"{whole}/most.d"):
            os.makedirs(path)
            for seed, name in enumerate(("analysis.tdf_bin", "analysis.tdf", "a", "b")):
                write_file(f"{path}/{name}", 20_000, seed)
        originals = Originals()
        originals.note(folder)
        originals.note(whole)
        for name in ("one.d", "most.d"):
            site.wait_status(name, "done_not_quanted", 40)
        os.unlink(f"{folder}/one.d/analysis.tdf")
        for name in ("analysis.tdf_bin", "analysis.tdf", "a"):
            os.unlink(f"{whole}/most.d/{name}")
        wait_until(lambda: site.logs("original_reread", raw_file="most.d", state="fewer"), 40, "what is left has been compared")
        write_file(f"{whole}/most.d/new", 500, 8)
        originals.note(whole)
        for name, path in (("one.d", f"{folder}/one.d"), ("most.d", f"{whole}/most.d")):
            wait_until(lambda n=name, p=path: backed_up(site, n, p), 60, f"{name}: the backup is as the original")
        site.expect_nothing_left()
        check(site, originals, copied=2)


@test
def a_touch_is_settled_by_content_and_one_every_second_neither_loops_nor_starves_others():
    with Site("touch", COPY) as site:
        folder = site.instrument("thermo1", "thermo", skip_quanting="true")
        site.start_scheduler()
        site.start_worker("copy,index")
        for seed, name in enumerate(("once", "often", "other")):
            write_file(f"{folder}/{name}.raw", 300_000, seed)
        originals = Originals()
        originals.note(folder)
        for name in ("once", "often", "other"):
            site.wait_status(f"{name}.raw", "done_not_quanted", 40)
        os.utime(f"{folder}/once.raw")
        wait_until(lambda: site.raw("once.raw").get("original", {}).get("state") == "unsettled", 20, "the document says so at once")
        wait_until(lambda: site.raw("once.raw")["original"]["state"] == "same", 20, "then that it is the same")
        began = time.monotonic()
        while time.monotonic() - began < 25:
            os.utime(f"{folder}/often.raw")
            if time.monotonic() - began > 5 and not site.logs("original_reread", raw_file="other.raw"):
                os.utime(f"{folder}/other.raw")
            time.sleep(0.5)
        reads = site.logs("original_reread", raw_file="often.raw")
        holds(1 <= len(reads) <= 6, f"read again {len(reads)} times in 25 s of touches")
        wait_until(lambda: site.raw("other.raw").get("original", {}).get("state") == "same", 20, "another one is settled meanwhile")
        equal(site.logs("acquisition_goes_on"), [], "no new acquisition")
        equal([copies_of(site, f"{n}.raw") for n in ("once", "often", "other")], [1, 1, 1], "copies")
        wait_until(lambda: site.raw("often.raw")["original"]["state"] == "same", 60, "it is settled once the touching ends")
        check(site, originals, copied=3)


# cifs.md, section 2: the time of change up to 2 s behind the size, and once more when the file is closed
@test
def the_late_times_of_a_windows_share_make_no_second_acquisition():
    with Site("late", COPY) as site, Share("cifs,noshares") as share:
        folder = f"{share.path}/thermo1"
        os.mkdir(folder)
        site.instrument("thermo1", "thermo", skip_quanting="true", path=folder, still_s=4)
        site.start_scheduler()
        site.start_worker("copy,index")
        held = open(f"{folder}/held.raw", "wb")  # the acquisition software keeps it open for long
        for number in range(10):
            held.write(bytes([number]) * 30_000)
            held.flush()
            time.sleep(0.3)
        closed = write_file(f"{folder}/closed.raw", 200_000, 5)
        site.wait_status("closed.raw", "done_not_quanted", 40)
        site.wait_status("held.raw", "done_not_quanted", 40)
        time.sleep(2.5)  # the close is the last write's, and dated now
        held.close()
        wait_until(lambda: site.logs("original_reread", raw_file="held.raw", state="same"), 60, "its content has settled it")
        for path in (held.name, closed):
            equal(hash_tree(site.backup_of(os.path.basename(path))), hash_tree(path), "the backup")
        equal(site.logs("acquisition_goes_on"), [], "no second acquisition")
        site.expect_nothing_left()


@test
def documents_of_a_version_that_knew_sizes_only_are_taken_up_and_watched_from_then_on():
    with Site("old", COPY) as site:
        folder = site.instrument("thermo1", "thermo", skip_quanting="true")
        dots = site.instrument("tims1", "bruker", skip_quanting="true")
        os.makedirs(f"{dots}/c.d/1.m")
        write_file(f"{dots}/c.d/analysis.tdf_bin", 30_000, 5)
        scheduler = site.start_scheduler()
        site.start_worker("copy,index")
        write_file(f"{folder}/a.raw", 30_000, 1)
        os.makedirs(f"{dots}/b.d")
        write_file(f"{dots}/b.d/analysis.tdf_bin", 30_000, 2)
        for name in ("a.raw", "b.d", "c.d"):
            site.wait_status(name, "done_not_quanted", 40)
        site.wait_settled()
        scheduler.kill()
        write_file(f"{dots}/c.d/1.m/method", 100, 4)  # the version before saw none of it
        site.db.command({"update": "raw_file", "updates": [{"q": {}, "u": {"$unset": {"watch.sig": True}}, "multi": True}]})
        site.start_scheduler()
        for name in ("a.raw", "b.d"):
            wait_until(lambda n=name: site.raw(n)["watch"].get("sig"), 20, "it is known in depth now")
        wait_until(lambda: site.logs("acquisition_goes_on", raw_file="c.d"), 60, "it goes back to monitoring")
        site.wait_status("c.d", "done_not_quanted", 40)
        wait_until(lambda: backed_up(site, "c.d", f"{dots}/c.d"), 60, "what had come before is in the backup")
        equal([e["raw_file"] for e in site.logs("acquisition_goes_on")], ["c.d"], "no other looks changed")
        write_file(f"{dots}/b.d/late.xml", 100, 3)
        wait_until(lambda: site.logs("acquisition_goes_on", raw_file="b.d"), 40, "it goes back to monitoring")
        site.wait_status("b.d", "done_not_quanted", 40)
        wait_until(lambda: backed_up(site, "b.d", f"{dots}/b.d"), 40, "what comes now is in the backup")


run()
