#!/usr/bin/env bash
# What goes wrong in a fleet, and what becomes of it: the scenario ends as docs/faults.md says, and
# faults that make no sense are refused by name.
#
# usage: tests/cli/faults.sh DYNO
set -euo pipefail

root=$PWD
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"
ln -s "$root/sim" sim # scenarios name files from the root of the tree

node=sim/scenarios/dead-node.yaml
load=(replay --arrival poisson:1 --requests 1 --model llama-3.1-8b --gpu h100 --workers 4)

# is NUMBER NAME: so much is in the last JSON.
is() {
    [[ $(number "$json" "$2") == "$1" ]] || fail "$json: $2 is $(number "$json" "$2"), not $1"
}

# plays JSON ARGUMENT...
plays() {
    json=$1
    shift
    works replay "$node" --json "$json" --intervals none "$@"
}

# ---- a node dies -----------------------------------------------------------------------------

plays dead.json
is 24420 requests.completed
is 0 requests.failed
is 4 faults.deaths
is 4 faults.restarts
is 83 faults.requests_migrated
is 83 faults.migrations
is 120402 faults.tokens_recomputed
is 0 faults.requests_lost

# The database has the faults, and who went on elsewhere; those who had waited unnoticed among them.
if has_sqlite; then
    plays stored.json --set generate.duration=250s --db dead.db
    sqlite3 dead.db "SELECT at_ns, until_ns, kind, what, target FROM fault" >faults
    printf '200000000000|320000000000|death|worker|%s\n' 4 5 6 7 | cmp - faults ||
        fail "$(cat faults)"
    migrated=$(sqlite3 dead.db "SELECT sum(migrations > 0) FROM request")
    is "$migrated" faults.requests_migrated
    held=$(sqlite3 dead.db "SELECT sum(requests) FROM fault")
    [[ $held -gt 0 && $held -lt $migrated ]] || fail "$held requests were with them of $migrated"
fi

# So have the runs of a comparison.
if has_sqlite; then
    works ab "$node" --set generate.duration=210s --a router=kv --b router=random --db ab.db
    sqlite3 ab.db "SELECT run, kind, target FROM fault" >faults
    printf '%s\n' '1|death|'{4..7} '2|death|'{4..7} | cmp - faults || fail "$(cat faults)"
fi

# Where nobody goes on elsewhere, the same requests are lost, and the others none the worse.
plays lost.json --set faults.migration_limit=0
is 24337 requests.completed
is 83 requests.failed
is 83 faults.requests_lost
is 0 faults.tokens_recomputed

# Without faults the file is a scenario like any other, and leaping is stepping with them.
plays well.json --set faults.list=none
! grep -q '"faults"' well.json || fail "a run without faults tells of some"
plays steps.json --set batch.steps_max=1 --set generate.duration=250s
plays leaps.json --set generate.duration=250s
cmp steps.json leaps.json || fail "leaping and stepping differ"

# ---- an uplink that is down ------------------------------------------------------------------

# For twenty seconds nothing passes: without a deadline all that is to be decoded waits for it.
node=sim/scenarios/lost-link.yaml
plays link.json
is 1 faults.link_outages
is 183 transfers.given_up
is 1.0 goodput.fraction
is 1000 requests.completed
plays patient.json --set disagg.move_deadline=none
is 0 transfers.given_up
is 0.551 goodput.fraction
plays steps.json --set batch.steps_max=1
cmp steps.json link.json || fail "leaping and stepping differ"

# Blocks that wait at a link arrive when it is mended, whoever else uses links, or could: with the
# link down until 1 ms, 14,680,064 bytes at 450 a ns are there at 1,032,623 ns; the first token was
# there at 10,000.
echo '{"timestamp": 0, "input_length": 100, "output_length": 11, "hash_ids": [1]}' >one.jsonl
for beside in '' '--tier g2=64GiB' '--peers'; do
    read -ra words <<<"$beside"
    works replay --trace one.jsonl --device null --num-gpu-blocks-override 8000 --db none \
        --progress=false --disagg always "${words[@]}" --fault peer:1@0s..1ms=down --json one.json
    grep -A 2 '"transfer": {' one.json | grep -q '"mean": 1.022623,' ||
        fail "$beside: $(cat one.json)"
done

# ---- what is refused -------------------------------------------------------------------------

refuses 2 "faults.list: 'worker:1' does not begin with worker:N@ or worker:N-M@, or with \
peer:, nic:, host:, disk: or store:N@ or switch:NAME@, as in worker:2@120s=dead" \
    "${load[@]}" --fault worker:1
refuses 2 "faults.list: 'worker:1@5=dead' does not say when, as FROM=, FROM..TO= with a later TO \
or FROM..never=, as in worker:2@120s..3min=dead" "${load[@]}" --fault worker:1@5=dead
refuses 2 "faults.list: 'worker:1@5s=ill' does not end with =dead, =frozen or =slow:N, N times \
slower, from 2 to 1000" "${load[@]}" --fault worker:1@5s=ill
refuses 2 "faults.list: 'worker:1@5s=frozen' has no end, and what a worker that stalls has in hand \
would wait for ever: give FROM..TO" "${load[@]}" --fault worker:1@5s=frozen
refuses 2 "faults.list: there is no worker 4: the fleet has 4, and the first is worker 0" \
    "${load[@]}" --fault worker:2-4@5s=dead
refuses 2 "faults.list: two stalls of worker 1 overlap, at 7.000 s; let one end where the other \
begins" "${load[@]}" --fault worker:1@5s..8s=frozen --fault worker:1@7s..9s=slow:2
refuses 2 "faults.notice has no meaning where nothing goes wrong: give --fault, \
faults.death_every, faults.stall_every or faults.link_every" "${load[@]}" --set faults.notice=1s
refuses 2 "faults.list: 'nic:1@5s..6s=down' is of a link, and nothing moves over links without \
--disagg, --tier or --peers" "${load[@]}" --fault nic:1@5s..6s=down
refuses 2 "faults.link_every has no meaning without --disagg, --tier or --peers: nothing moves over\
 links" \
    "${load[@]}" --set faults.link_every=1h
halves=(replay --arrival poisson:1 --requests 1 --model llama-3.1-8b --gpu h100 --disagg always)
refuses 1 "faults.list: the topology has no switch 'left' below another one" \
    "${halves[@]}" --fault switch:left@5s..6s=down
refuses 1 "faults.list: the topology has no link nic:99" "${halves[@]}" --fault nic:99@5s..6s=down
refuses 2 "output.journal and faults of simulated workers cannot be together: a journal has no \
place for their weather" "${load[@]}" --fault worker:1@5s=dead --journal j
