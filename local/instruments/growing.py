"""A file that grows at a given speed, as an instrument writes it: small pieces, visible to others at once."""

import os
import time


class Pace:
    """Holds the writers of one instrument to rate bytes a second; 0 is as fast as the disk."""

    def __init__(self, rate: int):
        self.rate = rate
        self.begin = time.monotonic()
        self.written = 0

    def piece_bytes(self) -> int:
        """About twenty pieces a second, so that the growth is smooth to those who watch."""
        return min(1 << 20, max(512, self.rate // 20)) if self.rate else 1 << 20

    def spend(self, size: int) -> None:
        self.written += size
        if self.rate:
            ahead = self.written / self.rate - (time.monotonic() - self.begin)
            if ahead > 0:
                time.sleep(ahead)


class GrowingFile:
    """Unbuffered and append-only. It refuses to take over a file that is already there."""

    def __init__(self, path: str, pace: Pace):
        self.file = open(path, "xb", buffering=0)
        self.pace = pace
        self.size = 0

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
        self.file.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def tree_bytes(path: str) -> int:
    if os.path.isfile(path):
        return os.path.getsize(path)
    return sum(os.path.getsize(os.path.join(top, name)) for top, _, names in os.walk(path) for name in names)
