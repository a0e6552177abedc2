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
works bandit --game wheel --delta 0.5 $agent -e map --policy epsilon --epsilon 0.1
works bandit m.csv --target kind $agent -e 'last_layer:engine=map{steps=50}' --anew
refuses '--good: which class of c2.csv can be eaten?' bandit c2.csv --target kind
refuses "--good: 'cat' is none of the classes" bandit c2.csv --target kind --good cat
refuses 'a table with two classes is needed, not one with 3' bandit c3.csv --target kind --good x
refuses 'which table?' bandit
refuses 'the wheel has no table' bandit m.csv --game wheel
refuses 'between 0 and 1, not 1' bandit --game wheel --delta 1
refuses "--policy: there is no 'bayes'" bandit m.csv --policy bayes
refuses "cannot begin with the parameters of another run" bandit m.csv --target kind $agent -e map --head hmc
finish
