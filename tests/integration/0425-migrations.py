#!/usr/bin/python3
"""What earlier versions have stored is changed while everything runs, exactly once, wherever the leader is killed."""

import datetime
import random

from harness import *
from mongo import ObjectId

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, f"{HERE}/old-documents")

import dump  # noqa: E402

OLD = f"{HERE}/old-documents/2df774d"
OK, NO, USAGE, MISSING, AWAY, REFUSED = range(6)
MANY, KILLS, ENOUGH = 20000, 4, 2  # kills at most, and at least, before it is done
NEWEST = 2  # SCHEMA_VERSION of common/db/schema.h
WEEK_MS = 7 * 86400 * 1000
PROJECTS, WEEKS = 120, 12  # of the largest migration of sums
NO_FIGURES = ("time_elapsed", "peak_memory_mib", "detail", "partial")
BEFORE = {"status": "run_status", "detail": "run_detail", "partial": "run_partial"}


def saved(site: Site) -> dict:
    """The three collections as 2df774d has left them, with many more metrics of the same form."""
    old = {name: dump.Saved(OLD, site).read(name) for name in ("settings", "project_settings", "metrics")}
    model = next(m for m in old["metrics"] if m["type"] == "msqc")
    old["metrics"] += [{**model, "_id": f"x{n}.raw/quant/msqc-v1#f1", "raw_file": f"x{n}.raw", "gradient_length": None, "status": "ok"}
                       for n in range(MANY)]
    for name, docs in old.items():
        for at in range(0, len(docs), 1000):
            site.db.command({"insert": name, "documents": docs[at:at + 1000]})
    for doc in dump.Saved(OLD, site).read("project"):
        site.db.insert("project", doc)
    return old


def remaining(site: Site) -> int:
    return sum(site.db.count(name, {"_id": {"$gte": ""}}) for name in ("settings", "project_settings", "metrics"))


def all_of(site: Site, name: str) -> list:
    reply = site.db.command({"find": name, "filter": {}, "batchSize": 1000})
    docs, cursor = reply["cursor"]["firstBatch"], reply["cursor"]["id"]
    while cursor:
        reply = site.db.command({"getMore": cursor, "collection": name, "batchSize": 5000})
        docs, cursor = docs + reply["cursor"]["nextBatch"], reply["cursor"]["id"]
    return docs


def new_metrics(old: dict) -> dict:
    ours = old["type"] == "msqc"
    return {BEFORE.get(key, key) if ours else key: value for key, value in old.items() if value is not None and key != "_id"}


def expect_done(site: Site, old: dict) -> None:
    now = {name: all_of(site, name) for name in old}
    for name, docs in now.items():
        equal(sorted(doc.get("trawl_id", "?") for doc in docs), sorted(doc["_id"] for doc in old[name]), f"{name}: each is there once")
        equal([doc["_id"] for doc in docs if not isinstance(doc["_id"], ObjectId)], [], f"{name} without an ObjectId")
        equal([doc for doc in docs if "trawl_migrating" in doc], [], f"{name} that are still held")
    settings = {doc["_id"]: doc for doc in now["settings"]}
    equal(sorted(doc["number"] for doc in now["settings"]), list(range(1, len(settings) + 1)), "numbers of the settings")
    was = {doc["_id"]: doc for doc in old["project_settings"]}
    for doc in now["project_settings"]:
        equal(settings[doc["settings"]]["trawl_id"], was[doc["trawl_id"]]["settings"], f"what {doc['trawl_id']} refers to")
    runs = {doc["_id"]: doc for doc in old["metrics"]}
    for doc in now["metrics"]:
        about = {key: value for key, value in doc.items() if key not in ("_id", "trawl_id", "unknown_metrics")}
        equal(about, new_metrics(runs[doc["trawl_id"]]), doc["trawl_id"])
        unknown = [key for key, value in runs[doc["trawl_id"]].items() if value is None and key not in NO_FIGURES]
        equal(doc.get("unknown_metrics", []), unknown, f"what is not known of {doc['trawl_id']}")


