"""Appendix C 8: a byte that flips in the pool after the copy is found by verify, and the original is never purged."""

from check import *


@test
def a_flipped_byte_in_the_pool_is_found_and_keeps_the_original():
    with Site("flip", {"quant.seed": "false"}) as site, FaultFs(site.backup) as fs:
        site.env["TRAWL_TRAWL_ENV"] = "production"  # a test of its own has it: see RESOURCE_LOCK in faults.cmake
        site.env["TRAWL_LOCATION_BACKUP_WORKER"] = fs.path
        kinds = {"thermo1": ("thermo", "bad.raw"), "tims1": ("bruker", "bad.d"), "thermo2": ("thermo", "good.raw"),
                 "thermo3": ("thermo", "misread.raw")}
        folder = {i: site.instrument(i, kind, skip_quanting="true", file_move_delay_m=0) for i, (kind, _) in kinds.items()}
        for seed, (instrument, (kind, name)) in enumerate(kinds.items()):
            path = f"{folder[instrument]}/{name}"
            if kind == "bruker":
                os.makedirs(f"{path}/1.m")
                write_file(f"{path}/analysis.tdf_bin", 50_000, 90)
                path = f"{path}/1.m/method"
            write_file(path, 50_000, seed)
        originals = Originals()
        for path in folder.values():
            originals.note(path)
        site.start_scheduler()
        site.start_worker("move,remove,copy,index")
        for _, name in kinds.values():
            wait_until(lambda n=name: site.raw(n).get("instrument_file_status") == "moved", 40, f"{name} is moved")
        site.wait_settled()
        flip(site.backup_of("bad.raw"), 12345)
        flip(f"{site.backup_of('bad.d')}/1.m/method", 12345)
        fs.rules("flip read thermo3/*.raw offset=777")  # the disk is right, what comes from it is not
        for name, code in (("bad.raw", 1), ("bad.d", 1), ("misread.raw", 1), ("good.raw", 0)):
            answer = site.trawl("verify", name)
            equal(answer.code, code, f"trawl verify {name}: {answer}")
        for instrument in folder:  # now room is needed
            kind = kinds[instrument][0]
            site.instrument(instrument, kind, skip_quanting="true", file_move_delay_m=0, min_free_space_gb=9_000_000,
                            min_file_age_days=0)
        wait_until(lambda: site.raw("good.raw").get("instrument_file_status") == "purged", 40, "the good one is purged")
        dry = site.trawl("remove", "--dry-run", "bad.raw")
        holds("bad.raw" in dry.out and dry.code in (0, 1), f"the dry run: {dry}")
        time.sleep(2)
        for instrument, (_, name) in kinds.items():
            if name == "good.raw":
                continue
            path = f"{folder[instrument]}/Backup/{name}"
            holds(os.path.exists(path), f"the original of {name} is still there")
            equal(site.raw(name)["instrument_file_status"], "moved", f"what is recorded of {name}")
        equal(os.listdir(f"{folder['thermo2']}/Backup"), [], "the good one's Backup")
        kept = {digest(p) for at in folder.values() for p in files_below(at)} | {digest(site.backup_of("good.raw"))}
        equal(originals.digests() - kept, set(), "originals that are lost")
        holds(site.trawl("status").out.count("bad.raw") >= 1 or "damaged" in site.trawl("status").out, "trawl status tells of it")


run()
