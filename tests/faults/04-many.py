"""Appendix C 4: many files at once, files that are there at the first start, and a scheduler that dies meanwhile."""

from check import *

MANY = int(os.environ.get("TRAWL_TEST_MANY", "200"))  # 5000 on a real machine


@test
def two_between_polls_and_ten_at_once_are_all_taken():
    with Site("ten") as site:
        folder = site.instrument("thermo1", "thermo", skip_quanting="true", poll_s=2)
        site.start_scheduler()
        site.start_worker("copy,index")
        originals = Originals()
        names = []
        for count in (2, 10):
            made = [f"n{count}_{i}.raw" for i in range(count)]
            for seed, name in enumerate(made):
                write_file(f"{folder}/{name}", 30_000, 100 * count + seed)
            names += made
            for name in made:
                site.wait_status(name, "done_not_quanted", 40)
        originals.note(folder)
        site.expect_nothing_left()
        check(site, originals, copied=12)


@test
def files_that_appear_while_the_scheduler_is_dead_or_restarts_are_taken():
    with Site("restart") as site, FaultFs(site.instruments) as share:  # a share that knows no birth times, as NFS
        folder = site.instrument("thermo1", "thermo", skip_quanting="true", path=f"{share.path}/thermo1")
        real = f"{site.instruments}/thermo1"
        site.start_worker("copy,index")
        scheduler = site.start_scheduler()
        growing = write_file(f"{real}/grows.raw", 10_000, 50)
        wait_until(lambda: site.raw("grows.raw"), 20, "the first one is seen")
        for i in range(3):
            scheduler.kill()
            write_file(f"{real}/during{i}.raw", 20_000, i)
            with open(growing, "ab") as file:
                file.write(bytes(1000))
            scheduler = site.start_scheduler()
            time.sleep(0.4 * i)
        originals = Originals()
        originals.note(real)
        for name in ["grows.raw"] + [f"during{i}.raw" for i in range(3)]:
            site.wait_status(name, "done_not_quanted", 40)
        site.expect_nothing_left()
        equal(sorted(r["_id"] for r in site.db.find("raw_file")), sorted(os.listdir(folder)), "raw files: none twice")
        check(site, originals, copied=4)


@test
def a_document_whose_insert_was_not_answered_is_taken_up_and_not_made_twice():
    with Site("answer") as site:
        folder = site.instrument("thermo1", "thermo", skip_quanting="true")
        site.start_scheduler()
        site.start_worker("copy,index")
        write_file(f"{folder}/first.raw", 20_000, 1)
        wait_until(lambda: site.raw("first.raw"), 20, "the table has been read")
        write_file(f"{folder}/.second", 20_000, 2)
        born = subprocess.run(["stat", "-c", "%w", f"{folder}/.second"], capture_output=True, text=True, check=True).stdout
        if not born.startswith("2"):
            skip("this file system tells no birth times")
        when = time.mktime(time.strptime(born[:19], "%Y-%m-%d %H:%M:%S"))
        doc = {**site.raw("first.raw"), "_id": "second.raw", "original_name": "second.raw", "tasks": [], "rev": 1,
               "status": "queued_for_monitoring", "settled": False, "dirty": True}
        doc["watch"] = {"ino": os.stat(f"{folder}/.second").st_ino, "born_ns": int(when) * 10**9 + int(born[20:29]),
                        "mtime_ns": os.stat(f"{folder}/.second").st_mtime_ns, "size": 20_000}
        site.db.command({"insert": "raw_file", "documents": [doc]})
        os.rename(f"{folder}/.second", f"{folder}/second.raw")
        originals = Originals()
        originals.note(folder)
        for name in ("first.raw", "second.raw"):
            site.wait_status(name, "done_not_quanted", 30)
        site.expect_nothing_left()
        equal(len(site.db.find("raw_file")), 2, "raw files")
        check(site, originals, copied=2)


@test
def a_folder_that_is_full_at_the_first_start_is_worked_off():
    with Site("full", {"copy.threads": 4, "pool.file_copy": 4}) as site:
        folder = site.instrument("thermo1", "thermo", skip_quanting="true", max_copies=4)
        for i in range(MANY):
            with open(f"{folder}/old{i:05}.raw", "wb") as file:
                file.write(b"%06d" % i * 100)
        originals = Originals()
        originals.note(folder)
        site.start_scheduler()
        site.start_worker("copy,index")
        wait_until(lambda: site.db.count("tasks", {"kind": "copy", "state": "done"}) >= MANY, 60 + MANY / 10,
                   f"{MANY} files are copied")
        wait_until(lambda: site.db.count("raw_file", {"status": "done_not_quanted"}) >= MANY, 20, "they have ended")
        equal((site.db.count("raw_file"), part_files(site.backup)), (MANY, []), "raw files and parts")
        check(site, originals, copied=MANY)


run()
