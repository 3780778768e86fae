# shellcheck shell=bash
# The part of completion that bash and zsh share. _trawl_data, made from the table of commands, goes before it: it prints
# candidates, "word<tab>meaning" each, and fails for a key that there is not.

# _trawl_candidates WORD... CURRENT: what may stand in CURRENT's place after these words of the command line.
_trawl_candidates() {
    local command='' option='' word
    while [ $# -gt 1 ]; do
        word=$1
        shift
        if [ -n "$option" ]; then
            option=''
        elif [ "${word#--}" != "$word" ]; then
            if [ "${word#*=}" = "$word" ] && _trawl_data "value:$command:$word" >/dev/null; then option=$word; fi
        elif [ -z "$command" ]; then
            command=$word
        elif _trawl_data "options:$command $word" >/dev/null; then
            command="$command $word"
        fi
    done
    case $1 in
        --*=*) _trawl_data "value:$command:${1%%=*}" ;;
        *)
            if [ -n "$option" ]; then
                _trawl_data "value:$command:$option"
            elif [ "${1#-}" != "$1" ]; then
                _trawl_data "options:$command"
            elif _trawl_data "commands:$command" >/dev/null; then
                _trawl_data "commands:$command"
            else
                _trawl_data "words:$command"
            fi
            ;;
    esac | while IFS= read -r word; do
        case $word in
            '') ;;
            @instruments*) trawl completion instruments 2>/dev/null ;;
            *) printf '%s\n' "$word" ;;
        esac
    done
}
