"""A site whose workers do nothing, for the benches of the task engine."""
import subprocess
import time

from figures import BIN, cpu_seconds, pid_of, say

from harness import Process, Site, wait_until

__all__ = ["BIN", "Engine", "say"]


class Engine:
    def __init__(self, name: str, slots: int, threads: int, workers: int):
        self.site = Site(name, settings={
            "scheduler.sweep_ms": 1000, "scheduler.lease_ms": 8000, "worker.heartbeat_ms": 1000, "worker.lease_ms": 30000,
            "kafka.partitions": 8, "kafka.redispatch_ms": 1000, "index.linger_ms": 1000, "quant.seed": "false",
            "mongo.timeout_ms": 20000, "pool.file_copy": slots, "pool.index": slots, "copy.threads": threads,
            "index.threads": threads,
        })
        self.site.instrument("bench1", "generic", max_copies=slots)
        self.scheduler = self.start_scheduler()
        self.workers = [self.start_worker() for _ in range(workers)]
        wait_until(lambda: self.count("workers", {}) == workers, 30, "the workers beat")
        time.sleep(3)  # partitions are shared out

    def start_scheduler(self) -> Process:
        scheduler = self.site.start_scheduler()
        wait_until(lambda: scheduler.log("leading"), 60, "a scheduler that leads")
        return scheduler

    def start_worker(self) -> Process:
        name = f"noop-{len(self.site.processes)}"
        process = Process(name, [f"{BIN}/tests/trawl-noop-worker", "--kinds", "copy,index"], self.site.env,
                          f"{self.site.dir}/log/{name}.log")
        self.site.processes.append(process)
        return process

    def count(self, collection: str, query: dict) -> int:
        return self.site.db.count(collection, query)

    def drive(self, prefix: str, count: int, per_second: float, sleep_ms: int) -> None:
        subprocess.run([f"{BIN}/tests/trawl-task-driver", prefix, str(count), str(per_second), str(sleep_ms)],
                       env=self.site.env, check=True)

    def plant(self, project: str, count: int) -> None:
        """Raw files whose acquisition has ended: everything from here on is the scheduler's to plan."""
        documents = [{
            "_id": f"{project}_{n:06}.raw", "original_name": f"{project}_{n:06}.raw", "instrument_id": "bench1", "project_id": project,
            "status": "monitoring_done", "status_details": "", "size": 1, "rev": 1, "indexed_rev": 0, "dirty": False,
            "settled": False, "instrument_file_status": "initial",
            "watch": {"rule": "next file", "error": "", "size": 1, "members": [{"from": "a", "to": "a"}]},
        } for n in range(count)]
        for at in range(0, count, 500):
            self.site.db.command({"insert": "raw_file", "documents": documents[at:at + 500]})

    def plant_finished(self, count: int) -> None:
        for at in range(0, count, 1000):
            self.site.db.command({"insert": "tasks", "documents": [{
                "_id": f"old_{n}/copy", "v": 1, "kind": "copy", "pool": "file_copy", "raw_file": f"old_{n}", "settings": "",
                "instrument_id": "bench1", "project_id": "p", "priority": 100, "state": "done", "attempt": 1, "fence": 1, "epoch": 1,
                "slot": None, "worker": "w", "result": {"size": 1},
            } for n in range(at, at + 1000)]})

    def set_pools(self, slots: int) -> None:
        self.site.db.command({"update": "pools", "updates": [{"q": {"_id": "file_copy"}, "u": {"$set": {"slots": slots}}}]})

    def wait_settled(self, count: int, seconds: float = 400) -> None:
        end = time.monotonic() + seconds
        while self.count("raw_file", {"settled": True}) < count:
            if time.monotonic() > end:
                raise RuntimeError(f"not within {seconds} s: {count} raw files are settled")
            time.sleep(0.25)  # a count looks at many documents

    def wait_done(self, done: int, seconds: float = 300) -> None:
        wait_until(lambda: self.count("tasks", {"state": "done"}) >= done, seconds, f"{done} tasks are done")

    def cpu(self) -> dict:
        """CPU seconds by what used them: ours, the store, the broker."""
        pids = {server: pid_of(self.site.world, server) for server in ("store", "kafka")}
        return {"ours": sum(cpu_seconds(p.pid) for p in self.site.processes if p.alive()),
                **{name: cpu_seconds(pid) for name, pid in pids.items() if pid}}

    def __enter__(self):
        self.site.__enter__()
        return self

    def __exit__(self, *error):
        self.site.__exit__(*error)
