#!/usr/bin/env bash
# Workers in another process that hangs (it is stopped, and none of its connections end): it is
# taken for dead after a while of silence, its requests go on elsewhere, or wait until it goes on.
#
# usage: tests/cli/ucx_hang.sh DYNO
set -euo pipefail
root=$PWD
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"
# shellcheck source=tests/ucx_support.sh
. "$root/tests/ucx_support.sh"

works model random --like llama-3.1-8b --layers 2 --hidden 64 --heads 4 --kv-heads 2 --head-dim 16 \
    --intermediate 128 --vocab 512 --context 512 --dtype f32 -o tiny.gguf
load=(--arrival poisson:20 --requests 40 --input-tokens "uniform:20,200" --output-tokens 60
      --model tiny.gguf --db none --device cpu --threads 1 --num-gpu-blocks-override 500
      --set fleet.silence=4s)
start_worker one --model tiny.gguf
one=$at
start_worker other --model tiny.gguf
other=$at

# hangs NUMBER ARGUMENT...: a replay into hung.json, whose process of that number, who is called
# other, hangs in the middle, until it was missed.
hangs() {
    local number=$1 replay served

    shift
    served=$(grep -c serving other.err || true)
    "$dyno" replay "${load[@]}" "$@" --json hung.json >out 2>err &
    replay=$!
    await_serving other "$served"
    sleep 0.3
    kill -STOP "${workers[$number]}"
    sleep "${again:-0}"
    [[ -z ${again:-} ]] || kill -CONT "${workers[$number]}"
    wait "$replay" || fail "the replay ended with $?: $(cat err)"
    [[ $(number hung.json requests.completed) == 40 ]] || fail "requests were lost: $(cat out err)"
}

# Of two that decode one: what was there goes on at the other one, over shared memory and TCP.
for how in shm tcp; do
    hangs 1 --workers 2 --workers-at "$one,$other" --set fleet.transport=$how
    [[ $(number hung.json faults.deaths) -ge 1 ]] || fail "nobody was missed: $(cat out)"
    grep -q '^dyno: a process of workers (fleet.at) .*: nothing was heard of it for 4 s: it hangs' \
        err || fail "not told: $(cat err)"
    kill -CONT "${workers[1]}"
done

# Who computes prompts hangs, too.
hangs 1 --disagg always --prefill 1 --decode 1 --workers-at "$one" --prefill-at "$other"
grep -q '^dyno: a process of workers (prefill.at) .*: nothing was heard of it for 4 s: it hangs' \
    err || fail "not told: $(cat err)"
kill -CONT "${workers[1]}"

# The only one: everybody waits until it goes on, which begins with an empty memory.
again=6 hangs 1 --workers 1 --workers-at "$other"
[[ $(number hung.json faults.deaths) -ge 1 && $(number hung.json faults.restarts) -ge 1 ]] ||
    fail "it was not taken back: $(cat out err)"

# A process that hangs from the start is not waited for.
kill -STOP "${workers[1]}"
refuses 1 "the worker at $other does not answer" \
    replay "${load[@]}" --workers 1 --workers-at "$other" --set fleet.silence=200ms
kill -CONT "${workers[1]}"
refuses 2 '--set fleet.silence has no meaning without --workers-at or --prefill-at ADDRESS' \
    replay --arrival poisson:1 --requests 1 --db none --set fleet.silence=1s
