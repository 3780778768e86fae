"""hold.py PATH HOW STOP - keeps a file open until the file STOP exists.

HOW: read, write, or lock (flock); append writes a byte at once, grow one every half second.
"""

import fcntl
import os
import sys
import time

path, how, stop = sys.argv[1:4]
with open(path, "rb" if how == "read" else "ab" if how in ("append", "grow") else "r+b", 0) as file:
    if how == "lock":
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if how == "append":
        file.write(b"x")
    print("held", flush=True)
    while not os.path.exists(stop):
        if how == "grow":
            file.write(b"x")
            time.sleep(0.4)
        time.sleep(0.1)
