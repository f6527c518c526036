#!/usr/bin/env bash
# Blocks that move layer by layer from one process to another: the same answers and bytes as in one
# process, whoever is elsewhere; simulated as they are moved; and when a process is killed, hangs or
# comes again while layers are on their way, nothing is lost but time.
#
# usage: tests/cli/ucx_layers.sh DYNO
set -euo pipefail
root=$PWD
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"
# shellcheck source=tests/ucx_support.sh
. "$root/tests/ucx_support.sh"
command -v curl >/dev/null || exit 77

works model random --like llama-3.1-8b --layers 5 --hidden 64 --heads 4 --kv-heads 2 --head-dim 16 \
    --intermediate 128 --vocab 512 --context 512 --dtype f32 -o tiny.gguf
load=(--arrival poisson:200 --requests 40 --input-tokens "uniform:20,200"
      --output-tokens "uniform:2,12" --model tiny.gguf --db none --device cpu --threads 1
      --num-gpu-blocks-override 2000)
halves=(--disagg always --prefill 2 --decode 1 --set disagg.transfer=layers)
start_worker one --model tiny.gguf
one=$at
start_worker other --model tiny.gguf
other=$at

# Every prompt is moved, and as many bytes as in one process.  With ranks each one's part is.
works replay "${load[@]}" "${halves[@]}" --json here.json
there=("--prefill-at $one" "--prefill-at $one --set prefill.transport=tcp"
       "--workers-at $one" "--workers-at $one --set fleet.transport=tcp"
       "--workers-at $one --prefill-at $other"
       "--workers-at $one --prefill-at $other --set prefill.transport=tcp"
       "--prefill-at $one --tp 2")
for how in "${there[@]}"; do
    read -ra options <<<"$how"
    works replay "${load[@]}" "${halves[@]}" "${options[@]}" --json there.json --journal journal
    [[ $(number there.json requests.completed) == 40 ]] || fail "$how: requests lost: $(cat out)"
    for moved in transfers.count transfers.bytes; do
        [[ $(number there.json $moved) == $(number here.json $moved) ]] ||
            fail "$how: $moved: $(number there.json $moved), not $(number here.json $moved)"
    done
    works rerun journal
    grep -q '^The same ' out || fail "$how: decided otherwise: $(cat out)"
done

# It is simulated as it was measured: the same prompts are moved.
works calibrate --model tiny.gguf --threads 1 --rounds 5 --pause 10ms --prefill-at "$one" \
    -o machine.json
for how in "--prefill-at $one" "--workers-at $one --prefill-at $other"; do
    read -ra options <<<"$how"
    works validate --machine machine.json --repeats 1 --arrival poisson:200 --requests 40 \
        --input-tokens "uniform:20,200" --output-tokens "uniform:2,12" --db none --threads 1 \
        --num-gpu-blocks-override 2000 "${halves[@]}" "${options[@]}"
    grep -Eq '^hand-offs +40 +40 +\+0$' out || fail "moved, for real and simulated: $(cat out)"
    grep -Eq '^handed off, MB +([0-9.]+) +\1 +\+0\.000$' out || fail "bytes, likewise: $(cat out)"
done

# By hand: of 7 blocks of 20,480 bytes four of five layers are there when the pass of 102.1 ms has
# ended; the last one's 28,672 bytes take 10 ns each and 5 ms, and twice that between two other
# processes (links round up to a nanosecond).
cat >slow.json <<'END'
{"dyno_machine": 1, "model": "tiny.gguf", "device": "cpu", "threads": 1, "rows_ns": [[1, 1000000]],
 "yields_ns": [[1, 0]], "copy_byte_ns": 1, "copy_ns": 1, "far_byte_ns": 10, "far_ns": 5000000,
 "far_pass_ns": 2000000, "pair_ns": 0, "context_ns": 0, "pass_ns": 100000}
END
by_hand=(--machine slow.json --arrival poisson:1 --requests 1 --input-tokens 100 --output-tokens 4
         --db none --disagg always --prefill 1 --decode 1 --set disagg.transfer=layers)
works replay "${by_hand[@]}" --prefill-at "$one" --json slow.json.1
[[ $(number slow.json.1 ttft_ms.mean) == 102.1 ]] || fail "TTFT: $(cat slow.json.1)"
[[ $(number slow.json.1 phases_ms.transfer.mean) == 5.286721 ]] || fail "$(cat slow.json.1)"
works replay "${by_hand[@]}" --prefill-at "$one" --workers-at "$other" --json slow.json.2
[[ $(number slow.json.2 phases_ms.transfer.mean) == 10.573441 ]] || fail "$(cat slow.json.2)"

