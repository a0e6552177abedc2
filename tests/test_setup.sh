#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The set-up on machines that lack packages, with a package manager that only writes down what it is asked. Call: test_setup.sh
cd "$(dirname "$0")/.." || exit 1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/dpkg-query" <<'END'
#!/bin/sh
# knows gcc; libfoo-dev was removed, its configuration stayed; fails where a package is unknown, as the real one does
shift 3
status=0
for package; do
    case $package in
    gcc) printf 'gcc:ii ' ;;
    libfoo-dev) printf 'libfoo-dev:rc ' ;;
    *) status=1 ;;
    esac
done
exit $status
END
printf '#!/bin/sh\necho "$@" >>"%s/asked"\n' "$folder" >"$folder/apt-get"
printf '#!/bin/sh\n[ "$1" != -n ] || shift\n"$@"\n' >"$folder/sudo"
chmod +x "$folder/dpkg-query" "$folder/apt-get" "$folder/sudo"

# set_up PACKAGE...: what the scripts do, and what was asked for
set_up() {
    rm -f "$folder/asked"
    PATH="$folder:$PATH" sh -c 'set -e; . experiments/setup.sh; need "$@"; echo ready' setup "$@" || return 1
    [ ! -f "$folder/asked" ] || sed 1d "$folder/asked"
}

failed=0
# same WHAT EXPECTED FOUND
same() {
    [ "$2" = "$3" ] && return
    echo "FAILED: $1: expected '$2', found '$3'"
    failed=1
}
same 'nothing is missing' 'ready' "$(set_up gcc)"
same 'unknown and removed packages are installed' 'installing libfoo-dev g meson
ready
install -y --no-install-recommends libfoo-dev g meson' "$(set_up gcc libfoo-dev g meson)"

# configured FOLDER: how it is configured by a meson that only tells
configured() {
    printf '#!/bin/sh\necho "meson $*"\n' >"$folder/meson"
    printf '#!/bin/sh\necho no work to do\n' >"$folder/ninja"
    chmod +x "$folder/meson" "$folder/ninja"
    PATH="$folder:$PATH" sh -c '. experiments/setup.sh; build "$1"' setup "$1"
    cat "$1/reconfigure.log" 2>/dev/null
}
mkdir "$folder/build"
: >"$folder/build/build.ninja"
same 'what is configured stays so' '' "$(configured "$folder/build")"
touch -d 2000-01-01 "$folder/build/build.ninja"
same 'packages that came since may be what it did not find' "meson setup --reconfigure $folder/build" "$(configured "$folder/build")"

# of_caller COMMAND: what it prints, cleaned of PYTHONPATH, OMP_NUM_THREADS, and a folder of programs.
of_caller() {
    mkdir -p "$folder/bin" && printf '#!/bin/sh\necho mine\n' >"$folder/bin/uname" && chmod +x "$folder/bin/uname"
    env PYTHONPATH=/mine OMP_NUM_THREADS=7 CC=mycc LINES_OF='one
PATH=two' PATH="$folder/bin:$PATH" sh -c ". experiments/setup.sh; clean; $1"
}
same "what is the caller's own is left out" '' "$(of_caller 'echo "$PYTHONPATH$OMP_NUM_THREADS$LINES_OF"')"
same 'programs are those of the distribution' "$(/usr/bin/uname)" "$(of_caller uname)"
mkdir "$folder/dist-packages" && : >"$folder/dist-packages/by_hand.py"
same 'nor does Python see what pip installed' None "$(PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="tests/python:$folder/dist-packages" /usr/bin/python3 -c 'import importlib.util as u; print(u.find_spec("by_hand"))')"
same 'the compiler is that of the caller' mycc "$(of_caller 'echo $CC')"
exit $failed
