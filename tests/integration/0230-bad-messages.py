"""Messages that lead to no task are counted and passed, whatever is in them; the next good one is carried out."""

from harness import *


def pointer(task: str, fence: int, **changed) -> bytes:
    return json.dumps({"v": 1, "task": task, "attempt": 1, "fence": fence, "kind": "copy", **changed}).encode()


def send(site, payload: bytes) -> None:
    """One message into the only partition of the copies; kcat sends an empty one only with a key."""
    command = ["kcat", "-P", "-b", site.env["TRAWL_KAFKA_BROKERS"], "-t", f"{site.id}.tasks.copy", "-p", "0"]
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


run()
