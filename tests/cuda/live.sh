#!/usr/bin/env bash
# Runs on GPUs, emulated: the program as users have it, with the CUDA device over the emulation.
# Nothing here depends on how fast it is.
#
# usage: tests/cuda/live.sh DYNO
set -euo pipefail
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"

shape=(--layers 2 --hidden 64 --heads 4 --kv-heads 2 --head-dim 16 --vocab 512 --context 256)
works model random --like qwen3-0.6b "${shape[@]}" --intermediate 64 -o tiny
load=(--arrival poisson:200 --requests 12 --input-tokens "uniform:8,60"
      --output-tokens "uniform:2,8" --set generate.prefix_groups=2
      --set generate.prefix_tokens=16)

# Every request ends, with as many tokens as the same load has when it is simulated; prompts that
# share identities share blocks; what the core decided can be decided again.
works replay "${load[@]}" --device null --db none --json simulated.json
for more in "" "--workers 2" "--kv-cache-dtype fp8 --set kv.blocks=20" "--workers 2 --tp 2"
do
    export DYNO_EMULATION_DEVICES=1
    [[ $more != *--tp* ]] || DYNO_EMULATION_DEVICES=4
    # shellcheck disable=SC2086
    works replay "${load[@]}" --device cuda --model tiny --threads 2 --max-num-seqs 4 --db none \
        --max-num-batched-tokens 32 --json live.json --journal journal $more
    for key in requests.completed trace.input_tokens trace.output_tokens; do
        [[ $(number live.json $key) == $(number simulated.json $key) ]] ||
            fail "$more: $key is $(number live.json $key), not $(number simulated.json $key)"
    done
    grep -Eq 'Fleet +[12] workers? on this machine.s cuda' out || fail "$(cat out)"
    works rerun journal
done

# Weights that are of 8 bits in their file may stay so, on one GPU and on two; others cannot.
works model random --like qwen3-0.6b "${shape[@]}" --intermediate 64 --dtype q8_0 -o tiny.gguf
for more in "" "--tp 2"; do
    # shellcheck disable=SC2086
    DYNO_EMULATION_DEVICES=2 works replay "${load[@]}" --device cuda --model tiny.gguf \
        --weights fp8 --threads 2 --max-num-seqs 4 --max-num-batched-tokens 32 --db none \
        --json live.json $more
    [[ $(number live.json requests.completed) == 12 ]] || fail "$more: $(cat out)"
done
# So do a mixture's experts; and one sequence alone writes the same.
works model random --like mixtral-8x7b "${shape[@]}" --intermediate 64 --experts 6 \
    --experts-per-token 2 --dtype q8_0 -o experts.gguf
for model in tiny experts; do
    for weights in bf16 fp8; do
        works generate --device cuda --weights $weights --model $model.gguf --temperature 0 \
            --prompt "It was" --max-tokens 8
        cp out $weights.txt
    done
    cmp bf16.txt fp8.txt
done
none="weights are to stay of 8 bits, and the model's file has none that can: matrices of e4m3"
none+=" whose scales' blocks are a multiple of 8 columns wide, or of Q8_0; bf16 takes any"
refuses 1 "$none" replay --device cuda --model tiny --weights fp8 "${load[@]}"
refuses 1 "$none" generate --device cuda --weights fp8 --prompt x
refuses 2 '--weights fp8 is for GPUs: give --device cuda too; the processor reads weights as the '\
"model's file has them" generate --weights fp8 --prompt x
refuses 2 '--weights and --device contradict each other: no GPU is simulated' \
    replay --device cuda --model tiny --weights int4 "${load[@]}"

DYNO_EMULATION_DEVICES=1
refuses 1 '2 workers of 2 ranks need 4 GPUs, one for every rank, and there is 1: fewer workers or '\
'ranks (--tp) would do' replay --device cuda --model tiny --workers 2 --tp 2 "${load[@]}"

# Host memory below the GPU finds what the GPU has no room for: five groups of prompts, and memory
# for two.
groups=(--arrival concurrency:1 --requests 15 --input-tokens 20 --output-tokens 2 --threads 2
        --set generate.prefix_groups=5 --set generate.prefix_tokens=64 --max-num-seqs 1
        --max-num-batched-tokens 32 --set kv.blocks=14 --db none --device cuda --model tiny)
