"""make bench BENCH=copy: the copy engine against what a lab would type instead, in one run, interleaved.

Each ratio is the peer's median time over ours: above 1 means that we are faster.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from figures import BIN, Bench, interleaved, say, shell

ROUNDS = 5
LARGE = 2 << 30
SMALL_FILES = 10000
bench = Bench("copy")
tool = f"{BIN}/tests/trawl-copy-bench"


class Folder:
    """A place for sources and targets on the disk of the checkout's build, emptied before each run."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="trawl-bench-", dir=os.path.dirname(BIN))
        self.target = f"{self.path}/target"

    def fresh(self):
        shutil.rmtree(self.target, ignore_errors=True)
        os.mkdir(self.target)
        shell("sync")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


def trawl(*options: str) -> str:
    return " ".join([tool, *options])


def ratios(case: str, taken: dict, **peers: str) -> None:
    for figure, peer in peers.items():
        bench.figure(f"{case}, against {peer}", figure, taken[peer] / taken["trawl"], "ratio")


def large(folder: Folder, source: str) -> None:
    target = folder.target
    warm = interleaved(ROUNDS, lambda: (folder.fresh(), shell(f"cat {source} >/dev/null")), {
        "trawl": lambda: shell(trawl("--no-sync", "--readback cache", source, target)),
        "md5sum; cp; md5sum": lambda: shell(f"md5sum {source}; cp {source} {target}/a; md5sum {target}/a"),
        "rclone copy --checksum": lambda: shell(f"rclone copy --checksum {source} {target}"),
        "disk": lambda: shell(f"dd if={source} of={target}/a bs=4M oflag=direct status=none"),
    })
    bench.figure("2 GiB, dd past the page cache: the disk's own rate", "disk_write_mib_per_s", LARGE / (1 << 20) / warm["disk"], "MiB/s")
    bench.figure("2 GiB, page cache warm, of the disk's own rate", "warm_pct_of_disk", 100 * warm["disk"] / warm["trawl"], "%")
    ratios("2 GiB, page cache warm, hash, copy, hash", warm, warm_ratio_md5_cp_md5="md5sum; cp; md5sum",
           warm_ratio_rclone="rclone copy --checksum")
    drop = f"dd if={target}/a iflag=nocache count=0 status=none"
    full = interleaved(ROUNDS, lambda: (folder.fresh(), shell(f"cat {source} >/dev/null")), {
        "trawl": lambda: shell(trawl(source, target)),
        "xxhsum; cp; sync -f; drop; xxhsum": lambda: shell(
            f"xxhsum -H2 {source}; cp {source} {target}/a; sync -f {target}; {drop}; xxhsum -H2 {target}/a"),
        "cp; sync -f": lambda: shell(f"cp {source} {target}/a; sync -f {target}"),
    })
    ratios("2 GiB, fsync and read back from the disk", full, full_ratio_shell="xxhsum; cp; sync -f; drop; xxhsum",
           full_ratio_cp_sync="cp; sync -f")


def memory(folder: Folder, source: str) -> None:
    folder.fresh()
    out = subprocess.run([tool, source, folder.target], check=True, capture_output=True, text=True).stdout
    bench.figure("2 GiB, full guarantee", "rss_copy_mib", json.loads(out)["rss_mib"], "MiB")


def written_so_far(target: str) -> int:
    return sum(os.stat(os.path.join(top, name)).st_blocks * 512
               for top, _, names in os.walk(target) for name in names if name.endswith(".part"))


def resume(folder: Folder, source: str) -> None:
    """Killed about half-way; the next attempt has another fence, as a second worker would."""
    folder.fresh()
    first = subprocess.Popen([tool, "--limit", str(LARGE // 4), source, folder.target], stdout=subprocess.DEVNULL)
    began = time.monotonic()
    while time.monotonic() - began < 2.1:
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.wait()
    out = subprocess.run([tool, "--fence", "2", source, folder.target], check=True, capture_output=True, text=True).stdout
    report = json.loads(out)
    say(f"  after SIGKILL: {report}")
    bench.figure("2 GiB killed at about 50 %, second run", "resume_written_pct", 100 * report["bytes_written"] / LARGE, "%")


def small(folder: Folder) -> None:
    source = f"{folder.path}/many.d"
    os.mkdir(source)
    for number in range(SMALL_FILES):
        with open(f"{source}/{number:05}.dat", "wb") as out:
            out.write(os.urandom(2048 + number % 4096))
    target = folder.target
    taken = interleaved(ROUNDS, folder.fresh, {
        "trawl": lambda: shell(trawl(source, target)),
        "cp -r; sync -f": lambda: shell(f"cp -r {source} {target}/a; sync -f {target}"),
        "rsync -a; rsync -ac --dry-run": lambda: shell(
            f"rsync -a {source}/ {target}/a/; rsync -ac --dry-run {source}/ {target}/a/"),
    })
    ratios("Bruker .d with 10,000 small files, full guarantee", taken, small_ratio_cp_sync="cp -r; sync -f",
           small_ratio_rsync="rsync -a; rsync -ac --dry-run")


def main() -> int:
    with Folder() as folder:
        small(folder)
        source = f"{folder.path}/large.raw"
        shell(f"head -c {LARGE} /dev/urandom >{source}")
        memory(folder, source)
        resume(folder, source)
        large(folder, source)
    return 0


if __name__ == "__main__":
    sys.exit(main())
