#!/usr/bin/env bash
# KV below the workers' own memory, for real: what a user sees.  Nothing here depends on how fast
# copies are: that the same is moved as is simulated, to the block, and found again in a file, is
# told by tests/system/test_live_simulated.c, which takes time out of it.
#
# usage: tests/cli/live_tiers.sh DYNO
set -euo pipefail
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"
command -v curl >/dev/null || exit 77

# Prompts of 356 tokens that share 256 with others, in five groups; memory for three of them.
load=(--arrival concurrency:1 --requests 20 --input-tokens 100 --output-tokens 4
      --set generate.prefix_groups=5 --set generate.prefix_tokens=256
      --num-gpu-blocks-override 64 --db none)
live=(--device cpu --threads 1)

# completes JSON: all requests did.
completes() {
    [[ $(number "$1" requests.completed) == 20 ]] || fail "requests were lost: $(cat out)"
}

works replay "${load[@]}" "${live[@]}" --tier g2=64MiB --json with.json
completes with.json
grep -Fq '"tier": "g2"' with.json || fail "no tier: $(cat with.json)"
works replay "${load[@]}" "${live[@]}" --workers 2 --tier g2=64MiB:node --json shared.json
completes shared.json
works replay "${load[@]}" "${live[@]}" --workers 2 --router round_robin --peers --json peers.json
completes peers.json
grep -Fq '"tier": "peers"' peers.json || fail "nothing is said of peers: $(cat peers.json)"

# A file takes what was measured of it: 2 ns a byte and 50 us a transfer to it, 1 ns and 40 us back;
# one request after the other, so that no two share the disk.
known='{"dyno_machine": 1, "device": "cpu", "model": "austen-2m", "threads": 1, "rows_ns": [[1, '\
'1000000], [512, 512000000]], "yields_ns": [[1, 1000000]], "pair_ns": 1, "context_ns": 1, '\
'"pass_ns": 1000, "copy_byte_ns": 0.001, "copy_ns": 0'
printf '%s}' "$known" >old.json
printf '%s, "disk_write_byte_ns": 2, "disk_write_ns": 50000, "disk_read_byte_ns": 1, '\
'"disk_read_ns": 40000}' "$known" >disk.json
# What is fetched is sent in a turn of the loop first, if that was measured: 0.3 ms.
sed 's/"pass_ns"/"sent_ns": 100000, "sent_after_pause_ns": 300000, &/' disk.json >turns.json
of() { sed -n "s/^ *\"$1\": \([0-9.]*\).*/\1/p" by-hand.json; }
for how in 'disk store stored 2 0.05' 'disk load loaded 1 0.04' 'turns store stored 2 0.05' \
    'turns load loaded 1 0.34'; do
    read -r machine moves moved byte_ns transfer_ms <<<"$how"
    works replay "${load[@]}" --machine "$machine.json" --tier g3=64MiB --json by-hand.json
    awk -v count="$(of "${moves}s")" -v bytes="$(of "${moved}_bytes")" \
        -v ms="$(of "${moves}_wait_ms")" -v byte_ns="$byte_ns" \
        -v transfer_ms="$transfer_ms" 'BEGIN {
            due = count * transfer_ms + bytes * byte_ns / 1e6
            exit !(count > 0 && ms > due - 0.001 && ms < due + 0.001)
        }' || fail "$machine: ${moves}s do not take what they should: $(cat by-hand.json)"
done
refuses 1 "old.json does not say what writing a byte takes (disk_write_byte_ns), and blocks are to \
be moved: measure it anew, dyno calibrate -o old.json" \
    replay "${load[@]}" --machine old.json --tier g3=64MiB

# Both tiers, live against simulated.
both=(--tier g2=8MiB --tier g3=64MiB --set tiers.store_below=all)
works replay "${load[@]}" --machine disk.json "${both[@]}" --json simulated.json
works validate --machine disk.json --repeats 2 "${load[@]}" "${both[@]}" --db validated.db \
    --json validated.json
