"""What an integration test stands on: a site of its own, in the servers of the tests.

    from harness import *

    @test
    def a_sentence_that_says_what_holds():
        with Site("name") as site:
            site.instrument("thermo1", "thermo")
            site.start()
            ...

    run()

A site has its own configuration, database, topics and folders, so tests never meet, and runs real processes, whose logs
are read as JSON. Everything goes away at the end; only processes that were started here are ended, by their pid.
Run a file by hand: tests/world run /usr/bin/python3 tests/integration/0100-pipeline.py [word of a test's name]
"""

import contextlib
import ctypes
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from checks import (PATIENCE, Failed, Skipped, equal, flip, hash_tree, holds, part_files, run, skip, test, wait_until,  # noqa: E402
                    write_file)
from mongo import Mongo, MongoError  # noqa: E402

__all__ = ["BIN", "Failed", "Mongo", "Process", "Servers", "Site", "equal", "flip", "holds", "hash_tree", "json", "os", "part_files", "re",
           "run", "shutil", "signal", "skip", "subprocess", "sys", "test", "time", "wait_until", "write_file"]

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("TRAWL_TEST_BIN", os.path.join(ROOT, "build", "release"))
ENDED = ("done", "failed", "dead", "cancelled", "skipped", "ignored")

# Short waits, for tests only. The leases are still long enough for a machine that is busy with other tests.
SETTINGS = {
    "log.level": "info",
    "mongo.timeout_ms": 2000,
    "kafka.partitions": 2,
    "kafka.redispatch_ms": 500,
    "scheduler.sweep_ms": 300,
    "scheduler.lease_ms": 3000,
    "scheduler.poll_s": 1,
    "worker.heartbeat_ms": 200,
    "worker.lease_ms": 3000,
    "retry.base_ms": 200,
    "retry.max_ms": 1000,
    "quant.poll_s": 1,
    "index.linger_ms": 100,
    "ssh.connect_ms": 3000,
}


# ---- processes ----


def die_with_parent() -> None:
    """Runs in the child: when the test itself is killed (ctest's timeout), nothing stays behind."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Process:
    """One of our daemons; its standard error is its log."""

    def __init__(self, name: str, command: list, env: dict, log: str):
        self.name, self.path = name, log
        with open(log, "ab") as out:
            self.child = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                          preexec_fn=die_with_parent)
        self.pid = self.child.pid

    def alive(self) -> bool:
        return self.child.poll() is None

    def text(self) -> str:
        with open(self.path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def log(self, event: str = None, **fields) -> list:
        """The log's lines, as far as they are complete: every one must be JSON."""
        found = []
        for line in self.text().splitlines(keepends=True):
            if not line.endswith("\n"):
                break
            try:
                entry = json.loads(line)
            except ValueError:
                raise Failed(f"{self.name} logs a line that is no JSON: {line!r}") from None
            if (event is None or entry["event"] == event) and all(entry.get(k) == v for k, v in fields.items()):
                found.append(entry)
        return found

    def kill(self) -> None:
        self.child.kill()
        self.child.wait()

    def stop(self, seconds: float = 15) -> int:
        """Stop cleanly; its exit code."""
        if self.alive():
            self.child.terminate()
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failed(f"{self.name} (pid {self.pid}) did not stop within {seconds:g} s of SIGTERM") from None


class Answer:
    """What a run of trawl said."""

    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"exit {self.code}, stdout {self.out[-1500:]!r}, stderr {self.err[-1500:]!r}"


