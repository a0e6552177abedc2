#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# test_faults.sh BNN: what cannot be written, read or used: exit status 2, one sentence, and every older file as it was.
. "$(dirname "$0")/test_program_common.sh"

tables
engine=mc_dropout:epochs=3
works fit -d r.h5 --net "$net" --engine $engine --samples 5 -o run.h5
works fit -d c3.h5 --net "$net" --engine map:epochs=2 -o c3run.h5
works compare -d r.h5 --net "$net" --engine map:epochs=2 --splits 0 --samples 5 -o cmp.h5
fit() { run fit -d r.h5 --net "$net" --engine $engine --samples 5 "$@"; }

# ---------------------------------------------------------------- the disk is full

# full FILE ARGUMENT...: the program may write files of $blocks blocks at most; FILE, which it is to replace, stays.
full() {
    file=$1
    shift
    cp "$file" before
    (
        ulimit -f "$blocks" || exit 3
        "$bnn" "$@" --force >"$out" 2>"$err" </dev/null
    )
    status=$?
    check "bnn $*, on a full disk: exit status $status, expected 2" [ $status = 2 ]
    check "bnn $*, on a full disk: one sentence" [ "$(wc -l <"$err")" = 1 ]
    check "bnn $*, on a full disk: the sentence names the file and the cause" grep -Eq "^bnn: $file: .*(File too large|cannot write)" "$err"
    check "bnn $*, on a full disk: the older file stays" cmp -s before "$file"
    check "bnn $*, on a full disk: nothing is left" [ -z "$(find . -name '*.tmp.*')" ]
}

blocks=$( (ulimit -f 4; head -c 65536 /dev/zero >size 2>/dev/null; wc -c <size) 2>/dev/null) # blocks of 512 bytes or of 1024
case $blocks in 2048) blocks=8 ;; *) blocks=4 ;; esac
echo old >old.h5
echo old >old.csv
echo old >old.html
full old.h5 import csv r.csv -o old.h5
full r.h5 split r.h5 --kind kfold --count 4
full old.h5 fit -d r.h5 --net "$net" --engine $engine -o old.h5
for keep in posterior predictive posterior,predictive; do full old.h5 fit -d r.h5 --net "$net" --engine $engine --samples 20000 --keep $keep -o old.h5; done
full run.h5 fit -d r.h5 --net 'dense:7; relu; dense' --engine $engine -o run.h5
full old.h5 predict run.h5 -o old.h5
full old.h5 predict run.h5 --samples 20000 --keep posterior,predictive -o old.h5
full old.h5 compare -d r.h5 --net "$net" --engine map:epochs=2 --splits 0 -o old.h5
if command -v gnuplot >/dev/null; then full old.html report cmp.h5 -o old.html; fi

blocks=2 # no less: LLVM's OpenMP begins with 1024 bytes of shared memory, and the limit holds for those, too
full old.csv predict run.h5 --data r.h5 --split all --samples 5 -o old.csv

# A checkpoint or a line of the log that cannot be written does not end the fit.
fit --log whole.log -o whole.h5
log_full() {
    (
        ulimit -f "$blocks" || exit 3
        "$bnn" fit -d r.h5 --net "$net" --engine mc_dropout:epochs=300 --log long.log --force -o old.h5 >"$out" 2>"$err" </dev/null
    )
    grep -c . "$err"
}
check 'the log ends, the fit goes on to its own end' [ "$(log_full)" = 2 ]
check 'a full log is told once' grep -q '^bnn: the log ends here, the fit goes on: long.log: cannot be written: File too large$' "$err"
rm -f long.log

