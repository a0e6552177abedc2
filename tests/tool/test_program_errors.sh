#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# test_program_errors.sh BNN: every mistake gets exit status 2 and one sentence that names what is wrong and what there is; nothing is written, older files stay.
. "$(dirname "$0")/test_program_common.sh"

tables
works import csv r.csv -o whole.h5
works import csv r.csv --drop a,y --target none -o narrow.h5
works fit -d r.h5 --net "$net" --engine mc_dropout:epochs=2 --samples 5 -o run.h5
works fit -d c3.h5 --net "$net" --engine map:epochs=2 -o c3run.h5
works predict run.h5 --samples 5 -o pred.h5
works compare -d r.h5 --net "$net" --engine map:epochs=2 --splits 0 --samples 5 -o cmp.h5
works fit -d whole.h5 --net "$net" --engine map:epochs=2 -o untested.h5
printf '1,2\n,3\n' >gap.csv
printf 'a,y\n1,x\n2,\n' >hole.csv
: >empty.csv
head -c 600 run.h5 >cut.h5
mkdir closed folder.h5
echo old >old.h5

# ---------------------------------------------------------------- the command and its options

run
check 'without a command the help is printed' grep -q '^Usage: bnn' "$out"
check 'without a command the exit status is 2' [ $status = 2 ]
refuses "unknown command 'frobnicate': there are import, split, info," frobnicate
refuses "unknown command '--frobnicate'" --frobnicate
for command in import import-weights split info list show fit predict evaluate compare report diff check; do
    refuses "bnn $command: unrecognized option '--frobnicate'" $command --frobnicate
    refuses "bnn $command: invalid option -- 'Z'" $command -Z
done
for command in import import-weights split fit predict compare report; do refuses "option requires an argument -- 'o'" $command -o; done
refuses "option '--s' is ambiguous" fit --s 1
refuses 'which format: csv, libsvm, uci, idx or images?' import
refuses "--size: '64' is no size such as 64x48" import images . --size 64 -o new.h5
refuses '--size is for images, not for csv' import csv r.csv --size 4x4 -o new.h5
refuses '--void is for images, not for csv' import csv r.csv --void 4 -o new.h5
refuses 'which data file?' split
refuses 'which file?' info
refuses '`bnn list` prints' show
refuses '--data is missing' fit
refuses '-o is missing' fit -d r.h5
refuses 'which file of weights?' import-weights
refuses '--net is missing: the network that was trained' import-weights run.h5
refuses '-o is missing' import-weights run.h5 --net dense
refuses '--split: there are no data to split: name them with --data' import-weights run.h5 --net dense -o new.h5 --split 0
refuses "--scaling: 'both' is none of none, x, xy, file" import-weights run.h5 --net dense -o new.h5 --scaling both
refuses "'second.h5' is one argument too many" import-weights run.h5 second.h5 --net dense -o new.h5
refuses 'a run file is needed' predict
refuses 'a run file is needed' evaluate
refuses '--data is missing' compare
refuses '--net is missing' compare -d r.h5
refuses '--engine is missing' compare -d r.h5 --net dense
refuses 'a file is missing: `bnn compare' report
refuses 'which two files?' diff
refuses 'which two files?' diff r.h5
for command in split predict evaluate; do refuses "'second.h5' is one argument too many: see \`bnn $command --help\`" $command run.h5 second.h5; done
for command in fit compare; do refuses "'stray' is one argument too many" $command -d r.h5 --net dense --engine map stray; done
refuses "'c.h5' is one argument too many" diff r.h5 r.h5 c.h5
refuses "'priors' is one argument too many" list layers priors
refuses "'foo' is not one of layers, engines" list foo
refuses "'foo': \`bnn list\` prints those there are" show foo
if [ -w /dev/full ]; then
    "$bnn" list >/dev/full 2>"$err"
    check 'a full disk behind stdout' [ "$? $(cat "$err")" = '2 bnn: standard output cannot be written: No space left on device' ]
