#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The main job: which uncertainty can be trusted on this table, and what does it cost?
# Installs what is missing, builds, leads one table to an answer by the engine that is chosen for it, compares engines on two real data sets, and writes a report of all.
#   sh experiments/run.sh [SPLITS]      SPLITS: such as 0-4 (default), or all
set -e
cd "$(dirname "$0")/.."
. experiments/setup.sh
need $packages
build build

bnn=build/bnn
splits=${1:-0-4}
$bnn fit -d experiments/data/mixes.csv --target strength --id mix --missing mean --split 0 --force -o build/mixes.h5
$bnn predict build/mixes.h5 -d experiments/data/new_mixes.csv --force -o build/answer.csv
cut -d , -f 1-5 build/answer.csv
echo
for set in boston concrete; do
    data=build/$set.h5
    case $set in
    boston) target=medv tau='0.1|0.15|0.2' ;;
    concrete) target=compressive_strength tau='0.025|0.05|0.075' ;;
    esac
    if [ ! -f "$data" ]; then
        $bnn import csv experiments/data/$set.csv --target $target -o "$data" >/dev/null
        $bnn split "$data" --kind pbp --count 20 >/dev/null
    fi
    $bnn compare --data "$data" --net 'dense:50; relu; dense' --splits "$splits" --force -o build/$set-comparison.h5 \
        --engine map:epochs=4000 \
        --engine mc_dropout:epochs=4000 \
        --engine held_out_dropout \
        --engine early_stopping \
        --engine "grid_search:engine=mc_dropout{epochs=4000},grid={p=0.005|0.01|0.05|0.1,likelihood.tau=$tau}" \
        --engine bayes_by_backprop:epochs=4000
    echo
done
$bnn report build/mixes.h5 build/boston-comparison.h5 build/concrete-comparison.h5 --force -o build/report.html
echo "open build/report.html in a browser; the answer is build/answer.csv, the numbers are in build/*.h5"
