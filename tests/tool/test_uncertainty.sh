#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# test_uncertainty.sh BNN: uncertainty put to work: detection of other rows, referral, calibration.
. "$(dirname "$0")/test_fits_common.sh"
json() { ! command -v python3 >/dev/null || python3 -c "import json, sys; d = json.load(open(sys.argv[1])); assert $1, d" "$out"; }

# Rows of classes that the fit did not know, far from the others; the same rows without their target.
awk 'function u() { s = (s * 1103515245 + 12345) % 2147483648; return s / 2147483648 }
    BEGIN {
        s = 3
        print "a,b,kind" >"far.csv"; print "a,b" >"far_bare.csv"
        for (i = 0; i < 40; i++) { a = 8 + u(); b = 8 + u(); printf "%.4f,%.4f,%s\n", a, b, i % 2 ? "new" : "newer" >"far.csv"; printf "%.4f,%.4f\n", a, b >"far_bare.csv" }
    }'
works fit -d c3.csv --split 0 --net 'dense:8; relu; dense' --engine mc_dropout:steps=200 -o c.h5
works ood c.h5 --out far.csv
says 'in: 6 test rows of c3.csv; out: 40 rows of far.csv'
says 'distance               1.0000'
works ood c.h5 --out far.csv --json
cp "$out" far.json
check 'seven scores of classes' json '[s["score"] for s in d["scores"]] == ["max_probability", "entropy", "mutual_information", "expected_entropy", "variance", "energy", "distance"]'
check 'curves begin before the first threshold' json 'all(s["curve"]["threshold"][0] is None and s["curve"]["fpr"][0] == 0 and s["curve"]["tpr"][-1] == 1 for s in d["scores"])'
works ood c.h5 --out far_bare.csv --json
check 'targets of the rows out are not looked at' json '[s["auroc"] for s in d["scores"]] == [s["auroc"] for s in json.load(open("far.json"))["scores"]]'
works import csv far.csv --target kind -o far.h5
works ood c.h5 --out far.h5 --json
check 'nor are those of a data file' json '[s["auroc"] for s in d["scores"]] == [s["auroc"] for s in json.load(open("far.json"))["scores"]]'
awk -F, 'NR > 1 { $3 = "new" NR % 3 } 1' OFS=, far.csv >far3.csv
works import csv far3.csv --target kind -o far3.h5
works ood c.h5 --out far3.h5 --json
check 'nor other classes, as many as the run has' json '[s["auroc"] for s in d["scores"]] == [s["auroc"] for s in json.load(open("far.json"))["scores"]]'
works ood c.h5 --out far.csv --score entropy --json
check 'one score alone' json '[s["score"] for s in d["scores"]] == ["entropy"]'
works ood c.h5 --out far.csv -o found.h5
works info found.h5
says 'found.h5: detection of 40 rows out among 6 rows in'
works info --lint found.h5
works info --json found.h5
check 'a file has what was printed' json '[s["auroc"] for s in d["scores"]] == [s["auroc"] for s in json.load(open("far.json"))["scores"]]'
if command -v gnuplot >/dev/null; then
    works report found.h5 -o found.html
    check 'a page has a table and two figures' [ "$(grep -c '<h3>' found.html)" = 2 ]
    check 'and the measures' grep -q '<th scope="row">distance</th><td>1.0000</td>' found.html
    refuses "c.h5: holds 'bnn-run', expected 'bnn-detection'" report found.h5 c.h5 -o both.html
else
    echo 'skipped: no gnuplot'
fi
refuses 'found.h5: is there already: --force replaces it' ood c.h5 --out far.csv -o found.h5
refuses '--out: rows of another kind are needed' ood c.h5
refuses "--score: there is no score 'entropie'" ood c.h5 --out far.csv --score entropie
refuses "--score: 'epistemic_variance' is not defined for this run" ood c.h5 --out far.csv --score epistemic_variance
awk -F, 'NR > 1 { $1 = 1e12 * $1 } 1' OFS=, far.csv >huge.csv
works ood c.h5 --out huge.csv --score energy
works ood c.h5 --split all --out far.csv
says 'of the 60 rows in were fitted'
cp c3.csv moved.csv && sed -i '2d' c3.csv
works ood c.h5 --in moved.csv --out far.csv
says 'warning: no_distance: no distance to the training rows: c3.csv has changed since c.h5 was fitted to it'
refuses 'c3.csv has changed since c.h5 was fitted to it' ood c.h5 --in moved.csv --out far.csv --score distance
# Images, whose columns have no names: of two classes, and of three.
images() { awk -v n="$1" -v k="$2" 'BEGIN { printf "\\000\\000\\010\\003\\000\\000\\000\\%03o\\000\\000\\000\\002\\000\\000\\000\\002", n; for (i = 0; i < 4 * n; i++) printf "\\%03o", (i * i * k) % 64 }'; }
labels() { awk -v n="$1" -v k="$2" 'BEGIN { printf "\\000\\000\\010\\001\\000\\000\\000\\%03o", n; for (i = 0; i < n; i++) printf "\\%03o", i % k }'; }
for k in 2 3; do
    printf "$(images 30 $k)" >images && printf "$(labels 30 $k)" >labels
    works import idx images labels -o images$k.h5
