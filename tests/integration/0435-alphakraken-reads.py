#!/usr/bin/python3
"""What a real run has stored is what AlphaKraken's own programs can read: alphakraken/check.py, with mongoengine."""

import datetime

from harness import *
from mongo import ObjectId

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGES = ("mongoengine==0.29.1", "pymongo==4.3.3", "dnspython==2.9.2")


def own_python() -> str:
    """A Python with the packages, made once in the build's folder."""
    folder = f"{BIN}/alphakraken-python"
    python = f"{folder}/bin/python"
    if not os.path.exists(f"{folder}/made"):
        shutil.rmtree(folder, ignore_errors=True)
        for command in (["/usr/bin/python3", "-m", "venv", folder], [python, "-m", "pip", "install", "--quiet", *PACKAGES]):
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode != 0:
                skip(f"{' '.join(command)}: {done.stderr.strip().splitlines()[-1:]}")
        open(f"{folder}/made", "w").close()
    return python


def check(site: Site) -> list:
    command = [own_python(), f"{HERE}/alphakraken/check.py", site.env["TRAWL_MONGO_URI"], site.db.database]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    holds(done.returncode in (0, 1) and not done.stderr, f"the checker: {done}")
    return done.stdout.splitlines() if done.returncode else []


def started() -> Site:
    site = Site("kraken", {"compat.alphakraken": "true"})
    for name, kind in (("gen1", "generic"), ("therm1", "thermo")):
        site.instrument(name, kind)
    site.start()
    wait_until(lambda: site.db.named("settings", "msqc-v1"), 20, "the first settings are made")
    tool = f"{site.software}/one"
    with open(tool, "w", encoding="utf-8") as out:
        out.write("#!/bin/bash\nprintf 'Precursors.Identified\\n7\\n' >report.stats.tsv\n")
    os.chmod(tool, 0o755)
    for words in (("new", "dia", "--type", "diann", "--software", "one", "--mem", "100M", "--time", "00:05:00"),
                  ("assign", "dia", "_FALLBACK")):
        equal(site.trawl("settings", *words).code, 0, f"trawl settings {words}")
    equal(site.trawl("project", "new", "NOSET", "--name", "none").code, 0, "a project without settings")
    return site


@test
def everything_that_a_run_stores_loads_in_alphakrakens_models():
    own_python()
    with started() as site:
        names = [site.acquire("generic", "gen1")[0]["name"], site.acquire("thermo", "therm1")[0]["name"]]
        late = site.acquire("generic", "gen1", prefix="x_NOSET")[0]["name"]
        for name in names:
            site.wait_status(name, "done", 60)
        site.wait_status(late, "done_not_quanted", 60)
        equal(site.raw(late)["status_details"], "No settings configured.", "a project without settings, as in AlphaKraken")
        answer = site.trawl("settings", "resolve", late)
        holds("[quant] without_settings = done_not_quanted" in answer.err, f"which rule: {answer}")
        wait_until(lambda: {"gen1", "therm1", "backup", "output", "file_remover"} ==
                   {s["_id"] for s in site.db.find("kraken_status") if s["status"] == "ok"}, 60, "kraken_status says that all is well")
        equal(check(site), [], "what AlphaKraken would break on")
        expect_words(site)
        expect_found(site, names[0])
        site.expect_nothing_left()


def expect_words(site: Site) -> None:
    dia = site.db.named("settings", "dia-v1")
    equal([dia.get(key) for key in ("software_type", "metrics_type", "job_engine", "number", "trawl_type", "trawl_engine")],
          ["custom", "diann", None, 2, "diann", None], "settings in AlphaKraken's words")
    shown = site.ask("settings", "show", "dia")["settings"]
    equal((shown["software_type"], shown["metrics_type"]), ("diann", ""), "the same in ours")
    equal(site.trawl("config", "check").out.count("ok"), 2, "config check looks at compat.alphakraken")
    answer = site.trawl("config", "check", env={"TRAWL_COPY_DIGEST": "none"})
    holds(answer.code == 1 and "copy.digest is none" in answer.out, f"config check: {answer}")


def expect_found(site: Site, name: str) -> None:
    """The checker finds what it is for."""
    run = site.db.find("metrics", {"raw_file": name})[0]
    site.db.update("metrics", {"_id": run["_id"]}, {"$set": {"status": "ok", "gradient_length": None}})
    site.db.insert("metrics", {**run, "_id": f"{name}/quant/old#f1"})
    site.db.insert("project_settings", {"_id": ObjectId("65f000000000000000000001"), "project": "NOSET", "scope": "*", "excluded": [],
                                        "settings": ObjectId("65f0000000000000000000ff"), "created_at_": run["created_at_"]})
    site.db.update("raw_file", {"_id": name}, {"$set": {"file_info": {}}})
    site.db.update("settings", {"trawl_id": "dia-v1"}, {"$set": {"software_type": "diann", "number": 1}})
    found = "\n".join(check(site))
    for what in ("has a metric status", "has no value for gradient_length", "Invalid ObjectID", "which are not there", "no file_info",
                 "Value must be one of"):
        holds(what in found, f"the checker says '{what}': {found}")
    site.stop()
    site.db.command({"delete": "kraken_status", "deletes": [{"q": {"_id": "gen1"}, "limit": 1}]})
    site.db.update("kraken_status", {"_id": "backup"}, {"$set": {"updated_at_": run["created_at_"] - datetime.timedelta(hours=1)}})
    found = "\n".join(check(site))
    for what in ("kraken_status has no instrument gen1", "a stale alert"):
        holds(what in found, f"the checker says '{what}': {found}")


run()
