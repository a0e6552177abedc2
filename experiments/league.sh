#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The league: engines on the standard and on the gap splits of six UCI sets, with published rows beside them: sh experiments/league.sh [PART...] [OPTION...]
#   PART            first    hmc with learned scales and the choice of `bnn fit` (auto): on two cores the small sets are done in 15 minutes, power in 30, naval in 60
#                   airfoil  against bde: about 5 minutes
#                   presets  every engine without an option, small sets first
#                   tuned    options chosen by inner validation
#                   chains   nuts with learned scales
#                   (preset: all of these, in this order)
#   --splits LIST   standard splits (preset: 0-4; all: the published 20)
#   --data, --out   as of experiments/reproduce.sh
#   --list          the pieces, without running them
#   --keep          copy the records into docs/results/league, draw, and renew docs/results.md
# A piece is one engine on the splits of one set, and one line of what this prints. What is there already is not run again, a piece that was stopped goes on where it was.
set -e
top=$(cd "$(dirname "$0")/.." && pwd)
usage() { sed -n '3,/^set/s/^# \{0,1\}//p' "$0"; }
small='boston energy concrete wine' large='power naval'
presets='swag map mc_dropout held_out_dropout bayes_by_backprop last_layer laplace sgld sghmc ensemble ensemble:engine=swag ensemble:engine=mc_dropout early_stopping svgd grid_search hmc nuts'
scales='steps=250,samples=200,warmup=100,scales=noncentred,target_accept=0.9'

parts='' splits=0-4 raw=../shared/data out=build/results keep='' list=''
while [ $# -gt 0 ]; do
    case $1 in
    --help) usage && exit 0 ;;
    --keep) keep=yes ;;
    --list) list=yes ;;
    --splits | --data | --out)
        [ $# -gt 1 ] || { echo "league.sh: $1 wants a value" >&2 && exit 2; }
        case $1 in --splits) splits=$2 ;; --data) raw=$(realpath "$2") ;; --out) out=$(realpath -m "$2") ;; esac
        shift
        ;;
    first | airfoil | presets | tuned | chains) parts="$parts $1" ;;
    *) echo "league.sh: no part or option '$1': --help lists them" >&2 && exit 2 ;;
    esac
    shift
done
cd "$top"

# grid ENTRY...: of each set first the standard splits, then the gaps, a piece for each entry.
grid() { for set in $sets; do for kind in standard gap; do for entry; do printf '%s %s %s\n' "$kind" "$set" "$entry"; done; done; done; }

# pieces PART: prints its pieces in order: kind of splits, set, entry.
pieces() {
    case $1 in
    first) sets="$small $large" && grid auto hmc_scales ;;
    airfoil) printf 'airfoil airfoil %s\n' hmc_scales_4x16 ensemble_4x16 ;;
    presets) sets=$small && grid $presets && sets=$large && grid $presets ;;
    tuned) sets="$small $large" && grid dropout_grid prior_grid ;;
    chains) sets="$small $large" && grid nuts_scales ;;
    esac
}

# settings ENTRY KIND: net, likelihood, prior, engine and which splits.
settings() {
    net='dense:50; relu; dense' likelihood='' prior='' engine=$1
    deep='dense:16; tanh; dense:16; tanh; dense:16; tanh; dense:16; tanh; dense' # as bde's, but for tanh, on which chains move farther
    case $1 in
    auto) net=auto ;;
    hmc_scales | nuts_scales) net='dense:50; tanh; dense' likelihood=gaussian:sd=0.05,shape=0.25 prior=hierarchical engine=hmc:$scales ;;
    hmc_scales_4x16) net=$deep likelihood=heteroscedastic prior=hierarchical engine=hmc:steps=800,samples=200,warmup=200,scales=noncentred ;;
    ensemble_4x16) net=$deep likelihood=heteroscedastic engine=ensemble:engine=map ;;
    dropout_grid) engine='grid_search:validation=last,engine=mc_dropout{epochs=2000,lr=0.003,schedule=cosine},grid={p=0.0005|0.001|0.005|0.01|0.05|0.1}' ;;
    prior_grid) engine='grid_search:validation=last,engine=bayes_by_backprop,grid={prior.sd=0.1|0.3|1|3}' ;;
    esac
    [ "$1" != nuts_scales ] || engine=nuts:samples=200,warmup=100,scales=noncentred,target_accept=0.9
    of=$splits
    [ "$2" = standard ] || of=all
}

parts=${parts:-first airfoil presets tuned chains}
if [ -n "$list" ]; then
    for part in $parts; do pieces "$part"; done
    exit
fi
. experiments/setup.sh
need $packages python3
targets=bnn
build build
. experiments/data.sh
data=$out/data
prepared $(for set in $small $large; do echo "$set ${set}_gap"; done) airfoil_unit
[ -z "$lacking" ] || echo "league.sh: no data for$lacking in $raw: --data FOLDER says where raw data are; their pieces are left out" >&2
mkdir -p "$out/league"

# run KIND SET ENTRY: one piece, its splits side by side, one on each processor; prints its line.
run() {
    kind=$1 set=$2 entry=$3
    settings "$entry" "$kind"
    file=$set piece="$out/league/$kind-$set-$(printf %s "$entry" | tr : -)"
    case $kind in gap) file=${set}_gap ;; airfoil) file=airfoil_unit ;; esac
    [ -f "$data/$file.h5" ] || return 0
    if [ ! -f "$piece.json" ]; then
        mkdir -p "$piece"
        build/bnn info "$data/$file.h5" --json >"$piece/info"
        set -- build/bnn compare --threads 1 --data "$data/$file.h5" --net "$net" --engine "$engine" --checkpoint-every 1min --resume --json
        [ -z "$likelihood" ] || set -- "$@" --likelihood "$likelihood"
        [ -z "$prior" ] || set -- "$@" --prior "$prior"
        python3 experiments/league.py splits "$of" "$piece/info" | xargs -P "$(nproc)" -I '{}' sh -c '
            folder=$1 split=$2
            shift 2
            [ -f "$folder/$split.json" ] || { "$@" --splits "$split" --output "$folder/$split.h5" >"$folder/$split.new" 2>"$folder/$split.log" && mv "$folder/$split.new" "$folder/$split.json"; }
        ' split "$piece" '{}' "$@" || { echo "$kind $set $entry: stopped, or failed:" && tail -n 1 "$piece"/*.log && return 1; } >&2
        python3 experiments/league.py record "$kind" "$set" "$entry" "$piece" "$piece.json"
    fi
    python3 experiments/league.py line "$piece.json"
}

for part in $parts; do
    pieces "$part" | while read -r kind set entry; do run "$kind" "$set" "$entry"; done
done
if [ -n "$keep" ]; then
    mkdir -p docs/results/league
    cp "$out"/league/*.json docs/results/league/
    python3 experiments/league.py draw
    python3 experiments/results.py page
fi
