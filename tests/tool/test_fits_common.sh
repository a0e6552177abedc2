# SPDX-License-Identifier: GPL-3.0-or-later
# Sourced by test_kills.sh, test_signals.sh and test_outputs.sh: fits in the background, what they may get on their way, and what stands at their output.
. "$(dirname "$0")/test_program_common.sh"
tables

# after SECONDS SIGNAL...: sends each signal to $pid, and waits that long before each.
after() {
    pause=$1
    shift
    for one; do sleep "$pause" && kill -"$one" $pid; done 2>/dev/null
}

# start ARGUMENT...: the program in the background, as $pid.
start() {
    "$bnn" "$@" >"$out" 2>"$err" </dev/null &
    pid=$!
}

# ended: waits for $pid, and sets $status.
ended() {
    wait $pid 2>/dev/null
    status=$?
}

# answers: waits until $pid catches SIGUSR1, as any long command does from its beginning, to say how far it is.
answers() { until grep -q '^SigCgt:.*[2367abef]..$' /proc/$pid/status; do sleep 0.01; done; }

# listens: waits until $pid catches SIGALRM, the last signal that a fit or a comparison comes to listen to; before that signals are those of any long command.
listens() { until grep -q '^SigCgt:.*[2367abef]...$' /proc/$pid/status; do sleep 0.01; done; }

# delivered: waits until $pid has been given what was sent to it: of two signals of a kind that wait for it, it gets one.
delivered() { while grep -q '^ShdPnd:.*[1-9a-f]' /proc/$pid/status; do sleep 0.01; done; }

# grown FILE MARK: waits until FILE is another one than when its mark was taken (`mark FILE`), or $pid has ended.
mark() { stat -c '%i %.9Y' "$1" 2>/dev/null; }
grown() { while [ "$(mark "$1")" = "$2" ] && grep -q '^State:.[^ZX]' /proc/$pid/status 2>/dev/null; do sleep 0.01; done; }

# readable FILE: whole for bnn, and for stock tools where they are.
readable() {
    "$bnn" info "$1" >"$out" 2>"$err" || return 1
    if command -v h5dump >/dev/null; then h5dump -H "$1" >"$out" 2>"$err" || return 1; fi
    if command -v ncdump >/dev/null; then ncdump -h "$1" >"$out" 2>"$err" || return 1; fi
}

absent_or_readable() { [ ! -e "$1" ] || readable "$1"; }

# consecutive LOG: JSON on each line, and steps from 1 on, without gap or repeat.
consecutive() {
    if command -v python3 >/dev/null; then
        python3 -c 'import json, sys
steps = [json.loads(line)["step"] for line in open(sys.argv[1])]
assert steps and steps == list(range(1, len(steps) + 1)), steps' "$1"
    else
        grep -o '^{"step":[0-9]*' "$1" | cut -d: -f2 | awk '$1 != NR { exit 1 }'
    fi
}

equal() { [ "$("$bnn" diff "$1" "$2" 2>"$err")" = "$1 and $2 are equal, provenance apart" ]; }
no_leftovers() { [ -z "$(find . -name '*.tmp*' -o -name '*.lock')" ]; }

# fit ENGINE ARGUMENT...: what `start` and `run` are given.
fit() {
    how=$1 engine=$2
    shift 2
    $how fit -d r.h5 --net "$net" --samples 5 --threads 1 --checkpoint-every 1epochs --engine "$engine" "$@"
}

# whole ENGINE: an uninterrupted fit to whole.h5; its milliseconds in $took.
whole() {
    from=$(date +%s%N)
    fit works "$1" --force --log whole.log -o whole.h5
    took=$((($(date +%s%N) - from) / 1000000))
}
