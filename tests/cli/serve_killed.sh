#!/usr/bin/env bash
# `dyno serve` killed in the middle of its traffic: clients hear an end, what was recorded is whole,
# the database says what became of the run, and the next server goes on where this one was.
#
# usage: tests/cli/serve_killed.sh DYNO
set -euo pipefail
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"
if ! command -v curl >/dev/null || ! command -v jq >/dev/null; then
    echo "skipped: no curl, or no jq"
    exit 77
fi

prompt=$(printf 'It was a truth universally acknowledged. %.0s' {1..20})
hello="\"model\":\"llama-3.1-8b\",\"ignore_eos\":true,\"prompt\":\"$prompt\""

# start: a server that records.
start() {
    start_server --model llama-3.1-8b --record traffic.jsonl --db served.db \
        --set serve.record_salt_env=SALT
}

# ask COUNT: so many requests, each answered whole.
ask() {
    for ((i = 0; i < $1; i++)); do
        curl -sSf -o answer "$url/v1/completions" -d "{$hello,\"max_tokens\":9}"
        [[ $(jq .usage.completion_tokens answer) == 9 ]] || fail "$(cat answer)"
    done
}

# run_is NUMBER STATUS REQUESTS: what `dyno runs` says, waited for.
run_is() {
    for _ in {1..400}; do
        works runs --json served.db
        said=$(jq -r ".[$1 - 1] | \"\(.status) \(.requests)\"" out)
        [[ $said == "$2 $3" ]] && return
        sleep 0.05
    done
    fail "run $1 is '$said', not '$2 $3'"
}

# lines_are COUNT: of the recording, all of them whole.
lines_are() {
    [[ $(jq -r .recording traffic.jsonl | wc -l) == "$1" ]] || fail "$(cat traffic.jsonl)"
}

export SALT="a salt of more than sixteen bytes"
start
ask 5
run_is 1 running 5

# Three streams that would take a minute, once each has begun.
streams=()
for stream in 1 2 3; do
    curl -sSN -o "stream$stream" "$url/v1/completions" \
        -d "{$hello,\"max_tokens\":9000,\"stream\":true}" 2>/dev/null &
    streams+=($!)
done
for stream in 1 2 3; do
    for _ in {1..400}; do
        grep -qs '^data: {' "stream$stream" && break
        sleep 0.05
    done
done
kill -KILL "$server"
wait "$server" 2>/dev/null || true
for stream in "${streams[@]}"; do
    wait "$stream" && fail "a stream ended as if it were whole"
done
grep -q '\[DONE\]' stream1 stream2 stream3 && fail "a stream that was cut says that it is done"
lines_are 5
run_is 1 crashed 5

# The same salt goes on in the same file, and prompts of both are known to be alike.
start
ask 2
stop_server
lines_are 7
[[ ! -e traffic.jsonl.1 ]] || fail "set aside for nothing"
works trace info traffic.jsonl
grep -Eq '^recorded lines +7$' out || fail "$(cat out)"
grep -q acknowledged traffic.jsonl && fail "the recording tells what was said"
[[ $(jq -c '.hash_ids[:8]' traffic.jsonl | sort -u | wc -l) == 1 ]] ||
    fail "prompts are not alike: $(cat traffic.jsonl)"
works replay --trace traffic.jsonl --model llama-3.1-8b --db none
grep -Eq '^Requests +7 completed' out || fail "$(cat out)"
run_is 1 crashed 5
run_is 2 finished 2

# Another one begins another file.
SALT="another salt of sixteen bytes or more"
start
ask 1
stop_server
lines_are 1
[[ $(wc -l <traffic.jsonl.1) == 7 ]] || fail "what was recorded is not set aside"
cat traffic.jsonl.1 traffic.jsonl >both.jsonl
"$dyno" replay --trace both.jsonl --db none 2>err && fail "two salts were mixed"
grep -q 'identities of different salts cannot be compared' err || fail "$(cat err)"