done
works fit -d images2.h5 --net 'flatten; dense:4; relu; dense' --engine map:steps=20 -o image_run.h5
works ood image_run.h5 --in images2.h5 --out images3.h5
says 'out: 30 rows of images3.h5'
works fit -d t.csv --target u,v --split 0 --net 'dense:8; relu; dense' --engine mc_dropout:steps=200 -o two.h5
works ood two.h5 --out far_bare.csv --json
check 'real targets have variances and the distance' json '[s["score"] for s in d["scores"]] == ["variance", "epistemic_variance", "distance"]'

# ---- referral
works evaluate c.h5 -d moved.csv --json
cp "$out" all.json
works evaluate c.h5 -d moved.csv --referral 0.2 --json
check 'a fifth of the rows is referred, none more' json 'd["referral"]["rows"] == 60 and d["referral"]["referred"] == 12 and d["referral"]["by"] == "max_probability"'
check 'the score of all is that of evaluate' json 'abs(d["referral"]["accuracy_of_all"] - json.load(open("all.json"))["accuracy"]) < 1e-9'
check 'the curve ends with all rows' json 'd["referral"]["curve"]["coverage"][-1] == 1 and abs(1 - d["referral"]["curve"]["risk"][-1] - d["referral"]["accuracy_of_all"]) < 1e-9'
check 'a share has a bound' json 'd["referral"]["risk"] < d["referral"]["risk_bound"] < 1'
works evaluate c.h5 -d moved.csv --referral 0.2 --referral-by entropy
says 'referral: 12 of 60 rows, the least certain by entropy'
works evaluate c.h5 -d moved.csv --referral-risk 0.9 --json
check 'a risk is promised' json 'd["referral"]["risk_bound"] <= 0.9 and d["referral"]["kept"] > 0'
works evaluate c.h5 -d moved.csv --referral-risk 0.001
says 'referral: 60 of 60 rows, the least certain by max_probability: the risk can be promised of none'
works evaluate two.h5 --referral 0.5
says 'rmse (in sd)'
refuses '--referral and --referral-risk are apart' evaluate c.h5 --referral 0.2 --referral-risk 0.1
refuses "--referral: '1' is no number between 0 and 1" evaluate c.h5 --referral 1
refuses "--referral-by: there is no score 'doubt'" evaluate c.h5 --referral-by doubt
refuses "'energy' cannot be told of a prediction of classes" evaluate c.h5 -d moved.csv --referral-by energy
refuses 'a risk can be promised of losses that are 0 or 1' evaluate two.h5 --referral-risk 0.1

# ---- calibration
awk 'function u() { s = (s * 1103515245 + 12345) % 2147483648; return s / 2147483648 }
    function row(file) { a = 4 * u() - 2; printf "%.4f,%.4f\n", a, a * a + u() + u() - u() - u() >file }
    BEGIN {
        s = 9
        print "a,y" >"fit.csv"; print "a,y" >"held.csv"; print "a,y" >"fresh.csv"
        for (i = 0; i < 200; i++) { row("fit.csv"); row("held.csv"); row("fresh.csv") }
    }'
