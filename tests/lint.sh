#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# lint.sh [FOLDER]: whether the sources keep to the rooms of the house (docs/architecture.md): who includes what, which names stand where, how long a function may be.
#   sh tests/lint.sh             this tree; one line for each offence, exit status 1 if there are any
#   sh tests/lint.sh --mutants   breaks every rule in a copy and demands that each offence is found
here=$(cd "$(dirname "$0")/.." && pwd)
export LC_ALL=C

if [ "$1" != --mutants ]; then
    cd "${1:-$here}" || exit 2
    offences=$(mktemp) || exit 2
    trap 'rm -f "$offences"' EXIT
fi

# offend TEXT: for each line of stdin, "TEXT: line".
offend() { sed "s|^|$1: |" >>"$offences"; }

# sources PATTERN...: files of these names in all rooms, data apart.
sources() {
    for pattern; do find framework layers inference experiments tests docs meson.build meson_options.txt -path experiments/data -prune -o -type f -name "$pattern" -print 2>/dev/null; done | sort
}

# includes FILE...: "FILE <header>" or 'FILE "header"' for each #include.
includes() { awk '/^[ \t]*#[ \t]*include/ { match($0, /["<][^">]*[">]/); print FILENAME " " substr($0, RSTART, RLENGTH) }' "$@" /dev/null; }

libc='<(assert|ctype|errno|float|inttypes|limits|math|tgmath|stdalign|stdarg|stdbool|stddef|stdint|stdio|stdlib|string|time)\.h>'

# may_include TEXT HEADERS FILE...: offends where a file includes what neither HEADERS (a pattern) nor libc has.
may_include() {
    text=$1 headers=$2
    shift 2
    [ ! -f "$1" ] || includes "$@" | grep -Ev " ($libc|$headers)$" | offend "$text"
}

# only_in TEXT PATTERN FILES: offends where a C file outside FILES (a pattern) has a line with PATTERN.
only_in() { sources '*.[ch]' | grep -Ev "^($3)$" | xargs grep -nE "$2" /dev/null | offend "$1"; }

# same TEXT NAMES OTHERS: offends where two lists of words differ.
same() { { printf '%s\n' $2 $2 $3 | sort | uniq -u && printf '%s\n' $3 $3 $2 | sort | uniq -u; } | sort -u | offend "$1"; }

# quoted FILE [START]: what stands between quotation marks in a meson.build, from the line with START to a line that ends with ] or ).
quoted() { awk -v start="$2" 'index($0, start) { on = 1 } on { print } on && /[])]$/ { exit }' "$1" | grep -o "'[^']*'" | tr -d "'"; }

# stems FILE...: names without folder and .c
stems() { for file; do [ ! -f "$file" ] || basename "$file" .c; done; }

