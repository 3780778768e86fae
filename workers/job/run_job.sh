#!/bin/bash -p
# run_job.sh - one Trawl job on the node that runs it; started as: run_job.sh JOB_FOLDER
#
# JOB_FOLDER/job.env holds the job's environment as export lines, every value in single quotes; what
# begins with TRAWL_ is for this script. Trawl uploads this file under the hash of its content; a copy
# edited by hand is replaced.
#
# What it leaves: TRAWL_OUTPUT/log.txt (what the command said), JOB_FOLDER/status.json (how it went,
# always whole), JOB_FOLDER/claimed (the id of the job that really started under this name),
# JOB_FOLDER/beat (changes as long as this script lives: who wants to start another job in the place
# of this one waits until it stands still).
#
# Exit status: the command's own; 74 a folder cannot be used; 75 a newer attempt or a closed
# submission made this job superfluous, before it began or while it ran; 76 another job started under
# the same name.
#
# -p: neither BASH_ENV nor a function nor an option of the user's environment changes what is done
# here. The command itself has all of them.
set -u

folder=$1
# shellcheck source=/dev/null
. "$folder/job.env" || exit 74

job_id=${SLURM_JOB_ID:-0}
restart=${SLURM_RESTART_COUNT:-0}
token=$job_id.$restart.$$.${HOSTNAME:-unknown}
started_at=$(date -u +%FT%TZ)
ended_at=
child=
signal=0
overtime=
sampler=
watchdog=
copy=
heart=
superseded=
BEAT_S=10

# The most resident memory that the software and its children had together, KiB; 0: not known. The
# kernel forgets it with the process, so it is looked at while they run, more and more seldom.
sample_memory() { # PID
    local peak=0 sum pid word kib pause=0.02 all more
    while kill -0 "$1" 2>/dev/null; do
        sum=0
        all=("$1")
        for ((i = 0; i < ${#all[@]}; i++)); do
            pid=${all[i]}
            while read -r word kib _; do
                [ "$word" != VmRSS: ] || sum=$((sum + kib))
            done <"/proc/$pid/status"
            more=
            read -r more <"/proc/$pid/task/$pid/children"
            # shellcheck disable=SC2206 # numbers separated by spaces
            all+=($more)
        done
        if [ "$sum" -gt "$peak" ]; then
            peak=$sum
            printf '%s\n' "$peak" >"$folder/peak.new" && mv -f -- "$folder/peak.new" "$folder/peak"
        fi
        sleep "$pause"
        case $pause in 0.02) pause=0.1 ;; 0.1) pause=0.5 ;; *) pause=2 ;; esac
    done 2>/dev/null
}
peak_memory() {
    local kib=0
    read -r kib 2>/dev/null <"$folder/peak"
    printf '%s' "${kib:-0}"
}

# write_status STATE EXIT_CODE: unless a later start of the same job has taken over.
write_status() {
    local temporary=$folder/status.json.$job_id.$$
    [ "$(cat "$folder/run" 2>/dev/null)" = "$token" ] || return 0
    printf '{"v":1,"job_name":"%s","job_id":%s,"restart":%s,"state":"%s","exit_code":%s,"signal":%s,"started_at":"%s","ended_at":"%s","elapsed_s":%s,"peak_memory_kib":%s,"host":"%s"}\n' \
        "$TRAWL_JOB_NAME" "$job_id" "$restart" "$1" "$2" "$signal" "$started_at" "$ended_at" \
        "$SECONDS" "$(peak_memory)" "${HOSTNAME//[!A-Za-z0-9._-]/_}" >"$temporary" &&
        mv -f -- "$temporary" "$folder/status.json"
}

# finish EXIT_CODE [STATE]: the last words of the job.
finish() {
    local state=COMPLETED
    [ "$1" -eq 0 ] || state=FAILED
    [ "$signal" -eq 0 ] || state=KILLED
    [ -z "$overtime" ] || state=TIMEOUT
    [ -z "$superseded" ] || state=SUPERSEDED
    # shellcheck disable=SC2086 # none, or some numbers
    [ -z "$sampler$watchdog$heart" ] || kill $sampler $watchdog $heart 2>/dev/null
    [ -z "$copy" ] || rm -rf -- "$copy"
    ended_at=$(date -u +%FT%TZ)
    write_status "${2:-$state}" "$1" || echo "trawl: status.json could not be written" >&2
    echo "trawl: ended $ended_at, exit code $1"
    exit "$1"
}

first_line() { # PATH
    local line=
    [ ! -r "$1" ] || IFS= read -r line <"$1"
    printf '%s' "$line"
}

# As long as this script lives. Ends it when the name was closed, when a later start of the same job
# or a newer job has taken over, whatever the cluster has said of it.
beat() {
    local n=0 newest
    while kill -0 $$; do
        n=$((n + 1))
        [ "$(first_line "$folder/run")" = "$token" ] || kill -USR2 $$
        printf '%s\n' "$restart.$n" >"$folder/beat"
        newest=$(first_line "$TRAWL_OUTPUT/.trawl-job")
        if [ -e "$folder/closed" ] || { [ -n "$newest" ] && [ "$newest" != "$TRAWL_JOB_NAME" ]; }; then
            kill -USR2 $$
        fi
        sleep "$BEAT_S"
    done 2>/dev/null
}

