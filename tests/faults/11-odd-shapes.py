"""Appendix C 11: acquisitions that do not look as they should; each ends in its documented state, and nothing is lost."""

import threading

from check import *

SMALL = int(os.environ.get("TRAWL_TEST_SMALL_FILES", "2000"))  # 10000 on a real machine


def make(folder, name, files):
    """files: path below -> size; None for a folder."""
    os.makedirs(f"{folder}/{name}")
    for seed, (path, size) in enumerate(files.items()):
        if size is None:
            os.makedirs(f"{folder}/{name}/{path}")
        else:
            write_file(f"{folder}/{name}/{path}", size, hash_of(name) + seed)


def hash_of(name):
    return sum(name.encode()) * 1000


@test
def odd_bruker_folders_end_as_documented():
    with Site("bruker", {"copy.threads": 4}) as site:
        folder = site.instrument("tims1", "bruker", skip_quanting="true", missing_main_s=4, max_copies=4)
        make(folder, "empty.d", {})
        make(folder, "nobin.d", {"analysis.tdf": 5000, "1.m": None, "1.m/method": 300})
        make(folder, "readonly.d", {"analysis.tdf_bin": 9000, "1.m": None, "1.m/deep": None, "1.m/deep/x": 10, "1.m/y": 20})
        make(folder, "small.d", {"analysis.tdf_bin": 50000, "empty file": 0, "empty folder": None})
        for i in range(SMALL):
            with open(f"{folder}/small.d/{i:05}.xml", "wb") as file:
                file.write(b"<%d/>" % i)
        for path, mode in (("1.m/deep/x", 0o444), ("1.m/y", 0o444), ("1.m/deep", 0o555), ("1.m", 0o555)):
            os.chmod(f"{folder}/readonly.d/{path}", mode)
        originals = Originals()
        originals.note(folder)
        with Watcher(site.backup, originals):
            site.start_scheduler()
            site.start_worker("copy,index")
            for name in ("empty.d", "nobin.d"):
                raw = site.wait_status(name, "acquisition_failed", 40)
                holds(raw["status_details"] in ("Main file was not created", "No files were found."), raw["status_details"])
            for name in ("readonly.d", "small.d"):
                site.wait_status(name, "done_not_quanted", 60)
            site.wait_settled(30)
        for name in ("nobin.d", "readonly.d", "small.d"):
            equal(hash_tree(site.backup_of(name)), hash_tree(f"{folder}/{name}"), f"the backup of {name}")
        copied = site.backup_of("readonly.d")
        for path in ("1.m", "1.m/deep", "1.m/y"):
            for key in ("st_mode", "st_mtime_ns"):
                equal(getattr(os.stat(f"{copied}/{path}"), key), getattr(os.stat(f"{folder}/readonly.d/{path}"), key), path + key)
        holds(os.path.isdir(site.backup_of("small.d") + "/empty folder"), "an empty folder is copied")
        check(site, originals)


def grow(path, pieces, every):
    for _ in range(pieces):
        with open(path, "ab") as file:
            file.write(os.urandom(10_000))
        time.sleep(every)


def is_backed_up(site, name, path):
    return site.raw(name).get("backup_status") == "copying_done" and hash_tree(site.backup_of(name)) == hash_tree(path)


