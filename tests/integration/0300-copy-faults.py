"""What can happen to a copy while it runs: the source changes, the target is full, the worker dies."""

import tempfile

from harness import *

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "old-documents"))
from gate import Gate  # noqa: E402

MIB = 1 << 20


class SlowCopy:
    """A site whose copies wait until the test has set their speed."""

    def __init__(self, name, workers=1, env=None, **keys):
        self.site = Site(name, {"pool.file_copy": 0}, env)
        self.folder = self.site.instrument("thermo1", "thermo", skip_quanting="true", **keys)
        self.workers = self.site.start(workers)[1:]

    def begin(self, name, size, rate=12 * MIB):
        """Drop a file and copy it so slowly that there is time to interfere; returns its path once bytes flow."""
        path = write_file(f"{self.folder}/{name}", size)
        self.site.wait_task(f"{name}/copy", "ready")
        self.site.db.update("tasks", {"_id": f"{name}/copy"}, {"$set": {"input.limit_bytes_per_s": rate}})
        self.open_pool()
        wait_until(lambda: self.progress(name) > 0, 15, f"the copy of {name} is under way")
        holds(not os.path.exists(self.target(name)), "no final name while it is copied")
        return path

    def open_pool(self):
        equal(self.site.trawl("pool", "set", "file_copy", "2").code, 0, "trawl pool set")

    def progress(self, name):
        return max([run["done"] for w in self.site.db.find("workers") for run in w.get("running", [])
                    if run["task"] == f"{name}/copy"], default=0)

    def target(self, name):
        month = self.site.task(f"{name}/copy")["input"]["target_dir"]
        return f"{self.site.env['TRAWL_LOCATION_BACKUP_WORKER']}/{month}/{name}"

    def expect_whole(self, name, seconds=40):
        raw = self.site.wait_status(name, "done_not_quanted", seconds)
        equal(hash_tree(self.site.backup_of(name)), hash_tree(f"{self.folder}/{name}"), f"the backup of {name}")
        equal(raw["size"], os.path.getsize(f"{self.folder}/{name}"), "size in the document")
        self.site.expect_nothing_left()

    def changed(self, name):
        """The log's word on the attempt that met the change."""
        lines = self.site.logs("task_ended", task_id=f"{name}/copy", state="failed")
        return lines[0]["why"] if lines else ""

    def __enter__(self):
        self.site.__enter__()
        return self

    def __exit__(self, *error):
        self.site.__exit__(*error)


@test
def a_file_that_grows_during_its_copy_is_watched_again_and_then_copied_whole():
    with SlowCopy("grows") as copy:
        path = copy.begin("run1.raw", 24 * MIB)
        with open(path, "ab") as raw:
            raw.write(os.urandom(MIB))
        wait_until(lambda: copy.changed("run1.raw"), 20, "the attempt ends")
        holds("source changed: " in copy.changed("run1.raw") and "grew" in copy.changed("run1.raw"), copy.changed("run1.raw"))
        copy.expect_whole("run1.raw")


@test
def a_file_that_shrinks_during_its_copy_is_watched_again_and_then_copied_whole():
    with SlowCopy("shrinks") as copy:
        path = copy.begin("run1.raw", 24 * MIB)
        os.truncate(path, 5 * MIB)
        wait_until(lambda: copy.changed("run1.raw"), 20, "the attempt ends")
        holds("source changed: " in copy.changed("run1.raw") and "shrank" in copy.changed("run1.raw"), copy.changed("run1.raw"))
        copy.expect_whole("run1.raw")


@test
def a_file_that_vanishes_during_its_copy_is_an_error_and_leaves_nothing_behind():
    with SlowCopy("vanishes", missing_main_s=1) as copy:
        path = copy.begin("run1.raw", 24 * MIB)
        os.remove(path)
        raw = copy.site.wait_status("run1.raw", "error|acquisition_failed", 30)
        details = raw["status_details"]
        holds("vanished" in details or "disappeared" in details or "is gone" in details or "No files were found" in details,
              f"what trawl says: {raw['status']}, {details}")
        holds(not os.path.exists(copy.target("run1.raw")), "no final name")
        holds("file_list" not in raw, "no list of files")
        copy.site.expect_nothing_left()
        other = "run2.raw"  # the others go on
        write_file(f"{copy.folder}/{other}", MIB, seed=2)
        copy.expect_whole(other)


def as_root(*command):
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    done = subprocess.run([*sudo, *command], capture_output=True, text=True)
    equal(done.returncode, 0, f"{' '.join(command)}: {done.stderr}")


