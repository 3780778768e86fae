"""Thermo-like: one .raw file with the vendor's magic header and noise behind it."""

import struct

from growing import GrowingFile, Pace, extend, scribble

HEADER_BYTES = 1356
VERSION = 66


def header() -> bytes:
    text = b"\x01\xa1" + "Finnigan".encode("utf-16-le")
    return (text.ljust(32, b"\0") + struct.pack("<IHH", 0, 8, VERSION)).ljust(HEADER_BYTES, b"\0")


def acquire(path: str, size: int, rng, pace: Pace) -> dict:
    with GrowingFile(path, pace, size) as raw:
        raw.write(header()[:size])
        raw.write_random(rng, size - raw.size)
    return {}


def rewrite(path: str, rng) -> str:
    return scribble(path, rng, HEADER_BYTES)


def append(path: str, rng) -> str:
    return extend(path, rng.randbytes(1000))
