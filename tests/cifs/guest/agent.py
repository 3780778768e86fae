"""agent.py PORTS - runs what the host sends, and hands the host's ports on. In the guest only.

A request is two numbers, length and seconds, and a script for bash; the answer is the exit code and what was printed.
"""

import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
import threading

HOST = "10.0.2.2"
TIMEOUT_CODE = 124


def read_all(connection, n: int) -> bytes:
    data = b""
    while len(data) < n:
        more = connection.recv(n - len(data))
        if not more:
            raise ConnectionError("the host has gone")
        data += more
    return data


def run(script: str, seconds: int):
    """Output goes to a file: a process that stays behind must not keep us waiting for the end of a pipe."""
    with open(f"/run/agent-{threading.get_ident()}", "w+b") as out:
        child = subprocess.Popen(["bash", "-c", script], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                 start_new_session=True, cwd="/root")
        try:
            code = child.wait(seconds)
        except subprocess.TimeoutExpired:
            code = TIMEOUT_CODE
            with contextlib.suppress(OSError):
                os.killpg(child.pid, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(2)  # what hangs in the kernel stays
        out.seek(0)
        return code, out.read()


def serve(connection) -> None:
    with connection, contextlib.suppress(OSError):
        length, seconds = struct.unpack("!II", read_all(connection, 8))
        code, said = run(read_all(connection, length).decode(), seconds)
        connection.sendall(struct.pack("!iI", code, len(said)) + said)


def listen(address: str, port: int, answer) -> None:
    server = socket.create_server((address, port), backlog=64)
    while True:
        connection, _ = server.accept()
        threading.Thread(target=answer, args=(connection,), daemon=True).start()


def pump(source, target) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def hand_on(port: int):
    def answer(connection):
        with connection, contextlib.suppress(OSError), socket.create_connection((HOST, port)) as host:
            threading.Thread(target=pump, args=(host, connection), daemon=True).start()
            pump(connection, host)

    return answer


for word in sys.argv[1].split(","):
    if word:
        threading.Thread(target=listen, args=("127.0.0.1", int(word), hand_on(int(word))), daemon=True).start()
print("the agent is up", flush=True)
listen("0.0.0.0", 2222, serve)
