#!/usr/bin/env bash
# `dyno fit --from`: a recorded benchmark is fitted, laid beside what is predicted, or refused.
#
# usage: tests/cli/fit.sh DYNO
#
# The recordings are replays by dyno itself of a server that is slower than the defaults say.
set -euo pipefail

dyno=$(readlink -f "$1")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

fail() {
    printf '%s\n' "$*"
    exit 1
}

# refused SENTENCE ARGUMENT...: exits with 1 or 2 and says that, and nothing is written.
refused() {
    local sentence=$1 status=0
    shift
    "$dyno" fit "$@" >out 2>err || status=$?
    [[ $status -eq 1 || $status -eq 2 ]] || fail "status $status: $*"
    [[ $(grep -v '^fit: ' err) == "dyno: $sentence" ]] || fail "said: $(cat err)"
    [[ ! -e never.yaml ]] || fail "a calibration was written: $*"
}

command -v sqlite3 >/dev/null || { echo "skipped: no sqlite3"; exit 77; }

# shellcheck disable=SC2054 # a range has a comma in it
load=(--gpu h100 --arrival poisson:10 --input-tokens uniform:100,2000
      --output-tokens exponential:60 --set kv.prefix_cache=false --requests 80)
"$dyno" replay "${load[@]}" --set timing.gemm_flops_efficiency=0.5 --db truth.db >out 2>err
"$dyno" replay "${load[@]}" --set timing.gemm_flops_efficiency=0.5 --db none --arrival \
    concurrency:8 --json closed.json >out 2>err

# The truth as each tool would have written it.
sqlite3 truth.db "SELECT prompt_tokens, output_tokens, arrival_ns, ttft_ns, e2e_ns, decode_ns
                  FROM request WHERE outcome = 0 ORDER BY id" >rows
awk -F'|' '
    { input = input s $1; output = output s $2; start = start s ($3 / 1e9); ttft = ttft s ($4 / 1e9)
      gaps = gaps s "[" ($6 / 1e9) "]"; s = "," }
    END { printf "{\"model_id\": \"meta-llama/Llama-3.1-8B-Instruct\", \"date\": \"20260102\","
          printf "\"request_rate\": 10.0, \"max_concurrency\": null, \"input_lens\": [%s],", input
          printf "\"output_lens\": [%s], \"ttfts\": [%s], \"itls\": [%s],", output, ttft, gaps
          printf "\"start_times\": [%s]}\n", start }' rows >vllm.json
awk -F'|' '
    function metric(name, value, unit) {
        return sprintf("\"%s\": {\"value\": %.6f, \"unit\": \"%s\"}", name, value, unit) }
    { printf "{\"metadata\": {\"request_start_ns\": %.0f}, \"metrics\": {%s, %s, %s, %s}}\n", $3,
          metric("input_sequence_length", $1, "tokens"),
          metric("output_sequence_length", $2, "tokens"),
          metric("time_to_first_token", $4 / 1e6, "ms"), metric("request_latency", $5 / 1e6, "ms")
    }' rows >profile_export.jsonl

# Both find the products slower than the default of 0.82, by the same number.
"$dyno" fit --gpu h100 --from vllm.json -o vllm.yaml >out 2>err || fail "$(cat err)"
grep -q '^vllm.json: vllm bench serve, 20260102, 80 requests, sent at their recorded times$' out ||
    fail "$(cat out)"
grep -q '^  gemm_flops_efficiency: {value: 0.[45]' vllm.yaml || fail "$(cat out vllm.yaml)"
grep -q '^engine: "vllm"$' vllm.yaml || fail "$(cat vllm.yaml)"
grep -q '^held out: fitted to the first half' out || fail "$(cat out)"
"$dyno" fit --gpu h100 --model llama-3.1-8b --from profile_export.jsonl -o aiperf.yaml >out 2>err ||
    fail "$(cat err)"
grep -q '^  gemm_flops_efficiency: {value: 0.[45]' aiperf.yaml || fail "$(cat aiperf.yaml)"

# The run itself, out of its database, says the same.
"$dyno" fit --gpu h100 --from truth.db -o past.yaml >out 2>err || fail "$(cat err)"
grep -q '^truth.db: run 1 of dyno, .*, 80 requests, sent at their recorded times$' out ||
    fail "$(cat out)"
grep -q '^  gemm_flops_efficiency: {value: 0.[45]' past.yaml || fail "$(cat out past.yaml)"

