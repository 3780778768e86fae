"""probe.py FOLDER - what a file system says to calls that Trawl makes, as JSON.

Run on a real share and on faultfs' share of Windows' kind: the second must say what the first does.
"""

import ctypes
import errno
import fcntl
import json
import os
import stat
import sys
import time

LIBC = ctypes.CDLL(None, use_errno=True)
NOREPLACE, EXCHANGE = 1, 2
seen = {}


def outcome(call, *arguments, **keys):
    try:
        result = call(*arguments, **keys)
    except OSError as error:
        return errno.errorcode.get(error.errno, error.errno)
    if isinstance(result, int) and not isinstance(result, bool) and result > 2 and call is os.open:
        os.close(result)
        return "ok"
    return "ok" if result is None else result


def note(what, call, *arguments, **keys):
    seen[what] = outcome(call, *arguments, **keys)


def renameat2(old, new, flags):
    if LIBC.renameat2(-100, os.fsencode(old), -100, os.fsencode(new), flags) != 0:
        raise OSError(ctypes.get_errno(), "renameat2")


def fallocate(fd, mode, size):
    if LIBC.fallocate(fd, mode, ctypes.c_long(0), ctypes.c_long(size)) != 0:
        raise OSError(ctypes.get_errno(), "fallocate")


def put(name, data=b"x" * 5000):
    with open(name, "wb", 0) as file:
        file.write(data)


def attributes(name):
    time.sleep(1.2)  # what the client remembers of it
    return hex(int.from_bytes(os.getxattr(name, "user.cifs.dosattrib"), "little") & 0x37)


def mode(name):
    return oct(stat.S_IMODE(os.stat(name).st_mode))


