"""make bench BENCH=tasks: what the task engine does in a second, beside Celery with RabbitMQ in the same run."""
import os
import sys
import time

from figures import BIN, Bench, cpu_seconds, rss_mib, say

from harness import Process, Site, wait_until

RAW_FILES = int(os.environ.get("TRAWL_TEST_TASKS", "10000")) // 2  # each is a copy and an index
SLOTS, WORKERS, THREADS = 64, 2, 16
SETTINGS = {
    "scheduler.sweep_ms": 1000, "scheduler.lease_ms": 8000, "worker.heartbeat_ms": 1000, "worker.lease_ms": 30000,
    "kafka.partitions": 8, "kafka.redispatch_ms": 1000, "index.linger_ms": 1000, "quant.seed": "false",
    "mongo.timeout_ms": 20000, "pool.file_copy": SLOTS, "pool.index": SLOTS, "copy.threads": THREADS,
    "index.threads": THREADS,
}
bench = Bench("tasks")


def plant(site, first: int, count: int) -> None:
    """Raw files whose acquisition has ended: everything from here on is the scheduler's to plan."""
    documents = [{
        "_id": f"bench_{n:06}.raw", "original_name": f"bench_{n:06}.raw", "instrument_id": "bench1", "project_id": "_FALLBACK",
        "status": "monitoring_done", "status_details": "", "size": 1, "rev": 1, "indexed_rev": 0, "dirty": False,
        "settled": False, "instrument_file_status": "initial",
        "watch": {"rule": "next file", "error": "", "size": 1, "members": [{"from": "a", "to": "a"}]},
    } for n in range(first, first + count)]
    for at in range(0, count, 500):
        site.db.command({"insert": "raw_file", "documents": documents[at:at + 500]})


def start_noop(site) -> Process:
    process = Process(f"noop-{len(site.processes)}", [f"{BIN}/tests/trawl-noop-worker", "--kinds", "copy,index"], site.env,
                      f"{site.dir}/log/noop-{len(site.processes)}.log")
    site.processes.append(process)
    return process


def count(site, collection: str, query: dict) -> int:
    return int(site.db.command({"count": collection, "query": query})["n"])


def main() -> int:
    with Site("tasks", settings=SETTINGS) as site:
        site.instrument("bench1", "generic", max_copies=SLOTS)
        scheduler = site.start_scheduler()
        wait_until(lambda: scheduler.log("leading"), 30, "a scheduler that leads")
        workers = [start_noop(site) for _ in range(WORKERS)]
        wait_until(lambda: count(site, "workers", {}) == WORKERS, 30, "the workers beat")
        time.sleep(3)
        began = time.monotonic()
        plant(site, 0, RAW_FILES)
        say(f"planted in {time.monotonic() - began:.1f} s")
        before = [cpu_seconds(p.pid) for p in (scheduler, *workers)]
        began = time.monotonic()
        while count(site, "raw_file", {"settled": True}) < RAW_FILES and time.monotonic() - began < 120:
            time.sleep(0.5)
            say(f"{time.monotonic() - began:.1f} {count(site, 'tasks', {'state': 'done'})}")
        took = time.monotonic() - began
        used = [cpu_seconds(p.pid) - b for p, b in zip((scheduler, *workers), before)]
        done = count(site, "tasks", {"state": "done"})
        say(f"{done} tasks in {took:.1f} s, CPU {used}")
        bench.figure("no-op", "tasks_per_s", done / took, "1/s")
        bench.figure("no-op", "rss_scheduler_mib", rss_mib(scheduler.pid), "MiB")
        bench.figure("no-op", "rss_worker_mib", rss_mib(workers[0].pid), "MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