fi

# ---------------------------------------------------------------- files

for command in info split predict evaluate report; do
    refuses 'none.h5: No such file or directory' $command none.h5
    refuses 'r.csv: is not an HDF5 file' $command r.csv
    refuses 'empty.csv' $command empty.csv
    refuses 'cut.h5' $command cut.h5
    refuses 'folder.h5' $command folder.h5
done
weights() { refuses "$1" import-weights "$2" --net "$net" -o new.h5; }
weights 'none.h5: No such file or directory' none.h5
weights 'r.csv: is not an HDF5 file' r.csv
weights 'empty.csv' empty.csv
weights 'cut.h5' cut.h5
weights 'folder.h5' folder.h5
for file in r:data cmp:comparison pred:prediction; do weights "${file%:*}.h5: holds 'bnn-${file#*:}', expected weights" "${file%:*}.h5"; done
fits() { refuses "$1" fit -d "$2" --net "$net" --engine map:epochs=2 -o new.h5; }
compares() { refuses "$1" compare -d "$2" --net "$net" --engine map:epochs=2 -o new.h5; }
for does in fits compares; do
    $does 'none.h5: No such file or directory' none.h5
    $does 'empty.csv' empty.csv
    $does "run.h5: holds 'bnn-run', expected 'bnn-data'" run.h5
    $does "cmp.h5: holds 'bnn-comparison', expected 'bnn-data'" cmp.h5
    $does 'cut.h5' cut.h5
done
refuses "run.h5: holds 'bnn-run', expected 'bnn-data'" split run.h5
for command in predict evaluate; do
    for file in r pred cmp; do refuses "$file.h5: holds 'bnn-" $command $file.h5; done
    refuses 'none.h5: No such file' $command run.h5 --data none.h5
    refuses "run.h5: holds 'bnn-run', expected 'bnn-data'" $command run.h5 --data run.h5
    refuses 'narrow.h5: the table: has no column' $command run.h5 --data narrow.h5
done
refuses 't.h5: has no targets' evaluate run.h5 --data t.h5
refuses 'c3.h5: has no targets' evaluate run.h5 --data c3.h5
refuses 'r.h5: has no targets' evaluate c3run.h5 --data r.h5
refuses "r.h5: holds 'bnn-" report r.h5
refuses 'pred.h5: holds predictions, but no maps of classes' report pred.h5
refuses 'none.h5' diff r.h5 none.h5
refuses 'r.csv: is not an HDF5 file' diff r.csv r.h5
refuses 'none.csv: No such file' import csv none.csv -o new.h5
refuses 'empty.csv' import csv empty.csv -o new.h5
refuses "gap.csv: row 2, column" import csv gap.csv -o new.h5
refuses "hole.csv: row 2, column 'y'" import csv hole.csv -o new.h5
refuses "'nosuch'" import csv r.csv --target nosuch -o new.h5
refuses "r.csv: " import csv r.csv --target 9 -o new.h5
refuses "r.csv: " import csv r.csv --drop nosuch -o new.h5
refuses "r.csv: " import csv r.csv --target y --drop y -o new.h5
refuses "none of the formats csv, libsvm, uci, idx" import xml r.csv -o new.h5
refuses 'csv takes one file' import csv -o new.h5
refuses 'csv takes one file' import csv r.csv t.csv -o new.h5
refuses 'idx takes two files, or four' import idx r.csv -o new.h5
refuses 'uci takes one folder' import uci -o new.h5
refuses "decimal: 'x' is neither . nor ," import csv r.csv --decimal x -o new.h5
refuses "--delimiter: 'ab' is not one character" import csv r.csv --delimiter ab -o new.h5
refuses "thousands: '.' cannot stand between thousands" import csv r.csv --thousands . -o new.h5
refuses "--missing: 'x' is none of refuse, drop, mean" import csv r.csv --missing x -o new.h5
refuses 'is for csv, not for uci' import uci closed --classes -o new.h5
refuses "neither yes nor no" import csv r.csv --header maybe -o new.h5
refuses '--output: where' import csv r.csv
refuses 'closed/data.txt: No such file' import uci closed -o new.h5
refuses 'r.csv: is not an IDX file' import idx r.csv r.csv -o new.h5

