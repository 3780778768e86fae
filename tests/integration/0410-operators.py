"""Operators steer a living site: the big red button, dead letters, trees of tasks; and every act is in the log."""

import fcntl
import pty
import select
import struct
import termios

from harness import *

OK, NO, USAGE, MISSING, AWAY, REFUSED = range(6)


def code(site, expected, *words, says=""):
    answer = site.trawl(*words)
    equal(answer.code, expected, f"exit code of trawl {' '.join(words)}: {answer}")
    holds(says in answer.out + answer.err, f"trawl {' '.join(words)} says '{says}': {answer}")
    return answer


def sizes(site):
    return {p["pool"]: p["slots"] for p in site.ask("pool", "ls")}


def becomes(site, name, status):
    """wait_status, for a raw file that is settled with another status when the waiting begins."""
    return wait_until(lambda: site.raw(name) if site.raw(name)["status"] == status else None, 20, f"{name} is {status}")


def log(site, *words):
    return [(e["verb"], e["target"], e["state"], e["why"]) for e in site.ask("log", *words)]


@test
def the_red_button_stops_everything_and_resume_undoes_exactly_that():
    with Site("stop") as site:
        site.instrument("gen1", "generic", skip_quanting="true")
        site.start()
        code(site, OK, "pool", "set", "file_copy", "5", "--why", "new disks")
        before = sizes(site)
        code(site, USAGE, "stop", "--why", "fire", says="--all")
        code(site, USAGE, "stop", "--all", says="--why is needed")
        environment = site.env.pop("TRAWL_TRAWL_ENV")
        code(site, USAGE, "stop", "--all", "--why", "fire", says="say in which environment")
        site.env["TRAWL_TRAWL_ENV"] = environment
        equal(sizes(site), before, "sizes of the pools: nobody said where")
        code(site, OK, "stop", "--all", "--why", "smoke in room 4", says="file_copy: 5 -> 0")
        code(site, OK, "stop", "--all", "--why", "again", says="file_copy: stopped already by")
        equal(set(sizes(site).values()), {0}, "sizes of the pools")
        equal({p["pool"]: p["saved_slots"] for p in site.ask("pool", "ls")}, before, "saved sizes after the second stop")
        name = site.acquire("generic", "gen1")[0]["name"]
        site.wait_task(f"{name}/copy", "ready")
        why = wait_until(lambda: [t for t in site.ask("why", name)["tasks"] if t["reason"] == "stopped"], 10, "why")[0]
        holds("smoke in room 4" in why["what"] and "trawl resume" in why["next"], f"trawl why: {why}")
        equal(site.ask("status")["stopped"]["why"], "smoke in room 4", "trawl status")
        why = site.ask("why", "file_copy")["pool"]
        equal((why["id"], why["reason"]), ("file_copy", "stopped"), "trawl why file_copy")
        holds(why["what"].endswith("; 1 wait"), f"trawl why file_copy: {why}")
        code(site, OK, "status", says="smoke in room 4")
        equal(site.task(f"{name}/copy")["state"], "ready", "the copy meanwhile")

        code(site, OK, "pool", "set", "index", "2", "--why", "only this one")
        code(site, OK, "resume", "--why", "all clear", says="index: left at 2, which ")
        equal(sizes(site), {**before, "index": 2}, "sizes after resume")
        equal(next(p for p in site.ask("pool", "ls") if p["pool"] == "file_copy")["reason"], "new disks", "its old reason")
        equal(site.ask("status")["stopped"], None, "trawl status")
        code(site, OK, "resume", says="nothing is stopped")
        site.wait_status(name, "done_not_quanted")

        stops = log(site, "--target", "file_copy")
        equal(stops, [("pool set", "file_copy", "done", "new disks"), ("stop", "file_copy", "done", "smoke in room 4"),
                      ("resume", "file_copy", "done", "all clear")], "the log of file_copy")
        entry = site.ask("log", "--target", "file_copy")[1]
        equal((entry["before"]["slots"], entry["after"]["slots"], entry["after"]["saved_slots"]), (5, 0, 5), "before and after")
        code(site, OK, "log", "--since", "1h", "--who", f"{entry['who']}@{entry['host']}", says="slots 5 -> 0")
        equal(site.ask("log", "--who", "nobody-of-this-name"), [], "entries of somebody else")
        follow = Process("follow", [f"{BIN}/cli/trawl", "log", "--follow", "--json", "--target", "s3_upload", "--limit", "1"],
                         site.env, f"{site.dir}/follow")
        site.processes.append(follow)
        wait_until(lambda: follow.text().endswith("\n"), 10, "the newest entry")
        code(site, OK, "pool", "set", "s3_upload", "1", "--why", "followed")
        lines = wait_until(lambda: [json.loads(line) for line in follow.text().splitlines()][1:], 10, "the next entry")
        equal([line["why"] for line in lines], ["followed"], "what followed")
        site.expect_nothing_left()


