"""The file system that fails as told: it passes everything on, and each fault is what it says."""

import ctypes
import errno
import fcntl

from check import *

NOREPLACE, EXCHANGE = 1, 2
LIBC = ctypes.CDLL(None, use_errno=True)


def fails(code, call, *arguments, **keys):
    try:
        call(*arguments, **keys)
    except OSError as error:
        equal(errno.errorcode[error.errno], code, f"{call.__name__}{arguments}")
        return
    raise Failed(f"{call.__name__}{arguments} did not fail")


def retry(call, *arguments):
    """A close reaches the server a moment after the call."""
    def done():
        try:
            call(*arguments)
            return True
        except PermissionError:
            return False

    wait_until(done, 5, f"{call.__name__}{arguments}")


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, data=b"x" * 10000):
    with open(path, "wb") as file:
        file.write(data)


@test
def everything_is_passed_on():
    with Folders() as f:
        write(f"{f.pool}/a")
        os.chmod(f"{f.pool}/a", 0o640)
        os.utime(f"{f.pool}/a", ns=(1_000_000_000, 2_000_000_123))
        os.mkdir(f"{f.pool}/d")
        os.rename(f"{f.pool}/a", f"{f.pool}/d/ü [1] \udcff")
        seen, real = os.stat(f"{f.pool}/d/ü [1] \udcff"), os.stat(f"{f.back}/d/ü [1] \udcff")
        for key in ("st_ino", "st_size", "st_mode", "st_mtime_ns", "st_ctime_ns"):
            equal(getattr(seen, key), getattr(real, key), key)
        equal(real.st_mtime_ns, 2_000_000_123, "the time that was set")
        fd = os.open(f"{f.pool}/d/direct", os.O_RDWR | os.O_CREAT | os.O_DIRECT)
        os.posix_fallocate(fd, 0, 5000)
        os.fsync(fd)
        os.close(fd)
        equal(os.path.getsize(f"{f.back}/d/direct"), 5000, "allocated")
        equal(sorted(os.listdir(f"{f.pool}/d")), sorted(os.listdir(f"{f.back}/d")), "names")
        write(f"{f.pool}/b")
        fails("EEXIST", os.link, f"{f.pool}/b", f"{f.pool}/d/direct")
        fails("ENOTEMPTY", os.rmdir, f"{f.pool}/d")
        shutil.rmtree(f"{f.pool}/d")
        equal(os.listdir(f.back), ["b"], "names at the end")


@test
def each_fault_is_what_it_says():
    with Folders() as f:
        fs, pool, back = f.fs, f.pool, f.back
        write(f"{pool}/a")
        fs.rules("error=EIO read a", "error=ESTALE stat,open b*", "error=EROFS create * times=1")
        fails("EIO", read, f"{pool}/a")
        fails("EROFS", write, f"{pool}/c")
        write(f"{pool}/c")
        fails("ESTALE", os.stat, f"{pool}/b")
        fs.rules("error=ENOSPC write full after=8192")
        fails("ENOSPC", write, f"{pool}/full", bytes(MIB))
        holds(8192 <= os.path.getsize(f"{back}/full") < MIB, "what fitted")
        fs.rules("flip write flipped offset=5000")
        write(f"{pool}/flipped", bytes(10000))
        equal([i for i, byte in enumerate(read(f"{back}/flipped")) if byte], [5000], "what was flipped")
        fs.rules("flip read a offset=7")
        equal(read(f"{pool}/a")[:9], b"xxxxxxxyx", "flipped while it is read")
        fs.rules("empty any *")
        equal(os.listdir(pool), [], "an empty folder")
        fails("ENOENT", os.stat, f"{pool}/a")
        fs.rules("free statfs * bytes=1048576", "date stat a at=1000")
        equal((os.statvfs(pool).f_bavail * os.statvfs(pool).f_frsize, int(os.stat(f"{pool}/a").st_ctime)), (MIB, 1000), "told")
        fs.rules("short read,write *")
        write(f"{pool}/short", b"z" * 9000)
        equal(read(f"{pool}/short"), b"z" * 9000, "short reads and writes are gone on with")
        fs.rules("slow write * rate=100000")
        began = time.monotonic()
        write(f"{pool}/slow", bytes(50000))
        holds(0.4 < time.monotonic() - began < 5, "slow")
        fs.rules("hang stat a")
        child = subprocess.Popen(["stat", f"{pool}/a"], stdout=subprocess.DEVNULL)
        fs.wait_hit("hang stat a")
        equal(child.poll(), None, "it hangs")
        fs.rules()
        equal(child.wait(5), 0, "it goes on")
        fs.unmount()
        equal(os.listdir(pool), [], "what is below the mount")
        fs.mount()


