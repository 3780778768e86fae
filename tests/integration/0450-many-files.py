#!/usr/bin/python3
"""An acquisition of a hundred thousand files goes through every kind, and no document grows with it."""

from harness import *
from mongo import encode

FILES = 100_000
FOLDERS = 100
DOCUMENT_MAX = 1 << 20
# Some 1.3 KiB a file in the worker that copies and compares; the scheduler reads a list only for AlphaKraken's file_info.
WORKER_MIB = 60 + FILES * 3 // 2 // 1024
SCHEDULER_MIB = 60
LIMIT_S = 200


def make_folder(path: str) -> None:
    """Small files of different content and size, and the one that makes it a Bruker folder."""
    os.makedirs(path)
    for n in range(FOLDERS):
        folder = f"{path}/folder_{n:02}.m"
        os.mkdir(folder)
        for i in range(FILES // FOLDERS):
            with open(f"{folder}/spectrum_{n:02}_{i:06}.part", "wb") as out:
                out.write(b"%d.%d" % (n, i) * (1 + i % 3))
    write_file(f"{path}/analysis.tdf_bin", 100_000)


def peak_mib(process) -> int:
    with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read()).group(1)) // 1024


def check_documents(site) -> dict:
    """Each document of each collection; the size of the largest by collection."""
    largest = {}
    for collection in site.db.command({"listCollections": 1, "nameOnly": True})["cursor"]["firstBatch"]:
        name = collection["name"]
        rows = site.db.command({"find": name, "filter": {}, "projection": {"_id": 1}, "batchSize": 10000, "singleBatch": True})
        sizes = {row["_id"]: len(encode(site.db.one(name, row["_id"]) or {})) for row in rows["cursor"]["firstBatch"]}
        for key, size in sizes.items():
            holds(size <= DOCUMENT_MAX, f"{key} of {name} has {size} bytes")
        largest[name] = max(sizes.values(), default=0)
    return largest


def lists_of(site) -> set:
    rows = site.db.command({"find": "file_lists", "filter": {}, "projection": {"list": 1}, "batchSize": 10000, "singleBatch": True})
    return {row["list"] for row in rows["cursor"]["firstBatch"]}


def took(since: float, what: str) -> float:
    print(f"  {what}: {time.monotonic() - since:.1f} s", flush=True)
    return time.monotonic()


@test
def a_hundred_thousand_files_are_copied_verified_acquired_again_moved_and_removed():
    # Only production moves and removes.
    with Site("many", {"quant.seed": "false", "copy.digest": "md5", "worker.lease_ms": 20000, "scheduler.lease_ms": 10000}) as site:
        site.env["TRAWL_TRAWL_ENV"] = "production"
        share = site.instrument("tims1", "bruker", still_s=3)
        at = time.monotonic()
        make_folder(f"{share}/.a.d")
        os.rename(f"{share}/.a.d", f"{share}/a.d")
        at = took(at, "made")
        scheduler, worker = site.start_scheduler(), site.start_worker("copy,index,move,remove")
        raw = site.wait_status("a.d", "done_not_quanted", LIMIT_S)
        site.wait_settled(LIMIT_S)
        at = took(at, "copied and indexed")
        first = raw["file_list"]
        equal((first["files"], first["documents"]), (FILES + 1, FILES // 1000 + 1), "the list")
        holds("files" not in raw and "file_info" not in raw, "no list in the raw file's document")
        equal(len({f["path"] for f in site.files("a.d")}), FILES + 1, "files in the list")
        equal(site.db.one("aggregates", "raw_files/a.d")["contents"]["file_count"], FILES + 1, "in the index")
        check_documents(site)
        equal(len(site.ask("show", "a.d")["files"]), FILES + 1, "files that show lists as JSON")
        holds(f"and {FILES + 1 - 1000} more" in site.trawl("show", "a.d").out, "show lists some")
        at = time.monotonic()
        equal(site.trawl("verify", "a.d", "--json").code, 0, "verify")
        at = took(at, "verified")

        write_file(f"{share}/a.d/late.xml", 500, 7)
        flip(f"{share}/a.d/analysis.tdf_bin")
        wait_until(lambda: site.raw("a.d").get("round") == 1, LIMIT_S, "it goes back to monitoring")
        wait_until(lambda: site.raw("a.d").get("superseded") == first or "file_list" in site.raw("a.d"), 10, "its list may be replaced")
        check_documents(site)
        raw = site.wait_status("a.d", "done_not_quanted", LIMIT_S)
        site.wait_settled(LIMIT_S)
        at = took(at, "acquired again")
        holds("superseded" not in raw, "nothing is superseded any more")
        equal(raw["file_list"]["files"], FILES + 2, "files in the new list")
        wait_until(lambda: lists_of(site) == {raw["file_list"]["list"]}, 60, "the other list is deleted")
        equal(site.task("a.d/copy")["input"]["supersedes"], first, "what it replaced")
        check_documents(site)

        site.instrument("tims1", "bruker", still_s=3, file_move_delay_m=0)
        wait_until(lambda: site.raw("a.d").get("instrument_file_status") == "moved", LIMIT_S, "moved")
        at = took(at, "moved")
        equal(site.trawl("verify", "--source", "a.d", "--json").code, 0, "verify --source")
        at = took(at, "original verified")
        site.instrument("tims1", "bruker", still_s=3, file_move_delay_m=0, min_free_space_gb=9000000, min_file_age_days=0)
        wait_until(lambda: site.raw("a.d").get("instrument_file_status") == "purged", LIMIT_S, "removed")
        site.wait_settled(LIMIT_S)
        took(at, "removed")
        equal(site.task("a.d/remove")["result"]["files"], FILES + 2, "files that were removed")
        equal(os.listdir(f"{share}/Backup"), [], "Backup")
        equal(site.trawl("verify", "a.d", "--json").code, 0, "verify, at the end")
        print(f"  largest documents: {check_documents(site)}")
        peaks = {"scheduler": peak_mib(scheduler), "worker": peak_mib(worker)}
        print(f"  peaks in MiB: {peaks}")
        holds(peaks["scheduler"] <= SCHEDULER_MIB and peaks["worker"] <= WORKER_MIB, f"memory: {peaks} MiB")


run()
