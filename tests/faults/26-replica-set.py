"""What a replica set does to its clients: lost answers, elections, writes that no majority has, refusals.

A proxy (store_faults.py) stands between our processes and the store; the test itself asks the store.
"""

import contextlib
import datetime

from check import *
from proxy import Proxy
from store_faults import ANY, WRITES, StoreFaults

PROXY = Proxy()


@contextlib.contextmanager
def between(name, **settings):
    """A site whose scheduler and worker reach the store through links with faults."""
    with Site(name, settings) as site:
        site.faults = StoreFaults(seed=1)
        for who in ("scheduler", "worker"):
            uri = site.faults.uri(PROXY, f"{site.id}/{who}", site.env["TRAWL_MONGO_URI"])
            setattr(site, f"{who}_env", {"TRAWL_MONGO_URI": uri})
        yield site


def start(site, kinds="copy,quant,index"):
    scheduler = site.start_scheduler(**site.scheduler_env)
    worker = site.start_worker(kinds, **site.worker_env)
    wait_until(lambda: scheduler.log("leading"), 15, "a scheduler that leads")
    wait_until(lambda: site.db.find("workers"), 15, "a worker that beats")
    return scheduler, worker


def of(site, who):
    return f"{site.id}/{who}"


@test
def a_claim_whose_answer_is_lost_is_found_again():
    with between("claims") as site:
        site.instrument("gen1", "generic", skip_quanting="true")
        claim = {"link": of(site, "worker"), "command": "update", "collection": "tasks", "where": {"updates.q.state": "admitted"}}
        rules = [site.faults.add(how, times=1, **claim) for how in ("lost", "WriteConcernFailed", "late", "drop", "NotWritablePrimary")]
        rules.append(site.faults.add("lost", link=of(site, "worker"), command="find", collection="tasks", times=1))
        start(site)
        names = [site.acquire("generic", "gen1", first=n + 1)[0]["name"] for n in range(4)]
        for name in names:
            site.wait_status(name, "done_not_quanted", 40)
        equal([rule.fired for rule in rules], [1] * len(rules), f"faults that happened: {site.faults.log}")
        site.expect_nothing_left()
        equal((site.logs("task_lost"), site.logs("worker_lost")), ([], []), "lost tasks and workers")
        equal({t["_id"]: t["attempt"] for t in site.db.find("tasks", {"kind": "copy"})}, {f"{n}/copy": 1 for n in names}, "attempts")


@test
def what_the_server_refuses_for_good_fails_at_once_and_people_see_it():
    with between("refused") as site:
        site.instrument("gen1", "generic", skip_quanting="true")
        start(site)
        folds = site.faults.add("DocumentValidationFailure", link=of(site, "worker"), command=WRITES, collection="aggregates")
        settles = site.faults.add("BSONObjectTooLarge", link=of(site, "worker"), command="update", collection="tasks",
                                  where={"updates.u.$set.state": "done", "updates.q.kind": "copy"}, times=1)
        name = site.acquire("generic", "gen1")[0]["name"]
        copy, index = site.wait_task(f"{name}/copy", "failed"), site.wait_task(f"{name}/index", "failed")
        holds(settles.fired == 1 and folds.fired > 0, f"{site.faults.log}")
        for task in (copy, index):
            equal((task["error"]["code"], task["error"]["kind"], task["attempt"]), ("database_refused", "permanent", 1), f"{task['error']}")
        groups = site.ask("dead", "ls")
        equal(sorted(group["example"] for group in groups), sorted([f"{name}/copy", f"{name}/index"]), f"dead ls: {groups}")
        site.faults.clear()
        site.retry(f"{name}/copy")
        site.wait_status(name, "done_not_quanted")
        site.trawl("task", "retry", f"{name}/index")
        site.expect_nothing_left()


