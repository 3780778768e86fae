"""The whole way of a raw file, for every type of instrument: found, copied with proof, measured, indexed."""

import csv
import statistics

from harness import *

TYPES = {"thermo1": "thermo", "tims1": "bruker", "zeno1": "sciex", "gen1": "generic"}


def acquire_all(site, first=1):
    """Two acquisitions of each instrument; name -> what the simulator says that it holds."""
    facts = {}
    for instrument, kind in TYPES.items():
        for fact in site.acquire(kind, instrument, 2, size=300000, first=first):
            facts[fact["name"]] = {**fact, "instrument": instrument}
    return facts


def members(site, fact):
    """The names on the share that belong to one raw file."""
    stem = fact["name"].removesuffix(".wiff") + "."
    names = os.listdir(f"{site.instruments}/{fact['instrument']}")
    return sorted(n for n in names if (n.startswith(stem) if fact["type"] == "sciex" else n == fact["name"]))


def size_of(site, fact):
    folder = f"{site.instruments}/{fact['instrument']}"
    paths = [f"{folder}/{name}" for name in members(site, fact)]
    return sum(os.path.getsize(f) for p in paths for f in ([p] if os.path.isfile(p) else file_paths(p)))


def expect_copied(site, fact):
    raw = site.raw(fact["name"])
    folder = raw["backup_base_path"]
    source, target = {}, {}
    for name in members(site, fact):
        source.update(hash_tree(f"{site.instruments}/{fact['instrument']}/{name}"))
        target.update(hash_tree(f"{folder}/{name}"))
    holds(source, f"{fact['name']} has members")
    equal(target, source, f"the backup of {fact['name']}")
    equal({f["path"] for f in site.db.files_of(raw)}, set(source), "files in the document")
    equal(raw["size"], size_of(site, fact), f"size of {fact['name']}")
    manifest = f".{fact['name']}.MANIFEST.xxh3"
    check = subprocess.run(["xxhsum", "-c", manifest], cwd=folder, capture_output=True, text=True)
    equal(check.returncode, 0, f"xxhsum -c {manifest}: {check.stdout}{check.stderr}")
    equal(check.stdout.count(": OK"), len(source), "files that xxhsum found right")


