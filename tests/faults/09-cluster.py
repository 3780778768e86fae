"""Appendix C 9: a cluster that fails in every part, one after the other: jobs run once, reasons are told, all goes on.

The cluster and its head node are this file's own. It limits memory and asks for accounts, as real ones do.
"""

import contextlib
import glob
import tempfile

from check import *

SERVERS = Servers("cluster", "sshd")
SERVERS.env["TRAWL_SLURM_EXTRA"] = "\n".join((
    "AccountingStorageEnforce=associations", "JobAcctGatherParams=OverMemoryKill", "MessageTimeout=3", "SlurmctldTimeout=4",
    "SlurmdTimeout=600"))  # a node is lost when the test says so

# The raw file's name says what its job does; it counts its runs.
SOFTWARE = """echo x >>{dir}/ran-${{1##*/}}
case $1 in
*slow*) [ -e {dir}/go ] || sleep 8; exec {soft}/real-msqc "$@" ;;
*overtime*) echo begins; sleep 300 ;;
*overmemory*) a=$(head -c 150000000 /dev/zero | tr '\\0' x); sleep 60; echo ${{#a}} ;;
*hugelog*) truncate -s 2200000000 log.txt; echo 'the reason stands at the end'; exit 4 ;;
*bigresult*) dd if=/dev/zero of=big bs=100k count=10 status=none || exit 1; exec {soft}/real-msqc "$@" ;;
*fails*) echo 'no licence'; exit 9 ;;
*) exec {soft}/real-msqc "$@" ;;
esac"""


def own_site(name, **settings):
    site = Site(name, {"ssh.connect_ms": 2000, "ssh.command_ms": 20000, **settings}, SERVERS.settings())
    shutil.copy(f"{site.software}/trawl-msqc", f"{site.software}/real-msqc")
    site.install_software(SOFTWARE.format(dir=site.slurm, soft=site.software))
    site.instrument("gen1", "generic")
    site.start()
    wait_until(lambda: site.db.named("settings", "msqc-v1"), 10, "the first settings are made")
    return site


def on_control(*command):
    """As the cluster's administrator."""
    env = {**os.environ, "SLURM_CONF": f"{SERVERS.dir}/cluster/slurm.conf"}
    return subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout


def quant(name):
    return f"{name}/quant/msqc-v1"


def acquire(site, prefix):
    return site.acquire("generic", "gen1", prefix=prefix)[0]["name"]


def ran(site, name):
    try:
        with open(f"{site.slurm}/ran-{name}", encoding="utf-8") as file:
            return len(file.readlines())
    except FileNotFoundError:
        return 0


def running(site, name):
    site.wait_task(quant(name), "parked", 40)
    wait_until(lambda: ran(site, name) == 1, 20, f"{name} runs")


def held(site, name, *parts):
    def look():
        error = site.task(quant(name)).get("error") or {}
        return error.get("kind") == "hold" and error
    msg = wait_until(look, 60, f"{name} is held")["msg"]
    holds(any(part in msg for part in parts), f"why {name} is held: {msg}")
    equal(site.task(quant(name))["attempt"] <= 1, True, f"no attempt of {name} is used up")


def once(site, *names):
    for name in names:
        site.wait_status(name, "done", 90)
        equal((ran(site, name), site.task(quant(name))["attempt"]), (1, 1), f"runs and attempts of {name}")


def pid_of(server):
    """The daemon itself: sshd's sessions carry its mark, too."""
    if server != "sshd":
        return SERVERS.pid(server)
    with open(f"{SERVERS.dir}/pid/sshd.pid", encoding="ascii") as file:
        return int(file.read())


@contextlib.contextmanager
def stopped(server):
    pid = pid_of(server)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def failed(site, name, *parts):
    raw = site.wait_status(name, "quanting_failed", 120)
    for part in parts:
        holds(part in raw["status_details"], f"{name} says '{part}': {raw['status_details']}")
    [metrics] = site.db.find("metrics", {"raw_file": name})
    holds("ms1_scans" not in metrics, f"of a failed run only the time is told: {metrics}")
    return metrics


