#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# test_chains.sh BNN: bnn diagnose, bnn sbc and the distances of bnn compare, from the command line.
. "$(dirname "$0")/test_program_common.sh"
tables

# finds TEXT ARGUMENT...: exit status 1, silence on stderr, and TEXT on stdout.
finds() {
    text=$1
    shift
    run "$@"
    if [ $status = 1 ] && [ ! -s "$err" ]; then says "$text"; else fail "bnn $*: exit status $status, expected 1"; fi
}

# ---------------------------------------------------------------- diagnose

learned=gaussian:sd=0.3,shape=2
works fit -d r.h5 --split 0 --net dense -l $learned --engine hmc:steps=20,samples=1500,warmup=300 -o good.h5
works diagnose good.h5
says '4 chains of 1500 draws, predictions of 12 rows of r.h5'
says 'good: nothing speaks against these draws'
says '  dense_1 kernel (norm)'
says '  noise: log variance 1'
says '  log density'
says '0 divergences, E-BFMI'
works diagnose good.h5 --data r.h5 --split all --rows 7 --weights
says 'predictions of 7 rows of r.h5'
says '  single weights           4'
works diagnose good.h5 --json
says '"good": true'
says '"share_at_max_depth": null'
for threads in 1 2; do
    works diagnose good.h5 --json --threads $threads
    cp "$out" diagnosis$threads
done
check 'the same bits at any number of threads' cmp diagnosis1 diagnosis2
works fit -d c3.h5 --split 0 --net 'dense:2; tanh; dense' --engine nuts:max_depth=2,samples=20,warmup=0,step=0.001,chains=2 -o bad.h5
finds '- the chains have not met, or are too short to show it: R-hat of ' diagnose bad.h5
says 'not good:'
says '% of the trajectories at max_depth'
finds '"good": false' diagnose bad.h5 --json
works fit -d r.h5 --split 0 --net dense --engine map:epochs=2 -o map.h5
works diagnose map.h5
says "map.h5: engine 'map' runs no Markov chains, so there is nothing to diagnose: \`bnn info\` shows the course of its fit"
works diagnose map.h5 --json
says '"chains": 0'
works fit -d r.h5 --split 0 --net dense --engine hmc:samples=15,warmup=2,steps=2 -o short.h5
refuses 'short.h5: the chains have 15 draws each, diagnostics need 16' diagnose short.h5
refuses "--rows: '0' is not a whole number from 1" diagnose good.h5 --rows 0
refuses 'bnn diagnose: a run file is needed' diagnose
refuses "bnn: r.h5: holds 'bnn-data', expected 'bnn-run" diagnose r.h5

# ---------------------------------------------------------------- sbc

sbc="sbc --net dense --likelihood gaussian:tau=1 --rows 5"
works $sbc --engine hmc:steps=5,chains=1,samples=100,warmup=50 --replications 40 --draws 19
says 'hmc:steps=5,chains=1,samples=100,warmup=50: 40 replications, ranks among 19 draws in 10 bins'
says '  log likelihood'
says 'of 6 quantities the least p, times their number, is '
finds 'not uniform, the draws are not those of the posterior' $sbc --engine hmc:steps=1,step=0.001,chains=1,samples=50,warmup=0 --replications 100 --draws 19
says 'in 100 replications the chains were worth fewer than 19 independent draws'
says '  the draws are too narrow'
works $sbc --engine hmc:steps=5,step=0.2 --replications 40 --geweke
says '40 chains of 100 transitions from draws of the prior, with a new y after each'
says 'nothing speaks against the transition'
works sbc --net dense --classes 3 --in 1 --points 1 --engine nuts:chains=1,samples=50,warmup=20 --replications 10 --draws 9 --bins 5 --json
says '"good": true'
says '"name": "p of class 1 at new row 1"'
works $sbc --engine hmc:steps=5,step=0.2 --replications 10 --transitions 5 --geweke --json
says '"z_square": '
refuses "likelihood 'gaussian': the noise has a flat density, from which nothing can be drawn" sbc --net dense --engine hmc -l gaussian:shape=0
refuses "prior 'gauss' of dense_1 bias is flat" $sbc --engine hmc --prior gauss:bias_sd=inf
refuses "engine 'map' has one parameter vector and no draws to rank among" $sbc --engine map
refuses "engine 'mc_dropout' has no transition that could be tested" $sbc --engine mc_dropout --geweke
works sbc --net dense --engine laplace -l gaussian:shape=2,sd=0.3 --rows 60 --points 60 --replications 20 --verdicts
says 'laplace: 20 worlds, 60 rows fitted and 60 judged by in each'
says 'few enough for an engine that is right'
finds 'the verdicts cry wolf' sbc --net dense --engine sgld:samples=20,burnin=1,lr=1e-7 --points 40 --replications 3 --verdicts
finds '"good": false' sbc --net dense --engine sgld:samples=20,burnin=1,lr=1e-7 --points 40 --replications 3 --verdicts --json
refuses 'verdicts need new rows to judge by (--points)' sbc --net dense --engine laplace --points 0 --verdicts
refuses '100 ranks (0 to 99) cannot be put into 7 equal bins' $sbc --engine hmc --bins 7
refuses 'bnn sbc: --engine is missing' sbc --net dense
refuses 'bnn sbc: --net is missing' sbc --engine hmc

