"""Which names belong to which raw file: longest stems first, and as the share compares them."""

import threading

from check import *


def grow(path, pieces, size=15_000, every=0.25):
    for _ in range(pieces):
        with open(path, "ab") as file:
            file.write(os.urandom(size))
        time.sleep(every)


def files_of(site, name):
    return sorted(file["path"] for file in site.files(name))


# dotted stems are real: ProteoWizard/pwiz has them in the tests of its Sciex reader
@test
def of_two_stems_that_begin_alike_neither_takes_what_is_the_others():
    with Site("stems") as site:
        folder = site.instrument("zeno1", "sciex", skip_quanting="true", still_s=2, size_check_s=2)
        site.start_scheduler()
        site.start_worker("copy,index")
        for name in ("QC_1.wiff", "QC_1.wiff.scan", "QC_1.notes.txt"):
            write_file(f"{folder}/{name}", 20_000, len(name))
        for name in ("QC_1.5ng.wiff.scan", "QC_1.5ng.timeseries.data"):  # before its .wiff
            write_file(f"{folder}/{name}", 10_000, len(name))
        writers = [threading.Thread(target=grow, args=(f"{folder}/QC_1.5ng.{end}", 30)) for end in ("wiff.scan", "wiff2")]
        for writer in writers:
            writer.start()
        site.wait_status("QC_1.wiff", "done_not_quanted", 40)
        equal(files_of(site, "QC_1.wiff"), ["QC_1.notes.txt", "QC_1.wiff", "QC_1.wiff.scan"], "files of QC_1")
        write_file(f"{folder}/QC_1.5ng.wiff", 30_000, 7)
        for writer in writers:
            writer.join()
        site.wait_status("QC_1.5ng.wiff", "done_not_quanted", 40)
        equal(files_of(site, "QC_1.5ng.wiff"), sorted(n for n in os.listdir(folder) if n.startswith("QC_1.5ng")), "files of QC_1.5ng")
        equal(files_of(site, "QC_1.wiff"), ["QC_1.notes.txt", "QC_1.wiff", "QC_1.wiff.scan"], "files of QC_1, later")
        equal(site.task("QC_1.wiff/copy")["attempt"], 1, "copies of QC_1: the other's growth is not its own")
        originals = Originals()
        originals.note(folder)
        site.expect_nothing_left()
        check(site, originals, copied=2)


@test
def a_file_without_a_told_stem_goes_back_to_the_longer_one_when_that_comes():
    with Site("later") as site:
        folder = site.instrument("zeno1", "sciex", skip_quanting="true")
        site.start_scheduler()
        site.start_worker("copy,index")
        for name in ("QC_1.wiff", "QC_1.wiff.scan", "QC_1.5ng.odd"):
            write_file(f"{folder}/{name}", 20_000, len(name))
        site.wait_status("QC_1.wiff", "done_not_quanted", 40)
        equal(files_of(site, "QC_1.wiff"), ["QC_1.5ng.odd", "QC_1.wiff", "QC_1.wiff.scan"], "files of QC_1")
        for name in ("QC_1.5ng.wiff", "QC_1.5ng.wiff.scan"):
            write_file(f"{folder}/{name}", 20_000, len(name))
        wait_until(lambda: files_of(site, "QC_1.wiff") == ["QC_1.wiff", "QC_1.wiff.scan"], 60, "QC_1 has given it back")
        wait_until(lambda: files_of(site, "QC_1.5ng.wiff") == ["QC_1.5ng.odd", "QC_1.5ng.wiff", "QC_1.5ng.wiff.scan"], 60,
                   "QC_1.5ng has it")
        originals = Originals()
        originals.note(folder)
        site.expect_nothing_left()
        check(site, originals, copied=2)


@test
def a_set_whose_names_differ_in_case_is_whole_where_the_share_ignores_case():
    with Site("blind") as site, Share("cifs") as share:
        real = f"{share.path}/zeno1"
        os.mkdir(real)
        site.instrument("zeno1", "sciex", skip_quanting="true", path=real)
        names = ["Enolase_Ä.wiff", "enolase_ä.wiff.scan", "ENOLASE_Ä.WIFF2", "Enolase_ä.TimeSeries.Data"]
        other = ["enolase_ä.5NG.wiff", "Enolase_Ä.5ng.wiff.scan"]
        for seed, name in enumerate(names + other):
            write_file(f"{real}/{name}", 20_000, seed)
        site.start_scheduler()
        site.start_worker("copy,index")
        for main in (names[0], other[0]):
            site.wait_status(main, "done_not_quanted|done", 40)
        equal(files_of(site, names[0]), sorted(names), "its files")
        equal(files_of(site, other[0]), sorted(other), "the other's files")
        late = write_file(f"{real}/ENOLASE_ä.wiff.1.~idx2", 900, 9)
        wait_until(lambda: os.path.basename(late) in files_of(site, names[0]), 60, "what comes later is found, too")
        originals = Originals()
        originals.note(real)
        site.expect_nothing_left()
        check(site, originals, copied=2)


@test
def where_case_counts_why_names_the_file_that_is_waited_for_and_status_the_one_of_nobody():
    with Site("exact") as site:
        folder = site.instrument("zeno1", "sciex", skip_quanting="true")
        site.start_scheduler()
        for seed, name in enumerate(("Enolase_A.wiff", "enolase_a.wiff.scan")):
            write_file(f"{folder}/{name}", 20_000, seed)
        wait_until(lambda: site.raw("Enolase_A.wiff").get("watch", {}).get("waits_for", "").endswith("written"), 20, "it waits")
        answer = site.trawl("why", "Enolase_A.wiff")
        holds("Enolase_A.wiff.scan" in answer.out, f"why says which file is missing: {answer}")
        wait_until(lambda: "enolase_a.wiff.scan: not acquired, because its .wiff is missing" in site.trawl("status").out, 40, "status names the stray file")


run()
