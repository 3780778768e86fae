"""make bench BENCH=latency: from ready to started with workers half busy, and no idle worker behind a busy one."""
import statistics
import subprocess
import sys

from engine import BIN, Engine, say
from figures import Bench

WORKERS, THREADS, SLEEP_MS, TASKS, WARM = 4, 2, 50, 1500, 600
BUSY = 0.5
bench = Bench("latency")


def waits_ms(site, prefix: str) -> list:
    tasks = site.db.find("tasks", {"raw_file": {"$regex": f"^{prefix}"}})
    return sorted((t["started_at"] - t["ready_at"]).total_seconds() * 1000 for t in tasks)


def main() -> int:
    with Engine("latency", slots=64, threads=THREADS, workers=WORKERS) as engine:
        engine.drive("warm", WARM, 80, SLEEP_MS)
        engine.wait_done(WARM)
        rate = BUSY * WORKERS * THREADS * 1000 / SLEEP_MS
        engine.drive("poisson", TASKS, rate, SLEEP_MS)
        engine.wait_done(WARM + TASKS)
        waits = waits_ms(engine.site, "poisson")
        case = f"{WORKERS} workers x {THREADS} threads, {100 * BUSY:.0f} % busy, tasks of {SLEEP_MS} ms"
        bench.figure(case, "p50_ms", statistics.median(waits), "ms")
        bench.figure(case, "p99_ms", waits[len(waits) * 99 // 100], "ms")
        spans = []
        for n in range(3):
            engine.drive(f"span{n}", WORKERS * THREADS, 0, 1000)
            engine.wait_done(WARM + TASKS + (n + 1) * WORKERS * THREADS)
            tasks = engine.site.db.find("tasks", {"raw_file": {"$regex": f"^span{n}"}})
            spans.append((max(t["ended_at"] for t in tasks) - min(t["ready_at"] for t in tasks)).total_seconds())
        say(f"  makespans, s: {spans}")
        bench.figure(f"{WORKERS * THREADS} tasks of 1 s on {WORKERS} workers x {THREADS} threads, median of 3", "makespan_s",
                     statistics.median(spans), "s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
