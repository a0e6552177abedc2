#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# test_outputs.sh BNN: what the program writes and prints does no harm: names of data stay in their line; what is there is replaced by
# the same settings alone, or with --force; of two writers of one file neither destroys what the other made.
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
    for (i = 0; i < 40; i++) printf "%d,%d,%d,%d.5\n", i % 7, i % 5, i * i % 11, i % 3
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

# ---------------------------------------------------------------- what is there already

fast='map:epochs=2'
# fit_refuses TEXT ENGINE ARGUMENT...
fit_refuses() {
    text=$1 engine=$2
    shift 2
    refuses "$text" fit -d r.h5 --net "$net" --samples 5 --threads 1 --engine "$engine" "$@"
}
echo precious >own.h5
echo precious >own.csv
fit works "$fast" -o run.h5
fit works "$fast" -o run.h5
fit works "$fast" --threads 2 -o run.h5
settings='is asked for: --force replaces it'
fit_refuses "$settings" map:epochs=3 -o run.h5
fit_refuses "$settings" "$fast" --seed 2 -o run.h5
fit_refuses "$settings" "$fast" --split 1 -o run.h5
fit_refuses "$settings" "$fast" --prior gauss:sd=2 -o run.h5
refuses "$settings" fit -d r.h5 --net 'dense:7; relu; dense' --samples 5 --engine "$fast" -o run.h5
refuses "$settings" fit -d t.h5 --net "$net" --samples 5 --engine "$fast" -o run.h5
fit_refuses "t.h5: holds 'bnn-data', where 'bnn-run' would be written: --force replaces it" "$fast" -o t.h5
fit_refuses 'own.h5: is not an HDF5 file: --force replaces it' "$fast" -o own.h5
check 'and stays' [ "$(cat own.h5)" = precious ]
works fit -d r.h5 --from run.h5 --engine laplace:structure=full -o from.h5
works fit -d r.h5 --from run.h5 --engine laplace:structure=full -o from.h5
cp run.h5 run2.h5
refuses 'from.h5: was written by another command: --force replaces it' fit -d r.h5 --from run2.h5 --engine laplace:structure=full -o from.h5
fit works map:epochs=3 --force -o run.h5
says 'wrote run.h5'
fit works "$fast" --force -o own.h5

# Data with splits are worth their splits; the same data again are no loss.
refuses 'r.h5: holds data with 5 splits (kfold: 5 folds, seed 0): --force replaces it' import csv r.csv --target y -o r.h5
refuses 'r.h5: holds data with 5 splits (kfold: 5 folds, seed 0): --force replaces it' split r.h5 --kind kfold --count 4
works split r.h5 --kind kfold --count 5
refuses 'holds data with 5 splits' import csv t.csv --target u,v -o r.h5
works import csv r.csv --target y -o plain.h5
works import csv r.csv --target y -o plain.h5
refuses 'plain.h5: holds other data: 60 rows: --force replaces it' import csv t.csv --target u,v -o plain.h5
works import csv t.csv --target u,v -o plain.h5 --force
works split t.h5 --kind kfold --count 4 --force

# Predictions and comparisons.
works predict run.h5 --samples 5 -o pred.h5
works predict run.h5 --samples 5 -o pred.h5
refuses 'pred.h5: was written by another command' predict run.h5 --samples 6 -o pred.h5
fit works map:epochs=4 --force -o run.h5
refuses 'pred.h5: was written by the same command, but of files that have changed since' predict run.h5 --samples 5 -o pred.h5
refuses 'own.csv: is there already: --force replaces it' predict run.h5 --samples 5 -o own.csv
works predict run.h5 --samples 5 -f -o own.csv
if command -v gnuplot >/dev/null; then
    works report run.h5 -o run.html
    works report run.h5 -o run.html
    works report run.h5 -o -
    check 'a page can go to standard output' cmp -s "$out" run.html
    echo precious >own.html
    refuses 'own.html: is there already, and is no page of bnn: --force replaces it' report run.h5 -o own.html
fi

# Names that say something else than what is written.
for name in run run.csv run.h5.gz .h5 run.H5; do
    fit_refuses "$name: is written as HDF5, and is to be named so" "$fast" -o $name
    refuses "$name: is written as HDF5, and is to be named so" import csv r.csv -o $name
    refuses "$name: is written as HDF5, and is to be named so" split r.h5 -o $name
    refuses "$name: is written as HDF5, and is to be named so" compare -d r.h5 --net "$net" --engine "$fast" -o $name
done
refuses 'page.h5: is written as HTML, and is to be named so' report run.h5 -o page.h5
for name in a.hdf5 a.nc; do fit works "$fast" -o $name; done
fit_refuses '-o -: an HDF5 file cannot go to standard output' "$fast" -o -
refuses '-o -: an HDF5 file cannot go to standard output' import csv r.csv -o -
refuses '-o -: an HDF5 file cannot go to standard output' split r.h5 -o -

