#!/usr/bin/env bash
# `dyno tune`: what it finds, finds again, refuses, and leaves behind.
#
# usage: tests/cli/tune.sh DYNO
set -euo pipefail
traces=$PWD/traces/samples
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"

# A router that knows caches is the best of four for a chat trace; the next time nothing is run.
chat=(tune --trace "$traces/chat-prefix.jsonl" --requests 600 --workers 4)
works "${chat[@]}" --vary router=random,round_robin,kv --vary router.kv.overlap_credit=0.5..1/2 \
    --goal ttft_p95 --db tune.db
cp out table
grep -q '^6 points (grid), tuned on 450 requests; 7 runs, 0 of them found$' table
grep -Eq '^ +5 +[0-9.]+ ms  router.policy=kv router.kv.overlap_credit=0.5$' table
[[ $(sed -n '/point  /{n;p}' table) == *router.policy=kv* ]] || fail "the best is another"
[[ $(awk 'length > 100' table | wc -l) -eq 0 ]] || fail "a line of the table is too long"
[[ $(grep -c ' $' table) -eq 0 ]] || fail "a line of the table ends with a blank"
works "${chat[@]}" --vary router=random,round_robin,kv --vary router.kv.overlap_credit=0.5..1/2 \
    --goal ttft_p95 --db tune.db
cmp out <(sed 's/; 7 runs, 0 of/; 7 runs, 7 of/' table) || fail "not the same the second time"

# However many threads, the same; without a database too.
for jobs in 1 3; do
    works "${chat[@]}" --vary router=random,round_robin,kv --goal ttft_p95 --db none \
        --vary router.kv.overlap_credit=0.5..1/2 --jobs "$jobs"
    cmp out table
done

# Other values, goals and limits take what is there and run what is not.
works "${chat[@]}" --vary router=random,round_robin,kv,session --goal min:e2e_ms.mean \
    --vary router.kv.overlap_credit=0.5 --subject 'kv.token_hit_rate >= 20%' --db tune.db
grep -q '^4 points (grid), tuned on 450 requests; 5 runs, 4 of them found$' out
grep -q '^subject to  kv.token_hit_rate>=20%$' out