@test
def jobs_over_their_limits_and_huge_logs_are_told_apart_in_one_line():
    with own_site("limits") as site:
        equal(site.trawl("settings", "new", "msqc", "--time", "00:01:00", "--mem", "60M").code, 0, "tight settings")
        equal(site.trawl("settings", "assign", "msqc-v2", "_FALLBACK", "--filter", "over").code, 0, "assign")
        time_up, memory, log = [acquire(site, p) for p in ("overtime", "overmemory", "hugelog")]
        job = site.wait_task(f"{time_up}/quant/msqc-v2", "parked", 40)["parked"]["job_id"]
        wait_until(lambda: ran(site, time_up) == 1, 20, "it runs")
        on_control("scontrol", "update", f"JobId={job}", "EndTime=now+1")  # its minute is over
        began = time.monotonic()
        failed(site, log, "FAILED: job ", "exit code 4", "the reason stands at the end")
        holds(time.monotonic() - began < 60, "only the end of 2 GB was read")
        holds(len(site.task(quant(log))["kept"]["log_tail"]) <= 8 * 1024, "what is kept of it")
        raw = site.wait_status(memory, "quanting_failed", 90)
        task = site.task(f"{memory}/quant/msqc-v2")
        holds("OUT_OF_MEMORY" in raw["status_details"], raw["status_details"])
        equal(task["kept"]["error_code"], "OUT_OF_MEMORY", "its error code")
        raw = site.wait_status(time_up, "quanting_failed", 150)
        holds("TIMEOUT: job " in raw["status_details"], raw["status_details"])
        holds(site.db.find("metrics", {"raw_file": time_up})[0]["time_elapsed"] >= 1, "its time is told")
        equal(ran(site, time_up), 1, "it is not tried again")
        site.expect_nothing_left()


@test
def a_bad_account_and_partition_fail_at_once_with_the_reason():
    with own_site("account", **{"slurm.account": "nobody"}) as site:
        raw = site.wait_status(acquire(site, "good"), "quanting_failed", 40)
        holds("nvalid account" in raw["status_details"], raw["status_details"])
    with own_site("partition", **{"slurm.partition": "night"}) as site:
        raw = site.wait_status(acquire(site, "good"), "quanting_failed", 40)
        holds("nvalid partition" in raw["status_details"], raw["status_details"])


@test
def a_head_node_that_falls_silent_costs_time_and_nothing_else():
    with own_site("silent") as site:
        slow = acquire(site, "slow")
        running(site, slow)
        with stopped("sshd"):
            sessions = glob_sessions()
            holds(sessions, "there is a session")
            for pid in sessions:
                os.kill(pid, signal.SIGSTOP)
            late = acquire(site, "late")
            held(site, late, "no answer in time", "was cut", "cannot tell")
        for pid in sessions:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        once(site, slow, late)
        site.expect_nothing_left()


def glob_sessions():
    """The processes of the sessions that are open: sshd's children and theirs."""
    def children(pid):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            for child in map(int, file.read().split()):
                yield child
                yield from children(child)
    return list(children(pid_of("sshd")))


@test
def a_controller_that_is_gone_holds_what_is_new_and_forgets_nothing():
    with own_site("ctld") as site:
        slow = acquire(site, "slow")
        running(site, slow)
        wait_saved()
        SERVERS.kill("slurmctld")
        late = acquire(site, "late")
        held(site, late, "nable to contact", "cannot tell", "onnection refused", "was cut", "cannot be taken")
        SERVERS.up("cluster")
        once(site, slow, late)
        site.expect_nothing_left()


def wait_saved():
    """A controller that is killed forgets what it has not saved, and gives the same job ids again."""
    now, saved = time.time(), f"{SERVERS.dir}/cluster/ctld/job_state"
    wait_until(lambda: os.path.exists(saved) and os.path.getmtime(saved) > now + 1, 30, "slurmctld has saved its state")


@test
def a_controller_that_hangs_gets_the_job_once():
    with own_site("hang") as site:
        with stopped("slurmctld"):
            name = acquire(site, "good")
            held(site, name, "cannot tell", "was cut", "no answer in time", "timed out")
        once(site, name)
        site.expect_nothing_left()


