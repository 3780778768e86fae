#!/usr/bin/python3
"""Makes old-documents/<version>: a database and its files as a given version of Trawl leaves them when it is ended with
work of every kind under way. README.md says how it is run.

Every state is reached by the version's own programs: tasks stay ready or admitted for want of a slot or of a worker, and
what was running was killed at a chosen write (gate.py). Nothing is written into the database by this script.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE), HERE]

import dump  # noqa: E402
from gate import Gate  # noqa: E402
from harness import BIN, Failed, Process, Servers, equal, flip, wait_until  # noqa: E402
from old_world import MIB, MONTH, ONE, TASKS, World  # noqa: E402


def settle_projects(w: World) -> None:
    for engine, project in (("local", "PLOC"), ("file", "PFIL"), ("slurm", "PSLU")):
        w.must("settings", "new", engine, "--type", "msqc", "--software", "trawl-msqc", "--engine", engine, "--cpus", "1",
               "--mem", "200M", "--time", "00:10:00")
        w.must("project", "new", project, "--name", f"jobs of the engine {engine}")
        w.must("settings", "assign", engine, project)


def deny_name(w: World, name: str) -> None:
    """The backup has another file of this name."""
    folder = f"{w.backup}/keep1/{MONTH}"
    os.makedirs(folder, exist_ok=True)
    w.contents.write(f"{folder}/{name}", f"other {name}", 2000)


REFUSED = ("c_refused.mzML", "c_retried.mzML", "c_skipped.mzML")
FAILED = ("PLOC_failed_exit7.mzML", "PLOC_ignored_exit7.mzML")


def make_history(w: World) -> None:
    for name in REFUSED:
        deny_name(w, name)
    worker, mover = w.work("copy,quant,index"), w.work("move,remove")
    for name in ("PLOC_done.mzML", "damaged.mzML", "again.mzML", "grown.mzML", *REFUSED, *FAILED):
        w.put("keep1", name)
    w.put("old1", "tooold.mzML")
    w.put("grow2", "growing.mzML")
    w.put("wait1", "w1.mzML")
    w.put("rm5", "purged.mzML")
    make_sets(w)
    end_by_name(w)
    for name in FAILED:
        w.wait_status(name, "quanting_failed", 60)
    for name in REFUSED:
        w.wait_status(name, "error", 60)
    w.wait_status("again.mzML", "done_not_quanted", 60)
    w.grow("keep1", "again.mzML", 4000)
    wait_until(lambda: w.raw("again.mzML").get("round") == 1, 60, "again.mzML goes back to monitoring")
    make_retired(w)
    w.wait_ended(60)
    flip(w.backup_of("damaged.mzML"))
    equal(w.trawl("verify", "damaged.mzML").code, 1, "trawl verify of a backup that is damaged")
    w.must("mount", "init", "backup", "keep1", "--why", "its identity")
    for process in (worker, mover):
        process.stop()


def make_sets(w: World) -> None:
    """Folders and sets: with their main file, and without."""
    for name in ("b1.d", "b2.d"):
        make_folder(w, name, ("analysis.tdf_bin", 5000), ("analysis.tdf", 700), ("SampleInfo.xml", 90))
    for name in ("s1.wiff.scan", "s1.wiff2", "s1.wiff"):
        w.put("sciex1", name)


def make_folder(w: World, name: str, *files) -> None:
    folder = f"{w.instruments}/bruker1"
    os.makedirs(f"{folder}/.{name}")
    for inside, size in files:
        w.contents.write(f"{folder}/.{name}/{inside}", f"{name}/{inside}", size)
    os.rename(f"{folder}/.{name}", f"{folder}/{name}")


def end_by_name(w: World) -> None:
    """Thermo's file gets another name; t2.raw ends what is older than it."""
    w.put("thermo1", "r1.raw")
    w.wait_status("r1.raw", "monitoring_acquisition", 20)
    os.rename(f"{w.instruments}/thermo1/r1.raw", f"{w.instruments}/thermo1/r1_CORRUPTED.raw")
    w.wait_status("r1.raw", "acquisition_failed", 30)
    w.put("thermo1", "t2.raw")


