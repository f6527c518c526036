#!/usr/bin/env bash
# This build is held against the baseline that lies beside the gate's suite: a change of what is
# simulated shows here, number by number, and is either a mistake or a new baseline.
#
# usage: tests/cli/gate_baseline.sh DYNO
set -euo pipefail
suite=$PWD/sim/gate
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"

status=0
"$dyno" gate --base "$suite/baseline.json" --suite "$suite" --budgets "$suite/budgets.yml" \
    >out 2>err || status=$?
if [[ $status -ne 0 ]]; then
    cat out err
    echo "If that is what was meant, write the baseline anew and say in its commit why it is right:"
    echo "    build/release/dyno gate --base build/release/dyno --suite sim/gate" \
        "--save sim/gate/baseline.json"
    exit 1
fi
[[ $(grep -c '^PASS .* requests the same$' out) -eq $(find "$suite" -name '*.yaml' | wc -l) ]] ||
    fail "not every scenario was compared: $(cat out)"
