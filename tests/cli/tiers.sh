#!/usr/bin/env bash
# Lower tiers, by hand: the null device takes 10 us a pass, of 32 tokens at most, and there is no
# host time; a block of 16 tokens of llama-3.1-8b has 2,097,152 bytes of KV, and a worker has 12 of
# them.  To host memory 10,000 bytes move in a ns, from disks 5,000; a transfer has 3 us of overhead
# and 1 us for each block, and latencies are 4 us to the host and 7 us of a disk.
#
#   A  at 0 ms, 100 prompt tokens: four passes, 40 us.  Its 6 whole blocks are stored.
#   B  at 1 ms, 150 other ones: five passes.  Of A's blocks it evicts 4.
#   C  at 2 ms, A's prompt: 2 of its 6 whole blocks are there.  The other 68 tokens are three
#      passes.  From g2 4 blocks take 3 + 4 + 4 us and 8,388,608 bytes, 839 ns: 11,839 ns, and the
#      last 4 tokens one pass.
#   D  at 3 ms, B's prompt, of which C evicted 4 of 9 blocks: the same again.
#
# usage: tests/cli/tiers.sh DYNO
set -euo pipefail
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"

printf '%s\n' \
    '{"timestamp": 0, "input_length": 100, "output_length": 1, "hash_ids": [1]}' \
    '{"timestamp": 1, "input_length": 150, "output_length": 1, "hash_ids": [2]}' \
    '{"timestamp": 2, "input_length": 100, "output_length": 1, "hash_ids": [1]}' \
    '{"timestamp": 3, "input_length": 150, "output_length": 1, "hash_ids": [2]}' >four.jsonl
cat >fast.yaml <<'END'
overhead: 3us
block_overhead: 1us
nodes:
  - {workers: 1, link: 10GB/s, nic: 2GB/s, host: 10TB/s, host_latency: 4us,
     disk_read: 5TB/s, disk_write: 4TB/s, disk_latency: 7us}
END
four=(replay --trace four.jsonl --device null --num-gpu-blocks-override 12 --max-model-len 192
    --max-num-batched-tokens 32 --max-num-seqs 8 --progress=false)
by_hand=("${four[@]}" --topology fast.yaml)

# rows: of the last run.
rows() {
    sqlite3 runs.db 'SELECT id, cached_tokens, queue_ns, onboard_ns, prefill_ns, e2e_ns FROM request
        WHERE run = (SELECT max(run) FROM request) ORDER BY id'
}

# metric NAME: of the last run.
metric() {
    sqlite3 runs.db "SELECT CAST(value AS INTEGER) FROM run_metric
        WHERE run = (SELECT max(id) FROM run) AND metric = '$1'"
}

works "${by_hand[@]}" --tier g2=1GiB --json one.json
[[ $(number one.json transfers.count) == 4 ]] # stores of two prompts, and two loads
if has_sqlite; then
    rows >one
    diff -u - one <<'END'
0|0|0|0|40000|40000
1|0|0|0|50000|50000
2|96|0|11839|10000|21839
3|144|0|11839|10000|21839
END
    [[ $(metric kv.tiers.g2.hit_blocks) == 8 && $(metric kv.tiers.g1.hit_blocks) == 7 ]]
    [[ $(metric kv.tiers.g2.stored_bytes) == $((15 * 2097152)) ]]
    [[ $(metric kv.tiers.g2.loaded_bytes) == $((8 * 2097152)) ]]

    # From disks alone: 3 + 4 + 4 + 7 us and 1,678 ns; with the last pass that is 29,678 ns, a
    # little less than three passes.
    works "${by_hand[@]}" --tier g3=1GiB
    [[ $(rows | cut -d '|' -f 4 | tr '\n' ' ') == "0 0 19678 19678 " ]]

    # 12 blocks of host memory, shared by both prompts, and disks: of A it has 3 blocks, one of
    # which the worker lacks, and is there after 8,210 ns; two passes more make 28,210 ns.  The 3
    # that only the disks have would be there after 18,259, and one pass more make 28,259: slower,
    # so not used.
    works "${by_hand[@]}" --tier g2=24MiB --tier g3=1GiB
    rows >three
    diff -u - three <<'END'
