"""make bench BENCH=sizes: what raw files leave in the database, collection by collection, before and after [retention]."""
import datetime
import os
import sys

from figures import Bench

from harness import Site, wait_until
from mongo import encode

FILES = int(os.environ.get("TRAWL_TEST_SIZES_FILES", "25"))  # of each type
PER = 100_000
KINDS = {"thermo1": "thermo", "tims1": "bruker", "zeno1": "sciex", "gen1": "generic"}
COLLECTIONS = ("raw_file", "file_lists", "tasks", "metrics", "contributions", "sums", "aggregates")
bench = Bench("sizes")


def measure(site, case: str) -> None:
    count = site.db.count("raw_file")
    for name in COLLECTIONS:
        docs = site.db.find(name)
        bench.figure(case, f"{name}_documents", len(docs) / count * PER, f"per {PER:,} raw files")
        bench.figure(case, f"{name}_mib", sum(len(encode(doc)) for doc in docs) / count * PER / (1 << 20), "MiB of BSON")


def main() -> int:
    with Site("sizes", {"retention.tasks_days": 1, "pool.cluster_slots": 8}) as site:
        for instrument, kind in KINDS.items():
            site.instrument(instrument, kind)
            site.acquire(kind, instrument, count=FILES, size=30000, gap=0)
        processes = site.start()
        wait_until(lambda: site.db.count("raw_file", {"status": "done", "settled": True, "dirty": False}) == FILES * len(KINDS), 300,
                   "all are done")
        site.wait_settled()
        measure(site, "as they were made")
        long_ago = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=2)
        site.db.update("tasks", {}, {"$set": {"ended_at": long_ago}})
        for process in processes:
            process.stop()
        scheduler = site.start_scheduler()
        wait_until(lambda: scheduler.log("retention"), 60, "a round of retention")
        wait_until(lambda: site.ask("retention")[0]["due"] == 0, 30, "nothing is due")
        measure(site, "[retention] tasks_days later")
    return 0


if __name__ == "__main__":
    sys.exit(main())
