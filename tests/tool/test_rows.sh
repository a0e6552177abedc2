#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# test_rows.sh BNN: from a table of texts to an answer: rows are read, matched to a fit by name, and refused by row, column and text.
. "$(dirname "$0")/test_program_common.sh"

# A table with an id, a column of texts, gaps in a column of numbers, and a target.
awk 'function u() { s = (s * 1103515245 + 12345) % 2147483648; return s / 2147483648 }
    BEGIN {
        s = 7
        split("red blue green", name, " ")
        print "code,a,colour,b,y"
        for (i = 1; i <= 80; i++) {
            a = 4 * u() - 2; b = u(); c = 1 + int(3 * u())
            printf "c%d,%.4f,%s,%s,%.4f\n", i, a, name[c], i % 9 == 4 ? "" : sprintf("%.4f", b), a * a + b + c + 0.1 * u()
        }
    }' >t.csv
reading='--target y --id code --missing mean'
fit() { works fit -d t.csv $reading --net "$net" --engine mc_dropout:epochs=20 --samples 20 "$@"; }
# predict ARGUMENT...: the answer to new rows goes to answer.csv
predict() { works predict run.h5 --samples 20 --force -o answer.csv "$@"; }
# means FILE: the means of an answer
means() { awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "mean_y") at = i } { print $at }' "$1"; }
# same WHAT FILE: the means of the last answer are those of FILE.
same() {
    means answer.csv >got
    means "$2" >expected
    check "$1" cmp -s got expected
}

# ---------------------------------------------------------------- two commands

works fit -d t.csv $reading --budget 1 -o chosen.h5
says "chose hmc:"
says ": 80 rows of 6 features: "
works predict chosen.h5 -d t.csv -o answer.csv
check 'two commands give an answer' [ "$(wc -l <answer.csv)" = 81 ]
fit -o run.h5
says 'read t.csv: 80 rows, features [6], target y, 0 splits'
check 'more parameters than rows can stand are none here' [ "$(grep -c 'few rows' "$out")" = 0 ]
says "categories: 'colour' holds 3: blue, green, red"
says 'every row was a training row, so nothing is scored: --split 0 holds out a tenth of them'
works info run.h5
check 'nothing is said of scores that there are none of' [ "$(grep -c 'predicted\|nan' "$out")" = 0 ]
works info run.h5 --json
check 'nor in JSON' [ "$(grep -c '"scores"' "$out")" = 0 ]
check 'JSON has the columns that new rows are read by' [ "$(grep -c '"name": "colour"\|"blue"\|"may_be_missing": true' "$out")" = 3 ]
predict -d t.csv
cp answer.csv all.csv
check 'a line for each row' [ "$(wc -l <answer.csv)" = 81 ]
predict
same 'the rows of the fit are found again' all.csv
works evaluate run.h5 --samples 20
says 'log-likelihood'

# ---------------------------------------------------------------- by name

cut -d, -f1-4 t.csv >untargeted.csv
predict -d untargeted.csv
same 'the target need not be there' all.csv
awk -F, -v OFS=';' '{ print $4, (NR == 1 ? "z" : NR), $3, $1, $2 }' t.csv >order.csv
predict -d order.csv
says 'columns that the fit did not have, left out: z'
same 'columns stand in any order, among others' all.csv
run predict run.h5 --samples 20 -d order.csv
check 'beside an answer on standard output it is said on standard error' [ "$(cat "$err")" = 'columns that the fit did not have, left out: z' ]
sed 's/,/|/g' t.csv | gzip >piped.csv.gz
predict -d piped.csv.gz
same 'the file may be written in another way' all.csv
"$bnn" predict run.h5 --samples 20 -d - <t.csv >answer.csv 2>"$err"
same 'rows come from standard input, too' all.csv
sed -n '1p;7p' t.csv >one.csv
predict -d one.csv
sed -n '1p;7p' all.csv >one_all.csv
same 'a single row' one_all.csv
sed 1d one.csv | cut -d, -f1-4 >bare.csv
run predict run.h5 --samples 20 -d bare.csv --force -o answer.csv
same 'a single row without names' one_all.csv
check 'that columns were taken by their place is said' grep -q 'bare.csv does not name its columns: they are taken for code, a, colour, b' "$err"
grep -v blue t.csv >some.csv
awk 'NR == FNR { if ($0 ~ /blue/) gone[FNR] = 1; next } !(FNR in gone)' t.csv all.csv >some_all.csv
predict -d some.csv
same 'a file without one of the levels' some_all.csv

