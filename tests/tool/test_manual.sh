#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# test_manual.sh PROGRAM: the page of the manual tells of every command, type and option; completion offers what there is, in bash too.
here=$(cd "$(dirname "$0")/../.." && pwd)
. "$here/tests/tool/test_program_common.sh"

# ---------------------------------------------------------------- the page

works man
cp "$out" bnn.1
commands=$("$bnn" --help | sed -n 's/^  \([a-z-]*\)  *[a-z].*/\1/p')
roff() { printf '%s' "$1" | sed 's/-/\\-/g'; }
# section TITLE: the lines of a part of the page.
section() { awk -v title=".SS $(roff "$1" | sed 's/\\/\\\\/g')" '/^\.S[SH]/ { on = $0 == title } on' bnn.1; }
for command in $commands; do
    section "bnn $command" >section
    check "the page has bnn $command" [ -s section ]
    for option in $("$bnn" $command --help | grep -o '^ \{2,6\}\(-.,\)\{0,1\} *--[a-z-]*' | grep -o -- '--[a-z-]*' | grep -v -x -e --help -e --usage -e --plugin); do
        check "the page tells of bnn $command $option" grep -qF "$(roff "$option")" section
    done
done
for name in $("$bnn" list | sed -n 's/^  \([a-z_]*\)  *.*/\1/p'); do
    section "$name" >section
    check "the page has $name" [ -s section ]
    "$bnn" show "$name" | sed -n 's/^    \([a-z_0-9]*\) *= \([^ ]*\).*/\1/p' >options
    while read -r option; do check "the page tells of $option of $name" grep -qF "\\fB$option\\fR=" section; done <options
done
check 'the page has presets and ranges' grep -qxF '\fBp\fR=\fI0.1\fR (0 to 0.999)' bnn.1
check 'the page is the same again' sh -c "'$bnn' man | cmp - bnn.1"
if command -v lexgrog >/dev/null; then check 'apropos finds it' lexgrog bnn.1; else echo 'skipped: lexgrog, for want of man-db'; fi
if command -v groff >/dev/null; then
    groff -man -ww -Tutf8 bnn.1 2>warnings >page
    check 'groff has no complaint' [ ! -s warnings ]
else
    echo 'skipped: the page in groff'
fi
if command -v mandoc >/dev/null; then
    mandoc -Tlint bnn.1 | grep -v -e 'longer than 80 bytes' -e 'missing date' >warnings
    check 'mandoc has no complaint' [ ! -s warnings ]
else
    echo 'skipped: the page in mandoc'
fi
"$bnn" man >/dev/full 2>"$err"
check 'a page that has not arrived is a failure' [ $? = 2 ]

# ---------------------------------------------------------------- what may stand there

# offers 'WORD WORD...' WORD...: the completion of the words, the last of which is being written.
offers() {
    wanted=$1
    shift
    works complete -- "$@"
    check "bnn $*: $wanted" [ "$(tr '\n' ' ' <"$out")" = "$wanted " ]
}

offers "words $(echo $commands)" ''
offers 'words import import-weights' imp
offers 'words --engine' fit --eng
offers 'words mc_dropout' fit --engine mc_d
offers 'words mc_dropout' fit -e mc_d
offers 'words mc_dropout:gates=' fit --engine mc_dropout:ga
offers 'words mc_dropout:p=0.1,gates=bernoulli mc_dropout:p=0.1,gates=concrete' fit --engine mc_dropout:p=0.1,gates=
offers 'words --engine=mc_dropout:gates=concrete' fit --engine=mc_dropout:gates=c
offers 'words ensemble:engine=swag{rank=' compare --engine 'ensemble:engine=swag{ra'
offers 'words ensemble:members=3,engine=swag{optimizer=adam' fit --engine 'ensemble:members=3,engine=swag{optimizer=ad'
offers 'words categorical' fit --likelihood cat
offers 'words gauss:sd=' fit --prior gauss:sd
offers 'words dense:50; relu' fit --net 'dense:50; rel'
offers 'words a = dense:50; b = dense:units=' fit --net 'a = dense:50; b = dense:un'
offers files fit -d ''
offers files fit --output=r
offers files predict ''
offers files import-weights net.k
offers 'words idx images' import i
offers files import csv --title x f
offers 'words mc_dropout' show mc_
offers 'words engines' list e
offers 'words xy' import-weights --scaling xy
offers words fit --seed 1
offers words new-layer mc_
offers words fit --engine 'nothing:x'
works complete -- nothing x
check 'an unknown command has no words' [ ! -s "$out" ]
refuses 'complete: which words?' complete
refuses 'complete: which words?' complete --

# ---------------------------------------------------------------- bash

if command -v bash >/dev/null; then
    cat >drive.bash <<'EOF'
source "$1"
PATH=${2%/*}:$PATH
# complete LINE: what bash would be told; the words are cut as readline does.
complete_line() {
    COMP_LINE=$1 COMP_POINT=${#1} COMPREPLY=()
    _bnn
    echo "${COMPREPLY[*]}"
}
complete -p bnn
complete_line 'bnn pred'
complete_line 'bnn fit --engine mc_d'
complete_line 'bnn fit --engine mc_dropout:ga'
complete_line 'bnn fit --engine=mc_dropout:gates=co'
complete_line "bnn fit -n 'dense:50; rel"
complete_line "bnn fit -n 'dense:50; relu; dense' -e swa"
complete_line 'bnn fit -d some.'
complete_line 'bnn nothing '
EOF
    : >some.h5
    bash drive.bash "$here/framework/tool/manual/bnn.bash" "$bnn" >"$out" 2>"$err"
    printf '%s\n' 'complete -F _bnn bnn' predict mc_dropout gates= concrete 'dense:50; relu' swag some.h5 '' >wanted
    check 'bash completes' diff wanted "$out"
    check 'bash is silent' [ ! -s "$err" ]
else
    echo 'skipped: bash'
fi

finish
