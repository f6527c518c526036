#!/usr/bin/env bash
# The scenarios that come with the tree end as docs say.
#
# usage: tests/cli/scenarios.sh DYNO
set -euo pipefail

root=$PWD
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"
ln -s "$root/sim" sim # scenarios name files from the root of the tree

# e2e NAME ARGUMENT...: how long a request takes in the mean, in whole ms.
e2e() {
    local json=$1.json

    shift
    works replay "$@" --db :memory: --json "$json"
    printf '%.0f' "$(number "$json" e2e_ms.mean)"
}

# Taken for free, links make four prefill workers for four others the better deployment of eight
# GPUs; shared, they make it the worse one.
contention=sim/scenarios/contention.yaml
shared=$(e2e shared $contention)
alone=$(e2e alone $contention --set links.sharing=alone)
whole=$(e2e whole $contention --disagg none --prefill 1 --decode 1 --topology none --workers 8)
[[ $alone -lt $whole && $whole -lt $shared ]] || fail "alone $alone, whole $whole, shared $shared"
[[ $alone == 2150 && $whole == 2486 && $shared == 3018 ]] || fail "docs say otherwise"
[[ $(number shared.json links.fullest.use) == 0.913* ]] || fail "docs say otherwise"

# A tenant that asks for more than there is delays the others first come first served, and not where
# tenants share: whole ms from arrival to first token, in the mean, of those who are not it.
if has_sqlite; then
    others() {
        works replay sim/scenarios/noisy-tenant.yaml --db "$1.db" --set queue.policy="$1"
        sqlite3 "$1.db" 'SELECT round(avg(ttft_ns) / 1e6) FROM request WHERE tenant > 1'
    }
    fcfs=$(others fcfs)
    fair=$(others fair)
    [[ $fcfs == 21179.0 && $fair == 191.0 ]] || fail "docs say otherwise: fcfs $fcfs, fair $fair"
fi

# Eight routers that hear of each other a second late run as a herd, unless they choose between two.
herd() {
    works replay sim/scenarios/herd.yaml --json herd.json "$@"
    printf '%.0f' "$(number herd.json ttft_ms.mean)"
}
late=$(herd)
two=$(herd --router power_of_two)
one=$(herd --set router.replicas=1)
[[ $late == 2139 && $two == 355 && $one == 139 ]] || fail "docs say otherwise: $late, $two, $one"
refuses 2 "--set router.spread has no meaning where there is one router: give router.replicas" \
    replay --arrival poisson:1 --requests 1 --set router.spread=session

# A burst waits before the fleet, not in the queue of the one worker that was there.
works replay sim/scenarios/burst.yaml --set queue.busy_inflight=128 --json burst.json
[[ $(printf '%.0f' "$(number burst.json ttft_ms.p99)") == 22884 ]] || fail "docs say otherwise"

# What one worker's GPU lacks comes from another one's; over slow links nobody is asked, and nothing
# changes at all.
peers=sim/scenarios/peers.yaml
with=$(e2e with $peers) without=$(e2e without $peers --peers=false)
slow=$(e2e slow $peers --topology sim/scenarios/slow-peers.yaml)
[[ $with == 868 && $without == 971 && $slow == 971 ]] || fail "docs say: not $with, $without"
for json in with:50.3 without:86.4 slow:86.4; do
    ttft=$(number "${json%:*}.json" ttft_ms.mean)
    [[ $(printf '%.1f' "$ttft") == "${json#*:}" ]] || fail "$json: $ttft"
done

# A tier halves what conversations wait for their first token; one behind a slow link changes
# nothing at all.
tiers=sim/scenarios/tiers.yaml
with=$(e2e with $tiers) without=$(e2e without $tiers --tier none)
slow=$(e2e slow $tiers --topology sim/scenarios/slow-host.yaml)
[[ $with == 1233 && $without == 1390 && $slow == 1390 ]] || fail "docs say: not $with, $without"
for json in with:50.7 without:101.2 slow:101.2; do
    ttft=$(number "${json%:*}.json" ttft_ms.mean)
    [[ $(printf '%.1f' "$ttft") == "${json#*:}" ]] || fail "$json: $ttft"
done
