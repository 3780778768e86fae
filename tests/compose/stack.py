"""Hosts with a Docker engine each, in network namespaces of their own: no rule of the machine's firewall is touched, and there is
no way out of them. The images are built before, by local/docker/images."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, f"{ROOT}/tests/integration")

from checks import Failed, wait_until  # noqa: E402

ENGINE = os.environ.get("TRAWL_DOCKER_DIR", f"{ROOT}/build/docker")
IMAGES = {"IMAGE": "trawl:dev", "KAFKA_IMAGE": "trawl-standin-kafka:dev", "MONGO_IMAGE": "trawl-standin-mongo:dev"}
USER = 900  # of the image
PROFILES = ("local", "dbs", "infrastructure", "workers", "retire")


def sh(*words, check: bool = True, **options) -> subprocess.CompletedProcess:
    done = subprocess.run(words, capture_output=True, text=True, check=False, **options)
    if check and done.returncode != 0:
        raise Failed(f"{' '.join(words)}: exit {done.returncode}: {(done.stdout + done.stderr)[-2000:]}")
    return done


class Wire:
    """A bridge in a network namespace of its own: what connects hosts."""

    def __init__(self):
        self.name = f"trawl-wire-{os.getpid()}"

    def __enter__(self):
        sh("ip", "netns", "add", self.name)
        self.inside("ip", "link", "add", "br0", "type", "bridge")
        self.inside("ip", "link", "set", "br0", "up")
        return self

    def __exit__(self, *_):
        sh("ip", "netns", "delete", self.name, check=False)

    def inside(self, *words):
        return sh("nsenter", f"--net=/run/netns/{self.name}", *words)

    def plug(self, namespace: str, number: int) -> None:
        """The host gets the address 10.77.0.<number>."""
        there = ("nsenter", f"--net=/run/netns/{namespace}", "ip")
        sh(*there, "link", "add", "eth0", "type", "veth", "peer", "name", f"v{number}", "netns", self.name)
        self.inside("ip", "link", "set", f"v{number}", "master", "br0", "up")
        sh(*there, "address", "add", f"10.77.0.{number}/24", "dev", "eth0")
        sh(*there, "link", "set", "eth0", "up")

    def cut(self, number: int) -> None:
        self.inside("ip", "link", "set", f"v{number}", "down")

    def mend(self, number: int) -> None:
        self.inside("ip", "link", "set", f"v{number}", "up")


class Host:
    """A network namespace, its engine, and a copy of what a site needs: compose.yaml, compose.sh, envs/. On a wire hosts
    are 1, 2, …, and each but the first has an engine of its own beside ENGINE, which gets the images from it."""

    def __init__(self, name: str = "host", wire: Wire = None, number: int = 1):
        self.name, self.wire, self.number = f"trawl-{name}-{os.getpid()}", wire, number
        self.engine = ENGINE if number == 1 else f"{ENGINE}-{number}"
        self.dir = tempfile.mkdtemp(prefix=f"trawl-{name}-")
        self.env = {**os.environ, "DOCKER_HOST": f"unix://{self.engine}/docker.sock", "ENV": "local", "COMPOSE_PROJECT_NAME": "trawl"}

    def __enter__(self):
        for path in ("compose.yaml", "compose.sh"):
            shutil.copy(f"{ROOT}/{path}", self.dir)
        shutil.copytree(f"{ROOT}/envs", f"{self.dir}/envs")
        for folder in ("instruments.d", "instruments", "backup", "output", "settings", "slurm", "secrets"):
            os.makedirs(f"{self.dir}/data/{folder}")
        self.set(**IMAGES)
        self.secret("mongo_uri", "mongodb://mongo:27017/?directConnection=true")
        self.secret("ssh_key", "none")
        self.secret("known_hosts", "")
        sh("chown", "-R", f"{USER}:{USER}", f"{self.dir}/data")
        sh("mount", "--bind", f"{self.dir}/data", f"{self.dir}/data")
        sh("mount", "--make-shared", f"{self.dir}/data")
        sh("ip", "netns", "add", self.name)
        self.inside("ip", "link", "set", "lo", "up")
        if self.wire is not None:
            self.wire.plug(self.name, self.number)
        os.makedirs(self.engine, exist_ok=True)
        with open(f"{self.engine}/daemon.json", "w") as out:
            json.dump({"bip": f"172.30.{self.number}.1/24", "default-address-pools": [{"base": f"172.31.{self.number}.0/24", "size": 26}]}, out)
        self.inside(f"{ROOT}/local/docker/engine", "up", self.engine)
        return self

    def __exit__(self, *_):
        self.compose(*(word for p in PROFILES for word in ("--profile", p)), "down", "-v", check=False)
        sh(f"{ROOT}/local/docker/engine", "down", self.engine, check=False)
        sh("ip", "netns", "delete", self.name, check=False)
        sh("umount", "-R", f"{self.dir}/data", check=False)
        shutil.rmtree(self.dir, ignore_errors=True)

    def inside(self, *words, **options):
        return sh("nsenter", f"--net=/run/netns/{self.name}", *words, env=self.env, cwd=self.dir, **options)

    def set(self, **values) -> None:
        with open(f"{self.dir}/envs/local.env", "a") as out:
            for name, value in values.items():
                print(f"{name}={value}", file=out)

    def secret(self, name: str, text: str) -> None:
        path = f"{self.dir}/data/secrets/{name}"
        with open(path, "w") as out:
            out.write(text)
        os.chmod(path, 0o400)
        os.chown(path, USER, USER)

    def instrument(self, name: str, **keys) -> str:
        """An instrument's file and folder; the folder."""
        folder = f"{self.dir}/data/instruments/{name}"
        os.makedirs(folder, exist_ok=True)
        os.chown(folder, USER, USER)
        keys = {"type": "generic", "path": f"/mnt/instruments/{name}", "glob": "*.mzML", "poll_s": 1, "still_s": 1, "quiet_s": 2, **keys}
        path = f"{self.dir}/data/instruments.d/{name}.ini"
        with open(f"{path}.new", "w") as out:
            out.write("[instrument]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items()))
        os.rename(f"{path}.new", path)
        return folder

    def compose(self, *words, **options):
        return self.inside("./compose.sh", *words, **options)

    def up(self, *services, profiles: tuple = ("local",)):
        self.compose(*(word for p in profiles for word in ("--profile", p)), "up", "-d", *services)

    def take_images(self, other: "Host") -> None:
        """Those of the other host's engine that this one does not have."""
        for image in IMAGES.values():
            ident = other.docker("image", "inspect", "-f", "{{.Id}}", image).stdout
            if self.docker("image", "inspect", "-f", "{{.Id}}", image, check=False).stdout != ident:
                path = f"{self.dir}/image.tar"
                other.docker("save", "-o", path, image)
                self.docker("load", "-q", "-i", path)
                os.remove(path)

    def docker(self, *words, **options):
        return self.inside("docker", *words, **options)

    def container(self, service: str) -> str:
        return f"trawl_{service}_1" if self.docker("ps", "-aq", "-f", f"name=^trawl_{service}_1$").stdout else f"trawl-{service}-1"

    def inspect(self, service: str) -> dict:
        return json.loads(self.docker("inspect", self.container(service)).stdout)[0]

    def crash(self, service: str) -> None:
        """As if the process had died: `docker kill` counts as stopped by hand."""
        sh("kill", "-9", str(self.inspect(service)["State"]["Pid"]))

    def logs(self, service: str) -> str:
        done = self.docker("logs", self.container(service))
        return done.stdout + done.stderr

    def trawl(self, *words, check: bool = True, service: str = "index"):
        return self.docker("exec", self.container(service), "trawl", *words, check=check)

    def show(self, name: str) -> dict:
        done = self.trawl("--json", "show", name, check=False)
        return json.loads(done.stdout)["raw_file"] if done.returncode == 0 else {}

    def drop(self, instrument: str, prefix: str = "P1", size: int = 300000) -> str:
        """An mzML file as the simulator writes it; its name."""
        done = sh(f"{ROOT}/local/instruments/simulate", "--type", "generic", "--dir", f"{self.dir}/data/instruments/{instrument}", "--count", "1",
                  "--prefix", f"{prefix}_{time.monotonic_ns()}", "--size", str(size), "--rate", "0")
        return json.loads(done.stdout.splitlines()[0])["name"]

    def wait(self, name: str, status: str, seconds: float = 40) -> dict:
        try:
            return wait_until(lambda: (raw := self.show(name)).get("status") == status and raw, seconds, f"{name} is {status}")
        except Failed as error:
            raise Failed(f"{error}; {self.trawl('why', name, check=False).stdout}") from error
