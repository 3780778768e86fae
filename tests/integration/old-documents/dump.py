"""A saved database, and the files that it speaks about: as lines of JSON that can be read, compared and laid out again.

Documents are one a line, in MongoDB's extended JSON: dates are {"$date": …}, whole numbers of 32 bits {"$numberInt": …},
all others have 64. Paths begin with the name of a location (@BACKUP@/…); hosts and users are oldhost and kim. A file is
one line, too: what a raw file holds follows from its name (content()), so only small texts are kept here.
"""

import base64
import datetime
import hashlib
import json
import os
import re
import stat
import subprocess

from mongo import EPOCH, Int32

COLLECTIONS = ("raw_file", "tasks", "slots", "pools", "workers", "leases", "locations", "mounts", "watches", "settings",
               "project", "project_settings", "metrics", "alerts", "audit", "contributions", "aggregates")
FOLDERS = ("instruments", "backup", "output", "settings", "slurm", "software", "dir")  # of a site; "dir" is the rest
BLOCK = 1 << 16
SMALL = 65536  # the largest file that is kept as text


def content(name: str, size: int) -> bytes:
    """What a file of this name holds; one that has grown begins as it was."""
    return hashlib.shake_256(name.encode()).digest(size)


def places(site) -> list:
    """(what there is here, what stands for it), the longest first."""
    found = [(getattr(site, folder), f"@{folder.upper()}@") for folder in FOLDERS]
    found.append((site.env["TRAWL_SSH_HOSTS"], "@CLUSTER@"))
    return sorted(found, key=lambda pair: -len(pair[0]))


# ---- documents ----


def text_of(value):
    """For json.dumps."""
    if isinstance(value, datetime.datetime):
        ms = round((value - EPOCH).total_seconds() * 1000)
        return {"$date": f"{value:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z"}
    if isinstance(value, Int32):
        return {"$numberInt": str(int(value))}
    if isinstance(value, dict):
        return {key: text_of(each) for key, each in value.items()}
    if isinstance(value, list):
        return [text_of(each) for each in value]
    return value


def write_lines(path: str, docs: list, words: list) -> int:
    """words: (pattern, what stands for it), in turn."""
    with open(path, "w", encoding="utf-8") as out:
        for doc in docs:
            line = json.dumps(text_of(doc), ensure_ascii=False)
            for pattern, instead in words:
                line = re.sub(pattern, lambda _, instead=instead: instead, line)
            out.write(line + "\n")
    return len(docs)


# ---- files ----


class Contents:
    """Which names' content there is on disk."""

    def __init__(self):
        self.sizes = {}  # name -> the largest size that it had

    def write(self, path: str, name: str, size: int) -> None:
        self.sizes[name] = max(size, self.sizes.get(name, 0))
        with open(path, "wb") as out:
            out.write(content(name, size))

    def describe(self, data: bytes) -> dict:
        """As a part of the content of one of the names; None: of none."""
        for name, size in self.sizes.items():
            if len(data) < 64 or len(data) > size:
                continue
            whole = content(name, len(data))
            if data == whole:
                return {"of": name, "size": len(data)}
            differ = [at for at in range(len(data)) if data[at] != whole[at]] if len(data) < 1 << 18 else []
            if len(differ) == 1 and data[differ[0]] == whole[differ[0]] ^ 1:
                return {"of": name, "size": len(data), "flipped": differ[0]}
            have = written_blocks(data, whole)
            if have:
                return {"of": name, "size": len(data), "have": have}
        return None


def written_blocks(data: bytes, whole: bytes) -> list:
    """[[from, to], …] that are as in whole, when the rest is zero; else nothing."""
    have = []
    for at in range(0, len(data), BLOCK):
        block = data[at : at + BLOCK]
        if block == whole[at : at + BLOCK]:
            if have and have[-1][1] == at:
                have[-1][1] = at + len(block)
            else:
                have.append([at, at + len(block)])
        elif block.strip(b"\0"):
            return []
    return have


def describe(path: str, contents: Contents) -> dict:
    st = os.lstat(path)
    if stat.S_ISLNK(st.st_mode):
        return {"link": os.readlink(path)}
    about = {"mode": oct(st.st_mode & 0o7777), "mtime_ns": st.st_mtime_ns}
    if stat.S_ISDIR(st.st_mode):
        return {**about, "folder": True}
    with open(path, "rb") as file:
        data = file.read()
    known = contents.describe(data)
    if known is None and len(data) > SMALL:
        raise ValueError(f"{path}: {len(data)} bytes that are of no name")
    if known is not None:
        return {**about, **known}
    try:
        return {**about, "text": data.decode()}
    except UnicodeDecodeError:
        return {**about, "base64": base64.b64encode(data).decode()}


