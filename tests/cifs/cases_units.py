"""The unit tests of all that touches a share, with their folders on one.

What a share cannot have by its nature is named here, with the reason; everything else must pass.
"""

import re

from world import *

LINKS = "a share of Windows' kind has no symbolic links, pipes or sockets"
OWNERS = "owners and modes are the mount's"
NAMES = "a backslash is no part of a name there"
NOT_ON_A_SHARE = {}
TESTS = ("fs", "smb_name", "mount", "copy_engine", "copy_resume", "copy_faults", "copy_supersede", "copy_flush", "move", "remove", "original")


@case("units")
def unit_tests_pass_on_a_share(w):
    w.fresh(options=f"vers=3.0,{BASE}")
    wrong = {}
    for name in TESTS:
        w.one.do(f"mkdir -p {w.b.folder}/tmp")
        said = w.one.ask(f"TMPDIR={w.b.folder}/tmp {BIN}/tests/test_{name} 2>&1", 400)
        failed = set(re.findall(r"\[  FAILED  \] (\w+)$", said.out, re.M))
        if said.code == 124:
            failed.add("(it hangs)")
        unexpected = failed - set(NOT_ON_A_SHARE.get(name, {}))
        if unexpected or (said.code != 0 and not failed):
            wrong[name] = sorted(unexpected) or repr(said)
        print(f"  {name}: {len(re.findall(r'^.       OK ', said.out, re.M))} passed, {len(failed)} not", flush=True)
    equal(wrong, {}, "tests that fail on a share")
