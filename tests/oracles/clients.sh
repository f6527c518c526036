#!/usr/bin/env bash
# Talks to `dyno serve` with the clients that people use, and holds every answer that they get
# against the API's own description.
#
# usage: [DYNO_NPM=FOLDER] tests/oracles/clients.sh FOLDER_OF_PROGRAMS [WORDS]
#
# DYNO_NPM (or build/npm) is a folder in whose node_modules openai, ai, @ai-sdk/openai-compatible,
# @langchain/openai and ajv are.  With WORDS only checks whose names have them are made.  Ends with
# 77, "skipped", without them.
set -euo pipefail

programs=$1
DYNO_NPM=${DYNO_NPM:-$PWD/build/npm} # tests/npm.sh puts them there
words=${2:-}
description=../shared/specs/openai-openapi.json

if [[ ! -e $description ]]; then
    echo "skipped: $description is not here"
    exit 77
fi
for package in openai ai @ai-sdk/openai-compatible @langchain/openai ajv; do
    if [[ ! -d $DYNO_NPM/node_modules/$package ]] || ! command -v node >/dev/null; then
        echo "skipped: neither DYNO_NPM nor build/npm has $package, or node is not installed"
        exit 77
    fi
done
exec node "$(dirname "$0")/clients/drive.mjs" "$programs/../dyno" "$DYNO_NPM" "$description" \
    backends/openai/openapi.json "$words"
