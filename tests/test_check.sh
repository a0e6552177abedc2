#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# test_check.sh BNN MUTANTS: bnn check, on the types of the library, and on broken ones with a program that knows the layers of tests/mutants.
mutants=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
. "$(dirname "$0")/test_program_common.sh"

works check dense
says 'layer dense: '
says '  gradient           ok'
says '  kl                 n.a.  there are no VARIATIONAL blocks'
check 'a line for each rule' [ "$(wc -l <"$out")" = $(($("$bnn" check --rules --kind layer | wc -l) + 1)) ]
works check dense --rule print
check 'one rule alone' [ "$(wc -l <"$out")" = 2 ]
works check --kind layer --rule print
check 'a line for each type' [ "$(wc -l <"$out")" = $(($("$bnn" list layers | wc -l) - 1)) ]
works check dense --kind layer --rule gradient --json
says '"ok": true'
says '"mode": "DRAW"'
refuses "there is no type 'foo': \`bnn list\` prints those there are" check foo
refuses "there is no engine 'dense': \`bnn list\` prints those there are" check dense --kind engine
refuses "there are no rules for priors yet" check gauss
refuses "unknown rule 'beauty' for layers: there are metadata, " check dense --rule beauty
refuses "--kind: 'foo' is not one of layer, engine, " check dense --kind foo
refuses "'tanh' is one argument too many" check dense tanh

# rejects TEXT ARGUMENT...: exit status 1, silence on stderr, and TEXT on stdout.
rejects() {
    text=$1
    shift
    run check "$@"
    if [ $status = 1 ] && [ ! -s "$err" ]; then says "$text"; else fail "bnn check $*: exit status $status, expected 1"; fi
}
bnn=$mutants
works check pair_0
says ' 0 FAIL'
rejects "  keep               FAIL  'input:5; gate_4': keep says that 0.7 of the units stay" gate_4
rejects "  row_number         FAIL  'input:5; gate_3' in ROWS: rows 0.. and rows 2^32.." gate_3
rejects '"outcome": "fail"' gate_3 --json
works check gate_3 --rule gradient
rejects 'layer pair_2: ' --kind layer --rule shapes
check 'of all types only what is broken' grep -q '  shapes             FAIL' "$out"
check 'of all types not what holds' [ "$(grep -c '  ok' "$out")" = 0 ]
finish
