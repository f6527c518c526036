#!/usr/bin/env bash
# Requests in halves for real: a prompt is computed by one worker, its blocks are copied, and
# another goes on with it.  Nothing here depends on how fast that is.
#
# usage: tests/cli/live_halves.sh DYNO
set -euo pipefail
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"
command -v curl >/dev/null || exit 77

works model random --like llama-3.1-8b --layers 2 --hidden 64 --heads 4 --kv-heads 2 --head-dim 16 \
    --intermediate 128 --vocab 512 --context 512 --dtype f32 -o tiny.gguf
load=(--arrival poisson:200 --requests 60 --input-tokens "uniform:20,200"
      --output-tokens "uniform:2,20" --set generate.prefix_groups=3
      --set generate.prefix_tokens=64 --model tiny.gguf --db none)
halves=(--disagg always --prefill 1 --decode 1)

# Every request ends with as many tokens as were recorded, and every prompt was moved.
works replay "${load[@]}" --device cpu --threads 1 "${halves[@]}" --json live.json
[[ $(number live.json requests.completed) == 60 ]] || fail "requests were lost: $(cat out)"
[[ $(number live.json transfers.count) == 60 ]] || fail "moved: $(number live.json transfers.count)"
awk -v bytes="$(number live.json transfers.bytes)" 'BEGIN { exit !(bytes > 0) }' ||
    fail "no bytes were moved"
works replay "${load[@]}" --device cpu --threads 1 --disagg threshold:100 --prefill 2 --decode 2 \
    --router kv --num-gpu-blocks-override 60 --json some.json
[[ $(number some.json requests.completed) == 60 ]] || fail "requests were lost: $(cat out)"

# Blocks may be asked for by who decodes, too, which is the first to yield a token.  One that is the
# only token comes from where the prompt was, and nothing is moved.
pulls=(--set disagg.style=pull)
works replay "${load[@]}" --device cpu --threads 1 "${halves[@]}" "${pulls[@]}" \
    --set disagg.hop=1ms --json pulled.json
[[ $(number pulled.json requests.completed) == 60 ]] || fail "requests were lost: $(cat out)"
[[ $(number pulled.json transfers.count) == 60 ]] || fail "pulled: $(cat pulled.json)"
[[ $(number pulled.json phases_ms.transfer.max) =~ ^0(\.0)?$ ]] ||
    fail "a phase: $(cat pulled.json)"
works replay "${load[@]}" --device cpu --threads 1 "${halves[@]}" "${pulls[@]}" \
    --output-tokens 1 --json single.json
[[ $(number single.json requests.completed) == 60 ]] || fail "requests were lost: $(cat out)"
[[ $(number single.json transfers.count) == 0 ]] || fail "moved: $(cat single.json)"

# And prompts may be computed while their requests wait for a place to decode in.  All at once
# they do not fit there, and some have waited too long.
both=(--set disagg.style=both --set disagg.deadline=1min)
works replay "${load[@]}" --device cpu --threads 1 "${halves[@]}" "${both[@]}" \
    --json both.json
[[ $(number both.json requests.completed) == 60 ]] || fail "requests were lost: $(cat out)"
[[ $(number both.json transfers.count) == 60 ]] || fail "both: $(cat both.json)"
works replay "${load[@]}" --device cpu --threads 1 "${halves[@]}" "${both[@]}" \
    --set disagg.deadline=1us --arrival concurrency:60 --num-gpu-blocks-override 20 --json late.json
[[ $(number late.json requests.completed) == 60 ]] || fail "requests were lost: $(cat out)"
[[ $(number late.json transfers.given_up) != 0 ]] || fail "none waited too long: $(cat late.json)"

# What is pushed may set out layer by layer, while the next ones are computed: the same bytes.
layers=(--set disagg.transfer=layers)
works replay "${load[@]}" --device cpu --threads 1 --disagg always --prefill 2 --decode 1 \
    "${layers[@]}" --json layers.json
[[ $(number layers.json requests.completed) == 60 ]] || fail "requests were lost: $(cat out)"
[[ $(number layers.json transfers.count) == 60 ]] || fail "in layers: $(cat layers.json)"
works replay "${load[@]}" --device cpu --threads 1 "${halves[@]}" "${layers[@]}" \
    --arrival concurrency:1 --json layers.json
works replay "${load[@]}" --device cpu --threads 1 "${halves[@]}" --arrival concurrency:1 \
    --json ordered.json
[[ $(number layers.json transfers.bytes) == $(number ordered.json transfers.bytes) ]] ||
    fail "in layers: $(cat layers.json), whole: $(cat ordered.json)"

# A tensor-parallel worker moves what each of its ranks has.
for how in whole layers; do
    works replay "${load[@]}" --device cpu --threads 2 --tp 2 "${halves[@]}" \
        --set disagg.transfer=$how --json ranks.json
    [[ $(number ranks.json transfers.count) == 60 ]] || fail "with ranks, $how: $(cat out)"
