"""What a test says and does without servers: what must hold, waits, files, running the tests of a file."""

import glob
import hashlib
import os
import random
import sys
import time
import traceback

SKIP_CODE = 77
PATIENCE = 3


class Failed(AssertionError):
    pass


class Skipped(Exception):
    pass


def skip(why: str):
    raise Skipped(why)


# ---- saying what must hold ----


def equal(found, wanted, what: str = "value") -> None:
    if found != wanted:
        raise Failed(f"{what}: {found!r} instead of {wanted!r}")


def holds(condition, what: str) -> None:
    if not condition:
        raise Failed(what)


def wait_until(condition, seconds: float, what: str):
    """The first true value of condition(); the tests never sleep for something that can be looked at. seconds are
    ample on an idle machine; a busy one gets PATIENCE times as many, as no wait is there to measure."""
    end = time.monotonic() + seconds * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed(f"not within {seconds * PATIENCE:g} s: {what}")
        time.sleep(0.05)


# ---- files ----


def hash_tree(path: str) -> dict:
    """Path below the folder (or the file's own name) -> SHA-256 of its bytes."""
    found = {}
    paths = [path] if os.path.isfile(path) else glob.glob(f"{glob.escape(path)}/**", recursive=True, include_hidden=True)
    for each in paths:
        if os.path.isfile(each):
            with open(each, "rb") as file:
                name = os.path.relpath(each, os.path.dirname(path))
                found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def part_files(folder: str) -> list:
    return [os.path.join(top, name) for top, _, names in os.walk(folder) for name in names
            if name.endswith((".part", ".part.chunks"))]


def write_file(path: str, size: int, seed: int = 1) -> str:
    """Bytes that no other seed gives; never all at once in memory."""
    rng = random.Random(seed)
    with open(path, "wb") as out:
        while size > 0:
            piece = min(size, 1 << 20)
            out.write(rng.randbytes(piece))
            size -= piece
    return path


def flip(path: str, at: int = 1000) -> None:
    """Change one bit, and nothing else that could be noticed."""
    was = os.stat(path)
    os.chmod(path, 0o644)
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))
    os.chmod(path, was.st_mode & 0o777)
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))


# ---- running a file ----

tests = []


def test(function):
    tests.append(function)
    return function


def run_one(function) -> str:
    started = time.monotonic()
    name = function.__name__
    try:
        function()
    except Skipped as why:
        print(f"skipped {name}: {why}", flush=True)
        return "skipped"
    except Exception as error:  # pylint: disable=broad-except
        if not isinstance(error, Failed):
            traceback.print_exc(file=sys.stdout)
        else:
            where = traceback.extract_tb(error.__traceback__)
            print("  at " + " < ".join(f"{os.path.basename(f.filename)}:{f.lineno}" for f in reversed(where)))
        print(f"not ok {name}: {error}", flush=True)
        return "failed"
    print(f"ok {name} ({time.monotonic() - started:.1f} s)", flush=True)
    return "ok"


def run() -> None:
    chosen = [t for t in tests if all(word in t.__name__ for word in sys.argv[1:])]
    results = [run_one(function) for function in chosen]
    if "failed" in results or not results:
        sys.exit(1)
    sys.exit(SKIP_CODE if "ok" not in results else 0)
