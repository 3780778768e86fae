"""Appendix C 15: outside production nothing is moved or removed, and nothing is recorded as moved or purged."""

from check import *


@test
def a_sandbox_moves_and_purges_nothing_and_records_nothing():
    with Site("sandbox", {"quant.seed": "false"}) as site:
        originals = Originals()
        kinds = {"thermo1": ("thermo", "a.raw"), "tims1": ("bruker", "b.d"), "zeno1": ("sciex", "c.wiff")}
        for seed, (instrument, (kind, name)) in enumerate(kinds.items()):
            folder = site.instrument(instrument, kind, skip_quanting="true", file_move_delay_m=0, min_free_space_gb=9_000_000,
                                     min_file_age_days=0)
            path = f"{folder}/{name}"
            if kind == "bruker":
                os.mkdir(path)
                path += "/analysis.tdf_bin"
            write_file(path, 20_000, seed)
            if kind == "sciex":
                write_file(f"{path}.scan", 500, 9)
            originals.note(folder)
        before = hash_tree(site.instruments)
        site.start_scheduler()
        site.start_worker("move,remove,copy,index")
        for _, name in kinds.values():
            site.wait_status(name, "done_not_quanted", 40)
            task = site.wait_task(f"{name}/move", "done|skipped|failed|dead", 20)
            equal((task["state"], task.get("result")), ("done", {"skipped": "not production"}), f"the move of {name}")
        site.expect_nothing_left()
        time.sleep(1)
        equal(hash_tree(site.instruments), before, "the instruments' folders")
        equal([n for at in kinds for n in os.listdir(f"{site.instruments}/{at}") if n == "Backup"], [], "Backup folders")
        equal({r["instrument_file_status"] for r in site.db.find("raw_file")}, {"initial"}, "what is recorded")
        equal([t["_id"] for t in site.db.find("tasks", {"kind": "remove"})], [], "removals of what was never moved")
        check(site, originals, copied=3)


run()
