"""checker.py FOLDER - what a chaos run must have left: proven from the databases, the disk, SLURM's accounting and the logs.

It shares no code with the engine. FOLDER holds events.jsonl (what the driver did), samples.jsonl (what observer.py saw) and
world.json (where everything is). Each violation is one line; exit code 1 when there is any.
"""

import bisect
import collections
import filecmp
import hashlib
import json
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "integration"))
sys.dont_write_bytecode = True
from ledger import Ledger, is_safe  # noqa: E402
from mongo import Mongo  # noqa: E402

KINDS = ("copy", "index", "quant/msqc-v1")
GROWING = ("queued_for_monitoring", "monitoring_acquisition")
BUSY = re.compile("Permission denied|Device or resource busy")
MANY_KILLS = 100  # in so long a run everything happens
ROUNDS_SPARE = 2  # a machine that stands still makes a pause where none was planned
WORK = re.compile(r"\.(part|chunks|tmp)$")
LOWERED_S = 1.5  # a change of a pool's size acts within a second
SLURM_FORGETS_S = 15  # what slurmctld was told so shortly before it was killed may be forgotten
ACCOUNTING_S = 20
BEATS_S = 3
ENDED_WELL, UNENDED = "COMPLETED", ("PENDING", "RUNNING", "COMPLETING")


def lines(path: str) -> list:
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.endswith("\n")]


