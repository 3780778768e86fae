"""The file system that fails as told: it passes everything on, and each fault is what it says."""

import errno

from check import *


def fails(code, call, *arguments, **keys):
    try:
        call(*arguments, **keys)
    except OSError as error:
        equal(errno.errorcode[error.errno], code, f"{call.__name__}{arguments}")
        return
    raise Failed(f"{call.__name__}{arguments} did not fail")


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


@test
def with_casefold_a_name_is_found_in_any_case():
    with Folders("casefold") as f:
        os.mkdir(f"{f.pool}/Dir")
        write(f"{f.pool}/dir/Name.RAW")
        equal(os.listdir(f"{f.back}/Dir"), ["Name.RAW"], "the name that was made")
        equal(len(read(f"{f.pool}/DIR/name.raw")), 10000, "found")
        fails("EEXIST", os.open, f"{f.pool}/dir/NAME.raw", os.O_CREAT | os.O_EXCL)


run()
