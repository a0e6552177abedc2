#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# test_choices.sh BNN: agents that act on what they know, and rows that are worth asking for.
. "$(dirname "$0")/test_fits_common.sh"
json() { ! command -v python3 >/dev/null || python3 -c "import json, sys; d = json.load(open(sys.argv[1])); assert $1, d" "$out"; }

agent="--net dense:8;relu;dense --steps 200 --every 20"
sed 's/x$/edible/; s/[yz]$/bad/' c3.csv >m.csv
works bandit m.csv --target kind --policy random --steps 400 --runs 3
says 'mushrooms, random: regret in 3 runs'
works import csv m.csv --target kind -o m.h5
works bandit m.h5 $agent --runs 3 --json
check 'curves of each run, their mean and its error' json 'd["step"][-1] == 200 and len(d["regret_of_runs"]) == 3 and abs(sum(c[-1] for c in d["regret_of_runs"]) / 3 - d["regret"][-1]) < 1e-6 and d["regret_se"][-1] > 0'
cp "$out" one.json
for threads in 1 3; do
    works bandit m.h5 $agent --runs 3 --json --threads $threads
    check 'the same at any number of threads' cmp -s "$out" one.json
done
works bandit c3.csv --game guesses --target kind $agent -e map --head last_layer --policy greedy
says 'guesses, greedy, map, with a head: regret in 1 run'
works bandit --game wheel --delta 0.5 $agent -e map --policy epsilon --epsilon 0.1 -o wheel.h5
says 'wheel, epsilon 0.1, map: regret in 1 run'
says 'wrote wheel.h5'
works bandit m.h5 $agent --runs 3 -o eaten.h5
refuses 'eaten.h5: is there already' bandit m.h5 $agent --runs 3 -o eaten.h5
works info --lint eaten.h5
works info eaten.h5
says 'eaten.h5: mushrooms, thompson, bayes_by_backprop: regret in 3 runs'
works info --json eaten.h5
check 'a file has the curves that were printed' json 'all(d[k] == v for k, v in json.load(open("one.json")).items() if k != "data")'
if command -v gnuplot >/dev/null; then
    works report eaten.h5 wheel.h5 -o eaten.html
    check 'each game has a figure' [ "$(grep -c '<h3>Regret</h3>' eaten.html)" = 2 ]
    check 'an agent has its row' grep -q 'name">epsilon 0.1, map</span>' eaten.html
    refuses "m.h5: holds 'bnn-data', expected 'bnn-regret'" report eaten.h5 m.h5 -o both.html
else
    echo "skipped: gnuplot is not installed"
fi
works bandit m.csv --target kind $agent -e 'last_layer:engine=map{steps=50}' --anew
works bandit m.h5 $agent --runs 3 --settle --json
check 'steps that end small lead elsewhere' sh -c '! cmp -s "$1" one.json' - "$out"
refuses '--good: which class of c2.csv can be eaten?' bandit c2.csv --target kind
refuses "--good: 'cat' is none of the classes" bandit c2.csv --target kind --good cat
refuses 'a table with two classes is needed, not one with 3' bandit c3.csv --target kind --good x
refuses 'which table?' bandit
refuses 'the wheel has no table' bandit m.csv --game wheel
refuses 'between 0 and 1, not 1' bandit --game wheel --delta 1
refuses "--policy: there is no 'bayes'" bandit m.csv --policy bayes
refuses "cannot begin with the parameters of another run" bandit m.csv --target kind $agent -e map --head hmc

# Rows that are worth asking for.
works fit -d c3.csv --split 0 --net 'dense:8; relu; dense' --engine mc_dropout:steps=200,p=0.2 -o c.h5
works acquire c.h5 --pool c3.csv -n 3 --by batchbald --samples 50
says '3 of 60 training rows of c3.csv, by batchbald'
for by in entropy bald batchbald variance random; do
    works acquire c.h5 --split all -n 5 --by $by --samples 50 --json
    check "five rows by $by" json 'len(set(d["rows"])) == 5 and all(1 <= r <= 60 for r in d["rows"]) and len(d["scores"]) == 5'
    [ $by = random ] || check 'the largest first, or together more and more' json '(d["scores"] == sorted(d["scores"])) if d["by"] == "batchbald" else d["scores"] == sorted(d["scores"], reverse=True)'
done
awk 'NR == 1 { print "name," $0 } NR > 1 { print "row" NR - 1 "," $0 }' c3.csv >named.csv
works acquire c.h5 --pool named.csv --id name -n 2 --by random
says 'name'
cp "$out" names
works acquire c.h5 --pool named.csv --id name -n 2 --by random -o ask.h5 --scores chosen.h5
says 'wrote chosen.h5'
works info --lint chosen.h5
works info chosen.h5
says 'chosen.h5: 2 rows chosen of 60 by random'
check 'it has the rows in their order' [ "$(awk 'NR > 2 { print "row" $1 }' "$out" | tr '\n' ' ')" = "$(awk 'NR > 2 { print $3 }' names | tr '\n' ' ')" ]
if command -v gnuplot >/dev/null; then
    works report chosen.h5 -o chosen.html
    check 'a page has a row for each' [ "$(grep -c '<th scope="row">' chosen.html)" = 2 ]
fi
refuses 'ask.h5: is the file of rows' acquire c.h5 --pool named.csv --id name -o ask.h5 --scores ask.h5
works info --lint ask.h5
works predict c.h5 --data ask.h5 -o ask.csv
check 'the file has the rows in their order' [ "$(awk -F, 'NR > 1 { print $1 }' ask.csv | tr '\n' ' ')" = "$(awk 'NR > 2 { print $3 }' names | tr '\n' ' ')" ]
awk -F, '{ print $1 "," $2 }' c3.csv >bare.csv
works acquire c.h5 --pool bare.csv -n 2
refuses '61 rows cannot be taken from a pool of 60' acquire c.h5 --pool c3.csv -n 61
refuses "--by: there is no rule 'best'" acquire c.h5 --by best
works fit -d r.csv --target y --split 0 --net dense --engine last_layer:engine=map{steps=100} -o r.h5.run.h5
works acquire r.h5.run.h5 --split all -n 3
refuses 'real targets have no entropy to choose by' acquire r.h5.run.h5 --split all --by entropy
finish
