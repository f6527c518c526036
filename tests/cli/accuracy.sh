#!/usr/bin/env bash
# `dyno accuracy` and `dyno fit`: without data they say so, with a little they judge that.
#
# usage: tests/cli/accuracy.sh DYNO
set -euo pipefail

dyno=$(readlink -f "$1")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

fail() {
    printf '%s\n' "$*"
    exit 1
}

[[ $("$dyno" accuracy) == "no data: name a folder of measurements, dyno accuracy DIR" ]] ||
    fail "no folder named"
[[ $("$dyno" accuracy nowhere) == "no data: there is no folder nowhere" ]] || fail "no folder"

mkdir empty
"$dyno" accuracy empty >out
# shellcheck disable=SC2016 # the backquotes are Markdown
grep -q 'no data: there is no `e2e_dense.csv`' out || fail "an empty folder: $(cat out)"

mkdir one
cat >one/e2e_dense.csv <<END
id,backend,backend_version,model_path,system,precision,isl,osl,batch_size,tp_size,\
silicon_ttft_ms,silicon_tpot_ms
a,vllm,0.19.0,meta-llama/Llama-3.1-8B,h100_sxm,,1024,128,8,1,100,10
END
"$dyno" accuracy -o out.md --details . one
grep -q '^| vllm, h100, llama-3.1-8b, bf16 | 1 |' out.md || fail "one row: $(cat out.md)"
grep -q '^| looked at | 1 |' out.md || fail "no interval of it: $(cat out.md)"
[[ $(wc -l <served.csv) -eq 2 ]] || fail "details: $(cat served.csv)"

grep -q '^| vllm | 1 | [0-9]* |' out.md &&
    fail "left out, and nothing to set the trip from: $(cat out.md)"

# Left out is each engine once; TTFT that grows with the trip is least wrong with none where it was
# measured as 1 ms, and with the longest where it was measured as 1 s.
cat >one/e2e_dense.csv <<END
id,backend,backend_version,model_path,system,precision,isl,osl,batch_size,tp_size,\
silicon_ttft_ms,silicon_tpot_ms
a,vllm,0.19.0,meta-llama/Llama-3.1-8B,h100_sxm,,1024,128,8,1,1,10
b,sglang,0.5,meta-llama/Llama-3.1-8B,h100_sxm,,1024,128,8,1,1000,10
END
"$dyno" accuracy -o out.md one
grep -q '^| vllm | 1 | 32 |' out.md || fail "set from sglang: $(cat out.md)"
grep -q '^| sglang | 1 | 0 |' out.md || fail "set from vllm: $(cat out.md)"
grep -q '^| h100 |' out.md && fail "all are of that GPU: $(cat out.md)"

# InferenceX's prompts of 1,024 tokens, answers as long, wait 20 passes for others on up to 4 GPUs.
cat >one/e2e_dense.csv <<END
id,backend,backend_version,model_path,system,precision,isl,osl,batch_size,tp_size,\
silicon_ttft_ms,silicon_tpot_ms
2026_a,trtllm,,meta-llama/Llama-3.1-8B,h200_sxm,fp8,1024,1024,2,4,100,10
2026_b,trtllm,,meta-llama/Llama-3.1-8B,h200_sxm,fp8,1024,1024,2,8,100,10
c,trtllm,1.0,meta-llama/Llama-3.1-8B,h200_sxm,fp8,1024,128,8,1,100,10
END
"$dyno" accuracy --details . one >out
awk -F, '$5 == 4 && $10 < 20 * $12 || $5 == 8 && $10 > 20 * $12 { exit 1 }' served.csv ||
    fail "who waits for others: $(cat served.csv)"
# A pass of fixed prompts has room for one, and a client's way takes 12 ms: eight at once are behind
# one another, and later ones behind two passes at most.
"$dyno" replay --engine trtllm --model llama-3.1-8b --gpu h200 --weights fp8 --kv-cache-dtype fp8 \
    --set model.fp8_scales=static --set kv.prefix_cache=false --set batch.chunked_prefill=false \
    --set timing.response_us=12000 --max-num-seqs 128 --max-num-batched-tokens 1151 \
    --arrival concurrency:8 --input-tokens 1024 --output-tokens 128 --requests 80 --db none \
    --intervals none --json c.json >/dev/null 2>&1
