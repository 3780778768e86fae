"""Settings, projects and reruns: versions that never change, who is quantified with what, and running it again."""

from harness import *
from mongo import ObjectId

OK, NO, USAGE, MISSING, AWAY, REFUSED = range(6)


def code(site, expected, *words, says=""):
    answer = site.trawl(*words)
    equal(answer.code, expected, f"exit code of trawl {' '.join(words)}: {answer}")
    holds(says in answer.out + answer.err, f"trawl {' '.join(words)} says '{says}': {answer}")
    return answer


def put(site, name, text):
    path = f"{site.dir}/{name}"
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    return path


def started(site):
    site.instrument("gen1", "generic")
    site.start()
    wait_until(lambda: site.db.named("settings", "msqc-v1"), 10, "the first settings are made")


# What the job of the custom settings runs: its arguments one a line, and a table with the size of the library.
TOOL = """#!/bin/bash
printf '%s\\n' "$@" >args
printf 'name,size of library\\nx,%s\\n' "$(wc -c <"$SETTINGS_PATH/$SPECLIB_FILE_NAME")" >sizes.csv
"""


@test
def versions_never_change_and_their_files_are_proven():
    with Site("settings") as site:
        started(site)
        tool = f"{site.software}/tool"
        with open(tool, "w", encoding="utf-8") as out:
            out.write(TOOL)
        os.chmod(tool, 0o755)
        library = put(site, "a b.speclib", "12345")
        columns = put(site, "map", "# what it writes\nsizes.csv 'size of library' library_bytes\n"
                      "sizes.csv name first_name text\nsizes.csv gone lost max\n")
        params = "--var-mod UniMod:35,15.994915,M --name 'RAW_FILE_ID' --x \"it's $(touch pwned)\" --threads NUM_THREADS"
        made = site.ask("settings", "new", "lib", "--type", "custom", "--metrics", "custom", "--software", "tool",
                        "--columns", columns, "--speclib", library, "--params", params, "--cpus", "2", "--mem", "100M",
                        "--time", "00:05:00")
        equal((made["_id"], made["version"], made["num_threads"]), ("lib-v1", 1, 2), "the first version")
        stored = f"{site.settings}/{made['set']}/a b.speclib"
        equal(open(stored, encoding="utf-8").read(), "12345", "the library is kept")
        put(site, "a b.speclib", "1234567")
        second = site.ask("settings", "new", "lib", "--speclib", library, "--description", "longer")
        equal((second["_id"], second["config_params"]), ("lib-v2", params), "the second version takes over what is not given")
        holds(second["set"] != made["set"], "another library, another folder")
        third = site.ask("settings", "new", "lib", "--cpus", "3")
        equal((third["_id"], third["set"]), ("lib-v3", second["set"]), "the same library, the same folder")
        equal(open(stored, encoding="utf-8").read(), "12345", "the first one's is as it was")

        code(site, USAGE, "settings", "new", "lib", "--mem", "much", says="slurm_mem")
        code(site, USAGE, "settings", "new", "x-y", "--type", "msqc", says="a name of settings")
        code(site, USAGE, "settings", "new", "dia", "--type", "alphadia", "--software", "env", says="--fasta or --speclib")
        code(site, USAGE, "settings", "new", "lib", "--params", "'open", says="quote")
        code(site, USAGE, "settings", "new", "lib", "--columns", put(site, "bad", "a.tsv b\n"), says="line 1")
        code(site, MISSING, "settings", "show", "lbi", says="did you mean 'lib'?")
        equal(len(site.ask("settings", "ls")), 4, "versions, with the seeded one")
        code(site, OK, "settings", "archive", "lib-v3", "--why", "a mistake", says="archived")
        [kept] = site.db.find("audit", {"verb": "settings archive"})
        equal((kept["target"], kept["why"], kept["before"], kept["after"], kept["state"]),
              ("lib-v3", "a mistake", {"status": "active"}, {"status": "inactive"}, "done"), "the log's entry")
        equal([e["target"] for e in site.db.find("audit", {"verb": "settings new"})], ["lib-v1", "lib-v2", "lib-v3"], "what was made")
        equal([s["_id"] for s in site.ask("settings", "ls") if s["name"] == "lib"], ["lib-v2", "lib-v1"], "archived is hidden")
        code(site, OK, "settings", "show", "lib", says="lib-v2")

        code(site, OK, "project", "new", "P123", "--name", "Test")
        code(site, REFUSED, "project", "new", "P123", says="already")
        for bad in ("p123", "123456", "ABC", "_FALLBACK"):
            code(site, USAGE, "project", "new", bad)
        code(site, OK, "settings", "assign", "lib-v1", "P123")
        code(site, REFUSED, "settings", "assign", "lib-v2", "P123", says="--replace")
        code(site, REFUSED, "settings", "assign", "lib-v3", "P123", says="archived")
        code(site, MISSING, "settings", "assign", "lib", "NOPE")
        code(site, MISSING, "settings", "assign", "lib", "P123", "--scope", "elsewhere")
        code(site, OK, "settings", "assign", "msqc", "P123", "--scope", "generic", "--exclude", "gen1")

        name = site.acquire("generic", "gen1")[0]["name"]
        site.wait_status(name, "done", 40)
        equal(sorted(site.raw(name)["tasks"]), [f"{name}/copy", f"{name}/quant/lib-v1"], "tasks of the file")
        [metrics] = site.db.find("metrics", {"raw_file": name})
        equal((metrics["library_bytes"], metrics["first_name"], metrics["missing_columns"]), (5, "x", ["gone"]), "metrics")
        holds(metrics.get("peak_memory_mib", 1) > 0 and metrics["unknown_metrics"] == ["lost"], f"what is not known: {metrics}")
        task = site.task(f"{name}/quant/lib-v1")
        with open(f"{site.output}/{task['kept']['output']}/args", encoding="utf-8") as file:
            args = file.read().splitlines()
        equal(args, ["--var-mod", "UniMod:35,15.994915,M", "--name", name, "--x", "it's $(touch pwned)", "--threads", "2"], "args")
        verdicts = {a["settings"]: a["verdict"] for a in site.ask("settings", "resolve", name)["assignments"]
                    if a["project"] == "P123"}
        equal(verdicts, {"lib-v1": "runs", "msqc-v1": "excluded"}, "resolve")

        # The library that the version was made with is swapped for another one of the same size.
        os.chmod(stored, 0o644)
        with open(stored, "w", encoding="utf-8") as out:
            out.write("54321")
        code(site, OK, "rerun", name, "--settings", "lib-v1")
        site.wait_status(name, "quanting_failed")
        msg = site.task(f"{name}/quant/lib-v1")["error"]["msg"]
        holds("is not what lib-v1 was made with" in msg, msg)
        with open(stored, "w", encoding="utf-8") as out:
            out.write("12345")
        site.retry(f"{name}/quant/lib-v1")
        site.wait_status(name, "done")
        site.expect_nothing_left()


