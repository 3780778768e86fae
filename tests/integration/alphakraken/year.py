"""A database that AlphaKraken has filled for a year, with the files that it speaks about. Made of its facts, not its code.

Year(site, database) writes both; the same site always gets the same. `cases` says of each raw file what it is and what
must become of it. What a file holds follows from its name, so that copies can be compared.
"""

import datetime
import hashlib
import os

from mongo import Int32, ObjectId

UTC = datetime.timezone.utc
FINISHED = ("done", "done_not_quanted", "error", "quanting_failed", "acquisition_failed", "ignored")
INSTRUMENTS = {"thermo1": "thermo", "tims1": "bruker", "sciex1": "sciex"}
COLLECTIONS = ("raw_file", "metrics", "settings", "project", "project_settings", "kraken_status")


def content(name: str, size: int) -> bytes:
    return hashlib.shake_256(name.encode()).digest(size)


def oid(what: str) -> ObjectId:
    """Any twelve bytes, as an ObjectId is to those who do not make it."""
    return ObjectId(hashlib.sha256(what.encode()).hexdigest()[:24])


def parts_of(kind: str, name: str) -> dict:
    """The files that an acquisition of this kind writes -> their sizes."""
    if kind == "bruker":
        return {f"{name}/analysis.tdf": 3000, f"{name}/analysis.tdf_bin": 5000, f"{name}/1.m/method": 700}
    if kind == "sciex":
        return {name: 4000, f"{name}.scan": 2000, f"{name[:-5]}.timeseries.data": 300}
    return {name: 6000}


class Case:
    """One raw file: its document's fields that matter here, where its files are, and what must become of it."""

    def __init__(self, name: str, status: str, instrument: str = "thermo1", **about):
        self.name, self.status, self.instrument = name, status, instrument
        self.file_status = about.pop("file_status", "initial")
        self.backup = about.pop("backup", "copying_done")  # backup_status
        self.pool = about.pop("pool", "whole")  # what is in the pool: whole, half, nothing
        self.info = about.pop("info", "plain")  # file_info: plain, legacy, double, nulls, empty
        self.project = about.pop("project", "_FALLBACK")
        self.details = about.pop("details", None)
        self.prefix = about.pop("prefix", "")
        self.share = about.pop("share", self.file_status == "initial")  # its original is there
        self.fields = about.pop("fields", {})
        self.metrics = about.pop("metrics", {})
        self.age_days = about.pop("age_days", 40)
        self.ends = about.pop("ends", status)  # the status that it comes to
        self.runs = about.pop("runs", None)  # the settings that quantify it
        self.lost = about.pop("lost", False)  # it goes back to monitoring, and its original is gone
        assert not about, about

    @property
    def id(self) -> str:
        return self.prefix + self.name

    @property
    def new_id(self) -> str:
        """As Trawl writes it."""
        return "".join(f"%{ord(c):02X}" if c == "%" or ord(c) < 32 else c for c in self.id)

    @property
    def files(self) -> dict:
        return parts_of(INSTRUMENTS[self.instrument], self.name)

    @property
    def kept(self) -> bool:
        """Finished at AlphaKraken's: nothing of it changes."""
        return self.status in FINISHED and not self.runs and not self.lost

    @property
    def proven(self) -> bool:
        return self.backup not in (None, "copying_in_progress", "copying_failed", "skipped") and self.info not in ("nulls", "empty")


LEGACY = {"raw:gradient_length_m": 21.5, "msqc_ms1_scans": Int32(77), "quanting_time_elapsed": 12.25,
          "calibration:ms1_median_accuracy": 0.5, "proteins": Int32(4321), "precursors": None}
NONE = {"backup": None, "pool": "nothing", "info": "empty"}
HALF = {"backup": "copying_in_progress", "pool": "half"}
GONE = {"file_status": "purged"}