# A run that was stopped is worth its steps.
long='mc_dropout:epochs=1000000000,batch=1'
fit start "$long" --log part.log -o part.h5
until [ -e part.h5 ]; do sleep 0.01; done
after 0 TERM
ended
fit_refuses ': --resume goes on with it: --force replaces it' "$long" -o part.h5

# ---------------------------------------------------------------- logs

printf 'precious' >own.log
fit_refuses 'own.log: is not a log of this run: --force begins it anew' "$fast" --log own.log -o new.h5
echo '{"step":1}' >own.log
fit_refuses 'own.log: is not a log of this run' "$fast" --log own.log -o new.h5
fit works "$fast" --log run.log -o new.h5
cp run.log first.log
fit works "$fast" --log run.log -o new.h5
check 'the same run begins its log anew' cmp -s run.log first.log
fit_refuses 'run.log: is not a log of this run' map:epochs=3 --log run.log -o other.h5
fit_refuses 'run.log: is not a log of this run' "$long" --resume --log run.log -o part.h5
fit works map:epochs=3 --force --log run.log -o other.h5
check 'with --force the log is the other run'"'"'s alone' [ "$(wc -l <run.log)" = 3 ]
printf '{"step":4,"sh' >>run.log
fit works map:epochs=3 --log run.log -o other.h5
check 'half a line, as a kill leaves it, is no hindrance' [ "$(wc -l <run.log)" = 3 ]

# ---------------------------------------------------------------- two writers

# A checkpoint is written where SIGUSR1 asks for one: what stands there is replaced between two of them, not within one.
rm part.h5 part.log
fit start "$long" --checkpoint-every 0s --log part.log -o part.h5
listens
after 0 USR1
until [ -e part.h5 ]; do sleep 0.01; done
fit run "$fast" --force -o part.h5
check 'the second writer of a file is refused' [ $status = 2 ]
check 'in one sentence' grep -qx 'bnn: part.h5: another process is writing it' "$err"
fit run "$long" --log part.log -o second.h5
check 'the second writer of a log, too' grep -qx 'bnn: part.log: another process is writing it' "$err"
rm -f second.h5
# As a process of another machine would, which no lock reaches.
fit works "$fast" --force -o theirs.h5
cp theirs.h5 came.h5
mv came.h5 part.h5
after 0 USR1
until grep -q 'another process has written it' "$err" || ! cmp -s theirs.h5 part.h5; do sleep 0.01; done
after 0 TERM
ended
check 'the log that two would have written is whole' consecutive part.log
check 'the loser ends with status 2' [ $status = 2 ]
check 'what the other wrote stays' cmp -s theirs.h5 part.h5
own=$(sed -n 's/^bnn: part.h5: another process has written it since this one began, and that stays: what this one made is \(part\.[0-9a-f]*\.h5\)$/\1/p' "$err" | tail -n 1)
check 'and the loser says where its own is' readable "${own:-none}"
fit start "$long" --resume -o "${own:-none}"
listens
after 0.1 TERM
ended
check 'which goes on' grep -q 'stopped after step' "$err"
if unshare --pid --fork true 2>/dev/null; then # containers have processes of the same number
    rm part.h5
    fit start "$long" -o part.h5
    until [ -e part.h5 ]; do sleep 0.01; done
    unshare --pid --fork "$bnn" fit -d r.h5 --net "$net" --engine "$fast" --force -o part.h5 >"$out" 2>"$err"
    check 'the second container is refused' [ $? = 2 ]
    check 'in the same sentence' grep -qx 'bnn: part.h5: another process is writing it' "$err"
    after 0 TERM
    ended
    check 'and the first one writes to its end' readable part.h5
fi
check 'nothing is left beside them' no_leftovers

# ---------------------------------------------------------------- a comparison that is stopped