mapfile -t stored < <(sed -n 's/^ *"stored_bytes": \([0-9]*\).*/\1/p' simulated.json)
[[ ${#stored[@]} == 2 && ${stored[0]} -gt 0 && ${stored[1]} -gt 0 ]] ||
    fail "nothing is stored: $(cat simulated.json)"
for tier in 2 3; do
    awk -v bytes="${stored[tier - 2]}" \
        -v told="$(number validated.json kv.g$tier.stored_mb.simulated)" \
        'BEGIN { exit !(bytes == told * 1e6) }' || fail "not told: $(cat validated.json)"
done
if has_sqlite; then # a row of each tier and live run
    [[ $(sqlite3 validated.db 'select count(*), min(s.stored_blocks) > 0 from validation v
        join tier r on r.run = v.live
        join tier s on s.run = v.simulated and s.level = r.level') == '4|1' ]] ||
        fail "the tiers of runs that belong together are not in the database"
fi
for line in 'g1 hits, %' 'g2 hits, %' 'g3 hits, %' 'g2 stored, blocks' 'g3 stored, MB'; do
    grep -Eq "^$line +[0-9.]+ +[0-9.]+ to [0-9.]+ +[0-9.]+ +[+-][0-9.]+$" out ||
        fail "validate says nothing of $line: $(cat out)"
done

# ask_all ROUND: what the server answers to five long prompts, each with the round behind it.
ask_all() {
    local prompt

    for prompt in one two three four five; do
        printf '{"model": "austen-2m", "max_tokens": 20, "temperature": 0, "prompt": "%s"}' \
            "$(printf "$prompt and the rest of the family were seated at breakfast, %.0s" \
                {1..12})" >ask.json
        curl -sf "$url/v1/completions" -H 'Content-Type: application/json' -d @ask.json |
            sed 's/.*"choices"/"choices"/; s/"id".*//; s/"usage".*//'
        echo " $1"
    done
}

# What clients are answered is the same, to the last token, when what they ask again comes back
# from host memory.
for tier in none g2=16MiB; do
    start_server --device cpu --threads 1 --num-gpu-blocks-override 34 --max-model-len 512 \
        --tier $tier
    for round in 1 2; do
        ask_all "$round" >>"$tier.txt"
    done
    curl -sf "$url/metrics" >"$tier.metrics"
    stop_server
done
[[ $(grep -c '"text"' none.txt) == 10 ]] || fail "no answers: $(cat none.txt)"
cmp none.txt g2=16MiB.txt || fail "answers differ: $(cat none.txt g2=16MiB.txt)"

# Nor where it comes from another worker: in the second round all come to the other one of two.
start_server --device cpu --threads 1 --max-model-len 512 --workers 2 --router round_robin --peers
for round in 1 2; do
    ask_all "$round" >>peers.txt
done
stop_server
cmp none.txt peers.txt || fail "answers differ: $(cat none.txt peers.txt)"

# Nor where a planner moves the workers between computing prompts and decoding meanwhile.
start_server --device cpu --threads 1 --num-gpu-blocks-override 34 --max-model-len 512 \
    --tier g2=16MiB --workers 3 --disagg always --prefill 1 --decode 1 --planner load --budget 3 \
    --set planner.every=20ms --set planner.cooldown=0s --set planner.use_up=0.0001 \
    --set planner.use_down=0.00005
for round in 1 2; do
    ask_all "$round" >>roles.txt
done
stop_server
cmp none.txt roles.txt || fail "answers differ: $(cat none.txt roles.txt)"

# Nor where another model is served beside it, with tiers of its own: what moved is the sum of both,
# whose blocks have 32 and 8 KiB.
works model random --like llama-3.1-8b --layers 2 --hidden 64 --heads 4 --kv-heads 2 --head-dim 16 \
    --intermediate 128 --vocab 512 --context 512 --dtype f32 -o tiny.gguf
models=(--models name=austen-2m:workers=1 --models name=tiny:model=tiny.gguf:workers=2)
start_server --device cpu --threads 1 --num-gpu-blocks-override 34 --max-model-len 512 \
    "${models[@]}" --tier g2=16MiB --peers
for round in 1 2; do
    ask_all "$round" >>models.txt
done
stop_server
cmp none.txt models.txt || fail "answers differ: $(cat none.txt models.txt)"
works replay "${load[@]}" --device cpu --threads 1 "${models[@]}" --tier g2=16MiB --tier g3=64MiB \
    --peers --json models.json
completes models.json
bytes=$(awk '/"(stored|loaded)_bytes"/ { sum += $2 } END { printf "%d", sum }' models.json)
[[ $bytes -gt 0 && $(number models.json transfers.bytes) == "$bytes" ]] ||
    fail "$bytes bytes in tiers: $(cat models.json)"

# In a file: what was written by one run is there for the next, of the same blocks.
file=(--tier g3=64MiB --tier-file kv)
works replay "${load[@]}" "${live[@]}" "${file[@]}" --json file.json
completes file.json
printf 'a diary' >diary
refuses 1 'diary is no file of KV blocks; give the path of one, or of none yet' \
    replay "${load[@]}" "${live[@]}" --tier g3=64MiB --tier-file diary
refuses 1 'kv has KV of another model, of blocks of other sizes, or of other ranks; give another '\
'path, or remove it' \
    replay "${load[@]}" "${live[@]}" "${file[@]}" --set kv.block_tokens=32

# A server finds again, too, and answers the same.
for round in 1 2; do
    start_server --device cpu --threads 1 --num-gpu-blocks-override 34 --max-model-len 512 \
        --tier g2=1MiB --tier g3=16MiB --tier-file served
    ask_all "$round" >>served.txt
    stop_server
done
cmp none.txt served.txt || fail "answers differ: $(cat none.txt served.txt)"

refuses 2 '--tier and --journal and --tier-file cannot be together: a journal has no place for '\
'what a file has from before' \
    replay "${load[@]}" "${live[@]}" "${file[@]}" --journal j
refuses 2 'tiers.file has no meaning without --tier g3=SIZE of workers that compute' \
    replay "${load[@]}" "${live[@]}" --tier g2=64MiB --tier-file kv
refuses 2 '--tier g4: workers that compute have g2 (host memory) and g3 (a file) below their own' \
    replay "${load[@]}" "${live[@]}" --tier g4=1GiB
