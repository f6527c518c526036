#!/usr/bin/env bash
# Lower tiers of KV beside workers in other processes: what is found, stored and moved is what it is
# in one process, and so is what clients are answered, whether a prompt was computed there or comes
# back from memory or a file of this one, or from another worker.
#
# usage: tests/cli/ucx_tiers.sh DYNO
set -euo pipefail
root=$PWD
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"
# shellcheck source=tests/ucx_support.sh
. "$root/tests/ucx_support.sh"
command -v curl >/dev/null || exit 77

start_worker one
one=$at
start_worker other
other=$at

# ask_all ROUND: what the server answers to four long prompts, each with the round behind it.
ask_all() {
    local prompt

    for prompt in one two three four; do
        printf '{"model": "austen-2m", "max_tokens": 20, "temperature": 0, "prompt": "%s"}' \
            "$(printf "$prompt and the rest of the family were seated at breakfast, %.0s" \
                {1..12})" >ask.json
        curl -sf "$url/v1/completions" -H 'Content-Type: application/json' -d @ask.json |
            sed 's/.*"choices"/"choices"/; s/"id".*//; s/"usage".*//'
        echo " $1"
    done
}

# answers FILE ARGUMENT...: of a server whose workers' own memory holds one prompt.
answers() {
    local file=$1 round

    shift
    start_server --device cpu --threads 1 --num-gpu-blocks-override 34 --max-model-len 512 "$@"
    for round in 1 2; do
        ask_all "$round"
    done >"$file"
    curl -sf "$url/metrics" >metrics
    stop_server
}

# found: tokens of prompts that came from lower tiers.
found() {
    awk '/^dyno_onboarded_prompt_tokens_total/ { n += $NF } END { print n + 0 }' metrics
}

answers here.txt
[[ $(grep -c '"text"' here.txt) == 8 ]] || fail "no answers: $(cat here.txt)"
[[ $(found) == 0 ]] || fail "there is no tier: $(cat metrics)"
most=0
for how in "--tier g2=16MiB" "--tier g2=1MiB --tier g3=16MiB" "--tier g3=16MiB"; do
    read -ra options <<<"$how"
    for where in "--workers-at $one" "--workers-at $one --set fleet.transport=tcp" \
        "--disagg always --prefill 1 --decode 1 --workers-at $one --prefill-at $other"; do
        read -ra places <<<"$where"
        answers there.txt "${options[@]}" "${places[@]}"
        cmp here.txt there.txt || fail "$how $where: answers differ: $(cat here.txt there.txt)"
        [[ $(found) -le $most ]] || most=$(found)
    done
done
# Nothing does where computing is faster, as it may be now and then on a busy machine.
[[ $most -gt 0 ]] || fail "nothing ever came back"
answers there.txt --workers 2 --router round_robin --peers --workers-at "$one,$other"
cmp here.txt there.txt || fail "from a peer: answers differ: $(cat here.txt there.txt)"

# It is simulated as it was measured: what moves to the process that has the worker, or from it,
# takes 10 ns a byte and 5 ms, and a file what it takes beside that; one after the other, so that no
# two share anything.
cat >machine.json <<'END'
{"dyno_machine": 1, "device": "cpu", "model": "austen-2m", "threads": 1,
 "rows_ns": [[1, 1000000], [512, 512000000]], "yields_ns": [[1, 1000000]], "pair_ns": 1,
 "context_ns": 1, "pass_ns": 1000, "copy_byte_ns": 0.001, "copy_ns": 0, "far_byte_ns": 10,
 "far_ns": 5000000, "far_pass_ns": 0, "disk_write_byte_ns": 2, "disk_write_ns": 50000,
 "disk_read_byte_ns": 1, "disk_read_ns": 40000}
END
load=(--machine machine.json --arrival concurrency:1 --requests 20 --input-tokens 100 --db none
      --output-tokens 4 --set generate.prefix_groups=5 --set generate.prefix_tokens=256
      --num-gpu-blocks-override 64 --workers-at "$one")
of() { sed -n "s/^ *\"$1\": \([0-9.]*\).*/\1/p" by-hand.json; }
for how in 'g2 store stored 5' 'g2 load loaded 5' 'g3 store stored 5.05' 'g3 load loaded 5.04'; do
    read -r tier moves moved transfer_ms <<<"$how"
    works replay "${load[@]}" --tier "$tier=64MiB" --json by-hand.json
    awk -v count="$(of "${moves}s")" -v bytes="$(of "${moved}_bytes")" \
        -v ms="$(of "${moves}_wait_ms")" -v transfer_ms="$transfer_ms" 'BEGIN {
            due = count * transfer_ms + bytes * 10 / 1e6
            exit !(count > 0 && ms > due - 0.001 && ms < due + 0.001)
        }' || fail "$how: ${moves}s do not take what they should: $(cat by-hand.json)"
done
