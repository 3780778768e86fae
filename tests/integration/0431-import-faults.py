#!/usr/bin/python3
"""An import of AlphaKraken's database in trouble: cut off, begun otherwise, beside a program that still writes, refused by the server."""

import datetime
import threading

from harness import *
from proxy import Proxy
from store_faults import StoreFaults

sys.path.insert(0, f"{os.path.dirname(os.path.abspath(__file__))}/alphakraken")
from world import NO, REFUSED, beside, dump, run_killed, site_of  # noqa: E402
from year import COLLECTIONS, INSTRUMENTS, UTC, Year, oid  # noqa: E402

AWAY, USAGE = 4, 2
IMPORT = ("import", "alphakraken")


def uri_of(db, port: int = None) -> str:
    return f"mongodb://{db.address[0]}:{port or db.address[1]}/{db.database}"


class Apart:
    """A site, and AlphaKraken's database of a year in another one."""

    def __init__(self, name: str):
        self.site = site_of(name)
        self.theirs = Mongo(self.site.env["TRAWL_MONGO_URI"], self.site.db.database + "_ak")
        self.year = Year(self.site, self.theirs, datetime.datetime.now(UTC))

    def __enter__(self):
        self.site.__enter__()
        self.year.make()
        self.source = uri_of(self.theirs)
        return self.site, self.theirs, self.source

    def __exit__(self, *why):
        self.theirs.drop()
        return self.site.__exit__(*why)


def through(site, name: str) -> tuple:
    """Faults between a program and the store, and the environment that leads through them."""
    faults = StoreFaults()
    return faults, {"TRAWL_MONGO_URI": faults.uri(Proxy(), name, site.env["TRAWL_MONGO_URI"])}


def mark_of(db) -> dict:
    return db.one("imports", "alphakraken") or {}


def taken(report: dict) -> dict:
    return {name: part["taken"] for name, part in report["collections"].items()}


def notes(report: dict, what: str) -> dict:
    return {note["id"]: note["why"] for note in report["notes"] if note["what"] == what}


@test
def an_import_that_was_cut_off_is_resumed_only_from_the_same_source():
    with Apart("resume") as (site, theirs, source):
        holds(run_killed(site, 12, "--from", source), "the import is killed")
        mark = mark_of(site.db)
        equal((mark["state"], mark["from"], mark["in_place"]), ("running", source, False), f"the mark {mark}")
        other = uri_of(theirs, Proxy().link("other", theirs.address[1]))
        for words in ((), ("--from", other), ("--from", source, "--switch")):
            answer = site.trawl(*IMPORT, *words)
            holds(answer.code == REFUSED and f"trawl import alphakraken --from {source}" in answer.err, f"{words}: {answer}")
        equal(mark_of(site.db), mark, "the mark after what was refused")
        answer = site.trawl("ls")
        holds(answer.code == REFUSED and f"trawl import alphakraken --from {source}" in answer.err, f"trawl ls: {answer}")
        site.ask(*IMPORT, "--from", source)
        equal(site.trawl("ls").code, 0, "trawl ls, after the import")


@test
def what_another_alphakraken_calls_the_same_is_refused():
    with Apart("twice") as (site, theirs, source):
        site.db.command({"createIndexes": "settings", "indexes": [{"name": "own", "key": {"name": 1, "version": 1}, "unique": True}]})
        site.db.insert("settings", {"_id": oid("ours"), "name": "msqc", "version": 1, "status": "active", "software_type": "msqc"})
        first = json.loads(site.trawl(*IMPORT, "--from", source, "--json").out)
        equal(first["collections"]["settings"]["refused"], 1, f"settings of a name and version that Trawl has: {first['notes']}")
        holds("unique" in notes(first, "refused")[str(oid("settings msqc 1"))], f"the note of it: {first['notes']}")
        again = json.loads(site.trawl(*IMPORT, "--from", source, "--json").out)["collections"]["raw_file"]
        equal((again["refused"], again["left"]), (0, again["seen"]), "raw files, from the same source")
        other = uri_of(theirs, Proxy().link("other", theirs.address[1]))
        answer = site.trawl(*IMPORT, "--from", other, "--json")
        raw = answer.json["collections"]["raw_file"]
        equal((answer.code, raw["refused"], raw["left"]), (NO, raw["seen"], 0), "raw files of the same ids from another host")


