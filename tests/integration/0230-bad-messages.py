"""Messages that lead to no task are counted and passed, whatever is in them; the next good one is carried out."""

from harness import *


def pointer(task: str, fence: int, **changed) -> bytes:
    return json.dumps({"v": 1, "task": task, "attempt": 1, "fence": fence, "kind": "copy", **changed}).encode()


def read(site, topic: str) -> list:
    """All that is in a topic."""
    done = subprocess.run(["kcat", "-C", "-b", site.env["TRAWL_KAFKA_BROKERS"], "-t", f"{site.id}.{topic}", "-e", "-q"],
                          capture_output=True, text=True, timeout=20)
    return [json.loads(line) for line in done.stdout.splitlines()]


def send(site, payload: bytes, topic: str = "tasks.copy") -> None:
    """One message into the first partition; kcat sends an empty one only with a key."""
    command = ["kcat", "-P", "-b", site.env["TRAWL_KAFKA_BROKERS"], "-t", f"{site.id}.{topic}", "-p", "0"]
    path = f"{site.dir}/message"
    with open(path, "wb") as out:
        out.write(payload or b"empty:\n")
    done = subprocess.run(command + (["-K", ":", "-l", path] if not payload else [path]), capture_output=True, text=True, timeout=20)
    holds(done.returncode == 0, f"kcat: {done.stderr}")


def counts(site) -> dict:
    return site.db.find("workers")[0].get("messages", {})


def send_counted(site, payloads: list, what: str) -> None:
    """One after the other: a message that finds every thread busy is left to the next publication, unread."""
    for payload in payloads:
        before = counts(site)[what]
        send(site, payload)
        wait_until(lambda b=before: counts(site)[what] > b, 10, f"{payload[:90]} is counted as {what}")


def copied(site, name: str) -> str:
    name = site.acquire("generic", "gen1", prefix=name)[0]["name"]
    site.wait_status(name, "done_not_quanted")
    return name


@test
def messages_that_cannot_be_are_counted_and_block_nothing():
    with Site("badmessages", env={"TRAWL_KAFKA_PARTITIONS": "1"}) as site:
        site.instrument("gen1", "generic", skip_quanting="true")
        worker = site.start()[1]
        task = copied(site, "first") + "/copy"
        fence = site.task(task)["fence"]
        bad = [b"", b"x" * 900000, b"not JSON", b"{" * 4000, b"[1, 2]", b"\xff\xfe\x00", pointer(task, fence, v=2),
               pointer(task, fence, kind="dream"), pointer("nothing/copy", 1), pointer(task, fence, kind="index"),
               pointer(task, fence + 100), pointer("x" * 5000, 1)]
        stale = [pointer(task, fence), pointer(task, 0)]
        before = counts(site)
        equal(before["bad"], 0, "bad messages before")
        send_counted(site, bad, "bad")
        send_counted(site, stale, "stale")
        counted = counts(site)  # on a busy machine the scheduler may have sent a message of its own twice
        equal(counted["bad"], len(bad), "bad messages")
        holds(counted["stale"] >= before["stale"] + len(stale), f"stale messages: {counted}")
        equal([w["messages"] for w in site.ask("status")["workers"]], [counts(site)], "trawl status")
        equal(len(worker.log("bad_messages")), 1, "lines in the log within a minute")
        holds(worker.alive(), "the worker lives")
        equal((site.task(task)["state"], site.task(task)["fence"]), ("done", fence), "the task that they named")
        copied(site, "second")

        worker.stop()  # the next one begins behind them: they are not counted again
        site.start_worker()
        copied(site, "third")
        equal(counts(site)["bad"], 0, "bad messages that the next worker has read")
        site.expect_nothing_left()


@test
def events_that_are_none_are_told_once_a_minute():
    with Site("badevents") as site:
        site.instrument("gen1", "generic", skip_quanting="true")
        scheduler = site.start()[0]
        copied(site, "first")
        bad = [b"", b"x" * 900000, b"not JSON", b"{}", b'{"v":2,"event":"task"}', b'{"v":1,"event":"dream"}', b'{"v":1}',
               json.dumps({"v": 1, "event": "task", "raw_file": "x" * 1500}).encode()]
        for payload in bad:
            send(site, payload, "events")
        wait_until(lambda: scheduler.log("bad_event"), 10, "it is told")
        copied(site, "second")
        equal(len(scheduler.log("bad_event")), 1, "lines in the log within a minute")
        site.expect_nothing_left()


@test
def what_is_dead_is_told_in_a_topic_until_somebody_has_it():
    with Site("letters") as site:
        site.instrument("gen1", "generic", skip_quanting="true")
        site.trawl("pool", "set", "file_copy", "0")
        worker = site.start()[1]
        name = site.acquire("generic", "gen1")[0]["name"]
        task = f"{name}/copy"
        site.wait_task(task, "ready")
        site.db.update("tasks", {"_id": task}, {"$set": {"lost": 9, "state": "running", "worker": "died", "fence": 1, "attempt": 1}})
        site.wait_task(task, "dead")
        letter = {"v": 1, "task": task, "kind": "copy", "raw_file": name, "state": "dead", "error": "10 workers died or were cut off while they ran it"}
        wait_until(lambda: read(site, "dead") == [letter], 10, "the letter")
        wait_until(lambda: "untold" not in site.task(task), 10, "it is told")
        site.db.update("tasks", {"_id": task}, {"$set": {"untold": True}})  # whoever told it died before it said so
        wait_until(lambda: read(site, "dead") == [letter, letter], 10, "the letter once more")
        equal([g["n"] for g in site.ask("dead", "ls")], [1], "trawl dead ls")
        site.trawl("pool", "set", "file_copy", "1")
        site.retry(task)
        site.wait_status(name, "done_not_quanted")
        equal(site.task(task)["lost"], 0, "a retry begins anew")
        holds(worker.alive(), "the worker lives")
        site.expect_nothing_left()


run()
