#!/usr/bin/env bash
# The model that comes with dyno writes what it always wrote; prompts, stops and chats; what is
# wrong is refused in one sentence.
#
# usage: tests/cli/generate.sh DYNO
set -euo pipefail
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"

# wrote TEXT ARGUMENT...: greedily, dyno writes exactly that (and a line end).
wrote() {
    local due=$1

    shift
    works generate --temperature 0 "$@"
    if [[ $(cat out; echo .) != "$due"$'\n.' ]]; then
        fail "dyno generate $*: wrote" "$(cat out)" "not" "$due"
    fi
}

morning='It was a fine morning, and'
greedy=' she was not so very much pleased to be in the room, and was not so very much in the'
greedy+=' world, and'
chat_greedy='I am sure you are very much obliged to you.'

# The committed weights, greedily, whatever the threads; the speed is on standard error.
wrote "$greedy" --prompt "$morning" --max-tokens 24 --threads 1
speed='[0-9.]+ tokens/s'
grep -Eq "^prompt: [0-9]+ tokens, $speed; answer: 24 tokens, $speed; --max-tokens ended it\$" err ||
    fail "$(cat err)"
wrote "$greedy" --prompt "$morning" --max-tokens 24 --threads 2
wrote "$greedy" --prompt "$morning" --max-tokens 24

# A stop string ends the answer before it, wherever tokens begin and end; the first met counts.
wrote "${greedy%%in the ro*}" --prompt "$morning" --max-tokens 24 --stop nowhere --stop 'in the ro'
grep -q '; a stop string ended it$' err

# The same from a file, from standard input, and with '='.
printf '%s\n' "$morning" >prompt.txt
wrote "$greedy" --prompt-file prompt.txt --max-tokens 24
wrote "$greedy" --prompt="$morning" --max-tokens=24
"$dyno" generate --temperature 0 --prompt-file - --max-tokens 24 <prompt.txt 2>err |
    diff - <(printf '%s\n' "$greedy")

# Choices are a function of the seed, and of nothing else.
works generate --prompt "$morning" --seed 7 --threads 1
cp out first
works generate --prompt "$morning" --seed 7 --threads 2
cmp first out
works generate --prompt "$morning" --seed 8
! cmp -s first out || fail "two seeds wrote the same"
works generate --prompt "$morning" --seed 8 --top-k 1 --max-tokens 24
[[ $(cat out) == "$greedy" ]] || fail "--top-k 1 is not greedy: $(cat out)"

# What the model's folder suggests is the default, and options win.
cp -r "$OLDPWD/backends/assets/models/austen-2m" tame
chmod -R u+w tame
printf '{"do_sample": true, "top_k": 1, "repetition_penalty": 1}' >tame/generation_config.json
works generate --model ./tame --prompt "$morning" --seed 8 --max-tokens 24
[[ $(cat out) == "$greedy" ]] || fail "a suggested top_k of 1 is not greedy: $(cat out)"
works generate --model ./tame --prompt "$morning" --seed 7 --top-k all
cmp first out
printf '{"do_sample": false, "repetition_penalty": 1.5}' >tame/generation_config.json
works generate --model ./tame --prompt "$morning" --max-tokens 24
! grep -Fq "$greedy" out || fail "a suggested penalty changes nothing"
wrote "$greedy" --model ./tame --prompt "$morning" --max-tokens 24 --repetition-penalty 1
works model info ./tame
grep -Eq '^suggested +repetition penalty 1.5, temperature 0$' out || fail "$(cat out)"

# A chat: one message, or one a line; what was said before is not computed again.
wrote "$chat_greedy" --chat --prompt 'Do you like to dance?' --max-tokens 24
printf 'Do you like to dance?\n\nI do.\n' |
    "$dyno" generate --chat --temperature 0 --max-tokens 24 >out 2>err
[[ $(wc -l <out) -eq 2 && $(head -n 1 out) == "$chat_greedy" ]] || fail "$(cat out)"
grep -Eq '^prompt: [0-9]+ tokens, [0-9]+ of them known, ' err || fail "$(cat err)"
works generate --chat --system 'You are in Emma, by Jane Austen.' --prompt 'Good morning.' --seed 1

# A chat that outgrows the context (each message is a third of it) forgets its beginning.
message=$(printf 'My dear Mr. Bennet, have you heard that Netherfield Park is let? %.0s' {1..16})
printf '%s\n' "$message" "$message" "$message" "$message" "$message" "$message" |
    "$dyno" generate --chat --max-tokens 4 >out 2>err
