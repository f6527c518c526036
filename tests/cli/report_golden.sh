#!/usr/bin/env bash
# Pages of runs whose numbers are fixed, byte for byte: of tests/golden/report/runs.sql without
# gnuplot as HTML, Markdown and CSV, and with it (Debian 12's; another one draws otherwise).
#
# usage: tests/cli/report_golden.sh DYNO            compare
#        tests/cli/report_golden.sh DYNO --rewrite  write tests/golden/report/ anew
set -euo pipefail

if ! command -v sqlite3 >/dev/null; then
    echo 'skipped: sqlite3 is not installed'
    exit 77
fi
golden=$PWD/tests/golden/report
rewrite=${2:-}
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"

works replay --arrival poisson:1 --requests 1 --db runs.db # the tables
sqlite3 runs.db <"$golden/runs.sql"

# is_golden FILE: it is the one in tests/golden/report, or becomes it.
is_golden() {
    if [[ $rewrite == --rewrite ]]; then
        cp "$1" "$golden/$1"
    else
        diff -u "$golden/$1" "$1" || fail "$1 is not as it was"
    fi
}

for page in plain.html report.md report.csv; do
    PATH=/nonexistent "$dyno" report runs.db -o "$page" 2>err || fail "$page: $(cat err)"
    is_golden "$page"
done
if [[ $(gnuplot --version 2>&1) != 'gnuplot 5.4 patchlevel 4' ]]; then
    echo 'skipped: the figures are those of gnuplot 5.4 patchlevel 4'
    exit 77
fi
works report runs.db -o report.html
is_golden report.html
