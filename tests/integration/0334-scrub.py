"""Backups read again: damage is found, marked, shown and forgotten when repaired; hashes for others; bandwidth."""

import hashlib

from harness import *

MIB = 1 << 20


def acquired(site, instrument, kind, count=1, **options):
    site.instrument(instrument, kind, skip_quanting="true")
    return [fact["name"] for fact in site.acquire(kind, instrument, count, **options)]


def wait_copied(site, names):
    for name in names:
        site.wait_status(name, "done_not_quanted", 40)
    site.expect_nothing_left()


def etag(path, part):
    with open(path, "rb") as file:
        data = file.read()
    parts = [hashlib.md5(data[i:i + part]).digest() for i in range(0, len(data), part)] or [hashlib.md5(b"").digest()]
    whole = parts[0].hex() if len(parts) == 1 else f"{hashlib.md5(b''.join(parts)).hexdigest()}-{len(parts)}"
    return f"{whole}__{part // MIB}"


def verify(site, *arguments):
    """Exit code and JSON; with standard error for a failure."""
    answer = site.trawl("verify", *arguments, "--json")
    return answer.code, json.loads(answer.out), answer


def open_alerts(site):
    return [a["_id"] for a in site.db.find("alerts", {"open": True})]


@test
def file_info_is_alphakrakens_and_manifests_fit_md5sum():
    with Site("digests", {"copy.digest": "md5", "copy.s3_part_mib": 1}) as site:
        names = acquired(site, "gen1", "generic", size=3 * MIB) + acquired(site, "tims1", "bruker", 2)
        site.start()
        names.pop()  # nothing follows the last folder, so it is waited for long
        for name in names:
            site.wait_status(name, "done_not_quanted", 40)
            raw = site.raw(name)
            base = raw["backup_base_path"]
            holds(base.startswith(f"{site.backup}/{raw['instrument_id']}/"), f"base path {base}")
            wanted = {}
            for path in hash_tree(f"{base}/{name}"):
                summed = subprocess.run(["md5sum", f"{base}/{path}"], capture_output=True, text=True, check=True).stdout
                wanted[path] = [os.path.getsize(f"{base}/{path}"), summed.split()[0].lstrip("\\"), etag(f"{base}/{path}", MIB)]
            equal(raw["file_info"], wanted, f"file_info of {name}")
            equal({f["path"]: [f["size"], f["md5"], f["etag"]] for f in site.db.files_of(raw)}, wanted, f"files of {name}")
            for tool, suffix in (("md5sum", "md5"), ("xxhsum", "xxh3")):
                done = subprocess.run([tool, "-c", f".{name}.MANIFEST.{suffix}"], cwd=base, capture_output=True, text=True)
                equal(done.returncode, 0, f"{tool} -c of {name}: {done.stdout}{done.stderr}")
        holds(any("-" in v[2] for v in site.raw(names[0])["file_info"].values()), "a file of several parts")


@test
def damage_is_found_marked_shown_and_forgotten_after_the_repair():
    with Site("scrub", {"copy.digest": "sha256"}) as site:
        names = acquired(site, "gen1", "generic", 3)
        site.start()
        wait_copied(site, names)
        code, answer, _ = verify(site, "--all")
        equal((code, answer["good"], answer["bad"]), (0, 3, 0), "all are well")
        holds(all("verified_at" in site.raw(n) for n in names), "verified_at is set")
        revs = [site.raw(n)["rev"] for n in names]

        bad = names[1]
        flip(site.backup_of(bad))
        code, answer, said = verify(site, "--all")
        equal((code, answer["good"], answer["bad"]), (1, 2, 1), f"one is damaged: {said}")
        states = {r["id"]: r["state"] for r in answer["results"]}
        equal(states, {n: "damaged" if n == bad else "ok" for n in names}, "states")
        holds('"event":"backup_damaged"' in said.err.replace(" ", ""), f"a line for the logs: {said.err}")
        raw = site.raw(bad)
        mark = raw["backup_damaged"]
        equal([f["path"] for f in mark["files"]], [bad], "damaged files")
        holds("damaged: xxh3 is " in mark["files"][0]["reason"] and "@" in mark["by"], f"the mark {mark}")
        equal((raw["backup_status"], raw["status"]), ("copying_done", "done_not_quanted"), "statuses stay")
        equal(open_alerts(site), [f"backup_damaged/{bad}"], "alerts")
        status = site.trawl("status")
        holds(bad in status.out and "the backup is damaged" in status.out, f"trawl status: {status.out}")
        equal(site.ask("status")["alerts"]["open"], 1, "open alerts of trawl status")
        wait_until(lambda: site.db.one("aggregates", f"raw_files/{bad}")["contents"]["backup_damaged"], 20, "the index knows")
        since = site.db.one("alerts", f"backup_damaged/{bad}")["at"]
        equal(verify(site, bad)[0], 1, "again")
        equal(site.db.one("alerts", f"backup_damaged/{bad}")["at"], since, "the alert keeps its time")

        flip(site.backup_of(bad))
        equal(verify(site, "--instrument", "gen1")[0], 0, "after the repair")
        holds("backup_damaged" not in site.raw(bad), "the mark is gone")
        equal(open_alerts(site), [], "alerts after the repair")
        wait_until(lambda: not site.db.one("aggregates", f"raw_files/{bad}")["contents"]["backup_damaged"], 20, "the index too")
        site.wait_settled()
        equal([site.raw(n)["rev"] for n in names if n != bad], [r for n, r in zip(names, revs) if n != bad],
              "verifying alone changes nothing that the index shows")


