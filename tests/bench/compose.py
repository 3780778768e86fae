"""make bench BENCH=compose: the profile `local` in a Docker engine of its own, with the images there and stand-ins for those of Kafka
and MongoDB. `make compose` must have built the images; needs root."""
import os
import re
import statistics
import sys
import time

from figures import ROOT, Bench, say

sys.path.insert(0, f"{ROOT}/tests/compose")

from stack import IMAGES, Host, wait_until  # noqa: E402

from checks import part_files, write_file  # noqa: E402

ROUNDS, IDLE_S = 3, 20
MIB = {"B": 1 / 1048576, "KiB": 1 / 1024, "MiB": 1, "GiB": 1024}
bench = Bench("compose")


def memory(host: Host) -> dict:
    """MiB of each container."""
    lines = host.docker("stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}").stdout.splitlines()
    found = [re.match(r"trawl[_-](\w+)[_-]1 ([0-9.]+)(\w+)", line).groups() for line in lines]
    return {name: float(value) * MIB[unit] for name, value, unit in found}


def copied(host: Host, name: str) -> bool:
    return any(name in names for _, _, names in os.walk(f"{host.dir}/data/backup"))


def one_round(n: int) -> dict:
    with Host("bench") as host:
        folder = host.instrument("gen1", skip_processing="true")
        write_file(f"{folder}/first.mzML", 1 << 20)
        began = time.monotonic()
        host.up()
        wait_until(lambda: copied(host, "first.mzML"), 60, "the first copy")
        found = {"up_to_first_copy_s": time.monotonic() - began}
        if n == 0:
            time.sleep(IDLE_S)
            found["memory"] = memory(host)
            size = int(host.docker("image", "inspect", "-f", "{{.Size}}", IMAGES["IMAGE"]).stdout)
            base = int(host.docker("image", "inspect", "-f", "{{.Size}}", "debian:bookworm-slim").stdout)
            found["image_mib"], found["over_base_mib"] = size / 1048576, (size - base) / 1048576
        host.set(TRAWL_LOCATION_BACKUP_LIMIT=5)
        host.up("copy")  # made again, with the limit
        for k in range(2):
            write_file(f"{folder}/large{k}.mzML", 100 << 20, seed=k)
        wait_until(lambda: part_files(f"{host.dir}/data/backup"), 60, "copies are under way")
        began = time.monotonic()
        host.compose("--profile", "local", "stop")
        found["stop_s"] = time.monotonic() - began
        say(f"  round {n}: {found}")
        return found


def main() -> int:
    rounds = [one_round(n) for n in range(ROUNDS)]
    for figure in ("up_to_first_copy_s", "stop_s"):
        bench.figure("profile local", figure, statistics.median(r[figure] for r in rounds), "s")
    for figure in ("image_mib", "over_base_mib"):
        bench.figure("the image of Trawl", figure, rounds[0][figure], "MiB")
    for name, mib in sorted(rounds[0]["memory"].items()):
        bench.figure(f"{name}, idle", "memory_mib", mib, "MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