# A model whose passes take long enough that a process goes in the middle of one: some prompt is
# always being computed.
works model random --like llama-3.1-8b --layers 8 --hidden 128 --heads 8 --kv-heads 4 \
    --head-dim 16 --intermediate 384 --vocab 512 --context 512 --dtype f32 -o slow.gguf
start_worker one --model slow.gguf
one=$at
start_worker other --model slow.gguf
other=$at
busy=(--arrival poisson:20 --requests 40 --input-tokens "uniform:300,480" --output-tokens 8
      --model slow.gguf --db none --device cpu --threads 1 --num-gpu-blocks-override 500
      --disagg always --prefill 1 --decode 1 --set disagg.transfer=layers)

# goes NUMBER SIGNAL ARGUMENT...: a replay into gone.json, whose process of that number, who is
# called other, is sent that signal in the middle.
goes() {
    local number=$1 signal=$2 replay served

    shift 2
    served=$(grep -c serving other.err || true)
    "$dyno" replay "${busy[@]}" "$@" --json gone.json >out 2>err &
    replay=$!
    await_serving other "$served"
    sleep 0.5
    kill -"$signal" "${workers[$number]}"
    [[ $signal == STOP ]] || wait "${workers[$number]}" 2>/dev/null || true
    ${after:-:}
    wait "$replay" || fail "the replay ended with $?: $(cat err)"
    [[ $(number gone.json requests.completed) == 40 ]] || fail "requests were lost: $(cat out err)"
    [[ $(number gone.json faults.deaths) -ge 1 ]] || fail "nobody was missed: $(cat out err)"
}

# It hangs, who computes prompts and who decodes, and is taken for dead.
for how in "--prefill-at $other" "--prefill-at $other --set prefill.transport=tcp" \
    "--workers-at $one,$other --decode 2 --prefill 2"; do
    read -ra options <<<"$how"
    goes 3 STOP "${options[@]}" --set fleet.silence=2s
    grep -q '^dyno: a process of workers (.*) .*: nothing was heard of it for 2 s: it hangs' err ||
        fail "$how: not told: $(cat err)"
    kill -CONT "${workers[3]}"
done

# It is killed, and started again at once: it computes prompts again.
come_again() {
    listen=$other start_worker other --model slow.gguf
}
goes 3 KILL --workers-at "$one,$other" --decode 2 --prefill 2
come_again
after=come_again goes 4 KILL --prefill-at "$other"
[[ $(number gone.json faults.restarts) -ge 1 ]] || fail "it was not started again: $(cat out err)"

# What clients are answered is the same, to the last token and how likely that was, chosen by chance
# too; also by those who ask while a process is killed.
# ask FILE NUMBER: six at a time, each its own prompt, and other ones with every number.
ask() {
    local asking=() i

    for i in {1..6}; do
        curl -sf "$url/v1/completions" -H 'Content-Type: application/json' -d "{\"prompt\":
            [$(seq -s, $((6 * $2 + i)) $((6 * $2 + i + 440)))], \"model\": \"slow.gguf\",
            \"max_tokens\": 12, \"logprobs\": 1, \"seed\": $i, \"temperature\": $((i % 2))}" |
            sed 's/.*"choices"/"choices"/; s/"usage".*//' >"$1.$i" &
        asking+=($!)
    done
    wait "${asking[@]}" || fail "$1: not answered: $(cat serve.err)"
    for i in {1..6}; do
        cat "$1.$i"
        echo
    done >"$1"
}
start_server --device cpu --model slow.gguf --threads 1 --num-gpu-blocks-override 500
for i in 0 1 2; do
    ask due$i $i
    [[ $(grep -c '"text"' due$i) == 6 ]] || fail "no answers: $(cat due$i)"
done
stop_server
for how in "--prefill-at $other" "--prefill-at $other --set prefill.transport=tcp" \
    "--workers-at $one" "--workers-at $one --prefill-at $other"; do
    read -ra options <<<"$how"
    start_server --device cpu --model slow.gguf --threads 1 --num-gpu-blocks-override 500 \
        --disagg always --prefill 1 --decode 1 --set disagg.transfer=layers "${options[@]}"
    ask answers 0
    cmp due0 answers || fail "$how: answers differ: $(cat due0 answers)"
    for i in 1 2; do
        ask answers $i &
        others=$!
        sleep 0.2
        if [[ $how == *"prefill-at $other"* ]]; then
            kill_worker $((${#workers[@]} - 1))
            come_again
        fi
        wait "$others" || fail "$how: not answered: $(cat serve.err)"
        cmp due$i answers || fail "$how: answers differ: $(cat due$i answers)"
    done
    stop_server
done
