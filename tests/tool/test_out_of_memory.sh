#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# test_out_of_memory.sh PROGRAM FAILING: where memory runs out inside a library that bnn uses, a call ends with a sentence; failing.c says which calls of malloc fail.
program=$(cd "$(dirname "$1")" && pwd)/$(basename "$1") failing=$(cd "$(dirname "$2")" && pwd)/$(basename "$2") failed=0 passed=0
folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 2

# short LIBRARY FIRST LAST ARGUMENT...: runs the program where calls FIRST to LAST of malloc by LIBRARY fail; its exit status in $status.
short() {
    library=$1 first=$2 last=$3
    shift 3
    FAIL_IN=$library FAIL_AT=$first FAIL_TO=$last LD_PRELOAD=$failing "$program" "$@" >out 2>said
    status=$?
}

# hold WHAT CONDITION...: counts whether a condition holds.
hold() {
    what=$1
    shift
    if "$@"; then passed=$((passed + 1)); else
        failed=$((failed + 1))
        echo "$what: exit status $status: $(head -c 300 said)"
    fi
}

status_is_told() { [ "$status" = 0 ] || one_sentence; }
one_sentence() { [ "$status" = 2 ] && grep -q '^bnn: ' said; }
awk 'BEGIN { print "a,b,y"; for (i = 0; i < 40; i++) print i % 7 "," i % 5 "," (i * 13) % 11 / 2 }' >t.csv
"$program" import csv t.csv -o t.h5 >said 2>&1 || { cat said; exit 2; }
"$program" fit -d t.h5 -n 'dense:3; tanh; dense' -e map:epochs=2 -o r.h5 >said 2>&1 || { cat said; exit 2; }

# GSL, whose own handler would abort.
for engine in 'laplace:engine=map{epochs=2},structure=kron' 'grid_search:engine=map{epochs=1},grid={lr=0.01|0.02}'; do
    short libgsl.so 1 999999999 fit -d t.h5 -n 'dense:3; tanh; dense' -e "$engine" -o x.h5
    case $engine in
    laplace*) hold "fit $engine without memory for GSL" one_sentence ;;
    *) hold "fit $engine without memory for GSL" [ "$status" = 0 ] ;;
    esac
done

# HDF5, once it has started: version 1.10 crashes within a start that lacks memory.
for first in 120 200 400 800; do
    short libhdf5 $first $first info r.h5
    hold "info where call $first of malloc by HDF5 fails" status_is_told
done

# JSON, which loses its parts one by one: an object is whole, or there is none.
"$program" evaluate --json --data t.h5 r.h5 >whole 2>said || cat said
nothing_lost() { { [ "$status" = 0 ] && diff -q whole.plain out.plain; } || { one_sentence && [ ! -s out ]; }; }
plain() { grep -v '"\(seconds\|peak\)' "$1" >"$1.plain"; }
plain whole
n=1
while [ $n -lt 150 ]; do
    n=$((n + 4))
    short libjansson $n $n evaluate --json --data t.h5 r.h5
    plain out
    hold "evaluate --json where call $n of malloc by jansson fails" nothing_lost
done
same_or_none() { one_sentence || { [ "$status" = 0 ] && "$program" diff r.h5 x.h5 >said; }; }
for n in 1 5 20 60 140; do
    rm -f x.h5
    short libjansson $n $n fit -d t.h5 -n 'dense:3; tanh; dense' -e map:epochs=2 -o x.h5
    hold "fit where call $n of malloc by jansson fails" same_or_none
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
