"""What grows has an end: old tasks get thin and decide as before, the audit goes to a file, alerts and views of shares go."""

import contextlib
import datetime

from harness import *

NOW = datetime.datetime.now(datetime.timezone.utc)
BULK = ("input.settings", "input.members", "result.files", "result.members", "result.deleted", "kept.log_tail", "published")


def days_ago(days):
    return NOW - datetime.timedelta(days=days)


def has(doc, path):
    for key in path.split("."):
        if not isinstance(doc, dict) or key not in doc:
            return False
        doc = doc[key]
    return True


def fat(task):
    return [path for path in BULK if has(task, path)]


def by_what(site):
    return {each["what"]: each for each in site.ask("retention")}


def put_alert(site, name, opened, closed):
    end = {} if closed is None else {"closed_at": days_ago(closed), "closed_by": "test"}
    site.db.insert("alerts", {"_id": f"held/{name}", "kind": "held", "raw_file": name, "text": "x", "by": "test", "at": days_ago(opened),
                              "seen_at": days_ago(opened), "open": closed is None, **end})


def put_audit(site, n, age):
    site.db.insert("audit", {"_id": f"a{n:05d}", "at": days_ago(age), "who": "kim", "host": "lab", "verb": "pool set", "target": f"pöol{n}",
                             "why": "", "state": "done", "before": {"slots": 3}, "after": {"slots": n}})


def restart(site, *processes):
    for process in processes:
        process.stop()
    return site.start()


@test
def old_tasks_get_thin_and_everything_is_decided_as_before():
    with Site("thin") as site:
        folder = site.instrument("gen1", "generic")
        processes = site.start()
        again, changed = (each["name"] for each in site.acquire("generic", "gen1", count=2))
        for name in (again, changed):
            site.wait_status(name, "done", 40)
        site.wait_settled()
        raws, quant = site.db.find("raw_file"), f"{again}/quant/msqc-v1"
        holds(all(fat(site.task(task)) for task in (quant, f"{changed}/copy")), "they have something to lose")
        site.db.update("tasks", {}, {"$set": {"ended_at": days_ago(91)}})
        equal(by_what(site)["tasks"]["due"], 6, "tasks that are due, as trawl retention counts them")
        processes = restart(site, *processes)
        wait_until(lambda: not any(fat(task) for task in site.db.find("tasks")), 20, "all are thin")
        equal((site.task(quant)["input"]["run"], site.task(quant)["state"]), (1, "done"), "what the job keeps")
        equal(site.db.find("raw_file"), raws, "the raw files")
        said = wait_until(lambda: processes[0].log("retention"), 10, "one line of the round")
        equal([line["tasks"] for line in said], [6], "its count")
        equal((by_what(site)["tasks"]["due"], by_what(site)["tasks"]["gone"]), (0, 6), "trawl retention afterwards")

        for words in (("show", again), ("why", quant), ("verify", again), ("rerun", again, "--mode", "overwrite")):
            equal(site.trawl(*words).code, 0, f"trawl {words[0]}")
        with open(f"{folder}/{changed}", "ab") as out:
            out.write(b"<!-- more -->")
        wait_until(lambda: site.raw(changed).get("round") == 1, 30, "the change is noticed")
        for name, runs in ((again, 2), (changed, 2)):
            wait_until(lambda n=name, r=runs: len(site.db.find("metrics", {"raw_file": n})) == r, 40, f"{name} is quantified again")
            site.wait_status(name, "done", 40)
        site.expect_nothing_left()
        equal(site.task(quant)["input"]["run"], 2, "the run")
        equal(site.task(f"{again}/copy")["fence"], 1, "attempts of the copy: it was not made again")
        equal(hash_tree(site.backup_of(changed)), hash_tree(f"{folder}/{changed}"), "the new backup")


@test
def what_may_still_be_needed_keeps_everything():
    with Site("needed", {"retention.tasks_days": 10}) as site:
        site.db.insert("raw_file", {"_id": "open.raw", "settled": False, "status": "monitoring_acquisition", "tasks": ["open.raw/copy"],
                                    "rev": 1, "round": 1})
        for raw, state, age in (("open.raw", "done", 20), ("shut.raw", "done", 20), ("young.raw", "done", 9), ("failed.raw", "failed", 20),
                                ("skipped.raw", "skipped", 20)):
            if raw != "open.raw":
                site.db.insert("raw_file", {"_id": raw, "settled": True, "status": "done", "tasks": [f"{raw}/copy"], "rev": 1})
            site.db.insert("tasks", {"_id": f"{raw}/copy", "kind": "copy", "pool": "file_copy", "raw_file": raw, "state": state, "fence": 1,
                                     "attempt": 1, "round": 0, "ended_at": days_ago(age), "input": {"members": [{"from": raw, "to": raw}]},
                                     "result": {"files": [{"path": raw}], "size": 7}, "kept": {"log_tail": "x"}})
        scheduler = site.start_scheduler()
        wait_until(lambda: scheduler.log("retention"), 15, "a round that took something")
        wait_until(lambda: by_what(site)["tasks"]["due"] == 0, 10, "nothing is due")
        left = {t["_id"]: len(fat(t)) for t in site.db.find("tasks", {"kind": "copy"})}
        equal(left, {"open.raw/copy": 3, "shut.raw/copy": 0, "young.raw/copy": 3, "failed.raw/copy": 3, "skipped.raw/copy": 3}, "what tasks still have")
        equal(site.task("shut.raw/copy")["result"], {"size": 7}, "its figures")


