#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# 90 % intervals on random splits of a UCI set, as they are and after conformal calibration: the table of docs/uncertainty_at_work.md.
# usage: conformal_uci.sh BNN DATA.txt [SPLITS]     BNN: the program; DATA.txt: numbers, the last column is the target; preset 12 splits
# 60 % of the rows are fitted, 20 % calibrate, 20 % test. Printed: engine, method, coverage (its standard error over splits), mean width.
set -eu
bnn=$(realpath "$1") data=$(realpath "$2") splits=${3:-12}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# Coverage and mean width of the intervals that a run predicts for the test rows; y is the last column of an answer.
measure() {
    "$bnn" predict "$1" -d test.txt --no-header --samples 200 -o answer.csv --force >/dev/null
    awk -F, 'NR > 1 { n++; held += $4 <= $NF && $NF <= $5; width += $5 - $4 } END { print held / n, width / n }' answer.csv
}

for split in $(seq "$splits"); do
    awk -v seed="$split" 'BEGIN { srand(seed) } { u = rand(); print >(u < .6 ? "fit.txt" : u < .8 ? "held.txt" : "test.txt") }' "$data"
    for engine in map:steps=1500 mc_dropout:steps=1500,p=0.05; do
        "$bnn" fit -d fit.txt --no-header --net 'dense:50; relu; dense' --engine $engine --samples 1 -o plain.h5 --force >/dev/null
        echo "$engine plain $(measure plain.h5)" >>found
        for method in split normalised cqr; do
            "$bnn" calibrate plain.h5 --on held.txt --no-header --samples 200 --method $method -o calibrated.h5 --force >/dev/null
            echo "$engine $method $(measure calibrated.h5)" >>found
        done
    done
done
awk '{ k = $1 " " $2; if (!(k in n)) order[++kinds] = k; n[k]++; c[k] += $3; cc[k] += $3 * $3; w[k] += $4 }
     END { for (i = 1; i <= kinds; i++) { k = order[i]; m = c[k] / n[k]; se = n[k] > 1 ? sqrt((cc[k] / n[k] - m * m) / (n[k] - 1)) : 0
                                          printf "%-24s %.3f (%.3f)  %.3g\n", k, m, se, w[k] / n[k] } }' found
