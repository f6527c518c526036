#!/usr/bin/env bash
# What a replay says of how far it is to be trusted: intervals around headlines, and tags where it
# went beyond what its timing was measured on.
#
# usage: tests/cli/trust.sh DYNO
set -euo pipefail

dyno=$(readlink -f "$1")
load=(replay --arrival poisson:2 --requests 60 --input-tokens 500 --output-tokens 50 --db none)

# has PATTERN ARGUMENT...: the summary holds a line like that; lacks: it does not.
summary() {
    "$dyno" "${load[@]}" "$@" --json - 2>/dev/null
}
has() {
    local pattern=$1
    shift
    grep -q -- "$pattern" <<<"$(summary "$@")" || { printf 'no %s: %s\n' "$pattern" "$*"; exit 1; }
}

lacks() {
    local pattern=$1
    shift
    ! grep -q -- "$pattern" <<<"$(summary "$@")" || { printf 'a %s: %s\n' "$pattern" "$*"; exit 1; }
}

card=(--gpu rtx4090)
has '"count": 0$' "${card[@]}" # nothing beyond what was measured on that card
has '"gpu": 1' --gpu h100
has '"tokens": 1' "${card[@]}" --input-tokens 6000 --max-num-batched-tokens 8192
has '"experts": 1' --gpu h200 --model mixtral-8x7b --tp 2
has '"weights": 1' "${card[@]}" --weights int4
has '"weights": 1' "${card[@]}" --weights fp8
has '"kv": 1' "${card[@]}" --kv-cache-dtype fp8
has '"count": 0$' --gpu h200 --weights fp8 --kv-cache-dtype fp8 # which was measured there
has '"gpus": 1' --gpu rtx-pro-6000 --tp 2 --max-num-batched-tokens 2048
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
printf 'gpu: rtx4090\nengine: vllm\nweights: fp8\nparameters: {host_us: 900}\n' >"$scratch/own.yaml"
has '"engine": 1' "${card[@]}" --calibration "$scratch/own.yaml" --engine sglang
has '"count": 0$' "${card[@]}" --calibration "$scratch/own.yaml" --weights fp8
# Of several kinds of workers each is held against its own GPU, in the table and in the JSON ...
halves=(--gpu h200 --disagg always)
has '"count": 0$' "${halves[@]}"
has '"count": 0$' "${halves[@]}" --set prefill.gpu=rtx4090 # decodes are not that card's
has '"gpu": 1' "${halves[@]}" --set prefill.gpu=l40s
has '"context": 1' "${halves[@]}" --set prefill.gpu=rtx4090 --input-tokens 24000 --max-num-seqs 8
has '"gpu": 1' --models name=a:model=llama-3.1-8b:gpu=h200,name=b:model=llama-3.1-8b:gpu=l40s
says() {
    local words=$1 said
    shift
    said=$("$dyno" "${load[@]}" "$@" 2>/dev/null)
    grep -q -- "$words" <<<"$said" || { printf 'not said: %s\n%s\n' "$words" "$said"; exit 1; }
}
says '^Extrapolated *h100, l40s were not measured' --gpu h100 --disagg always --set prefill.gpu=l40s
says '^ *b200: mixture of experts' --gpu h200 \
    --models name=a:model=llama-3.1-8b,name=b:model=mixtral-8x7b:tp=2:gpu=b200
# ... and in databases, whoever made the runs.
if command -v sqlite3 >/dev/null; then
    ask=(--arrival poisson:2 --requests 60 --input-tokens 500 --output-tokens 50 --gpu h100)
    "$dyno" replay "${ask[@]}" --db "$scratch/runs.db" >/dev/null 2>&1
    "$dyno" ab "${ask[@]}" --a router=kv --b gpu=l40s --db "$scratch/runs.db" >"$scratch/ab" \
        2>/dev/null
    grep -q '^  -  extrapolated beyond what was measured: gpu$' "$scratch/ab"
    "$dyno" tune "${ask[@]}" --vary router=kv,random --goal ttft_p95 --db "$scratch/tune.db" \
        >/dev/null 2>&1
    for db in runs tune; do
        [[ $("$dyno" sql "$scratch/$db.db" --csv "SELECT count(*), sum(value) FROM run_metric
            WHERE metric LIKE 'extrapolated.%'" | tail -1) == 6,6 ]] ||
            { printf '%s.db says it of other runs\n' "$db"; exit 1; }
    done
    "$dyno" runs show "$scratch/runs.db" 2 >"$scratch/shown"
    grep -q '^Extrapolated: gpu$' "$scratch/shown"
fi
grep -q '^Extrapolated *h100 itself was not measured' \
    <<<"$("$dyno" "${load[@]}" --gpu h100 2>/dev/null)"

has '"replicas": 8,$' "${card[@]}" # nobody asked
has '"replicas": 12,$' "${card[@]}" --intervals 12
grep -q '^95 % intervals' <<<"$("$dyno" "${load[@]}" "${card[@]}" 2>/dev/null)"
cmp <(summary) <(summary)               # the same seed, the same intervals
cmp <(summary) <(summary --intervals 8) # and however they were asked for
lacks '"intervals": {' --intervals none
lacks '"intervals": {' --device null # which predicts nothing

# Where there are none the run says why: too long, too short.
has '"too_long": 1$' --arrival poisson:20 --requests 60000 --workers 2
has '"too_few": 1$' --requests 24
grep -q '^95 % intervals  left out: fewer than 25 requests' \
    <<<"$("$dyno" "${load[@]}" --requests 24 2>/dev/null)"

# A trace that comes through a pipe is kept for them, unless it is long.
trace() {
    seq "$1" | sed 's/.*/{"timestamp":&,"input_length":600,"output_length":20}/'
}
said=$("$dyno" replay --trace <(trace 40) --db none --json - 2>/dev/null)
grep -q '"replicas": 8,$' <<<"$said"
said=$(trace 40 | "$dyno" replay --trace - --intervals 12 --db none --json - 2>/dev/null)
grep -q '"replicas": 12,$' <<<"$said"

# refuses WORDS ARGUMENT...: a sentence with WORDS on standard error, and a failure.
refuses() {
    local words=$1 said
    shift
    said=$("$dyno" replay --db none --arrival poisson:2 --requests 9 "$@" 2>&1 >/dev/null) &&
        { printf 'taken: %s\n' "$*"; exit 1; }
    [[ $said == *"$words"* ]] || { printf '%s\n' "$said"; exit 1; }
}
refuses "from 4 to 1000, 'auto' or 'none', not '3'" --intervals 3
refuses "not 'many'" --intervals many
refuses 'replicas are simulated' --intervals 8 --clock wall