def make_retired(w: World) -> None:
    """Moved, removed, and refused by either."""
    moved = (("rm4", "kept.mzML"), ("rm1", "d1.mzML"), ("rm1", "d2.mzML"), ("rm2", "erased.mzML"),
             ("rm3", "d4.mzML"))
    for instrument, name in (*moved, ("mv4", "m_refused.mzML")):
        w.copied(instrument, name)
    os.makedirs(f"{w.instruments}/mv4/Backup")  # two files want one name: no version moves that
    w.contents.write(f"{w.instruments}/mv4/Backup/m_refused.mzML", "other m_refused.mzML", 3000)
    for instrument in ("mv4", "rm1", "rm2", "rm3", "rm4"):
        w.configure(instrument, file_move_delay_m=0)
    w.wait_task("m_refused.mzML/move", "failed", 60)
    for _, name in moved:
        wait_until(lambda name=name: w.raw(name)["instrument_file_status"] == "moved", 60, f"{name} is moved")
    flip(f"{w.instruments}/rm4/Backup/kept.mzML")
    w.configure("rm4", min_free_space_gb=9000000)
    w.wait_task("kept.mzML/remove", "failed", 60)
    wait_until(lambda: w.raw("kept.mzML").get("remove_refused"), 30, "the refusal is noted")
    wait_until(lambda: w.raw("purged.mzML")["instrument_file_status"] == "purged", 60, "purged.mzML is removed")


def lose_a_copy(w: World) -> str:
    """Its worker dies, and the leader gives it to another one."""
    scheduler = w.lead(TRAWL_WORKER_LEASE_MS="3000")
    w.put("keep1", "c_lost.mzML")
    task = w.admitted("c_lost.mzML/copy")
    w.claim("copy", task)
    wait_until(lambda: w.task(task).get("lost") == 1, 30, "the leader gives the task back")
    w.admitted(task)
    scheduler.stop()
    return task


# ---- what is under way ----


def leave_jobs(w: World) -> None:
    """A quantification in every state; wait: its job ends only when all of Trawl has."""
    def quant(name, engine="local"):
        w.put("keep1", name)
        return w.admitted(f"{name}/quant/{engine}-v1")

    for name, engine in (("PSLU_q_parked_wait.mzML", "slurm"), ("PLOC_q_parked_wait.mzML", "local"),
                         ("PFIL_q_waits.mzML", "file"), ("PFIL_q_taken.mzML", "file"), ("PFIL_q_cancel.mzML", "file")):
        w.run_until("quant", quant(name, engine), b"parked_at")
    w.claim("quant", quant("PLOC_q_claimed.mzML"))
    w.claim("quant", quant("PLOC_q_stop.mzML"))
    w.run_until("quant", quant("PLOC_q_named.mzML"), b"kept.job_name")
    w.run_until("quant", quant("PLOC_q_answer.mzML"), b"kept.job_name", before=True, nth=2)
    w.size("cluster_slots", 0)
    for name, engine in LAST_JOBS:
        w.put("keep1", name)
        w.wait_task(f"{name}/quant/{engine}-v1", "ready", 40)


# For the last moment, in the order of their turns.
LAST_JOBS = (("PSLU_q_held.mzML", "slurm"), ("PLOC_q_woken.mzML", "local"), ("PLOC_q_ended.mzML", "local"),
             ("PLOC_q_admitted.mzML", "local"), ("PLOC_q_withdrawn.mzML", "local"), ("PLOC_q_ready.mzML", "local"))


def hold(w: World, task: str, least_ms: int, **env) -> None:
    """A worker gives the task back, held by what is away, with a wait of more than least_ms."""
    for _ in range(20):
        w.admitted(task)
        w.run_until(w.task(task)["kind"], task, b"hold", b"setbacks", TRAWL_RETRY_BASE_MS="60000", TRAWL_RETRY_MAX_MS="60000",
                    **env)
        wait_until(lambda: not w.db.find("slots", {"task": task}), 20, f"the slot of {task} is free")
        if w.task(task)["wait_ms"] > least_ms:
            return
    raise Failed(f"{task} never waits for {least_ms} ms")