@test
def several_software_types_run_side_by_side_and_the_most_specific_wins():
    with Site("resolve") as site:
        started(site)
        for tool in ("one", "two"):
            path = f"{site.software}/{tool}"
            with open(path, "w", encoding="utf-8") as out:
                out.write("#!/bin/bash\nprintf 'Precursors.Identified\\n7\\n' >report.stats.tsv\n")
            os.chmod(path, 0o755)
        common = ("--mem", "100M", "--time", "00:05:00")
        code(site, OK, "settings", "new", "wide", "--type", "diann", "--software", "one", *common)
        code(site, OK, "settings", "new", "exact", "--type", "diann", "--software", "two", *common)
        code(site, OK, "settings", "assign", "wide", "_FALLBACK")
        code(site, OK, "settings", "assign", "exact", "_FALLBACK", "--scope", "gen1", "--filter", "hela")
        plain, hela = [site.acquire("generic", "gen1", prefix=p)[0]["name"] for p in ("plain", "hela")]
        for name, wanted in ((plain, "wide-v1"), (hela, "exact-v1")):
            site.wait_status(name, "done", 60)
            equal(sorted(site.ask("settings", "resolve", name)["runs"]), sorted([wanted, "msqc-v1"]), f"resolve {name}")
            equal(sorted((m["type"], m["settings_name"]) for m in site.db.find("metrics", {"raw_file": name})),
                  [("diann", wanted[:-3]), ("msqc", "msqc")], f"metrics of {name}")
        code(site, OK, "settings", "unassign", "exact", "_FALLBACK")
        code(site, MISSING, "settings", "unassign", "exact", "_FALLBACK")
        equal(sorted(site.ask("settings", "resolve", hela)["runs"]), ["msqc-v1", "wide-v1"], "after unassign")
        site.expect_nothing_left()


