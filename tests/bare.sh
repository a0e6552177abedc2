#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The commands of the README on a machine that has nothing: a bare root of this machine's Debian or Ubuntu, made by debootstrap in a temporary folder, with a clone of
# this tree. There `sh experiments/run.sh` and `sh tests/run.sh` run as root, who installs what is missing, and then as a plain user, who finds it installed.
#   sh tests/bare.sh [fast]      fast: in place of all four builds, `sh tests/run.sh fast`
# Needs root, debootstrap, and the mirror that apt uses here. What is not committed is not cloned. About 4 GB in TMPDIR, for as long as it runs.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)

# ---------------------------------------------------------------- outside: in a namespace of mounts and processes, which end with it

if [ "${1-}" != inside ]; then
    skip=""
    [ "$(id -u)" = 0 ] || skip="a bare root is made by root"
    command -v debootstrap >/dev/null || skip="debootstrap is not installed"
    unshare --mount --pid --fork true 2>/dev/null || skip="namespaces of mounts are not allowed here"
    if [ -n "$skip" ]; then
        echo "skipped: $skip"
        exit 77
    fi
    root=$(mktemp -d) && chmod 755 "$root" # a plain user has to get in
    trap 'rm -rf --one-file-system "$root"' EXIT
    trap 'exit 1' HUP INT TERM
    unshare --mount --propagation private --pid --fork --kill-child sh "$0" inside "$root" "$@"
    exit
fi

# ---------------------------------------------------------------- inside

root=$2
shift 2
release=$(. /etc/os-release && echo "$VERSION_CODENAME")
mirror=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' 'Component: main' | sed -n "s/^$release //p" | head -n 1)
proxy=""
eval "$(apt-config shell proxy Acquire::http::Proxy)"
[ -z "$proxy" ] || export http_proxy="$proxy"

echo "making a bare $release"
debootstrap --variant=minbase "$release" "$root" "$mirror" >"$root.log" 2>&1 || {
    cat "$root.log" >&2
    rm -f "$root.log"
    exit 1
}
rm -f "$root.log"
mount -t proc proc "$root/proc"
# The way of this machine to its mirror: sources, keys, proxy.
cp /etc/hosts /etc/resolv.conf "$root/etc/"
rm -f "$root/etc/apt/sources.list"
for part in sources.list sources.list.d trusted.gpg trusted.gpg.d keyrings; do [ ! -e "/etc/apt/$part" ] || cp -RL "/etc/apt/$part" "$root/etc/apt/"; done
cp -n /usr/share/keyrings/*.gpg "$root/usr/share/keyrings/"
apt-config dump | grep '^Acquire::' | grep -v '""' >"$root/etc/apt/apt.conf.d/00machine"

chroot "$root" useradd --create-home plain
for user in root plain; do
    home=$(chroot "$root" getent passwd "$user" | cut -d: -f6)
    git -c safe.directory='*' clone -q "$top" "$root$home/bnn"
    chroot "$root" chown -R "$user": "$home/bnn"
    for command in experiments/run.sh "tests/run.sh${1+ $1}"; do
        echo "$user: sh $command"
        chroot --userspec="$user:$user" "$root" env -i HOME="$home" USER="$user" PATH=/usr/sbin:/usr/bin:/sbin:/bin sh -c "cd && cd bnn && sh $command"
    done
    if [ ! -x "$root$home/bnn/build/tests/test_text" ]; then # configured before Check was there
        echo "$user: the default build has no tests" >&2
        exit 1
    fi
done
echo "both commands run on a bare $release, as root and as a plain user"
