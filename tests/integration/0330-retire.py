#!/usr/bin/python3
"""Originals leave the instrument: moved into Backup after their delay, removed when room is needed, never elsewhere."""

import datetime
import hashlib

from harness import *

MOVER = "move,remove,copy,index"


def site_of(name, env, **keys):
    site = Site(name, {"quant.seed": "false"})
    site.env["TRAWL_TRAWL_ENV"] = env
    site.share = site.instrument("gen1", "generic", file_move_delay_m=0, **keys)
    return site


def begin(site):
    scheduler = site.start_scheduler()
    site.start_worker(MOVER)
    wait_until(lambda: scheduler.log("leading"), 15, "a scheduler that leads")


def put(site, name, seed=1):
    write_file(f"{site.share}/.{name}", 100000, seed)
    os.rename(f"{site.share}/.{name}", f"{site.share}/{name}")


def wait_file_status(site, name, status, seconds=30):
    def look():
        raw = site.raw(name)
        return raw if raw.get("instrument_file_status") == status and raw.get("settled") else None

    return wait_until(look, seconds, f"{name} is {status} and settled: {site.raw(name)}")


@test
def in_production_a_copied_file_is_moved_and_removed_when_room_is_needed():
    with site_of("retire", "production", min_free_space_gb=9000000, min_file_age_days=0) as site:
        put(site, "a.mzML")
        begin(site)
        raw = wait_file_status(site, "a.mzML", "purged", 60)
        holds("retire" not in raw and "remove_refused" not in raw, f"no mark is left: {raw}")
        move, remove = site.task("a.mzML/move"), site.task("a.mzML/remove")
        equal(move["result"]["moved"], True, "moved")
        equal(remove["result"]["deleted"], ["a.mzML"], "deleted")
        equal(remove["result"]["freed_bytes"], 100000, "freed bytes")
        equal(os.listdir(f"{site.share}/Backup"), [], "what is left in Backup")
        holds(os.path.getsize(site.backup_of("a.mzML")) == 100000, "the backup stays")
        site.wait_settled()
        equal(site.db.one("aggregates", "raw_files/a.mzML")["contents"]["instrument_file_status"], "purged", "in the index")
        count = len(site.db.find("tasks"))
        time.sleep(2)
        equal(len(site.db.find("tasks")), count, "tasks, two seconds later")


@test
def elsewhere_nothing_is_moved_and_nothing_is_recorded_as_moved():
    with site_of("retiredry", f"dry{os.getpid()}", min_free_space_gb=9000000, min_file_age_days=0) as site:
        put(site, "a.mzML")
        begin(site)
        task = site.wait_task("a.mzML/move", "done", 30)
        equal(task["result"], {"skipped": "not production"}, "result")
        site.wait_settled()
        raw = site.raw("a.mzML")
        equal(raw["instrument_file_status"], "initial", "instrument_file_status")
        holds("retire" not in raw, "no mark is left")
        equal(sorted(os.listdir(site.share)), ["a.mzML"], "the instrument's folder")
        site.db.update("raw_file", {"_id": "a.mzML"}, {"$set": {"instrument_file_status": "moved"}})
        os.makedirs(f"{site.share}/Backup")
        os.rename(f"{site.share}/a.mzML", f"{site.share}/Backup/a.mzML")
        equal(site.wait_task("a.mzML/remove", "done", 40)["result"], {"skipped": "not production"}, "result")
        wait_until(lambda: site.raw("a.mzML").get("remove_refused"), 10, "a reason")
        equal(site.raw("a.mzML")["remove_refused"]["why"], "not production", "why it stays")
        equal(site.raw("a.mzML")["instrument_file_status"], "moved", "instrument_file_status")
        equal(os.listdir(f"{site.share}/Backup"), ["a.mzML"], "Backup")


@test
def a_byte_that_flipped_in_the_pool_keeps_the_original_and_the_dry_run_says_why():
    with site_of("retireflip", "production") as site:
        put(site, "a.mzML")
        put(site, "b.mzML", 2)
        begin(site)
        wait_file_status(site, "a.mzML", "moved")
        wait_file_status(site, "b.mzML", "moved")
        path = site.backup_of("a.mzML")
        os.chmod(path, 0o644)
        with open(path, "r+b") as out:
            out.seek(5000)
            byte = out.read(1)
            out.seek(5000)
            out.write(bytes([byte[0] ^ 1]))
        answer = site.trawl("remove", "a.mzML", "--dry-run")
        holds("too young" in answer.out, f"{answer}")
        site.instrument("gen1", "generic", file_move_delay_m=0, min_free_space_gb=9000000, min_file_age_days=0)
        task = site.wait_task("a.mzML/remove", "failed", 40)
        holds("its backup in the pool is damaged" in task["error"]["msg"], task["error"]["msg"])
        equal(task["kept"]["refused"][0]["path"], "a.mzML", "the file that is refused")
        wait_file_status(site, "b.mzML", "purged")
        wait_until(lambda: "remove_refused" in site.raw("a.mzML"), 20, "the leader has noted the refusal")
        raw = site.raw("a.mzML")
        equal(raw["instrument_file_status"], "moved", "instrument_file_status")
        holds("damaged" in raw["remove_refused"]["why"], f"{raw['remove_refused']}")
        equal(os.listdir(f"{site.share}/Backup"), ["a.mzML"], "Backup")
        files = site.ask("remove", "--dry-run")["instruments"][0]["files"]
        equal([(f["id"], f["goes"]) for f in files], [("a.mzML", False)], "the dry run")
        holds("damaged" in files[0]["files"][0]["why"], f"{files}")
        answer = site.trawl("remove", "--dry-run")
        holds(answer.code == 0 and "damaged" in answer.out, f"{answer}")


