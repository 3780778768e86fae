"""observer.py ADDRESS DATABASE FOLDER - look at slots, pools, running tasks and leases all the time, and write what changed.

A program of its own, beside the run: it talks to the store directly and shares nothing with the engine. Each line of
samples.jsonl is
{"at": monotonic seconds, "slots": {id: [task, fence]}, "pools": {id: size}, "tasks": {id: [state, fence, slot, worker]}, "epoch": n,
"errors": {id: [state, attempt, setbacks, {kind, msg, at, attempt, ...}]} of what waits for its next try or has failed};
each line of raw_files.jsonl is {"at": …, "raw_files": {id: status}} of those that changed.
It ends with SIGTERM. A store that is away is looked at again a moment later.
"""

import itertools
import json
import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "integration"))
sys.dont_write_bytecode = True
from mongo import Mongo, MongoError  # noqa: E402

PERIOD_S = 0.05
RAW_FILES_EVERY = 10  # periods
HOLDING = {"state": {"$in": ["admitted", "running", "parked"]}}
SET_BACK = {"state": {"$in": ["ready", "failed", "dead"]}, "error": {"$exists": True}}


def tasks_of(db, which: dict, *fields: str) -> list:
    reply = db.command({"find": "tasks", "filter": which, "batchSize": 10000, "singleBatch": True,
                        "projection": dict.fromkeys(fields, 1)})
    return reply["cursor"]["firstBatch"]


def look(db) -> dict:
    """Tasks are read before slots: what holds a slot in the first reading was given it before the second."""
    tasks = {t["_id"]: [t["state"], t["fence"], t.get("slot"), t.get("worker")]
             for t in tasks_of(db, HOLDING, "state", "fence", "slot", "worker")}
    errors = {t["_id"]: [t["state"], t["attempt"], t.get("setbacks", 0), t["error"]]
              for t in tasks_of(db, SET_BACK, "state", "attempt", "setbacks", "error")}
    slots = {s["_id"]: [s["task"], s["fence"]] for s in db.find("slots") if s["task"] is not None}
    pools = {p["_id"]: p["slots"] for p in db.find("pools")}
    lease = db.one("leases", "scheduler") or {}
    return {"slots": slots, "pools": pools, "tasks": tasks, "epoch": lease.get("epoch", 0), "errors": errors}


class Writer:
    """The lines of one file: what was looked at, when it was other than before."""

    def __init__(self, path: str, look):
        self.out, self.look, self.last = open(path, "w", encoding="utf-8"), look, None

    def sample(self, db) -> None:
        at = time.monotonic()
        try:
            found = self.look(db)
        except (OSError, MongoError):
            return
        if found != self.last:
            self.out.write(json.dumps({"at": at, **found}, default=str) + "\n")
            self.out.flush()
            self.last = found


class RawFiles:
    def __init__(self):
        self.known = {}

    def __call__(self, db) -> dict:
        reply = db.command({"find": "raw_file", "filter": {}, "batchSize": 10000, "singleBatch": True, "projection": {"status": 1}})
        found = {raw["_id"]: raw["status"] for raw in reply["cursor"]["firstBatch"]}
        changed = {name: status for name, status in found.items() if self.known.get(name) != status}
        self.known = found
        return {"raw_files": changed}


def main() -> int:
    address, database, folder = sys.argv[1:]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    db = Mongo(address, database)
    samples, raw_files = Writer(f"{folder}/samples.jsonl", look), Writer(f"{folder}/raw_files.jsonl", RawFiles())
    for period in itertools.count():
        samples.sample(db)
        if period % RAW_FILES_EVERY == 0:
            raw_files.sample(db)
        time.sleep(PERIOD_S)


if __name__ == "__main__":
    sys.exit(main())