# The same job once more, because its node was lost: the first run may go on there. It sees that
# it was overtaken; until it is seen to be gone nothing begins here.
wait_for_first_run() {
    local last now still=0
    [[ "$(first_line "$folder/status.json")" == *'"state":"RUNNING"'* ]] || return 0
    last=$(first_line "$folder/beat")
    while [ "$still" -lt 6 ]; do
        sleep "$BEAT_S"
        [[ "$(first_line "$folder/status.json")" == *'"state":"RUNNING"'* ]] || return 0
        now=$(first_line "$folder/beat")
        still=$((still + 1))
        [ "$now" = "$last" ] || still=0
        last=$now
    done
}

# One job a name: the first to make the link runs. Linked first, looked at "closed" afterwards;
# who closes a name looks at the link afterwards: one of the two always notices.
claim() {
    local again=
    ln -s "$job_id" "$folder/claimed" 2>/dev/null || again=yes
    [ "$(readlink "$folder/claimed")" = "$job_id" ] || {
        echo "trawl: job $(readlink "$folder/claimed") has started as $TRAWL_JOB_NAME already" >&2
        exit 76
    }
    printf '%s' "$token" >"$folder/run.$$" && mv -f -- "$folder/run.$$" "$folder/run" || exit 74
    [ -z "$again" ] || wait_for_first_run
    [ ! -e "$folder/closed" ] || finish 75 SUPERSEDED
}

# shellcheck disable=SC2317 # called by the traps
forward() { # NUMBER
    signal=$1
    [ -z "$child" ] || kill -"$1" "$child" 2>/dev/null
}

# shellcheck disable=SC2317 # called by the trap
too_long() {
    overtime=yes
    forward 15
}

# shellcheck disable=SC2317 # called by the trap
overtaken() {
    [ -z "$superseded" ] || return 0
    superseded=yes
    echo "trawl: closed, or overtaken by a newer attempt: it stops" >&2
    forward 15
    [ -z "$child" ] || { sleep 20; kill -0 $$ && kill -KILL "$child"; } >/dev/null 2>&1 9>&- &
}

# What came before there was a command to pass it on to.
heed() {
    [ -z "$superseded" ] || finish 75
    [ "$signal" -eq 0 ] || finish $((128 + signal))
}

# Some software writes beside its input: it gets a copy of the files of its raw file, and of no
# other, beside its output.
copy_input() {
    local input files=()
    [ -n "$TRAWL_COPY" ] || return 0
    copy=$TRAWL_OUTPUT/tmp_raw_data
    rm -rf -- "$copy"
    mkdir -- "$copy" || finish 74
    eval "files=($TRAWL_COPY)" # every path was quoted by Trawl
    cp -p -- "${files[@]}" "$copy/" || finish 74
    input=${!TRAWL_COPY_VARIABLE}
    export "$TRAWL_COPY_VARIABLE=$copy/${input##*/}"
}

# The command in a shell of its own, in which modules are functions as in the user's environment.
# shellcheck disable=SC2016 # expanded there
run_in_users_shell='
    set +eu # the module functions of many sites read variables that are not set
    if [ -n "$TRAWL_MODULES" ]; then
        {
            if ! type module >/dev/null 2>&1; then
                . /etc/profile
            fi
            module purge
            module load $TRAWL_MODULES || exit 74
        } >&3 2>&1
    fi
    exec 3>&-
    ! type -P -- "$1" >/dev/null || exec "$@"
    "$@"'

# Where nobody else ends a job that runs too long.
watch_time() {
    [ "${TRAWL_LIMIT_S:-0}" -gt 0 ] || return 0
    (
        sleep "$TRAWL_LIMIT_S"
        kill -USR1 $$
        sleep 20
        kill -KILL "$child"
    ) 2>/dev/null 9>&- &
    watchdog=$!
}

# What an earlier run left under the names of the results must not pass for ours.
set_old_results_aside() {
    local name
    while IFS= read -r name; do
        if [ -n "$name" ] && [ -e "$TRAWL_OUTPUT/$name" ]; then
            mv -f -- "$TRAWL_OUTPUT/$name" "$TRAWL_OUTPUT/$name.before-$job_id" || finish 74
        fi
    done <<<"$TRAWL_RESULTS"
}

trap 'forward 15' TERM
trap 'forward 2' INT
trap too_long USR1
trap overtaken USR2
claim
write_status RUNNING -1 || exit 74
beat </dev/null >/dev/null 9>&- &
heart=$!
echo "trawl: $TRAWL_JOB_NAME is job $job_id on ${HOSTNAME:-unknown}, started $started_at"

cd -- "$TRAWL_OUTPUT" || finish 74
if [ "$(cat .trawl-job 2>/dev/null)" != "$TRAWL_JOB_NAME" ]; then
    echo "trawl: $TRAWL_OUTPUT belongs to $(cat .trawl-job 2>/dev/null) now" >&2
    finish 75 SUPERSEDED
fi
printf 'slurm_job_id: %s\n' "$job_id" >log.txt || finish 74
[ -z "$TRAWL_INPUT" ] || ls -ld -- "$TRAWL_INPUT"
set_old_results_aside
copy_input
heed

echo "trawl: runs $TRAWL_COMMAND"
eval "set -- $TRAWL_COMMAND" # every word was quoted by Trawl: nothing is expanded here
/bin/bash -c "$run_in_users_shell" trawl "$@" 3>&1 >>log.txt 2>&1 </dev/null &
child=$!
[ "$signal$superseded" = 0 ] || kill -TERM "$child" 2>/dev/null
sample_memory "$child" 9>&- &
sampler=$!
watch_time
wait "$child"
code=$?
if [ "$signal" != 0 ]; then # a trapped signal ends wait early, with its own number
    while kill -0 "$child" 2>/dev/null; do
        wait "$child"
    done
    wait "$child"
    own=$?
    [ "$own" = 127 ] || code=$own
fi
finish "$code"
