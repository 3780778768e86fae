"""A file that grows at a given speed, as an instrument writes it: small pieces, visible to others at once.

What an instrument does besides growing steadily is its manner: a file may have its full size at once and be filled
afterwards, with pauses; members may come last; files may stay locked for a while.
"""

import contextlib
import dataclasses
import fcntl
import os
import time


@dataclasses.dataclass(frozen=True)
class Manner:
    preallocate: bool = False    # each file has its full size at once, and is filled afterwards
    pauses: int = 0              # so many times nothing is written ...
    pause_s: float = 0.0         # ... for this time
    late_s: float = None         # the members that come last come so long after the rest; None: they do not come last
    hold_s: float = None         # all files are locked (flock) until so long after the last byte; None: none is
    tims_off: bool = False       # bruker: analysis.tsf instead of analysis.tdf


def add_manner(parser, all_of_it: bool) -> None:
    """The options of a manner; a real file that is replayed has the members and the names that it has."""
    parser.add_argument("--preallocate", action="store_true", help="give each file its full size at once, fill it afterwards")
    parser.add_argument("--pauses", type=int, default=0, metavar="N", help="stop N times while an acquisition is written (0)")
    parser.add_argument("--pause", type=float, default=5.0, metavar="S", help="each time for S seconds (5)")
    parser.add_argument("--hold", type=float, metavar="S", help="keep the files locked (flock) until S seconds after the last "
                        "byte; local disks do not mind, tests/faultfs with its switch `shares` refuses to open them")
    if all_of_it:
        parser.add_argument("--late", type=float, metavar="S", help="write the members last that come last at some instruments, "
                            "S seconds after the rest: bruker analysis.tdf, SampleInfo.xml and 1.m, sciex .wiff.scan")
        parser.add_argument("--tims-off", action="store_true", help="bruker: analysis.tsf instead of analysis.tdf, as with TIMS "
                            "off or by MALDI")


def manner_of(args) -> Manner:
    return Manner(args.preallocate, args.pauses, args.pause, getattr(args, "late", None), args.hold,
                  getattr(args, "tims_off", False))


class Pace:
    """Holds the writers of one acquisition of about size bytes to rate bytes a second (0: as fast as the disk), and to its
    manner."""

    def __init__(self, rate: int, size: int = 0, manner: Manner = Manner()):
        self.rate, self.manner = rate, manner
        self.begin = self.last = time.monotonic()
        self.longest_s = 0.0  # in which nothing was written
        self.written = 0
        self.pauses_at = [size * (n + 1) // (manner.pauses + 1) for n in range(manner.pauses)]
        self.held = contextlib.ExitStack()

    def piece_bytes(self) -> int:
        """About twenty pieces a second, so that the growth is smooth to those who watch."""
        return min(1 << 20, max(512, self.rate // 20)) if self.rate else 1 << 20

    def spend(self, size: int) -> None:
        now = time.monotonic()
        self.longest_s, self.last = max(self.longest_s, now - self.last), now
        self.written += size
        if self.rate:
            ahead = self.written / self.rate - (time.monotonic() - self.begin)
            if ahead > 0:
                time.sleep(ahead)
        while self.pauses_at and self.written >= self.pauses_at[0]:
            self.pauses_at.pop(0)
            self.rest(self.manner.pause_s)

    def rest(self, seconds: float) -> None:
        """Nothing is written, and it is not made up for."""
        time.sleep(seconds)
        self.begin += seconds

    def wait_late(self) -> None:
        if self.manner.late_s is not None:
            self.rest(self.manner.late_s)

    def end(self) -> None:
        """The last byte is written: what is locked stays so for a while."""
        if self.manner.hold_s is not None:
            time.sleep(self.manner.hold_s)
        self.held.close()

    def facts(self) -> dict:
        """For those who check that nobody took it for whole before it was; moments are of the monotonic clock."""
        return {"written_bytes": self.written, "longest_pause_s": round(self.longest_s, 3), "last_write": self.last}


class GrowingFile:
    """Unbuffered. It refuses to take over a file that is already there. size: what it will have, where that is known."""

    def __init__(self, path: str, pace: Pace, size: int = 0):
        self.file = open(path, "xb", buffering=0)
        self.pace = pace
        self.size = 0
        if pace.manner.hold_s is not None:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            pace.held.callback(self.file.close)
        if pace.manner.preallocate:
            self.file.truncate(size)

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        step = self.pace.piece_bytes()
        for start in range(0, len(view), step):
            part = view[start : start + step]
            self.file.write(part)
            self.size += len(part)
            self.pace.spend(len(part))

    def write_random(self, rng, size: int) -> None:
        step = self.pace.piece_bytes()
        while size > 0:
            self.write(rng.randbytes(min(step, size)))
            size -= min(step, size)

    def close(self) -> None:
        if self.pace.manner.hold_s is None:
            self.file.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def scribble(path: str, rng, start: int) -> str:
    """Eight other bytes somewhere behind start; the last eight, where there are no more."""
    last = max(0, os.path.getsize(path) - 8)
    with open(path, "r+b", buffering=0) as file:
        at = rng.randint(min(start, last), last)
        file.seek(at)
        before = file.read(8)
        file.seek(at)
        file.write(bytes(byte ^ rng.randrange(1, 256) for byte in before))
    return path


def extend(path: str, data: bytes) -> str:
    """Put data behind a file that is there."""
    with open(path, "r+b", buffering=0) as file:
        file.seek(0, os.SEEK_END)
        file.write(data)
    return path


def note(path: str, data: bytes) -> str:
    """Put data behind a file that need not be there."""
    with open(path, "ab", buffering=0) as file:
        file.write(data)
    return path


def tree_bytes(path: str) -> int:
    if os.path.isfile(path):
        return os.path.getsize(path)
    return sum(os.path.getsize(os.path.join(top, name)) for top, _, names in os.walk(path) for name in names)
