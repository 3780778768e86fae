"""What a share says to a client, and that faultfs' share of Windows' kind says the same."""

import shlex

from world import *

# Within one client another handle's reads and writes may be answered by its memory: faultfs always asks the server. A
# folder, or a file that is no longer read-only, shows its old mode for a second.
CLIENTS_MEMORY = {"write by the other", "read by the other", "chmod of a folder shows", "chmod 777 shows"}


@case("short")
def faultfs_says_what_a_real_share_says(w):
    w.fresh()
    real = json.loads(w.one.do(f"python3 {HERE}/probe.py {w.b.folder}", 300))
    with Share("cifs") as s:
        ours = json.loads(subprocess.run([sys.executable, f"{HERE}/probe.py", s.path], capture_output=True, text=True, check=True).stdout)
    equal(len(real), len(ours), "what was asked")
    holds(len(real) > 90, f"{len(real)} calls were tried")
    wrong = {what: (said, ours.get(what)) for what, said in real.items() if said != ours.get(what) and what not in CLIENTS_MEMORY}
    equal(wrong, {}, "calls on which a share and faultfs differ (share, faultfs)")


class Hosts:
    """Two hosts of a real share, or of faultfs' one: the same words for both."""

    def __init__(self, folders, ask, start):
        self.folders, self.ask, self.start = folders, ask, start
        self.stops = 0

    def calls(self, host: int, *calls: str) -> list:
        words = " ".join(map(shlex.quote, (sys.executable, f"{HERE}/calls.py", self.folders[host], *calls)))
        return json.loads(self.ask[host](words))

    @contextlib.contextmanager
    def holding(self, host: int, name: str, how: str, stop: str):
        end = self.start[host](f"{sys.executable} {HERE}/hold.py {self.folders[host]}/{name} {how} {stop}")
        try:
            yield
        finally:
            with flag(stop):
                end()


def observations(hosts: Hosts, stop: str) -> dict:
    seen = {}
    hosts.calls(0, "mkdir d", "make d/f", "make a", "make b", "make c")
    with hosts.holding(1, "d/f", "read", stop):
        seen["folder with a file that another host has open"] = hosts.calls(0, "rename d e")
    hosts.calls(0, "rename e d")
    with hosts.holding(1, "a", "read", stop):
        seen["onto a file that another host has open"] = hosts.calls(0, "rename b a")
    with hosts.holding(1, "c", "lock", stop):
        seen["locked by another host"] = hosts.calls(0, "lock c", "read c", "write c")
    seen["no longer locked"] = hosts.calls(0, "lock c", "read c", "write c")
    with hosts.holding(1, "c", "read", stop):
        seen["removed while another host has it open"] = hosts.calls(0, "unlink c", "listed c", "read c", "mkdir c")
    seen["after the close"] = hosts.calls(0, "listed c")
    return seen


def times(lines: str) -> dict:
    """Of what look.py saw while another client wrote: whether the size came first, and how often the time changed."""
    looks = [tuple(map(int, line.split())) for line in lines.splitlines() if line[:1].isdigit()]
    (first_size, first_time), seen_times = looks[0], [time_of for _, time_of in looks]
    return {"the size came first": any(size > first_size and time_of == first_time for size, time_of in looks),
            "times of change": len(set(seen_times))}


@case()
def faultfs_shows_times_of_change_as_a_real_share_does(w):
    w.fresh(options=f"vers=3.0,{BASE},actimeo=0")
    look, hold = f"{sys.executable} {HERE}/look.py", f"{sys.executable} {HERE}/hold.py"
    for how in ("append", "grow"):
        w.one.do(f"echo begin >{w.b.folder}/{how}; sleep 3; cat {w.b.folder}/{how}")
        looking = w.one.start(f"{look} {w.b.folder}/{how} {w.dir}/stop")
        wait_until(looking.text, 20, "the first look")
        with w.smb(w.b, how, how):
            time.sleep(6)
        time.sleep(3)
        with flag(f"{w.dir}/stop"):
            looking.wait(20)
        real = times(looking.text())
        with Share("cifs", hosts=2) as s:
            write_file(f"{s.path}/{how}", 6)
            digest(f"{s.path}/{how}")
            end_look, out = start_here(f"{look} {s.path}/{how} {w.dir}/stop", None)
            end = start_here(f"{hold} {s.hosts[1].path}/{how} {how} {w.dir}/stop-hold")[0]
            time.sleep(6)
            with flag(f"{w.dir}/stop-hold"):
                end()
            time.sleep(1)
            with flag(f"{w.dir}/stop"):
                end_look()
            ours = times("".join(out))
        equal(ours, real, f"{how}: times of change on faultfs and on a share")


@case()
def faultfs_says_to_two_hosts_what_a_real_share_says(w):
    for lines, options in (((), "cifs,nostrict"), (("strict rename = yes",), "cifs")):
        w.fresh(w.one, w.two, lines=lines)
        guests = (w.one, w.two)
        real = observations(Hosts([w.b.folder] * 2, [guest.do for guest in guests], [starter(guest) for guest in guests]), f"{w.dir}/stop")
        with Share(options, hosts=2) as s:
            ours = observations(Hosts([host.path for host in s.hosts], [here] * 2, [lambda words: start_here(words)[0]] * 2), f"{w.dir}/stop")
        equal(ours, real, f"faultfs ({options}) beside a real share {lines}")


def here(words: str) -> str:
    return subprocess.run(words, shell=True, capture_output=True, text=True, check=True).stdout


def start_here(words: str, says: str = "held\n"):
    """A process of this host's: what waits for its end, and what it printed when that has been called."""
    child, out = subprocess.Popen(shlex.split(words), stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent), []
    out.append(child.stdout.readline())
    holds(says is None or out[0] == says, words)

    def end():
        out.append(child.stdout.read())
        child.wait(20)
        child.stdout.close()

    return end, out


def starter(guest: Guest):
    def start(words: str):
        process = guest.start(words)
        wait_until(lambda: "held" in process.text(), 20, f"{words}: {process.text()}")
        return lambda: process.wait(30)

    return start
