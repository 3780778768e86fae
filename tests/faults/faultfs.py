"""A file system that fails as told, mounted for a test; and the copy engine alone, on it.

    with FaultFs(folder) as fs:          # fs.path shows what is in folder
        fs.rules("error=EIO read *.part times=1")
        ...
        holds(fs.hits("error read"), "the fault really happened")

tests/faultfs/rules.h says what a rule may be, tests/faultfs/smb.h what makes it a share of Windows' kind: Share("cifs").
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "integration"))
from harness import *  # noqa: E402,F403
from harness import BIN, Failed, die_with_parent  # noqa: E402
import contextlib  # noqa: E402
import tempfile  # noqa: E402

PROGRAM = f"{BIN}/tests/faultfs"
BENCH = f"{BIN}/tests/trawl-copy-bench"
MIB = 1 << 20


def need_fuse() -> None:
    if not os.path.exists("/dev/fuse"):
        skip("THERE IS NO /dev/fuse: FAULTS ARE NOT TESTED")
    if not os.access(PROGRAM, os.X_OK):
        skip("THERE IS NO tests/faultfs (libfuse3-dev was missing): FAULTS ARE NOT TESTED")


class FaultFs:
    def __init__(self, folder: str, options: str = ""):
        need_fuse()
        self.folder, self.options = folder, options
        self.dir = tempfile.mkdtemp(prefix="trawl-faultfs-")
        os.chmod(self.dir, 0o755)
        self.path, self.control = f"{self.dir}/mount", f"{self.dir}/control"
        os.mkdir(self.path)
        self.child = None
        self.mount()

    def mount(self) -> None:
        words = f"control={self.control}" + (f",{self.options}" if self.options else "")
        self.child = subprocess.Popen([PROGRAM, "-o", words, self.folder, self.path], stdin=subprocess.DEVNULL,
                                      preexec_fn=die_with_parent)
        wait_until(lambda: os.path.ismount(self.path) or self.child.poll() is not None, 10, "faultfs is mounted")
        if self.child.poll() is not None:
            skip(f"FUSE CANNOT BE MOUNTED HERE (exit {self.child.returncode}): FAULTS ARE NOT TESTED")

    def rules(self, *lines: str) -> None:
        """All that is wrong from now on; nothing for a file system that works."""
        with open(f"{self.control}.new", "w") as out:
            out.write("".join(line + "\n" for line in lines))
        os.rename(f"{self.control}.new", self.control)

    def hits(self, beginning: str = "") -> list:
        """What the rules have done so far: "<what> <operation> <path>"."""
        with contextlib.suppress(FileNotFoundError), open(f"{self.control}.hits", errors="surrogateescape") as found:
            lines = found.read().splitlines()
            wrong = [line for line in lines if line.startswith("not understood")]
            if wrong:
                raise Failed(f"faultfs: {wrong}")
            return [line for line in lines if line.startswith(beginning)]
        return []

    def wait_hit(self, beginning: str, seconds: float = 20) -> None:
        wait_until(lambda: self.hits(beginning), seconds, f"faultfs: {beginning}")

    def unmount(self) -> None:
        self.rules()
        subprocess.run(["umount", "-l", self.path], check=True)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.child.wait(3)  # by itself, as soon as nobody has a file open
        self.child.kill()
        self.child.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.rules()
        if os.path.ismount(self.path):
            self.unmount()
        shutil.rmtree(self.dir, ignore_errors=True)


class Bench:
    """trawl-copy-bench, running."""

    def __init__(self, source: str, target: str, *options: str):
        self.child = subprocess.Popen([BENCH, "--chunk-mib", "1", *options, source, target], stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, text=True, preexec_fn=die_with_parent)

    def kill(self) -> None:
        self.child.kill()

    def end(self, seconds: float = 60):
        """(exit code, what it reported, what it complained about)"""
        out, err = self.child.communicate(timeout=seconds)
        return self.child.returncode, json.loads(out) if out else {}, err


def copy(source: str, target: str, *options: str):
    return Bench(source, target, *options).end()


class Share:
    """One share of Windows' kind and its clients: a mount for each host. share.back is the server's side."""

    def __init__(self, options: str = "cifs", hosts: int = 1):
        self.dir = tempfile.mkdtemp(prefix="trawl-share-")
        self.back = f"{self.dir}/back"
        os.mkdir(self.back)
        self.hosts = [FaultFs(self.back, f"{options},server={self.dir}/server") for _ in range(hosts)]
        self.path = self.hosts[0].path

    def attributes(self, name: str) -> int:
        """As the server keeps them, whatever the name: 1 read-only, 2 hidden, 4 system, 16 folder, 32 archive."""
        try:
            return int(os.getxattr(f"{self.back}/{name}", "user.DOSATTRIB", follow_symlinks=False), 16)
        except OSError:
            return 16 if os.path.isdir(f"{self.back}/{name}") else 32

    def __enter__(self):
        return self

    def __exit__(self, *args):
        for host in self.hosts:
            host.__exit__(*args)
        shutil.rmtree(self.dir, ignore_errors=True)


class Folders:
    """A source and a pool without servers, for the engine alone; the pool is on faultfs."""

    def __init__(self, options: str = ""):
        self.dir = tempfile.mkdtemp(prefix="trawl-faults-")
        self.source, self.back = f"{self.dir}/source", f"{self.dir}/pool"
        os.mkdir(self.source)
        os.mkdir(self.back)
        self.fs = FaultFs(self.back, options)
        self.pool = self.fs.path

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.fs.__exit__(*args)
        shutil.rmtree(self.dir, ignore_errors=True)
