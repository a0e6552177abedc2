#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# test_hostile.sh BNN HOSTILE.so PAGE: plugins that would take the program with them (tests/check/hostile.c): `bnn check` names rule, spec, mode and hook, runs the other rules, and ends with
# status 2; other commands name the file.
page=$(cd "$(dirname "$3")" && pwd)/$(basename "$3")
hostile=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
. "$(dirname "$0")/../tool/test_program_common.sh"

# ends DEED KIND RULE TEXT: the rule is broken with these words, nothing but sentences of bnn on stderr.
ends() {
    HOSTILE=$1
    export HOSTILE
    run check "$hostile" --kind "$2" --rule "$3" --limit 1
    HOSTILE=
    if [ $status != 2 ]; then fail "$1: exit status $status, expected 2"; elif grep -qv '^bnn: ' "$err"; then fail "$1: says more than sentences"; else says "  $4"; fi
}

works check "$hostile" --kind layer
says 'layer hostile: '
ends 'crash forward' layer adds "adds               FAIL  'input:5; hostile:3' in MEAN: forward crashes: Segmentation fault"
says "  bounds             FAIL  'input:5; hostile:3' in MEAN: forward crashes: Segmentation fault"
ends 'abort backward' layer undefined "undefined          FAIL  'input:5; hostile:3' in MEAN: backward crashes: Aborted"
ends 'exit backward' layer gradient "gradient           FAIL  'input:5; hostile:3' in MEAN: backward ends the process, with exit status 0"
ends '_exit init' layer init "init               FAIL  'input:5; hostile:3': init ends the process, with exit status 0"
ends 'sleep open' engine print "metadata           FAIL  open does not come back: it has had 1 s (--limit)"
ends 'raise step_optimizer' optimizer descent "descent            FAIL  'hostile': step crashes: Floating point exception"
ends 'overflow close' layer print "print              FAIL  'input:5; hostile:3': close crashes: Segmentation fault"
ends 'jump observe' likelihood rows "rows               FAIL  'hostile' in 1-D: observe crashes: Segmentation fault"
ends 'kill draw' prior draws "draws              FAIL  'hostile' in weights: draw crashes: Killed"
ends 'exit close' engine numeric "numeric            FAIL  'hostile': close ends the process, with exit status 0"
ends 'shut draw' prior stream "stream             FAIL  'hostile' in weights: a hook has closed files that are not its own; the last that ran is draw"
ends 'twice forward' layer empty "empty              FAIL  'input:5; hostile:3' in MEAN: forward crashes: Aborted"
check 'what the C library said of it is told' grep -qF 'bnn: warning: ' "$err"

# Without --rule the rules that do not come to the hook hold, and one that hangs is not waited for in each of the rest.
export HOSTILE='crash init'
run check "$hostile" --kind layer
check 'metadata holds' grep -q '  metadata           ok' "$out"
check 'the rules behind are run' grep -q '  unwanted           FAIL' "$out"
check 'a line for each rule' [ "$(wc -l <"$out")" = $(($("$bnn" check --rules --kind layer | wc -l) + 1)) ]
HOSTILE='hang forward'
run check "$hostile" --kind layer --limit 1
check 'two rules have hung' [ "$(grep -c 'forward does not come back' "$out")" = 2 ]
says 'not run, since rules before it took all the time or memory that they may'
check 'and every rule has its line' [ "$(wc -l <"$out")" = $(($("$bnn" check --rules --kind layer | wc -l) + 1)) ]

# Time that goes by while the whole machine stands still is not the hook's.
HOSTILE='still draw'
works check "$hostile" --kind prior --rule draws --limit 1

# Memory without end; what is limited is that of the child.
HOSTILE='memory draw'
run check "$hostile" --kind prior --rule stream --limit 60
says 'draw crashes: Segmentation fault, after it has used up the memory that it may have'

# As it is loaded and unloaded.
for deed in crash exit _exit abort sleep; do
    HOSTILE="$deed constructor"
    refuses "bnn: $hostile: as it is loaded it " check "$hostile" --limit 1
done
for deed in crash exit abort; do
    HOSTILE="$deed constructor"
    refuses "bnn: $hostile: as it is loaded it " list --plugin "$hostile"
