"""Sites without a cluster: jobs as processes of the worker's host, and jobs as files that another program takes."""

import shlex

from harness import *


def without_cluster(name, engine):
    site = Site(name, {"quant.engine": engine})
    for key in [k for k in site.env if k.startswith("TRAWL_SSH_") or k.endswith("_CLUSTER")]:
        del site.env[key]
    site.env["TRAWL_LOCATION_SOFTWARE_WORKER"] = site.software
    site.instrument("gen1", "generic")
    return site


def quant(name):
    return f"{name}/quant/msqc-v1"


def counting(site, then):
    """The software counts its runs, and then does something else."""
    shutil.copy(f"{site.software}/trawl-msqc", f"{site.software}/real-msqc")
    site.install_software(f'echo x >>{site.dir}/ran\n{then}\nexec {site.software}/real-msqc "$@"')


def ran(site):
    try:
        with open(f"{site.dir}/ran", encoding="utf-8") as file:
            return len(file.readlines())
    except FileNotFoundError:
        return 0


@test
def a_whole_site_runs_without_a_cluster():
    with without_cluster("local", "local") as site:
        site.start()
        good, fails = [site.acquire("generic", "gen1", prefix=p)[0]["name"] for p in ("good", "fails")]
        site.wait_status(good, "done", 40)
        site.wait_status(fails, "done", 40)
        task = site.task(quant(good))
        equal((task["kept"]["engine"], task["result"]["job_state"]), ("local", "COMPLETED"), "the job")
        [metrics] = site.db.find("metrics", {"raw_file": good})
        holds(metrics["ms1_scans"] > 0 and metrics["time_elapsed"] >= 0, f"metrics {metrics}")
        site.install_software("echo no licence; exit 9")
        holds(site.trawl("rerun", fails).code == 0, "rerun")
        raw = site.wait_status(fails, "quanting_failed", 40)
        holds("exit code 9" in raw["status_details"] and "no licence" in raw["status_details"], raw["status_details"])
        site.expect_nothing_left()


@test
def a_process_outlives_its_worker_and_is_found_again():
    with without_cluster("outlive", "local") as site:
        counting(site, "sleep 3")
        _, worker = site.start()
        name = site.acquire("generic", "gen1")[0]["name"]
        job = site.wait_task(quant(name), "parked", 30)["parked"]["job_id"]
        wait_until(lambda: ran(site) == 1, 10, "it runs")
        holds(f"waits for the process {job}" in site.trawl("why", quant(name)).out, "trawl why")
        worker.kill()
        holds(os.path.exists(f"/proc/{job}"), "the job goes on")
        site.start_worker()
        site.wait_status(name, "done", 60)
        equal((ran(site), site.task(quant(name))["result"]["job_id"]), (1, job), "runs and the job")
        site.expect_nothing_left()


@test
def a_process_is_stopped_and_one_that_is_lost_runs_again():
    with without_cluster("stop", "local") as site:
        counting(site, f"[ -e {site.dir}/go ] || sleep 300")
        site.start()
        name = site.acquire("generic", "gen1")[0]["name"]
        job = site.wait_task(quant(name), "parked", 30)["parked"]["job_id"]
        wait_until(lambda: ran(site) == 1, 10, "it runs")
        with open(f"{site.dir}/go", "w", encoding="utf-8"):
            pass
        os.killpg(job, signal.SIGKILL)  # as when its host goes down
        site.wait_status(name, "done", 60)
        equal((ran(site), site.task(quant(name))["attempt"]), (2, 1), "runs, and attempts that count")
        os.unlink(f"{site.dir}/go")
        holds(site.trawl("rerun", name).code == 0, "rerun")
        wait_until(lambda: ran(site) == 3, 30, "it runs again")
        job = site.wait_task(quant(name), "parked", 30)["parked"]["job_id"]
        holds(site.trawl("task", "cancel", quant(name)).code == 0, "cancel")
        site.wait_task(quant(name), "cancelled")
        wait_until(lambda: not os.path.exists(f"/proc/{job}"), 10, "the process is gone")
        site.expect_nothing_left()


def serve(site, outcome=None):
    """What a site's own program does with the job files; returns the names that it took."""
    taken = []
    for path in sorted(glob_jobs(site)):
        with open(path, encoding="utf-8") as file:
            job = dict(line.rstrip("\n").split("=", 1) for line in file)
        with open(f"{job['OUTPUT_PATH']}/job_status.log", "w", encoding="utf-8") as status:
            status.write("Starting\n")
        os.rename(path, f"{path}.processed")
        done = subprocess.run(shlex.split(job["CUSTOM_COMMAND"]), cwd=job["OUTPUT_PATH"], capture_output=True, check=False)
        with open(f"{job['OUTPUT_PATH']}/job_status.log", "a", encoding="utf-8") as status:
            status.write((outcome or ("COMPLETED" if done.returncode == 0 else "FAILED")) + "\n")
        taken.append(job["RAW_FILE_ID"])
    return taken


def glob_jobs(site):
    try:
        return [f"{site.output}/job_queue/{n}" for n in os.listdir(f"{site.output}/job_queue") if n.endswith(".job")]
    except FileNotFoundError:
        return []


@test
def job_files_are_taken_by_another_program():
    with without_cluster("files", "file") as site:
        _, worker = site.start()
        names = [site.acquire("generic", "gen1", prefix=p)[0]["name"] for p in ("first", "second")]
        wait_until(lambda: len(glob_jobs(site)) == 2, 40, "two job files")
        worker.kill()  # who waits for them dies, and another one goes on
        site.start_worker()
        equal(sorted(serve(site)), sorted(names), "raw files of the jobs")
        for name in names:
            site.wait_status(name, "done", 40)
            holds(site.db.find("metrics", {"raw_file": name})[0]["ms1_scans"] > 0, "metrics")
        equal(glob_jobs(site), [], "job files")
        holds(site.trawl("rerun", names[0]).code == 0, "rerun")
        wait_until(lambda: glob_jobs(site), 20, "a job file")
        serve(site, "FAILED")
        raw = site.wait_status(names[0], "quanting_failed", 40)
        holds("FAILED: job" in raw["status_details"], raw["status_details"])
        site.expect_nothing_left()


run()
