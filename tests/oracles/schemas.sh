#!/usr/bin/env bash
# Holds texts that grammars of random schemas allow against npm's ajv.
#
# usage: [DYNO_NPM=FOLDER] tests/oracles/schemas.sh FOLDER_OF_PROGRAMS [SEED [COUNT]]
#
# DYNO_NPM (or build/npm) is a folder in whose node_modules ajv 8 is.  Ends with 77, "skipped",
# without it.
set -euo pipefail

programs=$1
DYNO_NPM=${DYNO_NPM:-$PWD/build/npm} # tests/npm.sh puts them there
seed=${2:-1}
count=${3:-2000}

if [[ ! -d $DYNO_NPM/node_modules/ajv ]] || ! command -v node >/dev/null; then
    echo "skipped: neither DYNO_NPM nor build/npm has ajv, or node is not installed"
    exit 77
fi
echo "seed $seed"
"$programs/oracle_schema_texts" "$seed" "$count" |
    node "$(dirname "$0")/validate_ajv.mjs" "$DYNO_NPM"