@test
def a_leader_that_is_killed_anywhere_leaves_nothing_undone_and_nothing_twice():
    seed = random.randrange(1 << 30)
    chance = random.Random(seed)
    with Site("migrate", {"quant.seed": "false", "scheduler.lease_ms": 1000}) as site:
        old = saved(site)
        before = {name: site.ask("settings", "show", name)["assignments"] for name in ("slurm", "local")}
        kills = 0
        while kills < KILLS and remaining(site) > MANY // 4:
            scheduler, left = site.start_scheduler(), remaining(site)
            wait_until(lambda left=left: remaining(site) < left, 20, "the migration goes on")
            time.sleep(chance.uniform(0, 0.1))
            scheduler.kill()
            kills += 1
        schema = site.db.one("trawl", "schema")
        holds(kills >= ENOUGH and remaining(site) > 0, f"killed in the middle of it, {kills} times, seed {seed}")
        equal((schema["floor"], schema["version"]), (1, 0), f"the database's version, seed {seed}")
        equal({name: [a["_id"] for a in site.ask("settings", "show", name)["assignments"]] for name in before},
              {name: [a["_id"] for a in uses] for name, uses in before.items()}, "assignments in the middle of it")
        holds(f" of {NEWEST} has been running for " in site.trawl("status").out, "trawl status shows the migration")
        site.start_scheduler()
        wait_until(lambda: site.db.one("trawl", "schema")["version"] == NEWEST, 60, "the migration is done")
        expect_done(site, old)
        holds("migration" not in site.db.one("trawl", "schema"), "nothing is under way")
        holds("migration" not in site.trawl("status").out, "trawl status no longer shows it")


def number_of(at) -> int:
    """The week of a date."""
    return at and int(at.timestamp() * 1000) // WEEK_MS


def saved_index(site: Site) -> None:
    """Contributions and aggregates as 2df774d has left them, with many more projects of the same form."""
    old = {name: dump.Saved(OLD, site).read(name) for name in ("contributions", "aggregates")}
    model = next(c for c in old["contributions"] if c["type"] == "projects")
    sums = next(a for a in old["aggregates"] if a["type"] == "projects")
    for project in range(PROJECTS):
        entity = f"X{project:03}"
        old["aggregates"].append({**sums, "_id": f"projects/{entity}", "entity": entity})
        for week in range(WEEKS):
            contents = {**model["contents"], "created_at": model["contents"]["created_at"] - datetime.timedelta(weeks=week), "size": project + week}
            if week == 0:
                del contents["created_at"]
            old["contributions"].append({**model, "_id": f"projects/{entity}/x{week}.raw", "entity": entity, "raw_file": f"x{week}.raw", "contents": contents})
    for name, docs in old.items():
        for at in range(0, len(docs), 1000):
            site.db.command({"insert": name, "documents": docs[at:at + 1000]})


def summed(aggregate: dict) -> bool:
    return aggregate.get("summed") == aggregate["wanted"] - aggregate.get("by_week", 0)


def members(site: Site, name: str) -> list:
    return [doc for doc in all_of(site, name) if doc["type"] in ("projects", "instruments")]


def expect_summed(site: Site) -> None:
    """All aggregates say that their weeks are summed, and the sums are what a naive count says."""
    equal([a["_id"] for a in members(site, "aggregates") if not summed(a)], [], "aggregates that are not summed")
    expected, found = {}, {}
    for c in members(site, "contributions"):
        if not c["deleted"]:
            key = (c["type"], c["entity"], number_of(c["contents"].get("created_at")), c["contents"]["status"])
            files, size = expected.get(key, (0, 0))
            expected[key] = (files + 1, size + c["contents"]["size"])
    for doc in all_of(site, "sums"):
        for row in doc["rows"]:
            found[(doc["type"], doc["entity"], doc["week"], row["_id"])] = (row["files"], row["size"])
    equal(found, expected, "sums")


@test
def sums_are_made_once_and_right_wherever_the_leader_is_killed():
    seed = random.randrange(1 << 30)
    chance = random.Random(seed)
    with Site("sums", {"quant.seed": "false", "scheduler.lease_ms": 1000}) as site:
        saved_index(site)
        before = {a["_id"]: a for a in members(site, "aggregates")}
        done, kills = 0, 0
        while kills < KILLS and done < len(before) // 2:
            scheduler = site.start_scheduler()
            wait_until(lambda done=done: sum(map(summed, members(site, "aggregates"))) > done, 20, "the migration goes on")
            time.sleep(chance.uniform(0, 0.1))
            scheduler.kill()
            done, kills = sum(map(summed, members(site, "aggregates"))), kills + 1
        schema = site.db.one("trawl", "schema")
        holds(done < len(before), f"killed in the middle of it, {kills} times, seed {seed}")
        equal((schema["floor"], schema["version"]), (2, 1), f"the database's version, seed {seed}")
        first, second = site.start_scheduler(), site.start_scheduler()
        wait_until(lambda: site.db.one("trawl", "schema")["version"] == NEWEST, 60, "the migration is done")
        expect_summed(site)
        now = {a["_id"]: {key: value for key, value in a.items() if key != "summed"} for a in members(site, "aggregates")}
        equal(now, before, "the aggregates")

        # A worker of an earlier version that is still running has folded once more.
        late = {**site.db.one("contributions", "projects/X001/x3.raw"), "_id": "projects/X001/late.raw", "raw_file": "late.raw"}
        site.db.insert("contributions", late)
        site.db.update("aggregates", {"_id": "projects/X001"}, {"$inc": {"wanted": 1, "rev": 1}})
        for process in (first, second):
            process.stop()
        site.start_scheduler()
        wait_until(lambda: summed(site.db.one("aggregates", "projects/X001")), 30, "its sums are complete again")
        expect_summed(site)