def rename(old, new, flags=0):
    if LIBC.renameat2(-100, os.fsencode(old), -100, os.fsencode(new), flags) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def lock(fd):
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def killed_while_it_has(*paths, locked=""):
    """A process that opened the files for writing, locked one, wrote to all and was killed."""
    code = "import fcntl, sys, time\nfor p in sys.argv[2:]:\n f = open(p, 'ab', 0); f.write(b'x'); globals().setdefault('l', []).append(f)\n" \
           " if p == sys.argv[1]: fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)\nprint('up', flush=True); time.sleep(99)"
    child = subprocess.Popen([sys.executable, "-c", code, locked, *paths], stdout=subprocess.PIPE, preexec_fn=die_with_parent)
    equal(child.stdout.readline(), b"up\n", "it holds the files")
    child.kill()
    child.wait()
    child.stdout.close()


@test
def with_casefold_a_name_is_found_in_any_case():
    with Folders("casefold") as f:
        os.mkdir(f"{f.pool}/Dir")
        write(f"{f.pool}/dir/Name.RAW")
        equal(os.listdir(f"{f.back}/Dir"), ["Name.RAW"], "the name that was made")
        equal(len(read(f"{f.pool}/DIR/name.raw")), 10000, "found")
        fails("EEXIST", os.open, f"{f.pool}/dir/NAME.raw", os.O_CREAT | os.O_EXCL)
        write(f"{f.pool}/Übung.raw", b"1")
        write(f"{f.pool}/ÜBUNG.RAW", b"2")
        equal((os.listdir(f.back).count("Übung.raw"), len(os.listdir(f.back))), (1, 2), "one file")
        equal(read(f"{f.pool}/übung.raw"), b"2", "its bytes")
        rename(f"{f.pool}/Übung.raw", f"{f.pool}/übung.RAW")
        holds("übung.RAW" in os.listdir(f.pool), "only the case was changed")


@test
def a_share_keeps_odd_names_in_another_form():
    with Share("names") as s:
        for name in ("trail.", "blank ", "a:b", "q?s*", "<|>\"", "plain.raw", "ü .d"):
            write(f"{s.path}/{name}")
            holds(os.path.isfile(f"{s.path}/{name}") and name in os.listdir(s.path), f"{name!r} is there")
        equal(sorted(os.listdir(s.back)), sorted(["trail\uf029", "blank\uf028", "a\uf022b", "q\uf025s\uf021",
                                                  "\uf023\uf027\uf024\uf020", "plain.raw", "ü .d"]), "at the server")
        fails("EINVAL", write, f"{s.path}/a\\b")


