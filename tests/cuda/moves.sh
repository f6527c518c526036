#!/usr/bin/env bash
# KV that moves on GPUs, emulated: from who computes prompts to who decodes, and to files and back.
# Nothing here depends on how fast that is.
#
# usage: tests/cuda/moves.sh DYNO
set -euo pipefail
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"
command -v curl >/dev/null || exit 77

shape=(--layers 2 --hidden 64 --heads 4 --kv-heads 2 --head-dim 16 --vocab 512 --context 256)
works model random --like qwen3-0.6b "${shape[@]}" --intermediate 64 -o tiny
small=(--threads 2 --max-num-batched-tokens 32)

# In halves: prompts are computed on one GPU and handed on to another, or to another worker of the
# same one; as many bytes move as where that is simulated.
alone=(--arrival poisson:200 --requests 6 --input-tokens "uniform:8,60"
       --output-tokens "uniform:2,5" --disagg always --prefill 1 --decode 1 --db none)
works replay "${alone[@]}" --model tiny/config.json --gpu h100 --json simulated.json
for more in 1 2 '4 --tp 2' '1 --kv-cache-dtype fp8' '2 --set prefill.blocks=30' \
    '2 --set disagg.style=pull' '1 --set disagg.style=both --set disagg.deadline=1min'; do
    # shellcheck disable=SC2086
    DYNO_EMULATION_DEVICES=${more%% *} works replay "${alone[@]}" --device cuda --model tiny \
        "${small[@]}" --max-num-seqs 4 --json live.json ${more#?}
    [[ $(number live.json requests.completed) == 6 ]] || fail "$more: $(cat out)"
    [[ $(number live.json transfers.count) == 6 ]] || fail "$more: $(cat out)"
    share=1
    [[ $more != *fp8* ]] || share=2
    (($(number live.json transfers.bytes) * share == $(number simulated.json transfers.bytes))) ||
        fail "$more: $(number live.json transfers.bytes) bytes, simulated \
$(number simulated.json transfers.bytes)"
done

# A planner moves GPUs from one role to the other, or starts whole workers; what it decided can be
# decided again.
planned=(--arrival concurrency:6 --requests 8 --input-tokens 12 --output-tokens 12 --max-num-seqs 2
         --max-model-len 64 --workers 3 --planner load --set planner.every=2ms
         --set planner.cooldown=0s --set planner.use_up=0.0001 --set planner.use_down=0.00005)
pools=(--disagg always --prefill 2 --decode 1 --budget 3)
DYNO_EMULATION_DEVICES=1 works replay "${planned[@]}" "${pools[@]}" --device cuda --model tiny \
    "${small[@]}" --db none --json live.json --journal journal
[[ $(number live.json requests.completed) == 8 ]] || fail "requests were lost: $(cat out)"
[[ $(number live.json transfers.count) == 8 ]] || fail "not moved: $(cat out)"
[[ $(number live.json planner.changes) -gt 0 ]] || fail "no role changed: $(cat out)"
works rerun journal
grep -q '^The same ' out || fail "fed back it is something else: $(cat out)"
DYNO_EMULATION_DEVICES=2 works replay "${planned[@]}" --set planner.start=1 --device cuda \
    --model tiny "${small[@]}" --db none --json live.json
[[ $(number live.json requests.completed) == 8 ]] || fail "requests were lost: $(cat out)"
[[ $(number live.json planner.starts) -gt 0 ]] || fail "nobody was started: $(cat out)"

# What clients are answered is the same in halves, to the last token, on two GPUs and on one, while
# a planner changes roles, and where blocks are pulled.
prompts=('[5, 6, 7, 8]' '[400, 3, 77, 12, 9, 31, 250, 8, 17, 100, 2, 44, 5, 6, 19, 4, 90, 13]')
for gpus in 0 2 1 3 4; do
    halves=(--disagg always --prefill 1 --decode 1)
    ((gpus > 0)) || halves=(--workers 1) # on one, for the others to be held against
    ((gpus < 4)) || halves+=(--set disagg.style=pull)
    ((gpus != 3)) || halves=("${planned[@]:10}" "${pools[@]}")
    DYNO_EMULATION_DEVICES=$((gpus > 0 ? gpus : 1)) start_server --device cuda --model tiny \
        "${small[@]}" --max-num-seqs 2 --max-model-len 128 "${halves[@]}"
    for prompt in "${prompts[@]}"; do
        curl -sS "$url/v1/completions" -H 'Content-Type: application/json' \
            -d '{"model": "tiny", "prompt": '"$prompt"', "max_tokens": 8, "temperature": 0,
                 "logprobs": 0}' | sed 's/.*"choices"/"choices"/; s/"id".*//' >>answers.$gpus
    done
    grep -q '"token_logprobs"' answers.$gpus || fail "$(cat answers.$gpus)"
    stop_server
    cmp answers.0 answers.$gpus || fail "$(cat answers.*)"
done

# Prompts out of another worker's memory, on another GPU.
pulled=(--arrival concurrency:1 --requests 6 --input-tokens 8 --output-tokens 2 --workers 2
        --set generate.prefix_groups=2 --set generate.prefix_tokens=64 --router round_robin
        --peers --max-model-len 128 --db none)
DYNO_EMULATION_DEVICES=2 works replay "${pulled[@]}" --device cuda --model tiny "${small[@]}" \
    --max-num-seqs 1 --json live.json
[[ $(number live.json requests.completed) == 6 ]] || fail "requests were lost: $(cat out)"
grep -Eq '^  peers +[1-9]' out || fail "nothing was pulled: $(cat out)"

# A file below the GPU, with host memory between or without: what the first run stored, the second
# one finds, and not where the blocks are others.
groups=(--arrival concurrency:1 --requests 8 --input-tokens 20 --output-tokens 2 "${small[@]}"
        --set generate.prefix_groups=3 --set generate.prefix_tokens=64 --max-num-seqs 1
        --set kv.blocks=8 --max-model-len 128 --db none --device cuda --model tiny)
for tiers in '--tier g3=4MiB' '--tier g2=256KiB --tier g3=4MiB --workers 1 --tp 2'; do
    rm -f kv
    for run in first again; do
        # shellcheck disable=SC2086
        DYNO_EMULATION_DEVICES=2 works replay "${groups[@]}" $tiers --tier-file kv --json $run.json
        [[ $(number $run.json requests.completed) == 8 ]] || fail "$tiers: $(cat out)"
    done
    awk -v first="$(number first.json kv.token_hit_rate)" \
        -v again="$(number again.json kv.token_hit_rate)" 'BEGIN { exit !(again > first) }' ||
        fail "$tiers: nothing was found again: $(cat out)"
done
refuses 1 'kv has KV of another model, of blocks of other sizes, or of other ranks; give another '\
'path, or remove it' replay "${groups[@]}" --tier g3=4MiB --tier-file kv