# in_room: the rest, on a disk of 256 kB.
in_room() {
    small=$folder/small
    mkdir "$small" && mount -t tmpfs -o size=256k tmpfs "$small" 2>/dev/null || return 1
    trap 'umount "$small"; rm -rf "$folder"' EXIT
}
if [ "$(id -u)" = 0 ] && in_room; then
    works import csv r.csv -o "$small/r.h5"
    head -c 300000 /dev/zero >"$small/rest" 2>/dev/null
    refuses "$small/r.h5: cannot " split "$small/r.h5"
    works info "$small/r.h5"
    refuses "$small/new.h5: cannot " fit -d r.h5 --net "$net" --engine $engine -o "$small/new.h5"
    refuses "$small/new.csv: cannot be written: No space left on device" predict run.h5 --data r.h5 --split all --samples 5 -o "$small/new.csv"
    "$bnn" fit -d r.h5 --net "$net" --engine mc_dropout:epochs=2000 --samples 5 --checkpoint-every 1epochs -o "$small/new.h5" >"$out" 2>"$err" &
    pid=$!
    until [ -s "$err" ]; do sleep 0.01; done
    rm "$small/rest"
    wait $pid
    check 'a fit whose checkpoints find no room goes on until there is some' [ $? = 0 ]
    check 'and tells of each' [ "$(grep -c '^bnn: the checkpoint was not written, the fit goes on: .*new.h5: cannot ' "$err")" = "$(wc -l <"$err")" ]
    works fit -d r.h5 --net "$net" --engine mc_dropout:epochs=2000 --samples 5 -o room.h5
    works diff "$small/new.h5" room.h5
    check 'nothing is left on the small disk' [ -z "$(find "$small" -name '*.tmp.*')" ]
    mount -o remount,ro "$small"
    refuses "$small/new.h5: cannot be written: Read-only file system" fit -d r.h5 --net "$net" --engine $engine -o "$small/new.h5"
    works info "$small/new.h5"
else
    echo 'skipped: a full and a read-only disk, for want of the right to mount one'
fi

# ---------------------------------------------------------------- no permission

# As somebody else than root, who may do anything.
if [ "$(id -u)" = 0 ] && setpriv --reuid=65534 --clear-groups "$bnn" --version >/dev/null 2>&1; then
    mkdir closed
    cp r.h5 secret.h5 && chmod 600 secret.h5
    chmod 755 "$folder" .
    really=$bnn
    printf '#!/bin/sh\nexec setpriv --reuid=65534 --clear-groups "%s" "$@"\n' "$really" >"$folder/nobody"
    chmod 755 "$folder/nobody"
    bnn=$folder/nobody
    refuses 'closed/new.h5: cannot be written: Permission denied' fit -d r.h5 --net "$net" --engine $engine -o closed/new.h5
    refuses 'closed/new.h5: cannot be written: Permission denied' import csv r.csv -o closed/new.h5
    refuses 'closed/new.csv: cannot be written: Permission denied' predict run.h5 -o closed/new.csv
    refuses 'run.h5: cannot be written: Permission denied' fit -d r.h5 --net "$net" --engine $engine -o run.h5
    refuses 'secret.h5: Permission denied' info secret.h5
    refuses 'secret.h5: Permission denied' predict run.h5 --data secret.h5
    mkdir open && chmod 777 open
    refuses 'closed/log: cannot be written: Permission denied' fit -d r.h5 --net "$net" --engine $engine --log closed/log -o open/new.h5
    bnn=$really
else
    echo 'skipped: another user, for want of root or setpriv'
fi

# ---------------------------------------------------------------- outputs that are no files, or others' files

mkdir dir
mkfifo pipe.h5
ln -s run.h5 link.h5
ln -s nowhere dangling.h5
for output in dir pipe.h5 link.h5 dangling.h5; do
    what="$output: is not a plain file, and stays"
    refuses "$what" import csv r.csv -o $output
    refuses "$what" split r.h5 -o $output
    refuses "$what" fit -d r.h5 --net "$net" --engine $engine -o $output
    refuses "$what" predict run.h5 -o $output
    refuses "$what" compare -d r.h5 --net "$net" --engine $engine --splits 0 -o $output
    refuses "$what" report cmp.h5 -o $output
done
for output in '' dir/ none/; do refuses "$output: cannot be written: " fit -d r.h5 --net "$net" --engine map:epochs=100000000 -o "$output"; done
refuses 'cannot be written: File name too long' fit -d r.h5 --net "$net" --engine map:epochs=100000000 -o "$(printf %0250d 1)"
start=$(date +%s)
refuses 'dir/: cannot be written: Is a directory' fit -d r.h5 --net "$net" --engine map:epochs=100000000 -o dir/
check 'before the work' [ $(($(date +%s) - start)) -lt 5 ]

# The same file is read and written: what was there would be lost.
ln -s r.h5 also_r.h5
for output in r.h5 ./r.h5 ../work/r.h5; do
    refuses "$output: is the data file, which would be overwritten" fit -d r.h5 --net "$net" --engine $engine -o $output
    refuses "$output: is the data file, which would be overwritten" compare -d r.h5 --net "$net" --engine $engine --splits 0 -o $output
    refuses "$output: is the data file, which would be overwritten" fit -d r.h5 --net "$net" --engine $engine --log $output -o new.h5
    refuses "$output: is the data file, which would be overwritten" predict run.h5 --data r.h5 -o $output
    refuses "$output: is the data file, which would be overwritten" predict run.h5 -o $output
    refuses "$output: is the data file, which would be overwritten" fit -d also_r.h5 --net "$net" --engine $engine -o $output
