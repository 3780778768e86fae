"""A way to the store that ends at a chosen moment: what a process killed just then has written is in the database, and
nothing after it.

    gate = Gate(port of the store)
    claim = gate.stop(b"a.mzML/copy", b"running", b"started_at")
    …start a process with gate.uri, wait for claim.seen, kill the process…

A request is one of a kind when it has all the given words in it: names, values and fields stand in BSON as they are.
"""

import contextlib
import socket
import struct
import threading


class Stop:
    """The n-th request of this kind is the last one that is done, or, with before, the first that is not: no answer comes
    any more, and nothing else is done; alone: on its own connection only."""

    def __init__(self, words, before, alone, nth):
        self.words, self.before, self.alone, self.left = words, before, alone, nth
        self.seen = threading.Event()


class Gate:
    def __init__(self, store: int):
        self.store = store
        self.stops, self.denied, self.lock = [], [], threading.Lock()
        self.shut = threading.Event()
        self.never = threading.Event()  # nobody sets it
        self.server = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.uri = f"mongodb://127.0.0.1:{self.server.getsockname()[1]}/"
        threading.Thread(target=self.accept, daemon=True).start()

    def stop(self, *words: bytes, before: bool = False, alone: bool = False, nth: int = 1) -> Stop:
        stop = Stop(words, before, alone, nth)
        with self.lock:
            self.stops.append(stop)
        return stop

    def deny(self, *words: bytes) -> None:
        """Requests of this kind never arrive, their connections break; other work goes on."""
        self.denied.append(words)

    def accept(self) -> None:
        while True:
            near, _ = self.server.accept()
            far = socket.create_connection(("127.0.0.1", self.store))
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            last = {}  # the request after whose answer this connection ends
            threading.Thread(target=self.pump, args=(near, far, last, self.request), daemon=True).start()
            threading.Thread(target=self.pump, args=(far, near, last, self.reply), daemon=True).start()

    def pump(self, source, target, last: dict, look) -> None:
        try:
            while message := read_message(source):
                goes_on = look(message, last)
                if not goes_on or self.shut.is_set():
                    self.never.wait()
                target.sendall(message)
        except OSError:
            pass
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def request(self, message: bytes, last: dict) -> bool:
        with self.lock:
            if self.shut.is_set():
                return False
            if any(all(word in message for word in words) for words in self.denied):
                raise ConnectionResetError
            for stop in self.stops:
                if stop.left == 0 or not all(word in message for word in stop.words):
                    continue
                stop.left -= 1
                if stop.left > 0:
                    continue
                if stop.before:
                    self.end(stop)
                    return False
                last["id"], last["stop"] = struct.unpack_from("<i", message, 4)[0], stop
        return True

    def reply(self, message: bytes, last: dict) -> bool:
        if "stop" in last and struct.unpack_from("<i", message, 8)[0] == last["id"]:
            with self.lock:
                self.end(last["stop"])
            return False
        return True

    def end(self, stop: Stop) -> None:
        if not stop.alone:
            self.shut.set()
        stop.seen.set()


def read_message(source) -> bytes:
    data = read_bytes(source, 16)
    return data + read_bytes(source, struct.unpack_from("<i", data)[0] - 16) if data else b""


def read_bytes(source, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = source.recv(size - len(data))
        if not more:
            return b""
        data += more
    return data
