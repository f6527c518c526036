#!/usr/bin/env bash
# Models that are wrong or hostile: whoever is asked to compute one, `dyno generate`, `replay` or
# `serve`, says the same sentence, with the file and what is wrong in it; none hangs or is killed.
# (tests/backends/ has the ways in which each format can be wrong; this is that they arrive here.)
#
# usage: tests/cli/hostile_models.sh DYNO
set -euo pipefail
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"

tiny=(--layers 1 --hidden 64 --heads 4 --kv-heads 2 --head-dim 16 --intermediate 64 --vocab 300
    --context 128)
works model random "${tiny[@]}" -o good
works model random "${tiny[@]}" --dtype f32 -o good.gguf
works model random "${tiny[@]}" --shard 40kB -o parted
header=$(od -An -N8 -t u8 good/model.safetensors)
header=${header// /}

# all_refuse SENTENCE: the three of them, of ./bad.
all_refuse() {
    refuses 1 "$1" generate --model ./bad --prompt a --max-tokens 2
    refuses 1 "$1" serve --model ./bad --port any
    refuses 1 "$1" replay --device cpu --model ./bad --arrival poisson:9 --requests 1 --db none
    rm -rf bad
}

# text_refuse SENTENCE: those that read and write text.
text_refuse() {
    refuses 1 "$1" generate --model ./bad --chat --prompt a --max-tokens 2
    refuses 1 "$1" serve --model ./bad --port any
    rm -rf bad
}

# config KEY VALUE: a good model, in whose config.json KEY is something else.
config() {
    cp -r good bad
    sed -i "s/\"$1\": [^,]*/\"$1\": $2/" bad/config.json
}

# with NAME: a good model without the file NAME, which is then made.
with() {
    cp -r "${2:-good}" bad
    rm bad/"$1"
}

# patch FILE AT BYTES: other bytes there.
patch() {
    printf '%b' "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

where="'./bad/config.json'"
for count in 0 -1 4097; do
    config num_hidden_layers "$count"
    all_refuse "$where: \"num_hidden_layers\" is $count, which is not from 1 to 4096"
done
config num_hidden_layers 1.5
all_refuse "$where: \"num_hidden_layers\" is a decimal where a whole number is expected"
config rms_norm_eps 0
all_refuse "$where: \"rms_norm_eps\" is 0 where more than 0 is expected"
config eos_token_id 9999
all_refuse "$where: the end token 9999 is none of the 300 tokens of the vocabulary"
config vocab_size 16777216
all_refuse "'./bad/model.safetensors': tensor 'model.embed_tokens.weight' has the shape [300, 64]\
 where the configuration makes it [16777216, 64]"
config num_hidden_layers 4096
all_refuse "'./bad' lacks the tensor 'model.layers.1.input_layernorm.weight' of shape [64]"
with config.json
: >bad/config.json
all_refuse "$where, line 1, column 0: '[' or '{' expected near end of file"
with config.json
printf '[%.0s' {1..100000} >bad/config.json
all_refuse "$where, line 1, column 2049: maximum parsing depth reached near '['"
with config.json
mkfifo bad/config.json
all_refuse "$where is not a regular file"
with config.json
ln -s config.json bad/config.json
all_refuse "cannot read $where: Too many levels of symbolic links"

where="'./bad/model.safetensors'"
with model.safetensors
: >bad/model.safetensors
all_refuse "$where is empty"
with model.safetensors
mkdir bad/model.safetensors
all_refuse "$where is not a regular file"
with model.safetensors
ln -s nowhere bad/model.safetensors
all_refuse "cannot read $where: No such file or directory"
with model.safetensors
all_refuse "'./bad' holds neither model.safetensors nor model.safetensors.index.json; weights of\
 other formats must be converted first"
cp -r good bad
patch bad/model.safetensors 0 '\0\0\0\0\0\0\0\100'
size=$(stat -c %s good/model.safetensors)
all_refuse "$where: its first eight bytes give a header of 4611686018427387904 bytes in a file of\
 $size; it must fit the file and 100 MB (is this a safetensors file?)"
cp -r good bad
patch bad/model.safetensors $((8 + header + 1000)) '\377\177' # of BF16: not a number
all_refuse "$where: element 500 of tensor 'model.embed_tokens.weight' is infinite or not a number;\
 weights must be finite"
cp -r good bad
truncate -s 1T bad/model.safetensors
"$dyno" generate --model ./bad --prompt a >out 2>err && fail 'a terabyte was read'
grep -q "^dyno: $where holds 1099.5 GB of weights where .* GB of memory may be used; " err
rm -r bad

index="'./bad/model.safetensors.index.json'"
cp -r parted bad
sed -i 's/"lm_head.weight": "/&..\/good\//' bad/model.safetensors.index.json
all_refuse "$index: \"weight_map\" must name a file of the same folder for tensor 'lm_head.weight'"
first=$(cd parted && echo model-00001-of-*.safetensors)
with "$first" parted
all_refuse "cannot read './bad/$first': No such file or directory"

# 33 million objects would take 7.7 GB; a number that is none is no better (the same of tokenizers).
memory=$(awk '/^MemTotal/ { printf "%.0f", $2 * 1024 }' /proc/meminfo)
if [[ ${memory:-0} -gt 0 && $memory -lt 30000000000 ]]; then
    cp -r good bad
    {
        printf '\0\341\365\5\0\0\0\0' # 100,000,000 bytes
        printf '  {"__metadata__":['
        head -c 99999978 < <(yes '{},{},{},{},{},{},{},{}' | tr '\n' ',')
        printf '0]}'
    } >bad/model.safetensors
    for command in 'model info' 'generate --prompt a --model'; do
        # shellcheck disable=SC2086 # several words
        "$dyno" $command ./bad >out 2>err && fail 'a hundred megabytes of nothing were read'
        grep -Eq "^dyno: $where: to read its JSON would take 7[.][0-9] GB of memory, more than a\
 quarter of the .* GB that may be used" err || fail "$(cat err)"
    done
    rm -r bad
    # llama2.c's version 2, of which each byte becomes a float.
    printf 'ak42\2\0\0\0\100\0\0\0\100\0\0\0\1\0\0\0\4\0\0\0\2\0\0\0\54\1\0\0\100\0\0\0\1\40' >bad
    printf '24ka' | dd of=bad bs=1 conv=notrunc status=none
    truncate -s $((memory / 3)) bad
    "$dyno" model info ./bad >out 2>err && fail 'a third of the memory as bytes was read'
    grep -q "^dyno: './bad' holds .* GB of weights where .* GB of memory may be used" err ||
        fail "$(cat err)"
    rm bad
fi

cp good.gguf bad
truncate -s 5000 bad
"$dyno" generate --model ./bad --prompt a >out 2>err && fail 'half a file was read'
grep -Eq "^dyno: './bad', byte [0-9]+: " err || fail "$(cat err)"
patch bad 4 '\1'
all_refuse "'./bad' is GGUF of version 1; versions 2 and 3, little-endian, can be read"
mkfifo bad
all_refuse "'./bad' is not a regular file"
mkdir bad
all_refuse "cannot read './bad/config.json': No such file or directory"
ln -s bad bad
all_refuse "cannot read './bad': Too many levels of symbolic links"
all_refuse "cannot read './bad': No such file or directory"
printf 'Once upon a time there was a text.\n' >bad
all_refuse "'./bad': read as a llama2.c model, its dim is 1701015119, which is not from 1 to\
 1048576; a model is a folder, a .gguf file or a llama2.c .bin file"

# A good model whose keys and values are more than there is.
for command in 'serve --port any' 'replay --arrival poisson:9 --requests 1 --db none'; do
    # shellcheck disable=SC2086 # several words
    "$dyno" $command --device cpu --model ./good --num-gpu-blocks-override 4000000000 >out 2>err &&
        fail "$command takes terabytes"
    grep -Eq "^dyno: 4000000000 blocks of KV for each of 1 workers take [0-9.]+ GB where [0-9.]+ GB\
 of memory may be used; " err || fail "$(cat err)"
done

# added TOKEN: a good model, whose tokenizer.json has that added token, too.
added() {
    cp -r good bad
    sed -i "s/\"added_tokens\": *\[/&$1, /" bad/tokenizer.json
    ! cmp -s {good,bad}/tokenizer.json || fail "tokenizer.json has no added tokens"
}

# A token that the weights do not know would be read beyond them.
added '{"id": 300, "content": "<far>", "special": false}'
text_refuse "'./bad': the tokenizer has 301 tokens, the weights have 300: they are not of one model"
added '{"id": 16000000, "content": "<far>", "special": false}'
text_refuse "'./bad', tokenizer.json: the id of token '<far>' must be a whole number from 0 to\
 66139, as there are 302 tokens"
added '{"id": 5, "content": "<far>", "special": false}'
text_refuse "'./bad', tokenizer.json: added token '<far>' has the id 5 of another token"
with tokenizer.json
text_refuse "cannot read './bad/tokenizer.json': No such file or directory"

# chat TEMPLATE: a good model with that chat template.
chat() {
    cp -r good bad
    printf '%s' "$1" >bad/chat_template.jinja
}

where="'./bad/chat_template.jinja'"
chat '{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}'
for command in 'generate --chat --prompt a' 'serve --port any'; do
    # shellcheck disable=SC2086 # several words
    "$dyno" $command --model ./bad >out 2>err && fail "$command renders for ever"
    grep -Eq "^dyno: $where: chat template, line 1: more than [0-9]+ steps to render it$" err ||
        fail "$command: $(cat err)"
done
rm -r bad
chat '{% include "/etc/passwd" %}'
text_refuse "$where: chat template, line 1: there is no statement 'include' here"
ln -s good bad
refuses 1 "the prompt has 200 tokens; the model's context is 128, and the answer needs at least one\
 of them" generate --model ./bad --prompt "$(printf 'a%.0s' {1..200})"
