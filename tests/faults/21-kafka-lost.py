"""Kafka loses everything: topics deleted, data wiped, a new broker elsewhere. MongoDB is the truth, so nothing is lost."""

import socket
import struct

from check import *

SERVERS = Servers("kafka")


def delete_topics(brokers, names):
    """The protocol's DeleteTopics, version 1; the answer's error codes, which must be 0."""
    host, port = brokers.split(":")

    def text(word):
        return struct.pack(">h", len(word)) + word.encode()

    body = struct.pack(">hhi", 20, 1, 7) + text("test") + struct.pack(">i", len(names))
    body += b"".join(text(name) for name in names) + struct.pack(">i", 10000)
    with socket.create_connection((host, int(port)), timeout=20) as broker:
        broker.sendall(struct.pack(">i", len(body)) + body)
        reply = broker.makefile("rb")
        answer = reply.read(struct.unpack(">i", reply.read(4))[0])
    at, codes = 12, []
    for _ in range(struct.unpack_from(">i", answer, 8)[0]):
        size = struct.unpack_from(">h", answer, at)[0]
        codes.append(struct.unpack_from(">h", answer, at + 2 + size)[0])
        at += 4 + size
    return codes


def topics_of(site):
    out = subprocess.run(["kcat", "-b", site.env["TRAWL_KAFKA_BROKERS"], "-L", "-J", "-m", "5"], capture_output=True, text=True,
                         check=True).stdout
    return [t["topic"] for t in json.loads(out)["topics"] if t["topic"].startswith(site.id + ".")]


class Lost:
    """A site with one file that is done and two whose messages are in Kafka while there is no worker."""

    def __init__(self, name):
        self.site = Site(name, env=SERVERS.settings())
        self.folder = self.site.instrument("thermo1", "thermo", skip_quanting="true")
        self.originals, self.dropped = Originals(), 0
        self.scheduler, self.worker = self.site.start()
        self.site.wait_status(self.drop(), "done_not_quanted", 40)
        self.worker.kill()
        self.waiting = [self.drop(), self.drop()]
        for each in self.waiting:
            self.site.wait_task(f"{each}/copy", "admitted", 20)

    def drop(self):
        self.dropped += 1
        name = f"f{self.dropped}.raw"
        write_file(f"{self.folder}/{name}", 2 * MIB, self.dropped)
        self.originals.note(self.folder)
        return name

    def expect_all(self, what):
        began = time.monotonic()
        for each in self.waiting + [self.drop()]:
            self.site.wait_status(each, "done_not_quanted", 60)
        print(f"  {what}: everything is done {time.monotonic() - began:.1f} s later", flush=True)
        self.site.expect_nothing_left()
        check(self.site, self.originals, copied=self.dropped)
        attempts = {t["_id"]: t["attempt"] for t in self.site.db.find("tasks", {"kind": "copy"})}
        equal(set(attempts.values()), {1}, f"attempts that counted: {attempts}")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.site.__exit__(*error)


@test
def topics_that_are_deleted_are_made_again_and_nothing_is_lost():
    SERVERS.up("kafka")
    with Lost("notopics") as lost:
        names = topics_of(lost.site)
        holds(len(names) >= 5, f"there are topics: {names}")
        equal(set(delete_topics(lost.site.env["TRAWL_KAFKA_BROKERS"], names)), {0}, "answers of the broker")
        lost.site.start_worker()
        lost.expect_all("topics deleted")
        holds(lost.scheduler.alive(), "the scheduler was not restarted")
        equal(set(topics_of(lost.site)), set(names), "topics afterwards")


@test
def a_broker_whose_data_are_wiped_loses_nothing():
    SERVERS.up("kafka")
    with Lost("wiped") as lost:
        worker = lost.site.start_worker()
        SERVERS.kill("kafka")
        shutil.rmtree(f"{SERVERS.dir}/kafka/data")
        SERVERS.up("kafka")
        lost.expect_all("data wiped")
        holds(lost.scheduler.alive() and worker.alive(), "nothing of ours was restarted")


@test
def a_new_broker_elsewhere_needs_a_new_setting_and_a_restart_and_loses_nothing():
    SERVERS.up("kafka")
    with Lost("elsewhere") as lost, Servers("kafka") as other:
        SERVERS.kill("kafka")
        other.up("kafka")
        lost.site.env.update(other.settings())
        lost.scheduler.stop()
        lost.scheduler, worker = lost.site.start_scheduler(), lost.site.start_worker()
        lost.expect_all("a new broker")
        equal((lost.scheduler.stop(), worker.stop()), (0, 0), "exit codes")


with SERVERS:
    run()
