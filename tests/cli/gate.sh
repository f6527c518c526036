#!/usr/bin/env bash
# `dyno gate`: what passes, what does not, and what it says of it.  This build is held against
# itself, which must pass, and against what a regression would look like, which must not.
#
# usage: tests/cli/gate.sh DYNO
set -euo pipefail
root=$PWD
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"

# ends STATUS ARGUMENT...: dyno gate ends so; what it said is in out.
ends() {
    local due=$1 status=0

    shift
    "$dyno" gate "$@" >out 2>err </dev/null || status=$?
    [[ $status -eq $due ]] || fail "dyno gate $*: ended with $status, not $due: $(cat out err)"
}

# Scenarios of the suite, made shorter.
mkdir suite
for name in 05-long-prompts 08-sglang 11-planner; do
    sed 's/requests: [0-9]*/requests: 200/; s/duration: 480s/duration: 60s/' \
        "$root/sim/gate/$name.yaml" >suite/$name.yaml
done
cp "$root/sim/gate/budgets.yml" .
gate=(--base "$dyno" --suite suite --budgets budgets.yml)

ends 0 "${gate[@]}" --json same.json --junit same.xml --markdown same.md --save kept.db
grep -Eq '^PASS +05-long-prompts.yaml  [0-9]+ metrics and 200 requests the same$' out
[[ $(tail -1 out) == PASS ]]
grep -q 'tests="3" failures="0" errors="0" skipped="0" time="[0-9.]*">$' same.xml
[[ $(grep -c '<testcase classname="dyno.gate" name="[^"]*" time="[0-9.]*"/>$' same.xml) -eq 3 ]]
grep -q '^### dyno gate: PASS' same.md

# The same against what was kept; a scenario that was not kept is invalid.
ends 0 --base kept.db --suite suite --budgets budgets.yml
cp suite/08-sglang.yaml suite/99-new.yaml
ends 4 --base kept.db --suite suite --budgets budgets.yml
grep -q '^INVALID  *99-new.yaml  *kept.db holds no finished run of 99-new.yaml$' out
rm suite/99-new.yaml
ends 3 --base kept.db --suite suite --head-set timing.host_us_per_sequence=20

# The same against what was kept of it in a baseline: all numbers, and digests of the requests.
ends 0 "${gate[@]}" --save kept.json
[[ $(wc -c <kept.json) -lt 20000 ]] || fail "a baseline of three scenarios is large"
ends 0 --base kept.json --suite suite --budgets budgets.yml --save again.json
cmp kept.json again.json || fail "the same build makes another baseline"
grep -Eq '^PASS +05-long-prompts.yaml  [0-9]+ metrics and 200 requests the same$' out
ends 3 --base kept.json --suite suite --head-set timing.host_us_per_sequence=20
grep -Eq 'metrics changed, and stamps of requests .a baseline cannot say of which.$' out
ends 1 --base kept.json --suite suite --budgets budgets.yml --head-set timing.ingest_us_per_token=5
ends 4 --base kept.json --suite suite --head-set run.seed=99 --save worse.json
grep -q 'the requests are not those of the baseline, or not as long' out
sed 's/"served": "[0-9a-f]*"/"served": "0000000000000000"/' kept.json >stamps.json
ends 3 --base stamps.json --suite suite
grep -Eq "^BEHAVIOR_CHANGED +08-sglang.yaml +0 of [0-9]+ metrics changed, and stamps" out
sed 's/08-sglang/09-sglang/' kept.json >other.json
ends 4 --base other.json --suite suite
grep -q '^INVALID  *08-sglang.yaml  *other.json holds no run of 08-sglang.yaml$' out
for bad in 's/gate_baseline": 1/gate_baseline": 2/' 's/"asked": "[0-9a-f]/"asked": "x/' \
    's/"requests": 200/"requests": -1/' 's/"e2e_ms.mean": [0-9.]*/"e2e_ms.mean": "many"/' \
    's/^]}//'; do
    sed "$bad" kept.json >bad.json
    ends 4 --base bad.json --suite suite
    grep -q '^INVALID .*bad.json' out || fail "$bad: $(cat out)"
done
ends 4 --base kept.json --suite suite --head-set router.policy=rooter --save kept.json
cmp kept.json again.json || fail "a suite that did not run was kept"

# What is worse past its budget is a regression, what is better an improvement, what only differs a
# change of behaviour; other requests are no comparison at all.
ends 1 "${gate[@]}" --head-set timing.ingest_us_per_token=5 --json worse.json --junit worse.xml \
    --markdown worse.md
grep -q '^REGRESSION  *05-long-prompts.yaml' out
grep -Eq '^ +ttft_ms.p99 .* past 2 % and 1 ms$' out
grep -Eq '^ +prompt 16k and more +[0-9]+ of +[0-9]+ changed, TTFT +\+' out
grep -Eq '<failure type="REGRESSION" message="[0-9]+ of .* changed; [a-z0-9_.]+: [0-9.]+, was' \
    worse.xml || fail "$(grep '<failure' worse.xml)"
# What is past its budget comes first.
sed -n '/<failure/{s/.*">//p;q}' worse.xml | grep -q ': REGRESSION$' || fail "$(head -5 worse.xml)"
grep -Eq '^\| .ttft_ms.p99. \| .* \| 2 % and 1 ms \| REGRESSION \|$' worse.md
if command -v jq >/dev/null; then
    [[ $(jq -r '.verdict + (.scenarios | length | tostring)' worse.json) == REGRESSION3 ]]
    holds='.scenarios[0] | .requests_changed == 200 and (.findings | length > 9)'
    jq -e "$holds" worse.json >/dev/null || fail "$holds does not hold"