@test
def without_accounting_for_a_while_ends_are_known_all_the_same():
    with own_site("dbd") as site:
        slow = acquire(site, "slow")
        running(site, slow)
        SERVERS.kill("slurmdbd")
        fails = acquire(site, "fails")
        failed(site, fails, "exit code 9", "no licence")
        once(site, slow)
        SERVERS.up("cluster")
        site.expect_nothing_left()


@test
def a_node_that_is_lost_costs_no_attempt_and_the_job_runs_again():
    with own_site("node") as site:
        kept, lost = acquire(site, "slow_kept"), acquire(site, "slow_lost")
        running(site, kept)
        running(site, lost)
        job = site.task(quant(lost))["parked"]["job_id"]
        with open(f"{site.slurm}/go", "w", encoding="utf-8"):
            pass
        SERVERS.kill("slurmd")  # its steps go on, and the wrapper's word is enough
        for pid in job_processes(job):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        node = on_control("sinfo", "-h", "-o", "%n").split()[0]
        site.wait_status(kept, "done", 40)
        on_control("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")
        wait_until(lambda: site.task(quant(lost)).get("setbacks", 0) > 0, 60, "the loss is noticed")
        on_control("scontrol", "update", f"NodeName={node}", "State=RESUME")
        SERVERS.up("cluster")
        site.wait_status(lost, "done", 90)
        equal((ran(site, kept), ran(site, lost), site.task(quant(lost))["attempt"]), (1, 2, 1), "runs, and attempts that count")
        site.expect_nothing_left()


def job_processes(job):
    """The job's step and all that it started."""
    found = []
    for path in glob.glob("/proc/[0-9]*/environ"):
        with contextlib.suppress(OSError), open(path, "rb") as environ:
            if f"SLURM_JOB_ID={job}".encode() in environ.read().split(b"\0"):
                found.append(int(path.split("/")[2]))
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        with contextlib.suppress(OSError), open(path, "rb") as line:
            if f"slurmstepd: [{job}." in line.read().decode(errors="replace") and SERVERS.dir in open(
                    path.replace("cmdline", "environ"), "rb").read().decode(errors="replace"):
                found.append(int(path.split("/")[2]))
    return found


@contextlib.contextmanager
def small_disk(folder, size):
    """A file system with little room in the place of a folder."""
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=2777", "tmpfs", folder], check=False).returncode != 0:
        skip("A TMPFS CANNOT BE MOUNTED HERE: A FULL OUTPUT IS NOT TESTED")
    try:
        yield lambda more: subprocess.run(["mount", "-o", f"remount,size={more}", folder], check=True)
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@test
def an_output_without_room_fails_the_job_with_its_reason_and_a_retry_works():
    with own_site("noroom", **{"mount.min_free_mib": 0}) as site, small_disk(site.output, "128k") as resize:
        name = acquire(site, "bigresult")
        failed(site, name, "FAILED: job ", "exit code 1", "No space left on device")
        resize("10m")
        site.retry(quant(name))
        site.wait_status(name, "done", 40)
        site.stop()


@contextlib.contextmanager
def faulty_disk(folder):
    """A file system that fails as told in the place of a folder."""
    with tempfile.TemporaryDirectory() as inside, FaultFs(inside) as fs:
        os.chmod(inside, 0o2777)
        subprocess.run(["mount", "--bind", fs.path, folder], check=True)
        try:
            yield fs
        finally:
            subprocess.run(["umount", "-l", folder], check=True)


@test
def an_output_over_its_quota_fails_the_job_with_its_reason_and_a_retry_works():
    with own_site("quota") as site, faulty_disk(site.output) as fs:
        fs.rules("error=EDQUOT write *big after=131072")
        name = acquire(site, "bigresult")
        failed(site, name, "FAILED: job ", "exit code 1", "Disk quota exceeded")
        fs.rules()
        site.retry(quant(name))
        site.wait_status(name, "done", 40)
        site.stop()


if __name__ == "__main__":
    with SERVERS:
        SERVERS.up("cluster")
        SERVERS.up("sshd")
        run()