done
BNN_PLUGIN_PATH=$hostile
export BNN_PLUGIN_PATH
refuses "bnn: $hostile: as it is loaded it crashes" list
unset BNN_PLUGIN_PATH
HOSTILE='crash destructor'
run check "$hostile" --kind optimizer --json
check 'unloading' grep -qF "bnn: $hostile: as it is unloaded it crashes: Segmentation fault" "$err"
check 'is a failure' [ $status = 2 ]

# What a type leaves behind, and what it finds.
breaks() {
    HOSTILE=$1
    export HOSTILE
    run check "$hostile" --kind "$2" --rule "$3"
    HOSTILE=
    if [ $status = 1 ]; then says "  $4"; else fail "$1: exit status $status, expected 1"; fi
    check "the page tells of the deed ${1% *}" grep -q "^| \`${1% *}\`: .* | \`$3\` |" "$page"
}
breaks 'leak init' layer returned "returned           FAIL  'input:5; hostile:3': 3 allocations of it are live once all is closed, and 3 more the next time"
breaks 'leak close' engine returned "returned           FAIL  'hostile': 3 allocations of it are live"
breaks 'leak observe' likelihood returned "returned           FAIL  'hostile': "
breaks 'fresh forward' layer fresh "fresh              FAIL  'input:5; hostile:3': the results are others where fresh memory holds bytes of 0xff"
breaks 'share forward' layer threads "threads            FAIL  'input:5; hostile:3' in MEAN: with "
says ' threads at once y differs in '
breaks 'share forward' layer statics "statics            FAIL  'input:5; hostile:3': "
says " bytes of static memory, the first in 'shared"
for deed in 'step engine' 'observe likelihood' 'draw prior' 'step_optimizer optimizer'; do
    breaks "remember ${deed% *}" "${deed#* }" statics "statics            FAIL  'hostile': "
    says " static memory, the first in 'remembered', hold"
done
breaks 'handle draw' prior process "process            FAIL  'hostile': the signal 'Terminated' has another handler than before"
breaks 'round forward' layer process "process            FAIL  'input:5; hostile:3': the rounding of numbers is another than before"
breaks 'trap draw' prior process "process            FAIL  'hostile': floating-point exceptions are signals"
breaks 'locale bind' layer process "process            FAIL  'input:5; hostile:3': the locale is 'C.UTF-8', it was 'C'"
breaks 'move draw' prior process "process            FAIL  'hostile': the working folder is '/'"
breaks 'set draw' prior process "process            FAIL  'hostile': the environment is another than before"
breaks 'hold step_optimizer' optimizer process "process            FAIL  'hostile': a file stays open once all is closed, each time"
breaks 'fork draw' prior process "process            FAIL  'hostile': forks: a second process"
breaks 'print observe' likelihood process "process            FAIL  'hostile': prints: \"a complaint of the plugin\""
breaks 'shine step' engine process "process            FAIL  'hostile': prints: \"a line for a terminal\""

# What a plugin prints goes nowhere near the answers.
HOSTILE='print forward'
run check "$hostile" --kind layer --json
check 'JSON alone' python3 -c 'import json, sys; json.load(open(sys.argv[1]))' "$out"
check 'and a word of it' grep -qF 'a complaint of the plugin' "$err"
HOSTILE=

# What cannot be a library is passed over, and no pipe is waited for.
mkdir plugins plugins/folder.so && mkfifo plugins/pipe.so && ln -s nowhere plugins/link.so && truncate -s 2G plugins/huge.so && cp "$hostile" plugins/last.so
BNN_PLUGIN_PATH=plugins:plugins/pipe.so
export BNN_PLUGIN_PATH
warns 'plugins/pipe.so: is passed over: is a named pipe, not a shared library' list
says '  hostile '
for what in 'folder.so: is passed over: is a folder' 'link.so: is passed over: No such file' 'huge.so: is passed over: has 2147483648 bytes'; do
    check "$what" grep -qF "bnn: warning: plugins/$what" "$err"
done
warns 'plugins/folder.so: is passed over' check --rule count
BNN_PLUGIN_PATH=
refuses 'plugins/pipe.so: is a named pipe, not a shared library' list --plugin plugins/pipe.so
refuses 'plugins/folder.so: is a folder, not a shared library' check plugins/folder.so
finish
