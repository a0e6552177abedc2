#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# test_parts.sh BNN [league]: work in parts that `bnn merge` joins is the work of one process. league: of six engines on five splits, with a part computed twice and one killed.
. "$(dirname "$0")/test_program_common.sh"

league=$2
awk 'BEGIN { srand(3); print "a,b,y"; for (i = 0; i < 40; i++) { a = rand() * 4 - 2; b = rand() * 2; print a "," b "," sin(a) + b + 0.1 * rand() } }' >d.csv
works import csv d.csv --target y -o d.h5
works split d.h5 --count 5 --force -o d.h5

# equal A B: datasets and attributes, provenance apart.
equal() { "$bnn" diff "$1" "$2"; }

if [ "$league" = league ]; then
    league() {
        what=$1
        shift
        $what compare -d d.h5 --net 'dense:8; relu; dense' -e map:epochs=500 -e mc_dropout:epochs=500 -e bayes_by_backprop:epochs=500 -e hmc:samples=100,warmup=100,steps=20 \
            -e 'laplace:engine=map{epochs=500}' -e 'ensemble:engine=map{epochs=200},members=3' --samples 100 "$@"
    }
    begin() { "$bnn" "$@" >"$out" 2>"$err" & }
    league works -o whole.h5
    for n in 1 2 3 7; do
        rm -f p.*.h5
        for i in $(seq $n | shuf); do
            # The last part is killed again and again, and goes on where its file stands.
            killed=0
            while [ $i = $n ] && [ $killed -lt 5 ]; do
                league begin --checkpoint-every 0.01s --resume --part $i/$n -o p.$i.h5
                sleep 0.3
                kill -KILL $! && killed=$((killed + 1)) || killed=5
                wait $!
            done 2>/dev/null
            league works --resume --part $i/$n -o p.$i.h5
        done
        league works --part 1/$n --force -o again.h5
        works merge $(ls p.*.h5 again.h5 | shuf) --force -o all.h5
        check "$n parts are the whole" equal whole.h5 all.h5
    done
    finish
fi

# compared COMMAND ARGUMENT...: distances are from hmc, so that fits of one split that are in two parts need each other.
compared() {
    what=$1
    shift
    $what compare -d d.h5 --net 'dense:3; relu; dense' -e map:epochs=3 -e hmc:samples=4,warmup=2,steps=2,chains=2 --splits 0-2 --samples 4 "$@"
}
compared works -o whole.h5
for i in 1 2 3 4 5; do
    compared works --part $i/5 -o p.$i.h5
    says "wrote p.$i.h5: part $i of 5"
done
works info --lint p.2.h5
cp p.4.h5 copy.h5
works merge p.5.h5 p.1.h5 copy.h5 p.3.h5 p.2.h5 p.4.h5 -o all.h5
says 'joined 6 files, wrote all.h5'
check 'five parts in disorder, one of them twice, are the whole' equal whole.h5 all.h5
works merge p.*.h5 -o all.h5
compared works --part 1/2 -o half.1.h5
compared works --part 2/2 -o half.2.h5
works merge half.2.h5 half.1.h5 p.3.h5 -o halves.h5
check 'parts of other cuts are, too' equal whole.h5 halves.h5
works merge p.1.h5 half.1.h5 half.2.h5 -o halves.h5
check 'a distance that one of two files knows is not lost' equal whole.h5 halves.h5
works report halves.h5 -o report.html
compared works --part 2/5 -o p.2.h5
compared works --part 2/5 --resume -o p.2.h5
says 'there is p.2.h5: part 2 of 5'

# What is missing is said, with the commands that make it.
run merge p.1.h5 p.3.h5 p.5.h5 -o some.h5
check 'status 1 says that parts are missing' [ $status = 1 -a ! -e some.h5 ]
check 'how many fits are' grep -qx 'bnn: 2 of 6 fits are missing; these commands make them:' "$err"
check 'two commands' [ "$(wc -l <"$err")" = 3 ]
rm p.2.h5 p.4.h5
sed -n 's/^  bnn //p' "$err" >commands
while read -r line; do eval "\"\$bnn\" $line" >"$out" 2>&1; done <commands
works merge p.*.h5 -o all.h5
check 'which make the whole' equal whole.h5 all.h5
works merge p.1.h5 p.3.h5 p.5.h5 --partial -o some.h5
says '(partial)'
refuses 'all.h5: holds fits that would be lost: --force replaces it' merge p.1.h5 --partial -o all.h5
compared works --resume -o some.h5
check 'what there is can be gone on with' equal whole.h5 some.h5

