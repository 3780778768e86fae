"""A Kafka broker with logins over TLS and ACLs, or with other properties, and the requests that its administrator sends.

The listener of local/kafka needs no login, and who comes by it is the broker's super user: the tests' administrator.
"""

import shlex
import socket
import struct
import subprocess

from harness import Failed, Servers, holds

OPERATIONS = {"Read": 3, "Write": 4, "Create": 5, "Alter": 7, "Describe": 8, "DescribeConfigs": 10, "AlterConfigs": 11}
TOPIC, GROUP, CLUSTER = 2, 3, 4
PATTERNS = {"literal": 3, "prefixed": 4}
CREATE_TOPICS, DESCRIBE_CONFIGS, METADATA, CREATE_ACLS, DELETE_ACLS = 19, 32, 3, 30, 31
SECURE = """
listeners=PLAINTEXT://127.0.0.1:{plain},CONTROLLER://127.0.0.1:{controller},LOGIN://127.0.0.1:{login}
advertised.listeners=PLAINTEXT://127.0.0.1:{plain},LOGIN://127.0.0.1:{login}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,LOGIN:SASL_SSL
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=SCRAM-SHA-256
listener.name.login.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.login.ssl.keystore.type=PEM
listener.name.login.ssl.keystore.location={dir}/broker.pem
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
"""


# ---- certificates ----


def openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)


def make_authority(path: str) -> None:
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=tests",
            "-keyout", f"{path}.key", "-out", path)


def make_certificates(folder: str) -> None:
    """broker.pem is for 127.0.0.1 and signed by ca.pem; other.pem is an authority that signed nothing."""
    make_authority(f"{folder}/ca.pem")
    make_authority(f"{folder}/other.pem")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=broker", "-keyout",
            f"{folder}/broker.key", "-out", f"{folder}/broker.csr")
    with open(f"{folder}/names", "w") as out:
        out.write("subjectAltName=IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", f"{folder}/broker.csr", "-CA", f"{folder}/ca.pem", "-CAkey", f"{folder}/ca.pem.key", "-days", "2",
            "-extfile", f"{folder}/names", "-out", f"{folder}/broker.crt")
    with open(f"{folder}/broker.pem", "w") as out:
        for part in ("broker.key", "broker.crt"):
            with open(f"{folder}/{part}") as file:
                out.write(file.read())


# ---- the protocol, in versions whose strings have lengths of two bytes ----


def text(word: str) -> bytes:
    return struct.pack(">h", len(word)) + word.encode()


def array(parts) -> bytes:
    parts = list(parts)
    return struct.pack(">i", len(parts)) + b"".join(parts)


class Reader:
    def __init__(self, data: bytes):
        self.data, self.at = data, 0

    def number(self, form: str) -> int:
        found, = struct.unpack_from(f">{form}", self.data, self.at)
        self.at += struct.calcsize(form)
        return found

    def text(self) -> str:
        size = self.number("h")
        if size < 0:
            return None
        self.at += size
        return self.data[self.at - size : self.at].decode()

    def fields(self, form: str) -> list:
        """One value a letter: s a text, the others numbers as struct has them."""
        return [self.text() if letter == "s" else self.number(letter) for letter in form]

    def list(self, form: str) -> list:
        return [self.fields(form) for _ in range(self.number("i"))]


def rules(line: str) -> list:
    """One rule an operation of a line of words for kafka-acls, as CreateAcls and DeleteAcls take them."""
    words, pattern, operations = shlex.split(line), "literal", []
    while words:
        word = words.pop(0)
        if word == "--cluster":
            kind, name = CLUSTER, "kafka-cluster"
        elif word in ("--topic", "--group"):
            kind, name = TOPIC if word == "--topic" else GROUP, words.pop(0)
        elif word == "--operation":
            operations.append(OPERATIONS[words.pop(0)])
        elif word == "--allow-principal":
            user = words.pop(0)
        elif word == "--resource-pattern-type":
            pattern = words.pop(0)
        else:
            raise Failed(f"{line}: {word} is unknown")
    return [struct.pack(">b", kind) + text(name) + struct.pack(">b", PATTERNS[pattern]) + text(user) + text("*") +
            struct.pack(">bb", operation, 3) for operation in operations]