@test
def a_share_has_no_links_owners_modes_or_reservations():
    with Share("plain,modes") as s:
        fails("ENOTSUP", os.symlink, "x", f"{s.path}/link")
        fails("EPERM", os.mkfifo, f"{s.path}/fifo")
        write(f"{s.path}/a")
        os.chmod(f"{s.path}/a", 0o600)
        os.chown(f"{s.path}/a", 1, 1)
        seen = os.stat(f"{s.path}/a")
        equal((seen.st_mode & 0o7777, seen.st_uid), (0o755, os.getuid()), "mode and owner")
        os.chmod(f"{s.path}/a", 0o444)
        equal((os.stat(f"{s.path}/a").st_mode & 0o7777, s.attributes("a")), (0o555, 33), "read-only")
        fails("EACCES", open, f"{s.path}/a", "r+b")
        os.chmod(f"{s.path}/a", 0o200)
        equal((os.stat(f"{s.path}/a").st_mode & 0o7777, s.attributes("a")), (0o755, 32), "no longer")
        os.mkdir(f"{s.path}/d", 0o500)
        equal(os.stat(f"{s.path}/d").st_mode & 0o7777, 0o755, "a folder's mode")
        with open(f"{s.path}/big", "wb") as file:
            os.posix_fallocate(file.fileno(), 0, MIB)
        equal((os.stat(f"{s.back}/big").st_size, os.stat(f"{s.back}/big").st_blocks), (MIB, 0), "allocated")
        equal(os.statvfs(s.path).f_files, 0, "inodes")
        os.link(f"{s.path}/a", f"{s.path}/b")
        fails("EEXIST", os.link, f"{s.path}/big", f"{s.path}/b")


@test
def locks_of_a_share_are_mandatory_for_every_host():
    with Share("locks", hosts=2) as s:
        other = s.hosts[1].path
        write(f"{s.path}/a")
        with open(f"{s.path}/a", "r+b", 0) as mine, open(f"{s.path}/a", "r+b", 0) as same, open(f"{other}/a", "r+b", 0) as theirs:
            lock(mine)
            for file in (same, theirs):
                fails("EACCES", lock, file)
                fails("EACCES", file.read, 10)
                fails("EACCES", file.write, b"y")
            mine.write(b"y")
            fcntl.flock(mine, fcntl.LOCK_UN)
            lock(theirs)
            fails("EACCES", mine.read, 10)
            s.hosts[0].rules("error=EINVAL lock a")
            fails("EINVAL", lock, same)
        s.hosts[0].rules()
        with open(f"{s.path}/a", "r+b", 0) as mine:
            lock(mine)


@test
def with_nobrl_a_lock_is_known_to_its_host_only():
    with Share("cifs,nobrl", hosts=2) as s:
        write(f"{s.path}/a")
        with open(f"{s.path}/a", "r+b", 0) as mine, open(f"{s.path}/a", "r+b", 0) as same, \
                open(f"{s.hosts[1].path}/a", "r+b", 0) as theirs:
            lock(mine)
            fails("EAGAIN", lock, same)
            equal(len(same.read(10)), 10, "advisory")
            lock(theirs)


@test
def what_a_killed_process_had_open_outlives_it():
    with Share("locks,outlive,pending,outlive_ms=2500,outlive_locks_ms=1000") as s:
        killed_while_it_has(f"{s.path}/part", f"{s.path}/gone", locked=f"{s.path}/part")
        with open(f"{s.path}/part", "r+b", 0) as file:
            fails("EACCES", lock, file)
        os.rename(f"{s.path}/part", f"{s.path}/final")
        fails("EINVAL", open, f"{s.path}/final", "r+b")
        os.unlink(f"{s.path}/gone")
        equal(sorted(os.listdir(s.path)), ["final", "gone"], "names while a dead one has it open")
        wait_until(lambda: os.listdir(s.path) == ["final"], 10, "the handles are gone")
        with open(f"{s.path}/final", "r+b", 0) as file:
            lock(file)
        with open(f"{s.path}/ends", "wb"):
            pass
        subprocess.run([sys.executable, "-c", "import os, sys; open(sys.argv[1], 'wb', 0).write(b'x'); os._exit(3)", f"{s.path}/ends"])
        os.rename(f"{s.path}/ends", f"{s.path}/ended")
        equal(read(f"{s.path}/ended"), b"x", "who ends by himself leaves nothing open")