# What does not go together is refused, by the names of both.
compared works --seed 2 --part 2/5 -o seed.h5
refuses "p.1.h5 and seed.h5 do not go together: seed is '1' and '2'" merge p.1.h5 seed.h5 -o new.h5
works compare -d d.h5 --net 'dense:4; relu; dense' -e map:epochs=3 -e hmc:samples=4,warmup=2,steps=2,chains=2 --splits 0-2 --samples 4 --part 2/5 -o net.h5
refuses "p.1.h5 and net.h5 do not go together: net is" merge p.1.h5 net.h5 -o new.h5
works split d.h5 --count 5 --seed 5 -o e.h5
works compare -d e.h5 --net 'dense:3; relu; dense' -e map:epochs=3 -e hmc:samples=4,warmup=2,steps=2,chains=2 --splits 0-2 --samples 4 --part 2/5 -o data.h5
refuses "p.1.h5 and data.h5 do not go together: data_sha256 is" merge p.1.h5 data.h5 -o new.h5
if grep -q avx2 /proc/cpuinfo; then
    export BNN_SIMD=base
    compared works --part 2/5 -o simd.h5
    unset BNN_SIMD
    refuses 'p.1.h5 and simd.h5 do not go together: instructions is' merge p.1.h5 simd.h5 -o new.h5
fi
refuses 'd.h5' merge p.1.h5 d.h5 -o new.h5
refuses 'p.1.h5: is one of the files to join, which would be overwritten' merge p.1.h5 p.2.h5 -o p.1.h5
refuses 'which files are to be joined' merge -o new.h5
refuses '-o is missing' merge p.1.h5
for text in 0/3 4/3 3 x -1/2 1/0 ' 1/2' 1/2x; do refuses "--part: '$text' is not I/N" compare -d d.h5 --net dense -e map --part "$text" -o new.h5; done
refuses '--part: 9 parts of 5 fits cannot be made' compare -d d.h5 --net dense -e map --part 1/9 -o new.h5
refuses '--part: write it to which file' compare -d d.h5 --net dense -e map --part 1/2
refuses "p.1.h5: was begun with part '1/5', now '2/5' is asked for" compare -d d.h5 --net 'dense:3; relu; dense' -e map:epochs=3 -e hmc:samples=4,warmup=2,steps=2,chains=2 --splits 0-2 \
    --samples 4 --part 2/5 --resume -o p.1.h5

# ---------------------------------------------------------------- launchers

