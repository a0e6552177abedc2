#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# test_kills.sh BNN [KILLS]: fits that are killed, asked to end, read while they write, or written to by two: what stands at the output is
# whole at any time, and a fit that is resumed ends like one that never stopped. KILLS SIGKILLs in all (default: 20), at moments of a seeded
# generator.
. "$(dirname "$0")/test_program_common.sh"

kills=${2:-20}
seed=1
tables

# delay MOST: a time from 0 to MOST milliseconds, as seconds for sleep, in $delay.
delay() {
    seed=$(((seed * 1103515245 + 12345) % 2147483648))
    delay=$(($1 * (seed / 65536) / 32768))
    delay=$((delay / 1000)).$(printf %03d $((delay % 1000)))
}

# after MILLISECONDS SIGNAL...: sends each signal to $pid, and waits that long before each.
after() {
    pause=$1
    shift
    for one; do sleep "$pause" && kill -"$one" $pid; done 2>/dev/null
}

# start ARGUMENT...: the program in the background, as $pid.
start() {
    "$bnn" "$@" >"$out" 2>"$err" </dev/null &
    pid=$!
}

# ended: waits for $pid, and sets $status.
ended() {
    wait $pid 2>/dev/null
    status=$?
}

# readable FILE: whole for bnn, and for stock tools where they are.
readable() {
    "$bnn" info "$1" >"$out" 2>"$err" || return 1
    if command -v h5dump >/dev/null; then h5dump -H "$1" >"$out" 2>"$err" || return 1; fi
    if command -v ncdump >/dev/null; then ncdump -h "$1" >"$out" 2>"$err" || return 1; fi
}

absent_or_readable() { [ ! -e "$1" ] || readable "$1"; }

# consecutive LOG: JSON on each line, and steps from 1 on, without gap or repeat.
consecutive() {
    if command -v python3 >/dev/null; then
        python3 -c 'import json, sys
steps = [json.loads(line)["step"] for line in open(sys.argv[1])]
assert steps and steps == list(range(1, len(steps) + 1)), steps' "$1"
    else
        grep -o '^{"step":[0-9]*' "$1" | cut -d: -f2 | awk '$1 != NR { exit 1 }'
    fi
}

equal() { [ "$("$bnn" diff "$1" "$2" 2>"$err")" = "$1 and $2 are equal, provenance apart" ]; }
no_leftovers() { [ -z "$(find . -name '*.tmp*')" ]; }

# fit ENGINE ARGUMENT...: what `start` and `run` are given.
fit() {
    how=$1 engine=$2
    shift 2
    $how fit -d r.h5 --net "$net" --samples 5 --threads 1 --checkpoint-every 1epochs --engine "$engine" "$@"
}

# whole ENGINE: an uninterrupted fit to whole.h5; its milliseconds in $took.
whole() {
    from=$(date +%s%N)
    fit works "$1" --log whole.log -o whole.h5
    took=$((($(date +%s%N) - from) / 1000000))
}

# ---------------------------------------------------------------- kills

# until_complete ENGINE KILLS: a fit that is begun again until it is complete, killed at most so often; adds to $killed.
until_complete() {
    rm -f part.h5 part.log
    left=$2
    while :; do
        fit start "$1" --resume --log part.log -o part.h5
        if [ $left -gt 0 ]; then delay $took && after $delay KILL; fi
        ended
        [ $status = 137 ] || break
        killed=$((killed + 1)) left=$((left - 1))
        check "$1: killed, and what stands there can be read" absent_or_readable part.h5
    done
    check "$1: at last it is complete" [ $status = 0 ]
}

# survives ENGINE KILLS
survives() {
    whole "$1"
    killed=0
    while [ $killed -lt $2 ]; do
        until_complete "$1" $(($2 - killed))
        check "$1: as if it had never been killed" equal whole.h5 part.h5
        check "$1: its log is whole" consecutive part.log
        check "$1: the logs are equal" cmp -s whole.log part.log
        check "$1: nothing is left beside it" no_leftovers
    done
    all=$((all + killed))
}

# The first example of every engine, long enough; a search in a search is none of them.
all=0
engines=$("$bnn" list engines | awk '/^  / { print $1 }')
each=$((kills / ($(echo $engines | wc -w) + 1)))
for name in $engines; do
    example=$("$bnn" show $name | sed -n 's/^  examples: *//p' | sed 's/epochs=[0-9]*/epochs=40/g')
    survives "$example" $each
done
survives 'grid_search:engine=early_stopping{engine=mc_dropout{epochs=40,batch=16},every=4},grid={patience=3|9},samples=20' $((kills - all))
check "$all kills of $kills" [ $all = $kills ]
echo "$all of $kills kills"