def cases() -> list:
    msqc, fine = "msqc-v1", "msqc_fine-v1"
    return [
        # finished
        Case("d_share.raw", "done", backup="upload_done", metrics=LEGACY, details="as it was"),
        Case("d_share.d", "done", "tims1", metrics={"ms1_scans": Int32(5)}),
        Case("d_share.wiff", "done", "sciex1", backup="upload_failed"),
        Case("d_moved.raw", "done", file_status="moved", backup="upload_in_progress", metrics=LEGACY),
        Case("d_moved.d", "done", "tims1", file_status="moved"),
        Case("d_purged.raw", "done", info="legacy", age_days=300, **GONE),
        Case("d_purged.d", "done", "tims1", info="legacy", age_days=300, **GONE),
        Case("d_double.raw", "done", info="double", fields={"size": 6000.0}, **GONE),
        Case("d_old.raw", "done", file_status="n/a", share=False, info="nulls", age_days=360),
        Case("d_bare.raw", "done", file_status="n/a", share=False, info="empty", age_days=360),
        Case("d_twice.raw", "done", **GONE),
        Case("d_twice.raw", "done", prefix="20260301-101112-123456-"),
        Case("d_na.raw", "done", file_status="n/a", share=True),  # nobody knows where it is, and it is there
        Case("d_null.d", "done", "tims1", backup=None),  # from when nothing was said of backups
        Case("d_skip.wiff", "done", "sciex1", backup="skipped"),
        Case("d_90%.raw", "done", metrics={"ms1_scans": Int32(9)}, **GONE),
        Case("d_%41\n.raw", "done", info="legacy", **GONE),
        Case("d_null.raw", "done", fields={"project_id": None, "s3_upload_path": None, "collision_flag": None}, **GONE),
        Case("n_skip.raw", "done_not_quanted", details="No settings configured.", project="PRJ2"),
        Case("e_copy.raw", "error", details="ValueError in copying", backup="copying_failed", pool="half", ends="done", runs=msqc),
        Case("e_moved.raw", "error", details="as it was", backup="copying_failed", file_status="moved", pool="half"),
        Case("q_fail.raw", "quanting_failed", details="__UNKNOWN_ERROR", **GONE),
        Case("a_fail.raw", "acquisition_failed", details="Main file was not created", share=False, lost=True, **NONE),
        Case("i_old.raw", "ignored", details="too old", fields={"size": None}, **NONE),
        Case("i_old.d", "ignored", "tims1", fields={"size": None}, **NONE),
        # on their way
        Case("u_queued.raw", "queued_for_monitoring", ends="done", runs=msqc, **NONE),
        Case("u_mon.raw", "monitoring_acquisition", project="PRJ2", ends="done", runs=fine, **NONE),
        Case("u_mon.d", "monitoring_acquisition", "tims1", ends="done", runs=msqc, **NONE),
        Case("u_mdone.d", "monitoring_done", "tims1", ends="done", runs=msqc, **NONE),
        Case("u_mdone.wiff", "monitoring_done", "sciex1", ends="done", runs=msqc, **NONE),
        Case("u_sums.raw", "checksumming", ends="done", runs=msqc, **NONE),
        Case("u_summed.raw", "checksumming_done", ends="done", runs=msqc, backup=None, pool="nothing"),
        Case("u_half.raw", "copying", ends="done", runs=msqc, **HALF),
        Case("u_half.d", "copying", "tims1", ends="done", runs=msqc, **HALF),
        Case("u_whole.raw", "copying", ends="done", runs=msqc, backup="copying_in_progress"),
        Case("u_copied.raw", "copying_done", ends="done", runs=msqc),
        Case("u_wait.raw", "queued_for_quanting", project="PRJ2", ends="done", runs=fine),
        Case("u_wait.wiff", "queued_for_quanting", "sciex1", backup="upload_done", ends="done", runs=msqc),
        Case("u_run.raw", "quanting", ends="done", runs=msqc),
        Case("u_gone.raw", "quanting", share=False, ends="done", runs=msqc),
        Case("u_lost.raw", "queued_for_quanting", share=False, lost=True, backup=None, ends="done_not_quanted"),
        Case("u_lost.d", "quanting", "tims1", share=False, lost=True, backup="copying_in_progress", ends="done_not_quanted"),
        Case("u_lost_half.raw", "copying", share=False, lost=True, ends="error", **HALF),
        Case("u_lost_bare.raw", "monitoring_done", share=False, lost=True, ends="acquisition_failed", **NONE),
    ]


def settings() -> list:
    full = {"slurm_cpus_per_task": Int32(1), "slurm_mem": "100M", "slurm_time": "00:05:00", "num_threads": Int32(1),
            "metrics_type": "msqc", "software_type": "msqc", "software": "trawl-msqc", "config_params": "", "status": "active"}
    named = [
        ("msqc", 1, {**full, "job_engine": "slurm_no_sacct", "number": Int32(1)}),
        ("msqc", 2, {**full, "job_engine": "slurm", "number": Int32(3)}),
        ("msqc_fine", 1, {**full, "job_engine": "slurm", "number": Int32(2), "description": None}),
        ("queue", 1, {**full, "job_engine": "file_based", "number": Int32(4), "software_type": "skyline", "status": "inactive"}),
        ("other", 1, {**full, "job_engine": "generic", "number": Int32(5), "software_type": "custom"}),
        ("ancient", 1, {"software": "alphadia-1.0", "fasta_file_name": "h.fasta", "speclib_file_name": None, "number": Int32(-1),
                        "status": "inactive"}),
    ]
    return [{"_id": oid(f"settings {name} {version}"), "name": name, "version": Int32(version), **rest} for name, version, rest in named]


