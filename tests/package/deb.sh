#!/bin/sh
# deb.sh BUILD VERSION SOVERSION: three Debian packages into BUILD/deb, of what
# `make install` installs: repfold (program, manual, completions), librepfoldN
# and librepfold-dev.  The same commit gives the same bytes.
set -eu
cd "$(dirname "$0")/../.."
build=$1 version=$2 soversion=$3
out=$(mkdir -p "$build/deb" && cd "$build/deb" && pwd)
multiarch=$(dpkg-architecture -qDEB_HOST_MULTIARCH)
architecture=$(dpkg-architecture -qDEB_HOST_ARCH)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null ||
    stat -c %Y Makefile)}
export SOURCE_DATE_EPOCH

# move PACKAGE PATH...: from what was installed into the package.
move() {
    package=$1
    mkdir -p "$out/$package/DEBIAN"
    shift
    for path in "$@"; do
        mkdir -p "$out/$package/$(dirname "$path")"
        mv "$out/all/$path" "$out/$package/$path"
    done
}

# dependencies FILE: the packages whose libraries it was linked with.
dependencies() {
    (cd "$out/work" && dpkg-shlibdeps -O "$1" | sed -n 's/^shlibs:Depends=//p')
}

# documents PACKAGE: what every package must say of itself, of which only facts
# are known: nobody has given the project a licence.
documents() {
    doc=$out/$1/usr/share/doc/$1
    mkdir -p "$doc"
    cat >"$doc/copyright" <<'END'
No licence was given to repfold: ask who gave you this package.

schema/onnx.proto in its sources describes the format of ONNX,
https://github.com/onnx/onnx: names, numbers and types are the format's, the
words are repfold's own.

protobuf-c, zlib, Jansson, libpng and libjpeg-turbo are used, and are packages
of their own; nothing of them is in this one.
END
    gzip -9n >"$doc/changelog.gz" <<END
repfold ($version) unstable; urgency=medium

  * As of the sources' last commit.

 -- repfold <repfold@localhost>  $(date -u -R -d "@$SOURCE_DATE_EPOCH")
END
}

# control PACKAGE SECTION DEPENDS SUMMARY MULTI-ARCH, the description on standard input.
control() {
    documents "$1"
    {
        printf '%s: %s\n' Package "$1" Source repfold Version "$version" \
            Architecture "$architecture" Multi-Arch "$5" \
            Maintainer 'repfold <repfold@localhost>' Section "$2" \
            Priority optional Installed-Size \
            "$(du -k -s --apparent-size --exclude=DEBIAN "$out/$1" | cut -f 1)" \
            Depends "$3" Description "$4"
        sed 's/^/ /'
    } >"$out/$1/DEBIAN/control"
    (cd "$out/$1" && find usr -type f | LC_ALL=C sort | xargs md5sum) \
        >"$out/$1/DEBIAN/md5sums"
    find "$out/$1" -type d -exec chmod 755 {} +
    dpkg-deb --root-owner-group --build "$out/$1" "$out" >/dev/null
}

rm -rf "$out"
mkdir -p "$out/work/debian"
printf 'Source: repfold\n' >"$out/work/debian/control"
"$MAKE" -s --no-print-directory BUILD="$build" install PREFIX=/usr \
    LIBDIR="/usr/lib/$multiarch" DESTDIR="$out/all"
strip --strip-unneeded "$out/all/usr/bin/repfold" \
    "$out/all/usr/lib/$multiarch/librepfold.so.$version"
strip --strip-debug "$out/all/usr/lib/$multiarch/librepfold.a"
gzip -9n "$out/all/usr/share/man/man1/repfold.1"

library=librepfold$soversion
move repfold usr/bin usr/share
move "$library" "usr/lib/$multiarch/librepfold.so.$version" \
    "usr/lib/$multiarch/librepfold.so.$soversion"
move librepfold-dev usr/include usr/lib

control repfold utils "$(dependencies "$out/repfold/usr/bin/repfold")" \
    're-parameterizes ONNX models, with proof' foreign <<'END'
repfold turns the training form of a network, in ONNX or a PyTorch
checkpoint, into its deploy form, certifies every fold and verifies the whole.
END

printf 'activate-noawait ldconfig\n' >"$out/$library/DEBIAN/triggers"
printf 'librepfold %s %s (>= %s)\n' "$soversion" "$library" "$version" \
    >"$out/$library/DEBIAN/shlibs"
control "$library" libs \
    "$(dependencies "$out/$library/usr/lib/$multiarch/librepfold.so.$version")" \
    're-parameterizes ONNX models, shared library' same <<'END'
The library of repfold, for programs that fold and verify models themselves.
END

control librepfold-dev libdevel \
    "$library (= $version), libprotobuf-c-dev, zlib1g-dev" \
    're-parameterizes ONNX models, development files' same <<'END'
Header, static library and pkg-config file of repfold's library.
END

rm -rf "$out/all" "$out/work" "${out:?}/repfold" \
    "${out:?}/$library" "$out/librepfold-dev"
ls "$out"/*.deb