@test
def a_removed_file_keeps_its_name_until_the_last_close():
    with Share("pending", hosts=2) as s:
        for name in "ab":
            write(f"{s.path}/{name}")
        with open(f"{s.hosts[1].path}/a", "rb") as file:
            os.unlink(f"{s.path}/a")
            fails("ENOENT", read, f"{s.path}/a")
            fails("ENOENT", write, f"{s.path}/a")
            fails("EEXIST", os.open, f"{s.path}/a", os.O_CREAT | os.O_EXCL)
            fails("EACCES", os.rename, f"{s.path}/b", f"{s.path}/a")
            equal(sorted(os.listdir(s.path)), ["a", "b"], "its name")
            equal(len(file.read()), 10000, "its bytes")
        wait_until(lambda: os.listdir(s.path) == ["b"], 5, "closed")
        write(f"{s.path}/a")


@test
def a_folder_with_an_open_file_keeps_its_name():
    for options, others in (("cifs", "EACCES"), ("cifs,nostrict", None)):
        with Share(options, hosts=2) as s:
            os.mkdir(f"{s.path}/d")
            for name in ("f", "d/f"):
                write(f"{s.path}/{name}")
            with open(f"{s.path}/d/f", "rb"):
                fails("EACCES", os.rename, f"{s.path}/d", f"{s.path}/e")
                fails("EACCES", os.rename, f"{s.path}/f", f"{s.path}/d/f")
            with open(f"{s.hosts[1].path}/d/f", "rb"):
                if others:
                    fails(others, os.rename, f"{s.path}/d", f"{s.path}/e")
                else:
                    os.rename(f"{s.path}/d", f"{s.path}/e")
                    os.rename(f"{s.path}/e", f"{s.path}/d")
            retry(os.rename, f"{s.path}/d", f"{s.path}/e")


@test
def a_time_of_change_comes_late_and_jumps_at_the_close():
    with Share("late", hosts=2) as s:
        write(f"{s.path}/a")
        os.utime(f"{s.path}/a", ns=(1_000_000_000, 2_000_000_123))
        equal(os.stat(f"{s.path}/a").st_mtime_ns, 2_000_000_100, "100 ns count")
        theirs = f"{s.hosts[1].path}/a"
        with open(f"{s.path}/a", "ab", 0) as file:
            file.write(b"x")
            began = time.time()
            seen = os.stat(theirs)
            equal((seen.st_size, seen.st_mtime_ns), (10001, 2_000_000_100), "the size is there, the time is not")
            wait_until(lambda: os.stat(theirs).st_mtime_ns != 2_000_000_100, 10, "it comes")
            late = os.stat(theirs).st_mtime
            holds(1.5 < late - began < 2.5, f"two seconds late: {late - began}")
            wait_until(lambda: time.time() > began + 2.1, 5, "the first write is over")
            file.write(b"x")
            equal(os.stat(theirs).st_mtime, late, "no further write counts")
        wait_until(lambda: os.stat(theirs).st_mtime > late, 5, "the close")
        shown = os.stat(f"{s.path}/a").st_mtime_ns
        read(f"{s.path}/a")
        equal(os.stat(f"{s.path}/a").st_mtime_ns, shown - 48_000_000, "the server's clock, once it was opened again")
        before = os.stat(theirs).st_mtime_ns
        with open(f"{s.path}/a", "ab", 0) as file:
            file.write(b"x")
            equal(os.stat(theirs).st_mtime_ns, before, "late again")
            os.fsync(file.fileno())
            holds(os.stat(theirs).st_mtime_ns > before, "flushed")
        with open(f"{s.path}/a", "ab", 0) as file:
            file.write(b"x")
            os.utime(file.fileno(), ns=(1_000_000_000, 3_000_000_000))
        wait_until(lambda: os.stat(f"{s.back}/a").st_mtime_ns == 3_000_000_000, 5, "what was set stays")


