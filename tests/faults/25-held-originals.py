"""Originals that others have open, or that their share refuses at present: held, shown to people, and copied later (F5)."""

from check import *

SETTINGS = {"retry.base_ms": 200, "retry.max_attempts": 2, "retry.held_alert_s": 3, "copy.threads": 8, "pool.file_copy": 8}


def open_alerts(site):
    return [a["_id"] for a in site.db.find("alerts", {"open": True})]


def wait_held(site, task, seconds=30):
    """It was refused more often than it may fail, and none of that counts."""
    def look():
        found = site.task(task)
        return found if found.get("setbacks", 0) > 3 and found["state"] == "ready" else None

    found = wait_until(look, seconds, f"{task} is held: {site.task(task)}")
    equal((found["error"]["kind"], found["error"]["code"], found["attempt"]), ("hold", "source_busy", 0), f"how {task} fares")
    return found


def check_told(site, raw_file, task, reason):
    """What people see while it is held."""
    def why():
        answer = site.ask("why", raw_file)
        return [t for t in answer["tasks"] if t["id"] == task and t["reason"] == "held"]

    held = wait_until(why, 20, f"why says that {task} is held")[0]
    holds("held for" in held["what"] and reason in held["what"], f"what holds it, for how long: {held}")
    holds("resumes when the program that has it open closes it" in held["next"], f"what would move it: {held}")
    wait_until(lambda: f"held/{raw_file}" in open_alerts(site), 30, f"an alert for {raw_file}: {open_alerts(site)}")
    holds(raw_file in site.trawl("status").out, "the alert stands in trawl status")
    equal(site.ask("dead", "ls"), [], "trawl dead ls")
    row = [r for r in site.ask("ls") if r["id"] == raw_file][0]
    holds("fail" not in row["status"] and row["status"] != "error", f"trawl ls: {row}")


def wait_no_alert(site):
    wait_until(lambda: open_alerts(site) == [], 20, f"the alerts are over: {open_alerts(site)}")


@test
def a_copy_waits_for_whoever_has_the_original_open_and_goes_on_by_itself():
    """TalAloni/SMBLibrary#245: a sharing violation is EACCES or EBUSY on CIFS."""
    with Site("held", SETTINGS) as site, FaultFs(f"{site.instruments}") as fs:
        kinds = {"eacces": "open", "ebusy": "open", "estale": "read", "enotconn": "open", "ehostdown": "read"}
        originals = Originals()
        for name in kinds:
            os.makedirs(f"{site.instruments}/{name}")
            write_file(f"{site.instruments}/{name}/{name}.raw", 200_000, len(name))
            site.instrument(name, "thermo", path=f"{fs.path}/{name}", skip_quanting="true")
            originals.note(f"{site.instruments}/{name}")
        fs.rules(*[f"error={name.upper()} {op} {name}/*.raw" for name, op in kinds.items()])
        site.start_scheduler()
        site.start_worker("copy,index")
        for name in kinds:
            wait_held(site, f"{name}.raw/copy", 60)
            check_told(site, f"{name}.raw", f"{name}.raw/copy", f"source: {kinds[name]} {name}.raw: ")
        fs.rules()
        for name in kinds:
            site.wait_status(f"{name}.raw", "done_not_quanted", 90)
        wait_no_alert(site)
        site.expect_nothing_left()
        check(site, originals, copied=len(kinds))
        holds(all("held" not in t for t in site.db.find("tasks")), "no task is held any more")


@test
def a_folder_whose_parts_cannot_be_listed_or_looked_at_is_held_as_a_whole():
    with Site("heldd", SETTINGS) as site, FaultFs(f"{site.instruments}") as fs:
        originals = Originals()
        for name in ("list", "stat", "open"):
            os.makedirs(f"{site.instruments}/{name}/{name}.d/1.m")
            write_file(f"{site.instruments}/{name}/{name}.d/analysis.tdf_bin", 100_000, 1)
            write_file(f"{site.instruments}/{name}/{name}.d/1.m/method", 1000, 2)
            site.instrument(name, "bruker", path=f"{fs.path}/{name}", skip_quanting="true")
            originals.note(f"{site.instruments}/{name}")
        site.start_scheduler()
        for name in ("list", "stat", "open"):
            wait_until(lambda n=name: site.task(f"{n}.d/copy"), 60, f"{name}.d has ended")
        fs.rules("error=EACCES list list/list.d/1.m", "error=EBUSY stat stat/stat.d/1.m/*",
                 "error=EBUSY open open/open.d/1.m/*")
        site.start_worker("copy,index")
        for name in ("list", "stat", "open"):
            wait_held(site, f"{name}.d/copy", 60)
        fs.rules()
        for name in ("list", "stat", "open"):
            site.wait_status(f"{name}.d", "done_not_quanted", 90)
        site.expect_nothing_left()
        check(site, originals, copied=3)


