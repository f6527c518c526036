#!/usr/bin/env bash
# Prompts from other workers' GPUs, by hand: the null device takes 10 us a pass, of 32 tokens at
# most, and there is no host time; a block of 16 tokens of llama-3.1-8b has 2,097,152 bytes of KV,
# and a worker has 12 of them.  Between the two workers 10,000 bytes move in a ns; a transfer has
# 3 us of overhead, 1 us for each block and two latencies of 4 us, and is asked for 1 ns before.
#
#   A  at 0 ms, 100 prompt tokens, on the first worker: four passes, 40 us.
#   B  at 1 ms, the same prompt, on the second: 6 blocks take 1 + 3,000 + 6,000 + 8,000 ns and
#      12,582,912 bytes, 1,259 ns; with a pass for the last 4 tokens that is 28,260 ns.
#
# usage: tests/cli/peers.sh DYNO
set -euo pipefail
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"

cat >two.yaml <<'END'
overhead: 3us
block_overhead: 1us
nodes: [{workers: 2, link: 10TB/s, link_latency: 4us, nic: 2GB/s, host: 5TB/s, host_latency: 4us}]
END
printf '%s\n' \
    '{"timestamp": 0, "input_length": 100, "output_length": 1, "hash_ids": [1]}' \
    '{"timestamp": 1, "input_length": 100, "output_length": 1, "hash_ids": [1]}' >twice.jsonl
two=(replay --trace twice.jsonl --device null --num-gpu-blocks-override 12 --max-model-len 192
    --max-num-batched-tokens 32 --max-num-seqs 8 --progress=false --workers 2)
by_hand=("${two[@]}" --topology two.yaml --peers)

# rows: of the last run.
rows() {
    sqlite3 runs.db 'SELECT id, worker, cached_tokens, pulled_tokens, onboard_ns, prefill_ns, e2e_ns
        FROM request WHERE run = (SELECT max(run) FROM request) ORDER BY id'
}

# tier LEVEL: of the last run.
tier() {
    sqlite3 runs.db "SELECT hit_blocks, loads, loaded_blocks, slow_blocks, lost_blocks FROM tier
        WHERE run = (SELECT max(id) FROM run) AND level = $1"
}

works "${by_hand[@]}" --json two.json
grep -qF '"tier": "peers"' two.json
[[ $(number two.json transfers.count) == 1 && $(number two.json transfers.bytes) == 12582912 ]]
grep -qE '^  peers +50.0 % +0.013 +0.018 +0$' out || fail "$(cat out)"
if ! has_sqlite; then
    echo "the rows were skipped: no sqlite3 here"
    exit 0
fi
rows >pulled
diff -u - pulled <<'END'
0|0|0|0|0|40000|40000
1|1|96|96|18260|10000|28260
END
[[ $(tier 1) == '6|1|6|0|0' ]]
works sql runs.db :tiers --csv
grep -q '^run 1,peers,50.0,' out || fail "$(cat out)"

# Without being asked to, and where links take longer than 30 us, it is computed again.
works "${two[@]}"
[[ $(rows | tail -n 1) == '1|1|0|0|0|40000|40000' && -z $(tier 1) ]]
works "${two[@]}" --peers
[[ $(rows | tail -n 1) == '1|1|0|0|0|40000|40000' && $(tier 1) == '0|0|0|6|0' ]]

# Host memory that both share is nearer by one latency, and slower by 1,258 ns: 15,517 ns.
works "${by_hand[@]}" --tier g2=1GiB:node
[[ $(rows | tail -n 1) == '1|1|96|0|15517|10000|25517' && $(tier 1) == '0|0|0|0|0' ]]
[[ $(tier 2) == '6|1|6|0|0' ]]

# What the first worker evicts for somebody else at that very instant it does not have any more
# when it is asked: 5 blocks come, after 1 + 3,000 + 5,000 + 8,000 + 1,049 ns, and 20 tokens are
# computed.
printf '%s\n' \
    '{"timestamp": 0, "input_length": 100, "output_length": 1, "hash_ids": [1]}' \
    '{"timestamp": 0.2, "input_length": 16, "output_length": 1, "hash_ids": [2]}' \
    '{"timestamp": 0.5, "input_length": 80, "output_length": 1, "hash_ids": [3]}' \
    '{"timestamp": 1, "input_length": 100, "output_length": 1, "hash_ids": [1]}' \
    '{"timestamp": 1, "input_length": 32, "output_length": 1, "hash_ids": [4]}' >five.jsonl
