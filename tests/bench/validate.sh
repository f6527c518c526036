#!/usr/bin/env bash
# How well a simulation of this machine agrees with it, and the machine with itself: measured
# between nine live runs of 100 requests, with one thread and with two, under light load and where
# requests meet.
#
# usage: tests/bench/validate.sh DYNO FOLDER
#
# Wants a machine that has nothing else to do, and a quarter of an hour of it.
# Machine files go to FOLDER, tables to standard output.
set -euo pipefail
dyno=$(readlink -f "$1")
mkdir -p "$2"
cd "$2"

# shellcheck disable=SC2054 # commas are the options' own
load=(--input-tokens uniform:20,300 --output-tokens uniform:10,100 --requests 100 --db none)
uptime
for threads in 1 2; do
    for rate in 4 20; do
        printf '\n==== %s threads, %s requests a second ====\n' "$threads" "$rate"
        "$dyno" validate --calibrate "machine-$threads-$rate.json" --threads "$threads" \
            --arrival "poisson:$rate" "${load[@]}"
    done
done
uptime
