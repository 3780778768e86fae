"""The operator's command line against a living site: what it says, what it changes, and its exit codes."""

from harness import *

OK, NO, USAGE, MISSING, AWAY, REFUSED = range(6)


def code(site, expected, *words, says=""):
    answer = site.trawl(*words)
    equal(answer.code, expected, f"exit code of trawl {' '.join(words)}: {answer}")
    holds(says in answer.out + answer.err, f"trawl {' '.join(words)} says '{says}': {answer}")
    return answer


def pool(site, name):
    return next(p for p in site.ask("pool", "ls") if p["pool"] == name)


@test
def a_pool_that_is_set_to_zero_drains_and_goes_on_when_it_is_set_back():
    with Site("pools") as site:
        site.instrument("gen1", "generic", skip_quanting="true")
        site.start()
        code(site, OK, "pool", "set", "file_copy", "0", "--why", "new disks", "--wait")
        name = site.acquire("generic", "gen1")[0]["name"]
        site.wait_task(f"{name}/copy", "ready")
        why = wait_until(lambda: [t for t in site.ask("why", name)["tasks"] if t["reason"] == "pool_closed"], 10, "why")[0]
        holds("new disks" in why["what"] and "trawl pool set file_copy" in why["next"], f"trawl why: {why}")
        state = pool(site, "file_copy")
        equal((state["slots"], state["used"], state["waiting"], state["reason"]), (0, 0, 1, "new disks"), "trawl pool ls")
        holds("@" in state["by"], f"who did it: {state}")
        wait_until(lambda: site.db.find("workers")[0]["beat"] > 3, 5, "time passes")
        equal(site.task(f"{name}/copy")["state"], "ready", "the copy meanwhile")
        equal(site.raw(name)["status"], "monitoring_done", "the raw file meanwhile")
        code(site, OK, "pool", "set", "file_copy", "2")
        site.wait_status(name, "done_not_quanted", 5)
        site.expect_nothing_left()
        code(site, MISSING, "pool", "set", "file_cop", "2", says="did you mean 'file_copy'?")
        code(site, USAGE, "pool", "set", "file_copy", "many")
        code(site, USAGE, "pool", "set", "file_copy", "-1")
        equal(pool(site, "file_copy")["slots"], 2, "slots after refused changes")


@test
def a_waiting_task_is_cancelled_at_once_and_retried():
    with Site("tasks") as site:
        site.instrument("gen1", "generic", skip_quanting="true")
        site.start()
        code(site, OK, "pool", "set", "file_copy", "0")
        name = site.acquire("generic", "gen1")[0]["name"]
        copy = f"{name}/copy"
        site.wait_task(copy, "ready")
        code(site, REFUSED, "task", "retry", copy, says="only tasks that are failed, dead, cancelled, skipped or ignored")
        code(site, OK, "task", "cancel", copy, says="cancelled")
        raw = site.wait_status(name, "error")
        equal((raw["backup_status"], raw["status_details"]), ("copying_failed", "[copy] cancelled by an operator"), "raw file")
        code(site, REFUSED, "task", "cancel", copy, says="is cancelled")
        code(site, OK, "why", name, says="trawl task retry")
        site.retry(copy)
        code(site, OK, "pool", "set", "file_copy", "1")
        site.wait_status(name, "done_not_quanted")
        equal(site.task(copy)["attempt"], 1, "attempts since the retry")
        code(site, REFUSED, "task", "retry", copy, says="is done")
        code(site, MISSING, "task", "show", "nothing/copy", says="there is no task")
        code(site, MISSING, "task", "cancel", "nothing/copy")
        site.expect_nothing_left()


