"""Logins that are refused: one clear line with what to do about it, no secret anywhere, and nothing lost."""

from harness import *

SECRET = "pa55-Very-Secret"


def expect_secret_nowhere(site, *answers):
    for process in site.processes:
        holds(SECRET not in process.text(), f"no password in the log of {process.name}")
    for answer in answers:
        holds(SECRET not in answer.out + answer.err, f"no password in what trawl prints: {answer}")


@test
def a_wrong_password_of_the_store_is_told_with_the_key_and_never_printed():
    with Site("mongologin") as site:
        address = site.env["TRAWL_MONGO_URI"].split("//")[1].split("/")[0]
        wrong = {"TRAWL_MONGO_URI": f"mongodb://trawl:{SECRET}@{address}/?authSource=admin"}
        site.instrument("gen1", "generic", skip_quanting="true")
        scheduler, worker = site.start_scheduler(**wrong), site.start_worker(**wrong)
        for process in (scheduler, worker):
            told = wait_until(lambda p=process: [l for l in p.log() if "refused the login" in l.get("msg", "")], 15,
                              f"{process.name} says that the login was refused")
            holds("[mongo] uri" in told[0]["msg"] and address in told[0]["msg"], f"key and server are named: {told[0]}")
        answers = [site.trawl(*words, env=wrong) for words in (("status",), ("ls",), ("config", "show", "--origin"))]
        holds(answers[1].code in (2, 4) and "check user and password" in answers[1].err, f"trawl ls: {answers[1]}")
        equal(answers[2].code, 0, "exit code of config show")
        holds("trawl:***" in answers[2].out or "***" in answers[2].out, f"config show masks it: {answers[2].out[:400]}")
        holds(scheduler.alive() and worker.alive(), "both go on trying")
        expect_secret_nowhere(site, *answers)
        site.stop()
        equal(site.db.find("raw_file"), [], "documents that were written meanwhile")

        name = site.acquire("generic", "gen1")[0]["name"]  # with the right address the work is done
        site.start()
        site.wait_status(name, "done_not_quanted")
        site.expect_nothing_left()


def held_task(site, name):
    """The quant task that waits because the cluster lets nobody in."""
    task = wait_until(lambda: site.task(f"{name}/quant/msqc-v1").get("setbacks") and site.task(f"{name}/quant/msqc-v1"), 30,
                      "the job is held")
    equal((task["error"]["kind"], task["attempt"] <= 1, task["kept"]["job_id"] if "job_id" in task.get("kept", {}) else 0),
          ("hold", True, 0), "the quant task")
    equal(site.raw(name)["backup_status"], "copying_done", "the copy does not wait for the cluster")
    why = wait_until(lambda: [t for t in site.ask("why", name)["tasks"] if t["reason"] == "held"], 10, "trawl why says held")
    return task["error"]["msg"], why[0]["what"]


def goes_on(site, name):
    site.wait_status(name, "done", 30)
    equal(site.task(f"{name}/quant/msqc-v1")["attempt"], 1, "attempts that counted")
    site.expect_nothing_left()


@test
def a_key_that_the_head_node_refuses_holds_the_job_until_it_is_right():
    with Site("sshkey") as site:
        key = f"{site.dir}/key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        right = site.env["TRAWL_SSH_KEY_FILE"]
        site.env["TRAWL_SSH_KEY_FILE"] = key
        site.instrument("gen1", "generic")
        site.start()
        name = site.acquire("generic", "gen1")[0]["name"]
        msg, what = held_task(site, name)
        holds(key in msg and site.env["TRAWL_SSH_USER"] in msg, f"key and user are named: {msg}")
        holds("authorized_keys" in msg or "key" in msg, f"the remedy is named: {msg}")
        holds(key in what, f"trawl why says the same: {what}")
        shutil.copy(right, key)  # the key file is read at each login
        goes_on(site, name)


@test
def a_head_node_that_is_not_in_known_hosts_gets_no_job():
    with Site("hostkey") as site:
        known = f"{site.dir}/known_hosts"
        right = site.env["TRAWL_SSH_KNOWN_HOSTS"]
        open(known, "w").close()
        site.env["TRAWL_SSH_KNOWN_HOSTS"] = known
        site.instrument("gen1", "generic")
        site.start()
        name = site.acquire("generic", "gen1")[0]["name"]
        msg, _ = held_task(site, name)
        holds("trawl cluster trust" in msg and known in msg and "SHA256:" in msg, f"fingerprint and remedy are named: {msg}")
        with open(right) as file:
            entry = file.read()
        other = subprocess.run(["ssh-keygen", "-y", "-f", site.env["TRAWL_SSH_KEY_FILE"]], capture_output=True, text=True,
                               check=True).stdout.split()
        write_text(known, f"{entry.split()[0]} {other[0]} {other[1]}\n")
        wait_until(lambda: "CHANGED" in site.task(f"{name}/quant/msqc-v1").get("error", {}).get("msg", ""), 20,
                   "a changed host key is told")
        host = site.env["TRAWL_SSH_HOSTS"].split(",")[0]

        def trust(code, *words):
            answer = site.trawl("cluster", "trust", host, *words)
            equal(answer.code, code, f"trawl cluster trust {words}: {answer}")
            return answer

        [key] = [k for k in json.loads(trust(1, "--json").out) if k["type"] == "ssh-ed25519"]
        holds(key["changed"] and not key["known"], f"the key: {key}")
        printed = subprocess.run(["ssh-keygen", "-lf", f"{site.world}/sshd/host_ed25519.pub"], capture_output=True, text=True,
                                 check=True).stdout
        holds(key["fingerprint"] in printed, f"{key['fingerprint']} is in {printed}")
        trust(1, "--fingerprint", "SHA256:0000000000000000000000000000000000000000000")
        trust(5, "--first-use")  # another key is known: only with --replace
        with open(known, encoding="ascii") as file:
            holds(other[1] in file.read(), "nothing was written")
        write_text(known, f"elsewhere {other[0]} {other[1]}\n{entry.split()[0]} {other[0]} {other[1]}\n")
        trust(0, "--replace", "--fingerprint", key["fingerprint"])
        with open(known, encoding="ascii") as file:
            lines = file.read().splitlines()
        equal(lines, [f"elsewhere {other[0]} {other[1]}", entry.strip()], "known_hosts")
        trust(0)
        entry, = site.ask("log", "--target", host)
        equal((entry["verb"], entry["before"]["fingerprint"], entry["after"]["fingerprint"]),
              ("cluster trust", "another", key["fingerprint"]), "trawl log")
        goes_on(site, name)


def write_text(path, text):
    with open(f"{path}.new", "w") as out:
        out.write(text)
    os.rename(f"{path}.new", path)


run()
