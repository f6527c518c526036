#!/usr/bin/env bash
# A recorded run, fed back, makes the same decisions; one that was tampered with is found out.
#
# usage: tests/cli/rerun.sh DYNO
set -euo pipefail

dyno=$(readlink -f "$1")
traces=$(readlink -f traces/samples)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

# The latencies, which follow from every decision and every time.
latencies() {
    sed -n '/^Latency/,/^$/p' "$1"
}

# same NAME ARGUMENT...: record a run, feed it back, and get the same table.
same() {
    local name=$1
    shift
    "$dyno" replay "$@" --db none --no-progress --journal "$name" >"$name.first" 2>/dev/null
    "$dyno" rerun "$name" >"$name.again"
    diff -u <(latencies "$name.first") <(latencies "$name.again")
    grep -q '^The same  ' "$name.again"
}

same kv --trace "$traces/chat-prefix.jsonl" --requests 400 --workers 4 --router kv
same sglang --trace "$traces/chat-prefix.jsonl" --requests 400 --workers 2 --engine sglang \
    --set kv.blocks=60000 --router lmetric
same agents --trace "$traces/agent-sessions.jsonl" --requests 200 --workers 2 --router session
same tight --arrival poisson:30 --requests 300 --set kv.blocks=300 --set router.event_delay=5ms \
    --router kv --set generate.prefix_groups=4
same queued --arrival poisson:60 --requests 300 --workers 2 --set queue.busy_inflight=3 \
    --set queue.policy=priority --set generate.priorities=0:2,-3:1 --set queue.quantum=100
same routers --arrival poisson:60 --requests 300 --workers 4 --router least_loaded \
    --set router.replicas=3 --set router.sync_delay=50ms
same cut --arrival poisson:30 --requests 300 --duration-max 2s
same wall --arrival poisson:400 --requests 100 --device null --clock wall
# What moves blocks is asked, too, and told: two devices, three memories and a file.
same moving --device cpu --threads 1 --arrival poisson:200 --requests 12 --input-tokens 20 \
    --output-tokens 4 --set generate.prefix_groups=3 --set generate.prefix_tokens=64 \
    --max-model-len 128 --num-gpu-blocks-override 16 --disagg threshold:30 --prefill 1 \
    --decode 1 --tier g2=512KiB --tier g3=16MiB
same pulled --device cpu --threads 1 --arrival poisson:200 --requests 12 --input-tokens 60 \
    --output-tokens 4 --disagg always --prefill 1 --decode 1 --set disagg.style=pull
same both --device cpu --threads 1 --arrival poisson:200 --requests 12 --input-tokens 60 \
    --output-tokens 4 --disagg always --prefill 1 --decode 1 --set disagg.style=both \
    --set disagg.deadline=20ms --num-gpu-blocks-override 16

same layers --device cpu --threads 1 --arrival poisson:200 --requests 12 --input-tokens 60 \
    --output-tokens 4 --disagg always --prefill 2 --decode 1 --set disagg.transfer=layers

# One bit in each of many places: found out in a sentence, or harmless (a time between two events),
# never a crash.
# bend FILE PLACES: how many were found out.
bend() {
    local size caught=0 byte status

    size=$(stat -c %s "$1")
    for place in $(seq 40 $((size / $2)) $((size - 1))); do
        cp "$1" bad
        byte=$(od -An -tu1 -j "$place" -N 1 "$1" | tr -d ' ')
        printf '%b' "\\x$(printf %x $((byte ^ 1)))" |
            dd of=bad bs=1 seek="$place" conv=notrunc status=none
        status=0
        "$dyno" rerun bad >/dev/null 2>err || status=$?
        if [[ $status -eq 1 && $(wc -l <err) -eq 1 ]]; then
            caught=$((caught + 1))
        elif [[ $status -ne 0 ]]; then
            printf 'byte %s of %s changed: exit status %s and\n%s\n' "$place" "$1" "$status" \
                "$(cat err)" >&2
            exit 1
        fi
    done
    echo $caught
}
# The second one is another at every run, with times that harm nobody in about half of its places:
# that a quarter of many is found out does not depend on which.
for journal in 'tight 60 40' 'moving 120 30'; do
    read -r name places least <<<"$journal"
    caught=$(bend "$name" "$places")
    if [[ $caught -lt $least ]]; then
        printf 'only %s of %s changes of %s were found out\n' "$caught" "$places" "$name"
        exit 1
    fi
done

refuses() {
    local why=$1
    shift
    if "$dyno" "$@" >/dev/null 2>err || ! grep -qF "$why" err; then
        printf 'dyno %s: not "%s" but\n%s\n' "$*" "$why" "$(cat err)"
        exit 1
    fi
}

head -c $(($(stat -c %s tight) / 2)) tight >half
refuses 'the file ends in the middle of a run' rerun half
LC_ALL=C sed 's/kv\.blocks/kv\nblocks/' tight >bad
refuses "the journal has an option 'kv?blocks' that this dyno does not know" rerun bad
refuses 'is not a journal' rerun kv.first
refuses 'No such file' rerun nothing
refuses 'rerun takes one journal' rerun
refuses 'rerun takes one journal' rerun one two
