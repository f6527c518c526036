#!/usr/bin/env bash
# The command lines that users write: every trace format, engine, policy, GPU and way of giving an
# option, on traces small enough to be made here.
#
# usage: tests/cli/replay_commands.sh DYNO
set -euo pipefail
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"

# replay COMPLETED ARGUMENT...: the replay works and completes so many requests.
replay() {
    local due=$1

    shift
    works replay "$@" --db :memory: --json summary.json
    [[ $(number summary.json requests.completed) == "$due" ]] ||
        fail "dyno replay $*: completed $(number summary.json requests.completed), not $due"
}

# title TEXT: what the last replay ran on.
title() {
    [[ $(head -n 1 out) == "$1" ]] || fail "the title is '$(head -n 1 out)', not '$1'"
}

# ---- traces ----------------------------------------------------------------------------------

seq 0 39 | awk '{
    printf "{\"timestamp\": %d, \"input_length\": %d, \"output_length\": %d, ", \
        $1 * 90, 1100 + $1 * 7, 1 + $1 * 11 % 90
    printf "\"hash_ids\": [%d, %d, %d]}\n", $1 % 3, 100 + $1 % 6, 1000 + $1
}' >mooncake.jsonl
printf '%s\n' 'TIMESTAMP,ContextTokens,GeneratedTokens' \
    '2023-11-16 18:15:46.6805900,374,44' '2023-11-16 18:15:50.9951690,396,109' \
    '2023-11-16 18:15:51.2224670,879,55' >azure2023.csv
printf '%s\n' 'TIMESTAMP,ContextTokens,GeneratedTokens' \
    '2024-05-10 00:00:00.009930+00:00,2162,5' '2024-05-10 00:00:00.017335+00:00,2399,6' \
    >azure2024.csv
printf '%s\n' 'Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type' \
    '5,ChatGPT,472,18,490,Conversation log' '45,GPT-4,1087,230,1317,API log' >burstgpt.csv
printf '%s\n' '{"chat_id": 1, "parent_chat_id": -1, "timestamp": 0.5, "input_length": 20,'\
' "output_length": 3, "type": "text", "turn": 1, "hash_ids": [1, 2]}' >bailian.jsonl

replay 40 --trace mooncake.jsonl --format mooncake --model llama-3.1-8b --gpu h100 --workers 8 \
    --router kv --json out.json
title 'llama-3.1-8b on 8 x h100, vllm, kv'
[[ $(number summary.json trace.input_tokens) == 49460 ]] # 40 x 1100 + 7 x (0 + ... + 39)
replay 3 --trace azure2023.csv --format azure --model llama-3.1-70b --gpu h100 --tp 4 --workers 4 \
    --router least_loaded
title 'llama-3.1-70b on 16 x h100, vllm, least_loaded'
[[ $(number summary.json trace.output_tokens) == 208 ]]

# Formats are recognised.
replay 2 --trace azure2024.csv
replay 2 --trace burstgpt.csv
replay 1 --trace bailian.jsonl
replay 40 --trace mooncake.jsonl --speedup 4
replay 40 --trace mooncake.jsonl --concurrency 4
replay 40 --trace mooncake.jsonl --max-concurrency 4
replay 7 --trace mooncake.jsonl --requests 7

# ---- generators ------------------------------------------------------------------------------

works replay --arrival concurrency:64 --input-tokens 1024 --output-tokens 512 --requests 640 \
    --model qwen3-32b --gpu h100 --tp 2 --engine vllm --json - --db :memory:
cp out summary.json
[[ $(number summary.json requests.completed) == 640 ]]
[[ $(number summary.json trace.output_tokens) == 327680 && $(number summary.json fleet.gpus) == 2 ]]
for arrival in constant:50 poisson:2000 gamma:50,3 sine:50,20,60s rates:10@0s,100@2s; do
    replay 80 --arrival "$arrival" --requests 80 --seed 7
done
replay 30 --arrival poisson:20 --requests 30 --set generate.prefix_groups=3 \
    --set generate.session_turns=3 --set generate.think_time=exponential:2

# ---- what serves it --------------------------------------------------------------------------

for gpu in a100 h100 h100-pcie h200 b200 l40s rtx4090 rtx-pro-6000 mi300x; do
    replay 5 --arrival poisson:5 --requests 5 --model qwen3-0.6b --gpu $gpu
    title "qwen3-0.6b on 1 x $gpu, vllm, round_robin"
done
for engine in vllm sglang trtllm; do
    replay 40 --trace mooncake.jsonl --engine $engine --workers 2