[[ $(wc -l <out) -eq 6 ]] || fail "$(cat out err)"

# Ctrl-C while it waits for a message ends it well.
rm -f out err
mkfifo messages
exec 9<>messages
"$dyno" generate --chat --max-tokens 8 <messages >out 2>err &
process=$!
echo 'Good morning.' >&9
until [[ -s out ]]; do
    kill -0 "$process" || fail "it ended by itself: $(cat out err)"
    sleep 0.02
done
kill -s INT "$process"
wait "$process" || fail "it ended with $?: $(cat err)"
exec 9>&-

# From an installed prefix too, wherever that is moved.
if [[ -f $(dirname "$dyno")/cmake_install.cmake ]]; then
    cmake --install "$(dirname "$dyno")" --prefix "$scratch/prefix" >/dev/null
    mv prefix moved
    moved/bin/dyno generate --temperature 0 --prompt "$morning" --max-tokens 24 2>err |
        diff - <(printf '%s\n' "$greedy")
fi

# What cannot be read or written is an error, be it only the end of a line.
"$dyno" generate --chat </ >out 2>err && fail 'a folder was talked to'
says err 'dyno: standard input cannot be read: Is a directory'
printf 'Good\0morning.\n' | "$dyno" generate --chat >out 2>err && fail 'half a line was taken'
says err 'dyno: a line of standard input is not text: byte 5 is 0'
if [[ -w /dev/full ]]; then
    "$dyno" generate --prompt "$morning" --stop ' ' --temperature 0 >/dev/full 2>err &&
        fail "an answer of nothing but a line end was not written, and all was well"
    grep -q '^dyno: the answer cannot be written: No space left on device$' err || fail "$(cat err)"
fi

refuses 2 "nothing to go on from: give --prompt TEXT, --prompt-file FILE, or --chat for a talk on\
 the terminal" generate
refuses 2 "--prompt and --prompt-file contradict each other; give one" \
    generate --prompt a --prompt-file b
refuses 2 "--system is part of a chat; give --chat too, or put the text before the prompt" \
    generate --prompt a --system b
refuses 2 "unknown option '--temprature'; did you mean '--temperature'?" generate --temprature 1
refuses 2 "unknown option '-x'; 'dyno generate --help' lists them" generate -x
refuses 2 "what is 'hello'? A prompt is given as --prompt TEXT, a model as --model" generate hello
refuses 2 "--temperature: '-1' is not a number from 0 to 100" generate --prompt a --temperature -1
refuses 2 "--top-p: 'nan' is not a number from 0 to 1" generate --prompt a --top-p nan
refuses 2 "--top-k: '0' is not a whole number from 1 to 16777216, or 'all'" \
    generate --prompt a --top-k 0
refuses 2 "--max-tokens: '0' is not a whole number from 1 to 16777216" \
    generate --prompt a --max-tokens 0
refuses 2 "--threads needs a value: a whole number from 1 to 256, or 'all'" generate --threads
refuses 2 "--prompt needs a value: TEXT" generate --prompt
refuses 2 "--stop: an empty text stands everywhere" generate --prompt a --stop ''
refuses 1 "--prompt-file: 'no.txt' cannot be read: No such file or directory" \
    generate --prompt-file no.txt
refuses 1 "no model 'nobody': neither one that comes with dyno: austen-2m, nor a file or folder\
 here (a path with a '/' names one elsewhere)" generate --prompt a --model nobody
refuses 1 "the prompt is empty; the model needs at least one token to go on from" \
    generate --prompt ''
refuses 1 "the prompt has 1024 tokens; the model's context is 1024, and the answer needs at least\
 one of them" generate --prompt "$(printf 'a%.0s' {1..1024} | sed 's/a/ a/g')"

works model random --like llama-3.1-8b --layers 1 --hidden 64 --heads 4 --kv-heads 2 --head-dim 16 \
    --intermediate 64 --vocab 512 --context 64 -o tiny

# A prompt and its answer are as long as the context together, and no longer.
works generate --model ./tiny --temperature 0 --prompt aa
grep -q "^prompt: 2 tokens, .*; answer: 62 tokens, .*; the model's context is full\$" err ||
    fail "$(cat err)"

# A wrong template is named with its file.
printf '{"chat_template": "{%% for a in %%}"}' >tiny/tokenizer_config.json
refuses 1 "'tiny/tokenizer_config.json': chat template, line 1: an expression is expected here" \
    generate --model tiny --chat --prompt a
