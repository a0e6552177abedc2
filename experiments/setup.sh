# SPDX-License-Identifier: GPL-3.0-or-later
# Sourced by experiments/run.sh and tests/run.sh from the top folder: packages, configuration, build. Says nothing when there is nothing to do.

packages="gcc libc6-dev meson ninja-build pkg-config libgsl-dev libhdf5-dev libjansson-dev libpng-dev libjpeg-dev zlib1g-dev libzip-dev nettle-dev libsleef-dev librandom123-dev libdnnl-dev gnuplot-nox"

# need PACKAGE...: installs what is missing; without the right to, prints the line that does it and stops.
need() {
    missing=""
    installed=" $(dpkg-query -W -f '${Package}:${db:Status-Abbrev}' "$@" 2>/dev/null || :) " # it fails where one is unknown, the very case
    for package; do
        case "$installed" in *[!a-z0-9.+-]"$package":ii*) ;; *) missing="$missing $package" ;; esac
    done
    [ -n "$missing" ] || return 0
    if ! command -v apt-get >/dev/null; then
        echo "this set-up knows Debian and Ubuntu only; install what corresponds to:$missing" >&2
        exit 1
    fi
    sudo=""
    if [ "$(id -u)" != 0 ]; then
        if ! sudo -n true 2>/dev/null; then
            echo "packages are missing; install them with: sudo apt-get update && sudo apt-get install --no-install-recommends$missing" >&2
            exit 1
        fi
        sudo=sudo
    fi
    echo "installing$missing"
    { $sudo apt-get update && DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y --no-install-recommends $missing; } >apt.log 2>&1 || {
        cat apt.log >&2
        rm -f apt.log
        exit 1
    }
    rm -f apt.log
}

# clean: of the caller's environment nothing is left but what says where things are and how to build; programs are those of the distribution.
clean() {
    for name in $(env | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/\1/p'); do
        case $name in
        HOME | USER | LOGNAME | PATH | PWD | TERM | TMPDIR | CC | CCACHE_* | *_proxy | OPENBLAS_CORETYPE | CK_TIMEOUT_MULTIPLIER | MESON_TESTTHREADS | BNN_READERS) ;;
        *) unset "$name" ;;
        esac
    done
    export PATH=/usr/sbin:/usr/bin:/sbin:/bin
}

targets="" # what `build` builds; empty: everything

# build FOLDER [MESON OPTION...]: configures once, and again where packages came or went since, which may be what it did not find; then builds what changed.
build() {
    folder=$1
    shift
    if [ ! -f "$folder/build.ninja" ]; then
        echo "configuring $folder"
        meson setup "$folder" "$@" >"$folder.log" 2>&1 || {
            cat "$folder.log" >&2
            rm -rf "$folder" "$folder.log"
            exit 1
        }
        rm -f "$folder.log"
    elif [ /var/lib/dpkg/status -nt "$folder/build.ninja" ]; then
        meson setup --reconfigure "$folder" >"$folder/reconfigure.log" 2>&1 || {
            cat "$folder/reconfigure.log" >&2
            exit 1
        }
    fi
    case "$(ninja -C "$folder" -n $targets)" in *"no work to do"*) return 0 ;; esac
    echo "building $folder"
    ninja -C "$folder" $targets >"$folder/build.log" 2>&1 || {
        cat "$folder/build.log" >&2
        exit 1
    }
}
