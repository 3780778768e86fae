"""What must hold at the end of every case, whatever went wrong in between.

Originals notes what was acquired. check(site) then asserts: every original still exists, or a right backup of it does; every
published backup has the bytes of an original; what the documents say of files is true; nothing half-written carries a
final name; MANIFESTs are accepted by xxhsum -c. Watcher looks all the time while copies are made.
"""

import hashlib
import subprocess
import threading
import time

from faultfs import *
from harness import Failed

WORK = (".part", ".part.chunks", ".tmp")


def digest(path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_below(folder) -> list:
    """Bytes, so that any name is seen."""
    top = os.fsencode(folder)
    return [os.path.join(at, name) for at, _, names in os.walk(top) for name in names]


class Originals:
    """Folder of an instrument -> path below it (bytes) -> SHA-256, as acquired."""

    def __init__(self):
        self.of = {}

    def note(self, folder: str) -> None:
        top = os.fsencode(folder)
        kept = self.of.setdefault(folder, {})
        for path in files_below(folder):
            if not path.endswith(b"/.trawl-location"):
                kept[os.path.relpath(path, top)] = digest(path)

    def digests(self) -> set:
        return {one for kept in self.of.values() for one in kept.values()}


def check_manifests(pool: str) -> int:
    n = 0
    for path in files_below(pool):
        if not path.endswith(b".MANIFEST.xxh3"):
            continue
        done = subprocess.run(["xxhsum", "-c", "--", os.path.basename(path)], cwd=os.path.dirname(path), capture_output=True)
        equal(done.returncode, 0, f"xxhsum -c {path!r}: {done.stdout[-500:]!r}{done.stderr[-500:]!r}")
        n += 1
    return n


def check_files(pool: str, originals: Originals) -> set:
    """Digests of the backups; every final name has the bytes of an original."""
    known, found = originals.digests(), set()
    for path in files_below(pool):
        name = os.path.basename(path)
        if name.startswith(b".") or b".part/" in path:
            continue
        one = digest(path)
        holds(one in known, f"{path!r} has a final name and is the content of no original")
        found.add(one)
    for folder, kept in originals.of.items():
        for name, one in kept.items():
            path = os.path.join(os.fsencode(folder), name)
            there = os.path.exists(path) and digest(path) == one
            holds(there or one in found, f"{path!r} is lost: neither there nor in the backup")
    return found


def check_documents(site) -> int:
    """Each raw file that counts as copied: its files are there, as the document says."""
    n = 0
    for raw in site.db.find("raw_file"):
        if raw.get("backup_status") != "copying_done":
            continue
        folder = raw["backup_base_path"]
        for file in site.db.files_of(raw):
            path = os.path.join(os.fsencode(folder), unescape(file["path"]))
            holds(os.path.isfile(path), f"{raw['_id']}: {path!r} is recorded and not there")
            equal(os.path.getsize(path), file["size"], f"size of {path!r}")
            done = subprocess.run([b"xxhsum", b"-H2", b"--", path], capture_output=True, check=True)
            equal(done.stdout.split()[0].lstrip(b"\\").decode(), file["xxh3"], f"XXH3 of {path!r}")
        n += 1
    return n


def unescape(text: str) -> bytes:
    """What common/base/path.c's path_escape made of a name."""
    return re.sub(rb"%([0-9A-F]{2})", lambda m: bytes([int(m.group(1), 16)]), text.encode())


def check(site, originals: Originals, copied: int = None) -> None:
    check_files(site.backup, originals)
    manifests = check_manifests(site.backup)
    n = check_documents(site)
    if copied is not None:
        equal(n, copied, "raw files that are copied")
    holds(manifests <= n, f"{manifests} manifests for {n} copied raw files")
    left = [p for p in files_below(site.backup) if p.endswith(tuple(os.fsencode(w) for w in WORK))]
    equal(left, [], "leftovers of copies")


def check_folders(pool: str, source: str) -> None:
    """The same for the engine alone."""
    originals = Originals()
    originals.note(source)
    check_files(pool, originals)
    check_manifests(pool)


class Watcher:
    """Hashes whatever gets a final name, as soon as it is visible, until the block ends."""

    def __init__(self, pool: str, originals: Originals):
        self.pool, self.known = os.fsencode(pool), originals.digests()
        self.seen, self.wrong = {}, []
        self.stopping = False
        self.thread = threading.Thread(target=self.run)

    def look(self) -> None:
        for path in files_below(self.pool):
            name = os.path.basename(path)
            if path in self.seen or name.startswith(b".") or b".part/" in path:
                continue
            try:
                self.seen[path] = digest(path)
            except FileNotFoundError:
                continue
            if self.seen[path] not in self.known:
                self.wrong.append(path)

    def run(self) -> None:
        while not self.stopping:
            self.look()
            time.sleep(0.003)
        self.look()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        self.stopping = True
        self.thread.join()
        if kind is None and self.wrong:
            raise Failed(f"visible under their final names before they were right: {self.wrong}")
