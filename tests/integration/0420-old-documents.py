#!/usr/bin/python3
"""A database of an earlier version, left with work of every kind under way, is taken up without a hand's turn.

old-documents/ holds what that version's own programs left (README.md there): documents and files. Its leader and all its
workers were killed; no job runs any more. The new programs begin with the database, the shares and the cluster.
"""

import shlex

from harness import *

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, f"{HERE}/old-documents")

import dump  # noqa: E402
from harness import ENDED  # noqa: E402

VERSIONS = sorted(entry.path for entry in os.scandir(f"{HERE}/old-documents") if entry.is_dir() and entry.name != "__pycache__")

# Each job notes that it ran; none of those that the earlier version has started is run again.
SOFTWARE = """echo "${1##*/}" >>{dir}/ran
printf 'ms1_scans\\tms2_scans\\tstatus\\n100\\t200\\tok\\n' >msqc_results.tsv"""

NO_SETTINGS, CANCELLED = "No settings configured.", "cancelled by kim@oldhost: not needed"

# What becomes of each raw file: status, what its details say, and what else is not as usual. A backup is done, and the
# original where it was acquired, unless something else is said.
FAILURES = ("error", "acquisition_failed", "quanting_failed")
NOT_COPIED = {"backup_status": "copying_failed"}
RENAMED = {"backup_status": "skipped", "instrument_file_status": "renamed"}
MOVED, PURGED, AGAIN = {"instrument_file_status": "moved"}, {"instrument_file_status": "purged"}, {"round": 1}
ENDS = {
    "done": {name: ("", {}) for name in (
        "PFIL_q_taken.mzML", "PFIL_q_waits.mzML", "PLOC_done.mzML", "PLOC_q_admitted.mzML", "PLOC_q_answer.mzML",
        "PLOC_q_claimed.mzML", "PLOC_q_ended.mzML", "PLOC_q_named.mzML", "PLOC_q_parked_wait.mzML", "PLOC_q_ready.mzML",
        "PLOC_q_woken.mzML", "PSLU_q_held.mzML", "PSLU_q_parked_wait.mzML")} | {
        "PLOC_ignored_exit7.mzML": ("accepted by kim@oldhost: a test file", {})},
    "quanting_failed": {name: (CANCELLED, {}) for name in (
        "PFIL_q_cancel.mzML", "PLOC_q_stop.mzML", "PLOC_q_withdrawn.mzML")} | {
        "PLOC_failed_exit7.mzML": ("the licence server does not answer", {})},
    "done_not_quanted": {name: (NO_SETTINGS, about) for about, names in (
        ({}, "b1.d c_admitted.mzML c_held.mzML c_later.mzML c_lost.mzML c_named.mzML c_part.mzML c_published.mzML c_ready.mzML "
             "c_retried.mzML damaged.mzML growing.mzML i_admitted.mzML i_claimed.mzML i_indexed.mzML i_ready.mzML m_refused.mzML "
             "n1.mzML s1.wiff t2.raw w1.mzML"),
        (AGAIN, "again.mzML b2.d c_changed.mzML grown.mzML"),
        (MOVED, "kept.mzML m1.mzML m2.mzML m3.mzML m5.mzML"),
        (PURGED, "d1.mzML d2.mzML d4.mzML erased.mzML purged.mzML")) for name in names.split()},
    "acquisition_failed": {
        "nomain.d": ("Main file was not created", {}),
        "r1.raw": ("File got renamed", RENAMED), "t3.raw": ("File got renamed", RENAMED),
        "r1_CORRUPTED.raw": ("File name indicates failed acquisition.", {}),
        "t3_CORRUPTED.raw": ("File name indicates failed acquisition.", {})},
    "error": {
        "c_dead.mzML": ("[copy] dead: ", NOT_COPIED), "c_untold.mzML": ("[copy] dead: ", NOT_COPIED),
        "c_refused.mzML": ("[copy] failed: ", NOT_COPIED),
        "c_stop.mzML": (CANCELLED, NOT_COPIED), "c_withdrawn.mzML": (CANCELLED, NOT_COPIED)},
    "ignored": {
        "c_skipped.mzML": ("skipped by kim@oldhost: not needed", {"backup_status": "skipped"}),
        "tooold.mzML": ("", {"backup_status": None})},
}

