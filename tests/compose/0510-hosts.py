#!/usr/bin/python3
"""Two hosts, each with an engine: databases and scheduler on one, workers on the other, and the network between them."""
import os
import time

from stack import Host, Wire

from checks import equal, hash_tree, holds, run, test, wait_until

CUT_S = 60


def join(first: Host, second: Host) -> None:
    """What the second host's file in envs/ says beyond its own folders: where the servers and the share are."""
    first.set(BIND_ADDRESS="0.0.0.0", DBS_HOST="10.77.0.1")
    second.set(TRAWL_KAFKA_BROKERS="10.77.0.1:9092", INSTRUMENTS=f"{first.dir}/data/instruments", INSTRUMENTS_D=f"{first.dir}/data/instruments.d")
    second.secret("mongo_uri", "mongodb://10.77.0.1:27017/?directConnection=true")


@test
def workers_on_another_host_copy_also_after_the_network_was_cut():
    with Wire() as wire, Host("infra", wire, 1) as infra, Host("work", wire, 2) as work:
        work.take_images(infra)
        join(infra, work)
        folder = infra.instrument("gen1")
        work.up(profiles=("workers",))  # before their servers are there
        infra.up(profiles=("dbs", "infrastructure"))
        name = infra.drop("gen1")
        raw = work.wait(name, "done", 90)
        equal(hash_tree(f"{work.dir}/data/backup/gen1/{raw['backup_base_path'][-7:]}/{name}"), hash_tree(f"{folder}/{name}"), "the backup")
        wire.cut(2)
        during = infra.drop("gen1")
        time.sleep(CUT_S)
        holds(not any(during in names for _, _, names in os.walk(f"{work.dir}/data/backup")), "nothing is copied while the network is cut")
        wire.mend(2)
        work.wait(during, "done", 60)
        running = {s: work.inspect(s)["RestartCount"] for s in ("copy", "quant", "index")}
        equal(running, {"copy": 0, "quant": 0, "index": 0}, "restarts: the processes wait for their servers")
        answer = work.trawl("status")
        holds("mixed" not in answer.stdout, f"{answer.stdout}")


@test
def a_worker_host_that_is_drained_finishes_and_takes_no_more():
    with Wire() as wire, Host("infra", wire, 1) as infra, Host("work", wire, 2) as work:
        work.take_images(infra)
        join(infra, work)
        infra.instrument("gen1", skip_processing="true")
        infra.up(profiles=("dbs", "infrastructure"))
        work.up(profiles=("workers",))
        work.wait(infra.drop("gen1"), "done_not_quanted", 90)
        work.trawl("pool", "set", "file_copy", "0", "--why", "the host gets new disks")
        name = infra.drop("gen1")
        why = wait_until(lambda: (w := work.trawl("why", name, check=False).stdout) and "file_copy" in w and w, 40, "the copy waits for its pool")
        holds("new disks" in why or "0 of 0" in why or "no slot" in why, why)
        work.trawl("pool", "set", "file_copy", "2", "--why", "they are in")
        work.wait(name, "done_not_quanted", 60)


run()