def names():
    for name in ("ä ö.raw", "[1] {2}", "trail.", "blank ", "a:b", "a*b?c", '"b<c>|d', "a\\b", "line\nend", "\x01", "n" * 255, "n" * 256,
                 "ü" * 127, "日本", "-x", "odd\udcff"):
        note(f"make {name!r:.20} {len(name)}", put, name)
        seen[f"listed {name!r:.20} {len(name)}"] = name in os.listdir(".")
    put("Case", b"1")
    put("case", b"22")
    seen["names that differ in case"] = [n for n in os.listdir(".") if n.lower() == "case"]
    note("O_EXCL of another case", os.open, "CASE", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    put("Ünicode", b"1")
    put("üNICODE", b"22")
    seen["umlauts that differ in case"] = len([n for n in os.listdir(".") if n.lower() == "ünicode"])
    put("other")
    note("NOREPLACE onto another case", renameat2, "other", "CASE", NOREPLACE)
    note("rename to another case", os.rename, "Case", "cASE")
    seen["names after that"] = sorted(n for n in os.listdir(".") if n.lower() == "case")


def renames():
    for name in ("a", "b"):
        put(name)
    note("NOREPLACE onto a file", renameat2, "a", "b", NOREPLACE)
    note("NOREPLACE to a new name", renameat2, "a", "c", NOREPLACE)
    note("EXCHANGE", renameat2, "b", "c", EXCHANGE)
    for name in ("d", "e", "f"):
        os.mkdir(name)
    put("e/x")
    note("folder NOREPLACE onto an empty one", renameat2, "d", "f", NOREPLACE)
    note("folder onto a full one", os.rename, "d", "e")
    with open("e/x", "rb"):
        note("folder with an open file", os.rename, "e", "g")
    put("open")
    with open("open", "r+b", 0) as file:
        note("an open file", os.rename, "open", "opened")
        note("write to it after that", file.write, b"y")
    with open("b", "rb") as file:
        note("onto an open file", os.rename, "opened", "b")
    note("link", os.link, "c", "l")
    note("link onto a file", os.link, "c", "b")
    seen["links"] = os.stat("c").st_nlink
    note("symlink", os.symlink, "c", "s")
    note("fifo", os.mkfifo, "p")


def locks():
    put("lock")
    one, two = os.open("lock", os.O_RDWR), os.open("lock", os.O_RDWR)
    note("lock", fcntl.flock, one, fcntl.LOCK_EX | fcntl.LOCK_NB)
    note("second lock", fcntl.flock, two, fcntl.LOCK_EX | fcntl.LOCK_NB)
    note("write by the other", os.pwrite, two, b"q", 0)
    seen["read by the other"] = outcome(lambda: len(os.pread(two, 10, 0)))
    note("write by the holder", os.pwrite, one, b"q", 0)
    note("rename of a locked file", os.rename, "lock", "locked")
    fcntl.flock(one, fcntl.LOCK_UN)
    note("lock after the unlock", fcntl.flock, two, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(two)
    os.close(one)


def removals():
    put("gone")
    with open("gone", "r+b", 0) as file:
        note("unlink of an open file", os.unlink, "gone")
        note("removed while open: stat", lambda: os.stat("gone").st_size)
        note("removed while open: open", os.open, "gone", os.O_RDONLY)
        note("removed while open: make", os.open, "gone", os.O_RDWR | os.O_CREAT)
        note("removed while open: make exclusively", os.open, "gone", os.O_RDWR | os.O_CREAT | os.O_EXCL)
        note("removed while open: unlink", os.unlink, "gone")
        put("into")
        note("removed while open: rename onto it", os.rename, "into", "gone")
        seen["removed while open: listed"] = "gone" in os.listdir(".")
        seen["removed while open: read"] = outcome(lambda: len(os.pread(file.fileno(), 10, 0)))
    os.mkdir("full")
    put("full/x")
    note("rmdir of a full folder", os.rmdir, "full")
    note("unlink of a folder", os.unlink, "full")


def modes():
    put("m")
    for wanted in (0o444, 0o777, 0o555):
        note(f"chmod {wanted:o}", os.chmod, "m", wanted)
        time.sleep(1.2)  # a second chmod within the life of an attribute is swallowed
        seen[f"chmod {wanted:o} shows"] = mode("m")
    for seconds in (0, 3):
        put(f"m{seconds}")
        os.chmod(f"m{seconds}", 0o444)
        time.sleep(seconds)
        note(f"chmod 600 after {seconds} s", os.chmod, f"m{seconds}", 0o600)
        seen[f"chmod 600 after {seconds} s: attributes"] = attributes(f"m{seconds}")
    note("read-only: open for writing", os.open, "m", os.O_RDWR)
    note("read-only: truncate", os.truncate, "m", 1)
    note("read-only: times", os.utime, "m", ns=(10**18, 10**18))
    note("read-only: rename", os.rename, "m", "m2")
    note("read-only: unlink", os.unlink, "m2")
    note("chown", os.chown, "b", 12, 12)
    os.mkdir("md", 0o700)
    seen["mode of a folder"] = mode("md")
    note("chmod of a folder", os.chmod, "md", 0o555)
    seen["chmod of a folder shows"] = mode("md")
    note("make in a read-only folder", put, "md/x")


def hidden():
    def born(name):
        put(name)
        return attributes(name)

    seen["hidden: dotted"] = born(".h1")
    os.rename(".h1", "h1")
    seen["hidden: renamed"] = attributes("h1")
    fd = os.open(".h2", os.O_CREAT | os.O_RDWR)
    os.write(fd, b"x" * 9000)
    os.utime(fd, ns=(10**18, 10**18))
    os.close(fd)
    os.rename(".h2", "h2")
    seen["hidden: times by its first handle"] = attributes("h2")
    for name, how in ((".h3", "written anew"), (".h4", "times anew"), (".h5", "read anew"), (".h7", "chmod 755 anew")):
        put(name)
        time.sleep(2.5)  # the client's handle is closed
        if how == "written anew":
            with open(name, "r+b", 0) as file:
                file.write(b"y")
        elif how == "times anew":
            os.utime(name, ns=(10**18, 10**18))
        elif how == "chmod 755 anew":
            os.chmod(name, 0o755)
        else:
            with open(name, "rb", 0) as file:
                file.read()
        os.rename(name, name[1:])
        seen[f"hidden: {how}"] = attributes(name[1:])
    put(".h6")
    os.rename(".h6", ".h6b")
    with open(".h6b", "r+b", 0) as file:
        file.write(b"y")
    os.rename(".h6b", "h6")
    seen["hidden: renamed and written at once"] = attributes("h6")
    put(".h8")
    os.chmod(".h8", 0o555)
    os.rename(".h8", "h8")
    seen["hidden: read-only"] = attributes("h8")
    for name, how in ((".hd1", "nothing"), (".hd2", "times"), (".hd3", "read-only")):
        os.mkdir(name)
        if how == "times":
            os.utime(name, ns=(10**18, 10**18))
        if how == "read-only":
            os.chmod(name, 0o555)
        os.rename(name, name[1:])
        seen[f"hidden folder: {how}"] = attributes(name[1:])
    note("setting attributes", os.setxattr, "h6", "user.cifs.dosattrib", (0x20).to_bytes(4, "little"))
    seen["attributes that were set"] = attributes("h6")
    note("attributes of a dotted name", lambda: (put(".h9"), os.setxattr(".h9", "user.cifs.dosattrib", (0x20).to_bytes(4, "little")))[1])
    os.rename(".h9", "h9")
    seen["attributes of a dotted name, then renamed"] = attributes("h9")


def sizes():
    fd = os.open("big", os.O_RDWR | os.O_CREAT)
    note("fallocate", fallocate, fd, 0, 1 << 20)
    seen["size then"] = os.fstat(fd).st_size
    note("fallocate, size kept", fallocate, fd, 1, 1 << 21)
    seen["size after size kept"] = os.fstat(fd).st_size
    os.utime(fd, ns=(1_600_000_000_123_456_789, 1_600_000_000_123_456_789))
    os.close(fd)
    seen["time of change"] = os.stat("big").st_mtime_ns
    seen["inodes"] = os.statvfs(".").f_files


top = os.path.join(sys.argv[1], "probe")
for part in (names, renames, locks, removals, modes, hidden, sizes):
    os.makedirs(f"{top}/{part.__name__}")
    os.chdir(f"{top}/{part.__name__}")
    put("b")
    try:
        part()
    except OSError as error:
        seen[f"{part.__name__} ended"] = str(error)
print(json.dumps(seen, ensure_ascii=True))
