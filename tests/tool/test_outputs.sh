#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# test_outputs.sh BNN: what the program writes and prints does no harm: names of data stay in their line.
. "$(dirname "$0")/test_fits_common.sh"

# ---------------------------------------------------------------- names that would do something where they are printed

# plain FILE: holds no control character but the ends of lines, and nothing that is not UTF-8.
plain() { ! LC_ALL=C tr -d '\n' <"$1" | LC_ALL=C grep -q '[[:cntrl:]]' && iconv -f UTF-8 -t UTF-8 "$1" >/dev/null; }
# lines N: the last stdout has so many.
lines() { [ "$(wc -l <"$out")" = "$1" ]; }

esc=$(printf '\033') newline='
'
awk -v esc="$esc" 'BEGIN {
    printf "\"<script>alert(1)</script>\",\"a\nforged line\",%s[31mred,\"t<b>\"\n", esc
    for (i = 0; i < 40; i++) printf "%d,%d,%d,%d\n", i % 7, i % 5, i * i % 11, i % 3
}' >evil.csv
works import csv evil.csv --target 't<b>' -o evil.h5
works split evil.h5 --kind kfold --count 4
works info evil.h5
check 'info prints the names in one line each' plain "$out"
says 'a\nforged line'
says '\x1b[31mred'
works fit -d evil.h5 --net "$net" --engine map:epochs=2 --samples 5 -o evilrun.h5
works info evilrun.h5
check 'the names of a run, too' plain "$out"
works evaluate evilrun.h5 --samples 5
check 'and scores' plain "$out"

awk -v esc="$esc" 'BEGIN { print "x,kind"; for (i = 0; i < 40; i++) printf "%d,\"%s\"\n", i % 9, i % 2 ? "one" : esc "[2Jtwo\ntwo" }' >evilc.csv
works import csv evilc.csv --target kind -o evilc.h5
works info evilc.h5
check 'info prints the classes in one line each' plain "$out"
says '\x1b[2Jtwo\ntwo'

# A sentence is one line, whatever it names.
title="$esc[1mtitle$newline<i>&"
refuses 'no\nsuch\x1b.h5: No such file' info "no${newline}such$esc.h5"
refuses "'a\\nb' is none of the formats" import "a${newline}b" evil.csv -o x.h5
works import csv r.csv --title "$title" -o titled.h5
works split titled.h5 --kind kfold --count 4
works compare -d titled.h5 --net "$net" --engine map:epochs=2 --samples 5 --splits 0 -o titledcmp.h5
check 'compare prints a title in one line' plain "$out"
works info titledcmp.h5
check 'and so does info' plain "$out"
if command -v gnuplot >/dev/null; then
    works report titledcmp.h5 -o page.html
    check 'a title is one line of text in a page' grep -qF '<h1>\x1b[1mtitle\n&lt;i&gt;&amp;' page.html
fi
finish
