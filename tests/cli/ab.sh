#!/usr/bin/env bash
# `dyno ab`: what it finds, what it refuses to say, and what it leaves behind.
#
# usage: tests/cli/ab.sh DYNO
set -euo pipefail
traces=$PWD/traces/samples
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"

# A router that knows caches against one that does not, on a chat trace.
chat=(ab --trace "$traces/chat-prefix.jsonl" --requests 1200 --workers 4)
works "${chat[@]}" --a router=round_robin --b router=kv --db ab.db --json ab.json --windows 2
cp out table
grep -Eq '^ttft_ms.mean +[0-9.,]+ +[0-9.]+ +-[0-9.,]+ .* -[0-9.]+ %' table
grep -q 'b is better than a by e2e_ms.mean' table
grep -q '^Arms part at request 4, which came at 0.190 s .* tokens: routed otherwise' table
grep -q 'round_robin gives no scores; 4 candidates' table
grep -q 'scores (lowest wins): 3: ' table
grep -q '^window  from ' table
[[ $(awk 'length > 100' table | wc -l) -eq 0 ]] || fail "a line of the table is too long"
[[ $(grep -c ' $' table) -eq 0 ]] || fail "a line of the table ends with a blank"

if command -v jq >/dev/null; then
    [[ $(jq -r '.status + .best + .goal + .intervals' ab.json) == RANKEDbe2e_ms.meanblocks ]]
    for holds in '.differences["ttft_ms.mean"] | .low <= .mean and .mean <= .high and .high < 0' \
        '.arms | length == 2 and .[1].settings == "router=kv" and .[1].runs == [2]' \
        '.parting.arms[1].candidates | length == 4' \
        '[.classes[] | select(.kind == "prompt") | .requests] | add == 1200' \
        '[.classes[] | select(.kind == "prefix") | .requests] | add == 1200'; do
        jq -e "$holds" ab.json >/dev/null || fail "$holds does not hold"
    done
fi

# An arm's run is the run that `dyno replay` would have made, and the database has it.
works replay --trace "$traces/chat-prefix.jsonl" --requests 1200 --workers 4 --router kv \
    --no-belady --db one.db
if has_sqlite; then
    same="SELECT id, worker, admitted_ns, first_token_ns, last_token_ns FROM request"
    [[ $(sqlite3 ab.db "$same WHERE run = 2" | md5sum) == $(sqlite3 one.db "$same" | md5sum) ]]
    [[ $(sqlite3 ab.db "SELECT count(*) FROM sample WHERE run = 2") == \
        $(sqlite3 one.db "SELECT count(*) FROM sample") ]]
    [[ $(sqlite3 ab.db "SELECT group_concat(status) FROM run") == finished,finished ]]
    command=$(sqlite3 ab.db 'SELECT command FROM run WHERE id = 2')
    [[ $command == "dyno replay "*" --set router.policy=kv --seed 1" ]] || fail "$command"
fi

# A beginning that all have tells nobody apart: then it goes by the three that come behind it.
works ab --arrival poisson:10 --requests 300 --workers 2 --a router=random --b router=kv --db none \
    --set generate.prefix_groups=1 --set generate.prefix_depth=1 --set generate.prefix_branches=3
read -ra most <<<"$(sed -n 's/^prefix  the most shared//p' out)"
read -ra others <<<"$(sed -n 's/^ *the next 4 //p' out)"
[[ ${most[0]} -lt 150 && $((most[0] + others[0])) -eq 300 ]] || fail "$(grep -A3 '^prefix' out)"

# Energy and costs, where they are told.
works "${chat[@]}" --a workers=4 --b workers=8 --db none --json cost.json --set cost.energy=true \
    --set cost.gpu_hour=2.5
grep -Eq '^kWh +0\.[0-9]+ +0\.[0-9]+ +\+0\.[0-9]+ +[-+]?0\.[0-9]+ to \+0\.[0-9]+ ' out
grep -Eq '^cost per M tokens out +[0-9.]+ +[0-9.]+ +\+[0-9.]+ +[-+]?[0-9.]+ to \+[0-9.]+ ' out
if command -v jq >/dev/null; then
    jq -e '.arms[1].metrics | .["cost.total"].value / .["fleet.gpu_hours"].value - 2.5 |
        fabs < 1e-9' cost.json >/dev/null || fail "2.5 a GPU-hour is another cost"
    jq -e '.arms[0].metrics | has("cost.total") | not' ab.json >/dev/null