@test
def a_rerun_is_a_new_run_behind_all_new_files_and_keeps_what_was():
    with Site("rerun") as site:
        started(site)
        name = site.acquire("generic", "gen1")[0]["name"]
        task = f"{name}/quant/msqc-v1"
        site.wait_status(name, "done", 40)
        first = site.task(task)
        code(site, OK, "rerun", name, "--dry-run", says=f"{task}: would run again")
        equal(site.task(task)["state"], "done", "nothing was changed")
        code(site, USAGE, "rerun", name, "--mode", "destroy")
        code(site, MISSING, "rerun", "nothing.mzML")
        code(site, MISSING, "rerun", name, "--settings", "nothing")

        def again(mode, status):
            code(site, OK, "rerun", name, "--mode", mode, says="runs again")
            equal(site.task(task)["priority"], 50, "its priority")
            before = len(site.db.find("metrics", {"raw_file": name}))
            site.wait_task(task, "done" if status == "done" else "failed", 40)
            site.wait_status(name, status)
            site.expect_nothing_left()
            return len(site.db.find("metrics", {"raw_file": name})) - before, site.task(task)

        more, added = again("add", "done")
        equal((more, added["kept"]["output"]), (1, first["kept"]["output"] + ".run2"), "add")
        holds(added["result"]["job_id"] > first["result"]["job_id"], "a new job")
        more, raised = again("raise", "quanting_failed")
        equal(more, 0, "raise makes no run")
        holds("exists already" in raised["error"]["msg"], raised["error"]["msg"])
        more, over = again("overwrite", "done")
        equal((more, over["kept"]["output"]), (1, first["kept"]["output"]), "overwrite")
        _, adopted = again("associate", "done")
        equal(adopted["result"]["job_id"], over["result"]["job_id"], "associate takes over the last job")
        shown = site.ask("show", name)
        equal(len(shown["metrics"]), 3, "every run's metrics are kept")
        contents = site.db.one("aggregates", f"raw_files/{name}")["contents"]
        equal(len(contents.get("metrics_older", [])), 2, f"older metrics in the index: {contents}")

        code(site, OK, "pool", "set", "cluster_slots", "0")
        code(site, OK, "rerun", name)
        site.wait_task(task, "ready")
        code(site, REFUSED, "rerun", name, says="is still ready")
        late = site.acquire("generic", "gen1", first=9)[0]["name"]
        site.wait_task(f"{late}/quant/msqc-v1", "ready", 40)
        code(site, OK, "pool", "set", "cluster_slots", "1")
        site.wait_status(late, "done", 40)
        site.wait_status(name, "done", 40)
        holds(site.task(f"{late}/quant/msqc-v1")["admitted_at"] < site.task(task)["admitted_at"], "the new file went first")
        site.expect_nothing_left()


