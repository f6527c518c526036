#!/usr/bin/env bash
# The scenarios of sim/scenarios that a planner is in: each is a complaint that people had of one,
# and what comes of it here.
#
# usage: tests/cli/planner.sh DYNO
set -euo pipefail
scenarios=$(readlink -f "$(dirname "$0")/../../sim/scenarios")
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"

# plays NAME ARGUMENT...: replay that scenario into a fresh database run.db and run.json.
plays() {
    local name=$1

    shift
    rm -f run.db
    works replay "$scenarios/$name.yaml" --db run.db --json run.json "$@"
}

# holds SQL: it is true of run.db.
holds() {
    [[ $(sqlite3 run.db "SELECT $1") == 1 ]] || fail "not so: $1"
}

# number KEY: of run.json.
number() {
    flat run.json | awk -v key="$1" '$1 == key { print $2; found = 1 } END { exit !found }'
}

# compares EXPRESSION: of numbers, is true.
compares() {
    awk "BEGIN { exit !($1) }" || fail "not so: $1"
}

# steps_as_it_leaps NAME ARGUMENT...: stepping instead of leaping has the history that run.db has.
steps_as_it_leaps() {
    local table

    mv run.db first.db
    plays "$@" --set batch.steps_max=1
    for table in plan request sample; do
        [[ $(sqlite3 first.db "SELECT * FROM $table" | md5sum) == \
           $(sqlite3 run.db "SELECT * FROM $table" | md5sum) ]] || fail "$table differs"
    done
}

# Every request that arrived completed, and none was refused or lost.
all_complete() {
    holds "count(*) > 0 AND min(outcome) = 0 AND max(outcome) = 0 FROM request"
    holds "count(*) = (SELECT value FROM run_metric WHERE metric = 'trace.requests') FROM request"
}

# ---- zero traffic ----------------------------------------------------------------------------

# From 1200 s until requests come again at 1600 s there is the minimum, and later as many as before.
for policy in load sla throughput hybrid; do
    plays zero-traffic --planner "$policy"
    all_complete
    holds "max(desired) = 1 AND max(ready) = 1 FROM plan WHERE at_ns BETWEEN 1200e9 AND 1590e9"
    holds "max(ready) >= 4 FROM plan WHERE at_ns > 1600e9"
    holds "sum(forecast_rate IS NULL OR rate IS NULL) = 0 FROM plan"
done
# With no metrics at all nobody moves: not up, not below what there is.
plays zero-traffic --set planner.metric_loss=1
all_complete
holds "min(desired) = 4 AND max(desired) = 4 AND max(heard) = 0 FROM plan"
# Down to none: the first request after the rest waits for a start, and is served.
plays zero-traffic --planner throughput --set planner.min=0
all_complete
holds "max(ready + starting + draining) = 0 FROM plan WHERE at_ns BETWEEN 1200e9 AND 1590e9"
holds "max(lobby) > 0 FROM plan WHERE at_ns > 1600e9"

# ---- burst -----------------------------------------------------------------------------------

# The fleet is asked for within two looks (10 s), is there a start (at most 50 s) later, and gone
# after the burst.  One worker alone would serve far fewer within the objectives.
plays burst
all_complete
holds "max(desired) >= 6 FROM plan WHERE at_ns BETWEEN 300e9 AND 310e9"
holds "min(ready) >= 6 FROM plan WHERE at_ns BETWEEN 360e9 AND 590e9"
holds "desired <= 2 FROM plan ORDER BY at_ns DESC LIMIT 1"
planned=$(number goodput.fraction)
plays burst --planner static
compares "$(number goodput.fraction) < $planned / 2"

# ---- cold-start samples ----------------------------------------------------------------------

# A worker that has just started computes whole prompts.  That does not make the planner ask for
# more of them: as many are asked for as in the end, and no more on the way.
plays cold-start
all_complete
holds "max(asked) = (SELECT asked FROM plan ORDER BY at_ns DESC LIMIT 1) FROM plan"
holds "max(draining) = 0 FROM plan WHERE at_ns > 300e9"
holds "sum(desired < before) = 0 FROM plan WHERE at_ns > 300e9"
# Nor do first passes that take half a second longer each.
wanted=$(sqlite3 run.db "SELECT max(asked) FROM plan")
plays cold-start --set planner.first_passes=20 --set planner.first_pass_extra=500ms
all_complete
holds "max(asked) <= $wanted FROM plan"