# compared COMMAND ARGUMENT...: distances are from hmc, whose fit of a split is done before or after the other one.
compared() {
    what=$1
    shift
    $what compare -d r.h5 --net "$net" --engine mc_dropout:epochs=2000 --engine hmc:samples=100,warmup=50,steps=20 --samples 20 --threads 1 "$@"
}
compared_refuses() {
    text=$1
    shift
    refuses "$text" compare -d r.h5 --net "$net" --engine mc_dropout:epochs=2000 --engine hmc:samples=100,warmup=50,steps=20 --threads 1 "$@"
}
# untimed FILE: leaves out what differs between equal runs.
untimed() { grep -v '"seconds_\|"peak_bytes' "$1"; }
compared works -o whole.h5 --force --json
untimed "$out" >whole.json
# on_its_way SIGNAL: goes on with parts.h5 until it has written more of it, and is sent the signal then. It may be at its end before that.
on_its_way() {
    before=$(mark parts.h5)
    compared start --checkpoint-every 0.01s --resume -o parts.h5 --json
    grown parts.h5 "$before"
    after 0 $1
    ended
}
# first SIGNAL STATUS: the same from the beginning, until there is something to go on with: this test may be kept from its processor for as long as the whole takes.
first() {
    tries=0
    while rm -f parts.h5 parts.h5.fit.* && on_its_way $1 && [ $status != $2 ] && [ $((tries += 1)) -lt 10 ]; do :; done
}
compared start -o parts.h5 --json
listens
after 0 TERM
ended
check 'a comparison that is asked to end before its first fit is done says how far it is' grep -Eqx 'bnn: stopped after [0-9]+ of 10 fits; (wrote parts.h5 \(partial\): the same command with --resume goes on|of 1 the beginning is beside parts.h5: the same command with --resume goes on|there is nothing to write yet)' "$err"
first TERM 143
check 'one sentence says how far it is' grep -Eqx 'bnn: stopped after [0-9]+ of 10 fits; wrote parts.h5 \(partial\): the same command with --resume goes on' "$err"
check 'what is there can be read' readable parts.h5
works info --lint parts.h5
works info parts.h5
says ' of 10 fits'
refuses 'parts.h5: was stopped before all fits were done' report parts.h5 -o parts.html
compared_refuses 'parts.h5: holds this comparison, stopped: --resume goes on with it: --force replaces it' --samples 20 -o parts.h5
compared run --max-time 0.001s --resume -o parts.h5
check 'out of time: exit status 1' [ $status = 1 ]
check 'and what was done is kept' grep -Eqx 'bnn: stopped after [1-9] of 10 fits; wrote parts.h5 \(partial\): the same command with --resume goes on' "$err"
stopped=1
while on_its_way TERM && [ $status = 143 ] && [ $stopped -lt 20 ]; do stopped=$((stopped + 1)); done
check "stopped $stopped times, and complete at last" [ $status = 0 ]
untimed "$out" >parts.json
check 'as if it had never stopped' equal whole.h5 parts.h5
check 'with the same numbers' cmp -s whole.json parts.json
# Killed, the first time as soon as it has written something, it goes on from what it wrote last.
first KILL 137
killed=0
while [ $status = 137 ] && [ $((killed += 1)) -le 20 ]; do
    check 'killed, and what stands there can be read' absent_or_readable parts.h5
    on_its_way KILL
done
check "killed $killed times, and complete at last" [ $killed -gt 0 -a $status = 0 ]
untimed "$out" >parts.json
check 'as if it had never been killed' equal whole.h5 parts.h5
check 'with the same numbers' cmp -s whole.json parts.json
if python3 -c 'import h5py' 2>/dev/null; then # killed after the last fit is kept and before the whole is written
    rm -f parts.h5
    cp whole.h5 parts.h5
    python3 -c 'import h5py; h5py.File("parts.h5", "r+").attrs["status"] = "partial"'
    compared_refuses 'parts.h5: holds this comparison, stopped' --samples 20 -o parts.h5
    compared works --resume -o parts.h5
    check 'what lacks its end alone gets it' equal whole.h5 parts.h5
    works info --json parts.h5
    says '"status": "complete"'
fi
# A fit on its way goes on from its file, which is removed once the fit is kept: of three steps each process makes one, where time is over before it begins.
brief() {
    what=$1
    shift
    $what compare -d r.h5 --net "$net" --engine map:epochs=3 --samples 5 --splits 0 "$@"
}
brief works -o anew.h5
for step in 1 2; do
    brief run --max-time 0.000001s --resume -o on.h5
    check "step $step: exit status 1" [ $status = 1 ]
    check 'and a sentence' grep -qx 'bnn: stopped after 0 of 1 fits; of 1 the beginning is beside on.h5: the same command with --resume goes on' "$err"
    works info on.h5.fit.0.0
    says "on.h5.fit.0.0: checkpoint after step $step of about 3 "
done
brief works --max-time 0.000001s --resume -o on.h5
check 'as if it had never stopped' equal anew.h5 on.h5
works fit -d r.h5 --net "$net" --engine map:epochs=3 -o damaged.h5.fit.0.0.h5
for text in 'no run' ''; do
    if [ "$text" ]; then echo "$text" >damaged.h5.fit.0.0; else mv damaged.h5.fit.0.0.h5 damaged.h5.fit.0.0; fi
    brief run --resume -f -o damaged.h5
    check 'what is no fit on its way begins anew, and says so' grep -q '^bnn: a fit begins anew: damaged.h5.fit.0.0: ' "$err"
    check 'and is made' equal anew.h5 damaged.h5
    rm damaged.h5
