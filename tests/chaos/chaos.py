"""chaos.py [--seed N] [--kills N] [--pace S] [--store-faults] [--log FILE | --replay FILE] [--keep]

Real servers, real processes, simulated instruments; and from a seed: kills of any of them, pauses, cut links, faults of the
shares, pools that change, tasks that are cancelled and tried again. The instruments preallocate, pause, write members last,
hold files locked, change and touch what seemed to be over. Afterwards everything is well again, an operator retries what has
failed, a last change must be noticed, and checker.py, a program of its own, proves from what is left that nothing was lost,
doubled or stuck, and that whatever is shown as safe is what its original is.

All that was done is in the event log; --replay does the same in the same order at the same times. The folder of a run that
failed is kept, with the log, the samples, the logs of all processes and a dump of the database.
"""

import argparse
import contextlib
import filecmp
import heapq
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import plan  # noqa: E402
from ledger import Ledger, is_safe  # noqa: E402
from world import HERE, ROOT, SCRIPT, Failed, World  # noqa: E402
from checks import SKIP_CODE, Skipped, hash_tree  # noqa: E402
from harness import BIN, ENDED, die_with_parent  # noqa: E402
from mongo import MongoError  # noqa: E402

sys.path.insert(0, f"{ROOT}/local/instruments")
import altering  # noqa: E402

RESUME_S = 5
LAST_S = 120  # in which a change is noticed when nothing else happens
PATIENCE_S = 150  # a killed server that does not come up again in this time is an error of the run


