#!/bin/sh
# install.sh BUILD VERSION SOVERSION: what `make install` puts into a DESTDIR.
# Every file is there, pkg-config tells where, the samples build against it,
# statically as well, and run; uninstall leaves no file.  MAKE, CC and SANITIZE
# are those of the build.
set -eu
cd "$(dirname "$0")/../.."
version=$2 soversion=$3
build=$(cd "$1" && pwd)
root=$build/install
library=$root/usr/lib/repfold
train=tests/fixtures/micro.ts-preserve.onnx

fail() {
    echo "installtest: $1" >&2
    exit 1
}

# make WHAT: with a LIBDIR that is not the usual one.
make_quietly() {
    "$MAKE" -s --no-print-directory BUILD="$1" "$2" PREFIX=/usr \
        LIBDIR=/usr/lib/repfold DESTDIR="$root"
}

files() {
    (cd "$root" && find . ! -type d | LC_ALL=C sort)
}

expected() {
    cat <<END
./usr/bin/repfold
./usr/include/repfold.h
./usr/lib/repfold/librepfold.a
./usr/lib/repfold/librepfold.so
./usr/lib/repfold/librepfold.so.$soversion
./usr/lib/repfold/librepfold.so.$version
./usr/lib/repfold/pkgconfig/repfold.pc
./usr/share/bash-completion/completions/repfold
./usr/share/fish/vendor_completions.d/repfold.fish
./usr/share/man/man1/repfold.1
./usr/share/zsh/site-functions/_repfold
END
}

package() {
    PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_PATH=$library/pkgconfig \
        pkg-config "$@" repfold
}

check_library() {
    readelf -d "$library/librepfold.so" |
        grep -q "SONAME.*\[librepfold.so.$soversion\]" ||
        fail "the SONAME is not librepfold.so.$soversion"
    [ "$(package --modversion)" = "$version" ] ||
        fail "pkg-config tells another version than $version"
    said=$("$root/usr/bin/repfold" --version)
    case $said in
    *"$version"*) ;;
    *) fail "the program says \"$said\", not $version" ;;
    esac
}

# build_sample NAME LINK: the compiler's words are shown when it fails.
build_sample() {
    # shellcheck disable=SC2046,SC2086 # lists of flags
    $CC -std=c99 -Wall -Wextra -Werror $SANITIZE -o "$root/$1" \
        "samples/$1.c" $(package --cflags) $2
}

run_samples() {
    export LD_LIBRARY_PATH="$library"
    "$root/walk_folds" "$train" | grep -q 'MACs$' ||
        fail 'walk_folds shows no fold'
    "$root/convert_memory" "$train" "$root/deploy.onnx" >/dev/null ||
        fail 'convert_memory fails'
    "$root/verify_memory" "$train" "$root/deploy.onnx" >/dev/null ||
        fail 'verify_memory does not find its result equivalent'
}

# With the .a in place of the .so, and all that it needs.
run_static() {
    if [ -n "$SANITIZE" ]; then
        echo 'installtest: nothing is linked statically with a sanitizer'
        return
    fi
    build_sample walk_folds "-static $(package --static --libs)"
    "$root/walk_folds" "$train" >/dev/null || fail 'walk_folds fails, static'
}

run_python() {
    if ! command -v python3 >/dev/null; then
        echo 'installtest: samples/repfold.py is not run, there is no python3'
        return
    fi
    if [ -n "$SANITIZE" ]; then
        echo 'installtest: samples/repfold.py is not run with a sanitizer'
        return
    fi
    python3 samples/repfold.py "$train" "$root/python.onnx" |
        grep -q 'merged nodes, equivalent' || fail 'samples/repfold.py fails'
    cmp "$root/python.onnx" "$root/deploy.onnx" ||
        fail 'samples/repfold.py writes something else than convert_memory'
    status=0
    python3 samples/repfold.py README.md "$root/none.onnx" \
        2>"$root/error" || status=$?
    if [ "$status" != 2 ] || [ "$(wc -l <"$root/error")" != 1 ]; then
        fail 'samples/repfold.py does not tell trouble in one line'
    fi
}

rm -rf "$root"
make_quietly "$1" install >/dev/null
expected >"$build/install.expected"
files | diff "$build/install.expected" - || fail 'not the files expected'
check_library
for sample in samples/*.c; do
    sample=$(basename "$sample" .c)
    build_sample "$sample" "$(package --libs)"
done
run_samples
run_static
run_python
rm "$root"/walk_folds "$root"/convert_memory "$root"/verify_memory
rm -f "$root"/*.onnx "$root"/error
make_quietly "$1" uninstall >/dev/null
[ -z "$(files)" ] || fail "left behind: $(files)"
rm -rf "$root"
echo 'installtest: installed, built on, uninstalled'