@test
def a_list_of_files_that_is_not_whole_proves_nothing():
    """A lost document of file_lists: the backup is not verified, and the original stays where it is."""
    with site_of("retirelist", "production") as site:
        put(site, "a.mzML")
        begin(site)
        raw = wait_file_status(site, "a.mzML", "moved")
        document = site.db.one("file_lists", f"{raw['file_list']['list']}/000000")
        site.db.command({"delete": "file_lists", "deletes": [{"q": {"_id": document["_id"]}, "limit": 1}]})
        answer = site.trawl("verify", "a.mzML")
        holds(answer.code == 1 and "not whole" in answer.out, f"{answer}")
        holds("verified_at" not in site.raw("a.mzML"), "it is not verified")
        site.instrument("gen1", "generic", file_move_delay_m=0, min_free_space_gb=9000000, min_file_age_days=0)
        task = site.wait_task("a.mzML/remove", "failed", 40)
        holds("is not whole: document 1 of 1" in task["error"]["msg"], task["error"]["msg"])
        equal(os.listdir(f"{site.share}/Backup"), ["a.mzML"], "Backup")
        site.db.insert("file_lists", {**document, "files": [{**document["files"][0], "size": 1}]})
        answer = site.trawl("verify", "a.mzML")
        holds(answer.code == 1 and "not what was written" in answer.out, f"{answer}")
        holds("backup_damaged" not in site.raw("a.mzML"), "nobody says that the backup is damaged")


@test
def a_move_waits_for_its_delay_and_the_raw_file_is_settled_meanwhile():
    with site_of("retirewait", "production") as site:
        site.instrument("gen1", "generic", file_move_delay_m=1000)
        put(site, "a.mzML")
        begin(site)
        wait_file_status(site, "a.mzML", "initial")
        equal(site.raw("a.mzML")["retire"], "move gen1", "the mark")
        equal(site.task("a.mzML/move"), {}, "the task before its time")
        site.instrument("gen1", "generic", file_move_delay_m=0)
        wait_until(lambda: site.raw("a.mzML")["instrument_file_status"] == "moved", 30, "moved")


@test
def an_end_that_no_event_told_of_is_noted_by_the_next_sweep():
    with site_of("retirelost", "production") as site:
        put(site, "a.mzML")
        site.start_scheduler()
        site.start_worker("copy,index")  # nobody moves: the test itself ends the task, and tells nobody
        site.wait_task("a.mzML/move", "admitted", 40)
        wait_file_status(site, "a.mzML", "initial")
        equal(site.raw("a.mzML")["retire"], "moving", "the mark")
        site.db.update("tasks", {"_id": "a.mzML/move"}, {"$set": {"state": "done", "result": {"moved": True}}})
        holds("retire" not in wait_file_status(site, "a.mzML", "moved", 10), "no mark is left")
        site.wait_settled()


@test
def files_of_alphakraken_are_removed_too_and_keep_their_status():
    with site_of("retireold", "production", min_free_space_gb=9000000) as site:
        base, content = f"{site.backup}/gen1/2024_01", b"acquired long ago"
        for folder in (base, f"{site.share}/Backup"):
            os.makedirs(folder)
            with open(f"{folder}/old.mzML", "wb") as out:
                out.write(content)
        created = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=30)
        begin(site)
        wait_until(lambda: site.db.find("pools"), 10, "the database is Trawl's")
        site.db.insert("raw_file", {
            "_id": "old.mzML", "original_name": "old.mzML", "instrument_id": "gen1", "project_id": "_FALLBACK",
            "status": "done", "status_details": "", "backup_status": "copying_done", "instrument_file_status": "moved",
            "backup_base_path": base, "size": len(content), "created_at": created,
            "file_info": {"old.mzML": [len(content), hashlib.md5(content).hexdigest()]}})
        raw = wait_file_status(site, "old.mzML", "purged", 40)
        equal((raw["status"], raw["backup_status"]), ("done", "copying_done"), "what it was")
        equal(os.listdir(f"{site.share}/Backup"), [], "Backup")
        equal(os.listdir(base), ["old.mzML"], "the backup")
        site.wait_settled()


run()
