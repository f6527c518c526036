#!/usr/bin/env bash
# What tests/gpu/check.sh says and returns where there is no GPU, and where what it finds is broken:
# with a fake nvidia-smi, and compilers that fail.
#
# usage: tests/gpu/check_fakes.sh
set -euo pipefail
cd "$(dirname "$0")/../.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"

# NAME BODY: a program ahead of others of its name.
fake() {
    printf '#!/bin/sh\n%s\n' "$2" >"$work/bin/$1"
    chmod +x "$work/bin/$1"
}

# STATUS WORDS WHAT: check.sh, with the fakes that are there, ends so and says so.
expect() {
    local status=0

    PATH=$work/bin:$PATH NVCC=nvcc CC=cc PYTHON=python3 bash tests/gpu/check.sh "$work/build" \
        >"$work/said" 2>&1 || status=$?
    if [[ $status -ne $1 ]] || ! grep -qF -- "$2" "$work/said"; then
        printf '%s: ended with %d, not %d, or did not say "%s":\n' "$3" "$status" "$1" "$2" >&2
        cat "$work/said" >&2
        exit 1
    fi
}

skipped="skipped: no GPU"
fake nvidia-smi 'exit 9'
expect 77 "$skipped" "a driver that fails"
fake nvidia-smi 'echo "NVIDIA-SMI has failed because it could not communicate"; exit 9'
expect 77 "$skipped" "a driver that says why it fails"
fake nvidia-smi 'exit 0'
expect 77 "$skipped" "a driver without a GPU"

fake nvidia-smi 'echo "Fake GPU, 9.0, 580.1, 1980"'
fake cc 'exit 0'
fake nvcc 'exit 1'
expect 1 "the kernels do not build for sm_90a" "a compiler that fails"
expect 1 "GPU: Fake GPU, compute capability 9.0, driver 580.1" "the GPU that is told"
fake nvidia-smi 'echo "Fake GPU, 8.0, 580.1, 1410"'
expect 1 "the kernels do not build for sm_80" "another architecture"
if PATH=$work/bin:$PATH NVCC=no-such-nvcc bash tests/gpu/check.sh "$work/build" \
    >"$work/said" 2>&1; then
    echo "without a compiler all is said to be right" >&2
    exit 1
fi
grep -qF "no-such-nvcc is not here: set NVCC, CC or PYTHON" "$work/said"
echo "check.sh says what is missing, and never that all is right."
