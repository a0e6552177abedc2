#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# test_new.sh BNN FOLDER: bnn new-layer and its like: what they write and what they refuse; FOLDER holds plugins of tests/plugins. That it builds and works: test_pages.py.
swish=$(cd "$2" && pwd)/swish.so templates=$(cd "$(dirname "$0")/../../framework/tool/templates" && pwd)
. "$(dirname "$0")/test_program_common.sh"

files='Makefile README.md meson.build model.net odd_1.c try.sh '
for kind in layer engine likelihood prior optimizer; do
    works new-$kind odd_1
    says "wrote odd_1: odd_1.c Makefile meson.build README.md model.net try.sh"
    check 'these files, and none for the time between' [ "$(ls odd_1 | tr '\n' ' ')$(ls)" = "${files}odd_1" ]
    check 'the name is put in everywhere' [ "$(grep -rc '@[a-z]*@\|name\.c' odd_1 | grep -c ':[1-9]')" = 0 ]
    check 'as the name of the type' grep -qF "$(printf 'const bnn_%s_type bnn_%s_odd_1 = {' $kind $kind)" odd_1/odd_1.c
    check 'what stands in strings comes through' grep -qF '.name = "odd_1"' odd_1/odd_1.c
    check 'lines as they are' [ "$(sed 's/odd_1/@name@/g' odd_1/odd_1.c | cksum)" = "$(cksum <"$templates/$kind/name.c")" ]
    check 'tabs too' [ "$(sed 's/odd_1/@name@/g' odd_1/Makefile | cksum)" = "$(cksum <"$templates/common/Makefile")" ]
    refuses "bnn: odd_1: exists already, and stays: name another folder with -o" new-$kind odd_1
    works new-$kind odd_1 -o elsewhere//
    check 'another folder' diff -r odd_1 elsewhere
    works new-$kind odd_1 -o 'two words'
    says "next: cd 'two words' && make check"
    rm -r odd_1 elsewhere 'two words'
done

mkdir there && : >file && ln -s nowhere link
refuses 'bnn: there: exists already' new-layer fine -o there
refuses 'bnn: there: exists already' new-layer fine -o there/
refuses 'bnn: file: exists already' new-layer fine -o file
refuses 'bnn: link: exists already' new-layer fine -o link
refuses 'bnn: none/fine: cannot be written: No such file or directory' new-layer fine -o none/fine
refuses 'bnn: file/fine: cannot be written: Not a directory' new-engine fine -o file/fine
refuses 'bnn: : cannot be written: No such file or directory' new-engine fine -o ''
for name in so-so 1st 'two words' a/b '' .; do refuses "bnn: '$name' cannot be the name of a type: it takes letters, digits and _" new-layer "$name"; done
refuses "bnn: layer 'dense' exists already" new-layer dense
refuses "bnn: engine 'hmc' exists already" new-engine hmc -o mine
refuses "bnn: prior 'gauss' exists already" new-prior gauss
works new-engine dense
refuses "bnn: layer 'swish' exists already, in $swish" new-layer swish --plugin "$swish"
works new-layer swish
refuses 'bnn new-layer: which name?' new-layer
refuses "'b' is one argument too many" new-engine a b
long=$(printf '%0300d' 0 | tr 0 a)
refuses 'File name too long' new-layer "$long"
run new-layer "$long" -o short
check 'a name too long for one of the files' [ "$status $(grep -c 'File name too long' "$err") $(ls -d short* 2>/dev/null | wc -l)" = '2 1 0' ]

# A file that cannot be written: none stays.
(ulimit -f 1 && "$bnn" new-layer whole) >"$out" 2>"$err"
check 'a disc that is full' grep -q 'cannot be written: File too large' "$err"
check 'and the folder is not there' [ "$(ls -d whole* 2>/dev/null | wc -l)" = 0 ]
works --help
says '  new-layer '
says '  new-engine '
finish