@test
def a_failed_tree_is_retried_skipped_or_accepted_with_the_reason_kept():
    with Site("tree") as site:
        site.instrument("gen1", "generic")
        site.install_software("exit 3")
        site.start()
        names = [a["name"] for a in site.acquire("generic", "gen1", 4)]
        for name in names:
            site.wait_status(name, "quanting_failed", 60)
        quants = [f"{name}/quant/msqc-v1" for name in names]
        retried, skipped, accepted, dead = quants
        group, = site.ask("dead", "ls")
        equal((group["n"], group["kind"], group["class"]), (4, "quant", "permanent"), "trawl dead ls")
        holds("exit code #" in group["pattern"] and group["first"] <= group["last"], f"trawl dead ls: {group}")
        equal(sorted(t["_id"] for t in site.ask("dead", "show", group["group"])), sorted(quants), "trawl dead show")
        code(site, OK, "dead", "show", dead, says="trawl dead retry")
        code(site, MISSING, "dead", "show", "00000000", says="there is no group")
        code(site, USAGE, "dead", "retry", says="--group")
        code(site, USAGE, "dead", "drop", dead, says="--why is needed")
        code(site, USAGE, "task", "skip", skipped, says="--why is needed")
        code(site, OK, "task", "skip", skipped, "--why", "a blank", says=": skipped")
        unheard = site.trawl("dead", "drop", accepted, "--why", "too few spectra", env={"TRAWL_KAFKA_BROKERS": "127.0.0.1:1"})
        equal(unheard.code, OK, f"trawl dead drop without a broker, so that no event tells the scheduler: {unheard}")
        raw = becomes(site, names[1], "done_not_quanted")
        holds(re.fullmatch(r"\[msqc-v1\] skipped by .+@.+: a blank", raw["status_details"]), f"details: {raw['status_details']}")
        raw = becomes(site, names[2], "done")
        holds("accepted by " in raw["status_details"] and "too few spectra" in raw["status_details"], f"details: {raw['status_details']}")
        code(site, OK, "why", accepted, says="too few spectra")
        code(site, OK, "why", skipped, says="a blank")
        code(site, REFUSED, "task", "skip", f"{names[1]}/copy", "--why", "no", says="is done")
        code(site, REFUSED, "task", "ignore", accepted, "--why", "again", says="is ignored")

        site.install_software()
        equal(sorted(t["task"] for t in site.ask("dead", "retry", "--group", group["group"])), [retried, dead], "dead retry")
        site.wait_task(dead, "done", 40)
        becomes(site, names[3], "done")
        equal(site.ask("dead", "ls"), [], "trawl dead ls afterwards")
        code(site, REFUSED, "dead", "retry", dead, says="no dead letter")
        code(site, REFUSED, "task", "retry", f"{names[0]}/copy", says="is done")
        becomes(site, names[0], "done")
        code(site, REFUSED, "task", "retry", f"{names[0]}/copy", "--tree", says="nothing below it has failed")
        answer = site.ask("task", "retry", f"{names[1]}/copy", "--tree", "--why", "no blank")
        equal([(t["task"], t["state"]) for t in answer], [(skipped, "ready")], "what was retried")
        site.wait_task(skipped, "done", 40)
        becomes(site, names[1], "done")
        equal(log(site, "--target", names[1]), [
            ("task skip", skipped, "done", "a blank"), ("task skip", f"{names[1]}/copy", "refused", "no"),
            ("task retry", skipped, "done", "no blank")], "the log of a raw file")
        site.expect_nothing_left()


@test
def a_skipped_copy_ends_its_raw_file_until_it_is_retried():
    with Site("skip") as site:
        site.instrument("gen1", "generic", skip_quanting="true")
        site.start()
        code(site, OK, "pool", "set", "file_copy", "0")
        name = site.acquire("generic", "gen1")[0]["name"]
        copy = f"{name}/copy"
        site.wait_task(copy, "ready")
        code(site, OK, "task", "skip", copy, "--why", "a test shot")
        raw = site.wait_status(name, "ignored")
        equal(raw["backup_status"], "skipped", "backup_status")
        holds(raw["status_details"].endswith(": a test shot"), f"details: {raw['status_details']}")
        site.wait_settled()
        site.retry(copy)
        code(site, OK, "pool", "set", "file_copy", "1")
        site.wait_status(name, "done_not_quanted")
        site.expect_nothing_left()


