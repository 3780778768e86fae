"""Scheduler and workers as a whole in a guest: an instruments' share, a backup share on another server, and nothing else.

Kafka and the store are this host's; the guest reaches them by the ports that its agent hands on.
"""

import random

from world import *
from harness import Site, part_files, write_file

MIB = 1 << 20
PROGRAMS = {"trawl-scheduler": "scheduler", "trawl-worker": "workers", "trawl": "cli"}
AMPLE = 120  # seconds: an emulated machine on a busy host; no wait is there to measure

# What the product has by default, and more where a slow machine would be taken for a dead one.
SETTINGS = {"mongo.timeout_ms": 30000, "kafka.session_ms": 60000, "kafka.redispatch_ms": 5000, "scheduler.sweep_ms": 1000,
            "scheduler.lease_ms": 30000, "worker.heartbeat_ms": 2000, "worker.lease_ms": 30000, "mount.check_s": 5, "copy.chunk_mib": 1}


class Whole(Site):
    """A site whose processes run in the guest; each kind of instrument has a share of its own there."""

    def __init__(self, w, *kinds: str, rate_mib: int = 0):
        self.w, self.running, self.originals = w, [], Originals()
        kept, tempfile.tempdir = tempfile.tempdir, w.dir  # what the host and the guest both see
        try:
            super().__init__("whole", {**SETTINGS, "location.backup.limit": rate_mib})
        finally:
            tempfile.tempdir = kept
        for party in ("CLUSTER", "WORKER"):
            self.env[f"TRAWL_LOCATION_BACKUP_{party}"] = w.b.folder
        w.fresh()
        for samba in (w.a, w.b):
            w.one.unmount(samba)
        self.mounts = [self.mount("backup", w.b, "share")]
        for kind in kinds:
            os.makedirs(self.of(kind))
            self.instrument(kind, kind, folder=False, path=self.of(kind), skip_quanting="true", poll_s=2, still_s=5, size_check_s=2)
            self.mounts.append(self.mount(kind, w.a, f"share/{kind}"))
        w.one.do(self.command("trawl", "mount", "init", "backup"))

    def mount(self, location: str, samba: Samba, share: str) -> str:
        """By the command that `trawl mount commands` prints, with what it leaves to the operator; the mount's folder."""
        shown = next(shown for shown in self.ask("mount", "commands") if shown["name"] == location)
        command = shown["command"].replace("//HOST/SHARE", f"//10.0.2.2/{share}")
        self.w.one.do(f"mkdir -p /etc/trawl; printf 'username=guest\\npassword=\\n' >/etc/trawl/cifs-{location}; "
                      f"{command},port={samba.port}")
        return shown["path"]

    def of(self, kind: str) -> str:
        return f"{self.w.a.folder}/{kind}"

    def command(self, program: str, *arguments: str) -> str:
        sets = [f"{k}={v}" for k, v in self.env.items() if k.startswith(("TRAWL_", "MONGOC_"))]
        return " ".join(map(shlex.quote, ("env", *sets, f"{BIN}/{PROGRAMS[program]}/{program}", *arguments)))

    def begin(self, program: str, *arguments: str) -> GuestProcess:
        process = self.w.one.start(self.command(program, *arguments))
        self.running.append(process)
        return process

    def begin_all(self) -> GuestProcess:
        """The worker."""
        self.begin("trawl-scheduler")
        worker = self.begin("trawl-worker", "--kinds", "copy,index")
        wait_until(lambda: self.db.find("workers") and self.db.find("watches"), AMPLE, "a scheduler that watches, a worker that beats")
        return worker

    def drop(self, kind: str, name: str, size: int) -> None:
        """On the server, behind the share."""
        path = f"{self.of(kind)}/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        write_file(path, size, random.randrange(10**6))
        self.originals.note(self.of(kind))

    def copying(self) -> None:
        wait_until(lambda: part_bytes(self.w.b.folder) >= 2 * MIB, AMPLE, "two MiB in the backup")

    def expect_done(self, *names: str) -> None:
        for name in names:
            self.wait_status(name, "done_not_quanted", AMPLE)
            shown = self.w.b.attributes(os.path.relpath(self.backup_of(name), self.w.b.folder))
            holds(not set("HS") & set(shown), f"{name} is {shown}")
        originals = self.originals.digests()
        equal(check_files(self.w.b.folder, self.originals), originals, "what is in the backup")
        equal(check_manifests(self.w.b.folder), len(names), "manifests")
        equal(check_documents(self), len(names), "raw files that are copied")
        equal(part_files(self.w.b.folder), [], "leftovers")

    def close(self) -> None:
        for process in self.running:
            if process.poll() is None:
                process.kill()
        self.w.one.do("umount -l " + " ".join(map(shlex.quote, self.mounts)))
        super().close()

    def report(self) -> None:
        for process in self.running:
            print(f"  --- {process.words.split()[-1]}, {process.poll()}, the end of its log:")
            for line in process.text().splitlines()[-15:]:
                print("  " + line[:400])