@test
def a_full_target_holds_the_copy_until_there_is_room():
    place = f"{tempfile.gettempdir()}/trawl-full-{os.getpid()}"
    os.makedirs(place)
    as_root("mount", "-t", "tmpfs", "-o", f"size=32M,mode=0755,uid={os.getuid()}", "trawl-test", place)
    try:
        with SlowCopy("full") as copy:
            site = copy.site
            site.stop()
            site.env.update(TRAWL_LOCATION_BACKUP_WORKER=place, TRAWL_LOCATION_BACKUP_CLUSTER=place)
            site.start()
            copy.open_pool()
            write_file(f"{copy.folder}/big.raw", 40 * MIB)
            task = wait_until(lambda: site.task("big.raw/copy").get("setbacks", 0) > 1 and site.task("big.raw/copy"), 30,
                              "the copy is held")
            msg = task["error"]["msg"]
            equal((task["error"]["kind"], task["attempt"] <= 1), ("hold", True), "how it waits")
            holds("target full" in msg and "40.0 MiB" in msg and place in msg, f"what is needed and where: {msg}")
            why = wait_until(lambda: [t for t in site.ask("why", "big.raw")["tasks"] if t["reason"] == "held"], 10, "why")
            holds("free space" in why[0]["what"], f"trawl why: {why[0]}")
            equal(part_files(place), [], "parts that take the last room away")
            write_file(f"{copy.folder}/small.raw", MIB, seed=2)  # what fits goes on
            site.wait_status("small.raw", "done_not_quanted")
            as_root("mount", "-o", "remount,size=128M", place)
            copy.expect_whole("big.raw")
            equal(part_files(place), [], "parts")
            equal(site.task("big.raw/copy")["attempt"], 1, "attempts that counted")
    finally:
        as_root("umount", place)
        os.rmdir(place)


@test
def a_worker_that_is_killed_in_the_middle_is_replaced_and_the_copy_is_right():
    with SlowCopy("killed", workers=2) as copy:
        site = copy.site
        path = copy.begin("run1.raw", 48 * MIB)
        before = hash_tree(path)
        wait_until(lambda: copy.progress("run1.raw") > 24 * MIB, 15, "half of it is copied")
        pid = next(w["pid"] for w in site.db.find("workers") if any(r["task"] == "run1.raw/copy" for r in w["running"]))
        victim = next(w for w in copy.workers if w.pid == pid)
        victim.kill()
        holds(not os.path.exists(copy.target("run1.raw")), "no final name after the kill")
        copy.expect_whole("run1.raw")
        equal(hash_tree(path), before, "the original")
        task = site.task("run1.raw/copy")
        holds(not task["worker"].split("-")[-2] == str(pid), f"another worker has done it: {task['worker']}")
        equal(task["attempt"], 1, "attempts that counted: a lost worker is not the task's fault")
        equal(len(site.logs("task_lost")), 1, "lost tasks")
        equal(len(site.logs("worker_lost")), 1, "lost workers")
        holds(task["result"]["resumed_bytes"] > 0, f"the second attempt goes on where the first one ended: {task['result']}")


@test
def what_a_worker_published_before_it_died_is_known_by_its_list_and_makes_way():
    with Site("cutoff") as site:
        path = f"{site.instrument('thermo1', 'thermo', skip_quanting='true')}/cut.raw"
        site.start_scheduler()
        gate = Gate(site.db.address[1])
        settling = gate.stop(b"cut.raw/copy", b"done", b"ended_at", before=True)
        worker = site.start_worker("copy", TRAWL_MONGO_URI=gate.uri)
        write_file(path, MIB)
        wait_until(settling.seen.is_set, 40, "the worker settles its copy")
        worker.kill()
        published = site.task("cut.raw/copy")["published"]
        lists = site.db.find("file_lists", {"raw_file": "cut.raw"})
        equal([(p["list"], p["files"], p["documents"]) for p in published], [("cut.raw#0.1", 1, 1)], "references")
        equal([d["_id"] for d in lists], ["cut.raw#0.1/000000"], "lists of files")
        write_file(path, 2 * MIB, seed=2)
        site.start_worker("copy,index")
        wait_until(lambda: site.raw("cut.raw").get("size") == 2 * MIB and site.raw("cut.raw").get("backup_status") == "copying_done", 60,
                   "what was acquired since is copied")
        site.expect_nothing_left()
        equal(hash_tree(site.backup_of("cut.raw")), hash_tree(path), "the backup")
        raw, task = site.raw("cut.raw"), site.task("cut.raw/copy")
        holds(task["result"]["replaced"] and "published" not in task, f"the early copy made way: {task}")
        wait_until(lambda: {d["list"] for d in site.db.find("file_lists")} == {raw["file_list"]["list"]}, 30, "the other list is deleted")
        wait_until(lambda: "old_lists" not in site.raw("cut.raw"), 10, "the mark is taken off")


@test
def the_list_of_a_worker_that_died_serves_the_next_attempt():
    with Site("sameagain") as site:
        path = f"{site.instrument('thermo1', 'thermo', skip_quanting='true')}/same.raw"
        site.start_scheduler()
        gate = Gate(site.db.address[1])
        settling = gate.stop(b"same.raw/copy", b"done", b"ended_at", before=True)
        worker = site.start_worker("copy", TRAWL_MONGO_URI=gate.uri)
        write_file(path, MIB)
        wait_until(settling.seen.is_set, 40, "the worker settles its copy")
        worker.kill()
        site.start_worker("copy,index")
        raw = site.wait_status("same.raw", "done_not_quanted", 60)
        holds(site.task("same.raw/copy")["fence"] > 1, "there was a second attempt")
        equal(raw["file_list"]["list"], "same.raw#0.1", "the list of the first attempt")
        equal([d["list"] for d in site.db.find("file_lists")], ["same.raw#0.1"], "lists")


run()
