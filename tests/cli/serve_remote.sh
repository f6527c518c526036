#!/usr/bin/env bash
# `dyno serve --worker`: a router before other servers, which are two of our own here.
#
# usage: tests/cli/serve_remote.sh DYNO
set -euo pipefail
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"
if ! command -v curl >/dev/null || ! command -v jq >/dev/null; then
    echo "skipped: no curl, or no jq"
    exit 77
fi

declare -A pid url
end_all() {
    local each
    for each in "${pid[@]}"; do
        kill -9 "$each" 2>/dev/null || true
    done
    wait 2>/dev/null || true
    rm -rf "$scratch"
}
trap end_all EXIT

# start NAME ARGUMENT...: a server, whose address is then in url[NAME].
start() {
    local name=$1
    shift
    : >"$name.out"
    "$dyno" serve --port any "$@" >"$name.out" 2>>"$name.err" &
    pid[$name]=$!
    for _ in {1..400}; do
        url[$name]=$(sed -n 's/^Listening on //p' "$name.out")
        [[ -n ${url[$name]} ]] && return
        kill -0 "${pid[$name]}" 2>/dev/null || fail "$name did not start: $(cat "$name.err")"
        sleep 0.05
    done
    fail "$name says nothing: $(cat "$name.out" "$name.err")"
}

# stop NAME: asked to, it ends well.
stop() {
    kill -TERM "${pid[$1]}"
    wait "${pid[$1]}" || fail "$1 ended with $?: $(cat "$1.err")"
    unset "pid[$1]"
}

# ask NAME STATUS PATH [BODY [CURL'S ARGUMENT...]]: the answer is in the file answer.
ask() {
    local name=$1 status=$2 path=$3 got
    shift 3
    got=$(curl -sS -D headers -o answer -w '%{http_code}' "${url[$name]}$path" ${1+-d "$1"} \
        "${@:2}")
    [[ $got == "$status" ]] || fail "$name $path $*: $got, not $status: $(cat answer)"
}

# is FILTER VALUE: of the answer.
is() {
    [[ $(jq -r "$1" answer) == "$2" ]] || fail "$1 is $(jq -r "$1" answer), not $2: $(cat answer)"
}

# same PATH BODY FILTER: asked through the router and asked directly, the answer is the same there.
same() {
    local path=$1 body=$2 filter=$3 direct
    ask one 200 "$path" "{\"model\":\"m-one\",$body}"
    direct=$(jq -cS "$filter" answer)
    ask router 200 "$path" "{\"model\":\"both\",$body}"
    [[ $(jq -cS "$filter" answer) == "$direct" ]] ||
        fail "$path $body: $(jq -cS "$filter" answer), not $direct"
}

# until_log TEXT: the router's log says so by and by, after what was waited for last.
read_to=0
until_log() {
    local at
    for _ in {1..400}; do
        at=$(sed -n "$((read_to + 1)),\$ {/$1/=}" router.err)
        if [[ -n $at ]]; then
            read_to=${at%%$'\n'*}
            return
        fi
        sleep 0.05
    done
    fail "the log never says '$1': $(cat router.err)"
}

start one --served-model-name m-one --log-level info
start two --served-model-name m-two --log-level info
routed=(--served-model-name both --log-level info --set serve.health_every=100ms --db runs.db
    --decisions)
start router --worker "${url[one]}" --worker "${url[two]}/v1" "${routed[@]}"
says router.out "both on 2 x remote, round_robin"
ask router 200 /v1/models
is '.data[0].id' both
is '.data[0].max_model_len' 1024

# The same words, whole and in pieces, for chat, completions and responses.
chat='"messages":[{"role":"user","content":"Will you come to the ball?"}],"temperature":0'
same /v1/chat/completions "$chat,\"max_tokens\":40" '[.choices, .usage, .object]'
same /v1/chat/completions "$chat,\"max_tokens\":9,\"logprobs\":true,\"top_logprobs\":2" '.choices'
she='"prompt":"She was","temperature":0,"max_tokens":20'
same /v1/completions "$she,\"n\":2,\"logprobs\":1,\"echo\":false" '[.choices, .usage, .object]'
same /v1/completions '"prompt":["She was","He said"],"max_tokens":3,"temperature":0' '.choices'
same /v1/completions "$she,\"n\":2,\"logprobs\":1,\"echo\":true" '[.choices, .usage]'
same /v1/completions '"prompt":"She was","max_tokens":0,"echo":true,"logprobs":2' \
    '[.choices, .usage]'
