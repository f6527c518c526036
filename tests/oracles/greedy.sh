#!/usr/bin/env bash
# Holds greedy answers against llama.cpp (npm node-llama-cpp): stories260K, and random models of
# every architecture and type of weights.
#
# usage: DYNO_NPM=FOLDER tests/oracles/greedy.sh FOLDER_OF_PROGRAMS [DYNO]
#
# DYNO_NPM names a folder in whose node_modules the package is.  Ends with 77, "skipped", without
# it.
set -euo pipefail

programs=$1
dyno=${2:-$programs/../dyno}
stories=../shared/models/stories260K/stories260K.f32.gguf
models=()

if [[ -z ${DYNO_NPM:-} || ! -d $DYNO_NPM/node_modules/node-llama-cpp ]] ||
    ! command -v node >/dev/null; then
    echo "skipped: DYNO_NPM names no folder with node-llama-cpp, or node is not installed"
    exit 77
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# add NAME TYPE OPTION...: a random model.
add() {
    local name=$1 type=$2

    shift 2
    "$dyno" model random --hidden 512 --vocab 1000 --layers 2 --context 256 --dtype "$type" "$@" \
        -o "$scratch/$name-$type.gguf" >/dev/null
    models+=("$scratch/$name-$type.gguf:$type")
}

gpt2='{"model_type": "gpt2", "n_layer": 2, "n_embd": 512, "n_head": 8, "n_positions": 256,
    "vocab_size": 1000}'
qwen2='{"model_type": "qwen2", "num_hidden_layers": 2, "hidden_size": 512,
    "num_attention_heads": 8, "num_key_value_heads": 2, "intermediate_size": 1024,
    "max_position_embeddings": 256, "vocab_size": 1000, "tie_word_embeddings": true}'
yarn='{"model_type": "qwen3", "num_hidden_layers": 2, "hidden_size": 512, "head_dim": 64,
    "num_attention_heads": 8, "num_key_value_heads": 2, "intermediate_size": 1024,
    "max_position_embeddings": 64, "vocab_size": 1000, "tie_word_embeddings": true,
    "rope_theta": 1000.0, "rope_scaling": {"rope_type": "yarn", "factor": 4.0,
    "attention_factor": 1.5, "original_max_position_embeddings": 64}}'
printf '%s\n' "$gpt2" >"$scratch/gpt2.json"
printf '%s\n' "$yarn" >"$scratch/yarn.json"
printf '%s\n' "$qwen2" >"$scratch/qwen2.json"
if [[ -r $stories ]]; then
    models+=("$stories:f32")
fi
for type in f32 f16 bf16 q8_0; do
    add llama "$type"
done
add qwen3 f32 --like qwen3-0.6b
add mixtral f32 --like mixtral-8x7b
add qwen3moe f32 --like qwen3-235b-a22b --experts 16
add gpt2 f32 --like "$scratch/gpt2.json"
add qwen2 f32 --like "$scratch/qwen2.json"
add yarn f32 --like "$scratch/yarn.json"
node "$(dirname "$0")/greedy_llama.mjs" "$DYNO_NPM" "$programs/oracle_greedy" "${models[@]}"
