"""A real CIFS client: guests with Debian's cloud kernel, and Sambas on this host that can be stopped, cut and read from behind.

The guest has no disk: the host's files are its root (virtiofs; it takes them to be unchanging, and what it writes stays
in its memory), so programs and libraries are those that were built here. The folder of the run is shared both ways, and
a share is mounted in the guest at the path of the folder behind it: a path means the same on both sides.
"""

import contextlib
import functools
import glob
import os
import shutil
import shlex
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "faults"))
from check import *  # noqa: E402,F403
from harness import BIN, ROOT, Failed, die_with_parent, equal, holds, wait_until  # noqa: E402

BENCH = f"{BIN}/tests/trawl-copy-bench"
KERNELS = f"{ROOT}/build/cifs"  # where local/deps unpacks it
VIRTIOFSD = "/usr/lib/qemu/virtiofsd"
BOOT_MODULES = ("virtio_pci", "fuse", "virtiofs", "overlay")
BASE = "sec=ntlmssp,uid=0,gid=0,file_mode=0755,dir_mode=0755"
SMB_CONF = """[global]
server role = standalone server
netbios name = TRAWL{name}
disable netbios = yes
smb ports = {port}
interfaces = 127.0.0.1/8
bind interfaces only = yes
server min protocol = SMB2
map to guest = Bad User
guest account = root
passdb backend = tdbsam:{dir}/passdb.tdb
private dir = {dir}
lock directory = {dir}
state directory = {dir}
cache directory = {dir}
pid directory = {dir}
ncalrpc dir = {dir}/rpc
log file = {dir}/log
log level = 1
max log size = 0
load printers = no
printcap name = /dev/null
disable spoolss = yes
unix extensions = no
[share]
path = {folder}
guest ok = yes
guest only = yes
read only = no
{lines}
"""


cases = []


def case(*words: str):
    """A case gets the world; words choose it: make cifs CASES=short."""
    def add(function):
        function.words = words
        cases.append(function)
        return function

    return add


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@contextlib.contextmanager
def flag(path: str):
    """A file that others wait for."""
    with open(path, "w"):
        pass
    try:
        yield
    finally:
        os.unlink(path)


def children(pid: int) -> list:
    found = []
    for path in glob.glob(f"/proc/{pid}/task/*/children"):
        with contextlib.suppress(OSError), open(path) as file:
            found += [int(word) for word in file.read().split()]
    return found


class Samba:
    """One server with one share named "share", a folder of this host's."""

    def __init__(self, run: str, name: str, folder: str):
        self.dir, self.folder, self.name = f"{run}/samba-{name}", folder, name
        self.lines, self.child = (), None
        self.port = free_port()
        os.makedirs(f"{self.dir}/rpc")
        os.makedirs(folder, exist_ok=True)
        self.up()

    def up(self, *lines: str) -> None:
        """Started, with these lines for the share besides."""
        self.lines = lines
        with open(f"{self.dir}/smb.conf", "w") as out:
            out.write(SMB_CONF.format(name=self.name, port=self.port, dir=self.dir, folder=self.folder,
                                      lines="\n".join(lines)))
        with open(f"{self.dir}/out", "ab") as out:
            self.child = subprocess.Popen(["/usr/sbin/smbd", "--foreground", "--no-process-group", f"--configfile={self.dir}/smb.conf"],
                                          stdin=subprocess.DEVNULL, stdout=out, stderr=out, preexec_fn=die_with_parent)
        wait_until(lambda: answers(self.port), 10, f"Samba {self.name}")

    def sessions(self) -> list:
        """Its processes that serve a client: all but the daemons that smbd always has."""
        found = []
        for pid in children(self.child.pid):
            if holds_connection(pid, self.port):
                found.append(pid)
        return found

    def down(self) -> None:
        """At once, as when the machine is switched off."""
        self.signal(signal.SIGKILL)
        self.child.wait()

    def drop(self) -> int:
        """The connections break; the server takes new ones."""
        dropped = self.sessions()
        for pid in dropped:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        return len(dropped)

    def signal(self, number: int) -> None:
        for pid in [*children(self.child.pid), self.child.pid]:
            with contextlib.suppress(OSError):
                os.kill(pid, number)

    @contextlib.contextmanager
    def silent(self):
        self.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.signal(signal.SIGCONT)

    def client(self, commands: str) -> str:
        """What smbclient prints."""
        return subprocess.run(["smbclient", "-s", f"{self.dir}/smb.conf", "-N", "-p", str(self.port), "//127.0.0.1/share",
                               "-c", commands], capture_output=True, text=True, check=False).stdout

    def attributes(self, name: str) -> str:
        """As any other client sees them: "A", "AH", "DHR" ..."""
        folder, base = os.path.split(name)
        said = self.client(f'cd "{folder or "."}"; ls "{base}"')
        lines = [line for line in said.splitlines() if line.strip().startswith(base + " ")]
        holds(lines, f"smbclient sees {name}: {said}")
        return lines[0].strip()[len(base):].split()[0]

    def close(self) -> None:
        if self.child.poll() is None:
            self.down()