# ---------------------------------------------------------------- asked to end

long='mc_dropout:epochs=100000,batch=16'
short='mc_dropout:epochs=300,batch=16'

# A fit that is asked to end writes its file, and ends as the signal would have ended it.
for signal in INT:130 TERM:143; do
    rm -f part.h5 part.log
    fit start "$long" --log part.log -o part.h5
    until [ -e part.h5 ]; do sleep 0.01; done
    after 0.05 ${signal%:*}
    ended
    check "SIG${signal%:*}: the exit status is that of the signal" [ $status = ${signal#*:} ]
    check 'one sentence says how to go on' grep -Eqx 'bnn: stopped after step [0-9]+; wrote part.h5 \(partial\): the same command with --resume goes on' "$err"
    check 'and only that' [ "$(wc -l <"$err")" = 1 ]
    works info part.h5
    check 'the file says how far it is' grep -Eq '^part.h5: checkpoint after step [0-9]+ of about 100000 \([0-9]+ %\), 26 parameters$' "$out"
    check 'its log is whole' consecutive part.log
    check 'nothing is left beside it' no_leftovers
done

whole "$short"
rm -f part.h5 part.log
fit start "$short" --log part.log -o part.h5
until [ -e part.h5 ]; do sleep 0.01; done
after 0 TERM
ended
fit works "$short" --resume --log part.log -o part.h5
check 'asked to end, and resumed: as if it had never stopped' equal whole.h5 part.h5
check 'with the same log' cmp -s whole.log part.log
fit works "$short" --resume --log part.log -o part.h5
says 'part.h5: is complete'

# Before anything predicts, the file says how far it is, too.
fit start 'grid_search:engine=mc_dropout{epochs=1000000,batch=16},grid={p=0.1|0.2}' -o search.h5
until [ -e search.h5 ]; do sleep 0.01; done
after 0 TERM
ended
works info search.h5
check 'a search says how far it is' grep -Eq '^search.h5: checkpoint after step [0-9]+ of about [0-9]+ \([0-9]+ %\), before anything was fitted that predicts$' "$out"

# A step of seconds: the first signal waits for its end, a second one of either kind does not.
awk 'BEGIN { OFS = ","; print "a", "b", "y"; for (i = 0; i < 200000; i++) print i % 7, i % 11, i % 13 }' >many.csv
works import csv many.csv -o many.h5
for signals in 'INT INT' 'INT TERM' 'TERM INT'; do
    start fit -d many.h5 --net 'dense:300; relu; dense:300; relu; dense' --engine map:epochs=3,batch=1 --threads 1 -o slow.h5
    sleep 0.5
    from=$(date +%s%N)
    after 0.2 $signals
    ended
    check "$signals: the second one ends it" [ $status = $([ "${signals#* }" = INT ] && echo 130 || echo 143) ]
    check "$signals: at once" [ $((($(date +%s%N) - from) / 1000000)) -lt 1500 ]
    check "$signals: nothing is written" [ ! -e slow.h5 ]
done

# A signal that comes while the test rows are predicted waits for the file, and for what is printed.
fit start mc_dropout:epochs=3 --samples 1000000 --log late.log -o late.h5
until grep -q '"share":1.0' late.log 2>/dev/null; do sleep 0.01; done
after 0 TERM
ended
check 'a signal after the last step: the exit status is its' [ $status = 143 ]
says 'wrote late.h5'
works info late.h5
says 'late.h5: run, '
rm -f late.h5 late.log

# ---------------------------------------------------------------- read while it is written

rm -f part.h5
fit start "$long" -o part.h5
until [ -e part.h5 ]; do sleep 0.01; done
opened=0 i=0
while [ $i -lt 200 ]; do
    i=$((i + 1))
    if "$bnn" info part.h5 >"$out" 2>"$err"; then opened=$((opened + 1)); fi
done
check "opened 200 times while it is written: $opened" [ $opened = 200 ]
check 'stock tools open it, too' readable part.h5
after 0 KILL
ended
check 'and the fit was still writing' [ $status = 137 ]

# ---------------------------------------------------------------- two fits write the same file

rm -f part.h5
whole "$short"
fit start "$short" -o part.h5
other=$pid
fit start "$short" -o part.h5
ended
check 'of two fits that write one file the one ends well' [ $status = 0 ]
wait $other
check 'and the other' [ $? = 0 ]
check 'the file is whole' equal whole.h5 part.h5
works fit -d r.h5 --net "$net" --engine map:epochs=1 -o part.h5
check 'nothing is left beside it' no_leftovers
finish
