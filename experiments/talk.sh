#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs the commands of docs/talk.md, slide by slide, and says how long each took: sh experiments/talk.sh [SLIDE...] [OPTION...]
#   SLIDE      numbers of slides; each stands on its own (preset: all)
#   --list     the commands, without running them
#   --long     those marked `# long`, too; the others take less than 30 s of cpu each, ten minutes in all on a laptop
# They run in build/talk, where bnn and the experiments of the build are programs and `experiments` is the folder of the tree.
set -e
cd "$(dirname "$0")/.."
slides='' list='' long=no
for word; do
    case $word in
    --help) sed -n '3,/^set/s/^# \{0,1\}//p' "$0" && exit 0 ;;
    --list) list=yes ;;
    --long) long=yes ;;
    [1-9] | [1-9][0-9]) slides="$slides $word" ;;
    *) echo "talk.sh: no slide or option '$word': --help lists them" >&2 && exit 2 ;;
    esac
done

# commands: prints "SLIDE<tab>TITLE<tab>COMMAND" of the page.
commands() {
    awk -v wanted="$slides " -v long="$long" '
        /^## [0-9]/ { slide = $2 + 0; title = substr($0, 4) }
        /^\$ / && (wanted == " " || index(wanted, " " slide " ")) && (long == "yes" || !/# long$/) { print slide "\t" title "\t" substr($0, 3) }' docs/talk.md
}
[ -z "$list" ] || { commands | cut -f 3 && exit; }

. experiments/setup.sh
need $packages
targets="bnn $(commands | cut -f 3 | tr ' ' '\n' | grep -E '^[a-z]+20[0-9]{2}_|^neal1995' | sort -u | sed 's|^|experiments/|')"
build build
top=$PWD
rm -rf build/talk
mkdir -p build/talk
ln -s "$top/experiments" build/talk/experiments
commands >build/talk/commands
cd build/talk
PATH=$top/build:$top/build/experiments:$PATH
last='' slow=0 spent=0 tab=$(printf '\t')

# spend: sets $used to the seconds of cpu since it was called last, of all commands, and $spent to all.
spend() {
    times >times
    before=$spent
    spent=$(LC_ALL=C awk -F '[ms ]+' 'NR == 2 { print 60 * ($1 + $3) + $2 + $4 }' times)
    used=$(LC_ALL=C awk "BEGIN { printf \"%.1f\", $spent - $before }")
}
spend # on the build
while IFS=$tab read -r slide title command <&3; do
    [ "$title" = "$last" ] || printf '\n== %s\n' "$title"
    last=$title
    printf '\n$ %s\n' "$command"
    begin=$(date +%s)
    sh -c "$command" || { status=$? && [ $status = 1 ]; } || { echo "exit status $status" >&2 && exit 1; } # 1 is a verdict: chains that have not met
    spend
    echo "[$(($(date +%s) - begin)) s, $used of cpu]"
    case $command in *'# long') ;; *) [ "${used%.*}" -lt 30 ] || slow=$((slow + 1)) ;; esac
done 3<commands
[ "$slow" = 0 ] || { echo "$slow commands took more than 30 s of cpu" >&2 && exit 1; }
