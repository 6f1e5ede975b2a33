#!/bin/sh
# hardening.sh SANITIZE PROGRAM LIBRARY: both are position independent, their
# tables are read-only once they run, and no stack is executable.
set -eu

sanitize=$1
shift
fail() {
    echo "hardening: $1" >&2
    exit 1
}
for file in "$@"; do
    readelf -hW "$file" | grep -q 'Type: *DYN' ||
        fail "$file is not position independent"
    readelf -lW "$file" | grep -q GNU_RELRO || fail "$file has no RELRO"
    readelf -dW "$file" | grep -Eq 'BIND_NOW|NOW' ||
        fail "$file binds lazily"
    readelf -lW "$file" | grep GNU_STACK | grep -q 'RWE' &&
        fail "$file has an executable stack"
    # A sanitizer checks more than these, in its own way.
    [ -z "$sanitize" ] || continue
    readelf -sW "$file" | grep -q __stack_chk_fail ||
        fail "$file has no stack protector"
    readelf -sW "$file" | grep -Eq '__[a-z]+_chk' ||
        fail "$file calls no fortified function"
done
echo "hardening: nothing is missing in $*"