# ---------------------------------------------------------------- distance

hmc=hmc:steps=5,samples=40,warmup=40,chains=2
for threads in 1 2; do
    works compare -d r.h5 --net "$net" -e map:epochs=20 -e laplace:engine=map{epochs=20} -e $hmc -e mc_dropout:epochs=20 --splits 0-1 --threads $threads -o d$threads.h5
    says 'distance (se)'
    says "distance: Wasserstein's of order 1 of the predictive distributions of a row, in the units of the target, from C"
done
check 'the reference is at 0' grep -q '^C .* 0\.0000 (0\.0000)$' "$out"
works diff d1.h5 d2.h5
works info --lint d1.h5
works compare -d r.h5 --net "$net" -e map:epochs=2 -e nuts:samples=20,warmup=20,chains=1,max_depth=3 --splits 0
says 'in the units of the target, from B'
works compare -d r.h5 --net "$net" -e 'ensemble:engine=laplace{engine=map{epochs=9}},members=2' -e $hmc --splits 0
says 'in the units of the target, from B'
works compare -d c3.h5 --net "$net" -e map:epochs=20 -e laplace:engine=map{epochs=20} -e mc_dropout:epochs=20 --reference mc_dropout --splits 0-1 -o dc.h5
says 'agreement (se)'
says 'total variation (se)'
says '1.0000 (0.0000)       0.0000 (0.0000)'
works info --lint dc.h5
works compare -d r.h5 --net dense -e map:epochs=2 -e mc_dropout:epochs=2 --splits 0
check 'no reference, no distance' sh -c "! grep -q distance '$out'"
refuses "--reference: 'nuts' is none of the engines that are compared" compare -d r.h5 --net dense -e map:epochs=2 -e $hmc --reference nuts
if command -v gnuplot >/dev/null; then
    works report d1.h5 dc.h5 -o report.html
    check 'W1 stands in the page' grep -q 'distance from the reference' report.html
    check 'so does total variation' grep -q 'total variation' report.html
    check 'there are traces' grep -q '<h3>Trace: log density' report.html
    check 'and ranks' grep -q '<h3>Ranks: row ' report.html
    check 'and R-hat' grep -q '>R-hat</th>' report.html
    check 'engines are compared split by split' grep -q '<h3>Differences in log-likelihood' report.html
    check 'classes are counted' [ "$(grep -c '<h3>Confusion' report.html)" = 3 ]
    works fit -d r.h5 --split all --net dense --engine $hmc -o untested.h5
    works report untested.h5 -o untested.html
    check 'a run without test rows has its chains' grep -q '<h3>Trace: log density' untested.html
    works compare -d r.h5 --net "$net" -e map:epochs=400 -e map:epochs=300 -e map:epochs=1,lr=9 --splits 0 -o far.h5
    works report far.h5 -o far.html
    check 'an engine far below the others is an arrow with its score' grep -q '>C (-' far.html
else
    echo 'skipped: report, for want of gnuplot'
fi
finish
