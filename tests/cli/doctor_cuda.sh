#!/usr/bin/env bash
# `dyno doctor` of a build with CUDA, fault by fault: what is missing is said, and whether
# --device cuda would compute.  Driver, products, NCCL and management library are the tests' own.
#
# usage: tests/cli/doctor_cuda.sh DYNO
set -euo pipefail

fakes=$(dirname "$(readlink -f "$1")")/tests
dyno=$fakes/dyno_as_with_cuda
export ASAN_OPTIONS=detect_leaks=0 # of the loader
[[ -x $dyno ]] || { echo "skipped: $dyno was not built"; exit 77; }

# says NAME WORDS LIBRARY...: with these libraries, and without the others, the line of that name.
says() {
    local name=$1 words=$2 path='' folder out

    shift 2
    for folder in "$@"; do
        path+=$fakes/$folder:
    done
    out=$(LD_LIBRARY_PATH=$path "$dyno" doctor)
    if [[ $(sed -n "s/^$name *\(ok\|missing\) */\1 /p" <<<"$out") != "$words" ]]; then
        printf 'with %s, %s is to be:\n%s\nand it is:\n%s\n' "$path" "$name" "$words" "$out" >&2
        exit 1
    fi
}

whole=(fake_cuda.so.1 fake_cublasLt.so.13 fake_nccl.so.2 nvml_whole)
does_not='missing --device cuda does not work here:'

says cuda 'ok --device cuda computes here, on GPU 0' "${whole[@]}"
says 'cuda driver' 'ok CUDA 13.1, 1 GPU shown to this process' "${whole[@]}"
says cublaslt 'ok 13.0.2' "${whole[@]}"
says nccl 'ok 2.28.9' "${whole[@]}"

# No driver, or one that does not start.
says 'cuda driver' "missing costs simulation nothing; to compute on a GPU install NVIDIA's driver "\
'(libcuda.so.1)' empty_cuda.so.1 fake_cublasLt.so.13
says cuda "$does_not no driver" empty_cuda.so.1 fake_cublasLt.so.13
export FAKE_CUDA_INIT=100
says 'cuda driver' 'missing there for CUDA 13.1, but it does not start (cuInit: 100): is the '\
'kernel module loaded, and may this user open /dev/nvidia*?' "${whole[@]}"
says cuda "$does_not no driver" "${whole[@]}"
unset FAKE_CUDA_INIT

# One that is too old, and one of a later minor version, and of the same.
FAKE_CUDA_VERSION=12080 says cuda "$does_not the driver is older than this build's CUDA, which is "\
'13.0: update it, or build with an older toolkit' "${whole[@]}"
FAKE_CUDA_VERSION=13000 says cuda 'ok --device cuda computes here, on GPU 0' "${whole[@]}"
FAKE_CUDA_VERSION=14000 says cuda 'ok --device cuda computes here, on GPU 0' "${whole[@]}"

# No GPU, and GPUs for which there are no kernels: code for 8.0 runs on 8.9, that for 9.0a on 9.0.
FAKE_CUDA_GPUS=0 says cuda "$does_not no GPU is shown to this process: is CUDA_VISIBLE_DEVICES "\
'set?' "${whole[@]}"
for capability in 75 110 120; do
    FAKE_CUDA_CAPABILITY=$capability says cuda "$does_not no kernels for these GPUs: build with "\
'DYNO_CUDA_ARCHITECTURES for them' "${whole[@]}"
done
for capability in 80 86 89 90 100 103; do
    FAKE_CUDA_CAPABILITY=$capability says cuda 'ok --device cuda computes here, on GPU 0' \
        "${whole[@]}"
done

# Without products nothing is computed; without NCCL all but models that GPUs share.
says cublaslt 'missing costs simulation nothing; GPUs compute products with libcublasLt.so.13: '\
'install it, or name its folder in LD_LIBRARY_PATH' fake_cuda.so.1 empty_cublasLt.so.13
says cuda "$does_not no cuBLASLt" fake_cuda.so.1 empty_cublasLt.so.13
without=(fake_cuda.so.1 fake_cublasLt.so.13 empty_nccl.so.2)
says nccl 'missing costs simulation nothing; GPUs cannot share one model (apt install libnccl2)' \
    "${without[@]}"
says cuda 'ok --device cuda computes here, on GPU 0' "${without[@]}"

# Without the management library the driver's GPUs are listed; nothing else depends on it.
FAKE_CUDA_GPUS=2 says gpu 'ok 0: Fake GPU 0, 80.0 GiB
ok 1: Fake GPU 1, 80.0 GiB' fake_cuda.so.1 fake_cublasLt.so.13 nvml_other
says cuda 'ok --device cuda computes here, on GPU 0' fake_cuda.so.1 fake_cublasLt.so.13 nvml_other
