#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs experiments whole and keeps what they say: sh experiments/reproduce.sh NAME[:RUN]...|all [OPTION...]
#   --list          the runs there are, and about how many minutes each takes on two cores
#   --smoke         a short run of each on small or made data instead, held against experiments/expected
#   --data FOLDER   raw data (preset: ../shared/data): uci/NAME and uci_gap/NAME (the published folders, docs/measured.md), tables/airfoil.data and others, mnist/ and
#                   pneumonia/ (IDX), camvid/ (train, trainannot, val, valannot), dogs_cats/ (train, val), mushroom/. Boston and concrete are in the tree.
#   --out FOLDER    where results go: FOLDER/NAME/RUN.json and RUN.txt, prepared data to FOLDER/data (preset: build/results)
#   --again         run also what is there already, of this commit
#   --keep          copy the records into docs/results, draw pictures, and renew docs/results.md
# What needs data that are not there is left out and said; the others run. A run that was stopped is begun anew, those before it are not; of all, short ones come first.
set -e
top=$(cd "$(dirname "$0")/.." && pwd)

usage() { sed -n '3,/^set/s/^# \{0,1\}//p' "$0"; }

raw=../shared/data out=build/results names='' smoke='' again='' keep='' list=''
while [ $# -gt 0 ]; do
    case $1 in
    --help) usage && exit 0 ;;
    --list) list=yes ;;
    --smoke) smoke=yes ;;
    --again) again=--again ;;
    --keep) keep=yes ;;
    --data | --out)
        [ $# -gt 1 ] || { echo "reproduce.sh: $1 wants a folder" >&2 && exit 2; }
        [ "$1" = --data ] && raw=$(realpath "$2") || out=$(realpath -m "$2")
        shift
        ;;
    -*) echo "reproduce.sh: no option '$1': --help lists them" >&2 && exit 2 ;;
    all) names="$names $(python3 "$top/experiments/results.py" list | LC_ALL=C sort -k 2,2n | cut -f 1)" ;;
    *) names="$names $1" ;;
    esac
    shift
done
cd "$top"
[ -z "$list" ] || exec python3 experiments/results.py list $names
[ -n "$names" ] || { usage >&2 && exit 2; }
python3 experiments/results.py list $names >/dev/null # wrong names before anything is built
. experiments/setup.sh
need $packages python3
experiments=$(printf '%s\n' $names | cut -d : -f 1 | sort -u)
targets="bnn $(printf 'experiments/%s\n' $experiments)"
build build

if [ -n "$smoke" ]; then
    exec meson test -C build --no-rebuild --suite experiments --print-errorlogs $experiments
fi

. experiments/data.sh
data=$out/data failed=''
prepared $(python3 experiments/results.py data $names)
[ -z "$lacking" ] || echo "reproduce.sh: no data for$lacking in $raw: --data FOLDER says where raw data are, --help how they are laid out; runs on them are left out" >&2
for run in $(python3 experiments/results.py list $names | cut -f 1); do
    for file in $(python3 experiments/results.py data "$run"); do
        [ -f "$data/$file.h5" ] || continue 2
    done
    python3 experiments/results.py run "$run" --data "$data" --out "$out" $again || failed="$failed $run"
    if [ -n "$keep" ] && [ -f "$out/${run%:*}/${run#*:}.json" ]; then
        mkdir -p "docs/results/${run%:*}"
        for kept in json csv; do [ ! -f "$out/${run%:*}/${run#*:}.$kept" ] || cp "$out/${run%:*}/${run#*:}.$kept" "docs/results/${run%:*}/"; done
    fi
done
[ -z "$keep" ] || { python3 experiments/pictures.py && python3 experiments/results.py page; }
[ -z "$failed" ] || { echo "reproduce.sh: failed:$failed" >&2 && exit 1; }
