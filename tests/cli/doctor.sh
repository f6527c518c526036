#!/usr/bin/env bash
# `dyno doctor`: a line for everything that matters, each ok or missing; the machine may be any.
# GPUs are those of a management library that tests bring.
#
# usage: tests/cli/doctor.sh DYNO
set -euo pipefail

dyno=$(readlink -f "$1")
fakes=$(dirname "$dyno")/tests
export ASAN_OPTIONS=detect_leaks=0 # what a GPU driver leaks is not ours
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail() {
    printf '%s:\n%s\n' "$1" "$out"
    exit 1
}

# The library nvml_$1 of the tests in place of the driver's.
with_gpus() {
    LD_LIBRARY_PATH=$fakes/nvml_$1 "$dyno" doctor "${@:2}"
}

out=$("$dyno" doctor)
for name in dyno kernels cpu avx2 avx-512 bf16 memory disk sqlite jansson zlib libyaml gnuplot \
    nlopt nccl ucx nvml 'cuda driver' gpu cublaslt cuda; do
    grep -Eq "^$name +(ok|missing) +[^ ]" <<<"$out" || fail "nothing is said of $name"
done
if grep -Evq '^[a-z0-9 -]{13}(ok     |missing) [^ ]' <<<"$out"; then
    fail 'the columns are not aligned'
fi
# What dyno is linked with is there.
for name in sqlite jansson zlib libyaml; do
    grep -Eq "^$name +ok +[0-9]+\.[0-9]" <<<"$out" || fail "no version of $name"
done

# The same as JSON.
"$dyno" doctor --json >"$scratch/json"
names=$(sed -n 's/.*"name": "\(.*\)",/\1/p' "$scratch/json")
[[ $names == "$(cut -c1-13 <<<"$out" | sed 's/ *$//')" ]] || fail "JSON has other lines: $names"

# What is asked for must be there.
"$dyno" doctor --require sqlite,zlib >"$scratch/out"
status=0
"$dyno" doctor --require sqlite,gnuplott >/dev/null 2>"$scratch/err" || status=$?
[[ $status -eq 2 && $(cat "$scratch/err") == *"did you mean 'gnuplot'?" ]] ||
    fail "--require gnuplott ended with $status: $(cat "$scratch/err")"
if grep -q '^ucx *missing' <<<"$out"; then
    status=0
    "$dyno" doctor --require sqlite,ucx >/dev/null 2>"$scratch/err" || status=$?
    [[ $status -eq 1 ]] || fail "ucx is missing, and doctor ended with $status"
    [[ $(cat "$scratch/err") == "dyno: ucx is missing, and --require asks for it" ]] ||
        fail "$(cat "$scratch/err")"
fi

[[ -d $fakes/nvml_whole ]] || exit 0
out=$(FAKE_GPUS=3 with_gpus whole | sed -n '/^nvml/,/^gpu links/p')
diff -u - <(fold -s -w 90 <<<"$out" | sed 's/ *$//') <<'END'
nvml         ok      driver 580.1, for CUDA up to 13.1
gpu          ok      0: Fake H200, 150.0 GiB, compute capability 9.0, 1980 MHz, 700 W,
PCIe 5 x16, 17 NVLinks; now 1.0 GiB in use, 40 C, 350 W, 1755 MHz
gpu          ok      1: Fake H200, 150.0 GiB, compute capability 9.0, 1980 MHz, 700 W,
PCIe 5 x16, 17 NVLinks, in MIG instances; now 2.0 GiB in use, 41 C, 350 W, 1755 MHz,
clocks held down by power_cap and hardware and hardware_thermal, 12 memory errors mended,
1 NOT mended
gpu          ok      2: Fake H200, 150.0 GiB, compute capability 9.0, 1980 MHz, 700 W,
PCIe 5 x16, 17 NVLinks; now 3.0 GiB in use, 42 C, 350 W, 1755 MHz, 24 memory errors
mended, 2 NOT mended
gpu links    missing some pairs have no peer access: what moves between them goes through
the host's memory
END
out=$(with_gpus whole)
grep -q '^gpu links *ok *all reach each other over NVLink$' <<<"$out" || fail 'no NVLink'
out=$(FAKE_GPUS=1 with_gpus old)
grep -q '^gpu *ok *0: Fake H200, 150.0 GiB; now 1.0 GiB in use$' <<<"$out" || fail 'an old driver'
out=$(FAKE_GPUS=0 with_gpus whole)
grep -q '^gpu *missing' <<<"$out" || fail 'a driver without GPUs'
out=$(with_gpus refuses)
grep -q '^nvml *missing *the driver does not answer: Driver Not Loaded; ' <<<"$out" ||
    fail 'a driver that does not start'
out=$(FAKE_GPUS=2 with_gpus whole --json)
for figure in '"uuid": "GPU-0"' '"memory_bytes": 161061273600' '"power_watts": 350.5' \
    '"busy": 0.75' '"throttles": []' '"power_cap",' '"ecc_corrected": 12' \
    '"ecc_uncorrected": 1'; do
    grep -Fq "$figure" <<<"$out" || fail "no $figure"
done
out=$(FAKE_GPUS=1 with_gpus between --json)
for figure in '"throttles": []' '"ecc_corrected": null' '"ecc_uncorrected": null'; do
    grep -Fq "$figure" <<<"$out" || fail "no $figure"
done
out=$(FAKE_GPUS=1 with_gpus old --json)
grep -Fq '"throttles": null' <<<"$out" || fail "$out"
