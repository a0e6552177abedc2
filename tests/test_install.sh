#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# test_install.sh BUILD: installs a built tree into an empty folder, and uses it from there as somebody else's project would: by pkg-config alone.
tests=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd) || exit 2
folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT
passed=0 failed=0
export OPENBLAS_CORETYPE="${OPENBLAS_CORETYPE:-Haswell}" LC_ALL=C

# check WHAT COMMAND...: passes if the command succeeds; shows what it printed if not.
check() {
    what=$1
    shift
    if "$@" >"$folder/log" 2>&1; then passed=$((passed + 1)); else
        failed=$((failed + 1))
        echo "FAILED: $what"
        head -n 8 "$folder/log"
    fi
}

if grep -qa __asan_init "$build/framework/libbnn.so"; then
    echo 'skipped: a library with sanitizers is not for others'
    exit 77
fi
root=$folder/root
check 'meson install' meson install -C "$build" --destdir "$root" --no-rebuild --quiet
pc=$(find "$root" -name bnn.pc)
library=$(dirname "$(dirname "$pc")")
include=$(find "$root" -type d -path '*/include/bnn')
export PKG_CONFIG_PATH="${pc%/*}" PKG_CONFIG_SYSROOT_DIR="$root" LD_LIBRARY_PATH="$library"

# ---------------------------------------------------------------- what is there

find "$root" -type f -o -type l | sed "s|.*/||" | sort >"$folder/found"
(cd "$tests/../framework/include/bnn" && ls -- *.h) >"$folder/wanted"
printf '%s\n' bnn bnn bnn.1 bnn.fish _bnn bnn.pc bnn-check.pc config.h libbnn.so libbnn_check.so libbnn.so.2 libbnn_check.so.2 "libbnn.so.$(pkg-config --modversion bnn)" "libbnn_check.so.$(pkg-config --modversion bnn)" >>"$folder/wanted"
sort "$folder/wanted" | check 'the program, its manual, its completion, the library, bnn.pc and every public header are installed, nothing else' diff - "$folder/found"
version=$(sed -n "s/^project(.* version: '\([^']*\)'.*/\1/p" "$tests/../meson.build")
check 'bnn.pc has the version of the project' [ "$(pkg-config --modversion bnn)" = "$version" ]
check 'bnn.pc is valid' pkg-config --validate bnn
check 'bnn.pc asks for the library alone' [ "$(pkg-config --libs-only-l bnn | tr -d ' ')" = -lbnn ]
program=$(find "$root" -type f -name bnn -path '*/bin/*')
check 'the program runs' sh -c "'$program' --version | grep -Eqx 'bnn $version \\(([0-9a-f]{40}(-dirty)?|unknown)\\)'"
check 'the program knows its types' "$program" show mc_dropout
check 'the manual is where man looks' [ -n "$(find "$root" -path '*/man/man1/bnn.1')" ]
check 'the completion is where bash looks' [ -n "$(find "$root" -path '*/bash-completion/completions/bnn')" ]
check 'the library exports names of its own only' sh -c "! nm -D --defined-only '$library/libbnn.so' | awk '{ print \$3 }' | grep -v '^bnn_'"

# ---------------------------------------------------------------- headers

flags=$(pkg-config --cflags bnn)
for header in "$include"/*.h; do
    name=bnn/${header##*/}
    for standard in c11 gnu17 c2x; do
        printf '#include <%s>\n#include <%s>\ntypedef int one_declaration;\n' "$name" "$name" >"$folder/alone.c"
        check "$name alone in -std=$standard" ${CC:-cc} $flags -std=$standard -Wall -Wextra -Wpedantic -Werror -fsyntax-only "$folder/alone.c"
    done
    for compiler in g++ clang++; do
        command -v $compiler >/dev/null || continue
        check "$name alone in C++17 with $compiler" $compiler -std=c++17 $flags -Wall -Wextra -Wpedantic -Werror -fsyntax-only -x c++ "$folder/alone.c"
    done
    check "$name names no header that is not installed" sh -c "
        ! sed -n 's/^#include <\(bnn\/[^>]*\)>.*/\1/p; s/^#include \"\([^\"]*\)\".*/\1/p' '$header' | while read -r inner; do [ -f '${include%/bnn}'/\$inner ] || echo \"\$inner\"; done | grep ."
