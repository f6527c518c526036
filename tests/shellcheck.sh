#!/usr/bin/env bash
# Runs shellcheck over every script of the tree.
#
# Ends with 77, "skipped", where it is not installed.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v shellcheck >/dev/null; then
    echo "skipped: shellcheck is not installed"
    exit 77
fi
mapfile -t scripts < <(find . \( -name .git -o -name build \) -prune -o -name '*.sh' -print | sort)
shellcheck -x test quickstart .ci/run "${scripts[@]}"
echo "shellcheck has no complaint."