def leave_moves(w: World) -> None:
    for instrument, name in (("mv1", "m1.mzML"), ("mv1", "m2.mzML"), ("mv2", "m3.mzML"), ("mv3", "m5.mzML")):
        w.copied(instrument, name)
    w.size("file_move", 4)
    w.configure("mv1", file_move_delay_m=0)
    w.claim("move", first_admitted(w, "m1.mzML/move", "m2.mzML/move"))
    w.configure("mv3", file_move_delay_m=0)
    w.run_until("move", w.admitted("m5.mzML/move"), b"done", b"ended_at", before=True)
    w.configure("mv2", file_move_delay_m=0)
    w.admitted("m3.mzML/move")


def first_admitted(w: World, *tasks: str) -> str:
    """Of one instrument only one has a slot; the others are there, too."""
    wait_until(lambda: all(w.state(t) for t in tasks), 30, f"there are {tasks}")
    return wait_until(lambda: next((t for t in tasks if w.state(t) == "admitted"), None), 30, f"one of {tasks} is admitted")


def leave_removals(w: World) -> None:
    w.size("file_remove", 4)
    w.configure("rm1", min_free_space_gb=9000000)
    w.claim("remove", first_admitted(w, "d1.mzML/remove", "d2.mzML/remove"))
    w.configure("rm2", min_free_space_gb=9000000)
    w.run_until("remove", w.admitted("erased.mzML/remove"), b"done", b"ended_at", before=True)
    w.configure("rm3", min_free_space_gb=9000000)
    w.admitted("d4.mzML/remove")


def leave_copies(w: World) -> list:
    """Returns the workers that are in the middle of their copies, and their gates."""
    def copy(name, size=3000):
        w.put("keep1", name, size)
        return w.admitted(f"{name}/copy")

    w.size("file_copy", 20)
    w.run_until("copy", copy("c_published.mzML"), b"published")
    w.run_until("copy", copy("c_named.mzML"), b"done", b"ended_at", before=True)
    w.claim("copy", copy("c_stop.mzML"))
    copy("c_part.mzML", 4 * MIB)
    half_copied(w, "c_part", w.gate()).kill()
    lose_the_part(w, "c_dead", "dead", TRAWL_RETRY_MAX_ATTEMPTS="1")
    lose_the_part(w, "c_later", "ready", TRAWL_RETRY_BASE_MS="3600000", TRAWL_RETRY_MAX_MS="3600000")
    paused = []
    for name, end, env in (("c_changed", b"failed", {}), ("c_untold", b"dead", {"TRAWL_RETRY_MAX_ATTEMPTS": "1"})):
        gate = w.gate()
        gate.stop(TASKS, copy(f"{name}.mzML", 4 * MIB).encode(), end, b"ended_at")
        worker = half_copied(w, name, gate, **env)
        os.kill(worker.pid, signal.SIGSTOP)
        paused.append((worker, gate))
    return paused


def half_copied(w: World, name: str, gate: Gate, **env) -> Process:
    """A worker that has copied a part of it."""
    def journal():
        return max([os.path.getsize(path) for path in files_below(w.backup, name, ".chunks")], default=0)

    worker = w.work("copy", gate, TRAWL_LOCATION_BACKUP_LIMIT="1", **ONE, **env)
    wait_until(journal, 60, f"a part of {name}")
    size = journal()
    wait_until(lambda: journal() > size, 30, f"more of {name}")
    return worker


def files_below(folder: str, name: str, ending: str) -> list:
    return [f"{top}/{file}" for top, _, files in os.walk(folder) for file in files if name in file and file.endswith(ending)]


def lose_the_part(w: World, name: str, state: str, **env) -> None:
    """Somebody clears up in the backup while a worker copies: an error that passes."""
    w.put("keep1", f"{name}.mzML", 4 * MIB)
    task = w.admitted(f"{name}.mzML/copy")
    worker = half_copied(w, name, w.gate(), **env)
    for path in files_below(w.backup, name, ".part"):
        os.unlink(path)
    wait_until(lambda: w.state(task) == state and w.task(task).get("error"), 60, f"{task} is {state} with an error")
    worker.stop()


def leave_waiting_copies(w: World) -> None:
    away = f"{w.instruments}/away1"
    w.size("file_copy", 1)
    w.put("away1", "c_held.mzML")
    w.admitted("c_held.mzML/copy")
    os.rename(away, f"{away}.gone")
    hold(w, "c_held.mzML/copy", 9000)
    w.size("file_copy", 0)
    os.rename(f"{away}.gone", away)
    first = ("c_admitted.mzML", "c_withdrawn.mzML")
    for name in first:
        w.put("keep1", name)
    for name in first:
        w.wait_task(f"{name}/copy", "ready", 30)
    w.size("file_copy", 2)
    for name in first:
        w.admitted(f"{name}/copy")
    w.put("keep1", "c_ready.mzML")
    make_folder(w, "nomain.d", ("analysis.tdf", 700))
    for name in ("c_ready.mzML", "nomain.d", "c_held.mzML"):
        w.wait_task(f"{name}/copy", "ready", 30)


