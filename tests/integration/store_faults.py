"""What a replica set does to its clients, done by a proxy between them and the local store.

    faults = StoreFaults(seed=1)
    uri = faults.uri(proxy, "worker", os.environ["TRAWL_MONGO_URI"])
    rule = faults.add("lost", command="update", collection="tasks", where={"q.state": "admitted"}, times=1)
    faults.add("NotWritablePrimary", command=WRITES, chance=0.1)

A rule names commands and a collection (none: any), fields of the request by path, how often it may fire (times) and how
likely (chance, by the rule's own generator), and what happens then:

    drop       the connection ends, the command is not carried out: also a write that an election rolls back before anybody
               with a majority's read could see it
    lost       it is carried out, and the connection ends without an answer
    late       the connection ends, and it is carried out after `seconds`: it was still on its way
    delay      it is carried out, and answered after `seconds`
    slow       it is carried out and answered after `seconds`
    WriteConcernFailed   carried out, and answered with that writeConcernError: not acknowledged by a majority
    a name in CODES      refused with that error, not carried out

The first rule that fires decides. `faults.log` holds what was done, and `rule.fired` how often; handshakes, logins and the
driver's monitoring always pass.
"""

import asyncio
import random
import re
import struct

from mongo import OP_MSG, Int32, MongoError, decode, encode, encode_field

WRITES = ("insert", "update", "delete", "findAndModify")
CODES = {"Unauthorized": 13, "CursorNotFound": 43, "MaxTimeMSExpired": 50, "PrimarySteppedDown": 189, "ExceededTimeLimit": 262,
         "NotWritablePrimary": 10107, "InterruptedDueToReplStateChange": 11602, "DocumentValidationFailure": 121, "BSONObjectTooLarge": 10334}
WRITE_CONCERN_FAILED = {"code": Int32(64), "codeName": "WriteConcernFailed", "errmsg": "waiting for replication timed out"}
ENDINGS = ("drop", "lost", "late", "delay", "slow", "WriteConcernFailed", *CODES)
PASS = ("hello", "ismaster", "ping", "endsessions", "buildinfo", "saslstart", "saslcontinue", "authenticate")


async def read_message(reader) -> bytes:
    size = await reader.readexactly(4)
    return size + await reader.readexactly(struct.unpack("<i", size)[0] - 4)


def parse(message: bytes) -> dict:
    """The command of a message, its documents among its fields; {} for what is no OP_MSG."""
    if struct.unpack_from("<i", message, 12)[0] != OP_MSG:
        return {}
    flags, at, command = struct.unpack_from("<I", message, 16)[0], 20, {}
    end = len(message) - (4 if flags & 1 else 0)
    while at < end:
        kind, at = message[at], at + 1
        if kind == 0:
            body, at = decode(message, at)
            command = {**body, **command}
            continue
        stop = at + struct.unpack_from("<i", message, at)[0]
        name_end = message.index(0, at + 4)
        name, at = message[at + 4 : name_end].decode(), name_end + 1
        command[name] = []
        while at < stop:
            one, at = decode(message, at)
            command[name].append(one)
    return command


def reply_to(message: bytes, doc: bytes) -> bytes:
    body = b"\0\0\0\0\0" + doc
    return struct.pack("<iiii", len(body) + 16, 0, struct.unpack_from("<i", message, 4)[0], OP_MSG) + body


def with_field(reply: bytes, key: str, value) -> bytes:
    """The reply of a server with one more field, its others untouched."""
    field = encode_field(key, value)
    doc = reply[21:]
    size = struct.unpack_from("<i", doc)[0]
    grown = struct.pack("<i", size + len(field)) + doc[4 : size - 1] + field + b"\0"
    return struct.pack("<i", len(reply) + len(field)) + reply[4:21] + grown


