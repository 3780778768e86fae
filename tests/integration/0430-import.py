#!/usr/bin/python3
"""AlphaKraken's database of a year is taken over: what was finished stays, what was on its way comes to its end, under its own ids."""

import datetime
import hashlib

from harness import *

sys.path.insert(0, f"{os.path.dirname(os.path.abspath(__file__))}/alphakraken")
from world import NO, REFUSED, beside, dump, run_killed, site_of  # noqa: E402
from year import COLLECTIONS, INSTRUMENTS, UTC, Case, Year, content, oid  # noqa: E402


def expect_refused(site, *words: str, says: str) -> None:
    answer = site.trawl(*words)
    holds(answer.code == REFUSED and "trawl import alphakraken" in answer.err and says in answer.err, f"{words}: {answer}")


def expect_taken_over(site, year: Year) -> None:
    """The documents right after the import."""
    raws = {raw["_id"]: raw for raw in site.db.find("raw_file")}
    equal(sorted(raws), sorted(case.new_id for case in year.cases), "raw files, each under its own id")
    for case in year.cases:
        raw, was = raws[case.new_id], year.raw_file(case)
        equal((raw["rev"], raw["settled"], raw["dirty"], raw["created_at"]), (1, False, True, was["created_at"]), case.id)
        if case.kept:
            equal((raw["status"], raw.get("status_details"), raw["updated_at_"]), (case.status, case.details, was["updated_at_"]), case.id)
            backup = "copying_done" if (case.backup or "").startswith("upload") else case.backup
            equal((raw.get("backup_status"), raw["instrument_file_status"]), (backup, case.file_status), case.id)
        equal("members" in raw.get("watch", {}), raw["status"] != "monitoring_acquisition" and case.proven, f"{case.id}: its names are known")
        equal("size" in raw.get("watch", {}), raw["status"] != "monitoring_acquisition" and case.info not in ("nulls", "empty"),
              f"{case.id}: the size of its main file is known")


def expect_settings(site) -> None:
    held = {(s["name"], s["version"]): s for s in site.db.find("settings")}
    equal({key: s.get("job_engine") for key, s in held.items()},
          {("msqc", 1): "slurm_no_sacct", ("msqc", 2): "slurm", ("msqc_fine", 1): "slurm", ("queue", 1): "file_based", ("other", 1): "generic",
           ("ancient", 1): None}, "engines")
    ancient = held["ancient", 1]
    equal((ancient["software_type"], ancient["metrics_type"], ancient["slurm_mem"], ancient["num_threads"]),
          ("alphadia", "alphadia", "62G", 8), "what the oldest settings lack")
    equal(held["other", 1]["status"], "inactive", "settings that no engine can run")
    equal(sorted(a["_id"] for a in site.db.find("project_settings")),
          sorted(oid(f"assignment {name}") for name in ("fallback", "fine", "bare")), "assignments that are left")
    metrics = {m["raw_file"]: m for m in site.db.find("metrics")}
    old = metrics["d_share.raw"]
    equal((old["gradient_length"], old["ms1_scans"], old["time_elapsed"], old["calibration:ms1_bias"], old["proteins"]),
          (21.5, 77, 12.25, 0.5, 4321), "metrics under the names of today")
    holds("precursors" not in old and "raw:gradient_length_m" not in old, f"{old}")
    holds("d_90%25.raw" in metrics and "d_90%.raw" not in metrics, f"metrics follow their raw file: {sorted(metrics)}")


def wait_ends(site, year: Year) -> None:
    def open_ones():
        raws = {raw["_id"]: raw for raw in site.db.find("raw_file")}
        return [f"{case.id}: {raws[case.new_id]['status']} ({raws[case.new_id].get('status_details')})" for case in year.cases
                if raws[case.new_id]["status"] != case.ends or not raws[case.new_id]["settled"] or raws[case.new_id]["dirty"]]

    try:
        wait_until(lambda: not open_ones(), 60, "each raw file has come to its end")
    except Failed as failed:
        raise Failed(f"{failed}:\n  " + "\n  ".join(open_ones())) from None
    site.wait_settled()


