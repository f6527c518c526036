#!/usr/bin/env bash
# Fetches the clients and validators of other people that tests/oracles/ holds the front door
# against, into build/npm, where it looks for them: `./test` and ctest then ask a live server with
# them, too.  Needs node, npm and a registry; nothing else of the tree does.
#
# usage: tests/npm.sh [FOLDER]
#
# With a FOLDER of your own set DYNO_NPM to it.
set -euo pipefail
folder=${1:-$(dirname "$0")/../build/npm}
# Those versions with which the tests were last seen to pass.
packages=(openai@6.49.0 ai@6.0.326 @ai-sdk/openai-compatible@2.0.92 @langchain/openai@1.5.8
    @langchain/core@1.4.0 ajv@8.20.0)

mkdir -p "$folder"
exec npm install --no-audit --no-fund --prefix "$folder" "${packages[@]}"