@test
def an_acquisition_that_cannot_be_looked_at_has_not_lost_its_main_file():
    names = {"eacces": "thermo", "estale": "sciex", "eio": "bruker", "ehostdown": "generic"}
    ends = {"thermo": ".raw", "sciex": ".wiff", "bruker": ".d", "generic": ".mzML"}
    with Site("unseen", SETTINGS) as site, FaultFs(site.instruments) as fs:
        files = {name: f"{name}{ends[kind]}" for name, kind in names.items()}
        for name, kind in names.items():
            path = f"{site.instruments}/{name}/{files[name]}"
            os.makedirs(path if kind == "bruker" else os.path.dirname(path))
            site.instrument(name, kind, path=f"{fs.path}/{name}", skip_quanting="true", missing_main_s=2, size_check_s=4, quiet_s=5)
            write_file(f"{path}/analysis.tdf_bin" if kind == "bruker" else path, 50_000, 1)
        write_file(f"{site.instruments}/eacces/eacces_CORRUPTED.raw", 1000, 2)
        write_file(f"{site.instruments}/estale/estale.wiff.scan", 1000, 2)
        site.start_scheduler()
        for file in files.values():
            wait_until(lambda f=file: site.raw(f), 20, f"{file} is found")
        fs.rules(*[f"error={name.upper()} stat {name}/{file}" for name, file in files.items()])
        for file in files.values():
            wait_until(lambda f=file: site.raw(f)["watch"].get("waits_for") == "a part of it cannot be looked at", 20, f"{file} waits")
            holds(file in site.raw(file)["watch"]["trouble"], f"what is said: {site.raw(file)['watch']}")
        time.sleep(6)  # longer than any threshold
        equal({f: site.raw(f)["status"] for f in files.values()}, dict.fromkeys(files.values(), "monitoring_acquisition"), "statuses")
        fs.rules()
        for file in files.values():
            wait_until(lambda f=file: site.raw(f)["status"] != "monitoring_acquisition", 60, f"{file} goes on")
        equal([f for f in files.values() if site.raw(f)["watch"].get("error")], [], "acquisitions that failed")


@test
def a_file_that_can_never_be_had_is_an_error_as_ever():
    with Site("gone", SETTINGS) as site:
        folder = site.instrument("gone", "thermo", skip_quanting="true")
        path = write_file(f"{folder}/gone.raw", 1000)
        site.start_scheduler()
        wait_until(lambda: site.task("gone.raw/copy"), 40, "it has ended")
        os.unlink(path)
        site.start_worker("copy,index")
        raw = site.wait_status("gone.raw", "error", 40)
        holds("source vanished" in raw["status_details"], raw["status_details"])


@test
def an_original_of_which_a_part_cannot_be_looked_at_is_not_shown_as_safe_until_it_can():
    with Site("blind", SETTINGS) as site, FaultFs(f"{site.instruments}") as fs:
        os.makedirs(f"{site.instruments}/dots/b.d/1.m")
        write_file(f"{site.instruments}/dots/b.d/analysis.tdf_bin", 100_000, 1)
        write_file(f"{site.instruments}/dots/b.d/1.m/x.method", 100, 2)
        site.instrument("dots", "bruker", path=f"{fs.path}/dots", skip_quanting="true")
        site.start_scheduler()
        site.start_worker("copy,index")
        site.wait_status("b.d", "done_not_quanted", 60)
        fs.rules("error=EACCES list dots/b.d/1.m")
        unsettled = wait_until(lambda: (o := site.raw("b.d").get("original", {})).get("state") == "unsettled" and o, 40, "it is not shown as safe")
        holds("1.m" in unsettled["why"], f"why: {unsettled}")
        fs.rules()
        wait_until(lambda: site.raw("b.d").get("original", {}).get("state", "same") == "same", 60, "it is shown as safe again")
        equal(site.logs("acquisition_goes_on"), [], "it was not acquired again")


@test
def a_move_and_a_removal_wait_for_whoever_has_the_original_open():
    with Site("heldmove", {**SETTINGS, "quant.seed": "false"}) as site, FaultFs(site.instruments) as fs:
        site.env["TRAWL_TRAWL_ENV"] = "production"
        os.makedirs(f"{site.instruments}/gen1")
        keys = dict(path=f"{fs.path}/gen1", file_move_delay_m=0, min_file_age_days=0)
        site.instrument("gen1", "generic", **keys)
        write_file(f"{site.instruments}/gen1/a.mzML", 100_000)
        fs.rules("error=EACCES rename,create */Backup/a.mzML")  # where a new name is exclusive only by a link, too
        site.start_scheduler()
        site.start_worker("copy,move,remove,index")
        wait_held(site, "a.mzML/move", 60)
        check_told(site, "a.mzML", "a.mzML/move", "rename a.mzML: Permission denied")
        equal(site.raw("a.mzML")["instrument_file_status"], "initial", "it is where it was")
        fs.rules("error=EBUSY remove */Backup/a.mzML")
        wait_until(lambda: site.raw("a.mzML")["instrument_file_status"] == "moved", 60, "moved")
        wait_no_alert(site)
        site.instrument("gen1", "generic", min_free_space_gb=9000000, **keys)
        wait_held(site, "a.mzML/remove", 60)
        check_told(site, "a.mzML", "a.mzML/remove", "delete a.mzML: ")
        holds(os.path.exists(f"{site.instruments}/gen1/Backup/a.mzML"), "it is there")
        fs.rules()
        wait_until(lambda: site.raw("a.mzML")["instrument_file_status"] == "purged", 60, "removed")
        wait_no_alert(site)
        site.wait_settled()


run()