@test
def a_raw_file_that_the_server_refuses_keeps_no_other_waiting():
    with between("onebad") as site:
        site.instrument("gen1", "generic", skip_quanting="true")
        bad = "gen1_P123_0001.mzML"
        site.faults.add("DocumentValidationFailure", link=of(site, "scheduler"), command="update", collection="raw_file",
                        where={"updates.q._id": bad, "updates.u.$set.backup_status": "copying_done"})
        scheduler, _ = start(site)
        equal(site.acquire("generic", "gen1")[0]["name"], bad, "its name")
        site.wait_task(f"{bad}/copy", "done")
        good = site.acquire("generic", "gen1", first=2)[0]["name"]
        site.wait_status(good, "done_not_quanted")
        said = wait_until(lambda: scheduler.log("plan"), 10, "the scheduler says which")
        holds(bad in said[0]["msg"], f"{said}")
        site.faults.clear()
        site.wait_status(bad, "done_not_quanted")
        site.expect_nothing_left()


@test
def nothing_is_erased_on_the_word_of_a_primary_that_has_no_majority():
    with between("erase", **{"quant.seed": "false"}) as site:
        site.env["TRAWL_TRAWL_ENV"] = "production"
        share = site.instrument("gen1", "generic", file_move_delay_m=0, min_free_space_gb=9000000, min_file_age_days=0)
        erase = {"link": of(site, "worker"), "command": "update", "collection": "raw_file", "where": {"updates.u.$set.erase_at": ANY}}
        alone = site.faults.add("WriteConcernFailed", **erase)
        start(site, "copy,index,move,remove")
        name = site.acquire("generic", "gen1")[0]["name"]
        wait_until(lambda: alone.fired >= 3, 60, "the removal asks a majority")
        equal(os.listdir(f"{share}/Backup"), [name], "the original, while no majority answers")
        equal(site.raw(name)["instrument_file_status"], "moved", "its status")
        task = site.task(f"{name}/remove")
        holds(task["attempt"] <= 1 and task["state"] not in ("failed", "dead"), f"the removal is held: {task}")
        # Meanwhile a verification has told the majority that the backup is damaged.
        site.db.update("raw_file", {"_id": name}, {"$set": {"backup_damaged": {"n": 1}}, "$inc": {"rev": 1}})
        site.faults.clear()
        task = site.wait_task(f"{name}/remove", "failed", 40)
        holds("damaged" in task["error"]["msg"], f"{task['error']}")
        equal(os.listdir(f"{share}/Backup"), [name], "the original")


@test
def failing_writes_in_the_middle_of_steps_hold_tasks_and_cost_no_attempt():
    with between("steps") as site:
        site.instrument("gen1", "generic")
        start(site)
        for how in ("drop", "lost", "late", "WriteConcernFailed", "NotWritablePrimary", "ExceededTimeLimit", "PrimarySteppedDown"):
            site.faults.add(how, link=of(site, "worker"), command=WRITES, chance=0.1 / 7)
        names = [each["name"] for each in site.acquire("generic", "gen1", count=8, size=50000)]
        for name in names:
            site.wait_status(name, "done", 60)
        holds(len(site.faults.log) >= 10, f"faults that happened: {site.faults.log}")
        print(f"  {len(site.faults.log)} faults in {site.faults.commands} commands", flush=True)
        site.faults.clear()
        site.expect_nothing_left()
        tasks = site.db.find("tasks")
        equal({t["_id"]: (t["state"], t["attempt"]) for t in tasks if t["kind"] != "index" and (t["state"], t["attempt"]) != ("done", 1)},
              {}, "copies and jobs that did not end well at their first attempt")
        equal([t["_id"] for t in tasks if t["state"] != "done"], [], "tasks that did not end well")
        equal([line for line in site.logs("task_ended") if line["state"] in ("dead", "failed")], [], "tasks that failed meanwhile")
        equal(len(site.db.find("metrics")), len(names), "each job counted once")


