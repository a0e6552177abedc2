#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs experiments whole and keeps what they say: sh experiments/reproduce.sh NAME[:RUN]...|all [OPTION...]
#   --list          the runs there are, and about how many minutes each takes on two cores
#   --smoke         a short run of each on small or made data instead, held against experiments/expected
#   --data FOLDER   raw data (preset: ../shared/data): uci/NAME and uci_gap/NAME (the published folders, docs/measured.md), tables/airfoil.data and others, mnist/ and
#                   pneumonia/ (IDX), camvid/ (train, trainannot, val, valannot), dogs_cats/ (train, val), mushroom/. Boston and concrete are in the tree.
#   --out FOLDER    where results go: FOLDER/NAME/RUN.json and RUN.txt, prepared data to FOLDER/data (preset: build/results)
#   --again         run also what is there already, of this commit
#   --keep          copy the records into docs/results and renew docs/results.md
# What needs data that are not there is left out and said; the others run. A run that was stopped is begun anew, those before it are not.
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
    all) names="$names $(python3 "$top/experiments/results.py" list | cut -f 1)" ;;
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
data=$out/data
mkdir -p "$data/new"

if [ -n "$smoke" ]; then
    exec meson test -C build --no-rebuild --suite experiments --print-errorlogs $experiments
fi

# join FILE FILE: prints two gzipped IDX files of images or labels as one, plain.
join() {
    python3 -c '
import gzip, struct, sys
first, second = (gzip.open(path).read() for path in sys.argv[1:])
head = 4 + 4 * first[3]
rows = sum(struct.unpack(">I", text[4:8])[0] for text in (first, second))
sys.stdout.buffer.write(first[:4] + struct.pack(">I", rows) + first[8:head] + first[head:] + second[head:])' "$@"
}

# classes FOLDER PATTERN...: makes a folder of links to those folders of dogs_cats/train and val whose names fit.
classes() {
    links=$1
    shift
    rm -rf "$links"
    mkdir -p "$links/train" "$links/val"
    for pattern; do
        for part in train val; do ln -s "$raw_folder/dogs_cats/$part"/$pattern "$links/$part/"; done
    done
}

# table NAME FILE [OPTION...] -- [SPLIT OPTION...]: reads a table of texts and splits it.
table() {
    name=$1 file=$2
    shift 2
    import=''
    while [ "$1" != -- ]; do import="$import $1" && shift; done
    shift
    build/bnn import csv "$file" $import --force -o "$data/new/$name.h5" >/dev/null && build/bnn split "$data/new/$name.h5" "$@" >/dev/null
}

# prepare NAME: makes $data/new/NAME.h5.
prepare() {
    part="$data/new/$1.h5" mnist=$raw_folder/mnist xrays=$raw_folder/pneumonia
    case $1 in
    boston | boston_gap) set=bostonHousing ;;
    naval | naval_gap) set=naval-propulsion-plant ;;
    power | power_gap) set=power-plant ;;
    wine | wine_gap) set=wine-quality-red ;;
    *) set=${1%_gap} ;;
    esac
    case $1 in
    boston) table boston experiments/data/boston.csv --target medv -- --kind pbp --count 20 ;;
    concrete) table concrete experiments/data/concrete.csv --target compressive_strength -- --kind pbp --count 20 ;;
    energy | naval | power | wine) build/bnn import uci "$raw_folder/uci/$set" --force -o "$part" >/dev/null ;;
    *_gap) build/bnn import uci "$raw_folder/uci_gap/$set" --force -o "$part" >/dev/null ;;
    airfoil) table airfoil "$raw_folder/tables/airfoil.data" --no-header -- --kind kfold --count 5 ;;
    heart | ionosphere | australian) table "$1" "$raw_folder/tables/$1.data" --no-header --classes -- --kind kfold --count 5 ;;
    mushroom) table mushroom "$raw_folder/mushroom/agaricus-lepiota.data" --no-header --target 1 -- --kind holdout ;;
    mnist) build/bnn import idx "$mnist/train-images-idx3-ubyte.gz" "$mnist/train-labels-idx1-ubyte.gz" "$mnist/t10k-images-idx3-ubyte.gz" "$mnist/t10k-labels-idx1-ubyte.gz" --force -o "$part" >/dev/null ;;
    fashion)
        clothes=/usr/share/datasets/fashion-mnist # Debian's dataset-fashion-mnist
        build/bnn import idx $clothes/train-images-idx3-ubyte.gz $clothes/train-labels-idx1-ubyte.gz $clothes/t10k-images-idx3-ubyte.gz $clothes/t10k-labels-idx1-ubyte.gz --force -o "$part" >/dev/null
        ;;
    pneumonia)
        join "$xrays/train-images-idx3-ubyte.gz" "$xrays/val-images-idx3-ubyte.gz" >"$data/new/images.idx" && join "$xrays/train-labels-idx1-ubyte.gz" "$xrays/val-labels-idx1-ubyte.gz" >"$data/new/labels.idx" &&
            build/bnn import idx "$data/new/images.idx" "$data/new/labels.idx" "$xrays/test-images-idx3-ubyte.gz" "$xrays/test-labels-idx1-ubyte.gz" --force -o "$part" >/dev/null
        ;;
    camvid120)
        build/bnn import images "$raw_folder/camvid/train" --annotations "$raw_folder/camvid/trainannot" --validation "$raw_folder/camvid/val" --validation-annotations "$raw_folder/camvid/valannot" \
            --void 11 --size 120x90 --pad 120x96 --class-names sky,building,pole,road,pavement,tree,sign,fence,car,pedestrian,cyclist --force -o "$part" >/dev/null
        ;;
    dogs6 | dogs3 | cats)
        case $1 in
        dogs6) classes "$data/new/links" 'dog_*' ;;
        dogs3) classes "$data/new/links" dog_chihuahua dog_german_shepherd dog_golden_retriever ;;
        cats) classes "$data/new/links" 'cat_*' ;;
        esac
        build/bnn import images "$data/new/links/train" --test "$data/new/links/val" --colour --force -o "$part" >/dev/null
        ;;
    *) echo "reproduce.sh: nothing says how data file '$1' is prepared" >&2 && return 1 ;;
    esac
}

raw_folder=$(realpath -m "$raw") lacking='' failed=''
for name in $(python3 experiments/results.py data $names); do
    if [ ! -f "$data/$name.h5" ]; then
        if prepare "$name"; then mv "$data/new/$name.h5" "$data/$name.h5"; else lacking="$lacking $name"; fi
    fi
done
rm -rf "$data/new"
[ -z "$lacking" ] || echo "reproduce.sh: no data for$lacking in $raw: --data FOLDER says where raw data are, --help how they are laid out; runs on them are left out" >&2
for run in $(python3 experiments/results.py list $names | cut -f 1); do
    for file in $(python3 experiments/results.py data "$run"); do
        [ -f "$data/$file.h5" ] || continue 2
    done
    python3 experiments/results.py run "$run" --data "$data" --out "$out" $again || failed="$failed $run"
    if [ -n "$keep" ] && [ -f "$out/${run%:*}/${run#*:}.json" ]; then
        mkdir -p "docs/results/${run%:*}"
        cp "$out/${run%:*}/${run#*:}.json" "docs/results/${run%:*}/"
    fi
done
[ -z "$keep" ] || python3 experiments/results.py page
[ -z "$failed" ] || { echo "reproduce.sh: failed:$failed" >&2 && exit 1; }