def expect_ends(site, year: Year) -> None:
    """Nothing was taken for a new file, nothing was quantified with other settings, what was finished is as it was."""
    raws = {raw["_id"]: raw for raw in site.db.find("raw_file")}
    equal(sorted(raws), sorted(case.new_id for case in year.cases), "raw files, none of them twice")
    with open(f"{site.dir}/ran", encoding="utf-8") as ran:
        equal(sorted(ran.read().splitlines()), sorted(f"{case.runs} {case.id}" for case in year.cases if case.runs), "jobs that ran")
    for case in year.cases:
        raw = raws[case.new_id]
        if case.kept:
            was = year.raw_file(case)
            equal((raw.get("status_details"), raw["updated_at_"], raw["rev"]), (case.details, was["updated_at_"], 1), f"{case.id}, finished")
            equal(site.db.find("tasks", {"raw_file": case.new_id, "kind": {"$ne": "index"}}), [], f"tasks of {case.id}")
    for case in year.cases:
        if case.lost:
            expect_lost(raws[case.new_id], year.raw_file(case), case)
        if case.ends == "done":
            for part, size in case.files.items():
                with open(f"{year.folder(case)}/{year.target(case, part)}", "rb") as copy:
                    holds(case.info in ("nulls", "empty") and not case.runs or copy.read() == content(case.id + part, size),
                          f"the backup of {case.id}, {part}")
    kept = [f for f in os.listdir(year.folder(next(c for c in year.cases if c.name == "u_half.raw"))) if "bkp" in f]
    equal(sorted(kept), ["e_copy.raw.1.alphakraken.bkp", "u_half.raw.1.alphakraken.bkp"], "halves of copies are kept aside")


def expect_lost(raw: dict, was: dict, case: Case) -> None:
    """Its original is gone: what AlphaKraken said of it and of its backup is there again."""
    says = {"u_lost.raw": "imported while queued_for_quanting, and its original is gone",
            "u_lost.d": "imported while quanting, and its original is gone",
            "u_lost_half.raw": "imported while copying, and its original is gone: its backup may not be whole",
            "u_lost_bare.raw": "No files were found."}
    equal(raw["status_details"], says.get(case.id, case.details), f"what is said of {case.id}")
    if case.info == "plain":
        equal((raw["file_info"], raw["backup_base_path"], raw["size"]), (was["file_info"], was["backup_base_path"], was["size"]), case.id)
        equal(raw["backup_status"], "copying_done" if case.ends == "done_not_quanted" else "copying_failed", f"the backup of {case.id}")


def expect_verified(site, year: Year) -> None:
    found = json.loads(site.trawl("verify", "--all", "--json").out)["results"]
    bad = {r["id"]: r for r in found if not r["ok"]}
    unproven = sorted(c.new_id for c in year.cases if c.ends == "done" and c.info in ("nulls", "empty") and not c.runs)
    equal(sorted(bad), unproven, "backups that cannot be verified have no sizes and hashes")
    equal(sorted(r["id"] for r in found if r["ok"]),
          sorted(c.new_id for c in year.cases if c.runs or c.ends == "done_not_quanted" or c.kept and c.proven), "backups that were read")


def expect_index(site, year: Year) -> None:
    for case in year.cases:
        held = site.db.one("aggregates", f"raw_files/{case.new_id}")["contents"]
        equal(held["status"], case.ends, f"{case.id} in the index")
        if "proteins" in case.metrics:
            equal((held["metrics"]["alphadia"]["proteins"], held["metrics"]["alphadia"]["gradient_length"]), (4321, 21.5), case.id)