class Broker(Servers):
    """A broker of this test's own. users: name -> password, for the listener with logins; properties: what it has besides."""

    def __init__(self, users: dict = None, properties: str = ""):
        super().__init__("kafka")
        base = int(self.env["TRAWL_PORT_BASE"])
        self.plain, self.login = f"127.0.0.1:{base}", f"127.0.0.1:{base + 9}"
        if users:
            make_certificates(self.dir)
            properties += SECURE.format(plain=base, controller=base + 1, login=base + 9, dir=self.dir)
            self.env["TRAWL_LOCAL_KAFKA_SCRAM"] = " ".join(f"SCRAM-SHA-256=[name={u},password={p}]" for u, p in users.items())
        self.env["TRAWL_LOCAL_KAFKA_PROPERTIES"] = f"{self.dir}/more.properties"
        with open(self.env["TRAWL_LOCAL_KAFKA_PROPERTIES"], "w") as out:
            out.write(properties)
        self.up("kafka")

    def ask(self, key: int, body: bytes) -> Reader:
        host, port = self.plain.split(":")
        request = struct.pack(">hhi", key, 1, 7) + text("test") + body
        with socket.create_connection((host, int(port)), timeout=20) as server:
            server.sendall(struct.pack(">i", len(request)) + request)
            reply = server.makefile("rb")
            return Reader(reply.read(struct.unpack(">i", reply.read(4))[0])[4:])

    def make_topic(self, name: str, partitions: int, configs: dict) -> None:
        body = struct.pack(">i", 1) + text(name) + struct.pack(">ihi", partitions, 1, 0)
        body += array(text(key) + text(value) for key, value in configs.items()) + struct.pack(">ib", 10000, 0)
        (_, code, why), = self.ask(CREATE_TOPICS, body).list("shs")
        holds(code == 0, f"the broker makes {name}: {code} {why}")

    def configs(self, topic: str) -> dict:
        """What the topic has of its own."""
        answer = self.ask(DESCRIBE_CONFIGS, struct.pack(">ib", 1, TOPIC) + text(topic) + struct.pack(">ib", -1, 0))
        _, _, code, why, _, _ = answer.fields("iihsbs")
        holds(code == 0, f"the broker describes {topic}: {code} {why}")
        found = {}
        for _ in range(answer.number("i")):
            name, value, _, source, _ = answer.fields("ssbbb")
            answer.list("ssb")
            if source == 1:
                found[name] = value
        return found

    def partitions(self, prefix: str) -> dict:
        """Topic -> number of partitions."""
        answer, found = self.ask(METADATA, struct.pack(">i", -1)), {}
        answer.list("isis")
        answer.number("i")
        for _ in range(answer.number("i")):
            _, name, _, found[name] = answer.fields("hsbi")
            for _ in range(found[name]):
                answer.fields("hii")
                answer.list("i")
                answer.list("i")
        return {name: n for name, n in found.items() if name.startswith(prefix)}

    def allow(self, *lines: str) -> None:
        """Give the rights that lines of words for kafka-acls name."""
        answer = self.ask(CREATE_ACLS, array(each for line in lines for each in rules(line)))
        answer.number("i")
        refused = [each for each in answer.list("hs") if each[0] != 0]
        holds(not refused, f"the broker gives the rights: {refused}")

    def deny(self, *lines: str) -> None:
        """Take them back."""
        answer = self.ask(DELETE_ACLS, array(each for line in lines for each in rules(line)))
        answer.number("i")
        for _ in range(answer.number("i")):
            answer.fields("hs")
            holds(len(answer.list("hsbsbssbb")) == 1, f"there was such a right: {lines}")
