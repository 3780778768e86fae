#!/usr/bin/python3
"""What is taken over out of AlphaKraken's database means the same afterwards: nothing that Trawl's operators have decided comes back, and
nothing is attached to, or taken for, another raw file."""

import datetime
import hashlib

from harness import *

sys.path.insert(0, f"{os.path.dirname(os.path.abspath(__file__))}/alphakraken")
from mongo import Int32  # noqa: E402
from year import UTC, content, oid  # noqa: E402

NO = 1
NOW = datetime.datetime.now(UTC).replace(microsecond=0)
OLD = NOW - datetime.timedelta(days=40)
PROGRAM = "printf 'ms1_scans\\tms2_scans\\tstatus\\n100\\t200\\tok\\n' >msqc_results.tsv"


class Lab:
    """A site, and AlphaKraken's database beside it."""

    def __init__(self, name: str, **keys):
        self.site = Site(name, {"quant.seed": "false"})
        self.site.env["TRAWL_TRAWL_ENV"] = "production"
        self.site.install_software(PROGRAM)
        self.site.instrument("thermo1", "thermo", missing_main_s=2, **keys)
        self.theirs = Mongo(self.site.env["TRAWL_MONGO_URI"], self.site.db.database + "_ak")
        self.uri = f"mongodb://{self.site.db.address[0]}:{self.site.db.address[1]}/{self.theirs.database}"

    def __enter__(self):
        self.site.__enter__()
        return self

    def __exit__(self, *failure):
        self.theirs.drop()
        return self.site.__exit__(*failure)

    def take(self, code: int = 0, *words: str) -> dict:
        answer = self.site.trawl("import", "alphakraken", "--from", self.uri, "--json", *words)
        equal(answer.code, code, f"trawl import: {answer}")
        return answer.json

    def share(self, name: str, data: bytes = b"") -> None:
        path = f"{self.site.instruments}/thermo1/{name}"
        with open(path, "wb") as out:
            out.write(data or content(name, 6000))
        os.utime(path, (OLD.timestamp(), OLD.timestamp()))

    def raw_file(self, name: str, status: str = "done", db=None, on_share: bool = True, **about) -> dict:
        """A raw file of AlphaKraken's with a backup."""
        data = content(name, 6000)
        folder = f"{self.site.backup}/thermo1/{OLD:%Y_%m}"
        os.makedirs(folder, exist_ok=True)
        with open(f"{folder}/{name}", "wb") as out:
            out.write(data)
        if on_share:
            self.share(name)
        doc = {"_id": name, "original_name": name, "instrument_id": "thermo1", "project_id": "_FALLBACK", "status": status,
               "size": Int32(len(data)), "instrument_file_status": "initial", "backup_status": "copying_done", "backup_base_path": folder,
               "file_info": {name: [Int32(len(data)), hashlib.md5(data).hexdigest()]}, "created_at": OLD, "created_at_": OLD,
               "updated_at_": NOW, **about}
        (db or self.theirs).insert("raw_file", doc)
        return doc

    def metrics(self, name: str) -> None:
        self.theirs.insert("metrics", {"_id": oid(f"metrics {name}"), "raw_file": name, "settings_name": "msqc",
                                       "settings_version": Int32(1), "type": "msqc", "ms1_scans": Int32(7), "created_at_": OLD})

    def projects(self) -> None:
        for name in ("_FALLBACK", "PRJ2", "PRJ3"):
            self.theirs.insert("project", {"_id": name, "name": name, "status": "active", "created_at_": OLD})

    def settings(self, version: int, db=None, **about) -> None:
        doc = {"_id": oid(f"settings {version}"), "name": "msqc", "version": Int32(version), "software_type": "msqc",
               "metrics_type": "msqc", "software": "trawl-msqc", "job_engine": "slurm", "config_params": "", "status": "active",
               "slurm_cpus_per_task": Int32(1), "slurm_mem": "100M", "slurm_time": "00:05:00", "num_threads": Int32(1), "created_at_": OLD}
        (db or self.theirs).insert("settings", {**doc, **about})

    def assign(self, what: str, project: str, version: int, when=OLD, db=None, **about) -> None:
        (db or self.theirs).insert("project_settings", {
            "_id": oid(f"assignment {what}"), "project": project, "settings": oid(f"settings {version}"), "scope": "*", "excluded": [],
            "raw_file_id_filter": "", "created_at_": when, **about})

    def assigned(self) -> list:
        """Project, version of the settings, and filter."""
        version = {s["_id"]: s["version"] for s in self.site.db.find("settings")}
        return sorted((a["project"], version[a["settings"]], a["raw_file_id_filter"]) for a in self.site.db.find("project_settings"))

    def work(self) -> None:
        """The scheduler has seen each file on the share: also one that comes after the import."""
        self.site.start()
        self.share("sentinel.raw")
        self.site.wait_status("sentinel.raw", "done|done_not_quanted", 40)
        wait_until(lambda: all(r["settled"] and not r["dirty"] for r in self.site.db.find("raw_file") if "rev" in r), 20, "all is settled")


