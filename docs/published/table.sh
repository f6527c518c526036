#!/usr/bin/env bash
# What others published beside what `dyno replay` says, as Markdown: docs/published.md has it.
#
# usage: docs/published/table.sh DYNO, from anywhere
set -euo pipefail

dyno=$(realpath "$1")
cd "$(dirname "$0")"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# replay OPTION...: figures in $scratch/figures.json, KV blocks in $blocks; a name that models/ has
# is that file.
replay() {
    local arguments=() argument

    for argument in "$@"; do
        [[ -f models/$argument.json ]] && argument=models/$argument.json
        arguments+=("$argument")
    done
    "$dyno" replay "${arguments[@]}" --db none --intervals none --json "$scratch/figures.json" \
        >"$scratch/text" 2>"$scratch/error" || return 1
    blocks=$(sed -n 's/.* of \([0-9,]*\) blocks.*/\1/p' "$scratch/text" | head -1 | tr -d ,)
}

# row CELL... THEIRS OURS: with the error
row() {
    awk -v cells="$1" -v theirs="$2" -v ours="$3" 'BEGIN {
        printf "| %s | %.6g | %.4g | %+.1f %% |\n", cells, theirs, ours, 100 * (ours / theirs - 1)
    }'
}

echo '| source | GPUs | model | published GiB (or tokens) | dyno | error |'
echo '|---|---|---|---:|---:|---:|'
tail -n +2 kv_blocks.csv | while IFS=';' read -r source gpus model bytes theirs options; do
    read -ra words <<<"$options"
    if ! replay "${words[@]}" --arrival constant:1 --requests 1 --input-tokens 16 \
        --output-tokens 1; then
        printf '| %s | %s | %s | %s | does not fit | |\n' "$source" "$gpus" "$model" "${theirs% *}"
    elif [[ $theirs == *tokens ]]; then
        row "$source | $gpus | $model" "${theirs% *}" $((blocks * 16))
    else
        row "$source | $gpus | $model" "${theirs% *}" "$(awk -v n="$blocks" -v b="$bytes" \
            'BEGIN { print n * 16 * b / 2 ^ 30 }')"
    fi
done

declare -A figure=(
    [out]='.throughput.output_tokens_per_s'
    [total]='.throughput | .input_tokens_per_s + .output_tokens_per_s'
    [ttft]=.ttft_ms.mean [tpot]=.tpot_ms.mean [itl]=.itl_ms.mean [e2e]=.e2e_ms.mean)

printf '\n%s\n' '| source | what | figure | published | dyno | error |'
echo '|---|---|---|---:|---:|---:|'
tail -n +2 served.csv | while IFS=';' read -r source what theirs options; do
    read -ra words <<<"$options"
    if ! replay "${words[@]}"; then
        printf '| %s | %s | | | %s | |\n' "$source" "$what" "$(head -1 "$scratch/error")"
        continue
    fi
    if [[ $(jq .requests.completed "$scratch/figures.json") == 0 ]]; then
        printf '| %s | %s | | | no prompt fits in the KV cache | |\n' "$source" "$what"
        continue
    fi
    for one in $theirs; do
        row "$source | $what | ${one%=*}" "${one#*=}" \
            "$(jq "${figure[${one%=*}]}" "$scratch/figures.json")"
    done
done