mean=$(grep -A 2 '"ttft_ms"' c.json | awk '/"mean"/ { printf "%.2f", $2 }')
[[ $mean == "$(awk -F, 'NR == 4 { print $10 }' served.csv)" ]] ||
    fail "one prompt a pass: $mean, $(cat served.csv)"

# Published throughputs of TensorRT-LLM at its limit (docs/timing.md): within a tenth.
published() { # MODEL GPU TP TOKENS_IN TOKENS_OUT REQUESTS TOKENS_A_SECOND
    "$dyno" replay --engine trtllm --model "$1" --gpu "$2" --tp "$3" --input-tokens "$4" \
        --output-tokens "$5" --requests "$6" --arrival constant:1000000 --weights fp8 \
        --kv-cache-dtype fp8 --set model.fp8_scales=static --set kv.prefix_cache=false \
        --gpu-memory-utilization 0.95 --db none --intervals none --json most.json >out 2>&1
    awk -v published="$7" '/"output_tokens_per_s"/ {
        error = ($2 + 0) / published - 1; exit (error < -0.1 || error > 0.1) }' most.json ||
        fail "$*: $(grep output_tokens_per_s most.json)"
}
published llama-3.1-8b h200 1 2048 2048 1500 12194
published llama-3.1-70b h200 1 1000 1000 3000 2909
published llama-3.1-70b h100 2 2048 2048 1500 3082
published llama-3.1-405b h200 8 1000 1000 3000 3330

printf 'id,backend\na,vllm\n' >one/e2e_dense.csv
if "$dyno" accuracy one >out 2>err; then
    fail "a table without columns was judged"
fi
[[ $(cat err) == "dyno: one/e2e_dense.csv: its header has no column 'backend_version'" ]] ||
    fail "$(cat err out)"
[[ ! -s out ]] || fail "half a document was written"

{
    echo kernel_source,gemm_dtype,m,n,k,latency
    for rows in 1 16 64 256 1024 4096; do
        for columns in 1024 4096 16384; do
            for depth in 1024 4096; do
                # launch 5 us, half of an H100's peak and of its bandwidth
                awk -v m=$rows -v n=$columns -v k=$depth 'BEGIN {
                    c = 2 * m * n * k / 494.7e6; b = 2 * (n * k + m * (n + k)) / 1.675e6
                    printf "x,bfloat16,%d,%d,%d,%.9f\n", m, n, k, (5 + (c > b ? c : b)) / 1000 }'
            done
        done
    done
} >gemm.csv
"$dyno" fit --gpu h100 -o fitted.yaml gemm.csv >out
grep -q '^  gemm_memory_efficiency: {value: 0.[45]' fitted.yaml || fail "$(cat fitted.yaml)"
"$dyno" replay --arrival poisson:2 --requests 20 --db none --json slow.json \
    --calibration fitted.yaml >out 2>&1
"$dyno" replay --arrival poisson:2 --requests 20 --db none --json fast.json >out 2>&1
mean() { grep -A2 '"tpot_ms"' "$1" | sed -n 's/.*"mean": \([0-9.]*\),/\1/p'; }
awk -v slow="$(mean slow.json)" -v fast="$(mean fast.json)" 'BEGIN { exit !(slow > 1.2 * fast) }' ||
    fail "the calibration did not slow the GPU down"

echo nonsense >gemm.csv
if "$dyno" fit --gpu h100 -o never.yaml gemm.csv >out 2>err || [[ -e never.yaml ]]; then
    fail "nonsense was fitted"
fi
[[ $(cat err) == "dyno: gemm.csv is not a table of kernels that dyno knows, by its header" ]] ||
    fail "$(cat err)"
