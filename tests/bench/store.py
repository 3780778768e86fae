"""make bench BENCH=store: what operators and the leader wait for on a database of years, small and ten times as large.

TRAWL_TEST_FILES="20000 200000" names the sizes. TRAWL_MONGO_URI names another server than the local store; one million needs
such a one."""
import os
import statistics
import subprocess
import sys
import time

from figures import BIN, Bench, cpu_seconds, pid_of, rss_mib, say, seconds

from harness import Site, wait_until
from mongo import MongoError

SIZES = [int(n) for n in os.environ.get("TRAWL_TEST_FILES", "20000 200000").split()]
SEED, INSTRUMENTS, ROUNDS, PASSES_S = 1, 20, 7, 20
bench = Bench("store")


class Old:
    """A site that the site driver has filled."""

    def __init__(self, files: int):
        self.files = files
        self.site = Site(f"store{files}", settings={"scheduler.sweep_ms": 60000, "quant.seed": "false", "mongo.timeout_ms": 20000,
                                                     "retention.tasks_days": 0})  # else old tasks get thin meanwhile
        for number in range(INSTRUMENTS):
            self.site.instrument(f"inst{number:02}", "thermo", poll_s=10)
        self.store = pid_of(self.site.world, "store")
        self.scheduler = self.start()  # makes the indexes, while there is nothing to index
        wait_until(lambda: self.site.db.find("pools"), 60, "the database is prepared")
        time.sleep(5)
        self.site.stop()
        took = seconds(lambda: subprocess.run([f"{BIN}/tests/trawl-site-driver", str(SEED), str(files)], env=self.site.env, check=True))
        say(f"  {files} raw files were made in {took:.0f} s")

    def start(self, sweep_ms: int = 60000):
        """By default with few sweeps, so that what is counted is not theirs."""
        scheduler = self.site.start_scheduler(TRAWL_SCHEDULER_SWEEP_MS=str(sweep_ms))
        wait_until(lambda: scheduler.log("leading"), 60, "a scheduler that leads")
        return scheduler

    def costs(self, application: str) -> dict:
        """What this program's queries looked at; of another server than the local store: what all did."""
        try:
            return self.site.db.command({"queryCosts": 1, "application": application})
        except MongoError:
            return self.site.db.command({"serverStatus": 1})["metrics"]["queryExecutor"]

    def figure(self, case: str, name: str, value: float, unit: str) -> None:
        bench.figure(f"{self.files} raw files: {case}", name, value, unit)

    def cpu(self) -> float:
        """Seconds that our commands and the local store have worked: what a busy machine does not change."""
        ours = os.times()
        return ours.children_user + ours.children_system + (cpu_seconds(self.store) if self.store else 0)

    def measure(self, case: str, run, rounds: int = ROUNDS) -> None:
        run()
        before, used = self.costs("trawl"), self.cpu()
        taken = [seconds(run) * 1000 for _ in range(rounds)]
        after, used = self.costs("trawl"), self.cpu() - used
        self.figure(case, "ms", statistics.median(taken), "ms")
        self.figure(case, "cpu_ms", 1000 * used / rounds, "ms of command and store")
        for figure, name in (("docs_examined", "scannedObjects"), ("keys_examined", "scanned")):
            self.figure(case, figure, (after[name] - before[name]) / rounds, "")

    def verbs(self) -> None:
        some = f"{self.files // 2:08}"
        for words in (["ls"], ["ls", "--instrument", "inst03", "--status", "quanting_failed"], ["ls", "--project", "P000"], ["status"], ["task", "ls"],
                      ["task", "ls", "--state", "failed"], ["log"], ["why", some], ["show", some], ["dead", "ls"], ["pool", "ls"]):
            self.measure("trawl " + " ".join(words), lambda words=words: self.verb(words))

    def verb(self, words: list) -> None:
        done = subprocess.run([f"{BIN}/cli/trawl", *words], env=self.site.env, capture_output=True, text=True, check=False)
        if done.returncode != 0 and words != ["status"]:
            raise RuntimeError(f"trawl {' '.join(words)}: exit {done.returncode}: {done.stderr[-300:]}")

    def begin(self) -> None:
        """A leader that starts plans what is planted."""
        self.site.db.insert("raw_file", {
            "_id": "planted.raw", "original_name": "planted.raw", "instrument_id": "inst01", "project_id": "P001", "status": "monitoring_done",
            "status_details": "", "size": 1, "rev": 1, "indexed_rev": 0, "dirty": False, "settled": False, "instrument_file_status": "initial",
            "watch": {"rule": "next file", "error": "", "size": 1, "members": [{"from": "a", "to": "a"}]}})
        began = time.monotonic()
        self.scheduler = self.start()
        wait_until(lambda: self.site.db.one("tasks", "planted.raw/copy"), 120, "the planted raw file is planned")
        self.figure("start of the scheduler until a raw file is planned", "start_s", time.monotonic() - began, "s")
        wait_until(lambda: len(self.site.db.find("watches", {"status": "ok"})) == INSTRUMENTS, 120, "all instruments are polled")
        time.sleep(15)
        self.figure("the scheduler", "rss_mib", rss_mib(self.scheduler.pid, peak=True), "MiB")

    def sweeps(self) -> None:
        """Nothing changes, and each sweep is a whole pass."""
        self.site.stop()
        self.scheduler = self.start(1000)
        time.sleep(15)
        before, used = self.costs("trawl-scheduler"), cpu_seconds(self.scheduler.pid)
        time.sleep(PASSES_S)
        after, used = self.costs("trawl-scheduler"), cpu_seconds(self.scheduler.pid) - used
        self.figure("a sweep of the leader, a pass each second", "docs_examined", (after["scannedObjects"] - before["scannedObjects"]) / PASSES_S, "")
        self.figure("a sweep of the leader, a pass each second", "cpu_ms", 1000 * used / PASSES_S, "ms")

    def index_task(self) -> None:
        """Of a raw file of the largest project, by a real worker, once more and once more."""
        worker = self.site.start_worker("index")
        mine = self.site.db.command({"find": "raw_file", "filter": {"project_id": "P000", "status": "done"}, "limit": 3, "sort": {"created_at": 1, "_id": 1}})
        names = [d["_id"] for d in mine["cursor"]["firstBatch"]]
        before, n = self.costs("trawl-worker"), 0
        for name in names * 3:
            done = len(worker.log("task_ended"))
            self.site.db.update("tasks", {"_id": f"{name}/index"}, {"$set": {"state": "ready", "attempt": 0}})
            wait_until(lambda done=done: len(worker.log("task_ended")) > done, 120, f"{name}/index ended again")
            n += 1
        after = self.costs("trawl-worker")
        self.figure("an index task of the largest project", "ms", statistics.median(e["ms"] for e in worker.log("task_ended")), "ms")
        self.figure("an index task of the largest project", "docs_examined",
                    (after["scannedObjects"] - before["scannedObjects"]) / n, "")
        self.figure("an index task of the largest project", "keys_examined",
                    (after["scanned"] - before["scanned"]) / n, "")


def main() -> int:
    for files in SIZES:
        old = Old(files)
        with old.site:
            old.begin()
            old.verbs()
            old.sweeps()
            old.index_task()
    return 0


if __name__ == "__main__":
    sys.exit(main())
