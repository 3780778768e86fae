"""The peer of the task engine: Celery with RabbitMQ, results in the same store. Both are installed when first asked for:
RabbitMQ by apt, Celery and its MongoDB client (pinned below) into a folder below build/."""
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from figures import ROOT, say

from harness import wait_until

PINNED = ["celery==5.4.0", "pymongo==4.10.1"]
FOLDER = os.path.join(ROOT, "build", "celery")
APP = """
import os, time
from celery import Celery
app = Celery("peer", broker=os.environ["PEER_BROKER"], backend=os.environ["PEER_BACKEND"])
app.conf.update(task_acks_late=True, worker_prefetch_multiplier=8, task_serializer="json", broker_connection_retry_on_startup=True,
                mongodb_backend_settings={"database": os.environ["PEER_DATABASE"]})

@app.task
def noop(sent):
    return (time.time() - sent) * 1000
"""
DRIVER = """
import sys, time
from app import noop
count, pause = int(sys.argv[1]), float(sys.argv[2])
began = time.time()
results = []
for _ in range(count):
    results.append(noop.delay(time.time()))
    time.sleep(pause)
while noop.backend.collection.count_documents({"status": "SUCCESS"}) < count:
    time.sleep(0.02)
print(time.time() - began)
if pause > 0:
    print(*[r.get(timeout=20) for r in results])
"""


def install() -> None:
    if shutil.which("rabbitmq-server", path="/usr/sbin:/usr/lib/rabbitmq/bin:" + os.environ["PATH"]) is None:
        say("  installing rabbitmq-server")
        policy = "/usr/sbin/policy-rc.d"  # the package must not start a server of its own
        made = not os.path.exists(policy)
        if made:
            with open(policy, "w", encoding="ascii") as out:
                out.write("#!/bin/sh\nexit 101\n")
            os.chmod(policy, 0o755)
        try:
            subprocess.run(["apt-get", "install", "-y", "-q", "--no-install-recommends", "rabbitmq-server"], check=True,
                           stdout=subprocess.DEVNULL, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
        finally:
            if made:
                os.unlink(policy)
    if not os.path.exists(f"{FOLDER}/celery"):
        say("  installing " + " ".join(PINNED))
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--target", FOLDER, *PINNED], check=True, stdout=subprocess.DEVNULL)


class Peer:
    def __init__(self, site):
        install()
        self.dir = tempfile.mkdtemp(prefix="trawl-peer-")
        os.chmod(self.dir, 0o777)
        base = int(subprocess.run([f"{ROOT}/tests/world", "base"], capture_output=True, text=True, check=True).stdout)
        self.children = []
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("TRAWL_")}
        self.env.update(PEER_BROKER=f"amqp://guest:guest@127.0.0.1:{base}//", PEER_BACKEND=site.env["TRAWL_MONGO_URI"],
                        PEER_DATABASE=site.env["TRAWL_MONGO_DATABASE"] + "_peer", PYTHONPATH=f"{FOLDER}:{self.dir}",
                        HOME=self.dir, ERL_EPMD_PORT=str(base + 1), ERL_EPMD_ADDRESS="127.0.0.1")
        for name, text in (("app.py", APP), ("driver.py", DRIVER)):
            with open(f"{self.dir}/{name}", "w", encoding="ascii") as out:
                out.write(text)
        rabbit = {"RABBITMQ_NODENAME": "peer@localhost", "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1", "RABBITMQ_NODE_PORT": str(base),
                  "RABBITMQ_DIST_PORT": str(base + 2), "RABBITMQ_MNESIA_BASE": f"{self.dir}/db", "RABBITMQ_LOG_BASE": f"{self.dir}/log",
                  "RABBITMQ_ENABLED_PLUGINS_FILE": f"{self.dir}/plugins", "RABBITMQ_PID_FILE": f"{self.dir}/pid",
                  "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}"}
        server = "/usr/lib/rabbitmq/bin/rabbitmq-server"
        self.start("rabbitmq", [server], {**self.env, **rabbit})
        wait_until(lambda: self.listens(base), 90, "RabbitMQ listens")
        self.start("celery", [sys.executable, "-m", "celery", "-A", "app", "worker", "-c", "4", "--loglevel", "ERROR", "--without-gossip",
                              "--without-mingle", "--without-heartbeat"], self.env)
        self.drive(50, 0)  # the workers are there

    def start(self, name: str, command: list, env: dict) -> None:
        with open(f"{self.dir}/{name}.log", "ab") as log:
            self.children.append(subprocess.Popen(command, env=env, cwd=self.dir, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                  start_new_session=True))

    @staticmethod
    def listens(port: int) -> bool:
        with open("/proc/net/tcp", encoding="ascii") as tcp:
            return any(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A" for line in tcp.readlines()[1:])

    def drive(self, count: int, pause: float) -> list:
        subprocess.run([sys.executable, "-c", "from app import noop; noop.backend.collection.delete_many({})"], env=self.env, cwd=self.dir,
                       check=True)
        done = subprocess.run([sys.executable, "driver.py", str(count), str(pause)], env=self.env, cwd=self.dir, check=True, timeout=600,
                              capture_output=True, text=True)
        return [float(word) for word in done.stdout.split()]

    def throughput(self, count: int) -> float:
        return count / self.drive(count, 0)[0]

    def latency_ms(self, count: int) -> float:
        return statistics.median(self.drive(count, 0.02)[1:])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for child in reversed(self.children):
            try:
                os.killpg(child.pid, 15)  # a session of its own: the group is what was started here
                child.wait(20)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                os.killpg(child.pid, 9)
        shutil.rmtree(self.dir, ignore_errors=True)
