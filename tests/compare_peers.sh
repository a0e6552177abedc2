#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# How many times as fast as PyTorch: both sides run the same jobs in turn, three rounds, and the medians are compared. The last column is what is wanted.
#   sh tests/compare_peers.sh [JOB...]       default: all jobs that both sides have. Needs python3-torch and OpenBLAS, without which PyTorch multiplies matrices
#   in plain loops (Debian), and a machine that does nothing else.
#   ROUNDS=1 for a quick look; CPU=1 on a machine that does other things, too: rates by the time of the processor, bnn on one thread. Of jobs that
#   keep two cores busy the ratio is then that of one core.
set -e
cd "$(dirname "$0")/.."
. experiments/setup.sh
need $packages python3-torch libopenblas0-pthread
build build
targets="mc_uci 20
mc_mnist 10
mc_wide 1.5
train_uci 20
train_mnist 3
train_cd 3
train_cd_uci 20
train_bbb 4
train_bbb_uci 20
hmc_uci 15
conv 1.3"
[ $# -gt 0 ] || set -- $(echo "$targets" | cut -d ' ' -f 1)
rounds=${ROUNDS:-3}

cpu=${CPU:+--cpu}
ours() { build/bnn bench "$1" $cpu ${CPU:+-t 1} | awk '{print $2}'; }
theirs() { env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE /usr/bin/python3 tests/torch_bench.py "$1" $cpu 2>/dev/null | awk '{print $3}'; }
median() { sort -g | sed -n "$(((rounds + 1) / 2))p"; }

printf '%-14s %12s %12s %8s %8s\n' job bnn pytorch ratio target
for job; do
    mine="" other="" round=0
    while [ $round -lt "$rounds" ]; do
        mine="$mine $(ours "$job")"
        other="$other $(theirs "$job")"
        round=$((round + 1))
    done
    a=$(printf '%s\n' $mine | median) b=$(printf '%s\n' $other | median) target=$(echo "$targets" | sed -n "s/^$job //p")
    awk -v job="$job" -v a="$a" -v b="$b" -v t="$target" 'BEGIN {printf "%-14s %12.4g %12.4g %8.1f %8s\n", job, a, b, a / b, t}'
done
