#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# test_plugins.sh BNN FOLDER: plugins in the program, by --plugin and BNN_PLUGIN_PATH; FOLDER holds those of tests/plugins.
plugins=$(cd "$2" && pwd)
. "$(dirname "$0")/test_program_common.sh"
unset BNN_PLUGIN_PATH
swish=$plugins/swish.so laplace=$plugins/double_exponential.so restarts=$plugins/restarts.so
tables

# ---------------------------------------------------------------- which there are

works list
check 'without a plugin there is no list of them' [ "$(grep -c '^plugins' "$out")" = 0 ]
works list plugins
check 'and an empty one where it is asked for' [ "$(cat "$out")" = plugins ]
works list --plugin "$swish" --plugin "$laplace"
says "  swish                      an input times its own sigmoid (plugin swish $(sha256sum "$swish" | cut -c 1-12))"
says '  sign                       steps of one length against the sign of the gradient (plugin laplace_1774 2.1-rc1)'
says "  laplace_1774               2.1-rc1, $laplace: prior double_exponential, likelihood double_exponential, optimizer sign"
says "sha256 $(sha256sum "$laplace" | cut -c 1-64)"
works show swish --plugin "$swish"
says "  plugin: swish $(sha256sum "$swish" | cut -c 1-12), $swish"
works --help
says 'BNN_PLUGIN_PATH'
commands=$("$bnn" --help | sed -n 's/^  \([a-z-]*\)  *[a-z].*/\1/p')
check 'the help lists the commands' [ "$(echo $commands | wc -w)" -ge 16 ]
for command in $commands; do
    works $command --help
    says '--plugin=FILE'
done

# ---------------------------------------------------------------- the variable

mkdir both && ln -s "$swish" "$laplace" both && : >both/notes.txt
BNN_PLUGIN_PATH=both:$restarts
export BNN_PLUGIN_PATH
works list plugins
check 'folders in the order of names, then files' [ "$(sed -n 's/^  \([a-z_0-9]\{1,\}\) .*so:.*/\1/p' "$out" | tr '\n' ' ')" = 'laplace_1774 swish restarts ' ]
works list plugins --plugin both/swish.so
check 'a plugin that is there already is no failure' [ "$(grep -c sha256 "$out")" = 3 ]
BNN_PLUGIN_PATH=none
refuses 'bnn: BNN_PLUGIN_PATH: none: No such file or directory' list
works list --help
BNN_PLUGIN_PATH=
works list

# ---------------------------------------------------------------- wrong ones, on every command

for command in $commands; do
    case $command in
    import) arguments='csv r.csv -o new.h5' ;;
    import-weights) arguments="r.h5 --net dense -o new.h5" ;;
    split) arguments='r.h5 --count 2' ;;
    info | predict | evaluate | report | diagnose) arguments=r.h5 ;;
    calibrate) arguments='r.h5 --method temperature -o new.h5' ;;
    ood) arguments='r.h5 --out r.h5' ;;
    attack) arguments='r.h5 --eps 0.1 -o new.h5' ;;
    shift) arguments='r.h5 --noise 1 -o new.h5' ;;
    acquire) arguments='r.h5 --pool r.h5' ;;
    bandit) arguments='r.csv --target y' ;;
    sbc) arguments='--net dense --engine hmc' ;;
    show | check) arguments=dense ;;
    fit) arguments='-d r.h5 --net dense --engine map -o new.h5' ;;
    compare) arguments='-d r.h5 --net dense --engine map' ;;
    merge) arguments='r.h5 -o new.h5' ;;
    diff) arguments='r.h5 r.h5' ;;
    new-*) arguments=fresh ;;
    complete) arguments=fit ;;
    *) arguments= ;;
    esac
    refuses "bnn: $plugins/no_hook.so: prior 'wrong' lacks the hook draw" $command $arguments --plugin "$plugins/no_hook.so"
    BNN_PLUGIN_PATH=$plugins/other_abi.so
    refuses "bnn: BNN_PLUGIN_PATH: $plugins/other_abi.so: has ABI 9, this library has ABI 2" $command $arguments
    BNN_PLUGIN_PATH=
done
refuses "r.csv: is not a shared library" list --plugin r.csv
refuses "none.so: No such file or directory" list --plugin none.so
refuses "layer 'swish' exists already, in $swish" list --plugin "$swish" --plugin "$plugins/swish_twin.so"
warns "swish_twin.so: layer 'swish' exists already, in $swish: what is checked stands in its place" check "$plugins/swish_twin.so" --plugin "$swish" --rule print
says 'layer swish: 1 ok'
warns "duplicate.so: prior 'gauss' exists already: what is checked" check "$plugins/duplicate.so" --rule print
says 'prior gauss: '
refuses "twins.so: prior 'wrong' exists already, in $plugins/twins.so" check "$plugins/twins.so" --rule print
refuses "option '--plugin' requires an argument" list --plugin

# ---------------------------------------------------------------- at work

swish_net='dense:6; swish:beta=2; dense'
refuses "unknown layer 'swish'" fit -d r.h5 --net "$swish_net" --engine map:epochs=2 -o new.h5
works fit -d r.h5 --net "$swish_net" --engine 'restarts:engine=map{epochs=20,optimizer=sign},count=2' -l double_exponential -p double_exponential \
    --samples 5 -o run.h5 --plugin "$swish" --plugin "$laplace" --plugin "$restarts"