def tree(root: str) -> list:
    """Every path below the folder, what is deeper comes later."""
    found = [os.path.join(top, name) for top, folders, names in os.walk(root) for name in folders + names]
    return sorted(found)


def is_plain(path: str) -> bool:
    """A folder that is made for what is in it."""
    return os.path.isdir(path) and not os.path.islink(path) and bool(os.listdir(path))


# ---- taking it back ----


def make_folders(path: str) -> None:
    """With the group's rights: the cluster's user writes there, too."""
    if not os.path.isdir(path):
        make_folders(os.path.dirname(path))
        os.mkdir(path)
        os.chmod(path, 0o2775)


def bytes_of(entry: dict) -> bytes:
    if "text" in entry:
        return entry["text"].encode()
    if "base64" in entry:
        return base64.b64decode(entry["base64"])
    data = bytearray(content(entry["of"], entry["size"]))
    if "flipped" in entry:
        data[entry["flipped"]] ^= 1
    if "have" in entry:
        part = bytearray(len(data))
        for start, end in entry["have"]:
            part[start:end] = data[start:end]
        data = part
    return bytes(data)


def born_ns(path: str) -> int:
    """When it was made; where the file system does not know that, when it was changed last."""
    birth = subprocess.run(["stat", "--format=%w", path], capture_output=True, text=True, check=True).stdout.split()
    if birth == ["-"]:
        return os.stat(path).st_ctime_ns
    day, clock, zone = birth
    second, part = clock.split(".")
    at = datetime.datetime.strptime(f"{day} {second} {zone}", "%Y-%m-%d %H:%M:%S %z")
    return int(at.timestamp()) * 1_000_000_000 + int(part)


class Saved:
    """What was saved in a folder, as of a week ago, in the folders of this site."""

    def __init__(self, folder: str, site):
        self.folder, self.site = folder, site
        self.later, self.month = datetime.timedelta(), "@MONTH@"
        last = max(doc["at"] for doc in self.read("leases"))
        now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
        self.later = now - last.replace(microsecond=0) - datetime.timedelta(days=7)
        months = self.months()
        if len(months) > 1:  # it began in one month and ended in the next
            self.later -= datetime.timedelta(hours=1)
            months = self.months()
        [self.month] = months

    def months(self) -> set:
        return {f"{doc['created_at']:%Y_%m}" for doc in self.read("raw_file")}

    def value(self, doc: dict):
        """For json.loads."""
        if doc.keys() == {"$date"}:
            at = datetime.datetime.strptime(doc["$date"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=datetime.timezone.utc)
            return at + self.later
        if doc.keys() == {"$numberInt"}:
            return Int32(doc["$numberInt"])
        if "mtime_ns" in doc:
            doc["mtime_ns"] += int(self.later.total_seconds()) * 1_000_000_000
        return doc

    def read(self, name: str) -> list:
        with open(f"{self.folder}/{name}.jsonl", encoding="utf-8") as file:
            text = file.read().replace("@MONTH@", self.month)
        for real, instead in places(self.site):
            text = text.replace(instead, real)
        return [json.loads(line, object_hook=self.value) for line in text.splitlines()]

    def lay_out(self) -> None:
        """All files, with their times and modes."""
        entries = self.read("files")
        for entry in entries:
            path = entry["path"]
            make_folders(path if "folder" in entry else os.path.dirname(path))
            if "link" in entry:
                os.symlink(entry["link"], path)
            elif "folder" not in entry:
                with open(path, "wb") as out:
                    out.write(bytes_of(entry))
        for entry in reversed(entries):
            if "link" not in entry:
                os.chmod(entry["path"], int(entry["mode"], 8))
                os.utime(entry["path"], ns=(entry["mtime_ns"], entry["mtime_ns"]))

    def load(self) -> None:
        """All documents, when the files are laid out: the share knows each original as the file that it was."""
        for collection in COLLECTIONS:
            for doc in self.read(collection):
                if collection == "raw_file":
                    original = f"{self.site.instruments}/{doc['instrument_id']}/{doc['original_name']}"
                    if os.path.exists(original):
                        doc["watch"].update(ino=os.stat(original).st_ino, born_ns=born_ns(original))
                self.site.db.insert(collection, doc)