fi
printf 'budgets:\n  ttft_ms.mean: {relative: 1%%}\n' >one.yml
ends 0 --base "$dyno" --suite suite --budgets one.yml --head-set timing.ingest_us_per_token=0
[[ $(tail -1 out) == IMPROVEMENT ]] || fail "$(cat out)"
printf 'budgets:\n  ttft_ms.mean: {relative: 1%%, sides: both}\n' >both.yml
ends 1 --base "$dyno" --suite suite --budgets both.yml --head-set timing.ingest_us_per_token=0
printf 'budgets:\n  ttft_ms.mean: {relative: 99%%}\n' >wide.yml
ends 3 --base "$dyno" --suite suite --budgets wide.yml --head-set timing.ingest_us_per_token=0
sed '1i behavior: within_budget' wide.yml >within.yml
ends 0 --base "$dyno" --suite suite --budgets within.yml --head-set timing.ingest_us_per_token=0
[[ $(tail -1 out) == PASS ]] || fail "$(cat out)"
ends 4 "${gate[@]}" --head-set run.seed=99
grep -q 'requests are not on both sides, or not as long: these are not the same requests' out
ends 4 "${gate[@]}" --head-set router.policy=rooter
grep -q 'head ended with status 2: dyno: --set router.policy: ' out

# Names are anybody's: what is a column, a tag or no text elsewhere does not break a file.
mkdir odd
cp suite/08-sglang.yaml $'odd/a|b<i>&\xff.yaml'
ends 4 --base /bin/true --suite odd --junit odd.xml --markdown odd.md --json odd.json
grep -q 'base ended with status 0 and left no run: is it a dyno?$' out || fail "$(cat out)"
grep -q 'name="a|b&lt;i&gt;&amp;?.yaml" ' odd.xml || fail "$(cat odd.xml)"
grep -q '"scenario": "a|b<i>&?.yaml"' odd.json || fail "$(cat odd.json)"
grep -q '^| INVALID | a\\|b&lt;i>&amp;?.yaml | base ended' odd.md || fail "$(cat odd.md)"

# Two scenario files.
sed 's/workers: 4/workers: 5/' suite/05-long-prompts.yaml >more.yaml
ends 3 --base suite/05-long-prompts.yaml --head more.yaml
ends 0 --base suite/05-long-prompts.yaml --head suite/05-long-prompts.yaml

refuses 2 "gate needs --base: a dyno program, a scenario file, a database of runs, or a baseline" \
    gate
refuses 2 "gate needs --suite: a folder of scenarios, or files with commas between them" \
    gate --base "$dyno"
refuses 2 "--base: 'err' is no program, no scenario (.yaml), no database of runs and no baseline \
(.json)" \
    gate --base err --suite suite
refuses 2 "--base is a scenario file and --head is not: a scenario is compared with a scenario" \
    gate --base more.yaml
refuses 2 "unknown option '--budget'; did you mean '--budgets'?" gate --budget budgets.yml
refuses 2 "--host-time: base is a database, and cannot be timed again" \
    gate --base kept.db --suite suite --host-time
refuses 2 "--host-time: base is a baseline, and cannot be timed again" \
    gate --base kept.json --suite suite --host-time
refuses 2 "--head: a baseline is what was; head is a build or a scenario" \
    gate --base "$dyno" --head kept.json --suite suite

# Servers: nobody answers here, and that is no comparison.
printf 'run: {seed: 1}\ngenerate: {arrival: "poisson:50"}\ntrace: {requests: 3}\n' >ask.yaml
nobody=http://127.0.0.1:1
ends 4 --base $nobody --head $nobody --suite ask.yaml --budgets budgets.yml --rounds 2
grep -q '^INVALID  *ask.yaml  ' out
refuses 2 "servers are never the same twice: gate needs --budgets to compare them" \
    gate --base $nobody --head $nobody --suite ask.yaml
refuses 2 "a server is compared with a server: this build is none" \
    gate --base $nobody --suite ask.yaml --budgets budgets.yml

# bad SENTENCE: budgets from standard input are refused in these words.
bad() {
    cat >bad.yml
    refuses 2 "$1" gate --base "$dyno" --suite suite --budgets bad.yml
}
bad "bad.yml:1:11: unknown key 'budgets.ttft_ms.p98'; did you mean 'budgets.ttft_ms.p90'?" \
    <<<'budgets: {ttft_ms.p98: {relative: 1%}}'
p99=budgets.ttft_ms.p99
bad "bad.yml:1:35: $p99.absolute: '2h' is not a difference in its unit, such as 2ms" \
    <<<'budgets: {ttft_ms.p99: {absolute: 2h}}'
bad "bad.yml:1:35: $p99.relative: '2' is not a share of the base's value, such as 5%" \
    <<<'budgets: {ttft_ms.p99: {relative: 2}}'
neither="neither more nor less of it is worse, so a budget needs 'sides: both'"
bad "bad.yml:1:43: budgets.fleet.busy_fraction.relative: $neither" \
    <<<'budgets: {fleet.busy_fraction: {relative: 2%}}'
bad "bad.yml:1:32: $p99.sides: without 'relative' or 'absolute' there is no budget" \
    <<<'budgets: {ttft_ms.p99: {sides: both}}'
bad "bad.yml:1:25: $p99 has no keys: give some, as in '{relative: none}'" \
    <<<'budgets: {ttft_ms.p99: {}}'
bad "bad.yml:1:11: behavior: within_budget needs a budget" <<<'behavior: within_budget'
