"""Appendix C 6: shares that go away in every way hold exactly their own tasks, write nothing, and go on by themselves."""

from check import *

SETTINGS = {"mount.check_s": 1, "mount.deadline_ms": 700, "copy.chunk_mib": 1, "quant.seed": "false"}


def init(site, *what):
    answer = site.trawl("mount", "init", *what)
    equal(answer.code, 0, f"trawl mount init {what}: {answer}")


def wait_held(site, name, seconds=30):
    def look():
        task = site.task(f"{name}/copy")
        held = task.get("setbacks", 0) >= 1 and (task.get("error") or {}).get("kind") == "hold"
        return task if held else None

    return wait_until(look, seconds, f"{name} is held")


@test
def a_pool_that_is_away_in_any_way_gets_no_byte_and_loses_none():
    with Site("pool", SETTINGS) as site, FaultFs(site.backup) as fs:
        site.env["TRAWL_LOCATION_BACKUP_WORKER"] = fs.path
        folder = site.instrument("thermo1", "thermo", skip_quanting="true")
        init(site, "backup")
        site.start_scheduler()
        site.start_worker("copy,index")
        originals = Originals()
        identity = f"{site.backup}/.trawl-location"
        ways = {
            "stale": (lambda: fs.rules("error=ESTALE any *"), fs.rules, "stale"),
            "empty": (lambda: fs.rules("empty any *"), fs.rules, "empty|missing"),
            "readonly": (lambda: fs.rules("error=EROFS modify *"), fs.rules, "read.only"),
            "hangs": (lambda: fs.rules("hang any *"), fs.rules, "hangs"),
            "unmounted": (fs.unmount, fs.mount, "missing|empty"),
            "wrong": (lambda: other_share(identity), lambda: os.rename(f"{identity}.kept", identity), "wrong"),
            "gone": (lambda: fs.rules("error=ENOTCONN any *"), fs.rules, "stale"),
        }
        for seed, (name, (spoil, mend, status)) in enumerate(ways.items()):
            spoil()
            write_file(f"{folder}/{name}.raw", 50_000, seed)
            originals.note(folder)
            message = wait_held(site, f"{name}.raw")["error"]["msg"]
            holds(re.search(f": ({status})", message, re.I), f"{name} is told as {status}: {message}")
            equal([p for p in files_below(site.backup) if os.fsencode(name) in p], [], f"{name}: bytes in the pool")
            equal(os.listdir(fs.path) if name == "unmounted" else [], [], "what was written below the mount")
            mend()
            raw = site.wait_status(f"{name}.raw", "done_not_quanted", 30)
            equal(raw["status_details"], "Quantification disabled for this instrument.", "details")
        site.expect_nothing_left()
        check(site, originals, copied=len(ways))


def other_share(identity):
    os.rename(identity, f"{identity}.kept")
    with open(f"{identity}.kept") as kept, open(identity, "w") as out:
        out.write(json.dumps({**json.load(kept), "uuid": "00000000-1111-4222-8333-444444444444"}))


@test
def a_pool_that_goes_away_in_the_middle_of_a_copy_is_waited_for():
    with Site("middle", {**SETTINGS, "copy.threads": 8, "pool.file_copy": 8}) as site, FaultFs(site.backup) as fs:
        site.env["TRAWL_LOCATION_BACKUP_WORKER"] = fs.path
        init(site, "backup")
        where = {"write": "hang write write/*.part after=2000000", "read": "hang read read/*.part",
                 "publish": "hang create publish/*.raw", "manifest": "hang rename manifest/*.xxh3", "small": "hang write small/*"}
        originals = Originals()
        for seed, name in enumerate(where):
            folder = site.instrument(name, "thermo", skip_quanting="true")
            write_file(f"{folder}/{name}.raw", 50_000 if name == "small" else 4 * MIB, seed)
            originals.note(folder)
        fs.rules(*where.values())
        with Watcher(site.backup, originals):
            site.start_scheduler()
            site.start_worker("copy,index")
            for name, rule in where.items():
                fs.wait_hit(f"hang {rule.split()[1]} {name}/", 30)
            fs.rules("error=ENOTCONN any *")
            for name in where:
                wait_held(site, f"{name}.raw")
            fs.unmount()
            time.sleep(1)
            equal(os.listdir(fs.path), [], "what was written below the mount")
            fs.mount()
            for name in where:
                site.wait_status(f"{name}.raw", "done_not_quanted", 40)
        site.expect_nothing_left()
        check(site, originals, copied=len(where))