# ---------------------------------------------------------------- data files

works import csv order.csv --target none --id code --drop z --missing mean -o order.h5
predict -d order.h5
same 'a data file is matched by name, too' all.csv
works import csv some.csv $reading -o some.h5
predict -d some.h5
same 'also one that was made without a level' some_all.csv
works import csv order.csv --like run.h5 -o like.h5
says 'wrote like.h5: 80 rows, features [6], no targets, 0 splits'
predict -d like.h5
same 'a data file made like the run' all.csv
works import csv t.csv $reading -o t.h5
works import csv order.csv --like t.h5 -o like.h5
predict -d like.h5
same 'a data file made like another' all.csv

# ---------------------------------------------------------------- codes, formats, notations

sed '1!s/^c/00/; 2d' t.csv | sed '2{h;d};$G' >codes.csv
warns "column 'code' holds codes such as '003', which is read as the number 3" import csv codes.csv --target y --missing mean -o codes.h5
warns "column 'code' looks like a name or an id" fit -d codes.csv --target y --missing mean --levels code --net "$net" --engine mc_dropout:epochs=20 --samples 20 -o codes_run.h5
says 'read codes.csv: 79 rows, features [85], target y, 0 splits'
refuses "unknown level: there are 0010, 0011," predict codes_run.h5 -d t.csv
refuses "levels are those of the fit" predict codes_run.h5 -d codes.csv --levels code
printf '1 1:2 3:4\n2 2:1\n3 1:1\n' >rows.svm
works fit -d rows.svm --format libsvm --net "$net" --engine map:epochs=5 -o svm.h5
check 'what was told is not guessed' [ "$(grep -c 'format:' "$out")" = 0 ]
printf '1:2 3:4\n' >row.svm
works predict svm.h5 -d row.svm --force -o answer.csv
check 'a sparse row needs no label' [ "$(wc -l <answer.csv)" = 2 ]
refuses "--format: 'xml' is neither csv nor libsvm" fit -d rows.svm --format xml -o svm.h5
refuses "t.csv: line 1: the label 'code,a,colour,b,y' is not a number" import libsvm t.csv -o svm.h5
mkdir layout
printf '1 7 .5\n2 7 .25\n3 7 1\n' >layout/data.txt
printf '0\n1\n' >layout/index_features.txt
echo 2 >layout/index_target.txt
warns 'constant columns, of which nothing can be learned: x2' import uci layout -o layout.h5
warns "column 'x1' looks like an index" fit -d layout --net "$net" --engine map:epochs=5 -o layout_run.h5
says "few rows: 3 to fit 26 parameters; a unit of 'dense_2' alone has 6 weights, more than so many rows determine: the prior decides the rest"

# ---------------------------------------------------------------- what does not fit

sed '3s/red\|blue\|green/violet/' t.csv >violet.csv
for command in predict evaluate; do
    refuses "violet.csv: row 2, column 'colour': 'violet' is an unknown level: there are blue, green, red" $command run.h5 -d violet.csv
done
predict -d violet.csv --unknown-level green
says "column 'colour': 1 unknown level read as 'green'"
sed '3s/red\|blue\|green/green/' t.csv >green.csv
cp answer.csv green_all.csv
predict -d green.csv
same 'an unknown level is read as the one named' green_all.csv
refuses "'mauve' is none of the known ones: blue, green, red" predict run.h5 -d violet.csv --unknown-level mauve
works import csv violet.csv $reading -o violet.h5
refuses "violet.h5: the table: row 2, column 'colour': 'violet' is an unknown level" predict run.h5 -d violet.h5
predict -d violet.h5 --unknown-level green
same 'of a data file, too' green_all.csv
cut -d, -f1,2,4,5 t.csv >colourless.csv
refuses "colourless.csv: has no column 'colour': there are code, a, b, y" predict run.h5 -d colourless.csv
sed '5s/,[^,]*/,/' t.csv >gap.csv
refuses "gap.csv: row 4, column 'a': value is missing, and the fit knew of none there: its row can be left out (--missing drop)" predict run.h5 -d gap.csv
predict -d gap.csv --missing drop
says 'rows left out: 1 of 80, for a missing value'
check 'the other rows are predicted' [ "$(wc -l <answer.csv)" = 80 ]
refuses "targets, weights, classes and levels are those of the fit" predict run.h5 -d t.csv --target a
refuses '--decimal: is of tables of text, and t.h5 is a data file' fit -d t.h5 --net dense --engine map --decimal , -o new.h5

