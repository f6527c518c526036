#!/usr/bin/env bash
# Holds our answers against the OpenAI API's own description and against ours, with npm's ajv.
#
# usage: [DYNO_NPM=FOLDER] tests/oracles/openai.sh FOLDER_OF_PROGRAMS
#
# DYNO_NPM (or build/npm) is a folder in whose node_modules the package is.  Ends with 77,
# "skipped", without it.
set -euo pipefail

programs=$1
DYNO_NPM=${DYNO_NPM:-$PWD/build/npm} # tests/npm.sh puts them there
description=../shared/specs/openai-openapi.json

if [[ ! -e $description ]]; then
    echo "skipped: $description is not here"
    exit 77
fi
if [[ ! -d $DYNO_NPM/node_modules/ajv ]] || ! command -v node >/dev/null; then
    echo "skipped: neither DYNO_NPM nor build/npm has ajv, or node is not installed"
    exit 77
fi
"$programs/oracle_openai_answers" |
    node "$(dirname "$0")/openai_ajv.mjs" "$DYNO_NPM" "$description" backends/openai/openapi.json