INSTRUMENTS = {"bruker1": {"type": "bruker", "missing_main_s": 1}, "sciex1": {"type": "sciex"}, "thermo1": {"type": "thermo"}}
MOVERS = ("mv1", "mv2", "mv3", "mv4", "rm1", "rm2", "rm3", "rm4", "rm5")


def ends() -> dict:
    return {name: (status, *end) for status, names in ENDS.items() for name, end in names.items()}


def differs(raw: dict, status: str, details: str, about: dict) -> list:
    """Where the raw file is not yet, or not at all, what becomes of it."""
    wanted = {"status": status, "backup_status": "copying_done", "instrument_file_status": "initial", "round": 0, "settled": True,
              "dirty": False, **about}
    found = {key: raw.get(key, 0 if key == "round" else None) for key in wanted}
    wrong = [f"{key} {found[key]!r} instead of {value!r}" for key, value in wanted.items() if found[key] != value]
    return wrong + ([] if details in raw["status_details"] else [f"details {raw['status_details']!r} without {details!r}"])


class OldSite(Site):
    """A site that an earlier version has left, before anything of the new one runs."""

    def __init__(self, folder: str, env: dict):
        super().__init__("old", {"quant.seed": "false"}, env)
        self.env.update(TRAWL_TRAWL_ENV="production", TRAWL_LOCATION_SOFTWARE_WORKER=self.software)
        self.install_software(SOFTWARE.replace("{dir}", self.dir))
        os.chmod(self.dir, 0o755)
        open(f"{self.dir}/ran", "w").close()
        os.chmod(f"{self.dir}/ran", 0o666)  # the cluster's user writes there, too
        saved = dump.Saved(folder, self)
        saved.lay_out()
        saved.load()
        for entry in self.db.find("watches"):
            name = entry["_id"]
            keys = {"type": "generic", "file_move_delay_m": 0 if name in MOVERS else -1, **INSTRUMENTS.get(name, {})}
            self.instrument(name, keys.pop("type"), **keys)

    def take_job_files(self) -> None:
        """As the site's own program does, which was away, too."""
        queue = f"{self.output}/job_queue"
        for name in [name for name in os.listdir(queue) if name.endswith(".job")]:
            with open(f"{queue}/{name}", encoding="utf-8") as file:
                job = dict(line.rstrip("\n").split("=", 1) for line in file)
            if "q_cancel" in job["RAW_FILE_ID"]:
                continue
            os.rename(f"{queue}/{name}", f"{queue}/{name}.processed")
            subprocess.run(shlex.split(job["CUSTOM_COMMAND"]), cwd=job["OUTPUT_PATH"], check=True)
            with open(f"{job['OUTPUT_PATH']}/job_status.log", "w", encoding="utf-8") as status:
                status.write("COMPLETED\n")

    def wait_ends(self, seconds: float) -> None:
        def open_ones():
            self.take_job_files()
            wrong = {raw["_id"]: differs(raw, *ends()[raw["_id"]]) for raw in self.db.find("raw_file")}
            return [f"{name}: {', '.join(why)}" for name, why in wrong.items() if why]

        try:
            wait_until(lambda: not open_ones(), seconds, "each raw file has come to its end")
        except Failed as failed:
            raise Failed(f"{failed}:\n  " + "\n  ".join(open_ones())) from None

    def dead(self) -> list:
        return sorted(t["_id"] for t in self.db.find("tasks", {"state": {"$in": ["failed", "dead"]}}))