done

# ---------------------------------------------------------------- a project of somebody else

cd "$folder" || exit 2
cp "$tests/consumer/consumer.c" .
check 'the consumer compiles' ${CC:-cc} consumer.c $(pkg-config --cflags --libs bnn) -o consumer
check 'the consumer runs' ./consumer
cat log >answer
check 'its four predictions are near 2x' awk '{ d = $2 - 2 * $1; if (d < -0.5 || d > 0.5) bad = 1 } END { exit bad || NR != 4 }' answer
check 'it uses the library that was installed' sh -c "ldd ./consumer | grep -qF 'libbnn.so.2 => $library/'"

for compiler in g++ clang++; do
    command -v $compiler >/dev/null || continue
    check "a consumer in C++17 compiles with $compiler" $compiler -std=c++17 -Wall -Wextra -Wpedantic -Werror "$tests/consumer/consumer.cc" $(pkg-config --cflags --libs bnn) -o consumer_cc
    check 'it runs' sh -c './consumer_cc >answer_cc'
    check 'and predicts the same' cmp answer_cc answer
done

# ---------------------------------------------------------------- plugins of somebody else: by cc and pkg-config alone, as docs/plugins.md says

for name in swish reflection restarts double_exponential; do
    cp "$tests/plugins/$name.c" .
    check "$name compiles without warnings" ${CC:-cc} -std=gnu17 -Wall -Wextra -Wpedantic -Werror -shared -fPIC $name.c $(pkg-config --cflags --libs bnn) -lm -o $name.so
done
check 'the line of docs/plugins.md is enough' ${CC:-cc} -std=gnu17 -shared -fPIC swish.c $(pkg-config --cflags --libs bnn) -o alone.so
check 'and is the line' grep -qF 'cc -std=gnu17 -shared -fPIC swish.c $(pkg-config --cflags --libs bnn) -o swish.so' "$tests/../docs/plugins.md"
check 'a plugin asks for the library that was installed' sh -c "ldd ./restarts.so | grep -qF 'libbnn.so.2 => $library/'"
for name in alone swish reflection double_exponential; do check "$name passes bnn check" "$program" check ./$name.so; done
seq 40 | awk 'BEGIN { print "a,y" } { print $1 / 10 "," $1 * $1 / 400 }' >t.csv
check 'data' "$program" import csv t.csv --target y -o t.h5
check 'splits' "$program" split t.h5 --kind kfold --count 5
BNN_PLUGIN_PATH=swish.so:reflection.so:restarts.so:double_exponential.so
export BNN_PLUGIN_PATH
check 'plugins of all kinds are trained with' "$program" fit -d t.h5 --net 'dense:8; swish; reflection; dense' \
    --engine 'restarts:engine=map{optimizer=sign,epochs=50},count=2' -l double_exponential -p double_exponential -o run.h5
check 'saved and predicted from' "$program" predict run.h5 -o prediction.csv
check 'eight rows are predicted' [ "$(wc -l <prediction.csv)" = 9 ]
check 'the file names them' "$program" info run.h5
check 'all four' [ "$(grep -c '^  plugin ' log)" = 4 ]
check 'the file is one that other tools open' "$program" info --lint run.h5
BNN_PLUGIN_PATH=swish.so
check 'it cannot be predicted from without them' sh -c "! '$program' predict run.h5 -o other.csv"
cat log >answer
check 'and says which' grep -qF "'reflection' of plugin reflection " answer
echo "$passed passed, $failed failed"
[ $failed = 0 ]
