"""main.py WORD... - runs the cases that a word is in the name of, or a word of; all without one. A line for each, a summary.

Started by tests/cifs/run. Exit 0: all were right; a case that is skipped is a failure.
"""

import functools
import importlib
import sys
import time

from world import World, cases
from checks import run_one

MODULES = ("cases_share", "cases_units", "cases_copy", "cases_whole")


def chosen(words) -> list:
    return [c for c in cases if not words or any(w in c.words or w in c.__name__ for w in words)]


def main(words) -> int:
    began = time.monotonic()
    for module in MODULES:
        importlib.import_module(module)
    wanted = chosen(words)
    if not wanted:
        print(f"no case has {words} in its name: {', '.join(c.__name__ for c in cases)}")
        return 2
    world = World()
    try:
        print(f"the guest is up after {time.monotonic() - began:.0f} s", flush=True)
        results = [run_one(functools.wraps(c)(lambda c=c: c(world))) for c in wanted]
    finally:
        world.close()
    bad = [c.__name__ for c, result in zip(wanted, results) if result != "ok"]
    print(f"cifs: {len(wanted) - len(bad)} of {len(wanted)} cases are right, {time.monotonic() - began:.0f} s"
          + (f"; wrong: {', '.join(bad)}" if bad else ""))
    return 1 if bad else 0


sys.exit(main(sys.argv[1:]))
