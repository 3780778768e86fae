#!/usr/bin/python3
"""Mounts are proven: a share that is not what it should be holds exactly its own tasks, and no byte is written."""

import ctypes
import struct

from harness import *


class Tmpfs:
    """A share of the test's own, mounted on a folder and taken away again."""

    def __init__(self, path: str, options: str = "size=64m"):
        if os.geteuid() != 0:
            skip("mounting needs root")
        self.path, self.kept = path, f"{path}.kept"
        os.makedirs(path, exist_ok=True)
        os.makedirs(self.kept)
        done = self.call("mount", "-t", "tmpfs", "-o", options, "trawl-share", self.kept)
        if done.returncode != 0:
            os.rmdir(self.kept)
            skip(f"mounting is not allowed here: {done.stderr.strip()}")
        self.call("mount", "--make-private", self.kept)
        self.attach()

    @staticmethod
    def call(*command: str):
        return subprocess.run(command, capture_output=True, text=True, timeout=20)

    def attach(self) -> None:
        done = self.call("mount", "--bind", self.kept, self.path)
        equal(done.returncode, 0, f"mount: {done.stderr}")

    def detach(self) -> None:
        """What the share holds stays; its folder shows what is below."""
        wait_until(lambda: self.call("umount", self.path).returncode == 0, 10, "umount")

    def remount(self, options: str) -> None:
        equal(self.call("mount", "-o", f"remount,bind,{options}", self.path).returncode, 0, "remount")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.call("umount", "-l", self.path)
        self.call("umount", "-l", self.kept)
        os.rmdir(self.kept)


class Hung:
    """A file system over a folder that answers its mounting and then nothing any more."""

    def __init__(self, path: str):
        if os.geteuid() != 0 or not os.path.exists("/dev/fuse"):
            skip("needs root and /dev/fuse")
        self.path, self.libc = path, ctypes.CDLL(None, use_errno=True)
        self.fd = os.open("/dev/fuse", os.O_RDWR)
        options = f"fd={self.fd},rootmode=40000,user_id=0,group_id=0,allow_other"
        if self.libc.mount(b"trawl-hung", path.encode(), b"fuse", 0, options.encode()) != 0:
            os.close(self.fd)
            skip(f"mounting is not allowed here: {os.strerror(ctypes.get_errno())}")
        request = os.read(self.fd, 65536)
        unique = struct.unpack_from("<Q", request, 8)[0]
        reply = struct.pack("<IIIIHHII", 7, 31, 65536, 0, 12, 9, 65536, 1) + bytes(36)
        os.write(self.fd, struct.pack("<IiQ", 16 + len(reply), 0, unique) + reply)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self) -> None:
        """The file system goes away; whoever waits for it gets an error."""
        if self.fd >= 0:
            self.libc.umount2(self.path.encode(), 2)  # MNT_DETACH
            os.close(self.fd)
            self.fd = -1


def calm(name: str, **settings) -> Site:
    """A site that copies and does not quantify, and looks at its locations often."""
    site = Site(name, {"mount.check_s": 1, "mount.deadline_ms": 2000, "quant.seed": "false", **settings})
    return site


def states(site: Site, location: str) -> set:
    return {m["status"] for m in site.db.find("mounts", {"location": location})}


def wait_mount(site: Site, location: str, status: str) -> None:
    wait_until(lambda: states(site, location) == {status}, 20, f"{location} is {status}")


def wait_held(site: Site, raw: str, words: str) -> dict:
    """Wait until the raw file's copy has been held at least twice for this reason."""

    def held():
        task = site.task(f"{raw}/copy")
        error = task.get("error") or {}
        return task if error.get("kind") == "hold" and words in error["msg"] and task.get("setbacks", 0) > 1 else None

    return wait_until(held, 30, f"{raw} is held: {words}")


