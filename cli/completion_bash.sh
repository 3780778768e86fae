# bash: the words as it cuts them, the candidates that fit.
# shellcheck shell=bash
_trawl() {
    local words=() word cur=${COMP_WORDS[COMP_CWORD]} line
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        [ "$word" = = ] || words+=("$word") # bash cuts --option=value at "="
    done
    [ "$cur" != = ] || cur=
    COMPREPLY=()
    while IFS= read -r line; do
        case ${line%%$'\t'*} in
            @folders) mapfile -t COMPREPLY < <(compgen -d -- "$cur") && compopt -o filenames 2>/dev/null ;;
            @files) mapfile -t COMPREPLY < <(compgen -f -- "$cur") && compopt -o filenames 2>/dev/null ;;
            "$cur"*) COMPREPLY+=("${line%%$'\t'*}") ;;
        esac
    done < <(_trawl_candidates "${words[@]}" "$cur")
}
complete -F _trawl trawl
