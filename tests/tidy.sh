#!/usr/bin/env bash
# Runs clang-tidy (.clang-tidy says which checks) over every .c that a build compiles.
#
# usage: DYNO_BUILD=build/release tests/tidy.sh [PATTERN]
#
# Ends with 77, "skipped", where clang-tidy is not installed.
set -euo pipefail
cd "$(dirname "$0")/.."

build=${DYNO_BUILD:-build/release}
pattern=${1:-.}

if ! command -v clang-tidy >/dev/null; then
    echo "skipped: clang-tidy is not installed"
    exit 77
fi

# Tests are left to cppcheck and the compilers: Check's macros trip the analyzer at every assertion.
mapfile -t files < <(sed -n 's/^ *"file": "\(.*\)",\{0,1\}$/\1/p' "$build/compile_commands.json" |
    grep -v "^$PWD/tests/" | grep -e "$pattern" | sort -u)
echo "clang-tidy over ${#files[@]} files"
printf '%s\0' "${files[@]}" |
    xargs -0 -n 4 -P "$(nproc)" clang-tidy --quiet -p "$build" 2>/dev/null
echo "clang-tidy has no complaint."
