#!/usr/bin/python3
"""A raw file is shown as safe only while its original, if it still exists, is what was backed up."""

from harness import *


def site_of(name, kind="generic", **keys):
    site = Site(name, {"quant.seed": "false"})
    site.env["TRAWL_TRAWL_ENV"] = "production"
    site.share = site.instrument("gen1", kind, file_move_delay_m=1000, **keys)
    return site


def begin(site):
    scheduler = site.start_scheduler()
    site.start_worker("move,remove,copy,index")
    wait_until(lambda: scheduler.log("leading"), 15, "a scheduler that leads")


def put(site, name, seed=1, size=100_000):
    write_file(f"{site.share}/.{name}", size, seed)
    os.rename(f"{site.share}/.{name}", f"{site.share}/{name}")


def same(a, b):
    with open(a, "rb") as x, open(b, "rb") as y:
        return x.read() == y.read()


def wait_file_status(site, name, status, seconds=40):
    def look():
        raw = site.raw(name)
        return raw if raw.get("instrument_file_status") == status and raw.get("settled") else None

    return wait_until(look, seconds, f"{name} is {status} and settled: {site.raw(name)}")


def source(site, *arguments):
    answer = site.trawl("verify", "--source", *arguments, "--json")
    return answer.code, json.loads(answer.out), answer


def open_alerts(site):
    return [a["_id"] for a in site.db.find("alerts", {"open": True})]


@test
def a_move_that_finds_other_content_has_it_acquired_and_copied_again_and_moves_that():
    """snowtrack/snowfs#176, F1b: what was filled late at equal size, first seen by the move."""
    with site_of("movediff") as site:
        put(site, "a.mzML")
        begin(site)
        site.wait_status("a.mzML", "done_not_quanted", 40)
        site.wait_settled()
        flip(f"{site.share}/a.mzML")
        site.instrument("gen1", "generic", file_move_delay_m=0)
        wait_until(lambda: site.raw("a.mzML").get("round", 0) > 0, 60, "it goes back to monitoring")
        wait_file_status(site, "a.mzML", "moved", 60)
        holds(same(site.backup_of("a.mzML"), f"{site.share}/Backup/a.mzML"), "what is moved is what is backed up")
        equal(site.ask("dead", "ls"), [], "nobody has to look")
        site.wait_settled()
        equal(source(site, "a.mzML")[0], 0, "verify --source, afterwards")


@test
def a_name_that_was_used_again_leaves_the_first_raw_file_backed_up_and_copies_the_second():
    with site_of("again") as site:
        put(site, "a.mzML", 1)
        begin(site)
        site.wait_status("a.mzML", "done_not_quanted", 40)
        site.wait_settled()
        os.unlink(f"{site.share}/a.mzML")
        put(site, "a.mzML", 2, 70_000)
        wait_until(lambda: len(site.db.find("raw_file", {"status": "done_not_quanted"})) == 2, 60, "both are done")
        site.instrument("gen1", "generic", file_move_delay_m=0)
        # It meets the second one's file, or, when that was moved first, none.
        wait_until(lambda: site.task("a.mzML/move").get("state") in ("failed", "done"), 60, "the move of the first has ended")
        site.wait_settled()
        raw = site.raw("a.mzML")
        equal((raw["status"], raw.get("round", 0), len(site.db.files_of(raw))), ("done_not_quanted", 0, 1), "the first one stays backed up")
        equal(os.path.getsize(site.backup_of("a.mzML")), 100_000, "the backup of the first")


@test
def files_that_come_late_into_a_folder_are_copied_before_it_is_moved():
    """F1b: robocopy's order; SampleInfo.xml and 1.m/ after analysis.tdf_bin."""
    with site_of("movelate", "bruker") as site:
        os.makedirs(f"{site.share}/a.d")
        write_file(f"{site.share}/a.d/analysis.tdf_bin", 100_000)
        begin(site)
        site.wait_status("a.d", "done_not_quanted", 60)
        site.wait_settled()
        os.makedirs(f"{site.share}/a.d/1.m")
        write_file(f"{site.share}/a.d/1.m/method", 2000, 2)
        write_file(f"{site.share}/a.d/SampleInfo.xml", 500, 3)
        site.instrument("gen1", "bruker", file_move_delay_m=0)
        wait_file_status(site, "a.d", "moved", 90)
        backup = hash_tree(f"{site.raw('a.d')['backup_base_path']}/a.d")
        equal(backup, hash_tree(f"{site.share}/Backup/a.d"), "the backup and what was moved")
        equal(len(backup), 3, "files")


