"""The site in which make.py brings a version into every state: instruments, files, processes, and the gates to its store."""

import os
import struct
import time
import traceback

import checks
import dump
from gate import Gate
from harness import BIN, Failed, Process, Site, equal, wait_until

# Nobody is taken for lost and no wait ends while the world is made.
SETTINGS = {
    "quant.seed": "false",
    "kafka.session_ms": 6000,
    "mongo.timeout_ms": 600000,
    "scheduler.lease_ms": 600000,
    "worker.lease_ms": 3600000,
    "retry.max_attempts": 2,
    "copy.chunk_mib": 1,
    "copy.streams": 1,
}
ONE = {f"TRAWL_{kind}_THREADS": "1" for kind in ("COPY", "QUANT", "INDEX", "MOVE", "REMOVE")}
checks.PATIENCE = 1  # what does not come soon does not come
with open(f"{BIN}/scheduler/trawl-scheduler", "rb") as program:
    KNOWS_STILL = b"still_s" in program.read()
TASKS = b"\x06\0\0\0tasks\0"  # the name of the collection in a command
MIB = 1 << 20
MONTH = time.strftime("%Y_%m", time.gmtime())

# What the jobs run; the name of the raw file says how it goes.
SOFTWARE = """case $1 in
*exit7*) echo 'the licence server does not answer'; exit 7 ;;
*woken*) until [ -e {dir}/go-woken ]; do sleep 0.1; done ;;
*ended*) until [ -e {dir}/go-ended ]; do sleep 0.1; done ;;
*wait*) until [ -e {dir}/go ]; do sleep 0.1; done ;;
esac
printf 'ms1_scans\\tms2_scans\\tstatus\\n100\\t200\\tok\\n' >msqc_results.tsv"""


class World(Site):
    def __init__(self, env):
        super().__init__("old", SETTINGS, {"SUDO_USER": "kim", **env})
        self.env.update(TRAWL_TRAWL_ENV="production", TRAWL_LOCATION_SOFTWARE_WORKER=self.software)
        self.contents = dump.Contents()
        self.keys = {}
        self.install_software(SOFTWARE.replace("{dir}", self.dir))
        os.chmod(self.dir, 0o755)
        for folder in ("scripts", "jobs", f"jobs/{MONTH}"):  # of the cluster's user, and of ours
            os.makedirs(f"{self.slurm}/{folder}")
            os.chmod(f"{self.slurm}/{folder}", 0o2775)

    def __exit__(self, kind, error, trace):
        if error is not None:
            traceback.print_exception(error)
        for name in ("go", "go-woken", "go-ended"):  # jobs that still wait for it end
            open(f"{self.dir}/{name}", "w").close()
        for process in self.processes:
            process.kill()
        time.sleep(1)
        super().__exit__(kind, error, trace)

    # -- instruments and files --

    def configure(self, name: str, **keys) -> str:
        """Like instrument(), with only the keys that this version knows."""
        path = f"{self.instruments}/{name}"
        os.makedirs(path, exist_ok=True)
        known = self.keys.setdefault(name, {"type": "generic", "path": path, "file_move_delay_m": -1, "poll_s": 1,
                                            "size_check_s": 1})
        known.update({"still_s": 1} if KNOWS_STILL else {}, **keys)
        if known["type"] == "generic":
            known.setdefault("glob", "*.mzML")
            known.setdefault("quiet_s", 1)
        self.instrument_file(name, "[instrument]\n" + "".join(f"{k} = {v}\n" for k, v in known.items()))
        return path

    def put(self, instrument: str, name: str, size: int = 3000) -> str:
        """The raw file appears at once, as a server's copy does."""
        folder = f"{self.instruments}/{instrument}"
        self.contents.write(f"{folder}/.{name}", name, size)
        os.rename(f"{folder}/.{name}", f"{folder}/{name}")
        return name

    def grow(self, instrument: str, name: str, size: int) -> None:
        self.contents.write(f"{self.instruments}/{instrument}/{name}", name, size)

    # -- processes --

    def gate(self) -> Gate:
        return Gate(self.db.address[1])

    def lead(self, gate: Gate = None, **env) -> Process:
        scheduler = self.start_scheduler(TRAWL_MONGO_URI=(gate or self.gate()).uri, **env)
        wait_until(lambda: scheduler.log("leading"), 20, "a scheduler that leads")
        return scheduler

    def work(self, kinds: str, gate: Gate = None, **env) -> Process:
        return self.start_worker(kinds, TRAWL_MONGO_URI=(gate or self.gate()).uri, **env)

    def run_until(self, kind: str, task: str, *words: bytes, before: bool = False, nth: int = 1, **env) -> None:
        """A worker runs the task up to this write, and dies."""
        gate = self.gate()
        stop = gate.stop(TASKS, task.encode(), *words, before=before, nth=nth)
        worker = self.work(kind, gate, **ONE, **env)
        wait_until(stop.seen.is_set, 30, f"{task}: {words}")
        worker.kill()

    def claim(self, kind: str, task: str) -> None:
        """A worker claims the task, and dies."""
        fence = b"fence\0" + struct.pack("<q", self.task(task)["fence"])  # no message of an earlier attempt
        self.run_until(kind, task, b"running", b"started_at", fence)

    # -- pools and states --

    def used(self, pool: str) -> int:
        return self.db.count("slots", {"pool": pool, "task": {"$ne": None}})

    def size(self, pool: str, free: int) -> None:
        """Leave so many slots free."""
        self.must("pool", "set", pool, str(self.used(pool) + free), "--why", "as many as are wanted")

    def must(self, *words: str) -> None:
        answer = self.trawl(*words)
        equal(answer.code, 0, f"trawl {' '.join(words)}: {answer}")

    def wait_ended(self, seconds: float) -> None:
        """All but what nothing ends yet."""
        def left():
            return [(r["_id"], r["status"], r.get("dirty"), [(t["_id"], t["state"], t.get("error")) for t in self.db.find("tasks", {"raw_file": r["_id"]})])
                    for r in self.db.find("raw_file", {"settled": False}) if r["status"] != "monitoring_acquisition"]

        try:
            wait_until(lambda: not left(), seconds, "all this has ended")
        except Failed as failed:
            raise Failed(f"{failed}: {left()}") from None

    def state(self, task: str) -> str:
        return self.task(task).get("state")

    # -- one acquisition --

    def copied(self, instrument: str, name: str, size: int = 3000) -> str:
        """One that helpers have copied and indexed."""
        self.put(instrument, name, size)
        wait_until(lambda: "backup_base_path" in self.raw(name), 60, f"{name} is copied")
        return name

    def admitted(self, task: str) -> str:
        self.wait_task(task, "admitted", 40)
        return task


# ---- what has ended ----
