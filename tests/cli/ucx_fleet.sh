#!/usr/bin/env bash
# Workers in other processes that decode, or serve whole requests: the same answers and bytes as in
# one process, with prompts computed here and in a third process; moved as simulated; and who goes
# on when one of them is killed.
#
# usage: tests/cli/ucx_fleet.sh DYNO
set -euo pipefail
root=$PWD
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"
# shellcheck source=tests/ucx_support.sh
. "$root/tests/ucx_support.sh"
command -v curl >/dev/null || exit 77

works model random --like llama-3.1-8b --layers 2 --hidden 64 --heads 4 --kv-heads 2 --head-dim 16 \
    --intermediate 128 --vocab 512 --context 512 --dtype f32 -o tiny.gguf
load=(--arrival poisson:200 --requests 40 --input-tokens "uniform:20,200"
      --output-tokens "uniform:2,12" --model tiny.gguf --db none --device cpu --threads 1
      --num-gpu-blocks-override 2000)
halves=(--disagg always --prefill 1 --decode 2)
start_worker one --model tiny.gguf
one=$at
start_worker other --model tiny.gguf
other=$at

# Those that decode are elsewhere, and prompts are computed here, or elsewhere too; with ranks each
# one's part is moved.
works replay "${load[@]}" "${halves[@]}" --json here.json
there=("--workers-at $one" "--workers-at $one --set fleet.transport=tcp"
       "--workers-at $one --prefill-at $other"
       "--workers-at $one --prefill-at $other --set fleet.transport=tcp" "--workers-at $one --tp 2")
for how in "${there[@]}"; do
    read -ra options <<<"$how"
    works replay "${load[@]}" "${halves[@]}" "${options[@]}" --json there.json
    [[ $(number there.json requests.completed) == 40 ]] || fail "$how: requests lost: $(cat out)"
    for moved in transfers.count transfers.bytes; do
        [[ $(number there.json $moved) == $(number here.json $moved) ]] ||
            fail "$how: $moved: $(number there.json $moved), not $(number here.json $moved)"
    done
done
says one.err 'dyno worker: serving 2 workers of 2000 blocks over shared memory' \
    'dyno worker: serving 2 workers of 2000 blocks over TCP' 'dyno worker: the session is over'
says other.err 'dyno worker: serving 1 worker of 2000 blocks over shared memory'

# Whole requests, of which nothing is moved.
works replay "${load[@]}" --workers 2 --workers-at "$one,$other" --json whole.json
[[ $(number whole.json requests.completed) == 40 ]] || fail "requests lost: $(cat out)"

# It is simulated as it was measured: the same is moved.
works calibrate --model tiny.gguf --threads 1 --rounds 5 --pause 10ms --prefill-at "$one" \
    -o machine.json
works validate --machine machine.json --repeats 1 --arrival poisson:200 --requests 40 \
    --input-tokens "uniform:20,200" --output-tokens "uniform:2,12" --db none --threads 1 \
    --num-gpu-blocks-override 2000 "${halves[@]}" --workers-at "$one" --prefill-at "$other"
grep -Eq '^hand-offs +40 +40 +\+0$' out || fail "moved, for real and simulated: $(cat out)"
grep -Eq '^handed off, MB +2\.425 +2\.425 +\+0\.000$' out || fail "bytes, likewise: $(cat out)"

# By hand: a pass of 100 tokens takes 1 ms a row and 0.1 ms beside them, and where it is asked for
# 2 ms more; 7 blocks of 8,192 bytes take 10 ns a byte and 5 ms to or from another process, and that
# twice between two (links round up to a nanosecond).  A token more takes a row, a sixteenth of 0.1
# ms (a machine's passes have up to 16 steps) and 2 ms.
cat >slow.json <<'END'
{"dyno_machine": 1, "model": "tiny.gguf", "device": "cpu", "threads": 1, "rows_ns": [[1, 1000000]],
 "yields_ns": [[1, 0]], "copy_byte_ns": 1, "copy_ns": 1, "far_byte_ns": 10, "far_ns": 5000000,
 "far_pass_ns": 2000000, "pair_ns": 0, "context_ns": 0, "pass_ns": 100000}