# ---------------------------------------------------------------- classes

awk -F, -v OFS=, '{ print $1, $2, $4, $3 }' t.csv >k.csv
works fit -d k.csv --id code --missing mean --net "$net" --engine map:epochs=20 -o k.h5
sed -n '1p;2,5{s/blue\|green/red/;p}' k.csv >k_red.csv
works evaluate k.h5 -d k_red.csv
sed '2s/red\|blue\|green/pink/' k.csv >k_pink.csv
for command in predict evaluate; do refuses "k_pink.csv: row 1, column 'colour': 'pink' is an unknown class: there are blue, green, red" $command k.h5 -d k_pink.csv; done
works predict k.h5 -d k_pink.csv --target none --force -o answer.csv
check 'without the target unknown classes do not matter' [ "$(wc -l <answer.csv)" = 81 ]

# ---------------------------------------------------------------- test rows, and going on

fit --split 2 -o split.h5
says '8 rows, 20 draws'
works import csv t.csv $reading -o t.h5
works split t.h5 --count 3
works fit -d t.h5 --split 2 --net "$net" --engine mc_dropout:epochs=20 --samples 20 -o split_h5.h5
works predict split.h5 --samples 20 --force -o answer.csv
works predict split_h5.h5 --samples 20 -o split.csv
same 'test rows are those that `bnn split` makes, and are found again' split.csv
check 'they are eight' [ "$(wc -l <answer.csv)" = 9 ]
works compare -d t.csv $reading --net "$net" --engine map:epochs=5 --splits 1-2 -o cmp.h5
says 't, 2 splits'
works compare -d t.csv $reading --net "$net" --engine map:epochs=5
says 't, 1 split'
refuses 'bnn: one.csv: a split needs at least 2 rows' compare -d one.csv $reading --net "$net" --engine map:epochs=5
refuses "node 'add_1' (add)" compare -d t.csv $reading --net add --engine map:epochs=5
refuses 'there are none to keep' fit -d t.csv $reading --split 0 --net "$net" --engine laplace --keep posterior -o new.h5
refuses 'untargeted.csv: has no targets' compare -d untargeted.csv --target none --id code --missing mean --net "$net" --engine map:epochs=5
works fit -d t.csv $reading --net "$net" --engine mc_dropout:epochs=20 --samples 20 --resume -o run.h5
says 'run.h5: is complete'
refuses 'run.h5: was begun with the columns read in another way' fit -d t.csv --target b --drop y --id code --missing drop --net "$net" --engine mc_dropout:epochs=20 --resume -o run.h5
"$bnn" fit -d - $reading --net dense --engine map --resume -o new.h5 <t.csv >"$out" 2>"$err"
check 'rows from a pipe cannot be gone on with' grep -q '^bnn: --resume: whether - gives the same rows again cannot be told: write them to a file$' "$err"
"$bnn" fit -d - $reading --net "$net" --engine map:epochs=2 -o piped.h5 <t.csv >"$out" 2>"$err"
says 'read standard input: 80 rows'
refuses 'piped.h5 was fitted to standard input: name the data with --data' predict piped.h5
works fit -d t.csv $reading --net "$net" --engine map:epochs=50 -o map.h5
awk -F, -v OFS=, '{ print $5, $4, $3, $2 }' t.csv >swapped.csv
works fit -d swapped.csv --from map.h5 --engine laplace -o from.h5
works fit -d t.csv --from map.h5 --engine laplace -o direct.h5
differs=$("$bnn" diff from.h5 direct.h5)
check 'a fit that begins with another reads its table as that one' [ "$differs" = 'from.h5 and direct.h5 are equal, provenance apart' ]
sed -i '$d' t.csv
for command in predict evaluate; do refuses 't.csv has changed since run.h5 was fitted to it' $command run.h5; done