@test
def nobody_changes_what_a_migration_holds():
    with Site("held", {"quant.seed": "false"}) as site:
        saved(site)
        [use] = [a for a in site.db.find("project_settings") if a["settings"] == "local-v1"][:1]
        site.db.update("settings", {"_id": "local-v1"}, {"$set": {"trawl_migrating": True}})
        site.db.update("project_settings", {"_id": use["_id"]}, {"$set": {"trawl_migrating": True}})
        answer = site.trawl("settings", "archive", "local-v1")
        holds(answer.code == MISSING and "a migration holds them" in answer.err, f"archive: {answer}")
        answer = site.trawl("settings", "unassign", "local", use["project"], "--scope", use["scope"])
        holds(answer.code == REFUSED and "a migration holds it" in answer.err, f"unassign: {answer}")
        site.start_scheduler()
        wait_until(lambda: (site.db.one("trawl", "schema") or {}).get("version") == NEWEST, 30, "the migration is done")
        equal(site.trawl("settings", "archive", "local-v1").code, OK, "archive")
        equal(site.trawl("settings", "unassign", "local", use["project"], "--scope", use["scope"]).code, OK, "unassign")
        equal(site.db.named("settings", "local-v1")["status"], "inactive", "the status of local-v1")
        equal(site.db.named("project_settings", use["_id"]), None, "the assignment that was removed")


@test
def an_index_of_another_program_keeps_the_old_document():
    """AlphaKraken's settings are unique by name and version: the twin of a document is refused."""
    with Site("unique", {"quant.seed": "false"}) as site:
        old = dump.Saved(OLD, site).read("settings")
        site.db.command({"insert": "settings", "documents": old})
        site.db.command({"createIndexes": "settings", "indexes": [{"key": {"name": 1, "version": 1}, "name": "name_1_version_1", "unique": True}]})
        site.start_scheduler()
        alert = wait_until(lambda: site.db.one("alerts", "migration/database"), 20, "an alert")
        holds(alert["open"] and "name_1_version_1" in alert["text"], f"{alert}")
        equal(sorted(d["_id"] for d in site.db.find("settings")), sorted(d["_id"] for d in old), "settings that are there")
        site.db.command({"dropIndexes": "settings", "index": "name_1_version_1"})
        wait_until(lambda: not remaining(site), 30, "the migration has continued")
        equal(sorted(d["trawl_id"] for d in site.db.find("settings")), sorted(d["_id"] for d in old), "settings afterwards")
        wait_until(lambda: not site.db.one("alerts", "migration/database")["open"], 20, "the alert is closed")


@test
def programs_that_are_older_than_the_database_refuse_with_one_line():
    with Site("floor") as site:
        site.instrument("gen1", "generic")
        scheduler, worker = site.start()
        wait_until(lambda: (site.db.one("trawl", "schema") or {}).get("version") == NEWEST, 20, "a new database has the newest version")
        wait_until(lambda: site.db.find("workers")[0]["kinds"]["index"]["partitions"], 20, "the worker has joined its groups")
        site.db.update("trawl", {"_id": "schema"}, {"$set": {"floor": 99}})
        for words in (("ls",), ("status",), ("pool", "set", "index", "0")):
            answer = site.trawl(*words)
            holds(answer.code == REFUSED and "a newer version of Trawl has changed this database" in answer.err, f"{words}: {answer}")
            equal(len(answer.err.splitlines()), 1, "lines")
        wait_until(lambda: not worker.alive(), 20, "the worker ends")
        equal((worker.child.wait(), len(worker.log("refused"))), (1, 1), "its exit code, and lines that say why")
        late = [site.start_scheduler(), site.start_worker()]
        for process in late:
            wait_until(lambda process=process: not process.alive(), 20, "it ends")
            equal(process.child.wait(), 1, f"exit code of {process.name}")
            with open(process.path, encoding="utf-8") as log:
                lines = log.read().splitlines()
            holds(len(lines) == 1 and "install the newer version on this host" in lines[0], f"{process.name} says {lines}")
        holds(scheduler.alive(), "who leads goes on: only a leader raises the floor")


run()