def values_at(doc, path: list) -> list:
    """All values at a path; a list stands for each of its elements. A key may hold dots itself."""
    if isinstance(doc, list):
        return [value for each in doc for value in values_at(each, path)]
    if not path:
        return [doc]
    if not isinstance(doc, dict):
        return []
    return [value for n in range(1, len(path) + 1) if ".".join(path[:n]) in doc
            for value in values_at(doc[".".join(path[:n])], path[n:])]


class Rule:
    def __init__(self, how: str, rng, command=(), collection: str = None, where: dict = None, times: int = None,
                 chance: float = 1.0, seconds: float = 0.5, link: str = ""):
        if how not in ENDINGS:
            raise ValueError(how)
        self.how, self.rng, self.seconds, self.link = how, rng, seconds, link
        self.commands = (command,) if isinstance(command, str) else tuple(command)
        self.collection, self.where = collection, where or {}
        self.left, self.chance, self.fired = times, chance, 0

    def takes(self, link: str, name: str, collection: str, command: dict) -> bool:
        if self.left == 0 or not link.startswith(self.link):
            return False
        if (self.commands and name not in self.commands) or self.collection not in (None, collection):
            return False
        for path, wanted in self.where.items():
            found = values_at(command, path.split("."))
            if not any(found) if wanted is ANY else wanted not in found:
                return False
        if self.rng.random() >= self.chance:
            return False
        self.left = None if self.left is None else self.left - 1
        self.fired += 1
        return True


ANY = object()  # in `where`: there, and not null, false or 0


class StoreFaults:
    """Rules are added and removed by the test's thread, and read by the proxy's."""

    def __init__(self, seed: int = 1):
        self.seed, self.made = seed, 0
        self.rules, self.log = [], []
        self.commands = 0

    def uri(self, proxy, name: str, uri: str) -> str:
        port = int(re.search(r":(\d+)", uri.split("//", 1)[1]).group(1))
        return f"mongodb://127.0.0.1:{proxy.link(name, port, self)}/"

    def add(self, how: str, **keys) -> Rule:
        self.made += 1
        rule = Rule(how, random.Random(f"{self.seed}/{self.made}"), **keys)
        self.rules = [*self.rules, rule]
        return rule

    def clear(self) -> None:
        self.rules = []

    def decide(self, link, message: bytes):
        """The rule that fires, or None."""
        try:
            command = parse(message)
        except (MongoError, struct.error, ValueError, IndexError):
            return None
        name = next(iter(command), "")
        if not command or name.lower() in PASS:
            return None
        self.commands += 1
        collection = command.get("collection") if name == "getMore" else command[name]
        for rule in self.rules:
            if rule.takes(link.name, name, collection, command):
                self.log.append({"link": link.name, "command": name, "collection": collection, "how": rule.how})
                return rule
        return None

    async def serve(self, link, client, server) -> None:
        """One connection: a command at a time, as drivers do it."""
        while True:
            message = await read_message(client[0])
            await link.open.wait()
            rule = self.decide(link, message)
            if rule is not None and rule.how in CODES:
                client[1].write(reply_to(message, refusal(rule.how)))
                continue
            if rule is not None and rule.how == "drop":
                return
            if rule is not None and rule.how == "late":
                client[1].transport.abort()
                await asyncio.sleep(rule.seconds)
            if rule is not None and rule.how == "slow":
                await asyncio.sleep(rule.seconds)
            server[1].write(message)
            reply = await read_message(server[0])
            if rule is not None and rule.how in ("lost", "late"):
                return
            if rule is not None and rule.how == "delay":
                await asyncio.sleep(rule.seconds)
            if rule is not None and rule.how == "WriteConcernFailed":
                reply = with_field(reply, "writeConcernError", WRITE_CONCERN_FAILED)
            await link.open.wait()
            client[1].write(reply)
            await client[1].drain()


def refusal(name: str) -> bytes:
    return encode({"ok": 0.0, "code": Int32(CODES[name]), "codeName": name, "errmsg": f"{name}, as the test wants it"})
