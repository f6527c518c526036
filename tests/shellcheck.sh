#!/usr/bin/env bash
# Runs shellcheck over every script of the tree.
#
# usage: tests/shellcheck.sh [--all] [--note] [PATTERN]
#
# What was found clean once is not read again (tests/seen.sh).  --all reads every file; --note
# writes down what is clean.
#
# Ends with 77, "skipped", where it is not installed.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/seen.sh
source tests/seen.sh
seen_options "$@"

if ! command -v shellcheck >/dev/null; then
    echo "skipped: shellcheck is not installed"
    exit 77
fi
mapfile -t files < <({
    printf '%s\n' test quickstart .ci/run
    find . \( -name .git -o -name build \) -prune -o -name '*.sh' -printf '%P\n'
} | grep -e "$seen_pattern" | sort)
seen_choose shellcheck "$(shellcheck --version)" "${files[@]}"
echo "shellcheck over ${#seen_due[@]} of ${#files[@]} files"
if ((${#seen_due[@]} > 0)); then
    seen_each shellcheck -x
fi
seen_note shellcheck
echo "shellcheck has no complaint."
