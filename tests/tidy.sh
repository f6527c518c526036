#!/usr/bin/env bash
# Runs clang-tidy (.clang-tidy says which checks) over every .c that a build compiles.
#
# usage: DYNO_BUILD=build/release tests/tidy.sh [--all] [--note] [PATTERN]
#
# What was found clean once is not read again (tests/seen.sh).  --all reads every file; --note
# writes down what is clean.
#
# Ends with 77, "skipped", where clang-tidy is not installed.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/seen.sh
source tests/seen.sh

build=${DYNO_BUILD:-build/release}
build=${build#"$PWD/"} # as --note was given it: digests have names, too
seen_generated=("$build/generated")
seen_options "$@"

if ! command -v clang-tidy >/dev/null; then
    echo "skipped: clang-tidy is not installed"
    exit 77
fi

rules=$(clang-tidy --version | grep -i version | sha256sum - .clang-tidy)
# Tests are left to cppcheck and the compilers: Check's macros trip the analyzer at every assertion;
# and what is no C, to nvcc.
mapfile -t files < <(sed -n 's/^ *"file": "\(.*\)",\{0,1\}$/\1/p' "$build/compile_commands.json" |
    grep '\.c$' | grep -v "^$PWD/tests/" | sed "s|^$PWD/||" | grep -e "$seen_pattern" | sort -u)
seen_choose tidy "$rules" "${files[@]}"
echo "clang-tidy over ${#seen_due[@]} of ${#files[@]} files"
if ((${#seen_due[@]} > 0)); then
    commands=$(mktemp -d) # those of GCC, without what Clang would not understand
    trap 'rm -r "$commands"' EXIT
    sed 's/ -mmemset-strategy=[^ ]*//' "$build/compile_commands.json" \
        >"$commands/compile_commands.json"
    seen_each clang-tidy --quiet -p "$commands" 2>/dev/null
fi
seen_note tidy
echo "clang-tidy has no complaint."
