#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# test_kills.sh BNN KILLS: fits that are killed: what stands at the output is whole at any time, and a fit that is resumed ends like one that never stopped. KILLS SIGKILLs
# in all, at moments of a seeded generator.
. "$(dirname "$0")/test_fits_common.sh"

kills=$2
seed=1

# delay MOST: a time from 0 to MOST milliseconds, as seconds for sleep, in $delay.
delay() {
    seed=$(((seed * 1103515245 + 12345) % 2147483648))
    delay=$(($1 * (seed / 65536) / 32768))
    delay=$((delay / 1000)).$(printf %03d $((delay % 1000)))
}

# until_complete ENGINE KILLS: a fit that is begun again until it is complete, killed at most so often; adds to $killed.
until_complete() {
    rm -f part.h5 part.log
    left=$2
    while :; do
        fit start "$1" --resume --log part.log -o part.h5
        if [ $left -gt 0 ]; then delay $took && after $delay KILL; fi
        ended
        [ $status = 137 ] || break
        killed=$((killed + 1)) left=$((left - 1))
        check "$1: killed, and what stands there can be read" absent_or_readable part.h5
    done
    check "$1: at last it is complete" [ $status = 0 ]
}

# survives ENGINE KILLS
survives() {
    whole "$1"
    killed=0
    while [ $killed -lt $2 ]; do
        until_complete "$1" $(($2 - killed))
        check "$1: as if it had never been killed" equal whole.h5 part.h5
        check "$1: its log is whole" consecutive part.log
        check "$1: the logs are equal" cmp -s whole.log part.log
        check "$1: nothing is left beside it" no_leftovers
    done
    all=$((all + killed))
}

# The first example of every engine, long enough; a search in a search is none of them.
all=0
engines=$("$bnn" list engines | awk '/^  / { print $1 }')
each=$((kills / ($(echo $engines | wc -w) + 1)))
for name in $engines; do
    example=$("$bnn" show $name | sed -n 's/^  examples: *//p' | sed 's/epochs=[0-9]*/epochs=40/g')
    survives "$example" $each
done
survives 'grid_search:engine=early_stopping{engine=mc_dropout{epochs=40,batch=16},every=4},grid={patience=3|9},samples=20' $((kills - all))
check "$all kills of $kills" [ $all = $kills ]
echo "$all of $kills kills"
finish
