#!/usr/bin/env bash
# A load for a server: tests/bench/bench_stub answers, dyno asks.  No time is judged, only counts.
#
# usage: tests/cli/bench.sh DYNO
set -euo pipefail
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"

stub=$(dirname "$dyno")/tests/bench_stub
samples=$OLDPWD/traces/samples
if [[ ! -x $stub ]]; then
    echo "skipped: tests/bench_stub is not built"
    exit 77
fi

# serve TOKENS PIECES PAUSE_US: a stub at $url until the next one.
serve() {
    rm -f hold port
    mkfifo hold
    "$stub" "$@" <hold >port 2>stub.err &
    exec 9>hold
    until [[ -s port ]]; do sleep 0.02; done
    url=http://127.0.0.1:$(cat port)
}

# Let the stub end; what it saw is in stub.err.
stop() {
    exec 9>&-
    wait
}

# A generator's load, in open and in closed loop; what a server counted is what is told.
serve 5 3 200
works bench --url "$url" --arrival poisson:500 --requests 60 --input-tokens 20 --output-tokens 5 \
    --slo e2e=1h --db runs.db --json open.json
works bench --url "$url/v1" --concurrency 4 --requests 20 --endpoint chat --db runs.db \
    --json closed.json
for file in open closed; do
    [[ $(number $file.json requests.failed) == 0 ]] || fail "$file: requests failed"
    [[ $(number $file.json client.lag_ms.count) == "$(number $file.json requests.completed)" ]]
    [[ $(number $file.json itl_ms.count) == $((4 * $(number $file.json requests.completed))) ]]
    [[ $(number $file.json fleet.busy_fraction) == null ]]
done
[[ $(number open.json requests.completed) == 60 && $(number closed.json requests.completed) == 20 ]]
[[ $(number open.json goodput.fraction) == 1.0 ]]
[[ $(number closed.json client.connections) == 4 ]] || fail "a closed loop of 4 keeps 4 connections"
grep -q '^stub at 127.0.0.1:[0-9]*, chat$' out || fail "the title is wrong: $(cat out)"
works runs runs.db
[[ $(grep -c ' finished ' out) == 2 ]] || fail "two runs should be finished: $(cat out)"
if has_sqlite; then
    [[ $(sqlite3 runs.db "select count(*), sum(output_tokens), min(outcome), max(outcome)
        from request where run = 1") == "60|300|0|0" ]]
    [[ $(sqlite3 runs.db "select value from run_option
        where run = 2 and name = 'bench.endpoint'") == chat ]]
    [[ -z $(sqlite3 runs.db "select name from run_option where name like 'router.%'") ]]
fi

# A trace, and the words of other load generators.
head -n 40 "$samples/chat-prefix.jsonl" >trace.jsonl
works bench --url "$url" --trace trace.jsonl --speedup 100 --db none --json trace.json \
    --prompt-as tokens
[[ $(number trace.json requests.completed) == 40 ]]
works bench --base-url "$url" --request-rate inf --max-concurrency 3 --num-prompts 12 \
    --random-input-len 8 --output-len 5 --db none --json alias.json
[[ $(number alias.json client.connections) == 3 && $(number alias.json requests.completed) == 12 ]]
works bench --url "$url" --request-rate 400 --burstiness 0.5 --num-prompts 9 --db none \
    --json alias.json --model given --extra-body '{"temperature":0}'
[[ $(number alias.json requests.completed) == 9 ]]
stop
grep -q '^141 requests on ' stub.err || fail "the server saw other requests: $(cat stub.err)"

# What other tools read, our own reader of it among them.
serve 5 2 300
works bench --url "$url" --concurrency 2 --requests 30 --output-tokens 5 --db asked.db \
    --save vllm.json --export-aiperf made
[[ $(grep -c '"error": null}$' made/profile_export.jsonl) == 30 ]] || fail "AIPerf's lines"
grep -q '^  "request_count": {"unit": "requests", "avg": 30},$' made/profile_export_aiperf.json ||
    fail "AIPerf's summary: $(cat made/profile_export_aiperf.json)"
grep -q '"type":"concurrency","concurrency":2,"requests":30' made/profile_export_aiperf.json ||
    fail "AIPerf's input_config: $(cat made/profile_export_aiperf.json)"
grep -q "^Request Count,30.00" made/profile_export_aiperf.csv || fail "AIPerf's table"
works export asked.db -o again --format aiperf
for each in made again; do
    grep -o '"input_config": .*' $each/profile_export_aiperf.json >$each.config
done
diff made.config again.config || fail "the database says something else of what was asked"
grep -Eq '^"duration": .*"completed": 30, "failed": 0, .*"total_output_tokens": 150,$' vllm.json
grep -q '"max_concurrency": 2$' vllm.json || grep -q '"max_concurrency": 2,' vllm.json
stop
refuses 1 "bench.save: nothing can be written into the folder of no/such: No such file or \
directory" bench --url "$url" --concurrency 2 --requests 1 --db none --save no/such

# A scenario file that may be simulated too says more than a client reads; a command line may not.
serve 2 1 0
printf 'fleet: {workers: 4}\ngenerate: {arrival: "constant:500"}\ntrace: {requests: 7}\n' >s.yaml
works bench s.yaml --url "$url" --db none --json file.json
[[ $(number file.json requests.completed) == 7 ]]
stop

refuses 2 "--workers says something of a simulation; dyno bench asks a server" \
    bench --workers 4 --arrival poisson:1 --requests 1
refuses 2 "unknown option '--uri'; did you mean '--url'?" bench --uri x
refuses 2 "'localhost' is no address of a server: it should begin with http:// or https://" \
    bench --url localhost --arrival poisson:1 --requests 1
refuses 2 "--prompt-as tokens and --endpoint chat contradict each other: a message is text" \
    bench --prompt-as tokens --endpoint chat --arrival poisson:1 --requests 1
refuses 2 "--request-rate says when requests come, and so does another option" \
    bench --request-rate 3 --trace trace.jsonl
refuses 2 "--request-rate is a number of requests a second, or inf" \
    bench --request-rate fast --requests 1
refuses 1 "--extra-body: \"stream\" is set by dyno itself" \
    bench --extra-body '{"stream":false}' --arrival poisson:1 --requests 1 --db none
refuses 1 "--api-key-env: the environment has no variable DYNO_NO_KEY, or an empty one" \
    bench --api-key-env DYNO_NO_KEY --arrival poisson:1 --requests 1 --db none

# Nobody is there any more: the model cannot be asked for; with its name every request fails.
refuses 1 "${url#http://} does not say which model it serves: cannot connect to ${url#http://}: \
Connection refused" bench --url "$url" --arrival poisson:1 --requests 1 --db none
status=0
"$dyno" bench --url "$url" --model m --arrival poisson:900 --requests 3 --db none >out 2>err ||
    status=$?
[[ $status == 1 ]] || fail "ended with $status where every request failed"
grep -q "^         3 x cannot connect to ${url#http://}: Connection refused$" out
grep -q "^dyno: no request was completed: cannot connect" err