@test
def noreplace_replaces_what_another_host_made_meanwhile():
    with Share("replace", hosts=2) as s:
        write(f"{s.path}/mine", b"mine")
        write(f"{s.path}/there", b"there")
        fails("EEXIST", rename, f"{s.path}/mine", f"{s.path}/there", NOREPLACE)
        fails("EINVAL", rename, f"{s.path}/mine", f"{s.path}/there", EXCHANGE)
        s.hosts[0].rules("delay rename final ms=1500")
        code = "import ctypes, os, sys; sys.exit(-ctypes.CDLL(None).renameat2(-100, os.fsencode(sys.argv[1]), -100, os.fsencode(sys.argv[2]), 1))"
        child = subprocess.Popen([sys.executable, "-c", code, f"{s.path}/mine", f"{s.path}/final"])
        s.hosts[0].wait_hit("delay rename final")
        rename(f"{s.hosts[1].path}/there", f"{s.hosts[1].path}/final", NOREPLACE)
        equal(child.wait(10), 0, "the second got the name, too")
        equal((os.listdir(s.back), read(f"{s.back}/final")), (["final"], b"mine"), "the first one's file is lost")


@test
def a_dotted_name_is_hidden_and_what_got_it_by_a_rename_stays_so():
    with Share("hidden,modes") as s:
        def shown(name):
            return int.from_bytes(os.getxattr(f"{s.path}/{name}", "user.cifs.dosattrib"), "little")

        write(f"{s.path}/.fresh")
        os.utime(f"{s.path}/.fresh")
        equal((s.attributes(".fresh"), shown(".fresh")), (0x20, 0x22), "just made")
        os.rename(f"{s.path}/.fresh", f"{s.path}/fresh")
        equal(shown("fresh"), 0x20, "its name was all")
        os.rename(f"{s.path}/fresh", f"{s.path}/.part")
        os.rename(f"{s.path}/.part", f"{s.path}/old.raw")
        equal((s.attributes("old.raw"), shown("old.raw")), (0x22, 0x22), "for good")
        os.setxattr(f"{s.path}/old.raw", "user.cifs.dosattrib", (0x20).to_bytes(4, "little"))
        equal(s.attributes("old.raw"), 0x20, "until it is set")
        write(f"{s.path}/.ro")
        os.chmod(f"{s.path}/.ro", 0o555)
        equal(s.attributes(".ro"), 0x23, "a mode is enough")
        os.mkdir(f"{s.path}/.d")
        os.rename(f"{s.path}/.d", f"{s.path}/.e")
        equal(s.attributes(".e"), 0x10, "not a folder")
        os.chmod(f"{s.path}/.e", 0o555)
        equal(s.attributes(".e"), 0x13, "but by a mode")


@test
def what_an_instrument_holds_cannot_be_opened_or_read():
    for code in ("EBUSY", "EACCES", "ETXTBSY"):
        with Share(f"shares,share={code}") as s:
            write(f"{s.back}/a.raw")
            with open(f"{s.back}/a.raw", "r+b") as instrument, open(f"{s.path}/a.raw", "rb", 0) as early:
                lock(instrument)
                fails(code, open, f"{s.path}/a.raw", "rb")
                fcntl.flock(instrument, fcntl.LOCK_UN)
                fcntl.lockf(instrument, fcntl.LOCK_EX)
                fails("EACCES", early.read, 10)
                fcntl.lockf(instrument, fcntl.LOCK_UN)
                equal(len(early.read(10)), 10, "released")


@test
def one_word_makes_a_share_that_says_it_is_cifs():
    with Share("cifs") as s:
        with open("/proc/self/mountinfo") as mounts:
            line = next(line for line in mounts if f" {s.path} " in line)
        equal(line.split(" - ")[1].split()[:2], ["fuse.cifs", "//faultfs/share"], "type and source")
        os.mkdir(f"{s.path}/a.d")
        write(f"{s.path}/a.d/Data.bin")
        equal(read(f"{s.path}/A.D/data.BIN"), b"x" * 10000, "it works")
        shutil.rmtree(f"{s.path}/a.d")


run()