# ---- over budget -----------------------------------------------------------------------------

# Eight GPUs are four workers of two: never more, those who drain among them; and whatever was held
# back comes as soon as they have stopped.
plays over-budget
all_complete
holds "max(ready + starting + draining) = 4 FROM plan"
holds "max(draining) > 0 AND max(desired > ready + starting) FROM plan"
holds "ready = 4 FROM plan WHERE at_ns < 900e9 ORDER BY at_ns DESC LIMIT 1"
compares "$(number planner.workers_max) == 4"

# ---- churn -----------------------------------------------------------------------------------

plays churn
all_complete
compares "$(number planner.drains) > 20 && $(number planner.start_failures) > 5"
holds "max(reason = 'blind') FROM plan"
holds "sum(desired < before AND heard < ready) = 0 FROM plan" # unknown is no reason to go down
steps_as_it_leaps churn

# ---- a mix that shifts -----------------------------------------------------------------------

# Two pools behind one budget: GPUs change their role in time, and every fixed split is worse.
plays mix-shift
all_complete
holds "max(up) = 8 AND max(wanted) = 8 FROM
    (SELECT sum(ready + starting + draining) AS up, sum(desired) AS wanted
     FROM plan GROUP BY at_ns)"
holds "count(DISTINCT role) = 2 AND min(desired) = 1 FROM plan"
holds "max(reason = 'budget') AND max(coming) > 0 FROM plan"
holds "max(desired) >= 6 FROM plan WHERE role = 'prefill' AND at_ns BETWEEN 400e9 AND 2400e9"
holds "min(desired) >= 5 FROM plan WHERE role = 'decode' AND at_ns BETWEEN 2600e9 AND 3900e9"
holds "min(desired) >= 4 FROM plan WHERE role = 'decode' AND at_ns BETWEEN 3900e9 AND 4800e9"
compares "$(number planner.changes) >= 10 && $(number planner.decisions) <= 25"
compares "$(number planner.looks.decode.budget) + $(number planner.looks.prefill.budget) > 0"
planned=$(number goodput.fraction) hours=$(number planner.gpu_hours)
plays mix-shift --planner static --prefill 5 --decode 3 # the best that is fixed
all_complete
compares "$(number planner.changes) == 0 && $planned > $(number goodput.fraction) + 0.2"
compares "$hours < $(number planner.gpu_hours) - 5"
plays mix-shift --duration 50min
compares "$(number planner.changes) > 5"
steps_as_it_leaps mix-shift --duration 50min

# ---- for real --------------------------------------------------------------------------------

# The same core starts and drains workers that compute, and a journal of it makes the same
# decisions.
rm -f run.db
works replay --arrival concurrency:4 --requests 40 --input-tokens 16 --output-tokens 200 \
    --device cpu --workers 3 --threads 1 --planner load --db run.db --journal run.journal \
    --json run.json --set planner.every=50ms --set planner.start=1 \
    --set planner.cooldown=0s --set planner.use_up=0.0001 --set planner.use_down=0.00005
all_complete
compares "$(number planner.starts) > 0"
works rerun run.journal

# ---- regret, and the sum of GPU-hours --------------------------------------------------------

plays burst --regret
grep -q 'against clairvoyant' out || fail 'no regret in the table' "$(cat out)"
regret=$(number planner.regret.gpu_hours)
mine=$(number planner.gpu_hours)
plays burst --planner clairvoyant
compares "$mine - $(number planner.gpu_hours) - $regret < 1e-9"
compares "$regret - $mine + $(number planner.gpu_hours) < 1e-9"
plays burst --planner static --set planner.start=3
compares "$(number planner.gpu_hours) == $(number fleet.gpu_hours)"
[[ $(number planner.decisions) == 0 ]] || fail 'static decided something'

# ---- refusals --------------------------------------------------------------------------------

load=(--arrival poisson:5 --requests 10)
refuses 2 'the planner sla needs an objective: give --slo ttft=TIME, itl=TIME or both' \
    replay "${load[@]}" --planner sla
refuses 2 '--budget has no meaning without a planner: give --planner POLICY' \
    replay "${load[@]}" --budget 4
allow='planner.max and fleet.workers allow 1 workers of 2 GPUs each'
refuses 2 "planner.budget (3 GPUs), $allow, fewer than planner.min (2) and one; raise them" \
    replay "${load[@]}" --planner load --workers 4 --tp 2 --budget 3 --set planner.min=2
