#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# How many times as fast as PyTorch: both sides run the same jobs in turn, three rounds, and the medians are compared.
#   sh tests/compare_peers.sh [JOB...]       default: all jobs that both sides have. Needs python3-torch (Debian), and a machine that does nothing else.
set -e
cd "$(dirname "$0")/.."
. experiments/setup.sh
need $packages python3-torch
build build
[ $# -gt 0 ] || set -- mc_uci mc_mnist mc_wide train_uci train_mnist train_cd train_cd_uci train_bbb train_bbb_uci

ours() { build/bnn bench "$1" | awk '{print $2}'; }
theirs() { env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE /usr/bin/python3 tests/torch_bench.py "$1" 2>/dev/null | awk '{print $3}'; }
median() { sort -g | sed -n 2p; }

printf '%-14s %12s %12s %8s\n' job bnn pytorch ratio
for job; do
    mine="" other=""
    for round in 1 2 3; do
        mine="$mine $(ours "$job")"
        other="$other $(theirs "$job")"
    done
    a=$(printf '%s\n' $mine | median) b=$(printf '%s\n' $other | median)
    awk -v job="$job" -v a="$a" -v b="$b" 'BEGIN {printf "%-14s %12.4g %12.4g %8.1f\n", job, a, b, a / b}'
done