class Driver:
    def __init__(self, world, actions: list, log):
        self.world, self.actions, self.log = world, actions, log
        self.started = time.monotonic()
        self.later, self.order = [], itertools.count()
        self.children = []  # (what, process, function of its end)
        self.rules = {"backup": [], "instruments": []}
        self.dropped = 0
        self.ledger = Ledger()
        self.equal = set()  # (path, size, time, inode) of originals and backups that were compared
        self.resume_at = 0.0
        self.kills = 0

    # -- time and the event log --

    def now(self) -> float:
        return round(time.monotonic() - self.started, 3)

    def note(self, event: str, **fields) -> None:
        self.ledger.take({"event": event, **fields})
        self.log.write(json.dumps({"at": self.now(), "event": event, **fields}) + "\n")
        self.log.flush()

    def after(self, seconds: float, function, *args) -> None:
        heapq.heappush(self.later, (self.now() + seconds, next(self.order), function, args))

    def tick(self) -> None:
        """What is due besides the plan: ends of children and of pauses, new starts. And what a cluster's administrator does:
        a slurmctld that was killed may start a job twice, which slurmd refuses, and drain the node for it."""
        while self.later and self.later[0][0] <= self.now():
            _, _, function, args = heapq.heappop(self.later)
            function(*args)
        for entry in list(self.children):
            what, child, end = entry
            if child.poll() is not None:
                self.children.remove(entry)
                end(child)
        if self.now() > self.resume_at and self.world.state["slurmctld"] == "up":
            self.resume_at = self.now() + RESUME_S
            self.child("scontrol", ["scontrol", "update", f"NodeName={os.uname().nodename.split('.')[0]}", "State=RESUME"],
                       lambda _: None, env={**os.environ, "SLURM_CONF": f"{self.world.servers.dir}/cluster/slurm.conf"})
        for name, process in self.world.processes.items():
            if self.world.state[name] == "up" and not process.alive():
                self.note("died", target=name, code=process.child.returncode, log=process.path)
                self.world.start_ours(name)

    def wait(self, condition, seconds: float, what: str) -> None:
        end = self.now() + seconds
        while not condition():
            if self.now() > end:
                raise Failed(f"not within {seconds:g} s: {what}")
            self.tick()
            time.sleep(0.02)

    def child(self, what: str, command: list, end, **options) -> None:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   text=True, preexec_fn=die_with_parent, **options)
        self.children.append((what, process, end))

    # -- actions --

    def do_kill(self, a: dict) -> None:
        target = a["target"]
        self.wait(lambda: self.world.state[target] == "up", PATIENCE_S, f"{target} is up again")
        self.world.kill(target)
        self.wait(lambda: self.world.is_gone(target), PATIENCE_S, f"{target} is gone")
        self.note("killed", target=target)  # the action itself may have waited for the one before
        self.kills += 1
        self.after(a["down_s"], self.start, target)

    def start(self, target: str) -> None:
        if target not in SCRIPT:
            self.world.start_ours(target)
            self.note("started", target=target, pid=self.world.processes[target].pid)
            return
        self.world.state[target] = "starting"
        self.children.append((f"start {target}", self.world.server_up(SCRIPT[target]), lambda up: self.server_is_up(target, up)))

    def server_is_up(self, target: str, up) -> None:
        out = up.stdout.read().strip()
        self.note("started", target=target, code=up.returncode, said=out[-300:])
        if up.returncode != 0:
            raise Failed(f"{target} cannot be started again: {out}")
        self.world.state[target] = "up"

    def do_pause(self, a: dict) -> None:
        target = a["target"]
        if self.world.state[target] == "up":
            pids = self.world.pids(target)
            self.world.signal(target, signal.SIGSTOP, pids)
            self.after(a["for_s"], self.go_on, target, pids)

    def go_on(self, target: str, pids: list) -> None:
        """Unless it was killed meanwhile; then the pid may be somebody else's."""
        with contextlib.suppress(Failed):
            if self.world.state[target] == "up":
                alive = self.world.pids(target)
                self.world.signal(target, signal.SIGCONT, [pid for pid in pids if pid in alive])

    def do_cut(self, a: dict) -> None:
        self.world.cut(a)

    def do_fault(self, a: dict) -> None:
        rules = self.rules[a["where"]]
        rules.append(a["rule"])
        self.set_rules(a["where"])
        self.after(a["for_s"], self.end_fault, a["where"], a["rule"])

    def end_fault(self, where: str, rule: str) -> None:
        if rule in self.rules[where]:
            self.rules[where].remove(rule)
            self.set_rules(where)

    def set_rules(self, where: str) -> None:
        fs = {"backup": self.world.backup, "instruments": self.world.shares}[where]
        fs.rules(*self.rules[where])

    def trawl(self, *words: str) -> None:
        site = self.world.site

        def end(child):
            self.note("trawl", words=list(words), code=child.returncode, said=child.stdout.read().strip()[-300:])

        self.child("trawl", [f"{BIN}/cli/trawl", *words], end, env=site.env)

    def do_pool(self, a: dict) -> None:
        self.trawl("pool", "set", a["pool"], str(a["size"]), "--why", "chaos")

    def do_cancel(self, a: dict) -> None:
        self.trawl("task", "cancel", a["task"])

    def do_retry(self, a: dict) -> None:
        self.trawl("task", "retry", a["task"])

    def do_drop(self, a: dict) -> None:
        kind, folder = plan.INSTRUMENTS[a["instrument"]], f"{self.world.site.instruments}/{a['instrument']}"
        words = {"type": kind, "dir": folder, "count": 1, "first": a["number"], "size": a["size"],
                 "prefix": f"{a['instrument']}_P123", "seed": 7, **a["manner"]}
        command = [f"{ROOT}/local/instruments/simulate"]
        for key, value in words.items():
            command += [f"--{key}"] if value is True else [f"--{key}", str(value)]
        self.dropped += 1
        self.child("drop", command, lambda child: self.has_dropped(a, folder, child))

    def has_dropped(self, a: dict, folder: str, child) -> None:
        out, manner = child.stdout.read(), a["manner"]
        if child.returncode != 0:
            raise Failed(f"simulate: {out}")
        told = json.loads(out)
        self.note("dropped", instrument=a["instrument"], name=a["name"], names=told["names"],
                  sha256=self.hashes(folder, told["names"]), longest_pause_s=told["longest_pause_s"],
                  last_write=told["last_write"], phases=1 + manner.get("pauses", 0) + ("late" in manner))

    @staticmethod
    def hashes(folder: str, names: list) -> dict:
        return {path: digest for name in names for path, digest in hash_tree(f"{folder}/{name}").items()}

    def do_alter(self, a: dict) -> None:
        """When it has been written; unless it has been moved away meanwhile."""
        folder, drop = f"{self.world.site.instruments}/{a['instrument']}", self.ledger.drops.get(a["name"])
        if drop is None:
            self.after(0.5, self.do_alter, a)
            return
        try:
            altering.alter(folder, a["name"], a["how"], random.Random(a["seed"]), a["keep_time"])
        except FileNotFoundError:
            self.note("altered", name=a["name"], how=a["how"], skipped=True)
            return
        names = altering.members(folder, a["name"])
        self.note("altered", name=a["name"], how=a["how"], names=names, sha256=self.hashes(folder, names))

    def do_hold(self, a: dict) -> None:
        for rule in plan.hold_rules(a):
            self.do_fault({"where": "instruments", "rule": rule, "for_s": a["for_s"]})

    # -- the run --

    def act(self, action: dict) -> None:
        self.log.write(json.dumps({"at": self.now(), "action": action}) + "\n")
        self.log.flush()
        getattr(self, f"do_{action['do']}")(action)

    def play(self) -> None:
        late = 0.0
        for action in [a for a in self.actions if "last" not in a]:
            while self.now() < action["t"] + late:
                self.tick()
                time.sleep(0.01)
            asked = self.now()
            self.act(action)
            late += max(0.0, self.now() - asked - 0.5)  # the others keep their distance

    def play_last(self) -> None:
        for action in [a for a in self.actions if "last" in a]:
            self.act(action)
        self.tick()

    def calm(self) -> None:
        """Everything is well again."""
        self.rules = {"backup": [], "instruments": []}
        for where in self.rules:
            self.set_rules(where)
        self.world.proxy.heal()
        self.world.faults.clear()
        self.wait(lambda: not self.later and not self.children and set(self.world.state.values()) == {"up"}, PATIENCE_S,
                  "everything that was killed runs again")
        for pool, size in plan.POOLS.items():
            self.trawl("pool", "set", pool, str(size), "--why", "calm")
        self.wait(lambda: not self.children, 30, "pools have their sizes again")
        self.note("calm")

    def settle(self, limit_s: float) -> float:
        """An operator who retries what has failed, until all is done. How long it took; what is not done is the checker's."""
        began, db, retried, open_ends = self.now(), self.world.site.db, {}, []
        while self.now() - began < limit_s:
            with contextlib.suppress(OSError, MongoError):
                raws, tasks = db.find("raw_file"), db.find("tasks")
                open_ends = self.open_ends(raws, tasks)
                if not open_ends:
                    break
                for task in tasks:
                    if task["state"] in ENDED and task["state"] != "done" and self.now() > retried.get(task["_id"], 0):
                        retried[task["_id"]] = self.now() + 3
                        self.trawl("task", "retry", task["_id"])
            self.tick()
            time.sleep(0.3)
        self.wait(lambda: not self.children, 30, "commands have ended")
        if open_ends:
            self.note("not_settled", open_ends=open_ends[:10])
        return self.now() - began

    def open_ends(self, raws: list, tasks: list) -> list:
        found = [] if len(raws) == self.dropped else [f"{len(raws)} raw files of {self.dropped}"]
        found += [f"{r['_id']}: settled {r.get('settled')}, dirty {r.get('dirty')}, {r['status']}, {r.get('instrument_file_status')}"
                  for r in raws if not (r.get("settled") and not r.get("dirty") and is_safe(r) and self.is_retired(r))]
        found += [f"{t['_id']}: {t['state']}" for t in tasks if t["state"] != "done"]
        found += [f"{s['_id']}: {s['task']}" for s in self.world.site.db.find("slots") if s["task"] is not None]
        return found or [f"{r['_id']}: its original is not its backup" for r in raws if not self.is_backed_up(r)]

    @staticmethod
    def is_retired(raw: dict) -> bool:
        state = raw.get("instrument_file_status")
        if raw["instrument_id"] in plan.REMOVED:
            return state == "purged" or (state == "moved" and "remove_refused" in raw)
        return raw["instrument_id"] not in plan.MOVED or state == "moved"

    def is_backed_up(self, raw: dict) -> bool:
        """A change of an original is seen by the site when it looks again; until then all seems to be done."""
        drop = self.ledger.drops[raw["_id"]]
        if {f["path"] for f in self.world.site.db.files_of(raw)} != set(drop.sha256):
            return False
        folder = f"{self.world.site.instruments}/{drop.instrument}"
        return all(self.is_equal(f"{folder}/{path}", f"{raw['backup_base_path']}/{path}") for path in drop.sha256)

    def is_equal(self, original: str, backup: str) -> bool:
        """An original that is there no more is equal to anything."""
        try:
            both = [(path, s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino) for path in (original, backup)
                    for s in [os.stat(path)]]
        except FileNotFoundError as gone:
            return gone.filename == original
        if tuple(both) not in self.equal:
            filecmp.clear_cache()  # it takes files of the same size and time for the same as before
            if not filecmp.cmp(original, backup, shallow=False):
                return False
            self.equal.add(tuple(both))
        return True

    def hits_of_holds(self) -> int:
        """How often somebody came to a file that was held."""
        held = tuple(f"error open {a['instrument']}/{a['name'].removesuffix('wiff')}" for a in self.actions if a["do"] == "hold")
        return sum(hit.startswith(held) for hit in self.world.shares.hits("error open"))