def expect_tasks(site: OldSite, before: dict) -> None:
    """Nothing was done twice, nothing that was running was lost, nothing failed that had not failed before."""
    after = {t["_id"]: t for t in site.db.find("tasks")}
    equal(set(before) - set(after), set(), "tasks that are gone")
    for name, old in before.items():
        new = after[name]
        if old["state"] == "running" and old["kind"] != "index":  # which begins from zero whenever there is more to index
            equal(new.get("lost"), old.get("lost", 0) + 1, f"how often a worker of {name} was lost")
        if old["kind"] == "quant" and new["state"] == "done" and old.get("parked"):
            equal(new["result"]["job_id"], old["parked"]["job_id"], f"the job of {name}")
        if old["state"] in ENDED and old["state"] != "done" and name != "c_changed.mzML/copy":
            equal((new["state"], new["fence"], new["error"]), (old["state"], old["fence"], old["error"]), f"{name}, which had ended")
    with open(f"{site.dir}/ran", encoding="utf-8") as ran:
        equal(sorted(ran.read().split()), ["PFIL_q_waits.mzML", "PLOC_q_admitted.mzML", "PLOC_q_claimed.mzML", "PLOC_q_named.mzML",
                                           "PLOC_q_ready.mzML", "PSLU_q_held.mzML"], "jobs that ran")
    for name in ("t3.raw/copy", "r1.raw/copy"):
        holds(name not in after, f"{name}: nothing is copied of a file that got another name")


def expect_way(scheduler: Process) -> None:
    """Nothing was shown as failed on its way to a good end; what changed while it was copied is acquired once more at once."""
    shown = [(line["raw_file"], line["status"], line["details"]) for line in scheduler.log("raw_file")]
    for name, status, details in shown:
        holds(status not in FAILURES or status == ends()[name][0], f"{name} was shown as {status}: {details}")
    [first, *_] = [(status, details.split(":")[0]) for name, status, details in shown if name == "c_changed.mzML"]
    equal(first, ("monitoring_acquisition", "It changed while it was copied"), "what is decided of c_changed.mzML")


def expect_files(site: OldSite) -> None:
    """What is backed up is what was acquired; what was moved or removed is where it is said to be."""
    answer = site.trawl("verify", "--all", "--json")
    found = json.loads(answer.out)
    equal([r["id"] for r in found["results"] if not r["ok"]], ["damaged.mzML"], f"backups that are damaged: {answer}")
    for name in ("c_part.mzML", "c_published.mzML", "c_named.mzML", "c_changed.mzML", "grown.mzML", "again.mzML"):
        raw = site.raw(name)
        with open(site.backup_of(name), "rb") as copy:
            holds(copy.read() == dump.content(name, raw["size"]), f"the backup of {name}, {raw['size']} bytes")
    equal([site.raw(name)["size"] for name in ("c_changed.mzML", "grown.mzML", "b2.d")], [(4 << 20) + 1000, 4000, 6790],
          "sizes of what has grown")
    for raw in site.db.find("raw_file"):
        status, original = raw["instrument_file_status"], f"{site.instruments}/{raw['instrument_id']}/{raw['original_name']}"
        there = (os.path.exists(original), os.path.exists(f"{os.path.dirname(original)}/Backup/{raw['original_name']}"))
        taken = raw["_id"] == "m_refused.mzML"  # another file has its name in Backup
        equal(there, (status == "initial", status == "moved" or taken), f"where {raw['_id']} is, which is {status}")


def expect_index(site: OldSite) -> None:
    """The index agrees with the raw files, those of before included."""
    raws = site.db.find("raw_file")
    for raw in raws:
        held = site.db.one("aggregates", f"raw_files/{raw['_id']}")["contents"]
        equal((held["status"], held["size"]), (raw["status"], raw["size"]), f"{raw['_id']} in the index")
    for entry in site.db.find("watches"):
        mine = [raw["status"] for raw in raws if raw["instrument_id"] == entry["_id"]]
        sums = site.db.one("aggregates", f"instruments/{entry['_id']}")
        counts = {status: mine.count(status) for status in mine}
        equal(sums and (sums["contents"]["file_count"], sums["contents"]["by_status"]), mine and (len(mine), counts) or None,
              f"the sums of {entry['_id']}")


