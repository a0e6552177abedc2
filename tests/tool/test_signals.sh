#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# test_signals.sh BNN: fits that are asked to end, read while they write, or written to by two: what stands at the output is whole at any time.
. "$(dirname "$0")/test_fits_common.sh"

# ---------------------------------------------------------------- asked to end

long='mc_dropout:epochs=1000000000,batch=16' # does not end by itself, however fast the machine is, and however long this test is kept from its processor
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
    check 'and what there is beside it says how long it takes' [ "$(grep -vc '^bnn: fit: about .* of one core, by the count of its operations$' "$err")" = 1 ]
    works info part.h5
    check 'the file says how far it is' grep -Eq '^part.h5: checkpoint after step [0-9]+ of about 1000000000 \([0-9]+ %\), 26 parameters$' "$out"
    check 'its log is whole' consecutive part.log
    check 'nothing is left beside it' no_leftovers
done

# A fit that is to end in time, again and again: a step is made each time.
brief='mc_dropout:epochs=20,batch=16'
whole "$brief"
rm -f part.h5
status=1 ends=0
while [ $status = 1 ] && [ $((ends += 1)) -le 21 ]; do fit run "$brief" --max-time 0.001s --resume -o part.h5; done
check 'time after time, it comes to its end' [ $status = 0 ]
check 'as if it had never stopped' equal whole.h5 part.h5
fit run "$long" --max-time 0.2s -o in_time.h5
check 'out of time: exit status 1' [ $status = 1 ]
check 'and a sentence on how to go on' grep -Eqx 'bnn: stopped after step [0-9]+; wrote in_time.h5 \(partial\): the same command with --resume goes on' "$err"
fit run map:epochs=1000000000,batch=1 --max-time 0.001s -o far.h5
check 'what takes days is announced' grep -Eqx 'bnn: fit: about [0-9.]+ (hours|days|years) of one core, by the count of its operations' "$err"
rm far.h5
refuses "--max-time: '0s' is no time" fit -d r.h5 --net "$net" --engine map --max-time 0s -o new.h5

# A prediction that is to end in time is made as ever, or not at all: the time that a program takes to begin is over before its first draw.
works predict whole.h5 -o calm.h5
works predict whole.h5 --max-time 10h -o soon.h5
check 'in time: the same prediction' equal calm.h5 soon.h5
cp calm.h5 older.h5
for keep in '' '--keep predictive'; do
    run predict whole.h5 --max-time 0.000001s $keep -f -o soon.h5
    check 'out of time: exit status 2' [ $status = 2 ]
    check 'and a sentence' grep -Eqx 'bnn: r.h5: the time of --max-time is over before the prediction is made, and nothing is written: .*' "$err"
    check 'what was there stays' equal older.h5 soon.h5
    check 'and nothing is left beside it' no_leftovers
done
rm calm.h5 soon.h5 older.h5

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

# A signal that schedulers send before they end a job asks for a checkpoint, and the fit goes on.
rm -f part.h5 part.log
fit start "$long" --checkpoint-every 0s --log part.log -o part.h5
until [ -s part.log ]; do sleep 0.01; done
check 'no checkpoint is written' [ ! -e part.h5 ]
after 0 USR1
until [ -e part.h5 ]; do sleep 0.01; done
check 'SIGUSR1: a checkpoint' readable part.h5
after 0 TERM
ended
check 'and the fit goes on' [ $status = 143 ]

# Before anything predicts, the file says how far it is, too.
fit start 'grid_search:engine=mc_dropout{epochs=1000000,batch=16},grid={p=0.1|0.2}' -o search.h5
until [ -e search.h5 ]; do sleep 0.01; done
after 0 TERM
ended
works info search.h5
check 'a search says how far it is' grep -Eq '^search.h5: checkpoint after step [0-9]+ of about [0-9]+ \([0-9]+ %\), before anything was fitted that predicts$' "$out"

