#!/bin/sh
# header.sh CC LIBRARY.so: the public header compiles alone, strictly, as C99,
# C11 and (where there is a compiler) C++; the library exports what it declares
# and nothing else.
set -eu
cd "$(dirname "$0")/.."
compiler=$1 library=$2

strict='-Wall -Wextra -pedantic -Werror -Wstrict-prototypes -fsyntax-only'
for standard in c99 c11; do
    # shellcheck disable=SC2086 # words: "ccache cc", and a list of flags
    printf '#include "repfold.h"\nint main(void);\n' |
        $compiler -std=$standard $strict -Isrc -x c -
done
if command -v g++ >/dev/null 2>&1; then
    printf '#include "repfold.h"\n' |
        g++ -std=c++11 -Wall -Wextra -pedantic -Werror -fsyntax-only \
            -Isrc -x c++ -
fi

declared=$(sed -n 's/^RP_API.*[ *]\(rp_[a-z_]*\)(.*/\1/p' src/repfold.h | sort)
exported=$(nm -D --defined-only "$library" | sed 's/.* //' | sort)
if [ "$declared" != "$exported" ]; then
    echo "headertest: repfold.h declares, $library exports:" >&2
    printf '%s\n--\n%s\n' "$declared" "$exported" >&2
    exit 1
fi