works fit -d fit.csv --split 0 --net 'dense:10; tanh; dense' --engine mc_dropout:steps=300 --likelihood gaussian:tau=200 -o y.h5
works calibrate y.h5 --on held.csv --method cqr -o cqr.h5
says 'calibrated by cqr at level 0.9 on 200 rows of held.csv, wrote cqr.h5'
works info cqr.h5
says 'cqr at level 0.9 on 200 rows'
works info --lint cqr.h5
works evaluate cqr.h5 -d fresh.csv --json
check 'intervals that were far too narrow hold their level' json 'd["coverage_90"] < 0.6 and abs(d["conformal"]["coverage"] - 0.9) < 0.08 and d["calibration"]["method"] == "cqr"'
works evaluate cqr.h5 -d fresh.csv
says '  calibrated by cqr at level 0.9 on 200 rows'
works evaluate cqr.h5 -d held.csv
says 'warning: calibrated_here: '
works predict cqr.h5 -d fresh.csv -o cqr.csv
says 'intervals are calibrated by cqr at level 0.9 on 200 rows'
works predict y.h5 -d fresh.csv -o plain.csv
column() { awk -F, -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i; next } { print $at }' "$2"; }
check 'the mean is the same' [ "$(column mean_y cqr.csv)" = "$(column mean_y plain.csv)" ]
check 'lo90 is not' [ "$(column lo90_y cqr.csv)" != "$(column lo90_y plain.csv)" ]
works predict cqr.h5 -d fresh.csv -o cqr_prediction.h5
works info --lint cqr_prediction.h5
refuses '--interval 0.5: the run is calibrated by cqr at level 0.9 on 200 rows, and has intervals of that level alone' predict cqr.h5 --interval 0.5,0.9
works calibrate y.h5 --on held.csv --method split --level 0.8 -o split.h5
works predict split.h5 -d fresh.csv -o split.csv
check 'the default interval is the calibrated one' grep -q '^row,mean_y,sd_y,lo80_y,hi80_y,' split.csv
works calibrate y.h5 --on 0 -o stretched.h5
says 'calibrated by variance'
works calibrate y.h5 --on 0 --method variance -o stretched.h5 --force --json
check 'JSON has the factor' json 'd["calibration"]["values"][0] > 1 and d["calibration"]["rows"] == 20 and d["split"] == 0'
works evaluate stretched.h5 -d fresh.csv --json
check 'a stretched distribution is scored as such' json 'd["coverage_90"] > 0.75 and d["calibration"]["level"] is None and "conformal" not in d'
awk -F, 'NR > 1 { $1 = 0.97 * $1 } 1' OFS=, moved.csv >more.csv
works calibrate c.h5 --on more.csv --method lac --level 0.7 -o lac.h5
works predict lac.h5 -d moved.csv -o sets.csv
says 'sets are calibrated by lac at level 0.7 on 60 rows'
check 'sets are columns' grep -q 'entropy,mutual_information,in70_' sets.csv
works evaluate lac.h5 -d moved.csv --json
check 'sets are measured' json 'd["conformal"]["coverage"] >= 0.7 and d["conformal"]["size"] >= d["conformal"]["coverage"]'
works calibrate c.h5 --on more.csv --method raps --penalty 0.2 --rank 2 --level 0.7 -o raps.h5
works info --json raps.h5
check 'a file says of its penalty' json 'd["calibration"]["penalty"] == 0.2 and d["calibration"]["rank"] == 2'
awk -F, 'NR == 1 || ($3 == "x" && n++ < 12)' moved.csv >x_alone.csv
works calibrate c.h5 --on x_alone.csv --method isotonic -o alone.h5
says 'warning: few_rows: calibrated on 12 rows: another choice of them would give another calibration'
says "warning: absent_class: 2 of 3 classes, the first of them 'y', have no row to calibrate on"
awk -F, 'NR > 1 { $3 = $3 == "x" ? "y" : "x" } 1' OFS=, x_alone.csv >wrong.csv
works calibrate c.h5 --on wrong.csv -o hot.h5 --json
check 'a temperature at the end of the range is said' json '[r["code"] for r in d["remarks"]] == ["few_rows", "temperature_at_end", "absent_class"] and abs(d["calibration"]["values"][0] - 20) < 1e-6'
refuses 'fit.csv: 200 of the 200 rows were fitted, and say nothing of others' calibrate y.h5 -d fit.csv --split all -o no.h5
refuses "held.csv: 'lac' calibrates classes, and these are real targets" calibrate y.h5 --on held.csv --method lac -o no.h5
refuses 'held.csv: the run is calibrated already (cqr at level 0.9 on 200 rows)' calibrate cqr.h5 --on held.csv -o no.h5
refuses 'fit.csv: 20 rows are too few for conformal intervals or sets of level 0.99: 99 are needed' calibrate y.h5 --method split --level 0.99 -o no.h5
refuses "--method: there is no method 'platt'" calibrate y.h5 --method platt -o no.h5
refuses "--level: '90' is no number between 0 and 1" calibrate y.h5 --level 90 -o no.h5
refuses '-o: the calibrated run needs a name' calibrate y.h5
refuses 'y.h5: is the run file, which would be overwritten' calibrate y.h5 -o y.h5
cut -d, -f1 held.csv >bare.csv
refuses 'bare.csv: has no targets to calibrate on' calibrate y.h5 --on bare.csv -o no.h5
# The table of the page: eight rows, of two engines as they are and by three methods.
awk 'BEGIN { srand(5); for (i = 0; i < 200; i++) { x = rand(); print x, rand(), 3 * x + rand() } }' >numbers.txt
sh "$(dirname "$0")/../../experiments/conformal_uci.sh" "$bnn" numbers.txt 2 >table 2>/dev/null
check 'conformal_uci.sh makes a table' [ "$(grep -c '^[a-z_]*:[^ ]* [a-z]* *[01][.][0-9]* ([0-9.]*)  [0-9.]*$' table)" = 8 ]

finish
