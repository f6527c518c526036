#!/usr/bin/env bash
# `dyno model`: what info says of what random wrote, byte for byte; that one seed is one model, in a
# folder as in GGUF; what both refuse.
#
# usage: tests/cli/model.sh DYNO
set -euo pipefail
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"

tiny=(--layers 2 --hidden 64 --heads 4 --kv-heads 2 --head-dim 16 --vocab 300 --context 512)

# What dyno printed last is what stands on standard input.
it_said() {
    diff -u - out || fail 'the output is not as above'
}

works model random "${tiny[@]}" -o folder
it_said <<'END'
folder: llama, 2 layers, hidden 64, 0.000 billion parameters, bf16
END
for file in {,generation_,tokenizer_}config.json model.safetensors tokenizer.json; do
    [[ -s folder/$file ]] || fail "$file is missing"
done

works model info folder
it_said <<'END'
name                folder
family              llama
layers              2
hidden              64
heads               4 for queries, 2 for keys and values, of 16
mlp width           224
vocabulary          300
context             512
positions           rotary, theta 500000, half-split pairs, llama3 scaling
parameters          149312
bytes               298624
type                bf16
logits              of their own
begin token         299
end tokens          299
tokenizer           byte-level, 300 tokens
chat template       no
END

# The weights do not depend on the run, and the seed moves them.
works model random "${tiny[@]}" -o again
works model random "${tiny[@]}" --seed 2 -o other
diff -r folder again || fail 'the same seed made another model'
if cmp -s folder/model.safetensors other/model.safetensors; then
    fail 'another seed made the same model'
fi

works model random --like qwen3-0.6b --layers 1 --hidden 128 --vocab 257 --dtype q8_0 -o q.gguf
works model info q.gguf
grep -q '^type  *q8_0$' out || fail "$(cat out)"
grep -q '^positions  *rotary, theta 1e+06, half-split pairs$' out || fail "$(cat out)"
[[ ! -e q.gguf.partial ]] || fail 'a part was left behind'

# A file that is there is left alone.
refuses 2 "'q.gguf' is there already; give a file that is not, or remove it" \
    model random "${tiny[@]}" -o q.gguf

# interrupt SIGNAL PATH PART: begin to write a model that takes long to PATH, and stop it as soon as
# PART of it is there.  Nothing is left.
interrupt() {
    local signal=$1 path=$2 part=$3 status=0 process

    "$dyno" model random --like llama-3.1-8b -o "$path" >out 2>err </dev/null &
    process=$!
    until [[ -e $part ]]; do
        kill -0 "$process" || fail "it ended by itself: $(cat out err)"
        sleep 0.02
    done
    kill -s "$signal" "$process"
    wait "$process" || status=$?
    [[ $status -eq 1 && $(cat err) == 'dyno: interrupted: no model was written' ]] ||
        fail "ended with $status: $(cat out err)"
    [[ ! -e $part && ! -e $path ]] || fail "it left $(ls -R "$path"*)"
}

interrupt INT large.gguf large.gguf.partial
interrupt TERM large large

# A shape of the user's own, by the path of its config.json; experts too.
works model random --like ./folder/config.json --layers 1 --dtype f32 -o mine.gguf
works model info mine.gguf
grep -q '^parameters  *93888$' out || fail "$(cat out)"
works model random --like mixtral-8x7b --layers 1 --hidden 64 --head-dim 16 --experts 3 \
    --vocab 257 -o moe
works model info moe
grep -q '^experts a token  *2 of 3, of 224$' out || fail "$(cat out)"

# A stretched context is what the file says, or what was asked for; in both formats.
printf '%s\n' '{"model_type": "qwen2", "num_hidden_layers": 1, "hidden_size": 64,
    "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 300,
    "intermediate_size": 96, "max_position_embeddings": 1024, "rope_scaling": {"type": "yarn",
    "factor": 4.0, "original_max_position_embeddings": 1024}}' >long.json
works model random --like ./long.json -o long
works model info long
grep -q '^context  *4096$' out || fail "$(cat out)"
grep -q '^positions  *rotary, theta 10000, half-split pairs, YaRN scaling$' out ||
    fail "$(cat out)"
works model random --like ./long.json --context 256 -o short.gguf
works model info short.gguf
grep -q '^context  *256$' out || fail "$(cat out)"
grep -q '^positions .*, YaRN scaling$' out || fail "$(cat out)"

# Parts of at most 100 kB.
works model random "${tiny[@]}" --shard 100kB -o parted
[[ -e parted/model.safetensors.index.json && ! -e parted/model.safetensors ]] || fail "$(ls parted)"
works model info parted
grep -q '^bytes  *298624$' out || fail "$(cat out)"

refuses 2 "'folder' holds a config.json already; give a folder without a model" \
    model random "${tiny[@]}" -o folder
refuses 2 'safetensors have no q8_0; write a .gguf file, or another type' \
    model random "${tiny[@]}" --dtype q8_0 -o new
[[ ! -e new ]] || fail 'a folder was made for what was refused'
refuses 2 "--like: no model is called 'lama'; 'dyno help models' lists them, and a path holds a \
'/'" model random --like lama -o new
refuses 2 "model \"deepseek-v3\" is not of a family that is computed: llama, mistral, qwen2, \
qwen3, qwen3_moe, mixtral, gpt2" model random --like deepseek-v3 -o new
refuses 2 "a vocabulary of 256 tokens is too small: 256 for the bytes and one for the end are \
needed" model random "${tiny[@]}" --vocab 256 -o new
refuses 2 'model "llama-3.1-8b": 3 attention heads cannot share 2 key/value heads equally' \
    model random "${tiny[@]}" --heads 3 --kv-heads 2 -o new
refuses 2 '--experts: model "llama-3.1-8b" has none; take one that does, such as mixtral-8x7b' \
    model random --experts 4 -o new
refuses 2 'model random needs a folder or a .gguf file to write: -o PATH' model random
refuses 2 'model needs to know what: info PATH, or random -o PATH' model
refuses 2 "model knows info and random, not 'make'" model make
refuses 1 "cannot read 'nothing': No such file or directory" model info nothing
refuses 1 "cannot write 'missing/m.gguf': No such file or directory" \
    model random "${tiny[@]}" -o missing/m.gguf
truncate -s 100 q.gguf
refuses 1 "'q.gguf', byte 24: more metadata is announced than the file could hold" model info q.gguf

works model --help
works model info --help
works model random --help
grep -q -- '--kv-heads N' out || fail "$(cat out)"
works help model