@test
def what_alphakraken_changes_meanwhile_is_refused_until_the_import_is_run_again():
    with site_of("meanwhile") as site:
        year = Year(site, site.db, datetime.datetime.now(UTC))
        year.make()
        faults, env = through(site, "import")
        rule = faults.add("slow", command="update", collection="raw_file", times=1, seconds=3)
        answers = []
        thread = threading.Thread(target=lambda: answers.append(site.trawl(*IMPORT, "--json", env=env)))
        thread.start()
        wait_until(lambda: rule.fired, 20, "the raw files are on their way")
        site.db.update("raw_file", {"_id": "u_run.raw"}, {"$set": {"status": "done"}})
        thread.join()
        answer = answers[0]
        holds(answer.code == REFUSED and "stop AlphaKraken" in answer.err, f"an import beside AlphaKraken: {answer}")
        report = answer.json
        equal((report["complete"], set(notes(report, "refused"))), (False, {"u_run.raw"}), "what is refused")
        equal(mark_of(site.db)["state"], "running", "the mark")
        equal(site.trawl("ls").code, REFUSED, "trawl ls meanwhile")
        equal(taken(site.ask(*IMPORT))["raw_file"], 1, "raw files taken when it is run again")
        equal((site.raw("u_run.raw")["status"], site.raw("u_run.raw")["rev"]), ("done", 1), "the one that had changed")


@test
def a_wrong_backup_location_is_named_before_anything_is_written():
    with Apart("location") as (site, theirs, source):
        other = f"{site.dir}/other"
        os.mkdir(other)
        env = {"TRAWL_LOCATION_BACKUP_CLUSTER": other, "TRAWL_LOCATION_BACKUP_WORKER": other}
        answer = site.trawl(*IMPORT, "--from", source, env=env)
        holds(answer.code == USAGE and "[location.backup] cluster" in answer.err and f"{site.backup}/" in answer.err, f"{answer}")
        equal([site.db.find(name) for name in (*COLLECTIONS, "imports", "audit")], [[]] * (len(COLLECTIONS) + 2), "what was written")


@test
def a_document_that_the_server_refuses_is_refused_alone():
    with Apart("refused") as (site, theirs, source):
        faults, env = through(site, "import")
        bad = "d_null.raw"
        theirs.insert("project", {"_id": "EMPTY1", "name": "empty", "status": "active", "": 1})  # the driver sends no such name
        faults.add("DocumentValidationFailure", command="insert", collection="raw_file", where={"documents._id": bad})
        answer = site.trawl(*IMPORT, "--from", source, "--json", env=env)
        raw = answer.json["collections"]["raw_file"]
        equal((answer.code, raw["refused"], raw["taken"]), (NO, 1, raw["seen"] - 1), f"from another database: {answer}")
        project = answer.json["collections"]["project"]
        equal((project["refused"], project["taken"]), (1, project["seen"] - 1), f"projects: {answer.json['notes']}")
        holds("121" in notes(answer.json, "refused")[bad], f"the note: {notes(answer.json, 'refused')}")
        equal(site.trawl("ls").code, 0, "trawl ls afterwards")
    with site_of("refusedhere") as site:
        Year(site, site.db, datetime.datetime.now(UTC)).make()
        faults, env = through(site, "import")
        faults.add("DocumentValidationFailure", command="update", collection="raw_file", where={"updates.q._id": bad})
        answer = site.trawl(*IMPORT, "--json", env=env)
        raw = answer.json["collections"]["raw_file"]
        equal((answer.code, raw["refused"], raw["taken"]), (NO, 1, raw["seen"] - 1), f"in place: {answer}")
        equal([r["_id"] for r in site.db.find("raw_file") if "rev" not in r], [bad], "raw files that are AlphaKraken's still")


@test
def an_import_that_has_written_nothing_can_be_abandoned_and_no_other():
    with Apart("abandon") as (site, theirs, source):
        answer = site.trawl(*IMPORT, "--abandon")
        holds(answer.code == REFUSED and "no import" in answer.err, f"nothing to abandon: {answer}")
        holds(run_killed(site, 4, "--from", source), "an import is killed before its first document")
        equal((mark_of(site.db)["state"], site.trawl("ls").code), ("running", REFUSED), "the database, half begun")
        equal(site.trawl(*IMPORT, "--abandon", "--why", "wrong source").code, 0, "trawl import alphakraken --abandon")
        equal((mark_of(site.db), site.trawl("ls").code), ({}, 0), "the mark, and trawl ls, after it")
        holds(run_killed(site, 12, "--from", source), "an import is killed in the middle")
        answer = site.trawl(*IMPORT, "--abandon")
        holds(answer.code == REFUSED and f"--from {source}" in answer.err and "drop" in answer.err, f"half: {answer}")
        equal(mark_of(site.db)["state"], "running", "the mark of what is half")
        log = [(e["target"], e["state"], e["why"]) for e in site.db.find("audit") if e["target"] == "abandon"]
        equal(log[1][1:], ("done", "wrong source"), f"what trawl log keeps: {log}")