done
refuses 'run.h5: is the run file' predict run.h5 -o run.h5
refuses 'cmp.h5: is a file to be shown' report run.h5 cmp.h5 -o cmp.h5
refuses 'r.csv: is what is imported' import csv r.csv -o r.csv
refuses './new.h5: is the run file' fit -d r.h5 --net "$net" --engine $engine --log ./new.h5 -o new.h5
refuses 'run.h5: is the run file' fit -d r.h5 --net "$net" --engine $engine --log ./../work/run.h5 -o run.h5

# ---------------------------------------------------------------- inputs that are no files

for input in pipe.h5 dir; do
    for command in info split predict evaluate report; do refuses "$input: is not a plain file" $command $input; done
    refuses "$input: is not a plain file" diff r.h5 $input
done
refuses 'dir: has no data.txt, as folders of the UCI layout have, and the run was fitted to rows of shape [2]' predict run.h5 --data dir
refuses 'dir: holds no PNG or JPEG, and no data.txt' fit -d dir --net "$net" --engine $engine -o new.h5
refuses 'dir: Is a directory' import csv dir -o new.h5
refuses 'run.h5: is an HDF5 file, not a text' import csv run.h5 -o new.h5
# A table can come through a pipe; it is then read once.
{ cat r.csv >pipe.h5; } &
works import csv pipe.h5 -o piped.h5
works diff piped.h5 piped.h5
{ cat r.csv >pipe.h5; } &
works fit -d pipe.h5 --net "$net" --engine $engine -o piped_run.h5
{ cat r.csv >pipe.h5; } &
works predict piped_run.h5 --data pipe.h5
check 'new rows, too' [ "$(wc -l <"$out")" = 61 ]
cat r.csv | "$bnn" import csv /dev/stdin -o piped.h5 >"$out" 2>"$err"
check 'and through standard input' grep -q '^wrote piped.h5: 60 rows' "$out"
works import csv r.csv --title stdin -o file.h5
run diff piped.h5 file.h5
says "attribute 'raw_sha256' of /: is '' and '"

# ---------------------------------------------------------------- damaged files

for file in r run cmp; do
    { head -c 3000 $file.h5 && printf x && tail -c +3002 $file.h5; } >bad.h5
    for command in info split predict evaluate report; do refuses 'bad.h5: is damaged: its bytes do not have the checksum that stands at its end' $command bad.h5; done
    refuses 'bad.h5: is damaged' diff $file.h5 bad.h5
    refuses 'bad.h5: is damaged' fit -d r.h5 --net "$net" --engine $engine --resume -o bad.h5
    for size in 1 100 3000; do
        head -c $size $file.h5 >bad.h5
        refuses 'bad.h5: is ' info bad.h5
    done
done

# ---------------------------------------------------------------- tables

# csv TEXT SENTENCE: a table that is refused
csv() {
    printf "$1" >bad.csv
    refuses "bad.csv: $2" import csv bad.csv -o new.h5
}
csv 'a,y\n1,inf\n2,3\n' "row 1, column 'y': 'inf' is not a finite number"
csv 'a,y\n1,2\n-1e400,3\n' "row 2, column 'a': '-1e400' is not a finite number"
csv 'a,y\n1,nan\n2,3\n' "row 1, column 'y': value is missing"
csv '\n\n' 'holds no data'
csv 'a,y\n' 'has a header and no rows'
csv 'a,y\n1,2\n3\n' 'line 3 has 1 field, the lines before have 2'
csv 'a\0,y\n1,2\n' 'is not a text file'
csv 'y\n1\n2\n' 'has one column, a table needs features and a target'
csv 'a,y\n1,x\n2,x\n' "column 'y' holds a single class, 'x'"
refuses 'r.csv: no column is left as a feature' import csv r.csv --drop a,b -o new.h5

