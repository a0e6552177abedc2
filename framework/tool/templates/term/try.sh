# SPDX-License-Identifier: GPL-3.0-or-later
# try.sh: a small table, a fit with the @kind@, a prediction from the file of the fit.
set -e
BNN=${BNN:-bnn}
export BNN_PLUGIN_PATH=@name@.so
awk -v OFS=, 'BEGIN { print "x,y"; for (i = 0; i < 60; i++) print i / 10, sin(i / 10) + 0.1 * ((7 * i) % 11 - 5) / 5 }' >data.csv
$BNN import csv data.csv --target y -o data.h5
$BNN split data.h5 --kind kfold --count 5
$BNN fit -d data.h5 --net "$(cat model.net)" @use@ --force -o run.h5
$BNN predict run.h5 --force -o prediction.csv