@test
def what_an_import_that_fails_has_dropped_is_said():
    with site_of("failing") as site:
        Year(site, site.db, datetime.datetime.now(UTC)).make()
        faults, env = through(site, "import")
        faults.add("drop", command="update", collection="metrics")
        answer = site.trawl(*IMPORT, "--json", env=env)
        equal(answer.code, AWAY, f"an import whose server goes away: {answer}")
        dropped = notes(answer.json, "dropped")
        equal((answer.json["complete"], set(dropped)),
              (False, {str(oid(f"assignment {name}")) for name in ("second", "lost", "nobody")}), "what it says")
        kept = [e["after"]["dropped"] for e in site.db.find("audit")]
        equal([{note["id"]: note["why"] for note in list_} for list_ in kept], [dropped], "what trawl log keeps")
        holds("DROPPED" in site.trawl(*IMPORT, env=env).out, "the table, when it fails again")


@test
def a_source_that_is_away_or_has_a_read_preference_is_named_at_once():
    with site_of("source") as site:
        for words, env in ((("import", "alphakraken", "--from", "mongodb://127.0.0.1:1/krakendb"), {}),
                           (("import", "alphakraken", "--switch"), {"TRAWL_COMPAT_ALPHAKRAKEN_URI": "mongodb://127.0.0.1:1/krakendb"})):
            began = time.monotonic()
            answer = site.trawl(*words, env=env)
            key = "[compat] alphakraken_uri" if env else "--from"
            holds(answer.code == AWAY and key in answer.err and "[mongo] uri" not in answer.err, f"{words}: {answer}")
            holds(time.monotonic() - began < 30, "it is said at once")
        answer = site.trawl("import", "alphakraken", "--from", uri_of(site.db) + "_ak?readPreference=secondary")
        holds(answer.code == USAGE and "--from asks for a readPreference" in answer.err, f"{answer}")


@test
def a_collection_of_millions_has_ten_minutes_at_the_server_to_be_read():
    with site_of("listing") as site:
        Year(site, site.db, datetime.datetime.now(UTC)).make()
        faults, env = through(site, "import")
        rules = [faults.add("delay", command="find", collection=name, where={"maxTimeMS": 600000}, seconds=0) for name in ("raw_file", "metrics")]
        equal(site.trawl(*IMPORT, env=env).code, 0, "an import in place")
        equal([rule.fired for rule in rules], [1, 1], "collections that are read with that deadline")


@test
def what_is_there_already_is_looked_up_many_at_a_time():
    with Apart("many") as (site, theirs, source):
        site.ask(*IMPORT, "--from", source)
        for words in ((), ("--dry-run",)):
            faults, env = through(site, "again")
            equal(site.trawl(*IMPORT, "--from", source, *words, env=env).code, 0, f"again, {words}")
            holds(faults.commands < 60, f"commands for {len(theirs.find('raw_file'))} raw files, {words}: {faults.commands}")


class Shadow(Apart):
    """A shadow beside AlphaKraken, whose settings it has."""

    def __enter__(self):
        self.site.__enter__()
        self.source = uri_of(self.theirs)
        self.site.env.update(TRAWL_COMPAT_SHADOW="true", TRAWL_COMPAT_ALPHAKRAKEN_URI=self.source)
        for name, docs in self.year.documents().items():
            for doc in docs if name in ("settings", "project", "project_settings") else []:
                self.theirs.insert(name, doc)
        scheduler = self.site.start_scheduler()
        wait_until(lambda: scheduler.log("leading") and self.site.db.find("pools"), 20, "a scheduler that leads")
        equal(self.site.trawl("shadow").code, 0, "trawl shadow, which brings the projects")
        return self.site, self.theirs, self.source


