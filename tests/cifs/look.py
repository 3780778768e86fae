"""look.py PATH STOP - prints size and time of change of a file whenever they are others, until STOP exists."""

import os
import sys
import time

path, stop = sys.argv[1:3]
last = None
while not os.path.exists(stop):
    seen = os.stat(path)
    if (seen.st_size, seen.st_mtime_ns) != last:
        last = seen.st_size, seen.st_mtime_ns
        print(*last, flush=True)
    time.sleep(0.1)
