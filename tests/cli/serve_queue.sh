#!/usr/bin/env bash
# `dyno serve` whose only worker is busy: who waits too long, or finds the queue full, is told to
# come again (429); whoever gets the worker is served; records say how urgent a request was.
#
# usage: tests/cli/serve_queue.sh DYNO
set -euo pipefail
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"
if ! command -v curl >/dev/null || ! command -v jq >/dev/null || ! has_sqlite; then
    echo "skipped: no curl, no jq, or no sqlite3"
    exit 77
fi

: >serve.out
"$dyno" serve --port any --model llama-3.1-8b --record traffic.jsonl --db served.db \
    --set queue.busy_inflight=1 --set queue.tokens_max=100 --set queue.timeout=300ms \
    --set queue.policy=priority >serve.out 2>serve.err &
server=$!
for _ in {1..400}; do
    url=$(sed -n 's/^Listening on //p' serve.out)
    [[ -n $url ]] && break
    kill -0 "$server" 2>/dev/null || fail "the server did not start: $(cat serve.err)"
    sleep 0.05
done

# ask PROMPT FIELDS: the answer's status, and its headers in the file headers.
ask() {
    curl -sS -o answer -D headers -w '%{http_code}' "$url/v1/completions" \
        -d "{\"model\":\"llama-3.1-8b\",\"prompt\":\"$1\",$2}"
}

# One that would take minutes has the worker.
curl -sSN -o stream "$url/v1/completions" -d '{"model":"llama-3.1-8b","ignore_eos":true,
    "prompt":"a","max_tokens":9000,"stream":true}' 2>/dev/null &
client=$!
for _ in {1..400}; do
    grep -qs '^data: {' stream && break
    sleep 0.05
done

[[ $(ask hello '"max_tokens":1,"priority":-2') == 429 ]] || fail "$(cat answer)"
[[ $(jq -r .error.code answer) == rate_limit_exceeded ]] || fail "$(cat answer)"
grep -qi '^retry-after: [1-9]' headers || fail "no word of when: $(cat headers)"
long=$(printf 'word %.0s' {1..200})
[[ $(ask "$long" '"max_tokens":1,"priority":3') == 429 ]] || fail "$(cat answer)"
[[ $(ask hello '"max_tokens":1,"priority":0.5') == 400 ]] || fail "$(cat answer)"

# When its client goes, somebody else's turn comes.
kill "$client"
wait "$client" || true
for _ in {1..100}; do
    status=$(ask hello '"max_tokens":1')
    [[ $status == 200 ]] && break
done
[[ $status == 200 ]] || fail "nobody else is served: $(cat answer)"

curl -sS "$url/metrics" >metrics
grep -q '"queue_timeout".* [1-9]' metrics || fail "$(cat metrics)"
kill -TERM "$server"
wait "$server" || fail "the server ended with $?: $(cat serve.err)"
sqlite3 served.db >rows <<'END'
SELECT name, priority, worker IS NULL, held_ns >= 300000000 FROM request
    JOIN outcome ON code = outcome WHERE priority <> 0 ORDER BY id;
END
diff -u - rows <<'END'
rejected_queue_timeout|-2|1|1
rejected_queue_full|3|1|0
END
[[ $(jq -r 'select(.priority) | "\(.priority) \(.outcome)"' traffic.jsonl) == \
    $'-2 rejected_queue_timeout\n3 rejected_queue_full' ]] || fail "$(cat traffic.jsonl)"