def assignments(when) -> list:
    def one(what: str, project: str, target: str, days: int, **more) -> dict:
        return {"_id": oid(f"assignment {what}"), "project": project, "settings": oid(f"settings {target}"), "scope": "*",
                "excluded": [], "raw_file_id_filter": "", "created_at_": when(days), **more}

    return [
        one("second", "_FALLBACK", "msqc 2", 10),  # younger, for the same place
        one("fallback", "_FALLBACK", "msqc 1", 200),
        one("fine", "PRJ2", "msqc_fine 1", 100, scope="thermo"),
        one("lost", "PRJ2", "deleted 7", 90, scope="tims1"),  # its settings are gone
        one("nobody", "GONE9", "msqc 1", 80),  # its project is gone
        {key: value for key, value in one("bare", "PRJ3", "queue 1", 70).items() if key not in ("scope", "excluded")},
    ]


class Year:
    def __init__(self, site, db, now: datetime.datetime):
        self.site, self.db, self.now = site, db, now
        self.cases = cases()

    def when(self, days: float) -> datetime.datetime:
        """Naive at AlphaKraken's, whose containers run in UTC; whole milliseconds."""
        return (self.now - datetime.timedelta(days=days)).replace(microsecond=123000)

    def folder(self, case: Case) -> str:
        return f"{self.site.backup}/{case.instrument}/{self.when(case.age_days):%Y_%m}"

    # -- files --

    def write(self, path: str, data: bytes) -> None:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as out:
            out.write(data)
        old = (self.now - datetime.timedelta(days=2)).timestamp()
        os.utime(path, (old, old))

    def target(self, case: Case, part: str) -> str:
        return case.prefix + part

    def lay_out(self) -> None:
        for case in self.cases:
            top = f"{self.site.instruments}/{case.instrument}"
            for part, size in case.files.items():
                data = content(case.id + part, size)
                if case.share:
                    self.write(f"{top}/{part}", data)
                if case.file_status == "moved":
                    self.write(f"{top}/Backup/{self.target(case, part)}", data)
                if case.pool != "nothing":
                    self.write(f"{self.folder(case)}/{self.target(case, part)}", data if case.pool == "whole" else data[:size // 2])

        begun = next(case for case in self.cases if case.id == "u_run.raw")  # AlphaKraken's job has written there
        folder = self.site.output
        for name in ("_FALLBACK", f"{self.when(begun.age_days):%Y_%m}", f"out_{begun.id}", "msqc"):
            folder = f"{folder}/{name}"
            os.mkdir(folder)
            os.chmod(folder, 0o2775)
        self.write(f"{folder}/log.txt", b"it began")

    # -- documents --

    def file_info(self, case: Case) -> dict:
        before = f"{case.instrument}/{self.when(case.age_days):%Y_%m}/" if case.info == "legacy" else ""
        info = {}
        for part, size in case.files.items():
            md5 = hashlib.md5(content(case.id + part, size)).hexdigest()
            item = {"nulls": [None, None], "double": [float(size), md5]}.get(case.info, [Int32(size), md5, f"{md5}-1__100"])
            info[before + self.target(case, part)] = item
        return {} if case.info == "empty" else info

    def raw_file(self, case: Case) -> dict:
        created = self.when(case.age_days)
        doc = {"_id": case.id, "original_name": case.name, "instrument_id": case.instrument, "project_id": case.project,
               "status": case.status, "status_details": case.details, "size": Int32(sum(case.files.values())),
               "backup_base_path": self.folder(case) if case.pool != "nothing" else "", "backup_status": case.backup,
               "instrument_file_status": case.file_status, "file_info": self.file_info(case), "created_at": created,
               "created_at_": created + datetime.timedelta(minutes=5), "updated_at_": created + datetime.timedelta(hours=3)}
        if case.prefix:
            doc["collision_flag"] = case.prefix
        return {**doc, **case.fields}

    def metrics(self) -> list:
        docs = [{"_id": oid(f"metrics {case.id}"), "raw_file": case.id, "settings_name": "n/a", "settings_version": Int32(1),
                 "type": "msqc" if "ms1_scans" in case.metrics else "alphadia", "created_at_": self.when(case.age_days - 1),
                 **case.metrics} for case in self.cases if case.metrics]
        return docs + [{"_id": oid("metrics of nothing"), "raw_file": "deleted.raw", "type": "alphadia", "proteins": Int32(1)}]

    def projects(self) -> list:
        return [{"_id": "_FALLBACK", "name": "fallback", "status": "active"},
                {"_id": "PRJ2", "name": "second", "description": None, "status": "active", "created_at_": self.when(300)},
                {"_id": "PRJ3", "settings": oid("settings msqc 1")}]

    def documents(self) -> dict:
        status = {"_id": "thermo1", "status": "ok", "entity_type": "instrument", "free_space_gb": Int32(500), "updated_at_": self.when(0)}
        return {"raw_file": [self.raw_file(case) for case in self.cases], "metrics": self.metrics(), "settings": settings(),
                "project": self.projects(), "project_settings": assignments(self.when), "kraken_status": [status]}

    def make(self) -> None:
        self.lay_out()
        for collection, docs in self.documents().items():
            for doc in docs:
                self.db.insert(collection, doc)
