#!/usr/bin/env bash
# Opens the live page in Chromium, before a stub of the server, and does what a reader would.
#
# usage: tests/oracles/dashboard.sh FOLDER_OF_PROGRAMS [FOLDER_FOR_SCREENSHOTS]
#
# Ends with 77, "skipped", where node or chromium is not installed.
set -euo pipefail

programs=$1
shots=${2:-}
here=$(dirname "$0")

for tool in node chromium; do
    if ! command -v "$tool" >/dev/null; then
        echo "skipped: $tool is not installed"
        exit 77
    fi
done
if [[ -n $shots ]]; then
    mkdir -p "$shots"
    exec node "$here/dashboard/shots.mjs" "$programs/oracle_door" "$shots"
fi
exec node "$here/dashboard/drive.mjs" "$programs/oracle_door"
