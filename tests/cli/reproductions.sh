#!/usr/bin/env bash
# docs/reproductions.md says what comes out: of those of its commands that need no trace of others'
# and are quick, the figures are the ones that stand there.
#
# usage: tests/cli/reproductions.sh DYNO
set -euo pipefail
page=$(readlink -f "$(dirname "$0")/../../docs/reproductions.md")
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"

# value KEY ARGUMENT...: of a replay, as a number.
value() {
    local key=$1

    shift
    works replay "$@" --db none --intervals none --progress=false --json one.json
    number one.json "$key"
}

# says WORDS: they stand on the page.
says() {
    grep -qF -- "$1" "$page" || fail "docs/reproductions.md does not say: $1"
}

# Host memory below the GPU, turns of 800 tokens: TTFT without and with it.
turns=(--arrival poisson:0.3 --duration 1800s --input-tokens 'lognormal:800,0.5'
    --output-tokens 'lognormal:300,0.5' --set generate.session_turns=10
    --set generate.think_time=exponential:20 --model llama-3.1-70b --weights fp8 --gpu h100 --tp 4
    --workers 1)
without=$(value ttft_ms.mean "${turns[@]}")
with=$(value ttft_ms.mean "${turns[@]}" --tier g2=1TiB)
says "$(awk "BEGIN { printf \"%.0f → %.0f (-%.0f %%)\", $without, $with,
    100 * (1 - $with / $without) }")"

# 3,000 and 150 tokens, 32 at a time: tokens a second and GPU, whole and in halves.
short=(--arrival concurrency:32 --requests 256 --input-tokens 3000 --output-tokens 150
    --model llama-3.1-70b --weights fp8 --gpu h100 --tp 4)
whole=$(value throughput.output_tokens_per_s "${short[@]}" --workers 2)
halves=$(value throughput.output_tokens_per_s "${short[@]}" --disagg always --decode 1 \
    --set prefill.tp=2 --prefill 2)
says "$(awk "BEGIN { printf \"%.1f (2 × TP 4, C 32\", $whole / 8 }")"
says "$(awk "BEGIN { printf \"%.1f (2 × TP 2 + TP 4, C 32\", $halves / 8 }")"

# Agents, at the lower load.
agents=(--arrival poisson:0.4 --duration 900s --input-tokens 'lognormal:600,0.8'
    --output-tokens 'lognormal:120,0.8' --set generate.session_turns=10
    --set generate.think_time=exponential:5 --set generate.prefix_groups=10
    --set generate.prefix_tokens=4000 --model llama-3.1-70b --weights fp8 --gpu h100 --router kv
    --tp 2)
ttft=$(value ttft_ms.mean "${agents[@]}" --workers 4)
says "$(awk "BEGIN { printf \"| four whole workers | %.0f, %.0f | %.0f %% |\", $ttft,
    $(number one.json e2e_ms.mean), 100 * $(number one.json kv.token_hit_rate) }" |
    sed 's/\([0-9]\)\([0-9]\{3\}\) |/\1,\2 |/')"
