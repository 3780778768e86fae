"""What the login shell of the cluster's user does is none of Trawl's business: whatever its start files print, read, set or define.

The head node is this file's own, and so is the home in which a login there finds its start files. bash reads .bashrc for a
command that comes over SSH, zsh .zshenv, csh .cshrc, fish config.fish.
"""

from harness import *

SERVERS = Servers("sshd")
HOME = f"{SERVERS.dir}/home"
SERVERS.env.update(TRAWL_SSHD_HOME=HOME)
PROGRAM = 'echo x >>{slurm}/ran-${{1##*/}}\nexec "${{0%/*}}/real-msqc" "$@"'

# Each with the public report that it comes from, where there is one.
PRINTS = {
    # ansible/ansible#9022
    "a title without a line break": r"""printf '\033]0;%s on %s\007' "$USER" "$HOSTNAME" """,
    "lines, and one that is not whole": "echo Welcome; echo 'trawl|begin|1'; echo 'trawl|end|0'; printf 'quota: '",
    "line breaks as of Windows, and bytes that are no text": r"printf 'a\r\nb\r\n\0\0\377\376c'",
    "something at its end": "trap 'printf bye; echo bye' EXIT",
    "something all the time": "(for i in {1..150}; do printf 'noise '; sleep 0.02; done) &",
    "megabytes": "yes 'a line of text' | head -c 5000000",
    "and leaves something running": "sleep 25 &\necho started",
    "a trace of all it does": "exec 2>&1\nset -x -v",
}
READS = {
    # docker-archive-public/docker.machine#1774
    "lines, as long as some come": "while read -t 0.1 -r line; do :; done",
    "all there is": "cat >/dev/null",
    "one line": "read -r answer",
    "in the background": "exec 4<&0; (cat <&4 >/dev/null) &",
    "nothing, and puts an empty one in its place": "exec </dev/null",
    "nothing, and closes it": "exec <&- 2>&-",
}
SETS = {
    "functions in the place of tools": """
        for tool in squeue sacct scontrol sbatch scancel printf head env eval readlink; do
            eval "$tool() { command echo '7|bad|COMPLETED'; }; export -f $tool"
        done""",
    "aliases": "shopt -s expand_aliases; alias exec=false env=false squeue=false printf=false",
    "options of the shell": "set -e -u -f -C -o pipefail -o posix; shopt -s nocasematch extglob; export SHELLOPTS BASHOPTS",
    "a working folder that is gone": "mkdir /tmp/gone.$$ && cd /tmp/gone.$$ && rmdir /tmp/gone.$$",
    "a path without the system's folders": "export PATH=/opt/slurm/bin",
    # nextflow-io/nextflow#2130 and kin: formats and filters of squeue and sacct
    "formats and filters": """
        export SQUEUE_FORMAT=%A SQUEUE_FORMAT2=jobid SQUEUE_STATES=COMPLETED SQUEUE_USERS=root SQUEUE_NAMES=other SQUEUE_SORT=-i
        export SACCT_FORMAT=user SLURM_TIME_FORMAT=relative SCONTROL_ALL=1 SLURM_CLUSTERS=nowhere SCANCEL_INTERACTIVE=1""",
    "options of sbatch": """
        export SBATCH_ARRAY_INX=1-3 SBATCH_WAIT=1 SBATCH_TEST_ONLY=1 SBATCH_MEM_PER_CPU=1 SBATCH_JOB_NAME=mine SBATCH_OUTPUT=/nowhere/x
        export SBATCH_REQUEUE=1 SBATCH_EXPORT=ALL SBATCH_GET_USER_ENV=1 SLURM_HINT=nomultithread SLURM_EXIT_ERROR=0""",
    "the environment of the shell": """
        echo 'echo from BASH_ENV; exit 5' >~/env.sh; export BASH_ENV=~/env.sh ENV=~/env.sh CDPATH=/:/tmp GLOBIGNORE='*' IFS=a
        export TMOUT=1 POSIXLY_CORRECT=1 LC_ALL=tr_TR.UTF-8 LANG=de_DE.UTF-8 PROMPT_COMMAND='echo prompt' PS4='$(echo x >&2)'
        export EXECIGNORE='*' TIMEFORMAT=x GREP_OPTIONS=-v""",
}