# --check fits nothing; with the calibration the mean TTFT is met, without it is far off.
off() {
    "$dyno" fit --gpu h100 --model llama-3.1-8b --from profile_export.jsonl --check "$@" |
        awk '$1 == "TTFT" && $2 == "mean" { print $5 < 0 ? -$5 : $5 }'
}
awk -v without="$(off)" -v with="$(off --calibration aiperf.yaml)" \
    'BEGIN { exit !(without > 10 && with < 3) }' || fail "check: $(off) without the calibration"

# Figures alone, of a closed loop: one number can be told from them, and a mean length is sent.
ms() { sed -n "/\"$1\": {/,/}/s/.*\"$2\": \\([0-9.]*\\).*/\\1/p" closed.json | head -1; }
printf '{"model_id": "llama-3.1-8b", "request_rate": "inf", "max_concurrency": 8, "completed": 80,
  "total_input_tokens": 84000, "total_output_tokens": 4800, "mean_ttft_ms": %s, "p99_ttft_ms": %s,
  "median_ttft_ms": %s, "mean_tpot_ms": %s, "median_tpot_ms": %s, "p99_tpot_ms": %s}\n' \
    "$(ms ttft_ms mean)" "$(ms ttft_ms p99)" "$(ms ttft_ms p50)" "$(ms tpot_ms mean)" \
    "$(ms tpot_ms p50)" "$(ms tpot_ms p99)" >summary.json
"$dyno" fit --gpu h100 --from summary.json --input-tokens uniform:100,2000 --output-tokens \
    exponential:60 -o summary.yaml >out 2>err || fail "$(cat err)"
grep -q '^summary.json: vllm bench serve, figures only, 80 requests, sent as concurrency:8$' out ||
    fail "$(cat out)"
grep -q '^  gemm_flops_efficiency: {value: 0.[45]' summary.yaml || fail "$(cat out summary.yaml)"

# Bursts, as vLLM means them: times between of a gamma law of that shape, whose deviation is twice
# their mean where it is a quarter; behind a client with a limit.
sed 's/"inf", "max_concurrency": 8/4.0, "burstiness": 0.25, "max_concurrency": 32/' summary.json \
    >bursts.json
"$dyno" fit --gpu h100 --from bursts.json --check >out 2>err || fail "$(cat err)"
grep -q '^bursts.json: .*, sent as gamma:4,2 by a client with at most 32 in flight$' out ||
    fail "$(cat out)"

# What cannot be done is refused before anything is written.
refused "fit needs --from FILE, and -o FILE for the calibration or --check" --from vllm.json
needs="fit needs --gpu GPU, -o FILE and at least one table, or --from RECORDING"
refused "$needs"
refused "$needs" -o never.yaml table.csv
refused "$needs" --gpu h100 -o never.yaml
refused "unknown option '--gpus'; did you mean '--gpu'?" --gpus h100 -o never.yaml table.csv
mapfile -t tables < <(seq 33)
refused "fit takes at most 32 tables" --gpu h100 -o never.yaml "${tables[@]}"
refused "'gpu' is not a built-in GPU; \`dyno help models\` lists them" --gpu gpu -o never.yaml a b
refused "--gpu GPU is needed: what the recording was made on" --from vllm.json -o never.yaml
refused "--model MODEL is needed: the recording names no model that dyno knows" --gpu h100 \
    --from profile_export.jsonl -o never.yaml
refused "cannot read 'no.json': No such file or directory" --gpu h100 --from no.json -o never.yaml
sqlite3 truth.db "UPDATE run SET status = 'failed'"
refused "truth.db holds no run that came to its end" --gpu h100 --from truth.db -o never.yaml
sqlite3 other.db "CREATE TABLE run (id INTEGER)"
refused "'other.db' is a SQLite database, but not one of dyno runs: choose another file" \
    --gpu h100 --from other.db -o never.yaml
printf '{"ttfts": [1, 2], "input_lens": [1]}' >bad.json
refused 'bad.json: there is a list "ttfts" but none "output_lens"; --save-detailed writes both' \
    --gpu h100 --from bad.json -o never.yaml
refused "recorded request 1 ($(head -1 rows | cut -d'|' -f1) tokens in, $(head -1 rows |
    cut -d'|' -f2) out) is refused by this scenario, but the server served it: check \
--max-model-len and the KV blocks" --gpu h100 --from vllm.json -o never.yaml --max-model-len 50
