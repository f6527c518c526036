#!/usr/bin/env bash
# What a replay says of how far it is to be trusted: intervals around headlines, and tags where it
# went beyond what its timing was measured on.
#
# usage: tests/cli/trust.sh DYNO
set -euo pipefail

dyno=$(readlink -f "$1")
load=(replay --arrival poisson:2 --requests 60 --input-tokens 500 --output-tokens 50 --db none)

# has PATTERN ARGUMENT...: the summary holds a line like that.   lacks: it does not.
summary() {
    "$dyno" "${load[@]}" "$@" --json - 2>/dev/null
}
has() {
    local pattern=$1
    shift
    grep -q -- "$pattern" <<<"$(summary "$@")" || { printf 'no %s: %s\n' "$pattern" "$*"; exit 1; }
}

card=(--gpu rtx4090 --max-num-batched-tokens 2048)
has '"count": 0$' "${card[@]}" # nothing beyond what was measured on that card
has '"gpu": 1' --gpu h100
has '"tokens": 1' --gpu rtx4090 --input-tokens 6000
has '"experts": 1' --gpu h200 --model mixtral-8x7b --tp 2
has '"weights": 1' "${card[@]}" --weights int4
grep -q '^Extrapolated *h100 itself was not measured' \
    <<<"$("$dyno" "${load[@]}" --gpu h100 2>/dev/null)"

has '"intervals": {' "${card[@]}" --intervals 8
grep -q '^95 % intervals' <<<"$("$dyno" "${load[@]}" "${card[@]}" --intervals 8 2>/dev/null)"
cmp <(summary --intervals 8) <(summary --intervals 8) # the same seed, the same intervals

status=0
said=$(printf '{"timestamp":0,"input_length":600,"output_length":20}\n' |
    "$dyno" replay --trace - --intervals 8 --db none 2>&1 >/dev/null) || status=$?
[[ $status -eq 1 && $said == *"standard input will not do"* ]] || { printf '%s\n' "$said"; exit 1; }