@test
def verify_finds_a_flipped_byte_and_a_file_that_is_gone():
    with Site("verify") as site:
        site.instrument("tims1", "bruker", skip_quanting="true")
        site.start()
        name = site.acquire("bruker", "tims1", 1)[0]["name"]
        site.wait_status(name, "done_not_quanted")
        code(site, OK, "verify", name, says="all as recorded")
        victim = f"{site.backup_of(name)}/analysis.tdf_bin"
        with open(victim, "r+b") as file:
            file.seek(1000)
            byte = file.read(1)[0]
            file.seek(1000)
            file.write(bytes([byte ^ 1]))
        code(site, NO, "verify", name, says="analysis.tdf_bin")
        os.remove(f"{site.backup_of(name)}/analysis.tdf")
        answer = site.trawl("verify", name, "--json")
        equal(answer.code, NO, "exit code with --json")
        states = {os.path.basename(f["path"]): f["state"] for f in answer.json["files"]}
        equal((states["analysis.tdf_bin"], states["analysis.tdf"], answer.json["bad"]), ("damaged", "missing", 2), "verify")
        equal([s for s in states.values() if s == "ok"], ["ok"] * (len(states) - 2), "the other files")
        equal({(e["verb"], e["state"]) for e in site.ask("log", "--target", name)}, {("verify", "done")}, "the log")
        code(site, MISSING, "verify", "nothing.d", says="there is no raw file")


@test
def every_list_is_json_and_every_exit_code_is_as_documented():
    with Site("json") as site:
        site.instrument("gen1", "generic")
        code(site, NO, "status", says="no scheduler leads")
        equal(site.ask("ls"), [], "an empty list")
        _, worker = site.start()
        name = site.acquire("generic", "gen1")[0]["name"]
        site.wait_status(name, "done", 40)
        site.expect_nothing_left()
        status = site.ask("status")
        holds(status["mongo"]["ok"] and status["kafka"]["ok"] and status["scheduler"]["ok"], f"status: {status}")
        equal((status["raw_files"], len(status["workers"]), status["errors"]), ({"done": 1}, 1, 0), "status")
        equal((status["scheduler"]["version"], status["workers"][0]["version"]), (status["version"],) * 2, "versions")
        holds("mixed" not in site.trawl("status").out, "one version everywhere")
        site.db.insert("workers", {**site.db.find("workers")[0], "_id": "older", "version": "0.0.9 (abc)"})
        holds("1 of 2 workers have another one" in site.trawl("status").out, "the version of one worker is another")
        site.db.command({"delete": "workers", "deletes": [{"q": {"_id": "older"}, "limit": 1}]})
        row = site.ask("ls", "--instrument", "gen1", "--status", "done")[0]
        equal((row["id"], row["status"]), (name, "done"), "ls")
        equal(row["metrics"]["run_status"], "ok", "metrics in ls")
        equal(site.ask("ls", "--status", "error"), [], "ls --status error")
        wrong = site.trawl("ls", "--status", "eror")
        equal(wrong.code, 2, "exit code of ls --status eror")
        holds("did you mean 'error'?" in wrong.err, f"the status that was meant: {wrong.err}")
        equal(sorted(t["_id"] for t in site.ask("task", "ls", "--raw-file", name)),
              [f"{name}/copy", f"{name}/index", f"{name}/quant/msqc-v1"], "task ls")
        equal(site.ask("task", "show", f"{name}/copy")["result"]["size"], row["size"], "task show")
        shown = site.ask("show", name[:6])  # the beginning of a name is enough
        equal((shown["raw_file"]["_id"], len(shown["metrics"]), len(shown["results"])), (name, 1, 1), "show")
        equal(site.ask("why", name)["raw_file"]["reason"], "done", "why")
        equal(site.ask("config", "check")[0]["ok"], True, "config check")
        holds(site.ask("config", "show"), "config show")

        code(site, OK, "--help", says="Exit codes:")
        code(site, OK, "pool", "set", "--help", says="0 drains it")
        code(site, OK, "--version", says="trawl ")
        code(site, USAGE, "pol", "ls", says="there is no command 'pol'")
        code(site, USAGE, "statsu", says="did you mean 'status'")
        code(site, USAGE, "ls", "--instrumnt", "gen1", says="instrument")
        code(site, USAGE, "show")
        code(site, USAGE, "task", "ls", "--state", "redy", says="ready")
        code(site, MISSING, "show", "nothing.raw", says="there is no raw file")
        code(site, MISSING, "why", "nothing/copy", says="there is no task")

        worker.kill()
        wait_until(lambda: site.trawl("status").code == NO, 20, "status says no, when no worker lives")
        away = site.trawl("ls", env={"TRAWL_MONGO_URI": "mongodb://127.0.0.1:1/", "TRAWL_MONGO_TIMEOUT_MS": "300"})
        equal(away.code, AWAY, f"exit code without the store: {away}")
        holds("MongoDB at 127.0.0.1:1 does not answer" in away.err, f"what it says: {away}")


run()
