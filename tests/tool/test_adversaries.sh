#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# test_adversaries.sh BNN: rows that are moved so that a run predicts them badly, and rows from elsewhere.
. "$(dirname "$0")/test_fits_common.sh"
json() { ! command -v python3 >/dev/null || python3 -c "import json, sys; d = json.load(open(sys.argv[1])); assert $1, d" "$out"; }

works fit -d c3.csv --split 0 --net 'dense:8; relu; dense' --engine mc_dropout:steps=200 -o c.h5
works attack c.h5 --split all --eps 0.05,0.2 --samples 100
says 'fgm, linf, eps in: share of each column'
works attack c.h5 --split all --method bim --eps 0.05,0.2,1 --samples 100 --json
check 'a row for each length, and one for none' json '[e["eps"] for e in d["lengths"]] == [0, 0.05, 0.2, 1]'
check 'farther is worse' json 'd["lengths"][0]["accuracy"] >= d["lengths"][2]["accuracy"] > d["lengths"][3]["accuracy"] and d["lengths"][0]["ll"] > d["lengths"][1]["ll"] > d["lengths"][3]["ll"]'
cp "$out" bim.json
works attack c.h5 --split all --method bim --eps 0.2 --samples 100 -o adv.h5
says 'wrote adv.h5'
works info --lint adv.h5
works info adv.h5
says 'attacked by bim, linf, eps 0.2'
works evaluate c.h5 --data adv.h5 --samples 100 --json
check 'the file has the rows that were scored' json 'abs(d["ll"] - json.load(open("bim.json"))["lengths"][2]["ll"]) < 1e-6'
works ood c.h5 --in c3.csv --out adv.h5 --samples 100
says 'out: 60 rows of adv.h5'
works attack c.h5 --split all --eps 0.1 --towards 1 --method mim --norm l2 --json
check 'rows are led to a class' json 'd["towards"] == "1" and d["lengths"][1]["success"] > 0'
works attack c.h5 --split all --eps 0.5 --unit measured --method pgd --point --iterations 3 --step 0.2
says 'eps in: units of the data'
for threads in 1 3; do works attack c.h5 --split all --eps 0.1 --method pgd --threads $threads --samples 20 -o t$threads.h5; done
works diff t1.h5 t3.h5

refuses '--eps: how far may a row be moved?' attack c.h5
refuses "--eps: '-1' is no number from 0 on" attack c.h5 --eps -1
refuses "--method: there is no 'fgsm'" attack c.h5 --eps 1 --method fgsm
refuses "--towards: 'cat' is none of the classes" attack c.h5 --eps 1 --towards cat
refuses '9 is no class to be led to' attack c.h5 --eps 1 --towards 9
refuses 'a file holds the rows of one eps, not of 2' attack c.h5 --eps 1,2 -o x.h5
refuses 'c.h5: is the run file' attack c.h5 --eps 1 -o c.h5
works fit -d t.csv --target u,v --split 0 --net 'dense:8; relu; dense' --engine last_layer:engine=map{steps=200} -o two.h5
works attack two.h5 --split all --eps 0.1
says 'rmse / sd'
refuses 'one target cannot serve 2' attack two.h5 --eps 0.1 --towards 1
awk -F, 'NR == 1 { print "a,b" } NR > 1 { print $1 "," $2 }' c3.csv >bare.csv
head -2 c3.csv >alone.csv
refuses 'alone.csv: no column of these rows varies' attack c.h5 --data alone.csv --eps 0.1
refuses 'bare.csv: has no targets' attack c.h5 --data bare.csv --target none --eps 0.1

# Shifts, and the course of scores over them.
printf "$(awk 'BEGIN { printf "\\000\\000\\010\\003\\000\\000\\000\\036\\000\\000\\000\\004\\000\\000\\000\\004"; for (i = 0; i < 480; i++) printf "\\%03o", (i % 16 < 8) == (int(i / 16) % 2) ? 60 : 5 + i % 7 }')" >images
printf "$(awk 'BEGIN { printf "\\000\\000\\010\\001\\000\\000\\000\\036"; for (i = 0; i < 30; i++) printf "\\%03o", i % 2 }')" >labels
works import idx images labels -o i.h5
works fit -d i.h5 --split all --net 'flatten; dense:4; relu; dense' --engine map:steps=300 -o run.h5
works shift i.h5 --rotate 30 -o i30.h5
works shift i.h5 --rotate 180 -o i180.h5
works info --lint i180.h5
works info i180.h5
says 'shifted by rotate 180'
works evaluate run.h5 --split all --also i30.h5 --also i180.h5
says 'rotate 180'
works evaluate run.h5 --split all --also i30.h5 --also i180.h5 --json
check 'a list with a row for each file' json '[s["strength"] for s in d["series"]] == [None, 30, 180] and d["series"][0]["accuracy"] == 1 and d["series"][2]["accuracy"] == 0 and d["series"][0]["nll"] == -d["ll"]'
if command -v gnuplot >/dev/null; then
    works evaluate run.h5 --split all --also i30.h5 --also i180.h5 --plot course.html
    check 'a page with a figure for each score' [ "$(grep -c '<svg' course.html)" = 6 ]
    works evaluate run.h5 --split all --referral 0.2 --plot referral.html
    check 'a page with a figure for the risk' [ "$(grep -c '<svg' referral.html)" = 1 ]
    works attack c.h5 --data c3.csv --eps 0.05,0.1 --plot attacks.html
    check 'a page with a figure for each score' [ "$(grep -c '<svg' attacks.html)" = 5 ]
    refuses 'run.h5: is the run file' evaluate run.h5 --split all --referral 0.2 --plot run.h5 --force
    refuses 'ask for one of both' attack c.h5 --data c3.csv --eps 0.05 --plot attacks.html -o x.h5
    refuses 'attacks.html: is there already' attack c.h5 --data c3.csv --eps 0.05 --plot attacks.html
    refuses 'course.html: is there already' evaluate run.h5 --split all --also i30.h5 --plot course.html
fi
works import csv c3.csv --target kind -o c3t.h5
works shift c3t.h5 --missing a -o lost.h5
works evaluate c.h5 --data c3.csv --also lost.h5
says 'missing 1'
works shift c3t.h5 --noise 0.5 -o noisy.h5
works split c3t.h5 --kind kfold --count 5
works fit -d c3t.h5 --split 1 --net dense --engine map:steps=50 -o fold.h5
works shift c3t.h5 --missing a -o lost_fold.h5
works evaluate fold.h5 --also lost_fold.h5 --json
check 'of the same splits the same test rows' json '[s["rows"] for s in d["series"]] == [12, 12]'
works evaluate c.h5 --data noisy.h5
refuses 'roll is by a whole number' shift i.h5 --roll 0.5 -o x.h5
refuses 'rotate is of images' shift c3t.h5 --rotate 5 -o x.h5
refuses 'c3.csv: is no data file: `bnn import csv FILE --like RUN.h5' shift c3.csv --missing a -o x.h5
refuses "there is no feature 'kind'" shift c3t.h5 --missing kind -o x.h5
refuses 'one shift at a time' shift i.h5 --roll 1 --rotate 5 -o x.h5
refuses 'which shift' shift i.h5 -o x.h5
refuses 'is the data file' shift i.h5 --roll 1 -o i.h5
refuses '--plot: of one file alone' evaluate run.h5 --plot x.html
finish
