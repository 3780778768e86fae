"""The world of a chaos run: servers and processes of its own, each of which can be killed, paused and started again.

Everything of ours reaches its servers through links of the proxy. Only what was started here is ever signalled: processes of
ours by their handle, servers by the mark in their environment (local/lib.sh).
"""

import contextlib
import glob
import os
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), name) for name in ("integration", "faults")]
from faultfs import FaultFs  # noqa: E402
from harness import BIN, ROOT, Failed, Servers, Site, wait_until  # noqa: E402
from plan import INSTRUMENTS, MOVED, OURS, POOLS, QUIET_S, REMOVED, SIZE_CHECK_S, STILL_S, WORKERS  # noqa: E402
from proxy import Proxy  # noqa: E402
from store_faults import StoreFaults  # noqa: E402

SCRIPT = {"store": "store", "kafka": "kafka", "sshd": "sshd", "slurmctld": "cluster"}
OFFSET = {"kafka": 0, "store": 2, "sshd": 3}  # local/README.md

SETTINGS = {
    "kafka.partitions": 6,
    "kafka.session_ms": 1500,  # a worker lives for a quarter of a minute here
    "location.backup.limit": 2,  # most kills find copies under way
    "copy.chunk_mib": 1,
    "copy.streams": 2,
    "retry.max_attempts": 6,
    "mount.deadline_ms": 1500,
    "mount.check_s": 3,
    "ssh.command_ms": 8000,
    **{f"pool.{name}": size for name, size in POOLS.items()},
}
# A job takes a while, so that much happens to it; how long depends on its raw file's name.
SOFTWARE = """sleep $(($(cksum <<<"${1##*/}" | cut -d' ' -f1) % 3))
exec "${0%/*}/real-msqc" "$@"
"""


def descendants(pid: int) -> list:
    found = [pid]
    for each in found:
        for path in glob.glob(f"/proc/{each}/task/*/children"):
            with contextlib.suppress(OSError), open(path) as children:
                found += [int(word) for word in children.read().split()]
    return found