def expect_rerun(site) -> None:
    """What was imported is quantified again, also where AlphaKraken made the only record of its backup."""
    for name, says in (("u_lost_half.raw", "may not be whole"), ("e_moved.raw", "give it another name")):
        answer = site.trawl("rerun", name)
        holds(answer.code == REFUSED and "nothing copies it" in answer.err, f"trawl rerun {name}: {answer}")
        holds(says in site.trawl("why", name).out, f"trawl why {name}")
    for name in ("n_skip.raw", "d_moved.raw", "u_lost.raw"):
        equal(site.trawl("rerun", name).code, 0, f"trawl rerun {name}")
        wait_until(lambda name=name: site.raw(name)["rev"] > 1 and site.raw(name)["status"] == "done" and site.raw(name)["settled"], 40,
                   f"{name} is quantified again")
        site.wait_settled()
        held = site.db.one("aggregates", f"raw_files/{name}")["contents"]
        equal((held["status"], held["metrics"]["msqc"]["ms1_scans"]), ("done", 100), f"{name} in the index")


def expect_retired(site, year: Year) -> None:
    """Originals are moved by their names, and removed by their hashes."""
    for instrument, kind in INSTRUMENTS.items():
        site.instrument(instrument, kind, file_move_delay_m=0, min_free_space_gb=9000000, min_file_age_days=0)
    site.start_worker("move,remove")
    gone = [c for c in year.cases if c.file_status in ("initial", "moved") and (c.runs and c.share or c.kept and c.proven)]

    def left():
        raws = {raw["_id"]: raw for raw in site.db.find("raw_file")}
        return [f"{c.id}: {raws[c.new_id]['instrument_file_status']}, {raws[c.new_id].get('remove_refused')}" for c in gone
                if raws[c.new_id]["instrument_file_status"] != "purged"]

    try:
        wait_until(lambda: not left(), 60, "each original that has a proven backup is gone")
    except Failed as failed:
        raise Failed(f"{failed}: {left()}") from None
    there = {f"{i}/{name}" for i in INSTRUMENTS for name in os.listdir(f"{site.instruments}/{i}") if name != "Backup"}
    equal(sorted(there), ["sciex1/d_skip.timeseries.data", "sciex1/d_skip.wiff", "sciex1/d_skip.wiff.scan", "thermo1/d_na.raw",
                          "thermo1/i_old.raw", "tims1/d_null.d", "tims1/i_old.d"], "originals without a proven backup stay")


@test
def a_year_of_alphakraken_is_taken_over_in_place_whatever_kills_the_import():
    with site_of("import") as site:
        year = Year(site, site.db, datetime.datetime.now(UTC))
        year.make()
        before = dump(site.db)
        scheduler = site.start_scheduler()
        for words in (("ls",), ("status",), ("rerun", "d_share.raw"), ("pool", "set", "file_copy", "2")):
            expect_refused(site, *words, says="is AlphaKraken's")
        wait_until(lambda: scheduler.log("database"), 15, "the scheduler says whose the database is")
        equal((scheduler.log("leading"), scheduler.stop()), ([], 0), "that scheduler")
        answer = site.trawl("import", "alphakraken", "--dry-run")
        holds(answer.code == 0 and "nothing was written" in answer.out, f"the dry run: {answer}")
        equal(dump(site.db), before, "the database after a dry run")
        equal([site.db.find(name) for name in ("pools", "leases", "imports", "tasks", "audit")], [[]] * 5, "what is ours, before the import")
        nth = 1
        while run_killed(site, nth):
            nth += 1
            if [mark["state"] for mark in site.db.find("imports")] == ["running"] and nth % 5 == 0:
                expect_refused(site, "ls", says="has not ended")
        holds(nth > 12, f"there are that many writes to be killed at: {nth}")
        again = site.ask("import", "alphakraken")
        equal({name: part["taken"] for name, part in again["collections"].items()}, dict.fromkeys(again["collections"], 0), "taken twice")
        expect_taken_over(site, year)
        expect_settings(site)
        site.start()
        wait_ends(site, year)
        expect_ends(site, year)
        expect_verified(site, year)
        expect_index(site, year)
        expect_rerun(site)
        expect_retired(site, year)
        log = [e for e in site.ask("log") if e["verb"] == "import alphakraken"]
        holds(any(e["state"] == "done" for e in log), f"the audit: {log}")


