#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# test_ranks.sh BNN_WITH_MPI BNN: fits over several ranks have the bits of the program without MPI; a rank that is killed ends the job, and another number of ranks goes on. Takes Open MPI.
with=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
shift
. "$(dirname "$0")/test_program_common.sh"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none

# ranks N ARGUMENT...: a fit over N ranks; where a rank stands in the job is in pid.RANK.
ranks() {
    n=$1
    shift
    mpirun -n "$n" sh -c 'echo $$ >pid.$OMPI_COMM_WORLD_RANK; exec "$@"' sh "$with" fit -d d.h5 -n 'dense:8; tanh; dense' "$@" >"$out" 2>"$err" </dev/null
    status=$?
}

alone() { works fit -d d.h5 -n 'dense:8; tanh; dense' "$@"; }

# one_sentence TEXT: the last job failed, and one of its ranks said why.
one_sentence() { if [ $status != 0 ] && [ "$(grep -c '^bnn' "$err")" = 1 ] && grep '^bnn' "$err" | grep -qF -- "$1"; then pass; else fail "exit status $status, and not one sentence with '$1'"; fi; }

awk 'BEGIN { srand(3); print "a,b,y"; for (i = 0; i < 29000; i++) { a = rand() * 4 - 2; b = rand() * 2; print a "," b "," sin(a) + b + 0.1 * rand() } }' >d.csv
works import csv d.csv --target y -o d.h5 # seven shards

# ---------------------------------------------------------------- bits

number=0
for engine in hmc:steps=4,samples=4,warmup=6,step=0.001,chains=2 hmc:steps=3,samples=3,warmup=3,step=0.001,chains=1,scales=gibbs nuts:samples=3,warmup=4,step=0.001,chains=2 \
    map:epochs=30,batch=29000 'laplace:engine=map{epochs=30,batch=29000}' mc_dropout:epochs=10,batch=29000 'ensemble:engine=map{epochs=10,batch=29000},members=2'; do
    number=$((number + 1))
    alone -e "$engine" -o $number.h5
    for n in 1 2 3 7; do
        ranks $n -e "$engine" -t $((n % 2 + 1)) -o $number.$n.h5
        check "$engine over $n ranks ends, and one of them says so" [ "$status $(grep -c '^wrote' "$out")" = '0 1' ]
        works diff $number.h5 $number.$n.h5
    done
done

works split d.h5 --count 1 -o split.h5 # rows of a rank are all over the file, and there are test rows
alone -d split.h5 -e hmc:steps=4,samples=4,warmup=6,step=0.001,chains=1 -o split.1.h5 --keep predictive
for keep in '--keep predictive' ''; do
    ranks 3 -d split.h5 -e hmc:steps=4,samples=4,warmup=6,step=0.001,chains=1 $keep -o split.3.h5
    check "a split over 3 ranks ends: $keep" [ $status = 0 ]
    [ "$keep" ] || alone -d split.h5 -e hmc:steps=4,samples=4,warmup=6,step=0.001,chains=1 --force -o split.1.h5
    works diff split.1.h5 split.3.h5
    rm split.3.h5
done

head -61 d.csv >few.csv
works import csv few.csv --target y -o few.h5 # too few rows for ranks to divide: they divide chains
alone -d few.h5 -e hmc:steps=4,samples=4,warmup=6,chains=3 -o few.1.h5
for n in 2 5; do
    ranks $n -d few.h5 -e hmc:steps=4,samples=4,warmup=6,chains=3 -o few.$n.h5
    check "chains over $n ranks end without a doubt" [ "$status $(cat "$err")" = '0 ' ]
    works diff few.1.h5 few.$n.h5
done

# ---------------------------------------------------------------- what ranks do not do

alone -e map:epochs=3 -o same.h5
ranks 2 -e map:epochs=3 -o no.h5
check 'a fit without sums to share ends' [ $status = 0 ]
check 'and is doubted' [ "$(cat "$err")" = "bnn: warning: engine 'map' has made a step without a sum over more than 4224 rows, which is what ranks share: so far all 2 of them do the same work" ]
works diff same.h5 no.h5
rm no.h5
ranks 2 -e nothing -o no.h5
one_sentence "'nothing'"
ranks 3 -e map:lr=1e9,epochs=30,batch=29000,optimizer=sgd -o no.h5 # on all ranks, on their way
one_sentence 'the objective is not finite'
ranks 3 -e hmc -d - -o no.h5
one_sentence 'standard input comes to one of 3 ranks alone'
check 'nothing is written' [ ! -e no.h5 ]
sed 's/^0/1/; 9s/.*/0,0,0/' d.csv >other.csv
works import csv other.csv --target y -o other.h5
mpirun -n 1 "$with" fit -d d.h5 -n dense -e hmc -o no.h5 : -n 1 "$with" fit -d other.h5 -n dense -e hmc -o no.h5 >"$out" 2>"$err"
status=$?
one_sentence 'bnn: rank 1: has other numbers than the first rank'

# ---------------------------------------------------------------- ends on the way

long=hmc:steps=40,samples=300,warmup=20,step=0.0001,chains=1
alone -e $long -o long.h5
ranks 3 -e $long --max-time 0.001s -o stopped.h5 # after the first step
check 'a job out of time has status 1' [ $status = 1 ]
check 'one rank says so' [ "$(grep -c '^bnn: stopped after step 1;' "$err")" = 1 ]
ranks 2 -e $long --resume -o stopped.h5
works diff long.h5 stopped.h5

# wait_for FILE: until it is there, or the job has ended.
wait_for() { while [ ! -e "$1" ] && kill -0 $job 2>/dev/null; do sleep 0.05; done; }

rm -f asked.h5
(ranks 2 -e $long --checkpoint-every 1epochs -o asked.h5; echo $status >ended) &
job=$!
wait_for asked.h5
kill -TERM "$(cat pid.0)"
wait $job
check 'the first rank is asked to end, and all do' [ "$(cat ended) $(grep -c '^bnn: stopped after step' "$err")" = '143 1' ]
ranks 3 -e $long --resume -o asked.h5
works diff long.h5 asked.h5

# killed RANK N: a job over N ranks ends soon after one of them is killed, which is once a checkpoint is there, and is gone on with over two more.
killed() {
    rm -f killed.h5
    (ranks "$2" -e $long --checkpoint-every 1epochs -o killed.h5; echo $status >ended) &
    job=$!
    wait_for killed.h5
    kill -KILL "$(cat pid.$1)"
    before=$(date +%s)
    wait $job
    check "a job ends soon after rank $1 is killed" [ $(($(date +%s) - before)) -le 10 ]
    check 'a job with a killed rank has failed' [ "$(cat ended)" != 0 ]
    ranks $(($2 + 2)) -e $long --resume -o killed.h5
    check 'it goes on over more ranks' [ $status = 0 ]
    works diff long.h5 killed.h5
}
killed 1 2
killed 0 3

finish