@case("whole")
def acquisitions_of_every_vendor_are_backed_up_from_share_to_share(w):
    with Whole(w, "thermo", "bruker", "sciex") as site:
        site.begin_all()
        site.drop("thermo", "a.raw", 3 * MIB)
        for name in ("analysis.tdf", "analysis.tdf_bin", "1.m/method.xml", "SampleInfo.xml"):
            site.drop("bruker", f"b.d/{name}", 200_000)
        for name in ("Enolase_A.wiff", "enolase_a.wiff.scan", "Enolase_A.5ng.wiff", "Enolase_A.5ng.wiff.scan"):
            site.drop("sciex", name, 200_000)
        site.expect_done("a.raw", "b.d", "Enolase_A.wiff", "Enolase_A.5ng.wiff")
        equal(sorted(f["path"] for f in site.files("Enolase_A.wiff")), ["Enolase_A.wiff", "enolase_a.wiff.scan"],
              "a set on a share that ignores case")


@case("whole")
def a_killed_worker_costs_bytes_only(w):
    with Whole(w, "thermo", rate_mib=1) as site:
        worker = site.begin_all()
        site.drop("thermo", "kill.raw", 16 * MIB)
        site.copying()
        equal(worker.kill(), 128 + signal.SIGKILL, "the worker was killed while it copied")
        equal(site.raw("kill.raw")["status"], "copying", "status")
        site.begin("trawl-worker", "--kinds", "copy,index")
        site.expect_done("kill.raw")
        equal(site.task("kill.raw/copy")["lost"], 1, "attempts that were lost")


@case("whole")
def a_cut_connection_to_the_backup_costs_bytes_only(w):
    with Whole(w, "thermo", rate_mib=1) as site:
        site.begin_all()
        site.drop("thermo", "cut.raw", 16 * MIB)
        site.copying()
        holds(w.b.drop() > 0, "a connection to the backup's server was cut")
        with w.b.silent():
            time.sleep(10)
        equal(site.raw("cut.raw")["status"], "copying", "status")
        site.expect_done("cut.raw")


@case("whole")
def an_instrument_that_hangs_for_a_minute_is_told_as_hanging_and_loses_nothing(w):
    with Whole(w, "thermo", rate_mib=1) as site:
        site.begin_all()
        site.drop("thermo", "hang.raw", 16 * MIB)
        site.copying()
        with w.a.silent():
            end = time.monotonic() + 60
            wait_until(lambda: site.db.one("watches", "thermo")["status"] == "hangs", AMPLE, "the watch says that it hangs")
            holds("hangs" in site.trawl("status").out, "trawl status says so")
            time.sleep(max(0, end - time.monotonic()))
        site.expect_done("hang.raw")
        wait_until(lambda: site.db.one("watches", "thermo")["status"] == "ok", AMPLE, "the watch says that it is well again")


@case("whole")
def a_file_that_another_client_denies_to_all_is_held_and_costs_no_attempt(w):
    with Whole(w, "thermo") as site:
        site.drop("thermo", "held.raw", 2 * MIB)
        with w.smb(w.a, "read", "thermo/held.raw", 0):
            site.begin_all()
            held = wait_until(lambda: (t := site.task("held.raw/copy")).get("held") and t["state"] == "ready" and t, AMPLE, "its copy is held")
            equal((held["held"]["code"], held["attempt"]), ("source_busy", 0), "why, and attempts that count")
        site.expect_done("held.raw")
        equal(site.task("held.raw/copy")["attempt"], 1, "attempts")
