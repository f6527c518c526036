#!/usr/bin/env bash
# Builds the kernels of kernels/cuda with nvcc, runs each against its reference on this machine's
# GPU, under compute-sanitizer too, and times each against its floor and against PyTorch where that
# is.
#
# usage: [NVCC=nvcc] [CC=cc] [PYTHON=python3] tests/gpu/check.sh [BUILD-FOLDER]
#
# Needs the CUDA toolkit, a C compiler and python3, no library of ours and no network; takes at most
# eight minutes, of which each step has a share.  Prints a short table last and writes
# results/*.json.  Ends with 0 if all is right, 1 if not, and 77, having said "skipped: no GPU",
# where there is none.
set -euo pipefail
cd "$(dirname "$0")/../.."

nvcc=${NVCC:-nvcc}
cc=${CC:-cc}
python=${PYTHON:-python3}
build=${1:-build/gpu}
results=results
failed=()

# The lists are empty, and the status is not 0, where there is no driver.
facts=name,compute_cap,driver_version,clocks.max.sm
gpu=$(nvidia-smi --query-gpu="$facts" --format=csv,noheader,nounits 2>/dev/null | head -n 1) ||
    gpu=
if [[ -z $gpu ]]; then
    echo "skipped: no GPU"
    exit 77
fi
for tool in "$nvcc" "$cc" "$python"; do
    if ! command -v "$tool" >/dev/null; then
        echo "$tool is not here: set NVCC, CC or PYTHON, or PATH, to what is" >&2
        exit 1
    fi
done

IFS=, read -r name capability driver clock <<<"$gpu"
capability=${capability// /}
driver=${driver# }
case $capability in
9.0) architecture=90a ;;
*) architecture=${capability/./} ;;
esac

say() {
    printf '\n== %s (%d s so far)\n' "$*" "$SECONDS"
}

# A step that may fail without ending the others.
step() {
    local what=$1

    shift
    "$@" || failed+=("$what")
}

# FILE: to an object in the build folder.
compile() {
    local file=$1 object=$build/${1//\//_}.o flags=(-I. -D_GNU_SOURCE -g -O2)

    case $file in
    *.cu)
        "$nvcc" -std=c++17 -lineinfo "${flags[@]}" -c "$file" -o "$object" \
            -gencode="arch=compute_$architecture,code=sm_$architecture"
        return
        ;;
    *isa_avx2.c) [[ $(uname -m) != x86_64 ]] || flags+=(-mavx2 -mfma -mf16c) ;;
    *isa_avx512.c) [[ $(uname -m) != x86_64 ]] || flags+=(-mavx512f -mfma -mf16c) ;;
    esac
    "$cc" -std=gnu11 -ffp-contract=off "${flags[@]}" -I"$cuda" -c "$file" -o "$object"
}

link_program() {
    local program=$1

    shift
    "$nvcc" "$build"/kernels_*.o "$@" -o "$build/$program" -lcublasLt -lpthread -lm
}

build_all() {
    local core=(core/base/rng.c core/base/math.c) # of the tests' random numbers

    mkdir -p "$build"
    cuda=$(dirname "$(dirname "$(readlink -f "$(command -v "$nvcc")")")")/include
    export -f compile
    export nvcc cc build architecture cuda
    printf '%s\0' kernels/cuda/*.cu tests/gpu/*.cu kernels/*.c "${core[@]}" tests/cuda/*.c |
        xargs -0 -n 1 -P "$(nproc)" bash -c 'compile "$@" || exit 255' compile && # 255: no more
        link_program test_cuda "$build"/tests_cuda_*.o "$build"/core_base_*.o &&
        link_program bench "$build"/tests_gpu_*.o
}

bench() {
    timeout 60 "$build/bench" >"$build/ours.jsonl"
}

echo "GPU: $name, compute capability $capability, driver $driver"
say "Building for sm_$architecture"
if ! build_all; then
    echo "the kernels do not build for sm_$architecture" >&2
    exit 1
fi

say "Every kernel against its reference"
step tests timeout 90 env DYNO_CUDA_SEEDS=60 "$build/test_cuda"

if command -v compute-sanitizer >/dev/null; then
    for tool in memcheck racecheck initcheck; do
        say "compute-sanitizer: $tool"
        step "$tool" timeout 60 env DYNO_CUDA_SEEDS=4 compute-sanitizer --tool "$tool" \
            --error-exitcode 1 "$build/test_cuda"
    done
else
    echo "compute-sanitizer is not here: its checks are left out"
fi

say "Times"
mkdir -p "$results"
: >"$build/rivals.jsonl"
step bench bench
timeout 60 "$python" tests/gpu/rivals.py >"$build/rivals.jsonl" ||
    echo "rivals: not all were timed"
printf '{"gpu": "%s", "compute_capability": "%s", "driver": "%s", ' "$name" "$capability" \
    "$driver" >"$build/facts.json"
printf '"clock_mhz": "%s", "date": "%s"}\n' "${clock# }" "$(date -u +%F)" >>"$build/facts.json"
step report timeout 20 "$python" tests/gpu/report.py "$build/ours.jsonl" "$build/rivals.jsonl" \
    "$build/facts.json" "$results/kernels-$(date -u +%Y%m%dT%H%M%SZ).json"

if [[ ${#failed[@]} -gt 0 ]]; then
    printf 'FAILED: %s\n' "${failed[*]}"
    exit 1
fi
echo "All is right ($SECONDS s)."
