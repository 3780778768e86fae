# zsh, which no linter reads: autoloaded from a file _trawl, or sourced.
_trawl() {
    local line
    local -a found plain
    while IFS= read -r line; do
        case ${line%%$'\t'*} in
            @folders) _files -/ && return ;;
            @files) _files && return ;;
            *) [[ -n ${line#*$'\t'} ]] || { plain+=("${line%%$'\t'*}"); continue; }
               found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}") ;;
        esac
    done < <(_trawl_candidates "${(@)words[2,CURRENT]}")
    if [[ ${words[CURRENT]} == --*=* ]]; then compset -P '*='; fi
    (( ! $#plain )) || compadd -a plain
    (( ! $#found )) || _describe trawl found
}
if [[ ${funcstack[1]-} == _trawl ]]; then _trawl "$@"; else compdef _trawl trawl; fi
