"""Servers that are down at start or go away later: nobody exits, nobody shouts, nothing is lost, all goes on by itself.

Kafka, the store and the head node's sshd are this file's own, so that no other test is disturbed.
"""

from harness import *

SERVERS = Servers("kafka", "store", "sshd")
SLOW_JOB = 'sleep 3\nexec "${0%/*}/real-msqc" "$@"'  # long enough to take a server away meanwhile


def own_site(name, **settings):
    return Site(name, settings, SERVERS.settings())


def all_up():
    for server in SERVERS.names:
        SERVERS.up(server)


def slow_jobs(site):
    shutil.copy(f"{site.software}/trawl-msqc", f"{site.software}/real-msqc")
    site.install_software(SLOW_JOB)


def expect_calm(process, allowed=()):
    """It lives, and said each trouble once, although it tried again all the time."""
    holds(process.alive(), f"{process.name} still runs")
    said = {}
    for line in process.log():
        if line["level"] in ("warn", "error"):
            said.setdefault((line["event"], line.get("error", ""), line.get("facility", "")), []).append(line)
    loud = {key: len(lines) for key, lines in said.items() if len(lines) > 1 and key[0] not in allowed}
    equal(loud, {}, f"troubles that {process.name} told more than once a minute")


def text_of(process):
    return "\n".join(line.get("msg", "") + line.get("detail", "") for line in process.log() if line["level"] != "info")


@test
def servers_that_are_down_at_the_start_are_waited_for():
    with own_site("start") as site:
        site.instrument("gen1", "generic")
        scheduler, worker = site.start_scheduler(), site.start_worker()
        for process in (scheduler, worker):
            wait_until(lambda p=process: f"MongoDB at {site.db.address[0]}:{site.db.address[1]} does not answer" in text_of(p),
                       15, f"{process.name} says that MongoDB is away")
            wait_until(lambda p=process: site.env["TRAWL_KAFKA_BROKERS"] in text_of(p), 15, f"{process.name} names Kafka")
        answer = site.trawl("status")
        equal(answer.code, 4, "exit code of trawl status")
        holds("MongoDB at" in answer.err and "does not answer" in answer.err, f"trawl status says which: {answer}")

        SERVERS.up("store")
        wait_until(lambda: scheduler.log("leading"), 20, "the scheduler leads")
        name = site.acquire("generic", "gen1")[0]["name"]
        site.wait_status(name, "monitoring_done")
        site.wait_task(f"{name}/copy", "admitted|ready")
        equal(site.trawl("status").code, 4, "exit code of trawl status without Kafka")
        holds("Kafka at" in site.trawl("status").err, "trawl status says that Kafka is away")
        expect_calm(scheduler)
        expect_calm(worker)

        SERVERS.up("kafka")
        site.wait_task(f"{name}/copy", "done", 40)
        task = wait_until(lambda: site.task(f"{name}/quant/msqc-v1").get("setbacks") and site.task(f"{name}/quant/msqc-v1"),
                          20, "the job is held, because the head node is away")
        equal((task["error"]["kind"], task["attempt"] <= 1), ("hold", True), "how the quant task fares")
        holds("Connection refused" in task["error"]["msg"], f"the reason is told: {task['error']['msg']}")
        why = wait_until(lambda: [t for t in site.ask("why", name)["tasks"] if t["reason"] == "held"], 10, "why says held")
        holds("the task tries again" in why[0]["next"], f"why says what happens next: {why}")

        SERVERS.up("sshd")
        site.wait_status(name, "done", 40)
        equal(site.task(f"{name}/quant/msqc-v1")["attempt"], 1, "attempts that counted")
        site.expect_nothing_left()
        equal(site.trawl("status").code, 0, "exit code of trawl status at the end")


@test
def a_broker_that_is_restarted_in_the_middle_delays_and_loses_nothing():
    all_up()
    with own_site("broker") as site:
        site.instrument("gen1", "generic", skip_quanting="true")
        scheduler, worker = site.start()
        first = site.acquire("generic", "gen1")[0]["name"]
        site.wait_status(first, "done_not_quanted")
        SERVERS.down("kafka")
        second = site.acquire("generic", "gen1", first=2)[0]["name"]
        site.wait_task(f"{second}/copy", "admitted")
        equal(site.raw(second)["status"], "monitoring_done", "status meanwhile")
        SERVERS.up("kafka")
        site.wait_status(second, "done_not_quanted", 40)
        site.expect_nothing_left()
        expect_calm(scheduler)
        expect_calm(worker)


@test
def a_store_that_is_killed_in_the_middle_costs_no_work():
    all_up()
    with own_site("store", **{"pool.file_copy": 0}) as site:
        slow_jobs(site)
        folder = site.instrument("thermo1", "thermo")
        site.instrument("gen1", "generic")
        scheduler, worker = site.start()
        job = site.acquire("generic", "gen1")[0]["name"]
        big = os.path.basename(write_file(f"{folder}/big.raw", 30_000_000))
        site.wait_task(f"{job}/copy", "ready")
        site.trawl("pool", "set", "file_copy", "1")
        site.wait_task(f"{job}/quant/msqc-v1", "parked")
        site.wait_task(f"{big}/copy", "ready|done|admitted|running")
        site.trawl("pool", "set", "file_copy", "0")
        SERVERS.kill("store")
        wait_until(lambda: "does not answer" in text_of(worker) and "does not answer" in text_of(scheduler), 15,
                   "both say that the store is away")
        SERVERS.up("store")
        equal(site.trawl("pool", "set", "file_copy", "1").code, 0, "pool set after the restart")
        site.wait_status(job, "done", 40)
        site.wait_status(big, "done", 40)
        site.expect_nothing_left()
        equal(hash_tree(site.backup_of(big)), hash_tree(f"{folder}/{big}"), "the backup")
        equal(len(site.db.find("metrics", {"raw_file": job})), 1, "metrics: the job ran once")
        equal(site.logs("task_lost"), [], "lost tasks")
        expect_calm(scheduler)
        expect_calm(worker)


@test
def a_head_node_that_goes_away_holds_jobs_and_fails_none():
    all_up()
    with own_site("headnode") as site:
        slow_jobs(site)
        site.instrument("gen1", "generic")
        scheduler, worker = site.start()
        running = site.acquire("generic", "gen1")[0]["name"]
        site.wait_task(f"{running}/quant/msqc-v1", "parked")
        SERVERS.down("sshd")
        held = site.acquire("generic", "gen1", first=2)[0]["name"]
        wait_until(lambda: site.task(f"{held}/quant/msqc-v1").get("setbacks", 0) > 1, 20, "the second job is held")
        task = site.task(f"{held}/quant/msqc-v1")
        equal(task["error"]["kind"], "hold", "why it waits")
        holds("quanting" in site.raw(held)["status"], f"status meanwhile: {site.raw(held)['status']}")
        equal(site.task(f"{running}/quant/msqc-v1")["state"], "parked", "the job that runs")
        SERVERS.up("sshd")
        for name in (running, held):
            site.wait_status(name, "done", 40)
            equal(site.task(f"{name}/quant/msqc-v1")["attempt"], 1, f"attempts of {name}")
        site.expect_nothing_left()
        expect_calm(scheduler)
        expect_calm(worker)


with SERVERS:
    run()
