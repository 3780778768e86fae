"""What a chaos run does, made from its seed alone: a list of actions, each with the second at which it happens.

An action is a dict: {"t": seconds since the start, "do": word, ...}. Every stream (kills, pauses, cuts, ...) has a random
generator of its own, so that more of one does not change the others. A run writes its actions, with the time at which each
really happened, to its event log; read_log gives them back for a replay.
"""

import itertools
import json
import random

WORKERS = ("worker1", "worker2", "worker3")
SCHEDULERS = ("scheduler1", "scheduler2")
OURS = SCHEDULERS + WORKERS
SERVERS = ("store", "kafka", "sshd", "slurmctld")
INSTRUMENTS = {"thermo1": "thermo", "tims1": "bruker", "zeno1": "sciex", "gen1": "generic", "tims2": "bruker", "zeno2": "sciex"}
MOVED, REMOVED = ("tims2", "zeno2"), ("tims2",)  # whose originals go into Backup as soon as they are copied, and then away
SUFFIX = {"thermo": ".raw", "bruker": ".d", "sciex": ".wiff", "generic": ".mzML"}
POOLS = {"file_copy": 3, "cluster_slots": 6, "index": 2, "file_move": 2}
# Nothing may have moved for this time before an acquisition may be over; the rules that say so then; see world.py.
STILL_S, SIZE_CHECK_S, QUIET_S = 2, 2, 2
HELD_LAST_S = STILL_S + 2 * SIZE_CHECK_S + 6
PAUSES_S = (0.75 * STILL_S, STILL_S, 2 * SIZE_CHECK_S + 2)  # while an instrument writes; the last is taken for the end

KILL_WEIGHTS = {"worker1": 14, "worker2": 14, "worker3": 14, "scheduler1": 12, "scheduler2": 12,
                "sshd": 10, "store": 8, "kafka": 6, "slurmctld": 6}
PAUSE_WEIGHTS = {"worker1": 4, "worker2": 4, "worker3": 4, "scheduler1": 4, "scheduler2": 4,
                 "sshd": 1, "store": 2, "kafka": 1, "slurmctld": 2}
LEASES_S = (4, 7)  # longer than the leases of a run, in seconds

# Rules of tests/faultfs/rules.h; the first word says where: the pool that copies are written to, or the instruments.
FAULTS = (
    ("backup", "error=EIO write *.part times=2"),
    ("backup", "error=EIO read *.part times=1"),
    ("backup", "error=EIO fsync *.part times=1"),
    ("backup", "error=EIO rename * times=1"),
    ("backup", "error=EIO write,fsync *.chunks times=2"),
    ("backup", "error=ENOSPC write,alloc *.part after=200000"),
    ("backup", "error=ESTALE write,open,stat * after=20 times=4"),
    ("backup", "hang write *.part after=100000"),
    ("backup", "hang any *"),
    ("backup", "short read,write *"),
    ("backup", "slow write *.part rate=2000000"),
    ("backup", "flip write *.part offset=70000 times=1"),
    ("backup", "flip read *.part offset=50000 times=1"),
    ("backup", "delay any * ms=15"),
    ("instruments", "error=EIO read * times=2"),
    ("instruments", "error=EIO list,stat * times=3"),
    ("instruments", "error=ESTALE any * after=10 times=5"),
    ("instruments", "error=EHOSTDOWN any *"),
    ("instruments", "hang any *"),
    ("instruments", "hang read * after=300000"),
    ("instruments", "short read *"),
    ("instruments", "slow read * rate=4000000"),
)

# Of all commands of ours to the store, as tests/integration/store_faults.py does it: how, share, further keys.
STORE_FAULTS = (
    ("lost", 0.004, {}),
    ("drop", 0.004, {}),
    ("late", 0.002, {"seconds": 1.5}),
    ("delay", 0.004, {"seconds": 0.7}),
    ("NotWritablePrimary", 0.003, {}),
    ("PrimarySteppedDown", 0.002, {}),
    ("ExceededTimeLimit", 0.002, {}),
    ("WriteConcernFailed", 0.004, {"command": ("insert", "update", "delete", "findAndModify")}),
    ("CursorNotFound", 0.05, {"command": "getMore"}),
)


def choose(rng, weights: dict) -> str:
    return rng.choices(list(weights), list(weights.values()))[0]


def every(rng, seconds: float, until: float, first: float = 1.0):
    """Moments about so far apart, none of them like clockwork."""
    at = first + rng.uniform(0, seconds)
    while at < until:
        yield round(at, 3)
        at += seconds * rng.uniform(0.4, 1.6)