allow='planner.max and fleet.workers allow 2 workers of 1 GPUs each'
refuses 2 "$allow, fewer than planner.min (4) and one; raise them" \
    replay "${load[@]}" --planner load --workers 8 --set planner.max=2 --set planner.min=4
refuses 2 'planner.predictor seasonal goes by what was one season before: give planner.season' \
    replay "${load[@]}" --planner throughput --set planner.predictor=seasonal
for season in 1ns 8784h; do
    refuses 2 "planner.season must be from 2 to 65536 times planner.every, as a forecast keeps a\
 value of each look in it" \
        replay "${load[@]}" --planner throughput --set planner.season="$season"
done
places='there are places: fleet.workers is 4; raise the one or lower the other'
refuses 2 "planner.max (9) is more than $places" \
    replay "${load[@]}" --planner load --workers 4 --set planner.max=9
refuses 2 'planner.start (5) must lie within the limits: 1 to 4 workers' \
    replay "${load[@]}" --planner load --workers 4 --set planner.start=5
refuses 2 'planner.use_down must lie below planner.use_up, or a fleet swings' \
    replay "${load[@]}" --planner load --workers 4 --set planner.use_down=0.9
refuses 2 'the planner clairvoyant needs arrivals that are known ahead: a closed loop has none' \
    replay --arrival concurrency:4 --requests 10 --planner clairvoyant
refuses 2 'the planner clairvoyant reads the trace twice: standard input cannot be; name a file' \
    replay --trace - --planner clairvoyant
refuses 2 '--set planner.regret has no meaning without a planner: give --planner POLICY' \
    replay "${load[@]}" --set planner.regret=true
printf 'planner: {regret: true}\n' >regret.yaml
refuses 2 'planner.regret compares a planner: give --planner POLICY' \
    replay regret.yaml "${load[@]}"
law='seconds from 0 to 1e9, uniform:LOW,HIGH, normal:MEAN,DEVIATION, lognormal:MEDIAN,SIGMA,'
refuses 1 "planner.startup is 'soon'; expected $law exponential:MEAN or \
percentiles:P0,P1,P5,P10,P20,...,P90,P95,P99,P100" \
    replay "${load[@]}" --planner load --set planner.startup=soon
refuses 2 'the planner clairvoyant needs to know what will come: it is for simulations only' \
    replay "${load[@]}" --device cpu --planner clairvoyant
refuses 2 'the planner clairvoyant needs to know what will come: it is for simulations only' \
    serve --planner clairvoyant

# ---- late metrics, slow first passes ---------------------------------------------------------

# What is heard at a tick was said two ticks before: nothing is heard at the first two.
rm -f run.db
works replay --arrival poisson:5 --requests 150 --planner load --set planner.every=5s \
    --set planner.metric_delay=9s --db run.db
holds "max(heard) = 0 FROM plan WHERE at_ns <= 10e9"
holds "min(heard) > 0 FROM plan WHERE at_ns > 10e9"
late='planner.metric_delay is more than 100 times planner.every'
refuses 2 "$late; lower the one or raise the other" \
    replay "${load[@]}" --planner load --set planner.every=1s --set planner.metric_delay=101s
first='planner.first_passes is for simulations'
refuses 2 "$first: a device that computes takes as long as it takes" \
    replay "${load[@]}" --planner load --device cpu --set planner.first_passes=3

# ---- cost ------------------------------------------------------------------------------------

refuses 2 '--set cost.kwh has no meaning without cost.energy: true' \
    replay "${load[@]}" --set cost.kwh=0.2
simulated='it needs the device sim, and no --machine'
refuses 2 "cost.energy goes by what simulated GPUs do: $simulated" \
    replay "${load[@]}" --set cost.energy=true --device null
works replay "${load[@]}" --set cost.energy=true --set cost.gpu_hour=2 --set cost.kwh=0.5 \
    --db none --json run.json
compares "$(number cost.energy_kwh) > 0"
sum="2 * $(number fleet.gpu_hours) + 0.5 * $(number cost.energy_kwh) - $(number cost.total)"
compares "$sum < 1e-9 && $sum > -1e-9"
works replay "${load[@]}" --set cost.energy=true --db none --json run.json
grep -q '"total": null' run.json || fail 'a run without a price has a cost'
grep -q '"energy_kwh": 0.0*[1-9]' run.json