def run_checker(folder: str) -> int:
    return subprocess.run([sys.executable, f"{HERE}/checker.py", folder], check=False).returncode


def describe(world, folder: str) -> None:
    """What the checker needs to know of the world."""
    site = world.site
    with open(f"{folder}/world.json", "w", encoding="utf-8") as out:
        json.dump({"store": f"mongodb://127.0.0.1:{world.base + 2}/", "database": site.env["TRAWL_MONGO_DATABASE"],
                   "instruments": site.instruments, "backup": site.backup, "slurm": site.slurm, "output": site.output,
                   "slurm_conf": f"{world.servers.dir}/cluster/slurm.conf", "moved": plan.MOVED, "removed": plan.REMOVED,
                   "still_s": plan.STILL_S}, out)


def keep_evidence(world, folder: str) -> None:
    site = world.site
    shutil.copytree(f"{site.dir}/log", f"{folder}/log", dirs_exist_ok=True)
    shutil.copytree(f"{world.servers.dir}/log", f"{folder}/servers", dirs_exist_ok=True)
    with contextlib.suppress(OSError, MongoError), open(f"{folder}/database.jsonl", "w", encoding="utf-8") as out:
        for collection in ("raw_file", "tasks", "slots", "pools", "workers", "leases", "metrics", "mounts", "watches"):
            for doc in site.db.find(collection):
                out.write(json.dumps({"collection": collection, **doc}, default=str) + "\n")
    with open(f"{folder}/jobs.txt", "w", encoding="utf-8") as out:
        for top, _, names in os.walk(f"{site.slurm}/jobs"):
            out.write(f"{top}: {' '.join(sorted(names))}\n")