class World:
    def __init__(self, name: str, seed: int):
        self.proxy = Proxy()
        self.faults = StoreFaults(seed)  # without rules until the run begins
        self.servers = Servers("kafka", "store", "cluster", "sshd")
        self.base = int(self.servers.env["TRAWL_PORT_BASE"])
        self.processes = {}  # name -> harness.Process
        self.state = {}      # name -> "up", "starting" or "down"
        self.site = self.backup = self.shares = None
        self.name = name

    # -- start and end --

    def __enter__(self):
        try:
            self.make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def make(self) -> None:
        links = {f"{who}/{server}": self.proxy.link(f"{who}/{server}", self.base + OFFSET[server],
                                                    self.faults if server == "store" else None)
                 for who in OURS for server in ("store", "sshd")}
        links["all/kafka"] = self.proxy.link("all/kafka", self.base + OFFSET["kafka"])
        self.servers.env["TRAWL_LOCAL_KAFKA_ADVERTISED"] = f"127.0.0.1:{links['all/kafka']}"
        ups = [self.server_up(name) for name in ("kafka", "store", "cluster", "sshd")]
        for up in ups:
            out = up.communicate()[0]
            if up.returncode != 0:
                raise Failed(f"{' '.join(up.args)}: {out}")
        os.environ.update(self.servers.environment(), TRAWL_LOCAL_DIR=self.servers.dir)
        os.environ["TRAWL_KAFKA_BROKERS"] = f"127.0.0.1:{links['all/kafka']}"
        self.make_site(links)
        self.state = {name: "up" for name in SCRIPT}

    def make_site(self, links: dict) -> None:
        self.site = Site(self.name, SETTINGS)
        os.rename(f"{self.site.software}/trawl-msqc", f"{self.site.software}/real-msqc")
        self.site.install_software(SOFTWARE)
        self.backup, self.shares = FaultFs(self.site.backup), FaultFs(self.site.instruments, "shares")
        self.site.env["TRAWL_LOCATION_BACKUP_WORKER"] = self.backup.path
        self.site.env["TRAWL_TRAWL_ENV"] = "production"  # elsewhere no original is moved or removed
        for instrument, kind in INSTRUMENTS.items():
            os.makedirs(f"{self.site.instruments}/{instrument}")
            keys = {"still_s": STILL_S, "size_check_s": SIZE_CHECK_S}
            keys |= {"quiet_s": QUIET_S} if kind == "generic" else {}
            keys |= {"file_move_delay_m": 0} if instrument in MOVED else {}
            keys |= {"min_free_space_gb": 9_000_000, "min_file_age_days": 0} if instrument in REMOVED else {}
            self.site.instrument(instrument, kind, folder=False, path=f"{self.shares.path}/{instrument}", **keys)
        with open(f"{self.servers.dir}/sshd/host_ed25519.pub") as pub:
            key = " ".join(pub.read().split()[:2])
        self.env = {}
        for who in OURS:
            hosts = f"{self.site.dir}/known_hosts.{who}"
            with open(hosts, "w") as out:
                out.write(f"[127.0.0.1]:{links[f'{who}/sshd']} {key}\n")
            self.env[who] = {"LD_PRELOAD": f"{BIN}/tests/test_birth.so", "TEST_BIRTH": f"{self.shares.path}:{self.site.instruments}",
                             "TRAWL_MONGO_URI": f"mongodb://127.0.0.1:{links[f'{who}/store']}/",
                             "TRAWL_SSH_HOSTS": f"127.0.0.1:{links[f'{who}/sshd']}", "TRAWL_SSH_KNOWN_HOSTS": hosts}

    def __exit__(self, *_):
        for fs in (self.backup, self.shares):
            if fs is not None:
                fs.rules()
        for name in self.processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.processes[name].pid, signal.SIGCONT)
        if self.site is not None:
            with contextlib.suppress(Failed):
                self.site.close()
        for fs in (self.backup, self.shares):
            if fs is not None:
                fs.__exit__()
        self.servers.__exit__()

    # -- processes --

    def server_up(self, script: str):
        return subprocess.Popen([f"{ROOT}/local/{script}", "up"], env=self.servers.env, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def start_ours(self, name: str) -> None:
        if name in WORKERS:
            self.processes[name] = self.site.start_worker("copy,quant,index,move,remove", **self.env[name])
        else:
            self.processes[name] = self.site.start_scheduler(**self.env[name])
        self.state[name] = "up"

    def wait_started(self) -> None:
        for name in OURS:
            self.start_ours(name)
        wait_until(lambda: any(self.processes[n].log("leading") for n in OURS), 20, "a scheduler that leads")
        wait_until(lambda: len(self.site.db.find("workers")) == len(WORKERS), 20, "workers that beat")

    def pids(self, name: str) -> list:
        """Of sshd also its sessions and what runs in them."""
        if name in OURS:
            return [self.processes[name].pid]
        pids = self.servers.pids(name)
        return [each for pid in pids for each in descendants(pid)] if name == "sshd" else pids

    def signal(self, name: str, number: int, pids: list) -> None:
        """Children that have ended meanwhile are none of our business."""
        for pid in pids:
            if name in OURS and not self.processes[name].alive():
                continue
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self, name: str) -> None:
        """It may take a while to go: a process that waits for a file system that hangs can not die."""
        self.state[name] = "down"
        self.signal(name, signal.SIGKILL, self.pids(name))

    def is_gone(self, name: str) -> bool:
        return not (self.processes[name].alive() if name in OURS else self.servers.pids(name))

    # -- links --

    def cut(self, action: dict) -> None:
        who = OURS if action["who"] == "all" and action["server"] != "kafka" else (action["who"],)
        for each in who:
            self.proxy.cut(f"{each}/{action['server']}", action["how"], action["for_s"])