@test
def another_database_is_only_read_and_what_trawl_has_stays():
    with site_of("importfrom") as site:
        theirs = Mongo(site.env["TRAWL_MONGO_URI"], site.db.database + "_ak")
        year = Year(site, theirs, datetime.datetime.now(UTC))
        year.make()
        before = dump(theirs)
        source = f"mongodb://{site.db.address[0]}:{site.db.address[1]}/{theirs.database}"
        answer = site.trawl("import", "alphakraken", "--from", "mongodb://127.0.0.1:1")
        holds(answer.code == 2 and "krakendb" in answer.err, f"a source without a database: {answer}")
        answer = site.trawl("import", "alphakraken", "--from", source.replace("_ak", ""))
        holds(answer.code == 2 and "in place" in answer.err, f"a source that is the target: {answer}")
        equal(site.trawl("ls").code, 0, "trawl ls after a refused import")
        for nth in range(2, 20, 3):
            run_killed(site, nth, "--from", source)
        answer = site.trawl("import", "alphakraken", "--from", source.replace("//", "//kraken:secret@"))
        holds(answer.code == 2 and "--from-file" in answer.err and "secret" not in answer.err, f"a password for all to see: {answer}")
        with open(f"{site.dir}/krakendb.uri", "w") as file:
            file.write(source + "\n")
        answer = site.ask("import", "alphakraken", "--from-file", file.name)
        equal(sum(part["refused"] for part in answer["collections"].values()), 0, f"refused: {answer['notes']}")
        equal(dump(theirs), before, "the database that was read")
        expect_taken_over(site, year)
        expect_settings(site)
        again = site.ask("import", "alphakraken", "--from", source)
        equal({name: part["taken"] for name, part in again["collections"].items()}, dict.fromkeys(again["collections"], 0), "taken twice")
        theirs.drop()


# ---- beside an AlphaKraken that does the work ----


def acquire_there(site, theirs, name: str, **about) -> None:
    """A file on the share, and what AlphaKraken has made of it."""
    data = content(name, 6000)
    path = f"{site.instruments}/thermo1/{name}"
    with open(path, "wb") as out:
        out.write(data)
    old = time.time() - 600
    os.utime(path, (old, old))
    now = datetime.datetime.now(UTC).replace(microsecond=0)
    info = {name: [len(data), hashlib.md5(data).hexdigest()]}
    folder = f"{site.backup}/thermo1/{now:%Y_%m}"
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/{name}", "wb") as out:
        out.write(data)
    theirs.insert("raw_file", {**beside(name, "done", len(data)), "backup_status": "copying_done", "backup_base_path": folder,
                               "file_info": info, "project_id": "PRJ2" if "PRJ2" in name else "_FALLBACK", **about})
    theirs.insert("metrics", {"_id": oid(name), "raw_file": name, "settings_name": "msqc_fine" if "PRJ2" in name else "msqc",
                              "settings_version": 1, "type": "msqc", "created_at_": now})


