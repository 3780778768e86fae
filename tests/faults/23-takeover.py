"""The leading scheduler dies, is stopped, is paused; a worker is paused: another takes over in time, and whoever was thought
dead changes nothing when it wakes up."""

from check import *

DEFAULT_LEASE_MS = 8000  # [scheduler] lease_ms unless an operator sets it


def leads(process):
    words = [line["event"] for line in process.log() if line["event"] in ("leading", "standing_by")]
    return bool(words) and words[-1] == "leading"


def pair(site):
    """Two schedulers: the one that leads, and the other."""
    both = site.start_scheduler(), site.start_scheduler()
    wait_until(lambda: any(leads(p) for p in both), 20, "one leads")
    return sorted(both, key=leads, reverse=True)


def takeover(site, standby, do):
    began = time.monotonic()
    do()
    wait_until(lambda: leads(standby), 30, "the other one leads")
    return time.monotonic() - began


@test
def a_standby_leads_within_ten_seconds_of_a_kill_and_at_once_after_a_stop():
    with Site("takeover", {"scheduler.lease_ms": DEFAULT_LEASE_MS}) as site:
        folder = site.instrument("thermo1", "thermo", skip_quanting="true")
        leader, standby = pair(site)
        site.start_worker("copy,index")
        killed = takeover(site, standby, leader.kill)
        write_file(f"{folder}/a.raw", MIB, 1)
        site.wait_status("a.raw", "done_not_quanted", 30)
        third = site.start_scheduler()
        wait_until(lambda: third.log("scheduler_started"), 15, "a new standby")
        time.sleep(1)  # it has seen the lease
        stopped = takeover(site, third, standby.child.terminate)
        print(f"  takeover {killed:.2f} s after SIGKILL (at most 10), {stopped:.2f} s after SIGTERM (at most 1)", flush=True)
        holds(stopped < killed / 2, f"a takeover after SIGTERM in {stopped:.1f} s waits for no lease ({killed:.1f} s)")
        write_file(f"{folder}/b.raw", MIB, 2)
        site.wait_status("b.raw", "done_not_quanted", 30)
        site.expect_nothing_left()
        equal(site.db.one("leases", "scheduler")["epoch"], 3, "epoch")


@test
def an_old_leader_that_wakes_up_changes_nothing():
    with Site("oldleader") as site:
        folder = site.instrument("thermo1", "thermo", skip_quanting="true")
        site.trawl("pool", "set", "file_copy", "2")
        originals = Originals()
        leader, standby = pair(site)
        site.start_worker("copy,index")
        for number in range(6):
            write_file(f"{folder}/f{number}.raw", 3 * MIB, number)
        originals.note(folder)
        wait_until(lambda: any(t["kind"] == "copy" for t in site.db.find("tasks")), 20, "there is work")
        os.kill(leader.pid, signal.SIGSTOP)  # in the middle of whatever it does
        wait_until(lambda: leads(standby), 20, "the other one leads")
        epoch = site.db.one("leases", "scheduler")["epoch"]
        wait_until(lambda: any(t["epoch"] == epoch for t in site.db.find("tasks")), 20, "it has written to tasks")
        fences = {t["_id"]: (t["fence"], t["epoch"]) for t in site.db.find("tasks")}
        os.kill(leader.pid, signal.SIGCONT)
        wait_until(lambda: not leads(leader), 10, "the old one stands by")
        for number in range(6):
            site.wait_status(f"f{number}.raw", "done_not_quanted", 40)
        site.expect_nothing_left()
        for task in site.db.find("tasks"):
            before = fences.get(task["_id"], (0, 0))
            holds(task["fence"] >= before[0] and task["epoch"] >= before[1], f"{task['_id']} went back: {before}, {task}")
            equal(task["attempt"], 1, f"attempts of {task['_id']}")
        equal(site.db.one("leases", "scheduler")["epoch"], epoch, "epoch: the old one did not take it back")
        check(site, originals, copied=6)


@test
def a_worker_that_was_thought_dead_can_not_change_its_task():
    with Site("oldworker") as site:
        folder = site.instrument("thermo1", "thermo", skip_quanting="true")
        site.trawl("pool", "set", "file_copy", "0")
        originals = Originals()
        site.start_scheduler()
        old = site.start_worker("copy")
        site.start_worker("index")
        write_file(f"{folder}/a.raw", 24 * MIB, 1)
        originals.note(folder)
        site.wait_task("a.raw/copy", "ready", 20)
        site.db.update("tasks", {"_id": "a.raw/copy"}, {"$set": {"input.limit_bytes_per_s": 6 * MIB}})
        equal(site.trawl("pool", "set", "file_copy", "1").code, 0, "trawl pool set")
        task = site.wait_task("a.raw/copy", "running")
        time.sleep(1)
        os.kill(old.pid, signal.SIGSTOP)
        new = site.start_worker("copy")
        wait_until(lambda: site.task("a.raw/copy")["fence"] > task["fence"] and site.task("a.raw/copy")["state"] == "running",
                   30, "the other worker has it")
        os.kill(old.pid, signal.SIGCONT)  # now two processes work on one copy
        site.wait_status("a.raw", "done_not_quanted", 40)
        done = site.task("a.raw/copy")
        holds(f"-{new.pid}-" in done["worker"], f"the result is that of the new worker: {done['worker']}")
        wait_until(lambda: old.log("task_fenced") or old.log("task_ended"), 20, "the old worker has given it up")
        equal([line["state"] for line in old.log("task_ended", kind="copy")], [], "what the old worker could settle")
        equal(site.task("a.raw/copy"), done, "the task, later")
        site.expect_nothing_left()
        check(site, originals, copied=1)


run()