# ---------------------------------------------------------------- weights

# weights SENTENCE OPTION...
weights() {
    text=$1
    shift
    refuses "$text" import-weights untested.h5 -o new.h5 "$@"
}
weights 'untested.h5: 2 layers hold weights (dense_1, dense_2), but 1 node of the network take' --net dense
weights "untested.h5: dataset /model_weights/dense_1/kernel has shape [2x6], but node 'dense_1' (dense) takes [2x5]" --net 'dense:5; relu; dense'
weights "engine 'grid_search' has to fit before it can predict" --net "$net" --engine grid_search
weights "no node of the network takes that; 'gaussian_dense_1'" --net "$net" --engine bayes_by_backprop
weights "likelihood 'categorical' does not go with a network that ends with 1 unit" --net "$net" --likelihood categorical
weights '--scaling xy: needs training rows with targets: name them with --data' --net "$net" --scaling xy
weights 't.h5: split 5 was asked for, but the data have 5' --net "$net" -d t.h5 --split 5 --scaling none
weights "untested.h5: /scaling is of 2 feature and 1 target columns, the data have 2 and 2" --net "$net" -d t.h5
weights "untested.h5: dataset /model_weights/dense_2/kernel has shape [6x1], but node 'dense_2' (dense) takes [6x2]" --net "$net" -d t.h5 --scaling xy
weights 'needs real targets, but the data have 3 classes' --net "$net" -d c3.h5 --scaling x
weights "r.csv: has no column 'nosuch'" --net "$net" -d r.csv --target nosuch
weights "the text says [3], but a row of the data has shape [2]" --net "input:3; $net" -d r.h5
weights 'untested.h5: /scaling is of 2 feature and 1 target columns, the data have 3 and 1' --net "input:3; $net"

# ---------------------------------------------------------------- rows without targets

works import csv r.csv --drop y --target none -o blind.h5
fits 'blind.h5: has no targets: its rows can be predicted with a fitted run, not fitted' blind.h5
compares 'blind.h5: has no targets: its rows can be predicted with a fitted run, not fitted' blind.h5
refuses 'blind.h5: has no targets: its rows can be predicted, not scored' evaluate run.h5 --data blind.h5
refuses 'blind.h5: the table has no targets: there is nothing to train on or to test' split blind.h5
refuses '--scaling x: needs training rows with targets' import-weights untested.h5 --net "$net" -d blind.h5 --scaling x -o new.h5
refuses 'narrow.h5: the data have 1 feature columns, those of the fit had 2' import-weights untested.h5 --net "$net" -d narrow.h5 -o new.h5
refuses 'with --target none there is no target' import csv r.csv --target none --classes -o new.h5

# ---------------------------------------------------------------- outputs

# writes SENTENCE FILE: what every command says that cannot write FILE
writes() {
    refuses "$2: $1" import csv r.csv -o "$2"
    refuses "$2: $1" split r.h5 -o "$2"
    refuses "$2: $1" import-weights run.h5 --net "$net" -o "$2"
    refuses "$2: $1" fit -d r.h5 --net "$net" --engine map:epochs=2 -o "$2"
    refuses "$2: $1" predict run.h5 -o "$2"
    refuses "${2%h5}csv: $1" predict run.h5 -o "${2%h5}csv"
    refuses "$2: $1" compare -d r.h5 --net "$net" --engine map:epochs=2 -o "$2"
    if command -v gnuplot >/dev/null; then refuses "$2: $1" report cmp.h5 -o "$2"; fi
}
writes 'cannot be written: No such file or directory' none/new.h5
writes 'cannot be written: Not a directory' old.h5/new.h5
if [ "$(id -u)" != 0 ]; then
    chmod a-w closed
    writes 'cannot be written: Permission denied' closed/new.h5
    chmod u+w closed