@test
def settings_of_both_kinds_apply_and_each_file_gets_its_own():
    """AlphaKraken's have an ObjectId of chance, those of earlier versions of Trawl their name: no two are mistaken for each other."""
    with Site("kinds", {"quant.without_settings": "fallback"}) as site:
        started(site)
        theirs, gone, fields = ObjectId("65f000000000000000000001"), ObjectId("65f0000000000000000000ff"), site.db.named("settings", "msqc-v1")
        for key, name in ((theirs, "theirs"), (ObjectId("65f000000000000000000002"), "other"), ("ours-v1", "ours")):
            fields.pop("trawl_id", None)
            site.db.insert("settings", {**fields, "_id": key, "name": name})
        for n, (project, settings) in enumerate((("PRJ1", theirs), ("PRJ2", "ours-v1"), ("PRJ3", gone))):
            code(site, OK, "project", "new", project)
            site.db.insert("project_settings", {"_id": ObjectId(f"65f10000000000000000000{n}"), "project": project, "settings": settings,
                                                "scope": "*", "excluded": [], "raw_file_id_filter": "", "created_at_": fields["created_at_"]})
        for project, settings in (("PRJ1", "theirs-v1"), ("PRJ2", "ours-v1"), ("PRJ3", "msqc-v1")):
            name = site.acquire("generic", "gen1", prefix=f"x_{project}")[0]["name"]
            site.wait_status(name, "done", 60)
            equal(site.raw(name)["tasks"], [f"{name}/copy", f"{name}/quant/{settings}"], f"what quantifies {project}")
            equal(site.ask("settings", "resolve", name)["runs"], [settings], f"resolve {project}")
        code(site, OK, "settings", "resolve", name, says="no settings of project PRJ3 apply to it: those of _FALLBACK do")
        verdicts = [(a["settings"], a["verdict"]) for a in site.ask("settings", "resolve", name)["assignments"] if a["project"] == "PRJ3"]
        equal(verdicts, [(f"{gone} (missing)", "other project")], "a reference to nothing is said")
        code(site, OK, "project", "ls", says=f"{gone} (missing)")
        code(site, OK, "settings", "ls", says="assignments of settings that are not there: 1")
        equal(sorted(s["_id"] for s in site.ask("settings", "ls")), ["msqc-v1", "other-v1", "ours-v1", "theirs-v1"], "all are listed")
        equal(len(site.ask("settings", "show", "theirs")["assignments"]), 1, "what is assigned to theirs")
        code(site, OK, "settings", "archive", "theirs-v1", says="what it is assigned to (1)")
        code(site, OK, "settings", "unassign", "theirs", "PRJ1")
        code(site, OK, "settings", "unassign", "ours", "PRJ2")
        code(site, OK, "settings", "assign", "other", "PRJ1")
        code(site, REFUSED, "settings", "assign", "msqc", "PRJ1", says="other-v1 quantifies this already")
        equal(site.db.named("project_settings", "PRJ1/*/msqc/")["settings"], "65f000000000000000000002", "an assignment refers by ObjectId")
        site.expect_nothing_left()


@test
def settings_that_no_assignment_can_refer_to_are_refused_and_the_leader_says_why_it_does_not_plan():
    with Site("foreign") as site:
        started(site)
        site.db.insert("settings", {"_id": 5, "name": "theirs", "version": 1, "software_type": "msqc", "status": "active"})
        name = site.acquire("generic", "gen1")[0]["name"]
        trouble = wait_until(lambda: site.db.one("leases", "scheduler").get("trouble"), 20, "the leader notes its trouble")
        holds("neither a text nor an ObjectId" in trouble["why"], trouble["why"])
        code(site, 1, "status", says="cannot quantify for")
        holds("neither a text nor an ObjectId" in site.trawl("settings", "ls").err, "settings ls refuses them")
        site.wait_status(name, "queued_for_quanting", 40)
        equal(site.db.find("tasks", {"kind": "quant"}), [], "nothing was quantified with settings of others")
        wait_until(lambda: "failed to plan for" in site.trawl("why", name).out, 20, "trawl why says what it waits for")
        site.db.command({"delete": "settings", "deletes": [{"q": {"_id": 5}, "limit": 1}]})
        site.wait_status(name, "done", 60)
        wait_until(lambda: "trouble" not in site.db.one("leases", "scheduler"), 10, "the trouble is over")
        site.expect_nothing_left()


@test
def an_original_that_changes_after_a_rerun_is_quantified_into_the_folder_of_that_run():
    for mode in ("add", "overwrite"):
        with Site(f"rerun{mode}") as site:
            folder = site.instrument("gen1", "generic")
            site.start()
            name = site.acquire("generic", "gen1")[0]["name"]
            quant = f"{name}/quant/msqc-v1"
            site.wait_status(name, "done", 40)
            site.wait_settled()
            equal(site.trawl("rerun", name, "--mode", mode).code, 0, "trawl rerun")
            again = wait_until(lambda s=site, q=quant: (t := s.task(q))["state"] == "done" and t["input"]["run"] == 2 and t, 40, "the second run")
            with open(f"{folder}/{name}", "ab") as out:
                out.write(b"<!-- more -->")
            wait_until(lambda s=site, n=name: s.raw(n).get("round") == 1, 30, "the change is noticed")
            site.wait_status(name, "done", 60)
            site.expect_nothing_left()
            third = site.task(quant)
            equal((third["input"]["run"], third["kept"]["output"]), (2, again["kept"]["output"]), "the run and its folder")
            equal(len(site.db.find("metrics", {"raw_file": name})), 3, "metrics of all")


run()