def leave_indexing(w: World) -> None:
    def index(name):
        w.put("grow1", name)
        return w.admitted(f"{name}/index")

    w.size("index", 8)
    w.claim("index", index("i_claimed.mzML"))
    w.run_until("index", index("i_indexed.mzML"), b"done", b"ended_at", before=True)
    index("i_admitted.mzML")
    w.size("index", 0)
    w.put("grow1", "i_ready.mzML")
    w.wait_task("i_ready.mzML/index", "ready", 30)


# ---- the last moment ----


def cut_off(w: World, leader: Gate) -> None:
    """The leader wakes the task of a job that has ended, and gets no further; its watchers see one more thing each."""
    w.put("thermo1", "t3.raw")
    w.wait_status("t3.raw", "monitoring_acquisition", 20)
    tasks = [f"{name}/quant/{engine}-v1" for name, engine in LAST_JOBS]
    held, woken, ended, *others, ready = tasks
    w.size("cluster_slots", 1)
    hold(w, held, 1000, TRAWL_SSH_HOSTS="127.0.0.1:1")
    w.admitted(woken)
    w.size("cluster_slots", 1)
    w.admitted(ended)
    gate = w.gate()
    worker = w.work("quant", gate, **ONE)
    for task in (woken, ended):
        w.wait_task(task, "parked", 40)
    gate.deny(TASKS, woken.encode(), b"running", b"started_at")  # keeps its only thread busy
    open(f"{w.dir}/go-woken", "w").close()
    w.admitted(woken)
    wait_until(lambda: w.task(held)["not_before"].timestamp() < time.time(), 20, f"{held} may go on")
    w.size("cluster_slots", 3)
    for task in (held, *others):
        w.admitted(task)
    wake = leader.stop(TASKS, ended.encode(), b"admitted_at", before=True, alone=True)
    open(f"{w.dir}/go-ended", "w").close()
    wait_until(wake.seen.is_set, 30, f"the leader wakes {ended}")
    worker.kill()
    tasks = [held, woken, ended, *others, ready]
    equal([w.state(task) for task in tasks], ["admitted", "admitted", "parked", "admitted", "admitted", "ready"],
          "the last jobs' tasks")
    leader.deny(b"n1.mzML", b"monitoring_acquisition", b"watch.quiet_ms")
    w.put("grow1", "n1.mzML")
    wait_until(lambda: w.raw("n1.mzML"), 20, "n1.mzML is found")
    renamed = leader.stop(b"t3.raw", b"File got renamed")
    os.rename(f"{w.instruments}/thermo1/t3.raw", f"{w.instruments}/thermo1/t3_CORRUPTED.raw")
    wait_until(renamed.seen.is_set, 20, "t3.raw is seen renamed")


def go_on_without(w: World, paused: list) -> None:
    """What happens while nobody leads: copies fail, operators give orders, jobs end, files grow."""
    w.grow("keep1", "c_changed.mzML", 4 * MIB + 1000)
    for path in files_below(w.backup, "c_untold", ".part"):
        os.unlink(path)
    for worker, gate in paused:
        os.kill(worker.pid, signal.SIGCONT)
        wait_until(gate.shut.is_set, 60, "a copy that was under way fails")
        worker.kill()
    for task in ("PFIL_q_cancel.mzML/quant/file-v1", "PLOC_q_stop.mzML/quant/local-v1", "PLOC_q_withdrawn.mzML/quant/local-v1",
                 "c_stop.mzML/copy", "c_withdrawn.mzML/copy"):
        w.must("task", "cancel", task, "--why", "not needed")
    os.unlink(f"{w.backup}/keep1/{MONTH}/c_retried.mzML")
    w.must("task", "retry", "c_retried.mzML/copy", "--why", "the other file is gone")
    w.must("task", "skip", "c_skipped.mzML/copy", "--why", "not needed")
    w.must("task", "ignore", "PLOC_ignored_exit7.mzML/quant/local-v1", "--why", "a test file")
    open(f"{w.dir}/go", "w").close()
    for task in ("PSLU_q_parked_wait.mzML/quant/slurm-v1", "PLOC_q_parked_wait.mzML/quant/local-v1"):
        status = f"{w.task(task)['parked']['folder']}/status.json"
        wait_until(lambda status=status: '"COMPLETED"' in read(status), 60, f"the job of {task} ends")
    take_job_file(w, "PFIL_q_taken.mzML/quant/file-v1")
    w.grow("keep1", "grown.mzML", 4000)
    w.contents.write(f"{w.instruments}/bruker1/b2.d/analysis.tdf_bin", "b2.d/analysis.tdf_bin", 6000)


