#!/usr/bin/env bash
# Wrong command lines and scenario files: one sentence on standard error, nothing on standard
# output, status 2.
#
# usage: tests/cli/options.sh DYNO
set -euo pipefail

dyno=$(readlink -f "$1")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

# refused "SENTENCE" ARGUMENT...: dyno says that and no more, and ends with 2.
refused() {
    local sentence=$1 status=0
    shift
    "$dyno" "$@" >out 2>err </dev/null || status=$?
    if [[ $status -ne 2 || -s out || $(cat err) != "dyno: $sentence" ]]; then
        printf 'dyno %s\nended with %d, not 2, or said\n%s\nand not\ndyno: %s\n' "$*" "$status" \
            "$(cat out err)" "$sentence"
        exit 1
    fi
}

refused "unknown command 'repaly'; did you mean 'replay'?" repaly
refused "unknown command 'xyzzy'; 'dyno help' lists them" xyzzy
refused "unknown command 'repaly'; did you mean 'replay'?" help repaly
refused "doctor takes no file" doctor here
refused "unknown option '--all'; 'dyno doctor --help' lists them" doctor --all

refused "nothing to replay: give --trace FILE, or --arrival LAW (poisson:20 or concurrency:64, say)\
 to generate requests" replay
refused "unknown option '--wrokers'; did you mean '--workers'?" replay --trace t --wrokers 8
refused "--workers: '0' is not a whole number from 1 to 1000000" replay --trace t --workers 0
refused "--workers: '-3' is not a whole number from 1 to 1000000" replay --trace t --workers=-3
refused "--workers: '8x' is not a whole number from 1 to 1000000" replay --trace t --workers 8x
refused "--workers: '4294967297' is not a whole number from 1 to 1000000" \
    replay --trace t --workers 4294967297
refused "--gpu-memory-utilization: 'nan' is not a number from 0.01 to 1, or 'profile'" \
    replay --trace t --gpu-memory-utilization nan
refused "--slo ttft: '2' has no unit: give a duration from 1ns to 8760h (units: ns, us, ms, s, min,\
 h), or 'none'" replay --trace t --slo ttft=2,tpot=50ms
refused "--set: unknown option 'kv.bloks'; did you mean 'kv.blocks'?" \
    replay --trace t --set kv.bloks=7
refused "--trace needs a value: FILE" replay --trace
refused "--trace and --arrival contradict each other: a trace has its own arrivals; beside it only\
 concurrency:N, a closed loop, may be given" replay --trace t --arrival poisson:20
refused "'t.jsonl' looks like a trace, not a scenario file; give it as --trace t.jsonl" \
    replay t.jsonl
refused "no.yaml: the scenario file cannot be opened: No such file or directory" replay no.yaml

printf 'fleet:\n  workers: 8\n  wrokers: 9\n' >typo.yaml
refused "typo.yaml:3:3: unknown key 'fleet.wrokers'; did you mean 'fleet.workers'?" \
    replay typo.yaml
printf 'fleet:\n  workers: 8\n\ttp: 9\n' >tab.yaml
refused "tab.yaml:3:1: not YAML: found a tab character that violates indentation" \
    replay tab.yaml
printf 'trace: {path: t}\nfleet: {workers: 8, workers: 9}\n' >twice.yaml
refused "twice.yaml:2:21: key 'fleet.workers' stands here again; it was given in line 2" \
    replay twice.yaml
: >folder.txt
refused "folder.txt/a.yaml: the scenario file cannot be opened: Not a directory" \
    replay folder.txt/a.yaml
mkdir here.yaml
refused "here.yaml: cannot be read: Is a directory" replay here.yaml
head -c 1100000 /dev/zero | tr '\0' '#' >huge.yaml
refused "huge.yaml: larger than 1048576 bytes; a scenario file is not" replay huge.yaml

# Nothing was left behind by any of these.
if compgen -G '*.db' >/dev/null; then
    echo "a refused command line left a database"
    exit 1
fi

# A standard output that is full is a failure, not silence.
if [[ -w /dev/full ]]; then
    status=0
    "$dyno" help scenario >/dev/full 2>err || status=$?
    [[ $status -eq 1 ]]
    [[ $(cat err) == "dyno: standard output cannot be written: No space left on device" ]]
fi