@test
def instruments_that_go_away_in_any_way_lose_no_file_and_disturb_no_other():
    ways = {"stale": "error=ESTALE any stale*", "empty": "empty any empty/*", "readonly": "error=EROFS modify readonly*",
            "hangs": "hang any hangs*", "gone": "error=ENOENT any gone*", "well": ""}
    with Site("away", SETTINGS) as site, FaultFs(site.instruments) as share:
        for name in ways:
            site.instrument(name, "thermo", skip_quanting="true", path=f"{share.path}/{name}", missing_main_s=2, size_check_s=4)
            init(site, name)
        site.instrument("swapped", "thermo", skip_quanting="true", path=f"{share.path}/swapped", missing_main_s=2)
        init(site, "swapped")
        site.start_scheduler()
        site.start_worker("copy,index")
        originals = Originals()
        for seed, name in enumerate([*ways, "swapped"]):
            write_file(f"{site.instruments}/{name}/{name}.raw", 50_000, seed)
        for name in [*ways, "swapped"]:
            wait_until(lambda n=name: site.raw(f"{n}.raw"), 20, f"{name}.raw is seen")
            originals.note(f"{site.instruments}/{name}")
        share.rules(*[rule for rule in ways.values() if rule])
        os.rename(f"{site.instruments}/swapped", f"{site.instruments}/right")
        shutil.copytree(f"{site.instruments}/well", f"{site.instruments}/swapped")  # the share of another instrument
        for name in ("well", "readonly"):
            site.wait_status(f"{name}.raw", "done_not_quanted", 30)
        write_file(f"{site.instruments}/well/next.raw", 50_000, 50)
        site.wait_status("next.raw", "done_not_quanted", 30)
        time.sleep(3)  # longer than a main file may be missing
        for name in ("stale", "empty", "hangs", "gone", "swapped"):
            raw = site.raw(f"{name}.raw")
            holds(raw["status"] in ("monitoring_acquisition", "monitoring_done", "queued_for_monitoring"),
                  f"{name}: {raw['status']} {raw['status_details']}")
            watch = site.db.one("watches", name)
            holds(watch["status"] != "ok" or name == "hangs", f"{name} is told to be away: {watch}")
        equal(site.db.find("raw_file", {"instrument_id": "swapped", "original_name": "well.raw"}), [], "files of the wrong share")
        shutil.rmtree(f"{site.instruments}/swapped")
        os.rename(f"{site.instruments}/right", f"{site.instruments}/swapped")
        share.rules()
        for name in ("stale", "empty", "hangs", "gone", "swapped"):
            site.wait_status(f"{name}.raw", "done_not_quanted", 40)
        originals.note(f"{site.instruments}/well")
        site.expect_nothing_left()
        check(site, originals, copied=len(ways) + 2)


@test
def a_share_that_hangs_while_it_is_listed_is_told_as_hanging_and_goes_on():
    with Site("listing", SETTINGS) as site, FaultFs(site.instruments) as share:
        site.instrument("slow", "thermo", skip_quanting="true", path=f"{share.path}/slow")
        site.instrument("well", "thermo", skip_quanting="true")
        originals = Originals()
        share.rules("hang list slow*")
        site.start_scheduler()
        site.start_worker("copy,index")
        write_file(f"{site.instruments}/slow/a.raw", 50_000, 1)
        write_file(f"{site.instruments}/well/b.raw", 50_000, 2)
        site.wait_status("b.raw", "done_not_quanted", 30)
        wait_until(lambda: (site.db.one("watches", "slow") or {}).get("status") == "hangs", 60, "the share is told as hanging")
        equal(site.db.one("watches", "well")["status"], "ok", "the other share")
        equal(site.raw("a.raw"), {}, "what nobody could list")
        share.rules()
        site.wait_status("a.raw", "done_not_quanted", 30)
        wait_until(lambda: site.db.one("watches", "slow")["status"] == "ok", 20, "the share is told as well again")
        originals.note(f"{site.instruments}/slow")
        originals.note(f"{site.instruments}/well")
        site.expect_nothing_left()
        check(site, originals, copied=2)


run()