@test
def a_switch_that_does_not_get_the_database_leaves_it_as_it_was():
    with Shadow("switchlease") as (site, theirs, source):
        site.stop()
        mark = mark_of(site.db)
        stop = threading.Event()

        def beat():
            site.db.update("leases", {"_id": "scheduler"}, {"$set": {"holder": "another", "beat": time.time_ns()}})

        def hold():
            while not stop.wait(0.3):
                beat()

        beat()
        holder = threading.Thread(target=hold)
        holder.start()
        try:
            answer = site.trawl(*IMPORT, "--switch")
        finally:
            stop.set()
            holder.join()
        equal((answer.code, mark_of(site.db)), (REFUSED, mark), f"the mark after {answer}")
        holds(run_killed(site, 4, "--switch"), "a switch is killed before its first document")
        equal(site.trawl(*IMPORT, "--abandon").code, 0, "trawl import alphakraken --abandon")
        equal(mark_of(site.db), mark, "the shadow's mark, abandoned")


@test
def a_switch_says_what_it_drops_and_a_skipped_task_is_not_begun():
    with Shadow("switchsays") as (site, theirs, source):
        write_file(f"{site.instruments}/thermo1/s_seen.raw", 3000)
        site.wait_task("s_seen.raw/copy", "ready")
        equal(site.trawl("task", "skip", "s_seen.raw/copy", "--why", "by hand").code, 0, "trawl task skip")
        equal(site.trawl("project", "new", "MINE1").code, 0, "trawl project new")
        site.stop()
        equal(site.trawl(*IMPORT, "--switch", env={"TRAWL_TRAWL_ENV": "", "ENV": ""}).code, USAGE, "a switch of no environment")
        counts = {name: len(site.db.find(name)) for name in ("raw_file", "tasks")}
        for words in (("--dry-run",), ()):
            holds(site.db.one("project", "MINE1") and site.raw("s_seen.raw"), "nothing is dropped before the switch")
            report = site.ask(*IMPORT, "--switch", *words)
            equal((report["discarded"], list(notes(report, "discarded"))), (counts, ["MINE1"]), f"what is dropped, {words}")
        equal((site.db.one("project", "MINE1"), site.raw("s_seen.raw"), site.db.find("tasks")), (None, {}, []), "what was the shadow's")


@test
def a_shadow_compares_settings_also_where_one_of_both_has_none():
    with Shadow("shadownone") as (site, theirs, source):
        for name, status in (("n_none.raw", "done_not_quanted"), ("n_PRJ9.raw", "done_not_quanted"), ("n_runs.raw", "quanting")):
            write_file(f"{site.instruments}/thermo1/{name}", 3000, len(name))
            theirs.insert("raw_file", {**beside(name, status, 3000), "project_id": "PRJ9" if "PRJ9" in name else "_FALLBACK"})
        theirs.insert("project", {"_id": "PRJ9", "name": "without settings", "status": "active"})
        site.trawl("shadow")
        for name in ("n_none.raw", "n_PRJ9.raw", "n_runs.raw"):
            site.wait_status(name, "monitoring_done")
        report = json.loads(site.trawl("shadow", "--json").out)
        equal([(d["id"], d["alphakraken"], d["trawl"]) for d in report["differences"] if d["what"] == "settings"],
              [("n_none.raw", "", "msqc-v1")], f"differences of settings: {report}")


@test
def no_raw_file_is_made_behind_an_import_by_a_scheduler_that_steps_aside():
    with Apart("aside") as (site, theirs, source):
        faults, env = through(site, "scheduler")
        rule = faults.add("slow", command="insert", collection="raw_file", times=1, seconds=2.5)
        scheduler = site.start_scheduler(**env)
        wait_until(lambda: rule.fired, 20, "a raw file is being made")
        answers = []
        thread = threading.Thread(target=lambda: answers.append(site.trawl(*IMPORT, "--from", source)))
        thread.start()
        wait_until(lambda: any("import" in lease["holder"] for lease in site.db.find("leases")), 20, "the import has its turn")
        made = [raw["_id"] for raw in site.db.find("raw_file") if "imported" not in raw]
        thread.join()
        scheduler.stop()  # its polls have ended
        equal([raw["_id"] for raw in site.db.find("raw_file") if "imported" not in raw], made, f"raw files that are no import's: {answers}")
        holds(made, "the raw file that was being made came before the import")


@test
def a_worker_writes_nothing_into_alphakrakens_database_and_works_once_it_is_trawls():
    with site_of("workerwaits") as site:
        Year(site, site.db, datetime.datetime.now(UTC)).make()
        worker = site.start_worker()
        wait_until(lambda: worker.log("database"), 15, "the worker says whose the database is")
        time.sleep(1)  # several beats
        equal([site.db.find(name) for name in ("workers", "mounts", "leases")], [[]] * 3, "what a worker writes")
        site.ask(*IMPORT)
        wait_until(lambda: site.db.find("workers"), 15, "the worker beats")


run()