END
by_hand=(--machine slow.json --arrival poisson:1 --requests 1 --input-tokens 100 --output-tokens 4
         --db none)
works replay "${by_hand[@]}" --workers-at "$one" --json slow.json.1
[[ $(number slow.json.1 ttft_ms.mean) == 102.1 ]] || fail "TTFT: $(cat slow.json.1)"
[[ $(number slow.json.1 tpot_ms.mean) == 3.00625 ]] || fail "TPOT: $(cat slow.json.1)"
halved=(--disagg always --prefill 1 --decode 1 --workers-at "$one")
works replay "${by_hand[@]}" "${halved[@]}" --json slow.json.2
[[ $(number slow.json.2 ttft_ms.mean) == 100.1 ]] || fail "TTFT: $(cat slow.json.2)"
[[ $(number slow.json.2 phases_ms.transfer.mean) == 5.573441 ]] || fail "$(cat slow.json.2)"
works replay "${by_hand[@]}" "${halved[@]}" --prefill-at "$other" --json slow.json.3
[[ $(number slow.json.3 ttft_ms.mean) == 102.1 ]] || fail "TTFT: $(cat slow.json.3)"
[[ $(number slow.json.3 phases_ms.transfer.mean) == 11.146881 ]] || fail "$(cat slow.json.3)"

# Of two processes that decode one is killed in the middle: what was there goes on at the other one.
before=$(grep -c serving other.err)
"$dyno" replay "${load[@]}" "${halves[@]}" --arrival poisson:20 --output-tokens 60 \
    --workers-at "$one,$other" --json killed.json >out 2>err &
replay=$!
await_serving other "$before"
sleep 0.3
kill_worker 1
wait "$replay" || fail "without a worker the replay ended with $?: $(cat err)"
[[ $(number killed.json requests.completed) == 40 ]] || fail "requests were lost: $(cat out)"
[[ $(number killed.json faults.deaths) == 1 ]] || fail "who died? $(cat out)"
grep -q '^dyno: a process of workers (fleet.at) is gone: ' err || fail "not told: $(cat err)"

# What clients are answered is the same, to the last token, chosen by chance too.  Between two other
# processes more blocks are moved than lie here at a time.
start_worker austen
austen=$at
start_worker prompts
prompt=$(printf 'She had been a friend of the family for years, and %.0s' {1..12})
for how in "--workers 1" "--workers 1 --workers-at $austen" \
    "--disagg always --prefill 1 --decode 1 --workers-at $austen" \
    "--disagg always --prefill 1 --decode 1 --workers-at $austen --prefill-at $at"; do
    read -ra options <<<"$how"
    start_server --device cpu --threads 1 --num-gpu-blocks-override 500 --block-size 2 \
        "${options[@]}"
    for heat in 0 0.8; do
        curl -sf "$url/v1/completions" -H 'Content-Type: application/json' \
            -d "{\"model\": \"austen-2m\", \"prompt\": \"$prompt\",
                 \"max_tokens\": 20, \"seed\": 7, \"temperature\": $heat}" |
            sed 's/.*"choices"/"choices"/; s/"id".*//'
        echo
    done >answers
    stop_server
    [[ -e first ]] || cp answers first
    cmp first answers || fail "$how: answers differ: $(cat first answers)"
done
grep -q '"text"' first || fail "no answers: $(cat first)"

refuses 2 'fleet.at and run.device sim cannot be together: only --device cpu has workers in other '\
'processes, and --machine those that were measured' \
    replay --arrival poisson:1 --requests 1 --db none --workers-at "$at"
refuses 2 'fleet.transport has no meaning without --workers-at ADDRESS' \
    replay "${load[@]}" --set fleet.transport=tcp