# A trial is the run that its command repeats; the database says which is which.
if has_sqlite; then
    [[ $(sqlite3 tune.db "SELECT count(*), count(point) FROM trial JOIN run ON id = run
        WHERE part = 'tuned' AND status = 'finished'") == '8|5' ]]
    [[ $(sqlite3 tune.db "SELECT metric, sign, bound FROM tuning_aim ORDER BY place") == \
        $'e2e_ms.mean|-1|\nkv.token_hit_rate|1|0.2' ]]
    command=$(sqlite3 tune.db "SELECT command FROM run JOIN trial ON run = id
        WHERE point = 3 AND part = 'tuned'")
    [[ $command == *"--set router.policy=kv"*"--set trace.requests=450"* ]] || fail "$command"
    eval "works ${command#dyno } --db one.db"
    [[ $(sqlite3 one.db "SELECT value FROM run_metric WHERE metric = 'e2e_ms.mean'") == \
        $(sqlite3 tune.db "SELECT value FROM trial_goal
            WHERE point = 3 AND part = 'tuned'") ]] ||
        fail "the command gives another figure"

    # A run that was killed is not taken for one that ended.
    sqlite3 tune.db "UPDATE run SET status = 'running' WHERE id = 2"
    works "${chat[@]}" --vary router=random,round_robin,kv --goal ttft_p95 --db tune.db \
        --vary router.kv.overlap_credit=0.5..1/2
    grep -q '; 7 runs, 6 of them found$' out
fi

# Objectives: those of the limits, if goodput is wanted and nobody gave any.
works "${chat[@]}" --vary router=random,kv --goal goodput_per_gpu --db none \
    --subject 'ttft_p95<2s, tpot_p95<50ms'
grep -q 'goodput.per_gpu' out
refuses 2 "goodput needs objectives: --slo ttft=2s,tpot=50ms, or limits on latencies: --subject \
'ttft_p95<2s'" "${chat[@]}" --vary router=random,kv --goal goodput_per_gpu --db none

# Costs: told where they are asked for, and for nothing where nothing has a price.
works "${chat[@]}" --vary workers=2,6 --goal cost.total --subject 'ttft_p95<9s, energy_kwh<50Wh' \
    --set cost.gpu_hour=2.5 --db cost.db -o cost.yaml --json cost.json
grep -q '^Best: point 1, fleet.workers=2$' out
grep -q '^  energy: true ' cost.yaml
if command -v jq >/dev/null && has_sqlite; then
    hours=$(sqlite3 cost.db "SELECT value FROM run_metric JOIN trial USING (run)
        WHERE metric = 'fleet.gpu_hours' AND point = 1 AND part = 'tuned'")
    jq -e --argjson hours "$hours" \
        '.trials[] | select(.point == 1) | .metrics["cost.total"] / (2.5 * $hours) - 1 |
        fabs < 1e-9' cost.json >/dev/null || fail "2.5 a GPU-hour is another cost"
fi
refuses 2 "costs need a price: --set cost.gpu_hour=2.5, --set cost.kwh=0.2, or both" \
    "${chat[@]}" --vary workers=2,4 --goal cost.total --db none

# Without a point that keeps to the limits it says so, and so does the exit status.
status=0
"$dyno" "${chat[@]}" --vary router=random,kv --goal ttft_p95 --subject 'e2e_p50<1ms' --db none \
    >out 2>err || status=$?
[[ $status -eq 4 ]] || fail "ended with $status"

# Points that contradict themselves are left out and named.
works "${chat[@]}" --vary fleet.workers=2,4 --vary planner.min=1,3 --planner load --goal gpu_hours \
    --db none
grep -q '^1 point was refused; the first: planner.max and fleet.workers allow 2 workers' out
[[ $(grep -c ' h  fleet.workers=2 planner.min=3$' out) -eq 0 ]] || fail "$(cat out)"

# Wrong use.
refuses 2 "tune needs something to vary, such as --vary planner.every=1s..300s" "${chat[@]}" \
    --goal ttft_p95
refuses 2 "tune needs a goal, such as --goal goodput_per_gpu or --goal ttft_p95" "${chat[@]}" \
    --vary router=kv
refuses 2 "--vary: unknown option 'planner.evry'; did you mean 'planner.every'?" \
    "${chat[@]}" --vary planner.evry=1s..300s --goal ttft_p95
refuses 2 "--vary: trace.speedup changes what is asked; arms are compared on the same requests" \
    "${chat[@]}" --vary trace.speedup=1..2 --goal ttft_p95
refuses 2 "--vary planner.every: '1' has no unit: give a duration from 1ms to 24h (units: ns, us, \
ms, s, min, h)" "${chat[@]}" --vary planner.every=1..300 --goal ttft_p95
refuses 2 "--vary planner.every: the range 300s..1s is empty; the lower end comes first, and is \
below the upper" "${chat[@]}" --vary planner.every=300s..1s --goal ttft_p95
refuses 2 "--vary router.policy: a range is of numbers; list values, with commas between them" \
    "${chat[@]}" --vary router=kv..session --goal ttft_p95
refuses 2 "--vary router.policy: it is varied already" "${chat[@]}" --vary router=kv \
    --vary router.policy=session --goal ttft_p95
refuses 2 "--goal: 'ttft_p96' is no metric; did you mean 'ttft_p90'?" "${chat[@]}" \
    --vary router=kv --goal ttft_p96
refuses 2 "--goal: neither side of fleet.busy_fraction is better; say max:busy_fraction or \
min:busy_fraction" "${chat[@]}" --vary router=kv --goal busy_fraction
refuses 2 "--subject: '500' is no bound on ttft_ms.p95; expected one such as 2ms" "${chat[@]}" \
    --vary router=kv --goal ttft_p95 --subject 'ttft_p95<500'
refuses 2 "--subject: 'tft_p95' is no metric; did you mean 'ttft_p95'?" "${chat[@]}" \
    --vary router=kv --goal ttft_p95 --subject 'tft_p95<500ms'
refuses 2 "the grid has 25 points, and 10 may be tried (--trials); take fewer values, or --search \
random" "${chat[@]}" --vary router.temperature=0..1 --vary router.kv.overlap_credit=0..1 \
    --goal ttft_p95 --trials 10 --db none
refuses 2 "--hold-out 4 leaves nothing to tune on: there are 4 windows" "${chat[@]}" \
    --vary router=kv --goal ttft_p95 --hold-out 4

# A database that holds another tuning.
refuses 2 "'tune.db' holds another tuning: its fleet.workers is 4, not 5; name another --db" \
    "${chat[@]}" --vary router=random,kv --vary router.kv.overlap_credit=0.5 --goal ttft_p95 \
    --db tune.db --workers 5
refuses 2 "'tune.db' holds another tuning: its list of what is varied is router.policy \
router.kv.overlap_credit, not router.policy; name another --db" \
    "${chat[@]}" --vary router=random,kv --goal ttft_p95 --db tune.db

# Over seeds costs have intervals.
works tune --arrival poisson:20 --requests 100 --seeds 5 --vary workers=1,2 --db none --set \
    cost.gpu_hour=2.5 --goal ttft_p95 --subject 'cost.per_million_output_tokens<1'
grep -q '^cost.per_million_output_tokens$' out
grep -Eq '^ +best +[0-9.]+ +[0-9.]+ to [0-9.]+$' out

# Energy has some over blocks of time, where somebody looked at the workers.
works "${chat[@]}" --vary workers=8 --set cost.kwh=0.2 --goal energy_kwh --subject \
    'ttft_p95<1s,cost.total<9' --db none
sed -n '/^cost.energy_kwh /,/^ttft/p' out >energy
grep -Eq '^ +best +0.0[0-9]+ kWh +0.0[0-9]+ to 0.[0-9]+$' energy || fail "$(cat out)"
sed -n '/^cost.total /,$p' out | grep -Eq '^ +best +0.0[0-9]+ +0.0[0-9]+ to 0.[0-9]+$' ||
    fail "$(cat out)"
works "${chat[@]}" --vary workers=8 --goal energy_kwh --subject 'ttft_p95<1s' --sample-every never \
    --db none
sed -n '/^cost.energy_kwh /,$p' out | grep -Eq '^ +best +0.0[0-9]+ kWh +n/a$' || fail "$(cat out)"

# A limit that only what was found keeps to is what the verdict is about.
works "${chat[@]}" --vary workers=8 --goal energy_kwh --subject 'ttft_p95<1s' --db none
grep -q '^HOLDS: it keeps to the limits here too, and the scenario as given does not$' out

# What was found is checked on requests that it was not tuned on, and is a scenario to go on with.
works "${chat[@]}" --vary router=random,kv --goal ttft_p95 --db check.db -o best.yaml \
    --json tune.json
cp out table
grep -q '^Best: point 2, router.policy=kv$' table
grep -q '^Checked on 150 requests that it was not tuned on, 95 % intervals by ' table
grep -Eq '^ +best - as given +-[0-9.]+ ms' table
grep -Eq '^(HOLDS|UNSURE): ' table
grep -q '^The scenario is in best.yaml.$' table
says best.yaml '# Found by dyno tune: router.policy=kv'
works replay best.yaml --no-belady --db best.db --json best.json
works replay --trace "$traces/chat-prefix.jsonl" --requests 600 --workers 4 --router kv --db none \
    --no-belady --json one.json
cmp one.json best.json || fail "the scenario is another"
start_server best.yaml --db none
grep -q '^llama-3.1-8b on 4 x h100, vllm, kv$' serve.out ||
    fail "another fleet is served: $(cat serve.out)"
stop_server
if command -v jq >/dev/null; then
    for holds in '.trials | length == 3 and .[0].point == 0' \
        '.trials[2].settings["router.policy"] == "kv"' \
        '.best.point == 2 and .best.within_limits' \
        '.check.held_out and .check.requests == 150 and .check.intervals == "blocks"' \
        '.check.best.metrics["ttft_ms.p95"].value < .check.as_given.metrics["ttft_ms.p95"].value' \
        '.check.as_given.difference["ttft_ms.p95"].mean < 0'; do
        jq -e "$holds" tune.json >/dev/null || fail "$holds does not hold"
    done
fi
if has_sqlite; then
    [[ $(sqlite3 check.db "SELECT count(*) FROM trial WHERE part = 'held out'") -eq 3 ]]
    [[ $(sqlite3 check.db "SELECT count(*) FROM request GROUP BY run LIMIT 1") -eq 150 ]]
fi
works "${chat[@]}" --vary router=random,kv --goal ttft_p95 --db check.db --json again.json
if has_sqlite; then
    [[ $(sqlite3 check.db "SELECT count(*) FROM run") -eq 6 ]] || fail "recorded again"
fi
cmp tune.json again.json || fail "not the same check the second time"

# With a generator other seeds are held out, and with five of them intervals are over seeds.
works tune --arrival poisson:20 --requests 200 --input-tokens uniform:500,4000 --workers 2 \
    --router random --vary router=round_robin,least_loaded --goal ttft_ms.mean --seeds 5 --db none
grep -q '^2 points (grid), tuned on 200 requests; 15 runs, 0 of them found$' out
grep -q '^Checked on 1000 requests that it was not tuned on, 95 % intervals over 5 seeds$' out

# Nothing held out, and it says so; nothing better, and it says so.
works "${chat[@]}" --vary router=random,kv --goal ttft_p95 --db none --hold-out 0
grep -q '^(on the very requests that it was chosen by' out
works "${chat[@]}" --router kv --vary router=random,round_robin --goal ttft_p95 --db none
grep -q "^UNCHECKED: by ttft_ms.p95 no point is better than the scenario as given\$" out

# Every search gives the same, however many threads; the better quarter of what the model tries is
# better than that of chance.  (By how much depends on when a worker is full: it has 256 sequences
# and 27,891 blocks.)
# shellcheck disable=SC2054 # laws with commas in them
planner=(tune --arrival 'rates:2@0s,40@60s,2@180s' --duration 300s --input-tokens lognormal:1500,0.5
    --output-tokens 100 --workers 4 --planner throughput --set planner.start=1
    --set planner.startup=10 --slo ttft=2s --db none --max-num-seqs 256
    --num-gpu-blocks-override 27891 --vary planner.every=1s..60s --vary planner.headroom=0.4..1
    --vary planner.predictor=constant,arima,kalman
    --goal goodput_per_gpu --trials 20)
for search in random halving model; do
    works "${planner[@]}" --search "$search" --jobs 1 --json "$search.json"
    cp out "$search"
    works "${planner[@]}" --search "$search" --jobs 3
    cmp out "$search" || fail "$search depends on the number of threads"
    grep -q "^20 points ($search), tuned on 300 s of requests" out
done
grep -q '; 31 runs, 0 of them found$' halving # all, 20 on a ninth, 7 on a third, 3 on all
if command -v jq >/dev/null; then
    [[ $(jq '[.trials[] | .share] | sort | [.[0], .[20], .[27], length]' halving.json -c) == \
        "[0.111111111111,0.333333333333,1,31]" ]] || fail "the shares of halving are others"
    jq -es '[.[] | [.trials[].metrics["goodput.per_gpu"]] | sort | .[15]] | .[0] > 1.1 * .[1]' \
        model.json random.json >/dev/null || fail "what the model tries is no better"
fi
refuses 2 "--search model tries 500 points at most; --search random goes on" "${planner[@]}" \
    --search model --trials 501

# Several goals give a front; of that a point can be picked.  Figures show both.
works "${chat[@]}" --vary router=random,round_robin,kv --vary batch.seqs_max=8,64 \
    --goal ttft_p95,output_tokens_per_s --db front.db --json front.json
cp out table
grep -q '^shown        the Pareto front' table
if command -v jq >/dev/null; then
    jq -e '(.front | length >= 1) and (.front - [.trials[].point] == [])' front.json >/dev/null ||
        fail "the front is none"
    front=$(jq '.front[-1]' front.json)
    works "${chat[@]}" --vary router=random,round_robin,kv --vary batch.seqs_max=8,64 \
        --goal ttft_p95,output_tokens_per_s --db front.db --pick "$front"
    grep -q "^Picked: point $front, " out
fi
refuses 2 "--pick 99: no such point was tried on all requests; there are 6 points" "${chat[@]}" \
    --vary router=random,round_robin,kv --vary batch.seqs_max=8,64 \
    --goal ttft_p95,output_tokens_per_s --db front.db --pick 99
works sql front.db --csv :trials_front
grep -q 'best for what they give up,' out
works sql front.db --csv :trials
[[ $(grep -c '^best so far,' out) -eq 7 ]] || fail "the figure of the trials has other points"

# A point keeps to the limits by the mean over its seeds, in the figure as in the table.
if has_sqlite; then
    works tune --arrival poisson:5 --requests 60 --vary router=random,round_robin --goal ttft_p95 \
        --subject 'goodput_fraction>=80%' --slo ttft=1s --seeds 2 --db seeds.db
    sqlite3 seeds.db "UPDATE run_metric SET value = 0.75 + 0.2 * (run % 2)
        WHERE metric = 'goodput.fraction'"
    works sql seeds.db --csv :trials
    [[ $(grep -c '^within the limits,' out) -eq 3 ]] || fail "a seed is taken for all: $(cat out)"
fi
