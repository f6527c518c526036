#!/usr/bin/env bash
# Real models of others go on as they are known to, from each form of file: stories260K as GGUF and
# as llama2.c wrote it.
#
# usage: tests/cli/generate_models.sh DYNO
set -euo pipefail

models=$(readlink -f ../shared/models || true)
if [[ ! -d $models/stories260K ]]; then
    echo "skipped: there is no ../shared/models/stories260K"
    exit 77
fi
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"

stories=$models/stories260K
due=', there was a little girl named Lily. She loved to play outside in the park. One day,'
due+=' she saw a big, red ball.'

works generate --model "$stories/stories260K.f32.gguf" --temperature 0 --max-tokens 40 \
    --prompt 'Once upon a time'
says out "$due"
works generate --model "$stories/stories260K.bin" --tokenizer "$stories/tok512.bin" \
    --temperature 0 --max-tokens 40 --prompt 'Once upon a time'
says out "$due"

# tokenizer.bin is what a .bin file has beside it, unless told otherwise.
cp "$stories/stories260K.bin" model.bin
refuses 1 "'./model.bin' has no tokenizer.bin beside it; --tokenizer names one elsewhere" \
    generate --model ./model.bin --prompt 'Once upon a time'
cp "$stories/tok512.bin" tokenizer.bin
works generate --model ./model.bin --temperature 0 --max-tokens 40 --prompt 'Once upon a time'
says out "$due"
works generate --model model.bin --temperature 0 --max-tokens 40 --prompt 'Once upon a time'
says out "$due"

refuses 1 "the model has no chat template: it goes on from a text, --prompt without --chat" \
    generate --model ./model.bin --chat --prompt 'Once upon a time'