def table(site, raw, name):
    with open(f"{raw['output_path']}/{name}", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def mzml_truth(path):
    """Total ion currents by level as the file itself states them, read without our extractor."""
    with open(path) as file:
        spectra = file.read().split("<spectrum ")[1:]
    levels = {1: [], 2: []}
    for text in spectra:
        level = int(re.search(r'"MS:1000511"[^>]*value="(\d)"', text).group(1))
        levels[level].append(float(re.search(r'"MS:1000285"[^>]*value="([^"]+)"', text).group(1)))
    return levels


def near(found, wanted, what):
    holds(found is not None and abs(found - wanted) <= 1e-6 * abs(wanted), f"{what}: {found} instead of {wanted}")


def expect_metrics(site, fact):
    found = site.db.find("metrics", {"raw_file": fact["name"]})
    equal(len(found), 1, f"metrics documents of {fact['name']}")
    metrics = found[0]
    if fact["type"] in ("thermo", "sciex"):
        equal(metrics["run_status"], "unsupported", fact["name"])
        holds("convert it to mzML" in metrics["run_detail"], f"the detail names the way out: {metrics['run_detail']}")
        return
    equal((metrics["run_status"], metrics["ms1_scans"], metrics["ms2_scans"]), ("ok", fact["ms1"], fact["ms2"]), fact["name"])
    tic = table(site, metrics, "msqc_tic.tsv")
    equal(len(tic), fact["ms1"] + fact["ms2"], "rows of msqc_tic.tsv")
    column = next(c for c in tic[0] if "tic" in c.lower())
    total = sum(float(row[column]) for row in tic)
    near(total, fact.get("total_ion_current", fact.get("summed_intensities")), f"total ion current of {fact['name']}")
    if fact["type"] == "generic":
        truth = mzml_truth(site.backup_of(fact["name"]))
        near(metrics["ms1_median_tic"], statistics.median(truth[1]), "ms1_median_tic")
        near(metrics["ms2_median_tic"], statistics.median(truth[2]), "ms2_median_tic")
        spectra = fact["ms1"] + fact["ms2"]  # one every 0.25 s, whatever unit of time the file uses; ours are minutes
        holds(abs(metrics["gradient_length"] * 60 - (spectra - 1) * 0.25) < 0.001, f"gradient {metrics['gradient_length']}")


def expect_index(site, facts):
    """Totals by instrument and project, against sums over what was written."""
    groups = {f"instruments/{i}": [f for f in facts.values() if f["instrument"] == i] for i in TYPES}
    groups["projects/_FALLBACK"] = list(facts.values())
    for entity, those in groups.items():
        sums = site.db.one("aggregates", entity)["contents"]
        equal((sums["file_count"], sums["size"], sums["error_count"], sums["metrics_count"], sums["by_status"]),
              (len(those), sum(size_of(site, f) for f in those), 0, len(those), {"done": len(those)}), entity)
    for name in facts:
        one = site.db.one("aggregates", f"raw_files/{name}")["contents"]
        equal((one["status"], list(one["metrics"])), ("done", ["msqc"]), f"raw_files/{name}")
        equal([r["state"] for r in one["results"]], ["done"], f"results of {name}")


def fingerprint(site):
    """What a restart must not change."""
    tasks = {t["_id"]: (t["state"], t["fence"], t["attempt"]) for t in site.db.find("tasks")}
    raws = {r["_id"]: (r["rev"], r["status"]) for r in site.db.find("raw_file")}
    files = {p: os.stat(p).st_mtime_ns for p in file_paths(site.backup)}
    return tasks, raws, files


def file_paths(folder):
    return [os.path.join(top, name) for top, _, names in os.walk(folder) for name in names]


@test
def every_type_is_copied_measured_and_indexed_and_a_restart_changes_nothing():
    with Site("pipeline") as site:
        for instrument, kind in TYPES.items():
            site.instrument(instrument, kind)
        before = hash_tree(site.instruments)
        site.start(workers=2)
        facts = acquire_all(site)
        before = hash_tree(site.instruments)
        for name in facts:
            site.wait_status(name, "done", 40)
        site.expect_nothing_left()
        for fact in facts.values():
            expect_copied(site, fact)
            expect_metrics(site, fact)
        expect_index(site, facts)
        equal(hash_tree(site.instruments), before, "the instruments' folders afterwards")
        equal(len({t["worker"] for t in site.db.find("tasks")}), 2, "workers that took part")

        then = fingerprint(site)
        site.stop()
        equal([p.child.returncode for p in site.processes], [0, 0, 0], "exit codes after SIGTERM")
        equal(site.db.find("workers"), [], "worker documents after a clean stop")
        site.start(workers=2)
        marker = site.acquire("generic", "gen1", 1, first=90)[0]["name"]  # new work shows that all was looked at
        site.wait_status(marker, "done", 40)
        site.expect_nothing_left()
        now = fingerprint(site)
        for was, is_now, what in zip(then, now, ("tasks", "raw files", "files of the backup")):
            equal({k: v for k, v in is_now.items() if "0090" not in k}, was, f"{what} after a restart")
        equal([l for l in site.logs() if l["level"] == "error"], [], "errors in the logs")


@test
def a_growing_file_is_copied_only_when_it_has_ended():
    with Site("growing") as site:
        site.instrument("tims1", "bruker", size_check_s=2)
        site.start()
        first, second = site.acquire("bruker", "tims1", 2, size=600000, rate=500000)  # 1.3 s each
        for fact in (first, second):
            site.wait_status(fact["name"], "done", 30)
            expect_copied(site, {**fact, "instrument": "tims1"})
        equal(site.raw(first["name"])["watch"]["rule"], "next file", "why the first one had ended")
        equal(site.raw(second["name"])["watch"]["rule"], "size unchanged", "why the last one had ended")
        site.expect_nothing_left()


@test
def a_message_that_is_published_many_times_is_run_once():
    with Site("often", {"kafka.redispatch_ms": 10, "scheduler.sweep_ms": 20}) as site:
        site.instrument("gen1", "generic")
        site.start(workers=2)
        names = [fact["name"] for fact in site.acquire("generic", "gen1", 4)]
        for name in names:
            site.wait_status(name, "done", 40)
        site.expect_nothing_left()
        for name in names:
            ended = [(l["kind"], l["state"]) for l in site.logs("task_ended") if l["task_id"].startswith(name) and
                     l["kind"] != "index"]
            equal(sorted(ended), [("copy", "done"), ("quant", "done"), ("quant", "parked")], f"what was run for {name}")
            equal(len(site.db.find("metrics", {"raw_file": name})), 1, f"metrics of {name}")
        equal([l for l in site.logs() if l["event"] in ("task_fenced", "job_adopted")], [], "attempts in each other's way")


@test
def one_name_on_two_instruments_is_two_raw_files():
    with Site("twice") as site:
        for instrument in ("gen1", "gen2"):
            site.instrument(instrument, "generic", skip_quanting="true")
        site.start()
        for seed, instrument in enumerate(("gen1", "gen2")):
            site.acquire("generic", instrument, 1, prefix="same", seed=seed)
        raws = wait_until(lambda: [r for r in site.db.find("raw_file") if r["status"] == "done_not_quanted"][1:] and
                          site.db.find("raw_file"), 20, "both are copied")
        site.expect_nothing_left()
        equal({r["instrument_id"] for r in raws}, {"gen1", "gen2"}, "instruments")
        plain, other = sorted(raws, key=lambda r: len(r["_id"]))
        equal(plain["_id"], "same_0001.mzML", "the first keeps its name")
        holds(re.fullmatch(r"\d{8}-\d{6}-\d{6}-same_0001\.mzML", other["_id"]), f"the other gets a prefix: {other['_id']}")
        for raw in (plain, other):
            source = f"{site.instruments}/{raw['instrument_id']}/same_0001.mzML"
            equal(list(hash_tree(site.backup_of(raw["_id"])).values()), list(hash_tree(source).values()), raw["_id"])


run()
