"""Names made on Windows: stored and shown losslessly, copied byte by byte."""

from check import *

NAMES = [b"with  two spaces .raw", "umlaut äöüß µ 日本.raw".encode(), b"br[a]ck{e}t (1) $HOME `id` ;&|.raw", b"-rf.raw", b"--help.raw",
         b"n" * 251 + b".raw", b"latin1 \xe4\xf6\xff\xfe.raw", b"per%cent%41%.raw", b"quote'\"s.raw", b"trailing...raw",
         b"UPPER.raw", b"#comment.raw", b"~tilde.raw", "e\u0301 decomposed.raw".encode(), b"tab\tand\x7f.raw", b"back\\slash.raw"]


@test
def names_of_any_bytes_are_stored_shown_and_copied_losslessly():
    with Site("names", {"copy.threads": 4}) as site:
        folder = site.instrument("thermo1", "thermo", skip_quanting="true", max_copies=4)
        dots = site.instrument("tims1", "bruker", skip_quanting="true")
        for seed, name in enumerate(NAMES):
            write_file(os.path.join(os.fsencode(folder), name), 5000 + seed, seed)
        bruker = "Probe ä [1] \udcff.d"
        os.makedirs(f"{dots}/{bruker}/1.m")
        write_file(f"{dots}/{bruker}/analysis.tdf_bin", 9000, 100)
        write_file(f"{dots}/{bruker}/1.m/\udce4 -x \\ %41", 90, 101)
        originals = Originals()
        originals.note(folder)
        originals.note(dots)
        with Watcher(site.backup, originals):
            site.start_scheduler()
            site.start_worker("copy,index")
            wait_until(lambda: len(site.db.find("raw_file", {"settled": True})) == len(NAMES) + 1, 60, "all are settled")
        raws = site.db.find("raw_file")
        equal({r["status"] for r in raws}, {"done_not_quanted"}, "how they ended")
        equal(sorted(unescape(r["_id"]) for r in raws), sorted(NAMES + [os.fsencode(bruker)]), "the ids, as bytes")
        site.expect_nothing_left()
        check(site, originals, copied=len(NAMES) + 1)
        target = {os.path.relpath(p, os.fsencode(site.backup)).split(b"/", 2)[2] for p in files_below(site.backup)}
        for name in NAMES:
            holds(name in target, f"{name!r} is copied under its own name")
        shown = {r["_id"] if "_id" in r else r.get("id") or r.get("raw_file") for r in site.ask("ls", "--limit", "0")}
        equal(shown, {r["_id"] for r in raws}, "trawl ls")
        for raw in raws:
            for command in ("show", "verify", "why"):
                answer = site.trawl(command, "--", raw["_id"])
                equal((answer.code, answer.err), (0, ""), f"trawl {command} {raw['_id']}: {answer}")


run()