check_rooms() {
    may_include 'a layer includes layer.h, gaussian.h, gate.h, kernels.h and libc only' '<bnn/(layer|gaussian|gate|kernels)\.h>' layers/*.c
    may_include 'a mutant includes what a type of its kind may' '<bnn/(layer|gaussian|gate|kernels|engine|jobs|likelihood|prior|optimizer)\.h>|<gsl/.*>' tests/mutants/*.c
    for kind in likelihood prior optimizer; do
        may_include "a $kind includes its contract, kernels.h, GSL and libc only" "<bnn/($kind|kernels)\.h>|<gsl/.*>" framework/$kind/*.c
    done
    may_include 'an engine includes engine.h and what is built on it, GSL and libc only' '<bnn/(curvature|descent|engine|evidence|sampler|sgmcmc|holder|jobs|metrics|minibatch|optimizer|predict|rng|stored)\.h>|<gsl/.*>' inference/*.c
    may_include 'an experiment includes bnn/*.h and libc only' '<bnn/[a-z_]*\.h>' experiments/*.c
    includes $(find framework -name '*.[ch]') | grep -E 'layers/|inference/|experiments/|tests/' | offend 'the framework includes no other room'
    may_include 'a template includes what its type may' '<bnn/layer\.h>' framework/tool/templates/layer/name.c
    may_include 'a template includes what its type may' '<bnn/(engine|jobs|stored)\.h>' framework/tool/templates/engine/name.c
    types=$(printf '%s|' $(stems layers/*.c inference/*.c))
    only_in 'the framework names no layer and no engine' "bnn_(layer|engine)_(${types%|})\>" '(layers|inference|tests|experiments)/.*'
    grep -nE "subdir|\.\./(layers|inference)" framework/meson.build /dev/null | offend 'the framework names no layer and no engine'
    only_in 'HDF5 is for store*' '# *include *[<"](hdf5|H5)' 'framework/store[a-z0-9_]*\.[ch]|tests/test_.*\.c'
    only_in 'the library of matrix products is for kernels.c' '# *include *[<"](dnnl|oneapi|cblas|openblas|mkl)' 'framework/kernels\.c'
    only_in 'OpenMP cuts work in kernels.c and jobs.c' '#pragma omp' 'framework/(kernels|jobs)\.c|framework/tool/.*|tests/.*'
    grep -nE '#pragma omp' framework/tool/*.c /dev/null | grep -v 'omp critical' | offend 'the program has critical sections, no parallel ones'
    only_in 'argp is for the program' '# *include *<argp\.h>' 'framework/tool/.*'
    only_in 'jansson is for the program, spec_json.c and store_provenance.c' '# *include *<jansson\.h>' 'framework/tool/.*|framework/(spec_json|store_provenance)\.c'
    only_in 'the library neither prints nor exits' '(^|[^a-z_])(printf|puts|putchar|perror|exit|abort|_exit)\(|fprintf\((stderr|stdout)' 'framework/tool/.*|experiments/.*|tests/.*'
}

check_top() {
    allowed='framework layers inference experiments tests docs meson.build meson_options.txt README.md LICENSE'
    names=$(git ls-files 2>/dev/null | cut -d/ -f1 | sort -u | grep -v '^\.')
    [ -e .git ] && [ -n "$names" ] || names=$(ls | grep -v '^build')
    printf '%s\n' $names | grep -Evx "$(printf '%s' "$allowed" | tr ' ' '|')" | offend 'the top level holds what the house allows, nothing else'
    for name in $allowed; do [ -e "$name" ] || echo "$name"; done | offend 'the top level holds all of the house'
}

check_lists() {
    same 'layers/meson.build lists the files' "$(quoted layers/meson.build layer_names)" "$(stems layers/*.c)"
    same 'inference/meson.build lists the files' "$(quoted inference/meson.build engine_names)" "$(stems inference/*.c)"
    for kind in likelihood prior optimizer; do
        same "framework/meson.build lists each $kind" "$(quoted framework/meson.build "${kind}_names =")" "$(stems framework/$kind/*.c)"
    done
    for file in framework/*.c framework/tool/*.c; do grep -q "'${file#framework/}'" framework/meson.build || echo "$file"; done | offend 'framework/meson.build lists the files'
    for file in framework/include/bnn/*.h; do grep -q "'${file##*/}'" framework/include/bnn/meson.build || echo "$file"; done | offend 'a public header is installed'
    for file in experiments/*.c; do [ ! -f "$file" ] || grep -q "'$(basename "$file" .c)'" experiments/meson.build || echo "$file"; done | offend 'experiments/meson.build lists the files'
    for file in experiments/*.c; do [ ! -f "$file" ] || [ -f "experiments/expected/$(basename "$file" .c).txt" ] || echo "$file"; done | offend 'an experiment has its expected output'
    for file in tests/test_*.c tests/test_*.sh tests/test_*.py tests/conform.c tests/lint.sh; do
        name=$(basename "$file" .c)
        grep -qE "'(test_)?${name#test_}'" tests/meson.build || grep -lq "/$name\"" tests/*.sh || echo "$file"
    done | offend 'a test is run'
}

check_texts() {
    sources '*.[ch]' '*.sh' '*.py' | xargs awk 'FNR == 1 { if (file) print file; file = FILENAME }
        FNR <= 2 && /SPDX-License-Identifier: GPL-3.0-or-later/ { file = "" }
        END { if (file) print file }' | offend 'a source says its licence'
    sources '*' | xargs grep -InE 'TO''DO|FIX''ME' /dev/null | offend 'nothing is left undone'
    sources '*' | grep -v /Makefile | xargs grep -InE "$(printf '\t')|[[:blank:]]+\$" /dev/null | cut -c 1-100 | offend 'no tabs, no blanks at the end of a line'
    for file in experiments/*.c; do [ ! -f "$file" ] || [ "$(wc -l <"$file")" -le 150 ] || echo "$file"; done | offend 'an experiment has 150 lines at most'
    sources '*.c' | xargs awk 'FNR == 1 { start = 0 }
        /^[A-Za-z_]/ && !/;$/ { start = FNR; name = $0 }
        /^}$/ { if (start && FNR - start >= 60) print FILENAME ":" start ": " FNR - start + 1 " lines: " substr(name, 1, 80); start = 0 }' /dev/null |
        offend 'a function has 60 lines at most'
}

# ---------------------------------------------------------------- mutants

# broken RULE WHERE: the copy was found to offend against RULE there.
broken() {
    if grep -F -- "$1: " found | grep -qF -- "$2"; then passed=$((passed + 1)); else
        failed=$((failed + 1))
        echo "not found: $1: $2"
    fi
}

break_copy() {
    echo '#include <bnn/net.h>' >>layers/dense.c
    echo '#include "relu.c"' >>layers/tanh.c
    echo '#include <bnn/net.h>' >>tests/mutants/gate.c
    for kind in layer engine; do echo '#include <bnn/net.h>' >>framework/tool/templates/$kind/name.c; done
    echo '#include <bnn/layer.h>' >>framework/likelihood/gaussian.c
    echo '#include <bnn/engine.h>' >>framework/prior/gauss.c
    echo '#include <bnn/engine.h>' >>framework/optimizer/adam.c
    echo '#include <bnn/layer.h>' >>inference/map.c
    echo '#include <hdf5.h>' >>inference/mc_dropout.c
    echo '#include "../framework/simd.h"' >experiments/new2020_idea.c
    seq 150 >>experiments/new2020_idea.c
    echo '#include "../layers/dense.c"' >>framework/net.c
    echo 'extern int bnn_layer_dense;' >>framework/model.c
    echo 'subdir("x")' >>framework/meson.build
    echo '#include <hdf5.h>' >>framework/data.c
    echo '#include <cblas.h>' >>framework/net.c
    echo '#pragma omp parallel' >>layers/dense.c
    echo '#pragma omp parallel' >>framework/tool/fit.c
    echo '#include <jansson.h>' >>framework/fit.c
    echo 'static void say(void) { printf("x"); }' >>framework/fit.c
    mkdir tools
    rm -r docs layers/add.c
    for file in layers/dense inference/map framework/prior/gauss framework/likelihood/gaussian framework/optimizer/sgd framework/fit framework/tool/fit; do cp $file.c ${file}2.c; done
    cp framework/include/bnn/fit.h framework/include/bnn/fit2.h
    echo >tests/test_nothing.c
    sed -i 1d framework/cost.c
    echo '/* TO''DO */' >>framework/gate.c
    echo 'int x; ' >>framework/jobs.c
    printf '\tx\n' >>layers/meson.build
    { echo 'static void f(void) {' && yes '    ;' | head -n 59 && echo '}'; } >>framework/gate.c
}

