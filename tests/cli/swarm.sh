#!/usr/bin/env bash
# `dyno swarm`: random worlds hold every promise; one that breaks one is named by its seed.
#
# usage: tests/cli/swarm.sh DYNO      DYNO_SWARM_SEEDS: how many worlds [1000]
set -euo pipefail
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"

seeds=${DYNO_SWARM_SEEDS:-1000}
"$dyno" swarm --seeds "$seeds" >out || fail "$(cat out)"
grep -q "^$seeds worlds, seeds 1 to $seeds, leapt and stepped: every promise held in " out ||
    fail "$(cat out)"

# The worlds are worth it: of each kind there are some, and few contradict themselves.
reached() {
    local count
    count=$(grep -o "$1 [0-9]*" out | grep -o '[0-9]*$')
    ((count * $2 >= seeds)) || fail "$1: $count of $seeds worlds"
}
reached 'prefix hits' 10
reached 'preemptions' 60
reached 'refusals' 10
reached 'cancellations' 10
reached 'a planner' 10
reached 'halves' 10
reached 'GPUs that change their role' 30
reached 'tiers' 10
reached 'prompts from peers' 40
reached 'at once' 120
reached 'two models' 20
reached '  faults' 10
reached 'went on elsewhere' 20
refused=$(grep -o '[0-9]* worlds contradicted' out | grep -o '^[0-9]*')
((refused * 8 <= seeds)) || fail "$refused of $seeds worlds contradicted themselves"

# What is printed does not depend on how many worlds run at a time.
"$dyno" swarm --seed 7 --seeds 20 --jobs 1 >one
"$dyno" swarm --seed 7 --seeds 20 --jobs 5 | cmp - one

# A world is a run that can be looked at, and what is set holds in all of them.
"$dyno" swarm --seed 3 --seeds 2 --set router.policy=kv --print >worlds
[[ $(wc -l <worlds) == 2 && $(grep -c 'router.policy=kv$' worlds) == 2 ]] || fail "$(cat worlds)"
"$dyno" swarm --seed 3 --seeds 2 --set kv.blocks=50,run.seed=4 --print >worlds2
"$dyno" swarm --seed 3 --seeds 2 --set kv.blocks=50 --set run.seed=4 --print | cmp - worlds2
eval "$(head -n 1 worlds | sed "s|^dyno|'$dyno'|")" >run 2>/dev/null
grep -q '^Requests' run || fail "$(cat run)"

refuses 2 "swarm takes options only, and not 'x'" swarm x
refuses 2 "--seeds: '0' is not a whole number from 1 to 1000000000" swarm --seeds 0
refuses 2 "no world could be run: --set: unknown option 'router.polcy'; did you mean \
'router.policy'?" swarm --seeds 3 --set router.polcy=kv
