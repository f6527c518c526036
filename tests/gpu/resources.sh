#!/usr/bin/env bash
# Prints the registers, spills and shared memory of every kernel for every architecture, as ptxas
# tells them, and compares them with tests/gpu/resources.txt.
#
# usage: NVCC=nvcc tests/gpu/resources.sh [--note] [FILE...]
#
# A kernel that spills, or takes more registers than the table says, or is not in it, is an error;
# --note writes the files' lines of the table anew.  Without files all of kernels/cuda.  Ends with
# 77, "skipped", where there is no nvcc.
set -euo pipefail
cd "$(dirname "$0")/../.."

nvcc=${NVCC:-nvcc}
table=tests/gpu/resources.txt
architectures=(80 90a 100)
mode=compare
if [[ ${1:-} == --note ]]; then
    mode=note
    shift
fi
files=("$@")
if [[ $# -eq 0 ]]; then
    files=(kernels/cuda/*.cu)
fi

if ! command -v "$nvcc" >/dev/null; then
    echo "skipped: nvcc is not installed"
    exit 77
fi

# One line a kernel: FILE ARCHITECTURE KERNEL REGISTERS SPILLED-BYTES SHARED-BYTES
measure() {
    local file=$1 architecture=$2

    "$nvcc" -std=c++17 -I. -gencode="arch=compute_$architecture,code=sm_$architecture" \
        -Xptxas -v -cubin -o /dev/null "$file" 2>&1 | c++filt |
        sed -n "s/.*Compiling entry function '\(.*\)' for 'sm_.*'/kernel \1/p
                s/.* \([0-9]*\) bytes spill stores.*/spills \1/p
                s/.*Used \([0-9]*\) registers.*, \([0-9]*\) bytes smem.*/used \1 \2/p
                t
                s/.*Used \([0-9]*\) registers.*/used \1 0/p" |
        awk -v file="$file" -v architecture="$architecture" '
            $1 == "kernel" {
                name = substr($0, 8)
                sub(/^void /, "", name)
                gsub(/\(anonymous namespace\)::|dyno::/, "", name)
                # The arguments add nothing; what is in angle brackets tells versions apart.
                depth = 0
                for (i = 1; i <= length(name); i++) {
                    c = substr(name, i, 1)
                    depth += (c == "<") - (c == ">")
                    if (c == "(" && depth == 0) break
                }
                name = substr(name, 1, i - 1)
                gsub(/\(unsigned int\)|[ ]/, "", name)
            }
            $1 == "spills" { spills = $2 }
            $1 == "used" { print file, "sm_" architecture, name, $2, spills, $3 }'
}
export -f measure
export nvcc

now=$(for file in "${files[@]}"; do
    for architecture in "${architectures[@]}"; do
        printf '%s\0%s\0' "$file" "$architecture"
    done
done | xargs -0 -n 2 -P "$(nproc)" bash -c 'measure "$@"' measure | LC_ALL=C sort)

printf 'file architecture kernel registers spilled shared\n%s\n' "$now" | column -t
if [[ $mode == note ]]; then
    touch "$table"
    { grep -vFf <(printf '%s \n' "${files[@]}") "$table" || true; printf '%s\n' "$now"; } |
        LC_ALL=C sort >"$table.new"
    mv "$table.new" "$table"
    exit 0
fi
wrong=$(awk '
    NR == FNR { registers[$1, $2, $3] = $4; next }
    NF == 0 { next } # of a file without kernels
    $5 > 0 { printf "%s for %s spills %d bytes\n", $3, $2, $5 }
    !(($1, $2, $3) in registers) { printf "%s for %s is not in the table\n", $3, $2; next }
    $4 > registers[$1, $2, $3] {
        printf "%s for %s takes %d registers, %d before\n", $3, $2, $4, registers[$1, $2, $3]
    }' "$table" - <<<"$now")
if [[ -n $wrong ]]; then
    printf '%s\n' "$wrong" >&2
    exit 1
fi
echo "No kernel spills, and none takes more registers than $table says."
