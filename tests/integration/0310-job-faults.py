"""Jobs that end badly: the reason is told in one line, the others go on, and a retry works."""

from harness import *

# The raw file's name says what its job does.
SOFTWARE = """case $1 in
*exit7*) echo 'the licence server does not answer'; exit 7 ;;
*nothing*) echo 'all fine'; exit 0 ;;
*endless*) echo 'begins'; sleep 300 ;;
*) exec "${0%/*}/real-msqc" "$@" ;;
esac"""


def faulty(name):
    site = Site(name)
    codes = f"{site.config}/error_codes"
    with open(codes, "w", encoding="utf-8") as out:
        out.write("# ours\n* LICENCE 'licence server'\n")
    site.env["TRAWL_QUANT_ERROR_CODES"] = codes
    shutil.copy(f"{site.software}/trawl-msqc", f"{site.software}/real-msqc")
    site.install_software(SOFTWARE)
    site.instrument("gen1", "generic")
    return site


def acquire(site, *prefixes):
    return [site.acquire("generic", "gen1", prefix=prefix)[0]["name"] for prefix in prefixes]


def quant(name):
    return f"{name}/quant/msqc-v1"


def failed(site, name, *parts):
    """The raw file's end, its task's, and what an operator reads."""
    raw = site.wait_status(name, "quanting_failed", 40)
    task = site.task(quant(name))
    equal((task["state"], task["error"]["kind"], task["attempt"]), ("failed", "permanent", 1), f"the task of {name}")
    why = site.trawl("why", name).out
    for part in parts:
        for where, text in (("the task", task["error"]["msg"]), ("the status", raw["status_details"]), ("trawl why", why)):
            holds(part in text, f"{where} of {name} says '{part}': {text}")
    equal(raw["backup_status"], "copying_done", f"the backup of {name}")
    runs = site.db.find("metrics", {"raw_file": name})
    holds(runs and all("ms1_scans" not in m and m["error_code"] for m in runs), f"a run that failed has no figures: {runs}")
    return task


def on_cluster(site, *command):
    done = subprocess.run(["ssh", "-F", f"{site.world}/sshd/ssh_config", "cluster", *command], capture_output=True, text=True)
    equal(done.returncode, 0, f"{' '.join(command)}: {done.stderr}")
    return done.stdout


def in_queue(site, job_id):
    return str(job_id) in on_cluster(site, "squeue", "-h", "-o", "%A").split()


@test
def jobs_that_fail_or_write_nothing_are_told_apart_and_a_retry_works():
    with faulty("badjobs") as site:
        site.start()
        [cut] = acquire(site, "whole")
        path = f"{site.instruments}/gen1/{cut}"  # cut in the middle, as after an interrupted transfer
        os.truncate(path, os.path.getsize(path) // 2)
        exit7, nothing, good = acquire(site, "exit7", "nothing", "good")
        failed(site, cut, "exit code 3", "log.txt ends:")
        msg = site.task(quant(cut))["error"]["msg"]
        holds(re.search(r"cut|ends|no element|not well-formed|truncated", msg.split("log.txt ends:")[1]), f"why: {msg}")
        task = failed(site, exit7, "FAILED: job ", "exit code 7", "the licence server does not answer")
        holds("the licence server" in task["kept"]["log_tail"], "the end of the log is kept")
        equal(task["kept"]["error_code"], "LICENCE", "the site's own table names the error")
        failed(site, nothing, "COMPLETED: job ", "it wrote no msqc_results.tsv")
        site.wait_status(good, "done", 40)
        site.expect_nothing_left()
        sums = site.db.one("aggregates", "instruments/gen1")["contents"]
        equal((sums["file_count"], sums["error_count"], sums["by_status"]), (4, 3, {"done": 1, "quanting_failed": 3}), "index")

        site.install_software()
        first_job = site.task(quant(exit7))["kept"]["last_job_id"]
        site.retry(quant(exit7))
        site.wait_status(exit7, "done", 40)
        holds(site.task(quant(exit7))["result"]["job_id"] > first_job, "the retry is a new job")
        site.expect_nothing_left()
        equal(site.db.one("aggregates", "instruments/gen1")["contents"]["error_count"], 2, "errors in the index afterwards")
        before = site.task(quant(cut))["kept"]["last_job_id"]
        site.retry(quant(cut))  # the file is still cut
        wait_until(lambda: site.task(quant(cut)).get("kept", {}).get("last_job_id", 0) > before, 30, "it fails again")
        failed(site, cut, "exit code 3")
        site.expect_nothing_left()


@test
def a_job_that_is_cancelled_by_hand_or_by_trawl_ends_and_frees_its_slot():
    with faulty("cancelled") as site:
        site.start()
        by_hand, by_trawl = acquire(site, "endless_hand", "endless_trawl")
        jobs = {n: site.wait_task(quant(n), "parked", 30)["parked"]["job_id"] for n in (by_hand, by_trawl)}
        equal([p["used"] for p in site.ask("pool", "ls") if p["pool"] == "cluster_slots"], [2], "slots of parked tasks")
        for job in jobs.values():
            wait_until(lambda j=job: "RUNNING" in on_cluster(site, "squeue", "-h", "-j", str(j), "-o", "%T"), 20, "it runs")
        on_cluster(site, "scancel", str(jobs[by_hand]))
        failed(site, by_hand, "CANCELLED: job ", "cancelled on the cluster, not by Trawl")

        answer = site.trawl("task", "cancel", quant(by_trawl))
        equal(answer.code, 0, f"trawl task cancel: {answer}")
        site.wait_task(quant(by_trawl), "cancelled")
        raw = site.wait_status(by_trawl, "quanting_failed")
        holds("cancelled by an operator" in raw["status_details"], raw["status_details"])
        wait_until(lambda: not in_queue(site, jobs[by_trawl]), 15, "the job has left the queue")
        site.expect_nothing_left()
        equal(site.trawl("task", "cancel", quant(by_trawl)).code, 5, "cancelling what has ended is refused")

        site.install_software()
        site.retry(quant(by_trawl))
        site.wait_status(by_trawl, "done", 40)
        site.expect_nothing_left()


run()
