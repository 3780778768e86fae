"""make bench BENCH=tasks: what the task engine does in a second, beside Celery with RabbitMQ in the same run."""
import os
import signal
import statistics
import sys
import time

from celery_peer import Peer
from engine import Engine, say
from figures import Bench, cpu_seconds, rss_mib

TASKS = int(os.environ.get("TRAWL_TEST_TASKS", "10000"))
FINISHED = int(os.environ.get("TRAWL_TEST_FINISHED", "100000"))
SLOTS, WORKERS, THREADS = 128, 2, 64
bench = Bench("tasks")


def throughput(engine) -> None:
    """Raw files whose acquisition has ended: each is planned, copied and indexed, by workers that do nothing."""
    engine.plant("warm", TASKS // 4)
    engine.wait_settled(TASKS // 4)
    say("  warm")
    before, began = engine.cpu(), time.monotonic()
    engine.plant("run", TASKS // 2)
    engine.wait_settled(TASKS // 4 + TASKS // 2)
    took, used = time.monotonic() - began, {k: v - before[k] for k, v in engine.cpu().items()}
    done = engine.count("tasks", {"state": "done", "project_id": "run"})
    say(f"  {done} tasks in {took:.1f} s; CPU seconds {used}")
    if done != TASKS:
        raise RuntimeError(f"{done} of {TASKS} tasks are done")
    case = f"{TASKS} no-op tasks of {TASKS // 2} raw files: plan, admit, Kafka, claim, settle"
    bench.figure(case, "tasks_per_s", done / took, "1/s")
    bench.figure(case, "store_share_pct", 100 * used["store"] / sum(used.values()), "% of the CPU time")
    bench.figure(case, "rss_scheduler_mib", rss_mib(engine.scheduler.pid), "MiB")
    bench.figure(case, "rss_worker_mib", max(rss_mib(w.pid) for w in engine.workers), "MiB")
    for other in engine.workers:
        if not other.alive():
            raise RuntimeError(f"{other.name} ended")


def admission_cost(engine, prefix: str) -> float:
    """CPU seconds of the scheduler for 500 tasks."""
    before, done = cpu_seconds(engine.scheduler.pid), engine.count("tasks", {"state": "done"})
    engine.drive(prefix, 500, 0, 0)
    engine.wait_done(done + 500)
    time.sleep(1)
    return cpu_seconds(engine.scheduler.pid) - before


def flatness() -> None:
    with Engine("flat", SLOTS, THREADS, WORKERS) as engine:
        engine.drive("first", 100, 0, 0)
        engine.wait_done(100)
        few = statistics.median(admission_cost(engine, f"few{n}") for n in range(3))
        engine.plant_finished(FINISHED)
        many = statistics.median(admission_cost(engine, f"many{n}") for n in range(3))
        say(f"  CPU of the scheduler for 500 tasks: {few:.2f} s after 100, {many:.2f} s after {FINISHED} finished tasks")
        bench.figure(f"scheduler's CPU for a task, {FINISHED} finished tasks over 100", "admit_ratio_100_to_100k", many / few, "ratio")


def restart() -> None:
    with Engine("restart", SLOTS, THREADS, WORKERS) as engine:
        engine.set_pools(0)
        engine.drive("open", 10000, 0, 0)
        engine.scheduler.child.send_signal(signal.SIGTERM)
        engine.scheduler.child.wait(20)
        engine.set_pools(SLOTS)
        began = time.monotonic()
        engine.scheduler = engine.start_scheduler()
        engine.wait_done(1, 60)
        bench.figure("10,000 open tasks: start of the scheduler until a task is done", "restart_s", time.monotonic() - began, "s")


def main() -> int:
    with Engine("tasks", SLOTS, THREADS, WORKERS) as engine:
        throughput(engine)
        with Peer(engine.site) as peer:
            bench.figure(f"Celery, RabbitMQ, results in the same store: {TASKS} no-op tasks", "peer_tasks_per_s", peer.throughput(TASKS), "1/s")
            bench.figure("Celery, RabbitMQ: sent to started", "peer_p50_ms", peer.latency_ms(300), "ms")
    flatness()
    restart()
    return 0


if __name__ == "__main__":
    sys.exit(main())
