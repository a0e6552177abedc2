#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# test_program.sh BNN: what the program does when all is well, from text files to a report, by exit status, output and files.
. "$(dirname "$0")/test_program_common.sh"

# has KEY...: the last stdout is one JSON object with these keys, all numbers finite; "cost.flops" is flops inside cost.
has() {
    if command -v python3 >/dev/null; then
        check "JSON with $*" python3 - "$out" "$@" <<'P'
import json, math, sys
o = json.load(open(sys.argv[1]))
for path in sys.argv[2:]:
    v = o
    for key in path.split('.'): v = v[int(key) if isinstance(v, list) else key]
    assert isinstance(v, str) and v or isinstance(v, (int, float)) and math.isfinite(v), path
P
    else
        for key; do check "JSON with $key" grep -q "\"${key#*.}\": [\"0-9-]" "$out"; done
    fi
}
cost='cost.gradients cost.forwards cost.flops cost.seconds_wall cost.seconds_cpu cost.peak_bytes'

# ---------------------------------------------------------------- from a table to a report

tables
works info r.h5
says 'r.h5: data, 60 rows, features [2], regression'
says '48 train, 0 validation, 12 test rows'
works fit -d r.h5 --net "$net" --engine mc_dropout:epochs=30 --samples 40 -o run.h5
says 'wrote run.h5'
says 'log-likelihood'
works info run.h5
says 'run.h5: run, '
works predict run.h5 --samples 20 -o pred.csv
check 'a line of CSV for each row, and one of names' [ "$(wc -l <pred.csv)" = 13 ]
check 'names of columns' grep -qx 'row,mean_y,sd_y,lo90_y,hi90_y,var_epistemic_y,var_aleatoric_y,mcse_y,y_y' pred.csv
works predict run.h5 --samples 20
check 'CSV to standard output is that of the file' cmp -s "$out" pred.csv
works predict run.h5 --samples 20 -o -
check 'and so it is where it is named -' cmp -s "$out" pred.csv
works predict run.h5 --samples 20 --interval 0.5,0.999 --quantiles 0.05,0.975 --draws 2
says 'row,mean_y,sd_y,lo50_y,hi50_y,lo99.9_y,hi99.9_y,q05_y,q97.5_y,var_epistemic_y,var_aleatoric_y,mcse_y,y_y,draw1_y,draw2_y'
check 'quantiles are in order' awk -F, 'NR > 1 { if (!($6 < $8 && $8 < $4 && $4 < $2 && $2 < $5 && $5 < $9 && $9 < $7)) exit 1 }' "$out"
check 'sd is that of both variances' awk -F, 'NR > 1 { d = $3 * $3 / ($10 + $11) - 1; if (d > 1e-9 || d < -1e-9) exit 1 }' "$out"
works predict run.h5 --samples 20 --noise rows -o pred.h5
works info pred.h5
says 'pred.h5: predictions'
works predict run.h5 --data r.h5 --split all --samples 5
check 'all rows of a table' [ "$(wc -l <"$out")" = 61 ]
works evaluate run.h5 --samples 40
says 'test: 12 rows, 40 draws'
says 'coverage 50/90/95'
says 'over or under'
works evaluate run.h5 --samples 40 --json
has engine n samples split rmse ll crps coverage_50 coverage_90 coverage_95 $cost
check 'no tests rows are lost' grep -q '"n": 12,' "$out"
says '"rows": "test"'
works evaluate run.h5 --data r.h5 --split 3 --json
says '"split": 3'
says '"rows": "training"'
works evaluate run.h5 --data r.h5
says 'training rows: 60 rows'
works import csv r.csv --target y -o again.h5
works evaluate run.h5 --data again.h5
says 'new rows: 60 rows'
works fit -d again.h5 --net "$net" --engine map:epochs=5 -o whole.h5
works evaluate whole.h5 --json
says '"rows": "training"'
says '"fitted": 60'