class Servers:
    """Servers of this test's own, on ports of their own: to be stopped, killed and started again."""

    def __init__(self, *names: str):
        self.names = names
        self.dir = tempfile.mkdtemp(prefix="trawl-own-")
        os.chmod(self.dir, 0o755)
        base = subprocess.run([f"{ROOT}/tests/world", "base"], capture_output=True, text=True, check=True).stdout.strip()
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("TRAWL_") or k in ("TRAWL_JAVA_DIR", "TRAWL_TEST_STORE_SCANS")}
        self.env.update(TRAWL_LOCAL_DIR=self.dir, TRAWL_PORT_BASE=base)
        if "sshd" in names and "cluster" not in names:  # it is the head node of the shared cluster
            os.symlink(f"{os.environ['TRAWL_LOCAL_DIR']}/cluster", f"{self.dir}/cluster")

    def verb(self, verb: str, name: str) -> None:
        done = subprocess.run([f"{ROOT}/local/{name}", verb], env=self.env, capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed(f"local/{name} {verb}: {done.stderr.strip()}")

    def up(self, name: str) -> None:
        self.verb("up", name)

    def down(self, name: str) -> None:
        self.verb("down", name)

    def pids(self, name: str) -> list:
        """The server's processes, known by its mark; sshd overwrites its own and is known by its pid file."""
        if name == "sshd":
            with contextlib.suppress(OSError, ValueError), open(f"{self.dir}/pid/sshd.pid") as file:
                pid = int(file.read())
                with open(f"/proc/{pid}/cmdline", "rb") as command:
                    return [pid] if f"{self.dir}/sshd/sshd_config".encode() in command.read() else []
            return []
        mark, found = f"TRAWL_LOCAL_OF={self.dir}/{name}".encode(), []
        for path in glob.glob("/proc/[0-9]*/environ"):
            with contextlib.suppress(OSError), open(path, "rb") as environ:
                if mark in environ.read().split(b"\0"):
                    found.append(int(path.split("/")[2]))
        return found

    def pid(self, name: str) -> int:
        found = self.pids(name)
        holds(found, f"there is a process of {name}")
        return found[0]

    def kill(self, name: str) -> None:
        os.kill(self.pid(name), signal.SIGKILL)

    def environment(self) -> dict:
        """All that leads to a world, as if all of it were ours."""
        out = subprocess.run([f"{ROOT}/local/env"], env=self.env, capture_output=True, text=True, check=True).stdout
        return dict(line.split("=", 1) for line in out.splitlines())

    def settings(self) -> dict:
        """The environment that leads to these servers, and for the others to the shared ones."""
        mine = {"cluster": [], "kafka": ["TRAWL_KAFKA_BROKERS"], "store": ["TRAWL_MONGO_URI"],
                "sshd": ["TRAWL_SSH_HOSTS", "TRAWL_SSH_KEY_FILE", "TRAWL_SSH_KNOWN_HOSTS"]}
        wanted = [name for server in self.names for name in mine[server]]
        return {key: value for key, value in self.environment().items() if key in wanted}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for name in self.names:
            with contextlib.suppress(Failed):
                self.down(name)
        shutil.rmtree(self.dir, ignore_errors=True)


# ---- a site ----


class Site:
    current = []  # for the report of a failure

    def __init__(self, name: str, settings: dict = None, env: dict = None):
        if "TRAWL_LOCAL_DIR" not in os.environ:
            raise Failed("run through tests/world run")
        self.id = f"{name}-{os.getpid()}-{len(Site.current)}"
        self.world = os.environ["TRAWL_LOCAL_DIR"]
        self.dir = tempfile.mkdtemp(prefix=f"trawl-{name}-")
        self.config = f"{self.dir}/config"
        self.processes = []
        os.makedirs(f"{self.config}/instruments.d")
        os.makedirs(f"{self.dir}/log")
        self.env = {k: v for k, v in os.environ.items() if not re.match("TRAWL_(LOCAL|PORT|TEST)_", k)}
        self.env["MONGOC_DISABLE_SHM"] = "1"  # else the driver complains when a killed process of the same pid left its counters
        self.env.update(TRAWL_TRAWL_ENV=self.id, TRAWL_MONGO_DATABASE="t_" + self.id.replace("-", "_"),
                        TRAWL_CONFIG_DIR=self.config, NO_COLOR="1", **(env or {}))
        self.make_folders()
        self.write_settings(**(settings or {}))
        self.db = Mongo(self.env["TRAWL_MONGO_URI"], self.env["TRAWL_MONGO_DATABASE"])
        Site.current.append(self)

    def make_folders(self) -> None:
        self.instruments = f"{self.world}/instruments/{self.id}"
        os.makedirs(self.instruments)
        for what in ("backup", "output", "settings", "slurm", "software"):
            shared = os.environ[f"TRAWL_LOCATION_{what.upper()}_CLUSTER"]
            path = f"{shared}/{self.id}"
            os.makedirs(path)
            if what in ("output", "slurm"):  # written by the cluster's user, through the group that is inherited
                os.chmod(path, 0o2775)
            setattr(self, what, path)
            self.env[f"TRAWL_LOCATION_{what.upper()}_CLUSTER"] = path
            if what != "software":
                self.env[f"TRAWL_LOCATION_{what.upper()}_WORKER"] = path
        self.install_software()

    def install_software(self, script: str = None) -> None:
        """The program that the jobs run: ours, or a script in its place."""
        path = f"{self.software}/trawl-msqc"
        if script is None:
            shutil.copy(f"{BIN}/msqc/trawl-msqc", path)
        else:
            with open(f"{path}.new", "w") as out:
                out.write(f"#!/bin/bash\n{script}\n")
            os.chmod(f"{path}.new", 0o755)
            os.rename(f"{path}.new", path)

    def write_settings(self, **settings) -> None:
        sections = {}
        for key, value in {**SETTINGS, **settings}.items():
            section, name = key.rsplit(".", 1)
            sections.setdefault(section, []).append(f"{name} = {value}")
        with open(f"{self.config}/trawl.ini", "w") as out:
            for section, lines in sections.items():
                out.write(f"[{section}]\n" + "\n".join(lines) + "\n")

    def instrument(self, name: str, kind: str, folder: bool = True, **keys) -> str:
        """Write an instrument's file; returns the folder that it names."""
        path = f"{self.instruments}/{name}"
        if folder:
            os.makedirs(path, exist_ok=True)
        defaults = {"type": kind, "path": path, "poll_s": 1, "still_s": 1, "size_check_s": 1, "file_move_delay_m": -1}
        defaults.update({"glob": "*.mzML", "quiet_s": 1} if kind == "generic" else {})
        self.instrument_file(name, "[instrument]\n" + "".join(f"{k} = {v}\n" for k, v in {**defaults, **keys}.items()))
        return path

    def instrument_file(self, name: str, text: str) -> str:
        path = f"{self.config}/instruments.d/{name}.ini"
        with open(f"{path}.new", "w") as out:
            out.write(text)
        os.rename(f"{path}.new", path)
        return path

    # -- processes --

    def start_process(self, program: str, *arguments: str, env: dict = None) -> Process:
        name = f"{program}-{len(self.processes)}"
        folder = {"trawl-scheduler": "scheduler", "trawl-worker": "workers"}[program]
        process = Process(name, [f"{BIN}/{folder}/{program}", *arguments], {**self.env, **(env or {})},
                          f"{self.dir}/log/{name}.log")
        self.processes.append(process)
        return process

    def start_scheduler(self, **env) -> Process:
        return self.start_process("trawl-scheduler", env=env)

    def start_worker(self, kinds: str = "copy,quant,index", **env) -> Process:
        return self.start_process("trawl-worker", "--kinds", kinds, env=env)

    def start(self, workers: int = 1):
        """One scheduler and some workers, ready for work."""
        scheduler = self.start_scheduler()
        started = [self.start_worker() for _ in range(workers)]
        wait_until(lambda: scheduler.log("leading"), 15, "a scheduler that leads")
        wait_until(lambda: len(self.db.find("workers")) >= workers, 15, f"{workers} workers that beat")
        return (scheduler, *started)

    def stop(self) -> None:
        for process in self.processes:
            if process.alive():
                process.child.terminate()
        for process in self.processes:
            process.stop()

    def logs(self, event: str = None, **fields) -> list:
        return [line for process in self.processes for line in process.log(event, **fields)]

    def trawl(self, *arguments: str, env: dict = None) -> Answer:
        return Answer(subprocess.run([f"{BIN}/cli/trawl", *arguments], env={**self.env, **(env or {})}, timeout=30 * PATIENCE,
                                     stdin=subprocess.DEVNULL, capture_output=True, text=True))

    def ask(self, *arguments: str):
        """The JSON that a successful run printed."""
        answer = self.trawl(*arguments, "--json")
        if answer.code != 0:
            raise Failed(f"trawl {' '.join(arguments)} --json: {answer}")
        return answer.json

    # -- acquisitions --

    def acquire(self, kind: str, instrument: str, count: int = 1, **options) -> list:
        """Simulated acquisitions; returns what the simulator says they hold."""
        words = {"size": 200000, "rate": 0, "gap": 0.05, "prefix": f"{instrument}_P123", "count": count, **options}
        command = [f"{ROOT}/local/instruments/simulate", "--type", kind, "--dir", f"{self.instruments}/{instrument}"]
        for key, value in words.items():
            command += [f"--{key}", str(value)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60 * PATIENCE)
        if done.returncode != 0:
            raise Failed(f"simulate: {done.stderr}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    # -- documents --

    def raw(self, name: str) -> dict:
        return self.db.one("raw_file", name) or {}

    def files(self, name: str) -> list:
        """What a raw file's document says was backed up."""
        return self.db.files_of(self.raw(name))

    def task(self, name: str) -> dict:
        return self.db.one("tasks", name) or {}

    def wait_status(self, name: str, status: str, seconds: float = 30) -> dict:
        """Wait for a raw file's status; one that ends otherwise fails at once."""
        wanted = status.split("|")

        def look():
            raw = self.raw(name)
            if raw.get("settled") and raw["status"] not in wanted and not raw.get("dirty"):
                raise Failed(f"{name} ended as {raw['status']} ({raw['status_details']}) instead of {status}")
            return raw if raw.get("status") in wanted else None

        try:
            return wait_until(look, seconds, f"{name} is {status}")
        except Failed as failed:
            raw = self.raw(name)
            tasks = [(t["_id"], t["state"], t.get("error")) for t in self.db.find("tasks", {"raw_file": name})]
            watch = self.db.one("watches", raw.get("instrument_id", ""))
            raise Failed(f"{failed}; it is {raw.get('status')} ({raw.get('status_details')}), {tasks}, {watch}") from None

    def retry(self, task: str) -> None:
        """trawl task retry; comes back when the scheduler has taken up the raw file again."""
        raw_file = self.task(task)["raw_file"]
        before = self.raw(raw_file)["rev"]
        answer = self.trawl("task", "retry", task)
        equal(answer.code, 0, f"trawl task retry {task}: {answer}")

        def is_taken_up():
            raw = self.raw(raw_file)
            return not raw["settled"] or raw["rev"] > before  # it may have ended between two looks

        wait_until(is_taken_up, 10, f"{raw_file} is taken up again")

    def wait_task(self, name: str, state: str, seconds: float = 20) -> dict:
        def look():
            task = self.task(name)
            return task if task.get("state") in state.split("|") else None

        try:
            return wait_until(look, seconds, f"{name} is {state}")
        except Failed as failed:
            task = self.task(name)
            raise Failed(f"{failed}; it is {task.get('state')}, {task.get('error')}") from None

    def wait_settled(self, seconds: float = 20) -> None:
        """Every raw file ended and indexed, every task ended, every slot free."""

        def unsettled():
            raws = [r["_id"] for r in self.db.find("raw_file") if not r.get("settled") or r.get("dirty")]
            tasks = [t["_id"] for t in self.db.find("tasks") if t["state"] not in ENDED]
            slots = [s["_id"] for s in self.db.find("slots") if s["task"] is not None]
            return raws + tasks + slots

        try:
            wait_until(lambda: not unsettled(), seconds, "everything is settled")
        except Failed:
            raise Failed(f"after {seconds * PATIENCE:g} s these are still open: {unsettled()}") from None

    def expect_nothing_left(self) -> None:
        """After the work: settled, no part of a copy, no slot taken, as the command line shows it, too."""
        self.wait_settled()
        equal(part_files(self.backup), [], "parts of copies")
        equal([p["pool"] for p in self.ask("pool", "ls") if p["used"] != 0], [], "pools with slots taken")
        equal([t["_id"] for t in self.ask("task", "ls", "--limit", "0") if t["state"] not in ENDED], [], "open tasks")

    def backup_of(self, name: str) -> str:
        raw = self.raw(name)
        return f"{raw['backup_base_path']}/{name}"

    # -- the end --

    def cancel_jobs(self) -> None:
        jobs = [str(t["kept"]["job_id"]) for t in self.db.find("tasks", {"kind": "quant"})
                if t["state"] not in ENDED and t.get("kept", {}).get("job_id")]
        if jobs:
            subprocess.run(["ssh", "-F", f"{self.world}/sshd/ssh_config", "cluster", "scancel", *jobs],
                           capture_output=True, timeout=20)

    def close(self) -> None:
        try:
            self.stop()
        finally:
            with contextlib.suppress(OSError, MongoError, subprocess.TimeoutExpired):
                self.cancel_jobs()
            with contextlib.suppress(OSError, MongoError):
                self.db.drop()
            for path in (self.instruments, self.backup, self.output, self.settings, self.slurm, self.software):
                shutil.rmtree(path, ignore_errors=True)
            shutil.rmtree(self.dir, ignore_errors=True)

    def refused_queries(self) -> list:
        """What the local store has refused to Trawl's programs, as no index serves it."""
        with contextlib.suppress(OSError, MongoError):
            return self.db.command({"queryCosts": 1})["refused"]
        return []

    def report(self) -> None:
        """The ends of the logs, for whoever must understand a failure."""
        print(f"  refused queries: {self.refused_queries()}")
        for process in self.processes:
            lines = process.text().splitlines()
            print(f"  --- {process.name}, {'alive' if process.alive() else process.child.returncode}, the end of its log:")
            for line in lines[-15:]:
                print("  " + line[:400])

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is not None and kind is not Skipped:
            self.report()
        refused = self.refused_queries()
        self.close()
        if refused and kind is None:
            raise Failed(f"no index serves these queries: {refused}")
