#!/usr/bin/env bash
# Traces that come through a pipe or compressed, and results that go into one.
#
# usage: tests/cli/replay_pipes.sh DYNO
set -euo pipefail
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"

seq 0 99 | awk '{
    printf "{\"timestamp\": %d, \"input_length\": %d, ", $1 * 50, 100 + $1
    printf "\"output_length\": %d, \"hash_ids\": [%d]}\n", 1 + $1 % 20, $1 % 7 }' >trace.jsonl
gzip -c trace.jsonl >trace.jsonl.gz

# ---- in --------------------------------------------------------------------------------------

works replay --trace trace.jsonl --db :memory: --json file.json
cp out file.out
"$dyno" replay --trace - --db :memory: --json pipe.json <trace.jsonl >pipe.out 2>err
cmp file.json pipe.json
cmp file.out pipe.out
head -n 100 trace.jsonl | "$dyno" replay --trace - --format mooncake --db :memory: \
    --json pipe.json >pipe.out 2>err
cmp file.json pipe.json
works replay --trace trace.jsonl.gz --db :memory: --json gz.json
cmp file.json gz.json
"$dyno" replay --trace - --db :memory: --json gz.json <trace.jsonl.gz >pipe.out 2>err
cmp file.json gz.json

# A pipe that breaks off says where; standard input is called what it is.
status=0
head -c 140 trace.jsonl | "$dyno" replay --trace - --db :memory: >out 2>err || status=$?
[[ $status -eq 1 && ! -s out && $(wc -l <err) -eq 1 ]]
grep -Eq '^dyno: \(standard input\):2:[0-9]+: ' err || fail "$(cat err)"

# ---- out -------------------------------------------------------------------------------------

# --json - puts the summary, and nothing else, on standard output.
works replay --trace trace.jsonl --db :memory: --json -
cmp out file.json
[[ $(head -c 1 out) == '{' && $(tail -n 1 out) == '}' ]]
[[ $(wc -l <err) -eq 1 ]]
grep -q ' s on this machine: ' err

# The facts of the machine can go to standard output beside a summary in a file.
works replay --trace trace.jsonl --db :memory: --json file2.json --host-json host.json
cmp file.json file2.json
number host.json peak_rss_bytes >/dev/null

# In a pipe there is no progress bar, whatever is asked for, and no control characters.
works replay --trace trace.jsonl --db :memory: --progress
[[ $(wc -l <err) -eq 1 ]]
if LC_ALL=C grep -q $'[\r\033]' out err; then
    fail 'control characters in a pipe'
fi

# A summary replaces the one that was there, as a whole; through a link, what the link names.
echo old >summary.json
works replay --trace trace.jsonl --db :memory: --json summary.json
cmp summary.json file.json
mkfifo fifo
cat fifo >through &
works replay --trace trace.jsonl --db :memory: --json fifo
wait
cmp through file.json

# Somewhere that takes no more is a failure, not silence.
if [[ -w /dev/full ]]; then
    status=0
    "$dyno" replay --trace trace.jsonl --db :memory: --json - >/dev/full 2>err || status=$?
    [[ $status -eq 1 ]]
    grep -q '^dyno: ' err
    status=0
    "$dyno" replay --trace trace.jsonl --db :memory: >/dev/full 2>err || status=$?
    [[ $status -eq 1 ]]
    says err 'dyno: standard output cannot be written: No space left on device'
fi
