#!/usr/bin/env bash
# Has Prometheus' own promtool read what /metrics answers, with and without vLLM's names.
#
# usage: tests/oracles/prometheus.sh FOLDER_OF_PROGRAMS
#
# DYNO_PROMTOOL names a promtool that is not on the path.  Ends with 77, "skipped", where there is
# none (Debian's package prometheus has it).  One complaint is let pass: that vLLM's names have a
# colon.
set -euo pipefail

programs=$1
promtool=${DYNO_PROMTOOL:-promtool}

if ! command -v "$promtool" >/dev/null; then
    echo "skipped: promtool is not installed"
    exit 77
fi
"$programs/oracle_door" metrics | "$promtool" check metrics
advice=$("$programs/oracle_door" vllm | { "$promtool" check metrics 2>&1 || true; } |
    { grep -v "^vllm:.* metric names should not contain ':'\$" || true; })
if [[ -n $advice ]]; then
    printf '%s\n' "$advice"
    exit 1
fi
echo "promtool has no complaint."
