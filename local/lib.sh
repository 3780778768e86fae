# shellcheck shell=bash
#
# lib.sh - what every script of local/ shares: folders, ports, processes, messages.
#
# A world is one TRAWL_LOCAL_DIR with one TRAWL_PORT_BASE; several run side by side. Every daemon is started with
# TRAWL_LOCAL_OF=<dir>/<daemon> in its environment. That mark, not a name and not a bare process id, decides what is
# ours, so `down` also finds what a killed script left behind and never touches another world.
set -u
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
SELF=$ROOT/local/$(basename "$0")
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

DIR=${TRAWL_LOCAL_DIR:-$ROOT/build/local}
case $DIR in /*) ;; *) DIR=$PWD/$DIR ;; esac
DIR=$(realpath -ms "$DIR")
BASE=${TRAWL_PORT_BASE:-21000}
JAVA_DIR=${TRAWL_JAVA_DIR:-$ROOT/build/java}
LOG=$DIR/log
CLUSTER_USER=trawlcluster
# Who owns what people read: the caller, also behind sudo.
OWNER=${TRAWL_LOCAL_OWNER:-${SUDO_UID:-$(id -u)}:${SUDO_GID:-$(id -g)}}

# Offsets from TRAWL_PORT_BASE; README.md shows the same table.
declare -rA PORT_OFFSET=([kafka]=0 [kafka_controller]=1 [store]=2 [sshd]=3 [slurmctld]=4 [slurmd]=5 [slurmdbd]=6
    [mariadbd]=7 [smbd]=8 [service]=9)
port() { echo $((BASE + PORT_OFFSET[$1])); }

die() {
    echo "$(basename "$0"): $*" >&2
    exit 1
}

check_names() {
    [[ $DIR =~ ^[A-Za-z0-9/._-]+$ ]] || die "TRAWL_LOCAL_DIR=$DIR: only letters, digits and / . _ - are possible"
    [ ${#DIR} -le 70 ] || die "TRAWL_LOCAL_DIR=$DIR is longer than 70 characters: sockets below it would not fit"
    if ! [[ $BASE =~ ^[0-9]{4,5}$ ]] || [ "$BASE" -lt 1024 ] || [ "$BASE" -gt 65500 ]; then
        die "TRAWL_PORT_BASE=$BASE is not a number from 1024 to 65500"
    fi
}

# A plain folder of the caller's, made if it is missing.
own_dir() {
    local path
    for path in "$@"; do
        [ -d "$path" ] || mkdir -p "$path" 2>/dev/null || die "cannot make $path"
        if [ "$(id -u)" = 0 ]; then chown "$OWNER" "$path"; fi
    done
}

# Take the lock of one server for the whole run of this script, and make the world's folder.
world_open() {
    check_names
    own_dir "$DIR" "$LOG" "$DIR/pid"
    [ "$(id -u)" != 0 ] || chmod 755 "$DIR" "$LOG" "$DIR/pid"
    : >>"$DIR/.trawl-world" || die "cannot write below $DIR (owner: $(stat -c %U "$DIR"))"
    exec 9>>"$DIR/pid/$1.lock" || die "cannot lock $DIR/pid/$1.lock"
    flock -w 120 9 || die "another '$1 up' or '$1 down' of $DIR has been running for 120 s"
}

need_root() {
    [ "$(id -u)" = 0 ] && return 0
    command -v sudo >/dev/null || die "needs root: run it as root, or install sudo"
    exec sudo env TRAWL_LOCAL_DIR="$DIR" TRAWL_PORT_BASE="$BASE" TRAWL_JAVA_DIR="$JAVA_DIR" \
        TRAWL_LOCAL_OWNER="$OWNER" TRAWL_SLURM_EXTRA="${TRAWL_SLURM_EXTRA:-}" "$SELF" "$@"
}

need_tools() {
    local tool
    for tool in "$@"; do
        command -v "$tool" >/dev/null || die "the program '$tool' is missing: run local/deps"
    done
}

# The servers' own users (slurm, mysql, munge, trawlcluster) must be able to walk down to DIR.
need_open_path() {
    local path=$DIR
    while [ "$path" != / ]; do
        [[ $(stat -c %A "$path") =~ x$|t$ ]] ||
            die "$path is closed to other users, so the servers cannot reach $DIR: chmod o+x $path, or set TRAWL_LOCAL_DIR (e.g. /var/tmp/trawl)"
        path=$(dirname "$path")
    done
}

# ---- ports ----

listening() {
    grep -qsE "^ *[0-9]+: [0-9A-F]+:$(printf %04X "$1") [0-9A-F]+:0000 0A " /proc/net/tcp /proc/net/tcp6
}

port_user() {
    local inode
    inode=$(awk -v p="$(printf %04X "$1")" '$4 == "0A" && $2 ~ ":" p "$" { print $10; exit }' \
        /proc/net/tcp /proc/net/tcp6 2>/dev/null)
    local fd
    fd=$(find /proc/[0-9]*/fd -lname "socket:\\[$inode\\]" -print -quit 2>/dev/null)
    [ -n "$fd" ] || { echo "another user's process"; return; }
    fd=${fd#/proc/}
    echo "pid ${fd%%/*} $(cat "/proc/${fd%%/*}/comm" 2>/dev/null)"
}

# A server that was killed a moment ago may still be letting go of its port.
need_free_port() {
    local tries
    for tries in {1..40}; do
        listening "$1" || return 0
        [ "$tries" = 40 ] || sleep 0.05
    done
    die "port $1 is in use by $(port_user "$1"): stop it or set another TRAWL_PORT_BASE (now $BASE)"
}

# ---- processes ----

# The pids carrying the mark of one of the named daemons.
marked() {
    local name patterns=()
    for name in "$@"; do patterns+=(-e "TRAWL_LOCAL_OF=$DIR/$name"); done
    grep -lzxF "${patterns[@]}" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3
}

# Daemons that overwrite their environment with a process title are known by their name and a file they hold below DIR.
# Our own scripts have the same names, but are run by bash.
holding() {
    local proc
    grep -lxE "$1" /proc/[0-9]*/comm 2>/dev/null | while read -r proc; do
        proc=${proc%/comm}
        [[ $(readlink "$proc/exe") != */bash ]] || continue
        if find "$proc/cwd" "$proc/fd" -lname "$DIR/*" -print -quit 2>/dev/null | grep -q .; then
            echo "${proc#/proc/}"
        fi
    done
}

# Add all descendants of the pids on stdin.
with_children() {
    local found all='' pid
    found=$(cat)
    while [ -n "$found" ]; do
        all="$all $found"
        found=$(for pid in $found; do cat /proc/"$pid"/task/*/children 2>/dev/null; done | tr ' ' '\n' | grep . |
            grep -vxF "$(tr ' ' '\n' <<<"$all" | grep .)")
    done
    tr ' ' '\n' <<<"$all" | grep . | sort -nu
}

# Start a daemon with a clean environment, the mark, and its output in the log: spawn NAME COMMAND...
spawn() {
    local name=$1
    shift
    setsid env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 HOME=/ \
        ${JAVA_HOME:+JAVA_HOME="$JAVA_HOME"} TRAWL_LOCAL_OF="$DIR/$name" "$@" </dev/null >>"$LOG/$name.log" 2>&1 9>&- &
}

alive() {
    if [ "$1" = sshd ]; then sshd_pids; else marked "$1"; fi
}

# until_up SECONDS NAME COMMAND...: wait for COMMAND to succeed; fail at once when the daemon has ended.
until_up() {
    local end=$((${EPOCHREALTIME/[.,]/} + $1 * 1000000)) name=$2 gone=0
    shift 2
    until "$@" >/dev/null 2>&1 9>&-; do
        if [ -z "$(alive "$name")" ]; then gone=$((gone + 1)); else gone=0; fi
        [ $gone -lt 5 ] || die "$name ended right after its start, see $LOG/$name.log"
        [ "${EPOCHREALTIME/[.,]/}" -lt $end ] || die "$name does not answer, see $LOG/$name.log"
        sleep 0.03
    done
}

# end SECONDS COMMAND...: TERM to the pids that COMMAND prints, KILL to those left after SECONDS.
end() {
    local term_until=$((${EPOCHREALTIME/[.,]/} + $1 * 1000000)) pids sent=''
    shift
    while pids=$("$@") && [ -n "$pids" ]; do
        local pid
        for pid in $pids; do
            if [ "${EPOCHREALTIME/[.,]/}" -gt $term_until ]; then
                kill -KILL "$pid" 2>/dev/null
            elif [[ " $sent " != *" $pid "* ]]; then
                kill -TERM "$pid" 2>/dev/null
                sent="$sent $pid"
            fi
        done
        [ "${EPOCHREALTIME/[.,]/}" -lt $((term_until + 20000000)) ] || die "these do not end: ${pids//$'\n'/ }"
        sleep 0.03
    done
}

# ---- secrets and people ----

secret_file() {
    [ -s "$1" ] || (umask 077 && head -c 15 /dev/urandom | base64 | tr '+/' 'ab' >"$1") || die "cannot write $1"
    chmod 600 "$1"
    if [ "$(id -u)" = 0 ]; then chown "$OWNER" "$1"; fi
}

# The cluster's ordinary user is one for all worlds of this machine; its password is kept where only root reads it.
user_up() {
    local home=/var/lib/$CLUSTER_USER
    exec 8>>/run/lock/$CLUSTER_USER.lock
    flock 8
    if ! getent passwd $CLUSTER_USER >/dev/null; then
        useradd -M -U -d $home -s /bin/bash -c "Trawl's local cluster" $CLUSTER_USER 8>&- 9>&- ||
            die "cannot make the user $CLUSTER_USER"
    fi
    install -d -o $CLUSTER_USER -g $CLUSTER_USER -m 755 $home
    if [ ! -s $home/.password ] && [[ $(getent passwd $CLUSTER_USER) == *"Trawl's local cluster"* ]]; then
        (umask 077 && head -c 15 /dev/urandom | base64 | tr '+/' 'ab' >$home/.password)
        echo "$CLUSTER_USER:$(cat $home/.password)" | chpasswd || die "cannot set the password of $CLUSTER_USER"
    fi
    grep -qsxF "$DIR" $home/.worlds || echo "$DIR" >>$home/.worlds
    exec 8>&-
}

# Forget this world in the user's list, and print the others that still have a folder.
other_worlds() {
    local world
    grep -vxF "$DIR" "$1" 2>/dev/null | while read -r world; do
        [ ! -e "$world/.trawl-world" ] || echo "$world"
    done | tee "$1.new"
    mv "$1.new" "$1"
}

# The last world that is wiped takes the user along, if it was made by us and nothing of any world runs.
user_gone() {
    [ -d /var/lib/$CLUSTER_USER ] || return 0
    exec 8>>/run/lock/$CLUSTER_USER.lock
    flock 8
    if [ -z "$(other_worlds /var/lib/$CLUSTER_USER/.worlds)" ] &&
        [[ $(getent passwd $CLUSTER_USER) == *"Trawl's local cluster"* ]] &&
        ! grep -lzq "^TRAWL_LOCAL_OF=" /proc/[0-9]*/environ 2>/dev/null; then
        userdel -f $CLUSTER_USER 2>/dev/null
        rm -rf --one-file-system /var/lib/$CLUSTER_USER
    fi
    exec 8>&-
}

# The folders the instruments, workers and the cluster meet in.
folders_up() {
    local shared
    own_dir "$DIR/instruments" "$DIR/pool" "$DIR"/pool/{backup,settings,software}
    for shared in "$DIR/pool/output" "$DIR/slurm"; do
        own_dir "$shared"
        chgrp $CLUSTER_USER "$shared"
        chmod 2775 "$shared"
    done
}

# ---- the one shape of a server script ----

STARTED=${EPOCHREALTIME/[.,]/}
line() { # line NAME STATE DETAIL
    local ms=$(((${EPOCHREALTIME/[.,]/} - STARTED) / 1000))
    printf '%-8s %-5s %3d.%d s  %s\n' "$1" "$2" $((ms / 1000)) $((ms % 1000 / 100)) "$3"
}

# Calls <name>_up, <name>_down, <name>_status and <name>_pids of the script that sources this.
server_main() {
    local name=$1 verb=${2:-}
    case $verb in
        up) world_open "$name" && "${name}_up" ;;
        down)
            [ -e "$DIR/.trawl-world" ] || { line "$name" down "never started" && return 0; }
            world_open "$name" && "${name}_down" && line "$name" down "data kept below $DIR"
            ;;
        restart) "$SELF" down && "$SELF" up ;;
        status) check_names && "${name}_status" ;;
        *)
            echo "usage: local/$name up|down|restart|status   (TRAWL_LOCAL_DIR, TRAWL_PORT_BASE: see local/README.md)" >&2
            exit 2
            ;;
    esac
}

# Exit code 3 for "down", as init scripts have it.
status_line() { # status_line NAME PIDS DETAIL
    if [ -n "$2" ]; then
        line "$1" up "$3  pids ${2//$'\n'/ }"
    else
        line "$1" down "$3"
        return 3
    fi
}
