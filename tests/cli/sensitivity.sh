#!/usr/bin/env bash
# `dyno sensitivity`: every knob has a row, the base stands on top, and a wrong word is refused.
#
# usage: tests/cli/sensitivity.sh DYNO
set -euo pipefail

dyno=$(readlink -f "$1")
load=(--arrival poisson:20 --requests 200 --input-tokens 500 --output-tokens 50 --workers 2)

table=$("$dyno" sensitivity "${load[@]}")
[[ $(sed -n 1p <<<"$table") == knob*TTFT*TPOT*capacity ]]
[[ $(sed -n 2p <<<"$table") == "as asked"*" ms"*" ms"*" tok/s" ]]
for knob in kv.blocks= kv.prefix_cache=false batch.seqs_max= engine.profile=sglang \
    timing.host_us=; do
    grep -q "^$knob" <<<"$table" || { printf 'no row for %s in:\n%s\n' "$knob" "$table"; exit 1; }
done
# A slower host must show in the time of a token.
grep '^timing.host_us=' <<<"$table" | grep -q '+[0-9.]* %' || { printf '%s\n' "$table"; exit 1; }

status=0
said=$("$dyno" sensitivity --arrivel poisson:20 2>&1) || status=$?
[[ $status -eq 2 && $said == *"did you mean '--arrival'?" ]] || { printf '%s\n' "$said"; exit 1; }
