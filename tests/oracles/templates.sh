#!/usr/bin/env bash
# Holds our chat templates against Python's Jinja 3 (python3-jinja2) and npm's @huggingface/jinja.
#
# usage: tests/oracles/templates.sh FOLDER_OF_PROGRAMS [SEED [COUNT]]
#
# DYNO_NPM names a folder in whose node_modules the npm package is.  npm's is held against on real
# templates only, and on what it can render: it departs from Jinja (it prints `true` for `True`, and
# loops over nothing undefined).  Ends with
# 77, "skipped", where there is no oracle.
set -euo pipefail

programs=$1
seed=${2:-1}
count=${3:-3000}
here=$(dirname "$0")
scratch=$(mktemp -d)
trap 'rm -r "$scratch"' EXIT
oracles=0

if ! command -v python3 >/dev/null; then
    echo "skipped: python3 is not installed"
    exit 77
fi
real=()
models=../shared/models
for path in "$models/chat-templates" "$models/tokenizers/qwen3.tokenizer_config.json"; do
    [[ ! -e $path ]] || real+=("$path")
done
python3 "$here/template_cases.py" "$seed" "$count" "${real[@]}" >"$scratch/cases"
"$programs/oracle_render_template" <"$scratch/cases" >"$scratch/ours"
if python3 -c 'import jinja2' 2>/dev/null; then
    python3 "$here/render_jinja2.py" <"$scratch/cases" >"$scratch/theirs"
    echo "Jinja, seed $seed:"
    python3 "$here/compare_templates.py" "$scratch/cases" "$scratch/ours" "$scratch/theirs" all \
        strict
    oracles=1
fi
if [[ -n ${DYNO_NPM:-} && ${#real[@]} -gt 0 ]] && command -v node >/dev/null; then
    node "$here/render_npm.mjs" "$DYNO_NPM" <"$scratch/cases" >"$scratch/theirs"
    echo "@huggingface/jinja:"
    python3 "$here/compare_templates.py" "$scratch/cases" "$scratch/ours" "$scratch/theirs" real \
        loose
    oracles=1
fi
if [[ $oracles -eq 0 ]]; then
    echo "skipped: neither python3-jinja2 nor DYNO_NPM is there"
    exit 77
fi
