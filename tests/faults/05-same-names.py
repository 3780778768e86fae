"""Appendix C 5: the same name with other content is never lost and never overwritten."""

from check import *

PREFIX = r"\d{8}-\d{6}-\d{6}-"


def two_of(site, name):
    raws = [r for r in site.db.find("raw_file", {"original_name": name}) if r.get("settled")]
    return raws if len(raws) >= 2 else None


@test
def the_same_name_and_size_with_other_content_is_another_raw_file():
    with Site("same") as site:
        folder = site.instrument("thermo1", "thermo", skip_quanting="true")
        site.start_scheduler()
        site.start_worker("copy,index")
        names = ("gone.raw", "swapped.raw")
        for seed, name in enumerate(names):
            write_file(f"{folder}/{name}", 40_000, seed)
        first = Originals()
        first.note(folder)
        for name in names:
            site.wait_status(name, "done_not_quanted")
        os.unlink(f"{folder}/gone.raw")
        time.sleep(2.5)  # polls that do not see it
        for seed, name in enumerate(names):  # the same size; one in place of the other, between two polls
            write_file(f"{folder}/{name}.new", 40_000, 10 + seed)
            os.rename(f"{folder}/{name}.new", f"{folder}/{name}")
        second = Originals()
        second.note(folder)
        for name in names:
            raws = wait_until(lambda n=name: two_of(site, n), 30, f"two raw files of {name}")
            prefixed = sorted((r["_id"] for r in raws), key=len)
            equal(prefixed[0], name, "the first keeps its name")
            holds(re.fullmatch(PREFIX + re.escape(name), prefixed[1]), f"the second has a prefix: {prefixed}")
        site.expect_nothing_left()
        both = Originals()
        both.of = {"first": {}, **second.of}
        known = first.digests() | second.digests()
        found = {digest(p) for p in files_below(site.backup) if not os.path.basename(p).startswith(b".")}
        equal(found, known, "contents in the backup")
        check_manifests(site.backup)
        equal(check_documents(site), 4, "raw files that are copied")


@test
def the_same_name_on_two_instruments_at_the_same_time_is_two_raw_files():
    with Site("two") as site:
        originals = Originals()
        for seed, instrument in enumerate(("left", "right")):
            folder = site.instrument(instrument, "thermo", skip_quanting="true")
            write_file(f"{folder}/same.raw", 40_000, seed)
            originals.note(folder)
        site.start_scheduler()
        site.start_worker("copy,index")
        raws = wait_until(lambda: two_of(site, "same.raw"), 30, "two raw files")
        equal({r["instrument_id"] for r in raws}, {"left", "right"}, "their instruments")
        site.expect_nothing_left()
        check(site, originals, copied=2)


@test
def a_name_that_differs_in_case_only_overwrites_nothing_where_case_does_not_count():
    with Site("case") as site, FaultFs(site.backup, "casefold") as fs:
        site.env["TRAWL_LOCATION_BACKUP_WORKER"] = fs.path
        folder = site.instrument("thermo1", "thermo", skip_quanting="true")
        site.start_scheduler()
        site.start_worker("copy,index")
        originals = Originals()
        write_file(f"{folder}/Probe.raw", 40_000, 1)
        originals.note(folder)
        site.wait_status("Probe.raw", "done_not_quanted")
        write_file(f"{folder}/PROBE.raw", 40_000, 2)
        write_file(f"{folder}/probe.raw", 50_000, 3)
        originals.note(folder)
        with Watcher(site.backup, originals):
            wait_until(lambda: len(site.db.find("raw_file", {"settled": True})) == 3, 40, "all are settled")
        site.wait_settled()
        check(site, originals)
        for raw in site.db.find("raw_file"):
            if raw["status"] == "error":
                holds("there already with other content" in raw["status_details"], raw["status_details"])
            else:
                equal(raw["backup_status"], "copying_done", raw["_id"])


run()
