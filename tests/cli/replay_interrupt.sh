#!/usr/bin/env bash
# Ctrl-C, and `kill`: the run ends cleanly, says that it was cut short, and keeps what was recorded.
#
# usage: tests/cli/replay_interrupt.sh DYNO
set -euo pipefail
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"

# More requests than any machine gets through before it is told to stop.
endless=(replay --arrival poisson:50 --requests 1000000000 --workers 4)

# interrupt SIGNAL ARGUMENT...: start dyno, wait until it is under way (its database is there;
# signals are caught before), and stop it.  It must end with status 0.
interrupt() {
    local signal=$1 status=0 process

    shift
    rm -f runs.db summary.json
    "$dyno" "$@" --json summary.json >out 2>err </dev/null &
    process=$!
    until [[ -s runs.db ]]; do
        kill -0 "$process" || fail "it ended by itself: $(cat out err)"
        sleep 0.02
    done
    sleep 0.3 # let something end; nothing below depends on how much
    kill -s "$signal" "$process"
    wait "$process" || status=$?
    [[ $status -eq 0 ]] || fail "dyno $*: ended with $status: $(cat out err)"
}

# What was left: the table says so, and the database has every request that the summary counts.
check_left() {
    local completed cancelled

    grep -Eq '^warning: cut short with [0-9,]+ requests in flight; these are the numbers of ' out
    completed=$(number summary.json requests.completed)
    cancelled=$(number summary.json requests.cancelled)
    "$dyno" runs runs.db >list
    grep -Eq '^  1  interrupted ' list || fail "$(cat list)"
    if has_sqlite; then
        [[ $(sqlite3 runs.db 'PRAGMA integrity_check') == ok ]]
        [[ $(sqlite3 runs.db "SELECT
            count(*) FILTER (WHERE outcome = 0), count(*) FILTER (WHERE outcome = 4),
            count(*) = coalesce(max(id), -1) + 1,
            count(*) FILTER (WHERE outcome = 0 AND last_token_ns IS NULL)
            FROM request") == "$completed|$cancelled|1|0" ]]
    fi
}

interrupt INT "${endless[@]}"
check_left
interrupt TERM "${endless[@]}"
check_left

# Under the wall clock too, where a run mostly sleeps: the first request comes at once, the others
# an hour later.
interrupt INT replay --arrival constant:0.0003 --requests 5 --device null --clock wall
grep -q '^warning: cut short ' out
"$dyno" runs runs.db | grep -Eq '^  1  interrupted '

# The longest duration cuts a run in the same way.
rm -f runs.db
works replay --arrival constant:10 --requests 100 --duration-max 2s --json summary.json
check_left
