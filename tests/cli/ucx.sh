#!/usr/bin/env bash
# Prompts computed by another process, whose blocks are moved over UCX: the same answers and the
# same bytes as in one process, by shared memory and by TCP; and who goes on when it is killed.
#
# usage: tests/cli/ucx.sh DYNO
set -euo pipefail
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"
command -v curl >/dev/null || exit 77

worker=
end_all() {
    end_server
    [[ -z $worker ]] || kill -KILL "$worker" 2>/dev/null || true
    rm -rf "$scratch"
}
trap end_all EXIT

# start_worker ARGUMENT...: on a free port, whose address is then in $at.
start_worker() {
    : >worker.err # what the one before said is not of this one
    "$dyno" worker --listen 127.0.0.1:0 --threads 1 "$@" 2>worker.err &
    worker=$!
    for _ in {1..1200}; do
        at=$(sed -n 's/^dyno worker: listening on //p' worker.err)
        [[ -n $at ]] && return
        if ! kill -0 "$worker" 2>/dev/null; then
            grep -Eq 'this build has no UCX|UCX .* is not on this machine' worker.err &&
                { cat worker.err; exit 77; }
            fail "the worker did not start: $(cat worker.err)"
        fi
        sleep 0.05
    done
    fail "the worker says nothing: $(cat worker.err)"
}

# It ends well when it is asked to.
stop_worker() {
    kill -TERM "$worker"
    wait "$worker" || fail "the worker ended with $?: $(cat worker.err)"
    worker=
}

works model random --like llama-3.1-8b --layers 2 --hidden 64 --heads 4 --kv-heads 2 --head-dim 16 \
    --intermediate 128 --vocab 512 --context 512 --dtype f32 -o tiny.gguf
load=(--arrival poisson:200 --requests 40 --input-tokens "uniform:20,200"
      --output-tokens "uniform:2,12" --model tiny.gguf --db none --device cpu --threads 1
      --num-gpu-blocks-override 2000)
halves=(--disagg always --prefill 2 --decode 1)

# Every prompt is moved, and as many bytes as in one process.  With ranks each one's part is.
start_worker --model tiny.gguf
works replay "${load[@]}" "${halves[@]}" --json here.json
for how in shm tcp; do
    works replay "${load[@]}" "${halves[@]}" --prefill-at "$at" --set prefill.transport="$how" \
        --json there.json
    [[ $(number there.json requests.completed) == 40 ]] || fail "$how: requests lost: $(cat out)"
    for moved in transfers.count transfers.bytes; do
        [[ $(number there.json $moved) == $(number here.json $moved) ]] ||
            fail "$how: $moved: $(number there.json $moved), not $(number here.json $moved)"
    done
done
for how in pull both layers; do
    style=(--set disagg.style="$how" --set disagg.deadline=1min)
    [[ $how == layers ]] && style=(--set disagg.transfer=layers)
    works replay "${load[@]}" "${halves[@]}" "${style[@]}" --prefill-at "$at" --json $how.json \
        --journal journal
    [[ $(number $how.json transfers.bytes) == $(number here.json transfers.bytes) ]] ||
        fail "$how: $(number $how.json transfers.bytes) bytes were moved: $(cat out)"
    works rerun journal
done
works replay "${load[@]}" "${halves[@]}" --tp 2 --prefill-at "$at" --json ranks.json
[[ $(number ranks.json transfers.count) == 40 ]] || fail "with ranks: $(cat out)"
says worker.err 'dyno worker: serving 2 workers of 2000 blocks over shared memory' \
    'dyno worker: serving 2 workers of 2000 blocks over TCP' 'dyno worker: the session is over'

# It is measured, and simulated as it was: the same prompts are moved.
works calibrate --model tiny.gguf --threads 1 --rounds 5 --pause 10ms --prefill-at "$at" \
    -o machine.json
for key in far_byte_ns far_ns far_pass_ns; do
    grep -q "\"$key\": " machine.json || fail "$key was not measured: $(cat machine.json)"
done
works validate --machine machine.json --repeats 1 --arrival poisson:200 --requests 40 \
    --input-tokens "uniform:20,200" --output-tokens "uniform:2,12" --db none --threads 1 \
    --num-gpu-blocks-override 2000 "${halves[@]}" --prefill-at "$at"
grep -Eq '^hand-offs +40 +40 +\+0$' out || fail "moved, for real and simulated: $(cat out)"
grep -Eq '^handed off, MB +2\.425 +2\.425 +\+0\.000$' out || fail "bytes, likewise: $(cat out)"

# By hand: the pass of 100 tokens takes 1 ms a row, 0.1 ms beside them, and there 2 ms to be asked
# for; its 7 blocks of 8,192 bytes take 10 ns a byte and 5 ms (links round up to a nanosecond).
cat >slow.json <<'END'
{"dyno_machine": 1, "model": "tiny.gguf", "device": "cpu", "threads": 1, "rows_ns": [[1, 1000000]],
 "yields_ns": [[1, 0]], "copy_byte_ns": 1, "copy_ns": 1, "far_byte_ns": 10, "far_ns": 5000000,
 "far_pass_ns": 2000000, "pair_ns": 0, "context_ns": 0, "pass_ns": 100000}
