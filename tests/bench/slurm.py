"""make bench BENCH=slurm: submitting against `ssh cluster sbatch` for each job, and watching 1,000 parked jobs."""

import datetime
import os
import random
import statistics
import subprocess
import sys
import time

from smoke import DEFAULTS
from figures import BIN, Bench, cpu_seconds, interleaved, rss_mib, say

from harness import Site, wait_until

SUBMIT, ROUNDS = 200, 3
PARKED = int(os.environ.get("TRAWL_TEST_SLURM_PARKED", "1000"))
ENDED, POLL_S, CYCLES = 60, 10, 5  # POLL_S is the default of [quant] poll_s
bench = Bench("slurm")


class Cluster:
    """The local cluster; its partition is down, so that nothing starts and takes this machine's time."""

    def __init__(self):
        self.dir = os.environ["TRAWL_LOCAL_DIR"]
        self.env = {**os.environ, "SLURM_CONF": f"{self.dir}/cluster/slurm.conf"}
        self.config = f"{self.dir}/sshd/ssh_config"

    def root(self, *command: str) -> str:
        return subprocess.run(command, env=self.env, check=True, capture_output=True, text=True).stdout

    def ssh(self, command: str) -> str:
        return subprocess.run(["ssh", "-F", self.config, "cluster", command], check=True, capture_output=True, text=True).stdout

    def clear(self) -> None:
        self.ssh('scancel -u "$(id -un)"')

    def commands(self) -> int:
        """What sshd was told to run since it started."""
        with open(f"{self.dir}/log/sshd.log", encoding="utf-8", errors="replace") as log:
            return sum("Starting session: command" in line for line in log)

    def requests(self) -> int:
        """What slurmctld was asked by the cluster's user since it started."""
        user = self.ssh("id -un").strip()
        lines = self.root("sdiag").split("statistics by user")[1].splitlines()
        counts = [int(line.split("count:")[1].split()[0]) for line in lines if line.split()[:1] == [user]]
        return counts[0] if counts else 0

    def __enter__(self):
        self.root("scontrol", "update", "PartitionName=main", "State=DOWN")
        return self

    def __exit__(self, *_):
        self.clear()
        self.root("scontrol", "update", "PartitionName=main", "State=UP")


def submit(cluster: Cluster) -> None:
    script = f"{cluster.dir}/bench-job.sh"
    with open(script, "w", encoding="ascii") as out:
        out.write("#!/bin/bash\ntrue\n")
    os.chmod(script, 0o755)
    tags = iter(range(1000))

    def ours() -> None:
        subprocess.run([f"{BIN}/tests/trawl-slurm-bench", str(SUBMIT), f"{os.getpid()}-{next(tags)}"], check=True)

    def theirs() -> None:
        for _ in range(SUBMIT):
            cluster.ssh(f"sbatch --parsable -o /dev/null --mem=50M --time=00:10:00 {script}")

    taken = interleaved(ROUNDS, cluster.clear, {"trawl": ours, "ssh … sbatch": theirs})
    bench.figure(f"{SUBMIT} jobs", "submit_ms_per_job", 1000 * taken["trawl"] / SUBMIT, "ms")
    bench.figure(f"{SUBMIT} jobs, against ssh … sbatch for each", "submit_ratio_ssh_sbatch",
                 taken["ssh … sbatch"] / taken["trawl"], "ratio")


def park(site, cluster: Cluster) -> list:
    """Jobs that wait in the queue, and tasks that wait for them; as after submitting all."""
    prefix = "trawl-bench-"
    ids = [int(n) for n in cluster.ssh(
        f"for n in {{1..{PARKED}}}; do sbatch --parsable -o /dev/null --mem=50M --job-name={prefix}$n-f1 --wrap true; done").split()]
    documents = [{
        "_id": f"raw{n}/quant/msqc-v1", "v": 1, "kind": "quant", "pool": "cluster_slots", "raw_file": f"raw{n}", "state": "parked",
        "attempt": 1, "fence": 2, "epoch": 1, "slot": f"cluster_slots/{n}", "worker": "bench",
        "kept": {"job_id": job, "job_name": f"{prefix}{n}-f1"},
        "parked": {"engine": "slurm", "job_id": job, "job_name": f"{prefix}{n}-f1",
                   "folder": f"{site.slurm}/jobs/2026_11/{prefix}{n}-f1", "output": ""},
    } for n, job in enumerate(ids, 1)]
    for at in range(0, len(documents), 500):
        site.db.command({"insert": "tasks", "documents": documents[at:at + 500]})
    return ids


def ends(cluster: Cluster, worker, ids: list) -> list:
    """Seconds from the end of a job to its line in the worker's log."""
    ended = {}
    for job in random.Random(1).sample(ids, ENDED):
        cluster.root("scancel", str(job))
        ended[job] = time.time()
        time.sleep(2 * POLL_S / ENDED)
    wait_until(lambda: len(worker.log("job_ended")) >= ENDED, 3 * POLL_S, "all ends are noticed")
    stamps = {line["job_id"]: line["ts"] for line in worker.log("job_ended")}
    return [datetime.datetime.fromisoformat(stamps[job].replace("Z", "+00:00")).timestamp() - at for job, at in ended.items()]


def watch(cluster: Cluster) -> None:
    with Site("slurmbench", settings={**DEFAULTS, "quant.poll_s": POLL_S, "log.level": "info"}) as site:
        site.start_scheduler()  # makes the indexes
        wait_until(lambda: site.db.find("pools"), 60, "the database is prepared")
        site.stop()
        ids = park(site, cluster)
        say(f"  {len(ids)} jobs are parked")
        worker = site.start_worker("quant")
        wait_until(lambda: worker.log("cluster_login"), 30, "the first look")
        time.sleep(2 * POLL_S)
        asked, told, used, began = cluster.requests(), cluster.commands(), cpu_seconds(worker.pid), time.monotonic()
        time.sleep(CYCLES * POLL_S)
        cycles = (time.monotonic() - began) / POLL_S
        case = f"{PARKED} parked jobs, a look each {POLL_S} s"
        bench.figure(case, "watch_1000_cpu_ms_per_cycle", 1000 * (cpu_seconds(worker.pid) - used) / cycles, "ms")
        bench.figure(case, "watch_1000_commands_per_cycle", (cluster.commands() - told) / cycles, "commands over SSH")
        bench.figure(case, "watch_1000_requests_per_cycle", (cluster.requests() - asked) / cycles, "requests to slurmctld")
        late = ends(cluster, worker, ids)
        bench.figure(case, "watch_1000_sessions", len(worker.log("cluster_login")), "logins")
        bench.figure(case, "end_noticed_p95_s", statistics.quantiles(late, n=20)[-1], "s")
        bench.figure(case, "rss_quant_1000_mib", rss_mib(worker.pid, peak=True), "MiB")


def main() -> int:
    with Cluster() as cluster:
        submit(cluster)
        cluster.clear()
        watch(cluster)
    return 0


if __name__ == "__main__":
    sys.exit(main())
