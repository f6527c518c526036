#!/usr/bin/env bash
# Every pass of tests/bench/rival.mjs against llama.cpp: weights in F32, BF16 and Q8_0, one thread
# and two, batch 1 and 16, each pair of programs on the same file.
#
# usage: NODE_LLAMA_CPP=FOLDER tests/bench/rivals.sh [ROUNDS [cpu|wall [THREADS...]]]
#
# FOLDER holds the node_modules with node-llama-cpp (npm install --prefix FOLDER node-llama-cpp).
# Weights are random, 134 million of them, in a folder that is removed at the end (1 GB).  "wall"
# wants a machine that has nothing else to do; "cpu" says something of one thread on any.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
rounds=${1:-9} clock=${2:-wall}
threads=("${@:3}")
[[ ${#threads[@]} -gt 0 ]] || threads=(1 2)

if [[ ! -d ${NODE_LLAMA_CPP:-}/node_modules/node-llama-cpp ]]; then
    echo "skipped: NODE_LLAMA_CPP names no folder with node_modules/node-llama-cpp"
    exit 77
fi
cmake --build "$root/build/release" --target dyno bench_forward >/dev/null

models=$(mktemp -d)
trap 'rm -rf "$models"' EXIT
for dtype in f32 bf16 q8_0; do
    "$root/build/release/dyno" model random --like llama-3.1-8b --layers 12 --hidden 768 \
        --heads 12 --kv-heads 12 --head-dim 64 --intermediate 2048 --vocab 32000 --context 2048 \
        --dtype "$dtype" -o "$models/$dtype.gguf" >/dev/null
done
for count in "${threads[@]}"; do
    for dtype in f32 bf16 q8_0; do
        node "$root/tests/bench/rival.mjs" "$models/$dtype.gguf" "$count" "$rounds" "$clock"
    done
done