@test
def a_cursor_that_is_gone_in_the_middle_of_a_pass_costs_only_that_pass():
    with between("cursor") as site:
        site.instrument("gen1", "generic", skip_quanting="true")
        for n in range(620):  # more than one batch of open tasks, which wait for a day
            site.db.insert("tasks", {"_id": f"f{n}/move", "v": 1, "kind": "move", "pool": "file_move", "raw_file": f"f{n}", "state": "ready",
                                     "fence": 0, "attempt": 0, "epoch": 0, "priority": 50, "slot": None, "instrument_id": "gen1",
                                     "not_before": datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)})
        lost = site.faults.add("CursorNotFound", link=of(site, "scheduler"), command="getMore", collection="tasks", times=2)
        scheduler, _ = start(site)
        name = site.acquire("generic", "gen1")[0]["name"]
        site.wait_status(name, "done_not_quanted")
        equal(lost.fired, 2, "cursors that were gone")
        holds("CursorNotFound" in scheduler.log("pass")[0]["msg"], "the pass ended there")


@test
def a_leader_that_cannot_plan_says_so_in_its_lease_in_status_and_in_why():
    with between("stuck") as site:
        site.instrument("gen1", "generic", skip_quanting="true")
        start(site)
        stuck = site.faults.add("ExceededTimeLimit", link=of(site, "scheduler"), command="find", collection="tasks")
        name = site.acquire("generic", "gen1")[0]["name"]
        site.wait_status(name, "monitoring_acquisition|queued_for_monitoring")
        wait_until(lambda: site.raw(name).get("watch", {}).get("rule"), 10, "its acquisition has ended")
        lease = wait_until(lambda: (doc := site.db.one("leases", "scheduler")).get("trouble") and doc, 20, "trouble in the lease")
        equal(lease["trouble"]["what"], "all", "what it cannot do")
        holds("ExceededTimeLimit" in lease["trouble"]["why"], f"why: {lease}")
        answer = site.trawl("status")
        holds("ExceededTimeLimit" in answer.out and answer.code != 0, f"trawl status: {answer}")
        answer = site.trawl("why", name)
        holds("ExceededTimeLimit" in answer.out, f"trawl why: {answer}")
        holds(stuck.fired > 0, "it was refused")
        site.faults.clear()
        site.wait_status(name, "done_not_quanted")
        wait_until(lambda: "trouble" not in site.db.one("leases", "scheduler"), 10, "no trouble any more")
        equal(site.trawl("status").code, 0, "exit code of trawl status")


def cpu_s(process) -> float:
    with open(f"/proc/{process.pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@test
def a_database_that_is_dead_in_any_way_costs_little_and_is_said_once():
    ways = {"drop": {}, "lost": {}, "NotWritablePrimary": {}, "ExceededTimeLimit": {"collection": "tasks"}, "refuse": None,
            "WriteConcernFailed": {"command": WRITES}}  # the last: a set without its secondary
    span = 5
    with between("dead") as site:
        folder = site.instrument("gen1", "generic", skip_quanting="true")
        processes = start(site)
        done = site.acquire("generic", "gen1")[0]["name"]
        site.wait_status(done, "done_not_quanted")
        site.wait_settled()
        for way, keys in ways.items():
            site.faults.clear()
            if keys is None:
                for who in ("scheduler", "worker"):
                    PROXY.cut(of(site, who), "refuse", span + 1)
            else:
                site.faults.add(way, **keys)
            time.sleep(1)
            before = [(cpu_s(p), len(p.log())) for p in processes]
            time.sleep(span)
            used = [(cpu_s(p) - cpu, len(p.log()) - lines) for p, (cpu, lines) in zip(processes, before)]
            print(f"  {way}: {span} s, " + ", ".join(f"{p.name} {cpu:.2f} s of CPU, {n} lines" for p, (cpu, n) in zip(processes, used)),
                  flush=True)
            for process, (cpu, lines) in zip(processes, used):
                holds(process.alive(), f"{process.name} lives with {way}")
                holds(cpu < 0.05 * span, f"{process.name} uses {cpu:.2f} s of CPU in {span} s with {way}")
                holds(lines <= 2 * span, f"{process.name} logs {lines} lines in {span} s with {way}")
        site.faults.clear()
        PROXY.heal()
        write_file(f"{folder}/later.mzML", 50000)
        site.wait_status("later.mzML", "done_not_quanted", 40)
        site.expect_nothing_left()


run()
