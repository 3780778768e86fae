"""MongoDB is away for a while (TRAWL_TEST_AWAY_S, 20 s; an operator's bad day is 600): nothing is lost, nothing restarted."""

from check import *

AWAY_S = float(os.environ.get("TRAWL_TEST_AWAY_S", "20"))
SERVERS = Servers("store")
LEASE_MS = 3000
SLOW_JOB = 'sleep 4\nexec "${0%/*}/real-msqc" "$@"'


@test
def everything_goes_on_by_itself_when_the_store_is_back():
    SERVERS.up("store")
    with Site("away", env=SERVERS.settings()) as site:
        shutil.copy(f"{site.software}/trawl-msqc", f"{site.software}/real-msqc")
        site.install_software(SLOW_JOB)
        folder = site.instrument("thermo1", "thermo")
        originals = Originals()

        def drop(name, size):
            write_file(f"{folder}/{name}", size, len(name))
            originals.note(folder)

        (scheduler, *workers), standby = site.start(workers=2), site.start_scheduler()
        drop("job.raw", 2 * MIB)
        site.wait_task("job.raw/quant/msqc-v1", "parked", 30)
        site.trawl("pool", "set", "file_copy", "0")
        drop("copying.raw", 40 * MIB)
        site.wait_task("copying.raw/copy", "ready", 20)
        site.db.update("tasks", {"_id": "copying.raw/copy"}, {"$set": {"input.limit_bytes_per_s": 8 * MIB}})
        site.trawl("pool", "set", "file_copy", "1")
        site.wait_task("copying.raw/copy", "running")
        drop("seen.raw", MIB)
        wait_until(lambda: site.raw("seen.raw"), 10, "a file that is being watched")
        SERVERS.kill("store")
        drop("unseen.raw", MIB)
        time.sleep(AWAY_S)
        SERVERS.up("store")
        began = time.monotonic()
        for name in ("job.raw", "copying.raw", "seen.raw", "unseen.raw"):
            site.wait_status(name, "done", 60)
        print(f"  away for {AWAY_S:g} s, everything done {time.monotonic() - began:.1f} s after the store was back", flush=True)
        site.expect_nothing_left()
        check(site, originals, copied=4)
        equal([p.name for p in (standby, scheduler, *workers) if not p.alive()], [], "processes that ended")
        equal(len(site.db.find("metrics", {"raw_file": "job.raw"})), 1, "the job ran once")
        attempts = {t["_id"]: t["attempt"] for t in site.db.find("tasks") if t["kind"] != "index"}
        equal(set(attempts.values()), {1}, f"attempts that counted: {attempts}")


@test
def an_outage_as_long_as_a_workers_lease_loses_no_task():
    """Whoever cannot beat because the store does not answer is not lost, however long that takes compared with the lease."""
    SERVERS.up("store")
    with Site("lease", {"worker.lease_ms": LEASE_MS, "worker.heartbeat_ms": LEASE_MS // 3}, env=SERVERS.settings()) as site:
        folder = site.instrument("thermo1", "thermo", skip_quanting="true")
        site.start()
        site.trawl("pool", "set", "file_copy", "0")
        write_file(f"{folder}/long.raw", 44 * MIB)
        site.wait_task("long.raw/copy", "ready")
        site.db.update("tasks", {"_id": "long.raw/copy"}, {"$set": {"input.limit_bytes_per_s": 2 * MIB}})
        site.trawl("pool", "set", "file_copy", "1")
        site.wait_task("long.raw/copy", "running")
        wait_until(lambda: any(run["done"] > 0 for w in site.db.find("workers") for run in w.get("running", [])
                               if run["task"] == "long.raw/copy"), 10, "bytes flow")
        for share in (0.4, 0.8, 1.2):
            SERVERS.kill("store")
            time.sleep(share * LEASE_MS / 1000)
            SERVERS.up("store")
            time.sleep(1)
        site.wait_task("long.raw/copy", "running", 20)  # not done before the last outage
        site.wait_status("long.raw", "done_not_quanted", 60)
        equal((site.logs("task_lost"), site.logs("worker_lost")), ([], []), "lost workers and tasks")
        site.expect_nothing_left()


with SERVERS:
    run()