is .usage.completion_tokens 0
same /v1/responses '"input":"Will you come?","temperature":0,"max_output_tokens":9' \
    '[.output[0].content, .usage, .status, .object]'
same /v1/embeddings '"input":["a ball","a walk"],"dimensions":8' '[.data, .usage, .object]'
is .model both
same /v1/embeddings '"input":"a ball","encoding_format":"base64"' .data
text='{"type":"object","properties":{"age":{"type":"integer","minimum":0,"maximum":9}},"required":
["age"],"additionalProperties":false}'
tools="\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":$text}}]"
same /v1/chat/completions "$chat,$tools,\"tool_choice\":\"required\",\"max_tokens\":99" \
    '[.choices[0].finish_reason, .choices[0].message.content,
      .choices[0].message.tool_calls[0].function]'
is .model both
ask one 200 /v1/chat/completions "{\"model\":\"m-one\",$chat,\"max_tokens\":30}"
whole=$(jq -r '.choices[0].message.content' answer)
tokens=$(jq .usage.completion_tokens answer)
streamed='"max_tokens":30,"stream":true'
ask router 200 /v1/chat/completions "{\"model\":\"both\",$chat,$streamed}"
tail -n 2 answer | grep -q '^data: \[DONE\]$' || fail "no end: $(tail -n 3 answer)"
sed -n 's/^data: {/{/p' answer >chunks
[[ $(jq -rj '.choices[]?.delta.content // empty' chunks) == "$whole" ]] || fail "$(cat answer)"
[[ $(jq -r '[.model, .id] | join(" ")' chunks | sort -u | wc -l) == 1 ]] || fail "two names"
[[ $(jq -s 'map(has("usage")) | any' chunks) == false ]] || fail "usage that nobody asked for"
usage='"stream_options":{"include_usage":true}'
ask router 200 /v1/chat/completions "{\"model\":\"both\",$chat,$streamed,$usage}"
[[ $(sed -n 's/^data: {/{/p' answer | jq -r '.usage.completion_tokens // empty') == "$tokens" ]] ||
    fail "no usage: $(cat answer)"
ask router 200 /v1/responses \
    '{"model":"both","input":"Will you come?","temperature":0,"max_output_tokens":3,"stream":true}'
[[ $(sed -n 's/^event: //p' answer | head -n 1) == response.created ]] || fail "$(cat answer)"
[[ $(sed -n 's/^event: //p' answer | tail -n 1) == response.incomplete ]] || fail "$(cat answer)"

# Round robin asked both; refusals of theirs are theirs, and of ours ours.
for each in one two; do
    grep -q 'path=/v1/chat/completions\|stream_ended' $each.err || fail "$each was not asked"
done
ask router 400 /v1/chat/completions "{\"model\":\"both\",$chat,\"no_such_field\":1}"
is .error.param no_such_field
ask router 404 /v1/chat/completions "{\"model\":\"m-one\",$chat}"
is .error.code model_not_found
ask router 400 /v1/chat/completions '{"model":"both","messages":'
ask router 400 /v1/embeddings '{"model":"both","input":"x","dimensions":100000}'
is .error.param dimensions
ask router 400 /v1/chat/completions "{\"model\":\"both\",$chat,\"stream\":1}"
is .error.param stream
ask router 400 /tokenize '{"model":"both","prompt":"x"}'

# A trace goes on, and ends up in both logs.
trace=4bf92f3577b34da6a3ce929d0e0e4736
ask router 200 /v1/chat/completions "{\"model\":\"both\",$chat,\"max_tokens\":1}" \
    -H "traceparent: 00-$trace-00f067aa0ba902b7-01" -H 'X-Request-Id: request-77'
grep -q "request-77.*$trace" router.err || fail "no trace in the router's log"
grep -q "request-77.*$trace" one.err two.err || fail "no trace in a worker's log"

