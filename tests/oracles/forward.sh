#!/usr/bin/env bash
# Holds log-probabilities of served models against a forward pass in plain Python, in double and
# straight from the formulas of transformers: random models of every family in safetensors, of odd
# widths, heads, windows and scalings of positions.
#
# usage: tests/oracles/forward.sh FOLDER_OF_PROGRAMS [SEED [COUNT]]
#
# Needs python3 and nothing else; ends with 77, "skipped", without it.
set -euo pipefail

if ! command -v python3 >/dev/null; then
    echo "skipped: python3 is not installed"
    exit 77
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 "$(dirname "$0")/forward.py" "$1/../dyno" "$scratch" "${2:-1}" "${3:-24}"
