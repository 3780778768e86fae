"""observer.py ADDRESS DATABASE FILE - look at slots, pools, running tasks and leases all the time, and write what changed.

A program of its own, beside the run: it talks to the store directly and shares nothing with the engine. Each line is
{"at": monotonic seconds, "slots": {id: [task, fence]}, "pools": {id: size}, "tasks": {id: [state, fence, slot, worker]}, "epoch": n,
"errors": {id: [state, attempt, setbacks, {kind, msg, at, attempt, ...}]} of what is to be tried again or has failed}.
It ends with SIGTERM. A store that is away is looked at again a moment later.
"""

import json
import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "integration"))
sys.dont_write_bytecode = True
from mongo import Mongo, MongoError  # noqa: E402

PERIOD_S = 0.05
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


def main() -> int:
    address, database, path = sys.argv[1:]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    db, last = Mongo(address, database), None
    with open(path, "w", encoding="utf-8") as out:
        while True:
            try:
                found = look(db)
            except (OSError, MongoError):
                found = last
            if found != last:
                out.write(json.dumps({"at": time.monotonic(), **found}, default=str) + "\n")
                out.flush()
                last = found
            time.sleep(PERIOD_S)


if __name__ == "__main__":
    sys.exit(main())
