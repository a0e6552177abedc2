#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# test_check.sh BNN FOLDER PAGE: bnn check, on the types of the library and on plugins: right ones and mutants, which FOLDER holds and PAGE (docs/conformance.md) tells of.
plugins=$(cd "$2" && pwd)
page=$(cd "$(dirname "$3")" && pwd)/$(basename "$3")
. "$(dirname "$0")/../tool/test_program_common.sh"

works check dense
says 'layer dense: '
says '  gradient           ok'
says '  kl                 n.a.  there are no VARIATIONAL blocks'
check 'a line for each rule' [ "$(wc -l <"$out")" = $(($("$bnn" check --rules --kind layer | wc -l) + 1)) ]
works check dense --rule print
check 'one rule alone' [ "$(wc -l <"$out")" = 2 ]
works check --kind layer --rule print
check 'a line for each type' [ "$(wc -l <"$out")" = $(($("$bnn" list layers | wc -l) - 1)) ]
for type in gaussian gauss adam; do
    works check $type
    says ': '
    check "a line for each rule of $type" [ "$(wc -l <"$out")" -gt 12 ]
    check "no rule broken by $type" [ "$(grep -c FAIL "$out")" = 1 ]
done
works check --rule density
says 'likelihood gaussian: 1 ok, 0 n.a., 0 FAIL'
says 'prior gauss: 1 ok, 0 n.a., 0 FAIL'
check 'only kinds that have the rule' [ "$(grep -cE '^(layer|engine|optimizer) ' "$out")" = 0 ]
works check --rules
says 'rules of priors:'
works check dense --kind layer --rule gradient --json
says '"ok": true'
says '"mode": "DRAW"'
works check hmc
says 'engine hmc: '
says '  two_modes          ok'
works check grid_search --rule linear
says '  linear             n.a.  it makes no claims'
refuses "there is no type 'foo': \`bnn list\` prints those there are" check foo
refuses "there is no engine 'dense': \`bnn list\` prints those there are" check dense --kind engine
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
works check "$plugins/pair_0.so"
says ' 0 FAIL'
rejects "  keep               FAIL  'input:5; gate_4': keep says that 0.7 of the units stay" "$plugins/gate_4.so"
rejects "  row_number         FAIL  'input:5; gate_3' in ROWS: rows 0.. and rows 2^32.." "$plugins/gate_3.so"
rejects "  units              FAIL  'normal_6:sd=0.8' in 1-D: nll of standardised y is " "$plugins/normal_6.so"
rejects "  kl                 FAIL  'ridge_6:sd=0.6' in weights: KL of N(0, 0.9^2) from the prior is 0.127687, quadrature says 0.219535" "$plugins/ridge_6.so"
rejects "  step_size          FAIL  'moment_6': twice the step size moves theta[0] by " "$plugins/moment_6.so"
rejects '"outcome": "fail"' "$plugins/gate_3.so" --json
works check "$plugins/walk_0.so" --rule funnel
rejects "  resume             FAIL  'walk_6:chains=3,samples=5,warmup=15,steps=4': uninterrupted" "$plugins/walk_6.so" --rule resume
works check "$plugins/gate_3.so" --rule gradient
rejects 'layer pair_2: ' --kind layer --rule shapes --plugin "$plugins/pair_2.so"
check 'of all types only what is broken' grep -q '  shapes             FAIL' "$out"
check 'of all types not what holds' [ "$(grep -c '  ok' "$out")" = 0 ]

# Files: each of their types; a failure to load is no verdict.
works check "$plugins/double_exponential.so" --json
check 'each type of a plugin' [ "$(grep -c '^      "name": ' "$out")" = 3 ]
cp "$plugins/swish.so" .
works check swish.so --rule gradient
says 'layer swish: 1 ok, 0 n.a., 0 FAIL'
refuses "swish.so: has no prior" check swish.so --kind prior
refuses "unknown rule 'density' for layers: there are metadata, " check swish.so --rule density
refuses "none.so: No such file or directory" check none.so
refuses "$plugins/no_hook.so: prior 'wrong' lacks the hook draw" check "$plugins/no_hook.so"

# test_mutants.c asks that the page tells every rule and every mutant; here, that it tells no rule that is gone.
"$bnn" check --rules | sed -n 's/^\([a-z_]*\)  *\(.*\)$/| `\1` | \2 |/p' >all
grep '^| `[a-z_]*` | [^|]* |$' "$page" | grep -v '^| `BNN_' >told
check 'the page has no rule that is gone' [ "$(grep -cvxFf all told)" = 0 ]
finish
