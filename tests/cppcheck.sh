#!/usr/bin/env bash
# Runs cppcheck over every .c of the tree.
#
# usage: DYNO_BUILD=build/release tests/cppcheck.sh [--all] [--note] [PATTERN]
#
# What was found clean once is not read again (tests/seen.sh).  --all reads every file; --note
# writes down what is clean.
#
# Ends with 77, "skipped", where cppcheck is not installed.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/seen.sh
source tests/seen.sh

build=${DYNO_BUILD:-build/release}
build=${build#"$PWD/"} # as --note was given it: digests have names, too
seen_generated=("$build/generated")
seen_options "$@"

if ! command -v cppcheck >/dev/null; then
    echo "skipped: cppcheck is not installed"
    exit 77
fi
mkdir -p "$build/cppcheck"

# Left out, and why:
#   missingIncludeSystem     it needs no system headers
#   unusedStructMember       fields that another room reads
#   constParameterCallback   a callback's type is not ours to change
#   shadowVariable, shadowFunction   GCC's -Wshadow tells the harmful ones apart
#   variableScope            declarations at the top of a function are the style here
#   knownConditionTrueFalse  2.10 takes the value of an enum in `a < LIMIT ? a : LIMIT` for zero
#   pointerSize              memcpy of a pointer; GCC's -Wsizeof-pointer-memaccess tells it apart
#   unreadVariable           does not see through Check's macros; the compilers say it too
# shellcheck disable=SC2054 # an option with commas in it
options=(--enable=warning,style,performance,portability --std=c11 --language=c --inline-suppr
         --quiet --error-exitcode=1 -I . -D_GNU_SOURCE -D__GNUC__=12
         --suppress=missingIncludeSystem --suppress=unusedStructMember
         --suppress=constParameterCallback --suppress=variableScope --suppress=unreadVariable
         --suppress=knownConditionTrueFalse --suppress=pointerSize
         --suppress=shadowVariable --suppress=shadowFunction)
mapfile -t files < <(find "${seen_rooms[@]}" -name '*.c' | grep -e "$seen_pattern" | sort)
seen_choose cppcheck "$(cppcheck --version) ${options[*]}" "${files[@]}"
echo "cppcheck over ${#seen_due[@]} of ${#files[@]} files"
if ((${#seen_due[@]} > 0)); then
    cppcheck "${options[@]}" "--cppcheck-build-dir=$build/cppcheck" -j "$(nproc)" \
        "${seen_due[@]}" || seen_bad=("${seen_due[@]}")
fi
# Which of them?  All, if none is bad without the others.
if ((${#seen_bad[@]} > 0)) && [[ $seen_notes ]]; then
    seen_each cppcheck "${options[@]}" 2>/dev/null
    ((${#seen_bad[@]} > 0)) || seen_bad=("${seen_due[@]}")
fi
seen_note cppcheck
echo "cppcheck has no complaint."
