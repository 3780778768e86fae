# shellcheck shell=bash
# remote.sh - what the head node does for Trawl, as functions. engine_slurm.c sends this text and a list of
# calls as one script; all calls of a cycle are one round trip. frame.h says how it gets here, and in
# which environment it runs: no start file, function or option of the login is known, standard input is
# empty, the locale is C.
#
# Every line for Trawl begins with "trawl|"; whatever else a tool of the site prints is dropped.
#
# A job has a folder <slurm>/jobs/<month>/<name>: lock, job.env, job_id (what sbatch answered),
# claimed (the job that started), closed (nobody may submit this name any more), status.json, beat,
# looked (which beat was seen first when).
shopt -s nullglob dotglob
T_QUIET=60 # a job whose beat stands still for so many seconds does not run any more

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
# Where a login without a terminal does not have the tools, /etc/profile may; only what it says of them is
# taken from there.
t_tools() {
    local found one
    type -P sbatch squeue >/dev/null && return
    # shellcheck disable=SC2016,SC1091 # expanded by the other shell
    mapfile -t found < <(/bin/bash --norc -p -c '. /etc/profile
        for one in PATH LD_LIBRARY_PATH SLURM_CONF; do
            [ -z "${!one+x}" ] || printf "%s=%s\n" "$one" "${!one}" >&3
        done' 3>&1 >/dev/null 2>&1)
    for one in "${found[@]}"; do
        export "${one?}"
    done
    hash -r
    type -P sbatch squeue >/dev/null || t_say error tools 127 "no sbatch and squeue in $PATH"
}
t_reply() { # NONCE: run t_main and frame what it says; every line goes out at once and in one piece
    local text line n=0 lines=()
    text=$(t_main)
    while IFS= read -r line; do
        [[ $line != 'trawl|'* ]] || lines[n++]=${line#trawl|}
    done <<<"$text"
    printf '\ntrawl|%s|begin|%d\n' "$1" "$n"
    for line in "${lines[@]}"; do
        printf '\ntrawl|%s|%s\n' "$1" "$line"
    done
    printf '\ntrawl|%s|end|%d\n' "$1" "$n"
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
# Whether a job still writes: it has begun, it has not said its end, and its beat has moved within
# T_QUIET. No two hosts' clocks are compared: when this beat was first seen here is noted.
t_beats() { # JOB_FOLDER
    local beat state since now
    [ -L "$1/claimed" ] || return 1
    t_line "$1/status.json"
    [ -z "$T_LINE" ] || [[ $T_LINE == *'"state":"RUNNING"'* ]] || return 1
    state=$T_LINE
    t_line "$1/beat"
    beat=${T_LINE:--}${state:+.}
    printf -v now '%(%s)T' -1
    t_line "$1/looked"
    read -r state since <<<"$T_LINE"
    if [ "$state" != "$beat" ]; then
        t_mark "$1/looked" "$beat $now"
        return 0
    fi
    [ $((now - since)) -lt $T_QUIET ]
}
# The job that used the output folder last may still write there. One of the same task is told to
# stop; another task's, whose folder is taken over, is waited for, or never begins.
t_written() { # OUTPUT TASK NAME FOLDER: whether it is; why in T_TEXT
    local last owner path id
    t_line "$1/.trawl-job"
    last=$T_LINE
    [[ $last =~ ^[a-z0-9][a-z0-9._-]*$ ]] && [ "$last" != "$3" ] || return 1
    t_line "$1/.trawl-task"
    owner=$T_LINE
    for path in "${4%/*/*}"/*/"$last"; do
        t_line "$path/job_id"
        id=$T_LINE
        if [ "$owner" = "$2" ]; then
            : >"$path/closed"
            [ -z "$id" ] || scancel --name="$last" "$id" >/dev/null 2>&1
        fi
        # Closed before the second look: what has not begun by then never will.
        if t_beats "$path" || { : >"$path/closed"; t_beats "$path"; }; then
            T_TEXT="job ${id:-?} ($last) still writes to $1"
            return 0
        fi
    done
    return 1
}
# The output folder is new, empty, ours, or to be taken over. Says why not in T_TEXT.
t_output() { # OUTPUT MODE TASK NAME FOLDER
    local owner
    t_line "$1/.trawl-task"
    owner=$T_LINE
    if [ "$owner" != "$3" ] && [ "$2" != overwrite ] && t_taken "$1"; then
        T_TEXT="$1 exists already and is not of this task"
        return 17
    fi
    ! t_written "$1" "$3" "$4" "$5" || return 16
    [ "$owner" = "$3" ] || t_mark "$1/.trawl-task" "$3" || return 1
    t_mark "$1/.trawl-job" "$4"
}

# The id among what sbatch and the plugins of its site print: a line of digits, with or without the
# cluster's name. Into T_LINE; fails when there is none, or more than one.
t_id_in() { # TEXT
    local line
    T_LINE=
    while IFS= read -r line; do
        [[ ${line%$'\r'} =~ ^([0-9]+)(\;.*)?$ ]] || continue
        [ -z "$T_LINE" ] || [ "$T_LINE" = "${BASH_REMATCH[1]}" ] || return 1
        T_LINE=${BASH_REMATCH[1]}
    done <<<"$1"
    [ -n "$T_LINE" ]
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
        t_output "$output" "$mode" "$task" "$name" "$folder"
        code=$?
        [ $code -ne 16 ] || { t_say submit "$name" busy 16 "$(t_flat "$T_TEXT")"; return; }
        [ $code -ne 17 ] || { t_say submit "$name" exists 17 "$(t_flat "$T_TEXT")"; return; }
        [ $code -eq 0 ] || { t_say submit "$name" folder $code "$(t_flat "$T_TEXT")"; return; }
        printf '%s' "$env" >"$folder/job.env" || { t_say submit "$name" folder 1 "$(t_flat "$T_TEXT")"; return; }
        T_TEXT=$(sbatch --parsable --job-name="$name" "$@" "$folder" 2>&1 9>&-)
        code=$?
        if [ $code -eq 0 ] && t_id_in "$T_TEXT"; then
            printf '%s\n' "$T_LINE" >"$folder/job_id"
            t_say submit "$name" ok "$T_LINE" new
        else
            t_say submit "$name" sbatch $code "$(t_flat "$T_TEXT")"
        fi
    } 9>"$folder/lock" || t_say submit "$name" folder 1 "$(t_flat "$T_TEXT")"
}

# Some submissions side by side: each waits for slurmctld most of its time.
t_side=0
t_group() { # as t_submit
    t_side=$((t_side + 1))
    t_submit "$@" &
    [ $((t_side % 8)) -ne 0 ] || wait
}

t_known() { # NAME FOLDER: prints the id of the job of exactly this name; fails when nobody can tell, and says why
    local lines id name
    ! t_line "$2/job_id" || { printf '%s' "$T_LINE"; return; }
    [ ! -L "$2/claimed" ] || { readlink -- "$2/claimed"; return; }
    lines=$(squeue -h -t all --name="$1" -o '%i|%j' 2>&1) || { printf '%s' "$lines"; return 1; }
    lines+=$'\n'$(timeout 20 sacct -X -n -P -S now-30days --name="$1" --format=JobIDRaw,JobName 2>/dev/null)
    while IFS='|' read -r id name; do
        [ "$name" != "$1" ] || { printf '%s' "$id"; return; }
    done <<<"$lines"
}

# Was this name submitted? When not, it is closed: a submission that is still on its way is refused,
# and a job that should turn up all the same ends at once.
t_find() { # NAME FOLDER
    local id
    mkdir -p -- "$2" || { t_say find "$1" unknown 1 "cannot make $(t_flat "$2")"; return; }
    {
        flock -w 20 9 || { t_say find "$1" unknown 1 "another call holds the lock"; return; }
        id=$(t_known "$1" "$2" 9>&-) || { t_say find "$1" unknown 1 "$(t_flat "$id")"; return; }
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
    text=$(scancel --name="$2" "$1" 2>&1) || t_say cancel "$1" "$(t_flat "$text")"
}

t_close() { # ID NAME FOLDER: it cannot begin any more, and is told to stop should it have begun
    local text
    text=$(scancel --name="$2" "$1" 2>&1)
    { mkdir -p -- "$3" && : >"$3/closed"; } 2>/dev/null && return
    t_say error close 1 "cannot close $(t_flat "$3") ${text:+($(t_flat "$text"))}"
}

# By name: ids come round again, and two jobs that are asked about may have the same.
t_watch() { # ID NAME FOLDER: one more job for t_poll
    t_id[$2]=$1
    t_folder[$2]=$3
    t_left[$2]=1
}
declare -A t_id t_folder t_left t_listed

t_ended() { # STATE, as any of the tools print it
    case $1 in
    COMPLETED | FAILED | TIMEOUT | CANCELLED* | OUT_OF_ME* | DEADLINE | NODE_FAIL | PREEMPTED | BOOT_FAIL | REVOKED) ;;
    LAUNCH_FAILED | RECONFIG_FAIL) ;;
    *) return 1 ;;
    esac
}
t_poll_squeue() { # PREFIX: of our names; jobs that nobody asked about are told, too
    local lines id name state known
    lines=$(squeue -h -t all -u "$EUID" -o '%i|%j|%T' 2>&1) || {
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
        [ $known != squeue ] || t_listed[$name]=1
        if t_ended "$state"; then
            [ $known = squeue ] || continue
        elif [ $known = squeue ]; then
            unset "t_left[$name]"
        fi
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
# The wrapper's marks of a job that the queue does not list, or lists as ended.
t_poll_marks() {
    local name folder closed claimed
    for name in "${!t_left[@]}"; do
        folder=${t_folder[$name]}
        closed=0 claimed=0
        [ ! -e "$folder/closed" ] || closed=1
        [ ! -L "$folder/claimed" ] || claimed=1
        t_beats "$folder" # from now on it is timed: who submits the next one need not wait again
        t_line "$folder/beat"
        t_say mark "${t_id[$name]}" "$name" $closed $claimed "$(t_flat "${T_LINE:--}")"
    done
}
# What the queue does not list without the wrapper's word that all went well: sacct knows how it
# ended. Of what neither lists, slurmctld itself is asked: their lists may be older than the job. A tool
# that hangs delays only these.
t_poll_ended() {
    local lines line id name state code=0
    local -A ids
    for name in "${!t_left[@]}"; do
        ids[${t_id[$name]}]=1
    done
    [ ${#ids[@]} -gt 0 ] || return
    t_poll_marks
    t_poll_memory
    local IFS=,
    lines=$(timeout 20 sacct -X -n -P -j "${!ids[*]}" --format=JobIDRaw,JobName,State,ExitCode,ElapsedRaw 2>&1) || code=$?
    if [ $code -eq 0 ]; then
        while IFS='|' read -r id name state line; do
            [ -n "$name" ] || continue
            printf 'trawl|sacct|%s|%s|%s|%s\n' "$id" "$name" "$state" "$line"
            ! t_ended "$state" || [ "${t_id[$name]-}" != "$id" ] || unset "t_left[$name]"
        done <<<"$lines"
        for name in "${!t_listed[@]}"; do
            unset "t_left[$name]"
        done
    elif [ $code -ne 127 ]; then # 127: a site that does not have it, and so no accounting
        t_say error sacct $code "$(t_flat "$lines")"
    fi
    [ ${#t_left[@]} -eq 0 ] || t_poll_scontrol
}
t_poll_scontrol() {
    local lines line id name
    lines=$(timeout 20 scontrol -o show job 2>&1) || {
        t_say error scontrol 1 "$(t_flat "$lines")"
        return
    }
    while IFS= read -r line; do
        [[ $line =~ ^JobId=([0-9]+)\ .*JobName=([^\ ]+)\  ]] || continue
        id=${BASH_REMATCH[1]} name=${BASH_REMATCH[2]}
        [ -z "${t_left[$name]-}" ] || [ "${t_id[$name]}" != "$id" ] || printf 'trawl|scontrol|%s\n' "$line"
    done <<<"$lines"
}
t_poll() { # PREFIX
    t_poll_squeue "$1"
    t_poll_status
    t_poll_ended
}