class Terminal:
    """trawl top on a terminal of its own."""

    def __init__(self, site, rows, columns):
        self.master, self.slave = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self.slave)
        env = {**site.env, "TERM": "xterm", "NO_COLOR": ""}
        self.child = subprocess.Popen([f"{BIN}/cli/trawl", "top"], env=env, stdin=self.slave, stdout=self.slave,
                                      stderr=self.slave)
        self.text = ""

    def resize(self, rows, columns):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self):
        while select.select([self.master], [], [], 0)[0]:
            self.text += os.read(self.master, 1 << 16).decode(errors="replace")
        return self.text

    def frame(self):
        """The last whole frame, without colours."""
        frames = re.findall(r"\033\[H(.*?)\033\[J", self.read(), re.S)
        return re.sub(r"\033\[[0-9;?]*[a-zA-Z]", "", frames[-1]) if frames else ""

    def end(self):
        equal(self.child.wait(10), OK, "exit code of trawl top")
        holds("\033[?1049l" in self.read() and "\033[?25h" in self.text, "the screen and the cursor are back")
        equal(termios.tcgetattr(self.slave), self.before, "the terminal's settings")
        os.close(self.master)
        os.close(self.slave)


@test
def draining_a_pool_waits_for_what_holds_its_slots_and_tells_what_that_is():
    with Site("drain") as site:
        site.instrument("gen1", "generic")
        site.install_software("sleep 60")
        site.start()
        name = site.acquire("generic", "gen1")[0]["name"]
        quant = f"{name}/quant/msqc-v1"
        site.wait_task(quant, "parked", 40)
        code(site, NO, "pool", "set", "cluster_slots", "0", "--wait", "--timeout", "1", says="trawl why cluster_slots")
        equal([h["task"] for h in site.ask("why", "cluster_slots")["holders"]], [quant], "who holds the pool")
        job = str(site.task(quant)["parked"]["job_id"])
        why = wait_until(lambda: [t for t in site.ask("why", quant)["tasks"] if "which is" in t["what"]], 10, "the job's state")[0]
        holds(why["reason"] == "parked" and f"SLURM job {job}" in why["what"], f"trawl why: {why}")
        code(site, REFUSED, "task", "skip", quant, "--why", "no", says="is parked")
        code(site, OK, "task", "cancel", quant, "--why", "the wrong settings")
        code(site, OK, "pool", "set", "cluster_slots", "0", "--wait", "--timeout", "20")
        raw = site.wait_status(name, "quanting_failed")
        holds("cancelled by " in raw["status_details"] and "the wrong settings" in raw["status_details"], f"details: {raw}")
        site.expect_nothing_left()


@test
def top_draws_what_happens_and_gives_the_terminal_back():
    with Site("top") as site:
        site.instrument("gen1", "generic", skip_quanting="true")
        site.start()
        code(site, OK, "pool", "set", "file_copy", "2")
        code(site, OK, "stop", "--all", "--why", "smoke in room 4")
        name = site.acquire("generic", "gen1")[0]["name"]
        site.wait_task(f"{name}/copy", "ready")
        for how in ("q", signal.SIGTERM):
            top = Terminal(site, 40, 100)
            wait_until(lambda: f"{name}/copy" in top.frame(), 10, "trawl top shows what waits")
            for word in ("STOPPED", "smoke in room 4", "file_copy", "[....................]", "WORKER", "leads"):
                holds(word in top.frame(), f"trawl top shows {word}: {top.frame()}")
            equal(termios.tcgetattr(top.slave)[3] & termios.ECHO, 0, "echo meanwhile")
            top.resize(5, 60)
            os.kill(top.child.pid, signal.SIGWINCH)
            wait_until(lambda: top.frame().count("\r\n") == 4, 10, "trawl top has shrunk with its terminal")
            os.write(top.master, b"q") if how == "q" else os.kill(top.child.pid, how)
            top.end()
        code(site, OK, "resume")
        site.wait_status(name, "done_not_quanted")
        shown = code(site, OK, "top", "--once", says="copied").out
        holds("\033" not in shown and "last minute: " in shown, f"plain lines: {shown}")
        answer = site.ask("top")
        holds(answer["ended_last_minute"]["done"] >= 1 and answer["bytes_copied_last_minute"] > 0, f"rates: {answer}")
        equal((len(answer["workers"]), answer["stopped"]), (1, None), "trawl top --json")


run()
