#!/usr/bin/env bash
# Workers in other processes that go and come: one that is killed and started again serves again,
# one that is not is given up; a planner starts, drains and changes them; they are asked to die; and
# a journal of all that makes the same decisions.
#
# usage: tests/cli/ucx_again.sh DYNO
set -euo pipefail
root=$PWD
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"
# shellcheck source=tests/ucx_support.sh
. "$root/tests/ucx_support.sh"

works model random --like llama-3.1-8b --layers 2 --hidden 64 --heads 4 --kv-heads 2 --head-dim 16 \
    --intermediate 128 --vocab 512 --context 512 --dtype f32 -o tiny.gguf
load=(--arrival poisson:15 --requests 40 --input-tokens "uniform:20,200" --output-tokens 60
      --model tiny.gguf --db none --device cpu --threads 1 --num-gpu-blocks-override 500)
start_worker one --model tiny.gguf
one=$at

# completes FILE: nobody's request was lost.
completes() {
    [[ $(number "$1" requests.completed) == 40 ]] || fail "$1: requests lost: $(cat out err)"
}

# with_a_death NUMBER ARGUMENT...: a replay into killed.json, whose process of that number, at $one,
# is killed in the middle.  Where $again is given one is started at its address after so many
# seconds.
with_a_death() {
    local number=$1 replay served

    shift
    served=$(grep -c serving one.err || true)
    "$dyno" replay "${load[@]}" "$@" --json killed.json >out 2>err &
    replay=$!
    await_serving one "$served"
    sleep 0.6
    kill_worker "$number"
    if [[ -n ${again:-} ]]; then
        sleep "$again"
        listen=$one start_worker one --model tiny.gguf
    fi
    wait "$replay" || fail "the replay ended with $?: $(cat err)"
}

# The only one: everybody waits until it is there again, and goes on.
again=0.5 with_a_death 0 --workers 1 --workers-at "$one"
completes killed.json
[[ $(number killed.json faults.deaths) == 1 && $(number killed.json faults.restarts) == 1 ]] ||
    fail "it was not started again: $(cat out)"
grep -q '^dyno: a process of workers (fleet.at) was gone for a while: ' err ||
    fail "not told: $(cat err)"

# Both of its workers, which compute prompts.
again=0 with_a_death 1 --disagg always --prefill 2 --decode 1 --prefill-at "$one" \
    --arrival poisson:10
completes killed.json
[[ $(number killed.json faults.deaths) == 2 && $(number killed.json faults.restarts) == 2 ]] ||
    fail "they were not started again: $(cat out)"

# Nobody comes: it is given up, at once or after a while, and whoever needs it has failed.
for long in 1s never; do
    with_a_death $((${#workers[@]} - 1)) --workers 1 --workers-at "$one" \
        --set fleet.reconnect=$long
    [[ $(number killed.json faults.deaths) == 1 && $(number killed.json faults.restarts) == 0 &&
        $(number killed.json requests.failed) -gt 0 ]] || fail "$long: $(cat out)"
    grep -q '^dyno: a process of workers (fleet.at) is gone: ' err || fail "not told: $(cat err)"
    listen=$one start_worker one --model tiny.gguf
done
refuses 2 '--set fleet.reconnect has no meaning without --workers-at or --prefill-at ADDRESS' \
    replay "${load[@]}" --set fleet.reconnect=1s

refuses 2 "$one is given twice: a process works for one dyno in one role; start another one, at \
another address" \
    replay "${load[@]}" --workers 2 --workers-at "$one,$one"
refuses 2 "$one is given twice: a process works for one dyno in one role; start another one, at \
another address" \
    replay "${load[@]}" --disagg always --workers-at "127.0.0.1:9,$one" --prefill-at "$one"

# A planner starts and drains them; a process all of whose workers have stopped is let go.
start_worker two --model tiny.gguf
two=$at
plan=(--planner load --set planner.every=100ms --set planner.cooldown=200ms)
works replay "${load[@]}" --workers 2 --workers-at "$one,$two" "${plan[@]}" \
    --set planner.start=1 --set planner.use_up=0.02 --set planner.use_down=0.01 --json plan.json
completes plan.json
[[ $(number plan.json planner.starts) -gt 0 ]] || fail "nobody was started: $(cat out)"
await_end two
says two.err 'dyno worker: serving 1 worker of 500 blocks over shared memory' \
    'dyno worker: the session is over'

# And has them change their role: as in tests/cli/live_fleet.sh, but elsewhere.
works replay --model tiny.gguf --db none --device cpu --threads 1 --num-gpu-blocks-override 500 \
    --input-tokens 40 --output-tokens 400 --arrival concurrency:8 --requests 40 --workers 3 \
    --disagg always --prefill 2 --decode 1 --planner load --budget 3 --set planner.every=50ms \
    --set planner.cooldown=0s --set planner.use_up=0.0001 --set planner.use_down=0.00005 \
    --workers-at "$one" --prefill-at "$two" --json roles.json
completes roles.json
[[ $(number roles.json planner.changes) -gt 0 ]] || fail "no role changed: $(cat out)"
[[ $(number roles.json transfers.count) == 40 ]] || fail "not moved: $(cat out)"

# Everything at once, elsewhere: tiers, a planner, and a place that breaks for a while.
start_worker three
three=$at
start_worker four
works replay "$root/sim/scenarios/everything-cpu.yaml" --workers-at "$three" --prefill-at "$at" \
    --journal everything.journal --json everything.json
[[ $(number everything.json requests.failed) == 0 &&
    $(number everything.json requests.completed) -gt 100 ]] || fail "requests lost: $(cat out)"
[[ $(number everything.json faults.deaths) == 1 ]] || fail "nobody died: $(cat out)"
works rerun everything.journal
grep -q '^The same ' out || fail "decided otherwise: $(cat out)"

# Before clients: the only worker is killed while it answers, and started again; the stream goes on
# where it was, with the tokens that it would have had.
command -v curl >/dev/null || exit 0
# ask FILE: a long answer, streamed, whose tokens are chosen by chance.
ask() {
    curl -sfN "$url/v1/completions" -H 'Content-Type: application/json' -d '{"model": "austen-2m",
        "prompt": "She had been a friend of the family", "max_tokens": 900, "temperature": 0.8,
        "seed": 7, "stream": true}' | sed 's/"id"[^,]*,//; s/"created"[^,]*,//' >"$1"
}
start_worker five
five=$at
start_server --device cpu --threads 1 --workers 1 --workers-at "$five"
ask whole.txt
ask killed.txt &
asking=$!
for _ in {1..6000}; do
    [[ -s killed.txt ]] && break
    sleep 0.01
done
kill_worker $((${#workers[@]} - 1))
listen=$five start_worker six
wait "$asking" || fail "the stream broke off: $(cat serve.err)"
stop_server
grep -q '"text"' whole.txt || fail "no answer: $(cat whole.txt)"
cmp whole.txt killed.txt || fail "another answer: $(tail -n 3 whole.txt killed.txt)"
grep -q serving six.err || fail "nobody came back: $(cat six.err serve.err)"