fi
refuses 'folder.h5: ' fit -d r.h5 --net "$net" --engine map:epochs=2 -o folder.h5
refuses 'folder.h5: ' predict run.h5 -o folder.h5
refuses 'folder.h5: ' compare -d r.h5 --net "$net" --engine map:epochs=2 -o folder.h5
refuses 'cannot be written' fit -d r.h5 --net "$net" --engine map:epochs=20 --log early.log -o none/new.h5 # before the work, which would begin with the log

# A failure on the way leaves the older file.
run fit -d r.h5 --net "$net" --engine map:epochs=50,lr=1e9,optimizer=sgd --force -o old.h5
check 'a fit that runs away ends with status 2' [ $status = 2 ]
check 'says why' grep -q 'a smaller lr may help' "$err"
check 'and leaves what was there' [ "$(cat old.h5)" = old ]
( # a limit on the size of files, in blocks of 512 bytes or of 1024
    ulimit -f 4 2>/dev/null || exit 3
    "$bnn" fit -d r.h5 --net "$net" --engine map:epochs=2 -o old.h5 >/dev/null 2>"$err"
    [ $? = 2 ] && [ "$(wc -l <"$err")" = 1 ] && grep -q '^bnn: old.h5: ' "$err"
)
case $? in 0) pass ;; 3) ;; *) fail 'a full disk is one sentence with the name of the file' ;; esac
check 'the older file is as it was' [ "$(cat old.h5)" = old ]
check 'no temporary file is left' [ -z "$(find . -name '*.tmp*')" ]

# ---------------------------------------------------------------- numbers and splits

for value in x '' -1 1.5 99999999999999999999; do refuses "--seed: '$value' is not a whole number from 0" fit -d r.h5 --net dense --engine map -o new.h5 --seed "$value"; done
for value in x 0 -1; do
    refuses "--samples: '$value' is not a whole number from 1" predict run.h5 --samples "$value"
    refuses "--threads: '$value' is not a whole number from 1" evaluate run.h5 --threads "$value"
    refuses "--count: '$value' is not a whole number from 1" split r.h5 --count "$value"
done
refuses "--kind: 'x' is none of holdout, kfold, pbp" split r.h5 --kind x
refuses 'splits of pbp are fixed' split r.h5 --kind pbp --seed 1
refuses 'r.h5: 61 folds: there can be 2 to 60' split r.h5 --kind kfold --count 61
refuses "--noise: 'both' is neither draw nor rows" predict run.h5 --noise both
for level in 0 1 -0.5 90 nan x ''; do refuses "--interval: '$level' is no number between 0 and 1" predict run.h5 --interval "$level"; done
refuses "--quantiles: '0.5;0.6' is no number between 0 and 1" predict run.h5 --quantiles '0.1,0.5;0.6'
refuses "--draws: '0' is not a whole number from 1" predict run.h5 --draws 0
refuses '--draws: an HDF5 file keeps draws with --keep predictive' predict run.h5 --draws 3 -o new.h5
refuses '--interval and --quantiles: classes have probabilities' predict c3run.h5 --interval 0.5
for output in answer.txt answer answer.h5.csv.gz; do refuses "$output: neither .csv nor .h5 (or .hdf5, .nc)" predict run.h5 -o "$output"; done
refuses "--split: 'x' is not a whole number" predict run.h5 --split x
refuses 'r.h5: split 5 was asked for, but the data have 5' evaluate run.h5 --split 5
refuses 'whole.h5: split 0 was asked for, but the data have 0' predict run.h5 --data whole.h5 --split 0
refuses 'r.h5: split 5 was asked for, but the data have 5: `bnn split` makes more' fit -d r.h5 --net dense --engine map -o new.h5 --split 5
refuses 'r.h5: --splits: 3-9 is not within 0-4' compare -d r.h5 --net dense --engine map --splits 3-9
refuses 'r.h5: --splits: 3-1 is not within 0-4' compare -d r.h5 --net dense --engine map --splits 3-1
for text in x 0,1 0-1x; do refuses "r.h5: --splits: '$text' is not all, K or A-B" compare -d r.h5 --net dense --engine map --splits $text; done
refuses 'whole.h5: the data have no splits, and a comparison needs test rows: `bnn split` makes them' compare -d whole.h5 --net dense --engine map

