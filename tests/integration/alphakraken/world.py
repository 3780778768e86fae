"""What the tests of an import stand on: a site with AlphaKraken's instruments, and imports that are killed."""

import datetime
import os
import signal
import socket
import subprocess
import threading

from harness import BIN, Site, holds
from year import COLLECTIONS, INSTRUMENTS, UTC

REFUSED, NO = 5, 1
WRITES = (b"insert", b"update", b"delete", b"findAndModify")

# Each job notes that it ran, and with which settings.
SOFTWARE = """echo "$SETTINGS_NAME-v$SETTINGS_VERSION ${1##*/}" >>{dir}/ran
printf 'ms1_scans\\tms2_scans\\tstatus\\n100\\t200\\tok\\n' >msqc_results.tsv"""


class Killer:
    """Between a process and MongoDB: kills the process right before its nth write reaches the server."""

    def __init__(self, address, nth: int):
        self.server, self.left, self.child = address, nth, None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(self.server)
            threading.Thread(target=self.pump, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self.pump, args=(server, client, False), daemon=True).start()

    def passes(self, data: bytes) -> bool:
        writes = len(data) > 26 and data[12:16] == b"\xdd\x07\0\0" and any(data[26:].startswith(word + b"\0") for word in WRITES)
        self.left -= writes
        if writes and self.left == 0:
            self.child.kill()
        return not writes or self.left > 0

    def pump(self, source, target, asks: bool) -> None:
        try:
            while data := source.recv(1 << 20):
                if asks and not self.passes(data):
                    break
                target.sendall(data)
        except OSError:
            pass
        source.close()
        target.close()

    def close(self) -> None:
        self.listener.close()


def run_killed(site, nth: int, *words: str) -> bool:
    """Run trawl import, killed at its nth write; whether it got that far."""
    killer = Killer(site.db.address, nth)
    env = {**site.env, "TRAWL_MONGO_URI": f"mongodb://127.0.0.1:{killer.port}/?directConnection=true"}
    with open(f"{site.dir}/import.log", "ab") as log:
        killer.child = subprocess.Popen([f"{BIN}/cli/trawl", "import", "alphakraken", *words], env=env, stdin=subprocess.DEVNULL,
                                        stdout=log, stderr=log)
        code = killer.child.wait(60)
    killer.close()
    holds(code in (-signal.SIGKILL, 0, NO), f"an import that is killed at write {nth} ends with {code}")
    return code == -signal.SIGKILL


def dump(db) -> dict:
    return {name: {str(doc["_id"]): doc for doc in db.find(name)} for name in COLLECTIONS}


def site_of(name: str):
    site = Site(name, {"quant.seed": "false"})
    site.env["TRAWL_TRAWL_ENV"] = "production"
    site.install_software(SOFTWARE.replace("{dir}", site.dir))
    os.chmod(site.dir, 0o755)
    open(f"{site.dir}/ran", "w").close()
    os.chmod(f"{site.dir}/ran", 0o666)  # the cluster's user writes there, too
    for instrument, kind in INSTRUMENTS.items():
        site.instrument(instrument, kind, missing_main_s=2)
    return site


def beside(name: str, status: str, size=None) -> dict:
    """A document that AlphaKraken's program adds to a database that is Trawl's."""
    now = datetime.datetime.now(UTC)
    return {"_id": name, "original_name": name, "instrument_id": "thermo1", "project_id": "_FALLBACK", "status": status, "size": size,
            "instrument_file_status": "initial", "file_info": {}, "created_at": now, "created_at_": now, "updated_at_": now}