done
check 'nothing is left of them' [ -z "$(ls ./*.fit.* 2>/dev/null)" ]
rm anew.h5 on.h5
# A fit is not waited for.
lengthy() {
    what=$1
    shift
    $what compare -d r.h5 --net "$net" --engine map:epochs=1 --engine map:epochs=1000000000,batch=1 --threads 1 --checkpoint-every 0s "$@"
}
lengthy run --max-time 0.2s -o long.h5
check 'out of time within a fit: exit status 1' [ $status = 1 ]
check 'and a sentence' grep -q '^bnn: stopped after [01] of 10 fits; ' "$err"
rm -f long.h5 long.h5.fit.*
compared_refuses "--max-time: '0s' is no time, such as 55min" --max-time 0s -o long.h5
lengthy start -o long.h5
until grep -q . "$err"; do sleep 0.01; done
check 'what takes days is announced' grep -Eqx 'bnn: compare: about [0-9.]+ (hours|days|years) are left at this pace' "$err"
after 0 USR1
until [ -e long.h5 ]; do sleep 0.01; done
check 'SIGUSR1 asks for what is done, and the comparison goes on' kill -0 $pid
after 0 TERM
ended
check 'until it is asked to end' [ $status = 143 ]
check 'and one sentence more' grep -qx 'bnn: stopped after 1 of 10 fits; wrote long.h5 (partial): the same command with --resume goes on' "$err"
check 'with the beginning of another beside it' readable long.h5.fit.1.0
rm long.h5 long.h5.fit.1.0
compared_refuses '--checkpoint-every: fits have no epochs in common' --checkpoint-every 3epochs -o parts.h5
compared_refuses "parts.h5: was begun with samples '20', now '21' is asked for" --samples 21 --resume -o parts.h5
compared_refuses "parts.h5: was begun with seed '1', now '2' is asked for: --force replaces it" --samples 20 --seed 2 -o parts.h5
compared_refuses '--resume: go on with which file' --resume
compared works -o parts.h5
check 'nothing is left beside it' no_leftovers

# ---------------------------------------------------------------- JSON

json() { ! command -v python3 >/dev/null || python3 -c "import json, sys; d = json.load(open(sys.argv[1])); assert $1, d" "$out"; }
works info --json evil.h5
check 'info of data is JSON with the names as they are' json 'd["schema"] == "bnn-data" and d["rows"] == 40 and [f["name"] for f in d["features"]][1] == "a\nforged line"'
works info --json run.h5
check 'of a run' json 'd["schema"] == "bnn-run" and d["status"] == "complete" and d["scores"]["rows"] == 12 and d["seed"] == 1 and d["split"] == 0'
works info --json pred.h5 parts.h5
check 'of predictions and a comparison' json '[f["schema"] for f in d] == ["bnn-prediction", "bnn-comparison"] and len(d[1]["engines"][0]["fits"]) == 5'
works list --json
check 'list is JSON' json 'set(d) == {"layers", "engines", "likelihoods", "priors", "optimizers", "plugins"} and "hmc" in [e["name"] for e in d["engines"]]'
works list engines --json
check 'of one kind, too' json 'list(d) == ["engines"]'
works show mc_dropout --json
check 'and so is show' json 'd[0]["kind"] == "engine" and "p" in [o["name"] for o in d[0]["options"]]'
latin=$(printf 'caf\351.h5')
cp run.h5 "$latin"
works info --json "$latin"
check 'a name that is not UTF-8 does not cost the document' json 'd["file"] == "caf\\xe9.h5"'

# ---------------------------------------------------------------- data that say more

# Ids, weights and names of classes are part of data: the same numbers without them, or with others, are other data.
printf 'code,a,w,k\nr1,1,2,up\nr2,3,1,down\nr3,2,1,up\n' >more.csv
works import csv more.csv --target k --id code --weight w -o more.h5
refuses 'more.h5: holds other data: 3 rows: --force replaces it' import csv more.csv --target k --id code --drop w -o more.h5
refuses 'more.h5: holds other data: 3 rows: --force replaces it' import csv more.csv --target k --drop code --weight w -o more.h5
sed 's/up/off/' more.csv >off.csv
refuses 'more.h5: holds other data: 3 rows: --force replaces it' import csv off.csv --target k --id code --weight w -o more.h5
sed 's/r3/r4/' more.csv >named.csv
refuses 'more.h5: holds other data: 3 rows: --force replaces it' import csv named.csv --target k --id code --weight w -o more.h5
works import csv more.csv --target k --id code --weight w -o more.h5
works import csv more.csv --target k --drop code,w -o less.h5
works import csv more.csv --target k --id code --weight w -o less.h5
finish