# What predict writes, import reads: names and classes with all that CSV has a meaning for.
printf 'a,"b,""c\n"\n' >evil.csv
for class in 'x,y' 'q""r' '#h' 'l
m' 'p;q'; do for a in 1 2 3 4; do printf '%s,"%s"\n' $a "$class"; done; done >>evil.csv
works import csv evil.csv -o evil.h5
works fit -d evil.h5 --net dense --engine mc_dropout:epochs=2 -o evil_run.h5
works predict evil_run.h5 --data evil.h5 --samples 5 --draws 2 -o evil_pred.csv
check 'fields that need it are quoted' grep -q '^row,p_#h,"p_l$\|^row,"p_#h","p_l$' evil_pred.csv
warns "column 'row' looks like an index" import csv evil_pred.csv --target 'class' -o evil_again.h5
says 'wrote evil_again.h5: 20 rows, '
printf '1,2,"t,""u"\n' | sed 's/^1,2/a,b/' >evil_y.csv
for a in 1 2 3 4 5 6 7 8; do echo "$((a * a)),$((a * a % 5)),$((a * 3))"; done >>evil_y.csv
works import csv evil_y.csv -o evil_y.h5
works fit -d evil_y.h5 --net dense --engine mc_dropout:epochs=2 -o evil_y_run.h5
works predict evil_y_run.h5 --data evil_y.h5 --samples 5 -o evil_y_pred.csv
check 'the target is quoted in every name' [ "$(head -n 1 evil_y_pred.csv | grep -o '_t,""u"' | wc -l)" = 8 ]
warns "column 'row' looks like an index" import csv evil_y_pred.csv --target 2 -o evil_y_again.h5
says 'wrote evil_y_again.h5: 8 rows, features [8], target mean_t,"u'

works fit -d r.h5 --net "$net" --engine map:epochs=200 -o map.h5
works fit -d r.h5 --from map.h5 --engine laplace:structure=full -o laplace.h5
says 'log evidence '
says 'test: 12 rows, in closed form'
works fit -d r.h5 --from map.h5 --engine laplace:predictive=sampling --samples 8 --keep posterior -o kept.h5
says 'test: 12 rows, 8 draws'
works evaluate laplace.h5
says '12 rows, in closed form'
works predict laplace.h5 --force -o pred.csv
says 'predicted 12 rows in closed form, wrote pred.csv'

works compare -d r.h5 --net "$net" --engine map:epochs=5 --engine 'grid_search:engine=mc_dropout{epochs=5},grid={p=0.01|0.1},samples=10' \
    --engine bayes_by_backprop:epochs=5 --splits 0-1 --samples 20 -o cmp.h5
says 'rmse (se)'
says 'chose p='
works info cmp.h5
says 'comparison of 3 engines on 2 splits'
if command -v gnuplot >/dev/null; then
    works report cmp.h5 run.h5 -o report.html
    check 'the page is whole' grep -q '</html>' report.html
    check 'the page has figures' grep -q '<svg' report.html
    check 'it begins with verdicts' grep -q '<h3>Verdicts' report.html
    check 'points tell their row' grep -q '<title>A, test row 1: measured' report.html
    works fit -d r.h5 --split all --net "$net" --engine map:epochs=20 -o untested.h5
    works report untested.h5 -o untested.html
    check 'without test rows there are the verdicts and the course of the fit' grep -q '<h3>Training' untested.html
else
    echo 'skipped: report, for want of gnuplot'
fi

# What `bnn show` says of an engine's failures is what the page for people says.
sed 's/`//g; s/\[\([^]]*\)\]([^)]*)/\1/g' "$(dirname "$0")/../../docs/which_engine.md" >which.txt
for engine in bayes_by_backprop early_stopping ensemble grid_search held_out_dropout hmc laplace map mc_dropout nuts sghmc sgld svgd swag; do
    works show $engine
    sed -n 's/^  fails: //p' "$out" >fails.txt
    check "$engine has failures" [ -s fails.txt ]
    check "the failures of $engine stand in docs/which_engine.md" grep -qFf fails.txt which.txt
done

# ---------------------------------------------------------------- the same seed, the same bits

fit() { works fit --force -d r.h5 --net "$net" --engine "$3" --samples 40 --seed "$1" --threads "$2" -o "$4"; }
# differs STATUS A B TEXT: of bnn diff
differs() {
    run diff "$2" "$3"
    if [ $status = "$1" ] && grep -qF -- "$4" "$out"; then pass; else fail "bnn diff $2 $3: exit status $status, expected $1 and '$4'"; fi
}
for engine in map:epochs=20 mc_dropout:epochs=20 bayes_by_backprop:epochs=20 laplace:engine=map{epochs=20} 'grid_search:engine=mc_dropout{epochs=5},grid={p=0.01|0.1},samples=10'; do
    fit 4 1 "$engine" a.h5
    fit 4 1 "$engine" b.h5
    fit 4 2 "$engine" c.h5
    fit 5 1 "$engine" d.h5
    differs 0 a.h5 b.h5 'are equal, provenance apart'
    differs 0 a.h5 c.h5 'are equal, provenance apart'
    differs 1 a.h5 d.h5 'a.h5 and d.h5 differ: '
done
for threads in 1 2; do works compare -d r.h5 --net "$net" --engine mc_dropout:epochs=5 --samples 20 --threads $threads -o cmp$threads.h5; done
if command -v h5dump >/dev/null; then check 'a comparison can be read by stock tools' h5dump -H cmp1.h5; fi
for threads in 1 2; do works predict a.h5 --samples 50 --threads $threads -o pred$threads.h5; done
differs 0 pred1.h5 pred2.h5 'are equal'

# ---------------------------------------------------------------- kinds of targets

works fit -d c3.h5 --net "$net" --engine mc_dropout:epochs=30 --samples 20 -o c3run.h5
works predict c3run.h5 --samples 20
check 'probabilities by name' grep -qx 'row,p_x,p_y,p_z,class,entropy,mutual_information,y_kind' "$out"
check 'the class is the most probable one' awk -F, 'NR > 1 { split("x y z", name, " "); b = 2; for (k = 3; k < 5; k++) if ($k > $b) b = k; if ($5 != name[b - 1]) exit 1 }' "$out"
check 'probabilities add up to 1' awk -F, 'NR > 1 && ($2 + $3 + $4 - 1 > 1e-6 || $2 + $3 + $4 - 1 < -1e-6) { exit 1 }' "$out"
works evaluate c3run.h5 --samples 20 --json
has engine n samples accuracy balanced_accuracy auc f1 nll brier ece ece_debiased mean_entropy mean_mutual_information classes.0.precision classes.2.auc $cost
says '"code": "few_rows_for_ece"'
works compare -d c3.h5 --net "$net" --engine map:epochs=5 --engine mc_dropout:epochs=5 --splits 0 --samples 10
says 'accuracy (se)'
check 'scores of each class' [ "$(grep -cE '^[xyz]$|precision \(se\) +recall \(se\) +auc \(se\)' "$out")" = 6 ]

works fit -d c2.h5 --net "$net" --likelihood bernoulli --engine map:epochs=30 -o c2run.h5
works evaluate c2run.h5 --json
has accuracy nll brier ece mean_entropy mean_mutual_information $cost

works fit -d r.h5 --net "$net" --likelihood heteroscedastic --engine mc_dropout:epochs=30 --samples 20 -o hetero.h5
works predict hetero.h5 --samples 20
check 'the noise differs by row' awk -F, 'NR == 2 { v = $4 } NR > 2 && $4 != v { other = 1 } END { exit !other }' "$out"
works evaluate hetero.h5 --samples 20 --json
has rmse mae r2 ll crps crps_of coverage_50 coverage_90 coverage_95 coverage_90_error coverage_90_se $cost

works fit -d t.h5 --net "$net" --engine bayes_by_backprop:epochs=30 --samples 20 -o two.h5
works predict two.h5 --samples 20
check 'both targets have columns' grep -q 'mean_u,.*mean_v,' "$out"
works evaluate two.h5 --samples 20
says '  u  '
works compare -d t.h5 --net "$net" --engine map:epochs=5 --engine mc_dropout:epochs=5 --splits 0-1 --samples 10 -o twos.h5
says 'calibration_error (se)'
check 'scores with a unit are those of each target' [ "$(grep -cE '^(u|v)$|rmse \(se\)' "$out")" = 4 ]
works info --lint twos.h5 two.h5 c3run.h5
works info twos.h5
says 'calibration_error'
works evaluate two.h5 --samples 20 --json
has ll coverage_50 coverage_90 coverage_95 targets.0.rmse targets.1.r2 targets.1.crps targets.1.coverage_90 $cost
check 'no score with a unit is of both targets' test "$(grep -c '"rmse"' "$out")" = 2

# ---------------------------------------------------------------- weights trained elsewhere: here, by a run

works fit -d r.h5 --net "$net" --engine map:epochs=30 -o point.h5
works import-weights point.h5 -d r.h5 --net "$net" -o twin.h5
says "weights of point.h5: dense_1 from 'dense_1', dense_2 from 'dense_2'; noise sd "
says ', as that file has it; scaled as that file has it'
says 'fit: 0 gradients'
says 'test: 12 rows, 1 draw'
works predict point.h5 -o point.csv --force
works predict twin.h5 -o twin.csv
check 'the same weights predict the same' cmp -s point.csv twin.csv
works info twin.h5
says 'remark      weights of point.h5: '
if command -v h5dump >/dev/null; then
    h5dump -a /provenance/weights_path twin.h5 >"$out" 2>"$err"
    says '"point.h5"'
fi
works import-weights point.h5 --net "$net" --engine mc_dropout:p=0.2 -o gated.h5
works predict gated.h5 --data r.h5 --samples 20
check 'gates make the mean uncertain' awk -F, 'NR > 1 && $3 <= 0 { exit 1 }' "$out"
printf 'a;colour;y\n1,5;red;2\n2,5;blue;4\n3;red;\n7,25;red;1,5\n9,5;blue;3\n' >said.csv
works import csv said.csv --decimal , --missing drop -o said.h5
says "delimiter: ';' (guessed)"
says 'header: the first line names the columns (guessed)'
says "target: 'y', the last column (guessed)"
says "categories: 'colour' holds 2: blue, red"
says "marks: 4 numbers of column 'a' read with the marks asked for, from 1.5 to 9.5"
says 'rows left out: 1 of 5, for a missing value'
works import csv r.csv --drop y --target none -o blind.h5
works import-weights point.h5 -d blind.h5 --net "$net" -o sighted.h5
works predict sighted.h5 -o sighted.csv
works predict point.h5 --data r.h5 --split all -o point.csv --force
for file in point sighted; do tail -n +2 $file.csv | cut -d, -f-8 >$file.rows; done # without y, which only one knows
check 'rows without targets are found again and predicted' cmp -s point.rows sighted.rows

# ---------------------------------------------------------------- new rows, whose target is not known

works import csv r.csv --drop y --target none -o new.h5
says 'features [2], no targets, 0 splits'
works info new.h5
says 'new.h5: data, 60 rows, features [2], no targets'
works predict run.h5 --data r.h5 --split all --samples 20 -o known.csv --force
works predict run.h5 --data new.h5 --samples 20 -o new.csv --force
for file in new known; do cut -d, -f-8 $file.csv >$file.rows; done
check 'new rows are predicted like known ones' cmp -s new.rows known.rows
check 'only known ones have a target' [ "$(head -n 1 new.csv),y_y" = "$(head -n 1 known.csv)" ]
works predict run.h5 --data new.h5 --samples 20 -o new_pred.h5
works predict two.h5 --data new.h5 --samples 20
check 'targets of new rows have the names that the run knows' grep -q 'mean_u,.*mean_v,' "$out"
works predict c3run.h5 --data c3.h5 --split all --samples 20 -o known.csv --force
works import csv c3.csv --drop kind --target none -o new3.h5
works predict c3run.h5 --data new3.h5 --samples 20 -o new.csv --force
check 'and classes, too' [ "$(head -n 1 new.csv),y_kind" = "$(head -n 1 known.csv)" ]
for file in new known; do tail -n +2 $file.csv | cut -d, -f-7 >$file.rows; done
check 'new rows have the classes of known ones' cmp -s new.rows known.rows

# ---------------------------------------------------------------- all that was written

works info --lint *.h5
check 'a line for each file' [ "$(grep -c ' rules, no findings$' "$out")" = "$(ls *.h5 | wc -l)" ]

# ---------------------------------------------------------------- what there is

for name in dense mc_dropout gaussian gauss adam; do
    works list
    says "  $name "
    works show $name
    says "$name: "
done
for job in mc_uci train_cd_uci train_bbb_uci conv rng gemm; do
    works bench $job --seconds 0.01
    says "$job"
done
works bench mc_uci --seconds 0.01 --json
says '"job": "mc_uci"'
# Every set of instructions that the processor has: results are checked against plain loops before they are timed.
for set in base avx2; do
    export BNN_SIMD=$set
    works bench mc_uci train_cd_uci hmc_uci gemm conv_shapes --seconds 0.01
    says gemm/1024x1024x1024
    says ' % of the roof ('
done
unset BNN_SIMD
works list engines
check 'engines alone' [ "$(head -n 1 "$out")" = engines ]
works --version
works --help
# Long options in the text of a command's --usage are those that --help tells of.
for command in $(awk '/^  [a-z]/ { print $1 }' "$out"); do
    works $command --usage
    options=$(grep -o -- '--[a-z]*' "$out" | sort -u)
    works $command --help
    for option in $options; do says " $option"; done
    says "  bnn $command "
    check "bnn $command --help has examples" grep -q '^Examples:$' "$out"
    check "bnn --help tells of $command" [ "$("$bnn" --help | grep -c "^  $command ")" = 1 ]
done

# ---------------------------------------------------------------- the progress line

# slow_fit: long enough for a few lines of progress.
slow_fit="'$bnn' fit -d r.h5 --net 'dense:200; relu; dense:200; relu; dense' --engine map:epochs=400 -o slow.h5"
works fit -d r.h5 --net 'dense:200; relu; dense:200; relu; dense' --engine map:epochs=400 -o slow.h5
if script -qec true /dev/null >/dev/null 2>&1 </dev/null; then
    script -qec "$slow_fit >/dev/null" /dev/null >"$out" 2>"$err" </dev/null
    tr '\r' '\n' <"$out" >lines
    check 'a progress line on a terminal' grep -Eq '^fit +[0-9]+ %  .* left *$' lines
    check 'the line is wiped at the end' awk '/left/ { seen = length($0); n = NR } /^ +$/ { if (length($0) >= seen) wiped = NR } END { exit !(seen && wiped > n) }' lines
else
    echo 'skipped: the progress line, for want of script'
fi
finish