@test
def copies_wait_for_a_backup_that_is_not_mounted_and_go_on_by_themselves():
    with calm("unmounted") as site, Tmpfs(site.backup) as share:
        folder = site.instrument("thermo1", "thermo")
        equal(site.trawl("mount", "init", "--all").code, 0, "init")
        site.start()
        first = site.acquire("thermo", "thermo1", 2)[0]["name"]
        site.wait_status(first, "done|done_not_quanted")
        wait_mount(site, "backup", "ok")
        share.detach()
        second = site.acquire("thermo", "thermo1", 2, first=3)[0]["name"]
        task = wait_held(site, second, "backup")
        holds("missing" in task["error"]["msg"] and "is not mounted" in task["error"]["msg"], task["error"])
        holds("trawl mount commands backup" in task["error"]["msg"], "the remedy")
        equal(task["attempt"], 0, "attempts that counted")
        wait_mount(site, "backup", "missing")
        equal(states(site, "instrument/thermo1"), {"ok"}, "the instrument meanwhile")
        equal(os.listdir(site.backup), [], "bytes in the folder below the share")
        wait_until(lambda: "not mounted" in site.trawl("why", second).out, 5, "trawl why tells the reason")
        holds("not mounted" in site.trawl("status").out, "trawl status")
        equal(site.trawl("mount", "check", "backup").code, 1, "mount check")
        equal(site.trawl("mount", "status").code, 1, "mount status")
        share.attach()
        site.wait_status(second, "done|done_not_quanted", 40)
        equal(hash_tree(site.backup_of(second)), hash_tree(f"{folder}/{second}"), "the backup")
        wait_mount(site, "backup", "ok")
        equal(site.trawl("mount", "check", "backup").code, 0, "mount check afterwards")


@test
def a_read_only_backup_holds_copies():
    with calm("readonly") as site, Tmpfs(site.backup) as share:
        site.instrument("thermo1", "thermo")
        equal(site.trawl("mount", "init", "backup").code, 0, "init")
        site.start()
        share.remount("ro")
        name = site.acquire("thermo", "thermo1", 2)[0]["name"]
        wait_held(site, name, "read_only")
        share.remount("rw")
        site.wait_status(name, "done|done_not_quanted", 40)


@test
def a_full_backup_holds_copies():
    with calm("full") as site, Tmpfs(site.backup) as share:
        site.instrument("thermo1", "thermo")
        equal(site.trawl("mount", "init", "backup").code, 0, "init")
        ballast = write_file(f"{share.path}/ballast", 56_000_000)
        site.start()
        name = site.acquire("thermo", "thermo1", 2)[0]["name"]
        wait_held(site, name, "full")
        equal(os.listdir(f"{site.backup}").count("thermo1"), 0, "the instrument's folder in the backup")
        os.unlink(ballast)
        site.wait_status(name, "done|done_not_quanted", 40)


@test
def an_instruments_share_that_is_replaced_by_an_empty_folder_loses_no_file():
    with calm("emptied") as site:
        path = f"{site.instruments}/thermo1"
        with Tmpfs(path) as share:
            site.instrument("thermo1", "thermo", missing_main_s=2, size_check_s=3600)
            other = site.instrument("thermo2", "thermo")
            equal(site.trawl("mount", "init", "--all").code, 0, "init")
            site.start()
            open_file = site.acquire("thermo", "thermo1")[0]["name"]
            wait_until(lambda: site.raw(open_file).get("status") == "monitoring_acquisition", 15, "it is followed")
            share.detach()
            wait_until(lambda: (site.db.one("watches", "thermo1") or {}).get("status") == "missing", 15,
                       "the watch says that the share is missing")
            before = site.raw(open_file)["watch"]
            work = site.acquire("thermo", "thermo2", 2)[0]["name"]
            site.wait_status(work, "done|done_not_quanted")  # others go on meanwhile
            time.sleep(4)  # longer than missing_main_s: its clock must stand still
            after = site.raw(open_file)
            equal(after["status"], "monitoring_acquisition", "the open file")
            equal(after["watch"].get("missing_ms"), before.get("missing_ms"), "missing_ms")
            holds("thermo1" in site.trawl("status").out and "not mounted" in site.trawl("status").out, "trawl status")
            share.attach()
            wait_until(lambda: site.db.one("watches", "thermo1")["status"] == "ok", 15, "the share is back")
            site.acquire("thermo", "thermo1", first=2)  # the next file ends the first
            site.wait_status(open_file, "done|done_not_quanted", 30)
            equal(hash_tree(site.backup_of(work)), hash_tree(f"{other}/{work}"), "the other's backup")


@test
def a_share_that_hangs_holds_its_own_instrument_only():
    with calm("hung") as site:
        hung, _ = site.instrument("thermo1", "thermo"), site.instrument("thermo2", "thermo")
        equal(site.trawl("mount", "init", "--all").code, 0, "init")
        scheduler, worker = site.start()
        wait_mount(site, "instrument/thermo1", "ok")
        with Hung(hung) as share:
            wait_until(lambda: site.db.one("watches", "thermo1")["status"] == "hangs", 20, "the watch says that it hangs")
            wait_mount(site, "instrument/thermo1", "hangs")
            work = site.acquire("thermo", "thermo2", 2)[0]["name"]
            site.wait_status(work, "done|done_not_quanted")
            answer = site.trawl("mount", "check", "thermo1")
            equal(answer.code, 1, f"mount check: {answer}")
            holds("hangs" in answer.out and "hangs" in site.trawl("status").out, "shown")
            share.end()
        wait_until(lambda: site.db.one("watches", "thermo1")["status"] == "ok", 20, "the share is back")
        wait_mount(site, "instrument/thermo1", "ok")
        with Hung(hung):
            wait_until(lambda: site.db.one("watches", "thermo1")["status"] == "hangs", 20, "it hangs again")
            equal((scheduler.stop(), worker.stop()), (0, 0), "both stop while it hangs")


