# shellcheck shell=bash
# remote.sh - what the head node does for Trawl, as functions. slurm.c sends this text and a list of
# calls to one "bash -s"; all calls of a cycle are one round trip.
#
# Every line for Trawl begins with "trawl|" (whatever else a login prints is ignored) and the last
# one is "trawl|end|<calls>": a reply without it was cut.
#
# A job has a folder <slurm>/jobs/<month>/<name>: lock, job.env, job_id (what sbatch answered),
# claimed (the job that started), closed (nobody may submit this name any more), status.json.
LC_ALL=C
export LC_ALL
shopt -s nullglob dotglob
t_calls=0

t_flat() { # TEXT: one line without separators, bounded
    local text=${1//$'\n'/ }
    text=${text//|//}
    printf '%s' "${text:0:300}"
}
t_say() { # FIELDS...
    local IFS='|'
    printf 'trawl|%s\n' "$*"
}
t_put() { # PATH MODE CONTENT: whole or not at all
    printf '%s' "$3" >"$1.$$.tmp" && chmod "$2" -- "$1.$$.tmp" && mv -f -- "$1.$$.tmp" "$1"
}
t_begin() {
    type sbatch squeue >/dev/null 2>&1 && return
    # shellcheck source=/dev/null
    . /etc/profile
    type sbatch squeue >/dev/null 2>&1 || t_say error tools 127 "no sbatch and squeue in $PATH"
}
t_end() {
    wait
    t_say end "$t_calls"
}

t_script() { # PATH CONTENT: the wrapper, under the hash of its content
    printf '%s' "$2" | cmp -s - "$1" && return
    mkdir -p -- "${1%/*}" && t_put "$1" 755 "$2" && return
    t_say error script 1 "cannot write $(t_flat "$1")"
}

# A line that was written whole ends in a line break: without one it does not count.
t_line() { # PATH: into T_LINE
    T_LINE=
    [ -e "$1" ] && IFS= read -r T_LINE <"$1" && return
    T_LINE=
    return 1
}

# Whether the folder is somebody's. Nobody's is one that holds no more than marks of ours and no
# whole .trawl-task: whoever was about to claim it was killed. One that cannot be read is somebody's.
t_taken() { # OUTPUT
    local entry
    ! t_line "$1/.trawl-task" || return 0
    [ ! -e "$1/.trawl-task" ] || cat -- "$1/.trawl-task" >/dev/null 2>&1 || return 0
    for entry in "$1"/*; do
        [[ ${entry##*/} == .trawl-* ]] || return 0
    done
    return 1
}
t_mark() { # PATH LINE: whole or not at all; several may claim a folder side by side
    printf '%s\n' "$2" >"$1.$BASHPID.tmp" && mv -f -- "$1.$BASHPID.tmp" "$1"
}
# The output folder is new, empty, ours, or to be taken over. Says why not in T_TEXT.
t_output() { # OUTPUT MODE TASK NAME
    t_line "$1/.trawl-task"
    if [ "$T_LINE" != "$3" ]; then
        if [ "$2" != overwrite ] && t_taken "$1"; then
            T_TEXT="$1 exists already and is not of this task"
            return 17
        fi
        t_mark "$1/.trawl-task" "$3" || return 1
    fi
    t_mark "$1/.trawl-job" "$4"
}

# Few programs are started here, because hundreds of jobs go one after the other.
t_submit() { # NAME FOLDER TASK OUTPUT MODE ENV SBATCH_ARGUMENTS...
    local name=$1 folder=$2 task=$3 output=$4 mode=$5 env=$6 code
    shift 6
    T_TEXT="cannot write to $folder or $output"
    if [ ! -d "$folder" ] || [ ! -d "$output" ]; then
        T_TEXT="$T_TEXT: $(mkdir -p -- "$folder" "$output" 2>&1)"
    fi
    {
        flock -w 20 9 || { t_say submit "$name" busy 1 "another call holds the lock"; return; }
        [ ! -e "$folder/closed" ] || { t_say submit "$name" closed 1 "this name was given up"; return; }
        if t_line "$folder/job_id"; then
            t_say submit "$name" ok "$T_LINE" adopted
            return
        fi
        t_output "$output" "$mode" "$task" "$name"
        code=$?
        [ $code -ne 17 ] || { t_say submit "$name" exists 17 "$(t_flat "$T_TEXT")"; return; }
        [ $code -eq 0 ] || { t_say submit "$name" folder $code "$(t_flat "$T_TEXT")"; return; }
        printf '%s' "$env" >"$folder/job.env" || { t_say submit "$name" folder 1 "$(t_flat "$T_TEXT")"; return; }
        T_TEXT=$(sbatch --parsable --job-name="$name" "$@" "$folder" 2>&1 </dev/null 9>&-)
        code=$?
        if [ $code -eq 0 ] && [[ $T_TEXT =~ (^|$'\n')([0-9]+)(\;[^$'\n']*)?$ ]]; then
            printf '%s\n' "${BASH_REMATCH[2]}" >"$folder/job_id"
            t_say submit "$name" ok "${BASH_REMATCH[2]}" new
        else
            t_say submit "$name" sbatch $code "$(t_flat "$T_TEXT")"
        fi
    } 9>"$folder/lock" || t_say submit "$name" folder 1 "$(t_flat "$T_TEXT")"
}

