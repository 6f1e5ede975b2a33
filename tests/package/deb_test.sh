#!/bin/sh
# deb_test.sh DIR: the packages there, in a Debian that holds nothing else.
# First the program alone: it runs and leaves.  Then a sample is built on the
# development package.  MIRROR is where debootstrap gets Debian from.
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
packages=$(cd "$1" && pwd)
root=$packages/chroot
mirror=${MIRROR:-$(sed -n 's/^URIs: //p' /etc/apt/sources.list.d/debian.sources \
    2>/dev/null | head -n 1)}
release=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
mirror=${mirror:-http://deb.debian.org/debian}

skip() {
    echo "deb-test: skipped, $1"
    exit 0
}
[ "$(id -u)" -eq 0 ] || skip 'debootstrap and chroot need root'
command -v debootstrap >/dev/null || skip 'there is no debootstrap'

inside() {
    printf '# %s\n' "$*"
    chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        DEBIAN_FRONTEND=noninteractive "$@"
}

install_packages() {
    inside apt-get install -y -qq --no-install-recommends "$@" >"$root.log" \
        2>&1 || { tail -n 20 "$root.log" >&2; exit 1; }
}

rm -rf "$root"
debootstrap --variant=minbase "$release" "$root" "$mirror" >"$root.log" 2>&1 || {
    tail -n 20 "$root.log" >&2
    echo "deb-test: no Debian from $mirror" >&2
    exit 1
}
cp /etc/resolv.conf "$root/etc/resolv.conf"
# The mirror may be reached in a way that only this system is told of.
apt-config dump | grep '^Acquire::' >"$root/etc/apt/apt.conf.d/90acquire" ||
    rm "$root/etc/apt/apt.conf.d/90acquire"
for package in "$packages"/*.deb; do
    name=${package##*/}
    cp "$package" "$root/tmp/${name%%_*}.deb"
done
cp "$here"/samples/*.[ch] "$root/tmp"
library=$(cd "$root/tmp" && ls librepfold[0-9]*.deb)

install_packages /tmp/repfold.deb
inside repfold --version
inside repfold sample fastvit_t8 --width-mult 0.25 --size 64 -o /tmp/train.onnx
inside repfold convert /tmp/train.onnx -o /tmp/deploy.onnx
inside repfold verify /tmp/train.onnx /tmp/deploy.onnx
inside test -s /usr/share/bash-completion/completions/repfold

install_packages gcc libc6-dev pkg-config /tmp/librepfold-dev.deb \
    "/tmp/$library"
# shellcheck disable=SC2046,SC2016 # a list of flags, made in there
inside sh -c 'cd /tmp &&
    cc -o verify_memory verify_memory.c $(pkg-config --cflags --libs repfold)'
inside /tmp/verify_memory /tmp/train.onnx /tmp/deploy.onnx

inside dpkg --purge repfold librepfold-dev "${library%.deb}" >/dev/null
[ -z "$(find "$root/usr" -name '*repfold*')" ] || {
    echo "deb-test: left behind: $(find "$root/usr" -name '*repfold*')" >&2
    exit 1
}
rm -rf "$root" "$root.log"
echo 'deb-test: installed, run, built on, removed'
