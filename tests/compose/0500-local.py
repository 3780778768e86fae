#!/usr/bin/python3
"""The profile `local` in a real Docker engine: all on one host, with stand-ins for the images of Kafka and MongoDB."""
import json
import os
import random
import sys

from stack import Host, sh

from checks import equal, hash_tree, holds, run, test, wait_until, write_file

OURS = ("scheduler", "copy", "quant", "index")
ALL = ("kafka", "mongo", *OURS)


@test
def a_raw_file_that_is_dropped_goes_through_all():
    with Host() as host:
        host.instrument("gen1")
        host.up()
        name = host.drop("gen1")
        raw = host.wait(name, "done", 60)
        copy = f"{host.dir}/data/backup/gen1/{raw['backup_base_path'][-7:]}/{name}"
        equal(hash_tree(copy), hash_tree(f"{host.dir}/data/instruments/gen1/{name}"), "the backup")
        for service in ALL:
            wait_until(lambda s=service: host.inspect(s)["State"]["Health"]["Status"] == "healthy", 40, f"{service} is healthy")
        later = host.instrument("gen2")  # one file and one folder: no restart, no new service
        write_file(f"{later}/more.mzML", 10000)
        wait_until(lambda: host.show("more.mzML").get("backup_status") == "copying_done", 40, "the new instrument's file is copied")


@test
def each_container_has_only_what_its_kind_needs_and_tells_no_secret():
    with Host() as host:
        host.secret("ssh_key", "VERY-SECRET-KEY")
        host.secret("mongo_uri", "mongodb://mongo:27017/?directConnection=true&appName=VERY-SECRET-URI")
        host.up()
        writes = {}
        for service in OURS:
            state = host.inspect(service)
            config, limits = state["Config"], state["HostConfig"]
            equal((config["User"], limits["ReadonlyRootfs"], limits["CapDrop"], limits["SecurityOpt"], limits["Init"]),
                  ("900:900", True, ["ALL"], ["no-new-privileges:true"], True), f"{service}'s limits")
            holds(limits["Memory"] > 0 and limits["LogConfig"]["Config"]["max-size"], f"{service}: memory and log are limited")
            writes[service] = {m["Destination"] for m in state["Mounts"] if m["RW"]}
            secrets = {m["Destination"] for m in state["Mounts"] if m["Destination"].startswith("/run/secrets/")}
            equal("/run/secrets/ssh_key" in secrets, service == "quant", f"{service} has the SSH key")
            text = str(state) + host.logs(service)
            holds("VERY-SECRET" not in text, f"{service}: a secret is in its log, environment or description")
        equal(writes, {"scheduler": set(), "copy": {"/mnt/backup"}, "quant": {"/mnt/output", "/mnt/slurm"}, "index": set()}, "what they write")
        holds("/mnt/instruments" not in str(host.inspect("index")["Mounts"]), "index sees no instrument")


@test
def containers_start_in_any_order_and_come_back_after_a_crash():
    with Host() as host:
        host.instrument("gen1")
        order = list(ALL)
        random.Random(os.getpid()).shuffle(order)
        print(f"  order {order}", flush=True)
        for service in order:
            host.up(service)
        host.wait(host.drop("gen1"), "done", 60)
        for service in ALL:
            host.crash(service)
            wait_until(lambda s=service: host.inspect(s)["RestartCount"] == 1 and host.inspect(s)["State"]["Running"], 30, f"{service} is back")
        host.wait(host.drop("gen1"), "done", 90)


@test
def a_copy_that_is_stopped_goes_on_in_the_next_container():
    with Host() as host:
        host.set(TRAWL_LOCATION_BACKUP_LIMIT="20")
        folder = host.instrument("gen1", skip_processing="true")
        host.up()
        write_file(f"{folder}/large.mzML", 200 << 20)
        wait_until(lambda: any(n.endswith(".part") for _, _, names in os.walk(f"{host.dir}/data/backup") for n in names), 60, "it is being copied")
        host.compose("--profile", "local", "stop", "copy")
        equal(host.inspect("copy")["State"]["ExitCode"], 0, "its exit code")
        host.up("copy")
        raw = wait_until(lambda: (r := host.show("large.mzML")).get("backup_status") == "copying_done" and r, 60, "it is copied")
        equal(hash_tree(f"{host.dir}/data/backup/gen1/{raw['backup_base_path'][-7:]}/large.mzML"), hash_tree(f"{folder}/large.mzML"), "the backup")
        (copy,) = (t for t in json.loads(host.trawl("--json", "show", "large.mzML").stdout)["tasks"] if t["kind"] == "copy")
        holds(copy["result"]["resumed_bytes"] > 0, f"it resumed what was there: {copy['result']}")


@test
def compose_sh_acts_on_nothing_that_was_not_named():
    env = {k: v for k, v in os.environ.items() if k != "ENV"}
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    for value, words in ((None, "ENV is not set"), ("nowhere", "there is no envs/nowhere.env"), ("../x", "is no name")):
        done = sh(f"{root}/compose.sh", "ps", check=False, env=env if value is None else {**env, "ENV": value})
        holds(done.returncode == 2 and words in done.stderr and done.stderr.count("\n") == 1, f"{done}")


run()
