#!/usr/bin/env bash
# `dyno replay` on input that is wrong: one sentence that says what, where, and what would be right;
# the exit status; and nothing half-written.
#
# usage: tests/cli/replay_bad_input.sh DYNO
set -euo pipefail
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"

# row TIME INPUT OUTPUT ID...: a line of a trace.
row() {
    local ids=${*:4}

    printf '{"timestamp": %s, "input_length": %s, "output_length": %s, "hash_ids": [%s]}\n' \
        "$1" "$2" "$3" "${ids// /, }"
}

# refused SENTENCE ARGUMENT...: the run fails, and leaves no summary and no database with a result.
refused() {
    local sentence=$1

    shift
    rm -f summary.json runs.db
    refuses 1 "$sentence" replay "$@" --json summary.json
    [[ ! -e summary.json ]] || fail "dyno replay $*: left a summary"
    if [[ -e runs.db ]]; then
        if "$dyno" runs runs.db | grep -Eq '  (finished|interrupted) '; then
            fail "dyno replay $*: $("$dyno" runs runs.db)"
        fi
    fi
}

{ row 0 10 1 1; row 1 10 1 2; } >good.jsonl

# ---- files -----------------------------------------------------------------------------------

refused 'missing.jsonl: no such file; expected a trace' --trace missing.jsonl
mkdir folder
refused 'folder: is a directory; expected a trace file' --trace folder
: >empty.jsonl
refused 'empty.jsonl: holds no requests; expected at least one' --trace empty.jsonl
printf 'no,trace\n1,2\n' >other.csv
if "$dyno" replay --trace other.csv --db :memory: >out 2>err; then
    fail 'a table of something else was taken for a trace'
fi
grep -q '^dyno: other.csv' err

# ---- lines -----------------------------------------------------------------------------------

{ row 0 10 1 1; row 1 -4 1 2; row 2 10 1 3; echo nope; row 3 10 1 4; } >bad.jsonl
length='input_length is -4; expected a whole number of tokens from 1 to 16777216'
json="found 'n'; expected '{': one JSON object a line"
refused "bad.jsonl:2:34: $length" --trace bad.jsonl
refuses 1 "bad.jsonl:4:1: $json (1 bad lines were skipped before it, as many as allowed)" \
    replay --trace bad.jsonl --skip-bad 1 --db :memory:

# Skipped lines are listed and counted; the rest is served.
works replay --trace bad.jsonl --skip-bad 2 --json summary.json
says err "skipped: bad.jsonl:2:34: $length" "skipped: bad.jsonl:4:1: $json"
says out 'warning: 2 bad lines of the trace were skipped'
[[ $(number summary.json requests.completed) == 3 ]]

for wrong in '{"timestamp": 0, "input_length": 10, "output_length": 1e99, "hash_ids": [1]}' \
    '{"timestamp": 0, "input_length": 10, "output_length": NaN, "hash_ids": [1]}' \
    '{"timestamp": -1, "input_length": 10, "output_length": 1, "hash_ids": [1]}' \
    '{"timestamp": 0, "input_length": 10, "output_length": 1, "hash_ids": [1, 2, 3]}' \
    '{"timestamp": 0, "input_length": 10, "output_length": 1, "hash_ids": [1]' \
    '{"timestamp": 0, "input_length": 10, "output_length": 99999999999, "hash_ids": [1]}'; do
    { row 0 10 1 1; printf '%s\n' "$wrong"; } >wrong.jsonl
    if "$dyno" replay --trace wrong.jsonl --db :memory: >out 2>err; then
        fail "taken as good: $wrong"
    fi
    [[ ! -s out && $(wc -l <err) == 1 ]]
    grep -Eq '^dyno: wrong\.jsonl:2:[0-9]+: .*(expected|must|found)' err ||
        fail "$wrong: $(cat err)"
done

# Windows line ends and a missing last newline are no mistakes.
{ row 0 10 1 1; row 1 10 1 2; } | sed 's/$/\r/' >crlf.jsonl
printf '%s' "$(cat good.jsonl)" >open.jsonl
for file in crlf open; do
    works replay --trace $file.jsonl --db :memory: --json summary.json
    [[ $(number summary.json requests.completed) == 2 ]]
done

