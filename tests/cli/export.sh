#!/usr/bin/env bash
# `dyno export`: a run in the shapes of other tools, and the numbers in them.
#
# usage: tests/cli/export.sh DYNO
set -euo pipefail
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"

printf '%s\n' '{"timestamp": 0, "input_length": 90, "output_length": 3, "hash_ids": [1]}' \
    '{"timestamp": 100, "input_length": 50, "output_length": 1, "hash_ids": [2]}' \
    '{"timestamp": 200, "input_length": 900, "output_length": 4, "hash_ids": [3, 4]}' >three.jsonl
works replay --trace three.jsonl --max-model-len 500 --slo ttft=1s --db runs.db --json summary.json

# ---- vllm bench serve ------------------------------------------------------------------------

works export runs.db -o result.json
has() {
    grep -Eq -- "$2" "$1" || fail "$2 is not in $1:" "$(cat "$1")"
}
has result.json '"model_id": "llama-3.1-8b", "num_prompts": 3, "request_rate": "inf"'
has result.json '"completed": 2, "failed": 1, "total_input_tokens": 140, "total_output_tokens": 4,'
has result.json '"input_lens": \[90, 50, 900\]'
has result.json '"output_lens": \[3, 1, 0\]'
has result.json '"errors": \["", "", "rejected_prompt_too_long"\]'
has result.json '"max_output_tokens_per_s": null, "max_concurrent_requests": 1'
mean=$(awk '{ printf "%.6f", $1 }' <<<"$(number summary.json ttft_ms.mean)")
said=$(sed -n 's/.*"mean_ttft_ms": \([0-9.]*\).*/\1/p' result.json | awk '{ printf "%.6f", $1 }')
[[ $said == "$mean" ]] || fail "the mean TTFT is $said, not $mean"
has result.json "\"mean_itl_ms\": $(number summary.json itl_ms.mean)"

# ---- AIPerf ----------------------------------------------------------------------------------

works export runs.db -o artifacts --format aiperf --run 1
lines=artifacts/profile_export.jsonl
[[ $(wc -l <"$lines") -eq 3 ]] || fail "$lines has not three lines"
has "$lines" '"output_sequence_length": \{"value": 3, "unit": "tokens"\}\}, "error": null\}'
has "$lines" '"metrics": \{\}, "error": \{.*"message": "rejected_prompt_too_long"\}\}'
[[ $(grep -c inter_chunk_latency "$lines") -eq 0 ]] || fail 'gaps that nobody kept'
has artifacts/profile_export_aiperf.json \
    '"input_sequence_length": \{"unit": "tokens", "avg": 70, "min": 50, "max": 90, "p1": 50.4,'
has artifacts/profile_export_aiperf.json '"std": 20, "count": 2, "sum": 140\}'
has artifacts/profile_export_aiperf.json '"error_request_count": \{"unit": "requests", "avg": 1\}'

has artifacts/profile_export_aiperf.json '"good_request_count": \{"unit": "requests", "avg": 2\}'
has artifacts/profile_export_aiperf.json '"type":"file","path":"three.jsonl"'
has artifacts/profile_export_aiperf.json '"cli_command":"dyno replay --trace three.jsonl '
if has_python=$(command -v python3); then
    "$has_python" -c 'import csv, json
summary = json.load(open("artifacts/profile_export_aiperf.json"))
table = list(csv.reader(open("artifacts/profile_export_aiperf.csv", newline="")))
rows = {row[0]: dict(zip(table[0], row)) for row in table[1:table.index([])]}
row = rows["Time to First Token (ms)"]
for key in table[0][1:]:
    assert row[key] == "%.2f" % summary["time_to_first_token"][key], (key, row)
totals = dict(table[table.index([]) + 2:])
assert totals["Request Count"] == "2.00" and totals["Error Request Count"] == "1.00", totals'
fi

# To a client whom nobody lets in for too long it is the same as to one who is turned away at once.
works replay --arrival constant:1000 --requests 3 --set queue.busy_inflight=1 \
    --set queue.timeout=1ms --db waits.db
works export waits.db -o waits.json
has waits.json '"num_prompts": 3,'
has waits.json '"completed": 1, "failed": 2, '
has waits.json '"errors": \["", "rejected_queue_timeout", "rejected_queue_timeout"\]'
works export waits.db -o waits --format aiperf
[[ $(grep -c '"message": "rejected_queue_timeout"' waits/profile_export.jsonl) -eq 2 ]]

# ---- rows ------------------------------------------------------------------------------------

works export runs.db -o rows.csv --format csv
[[ $(wc -l <rows.csv) -eq 4 ]] || fail 'rows.csv has not four lines'
works export runs.db -o - --format json
has out '"id": 2, "outcome": "rejected_prompt_too_long"'

# ---- what is refused -------------------------------------------------------------------------

works replay --trace three.jsonl --db runs.db
way='write its number, or last'
refuses 1 "one run is exported at a time; '1-2' chooses 2: $way" export runs.db -o x --run 1-2
refuses 2 'export needs the file or folder to write: -o FILE' export runs.db
if has_sqlite; then
    sqlite3 runs.db "UPDATE run SET status = 'failed' WHERE id = 2"
    why='what it left is no result to compare with; its requests are there as csv or json'
    refuses 1 "run 2 did not come to its end (failed): $why" export runs.db -o x.json
fi
[[ ! -e x && ! -e x.json ]] || fail 'something was left by an export that was refused'
