"""Appendix C 7: a pool that is full, a quota, disk errors: copies wait or try again, and nothing half-written is published."""

from check import *

SIZE = 4 * MIB


@test
def full_pools_and_disk_errors_hold_or_retry_and_everything_ends_right():
    settings = {"copy.threads": 12, "pool.file_copy": 12, "copy.chunk_mib": 1, "copy.streams": 2, "retry.max_attempts": 4}
    rules = {
        "full": "error=ENOSPC write,alloc full/*.part after=2097152",
        "allocfull": "error=ENOSPC alloc allocfull/*",
        "quota": "error=EDQUOT write quota/*.part after=2097152",
        "readback": "error=EIO read readback/*.part after=1048576 times=1",
        "writeerror": "error=EIO write writeerror/*.part after=1048576 times=1",
        "flushing": "error=EIO fsync flushing/*.part times=1",
        "stale": "error=ESTALE write,open,stat stale/*.part after=3 times=3",
        "flipped": "flip write flipped/*.part offset=3000000 times=1",
        "short": "short read,write short/*",
        "small": "error=EIO read small/*.part times=1",
        "journal": "error=EIO write,fsync journal/*.chunks",
    }
    with Site("pool", settings) as site, FaultFs(site.backup) as fs:
        site.env["TRAWL_LOCATION_BACKUP_WORKER"] = fs.path
        originals = Originals()
        for seed, name in enumerate(rules):
            folder = site.instrument(name, "thermo", skip_quanting="true")
            write_file(f"{folder}/{name}.raw", 30_000 if name == "small" else SIZE, seed)
            originals.note(folder)
        fs.rules(*rules.values())
        with Watcher(site.backup, originals) as watcher:
            site.start_scheduler()
            site.start_worker("copy,index")
            for name in rules:
                if name not in ("full", "allocfull", "quota"):
                    site.wait_status(f"{name}.raw", "done_not_quanted", 60)
            for name in ("full", "allocfull", "quota"):
                task = wait_until(lambda n=name: site.task(f"{n}.raw/copy").get("setbacks", 0) >= 2 and
                                  site.task(f"{n}.raw/copy"), 20, f"{name} is held")
                equal((task["error"]["kind"], task["attempt"] <= 1), ("hold", True), f"{name}: how it waits")
                holds("full" in task["error"]["msg"] and "free space" in task["error"]["msg"], task["error"]["msg"])
            finals = {os.fsdecode(p).split("/")[-1] for p in watcher.seen}
            equal(finals & {"full.raw", "quota.raw", "allocfull.raw"}, set(), "final names in a full pool")
            fs.rules()  # somebody has made room
            for name in ("full", "allocfull", "quota"):
                site.wait_status(f"{name}.raw", "done_not_quanted", 30)
        for name, rule in rules.items():
            what, ops, _ = rule.split()[:3]
            fired = [h for h in fs.hits(what.split("=")[0]) if f" {name}/" in h]
            holds(fired, f"the fault of {name} has happened")
        site.expect_nothing_left()
        check(site, originals, copied=len(rules))


@test
def a_pool_without_room_is_not_begun_to_be_filled():
    with Site("noroom") as site, FaultFs(site.backup) as fs:
        site.env["TRAWL_LOCATION_BACKUP_WORKER"] = fs.path
        folder = site.instrument("thermo1", "thermo", skip_quanting="true")
        write_file(f"{folder}/big.raw", 40 * MIB, 1)
        originals = Originals()
        originals.note(folder)
        fs.rules(f"free statfs * bytes={20 * MIB}")
        site.start_scheduler()
        site.start_worker("copy,index")
        wait_until(lambda: site.task("big.raw/copy").get("setbacks", 0) >= 2, 30, "it is held")
        equal([p for p in files_below(site.backup) if os.path.getsize(p) > 200], [], "bytes in the pool")
        message = site.task("big.raw/copy")["error"]["msg"]
        holds("40.0 MiB" in message and "20.0 MiB" in message, f"both figures: {message}")
        fs.rules()
        site.wait_status("big.raw", "done_not_quanted", 30)
        site.expect_nothing_left()
        check(site, originals, copied=1)


@test
def a_disk_that_always_damages_the_copy_gets_no_final_name():
    with Site("damage", {"retry.max_attempts": 3}) as site, FaultFs(site.backup) as fs:
        site.env["TRAWL_LOCATION_BACKUP_WORKER"] = fs.path
        folder = site.instrument("thermo1", "thermo", skip_quanting="true")
        write_file(f"{folder}/a.raw", 100_000, 1)
        originals = Originals()
        originals.note(folder)
        fs.rules("flip write *.part offset=50000")
        with Watcher(site.backup, originals) as watcher:
            site.start_scheduler()
            site.start_worker("copy,index")
            raw = site.wait_status("a.raw", "error", 30)
        holds("read-back differs" in raw["status_details"], raw["status_details"])
        equal(list(watcher.seen), [], "final names")
        check_files(site.backup, originals)
        fs.rules()
        site.retry("a.raw/copy")
        site.wait_status("a.raw", "done_not_quanted", 30)
        site.expect_nothing_left()
        check(site, originals, copied=1)


run()