# ---------------------------------------------------------------- texts

# net SENTENCE TEXT; engine SENTENCE TEXT; likelihood SENTENCE TEXT DATA; prior SENTENCE TEXT
net() { refuses "$1" fit -d r.h5 --net "$2" --engine map:epochs=2 -o new.h5; }
engine() { refuses "$1" fit -d r.h5 --net dense --engine "$2" -o new.h5; }
likelihood() { refuses "$1" fit -d "$3" --net dense --engine map:epochs=2 --likelihood "$2" -o new.h5; }
prior() { refuses "$1" fit -d r.h5 --net dense --engine map:epochs=2 --prior "$2" -o new.h5; }
net 'the network text is empty' ''
net "node 'a' (dense): input 'b' is not the label of an earlier statement" 'a = dense:3(b); b = dense:3(a); dense'
net "input 'nosuch' is not the label" 'dense:3(nosuch); dense'
net "label 'a' is given twice" 'a = dense:3; a = dense:3; dense'
net "node 'y' leads nowhere" 'x = dense:3; y = dense:4(x); dense(x)'
net "ends with shape [7], but the likelihood needs [1]" 'dense:3; relu; dense:7'
net "unknown layer 'dens': there are input, dense," 'dens:3; dense'
net "option 'units'" 'dense:-3; dense'
net "option 'units': 'x' is not a whole number" 'dense:x; dense'
net "may be left out only at the end" 'dense; relu; dense'
net "unknown option 'bogus': there are units," 'dense:3,bogus=1; dense'
net "option 'p': '1.5' is not a number from 0 to" 'dense:3; dropout:p=1.5; dense'
net "one too many" 'dense:3; relu:5; dense'
net "lacks its closing parenthesis" 'x = dense:3; relu(x; dense'
net "is not a label" '3 = dense:3; dense'
net "takes from 2 to 16 inputs, not 1" 'dense:3; concat; dense'
net "a row of the data has shape [2]" 'input:5; dense'
net "'input' must be the first statement" 'dense:3; input:2; dense'
net "the text says [1x2], but a row of the data has shape [2]" 'input:1x2; dense:3; dense'
printf '\000\000\010\003\000\000\000\004\000\000\000\002\000\000\000\002\001\002\003\004\005\006\007\010\011\012\013\014\015\016\017\020' >images
printf '\000\000\010\001\000\000\000\004\000\001\000\001' >labels
works import idx images labels -o images.h5
refuses 'flatten' fit -d images.h5 --net 'dense:3; dense' --engine map:epochs=2 -o new.h5
works fit -d images.h5 --net 'flatten; dense:3; dense' --engine map:epochs=2 -o images_run.h5

