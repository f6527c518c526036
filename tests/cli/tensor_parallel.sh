#!/usr/bin/env bash
# A worker's passes shared by several ranks, on the CPU: runs, a server's answers, what is refused.
# Nothing here depends on how fast it is.
#
# usage: tests/cli/tensor_parallel.sh DYNO
set -euo pipefail
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"

shape=(--layers 2 --hidden 64 --heads 4 --kv-heads 2 --head-dim 32 --vocab 509 --context 512)
works model random --like llama-3.1-8b "${shape[@]}" --intermediate 128 -o tiny
works model random --like mixtral-8x7b "${shape[@]}" --intermediate 96 --experts 4 -o moe
load=(--arrival poisson:200 --requests 20 --input-tokens "uniform:20,100"
      --output-tokens "uniform:2,12" --set generate.prefix_groups=3
      --set generate.prefix_tokens=32)

# Every request ends, with as many tokens as when it is simulated, and what the core decided can be
# decided again: also with several workers, more ranks than kv heads, and ranks that are teams.
works replay "${load[@]}" --device null --db none --json simulated.json
for more in "tiny --tp 2" "tiny --tp 4 --threads 1" "tiny --tp 2 --workers 2" \
    "moe --tp 2 --threads 4"; do
    # shellcheck disable=SC2086
    works replay "${load[@]}" --device cpu --db none --json live.json --journal journal \
        --model $more
    for key in requests.completed trace.input_tokens trace.output_tokens; do
        [[ $(number live.json $key) == $(number simulated.json $key) ]] ||
            fail "$more: $key is $(number live.json $key), not $(number simulated.json $key)"
    done
    works rerun journal
done

refuses 1 '6 attention heads cannot be shared by 4 ranks; by 3 or 6 they can' \
    replay "${load[@]}" --device cpu --tp 4 --db none
refuses 1 '2 kv heads cannot be shared by 3 ranks; by 2 they can' \
    replay "${load[@]}" --device cpu --tp 3 --db none

# A client hears the same text from two ranks as from one.
if ! command -v curl >/dev/null || ! command -v jq >/dev/null; then
    exit 0
fi
said=
for ranks in 1 2; do
    start_server --device cpu --tp "$ranks"
    curl -sS "$url/v1/chat/completions" -H 'Content-Type: application/json' -d '{"max_tokens": 30,
        "temperature": 0, "model": "austen-2m",
        "messages": [{"role": "user", "content": "Will you come to the ball?"}]}' >answer
    text=$(jq -r '.choices[0].message.content' answer)
    [[ -n $text && ($ranks == 1 || $text == "$said") ]] || fail "$ranks ranks said: $(cat answer)"
    said=$text
    curl -sS "$url/v1/embeddings" -d '{"model": "austen-2m", "input": "a ball"}' >answer
    [[ $(jq '.data[0].embedding | length' answer) == 192 ]] || fail "$ranks ranks: $(cat answer)"
    curl -sS "$url/v1/completions" -d '{"model": "austen-2m", "max_tokens": 1, "echo": true,
        "prompt": "It is a truth", "logprobs": 1}' >answer
    [[ $(jq '.choices[0].logprobs.token_logprobs | length' answer) -gt 3 ]] ||
        fail "$ranks ranks: $(cat answer)"
    stop_server
done
