#!/usr/bin/env bash
# dyno bench asks dyno serve: both ends of the same words.  Counts are looked at, never times.
#
# usage: tests/cli/bench_serve.sh DYNO
set -euo pipefail
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"

model=$(dirname "$dyno")/share/dyno/models/austen-2m
"$dyno" serve --port any --threads 1 >serve.out 2>serve.err &
server=$!
trap 'kill $server 2>/dev/null || true; wait; rm -rf "$scratch"' EXIT
until grep -q '^Listening on ' serve.out 2>/dev/null; do
    kill -0 $server || fail "the server did not start: $(cat serve.err)"
    sleep 0.05
done
url=$(sed -n 's/^Listening on //p' serve.out)
load=(--url "$url" --requests 12 --input-tokens "uniform:20,60" --output-tokens "uniform:1,6"
      --set generate.prefix_groups=1 --set generate.prefix_tokens=32 --db none)

# With the model's tokenizer prompts have exactly the tokens that were asked for, as text and as
# ids; answers are as long as asked; and what prompts share is found in the cache.
for kind in text tokens; do
    works bench "${load[@]}" --concurrency 3 --tokenizer "$model" --prompt-as $kind --seed 5 \
        --json $kind.json
    [[ $(number $kind.json requests.completed) == 12 ]] || fail "$kind: $(cat out)"
    grep -Fq "$(printf "%'d" "$(number $kind.json trace.input_tokens)") input tokens (" out ||
        fail "$kind: the server counted other prompt tokens: $(cat out)"
    grep -Fq " $(number $kind.json trace.output_tokens) output tokens (" out ||
        fail "$kind: the server counted other output tokens: $(cat out)"
    [[ $(number $kind.json kv.token_hit_rate) != null ]] || fail "$kind: nothing was cached"
done
works bench "${load[@]}" --arrival poisson:50 --endpoint chat --json chat.json
[[ $(number chat.json requests.completed) == 12 ]]

# A prompt that does not fit is refused by the server, and said once.
status=0
"$dyno" bench --url "$url" --concurrency 2 --requests 3 --input-tokens 3000 --db none >out 2>err ||
    status=$?
[[ $status == 1 ]] || fail "ended with $status where every request failed"
grep -q "^         3 x HTTP 400: " out || fail "the refusals are not one reason: $(cat out)"