0|0|0|0|40000|40000
1|0|0|0|50000|50000
2|48|0|8210|20000|28210
3|96|0|8210|20000|28210
END
    [[ $(metric kv.tiers.g3.slow_blocks) == 6 && $(metric kv.tiers.g3.loads) == 0 ]]
    [[ $(metric kv.tiers.g2.evicted_blocks) == 9 ]]

    # What is found again only: C finds 2 blocks of its prompt on the GPU; D finds 5, but then
    # the run ends before they are stored.
    works "${by_hand[@]}" --tier g2=1GiB --set tiers.store=second_use
    [[ $(metric kv.tiers.g2.stored_bytes) == $((2 * 2097152)) ]]
    [[ $(metric kv.tiers.g2.loads) == 0 ]]
    [[ $(metric kv.tiers.g2.declined_blocks) == 23 ]]

    # In chunks of three blocks: of A and C both, of B and D all three; with A's 2 blocks on the GPU
    # the second chunk and a third of the first are fetched.
    works "${by_hand[@]}" --tier g2=1GiB --set tiers.chunk_tokens=48
    [[ $(metric kv.tiers.g2.stored_bytes) == $((15 * 2097152)) ]]
    works "${by_hand[@]}" --tier g2=1GiB --set tiers.chunk_tokens=64 # then 4 of A's and 8 of B's
    [[ $(metric kv.tiers.g2.stored_bytes) == $((12 * 2097152)) ]]
    [[ $(metric kv.tiers.g2.hit_blocks) == $((2 + 3)) ]]

    # A GPU's real PCIe link takes far longer than 10 us for 32 tokens: nothing is even stored.
    works "${four[@]}" --tier g2=1GiB
    [[ $(metric kv.tiers.g2.stores) == 0 && $(metric kv.tiers.g2.declined_blocks) == 30 ]]
else
    echo "the rows were skipped: no sqlite3 here"
fi

# The only worker is not needed for a while: it stops at the first look, at 10 ms, and another one
# starts when the prompt comes again, which takes 1 ns.  The host memory that it had for itself went
# with it; what the node shares, and what lies on disks, it finds: 3 + 6 + 4 us, 7 more of a disk,
# and 12,582,912 bytes.
cat >resting.yaml <<'END'
overhead: 3us
block_overhead: 1us
nodes:
  - {workers: 2, link: 10GB/s, nic: 2GB/s, host: 10TB/s, host_latency: 4us,
     disk_read: 5TB/s, disk_write: 4TB/s, disk_latency: 7us}
END
printf '%s\n' \
    '{"timestamp": 0, "input_length": 100, "output_length": 1, "hash_ids": [1]}' \
    '{"timestamp": 100, "input_length": 100, "output_length": 1, "hash_ids": [1]}' >twice.jsonl
resting=("${four[@]}" --trace twice.jsonl --workers 2 --topology resting.yaml --planner load
    --set planner.min=0 --set planner.start=1 --set planner.every=10ms
    --set planner.cooldown=0s --set planner.startup=0)
if has_sqlite; then
    for tier in "g2=1GiB 0|1|0|40000" "g2=1GiB:node 96|1|14259|10000" "g3=1GiB 96|1|22517|10000"; do
        works "${resting[@]}" --tier "${tier% *}"
        [[ $(rows | tail -n 1 | cut -d '|' -f 2-5) == "${tier#* }" ]] || fail "$tier: $(rows)"
    done

    # Disks that take 125.8 ms to write the prompt: the worker drains until they have it, at 125.9
    # ms, and as no other may be up the prompt waits for 25.9 ms.  The host memory is gone then.
    sed 's/disk_write: 4TB/disk_write: 100MB/' resting.yaml >slow-disks.yaml
    works "${resting[@]}" --topology slow-disks.yaml --set planner.max=1 --tier g2=1GiB \
        --tier g3=1GiB
    [[ $(rows | tail -n 1) == "1|96|25899381|22517|10000|25931898" ]] || fail "$(rows)"