def holds_connection(pid: int, port: int) -> bool:
    """Whether the process has an established connection of that local port."""
    inodes = set()
    with contextlib.suppress(OSError):
        for fd in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                inodes.add(os.readlink(f"/proc/{pid}/fd/{fd}"))
    with open("/proc/net/tcp") as table:
        for line in table.readlines()[1:]:
            words = line.split()
            if words[3] == "01" and int(words[1].split(":")[1], 16) == port and f"socket:[{words[9]}]" in inodes:
                return True
    return False


def part_bytes(folder: str) -> int:
    """What parts hold, as it is on the server's disk."""
    found = 0
    for top, _, names in os.walk(folder):
        for name in names:
            if ".trawl-" in f"{top}/{name}" and not name.endswith(".chunks"):
                with contextlib.suppress(FileNotFoundError):
                    found += os.stat(f"{top}/{name}").st_blocks * 512
    return found


class Said:
    """What a script in the guest printed, and its exit code."""

    def __init__(self, code: int, out: str):
        self.code, self.out = code, out

    def __repr__(self):
        return f"exit {self.code}: {self.out[-1500:]!r}"


def kernel() -> str:
    """The folder of the unpacked package."""
    found = sorted(glob.glob(f"{KERNELS}/linux-image-*"), key=os.path.getmtime)
    if not found:
        raise Failed(f"there is no kernel in {KERNELS}: run local/deps cifs")
    return found[-1]


def boot_modules(folder: str) -> list:
    """Files of the modules that the initramfs loads, each after those it needs."""
    with open(f"{folder}/modules.dep") as table:
        needs = {line.split(":")[0]: line.split(":")[1].split() for line in table}
    of = {os.path.basename(path).split(".")[0]: path for path in needs}
    order = []
    for name in BOOT_MODULES:
        for path in [*reversed(needs[of[name]]), of[name]]:
            if path not in order:
                order.append(path)
    return [f"{folder}/{path}" for path in order]


def make_initramfs(run: str) -> str:
    folder, image = f"{run}/initramfs", f"{run}/initramfs.img"
    for name in ("bin", "lib", "proc", "dev", "host", "top", "new"):
        os.makedirs(f"{folder}/{name}")
    modules = boot_modules(glob.glob(f"{kernel()}/lib/modules/*")[0])
    for path in modules:
        shutil.copy(path, f"{folder}/lib")
    with open(f"{folder}/modules", "w") as out:
        out.write("".join(os.path.basename(path) + "\n" for path in modules))
    shutil.copy(shutil.which("busybox"), f"{folder}/bin/busybox")
    shutil.copy(f"{HERE}/guest/first", f"{folder}/init")
    with open(image, "wb") as out:
        subprocess.run("find . | busybox cpio -o -H newc", shell=True, cwd=folder, stdout=out, stderr=subprocess.DEVNULL, check=True)
    return image


