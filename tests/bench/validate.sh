#!/usr/bin/env bash
# How well a simulation of this machine agrees with it, and the machine with itself: calibrated
# after pauses of 50 ms and of 250, with one thread and with two, each validated by five live runs
# of 100 requests, under light load and where requests meet.
#
# usage: tests/bench/validate.sh DYNO FOLDER
#
# Wants a machine that has nothing else to do, and a quarter of an hour of it.  Machine files and
# validations go to FOLDER, tables to standard output.
set -euo pipefail
dyno=$(readlink -f "$1")
mkdir -p "$2"
cd "$2"

# shellcheck disable=SC2054 # commas are the options' own
load=(--input-tokens uniform:20,300 --output-tokens uniform:10,100 --requests 100 --db none)
uptime
for threads in 1 2; do
    for pause in 50ms 250ms; do
        machine=machine-$threads-$pause.json
        "$dyno" calibrate --threads "$threads" --pause "$pause" -o "$machine"
        for arrival in poisson:4 poisson:20; do
            printf '\n==== %s threads, measured after pauses of %s, %s ====\n' "$threads" "$pause" \
                "$arrival"
            "$dyno" validate --machine "$machine" --arrival "$arrival" "${load[@]}" --repeats 5
        done
    done
done
uptime