BNN_PLUGIN_PATH=$swish:$laplace:$restarts
works predict run.h5 -o run.csv
works predict run.h5 --interval 0.9,0.5 --draws 2000
check 'an interval holds its share of the draws of y, whatever the likelihood' awk -F, 'NR > 1 { for (i = 12; i <= NF; i++) { n++; nine += $i >= $4 && $i <= $5; half += $i >= $6 && $i <= $7 } }
    END { if (n != 24000 || nine / n < 0.89 || nine / n > 0.91 || half / n < 0.48 || half / n > 0.52) { print n, nine / n, half / n; exit 1 } }' "$out"
works evaluate run.h5
works info run.h5
works compare -d r.h5 --net "$swish_net" --engine map:epochs=2,optimizer=sign --engine mc_dropout:epochs=2 --splits 0 --samples 5 -o cmp.h5
works report cmp.h5 -o cmp.html

# ---------------------------------------------------------------- in files

sha_of() { sha256sum "$1" | cut -c 1-64; }
sha_swish=$(sha_of "$swish") sha_laplace=$(sha_of "$laplace") sha_restarts=$(sha_of "$restarts")
works info run.h5
says "  plugin      swish $(echo "$sha_swish" | cut -c 1-12) (layer swish), $swish, sha256 $sha_swish"
says "  plugin      laplace_1774 2.1-rc1 (prior double_exponential, likelihood double_exponential, optimizer sign), $laplace, sha256 $sha_laplace"
says "  plugin      restarts $(echo "$sha_restarts" | cut -c 1-12) (engine restarts), $restarts, sha256 $sha_restarts"
works info --lint run.h5
works fit -d r.h5 --net "$net" --engine map:epochs=2 -o plain.h5
run info plain.h5
check 'a run without types of plugins names none' [ "$(grep -c plugin "$out")" = 0 ]
works fit -d r.h5 --net "$net" --engine map:epochs=2,optimizer=sign -o sign.h5
works info sign.h5
check 'an option that names a type counts, others do not' [ "$(grep -c '  plugin  ' "$out") $(grep -c laplace_1774 "$out")" = '1 1' ]

# A layer with the name of an engine: a run that uses the engine alone neither names the plugin nor asks for it.
works fit -d r.h5 --net "$net" --engine ensemble:engine=map{epochs=2},members=2 -o words.h5 --plugin "$plugins/map.so"
run info words.h5
check 'a word in a text is no use of a type' [ "$(grep -c '  plugin  ' "$out")" = 0 ]
BNN_PLUGIN_PATH=
works predict words.h5 -o words.csv
works fit -d r.h5 --net 'dense:4; map; dense' --engine map:epochs=2 -o layer.h5 --plugin "$plugins/map.so"
refuses "bnn: layer.h5: was made with the layer 'map' of plugin map " predict layer.h5

BNN_PLUGIN_PATH=$laplace
needs="was made with the layer 'swish' of plugin swish $(echo "$sha_swish" | cut -c 1-12), which is not loaded: load $swish (SHA-256 $sha_swish), with --plugin or BNN_PLUGIN_PATH"
for command in predict evaluate; do refuses "bnn: run.h5: $needs" $command run.h5; done
refuses "bnn: run.h5: $needs" fit -d r.h5 --net "$swish_net" --engine map:epochs=2 -o run.h5 --resume
refuses "bnn: run.h5: $needs" fit -d r.h5 --from run.h5 --engine laplace -o new.h5
works info run.h5
says 'run.h5: run, whose plugin is missing'
says "  missing     run.h5: $needs"
says "  net         input; dense:units=6"
says '  predicted   '
works report run.h5 -o run.html
BNN_PLUGIN_PATH=$swish
refuses "bnn: run.h5: was made with the prior 'double_exponential' of plugin laplace_1774 2.1-rc1, which is not loaded: load $laplace " predict run.h5
BNN_PLUGIN_PATH=$laplace:$swish
refuses "bnn: run.h5: was made with the engine 'restarts' of plugin restarts " fit -d r.h5 --net "$swish_net" --engine map:epochs=2 -o run.h5 --resume
works predict run.h5 -o without.csv
check 'what chose a run is not needed to predict with it' cmp run.csv without.csv

# Versions: what the author says, or the bytes of the file.
BNN_PLUGIN_PATH=
works fit -d r.h5 --net "$swish_net" --engine map:epochs=2 --samples 5 -o first.h5 --plugin "$plugins/swish_1.so"
works predict first.h5 -o first.csv --plugin "$plugins/swish_1.so"
check 'one version, two files' [ "$(sha_of "$plugins/swish_1.so")" != "$(sha_of "$plugins/swish_1_again.so")" ]
bytes="first.h5: was made with plugin swish 1 of SHA-256 $(sha_of "$plugins/swish_1.so"), $plugins/swish_1_again.so has the same version and other bytes"
warns "$bytes" predict first.h5 -o again.csv --plugin "$plugins/swish_1_again.so"
warns "$bytes" info first.h5 --plugin "$plugins/swish_1_again.so"
warns "$bytes" fit -d r.h5 --net "$swish_net" --engine map:epochs=2 --samples 5 -o first.h5 --resume --plugin "$plugins/swish_1_again.so"
other="bnn: first.h5: was made with the layer 'swish' of plugin swish 1, loaded is that of swish 2 ($plugins/swish_2.so), which may compute something else: load $plugins/swish_1.so (SHA-256 $(sha_of "$plugins/swish_1.so"))"
refuses "$other" predict first.h5 -o new.csv --plugin "$plugins/swish_2.so"
refuses "$other" fit -d r.h5 --net "$swish_net" --engine map:epochs=2 -o first.h5 --resume --plugin "$plugins/swish_2.so"
works info first.h5 --plugin "$plugins/swish_2.so"
says '  missing     first.h5: was made with the layer'
finish