@test
def an_original_that_differs_is_found_on_demand_and_copied_again():
    with site_of("ondemand") as site:
        for name, seed in (("a.mzML", 1), ("b.mzML", 2)):
            put(site, name, seed)
        begin(site)
        for name in ("a.mzML", "b.mzML"):
            site.wait_status(name, "done_not_quanted", 40)
        site.wait_settled()
        code, answer, _ = source(site, "a.mzML")
        equal((code, answer["state"], answer["ok"], answer["n"], answer["bytes"]), (0, "same", True, 1, 100_000), "as backed up")
        equal(site.raw("a.mzML")["original"]["state"], "same", "what is noted")
        rev = site.raw("b.mzML")["rev"]
        flip(f"{site.share}/b.mzML")
        code, answer, said = source(site, "--instrument", "gen1")
        equal((code, answer["good"], answer["bad"]), (1, 1, 1), f"one differs: {said}")
        states = {r["id"]: (r["state"], r["ok"]) for r in answer["results"]}
        equal(states, {"a.mzML": ("same", True), "b.mzML": ("differs", False)}, "states")
        holds("hashes differ" in [r["why"] for r in answer["results"] if r["id"] == "b.mzML"][0], f"how: {answer}")
        holds("original_differs" in said.err, f"a line for logs: {said.err}")
        equal([(e["verb"], e["target"]) for e in site.db.find("audit")], [("verify", "b.mzML")], "the log of actions")
        wait_until(lambda: site.raw("b.mzML")["rev"] > rev + 1 and site.raw("b.mzML").get("round"), 30, "it goes back")
        site.wait_status("b.mzML", "done_not_quanted", 60)
        site.wait_settled()
        holds(same(site.backup_of("b.mzML"), f"{site.share}/b.mzML"), "the backup is what the original is")
        holds("original" not in site.raw("b.mzML"), "no mark is left")
        equal(source(site, "--all")[0], 0, "all are the same")
        equal(open_alerts(site), [], "nobody has to look")


@test
def an_original_in_backup_that_differs_is_not_removed_and_not_shown_as_safe():
    with site_of("inbackup") as site:
        put(site, "a.mzML")
        site.instrument("gen1", "generic", file_move_delay_m=0)
        begin(site)
        wait_file_status(site, "a.mzML", "moved")
        moved = f"{site.share}/Backup/a.mzML"
        flip(moved)
        site.instrument("gen1", "generic", file_move_delay_m=0, min_free_space_gb=9000000, min_file_age_days=0)
        task = site.wait_task("a.mzML/remove", "failed", 60)
        equal(task["error"]["code"], "original_differs", "the code of the refusal")
        raw = wait_until(lambda: (lambda r: r if r.get("original") and r.get("settled") else None)(site.raw("a.mzML")), 20, "a mark")
        equal((raw["original"]["state"], raw["instrument_file_status"]), ("differs", "moved"), "what is noted")
        holds(os.path.exists(moved), "it is there")
        equal(open_alerts(site), ["original_differs/a.mzML"], "alerts")
        holds("not what was backed up" in site.trawl("status").out, "trawl status")
        holds("original differs" in site.trawl("ls").out, f"trawl ls: {site.trawl('ls').out}")
        equal(site.ask("ls")[0]["original"], "differs", "trawl ls --json")
        holds("not what was backed up" in site.trawl("show", "a.mzML").out, "trawl show")
        why = site.ask("why", "a.mzML")["raw_file"]
        equal(why["reason"], "original_differs", f"trawl why: {why}")
        holds("trawl verify --source a.mzML" in why["next"], f"what to do: {why}")
        wait_until(lambda: site.db.one("aggregates", "raw_files/a.mzML")["contents"].get("original_differs"), 20, "the index")
        equal(source(site, "a.mzML")[0], 1, "verify --source")
        flip(moved)
        code, answer, _ = source(site, "a.mzML")
        equal((code, answer["state"]), (0, "same"), "after it was put right")
        equal(open_alerts(site), [], "alerts afterwards")
        wait_until(lambda: site.ask("why", "a.mzML")["raw_file"]["reason"] == "done", 20, "trawl why, afterwards")
        wait_until(lambda: "original_differs" not in site.db.one("aggregates", "raw_files/a.mzML")["contents"], 20, "the index")


@test
def what_is_gone_or_cannot_be_read_is_told_from_what_differs():
    with site_of("gonebusy") as site:
        put(site, "a.mzML")
        begin(site)
        site.wait_status("a.mzML", "done_not_quanted", 40)
        site.wait_settled()
        os.rename(f"{site.share}/a.mzML", f"{site.dir}/a.mzML")
        code, answer, _ = source(site, "a.mzML")
        equal((code, answer["state"], answer["ok"]), (0, "gone", True), "an original that is gone")
        os.rename(site.share, f"{site.share}.away")
        equal(site.trawl("verify", "--source", "a.mzML").code, 5, "without its share nothing can be told")
        code, answer, _ = source(site, "--all")
        equal((code, answer["bad"], answer["results"][0]["state"]), (1, 1, "busy"), "of many the others are looked at")
        os.rename(f"{site.share}.away", site.share)
        equal(site.raw("a.mzML")["original"]["state"], "gone", "what is noted")
        for wrong in (("--source",), ("--source", "a.mzML", "--all"), ("--source", "a.mzML", "--since", "1d")):
            equal(site.trawl("verify", *wrong).code, 2, f"trawl verify {wrong}")
        equal(site.trawl("verify", "--source", "b.mzML").code, 3, "no such file")


run()
