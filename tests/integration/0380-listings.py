"""A job that a list does not show has not ended: nothing is started in its place before it is seen to be gone.

The head node's tools are this file's own: each asks the real one, or answers as a site's does that has an old list, or none.
"""

import contextlib
import glob

from harness import *

SERVERS = Servers("sshd")
HOME = f"{SERVERS.dir}/home"
SERVERS.env.update(TRAWL_SSHD_HOME=HOME)
SILENT_S = 60  # workers/job/poll.c
# It notes begin and end of each run, so that two at a time show.
PROGRAM = """echo "begin $$" >>{slurm}/runs
until [ -e {slurm}/go ]; do sleep 0.2; done
echo "end $$" >>{slurm}/runs
exec "${{0%/*}}/real-msqc" "$@\""""
EMPTY = "exit 0"
AWAY = "echo \"$0: error: Unable to contact slurm controller\" >&2; exit 1"
FORGOT = 'echo "slurm_load_jobs error: Invalid job id specified"; exit 0'


def answers(**tools):
    """What the tools say; those that are not named are the real ones."""
    shutil.rmtree(f"{HOME}/bin", ignore_errors=True)
    os.makedirs(f"{HOME}/bin")
    for name, body in tools.items():
        with open(f"{HOME}/bin/{name}", "w", encoding="ascii") as out:
            out.write(f"#!/bin/bash\n{body}\n")
        os.chmod(f"{HOME}/bin/{name}", 0o755)


def own_site(name):
    SERVERS.down("sshd")
    shutil.rmtree(HOME, ignore_errors=True)
    os.makedirs(HOME)
    with open(f"{HOME}/.bashrc", "w", encoding="ascii") as out:
        out.write("PATH=~/bin:$PATH\n")
    SERVERS.up("sshd")
    site = Site(name, {}, SERVERS.settings())
    os.rename(f"{site.software}/trawl-msqc", f"{site.software}/real-msqc")
    site.install_software(PROGRAM.format(slurm=site.slurm))
    site.instrument("gen1", "generic")
    return site


def runs(site):
    try:
        with open(f"{site.slurm}/runs", encoding="ascii") as file:
            return [line.split()[0] for line in file]
    except FileNotFoundError:
        return []


def running(site):
    site.start()
    name = site.acquire("generic", "gen1")[0]["name"]
    parked = site.wait_task(f"{name}/quant/msqc-v1", "parked", 40)["parked"]
    wait_until(lambda: runs(site) == ["begin"], 20, "it runs")
    return name, parked["job_id"]


def let_go(site):
    with open(f"{site.slurm}/go", "w", encoding="ascii"):
        pass


def stays_parked(site, name, job, seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        task = site.task(f"{name}/quant/msqc-v1")
        equal((task["state"], task["parked"]["job_id"], task.get("setbacks", 0)), ("parked", job, 0), "the task waits for its job")
        equal(runs(site), ["begin"], "runs")
        time.sleep(1)


def ends_well(site, name, job):
    let_go(site)
    site.wait_status(name, "done", 40)
    task = site.task(f"{name}/quant/msqc-v1")
    equal((task["result"]["job_id"], task["attempt"], runs(site)), (job, 1, ["begin", "end"]), "job, attempts and runs")
    site.expect_nothing_left()


# nextflow-io/nextflow#316, gwforg/gwf#44
@test
def a_job_that_squeue_does_not_list_is_waited_for():
    with own_site("unlisted") as site:
        answers(squeue=EMPTY)
        name, job = running(site)
        stays_parked(site, name, job, SILENT_S + 12)
        ends_well(site, name, job)


@test
def the_wrappers_word_counts_when_nobody_on_the_cluster_knows_the_job():
    with own_site("forgotten") as site:
        name, job = running(site)
        answers(squeue=EMPTY, sacct=EMPTY, scontrol=FORGOT)
        stays_parked(site, name, job, SILENT_S + 12)
        answers(squeue=EMPTY, sacct=AWAY, scontrol=AWAY)
        stays_parked(site, name, job, 5)
        ends_well(site, name, job)


def job_processes(site):
    """The wrapper and all that it started: whatever runs in the site's folders."""
    found = []
    for path in glob.glob("/proc/[0-9]*/cwd"):
        with contextlib.suppress(OSError):
            if os.readlink(path).startswith((f"{site.slurm}/", f"{site.output}/")):
                found.append(int(path.split("/")[2]))
    return found


@test
def a_job_that_the_cluster_gave_up_and_that_runs_on_is_gone_before_the_next_one_begins():
    with own_site("givenup") as site:
        name, job = running(site)
        lost = f'echo "{job}|$(sed -n "s/^export TRAWL_JOB_NAME=.\\(.*\\).$/\\1/p" {site.slurm}/jobs/*/*/job.env)|NODE_FAIL|1:0|5"'
        answers(squeue=EMPTY, sacct=lost, scancel=EMPTY)
        stays_parked(site, name, job, SILENT_S // 2)  # it shows that it lives
        frozen = job_processes(site)
        holds(frozen, "its processes are found")
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)  # as on a node that nobody reaches
        folder = glob.glob(f"{site.slurm}/jobs/*/trawl-*-f*")[0]
        wait_until(lambda: os.path.exists(f"{folder}/closed"), SILENT_S + 40, "it is closed when it was silent")
        wait_until(lambda: len(runs(site)) == 2, 60, "another one begins")
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
        wait_until(lambda: not set(frozen) & set(job_processes(site)), 30, "the first one sees that it was overtaken, and stops")
        answers()
        let_go(site)
        site.wait_status(name, "done", 60)
        equal(runs(site).count("end"), 1, "runs that came to their end")
        site.stop()


if __name__ == "__main__":
    with SERVERS:
        run()
