"""Workers are restarted one after the other during a long copy: it goes on elsewhere, and few bytes are written twice."""

from check import *

SIZE = 80 * MIB
RATE = 12 * MIB
TWICE = 4 * MIB  # for each restart, at most: what two streams of 1 MiB have under way, and what was not yet told


def progress(site):
    return [(w["pid"], run["done"]) for w in site.db.find("workers") for run in w.get("running", [])
            if run["task"] == "big.raw/copy" and run["done"] > 0]


def written_by(fs):
    """Bytes that the file system wrote to the folder behind it."""
    with open(f"/proc/{fs.child.pid}/io") as io:
        return int(re.search(r"^write_bytes: (\d+)", io.read(), re.M).group(1))


@test
def a_long_copy_survives_a_rolling_restart_and_writes_few_bytes_twice():
    settings = {"copy.chunk_mib": 1, "copy.streams": 2, "pool.file_copy": 0}
    with Site("rolling", settings) as site, FaultFs(site.backup) as fs:
        site.env["TRAWL_LOCATION_BACKUP_WORKER"] = fs.path
        folder = site.instrument("thermo1", "thermo", skip_quanting="true")
        originals = Originals()
        site.start_scheduler()
        workers = {p.pid: p for p in (site.start_worker("copy,index") for _ in range(3))}
        write_file(f"{folder}/big.raw", SIZE, 1)
        originals.note(folder)
        site.wait_task("big.raw/copy", "ready", 20)
        site.db.update("tasks", {"_id": "big.raw/copy"}, {"$set": {"input.limit_bytes_per_s": RATE}})
        equal(site.trawl("pool", "set", "file_copy", "1").code, 0, "trawl pool set")
        before = written_by(fs)
        for share in (0.2, 0.4, 0.6):
            pid, done = wait_until(lambda s=share: [r for r in progress(site) if r[1] > s * SIZE], 40, f"{share:.0%} are copied")[0]
            began = time.monotonic()
            equal(workers.pop(pid).stop(), 0, "exit code of a worker that is stopped")
            new = site.start_worker("copy,index")
            workers[new.pid] = new
            wait_until(lambda p=pid: [r for r in progress(site) if r[0] != p], 15, "another worker goes on")
            print(f"  stopped at {done / MIB:.1f} MiB: another worker goes on {time.monotonic() - began:.1f} s later", flush=True)
        site.wait_status("big.raw", "done_not_quanted", 60)
        task = site.task("big.raw/copy")
        equal((task["attempt"], task["setbacks"]), (1, 3), "attempts that counted, and others")
        equal(site.logs("task_lost"), [], "tasks that had to be reaped")
        resumed, written = task["result"]["resumed_bytes"], task["result"]["bytes_written"]
        equal(resumed + written, SIZE, "what the last attempt found and what it wrote")
        print(f"  the last attempt found {resumed / MIB:.1f} MiB and wrote {written / MIB:.1f} MiB; all of them together "
              f"wrote {(written_by(fs) - before) / MIB:.1f} MiB", flush=True)
        holds(resumed > 0.6 * SIZE - TWICE, f"the last attempt found only {resumed / MIB:.1f} MiB")
        holds(written_by(fs) - before < SIZE + 3 * TWICE, "bytes written by all attempts")
        site.expect_nothing_left()
        check(site, originals, copied=1)


@test
def a_worker_that_is_killed_and_replaced_keeps_nobody_else_from_work():
    """Kafka waits ten seconds for a member that died before a group has settled again."""
    with Site("replaced") as site:
        folder = site.instrument("thermo1", "thermo", skip_quanting="true")
        site.start_scheduler()
        workers = [site.start_worker("copy,index") for _ in range(2)]

        def owned():
            return [len(w["kinds"]["copy"]["partitions"]) for w in site.db.find("workers")]

        wait_until(lambda: owned() == [1, 1], 30, "both workers own a partition")
        originals, slowest = Originals(), 0
        workers[0].kill()
        site.start_worker("copy,index")
        for number in range(4):
            name = f"f{number}.raw"
            write_file(f"{folder}/{name}", MIB, number)
            originals.note(folder)
            ready = site.wait_task(f"{name}/copy", "ready|admitted|running|done", 20)["created_at"]
            done = site.wait_task(f"{name}/copy", "done", 20)
            slowest = max(slowest, (done["ended_at"] - ready).total_seconds())
        print(f"  the slowest copy took {slowest:.1f} s from its plan to its end", flush=True)
        holds(slowest < 6, f"a copy waited: {slowest:.1f} s")
        site.expect_nothing_left()
        check(site, originals, copied=4)


run()