@test
def the_wrong_instruments_share_is_not_taken_for_the_right_one():
    with calm("wrong") as site:
        one, two = site.instrument("thermo1", "thermo"), site.instrument("thermo2", "thermo")
        equal(site.trawl("mount", "init", "thermo1", "thermo2").code, 0, "init")
        site.start()
        wait_mount(site, "instrument/thermo1", "ok")
        os.rename(one, f"{one}.away")
        shutil.copytree(two, one)  # a share of thermo2 where thermo1's should be
        write_file(f"{one}/intruder.raw", 1000)
        write_file(f"{one}/intruder2.raw", 1000)
        wait_until(lambda: site.db.one("watches", "thermo1")["status"] == "wrong", 15, "the watch sees it")
        wait_mount(site, "instrument/thermo1", "wrong")
        equal(site.raw("intruder.raw"), {}, "a raw file of the wrong share")
        shutil.rmtree(one)
        os.rename(f"{one}.away", one)
        wait_until(lambda: site.db.one("watches", "thermo1")["status"] == "ok", 15, "the share is back")


@test
def init_never_takes_a_share_from_another_location():
    with calm("init") as site:
        site.instrument("thermo1", "thermo")
        equal(site.trawl("mount", "init").code, 2, "nothing named")
        equal(site.trawl("mount", "init", "nowhere").code, 3, "unknown")
        made = site.ask("mount", "init", "backup", "--why", "first")[0]
        equal((made["written"], made["location"]), (True, "backup"), "what was made")
        again = site.ask("mount", "init", "backup")[0]
        equal((again["written"], again["uuid"]), (False, made["uuid"]), "idempotent")
        equal([(e["verb"], e["why"]) for e in site.ask("log", "--target", "backup")],
              [("mount init", "first"), ("mount init", "")], "the log")
        with open(f"{site.backup}/.trawl-location") as file:
            identity = json.load(file)
        equal((identity["v"], identity["location"], identity["uuid"]), (1, "backup", made["uuid"]), "the file")
        shutil.copy(f"{site.backup}/.trawl-location", f"{site.instruments}/thermo1/")
        refused = site.trawl("mount", "init", "thermo1")
        equal(refused.code, 5, f"another location's share: {refused}")
        os.unlink(f"{site.instruments}/thermo1/.trawl-location")
        os.unlink(f"{site.backup}/.trawl-location")
        refused = site.trawl("mount", "init", "backup")
        equal(refused.code, 5, f"a share without identity for a known location: {refused}")
        holds("mounted" in refused.err, refused.err)
        replaced = site.ask("mount", "init", "backup", "--replace")[0]
        holds(replaced["written"] and replaced["uuid"] != made["uuid"], replaced)
        equal(site.trawl("mount", "check", "backup").code, 0, "check")
        site.db.drop()  # the database is lost: the share's identity is taken over
        adopted = site.ask("mount", "init", "backup")[0]
        equal((adopted["written"], adopted["uuid"]), (False, replaced["uuid"]), "taken over")


@test
def without_init_work_goes_on_unless_it_is_required():
    with calm("require", **{"mount.require": "true"}) as site:
        site.instrument("thermo1", "thermo")
        site.start()
        wait_until(lambda: (site.db.one("watches", "thermo1") or {}).get("status") == "uninitialised", 15, "it waits")
        equal(site.trawl("mount", "init", "--all").code, 0, "init")
        name = site.acquire("thermo", "thermo1", 2)[0]["name"]
        site.wait_status(name, "done|done_not_quanted")
    with calm("relaxed") as site:
        site.instrument("thermo1", "thermo")
        site.start()
        name = site.acquire("thermo", "thermo1", 2)[0]["name"]
        site.wait_status(name, "done|done_not_quanted")
        rows = {r["location"]: r for r in site.ask("mount", "status") if r.get("host") != "(scheduler)"}
        equal((rows["backup"]["status"], rows["backup"]["initialised"]), ("ok", False), "shown as not initialised")


run()
