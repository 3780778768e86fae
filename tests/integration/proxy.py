"""A TCP proxy whose links can be cut: one listening port a link, all in one thread of its own.

    proxy = Proxy()
    port = proxy.link("worker1/store", 21002)
    proxy.cut("worker1/store", "reset")         # every connection ends at once, with RST
    proxy.cut("worker1/store", "silence", 3)    # nothing comes through, nobody is told, for 3 s
    proxy.cut("worker1/store", "refuse", 3)     # new connections end at once, old ones too

A link with faults (store_faults.py) lets them see each message to a store, and answer in its place.
"""

import asyncio
import contextlib
import socket
import struct
import threading

ABORT = struct.pack("ii", 1, 0)  # SO_LINGER: close() sends RST


class Link:
    def __init__(self, name: str, port: int, faults=None):
        self.name, self.to, self.faults = name, port, faults
        self.writers = set()
        self.open = asyncio.Event()
        self.open.set()
        self.refusing = 0

    def reset(self) -> None:
        for writer in list(self.writers):
            with contextlib.suppress(OSError):
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
            writer.transport.abort()

    async def pump(self, reader, writer) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):
            while data := await reader.read(1 << 16):
                await self.open.wait()
                writer.write(data)
                await writer.drain()
        writer.transport.abort()

    async def serve(self, reader, writer) -> None:
        self.writers.add(writer)
        other = None
        try:
            if self.refusing:
                return
            await self.open.wait()
            far, other = await asyncio.open_connection("127.0.0.1", self.to)
            self.writers.add(other)
            if self.faults is not None:
                await self.faults.serve(self, (reader, writer), (far, other))
            else:
                await asyncio.gather(self.pump(reader, other), self.pump(far, writer))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            for each in (writer, other):
                if each is not None:
                    self.writers.discard(each)
                    each.transport.abort()


class Proxy:
    def __init__(self):
        self.links = {}
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(lambda *_: None)  # connections end in every way here
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)

    def link(self, name: str, port: int, faults=None) -> int:
        async def listen():
            self.links[name] = Link(name, port, faults)
            server = await asyncio.start_server(self.links[name].serve, "127.0.0.1", 0, backlog=200)
            return server.sockets[0].getsockname()[1]

        return self.run(listen())

    def cut(self, name: str, how: str, seconds: float = 0) -> None:
        async def act():
            link = self.links[name]
            if how == "silence":
                link.open.clear()
                self.loop.call_later(seconds, link.open.set)
                return
            if how == "refuse":
                link.refusing += 1
                self.loop.call_later(seconds, self.heal_one, link)
            link.reset()

        self.run(act())

    @staticmethod
    def heal_one(link: Link) -> None:
        link.refusing = max(0, link.refusing - 1)

    def heal(self) -> None:
        async def act():
            for link in self.links.values():
                link.open.set()
                link.refusing = 0

        self.run(act())
