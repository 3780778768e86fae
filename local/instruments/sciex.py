"""Sciex-like set: .wiff, .wiff2, .timeseries.data and the growing .wiff.scan."""

import os

from growing import GrowingFile, Pace, extend, note, scribble

OLE_MAGIC = bytes.fromhex("d0cf11e0a1b11ae1")
SQLITE_MAGIC = b"SQLite format 3\0"
SCAN_HEADER_BYTES = 44


def members(names: list, main: str) -> list:
    """Those of a folder's names that belong to the set of main: they have its stem, and that of no longer one."""
    stem = main[: -len("wiff")]
    longer = tuple(name[: -len("wiff")] for name in names if name.lower().endswith(".wiff") and len(name) > len(main)
                   and name.startswith(stem))
    return sorted(name for name in names if name.startswith(stem) and not name.startswith(longer))


def acquire(path: str, size: int, rng, pace: Pace) -> dict:
    stem = path.removesuffix(".wiff")
    small = max(600, size // 50)
    parts = ((".wiff", OLE_MAGIC), (".wiff2", SQLITE_MAGIC), (".timeseries.data", b""))
    for name, magic in parts:
        with GrowingFile(stem + name, pace, small) as part:
            part.write(magic)
            part.write_random(rng, small - len(magic))
    pace.wait_late()
    noise = max(1000, size - len(parts) * small - SCAN_HEADER_BYTES)
    with GrowingFile(path + ".scan", pace, SCAN_HEADER_BYTES + noise) as scan:
        scan.write(bytes(SCAN_HEADER_BYTES))
        scan.write_random(rng, noise)
    return {"names": [os.path.basename(stem) + name for name in (".timeseries.data", ".wiff", ".wiff.scan", ".wiff2")]}


def rewrite(path: str, rng) -> str:
    return scribble(path + ".scan", rng, SCAN_HEADER_BYTES)


def append(path: str, rng) -> str:
    return extend(path + ".scan", rng.randbytes(1000))


def add(path: str, rng) -> str:
    """A report that the software writes for the set."""
    return note(f"{path.removesuffix('.wiff')}.report{rng.randrange(10**6)}.txt", rng.randbytes(1000))
