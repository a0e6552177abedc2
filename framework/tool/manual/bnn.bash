# SPDX-License-Identifier: GPL-3.0-or-later
# Completion of bnn in bash. What may stand there `bnn complete` says.

_bnn() {
    local IFS=$' \t\n' line=${COMP_LINE:0:COMP_POINT} kept= word
    local -a words replies
    if [[ $line =~ ^([^\']*(\'[^\']*\'[^\']*)*)\'([^\']*)$ ]]; then # inside of quotes, where readline cuts nothing
        word=${BASH_REMATCH[3]}
        read -ra words <<<"${BASH_REMATCH[1]}"
        words+=("$word")
    else
        read -ra words <<<"$line"
        [[ $line == *[[:space:]] ]] && words+=('')
        word=${words[-1]}
        kept=${word%"${word##*[:=]}"} # readline completes what is behind ':' and '='
    fi
    mapfile -t replies < <("${words[0]}" complete -- "${words[@]:1}" 2>/dev/null)
    if [[ ${replies[0]} == files ]]; then
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "${word#"$kept"}")
        return
    fi
    COMPREPLY=("${replies[@]:1}")
    COMPREPLY=("${COMPREPLY[@]#"$kept"}")
    if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]]; then compopt -o nospace 2>/dev/null; fi
}

complete -F _bnn bnn