fi

# Two workers, each with a tier of its own, or one between them: only then the second one finds what
# the first has computed.
cat >>two.yaml <<'END'
overhead: 3us
nodes: [{workers: 2, link: 10GB/s, nic: 2GB/s, host: 10TB/s}]
END
two=("${four[@]}" --workers 2 --topology two.yaml --db :memory: --json two.json)
printf '%s\n' \
    '{"timestamp": 0, "input_length": 100, "output_length": 1, "hash_ids": [1]}' \
    '{"timestamp": 1, "input_length": 100, "output_length": 1, "hash_ids": [1]}' >four.jsonl
for share in worker:0.0 node:0.5 cluster:0.5; do
    works "${two[@]}" --tier "g2=1GiB:${share%:*}"
    [[ $(number two.json kv.block_hit_rate) == "${share#*:}" ]] || fail "$share: $(cat two.json)"
done

# What cannot be.
wrong="is no tier; it must be g2 (host memory), g3 (NVMe) or g4 (a store), a size in MiB, GiB or\
 TiB, and perhaps whose it is: g2=64GiB, g2=512GiB:node, g3=2TiB:worker, g4=1TiB:cluster"
for tier in g1=1GiB g2 g2=1 g2=0 g5=1GiB g4=1PiB g2=1GiB:all g2=; do
    refuses 2 "--tier: '$tier' $wrong" "${four[@]}" --tier "$tier"
done
refuses 1 "tiers.chunk_tokens (40) is no multiple of the tokens of a block (16)" "${four[@]}" \
    --tier g2=1GiB --set tiers.chunk_tokens=40
refuses 2 "--tier g2 is given twice; give it once" "${four[@]}" --tier g2=1GiB --tier g2=2GiB
refuses 2 "--tier g4: a store is everybody's; leave out who shares it, or say cluster" \
    "${four[@]}" --tier g4=1TiB:node
refuses 1 "--tier g2=22MiB is smaller than one request may be: 12 blocks of 2097152 bytes are\
 24MiB; give as much, or a smaller --max-model-len" "${four[@]}" --tier g2=22MiB
refuses 2 "--tier and --journal cannot be together: a journal has no place for what simulated \
links do" \
    "${four[@]}" --tier g2=1GiB --journal j
refuses 2 "--tier and --no-prefix-cache cannot be together: what cannot be found again is not\
 kept" "${four[@]}" --tier g2=1GiB --no-prefix-cache
refuses 1 "--tier g3: node 1 of the topology does not say disk_read and disk_write, the bandwidths\
 of its disks" "${four[@]}" --tier g3=1GiB --topology two.yaml
refuses 1 "--tier g4: the topology does not say store, the bandwidth of the object store" \
    "${four[@]}" --tier g4=1GiB --topology two.yaml

for idle in tiers.store=tinylfu tiers.store_below=all tiers.evict=lfu tiers.chunk_tokens=64 \
    router.tier_credit.g2=1; do
    refuses 2 "--set ${idle%=*} has no meaning without --tier TIER" "${four[@]}" --peers \
        --set "$idle"
done
refuses 2 "--set router.tier_credit.peers has no meaning without --peers" "${four[@]}" \
    --tier g2=1GiB --set router.tier_credit.peers=1

# In a file, and printed again; there what tiers are to do may wait for some.
printf 'tiers:\n  evict: lfu\n' >idle.yaml
works replay idle.yaml "${four[@]:1}" --db none
printf 'tiers:\n  levels: [g3=2TiB:node, g2=64GiB]\n' >some.yaml
works replay some.yaml --trace four.jsonl --device null --print-scenario
grep -q 'levels: g3=2TiB:node,g2=64GiB' out || fail "$(grep -A2 tiers: out)"