# A mistake far down the file: the run is marked as failed.
{ seq 0 4999 | awk '{ printf "{\"timestamp\": %d, \"input_length\": 10, ", $1 * 100
    printf "\"output_length\": 1, \"hash_ids\": [%d]}\n", $1 }'; echo nope; } >late.jsonl
refused "late.jsonl:5001:1: $json" --trace late.jsonl
"$dyno" runs runs.db | grep -Eq '^  1  failed '

# ---- compressed ------------------------------------------------------------------------------

gzip -c late.jsonl | head -c 2000 >cut.jsonl.gz
if "$dyno" replay --trace cut.jsonl.gz --db :memory: >out 2>err; then
    fail 'a truncated .gz was taken as whole'
fi
[[ ! -s out ]]
grep -Eq '^dyno: cut\.jsonl\.gz:[0-9]+: the gzip stream ends here, .* truncated$' err
head -c 200 good.jsonl >plain.jsonl.gz # a name is no promise
if ! "$dyno" replay --trace plain.jsonl.gz --db :memory: >out 2>err; then
    grep -q '^dyno: plain.jsonl.gz' err
fi

# ---- order -----------------------------------------------------------------------------------

{ row 5000 10 1 1; row 6000 10 1 2; row 1 10 1 3; } >unsorted.jsonl
refused "unsorted.jsonl:3:15: the request is 4999000 us earlier than one before it; expected rows\
 in order of time, at most 1 places off (trace.sort_window)" --trace unsorted.jsonl --sort-window 1
works replay --trace unsorted.jsonl --sort-window 2 --db :memory: --json summary.json
[[ $(number summary.json requests.completed) == 3 ]]

# ---- more than a worker has ------------------------------------------------------------------

# 4 blocks of 16 tokens: a prompt of 64 leaves no room for an answer, 63 leaves one token.
{ row 0 64 5 1; row 1 63 5 2; row 2 10 1 3; } >long.jsonl
works replay --trace long.jsonl --num-gpu-blocks-override 4 --json summary.json
says out 'Requests        2 completed, 1 rejected, 0 cancelled, 0 failed'
[[ $(number summary.json requests.rejected) == 1 ]]
[[ $(number summary.json requests.completed) == 2 ]]
if has_sqlite; then
    [[ $(sqlite3 runs.db 'SELECT id, outcome, output_tokens FROM request_latency
        WHERE run = (SELECT max(id) FROM run) ORDER BY id') == \
        $'0|rejected_prompt_too_long|0\n1|completed|1\n2|completed|1' ]]
fi

# ---- names -----------------------------------------------------------------------------------

refused "'llama-3.1-7b' is not a model that dyno knows (did you mean llama-3.1-8b?); \`dyno help\
 models\` lists them, and a path to a config.json will do" --trace good.jsonl --model llama-3.1-7b
refused "'nothing-like-it' is not a model that dyno knows; \`dyno help models\` lists them, and a\
 path to a config.json will do" --trace good.jsonl --model nothing-like-it
refused "'h1000' is not a GPU that dyno knows (did you mean h100?); \`dyno help models\` lists\
 them, and a path to a YAML file will do" --trace good.jsonl --gpu h1000
refuses 2 "--engine: 'vlm' is not one of vllm, sglang, trtllm; did you mean 'vllm'?" \
    replay --trace good.jsonl --engine vlm
refused 'routing policy ./none.so cannot be read: No such file or directory' \
    --trace good.jsonl --policy ./none.so

# A model that does not fit: the arithmetic, and what would do.
if "$dyno" replay --trace good.jsonl --model llama-3.1-405b --db :memory: >out 2>err; then
    fail 'llama-3.1-405b fits on one h100'
fi
[[ ! -s out && $(wc -l <err) == 1 ]]
grep -Eq '^dyno: llama-3\.1-405b \(bf16, tp 1\) does not fit on h100: weights [0-9.]+ GiB \+ .*' err
grep -Eq '> [0-9.]+ GiB \(0\.90 of [0-9.]+ GiB\); it would fit with tp [0-9]+$' err

# ---- what cannot be written ------------------------------------------------------------------

refuses 1 "output.json: nothing can be written into the folder of ./none/summary.json: No such\
 file or directory" replay --trace good.jsonl --db :memory: --json ./none/summary.json
