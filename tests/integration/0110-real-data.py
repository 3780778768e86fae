"""Real files through the whole pipeline; what they hold is read here a second time, by other means."""

import sqlite3
import statistics
import xml.etree.ElementTree as ElementTree

from harness import *

DATA = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../shared/data"))
FILES = {"gen1": ("generic", f"{DATA}/mzml/example.mzML"), "tims1": ("bruker", f"{DATA}/bruker/dia_test.d"),
         "thermo1": ("thermo", f"{DATA}/thermo/small.RAW")}


def of_mzml(path):
    """Python's own XML reader and the controlled vocabulary's terms."""
    spectra = {1: [], 2: []}
    times, injections = [], []
    for _, node in ElementTree.iterparse(path):
        if not node.tag.endswith("}spectrum"):
            continue
        terms = {p.get("accession"): p for p in node.iter() if p.tag.endswith("}cvParam")}
        spectra[int(terms["MS:1000511"].get("value"))].append(float(terms["MS:1000285"].get("value")))
        start = terms["MS:1000016"]
        times.append(float(start.get("value")) / (1 if start.get("unitName") == "minute" else 60))
        injections.append(float(terms["MS:1000927"].get("value")))
    equal(spectra[2], [], "MS2 spectra of the example")
    return {"ms1_scans": len(spectra[1]), "ms2_scans": 0, "ms1_median_tic": statistics.median(spectra[1]),
            "ms1_median_injection_time": statistics.median(injections), "gradient_length": max(times)}


def of_bruker(path):
    with sqlite3.connect(f"file:{path}/analysis.tdf?mode=ro&immutable=1", uri=True) as tdf:
        frames = tdf.execute("SELECT MsMsType, SummedIntensities, Time FROM Frames").fetchall()
    ms1 = [summed for kind, summed, _ in frames if kind == 0]
    ms2 = [summed for kind, summed, _ in frames if kind != 0]
    return {"ms1_scans": len(ms1), "ms2_scans": len(ms2), "ms1_median_tic": statistics.median(ms1),
            "ms2_median_tic": statistics.median(ms2), "gradient_length": max(time_s for *_, time_s in frames) / 60}


def expect(metrics, truth):
    equal(metrics["run_status"], "ok", "status of the metrics")
    for name, value in truth.items():
        found = metrics[name]
        holds(found is not None and abs(found - value) <= 1e-6 * abs(value), f"{name}: {found} instead of {value}")


@test
def real_files_are_copied_and_their_metrics_are_true():
    missing = [path for _, path in FILES.values() if not os.path.exists(path)]
    if missing:
        skip(f"the real data are not there: {', '.join(missing)}")
    with Site("real") as site:
        for instrument, (kind, path) in FILES.items():
            folder = site.instrument(instrument, kind)
            copy = shutil.copytree if os.path.isdir(path) else shutil.copy
            copy(path, f"{folder}/{os.path.basename(path)}")
        site.start()
        metrics = {}
        for _, path in FILES.values():
            name = os.path.basename(path)
            site.wait_status(name, "done", 40)
            equal(hash_tree(site.backup_of(name)), hash_tree(path), f"the backup of {name}")
            equal(site.trawl("verify", name).code, 0, f"trawl verify {name}")
            metrics[name] = site.ask("show", name)["metrics"][0]
        expect(metrics["example.mzML"], of_mzml(FILES["gen1"][1]))
        holds("announces 2918 spectra and holds 11" in metrics["example.mzML"]["run_detail"], "the shortened list is told")
        expect(metrics["dia_test.d"], of_bruker(FILES["tims1"][1]))
        equal(metrics["small.RAW"]["run_status"], "unsupported", "the Thermo file")
        holds("convert it to mzML" in metrics["small.RAW"]["run_detail"], "the Thermo file's way out is told")
        site.expect_nothing_left()


run()