def expect_shown(site: OldSite, before: dict) -> None:
    """Before anything runs, the command line shows what there is."""
    equal(len(site.ask("ls", "--limit", "0")), len(ends()), "trawl ls")
    equal(len(site.ask("task", "ls", "--limit", "0")), len(before), "trawl task ls")
    equal(sum(group["n"] for group in site.ask("dead", "ls") if "source changed:" not in group["pattern"]), len(site.dead()) - 1,
          "trawl dead ls")
    for name in ("PLOC_q_parked_wait.mzML", "c_changed.mzML", "t3.raw", "d1.mzML", "damaged.mzML"):
        equal(site.trawl("show", name).code, 0, f"trawl show {name}")
    answer = site.trawl("why", "c_held.mzML")
    holds(answer.code == 0 and "no scheduler leads" in answer.out, f"trawl why: {answer}")


def expect_memory(site: OldSite) -> None:
    """The watchers remember each original in their own way by now, and found none that differs from its backup."""
    def strange():
        return [raw["_id"] for raw in site.db.find("raw_file", {"instrument_file_status": "initial", "status": {"$ne": "ignored"}})
                if "sig" not in raw["watch"] or raw.get("original", {}).get("state") == "differs"]

    try:
        wait_until(lambda: not strange(), 20, "the watchers have taken up all originals")
    except Failed as failed:
        raise Failed(f"{failed}, but for {strange()}") from None


NO_HAND = ("pools", "project", "locations", "audit")  # what only people change
NAMED = ("settings", "project_settings", "metrics")  # which get ObjectIds; 0425-migrations looks at the rest


def take_up(folder: str) -> None:
    with Servers("kafka") as own:
        own.up("kafka")
        with OldSite(folder, own.settings()) as site:
            before = {t["_id"]: t for t in site.db.find("tasks")}
            people = {name: site.db.find(name) for name in NO_HAND}
            named = {name: [doc["_id"] for doc in site.db.find(name)] for name in NAMED}
            dead, [lease] = site.dead(), site.db.find("leases", {"_id": "scheduler"})
            equal(sorted(raw["_id"] for raw in site.db.find("raw_file")), sorted(ends()), "raw files of the saved database")
            expect_shown(site, before)
            scheduler = site.start_scheduler()
            site.start_worker("copy,index", TRAWL_COPY_THREADS="4")
            site.start_worker("quant,move,remove")
            site.wait_ends(40)
            expect_memory(site)
            site.wait_ends(10)
            site.wait_settled()
            equal(sorted(os.path.basename(path) for path in part_files(site.backup)),
                  [".c_dead.mzML.trawl-1.part.chunks", ".c_untold.mzML.trawl-1.part.chunks"], "parts, which dead copies keep")
            expect_tasks(site, before)
            expect_way(scheduler)
            equal({name: site.db.find(name) for name in NO_HAND}, people, "what only people change")
            for name, keys in named.items():
                now = [doc["trawl_id"] for doc in site.db.find(name)]
                equal([key for key in keys if now.count(key) != 1], [], f"{name} that are not there once, by their names")
            expect_files(site)
            expect_index(site)
            equal(site.dead(), [task for task in dead if task != "c_changed.mzML/copy"], "dead letters")
            equal(site.db.find("tasks", {"untold": True}), [], "dead letters that were not sent")
            equal([a["_id"] for a in site.db.find("alerts", {"open": True})], ["backup_damaged/damaged.mzML"], "open alerts")
            equal([w["_id"] for w in site.db.find("workers", {"host": "oldhost"})], [], "workers of the earlier version")
            equal(site.db.one("leases", "scheduler")["epoch"], lease["epoch"] + 1, "leaders, one more than before")
            equal(site.raw("w1.mzML")["retire"], "move wait1", "what waits for its move goes on waiting")


@test
def a_database_left_by_an_earlier_version_comes_to_its_end_without_a_hands_turn():
    for folder in VERSIONS:
        take_up(folder)


run()
