"""Scheduler and workers as a whole in a guest: an instruments' share, a backup share on another server, and nothing else.

Kafka and the store are this host's; the guest reaches them by the ports that its agent hands on.
"""

import random

from world import *
from harness import Site, write_file

MIB = 1 << 20
PROGRAMS = {"trawl-scheduler": "scheduler", "trawl-worker": "workers"}


def printed_options(site, location: str) -> str:
    """The options that `trawl mount commands` prints, less what only a site knows."""
    said = site.trawl("mount", "commands", location).out
    options = said.split(" -o ", 1)[1].split()[0].strip("'\"").split(",")
    return ",".join(o for o in options if not o.startswith(("credentials=", "uid=", "gid=")))


class Whole(Site):
    """A site whose processes run in the guest."""

    def __init__(self, w, name: str, rate_mib: int = 0):
        tempfile.tempdir = w.dir  # what the host and the guest both see
        super().__init__(f"cifs{name}")
        self.w, self.running = w, []
        for party in ("CLUSTER", "WORKER"):
            self.env[f"TRAWL_LOCATION_BACKUP_{party}"] = w.b.folder
        self.env["TRAWL_LOCATION_BACKUP_LIMIT"] = str(rate_mib)
        self.mounted(w)
        self.folder = f"{w.a.folder}/i1"
        os.makedirs(self.folder)
        self.originals = Originals()

    def mounted(self, w) -> None:
        w.fresh()
        self.instrument("i1", "thermo", folder=False, path=f"{w.a.folder}/i1", skip_quanting="true", still_s=3)
        account = "username=guest,password=,sec=ntlmssp,uid=0,gid=0"
        for samba, location in ((w.a, "i1"), (w.b, "backup")):
            w.one.mount(samba, f"{printed_options(self, location)},{account}")

    def begin(self, program: str, *arguments: str) -> GuestProcess:
        env = {k: v for k, v in self.env.items() if k.startswith(("TRAWL_", "MONGOC_"))}
        process = self.w.one.start(" ".join([f"{BIN}/{PROGRAMS[program]}/{program}", *arguments]), env)
        self.running.append(process)
        return process

    def begin_all(self) -> GuestProcess:
        """The worker."""
        self.begin("trawl-scheduler")
        worker = self.begin("trawl-worker", "--kinds", "copy,index")
        wait_until(lambda: self.db.find("workers") and self.db.find("watches"), 40, "a scheduler that watches, a worker that beats")
        return worker

    def of_type(self, kind: str) -> None:
        self.instrument("i1", kind, folder=False, path=self.folder, skip_quanting="true", still_s=3)

    def drop(self, name: str, size: int) -> str:
        path = write_file(f"{self.folder}/{name}", size, random.randrange(10**6))
        self.originals.note(self.folder)
        return path

    def copying(self, name: str) -> None:
        wait_until(lambda: part_bytes(self.w.b.folder) >= 2 * MIB, 60, f"two MiB of {name} in the backup")

    def expect_done(self, name: str, seconds: float = 60) -> None:
        self.wait_status(name, "done_not_quanted", seconds)
        check_files(self.w.b.folder, self.originals)
        check_manifests(self.w.b.folder)
        check_documents(self)
        equal(self.w.b.attributes(f"i1/{month(self, name)}/{name}"), "D" if os.path.isdir(f"{self.folder}/{name}") else "A", "attributes")

    def close(self) -> None:
        for process in self.running:
            if process.poll() is None:
                process.send("KILL")
                process.wait(60)
        super().close()

    def report(self) -> None:
        for process in self.running:
            print(f"  --- {process.words.split()[0]}, the end of its log:")
            for line in process.text().splitlines()[-15:]:
                print("  " + line[:400])


def month(site, name: str) -> str:
    return site.raw(name)["backup_base_path"].rsplit("/", 1)[1]


def part_bytes(folder: str) -> int:
    """What parts hold, as it is on the server's disk."""
    found = 0
    for top, _, names in os.walk(folder):
        for name in names:
            if ".trawl-" in f"{top}/{name}" and not name.endswith(".chunks"):
                with contextlib.suppress(FileNotFoundError):
                    found += os.stat(f"{top}/{name}").st_blocks * 512
    return found


@case("whole")
def acquisitions_of_every_vendor_are_backed_up_from_share_to_share(w):
    with Whole(w, "kinds") as site:
        site.begin_all()
        site.drop("a.raw", 3 * MIB)
        site.expect_done("a.raw")
    with Whole(w, "folder") as site:
        site.of_type("bruker")
        site.begin_all()
        for name in ("analysis.tdf", "analysis.tdf_bin", "1.m/method.xml", "SampleInfo.xml"):
            os.makedirs(os.path.dirname(f"{site.folder}/b.d/{name}"), exist_ok=True)
            site.drop(f"b.d/{name}", 200_000)
        site.expect_done("b.d")
    with Whole(w, "set") as site:
        site.of_type("sciex")
        site.begin_all()
        for name in ("Enolase_A.wiff", "enolase_a.wiff.scan", "Enolase_A.5ng.wiff", "Enolase_A.5ng.wiff.scan"):
            site.drop(name, 200_000)
        site.expect_done("Enolase_A.wiff")
        site.expect_done("Enolase_A.5ng.wiff")
        equal(sorted(f["path"] for f in site.raw("Enolase_A.wiff")["files"]), ["Enolase_A.wiff", "enolase_a.wiff.scan"], "a set on a share that ignores case")


@case("whole")
def a_killed_worker_costs_bytes_only(w):
    with Whole(w, "kill", rate_mib=2) as site:
        worker = site.begin_all()
        site.drop("kill.raw", 16 * MIB)
        site.copying("kill.raw")
        worker.kill()
        site.begin("trawl-worker", "--kinds", "copy,index")
        site.expect_done("kill.raw", 120)


@case("whole")
def a_cut_connection_to_the_backup_costs_bytes_only(w):
    with Whole(w, "cut", rate_mib=2) as site:
        site.begin_all()
        site.drop("cut.raw", 16 * MIB)
        site.copying("cut.raw")
        holds(w.b.drop() > 0, "a connection to the backup's server was cut")
        site.expect_done("cut.raw", 120)


@case("whole")
def an_instrument_that_hangs_for_a_minute_delays_and_loses_nothing(w):
    with Whole(w, "hang", rate_mib=2) as site:
        site.begin_all()
        site.drop("hang.raw", 16 * MIB)
        site.copying("hang.raw")
        with w.a.silent():
            time.sleep(60)
        site.expect_done("hang.raw", 120)


@case("whole")
def a_file_that_the_instrument_holds_is_waited_for(w):
    with Whole(w, "held") as site:
        site.begin_all()
        site.drop("held.raw", 2 * MIB)
        with w.smb(w.a, "read", "i1/held.raw", 0):
            wait_until(lambda: site.task("held.raw/copy").get("held"), 40, "its copy is held")
            equal(site.task("held.raw/copy")["error"]["code"], "source_busy", "why")
        site.expect_done("held.raw", 60)
        equal(site.task("held.raw/copy")["attempt"], 1, "attempts")