# An sbatch that runs what it is given, task after task: those whose first process is killed are queued again, as Slurm does it.
mkdir bin 'a b'
cat >bin/sbatch <<'END'
#!/bin/sh
for word; do case $word in --array=1-*) tasks=${word#--array=1-} ;; --dependency=*) echo "$word" >>jobs ;; esac; done
cat >job
for task in $(seq ${tasks:-1}); do SLURM_ARRAY_TASK_ID=$task SLURM_JOB_ID=$task sh job >>log 2>&1; done
echo 17
END
cat >bin/scontrol <<'END'
#!/bin/sh
echo "$@" >>requeued
END
chmod +x bin/sbatch bin/scontrol
compared works -o 'a b/all.h5' --slurm 4
says "wrote a b/all.slurm: an array of 4 parts; submit it by: sh 'a b/all.slurm'"
check 'nothing is made yet' [ ! -e 'a b/all.1.h5' ]
check 'the warning before the time limit is passed on' grep -q -- '--signal=B:USR1@120 --requeue' 'a b/all.slurm'
export PATH="$PWD/bin:$PATH"
compared works -o 'a b/all.h5' --slurm 4 --submit
says 'submitted array 17 and 17, which joins its files'
check 'the second job waits for the first' grep -qx -- '--dependency=afterany:17' jobs
check 'an array is the whole' equal whole.h5 'a b/all.h5'
check 'no task was queued again' [ ! -e requeued ]
echo '#' >>'a b/all.slurm'
refuses 'a b/all.slurm: holds another script: --force replaces it' compare -d d.h5 --net dense -e map -e hmc --splits 0-2 -o 'a b/all.h5' --slurm 4
sed -n '/^trap/,/^exit/p' 'a b/all.slurm' | sed 's|^.*compare.*|sh -c "kill -KILL \\$\\$" \&|' >killed
SLURM_JOB_ID=5 sh killed 2>/dev/null
check 'a task that is killed is queued again' grep -qx 'requeue 5' requeued
refuses '--slurm: 7 parts of 6 fits cannot be made' compare -d d.h5 --net dense -e map -e hmc --splits 0-2 --slurm 7 -o new.h5
refuses '--submit: which job' compare -d d.h5 --net dense -e map --submit -o new.h5
refuses '--part, --slurm and --parallel: one at a time' compare -d d.h5 --net dense -e map --slurm 2 --part 1/2 -o new.h5
refuses 'write it to which file' compare -d d.h5 --net dense -e map --slurm 2
echo : >hosts
works compare -d d.h5 --net dense -e 'laplace:engine=map{epochs=3}' -e 'map:epochs=3' --splits 0-1 -o lines.h5 --parallel hosts
check 'GNU parallel is one line' [ "$(wc -l <"$out")" = 1 ]
if command -v parallel >/dev/null; then
    sh "$out" >"$err" 2>&1
    works compare -d d.h5 --net dense -e 'laplace:engine=map{epochs=3}' -e 'map:epochs=3' --splits 0-1 -o one.h5
    check 'which makes the whole' equal lines.h5 one.h5
fi

# ---------------------------------------------------------------- rows that are predicted

awk 'BEGIN { srand(5); print "who,a,b,kind,u,v"; for (i = 0; i < 30; i++) { a = rand(); b = rand(); print "row" i "," a "," b "," (a > b ? "more" : "less") "," a - b "," a * b } }' >t.csv
cut -d, -f1-4 t.csv >classes.csv
cut -d, -f1-3,5- t.csv >numbers.csv
for of in classes numbers; do
    [ $of = classes ] && targets=kind asked= || targets=u,v asked='--quantiles 0.1'
    works fit -d $of.csv --target $targets --id who --net 'dense:3; relu; dense' -e mc_dropout:epochs=3 -o $of.h5
    works predict $of.h5 -d $of.csv --samples 10 $asked -o whole.$of.h5
    for i in 1 2 3 4; do works predict $of.h5 -d $of.csv --samples 10 $asked --part $i/4 -o r.$i.$of.h5; done
    cp r.2.$of.h5 copy.h5
    works merge r.3.$of.h5 r.2.$of.h5 r.4.$of.h5 r.1.$of.h5 copy.h5 -o joined.$of.h5
    check "four stretches of rows of $of are the whole" equal whole.$of.h5 joined.$of.h5
    works info --lint joined.$of.h5
done
run merge r.1.numbers.h5 r.4.numbers.h5 -o new.h5
check 'status 1 says that rows are missing' [ $status = 1 -a ! -e new.h5 ]
check 'with the commands that predict them' grep -qxF "  bnn predict numbers.h5 -d numbers.csv --samples 10 --quantiles 0.1 --part 3/4 -o r.3.numbers.h5" "$err"
cp r.1.numbers.h5 'first rows.1.h5'
run merge 'first rows.1.h5' r.4.numbers.h5 -o new.h5
check 'whose files are one word to a shell' grep -qF -- " --part 2/4 -o 'first rows.2.h5'" "$err"
works merge r.1.numbers.h5 r.4.numbers.h5 --partial -o some.numbers.h5
works predict numbers.h5 -d numbers.csv --samples 11 --quantiles 0.1 --part 2/4 -o other.h5
refuses 'r.1.numbers.h5 and other.h5 do not go together: samples is' merge r.1.numbers.h5 other.h5 r.3.numbers.h5 r.4.numbers.h5 -o new.h5
refuses 'r.2.numbers.h5 and other.h5 do not go together: they are the same part, but' merge r.2.numbers.h5 other.h5 -o new.h5
works fit -d numbers.csv --target u,v --id who --net 'dense:3; relu; dense' -e mc_dropout:epochs=4 -o numbers.2.h5
works predict numbers.2.h5 -d numbers.csv --samples 10 --quantiles 0.1 --part 2/4 -o other.h5 --force
refuses 'r.1.numbers.h5 and other.h5 do not go together: run_sha256 is' merge r.1.numbers.h5 other.h5 r.3.numbers.h5 r.4.numbers.h5 -o new.h5
works predict numbers.h5 -d numbers.csv --part 1/3 -o other.h5 --force
refuses 'do not go together: parts of 4 and of 3' merge r.1.numbers.h5 other.h5 -o new.h5
refuses '--part: goes to file.h5' predict numbers.h5 -d numbers.csv --part 1/3 -o new.csv
refuses '--part: goes to file.h5' predict numbers.h5 -d numbers.csv --part 1/3 --noise rows -o new.h5
"$bnn" predict numbers.h5 -d - --part 1/3 -o new.h5 <numbers.csv >"$out" 2>"$err"
check 'rows of standard input have no parts' grep -qx 'bnn: -: whether all parts have the same rows cannot be told: write them to a file' "$err"
refuses '--part: 31 parts of 30 rows cannot be made' predict numbers.h5 -d numbers.csv --part 1/31 -o new.h5

# Files that were changed behind bnn's back.
changed() { /usr/bin/python3 -c "import h5py, sys; file = h5py.File(sys.argv[1], 'r+'); $2" "$1"; }
if /usr/bin/python3 -c 'import h5py' 2>/dev/null; then
    cp r.1.numbers.h5 damaged.h5 && changed damaged.h5 "file.attrs['part'] = [1, 2**31 - 1]"
    refuses 'damaged.h5: is part 1 of 2147483647' merge damaged.h5 r.2.numbers.h5 -o new.h5
    cp p.1.h5 damaged.h5 && changed damaged.h5 "rows = file['scores/rows'][()]; rows[0, 0] = -5; file['scores/rows'][...] = rows"
    refuses 'damaged.h5: /scores are of -5 rows' merge damaged.h5 p.2.h5 -o new.h5
fi
finish