def notes(report: dict, what: str, collection: str) -> dict:
    return {n["id"]: n["why"] for n in report["notes"] if (n["what"], n["collection"]) == (what, collection)}


@test
def a_raw_file_that_is_refused_is_left_alone_until_an_import_takes_it():
    with Lab("refused") as lab:
        names = {"elsewhere.raw": {"backup_base_path": "/other/pool/thermo1/2024_01"}, "sleeping.raw": {"status": "sleeping"},
                 "odd%41.raw": {"created_at": "a text"}}
        made = {name: lab.raw_file(name, **about) for name, about in names.items()}
        lab.raw_file("good.raw")
        for name in (*names, "good.raw", "nothing.raw"):
            lab.metrics(name)
        report = lab.take(NO)
        equal(sorted(notes(report, "refused", "raw_file")), sorted(n.replace("%", "%25") for n in names), "raw files that are refused")
        equal(len(notes(report, "refused", "metrics")), len(names), "metrics of these")
        equal(list(notes(report, "dropped", "metrics").values()), ["its raw file is gone"], "metrics of nothing")
        equal([m["raw_file"] for m in lab.site.db.find("metrics")], ["good.raw"], "metrics that were taken")
        for name, doc in made.items():
            equal(lab.site.raw(name), {**lab.theirs.one("raw_file", name)}, f"{name}, as it was")
        lab.work()
        equal(sorted(raw["_id"] for raw in lab.site.db.find("raw_file")), sorted([*names, "good.raw", "sentinel.raw"]), "raw files")
        equal(sorted({t["raw_file"] for t in lab.site.db.find("tasks") if t["kind"] != "index"}), ["sentinel.raw"], "what was worked on")
        folder = made["sleeping.raw"]["backup_base_path"]
        lab.theirs.update("raw_file", {"_id": "elsewhere.raw"}, {"$set": {"backup_base_path": folder}})
        lab.site.stop()
        lab.take(NO)
        raw = lab.site.raw("elsewhere.raw")
        equal((raw["rev"], raw["status"], raw["backup_base_path"], raw["watch"]["size"]), (1, "done", folder, 6000), "taken by a later import")
        equal(sorted(m["raw_file"] for m in lab.site.db.find("metrics")), ["elsewhere.raw", "good.raw"], "metrics, then")


@test
def another_file_of_the_same_id_keeps_its_metrics_and_its_place():
    with Lab("twins") as lab:
        lab.site.start()
        lab.share("twin.raw", content("another one", 5000))
        ours = lab.site.wait_status("twin.raw", "done_not_quanted", 40)
        lab.site.wait_settled()
        lab.site.stop()
        lab.raw_file("twin.raw", on_share=False)
        lab.metrics("twin.raw")
        report = lab.take(NO)
        equal((list(notes(report, "refused", "raw_file")), len(notes(report, "refused", "metrics"))), (["twin.raw"], 1), "refused")
        equal(lab.site.db.find("metrics"), [], "metrics of another file")
        equal(lab.site.raw("twin.raw")["created_at"], ours["created_at"], "the raw file that Trawl has")


@test
def what_trawl_has_assigned_or_removed_stays_so():
    with Lab("assigned") as lab:
        lab.projects()
        for version in (1, 2, 3):
            lab.settings(version)
        lab.assign("fallback", "_FALLBACK", 1)
        lab.assign("second", "PRJ2", 1)
        lab.assign("third", "PRJ3", 1)
        lab.take()
        equal(lab.assigned(), [("PRJ2", 1, ""), ("PRJ3", 1, ""), ("_FALLBACK", 1, "")], "after the first import")
        for words in (("unassign", "msqc-v1", "PRJ2"), ("assign", "msqc-v2", "PRJ3", "--replace")):
            answer = lab.site.trawl("settings", *words)
            equal(answer.code, 0, f"trawl settings {words}: {answer}")
        lab.assign("new", "PRJ2", 3, NOW + datetime.timedelta(hours=1), scope="thermo")
        report = lab.take()
        equal(lab.assigned(), [("PRJ2", 3, ""), ("PRJ3", 2, ""), ("_FALLBACK", 1, "")], "after a second one")
        left = notes(report, "left", "project_settings")
        equal(sorted(left), sorted(str(oid(f"assignment {name}")) for name in ("second", "third")), "what is not taken again")
        holds(all("earlier import" in why and "trawl settings assign" in why for why in left.values()), f"{left}")


