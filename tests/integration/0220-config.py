"""Configuration that is wrong: refused with file, line and a suggestion at start; while running, only what is wrong stands still."""

from harness import *


def program(site, name):
    return subprocess.run([f"{os.environ['TRAWL_TEST_BIN']}/{name}"], env=site.env, capture_output=True, text=True, timeout=20)


def refused(site, *parts):
    """Neither daemon starts, and each says why in one line; so does trawl."""
    for name in ("scheduler/trawl-scheduler", "workers/trawl-worker"):
        done = program(site, name)
        equal(done.returncode, 2, f"exit code of {name}: {done.stderr}")
        equal(done.stderr.count("\n"), 1, f"lines that {name} prints: {done.stderr}")
        for part in parts:
            holds(part in done.stderr, f"{name} says '{part}': {done.stderr}")
    check = site.trawl("config", "check")
    equal(check.code, 2, f"trawl config check: {check}")
    for part in parts:
        holds(part in check.err + check.out, f"config check says '{part}': {check}")


@test
def an_unknown_key_stops_the_start_with_file_line_and_suggestion():
    with Site("badkey") as site:
        ini = f"{site.config}/trawl.ini"
        with open(ini, "w") as out:
            out.write("[scheduler]\n# a comment\npol_s = 3\n")
        refused(site, f"{ini}:3", "pol_s", "did you mean", "poll_s")
        with open(ini, "w") as out:
            out.write("[scheduler]\npoll_s = soon\n")
        refused(site, f"{ini}:2", "poll_s", "soon")
        with open(ini, "w") as out:
            out.write("[copy]\nstreams = 1000\n")
        refused(site, f"{ini}:2", "streams", "64")
        with open(ini, "w") as out:
            out.write("[scheduler]\npoll_s 3\n")
        refused(site, f"{ini}:2")
        os.remove(ini)
        site.env["TRAWL_SCHEDULER_POL_S"] = "3"
        refused(site, "TRAWL_SCHEDULER_POL_S", "TRAWL_SCHEDULER_POLL_S")
        del site.env["TRAWL_SCHEDULER_POL_S"]
        equal(site.trawl("config", "check").code, 0, "config check of a good configuration")
        equal(site.db.find("leases"), [], "what a refused start wrote")


@test
def a_read_preference_that_is_not_primary_stops_the_start():
    with Site("secondary") as site:
        uri = site.env["TRAWL_MONGO_URI"].rstrip("/")
        site.env["TRAWL_MONGO_URI"] = f"{uri}/?readPreference=secondaryPreferred"
        for name in ("scheduler/trawl-scheduler", "workers/trawl-worker"):
            done = program(site, name)
            equal(done.returncode, 2, f"exit code of {name}: {done.stderr}")
            holds("readPreference that is not primary: take it out" in done.stderr, f"{name}: {done.stderr}")
        answer = site.trawl("status")
        holds(answer.code == 2 and "readPreference" in answer.err, f"trawl status: {answer}")
        site.env["TRAWL_MONGO_URI"] = uri
        equal(site.db.find("leases"), [], "what a refused start wrote")


@test
def programs_of_another_environment_do_not_touch_the_database():
    with Site("theirs") as site:
        site.start_scheduler()
        doc = wait_until(lambda: (d := site.db.one("trawl", "schema") or {}).get("environment") and d, 20, "the environment is written down")
        equal(doc["environment"], site.id, "whose database it is")
        site.env["TRAWL_TRAWL_ENV"] = "sandbox"
        for words in (("status",), ("ls",), ("pool", "set", "file_copy", "1", "--why", "x")):
            answer = site.trawl(*words)
            holds(answer.code == 5 and f"set ENV={site.id}" in answer.err and answer.err.count("\n") == 1, f"trawl {words[0]}: {answer}")
        for process in (site.start_scheduler(), site.start_worker()):
            wait_until(lambda p=process: not p.alive(), 20, f"{process.name} ends")
            holds(any(f"set ENV={site.id}" in line for line in process.text().splitlines()), f"{process.name} says why")
        equal([w["host"] for w in site.db.find("workers")], [], "workers")


@test
def a_broken_instrument_file_stops_no_other_and_acts_when_it_is_mended():
    with Site("badfile") as site:
        quick = {"skip_quanting": "true"}
        site.instrument("gen1", "generic", **quick)
        site.instrument("gen2", "generic", **quick)
        broken = site.instrument_file("gen2", f"[instrument]\ntype = generic\npath = {site.instruments}/gen2\nglobe = *.mzML\n")
        scheduler, _ = site.start()
        told = wait_until(lambda: [l for l in scheduler.log("instrument_refused") if "msg" in l], 10, "the file is refused")
        holds(f"{broken}:4" in told[0]["msg"] and "glob" in told[0]["msg"], f"file, line and suggestion: {told[0]}")
        check = site.trawl("config", "check", "--instruments")
        equal(check.code, 1, "trawl config check --instruments")
        holds(f"{broken}:4" in check.out, f"config check names the line: {check}")
        first = site.acquire("generic", "gen1")[0]["name"]
        other = site.acquire("generic", "gen2")[0]["name"]
        site.wait_status(first, "done_not_quanted")
        equal(site.raw(other), {}, "the broken instrument's file is not looked at")

        site.instrument("gen2", "generic", **quick)
        site.wait_status(other, "done_not_quanted")
        site.instrument_file("gen1", "[instrument]\ntype = generic\n")  # while it runs: the old one stays
        wait_until(lambda: [l for l in scheduler.log("instrument_refused") if l.get("old_one_stays") == 1], 10, "it says so")
        second = site.acquire("generic", "gen1", first=2)[0]["name"]
        site.wait_status(second, "done_not_quanted")
        site.expect_nothing_left()
        holds(scheduler.alive(), "the scheduler runs")


@test
def a_missing_instrument_folder_stops_no_other_and_goes_on_when_it_is_there():
    with Site("nofolder") as site:
        quick = {"skip_quanting": "true"}
        site.instrument("gen1", "generic", **quick)
        path = site.instrument("gen2", "generic", folder=False, **quick)
        scheduler, _ = site.start()
        watch = wait_until(lambda: [w for w in site.ask("status")["instruments"] if w["status"] != "ok"], 15,
                           "trawl status shows the error")
        equal(watch[0]["_id"], "gen2", "which instrument is in trouble")
        holds(path in watch[0]["detail"], f"the detail names the folder: {watch[0]}")
        holds(path in site.trawl("config", "check", "--instruments").out, "config check names the folder")
        name = site.acquire("generic", "gen1")[0]["name"]
        site.wait_status(name, "done_not_quanted")
        equal(len(scheduler.log("watch")), 1, "lines about it, although it was looked for every second")

        os.makedirs(path)
        later = site.acquire("generic", "gen2", first=2)[0]["name"]
        site.wait_status(later, "done_not_quanted")
        wait_until(lambda: {w["status"] for w in site.ask("status")["instruments"]} == {"ok"}, 15, "status is ok again")
        os.rename(path, f"{path}.away")  # a share that goes away while it is watched
        wait_until(lambda: [w for w in site.ask("status")["instruments"] if w["status"] != "ok"], 15, "the error is back")
        os.rename(f"{path}.away", path)
        last = site.acquire("generic", "gen2", first=3)[0]["name"]
        site.wait_status(last, "done_not_quanted")
        equal(site.raw(later)["status"], "done_not_quanted", "what was done stays done")
        equal(len(site.db.find("raw_file")), 3, "raw files: none was taken for a new one")
        site.expect_nothing_left()


run()