def start_file(text, name=".bashrc"):
    path = f"{HOME}/{name}"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        file.write(text + "\n")
    os.rename(f"{path}.new", path)


def new_home():
    shutil.rmtree(HOME, ignore_errors=True)
    os.makedirs(HOME)
    os.chmod(HOME, 0o777)


def head_node(**env):
    SERVERS.down("sshd")
    SERVERS.env.update(env)
    new_home()
    SERVERS.up("sshd")


def own_site(name):
    site = Site(name, {"ssh.command_ms": 12000}, SERVERS.settings())
    os.rename(f"{site.software}/trawl-msqc", f"{site.software}/real-msqc")
    site.install_software(PROGRAM.format(slurm=site.slurm))
    site.instrument("gen1", "generic")
    return site


def runs_once(site, prefix, what):
    name = site.acquire("generic", "gen1", prefix=prefix)[0]["name"]
    task = f"{name}/quant/msqc-v1"
    try:
        site.wait_status(name, "done", 60)
    except Failed as failed:
        raise Failed(f"a start file with {what}: {failed}; {site.task(task).get('error')}") from failed
    with open(f"{site.slurm}/ran-{name}", encoding="utf-8") as file:
        equal(len(file.readlines()), 1, f"runs with {what}")
    done = site.task(task)
    equal((done["attempt"], done.get("setbacks", 0)), (1, 0), f"attempts and setbacks with {what}")


def run_all(name, cases):
    head_node()
    with own_site(name) as site:
        site.start()
        for number, (what, text) in enumerate(cases.items()):
            start_file(text)
            runs_once(site, f"f{number}", what)
        site.expect_nothing_left()


@test
def whatever_a_start_file_prints_jobs_run_once():
    run_all("prints", PRINTS)


@test
def whatever_a_start_file_sets_jobs_run_once():
    run_all("sets", SETS)


@test
def whatever_a_start_file_does_to_standard_input_jobs_run_once():
    for number, (what, text) in enumerate(READS.items()):
        run_all(f"reads{number}", {what: text})  # a session of its own each: that it was eaten is remembered


@test
def any_shell_may_be_the_login_shell():
    start_files = {"zsh": ".zshenv", "tcsh": ".cshrc", "csh": ".cshrc", "fish": ".config/fish/config.fish", "dash": ".profile"}
    login = f"{SERVERS.dir}/login"
    start_file("#!/bin/sh\nexec bash", "../login")
    os.chmod(login, 0o755)
    head_node(TRAWL_SSHD_LOGIN=login)
    with own_site("shells") as site:
        site.start()
        for number, (shell, name) in enumerate(start_files.items()):
            holds(shutil.which(shell), f"{shell} is there (local/deps)")
            start_file(f'#!/bin/sh\nexec {shell} -c "$SSH_ORIGINAL_COMMAND"', "../login")
            os.chmod(login, 0o755)
            start_file("echo Welcome to this shell", name)
            runs_once(site, f"s{number}", f"{shell} as the login shell")
        site.expect_nothing_left()
    SERVERS.env.pop("TRAWL_SSHD_LOGIN")


@test
def a_login_that_never_runs_the_command_holds_the_task_and_says_what_came():
    head_node()
    with own_site("broken") as site:
        site.start()
        for number, (text, seen) in enumerate((("echo This account is closed; exit 0", "This account is closed"),
                                               ("printf '\\033[1mbye'; exec /bin/cat", "\\x1b[1mbye"),
                                               ("echo 'no more processes' >&2; exit 1", "no more processes"))):
            start_file(text)
            name = site.acquire("generic", "gen1", prefix=f"b{number}")[0]["name"]
            task = f"{name}/quant/msqc-v1"
            held = wait_until(lambda: (site.task(task).get("error") or {}).get("kind") == "hold" and site.task(task)["error"], 60,
                              f"{name} is held")
            for part in (seen, "ssh trawlcluster@<head node> /bin/true", "start file"):
                holds(part in held["msg"], f"the reason holds '{part}': {held['msg']}")
            holds(site.task(task)["attempt"] <= 1, "no attempt is used up")
            start_file("")
            site.wait_status(name, "done", 60)
        site.expect_nothing_left()


if __name__ == "__main__":
    with SERVERS:
        run()
