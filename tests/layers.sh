#!/bin/sh
# Folders are layers: an include may point to the left or stay in its folder.
#
#     base <- graph <- onnx | fold | exec | zoo    exec <- judge
#     base <- checkpoint       all <- src/*.c       repfold.h <- converter/
#
# Also: only src/onnx sees protobuf, only src/base/mem.c allocates, and the
# library neither prints nor exits.
set -eu
cd "$(dirname "$0")/.."

status=0
complain() {
    echo "layers: $1" >&2
    status=1
}

# What the files of a folder may include, as a shell pattern.
allowed() {
    case $1 in
    base) echo 'base/*' ;;
    graph) echo 'base/*|graph/*' ;;
    onnx) echo 'base/*|graph/*|onnx/*|onnx.pb-c.h' ;;
    fold) echo 'base/*|graph/*|fold/*|exec/exec.h|repfold.h' ;;
    exec) echo 'base/*|graph/*|exec/*' ;;
    zoo) echo 'base/*|graph/*|zoo/*|repfold.h' ;;
    judge) echo 'base/*|graph/*|exec/*|judge/*|repfold.h' ;;
    checkpoint) echo 'base/*|checkpoint/*' ;;
    top) echo 'base/*|graph/*|onnx/*|fold/*|exec/*|zoo/*|judge/*' \
        '|checkpoint/*|api.h|repfold.h' | tr -d ' ' ;;
    converter) echo 'converter.h|opt.h|repfold.h|page.*.inc' ;;
    *) echo '' ;;
    esac
}

check_file() {
    layer=$1 file=$2 pattern=$(allowed "$1")
    [ -n "$pattern" ] || complain "$file: no layer is called $layer"
    for include in $(sed -n 's/^ *# *include "\([^"]*\)".*/\1/p' "$file"); do
        # A file in the same folder may be named without it.
        [ -e "$(dirname "$file")/$include" ] && continue
        eval "case \$include in $pattern) ;;
            *) complain \"\$file includes \$include\" ;; esac"
    done
}

for file in src/*/*.[ch] src/*/*.def src/*.[ch] converter/*.[ch]; do
    [ -e "$file" ] || continue
    case $file in
    src/*/*) layer=${file#src/} layer=${layer%%/*} ;;
    src/*) layer=top ;;
    *) layer=converter ;;
    esac
    check_file "$layer" "$file"
done

# forbid WHAT PATTERN FILE...
forbid() {
    what=$1 pattern=$2
    shift 2
    found=$(awk -v call="(^|[^A-Za-z0-9_>.\"])($pattern) *[(]" \
        '$0 ~ call && $0 !~ /^ *(\/?\*|\/\/)/ {
            print FILENAME ":" FNR ": " $0 }' "$@")
    [ -z "$found" ] || complain "$what:
$found"
}

# shellcheck disable=SC2046 # file names here have no blanks
forbid 'allocates outside base/mem.c' \
    'malloc|calloc|realloc|strdup|strndup|aligned_alloc|posix_memalign' \
    $(ls src/*.c src/*/*.c | grep -v '^src/base/mem\.c$')
# shellcheck disable=SC2046
forbid 'a library does not print or exit' \
    'f?printf|vf?printf|f?puts|f?putc|putchar|perror|exit|abort|_exit' \
    $(ls src/*.c src/*/*.c)

exit $status
