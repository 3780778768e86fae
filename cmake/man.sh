#!/bin/bash
#
# man.sh PROGRAM SECTION BRIEF - the man page of a program, made from what it says with --help (and, of trawl, each
# command's). Its shape: "Usage: …", paragraphs, "heading:" lines, and indented entries "  name  meaning".
set -eu
set -o pipefail
program=$1 section=$2 brief=$3
name=$(basename "$program")
version=$("$program" --version | head -1)
day=$(date -u -d "@${SOURCE_DATE_EPOCH:-$EPOCHSECONDS}" +%F)

# One help text as roff. skip: headings that are left out (they stand once in the page); level: SH or SS.
roff() {
    awk -v skip="$1" -v level="$2" '
    function text(s) {
        gsub(/\\/, "\\e", s)
        gsub(/-/, "\\-", s)
        gsub(/"/, "\\(dq", s)
        gsub(/…/, "...", s)
        if (s ~ /^[.'"'"']/) s = "\\\\&" s
        return s
    }
    # A name whose meaning is on the next line, or an example, which has none.
    function close_entry() {
        if (pending != "") printf ".PP\n.RS 4\n.B \"%s\"\n.RE\n", pending
        pending = ""; entry = 0
    }
    function heading(s) {
        close_entry(); gap = 0; printf ".%s %s\n", level, level == "SH" ? toupper(text(s)) : text(s)
    }
    tolower($0) ~ /^usage: / {
        sub(/^[^:]*: */, ""); printf "%s", level == "SH" ? ".SH SYNOPSIS\n" : ""
        printf ".B \"%s\"\n", text($0); first = 1; gap = 1; next
    }
    /^[A-Za-z][A-Za-z ]*:$/ {
        sub(/:$/, ""); skipping = index("|" skip "|", "|" tolower($0) "|") > 0
        if (!skipping) heading($0)
        next
    }
    /^$/ { if (skipping) skipping = 0; gap = !fresh; close_entry(); next }
    skipping { next }
    /^  / {
        line = $0; match(line, /^ +/); indent = RLENGTH; line = substr(line, indent + 1)
        if (entry && indent > column) {
            if (pending != "") printf ".TP\n.B \"%s\"\n", pending
            pending = ""; print text(line); next
        }
        close_entry()
        at = match(line, /  +/)
        left = at ? substr(line, 1, at - 1) : line
        right = at ? substr(line, at + RLENGTH) : ""
        if (right != "") printf ".TP\n.B \"%s\"\n%s\n", text(left), text(right)
        else pending = text(left)
        entry = 1; column = indent; gap = 0; next
    }
    {
        if (first && level == "SH") { print ".SH DESCRIPTION"; gap = 0 }
        first = 0
        had = entry; close_entry()
        if (gap || had) print ".PP"
        gap = 0; print text($0)
    }
    END { close_entry() }'
}

printf '.\\" Made by cmake/man.sh from --help.\n.TH %s %s %s "%s" "Trawl"\n' "${name^^}" "$section" "$day" "$version"
printf '.SH NAME\n%s \\- %s\n' "${name//-/\\-}" "$brief"
"$program" --help | roff "commands" SH
if "$program" help >/dev/null 2>&1; then
    echo ".SH COMMANDS"
    while IFS= read -r command; do
        echo ".SS \"$command\""
        # shellcheck disable=SC2086 # a command is one word or two
        "$program" help $command | roff "options of every command|exit codes" SS | sed '/^\.SS Options$/d'
    done < <("$program" completion commands)
fi
cat <<'E'
.SH SEE ALSO
.BR trawl (1),
.BR trawl\-msqc (1),
.BR trawl\-scheduler (8),
.BR trawl\-worker (8)
E
