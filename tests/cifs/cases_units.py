"""The unit tests of all that touches a share, with their folders on one.

What a share cannot have by its nature is named here, with the reason; everything else must pass.
"""

import re

from world import *

LINKS = "a share of Windows' kind has no symbolic links and no pipes"
OWNERS = "owners and modes are the mount's, for every user"
TEXT = "a share's names are text: other bytes and backslashes are refused or changed"
NOT_ON_A_SHARE = {
    "fs": {"walk_sees_every_regular_file_in_byte_order": LINKS},
    "mount": {"a_broken_identity_is_wrong": LINKS},
    "remove": {"a_link_keeps_all_files": LINKS, "a_folder_behind_a_link_is_not_followed": LINKS,
               "a_read_only_method_folder_is_removed": OWNERS},
    "move": {"a_link_in_a_folder_is_refused": LINKS, "names_with_odd_bytes_are_moved": TEXT,
             "a_folder_that_cannot_be_listed_or_entered_for_now_holds_the_move": OWNERS},
    "copy_engine": {"odd_names_arrive_as_they_are": TEXT},
    "copy_faults": {"links_and_special_files_are_refused_by_name": LINKS,
                    "a_source_that_may_not_be_read_yet_holds_and_is_copied_after_it_is_released": OWNERS},
    "copy_supersede": {"a_folder_left_beside_its_name_is_put_back_first": LINKS},
    "original": {"a_file_more_or_of_another_size_or_kind_differs": LINKS, "what_cannot_be_read_now_is_no_difference": OWNERS},
}
# What a share has at one time and not at another.
HANDLES = "a killed process' handles may outlive it (EIO): then its copy begins again, which costs only the bytes"
TIMES = "times that this client sets itself it sees change once more"
SOMETIMES = {
    "copy_faults": {"a_source_of_which_only_the_times_move_is_read_again_and_copied": TIMES},
    "copy_resume": {name: HANDLES for name in (
        "a_killed_copy_of_a_file_resumes_under_the_next_fence", "a_damaged_chunk_of_a_part_is_found_and_written_again",
        "a_source_that_changed_since_is_copied_anew", "a_killed_copy_of_a_folder_resumes",
        "a_part_whose_writer_lives_is_left_alone")},
}
TESTS = ("fs", "original", "mount", "remove", "move", "move_meanwhile", "copy_engine", "copy_resume", "copy_faults", "copy_supersede", "copy_flush")


def results(out: str) -> tuple:
    """Names of the tests that passed, and of those that did not."""
    return tuple(set(re.findall(rf"^\[ +{word} +\] (\w+)$", out, re.M)) for word in ("OK", "FAILED"))


def blocks(out: str, names) -> str:
    """What these tests printed."""
    found = {name: text for name, text in re.findall(r"^\[ RUN +\] (\w+)\n(.*?)(?=^\[ RUN|^\[===)", out, re.M | re.S)}
    return "".join(found.get(name, name + "\n") for name in sorted(names))


def unit(name: str):
    def passes(w):
        w.fresh()
        w.one.do(f"mkdir {w.b.folder}/tmp")
        said = w.one.ask(f"TMPDIR={w.b.folder}/tmp {BIN}/tests/test_{name} 2>&1", 400)
        passed, failed = results(said.out)
        exempt = NOT_ON_A_SHARE.get(name, {})
        holds(said.code != 124, f"it hangs: {said}")
        equal(said.code, len(failed), f"tests that failed, by the exit code: {said}")
        holds(passed, f"{said}")
        wrong = failed - set(exempt) - set(SOMETIMES.get(name, {}))
        equal(wrong, set(), f"fail on a share: {blocks(said.out, wrong)}")
        equal(set(exempt) & passed, set(), "pass on a share, though named as impossible there")

    passes.__name__ = f"unit_test_{name}_passes_on_a_share"
    case("units")(passes)


for test in TESTS:
    unit(test)
