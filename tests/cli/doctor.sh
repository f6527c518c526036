#!/usr/bin/env bash
# `dyno doctor`: a line for everything that matters, each ok or missing; the machine may be any.
#
# usage: tests/cli/doctor.sh DYNO
set -euo pipefail

dyno=$(readlink -f "$1")
out=$(ASAN_OPTIONS=detect_leaks=0 "$dyno" doctor) # what a GPU driver leaks is not ours

for name in dyno cpu avx2 avx-512 bf16 memory disk sqlite jansson zlib libyaml gnuplot \
    'cuda driver' gpu nccl ucx; do
    if ! grep -Eq "^$name +(ok|missing) +[^ ]" <<<"$out"; then
        printf 'nothing is said of %s:\n%s\n' "$name" "$out"
        exit 1
    fi
done
if grep -Evq '^[a-z0-9 -]{13}(ok     |missing) [^ ]' <<<"$out"; then
    printf 'the columns are not aligned:\n%s\n' "$out"
    exit 1
fi
# What dyno is linked with is there.
for name in sqlite jansson zlib libyaml; do
    grep -Eq "^$name +ok +[0-9]+\.[0-9]" <<<"$out"
done
