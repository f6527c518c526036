#!/usr/bin/env bash
# How much of what reads models, tokenizers and chat templates the fuzz targets reach: each goes on
# from its seeds (seeds.c) for a while, then the lines of the files that it is for are counted.
#
# usage: tests/fuzz/coverage.sh [SECONDS_EACH [FOLDER]]
#
# FOLDER keeps the corpora from one time to the next; a crash is left in it as well.  Needs clang,
# llvm-cov and llvm-profdata; ends with 77, "skipped", without them.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
seconds=${1:-60}
build=$root/build/coverage
corpora=${2:-$build/corpora}
targets=(config safetensors gguf llama2c tokenizer_file template)

# tool NAME: the path of one of LLVM's, which Debian calls after its version.
tool() {
    command -v "$1" || command -v "$1-14" || { echo "skipped: $1 is not installed"; exit 77; }
}
profdata=$(tool llvm-profdata) || { echo "$profdata"; exit 77; }
cov=$(tool llvm-cov) || { echo "$cov"; exit 77; }

cmake --preset fuzz -B "$build" \
    -DCMAKE_C_FLAGS='-fprofile-instr-generate -fcoverage-mapping' >/dev/null
cmake --build "$build" --target fuzz_seeds "${targets[@]/#/fuzz_}" >/dev/null
LLVM_PROFILE_FILE=$build/seeds.profraw "$build/tests/fuzz_seeds" "$corpora"

objects=()
for target in "${targets[@]}"; do
    dictionary=()
    [[ ! -e $corpora/fuzz_$target.dict ]] || dictionary=(-dict="$corpora/fuzz_$target.dict")
    (cd "$corpora" && TMPDIR=${TMPDIR:-/dev/shm} LLVM_PROFILE_FILE=$build/$target.profraw \
        "$build/tests/fuzz_$target" -max_len=16384 -timeout=20 -rss_limit_mb=2048 -verbosity=0 \
        -max_total_time="$seconds" "${dictionary[@]}" "$corpora/fuzz_$target")
    objects+=(-object "$build/tests/fuzz_$target")
done
(cd "$build" && "$profdata" merge -o fuzz.profdata "${targets[@]/%/.profraw}")

# What is read by these, by hand of whoever made the file; the rest is what they use.
parsers='^backends/assets/(json_keys|model_config|fp8_config|rope_config|weights_[a-z0-9]*'
parsers+='|safetensors|tensors'
parsers+='|gguf|gguf_values|tokenizer/(tokenizer[a-z0-9_]*|vocabulary_builder)'
parsers+='|template/[a-z_]*)[.]c$'
"$cov" report "${objects[@]:1}" -instr-profile="$build/fuzz.profdata" | awk -v parsers="$parsers" '
    { sub(/^([.][.]\/)+/, "", $1) } # where a compiler cache has made names relative
    $1 ~ parsers {
        printf "%-46s %5d lines, %5.1f %%\n", $1, $8, $10
        lines += $8
        missed += $9
    }
    END { printf "%-46s %5d lines, %5.1f %%\n", "all", lines, 100 * (lines - missed) / lines }'