# michalsta/opentims#3, MannLabs/alphatims#174: no analysis.tdf_bin when TIMS is off
@test
def folders_without_the_known_main_file_are_acquired_whole_when_they_stand_still():
    with Site("whole", {"copy.threads": 4}) as site:
        folder = site.instrument("tims1", "bruker", skip_quanting="true", missing_main_s=4, still_s=3, max_copies=4)
        others = site.instrument("any1", "generic", skip_quanting="true", glob="*.d", still_s=3, max_copies=4)
        make(folder, "tims_off.d", {"analysis.tsf": 5000, "analysis.tsf_bin": 100, "1.m": None, "1.m/method": 300, "SampleInfo.xml": 20})
        make(folder, "baf.d", {"analysis.baf": 100, "analysis.baf_idx": 300, "1.m": None, "1.m/method": 300})
        make(folder, "fid.d", {"fid": 100, "acqus": 300})
        make(others, "agilent.d", {"AcqData": None, "AcqData/MSScan.bin": 100, "AcqData/MSProfile.bin": 100, "AcqData/Contents.xml": 50})
        grown = {"tims_off.d": "analysis.tsf_bin", "baf.d": "analysis.baf", "fid.d": "fid", "agilent.d": "AcqData/MSProfile.bin"}
        path = {name: f"{others if name == 'agilent.d' else folder}/{name}" for name in grown}
        site.start_scheduler()
        site.start_worker("copy,index")
        writers = [threading.Thread(target=grow, args=(f"{path[name]}/{file}", 12, 1)) for name, file in grown.items()]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        originals = Originals()
        for name in grown:
            site.wait_status(name, "done_not_quanted", 60)
            originals.note(path[name])
            equal(site.task(f"{name}/copy")["attempt"], 1, f"copies of {name}: none while it was written")
            equal(hash_tree(site.backup_of(name)), hash_tree(path[name]), f"the backup of {name}")
        site.expect_nothing_left()
        check(site, originals, copied=4)
        for name in grown:
            write_file(f"{path[name]}/late.bin", 700, 5)
        for name in grown:
            wait_until(lambda n=name: is_backed_up(site, n, path[n]), 60, f"{name}: what comes later is in the backup")


@test
def an_acquisition_that_failed_is_looked_at_again_and_a_folder_without_files_is_not_done():
    with Site("again", {"copy.threads": 4}) as site:
        folder = site.instrument("tims1", "bruker", skip_quanting="true", missing_main_s=3)
        make(folder, "nobin.d", {"analysis.tdf": 5000, "1.m": None, "1.m/method": 300})
        make(folder, "empty.d", {"1.m": None})
        site.start_scheduler()
        site.start_worker("copy,index")
        for name, why in (("nobin.d", "Main file was not created"), ("empty.d", "No files were found.")):
            equal(site.wait_status(name, "acquisition_failed", 40)["status_details"], why, name)
        for name in ("nobin.d", "empty.d"):
            write_file(f"{folder}/{name}/analysis.tdf_bin", 9000, 3)
        for name in ("nobin.d", "empty.d"):
            wait_until(lambda n=name: is_backed_up(site, n, f"{folder}/{n}") and site.raw(n)["status"] == "done_not_quanted", 60,
                       f"{name} is acquired after all")
        originals = Originals()
        originals.note(folder)
        site.expect_nothing_left()
        check(site, originals, copied=2)


@test
def sciex_sets_with_dots_and_brackets_are_copied_whole():
    with Site("sciex") as site:
        folder = site.instrument("zeno1", "sciex", skip_quanting="true")
        stem = "2026.11.02 [a](1)*b"
        other = "2026.11.02 [a](1)*"  # the beginning of the other's
        for seed, (name, size) in enumerate({f"{stem}.wiff": 30000, f"{stem}.wiff.scan": 50000, f"{other}.wiff": 20000,
                                             f"{other}.wiff.scan": 144, f"{other}.wiff2": 700}.items()):
            write_file(f"{folder}/{name}", size, seed)
        site.start_scheduler()
        site.start_worker("copy,index")
        wait_until(lambda: site.raw(f"{stem}.wiff"), 20, "it is seen")
        write_file(f"{folder}/{stem}.timeseries.data", 9000, 8)  # a companion that comes late
        raw = site.wait_status(f"{stem}.wiff", "done_not_quanted", 40)
        equal({f["path"] for f in site.db.files_of(raw)}, {f"{stem}.wiff", f"{stem}.wiff.scan", f"{stem}.timeseries.data"}, "its files")
        equal(site.raw(f"{other}.wiff")["status"], "monitoring_acquisition", "an empty .wiff.scan is waited for")
        write_file(f"{folder}/{other}.wiff.scan", 60000, 9)
        raw = site.wait_status(f"{other}.wiff", "done_not_quanted", 40)
        equal(sorted(f["path"] for f in site.db.files_of(raw)), [f"{other}.wiff", f"{other}.wiff.scan", f"{other}.wiff2"], "its files")
        write_file(f"{folder}/{other}.much.later", 1000, 10)
        wait_until(lambda: len(site.files(f"{other}.wiff")) == 4, 40, "the late companion is in the backup, too")
        originals = Originals()
        originals.note(folder)
        site.expect_nothing_left()
        check(site, originals, copied=2)