done

# The same, simulated as this machine was measured.
works calibrate --model tiny.gguf --threads 1 --rounds 5 --pause 10ms -o machine.json
grep -q '"copy_byte_ns": ' machine.json || fail "no copies were measured: $(cat machine.json)"
works validate --machine machine.json --repeats 1 "${load[@]}" "${halves[@]}"
for line in 'TTFT +mean .*' 'transfer +mean .*' 'hand-offs +60 +60 +\+0' \
    'handed off, MB +[1-9][0-9.]* +[1-9][0-9.]* +[+-][0-9.]+'; do
    grep -Eq "^$line$" out || fail "validate says nothing of $line: $(cat out)"
done
for how in "${pulls[*]}" "${both[*]}" "${layers[*]}"; do
    read -ra options <<<"$how"
    works validate --machine machine.json --repeats 1 "${load[@]}" "${halves[@]}" "${options[@]}"
    grep -Eq '^hand-offs +60 +60 +\+0$' out || fail "validate, $how: $(cat out)"
done

# What is handed over is sent when the loop has heard that the prompt is there.
for ms in 0 5; do
    sed -E "s/\"sent_ns\": [^,]*/\"sent_ns\": ${ms}e6/" machine.json >sent.json
    works replay --machine sent.json "${load[@]}" "${halves[@]}" --arrival concurrency:1 \
        --json sent$ms.json
done
awk -v with="$(number sent5.json phases_ms.transfer.mean)" \
    -v without="$(number sent0.json phases_ms.transfer.mean)" \
    'BEGIN { exit !(with - without > 4.9999 && with - without < 5.0001) }' ||
    fail "the loop's turn is not in the transfer: $(cat sent5.json)"

sed '/copy_/d' machine.json >old.json
refuses 1 "old.json does not say what copying a byte takes (copy_byte_ns), and blocks are to be \
moved: measure it anew, dyno calibrate -o old.json" \
    replay "${load[@]}" --machine old.json "${halves[@]}"

# What clients are answered is the same, to the last token.
prompts=("It is a truth universally acknowledged" "Emma" "She had been a friend of the family, and")
for how in whole halves pulls both layers; do
    options=("${halves[@]}")
    [[ $how == whole ]] && options=(--workers 1)
    [[ $how == pulls ]] && options+=("${pulls[@]}")
    [[ $how == both ]] && options+=("${both[@]}")
    [[ $how == layers ]] && options+=("${layers[@]}")
    start_server --device cpu --threads 1 "${options[@]}"
    for prompt in "${prompts[@]}"; do
        for heat in 0 0.8; do
            curl -sf "$url/v1/completions" -H 'Content-Type: application/json' \
                -d "{\"model\": \"austen-2m\", \"prompt\": \"$prompt\", \"max_tokens\": 30,
                     \"seed\": 7, \"temperature\": $heat}" |
                sed 's/.*"choices"/"choices"/; s/"id".*//' >>$how.txt
            echo >>$how.txt
        done
    done
    # How likely the prompt was, one token, an answer that must be JSON, and what embeds.
    for more in '"max_tokens": 4, "echo": true, "logprobs": 0' '"max_tokens": 1' \
        '"max_tokens": 8, "n": 2' '"max_tokens": 12, "response_format":
        {"type": "json_object"}'; do
        curl -sf "$url/v1/completions" -H 'Content-Type: application/json' \
            -d "{\"model\": \"austen-2m\", \"prompt\": \"${prompts[2]}\", \"seed\": 3,
                 $more}" |
            sed 's/.*"choices"/"choices"/; s/"id".*//' >>$how.txt
        echo >>$how.txt
    done
    curl -sf "$url/v1/embeddings" -H 'Content-Type: application/json' \
        -d "{\"model\": \"austen-2m\", \"input\": \"${prompts[2]}\"}" |
        sed 's/"id".*//' >>$how.txt
    stop_server
done
grep -q '"embedding"' whole.txt || fail "no vectors: $(cat whole.txt)"
grep -q '"text"' whole.txt || fail "no answers: $(cat whole.txt)"
for how in halves pulls both layers; do
    cmp whole.txt $how.txt || fail "answers differ: $(cat whole.txt $how.txt)"
done

refuses 2 '--set disagg.transfer and --device cannot be together: GPUs tell nobody of single '\
'layers' \
    replay "${load[@]}" --device cuda "${halves[@]}" "${layers[@]}"
refuses 2 '--set disagg.fetch_block and --device contradict each other: asking for blocks takes '\
'as long as it does' \
    replay "${load[@]}" --device cpu "${halves[@]}" "${pulls[@]}" --set disagg.fetch_block=1us
