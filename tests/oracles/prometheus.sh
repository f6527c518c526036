#!/usr/bin/env bash
# Has Prometheus' own promtool read what /metrics answers, with and without vLLM's names: of traffic
# made up, and of servers of scenarios that have planners, halves, tiers and several models.
#
# usage: tests/oracles/prometheus.sh FOLDER_OF_PROGRAMS
#
# DYNO_PROMTOOL names a promtool that is not on the path.  Ends with 77, "skipped", where there is
# none.  Debian's package prometheus has it; installed, that package also keeps a server running on
# port 9090.  Without one: apt-get download prometheus && dpkg -x prometheus_*.deb FOLDER, and
# DYNO_PROMTOOL=FOLDER/usr/bin/promtool.  One complaint is let pass: that vLLM's names have a colon.
set -euo pipefail

programs=$(readlink -f "$1")
promtool=${DYNO_PROMTOOL:-promtool}
scenarios=$PWD/sim/scenarios

if ! command -v "$promtool" >/dev/null || ! command -v curl >/dev/null; then
    echo "skipped: promtool or curl is not installed"
    exit 77
fi
promtool=$(readlink -f "$(command -v "$promtool")")
set -- "$programs/../dyno"
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"

# check NAME: promtool has no complaint about what is in the file page.
check() {
    local advice

    grep -q '^dyno_requests_received_total' page || fail "$1: there are no metrics"
    advice=$({ "$promtool" check metrics <page 2>&1 || true; } |
        { grep -v "^vllm:.* metric names should not contain ':'\$" || true; })
    [[ -z $advice ]] || fail "$1: $advice"
}

for names in metrics vllm; do
    "$programs/oracle_door" "$names" >page
    check "$names"
done
ln -s "$(dirname "$scenarios")" sim # scenarios name files from the root of the tree
for scenario in everything churn two-models; do
    start_server "sim/scenarios/$scenario.yaml" --vllm-metrics
    curl -sS -o answer "$url/v1/completions" -d '{"model": "nobody", "prompt": "a"}'
    curl -sS "$url/metrics" >page
    check "$scenario"
    stop_server
done
echo "promtool has no complaint."
