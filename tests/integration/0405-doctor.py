"""trawl doctor: a host that is well, and each thing that is wrong as one line with its remedy."""

from harness import *
from proxy import Proxy
from store_faults import StoreFaults

ALL = "copy,quant,index,move,remove"


def healthy(name, **settings):
    """A site whose scheduler has led once, so that topics and environment are there."""
    site = Site(name, {"quant.seed": "false", "mongo.timeout_ms": 2000, **settings})
    site.instrument("thermo1", "thermo")
    return site


def led(site):
    scheduler = site.start_scheduler()
    wait_until(lambda: scheduler.log("leading") and site.db.one("trawl", "schema"), 20, "a scheduler that leads")
    wait_until(lambda: '"warn"' not in site.trawl("doctor", "--json").out, 20, "its topics are there")
    return site


def lines(site, *words, code, env=None):
    began = time.monotonic()
    answer = site.trawl("doctor", *words, "--json", env=env)
    equal(answer.code, code, f"exit code of trawl doctor: {answer}")
    holds(time.monotonic() - began < 20, f"it took {time.monotonic() - began:.1f} s")
    for line in answer.json:
        equal(line["remedy"] is None, line["state"] == "ok", f"a remedy where something is wrong: {line}")
    return {line["check"]: line for line in answer.json}


def only_failed(site, check, remedy, *words, env=None):
    """Exactly this line fails, and says what helps."""
    found = lines(site, *words, code=1, env=env)
    failed = [name for name, line in found.items() if line["state"] == "fail"]
    equal(failed, [check], f"what fails: {found}")
    holds(remedy in found[check]["remedy"], f"the remedy names '{remedy}': {found[check]}")
    text = site.trawl("doctor", *words, "--quiet", env=env).out.splitlines()
    equal([line.split(": ")[0] for line in text if line.startswith("fail")], [f"fail  {check}"], "the same for people")
    holds(any(line.startswith("fail") and f" -> {found[check]['remedy']}" in line for line in text), text)
    return found


@test
def a_healthy_host_is_all_ok():
    with healthy("doctor") as site:
        for _ in range(2):
            topics = lines(site, code=0)["topics"]
            equal(topics["state"], "warn", "a host that is set up before the first scheduler")
            holds(f"{site.id}.tasks.copy, " in topics["text"] and f"{site.id}.dead" in topics["text"], f"none was made: {topics}")
        led(site)
        found = lines(site, "--kinds", ALL, code=0)
        equal({line["state"] for line in found.values()}, {"ok"}, f"states: {found}")
        head = f"head node {site.env['TRAWL_SSH_HOSTS']}"
        for check in ("configuration", "MongoDB", "clock", "environment", "MongoDB rights", "Kafka", "topics", "location backup",
                      "location output", "location settings", "location instrument/thermo1", head):
            holds(check in found, f"{check} is looked at: {list(found)}")
        holds("read and written" in found["location backup"]["text"], "copy writes the backup")
        equal(site.db.find("doctor"), [], "what trying the rights leaves")
        equal([name for name in os.listdir(site.backup) if "probe" in name], [], "what the looks leave")
        index = lines(site, "--kinds", "index", code=0)
        holds(not any(check.startswith(("location", "head", "program")) for check in index), f"index needs no folder: {list(index)}")
        holds("can be read," in lines(site, "--kinds", "move", code=0)["location backup"]["text"], "move only reads the backup")
        equal(site.trawl("doctor", "--kinds", "copy,cook").code, 2, "a word that is no kind")
        text = site.trawl("doctor")
        holds(text.out.startswith("ok    configuration: "), f"for people: {text}")
        equal(site.trawl("doctor", "--quiet").out, "", "--quiet on a host that is well")


