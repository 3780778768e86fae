"""Appendix C 12: clocks that differ, months that end and hours that are changed; the birth of a file decides, in UTC."""

import calendar

from check import *


def seconds(text):
    return calendar.timegm(time.strptime(text, "%Y-%m-%d %H:%M:%S"))


@test
def the_month_of_a_backup_is_that_of_the_files_birth_in_utc():
    born = {
        "midnight_before": ("2026-10-31 23:59:59", "2026_10"),
        "midnight_after": ("2026-11-01 00:00:00", "2026_11"),
        "summer_time_ends": ("2026-11-01 06:30:00", "2026_11"),
        "old": ("2019-12-31 23:59:59", "2019_12"),
        "future": ("2031-01-01 00:00:01", "2031_01"),
    }
    with Site("month", env={"TZ": "America/New_York"}) as site, FaultFs(site.instruments) as share:
        folder = site.instrument("thermo1", "thermo", skip_quanting="true", path=f"{share.path}/thermo1")
        share.rules(*[f"date stat thermo1/{name}.raw at={seconds(when)}" for name, (when, _) in born.items()])
        originals = Originals()
        for seed, name in enumerate(born):
            write_file(f"{folder}/{name}.raw", 20000, seed)
        originals.note(folder)
        site.start_scheduler()
        site.start_worker("copy,index")
        wait_until(lambda: site.raw("future.raw"), 20, "they are seen")
        with open(f"{folder}/midnight_before.raw", "ab") as file:  # it goes on to grow in the next month
            file.write(b"more")
        originals.note(folder)
        for name, (when, month) in born.items():
            raw = site.wait_status(f"{name}.raw", "done_not_quanted", 40)
            equal(os.path.basename(raw["backup_base_path"]), month, f"{name}, born {when}")
            holds(os.path.isfile(f"{site.backup}/thermo1/{month}/{name}.raw"), f"{name} is in {month}")
        site.expect_nothing_left()
        check(site, originals, copied=len(born))


@test
def an_instrument_whose_clock_is_wrong_hides_and_ends_nothing():
    with Site("skew") as site, FaultFs(site.instruments) as share:
        folder = site.instrument("thermo1", "thermo", skip_quanting="true", size_check_s=2, path=f"{share.path}/thermo1",
                                 old_files_done="true", ignore_older_than_h=24)
        share.rules(f"date stat thermo1/ahead*.raw at={int(time.time()) + 7200}")
        write_file(f"{folder}/ahead1.raw", 20000, 1)
        site.start_scheduler()
        site.start_worker("copy,index")
        wait_until(lambda: site.raw("ahead1.raw"), 20, "the first one is seen")
        growing = write_file(f"{folder}/grows.raw", 20000, 2)  # born two hours before the one from the future
        for _ in range(8):
            time.sleep(0.5)
            with open(growing, "ab") as file:
                file.write(bytes(1000))
        write_file(f"{folder}/ahead2.raw", 20000, 3)
        originals = Originals()
        originals.note(folder)
        for name in ("ahead1", "grows", "ahead2"):
            site.wait_status(f"{name}.raw", "done_not_quanted", 40)
        site.expect_nothing_left()
        wait_until(lambda: originals.digests() <= {digest(p) for p in files_below(site.backup)}, 20, "all of it is copied")
        check(site, originals, copied=3)


@test
def a_file_that_is_too_old_is_set_aside_and_goes_on_saying_why():
    with Site("old") as site, FaultFs(site.instruments) as share:
        folder = site.instrument("thermo1", "thermo", skip_quanting="true", path=f"{share.path}/thermo1", ignore_older_than_h=24)
        share.rules(f"date stat thermo1/old*.raw at={int(time.time()) - 10 * 86400}")
        write_file(f"{folder}/old1.raw", 20000, 1)
        site.start_scheduler()
        site.start_worker("copy,index")
        site.wait_status("old1.raw", "ignored", 20)
        wait_until(lambda: site.raw("old1.raw")["settled"], 20, "the planner has looked at it")
        equal(site.raw("old1.raw")["status_details"], "Older than ignore_older_than_h.", "its reason")
        holds("Older than ignore_older_than_h" in site.trawl("why", "old1.raw").out, "why says it")


run()