@test
def an_assignment_of_trawls_keeps_its_place_at_the_first_import():
    with Lab("places") as lab:
        lab.site.db.insert("project", {"_id": "PRJ2", "name": "PRJ2", "status": "active"})
        lab.settings(1)
        lab.settings(9, lab.site.db)
        long_filter = "x" * 200
        lab.assign("ours", "PRJ2", 9, NOW, lab.site.db, trawl_id="PRJ2/*/msqc/")
        lab.projects()
        lab.assign("theirs", "PRJ2", 1)
        lab.assign("one", "PRJ3", 1, raw_file_id_filter=long_filter + "a")
        lab.assign("other", "PRJ3", 1, raw_file_id_filter=long_filter + "b")
        report = lab.take()
        equal(lab.assigned(), [("PRJ2", 9, ""), ("PRJ3", 1, long_filter + "a"), ("PRJ3", 1, long_filter + "b")], "assignments")
        equal(list(notes(report, "dropped", "project_settings").values()), ["another one has its place, and stays"], "what is said")


@test
def an_import_in_place_deletes_no_assignment_of_trawls():
    with Lab("inplace") as lab:
        ours = lab.site.db
        for name in ("PRJ2", "PRJ3"):
            ours.insert("project", {"_id": name, "name": name, "status": "active", "created_at_": OLD})
        lab.settings(1, ours, software_type="custom", metrics_type="custom")
        lab.settings(2, ours, software_type="custom", metrics_type="diann", trawl_type="diann")
        lab.assign("old", "PRJ2", 1, OLD, ours)
        lab.assign("ours", "PRJ2", 2, NOW, ours, trawl_id="PRJ2/*/diann/")
        lab.assign("gone", "GONE9", 2, NOW, ours, trawl_id="GONE9/*/diann/")
        lab.assign("same", "PRJ2", 1, NOW, ours, trawl_id="PRJ2/*/custom/")
        lab.assign("again", "PRJ2", 1, NOW + datetime.timedelta(seconds=1), ours)
        lab.raw_file("a.raw", db=ours)
        lab.site.ask("import", "alphakraken")
        equal(sorted(str(a["_id"]) for a in ours.find("project_settings")),
              sorted(str(oid(f"assignment {name}")) for name in ("old", "ours", "gone", "same")), "assignments")


@test
def settings_that_no_engine_of_trawls_can_run_are_assigned_to_nothing():
    with Lab("generic") as lab:
        lab.projects()
        lab.settings(1, job_engine="generic")
        lab.settings(2, job_engine="generic", status="inactive")
        lab.settings(3)
        lab.assign("first", "PRJ2", 1)
        lab.assign("archived", "PRJ3", 2)
        lab.assign("good", "PRJ2", 3, NOW)
        report = lab.take()
        equal(lab.assigned(), [("PRJ2", 3, "")], "assignments")
        equal(set(notes(report, "dropped", "project_settings").values()), {"no engine of Trawl's can run its settings"}, "what is said")
        equal(sorted(s["status"] for s in lab.site.db.find("settings")), ["active", "inactive", "inactive"], "settings")
        lab.settings(4, lab.site.db, job_engine="generic")  # as AlphaKraken's page makes them
        lab.assign("page", "_FALLBACK", 4, NOW, lab.site.db)
        lab.site.start()
        lab.share("new.raw")
        raw = lab.site.wait_status("new.raw", "quanting_failed", 40)
        holds("generic" in raw["status_details"] and "--engine" in raw["status_details"], f"what is said of it: {raw['status_details']}")


@test
def a_younger_file_of_a_name_that_is_left_alone_is_said():
    with Lab("younger") as lab:
        lab.raw_file("bare.raw", file_info={}, updated_at_=NOW + datetime.timedelta(hours=1))
        lab.raw_file("taken.raw", file_info={}, updated_at_=OLD)
        lab.take()
        lab.work()

        def said():
            watch = lab.site.db.one("watches", "thermo1")
            return watch["detail"] if "taken.raw" in watch["detail"] else None

        detail = wait_until(said, 20, "the watch says which name is left alone")
        holds("give it another name" in detail and "bare.raw" not in detail, detail)
        holds("taken.raw" in lab.site.trawl("status").out, "trawl status")


@test
def of_two_raw_files_of_one_name_the_older_one_ends():
    with Lab("replaced") as lab:
        later = OLD + datetime.timedelta(days=1)
        none = {"backup_status": None, "file_info": {}, "backup_base_path": ""}
        lab.raw_file("again.raw", "monitoring_acquisition", **none)
        lab.raw_file("20260301-101112-123456-again.raw", original_name="again.raw", collision_flag="20260301-101112-123456-",
                     on_share=False, created_at_=later)
        lab.raw_file("both.raw", "copying", **none)
        lab.raw_file("20260301-101112-123457-both.raw", "monitoring_done", original_name="both.raw",
                     collision_flag="20260301-101112-123457-", on_share=False, created_at_=later, **none)
        lab.take()
        lab.work()
        for name in ("again.raw", "both.raw"):
            raw = lab.site.raw(name)
            equal((raw["status"], raw["status_details"]),
                  ("acquisition_failed", "Replaced by another file before its acquisition had ended"), name)
        equal(lab.site.raw("20260301-101112-123457-both.raw")["status"], "done_not_quanted", "the younger one")
        equal(len(lab.site.db.find("raw_file")), 5, "raw files")


run()