@test
def the_audit_is_on_the_disk_before_it_goes_also_when_the_leader_is_killed():
    with Site("audit") as site:
        folder = f"{site.dir}/audit"
        os.makedirs(folder)
        for n in range(1210):
            put_audit(site, n, 731 if n < 1200 else 700)
        scheduler = site.start_scheduler()
        wait_until(lambda: scheduler.log("leading"), 15, "a scheduler that leads")
        equal((by_what(site)["audit"]["days"], by_what(site)["audit"]["due"]), (None, 0), "without a folder the audit stays")
        equal(site.db.count("audit"), 1210, "entries")
        scheduler.stop()
        site.write_settings(**{"retention.audit_dir": folder})
        equal(by_what(site)["audit"]["due"], 1200, "entries that are due")
        for _ in range(3):
            before = site.db.count("audit")
            scheduler = site.start_scheduler()
            wait_until(lambda b=before: site.db.count("audit") < b or site.db.count("audit") == 10, 20, "a batch is gone")
            scheduler.kill()
            for path in os.listdir(folder):  # as if it had been killed in the middle of a line
                with open(f"{folder}/{path}", "a") as out:
                    out.write('{"_id":"cut')
        scheduler = site.start_scheduler()
        put_audit(site, 5000, 800)
        wait_until(lambda: site.db.count("audit") == 11 or site.db.count("audit") == 10, 40, "all that is due is gone")
        scheduler.stop()
        site.start_scheduler()
        wait_until(lambda: site.db.count("audit") == 10, 30, "the late one, too")
        ids = set()
        (path,) = os.listdir(folder)
        with open(f"{folder}/{path}") as lines:
            for line in lines:
                with contextlib.suppress(ValueError):
                    entry = json.loads(line)
                    ids.add(entry["_id"])
                    equal((entry["who"], entry["target"][:2]), ("kim", "pö"), f"{entry}")
        equal(ids, {f"a{n:05d}" for n in (*range(1200), 5000)}, "entries in the file")
        equal(by_what(site)["audit"]["due"], 0, "due at the end")


@test
def a_folder_that_is_not_there_keeps_the_audit_and_stops_nothing_else():
    with Site("nofolder", {"retention.audit_dir": "/nowhere/audit"}) as site:
        put_audit(site, 1, 731)
        put_alert(site, "old", 400, 366)
        scheduler = site.start_scheduler()
        wait_until(lambda: site.db.one("alerts", "held/old") is None, 15, "the alert is gone")
        said = wait_until(lambda: [line for line in scheduler.log("retention") if line["level"] == "warn"], 10, "the reason")
        holds("no old audit entry is removed: /nowhere/audit/" in said[0]["msg"], f"{said}")
        equal(site.db.count("audit"), 1, "entries")


@test
def what_is_over_or_gone_is_removed():
    with Site("alerts") as site:
        for name, opened, closed in (("old", 400, 366), ("recent", 400, 364), ("open", 400, None)):
            put_alert(site, name, opened, closed)
        for host, age in (("gone", 31), ("here", 29)):
            site.db.insert("mounts", {"_id": f"{host}/backup", "location": "backup", "host": host, "path": "/b", "status": "ok",
                                      "at": days_ago(age), "since": days_ago(age)})
        for entity, age, deleted in (("P1", 31, True), ("P2", 29, True), ("P3", 31, False)):
            site.db.insert("contributions", {"_id": f"projects/{entity}/a.raw", "type": "projects", "entity": entity, "raw_file": "a.raw",
                                             "rev": 1, "deleted": deleted, "buried_at": days_ago(age), "contents": {}})
        equal({what: each["due"] for what, each in by_what(site).items()},
              {"tasks": 0, "audit": 0, "alerts": 1, "mounts": 1, "tombstones": 1}, "what is due")
        scheduler = site.start_scheduler()
        said = wait_until(lambda: scheduler.log("retention"), 15, "a round that took something")[0]
        equal([said[each["what"]] for each in site.ask("retention")], [0, 0, 1, 1, 1], "its counts")
        equal(sorted(c["entity"] for c in site.db.find("contributions")), ["P2", "P3"], "contributions")
        equal(sorted(a["_id"] for a in site.db.find("alerts", {"kind": "held"})), ["held/open", "held/recent"], "alerts")
        holds(site.db.one("mounts", "gone/backup") is None and site.db.one("mounts", "here/backup"), "views of shares")
        answer = site.trawl("retention")
        holds(re.search(r"alerts +365 days +0 +1 ", answer.out) and "for ever" in answer.out, f"{answer}")


run()
