"""make bench BENCH=watch: what 20 instruments with 5,000 settled raw files each cost at 10 s polls."""
import os
import sys
import time

from figures import Bench, cpu_seconds, rss_mib, say

from harness import Site, wait_until

INSTRUMENTS, FILES, WARM_S, MEASURE_S = 20, int(os.environ.get("TRAWL_TEST_WATCH_FILES", "5000")), 15, 40
bench = Bench("watch")


def settle(site, instrument: str) -> None:
    """Files on the share and the documents that an earlier life of the scheduler would have left."""
    folder = site.instrument(instrument, "thermo", poll_s=10)
    documents = []
    for number in range(FILES):
        name = f"20261121_P123_{instrument}_{number:05}.raw"
        with open(f"{folder}/{name}", "wb") as out:
            out.write(b"settled")
        seen = os.stat(f"{folder}/{name}")
        documents.append({
            "_id": name, "original_name": name, "instrument_id": instrument, "project_id": "_FALLBACK",
            "status": "done", "status_details": "", "size": 7, "rev": 5, "indexed_rev": 5, "dirty": False,
            "settled": True, "instrument_file_status": "initial", "backup_status": "copying_done",
            "watch": {"ino": seen.st_ino, "born_ns": 0, "mtime_ns": seen.st_mtime_ns, "size": 7},
        })
    for at in range(0, FILES, 500):
        site.db.command({"insert": "raw_file", "documents": documents[at:at + 500]})


def known(site) -> int:
    try:
        return len(site.db.find("watches", {"status": "ok"}))
    except OSError:  # the store of this one machine is busy with handing out 100,000 documents
        return 0


def main() -> int:
    with Site("watch", settings={"mongo.timeout_ms": 20000, "scheduler.sweep_ms": 1000, "scheduler.lease_ms": 8000}) as site:
        site.start_scheduler()  # makes the indexes, while there is nothing to index
        wait_until(lambda: site.db.find("pools"), 60, "the database is prepared")
        site.stop()
        for number in range(INSTRUMENTS):
            settle(site, f"inst{number:02}")
        say(f"  {INSTRUMENTS} × {FILES} raw files are there")
        scheduler = site.start_scheduler()
        began = time.monotonic()
        while known(site) < INSTRUMENTS and time.monotonic() - began < 240:
            time.sleep(1)
        bench.figure("20 x 5,000 raw files known, first start", "first_poll_s", time.monotonic() - began, "s")
        time.sleep(WARM_S)
        before = cpu_seconds(scheduler.pid)
        time.sleep(MEASURE_S)
        used = cpu_seconds(scheduler.pid) - before
        bench.figure("20 x 5,000 settled raw files, 10 s polls", "cpu_pct_20x5000", 100 * used / MEASURE_S, "% of one core")
        bench.figure("100,000 raw files", "rss_scheduler_100k_mib", rss_mib(scheduler.pid, peak=True), "MiB")
        found = len(site.logs("raw_file_found")) + len(site.logs("acquisition_goes_on"))
        if found:
            raise RuntimeError(f"{found} settled raw files were taken for new ones: the figures are not of settled files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