printf 'a,b,y\n1,2,3\n' >one.csv
warns 'one row' import csv one.csv -o one.h5
refuses 'one.h5: a split needs at least 2 rows, the table has 1' split one.h5
for holder in grid_search early_stopping; do refuses "one.h5: engine '$holder': 1 training rows cannot be cut" fit -d one.h5 --net "$net" --engine $holder -o new.h5; done
works fit -d one.h5 --net "$net" --engine $engine --samples 5 -o onerun.h5
works evaluate onerun.h5 --samples 5
printf 'a,b,y\n1,2,3\n2,2,3\n3,2,3\n' >flat.csv
warns 'constant' import csv flat.csv -o flat.h5
works fit -d flat.h5 --net "$net" --engine $engine --samples 5 -o flatrun.h5
works evaluate flatrun.h5 --samples 5
check 'a constant target has finite scores, but for a share of its variance' [ "$(grep -iE 'nan|inf' "$out" | tr -d ' ')" = r2nan ]
printf 'a,y\n1e308,1\n-1e308,3\n' >wide.csv
works import csv wide.csv -o wide.h5
refuses "wide.h5: column 'a': its values are too large to be standardised" fit -d wide.h5 --net "$net" --engine $engine -o new.h5

# ---------------------------------------------------------------- the same columns

awk -F, 'BEGIN { OFS = "," } { print $2, $1, $3 }' r.csv >turned.csv
sed 's/x$/w/' c3.csv >renamed.csv
sed '1s/y$/z/' r.csv >target.csv
for table in turned renamed target; do works import csv $table.csv -o $table.h5; done
works predict run.h5 --data r.h5 --split all
cp "$out" straight
works predict run.h5 --data turned.h5
check 'columns are found by their names' cmp -s "$out" straight
works evaluate run.h5 --data turned.h5
says 'new rows: 60 rows'
run predict run.h5 --data target.h5
check 'a target of another name is no target' [ "$(cat "$err")" = 'columns that the fit did not have, left out: z' ]
refuses 'target.h5: has no targets: its rows can be predicted, not scored' evaluate run.h5 --data target.h5
for command in predict evaluate; do
    refuses "renamed.h5: the table: row 2, column 'kind': 'w' is an unknown class: there are x, y, z" $command c3run.h5 --data renamed.h5
done

# ---------------------------------------------------------------- going on, keeping, logging

refuses "cmp.h5: holds 'bnn-comparison', expected 'bnn-run'" fit -d r.h5 --net "$net" --engine $engine --resume -o cmp.h5
refuses 'old.h5: is not an HDF5 file' fit -d r.h5 --net "$net" --engine $engine --resume -o old.h5
refuses "run.h5: was begun with data_sha256 '" fit -d turned.h5 --net "$net" --engine $engine --split all --resume -o run.h5
refuses 'run.h5: was begun with split 0, now 1 is asked for' fit -d r.h5 --net "$net" --engine $engine --split 1 --resume -o run.h5
works fit -d r.h5 --net "$net" --engine $engine --resume --keep posterior -o run.h5
says 'run.h5: is complete; draws that it does not hold are made by `bnn predict --keep`'
for every in 5 5x s -1s ' 5s' '5 s' 0.5epochs 1e10epochs nans infs 1e400s epochs ''; do
    refuses "--checkpoint-every: '$every' is not a time or a whole number of epochs" fit -d r.h5 --net "$net" --engine $engine --checkpoint-every "$every" -o new.h5
done
for every in 0s 0epochs 1e3epochs 0.5min; do works fit -d r.h5 --net "$net" --engine $engine --samples 5 --checkpoint-every $every -o often.h5; done
for keep in '' x ,posterior posterior,x; do refuses "--keep: '$keep' is not posterior, predictive" fit -d r.h5 --net "$net" --engine $engine --keep "$keep" -o new.h5; done
refuses '--keep: there are no test rows to predict' fit -d r.h5 --net "$net" --engine $engine --split all --keep posterior -o new.h5
refuses '--keep: draws go to an HDF5 file' predict run.h5 --keep posterior -o new.csv
refuses 'with fresh noise for every row there are no draws of the weights' predict run.h5 --noise rows --keep posterior -o new.h5
refuses 'none/log: cannot be written: No such file or directory' fit -d r.h5 --net "$net" --engine $engine --log none/log -o new.h5
refuses 'dir: cannot be written: Is a directory' fit -d r.h5 --net "$net" --engine $engine --log dir -o new.h5

check 'nothing was written on the way' [ ! -e new.h5 ] && check 'nor left behind' [ -z "$(find . -name '*.tmp.*')" ]
finish