@test
def what_is_missing_cut_or_unlisted_is_told_and_the_rest_goes_on():
    with Site("scrubmore") as site:
        names = acquired(site, "gen1", "generic", 4)
        site.start()
        wait_copied(site, names)
        gone, cut, other, well = names
        os.unlink(site.backup_of(gone))
        os.truncate(site.backup_of(cut), 10)
        manifest = f"{os.path.dirname(site.backup_of(other))}/.{other}.MANIFEST.xxh3"
        with open(manifest, "a", encoding="utf-8") as file:
            file.write("0" * 32 + "  something else\n")
        answer = site.trawl("verify", "--all")
        equal(answer.code, 1, f"exit code: {answer}")
        for line in (f"missing  {gone}", f"wrong size  {cut}: 10 bytes instead of", f"manifest  {other}", f"ok  {well}"):
            holds(line in answer.out, f"'{line}' in {answer.out}")
        equal(sorted(open_alerts(site)), sorted(f"backup_damaged/{n}" for n in (gone, cut)), "alerts")
        holds("backup_damaged" not in site.raw(other) and "verified_at" in site.raw(other), "a manifest is no backup")
        _, answer, _ = verify(site, "--all")  # those that never verified go first
        equal({r["id"] for r in answer["results"][:2]}, {gone, cut}, "the order")
        equal(site.trawl("verify", "--all", "--since", "2001-01-01").code, 1, "since")
        equal(verify(site, "--instrument", "elsewhere")[1]["results"], [], "another instrument has none")
        for wrong in ([], [well, "--all"], [well, "--since", "1d"], ["--all", "--since", "x"], ["--all", "--limit", "x"]):
            equal(site.trawl("verify", *wrong).code, 2, f"trawl verify {wrong}")


@test
def a_share_that_is_not_there_is_no_damage():
    with Site("scrubaway") as site:
        names = acquired(site, "gen1", "generic")
        site.start()
        wait_copied(site, names)
        site.stop()
        os.rename(f"{site.backup}/gen1", f"{site.backup}/aside")
        answer = site.trawl("verify", "--all")
        equal(answer.code, 5, f"without an identity nobody can tell: {answer}")
        holds("trawl mount init backup" in answer.err, f"the way out: {answer.err}")
        os.rename(f"{site.backup}/aside", f"{site.backup}/gen1")
        equal(site.trawl("mount", "init", "backup").code, 0, "mount init")
        equal(site.trawl("verify", "--all").code, 0, "the share is there")
        os.rename(site.backup, f"{site.backup}-away")
        os.mkdir(site.backup)
        equal(site.trawl("verify", "--all").code, 5, "an empty folder in its place")
        equal(site.trawl("verify", names[0]).code, 5, "the same for one")
        os.rmdir(site.backup)
        os.rename(f"{site.backup}-away", site.backup)
        holds("backup_damaged" not in site.raw(names[0]) and open_alerts(site) == [], "nothing is marked")
        shutil.rmtree(f"{site.backup}/gen1")
        equal(site.trawl("verify", "--all").code, 1, "with its identity there, what is gone is lost")
        equal(open_alerts(site), [f"backup_damaged/{names[0]}"], "alerts")


@test
def limits_hold_for_scrubbing_and_for_all_copies_together():
    with Site("limits", {"location.backup.limit": "2"}) as site:
        names = acquired(site, "gen1", "generic", 2, size=4 * MIB)
        started = time.monotonic()
        site.start()
        wait_copied(site, names)
        seconds = time.monotonic() - started
        total = sum(site.raw(n)["size"] for n in names)
        holds(seconds > (total - 2 * MIB) / (2 * MIB), f"{total} bytes in {seconds:.1f} s at 2 MiB/s")
        longest = max(site.task(f"{n}/copy")["result"]["ms"] for n in names)
        holds(longest > 1000 * (total - 4 * MIB) / (2 * MIB), f"both shared it: {longest} ms")
        started = time.monotonic()
        equal(site.trawl("verify", "--all", "--limit", "4").code, 0, "verify")
        seconds = time.monotonic() - started
        holds(seconds > (total - 2 * MIB) / (4 * MIB), f"{total} bytes read in {seconds:.1f} s at 4 MiB/s")


run()
