"""The cluster and the tasks are compared both ways: jobs that no task knows, and tasks whose job is not there."""

import glob

from harness import *


def on_cluster(site, *command):
    done = subprocess.run(["ssh", "-F", f"{site.world}/sshd/ssh_config", "cluster", *command], capture_output=True, text=True)
    equal(done.returncode, 0, f"{' '.join(command)}: {done.stderr}")
    return done.stdout.strip()


def in_queue(site, job):
    return str(job) in on_cluster(site, "squeue", "-h", "-o", "%A").split()


@test
def a_job_that_no_task_knows_is_shown_and_stopped_only_on_a_word():
    with Site("strays") as site:
        site.install_software("sleep 300")
        site.instrument("gen1", "generic")
        site.start()
        name = site.acquire("generic", "gen1")[0]["name"]
        parked = site.wait_task(f"{name}/quant/msqc-v1", "parked", 30)["parked"]
        prefix = parked["job_name"].rsplit("-", 2)[0]
        stray, other = [int(on_cluster(site, "sbatch", "--parsable", "-o", "/dev/null", f"--job-name={job_name}", "--wrap", "'sleep 300'"))
                        for job_name in (f"{prefix}-{'0' * 32}-f1", f"trawl-00000000-{'0' * 32}-f1")]
        try:
            wait_until(lambda: site.trawl("cluster", "strays").code == 1, 20, "the stray is seen")
            found = site.db.find("alerts", {"kind": "stray_job", "open": True})
            equal([a["job_id"] for a in found], [stray], "strays: neither our task's job nor another site's")
            holds(f"trawl cluster cancel {stray}" in site.trawl("status").out, "trawl status tells the next step")
            equal(site.trawl("cluster", "cancel", str(other)).code, 3, "another site's job is none of ours")
            equal(site.trawl("cluster", "cancel", str(parked["job_id"])).code, 3, "a task's job is cancelled with its task")
            seen = found[0]["seen_at"]
            wait_until(lambda: site.db.find("alerts", {"open": True})[0]["seen_at"] > seen, 10, "it is seen again")
            holds(in_queue(site, stray), "it runs on: nobody gave a word")
            equal(site.trawl("cluster", "cancel", str(stray)).code, 0, "cancel")
            wait_until(lambda: not in_queue(site, stray), 15, "it is gone")
            wait_until(lambda: site.trawl("cluster", "strays").code == 0, 15, "the alert is closed")
            holds(in_queue(site, other) and in_queue(site, parked["job_id"]), "the others run on")
        finally:
            on_cluster(site, "scancel", str(stray), str(other))
        task = f"{name}/quant/msqc-v1"
        equal(site.trawl("task", "cancel", task).code, 0, "cancel the task")
        site.wait_task(task, "cancelled")
        equal(site.trawl("task", "retry", task).code, 0, "retry of a task whose job was stopped")
        again = site.wait_task(task, "parked")
        holds(again["parked"]["job_id"] != parked["job_id"], f"a new job: {again['parked']}")
        equal(again.get("setbacks", 0), 0, "it went there straight")
        equal(site.trawl("task", "cancel", task).code, 0, "cancel the task")
        site.wait_task(task, "cancelled")
        site.expect_nothing_left()


def put_back(site, task):
    """As if its worker had handed it back between the submission and the parking. Nobody of ours runs."""
    site.db.update("tasks", {"_id": task}, {"$set": {"state": "ready", "slot": None, "worker": None}, "$unset": {"parked": True}})
    equal(site.trawl("task", "cancel", task).code, 0, "cancel")
    equal(site.task(task)["state"], "cancelled", "it waits for nothing, so it ends at once")


@test
def a_job_whose_task_was_cancelled_before_it_was_parked_is_stopped_or_taken_up_again():
    with Site("givenup") as site:
        go = f"{site.software}/go"
        os.rename(f"{site.software}/trawl-msqc", f"{site.software}/real-msqc")
        site.install_software(f'until [ -e {go} ]; do sleep 0.2; done\nexec "${{0%/*}}/real-msqc" "$@"')
        site.instrument("gen1", "generic")
        site.start()
        name = site.acquire("generic", "gen1")[0]["name"]
        task = f"{name}/quant/msqc-v1"
        job = site.wait_task(task, "parked", 30)["kept"]["job_id"]

        site.stop()
        put_back(site, task)
        equal(site.trawl("task", "retry", task).code, 0, "retry")
        site.start()
        equal(site.wait_task(task, "parked", 30)["parked"]["job_id"], job, "the job that a retry goes on with")

        site.stop()
        put_back(site, task)
        site.start()
        wait_until(lambda: not in_queue(site, job), 30, "the job of a cancelled task is stopped")
        equal(site.db.find("alerts", {"kind": "stray_job"}), [], "alerts: nobody has to do anything")
        with open(go, "w", encoding="ascii"):
            pass
        equal(site.trawl("task", "retry", task).code, 0, "retry")
        done = site.wait_task(task, "done", 60)
        equal((done["kept"]["given_up"], done.get("lost", 0)), (False, 0), "the new job was given up by nobody, and no worker died")
        holds(done["result"]["job_id"] != job, f"the retry had to submit a new job: {done['result']}")
        equal(len(glob.glob(f"{site.slurm}/jobs/*/trawl-*")), 2, "jobs that were submitted")
        site.expect_nothing_left()


run()
