"""What was dropped, and what it was made into since: from the event log, which the driver and the checker read alike.

    {"event": "dropped", "instrument", "name", "names": [top-level names], "sha256": {path: digest}, "phases": n,
     "longest_pause_s", "last_write": on the monotonic clock}
    {"event": "altered", "name", "how", "names", "sha256"}      (or with "skipped": it was not there any more)
"""


class Drop:
    def __init__(self, event: dict):
        self.name, self.instrument = event["name"], event["instrument"]
        self.names, self.sha256 = event["names"], event["sha256"]
        self.phases = event["phases"]  # stretches in which it was written; between them it may have seemed to be over
        self.longest_pause_s, self.last_write = event["longest_pause_s"], event["last_write"]
        self.changes = self.touches = 0

    def alter(self, event: dict) -> None:
        self.names, self.sha256 = event["names"], event["sha256"]
        self.touches += event["how"] == "touch"
        self.changes += event["how"] != "touch"


class Ledger:
    def __init__(self, events=()):
        self.drops = {}
        for event in events:
            self.take(event)

    def take(self, event: dict) -> None:
        if event.get("event") == "dropped":
            self.drops[event["name"]] = Drop(event)
        elif event.get("event") == "altered" and "skipped" not in event:
            self.drops[event["name"]].alter(event)


def is_safe(raw: dict) -> bool:
    """Whether the site shows that a raw file has a good backup."""
    return (raw.get("backup_status") == "copying_done" and not raw.get("backup_damaged")
            and raw.get("original", {}).get("state") not in ("unsettled", "differs"))