# Some submissions side by side: each waits for slurmctld most of its time.
t_group() { # as t_submit
    t_calls=$((t_calls + 1))
    t_submit "$@" &
    [ $((t_calls % 8)) -ne 0 ] || wait
}

t_known() { # NAME FOLDER: prints the id of the job of exactly this name; fails when nobody can tell
    local lines id name
    ! t_line "$2/job_id" || { printf '%s' "$T_LINE"; return; }
    [ ! -L "$2/claimed" ] || { readlink -- "$2/claimed"; return; }
    lines=$(squeue -h -t all --name="$1" -o '%i|%j') || return
    lines+=$'\n'$(timeout 20 sacct -X -n -P -S now-30days --name="$1" --format=JobIDRaw,JobName 2>/dev/null)
    while IFS='|' read -r id name; do
        [ "$name" != "$1" ] || { printf '%s' "$id"; return; }
    done <<<"$lines"
}

# Was this name submitted? When not, it is closed: a submission that is still on its way is refused,
# and a job that should turn up all the same ends at once.
t_find() { # NAME FOLDER
    local id
    t_calls=$((t_calls + 1))
    mkdir -p -- "$2" || { t_say find "$1" unknown 1 "cannot make $(t_flat "$2")"; return; }
    {
        flock -w 20 9 || { t_say find "$1" unknown 1 "another call holds the lock"; return; }
        id=$(t_known "$1" "$2" 2>&1 9>&-) || { t_say find "$1" unknown 1 "$(t_flat "$id")"; return; }
        if [ -z "$id" ]; then
            : >"$2/closed"
            [ ! -L "$2/claimed" ] || id=$(readlink -- "$2/claimed")
        fi
        [ -z "$id" ] || printf '%s\n' "$id" >"$2/job_id"
        t_say find "$1" ok "${id:-0}" -
    } 9>"$2/lock"
}

t_cancel() { # ID NAME: both must fit, job ids come round again
    local text
    t_calls=$((t_calls + 1))
    text=$(scancel --name="$2" "$1" 2>&1) || t_say cancel "$1" "$(t_flat "$text")"
}

# By name: ids come round again, and two jobs that are asked about may have the same.
t_watch() { # ID NAME FOLDER: one more job for t_poll
    t_calls=$((t_calls + 1))
    t_id[$2]=$1
    t_folder[$2]=$3
    t_left[$2]=1
}
declare -A t_id t_folder t_left

t_poll_squeue() { # PREFIX: of our names; jobs that nobody asked about are told, too
    local lines id name state known
    lines=$(squeue -h -t all -u "$(id -un)" -o '%i|%j|%T' 2>&1) || {
        t_say error squeue 1 "$(t_flat "$lines")"
        return
    }
    while IFS='|' read -r id name state; do
        [ -n "$name" ] || continue
        known=squeue
        if [ "${t_id[$name]-}" != "$id" ]; then
            [[ $name == "$1"* ]] || continue
            known=stray
        fi
        case $state in
        COMPLETED | FAILED | TIMEOUT | CANCELLED | OUT_OF_MEMORY | DEADLINE | NODE_FAIL | PREEMPTED | BOOT_FAIL)
            [ $known = squeue ] || continue
            ;;
        *) [ $known != squeue ] || unset "t_left[$name]" ;;
        esac
        t_say $known "$id" "$name" "$state"
    done <<<"$lines"
}
t_poll_status() {
    local name line
    for name in "${!t_id[@]}"; do
        if [ -r "${t_folder[$name]}/status.json" ] && IFS= read -r line <"${t_folder[$name]}/status.json"; then
            printf 'trawl|status|%s|%s|%s\n' "${t_id[$name]}" "$name" "$line"
            [[ $line != *'"state":"COMPLETED"'* ]] || unset "t_left[$name]"
        fi
    done
}
# Where SLURM ends a job for its memory, its state does not always say so, but its log does.
t_poll_memory() {
    local name
    for name in "${!t_left[@]}"; do
        ! tail -c 4096 -- "${t_folder[$name]%/*}/slurm-${t_id[$name]}.out" 2>/dev/null |
            grep -qE 'oom[-_]kill|xceeded memory limit' || t_say memory "${t_id[$name]}" "$name"
    done
}
# What has left the queue without the wrapper's word that all went well: sacct knows why, or scontrol
# where there is no accounting. A sacct that hangs delays only these.
t_poll_ended() {
    local lines line id name
    local -A ids
    for name in "${!t_left[@]}"; do
        ids[${t_id[$name]}]=1
    done
    [ ${#ids[@]} -gt 0 ] || return
    t_poll_memory
    local IFS=,
    if lines=$(timeout 20 sacct -X -n -P -j "${!ids[*]}" --format=JobIDRaw,JobName,State,ExitCode,ElapsedRaw 2>&1); then
        while IFS= read -r line; do
            [ -z "$line" ] || printf 'trawl|sacct|%s\n' "$line"
        done <<<"$lines"
        return
    fi
    t_say error sacct 1 "$(t_flat "$lines")"
    while IFS= read -r line; do
        id=${line#JobId=}
        id=${id%% *}
        [ -z "$id" ] || [ -z "${ids[$id]-}" ] || printf 'trawl|scontrol|%s\n' "$line"
    done <<<"$(scontrol -o show job 2>/dev/null)"
}
t_poll() { # PREFIX
    t_poll_squeue "$1"
    t_poll_status
    t_poll_ended
}