def run_world(args, actions: list, folder: str) -> int:
    with World(f"chaos{args.seed}", args.seed) as world, open(f"{folder}/events.jsonl", "w", encoding="utf-8") as log:
        log.write(json.dumps({"seed": args.seed, "kills": args.kills, "pace": args.pace, "store_faults": args.store_faults,
                              "replay_of": args.replay}) + "\n")
        failed = 1
        observer = None
        try:
            world.wait_started()
            describe(world, folder)
            observer = subprocess.Popen([sys.executable, f"{HERE}/observer.py", world.site.env["TRAWL_MONGO_URI"],
                                         world.site.env["TRAWL_MONGO_DATABASE"], folder],
                                        preexec_fn=die_with_parent)
            drops = sum(action["do"] == "drop" for action in actions)
            driver = Driver(world, actions, log)
            driver.note("begin", monotonic=driver.started)
            for how, chance, keys in plan.STORE_FAULTS if args.store_faults else ():
                world.faults.add(how, chance=chance, **keys)
            driver.play()
            driver.calm()
            played = driver.now()
            settled = driver.settle(args.settle or 240 + 2 * drops)
            driver.play_last()
            noticed = driver.settle(LAST_S)
            driver.note("end", kills=driver.kills, dropped=driver.dropped, held=driver.hits_of_holds(),
                        store_faults=len(world.faults.log))
            observer.terminate()
            observer.wait()
            failed = run_checker(folder)
            print(f"chaos: seed {args.seed}, {driver.kills} kills in {played:.0f} s, {driver.dropped} raw files, "
                  f"{len(world.faults.log)} faults of the store, settled after {settled:.0f} s, last changes after {noticed:.0f} s: {'FAILED' if failed else 'ok'}", flush=True)
        except Failed as why:
            print(f"chaos: seed {args.seed}: {why}", flush=True)
        finally:
            if observer is not None and observer.poll() is None:
                observer.kill()
            if failed and world.site is not None:
                keep_evidence(world, folder)
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[1])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--pace", type=float, default=1.8, help="seconds between two kills, about (1.8)")
    parser.add_argument("--settle", type=float, help="seconds in which all must be done afterwards (240, and 2 a raw file: "
                        "little is done while everything is killed, and SLURM's lost jobs take a minute to be given up)")
    parser.add_argument("--store-faults", action="store_true", help="between our processes and the store, too: answers are lost, "
                        "late, and those of a replica set in trouble (plan.py)")
    parser.add_argument("--log", help="also write the event log here")
    parser.add_argument("--replay", help="do what this event log tells instead")
    parser.add_argument("--keep", action="store_true", help="keep the run's folder in any case")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started ends, too
    folder = tempfile.mkdtemp(prefix=f"trawl-chaos-run-{args.seed}-", dir="/tmp")
    if args.replay:
        header, actions = plan.read_log(args.replay)
        args.seed, args.kills, args.pace = header["seed"], header["kills"], header["pace"]
        args.store_faults = header.get("store_faults", False)
    else:
        actions = plan.make(args.seed, args.kills, args.pace)
    try:
        failed = run_world(args, actions, folder)
    except Skipped as why:
        print(f"skipped: {why}")
        return SKIP_CODE
    if args.log:
        shutil.copy(f"{folder}/events.jsonl", args.log)
    if failed:
        print(f"chaos: seed {args.seed} failed; again with: python3 tests/chaos/chaos.py --replay {folder}/events.jsonl")
    elif not args.keep:
        shutil.rmtree(folder)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
