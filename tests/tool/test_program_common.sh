# SPDX-License-Identifier: GPL-3.0-or-later
# Sourced by test_program*.sh: $bnn is the program (the test's first argument), the test runs in an empty folder of its own, and every check counts.

bnn=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM
mkdir "$folder/work" && cd "$folder/work" || exit 1
out=$folder/out err=$folder/err
passed=0 failed=0
umask 022 # another user reads what some tests write
export OPENBLAS_CORETYPE="${OPENBLAS_CORETYPE:-Haswell}" LC_ALL=C

pass() { passed=$((passed + 1)); }

# fail WHAT: counts a failure and shows what the program said last.
fail() {
    failed=$((failed + 1))
    echo "FAILED: $1"
    sed 's/^/    stdout: /' "$out" | head -n 8
    sed 's/^/    stderr: /' "$err" | head -n 8
}

run() {
    "$bnn" "$@" >"$out" 2>"$err" </dev/null
    status=$?
}

# check WHAT COMMAND...: passes if the command succeeds.
check() {
    what=$1
    shift
    if "$@" >/dev/null 2>&1; then pass; else fail "$what"; fi
}

# works ARGUMENT...: exit status 0 and nothing on stderr, which is no terminal.
works() {
    run "$@"
    if [ $status = 0 ] && [ ! -s "$err" ]; then pass; else fail "bnn $*: exit status $status, expected 0 and silence on stderr"; fi
}

# warns TEXT ARGUMENT...: exit status 0; every line on stderr is a warning, and one contains TEXT.
warns() {
    text=$1
    shift
    run "$@"
    if [ $status = 0 ] && grep -qF -- "$text" "$err" && ! grep -qv '^bnn: warning: ' "$err"; then pass; else fail "bnn $*: exit status $status, expected 0 and a warning '$text'"; fi
}

# says TEXT: the last stdout contains TEXT.
says() { if grep -qF -- "$1" "$out"; then pass; else fail "stdout lacks '$1'"; fi; }

# refuses TEXT ARGUMENT...: exit status 2; one line on stderr that begins with "bnn" and contains TEXT; nothing on stdout; no file made or changed.
refuses() {
    text=$1
    shift
    before=$(state)
    run "$@"
    line= more=
    { IFS= read -r line && IFS= read -r more; } <"$err"
    if [ $status != 2 ]; then fail "bnn $*: exit status $status, expected 2"
    elif [ -n "$more" ]; then fail "bnn $*: more than one line"
    elif [ "$line" = "${line#bnn}" ]; then fail "bnn $*: the sentence does not begin with 'bnn'"
    elif [ -s "$out" ]; then fail "bnn $*: a failure printed to stdout"
    elif [ "$before" != "$(state)" ]; then fail "bnn $*: a failure changed files"
    else
        case $line in
        *"$text"*) pass ;;
        *) fail "bnn $*: the sentence lacks '$text'" ;;
        esac
    fi
}

# Every file here with its number, size and time; a temporary file that came and went shows in the time of its folder.
state() { find . -printf '%p %i %s %T@\n'; }

finish() {
    echo "$passed passed, $failed failed"
    [ $failed = 0 ]
    exit
}

# Small tables: y = a^2 + b with noise; the same with a second target; two classes; three classes.
tables() {
    awk 'function u() { s = (s * 1103515245 + 12345) % 2147483648; return s / 2147483648 }
        BEGIN {
            s = 7
            print "a,b,y" >"r.csv"; print "a,b,u,v" >"t.csv"; print "a,b,kind" >"c2.csv"; print "a,b,kind" >"c3.csv"
            for (i = 0; i < 60; i++) {
                a = 4 * u() - 2; b = u()
                printf "%.4f,%.4f,%.4f\n", a, b, a * a + b + 0.1 * u() >"r.csv"
                printf "%.4f,%.4f,%.4f,%.4f\n", a, b, a + b, a * b >"t.csv"
                printf "%.4f,%.4f,%s\n", a, b, (a > 0 ? "yes" : "no") >"c2.csv"
                printf "%.4f,%.4f,%s\n", a, b, (a <= 0 ? "z" : b > 0.5 ? "x" : "y") >"c3.csv"
            }
        }'
    for table in r:y t:u,v c2:kind c3:kind; do
        works import csv "${table%:*}.csv" --target "${table#*:}" -o "${table%:*}.h5"
        works split "${table%:*}.h5" --kind kfold --count 5
    done
}
net='dense:6; relu; dense'
