"""What happens to raw files whose acquisition seemed to be over: they are written to, joined by others, or touched.

What is left is valid again: a reader of the format finds nothing wrong.
"""

import os

import bruker
import mzml
import sciex
import thermo

TYPES = {".raw": thermo, ".d": bruker, ".wiff": sciex, ".mzML": mzml}
HOW = ("rewrite", "append", "add", "touch")


def members(folder: str, name: str) -> list:
    return sciex.members(os.listdir(folder), name) if name.endswith(".wiff") else [name]


def files(path: str) -> list:
    if os.path.isfile(path):
        return [path]
    return sorted(os.path.join(top, name) for top, _, names in os.walk(path) for name in names)


def touch(folder: str, name: str, rng) -> str:
    """A new time for one file of it; nothing else."""
    path = rng.choice([path for member in members(folder, name) for path in files(os.path.join(folder, member))])
    os.utime(path)
    return path


def alter(folder: str, name: str, how: str, rng, keep_time: bool = False) -> str:
    """The path of the file that was changed. keep_time: it gets back the time of change that it had. Where nothing can be
    added to an acquisition (a single file), it is made longer."""
    path = os.path.join(folder, name)
    vendor = TYPES[os.path.splitext(name)[1]]
    os.stat(path)  # nothing is made where nothing is
    if how == "touch":
        return touch(folder, name, rng)
    before = {file: os.stat(file) for member in members(folder, name) for file in files(os.path.join(folder, member))}
    function = vendor.append if how == "add" and not hasattr(vendor, "add") else getattr(vendor, how)
    changed = function(path, rng)
    if keep_time and changed in before:
        os.utime(changed, ns=(before[changed].st_atime_ns, before[changed].st_mtime_ns))
    return changed