# A step of minutes: the first signal waits for its end, a second one of either kind does not.
awk 'BEGIN { OFS = ","; print "a", "b", "y"; for (i = 0; i < 200000; i++) print i % 7, i % 11, i % 13 }' >many.csv
works import csv many.csv -o many.h5
for signals in 'INT INT' 'INT TERM' 'TERM INT'; do
    start fit -d many.h5 --net 'dense:1000; relu; dense:1000; relu; dense' --engine map:epochs=3,batch=1 --threads 1 -o slow.h5
    listens
    from=$(date +%s)
    after 0.2 ${signals% *}
    delivered
    after 0.2 ${signals#* }
    ended
    check "$signals: the second one ends it" [ $status = $([ "${signals#* }" = INT ] && echo 130 || echo 143) ]
    check "$signals: at once" [ $(($(date +%s) - from)) -lt 15 ]
    check "$signals: nothing is written" [ ! -e slow.h5 ]
    rm -f slow.h5.lock # which holds nobody up
done

# A step that does not end is not waited for: an alarm, here a signal, ends it.
# One that comes before the step has begun finds none to end: it is sent again.
tries=0
while [ $((tries += 1)) -le 10 ] && ! grep -q 'would not end' "$err"; do
    rm -f slow.h5
    start fit -d r.h5 --net "$net" --engine hmc:steps=1000000000 --threads 1 -o slow.h5
    listens
    after 0.1 TERM
    while grep -q '^SigCgt:.*[4567cdef]...$' /proc/$pid/status; do sleep 0.01; done
    after 0 ALRM
    ended
done
check 'the exit status is that of the first signal' [ $status = 143 ]
check 'and a sentence' grep -qx 'bnn: stopped within a step that would not end: what was written before it stays' "$err"
rm -f slow.h5.lock

# A signal that comes while the test rows are predicted waits for the file, and for what is printed. One that comes later still, since this test was kept from its processor, is sent again.
tries=0 status=0
while [ $status = 0 ] && [ $((tries += 1)) -le 10 ]; do
    rm -f late.h5 late.log
    fit start mc_dropout:epochs=3 --samples 300000 --log late.log -o late.h5
    until grep -q '"share":1.0' late.log 2>/dev/null; do sleep 0.01; done
    after 0 TERM
    ended
done
check 'a signal after the last step: the exit status is its' [ $status = 143 ]
says 'wrote late.h5'
works info late.h5
says 'late.h5: run, '
rm -f late.h5 late.log

# Commands whose work is written as a whole say how far it is.
fit works "$brief" -o brief.h5
start predict brief.h5 --samples 10000000 --threads 1 -o far.h5
answers
tries=0
until grep -q ' % done$' "$err" || [ $((tries += 1)) = 3000 ]; do after 0.02 USR1; done
check 'a prediction says how far it is' grep -Eqx 'bnn predict: goes on after [0-9]+ s, [0-9]+\.[0-9] % done' "$err"
after 0 TERM
ended
check 'and where it was ended' grep -Eqx 'bnn predict: stopped after [0-9]+ s, [0-9]+\.[0-9] % done; what was not written is lost' "$err"
check 'with the status of the signal' [ $status = 143 ]
check 'and no file' [ ! -e far.h5 ]
rm -f far.h5.lock
start sbc --net dense --engine hmc:steps=100000000 --likelihood gaussian:tau=4 --threads 1
answers
after 0 TERM
ended
check 'a test of an engine likewise' grep -Eq '^bnn sbc: stopped after [0-9]+ s.*; what was not written is lost$' "$err"

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
fit start "$long" -o part.h5
other=$pid
until [ -e part.h5 ]; do sleep 0.01; done
fit run "$long" --resume -o part.h5
check 'of two fits that write one file the second is refused' [ $status = 2 ]
check 'in one sentence' grep -qx 'bnn: part.h5: another process is writing it' "$err"
kill -9 $other
wait $other 2>/dev/null
check 'a lock that a kill left behind is none' [ -e part.h5.lock ]
rm part.h5
fit works "$short" -o part.h5
check 'the file is whole' equal whole.h5 part.h5
check 'nothing is left beside it' no_leftovers
finish