END
one=(--machine slow.json --arrival poisson:1 --requests 1 --input-tokens 100 --output-tokens 4
     --db none --disagg always --prefill 1 --decode 1)
works replay "${one[@]}" --prefill-at "$at" --json slow-there.json
works replay "${one[@]}" --json slow-here.json
[[ $(number slow-there.json ttft_ms.mean) == 102.1 ]] || fail "TTFT: $(cat slow-there.json)"
[[ $(number slow-there.json phases_ms.transfer.mean) == 5.573441 ]] || fail "$(cat slow-there.json)"
[[ $(number slow-here.json ttft_ms.mean) == 100.1 ]] || fail "TTFT: $(cat slow-here.json)"
sed 's/"far_byte_ns": 10, //' slow.json >old.json
refuses 1 "old.json does not say what copying a byte takes (far_byte_ns), and blocks are to be \
moved: measure it anew, dyno calibrate --prefill-at ADDRESS -o old.json" \
    replay "${one[@]}" --machine old.json --prefill-at "$at"

# Who asks for what it cannot do is refused, in its words.
works model random --like llama-3.1-8b --layers 2 --hidden 64 --heads 4 --kv-heads 2 --head-dim 16 \
    --intermediate 128 --vocab 512 --context 512 --dtype f32 --seed 2 -o other.gguf
"$dyno" replay "${load[@]}" "${halves[@]}" --model other.gguf --prefill-at "$at" >out 2>err &&
    fail "another model was accepted"
refusal="this worker computes .*, and another model was asked for"
grep -Eq "^dyno: the worker at $at refuses: $refusal" err ||
    fail "another model: $(cat err)"
refuses 1 "2 workers cannot be in 3 processes: as many are in each" \
    replay "${load[@]}" "${halves[@]}" --prefill-at "$at,127.0.0.1:8,127.0.0.1:9"

# It is killed in the middle: nobody's request is lost, and nobody hangs.
"$dyno" replay "${load[@]}" "${halves[@]}" --arrival poisson:20 --prefill-at "$at" \
    --json killed.json >out 2>err &
replay=$!
for _ in {1..1200}; do
    [[ $(grep -c serving worker.err) == 9 ]] && break
    sleep 0.05
done
sleep 0.3
kill -KILL "$worker"
wait "$worker" 2>/dev/null || true
worker=
wait "$replay" || fail "without its worker the replay ended with $?: $(cat err)"
[[ $(number killed.json requests.completed) == 40 ]] || fail "requests were lost: $(cat out)"
[[ $(number killed.json faults.deaths) == 2 ]] || fail "who died? $(cat out)"
grep -q '^dyno: a process of workers (prefill.at) is gone: ' err || fail "not told: $(cat err)"
refuses 1 "no worker answers at $at: Connection refused (dyno worker --listen HOST:PORT starts \
one)" \
    replay "${load[@]}" "${halves[@]}" --prefill-at "$at"

# What clients are answered is the same, to the last token, chosen by chance too.
start_worker
for how in whole shm tcp pull both; do
    options=(--disagg always --prefill 1 --decode 1 --prefill-at "$at"
             --set prefill.transport="$how")
    [[ $how == whole ]] && options=(--workers 1)
    [[ $how == pull || $how == both ]] && options[-1]=disagg.style=$how
    [[ $how == both ]] && options+=(--set disagg.deadline=1min)
    start_server --device cpu --threads 1 --num-gpu-blocks-override 500 "${options[@]}"
    for heat in 0 0.8; do
        curl -sf "$url/v1/completions" -H 'Content-Type: application/json' \
            -d "{\"model\": \"austen-2m\", \"prompt\": \"She had been a friend of the family\",
                 \"max_tokens\": 20, \"seed\": 7, \"temperature\": $heat}" |
            sed 's/.*"choices"/"choices"/; s/"id".*//' >>$how.txt
        echo >>$how.txt
    done
    stop_server
done
stop_worker
grep -q '"text"' whole.txt || fail "no answers: $(cat whole.txt)"
for how in shm tcp pull both; do
    cmp whole.txt $how.txt || fail "answers differ over $how: $(cat whole.txt $how.txt)"
done

refuses 2 'prefill.at and run.device sim cannot be together: only --device cpu has workers in '\
'other processes, and --machine those that were measured' \
    replay --arrival poisson:1 --requests 1 --db none --disagg always --prefill-at "$at"
refuses 2 'prefill.transport has no meaning without --prefill-at ADDRESS' \
    replay "${load[@]}" "${halves[@]}" --set prefill.transport=tcp
