#!/usr/bin/env bash
# dyno bench asks dyno serve: both ends of the same words.  Counts are looked at, never times.
#
# usage: tests/cli/bench_serve.sh DYNO
set -euo pipefail
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"

model=$(dirname "$dyno")/share/dyno/models/austen-2m
# serve ARGUMENT...: a server at $url, instead of the one before.
serve() {
    [[ -z $server ]] || stop_server
    start_server --threads 1 "$@"
}

serve
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

# Over TLS: who proves to be the server is asked, also on one connection after another's requests;
# who does not is not.
if ! command -v openssl >/dev/null; then
    echo "skipped from here on: there is no openssl to make certificates"
    exit 0
fi
certify() { # NAME ADDRESS
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
        -subj /CN=test -addext "subjectAltName=IP:$2" -keyout "$1.key" -out "$1.pem" 2>/dev/null
}
certify good 127.0.0.1
certify other 127.0.0.9
serve --ssl-certfile good.pem --ssl-keyfile good.key
works bench --url "$url" --concurrency 2 --requests 20 --input-tokens 30 --output-tokens 4 \
    --db none --ca-file good.pem --json tls.json
[[ $url == https://* && $(number tls.json requests.completed) == 20 ]]
[[ $(number tls.json client.connections) -le 3 ]] || fail "connections are not kept: $(cat out)"
unknown="does not say which model it serves"
refuses 1 "${url#https://} $unknown: TLS failed: self-signed certificate" bench --url "$url" \
    --concurrency 1 --requests 1 --db none
serve --ssl-certfile other.pem --ssl-keyfile other.key
refuses 1 "${url#https://} $unknown: TLS failed: IP address mismatch" bench --url "$url" \
    --concurrency 1 --requests 1 --db none --ca-file other.pem
refuses 1 "nothing.pem is no readable PEM file of authorities" \
    bench --url "$url" --concurrency 1 --requests 1 --db none --ca-file nothing.pem
