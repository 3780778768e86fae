"""make bench BENCH=smoke: latency, one large copy, memory at 1,000 raw files, idle CPU."""
import os
import shutil
import statistics
import sys
import tempfile
import time

from figures import BIN, Bench, cpu_seconds, interleaved, rss_mib, say, shell

from harness import Site, wait_until

IDLE_S = 20
FILES = int(os.environ.get("TRAWL_TEST_SMOKE_FILES", "1000"))
DEFAULTS = {  # as an operator has them, but for the cluster's poll and the lingering of the index
    "scheduler.sweep_ms": 1000, "scheduler.lease_ms": 8000, "worker.heartbeat_ms": 1000, "worker.lease_ms": 30000,
    "kafka.partitions": 8, "kafka.redispatch_ms": 1000, "quant.poll_s": 1, "index.linger_ms": 1000,
}

bench = Bench("smoke")


def latency(site) -> None:
    """A copy becomes ready while nothing else is to be done; how long until a worker has started it?"""
    def one(number: int) -> None:
        names = site.acquire("generic", "lat1", count=1, first=number, size=5000)
        wait_until(lambda: site.task(names[0]["name"] + "/copy").get("state") == "done", 20, "the copy is done")

    site.instrument("lat1", "generic")
    for number in range(1, 31):
        one(number)
    waits = [(t["started_at"] - t["ready_at"]).total_seconds() * 1000 for t in site.db.find("tasks", {"kind": "copy"})]
    say(f"  ready to start, ms: {sorted(round(w) for w in waits)}")
    bench.figure("one copy at a time, idle system", "ready_to_start_p50_ms", statistics.median(waits), "ms")


def thousand(site, scheduler, worker) -> None:
    site.instrument("many1", "generic")
    began = time.monotonic()
    site.acquire("generic", "many1", count=FILES, size=3000, gap=0)
    deadline = began + 600
    while site.db.count("raw_file", {"settled": True}) < FILES + 30 and time.monotonic() < deadline:
        time.sleep(1)
    if site.db.count("raw_file", {"status": "done", "settled": True}) < FILES + 30:
        raise RuntimeError(f"not all of {FILES} raw files are done and settled after 600 s")
    bench.figure(f"{FILES} raw files through copy, SLURM, metrics, index", "files_per_s", FILES / (time.monotonic() - began), "1/s")
    bench.figure(f"after {FILES} raw files", "rss_scheduler_mib", rss_mib(scheduler.pid), "MiB")
    bench.figure(f"after {FILES} raw files", "rss_worker_mib", rss_mib(worker.pid), "MiB")


def idle(processes) -> None:
    time.sleep(5)
    before = sum(cpu_seconds(p.pid) for p in processes)
    time.sleep(IDLE_S)
    used = sum(cpu_seconds(p.pid) for p in processes) - before
    bench.figure(f"scheduler and two workers, {FILES} settled raw files", "idle_cpu_pct", 100 * used / IDLE_S, "% of one core")


def copy_1g() -> None:
    folder = tempfile.mkdtemp(prefix="trawl-bench-")
    source, target = f"{folder}/source.raw", f"{folder}/target"
    try:
        shell(f"head -c 1073741824 /dev/urandom >{source}")
        def prepare():
            shutil.rmtree(target, ignore_errors=True)
            os.mkdir(target)
            shell("sync")

        taken = interleaved(5, prepare, {
            "trawl": lambda: shell(f"{BIN}/tests/trawl-copy-bench {source} {target}"),
            "cp; sync; xxhsum": lambda: shell(f"cp {source} {target}/a; sync; xxhsum -H2 {source} {target}/a"),
        })
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    bench.figure("1 GiB, full guarantee", "copy_1g_mib_per_s", 1024 / taken["trawl"], "MiB/s")
    bench.figure("1 GiB, full guarantee, against cp; sync; xxhsum of both sides", "copy_1g_ratio_cp_sync_xxhsum",
                 taken["cp; sync; xxhsum"] / taken["trawl"], "ratio")


def main() -> int:
    copy_1g()
    with Site("bench", settings=DEFAULTS) as site:
        scheduler, worker, second = site.start(workers=2)
        latency(site)
        thousand(site, scheduler, worker)
        idle([scheduler, worker, second])
    return 0


if __name__ == "__main__":
    sys.exit(main())