def sha256(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_below(top: str) -> list:
    return [os.path.join(at, name) for at, _, names in os.walk(top) for name in names]


class Checker:
    def __init__(self, folder: str):
        self.folder, self.wrong = folder, []
        with open(f"{folder}/world.json", encoding="utf-8") as file:
            self.world = json.load(file)
        self.header, *self.events = lines(f"{folder}/events.jsonl")
        self.begin = next(e["monotonic"] for e in self.events if e.get("event") == "begin")
        self.dropped = list(Ledger(self.events).drops.values())
        self.db = Mongo(self.world["store"], self.world["database"])
        self.raws = {d["_id"]: d for d in self.db.find("raw_file")}
        self.tasks = {d["_id"]: d for d in self.db.find("tasks")}

    def expect(self, condition, text: str) -> None:
        if not condition:
            self.wrong.append(text)

    def actions(self, *words: str) -> list:
        return [(e["at"], e["action"]) for e in self.events if e.get("action", {}).get("do") in words]

    # -- the run itself --

    def check_run(self) -> None:
        for event in self.events:
            self.expect(event.get("event") != "died", f"a process of ours died by itself: {event}")
        planned = len([1 for e in self.events if e.get("action", {}).get("do") == "kill"])
        self.expect(planned == self.header["kills"], f"{planned} kills instead of {self.header['kills']}")
        self.expect(self.dropped, "nothing was dropped: nothing is proven")

    # -- originals and backups --

    def folder_of(self, drop) -> str:
        """Where the original must be, if it is not removed; empty when it must be gone."""
        state = self.raws.get(drop.name, {}).get("instrument_file_status", "initial")
        self.expect(state != "moved" or drop.instrument in self.world["moved"], f"{drop.name} was moved")
        self.expect(state != "purged" or drop.instrument in self.world["removed"], f"{drop.name} was removed")
        folder = f"{self.world['instruments']}/{drop.instrument}"
        return {"initial": folder, "moved": f"{folder}/Backup", "purged": ""}.get(state, folder)

    def check_originals(self) -> None:
        """They are what the instruments and chaos have made of them, name for name and byte for byte."""
        wanted = set()
        for drop in self.dropped:
            folder = self.folder_of(drop)
            wanted |= {f"{folder}/{path}" for path in drop.sha256} if folder else set()
            for path, digest in drop.sha256.items() if folder else ():
                if not os.path.isfile(f"{folder}/{path}"):
                    self.expect(False, f"the original {folder}/{path} is gone")
                else:
                    self.expect(sha256(f"{folder}/{path}") == digest, f"the original {folder}/{path} was changed")
        left = sorted(p for p in set(files_below(self.world["instruments"])) - wanted if not p.endswith("/.trawl-location"))
        self.expect(not left, f"files of instruments that belong to nothing: {left[:10]}")

    def check_backups(self) -> None:
        wanted = set()
        for drop in self.dropped:
            raw = self.raws.get(drop.name, {})
            if not is_safe(raw):
                self.expect(False, f"{drop.name} is not safe: backup_status {raw.get('backup_status')}, original "
                            f"{raw.get('original')}, damaged {raw.get('backup_damaged')}")
                continue
            folder = raw["backup_base_path"]
            manifest = f"{folder}/.{drop.name}.MANIFEST.xxh3"
            wanted |= {manifest} | {f"{folder}/{path}" for path in drop.sha256}
            self.check_backup(drop, raw, folder)
            self.check_manifest(drop, manifest)
        found = set(files_below(self.world["backup"]))
        left = {p for p in found - wanted if not p.endswith("/.trawl-location")}
        self.expect(not [p for p in left if WORK.search(p) or ".part/" in p],
                    f"leftovers of copies: {sorted(p for p in left if WORK.search(p) or '.part/' in p)}")
        self.expect(not [p for p in left if not (WORK.search(p) or ".part/" in p)],
                    f"files in the backup that nobody knows: {sorted(left)[:10]}")

    def check_backup(self, drop, raw: dict, folder: str) -> None:
        """Shown as safe: so the backup is what the original is, or was when it was removed."""
        recorded = {f["path"]: f for f in self.db.files_of(raw)}
        self.expect(set(recorded) == set(drop.sha256), f"{drop.name} is shown as safe without "
                    f"{sorted(set(drop.sha256) - set(recorded))}, with {sorted(set(recorded) - set(drop.sha256))}")
        for path, digest in drop.sha256.items():
            source, copy = f"{self.folder_of(drop)}/{path}", f"{folder}/{path}"
            if not os.path.isfile(copy):
                self.expect(False, f"{drop.name} is shown as safe, and {copy} is not there")
                continue
            self.expect(sha256(copy) == digest, f"{drop.name} is shown as safe, and {copy} has other bytes than its original")
            self.expect(recorded.get(path, {}).get("size") == os.path.getsize(copy), f"{copy}: recorded size")
            if os.path.isfile(source):
                self.expect(filecmp.cmp(source, copy, shallow=False), f"{copy} has other bytes than {source}")

    def check_manifest(self, drop, manifest: str) -> None:
        if not os.path.isfile(manifest):
            self.expect(False, f"{manifest} is not there")
            return
        done = subprocess.run(["xxhsum", "-c", "--", os.path.basename(manifest)], cwd=os.path.dirname(manifest),
                              capture_output=True, text=True)
        right = {line.removesuffix(": OK") for line in done.stdout.splitlines() if line.endswith(": OK")}
        self.expect(done.returncode == 0, f"xxhsum -c {manifest}: {done.stdout[-300:]}{done.stderr[-300:]}")
        self.expect(right == set(drop.sha256), f"{manifest} is about {sorted(right)}")

    # -- documents --

    def check_raw_files(self) -> None:
        names = {d.name for d in self.dropped}
        self.expect(set(self.raws) == names, f"raw files: missing {sorted(names - set(self.raws))}, "
                    f"too many {sorted(set(self.raws) - names)}")
        for name, raw in self.raws.items():
            state = (raw.get("status"), raw.get("settled"), bool(raw.get("dirty")))
            self.expect(state == ("done", True, False), f"{name}: status, settled, dirty = {state} ({raw.get('status_details')})")
            self.expect(raw.get("indexed_rev") == raw.get("rev"), f"{name}: indexed_rev {raw.get('indexed_rev')} of {raw.get('rev')}")

    def check_ends(self) -> None:
        """No acquisition is over while its instrument writes without pauses that are long enough."""
        drops = {d.name: d for d in self.dropped}
        self.steady, seen = sum(d.longest_pause_s < self.world["still_s"] for d in self.dropped), set()
        for sample in lines(f"{self.folder}/raw_files.jsonl"):
            for name, status in sample["raw_files"].items():
                drop = drops.get(name)
                if drop is None or name in seen or status in GROWING or drop.longest_pause_s >= self.world["still_s"]:
                    continue
                seen.add(name)
                self.expect(sample["at"] >= drop.last_write, f"at {sample['at'] - self.begin:.2f} s {name} is {status}, "
                            f"{drop.last_write - sample['at']:.2f} s before its last byte; its longest pause was "
                            f"{drop.longest_pause_s} s")

    def check_rounds(self) -> None:
        """Nobody is sent back to monitoring more often than it was written to: to touch a file is not to write to it."""
        for drop in self.dropped:
            rounds, most = self.raws.get(drop.name, {}).get("round", 0), drop.phases + drop.changes + ROUNDS_SPARE
            self.expect(rounds <= most, f"{drop.name} was acquired again {rounds} times: it was written to in {drop.phases} "
                        f"stretches, changed {drop.changes} times afterwards, and touched {drop.touches} times")

    def check_tasks(self) -> None:
        wanted = {f"{d.name}/{kind}" for d in self.dropped for kind in KINDS}
        wanted |= {f"{d.name}/move" for d in self.dropped if d.instrument in self.world["moved"]}
        wanted |= {f"{d.name}/remove" for d in self.dropped if d.instrument in self.world["removed"]}
        self.expect(set(self.tasks) == wanted, f"tasks: missing {sorted(wanted - set(self.tasks))}, "
                    f"too many {sorted(set(self.tasks) - wanted)}")
        for name, task in self.tasks.items():
            self.expect(task["state"] == "done", f"{name} is {task['state']}: {task.get('error', {}).get('msg')}")
            if task["state"] == "done":
                self.expect(task.get("slot") is None and "parked" not in task and "cancel" not in task,
                            f"{name} is done and has still slot {task.get('slot')}, {sorted(task)}")
        slots = [s["_id"] for s in self.db.find("slots") if s["task"] is not None]
        self.expect(not slots, f"slots that are still taken: {slots}")
        running = self.running()
        self.expect(not running, f"workers still run {running}")

    def running(self) -> list:
        """What workers say they run: a task that has just ended is in their word until they beat again."""
        end = time.monotonic() + BEATS_S
        while True:
            running = [r["task"] for w in self.db.find("workers") for r in w.get("running", [])]
            if not running or time.monotonic() > end:
                return running
            time.sleep(0.1)

    def check_results(self) -> None:
        metrics = {m.get("trawl_id", m["_id"]): m for m in self.db.find("metrics")}
        for name, task in self.tasks.items():
            if task["kind"] == "quant" and task["state"] == "done":
                key = task["result"]["metrics_id"]
                self.expect(metrics.get(key, {}).get("raw_file") == task["raw_file"], f"{name}: metrics {key} are not there")
        aggregates = {a["_id"]: a["contents"] for a in self.db.find("aggregates") if not a.get("deleted")}
        counts = collections.Counter(d.instrument for d in self.dropped)
        for instrument, count in counts.items():
            found = aggregates.get(f"instruments/{instrument}", {}).get("file_count")
            self.expect(found == count, f"the index counts {found} raw files of {instrument}, not {count}")
        for drop in self.dropped:
            status = aggregates.get(f"raw_files/{drop.name}", {}).get("status")
            self.expect(status == "done", f"the index says of {drop.name}: {status}")

    def check_held(self) -> None:
        """What an instrument's share refuses for a while holds a task, and costs none of its attempts."""
        seen = set()
        for sample in lines(f"{self.folder}/samples.jsonl"):
            for task, (state, attempt, _, error) in sample["errors"].items():
                told = (task, error["at"])
                if told in seen or not BUSY.search(error["msg"]):
                    continue
                seen.add(told)
                self.expect(error["kind"] == "hold" and state == "ready" and attempt < error["attempt"],
                            f"at {sample['at'] - self.begin:.2f} s {task} is {state} (attempt {error['attempt']}, now {attempt}) "
                            f"by {error['kind']}: {error['msg']}")
        self.held = len(seen)
        self.expect(self.held or self.header["kills"] < MANY_KILLS, "nobody was held by a file that others have open")

    # -- SLURM --

    def accounting(self) -> list:
        """All jobs that SLURM ever accounted for, also under an id that was given twice: (id, name, state), by submission."""
        command = ["sacct", "-X", "-D", "-n", "-P", "-a", "-S", "now-1days", "--format=JobIDRaw,JobName%300,State"]
        done = subprocess.run(command, env={**os.environ, "SLURM_CONF": self.world["slurm_conf"]}, capture_output=True,
                              text=True, check=True)
        rows = [line.split("|") for line in done.stdout.splitlines()]
        return sorted(((int(i), name, state) for i, name, state in rows if name.startswith("trawl-")))

    def folders(self) -> dict:
        """Job name -> {"task", "fence", "job" (id that sbatch answered or that started)}; only names that reached sbatch."""
        found = {}
        for env in [p for p in files_below(f"{self.world['slurm']}/jobs") if p.endswith("/job.env")]:
            folder = os.path.dirname(env)
            with open(env, encoding="utf-8") as file:
                values = dict(re.findall(r"^export (\w+)='(.*)'$", file.read(), re.M))
            job = None
            if os.path.isfile(f"{folder}/job_id"):
                with open(f"{folder}/job_id", encoding="utf-8") as file:
                    job = int(file.read())
            if os.path.islink(f"{folder}/claimed"):
                job = int(os.readlink(f"{folder}/claimed"))
            name, told = os.path.basename(folder), None
            if os.path.isfile(f"{folder}/status.json"):
                with open(f"{folder}/status.json", encoding="utf-8") as file:
                    told = json.load(file)["state"]
            task = f"{values['RAW_FILE_ID']}/quant/{values['SETTINGS_NAME']}-v{values['SETTINGS_VERSION']}"
            found[name] = {"task": task, "fence": int(name.rsplit("-f", 1)[1]), "job": job, "told": told,
                           "closed": os.path.exists(f"{folder}/closed"), "at": os.stat(env).st_mtime}
        return found

    def accounting_of(self, folders: dict) -> list:
        """Accounting comes some seconds after the facts: it is asked until it knows the end of every job."""
        end = time.monotonic() + ACCOUNTING_S
        while True:
            jobs = self.accounting()
            known = {name: state for _, name, state in jobs}
            open_jobs = [name for name, f in folders.items() if f["job"] is not None and known.get(name) in (None, *UNENDED)]
            if not open_jobs or time.monotonic() > end:
                return jobs
            time.sleep(0.5)

    def check_jobs(self) -> None:
        folders = self.folders()
        jobs = self.accounting_of(folders)
        self.expect(jobs or not self.dropped, "SLURM has accounted for no job")
        for name, times in collections.Counter(name for _, name, _ in jobs).items():
            self.expect(times == 1, f"SLURM was given {name} {times} times")
            self.expect(name in folders, f"the job {name} has no folder")
        by_name = {name: (job, state) for job, name, state in jobs}
        for name, folder in folders.items():
            known = by_name.get(name)
            if folder["job"] is not None and known is None:
                self.expect(self.slurm_may_forget(folder), f"{name} (job {folder['job']}) is not in SLURM's accounting")
            elif known is not None and folder["job"] is None:
                self.expect(folder["closed"], f"nobody knows job {known[0]}, {name}")
            elif known is not None:
                self.expect(known[0] == folder["job"], f"{name} is job {known[0]}, its folder says {folder['job']}")
                self.expect(known[1] not in UNENDED or self.slurm_may_forget(folder), f"{name} is still {known[1]}")
        self.check_again(by_name, folders)
        self.jobs = len(jobs)

    def slurm_may_forget(self, folder: dict) -> bool:
        wall = os.stat(f"{self.folder}/world.json").st_mtime
        kills = [wall + e["at"] for e in self.events if e.get("event") == "killed" and e["target"] == "slurmctld"]
        return any(-1 <= at - folder["at"] <= SLURM_FORGETS_S for at in kills)

    def check_again(self, by_name: dict, folders: dict) -> None:
        """A job after one that ended well (SLURM may call it NODE_FAIL when it was away itself; the job's own last word
        counts, too): only when somebody asked for it, or the raw file had changed."""
        asked = collections.Counter(a["task"] for _, a in self.actions("retry"))
        asked.update(e["words"][2] for e in self.events if e.get("event") == "trawl" and e["words"][:2] == ["task", "retry"]
                     and e["code"] == 0)
        runs = collections.defaultdict(list)
        for name, folder in folders.items():
            state = by_name.get(name, (None, None))[1]
            if state is not None or self.slurm_may_forget(folder):
                well = ENDED_WELL in (state, folder["told"])
                runs[folder["task"]].append((folder["fence"], name, ENDED_WELL if well else state))
        for task, each in runs.items():
            each.sort()
            well = [name for _, name, state in each[:-1] if state == ENDED_WELL]
            again = asked[task] + self.raws.get(task.split("/")[0], {}).get("round", 0)
            self.expect(len(well) <= again, f"{task} was submitted again although {well} had ended well: {each}")
            self.expect(self.tasks.get(task, {}).get("state") != "done" or each[-1][2] == ENDED_WELL,
                        f"{task} is done, and its last job is {each[-1]}")
        for task in self.tasks.values():
            if task["kind"] == "quant" and task["state"] == "done":
                self.expect(task["_id"] in runs, f"{task['_id']} is done without a job")

    # -- slots, as they were seen all the time --

    def check_slots(self) -> None:
        samples = lines(f"{self.folder}/samples.jsonl")
        self.expect(len(samples) > 10, f"only {len(samples)} samples of the slots")
        self.samples = len(samples)
        self.pool_history(samples)
        before = None
        for sample in samples:
            self.check_sample(sample, before)
            before = sample

    def pool_history(self, samples: list) -> None:
        """Pool -> moments and sizes, as seen and as asked for (which is earlier than it was seen)."""
        self.history = collections.defaultdict(list)
        for sample in samples:
            for pool, size in sample["pools"].items():
                self.history[pool].append((sample["at"], size))
        for at, action in self.actions("pool"):
            self.history[action["pool"]].append((self.begin + at, action["size"]))
        for steps in self.history.values():
            steps.sort()

    def allowed(self, pool: str, since: float, at: float) -> int:
        """The largest size that the pool had, or was about to get, between these moments or shortly before them."""
        steps = self.history[pool]
        first = bisect.bisect_left(steps, (since - LOWERED_S,))
        last = bisect.bisect_right(steps, (at + 0.2, 1 << 30))
        return max((size for _, size in steps[max(0, first - 1):last]), default=0)

    def check_sample(self, sample: dict, before: dict) -> None:
        when = f"at {sample['at'] - self.begin:.2f} s"
        for pool in sample["pools"]:
            held = {s: t for s, t in sample["slots"].items() if s.split("/")[0] == pool}
            earlier = {} if before is None else {s: t for s, t in before["slots"].items() if s.split("/")[0] == pool}
            size = self.allowed(pool, (before or sample)["at"], sample["at"])  # nobody saw what was in between
            new = [s for s, (task, _) in held.items() if earlier.get(s, [None])[0] != task]
            self.expect(len(held) <= size or not new, f"{when} {pool}: {len(held)} of {size} slots are held, {new} newly")
        places = collections.Counter(slot for _, _, slot, _ in sample["tasks"].values() if slot is not None)
        twice = [slot for slot, n in places.items() if n > 1]
        self.expect(not twice, f"{when} several tasks hold {twice}")
        for task, (state, fence, slot, _) in sample["tasks"].items():
            self.expect(slot is not None, f"{when} {task} is {state} and has no slot")
            if before is not None and task in before["tasks"]:
                self.expect(fence >= before["tasks"][task][1], f"{when} the fence of {task} went back to {fence}")
        self.expect(before is None or sample["epoch"] >= before["epoch"], f"{when} the epoch went back to {sample['epoch']}")

    def run(self) -> int:
        for check in (self.check_run, self.check_originals, self.check_raw_files, self.check_ends, self.check_rounds,
                      self.check_tasks, self.check_backups, self.check_held, self.check_results, self.check_jobs, self.check_slots):
            check()
        for line in self.wrong[:40]:
            print(f"  VIOLATION {line}")
        print(f"checker: {len(self.dropped)} raw files ({self.steady} without long pauses), {len(self.tasks)} tasks, "
              f"{self.jobs} jobs, {self.samples} samples, {self.held} attempts held, "
              f"{sum(d.changes for d in self.dropped)} changes afterwards: {len(self.wrong)} violations", flush=True)
        return 1 if self.wrong else 0


if __name__ == "__main__":
    sys.exit(Checker(sys.argv[1]).run())
