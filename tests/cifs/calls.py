"""calls.py FOLDER CALL... - calls on a share, and what each said, as a JSON list: one host's part of a case with two."""

import ctypes
import errno
import fcntl
import json
import os
import sys

LIBC = ctypes.CDLL(None, use_errno=True)


def lock(name):
    with open(name, "r+b", 0) as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def read(name):
    with open(name, "rb", 0) as file:
        return len(file.read(10))


def write(name):
    with open(name, "r+b", 0) as file:
        file.write(b"y")


def make(name):
    with open(name, "wb", 0) as file:
        file.write(b"x" * 100)


def mtime(name):
    return os.stat(name).st_mtime_ns


CALLS = {"lock": lock, "read": read, "write": write, "make": make, "mtime": mtime, "rename": os.rename, "unlink": os.unlink,
         "mkdir": os.mkdir, "size": lambda name: os.stat(name).st_size, "listed": lambda name: name in os.listdir(".")}


def outcome(call, *names):
    try:
        result = CALLS[call](*names)
    except OSError as error:
        return errno.errorcode[error.errno]
    return "ok" if result is None else result


os.chdir(sys.argv[1])
print(json.dumps([outcome(*call.split(" ")) for call in sys.argv[2:]]))