@test
def what_is_wrong_with_a_server_fails_alone():
    with healthy("doctorservers") as site:
        led(site)
        found = only_failed(site, "environment", "ENV", env={"TRAWL_TRAWL_ENV": "another"})
        holds("MongoDB rights" not in found, "nothing is written to another environment's database")
        found = only_failed(site, "Kafka", "[kafka] brokers", env={"TRAWL_KAFKA_BROKERS": "127.0.0.1:1"})
        holds("topics" not in found, "what cannot be asked is no line")
        found = only_failed(site, "MongoDB", "[mongo] uri", env={"TRAWL_MONGO_URI": "mongodb://127.0.0.1:1"})
        equal(found["location backup"]["state"], "warn", "which share it must be is not known then")
        only_failed(site, "MongoDB", "[mongo] uri", env={"TRAWL_MONGO_URI": "nonsense"})
        for command, collection in (("update", "doctor"), ("delete", "doctor"), ("find", "raw_file")):
            faults = StoreFaults()
            uri = faults.uri(Proxy(), "doctor", site.env["TRAWL_MONGO_URI"])
            faults.add("Unauthorized", command=command, collection=collection)
            # whether the database is ours is asked of raw_file only while there are no pools
            only_failed(site, "MongoDB rights", "readWrite", env={"TRAWL_MONGO_URI": uri})
        key = f"{site.dir}/another-key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        head = f"head node {site.env['TRAWL_SSH_HOSTS']}"
        only_failed(site, head, "[ssh] user, key_file", env={"TRAWL_SSH_KEY_FILE": key})
        only_failed(site, head, "trawl cluster trust", env={"TRAWL_SSH_KNOWN_HOSTS": write_file(f"{site.dir}/known", 0)})
        nobody = f"127.0.0.1:1,{site.env['TRAWL_SSH_HOSTS']}"
        equal(lines(site, code=0, env={"TRAWL_SSH_HOSTS": nobody})["head node 127.0.0.1:1"]["state"], "warn", "another head node answers")


@test
def what_is_wrong_with_a_folder_or_a_program_fails_alone():
    with healthy("doctorplaces", **{"quant.engine": "local"}) as site:
        site.env["TRAWL_LOCATION_SOFTWARE_WORKER"] = site.software
        led(site)
        equal(lines(site, code=0)["program trawl-msqc"]["state"], "ok", "the jobs' program")
        os.chmod(f"{site.software}/trawl-msqc", 0o644)
        only_failed(site, "program trawl-msqc", "[location.software]")
        os.remove(f"{site.software}/trawl-msqc")
        only_failed(site, "program trawl-msqc", "install it there")
        site.install_software()
        only_failed(site, "location backup", "set worker in [location.backup]", env={"TRAWL_LOCATION_BACKUP_WORKER": ""})
        only_failed(site, "location backup", "mount it", env={"TRAWL_LOCATION_BACKUP_WORKER": f"{site.dir}/nowhere"})
        site.instrument_file("broken", "[instrument]\ntype = spoon\n")
        only_failed(site, "instrument broken", "trawl config check --instruments")
        os.remove(f"{site.config}/instruments.d/broken.ini")
        site.write_settings(**{"copy.digest": "crc"})
        only_failed(site, "configuration", "trawl config template")


@test
def a_backup_that_cannot_be_written_fails_alone():
    with healthy("doctorreadonly") as site:
        led(site)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,size=1m", "trawl-share", site.backup], capture_output=True, text=True)
        if done.returncode != 0:
            skip(f"mounting is not allowed here: {done.stderr.strip()}")
        try:
            only_failed(site, "location backup", "writable", "--kinds", "copy")
            equal(lines(site, "--kinds", "move", code=0)["location backup"]["state"], "ok", "move needs to read it only")
        finally:
            subprocess.run(["umount", "-l", site.backup], check=True)


@test
def a_folder_that_the_workers_user_may_not_read_fails_alone():
    if os.geteuid() != 0:
        skip("running as another user needs root")
    with healthy("doctoruser") as site:
        led(site)
        os.chmod(site.dir, 0o755)
        folder = f"{site.instruments}/thermo1"
        for mode in (0o711, 0o744, 0o700):
            os.chmod(folder, mode)
            done = subprocess.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", f"{BIN}/cli/trawl", "doctor", "--kinds", "move",
                                   "--json"], env=site.env, capture_output=True, text=True)
            equal(done.returncode, 1, f"exit code: {done}")
            failed = [line for line in json.loads(done.stdout) if line["state"] == "fail"]
            equal([line["check"] for line in failed], ["location instrument/thermo1"], f"what fails: {failed}")
            holds("let this user read" in failed[0]["remedy"] and "Permission denied" in failed[0]["text"], failed)


run()
