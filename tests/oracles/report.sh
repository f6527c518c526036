#!/usr/bin/env bash
# Opens the report of tests/golden/report in Chromium, from its file, and looks at it as a reader
# would.
#
# usage: tests/oracles/report.sh FOLDER_OF_PROGRAMS [FOLDER_FOR_SCREENSHOTS]
#
# Ends with 77, "skipped", where node or chromium is not installed.
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
shots=${2:-}
page=$here/../golden/report/report.html

for tool in node chromium; do
    if ! command -v "$tool" >/dev/null; then
        echo "skipped: $tool is not installed"
        exit 77
    fi
done
if [[ -n $shots ]]; then
    mkdir -p "$shots"
    shots=$(readlink -f "$shots")
fi
exec node "$here/report/look.mjs" "$(readlink -f "$page")" "$shots"