@test
def a_shadow_sees_plans_compares_and_does_nothing_until_one_command_makes_it_trawl():
    with site_of("shadow") as site:
        theirs = Mongo(site.env["TRAWL_MONGO_URI"], site.db.database + "_ak")
        year = Year(site, theirs, datetime.datetime.now(UTC))
        for name, docs in year.documents().items():
            for doc in docs if name in ("settings", "project", "project_settings") else []:
                theirs.insert(name, doc)
        uri = f"mongodb://{site.db.address[0]}:{site.db.address[1]}/{theirs.database}"
        site.env.update(TRAWL_COMPAT_SHADOW="true", TRAWL_COMPAT_ALPHAKRAKEN_URI=uri)
        site.start()
        equal(site.trawl("shadow").code, 0, "trawl shadow, which brings the projects")
        acquire_there(site, theirs, "s_PRJ2_same.raw")
        acquire_there(site, theirs, "s_same.raw")
        acquire_there(site, theirs, "s_failed.raw", status="acquisition_failed")
        acquire_there(site, theirs, "s_other.raw", project_id="PRJ2")
        theirs.insert("raw_file", beside("s_theirs.raw", "done", 1))
        write_file(f"{site.instruments}/thermo1/s_ours.raw", 3000)
        names = ("s_PRJ2_same.raw", "s_same.raw", "s_failed.raw", "s_other.raw", "s_ours.raw")
        for name in names:
            site.wait_status(name, "monitoring_done")
        kept, pool = [theirs.find(name) for name in COLLECTIONS], hash_tree(site.backup)
        report = json.loads(site.trawl("shadow", "--json").out)
        equal({(d["id"], d["what"]) for d in report["differences"]},
              {("s_failed.raw", "its acquisition"), ("s_other.raw", "project"), ("s_other.raw", "settings"),
               ("s_theirs.raw", "only AlphaKraken has it"), ("s_ours.raw", "only Trawl has it")}, "differences")
        equal((report["compared"], report["same"]), (4, 2), "compared, and the same")
        equal({(t["_id"], t["state"], t["fence"]) for t in site.db.find("tasks", {"kind": "copy"})},
              {(f"{name}/copy", "ready", 0) for name in names}, "copies that are planned, and wait")
        answer = site.trawl("why", "s_same.raw/copy")
        holds("shadow" in answer.out and "--switch" in answer.out, f"trawl why: {answer}")
        equal(([theirs.find(name) for name in COLLECTIONS], hash_tree(site.backup)), (kept, pool), "what is AlphaKraken's")
        answer = site.trawl("import", "alphakraken", "--from", uri)
        holds(answer.code == REFUSED and "--switch" in answer.err, f"an import into a shadow: {answer}")
        for nth in range(3, 24, 4):
            run_killed(site, nth, "--switch")
            if site.db.one("imports", "alphakraken")["state"] == "done":
                break
        else:
            site.ask("import", "alphakraken", "--switch")
        site.wait_status("s_ours.raw", "done", 60)
        site.wait_settled()
        equal({raw["_id"]: raw["status"] for raw in site.db.find("raw_file")},
              {"s_PRJ2_same.raw": "done", "s_same.raw": "done", "s_failed.raw": "acquisition_failed", "s_other.raw": "done",
               "s_theirs.raw": "done", "s_ours.raw": "done"}, "raw files, after the switch")
        equal(len(site.db.find("tasks", {"kind": "copy"})), 1, "copies, of what AlphaKraken did not have")
        equal(site.trawl("shadow").code, REFUSED, "trawl shadow, after its end")
        theirs.drop()


@test
def what_alphakraken_adds_beside_trawl_is_left_alone_and_said_until_it_is_imported():
    with site_of("importbeside") as site:
        scheduler = site.start_scheduler()
        site.start_worker()
        wait_until(lambda: scheduler.log("leading") and site.db.find("pools"), 20, "a scheduler that leads")
        names = {"b_mon.raw": "monitoring_acquisition", "b_run.raw": "quanting", "b_done.raw": "done"}
        for name, status in names.items():
            site.db.insert("raw_file", beside(name, status))
        for name in (*names, "ours.raw"):
            write_file(f"{site.instruments}/thermo1/{name}", 5000, len(name))
        site.wait_status("ours.raw", "done_not_quanted")
        equal({raw["_id"]: raw["status"] for raw in site.db.find("raw_file")}, {**names, "ours.raw": "done_not_quanted"}, "raw files")
        equal(site.db.find("tasks", {"raw_file": {"$in": list(names)}}), [], "tasks of what is AlphaKraken's")
        answer = site.trawl("why", "b_run.raw")
        holds("AlphaKraken made it" in answer.out and "trawl import alphakraken" in answer.out, f"trawl why: {answer}")
        report = site.ask("import", "alphakraken")
        equal((report["collections"]["raw_file"]["taken"], report["collections"]["raw_file"]["left"]), (3, 1), "taken and left")
        for name in ("b_mon.raw", "b_run.raw"):
            site.wait_status(name, "done_not_quanted", 40)
        equal(len(site.db.find("raw_file")), 4, "raw files, after the import")
        equal(site.raw("b_done.raw")["status"], "done", "what was finished")


run()
