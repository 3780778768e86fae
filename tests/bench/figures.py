"""What the benches share: one JSON line a figure, interleaved runs of peers, medians."""
import contextlib
import glob
import json
import os
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True
BIN = os.environ["TRAWL_TEST_BIN"]
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "integration"))


class Bench:
    def __init__(self, name: str):
        self.name = name

    def figure(self, case: str, figure: str, value: float, unit: str) -> None:
        print(json.dumps({"bench": self.name, "case": case, "figure": figure, "value": round(value, 3), "unit": unit}),
              flush=True)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def seconds(run) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def shell(command: str) -> None:
    subprocess.run(["bash", "-euc", command], check=True, stdout=subprocess.DEVNULL)


def interleaved(rounds: int, prepare, runs: dict) -> dict:
    """Median seconds of each run; every round makes each once, in turns, so that a noisy minute hits all alike."""
    taken = {name: [] for name in runs}
    for n in range(rounds):
        names = list(runs)
        for name in names[n % len(names):] + names[:n % len(names)]:
            prepare()
            taken[name].append(seconds(runs[name]))
            say(f"  {name}: {taken[name][-1]:.2f} s")
    return {name: statistics.median(values) for name, values in taken.items()}


def rss_mib(pid: int, peak: bool = False) -> float:
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmHWM:" if peak else "VmRSS:"):
                return int(line.split()[1]) / 1024
    raise RuntimeError(f"no memory figure for process {pid}")


def pid_of(world: str, server: str) -> int:
    """The process of a server of this world; 0: it runs elsewhere."""
    mark = f"TRAWL_LOCAL_OF={world}/{server}".encode()
    for path in glob.glob("/proc/[0-9]*/environ"):
        with contextlib.suppress(OSError), open(path, "rb") as environ:
            if mark in environ.read().split(b"\0"):
                return int(path.split("/")[2])
    return 0


def cpu_seconds(pid: int) -> float:
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