engine "unknown engine 'foo': there are map, mc_dropout," foo
refuses "unknown engine 'foo': there are map, mc_dropout," compare -d r.h5 --net dense --engine foo --splits 0
engine "engine 'map': unknown option 'bogus': there are epochs," map:bogus=1
for value in x -1 1.5; do engine "option 'epochs': '$value' is not a whole number from 0" map:epochs=$value; done
engine "option 'lr': 'x' is not a number" map:lr=x
engine "option 'p': '2' is not a number from 0" mc_dropout:p=2
engine "option 'gates': 'x' is not one of bernoulli, concrete" mc_dropout:gates=x
engine "unknown optimizer 'foo': there are adam, sgd" map:optimizer=foo
engine "unknown engine 'foo': there are" 'grid_search:engine=foo,grid={p=0.1}'
engine "unknown engine 'foo': there are" early_stopping:engine=foo
engine "'' is not of the form key=value|value" 'grid_search:grid={}'
engine "'p' is not of the form key=value|value" 'grid_search:grid={p}'
engine "value '' of 'p' is not a number" 'grid_search:grid={p=}'
engine "value 'x' of 'p' is not a number" 'grid_search:grid={p=0.1|x}'
engine "unknown option 'bogus'" 'grid_search:grid={bogus=1|2}'
engine "option 'p': '7' is not a number from 0" 'grid_search:grid={p=0.1|7}'

likelihood "unknown likelihood 'foo': there are gaussian, heteroscedastic, categorical, bernoulli" foo r.h5
likelihood "'categorical': needs class indices as targets" categorical r.h5
likelihood "'bernoulli': needs class indices as targets" bernoulli r.h5
likelihood "'bernoulli': needs two classes, but the data have 3: use categorical" bernoulli c3.h5
likelihood "'gaussian': needs real targets, but the data have 3 classes: use categorical" gaussian c3.h5
likelihood "'heteroscedastic': needs real targets, but the data have 3 classes: use categorical" heteroscedastic c3.h5
likelihood "option 'tau': '-1' is not a number from 0" gaussian:tau=-1 r.h5
prior "unknown prior 'foo': there are gauss, hierarchical, scale_mixture" foo
prior "option 'sd': '0' is not a number from" gauss:sd=0
prior "unknown option 'bogus'" gauss:bogus=1

# ---------------------------------------------------------------- no room

net 'use a smaller network' 'dense:16777216; relu; dense:16777216; dense'
( # 2 GB of addresses: what is needed, what there is and the way out are told before anything is filled
    ulimit -v 2000000 2>/dev/null || exit 3
    "$bnn" fit -d r.h5 --net 'dense:15000000; relu; dense' --engine map:epochs=2 -o new.h5 >/dev/null 2>"$err"
    [ $? = 2 ] && [ "$(wc -l <"$err")" = 1 ] && grep -Eq '^bnn: .* needs [0-9.]+ GB, [0-9.]+ GB are free; use a smaller' "$err"
)
case $? in 0) pass ;; 3) ;; *) grep -q 'Sanitizer' "$err" || fail 'what does not fit is refused with need, room and way out' ;; esac

# ---------------------------------------------------------------- data that changed

works import csv r.csv -o moved.h5
works split moved.h5 --kind kfold --count 5
works fit -d moved.h5 --net "$net" --engine map:epochs=2 -o moved_run.h5
refuses "engine 'laplace' as it is set predicts without draws of parameters: there are none to keep" fit -d moved.h5 --net "$net" --engine laplace --keep posterior -o new.h5
refuses "moved_run.h5: engine 'map' cannot begin with the parameters of another run" fit -d moved.h5 --from moved_run.h5 --engine map -o new.h5
refuses "moved_run.h5: the network is 'input; dense:units=9," fit -d moved.h5 --from moved_run.h5 --net 'dense:9; dense' --engine laplace -o new.h5
works split moved.h5 --kind kfold --count 4 --force
for command in predict evaluate; do refuses 'moved.h5 has changed since moved_run.h5 was fitted to it: name the data with --data' $command moved_run.h5; done
works evaluate moved_run.h5 --data moved.h5 --split 0
rm moved.h5
for command in predict evaluate; do refuses 'moved.h5: No such file or directory' $command moved_run.h5; done

check 'nothing was written on the way' [ ! -e new.h5 ] && check 'nor left behind' [ -z "$(find . -name '*.tmp*')" ]
finish