class Guest:
    def __init__(self, run: str, name: str, ports: list = (), memory_mib: int = 1024):
        self.run, self.name, self.port = run, name, free_port()
        self.console = f"{run}/console-{name}"
        self.mounts = []
        self.daemons = [self.share_files("root", "/", "always"), self.share_files("run", run, "auto")]
        words = [f"trawl.src={ROOT}", f"trawl.run={run}", f"trawl.kernel={kernel()}", f"trawl.name={name}",
                 f"trawl.ports={','.join(map(str, ports))}"]
        self.machine = self.spawn("qemu", [
            "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", str(memory_mib), "-nographic",
            "-no-reboot", "-nodefaults", "-serial", f"file:{self.console}",
            "-object", f"memory-backend-memfd,id=memory,size={memory_mib}M,share=on", "-numa", "node,memdev=memory",
            *self.device("root"), *self.device("run"),
            "-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{self.port}-:2222", "-device", "virtio-net-pci,netdev=net,romfile=",
            "-kernel", glob.glob(f"{kernel()}/boot/vmlinuz-*")[0], "-initrd", f"{run}/initramfs.img",
            "-append", " ".join(["console=ttyS0 panic=5 quiet no_timer_check", *words])])

    def share_files(self, tag: str, folder: str, cache: str):
        socket_path = f"{self.run}/{tag}-{self.name}"
        child = self.spawn(f"virtiofsd-{tag}", [VIRTIOFSD, f"--socket-path={socket_path}", "-o",
                                                f"source={folder},cache={cache},sandbox=chroot"])
        wait_until(lambda: os.path.exists(socket_path), 10, "virtiofsd listens")
        return child

    def device(self, tag: str) -> list:
        return ["-chardev", f"socket,id={tag},path={self.run}/{tag}-{self.name}",
                "-device", f"vhost-user-fs-pci,chardev={tag},tag={tag},romfile="]

    def spawn(self, what: str, command: list):
        with open(f"{self.run}/{what}-{self.name}.log", "wb") as out:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, preexec_fn=die_with_parent)

    def wait_up(self) -> None:
        def up():
            if self.machine.poll() is not None:
                raise Failed(f"the guest {self.name} ended: {self.said()}")
            with contextlib.suppress(OSError, ConnectionError, struct.error):
                return self.ask("true", 5).code == 0

        try:
            wait_until(up, 60, f"the guest {self.name} is up")
        except Failed as failed:
            raise Failed(f"{failed}: {self.said()}") from None

    def said(self) -> str:
        with contextlib.suppress(OSError), open(self.console, errors="replace") as console:
            return console.read()[-2000:]
        return ""

    def ask(self, script: str, seconds: int = 120) -> Said:
        """Run a script for bash; 124 when it took longer."""
        text = script.encode()
        with socket.create_connection(("127.0.0.1", self.port), 10) as connection:
            connection.settimeout(seconds + 60)
            connection.sendall(struct.pack("!II", len(text), seconds) + text)
            data = b""
            while more := connection.recv(65536):
                data += more
        code, length = struct.unpack("!iI", data[:8])
        return Said(code, data[8:8 + length].decode(errors="surrogateescape"))

    def do(self, script: str, seconds: int = 120) -> str:
        """The same for what must succeed; what it printed."""
        said = self.ask(script, seconds)
        if said.code != 0:
            raise Failed(f"in {self.name}: {script[:300]}: {said}")
        return said.out

    def start(self, words: str, env: dict = None) -> "GuestProcess":
        return GuestProcess(self, words, env or {})

    def copy(self, source: str, target: str, *options: str, seconds: int = 300):
        """trawl-copy-bench there: (exit code, what it reported, what it complained about)."""
        words = " ".join(map(shlex.quote, (BENCH, "--chunk-mib", "1", *options, source, target)))
        said = self.ask(words, seconds)
        lines = said.out.splitlines()
        report = next((json.loads(line) for line in lines if line.startswith("{")), {})
        return said.code, report, "\n".join(line for line in lines if not line.startswith("{"))

    def mount(self, samba: Samba, options: str = f"vers=3.0,{BASE}") -> str:
        """The share at the path of its folder; an older mount there goes away first."""
        self.unmount(samba)
        self.do(f"mkdir -p '{samba.folder}' && mount -t cifs //10.0.2.2/share '{samba.folder}' "
                f"-o 'ip=10.0.2.2,port={samba.port},username=guest,password=,{options}'")
        self.mounts.append(samba.folder)
        return samba.folder

    def unmount(self, samba: Samba) -> None:
        self.do(f"while mountpoint -q '{samba.folder}'; do umount -l '{samba.folder}' || exit 1; done")
        if samba.folder in self.mounts:
            self.mounts.remove(samba.folder)

    def log(self) -> str:
        """The kernel's messages since the last call."""
        return self.do("dmesg -c")

    def close(self) -> None:
        for child in (self.machine, *self.daemons):  # they have nothing to save
            child.kill()
            child.wait()