def read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def take_job_file(w: World, task: str) -> None:
    """As the site's own program does."""
    parked = w.task(task)["parked"]
    job = f"{w.output}/job_queue/{parked['job_name']}.job"
    os.rename(job, f"{job}.processed")
    with open(f"{parked['output']}/msqc_results.tsv", "w") as out:
        out.write("ms1_scans\tms2_scans\tstatus\n100\t200\tok\n")
    with open(f"{parked['output']}/job_status.log", "w") as out:
        out.write("Starting\nCOMPLETED\n")


# ---- saving ----


def save(w: World, folder: str) -> None:
    os.makedirs(folder, exist_ok=True)
    host = re.escape(socket.gethostname())
    words = [(re.escape(path), name) for path, name in dump.places(w)]
    words += [(f"(?<![A-Za-z0-9]){host}(?![A-Za-z0-9])", "oldhost"), (r'"source": "/dev/[^"]*"', '"source": "/dev/olddisk"'),
              (" root root ", " kim kim "), (MONTH, "@MONTH@")]
    for collection in dump.COLLECTIONS:
        docs = sorted(w.db.find(collection), key=lambda doc: doc["_id"])
        dump.write_lines(f"{folder}/{collection}.jsonl", docs, words)
    files = [{"path": path, **dump.describe(path, w.contents)}
             for place in ("instruments", "backup", "output", "settings", "slurm") for path in dump.tree(getattr(w, place))
             if not dump.is_plain(path) and not is_left_out(w, path)]
    dump.write_lines(f"{folder}/files.jsonl", files, words)


def is_left_out(w: World, path: str) -> bool:
    """The scripts, of which every version brings its own, and what another cluster's next job of that number writes to."""
    return f"{w.slurm}/scripts" in path or re.search(r"/slurm-\d+\.out$", path) is not None


def main() -> None:
    version = subprocess.run([f"{BIN}/cli/trawl", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    with Servers("kafka") as own:
        own.up("kafka")
        with World(own.settings()) as w:
            w.configure("keep1", max_copies=1000)
            for name in ("wait1", "away1", "mv1", "mv2", "mv3", "mv4", "rm1", "rm2", "rm3", "rm4"):
                w.configure(name, min_file_age_days=0)
            w.configure("rm5", min_file_age_days=0, file_move_delay_m=0, min_free_space_gb=9000000)
            w.configure("wait1", file_move_delay_m=1000000)
            for name in ("grow1", "grow2"):
                w.configure(name, quiet_s=86400, size_check_s=86400)
            w.configure("old1", ignore_older_than_h=0)
            w.configure("thermo1", type="thermo", size_check_s=86400, missing_main_s=1)
            w.configure("bruker1", type="bruker", missing_main_s=1)
            w.configure("sciex1", type="sciex")
            settle_projects(w)
            scheduler = w.lead()
            make_history(w)
            scheduler.stop()
            lost = lose_a_copy(w)
            leader = w.gate()
            scheduler = w.lead(leader)
            w.claim("copy", lost)
            helper = w.work("copy,index")
            leave_jobs(w)
            leave_moves(w)
            leave_removals(w)
            helper.stop()
            helper = w.work("index")
            paused = leave_copies(w)
            leave_waiting_copies(w)
            helper.stop()
            leave_indexing(w)
            cut_off(w, leader)
            scheduler.kill()
            go_on_without(w, paused)
            save(w, sys.argv[1])
            print(f"{sys.argv[1]}: by {version}")


main()
