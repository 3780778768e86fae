"""A MongoDB client of a hundred lines for the tests: what the command line does not show, and what only a test breaks.

It speaks OP_MSG and the BSON types that Trawl writes. It cannot log in: point TRAWL_MONGO_URI at a server without
passwords.
"""

import datetime
import re
import socket
import struct

OP_MSG = 2013
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


class MongoError(Exception):
    code = None  # what the server gave


class Int32(int):
    """What was read as 32 bits is written as such; a plain int is 64."""


class ObjectId(str):
    """24 hexadecimal digits that are written as the 12 bytes that they were."""


def encode(doc) -> bytes:
    body = b"".join(encode_field(str(key), value) for key, value in doc.items())
    return struct.pack("<i", len(body) + 5) + body + b"\0"


def encode_field(key: str, value) -> bytes:
    name = key.encode() + b"\0"
    if isinstance(value, bool):
        return b"\x08" + name + (b"\1" if value else b"\0")
    if isinstance(value, Int32):
        return b"\x10" + name + struct.pack("<i", value)
    if isinstance(value, int):
        return b"\x12" + name + struct.pack("<q", value)
    if isinstance(value, float):
        return b"\x01" + name + struct.pack("<d", value)
    if isinstance(value, ObjectId):
        return b"\x07" + name + bytes.fromhex(value)
    if isinstance(value, str):
        text = value.encode()
        return b"\x02" + name + struct.pack("<i", len(text) + 1) + text + b"\0"
    if value is None:
        return b"\x0a" + name
    if isinstance(value, datetime.datetime):
        return b"\x09" + name + struct.pack("<q", round((value - EPOCH).total_seconds() * 1000))
    if isinstance(value, dict):
        return b"\x03" + name + encode(value)
    if isinstance(value, (list, tuple)):
        return b"\x04" + name + encode(dict(enumerate(value)))
    raise TypeError(f"{key}: {type(value)}")


def decode(data: bytes, at: int = 0):
    """The document that begins at this byte, and where it ends."""
    end = at + struct.unpack_from("<i", data, at)[0]
    doc, at = {}, at + 4
    while data[at] != 0:
        kind, stop = data[at], data.index(0, at + 1)
        key, at = data[at + 1 : stop].decode(), stop + 1
        doc[key], at = decode_value(kind, data, at)
    return doc, end


def decode_value(kind: int, data: bytes, at: int):
    if kind == 0x01:
        return struct.unpack_from("<d", data, at)[0], at + 8
    if kind == 0x02:
        size = struct.unpack_from("<i", data, at)[0]
        return data[at + 4 : at + 3 + size].decode(errors="replace"), at + 4 + size
    if kind in (0x03, 0x04):
        doc, at = decode(data, at)
        return (doc if kind == 0x03 else list(doc.values())), at
    if kind == 0x07:
        return ObjectId(data[at : at + 12].hex()), at + 12
    if kind == 0x08:
        return data[at] == 1, at + 1
    if kind == 0x09:
        return EPOCH + datetime.timedelta(milliseconds=struct.unpack_from("<q", data, at)[0]), at + 8
    if kind == 0x0A:
        return None, at
    if kind == 0x10:
        return Int32(struct.unpack_from("<i", data, at)[0]), at + 4
    if kind in (0x11, 0x12):
        return struct.unpack_from("<q", data, at)[0], at + 8
    raise MongoError(f"BSON type {kind:#x} is unknown to the tests' client")


class Mongo:
    """One connection a command: a server that was restarted is no surprise.

    The local store holds only those to its indexes who say that they are of Trawl (application)."""

    def __init__(self, uri: str, database: str, application: str = None):
        match = re.fullmatch(r"mongodb://(?:[^@/]*@)?([^/:,]+)(?::(\d+))?(?:[,/?].*)?", uri)
        if not match or "@" in uri.split("//")[1].split("/")[0]:
            raise MongoError("the tests' client needs TRAWL_MONGO_URI=mongodb://host:port/ without user and password")
        self.address = match.group(1), int(match.group(2) or 27017)
        self.database = database
        self.hello = {"hello": 1, "client": {"application": {"name": application}}} if application else None

    def ask(self, server: socket.socket, doc: dict) -> dict:
        body = b"\0\0\0\0\0" + encode({**doc, "$db": self.database})
        server.sendall(struct.pack("<iiii", len(body) + 16, 1, 0, OP_MSG) + body)
        data = b""
        while len(data) < 16 or len(data) < struct.unpack_from("<i", data)[0]:
            more = server.recv(1 << 16)
            if not more:
                raise MongoError("the server closed the connection")
            data += more
        return decode(data, 21)[0]

    def command(self, doc: dict) -> dict:
        with socket.create_connection(self.address, timeout=60) as server:
            if self.hello:
                self.ask(server, self.hello)
            reply = self.ask(server, doc)
        if reply.get("ok") != 1 or reply.get("writeErrors"):
            error = MongoError(str(reply.get("writeErrors") or reply.get("errmsg", reply)))
            error.code = reply["writeErrors"][0]["code"] if reply.get("writeErrors") else reply.get("code")
            raise error
        return reply

    def find(self, collection: str, query: dict = None) -> list:
        """All documents, as long as they fit into one batch: the tests' collections are small."""
        reply = self.command({"find": collection, "filter": query or {}, "batchSize": 10000, "singleBatch": True})
        return reply["cursor"]["firstBatch"]

    def one(self, collection: str, key) -> dict:
        found = self.find(collection, {"_id": key})
        return found[0] if found else None

    def named(self, collection: str, name: str) -> dict:
        """The one that Trawl has named so (common/db/named.h)."""
        found = self.find(collection, {"trawl_id": name})
        return found[0] if found else None

    def files_of(self, raw: dict) -> list:
        """What a raw file's document says was backed up: {path, size, xxh3, …}; of an earlier version, too."""
        ref = raw.get("file_list")
        if ref is None:
            return raw.get("files", [])
        documents = [self.one("file_lists", f"{ref['list']}/{n:06}") for n in range(ref["documents"])]
        if None in documents or sum(len(d["files"]) for d in documents) != ref["files"]:
            raise MongoError(f"{raw['_id']}: the list {ref['list']} is not whole")
        return [file for document in documents for file in document["files"]]

    def count(self, collection: str, query: dict = None) -> int:
        return int(self.command({"count": collection, "query": query or {}})["n"])

    def insert(self, collection: str, doc: dict) -> None:
        self.command({"insert": collection, "documents": [doc]})

    def update(self, collection: str, query: dict, change: dict) -> int:
        return self.command({"update": collection, "updates": [{"q": query, "u": change, "multi": True}]})["n"]

    def drop(self) -> None:
        self.command({"dropDatabase": 1})
