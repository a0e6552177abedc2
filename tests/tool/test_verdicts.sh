#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# test_verdicts.sh BNN: what speaks against an answer is said after fit and evaluate, in text, JSON and files; with --strict it is a status.
. "$(dirname "$0")/test_fits_common.sh"

awk 'BEGIN {
    print "x,y"
    srand(1)
    for (i = 0; i < 400; i++) printf "%.4f,%.4f\n", i / 200 - 1, i / 100 + (rand() + rand() + rand() + rand() - 2) / 5
}' >line.csv
works import csv line.csv --target y -o line.h5
works split line.h5 --kind holdout --count 1 --seed 1

works fit -d line.h5 --net dense --engine laplace --strict -o good.h5
says 'verdict: nothing speaks against it'
works evaluate good.h5 --strict
says 'verdict: nothing speaks against it'
works info good.h5
says 'verdict: nothing speaks against it'
json() { ! command -v python3 >/dev/null || python3 -c "import json, sys; d = json.load(open(sys.argv[1])); assert $1, d" "$out"; }
works evaluate good.h5 --json
check 'no verdict is an empty list' json 'd["verdicts"] == []'

# A noise that is fixed far below what the targets vary by.
run fit -d line.h5 --net dense --likelihood gaussian:tau=1e6 --engine map:steps=2000 --strict -o bad.h5
check 'a bad verdict is status 1, where it is asked for' [ $status = 1 ]
check 'and its sentence' grep -q '^bad: overconfident: 90 % intervals hold' "$out"
check 'the run is written all the same' [ -s bad.h5 ]
works info bad.h5
says 'bad: overconfident'
works info --json bad.h5
check 'files have verdicts with code, sentence and severity' json '("overconfident", "bad") in [(v["code"], v["severity"]) for v in d["verdicts"]]'
works evaluate bad.h5
says 'bad: overconfident'
run evaluate bad.h5 --strict --json
check 'evaluate ends likewise' [ $status = 1 ]
works evaluate good.h5 -d line.h5 --split all
says 'warning: in_sample: 360 of the 400 rows were fitted'
works compare -d line.h5 --net dense --likelihood gaussian:tau=1e6 --engine map:steps=2000 --json -o c.h5
check 'a comparison has them by engine' json '"overconfident" in [v["code"] for v in d["engines"][0]["verdicts"]]'
works compare -d line.h5 --net dense --likelihood gaussian:tau=1e6 --engine map:steps=2000 --engine hmc:chains=2,samples=20,warmup=0,step=1e-7 -o d.h5
says '    split 0: bad: overconfident'
says 'the chains of B have not met on split 0: it is no judge'
finish