works "${by_hand[@]}" --trace five.jsonl
[[ $(rows | sed -n 4p) == '3|1|80|80|17050|10000|27050' && $(tier 1) == '5|1|5|0|1' ]]

# B comes while the first worker computes the third of its four passes, from 20 to 30 us, and wants
# what that computes: it is asked when that has ended, 5 us later, but not 1 ns.
printf '%s\n' \
    '{"timestamp": 0, "input_length": 100, "output_length": 1, "hash_ids": [1]}' \
    '{"timestamp": 0.025, "input_length": 100, "output_length": 1, "hash_ids": [1]}' >along.jsonl
works "${by_hand[@]}" --trace along.jsonl
[[ $(rows | tail -n 1) == '1|1|96|96|23259|10000|33259' && $(tier 1) == '6|1|6|0|0' ]]

# Where it computes another prompt meanwhile B need not wait for that.
printf '%s\n' \
    '{"timestamp": 0, "input_length": 100, "output_length": 1, "hash_ids": [1]}' \
    '{"timestamp": 0.1, "input_length": 16, "output_length": 1, "hash_ids": [2]}' \
    '{"timestamp": 0.995, "input_length": 64, "output_length": 1, "hash_ids": [3]}' \
    '{"timestamp": 1, "input_length": 100, "output_length": 1, "hash_ids": [1]}' >other.jsonl
works "${by_hand[@]}" --trace other.jsonl
[[ $(rows | tail -n 1) == '3|1|96|96|18260|10000|28260' && $(tier 1) == '6|1|6|0|0' ]]

# It dies 5 us after B came: nothing comes, and all is computed, from when that is noticed on.
works "${by_hand[@]}" --fault worker:0@1005us=dead
[[ $(rows | tail -n 1) == '1|1|0|0|5000|40000|45000' && $(tier 1) == '0|1|0|0|6' ]]
works "${by_hand[@]}" --fault worker:0@1005us=dead --set faults.notice=2us
[[ $(rows | tail -n 1) == '1|1|0|0|7000|40000|47000' ]]

# What is on its way waits while a link is down: the bytes go when it is mended.
works "${by_hand[@]}" --fault peer:0@1005us..2ms=down
[[ $(rows | tail -n 1) == '1|1|96|96|1001259|10000|1011259' ]]

# Or it is computed when it was to be there, which is when B came and 500 us; the 18,260 ns that it
# takes are in time, to the nanosecond.
down=(--fault "peer:0@1005us..2ms=down")
works "${by_hand[@]}" "${down[@]}" --set tiers.peer_deadline=500us
[[ $(rows | tail -n 1) == '1|1|0|0|500000|40000|540000' && $(tier 1) == '0|1|0|0|6' ]]
works "${by_hand[@]}" --set tiers.peer_deadline=18260ns
[[ $(rows | tail -n 1) == '1|1|96|96|18260|10000|28260' && $(tier 1) == '6|1|6|0|0' ]]
works "${by_hand[@]}" --set tiers.peer_deadline=18259ns
[[ $(rows | tail -n 1) == '1|1|0|0|18259|40000|58259' && $(tier 1) == '0|1|0|0|6' ]]

# What cannot be.
refuses 2 'tiers.peer_deadline has no meaning without --peers' \
    "${two[@]}" --set tiers.peer_deadline=1s
refuses 2 "--peers and --no-prefix-cache cannot be together: what cannot be found again is not\
 kept" \
    "${two[@]}" --peers --no-prefix-cache
refuses 2 "--peers and --journal cannot be together: a journal has no place for what simulated \
links do" \
    "${two[@]}" --peers --journal diary
refuses 2 "fleet.models and --peers cannot be together: simulated links are those of one model;\
 --device cpu has some for each" \
    replay --arrival poisson:1 --requests 1 --peers --models name=a:model=llama-3.1-8b \
    --models name=b:model=llama-3.1-8b
