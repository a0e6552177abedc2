#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Every test: installs what is missing, builds in float and double, with gcc and clang, and with sanitizers, and runs the suite in each.
#   sh tests/run.sh          all of that
#   sh tests/run.sh fast     the default build only
#   sh tests/run.sh long     in the default build what takes long: 200 kills of fits on their way; every change of every part of a file; faults seeded into
#                            the sources, each of which some test has to find; the commands of the README on a bare machine (tests/bare.sh, as root)
#   sh tests/run.sh threads  all engines under ThreadSanitizer, with clang and its OpenMP runtime, whose archer says what waits for what; part of long
#   sh tests/run.sh ranks    fits over ranks of MPI, which the program is built with here alone (build-mpi), against the default build; part of long
#   sh tests/run.sh fuzz [SECONDS [TARGET...]]
#                            readers and kernels on bytes that nobody meant, with clang's libFuzzer and sanitizers: each target of tests/fuzz (default: all) for so long
#                            (default: 60); inputs that break something stay in build-fuzz/found
# Of the caller's environment only what `clean` in experiments/setup.sh names gets in. What no build changes is tested in the default one alone (tests/meson.build).
set -e
cd "$(dirname "$0")/.."
. experiments/setup.sh
clean # nothing passes or fails because of what somebody set or installed by hand
need $packages check make g++
export CK_TIMEOUT_MULTIPLIER="${CK_TIMEOUT_MULTIPLIER:-4}" # as --timeout-multiplier below, for the tests of a suite
export OPENBLAS_CORETYPE="${OPENBLAS_CORETYPE:-Haswell}" # some older OpenBLAS miscompute on newer processors

export LSAN_OPTIONS="suppressions=$PWD/tests/lsan.supp:print_suppressions=0"

# suite FOLDER SUITES [MESON OPTION...]: all tests but those of SUITES (tests/meson.build).
suite() {
    folder=$1 without=$2
    shift 2
    build "$folder" "$@"
    meson test -C "$folder" $(printf -- ' --no-suite %s' $without) --quiet --print-errorlogs --timeout-multiplier 4 # for machines that have other work
}

threads() {
    need clang libomp-dev
    targets=bnn
    CC=clang build build-threads -Dwerror=true -Dgemm=reference -Db_sanitize=thread -Db_lundef=false -Dbuildtype=debug -Doptimization=1
    python3 tests/tool/test_threads.py build-threads/bnn races
    targets=""
}

ranks() {
    need libopenmpi-dev openmpi-bin
    targets=bnn
    build build -Dwerror=true
    build build-mpi -Dwerror=true -Dmpi=enabled
    targets=""
    sh "$PWD/tests/tool/test_ranks.sh" build-mpi/bnn build/bnn
}

if [ "$1" = threads ] || [ "$1" = ranks ]; then
    $1
    exit
fi
if [ "$1" = fuzz ]; then
    need clang libomp-dev
    shift
    seconds=${1:-60}
    [ $# = 0 ] || shift
    targets=$(printf 'tests/fuzz/fuzz_%s ' $(ls tests/fuzz/corpus))
    CC=clang build build-fuzz -Dwerror=true -Dgemm=reference -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false -Dbuildtype=debug -Doptimization=1 \
        -Dc_args='-fsanitize=fuzzer-no-link -fno-sanitize-recover=undefined'
    exec sh tests/fuzz/fuzz.sh build-fuzz "$seconds" "$@"
fi
if [ "$1" = long ]; then
    need debootstrap chromium chromium-driver python3-selenium slurm-wlm munge parallel
    build build -Dwerror=true
    threads || failed=1
    ranks || failed=1
    meson test -C build --suite long --print-errorlogs || failed=1
    exit ${failed:-0}
fi
if [ "$1" != fast ]; then
    need g++ doxygen python3-clang clang libomp-dev groff-base man-db mandoc hdf5-tools netcdf-bin python3-h5py python3-netcdf4 python3-h5netcdf python3-xarray python3-pandas python3-matplotlib python3-tables \
        r-base-core r-cran-ncdf4 r-cran-hdf5r r-bioc-rhdf5 octave octave-netcdf fonts-freefont-otf
    suite build-double 'once system' -Dwerror=true -Dreal=double
    CC=clang suite build-clang 'once precision system' -Dwerror=true -Dgemm=reference
    suite build-sanitize 'once precision' -Dwerror=true -Db_sanitize=address,undefined -Db_lundef=false -Dbuildtype=debug -Doptimization=1 -Db_ndebug=false
fi
build build -Dwerror=true
exec meson test -C build --print-errorlogs --timeout-multiplier 4