@test
def thermo_files_that_are_renamed_corrupted_end_as_failed_and_are_kept():
    with Site("corrupted") as site:
        folder = site.instrument("thermo1", "thermo", skip_quanting="true", size_check_s=3, missing_main_s=8)
        site.start_scheduler()
        site.start_worker("copy,index")
        for name, simultaneous in (("alone", False), ("with", True)):
            write_file(f"{folder}/{name}.raw", 30000, hash_of(name))
            wait_until(lambda n=name: site.raw(f"{n}.raw").get("status") == "monitoring_acquisition", 20, "it is seen")
            if simultaneous:
                write_file(f"{site.dir}/next.raw", 20000, 5)
                shutil.move(f"{site.dir}/next.raw", f"{folder}/next.raw")
            os.rename(f"{folder}/{name}.raw", f"{folder}/{name}_CORRUPTED.raw")
        originals = Originals()
        originals.note(folder)
        for name in ("alone", "with"):
            raw = site.wait_status(f"{name}.raw", "acquisition_failed", 40)
            equal((raw["status_details"], raw["instrument_file_status"], raw["backup_status"]),
                  ("File got renamed", "renamed", "skipped"), name)
            raw = site.wait_status(f"{name}_CORRUPTED.raw", "acquisition_failed", 40)
            equal((raw["status_details"], raw["backup_status"]), ("File name indicates failed acquisition.", "copying_done"),
                  f"{name}_CORRUPTED")
        site.wait_status("next.raw", "done_not_quanted", 40)
        site.expect_nothing_left()
        check(site, originals, copied=3)


@test
def empty_files_vanished_files_and_bare_extensions_do_no_harm():
    with Site("nothing") as site:
        folder = site.instrument("thermo1", "thermo", skip_quanting="true", missing_main_s=2)
        for name, size in ((".raw", 100), ("vanishes.raw", 1000), ("good.raw", 1000), ("good.txt", 10)):
            write_file(f"{folder}/{name}", size, size)
        os.symlink("/etc/hostname", f"{folder}/link.raw")
        os.mkdir(f"{folder}/folder.raw")
        time.sleep(0.02)  # no other is younger than this one
        write_file(f"{folder}/empty.raw", 0)
        site.start_scheduler()
        wait_until(lambda: site.raw("vanishes.raw").get("status") == "monitoring_acquisition", 20, "it is seen")
        os.unlink(f"{folder}/vanishes.raw")
        site.start_worker("copy,index")
        site.wait_status("good.raw", "done_not_quanted", 40)
        raw = site.wait_status("vanishes.raw", "acquisition_failed", 40)
        holds("isappeared" in raw["status_details"] or "No files" in raw["status_details"], raw["status_details"])
        equal(site.raw("empty.raw")["status"], "monitoring_acquisition", "an empty file is waited for")
        write_file(f"{folder}/next.raw", 500, 9)
        site.wait_status("next.raw", "done_not_quanted", 40)
        equal(site.wait_status("empty.raw", "acquisition_failed", 40)["status_details"], "File size is zero.", "then it ends")
        holds(not site.raw(".raw") and not site.raw("link.raw"), "what is no raw file has no document")
        originals = Originals()
        originals.note(folder)
        check(site, originals)


run()
