#!/usr/bin/env bash
# Several models behind one server: who is asked is who answers, by its own tokenizer and template,
# and is told of by name.
#
# usage: tests/cli/serve_models.sh DYNO
set -euo pipefail
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"
if ! command -v curl >/dev/null || ! command -v jq >/dev/null; then
    echo "skipped: no curl, or no jq"
    exit 77
fi

# ask STATUS PATH [BODY]: the answer is in the file answer, and has that status.
ask() {
    local status=$1 path=$2
    shift 2
    got=$(curl -sS -o answer -w '%{http_code}' "$url$path" ${1+-d "$1"})
    [[ $got == "$status" ]] || fail "$path $*: $got, not $status: $(cat answer)"
}

# is FILTER VALUE: of the answer.
is() {
    [[ $(jq -r "$1" answer) == "$2" ]] || fail "$1 is $(jq -r "$1" answer), not $2: $(cat answer)"
}

# metric LINE: of the server.
metric() {
    curl -sS "$url/metrics" >metrics
    grep -Fxq -- "$1" metrics || fail "no '$1' in $(cat metrics)"
}

# ---- two that compute -------------------------------------------------------------------------

# One of few tokens, which has no chat template, beside the one that comes along.
works model random --like llama-3.1-8b --layers 2 --hidden 64 --heads 4 --kv-heads 2 --head-dim 16 \
    --intermediate 128 --vocab 512 --context 512 --dtype f32 -o tiny.gguf
words='"prompt":"She had been","max_tokens":8,"temperature":0'
for model in austen-2m tiny.gguf; do
    start_server --device cpu --threads 1 --model "$model"
    ask 200 /v1/completions "{\"model\":\"$model\",$words}"
    jq -r '.choices[0].text' answer >"alone-$model"
    stop_server
done
start_server --device cpu --threads 1 --models name=austen:model=austen-2m:workers=2 \
    --models name=tiny:model=tiny.gguf:workers=1 --db served.db --record traffic.jsonl
ask 200 /v1/models
is '[.data[] | [.id, .max_model_len]] | tojson' '[["austen",1024],["tiny",512]]'
ask 200 /v1/models/tiny
is .id tiny
ask 404 /v1/models/austen-2m
for each in "austen austen-2m" "tiny tiny.gguf"; do
    read -r name model <<<"$each"
    ask 200 /v1/completions "{\"model\":\"$name\",$words}"
    is .model "$name"
    [[ $(jq -r '.choices[0].text' answer) == "$(cat "alone-$model")" ]] ||
        fail "$name says $(cat answer), and alone $(cat "alone-$model")"
done
ask 404 /v1/completions "{\"model\":\"austen-2m\",$words}"
is .error.code model_not_found
is .error.message "the model 'austen-2m' is not served here; these are: austen, tiny"

# Its own template, tokens and context.
hello='"messages":[{"role":"user","content":"Will you come?"}],"max_tokens":4'
ask 200 /v1/chat/completions "{\"model\":\"austen\",$hello}"
ask 400 /v1/chat/completions "{\"model\":\"tiny\",$hello}"
is .error.code unsupported_parameter
ask 200 /v1/completions '{"model":"austen","prompt":[600],"max_tokens":1}'
ask 400 /v1/completions '{"model":"tiny","prompt":[600],"max_tokens":1}'
is .error.message 'prompt has 600, which is no token of tiny; its tokens are 0 to 511'
ask 400 /v1/completions '{"model":"tiny","prompt":"a","max_tokens":1,"logit_bias":{"512":1}}'
is .error.param logit_bias
ask 400 /v1/completions '{"model":"tiny","prompt":"a","max_tokens":600}'
is .error.code context_length_exceeded
ask 400 /tokenize '{"prompt":"She had been"}'
is .error.param model
ask 200 /tokenize '{"prompt":"She had been","model":"tiny"}'
is .max_model_len 512
is '.tokens | max < 512' true
ask 200 /v1/embeddings '{"model":"tiny","input":"a"}'
is '.data[0].embedding | length' 64

# Told of by name: what was sent away for its model's name has none.
metric 'dyno_requests_ended_total{model="austen",outcome="completed"} 3'
metric 'dyno_requests_ended_total{model="tiny",outcome="completed"} 2'
metric 'dyno_requests_ended_total{outcome="not_found"} 1'
metric 'dyno_request_duration_seconds_count{model="tiny"} 2'
ask 200 /dashboard/data
is '.models | tojson' '["austen","tiny"]'
is '[.workers[].model] | tojson' '["austen","austen","tiny"]'
stop_server
[[ ! -s serve.err ]] || fail "the server complained: $(cat serve.err)"
works sql served.db "SELECT model, min(worker), max(worker), count(*) FROM request GROUP BY model" \
    --csv
says out 'model,min(worker),max(worker),count(*)' '1,2,2,2'
grep -Eq '^0,[01],[01],3$' out || fail "other workers served: $(cat out)"

# What was recorded asks the same models again.
[[ $(jq -rs 'map(.model) | sort | join(" ")' traffic.jsonl) == \
    "austen austen austen tiny tiny" ]] || fail "whom did they ask? $(cat traffic.jsonl)"
works replay --trace traffic.jsonl --models name=austen:model=llama-3.1-8b \
    --models name=tiny:model=qwen3-8b --json again.json
[[ $(number again.json models.tiny.completed) == 2 ]] || fail "$(cat again.json)"

# ---- two that are simulated, with a planner ----------------------------------------------------

start_server --models name=chat:model=llama-3.1-8b:workers=2 \
    --models name=code:model=qwen3-8b:workers=2 --planner load --budget 3 \
    --set planner.every=100ms --vllm-metrics
ask 200 /v1/completions '{"model":"code","prompt":"a","max_tokens":4}'
is .model code
is .usage.completion_tokens 4
for _ in {1..200}; do
    curl -sS "$url/metrics" >metrics
    grep -q '^dyno_planner_workers{model="code",' metrics && break
    sleep 0.05
done
metric 'vllm:request_success_total{model_name="code",finished_reason="length"} 1'
metric 'vllm:request_success_total{model_name="chat",finished_reason="length"} 0'
grep -q '^dyno_planner_workers{model="chat",state="ready",role="serve"} [12]$' metrics ||
    fail "no plan: $(cat metrics)"
[[ $(grep -c '^# TYPE dyno_planner_workers gauge$' metrics) == 1 ]] || fail "a family comes twice"
ask 200 /dashboard/data
is '[.planner_now[].model] | tojson' '["chat","code"]'
stop_server

refuses 2 '--served-model-name names one model, and fleet.models has several: clients ask for '\
'them by the names of that list' \
    serve --served-model-name x --models name=a:model=austen-2m --models name=b:model=austen-2m