stop router
if has_sqlite; then
    [[ $(sqlite3 runs.db "SELECT count(DISTINCT worker) FROM request") == 2 ]] ||
        fail "the database does not know two workers"
    [[ $(sqlite3 runs.db "SELECT count(*) >= (SELECT count(*) FROM request WHERE worker IS NOT NULL)
        FROM decision") == 1 ]] || fail "decisions are missing"
fi

# Answers that take seconds, for what follows happens within them: simulated GPUs, 20 ms a token.
slow=(--model llama-3.1-8b --gpu l40s --log-level info)
for each in one two; do
    stop $each
    start $each "${slow[@]}" --served-model-name m-$each
done
read_to=$(wc -l <router.err)
start router --worker "${url[one]}" --worker "${url[two]}/v1" "${routed[@]}" --db none

# Killed while it answers: an answer that has begun ends in an error, what comes then goes to the
# other, and the one that is started again takes part again.
long="{\"model\":\"both\",$chat,\"stream\":true,\"max_tokens\":250,\"ignore_eos\":true}"
for each in 1 2; do
    curl -sSN "${url[router]}/v1/chat/completions" -d "$long" >stream$each 2>&1 &
    curls[each]=$!
done
for each in 1 2; do
    for _ in {1..400}; do
        (($(wc -l <stream$each) > 4)) && break
        sleep 0.02
    done
done
kill -9 "${pid[two]}"
wait "${curls[@]}" || fail "curl saw no clean end"
cat stream1 stream2 >streams
[[ $(grep -c '^data: {"error"' streams) == 1 ]] ||
    fail "not one error: $(tail -n 3 stream1 stream2)"
[[ $(grep -c '^data: \[DONE\]' streams) == 1 ]] || fail "not one whole answer"
until_log 'worker_out worker=1'
for _ in 1 2 3 4; do
    ask router 200 /v1/chat/completions "{\"model\":\"both\",$chat,\"max_tokens\":1}"
done
port=${url[two]##*:}
start two --set "serve.port=$port" "${slow[@]}" --served-model-name m-two 2>/dev/null
until_log 'worker_in worker=1'

# One that hangs is left out after some failures, and what it was asked goes to the other.
kill -STOP "${pid[two]}"
until_log 'worker=1.*did not answer in time'
ask router 200 /v1/chat/completions "{\"model\":\"both\",$chat,\"max_tokens\":1}"
kill -CONT "${pid[two]}"

# Nobody is there.
kill -9 "${pid[one]}" "${pid[two]}"
until_log 'worker_out worker=0'
for _ in {1..100}; do
    got=$(curl -s -D headers -o answer -w '%{http_code}' "${url[router]}/v1/chat/completions" \
        -d "{\"model\":\"both\",$chat}")
    [[ $got == 503 ]] && break
    sleep 0.05
done
[[ $got == 503 ]] || fail "$got: $(cat answer)"
grep -qi '^retry-after: 1' headers || fail "$(cat headers)"
is .error.type service_unavailable_error
stop router

# A scenario file with a list; prompts of one conversation keep together without any events.
start one --served-model-name m-one
start two --served-model-name m-two
cat >fleet.yaml <<END
fleet:
  endpoints: ["${url[one]}", "${url[two]}"]
model: {name: austen-2m}
router: {policy: kv_approx}
tiers: {levels: [g2=64GiB]}
serve: {log_level: info}
END
start kept fleet.yaml --db kept.db --decisions
ask kept 200 /tokenize '{"model":"m-one","prompt":"Elizabeth"}'
words=$(printf 'It was a truth universally acknowledged. %.0s' {1..20})
for _ in {1..6}; do
    ask kept 200 /v1/completions "{\"model\":\"m-one\",\"prompt\":\"$words\",\"max_tokens\":1}"
done
(($(jq .usage.prompt_tokens_details.cached_tokens answer) > 100)) || fail "no hit: $(cat answer)"
stop kept
if has_sqlite; then
    [[ $(sqlite3 kept.db "SELECT count(DISTINCT worker) FROM decision") == 1 ]] || fail "they part"
fi

# What cannot be.
refuses 2 "--device and --worker contradict each other: other servers are asked, or a device of \
our own" serve --worker http://a --device cpu
refuses 2 "--router and --worker contradict each other: it reads the events of caches, which \
other servers do not send; kv_approx guesses them" serve --worker http://a --router kv
refuses 2 "--disagg and --worker contradict each other: other servers are asked by text alone, \
which moves no KV" serve --worker http://a --disagg always
refuses 2 "the device 'remote' needs servers to ask: give --worker URL" serve --device remote
refuses 1 "serve.worker_api_key_env: there is no environment variable NO_SUCH_KEY with the key" \
    serve --worker http://127.0.0.1:9 --worker-api-key-env NO_SUCH_KEY
refuses 1 "no worker is there yet to say which model it serves: start one, or name the model with \
--served-model-name" serve --worker "${url[router]}" --log-level none
