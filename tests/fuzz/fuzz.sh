#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# fuzz.sh BUILD SECONDS [TARGET...]: runs each fuzz target (default: all) for so long, from the seeds in tests/fuzz/corpus and what earlier runs left in BUILD/corpus, and goes on behind what it
# finds. One line for each target; inputs that break something stay as BUILD/found/TARGET-*, the log as BUILD/found/TARGET.log, and the exit status is 1. An input is tried again
# with BUILD/tests/fuzz/fuzz_TARGET FILE.
here=$(cd "$(dirname "$0")" && pwd) build=$(cd "$1" && pwd) seconds=$2
shift 2
[ $# -gt 0 ] || set -- $(ls "$here/corpus")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM
export TMPDIR="$folder" OMP_NUM_THREADS=1 LSAN_OPTIONS="suppressions=$here/../lsan.supp:print_suppressions=0" UBSAN_OPTIONS=print_stacktrace=1
export ASAN_OPTIONS=allocator_may_return_null=1:max_allocation_size_mb=512:detect_stack_use_after_return=0
failed=0
for target; do
    mkdir -p "$build/corpus/$target" "$build/found"
    log=$build/found/$target.log began=$(date +%s)
    "$build/tests/fuzz/fuzz_$target" -fork=1 -ignore_crashes=1 -ignore_timeouts=1 -ignore_ooms=1 -max_total_time="$seconds" -timeout=30 -rss_limit_mb=3000 -max_len=65536 \
        -artifact_prefix="$build/found/$target-" "$build/corpus/$target" "$here/corpus/$target" >"$log" 2>&1 || failed=1
    executions=$(sed -n 's/^#\([0-9]*\): cov.*/\1/p' "$log" | tail -n 1)
    found=$(ls "$build/found" | grep -c "^$target-")
    echo "$target: ${executions:-0} executions, $(($(date +%s) - began)) s, $found inputs in $build/found"
    [ "$found" = 0 ] && [ -n "$executions" ] || failed=1
done
exit $failed