# ---------------------------------------------------------------- the columns that say which row it is

# Ids with the names of columns of the answer, and texts that need quotes.
awk -F, -v OFS=, 'NR == 1 { print $0, "mean_y", "row", "\"the, name\""; next } { print $0, "m" NR, "r" NR, "\"n, " NR "\"" }' t.csv >named.csv
works fit -d named.csv --target y --id 'code,mean_y,row,8' --missing mean --net "$net" --engine map:epochs=5 -o named.h5
works predict named.h5 -d named.csv -o named_answer.csv
works predict named.h5 -d named.csv -o "$(printf 'an\033swer.csv')"
check 'the name of a file is escaped where it is printed' grep -q '^predicted 79 rows with 1 draw, wrote an\\x1bswer.csv$' "$out"
check 'ids stand before the answer, none of them called as one of its columns is' grep -q '^code,id_mean_y,row,"the, name",mean_y,sd_y,lo90_y,' named_answer.csv
rows=$(sed 1d named_answer.csv | awk -F, '$1 == "c" NR && $2 == "m" NR + 1 && $3 == "r" NR + 1 && $4 "," $5 == "\"n, " NR + 1 "\""' | wc -l)
check 'every row has its own' [ "$rows" = 79 ]
works import csv named_answer.csv --target mean_y --id 'code,id_mean_y,row,4' --drop sd_y,var_epistemic_y,var_aleatoric_y,mcse_y -o named_answer.h5
tail -n 3 named.csv | { head -n 1 named.csv; cat; } >last.csv
works predict named.h5 -d last.csv --draws 2 -o last_answer.csv
check 'of new rows, too' [ "$(sed 1d last_answer.csv | cut -d, -f1-3 | tr '\n' ' ')" = 'c77,m78,r78 c78,m79,r79 c79,m80,r80 ' ]

# ---------------------------------------------------------------- weights from elsewhere

# A run of weights alone knows no names of columns: they are taken in their order.
cut -d, -f2,5 t.csv | sed '1s/.*/length,width/' >numbers.csv
works fit -d numbers.csv --net "$net" --engine map:epochs=5 -o numbers.h5
works predict numbers.h5 -d numbers.csv -o numbers_answer.csv
works import-weights numbers.h5 --net "$net" -o bare.h5
cut -d, -f1 numbers.csv | sed '1s/.*/x/' >bare.csv
works predict bare.h5 -d bare.csv -o bare_answer.csv
says 'columns: taken in the order in which they stand, as those of the fit have no names'
tail -n +2 numbers_answer.csv | cut -d, -f2 >expected
tail -n +2 bare_answer.csv | cut -d, -f2 >got
check 'and predicted as by the run that they come from' cmp -s got expected
refuses 'the data have 2 feature columns, those of the fit had 1' predict bare.h5 -d numbers.csv
works import-weights numbers.h5 -d numbers.csv --target width --net "$net" -o dated.h5
says 'read numbers.csv: 79 rows, features [1], target width, 0 splits'
awk -F, -v OFS=, '{ print $2, $1 }' numbers.csv >turned.csv
works predict dated.h5 -d turned.csv -o dated_answer.csv
check 'with a table they are found by name' grep -q '^row,mean_width,' dated_answer.csv

# ---------------------------------------------------------------- what is known of data

printf 'code,a,w,y\nr1,1,2,3\nr2,3,0.5,1\nr3,2,1,2\n' >known.csv
works import csv known.csv --target y --id code --weight w -o known.h5
works info known.h5
says '  id          code'
says '  weight      3.5, the sum over the rows'
works info --json known.h5
says '"weight": 3.5'
refuses '--interval: 0.5 is there twice' predict named.h5 --interval 0.9,0.5,0.5
refuses '--quantiles: 0.10 is there twice' predict named.h5 --quantiles 0.1,0.10
works info named.h5
for line in '  feature     colour: blue, green, red' '  feature     b (may be missing)' '  target      y' '  id          the, name'; do says "$line"; done
finish
