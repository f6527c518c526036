#!/usr/bin/env bash
# Every scenario that comes along is served as it is: each of its models answers, and the server
# ends when it is asked to.
#
# usage: tests/cli/serve_scenarios.sh DYNO
set -euo pipefail

root=$PWD
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"
if ! command -v curl >/dev/null || ! command -v jq >/dev/null; then
    echo "skipped: no curl, or no jq"
    exit 77
fi
ln -s "$root/sim" sim # scenarios name files from the root of the tree

served=0
for scenario in sim/scenarios/*.yaml; do
    grep -qE '^(model|fleet):' "$scenario" || continue # a topology that some of them name
    start_server "$scenario"
    while read -r model; do
        asked="{\"model\":\"$model\",\"prompt\":\"Hello\",\"max_tokens\":2,\"ignore_eos\":true}"
        got=$(curl -sS -o answer -w '%{http_code}' "$url/v1/completions" -d "$asked")
        [[ $got == 200 && $(jq .usage.completion_tokens answer) == 2 ]] ||
            fail "$scenario, $model: $got: $(cat answer)"
    done < <(curl -sS "$url/v1/models" | jq -r '.data[].id')
    stop_server
    served=$((served + 1))
done
((served >= 15)) || fail "only $served scenarios were found"