find_all() {
    broken 'a layer includes layer.h, gaussian.h, gate.h, kernels.h and libc only' 'layers/dense.c <bnn/net.h>'
    broken 'a layer includes layer.h, gaussian.h, gate.h, kernels.h and libc only' 'layers/tanh.c "relu.c"'
    broken 'a mutant includes what a type of its kind may' 'gate.c <bnn/net.h>'
    for kind in layer engine; do broken 'a template includes what its type may' "$kind/name.c <bnn/net.h>"; done
    broken 'a likelihood includes its contract, kernels.h, GSL and libc only' 'gaussian.c <bnn/layer.h>'
    broken 'a prior includes its contract, kernels.h, GSL and libc only' 'gauss.c <bnn/engine.h>'
    broken 'a optimizer includes its contract, kernels.h, GSL and libc only' 'adam.c <bnn/engine.h>'
    broken 'an engine includes engine.h and what is built on it, GSL and libc only' 'map.c <bnn/layer.h>'
    broken 'an engine includes engine.h and what is built on it, GSL and libc only' 'mc_dropout.c <hdf5.h>'
    broken 'an experiment includes bnn/*.h and libc only' 'simd.h'
    broken 'the framework includes no other room' 'layers/dense.c'
    broken 'the framework names no layer and no engine' 'model.c'
    broken 'the framework names no layer and no engine' 'subdir'
    broken 'HDF5 is for store*' 'framework/data.c'
    broken 'HDF5 is for store*' 'inference/mc_dropout.c'
    broken 'the library of matrix products is for kernels.c' 'net.c'
    broken 'OpenMP cuts work in kernels.c and jobs.c' 'layers/dense.c'
    broken 'the program has critical sections, no parallel ones' 'fit.c'
    broken 'jansson is for the program, spec_json.c and store_provenance.c' 'framework/fit.c'
    broken 'the library neither prints nor exits' 'framework/fit.c'
    broken 'the top level holds what the house allows, nothing else' 'tools'
    broken 'the top level holds all of the house' 'docs'
    broken 'layers/meson.build lists the files' 'dense2'
    broken 'layers/meson.build lists the files' 'add'
    broken 'inference/meson.build lists the files' 'map2'
    broken 'framework/meson.build lists each likelihood' 'gaussian2'
    broken 'framework/meson.build lists each prior' 'gauss2'
    broken 'framework/meson.build lists each optimizer' 'sgd2'
    broken 'framework/meson.build lists the files' 'framework/fit2.c'
    broken 'framework/meson.build lists the files' 'framework/tool/fit2.c'
    broken 'a public header is installed' 'fit2.h'
    broken 'experiments/meson.build lists the files' 'new2020_idea'
    broken 'an experiment has its expected output' 'new2020_idea'
    broken 'an experiment has 150 lines at most' 'new2020_idea'
    broken 'a test is run' 'test_nothing'
    broken 'a source says its licence' 'cost.c'
    broken 'nothing is left undone' 'gate.c'
    broken 'no tabs, no blanks at the end of a line' 'jobs.c'
    broken 'no tabs, no blanks at the end of a line' 'layers/meson.build'
    broken 'a function has 60 lines at most' 'gate.c'
}

break_all() {
    copy=$(mktemp -d) || exit 2
    trap 'rm -rf "$copy"' EXIT
    passed=0 failed=0
    cp -RL "$here"/framework "$here"/layers "$here"/inference "$here"/experiments "$here"/tests "$here"/docs "$here"/meson.build "$here"/meson_options.txt "$copy" || exit 2
    cd "$copy" || exit 2
    if [ -n "$(find . -type l)" ]; then # a link would lead the axe back into the tree
        echo "$copy holds links: no copy to break" >&2
        exit 2
    fi
    break_copy || exit 2
    sh "$here/tests/lint.sh" "$copy" >"$copy.found"
    mv "$copy.found" found
    find_all
    echo "$passed passed, $failed failed"
    [ $failed = 0 ]
}

if [ "$1" = --mutants ]; then
    break_all
    exit
fi
check_rooms
check_top
check_lists
check_texts
cat "$offences"
[ ! -s "$offences" ] && echo 'the house is in order'
