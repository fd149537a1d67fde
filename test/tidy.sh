#!/bin/bash
# clang-tidy over src, with the few checks of .clang-tidy.
set -u
cd "$(dirname "$0")/.." || exit 1
[ -d build-clang ] || CC=clang meson setup build-clang -Dtests=true >/dev/null || exit 1
meson compile -C build-clang >/dev/null || exit 1
git ls-files 'src/*.c' | xargs -P 2 -n 8 clang-tidy -p build-clang --quiet \
	--warnings-as-errors='*' 2>/dev/null
