"""The clock of one host jumps an hour ahead and back while work goes on: nothing waits for an hour, nobody counts as lost."""

import datetime

from check import *
from harness import BIN

HOUR = 3600


class Clock:
    """CLOCK_REALTIME of the processes that get .env (tests/faults/clock.c)."""

    def __init__(self, folder):
        self.path = f"{folder}/clock"
        self.jump(0)
        self.env = {"LD_PRELOAD": f"{BIN}/tests/test_clock.so", "TEST_CLOCK": self.path}

    def jump(self, seconds):
        with open(f"{self.path}.new", "w") as out:
            out.write(str(seconds))
        os.rename(f"{self.path}.new", self.path)


def offset(process):
    """How far the clock of its last log line was from ours then: seconds."""
    told = datetime.datetime.fromisoformat(process.log()[-1]["ts"]).timestamp()
    return told - os.path.getmtime(process.path)


def expect_untouched(site, processes):
    equal([p.name for p in processes if not p.alive()], [], "processes that ended")
    for event in ("task_lost", "worker_lost", "standing_by"):
        equal(site.logs(event), [], event)
    equal(site.db.one("leases", "scheduler")["epoch"], 1, "epoch: nobody took over")


def jumps(who):
    with Site(f"jump{who}", {"retry.max_ms": 400}) as site, FaultFs(site.backup) as fs:
        site.env["TRAWL_LOCATION_BACKUP_WORKER"] = fs.path
        folder = site.instrument("thermo1", "thermo", size_check_s=1)
        clock = Clock(site.dir)
        scheduler = site.start_process("trawl-scheduler", env=clock.env if who == "scheduler" else {})
        worker = site.start_process("trawl-worker", "--kinds", "copy,quant,index", env=clock.env if who == "worker" else {})
        faked = {"scheduler": scheduler, "worker": worker}[who]
        wait_until(lambda: scheduler.log("leading") and site.db.find("workers"), 20, "both are there")
        originals = Originals()
        for number, seconds in enumerate((0, HOUR, -HOUR, 0)):
            name = f"f{number}.raw"
            write_file(f"{folder}/{name}", 2 * MIB, number)
            originals.note(folder)
            fs.rules("error=EIO write *.part times=1", "delay write *.part ms=100")
            site.wait_task(f"{name}/copy", "running|done")
            clock.jump(seconds)
            began = time.monotonic()
            raw = site.wait_status(name, "done", 40)
            holds(fs.hits("error write"), "the copy had to be tried again")
            equal(site.task(f"{name}/copy")["attempt"], 2, "attempts of the copy")
            print(f"  {who} at {seconds:+d} s: {time.monotonic() - began:.1f} s until {name} was done", flush=True)
            equal(raw["backup_status"], "copying_done", "backup")
            wait_until(lambda s=seconds: abs(offset(faked) - s) < 60, 10, f"the clock of the {who} is off by {seconds} s")
            os.unlink(f"{fs.control}.hits")
        fs.rules()
        site.expect_nothing_left()
        expect_untouched(site, (scheduler, worker))
        check(site, originals, copied=4)


@test
def a_worker_whose_clock_jumps_an_hour_delays_no_task():
    jumps("worker")


@test
def a_scheduler_whose_clock_jumps_an_hour_delays_no_task():
    jumps("scheduler")


@test
def a_worker_whose_clock_is_an_hour_behind_waits_between_two_tries():
    with Site("behind", {"retry.max_ms": 1000}) as site:
        folder = site.instrument("thermo1", "thermo", skip_quanting="true")
        clock = Clock(site.dir)
        clock.jump(-HOUR)
        site.start_scheduler()
        site.start_process("trawl-worker", "--kinds", "copy,index", env=clock.env)
        os.rename(site.backup, f"{site.backup}.away")
        write_file(f"{folder}/a.raw", MIB, 1)
        wait_until(lambda: site.task("a.raw/copy").get("setbacks", 0) >= 1, 20, "the copy is held")
        began = time.monotonic()
        wait_until(lambda: site.task("a.raw/copy")["setbacks"] >= 11, 40, "it was held ten more times")
        took = time.monotonic() - began
        holds(took > 1, f"ten random waits of up to a second took {took:.2f} s")
        os.rename(f"{site.backup}.away", site.backup)
        site.wait_status("a.raw", "done_not_quanted", 30)
        site.expect_nothing_left()


run()
