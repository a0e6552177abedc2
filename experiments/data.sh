# SPDX-License-Identifier: GPL-3.0-or-later
# Sourced by experiments/reproduce.sh and others from the top folder: prepared data files of raw data in $raw, as `sh experiments/reproduce.sh --help` lays them out. They go to $data.

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
        for half in train val; do ln -s "$raw/dogs_cats/$half"/$pattern "$links/$half/"; done
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
    part="$data/new/$1.h5" mnist=$raw/mnist xrays=$raw/pneumonia
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
    energy | naval | power | wine) build/bnn import uci "$raw/uci/$set" --force -o "$part" >/dev/null ;;
    *_gap) build/bnn import uci "$raw/uci_gap/$set" --force -o "$part" >/dev/null ;;
    airfoil) table airfoil "$raw/tables/airfoil.data" --no-header -- --kind kfold --count 5 ;;
    airfoil_unit) # its target in units of its standard deviation
        LC_ALL=C awk 'NR == FNR { n++; s += $6; q += $6 * $6; next } FNR == 1 { m = s / n; sd = sqrt(q / n - m * m) } { $6 = ($6 - m) / sd; print }' "$raw/tables/airfoil.data" "$raw/tables/airfoil.data" >"$data/new/airfoil.txt" &&
            table airfoil_unit "$data/new/airfoil.txt" --no-header -- --kind kfold --count 5
        ;;
    heart | ionosphere | australian) table "$1" "$raw/tables/$1.data" --no-header --classes -- --kind kfold --count 5 ;;
    mushroom) # an unknown root is a kind of its own
        sed 's/?/unknown/' "$raw/mushroom/agaricus-lepiota.data" >"$data/new/mushroom.csv" && table mushroom "$data/new/mushroom.csv" --no-header --target 1 -- --kind holdout
        ;;
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
        build/bnn import images "$raw/camvid/train" --annotations "$raw/camvid/trainannot" --validation "$raw/camvid/val" --validation-annotations "$raw/camvid/valannot" \
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
    *) echo "data.sh: nothing says how data file '$1' is prepared" >&2 && return 1 ;;
    esac
}

# prepared NAME...: makes those that are not there; $lacking: those that cannot be made.
prepared() {
    raw=$(realpath -m "$raw") lacking=''
    mkdir -p "$data/new"
    for name; do
        [ ! -f "$data/$name.h5" ] || continue
        if prepare "$name"; then mv "$data/new/$name.h5" "$data/$name.h5"; else lacking="$lacking $name"; fi
    done
    rm -rf "$data/new"
}