def plan_kills(rng, count: int, pace: float) -> list:
    found = []
    for i in range(count):
        target = choose(rng, KILL_WEIGHTS)
        down = rng.uniform(0.1, 1.0) if target in SERVERS else rng.choice((0.1, rng.uniform(0.1, 2), rng.uniform(3, 6)))
        t = 2 + (i + rng.uniform(0.1, 0.9)) * pace
        found.append({"t": round(t, 3), "do": "kill", "target": target, "down_s": round(down, 2)})
    return found


def plan_pauses(rng, until: float, pace: float) -> list:
    found = []
    for t in every(rng, 5 * pace, until):
        target = choose(rng, PAUSE_WEIGHTS)
        longer = target in OURS and rng.random() < 0.4 or target == "slurmctld" and rng.random() < 0.3
        span = rng.uniform(*LEASES_S) * (2 if longer and target == "slurmctld" else 1) if longer else rng.uniform(0.3, 2.5)
        found.append({"t": t, "do": "pause", "target": target, "for_s": round(span, 2)})
    return found


def plan_cuts(rng, until: float, pace: float) -> list:
    """A link is that of one process of ours (or of all) to one server."""
    found = []
    for t in every(rng, 2.5 * pace, until):
        how = rng.choice(("reset", "reset", "silence", "refuse"))
        server = rng.choice(("store", "store", "sshd", "kafka"))
        who = rng.choice(OURS + ("all",)) if server != "kafka" else "all"
        span = {"reset": 0, "silence": rng.choice((rng.uniform(0.3, 3), rng.uniform(*LEASES_S))), "refuse": rng.uniform(0.3, 3)}
        found.append({"t": t, "do": "cut", "server": server, "who": who, "how": how, "for_s": round(span[how], 2)})
    return found


def plan_faults(rng, until: float, pace: float) -> list:
    found = []
    for t in every(rng, 3 * pace, until):
        where, rule = rng.choice(FAULTS)
        found.append({"t": t, "do": "fault", "where": where, "rule": rule, "for_s": round(rng.uniform(1, 5), 2)})
    return found


def plan_pools(rng, until: float, pace: float) -> list:
    """Sizes go up and down, to nothing, too; what is set to nothing is set again soon."""
    found = []
    for t in every(rng, 5 * pace, until):
        pool = rng.choice(list(POOLS))
        size = rng.choice((0, 1, 2, POOLS[pool], POOLS[pool] + 3))
        found.append({"t": t, "do": "pool", "pool": pool, "size": size})
        if size == 0:
            found.append({"t": round(t + rng.uniform(0.5, 4), 3), "do": "pool", "pool": pool, "size": POOLS[pool]})
    return found


def plan_manner(rng, kind: str, size: int) -> dict:
    """How an instrument writes: options of local/instruments/simulate. Every second one just grows."""
    found = {"rate": 8_000_000}
    if rng.random() < 0.5:
        return found
    if rng.random() < 0.6:
        found["preallocate"] = True
    if rng.random() < 0.5:
        found |= {"pauses": rng.choice((1, 2)), "pause": rng.choice(PAUSES_S)}
    if kind in ("bruker", "sciex") and rng.random() < 0.6:
        found["late"] = rng.choice(PAUSES_S)
    if kind == "bruker" and rng.random() < 0.4:
        found["tims-off"] = True
    if rng.random() < 0.3:
        found["hold"] = round(rng.uniform(0.5, 8), 1)
    if rng.random() < 0.4:
        found["rate"] = size // rng.randint(4, 12)
    return found


def plan_drops(rng, until: float, pace: float) -> list:
    """Each second set of Sciex has a sibling that is written at the same time, with a dot in its stem."""
    found, numbers = [], dict.fromkeys(INSTRUMENTS, 0)
    for t in every(rng, 1.3 * pace, until, first=0.0):
        instrument = rng.choice(list(INSTRUMENTS))
        kind = INSTRUMENTS[instrument]
        numbers[instrument] += 1
        size = rng.choice((50_000, 400_000) if kind == "generic" else (300_000, 4_000_000, 8_000_000))
        drop = {"t": t, "do": "drop", "instrument": instrument, "number": numbers[instrument], "size": size,
                "manner": plan_manner(rng, kind, size)}
        found.append(drop)
        if rng.random() < (0.5 if kind == "sciex" else 0.1):
            manner = plan_manner(rng, kind, size) | {"suffix": ".5ng"}
            found.append({**drop, "t": round(t + rng.uniform(-0.5, 1.5), 3), "manner": manner})
    return [{**drop, "name": name_of(drop)} for drop in found]