class GuestProcess:
    """A process in a guest that goes on by itself; what it prints is read here."""

    count = 0

    def __init__(self, guest: Guest, words: str, env: dict, log: str = None):
        GuestProcess.count += 1
        self.guest, self.words = guest, words
        self.path = log or f"{guest.run}/process-{GuestProcess.count}"
        self.ended = f"{guest.run}/ended-{GuestProcess.count}"
        sets = " ".join(shlex.quote(f"{key}={value}") for key, value in env.items())
        script = f"{words}; echo $? >{shlex.quote(self.ended)}.new; mv {shlex.quote(self.ended)}.new {shlex.quote(self.ended)}"
        self.pid = int(guest.do(f"env {sets} setsid bash -c {shlex.quote(script)} >>{shlex.quote(self.path)} 2>&1 & echo $!"))

    def text(self) -> str:
        with contextlib.suppress(FileNotFoundError), open(self.path, encoding="utf-8", errors="replace") as log:
            return log.read()
        return ""

    def poll(self):
        """Its exit code; None while it runs."""
        with contextlib.suppress(FileNotFoundError), open(self.ended) as file:
            return int(file.read())
        return None

    def wait(self, seconds: float) -> int:
        wait_until(lambda: self.poll() is not None, seconds / 3, f"the end of {self.words[:200]}")
        return self.poll()

    def send(self, name: str) -> None:
        """A signal to the program itself: the shell around it stays and tells how it ended."""
        self.guest.do(f"pkill -{name} -P {self.pid} || kill -0 {self.pid} 2>/dev/null || true")

    def kill(self) -> int:
        self.send("KILL")
        return self.wait(60)


class World:
    """All of it, once for a run. a and b are the Sambas, one and two the guests."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="trawl-cifs-")
        os.chmod(self.dir, 0o755)
        make_initramfs(self.dir)
        ports = [int(os.environ[key].rstrip("/").rsplit(":", 1)[1]) for key in ("TRAWL_KAFKA_BROKERS", "TRAWL_MONGO_URI")
                 if key in os.environ]
        self.parts = []
        try:
            self.a = self.add(Samba(self.dir, "a", f"{self.dir}/instruments"))
            self.b = self.add(Samba(self.dir, "b", f"{self.dir}/backup"))
            self.one = self.add(Guest(self.dir, "one", ports))
            self.one.wait_up()
        except BaseException:
            self.close()
            raise

    @functools.cached_property
    def two(self) -> Guest:
        """Another host; most cases need none."""
        guest = self.add(Guest(self.dir, "two"))
        guest.wait_up()
        return guest

    def add(self, part):
        self.parts.append(part)
        return part

    def fresh(self, *guests, options: str = f"vers=3.0,{BASE}", lines: tuple = ()) -> None:
        """Both shares empty, mounted in these guests (the first if none is named) with these options."""
        for guest in (part for part in self.parts if isinstance(part, Guest)):
            for samba in (self.a, self.b):
                guest.unmount(samba)
        for samba in (self.a, self.b):
            if samba.child.poll() is None and samba.lines != lines:
                samba.down()
            if samba.child.poll() is not None:
                samba.up(*lines)
            for path in glob.glob(f"{glob.escape(samba.folder)}/*", include_hidden=True):
                if os.path.isdir(path):
                    shutil.rmtree(path)
                else:
                    os.unlink(path)
        for guest in guests or (self.one,):
            guest.mount(self.a, options)
            guest.mount(self.b, options)
            guest.log()

    @contextlib.contextmanager
    def smb(self, samba: Samba, how: str, name: str, share: int = 7):
        """Another client has the file open (smb.py)."""
        stop = f"{self.dir}/stop-smb"
        child = subprocess.Popen([sys.executable, f"{HERE}/smb.py", str(samba.port), how, name, stop, str(share)],
                                 stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
        try:
            equal(child.stdout.readline(), "held\n", f"smb.py {how} {name}")
            yield child
        finally:
            with flag(stop):
                child.wait()
            child.stdout.close()

    def close(self) -> None:
        for part in reversed(self.parts):
            with contextlib.suppress(OSError):
                part.close()
        if os.environ.get("TRAWL_TEST_KEEP") is None:
            shutil.rmtree(self.dir, ignore_errors=True)