works replay "${groups[@]}" --json without.json
works replay "${groups[@]}" --tier g2=4MiB --json with.json
[[ $(number with.json requests.completed) == 15 ]] || fail "requests were lost: $(cat out)"
awk -v without="$(number without.json kv.token_hit_rate)" \
    -v with="$(number with.json kv.token_hit_rate)" 'BEGIN { exit !(with > without + 0.1) }' ||
    fail "host memory found nothing: $(cat out)"

# A GPU that is lost takes its worker along: the other one serves everybody.
DYNO_EMULATION_DEVICES=2 DYNO_EMULATION_LOSE=420 works replay "${load[@]}" --device cuda \
    --model tiny --threads 2 --max-num-seqs 2 --max-num-batched-tokens 32 --workers 2 --db none \
    --journal journal
grep -q '^Requests *12 completed' out || fail "$(cat out)"
grep -q '^Faults *1 worker died, 0 started again' out || fail "$(cat out)"
works rerun journal
grep -q '^Faults *1 worker died, 0 started again' out || fail "not the same again: $(cat out)"

# Samples have what the driver says of the GPUs, where it says anything.
fakes=$(dirname "$dyno")
if [[ -d $fakes/nvml_whole ]]; then
    for of in whole old; do
        LD_LIBRARY_PATH=$fakes/nvml_$of works replay "${load[@]}" --device cuda --model tiny \
            --threads 2 --max-num-seqs 4 --max-num-batched-tokens 32 --sample-every 1ms \
            --db $of.db
        works sql $of.db --csv 'SELECT count(*) > 0, max(gpu), min(memory_used_bytes) >> 30,
            max(power_watts), max(throttles), count(throttles) FROM gpu_sample'
        tail -n 1 out >gpus.$of
    done
    [[ $(sed 's/,[0-9]*$//' gpus.whole) == '1,1,1,350.5,power_cap hardware hardware_thermal' ]] ||
        fail "$(cat gpus.whole)"
    [[ $(cat gpus.old) == '1,1,1,,,0' ]] || fail "$(cat gpus.old)"
fi

# Requests of clients: text that is chosen on the GPU, and text that the host must choose.
start_server --device cuda --model tiny --threads 2 --max-num-seqs 4 --max-model-len 128 \
    --max-num-batched-tokens 32
for more in '' ', "temperature": 0.8, "top_p": 0.9' ', "logprobs": 2' \
    ', "presence_penalty": 0.5'; do
    curl -sS "$url/v1/completions" -H 'Content-Type: application/json' \
        -d '{"model": "tiny", "prompt": [5, 6, 7, 8], "max_tokens": 4, "seed": 3'"$more"'}' >answer
    grep -q '"completion_tokens": *4' answer || fail "$more: $(cat answer)"
done
# Forty tokens in passes of at most 32, of which the logits of four positions come at a time.
prompt=$(seq -s, 300 339)
scored='{"model": "tiny", "prompt": ['$prompt'], "max_tokens": 0, "echo": true, "logprobs": 1}'
score() {
    curl -sS "$url/v1/completions" -H 'Content-Type: application/json' -d "$scored" |
        jq -r '.choices[0].logprobs.token_logprobs[]' >"$1"
}
score on.gpu
stop_server
start_server --device cpu --model tiny --threads 2
score on.cpu
stop_server
paste on.gpu on.cpu | awk '
    NR == 1 { bad += $1 != "null" || $2 != "null" }
    NR > 1 { apart = $1 - $2; bad += !($1 < 0) || apart > 0.1 || apart < -0.1; moves += $1 != $2 }
    END { exit !(NR == 40 && bad == 0 && moves > 0) }' ||
    fail "a prompt is otherwise on the GPU: $(paste on.gpu on.cpu)"

refuses 2 '--device and --clock contradict each other: what computes takes its time' \
    replay --device cuda --clock virtual "${load[@]}"
refuses 2 '--gpu and --device contradict each other: no GPU is simulated' \
    replay --device cuda --gpu h100 "${load[@]}"
"$dyno" replay --device cuda --model tiny --set kv.blocks=100000000 "${load[@]}" >out 2>err &&
    fail 'a hundred million blocks were taken'
grep -q '^dyno: the GPU has 8.00 GiB free, and ' err || fail "$(cat err)"

# A text without the loop: the first GPU's is the same each time, and the model's as the CPU has it.
works generate --model tiny --device cuda --temperature 0 --prompt 'Good morning' --max-tokens 8
cp out once
works generate --model tiny --device cuda --temperature 0 --prompt 'Good morning' --max-tokens 8
cmp once out