done
for router in round_robin random least_loaded power_of_two session kv kv_approx lmetric; do
    replay 40 --trace mooncake.jsonl --workers 3 --router $router
    replay 40 --trace mooncake.jsonl --workers 3 --router $router --router-temperature 0.7
    title "llama-3.1-8b on 3 x h100, vllm, $router"
done

# vLLM's own names.
replay 40 --trace mooncake.jsonl --block-size 16 --num-gpu-blocks-override 2588 \
    --max-num-batched-tokens 2048 --max-num-seqs 256 --gpu-memory-utilization 0.9
grep -q ' of 2,588 blocks, ' out
"$dyno" replay --trace mooncake.jsonl --block-size 32 --num-gpu-blocks-override 2588 \
    --max-num-batched-tokens 2048 --max-num-seqs 128 --gpu-memory-utilization 0.8 --print-scenario |
    grep -Ec '(block_tokens: 32|blocks: 2588|tokens_max: 2048|seqs_max: 128|utilization: 0.8) ' >out
[[ $(cat out) == 5 ]]

# A model of one's own: the same numbers by another name.
cat >config.json <<'END'
{"model_type": "qwen3", "num_hidden_layers": 28, "hidden_size": 1024, "num_attention_heads": 16,
 "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 151936, "intermediate_size": 3072,
 "max_position_embeddings": 40960, "tie_word_embeddings": true, "attention_bias": false}
END
replay 40 --trace mooncake.jsonl --model qwen3-0.6b
mv summary.json built-in.json
replay 40 --trace mooncake.jsonl --model ./config.json
cmp built-in.json summary.json

# ---- options ---------------------------------------------------------------------------------

replay 40 --trace mooncake.jsonl
mv summary.json plain.json
[[ $(number plain.json kv.token_hit_rate) != 0.0 ]]
replay 40 --trace mooncake.jsonl --set kv.prefix_cache=false
[[ $(number summary.json kv.token_hit_rate) == 0.0 ]]
replay 40 --trace mooncake.jsonl --set model.weights=fp8
[[ $(number summary.json duration_s) != "$(number plain.json duration_s)" ]]
replay 40 --trace mooncake.jsonl --set batch.steps_max=1
cmp plain.json summary.json
replay 40 --trace mooncake.jsonl --slo ttft=2s,tpot=50ms
[[ $(number summary.json goodput.fraction) == 1.0 ]]
says out '                within ttft <= 2s, tpot <= 50ms'

# A scenario file, and --set and flags over it.
cat >scenario.yaml <<'END'
trace: {path: mooncake.jsonl}
fleet: {workers: 2, gpu: h200}
router: {policy: least_loaded}
END
replay 40 scenario.yaml --set fleet.workers=3 --router kv
title 'llama-3.1-8b on 3 x h200, vllm, kv'

# What --print-scenario prints is a scenario that does the same.
"$dyno" replay scenario.yaml --seed 5 --slo e2e=3s --print-scenario >printed.yaml
replay 40 scenario.yaml --seed 5 --slo e2e=3s
mv summary.json first.json
replay 40 printed.yaml
cmp first.json summary.json

# ---- other worlds ----------------------------------------------------------------------------

# The wall clock and a device that computes nothing: what does not depend on time is the same.
replay 20 --arrival constant:500 --requests 20 --device null
mv summary.json virtual.json
replay 20 --arrival constant:500 --requests 20 --device null --clock wall
for key in trace.requests trace.input_tokens trace.output_tokens requests.completed itl_ms.count; do
    [[ $(number summary.json $key) == "$(number virtual.json $key)" ]] || fail "$key differs"
done

# A policy of one's own.
plugin=$(dirname "$dyno")/tests/policy_example.so
if [[ -e $plugin ]]; then
    replay 40 --trace mooncake.jsonl --workers 4 --policy "$plugin" --policy-args share=0.3,slack=2
    mv summary.json first.json
    cp "$plugin" ./mine.so
    replay 40 --trace mooncake.jsonl --workers 4 --policy ./mine.so --policy-args share=0.3,slack=2
    cmp first.json summary.json
    if "$dyno" replay --trace mooncake.jsonl --policy ./mine.so --policy-args share=lots \
        --db :memory: >out 2>err; then
        fail 'the policy took arguments that it does not know'
    fi
    [[ ! -s out && $(wc -l <err) -eq 1 ]]
else
    echo "the plug-in was skipped: $plugin was not built"
fi

# ---- traces, looked at and made --------------------------------------------------------------

works trace info mooncake.jsonl
grep -Eq '^requests +40$' out
works trace synth --arrival poisson:20 --requests 50 -o made.jsonl
works trace info made.jsonl
grep -Eq '^requests +50$' out
replay 50 --trace made.jsonl
