"""Sciex-like set: .wiff, .wiff2, .timeseries.data and the growing .wiff.scan."""

from growing import GrowingFile, Pace

OLE_MAGIC = bytes.fromhex("d0cf11e0a1b11ae1")
SQLITE_MAGIC = b"SQLite format 3\0"
SCAN_HEADER_BYTES = 44


def acquire(path: str, size: int, rng, pace: Pace) -> dict:
    stem = path.removesuffix(".wiff")
    small = max(600, size // 50)
    for name, magic in ((".wiff", OLE_MAGIC), (".wiff2", SQLITE_MAGIC), (".timeseries.data", b"")):
        with GrowingFile(stem + name, pace) as part:
            part.write(magic)
            part.write_random(rng, small - len(magic))
    with GrowingFile(stem + ".wiff.scan", pace) as scan:
        scan.write(bytes(SCAN_HEADER_BYTES))
        scan.write_random(rng, max(1000, size - 3 * small - SCAN_HEADER_BYTES))
    return {"members": 4}