fi
# Nothing is for free where nobody gave a price.
works "${chat[@]}" --a workers=4 --b workers=8 --db none --json cost.json --set cost.energy=true
grep -q '^kWh ' out
[[ $(grep -c '^cost' out) -eq 0 ]] || fail 'costs without a price'
grep -q 'no costs without a price in every arm: --set cost.gpu_hour=2.5' out
if command -v jq >/dev/null; then
    jq -e '.arms[0].metrics, .differences | has("cost.total") | not' cost.json >/dev/null
fi

# The same bytes, however many threads.
works "${chat[@]}" --a router=round_robin --b router=kv --db none --json again.json --windows 2 \
    --jobs 1
cmp out table
sed '/"runs"/,/]/d' ab.json >one.json
sed '/"runs"/,/]/d' again.json >two.json
cmp one.json two.json

# Arms that do the same are not ranked, and neither are arms that do not differ enough.
# shellcheck disable=SC2054 # a law with a comma in it
load=(--arrival poisson:10 --requests 300 --input-tokens uniform:100,2000 --output-tokens 50
      --workers 2 --db none)
works ab "${load[@]}" --a router=kv --b router=kv,router.session.replicas=64
grep -q 'No difference: every request was served the same' out
works ab "${load[@]}" --a timing.host_us=20 --b timing.host_us=20.2 --c router=random --seeds 2 \
    --goal ttft_ms.p50
grep -q 'cannot be ranked by ttft_ms.p50: ' out
grep -q ' more seeds* would show\|No number of seeds' out

# With five seeds of a generator intervals are over seeds; objectives make goodput the goal.
works ab "${load[@]}" --a fleet.workers=2 --b workers=1 --seeds 5 --slo ttft=60ms --json -
grep -q '"intervals": "seeds"' out
grep -q '"goal": "goodput.fraction"' out
grep -q '"best": "a"' out

# What is ten times as much or more is said so, and not in thousands of per cent.
works ab "${load[@]}" --a batch.seqs_max=64 --b batch.seqs_max=1
grep -Eq '^phases_ms.queue.mean .* × [0-9.]+( \*)?$' out || fail "$(cat out)"
! grep -Eq '[+][0-9]{4,}[.][0-9] %' out || fail "$(cat out)"

# A closed loop is compared at equal concurrency, and that is said.
works ab --arrival concurrency:8 --requests 200 --output-tokens uniform:20,200 --workers 2 \
    --db none --a router=random --b router=least_loaded
grep -q 'closed loop: arms are compared at equal concurrency' out

# What says nothing of the fleet is INVALID.
status=0
"$dyno" ab "${load[@]}" --device null --a router=random --b router=kv >out 2>err || status=$?
[[ $status -eq 4 ]] || fail "ended with $status"
grep -q 'INVALID: arm a ran on the null device' out
status=0
"$dyno" ab "${load[@]}" --a router=random --b router=kv --from 1h >out 2>err || status=$?
[[ $status -eq 4 ]] || fail "ended with $status"
grep -q 'INVALID: no request arrived between --from and --until' out

few="ab compares two arms or more, such as --a router=round_robin --b router=kv"
refuses 2 "$few; one is given" ab "${load[@]}" --a router=kv
refuses 2 "--a and --b are the same arm: router=kv" ab "${load[@]}" --a router=kv --b router=kv
refuses 2 "--b: unknown option 'rooter'; did you mean 'router'?" \
    ab "${load[@]}" --a router=kv --b rooter=kv
refuses 2 "--b: 'kv' is not NAME=VALUE, such as router=kv" ab "${load[@]}" --a router=kv --b kv
refuses 2 "--b: trace.requests changes what is asked; arms are compared on the same requests" \
    ab "${load[@]}" --a router=kv --b trace.requests=7
refuses 2 "--a: slo.ttft is what all arms are judged by; give it once, as --slo" \
    ab "${load[@]}" --a slo.ttft=1s --b router=kv
refuses 2 "--goal: goodput.fraction needs objectives: --slo ttft=2s,tpot=50ms" \
    ab "${load[@]}" --a router=kv --b router=random --goal goodput.fraction
refuses 2 "--goal: 'e2e_ms.men' is no metric of ab; did you mean 'e2e_ms.mean'?" \
    ab "${load[@]}" --a router=kv --b router=random --goal e2e_ms.men
refuses 2 "--seeds: '0' is not a whole number from 1 to 1000" \
    ab "${load[@]}" --a router=kv --b router=random --seeds 0
refuses 2 "every arm reads the trace: standard input will not do, name a file" \
    ab --trace - --a router=kv --b router=random
