#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# expect.sh PROGRAM EXPECTED [ARGUMENT...]: runs PROGRAM --smoke and compares every "name value" line with "name value tolerance" in EXPECTED; --help says how it is used.
program=$1 expected=$2
shift 2
"$program" --help | grep -q "^usage: $(basename "$program") " || { echo "$program --help says no 'usage: $(basename "$program") ...'" && exit 1; }
output=$("$program" --smoke "$@") || exit 1
printf '%s\n' "$output" | awk '
    NR == FNR { if ($0 !~ /^#/ && NF >= 3) { want[$1] = $2; tolerance[$1] = $3; n++ } next }
    $1 in want {
        d = $2 - want[$1]; if (d < 0) d = -d
        if (!(d <= tolerance[$1])) { print $1 ": " $2 " is not " want[$1] " +- " tolerance[$1]; bad++ }
        seen++
    }
    END { if (seen < n) { print "only " seen + 0 " of " n " expected values were printed"; bad++ } print n - bad " passed, " bad + 0 " failed"; exit bad > 0 }
' "$expected" -