def name_of(drop: dict) -> str:
    kind = INSTRUMENTS[drop["instrument"]]
    return f"{drop['instrument']}_P123_{drop['number']:04d}{drop['manner'].get('suffix', '')}{SUFFIX[kind]}"


def alter(rng, t: float, drop: dict, how: str) -> dict:
    return {"t": round(t, 3), "do": "alter", "instrument": drop["instrument"], "name": drop["name"], "how": how,
            "keep_time": how == "rewrite" and rng.random() < 0.5, "seed": rng.randrange(1 << 30)}


def plan_alters(rng, drops: list, until: float, pace: float) -> list:
    """Raw files that are written to, joined by another member or touched when they may be over."""
    found = []
    for t in every(rng, 2 * pace, until, first=4.0):
        there = [d for d in drops if t - 30 < d["t"] < t - 1]
        if there:
            how, drop = rng.choice(("rewrite", "append", "add", "touch", "touch")), rng.choice(there)
            times = rng.choice((1, 3)) if how == "touch" else 1
            found += [alter(rng, t + n * 1.5, drop, how) for n in range(times)]
    return found


def plan_last(rng, drops: list) -> list:
    """When all is well and done: a change of each kind, to the last raw file of each instrument whose originals stay, and one of
    them is held when it is copied again. How long they may take to be noticed is the driver's."""
    hows = itertools.cycle(rng.sample(("rewrite", "touch", "add", "append"), 4))
    last = {d["instrument"]: d for d in drops if d["instrument"] not in MOVED}
    found = [{**alter(rng, 0, drop, how), "keep_time": how == "rewrite", "last": True} for drop, how in zip(last.values(), hows)]
    held = [a for a in found if a["how"] == "append"]
    return found + [{**hold(rng, 0, a), "ops": "open", "for_s": HELD_LAST_S, "last": True} for a in held]


def hold(rng, t: float, drop: dict) -> dict:
    return {"t": t, "do": "hold", "instrument": drop["instrument"], "name": drop["name"],
            "code": rng.choice(("EACCES", "EBUSY")), "ops": rng.choice(("open", "open", "open,read")),
            "for_s": round(rng.uniform(2, 15), 1)}


def plan_holds(rng, drops: list, until: float, pace: float) -> list:
    """Raw files that others have open, as a share tells it: nobody else can open them."""
    found = []
    for t in every(rng, 3 * pace, until):
        there = [d for d in drops if t - 12 < d["t"] < t + 2]
        if there:
            found.append(hold(rng, t, rng.choice(there)))
    return found


def hold_rules(held: dict) -> list:
    """Rules of tests/faultfs: the files cannot be opened, nor get another name."""
    stem = held["name"].removesuffix("wiff")
    error = f"error={held['code']}"
    return [f"{error} {held['ops']} {held['instrument']}/{stem}*", f"{error} rename {held['instrument']}/Backup/{stem}*"]


def plan_operator(rng, drops: list, until: float, pace: float) -> list:
    """Cancels and retries of tasks that may or may not be there."""
    found = []
    for t in every(rng, 4 * pace, until):
        there = [d for d in drops if d["t"] < t][-4:]
        if there:
            task = f"{rng.choice(there)['name']}/{rng.choice(('copy', 'quant/msqc-v1'))}"
            found.append({"t": t, "do": "cancel", "task": task})
            found.append({"t": round(t + rng.uniform(0.2, 5), 3), "do": "retry", "task": task})
    return found


def make(seed: int, kills: int, pace: float) -> list:
    """All actions of a run, in order. The same arguments give the same actions."""
    until = 2 + kills * pace

    def rng(stream):
        return random.Random(f"{seed}/{stream}")

    drops = plan_drops(rng("drops"), until, pace)
    actions = (drops + plan_kills(rng("kills"), kills, pace) + plan_pauses(rng("pauses"), until, pace)
               + plan_cuts(rng("cuts"), until, pace) + plan_faults(rng("faults"), until, pace)
               + plan_pools(rng("pools"), until, pace) + plan_operator(rng("operator"), drops, until, pace)
               + plan_alters(rng("alters"), drops, until, pace) + plan_holds(rng("holds"), drops, until, pace))
    return sorted(actions, key=lambda a: (a["t"], a["do"])) + plan_last(rng("last"), drops)


def read_log(path: str):
    """The header and the actions of an earlier run, each at the time at which it happened then."""
    with open(path, encoding="utf-8") as log:
        header, *entries = [json.loads(line) for line in log]
    actions = [{**e["action"], "t": e["at"]} for e in entries if "action" in e]
    return header, actions
