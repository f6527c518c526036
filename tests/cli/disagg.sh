#!/usr/bin/env bash
# Requests in halves, by hand: the null device takes 10 us a step and there is no host time; a
# token of llama-3.1-8b has 131,072 bytes of KV, and NVLink of an H100 moves 450 bytes a ns.
#
#   A  at 0 ms, 100 prompt tokens, 11 answer tokens.  The prefill worker's pass ends at 10 us; 7
#      blocks of 16 tokens are 14,680,064 bytes, 32,623 ns, beside an overhead of 20 us and two
#      latencies of 2 us: 56,623 ns.  Ten steps more: 166,623 ns.
#   B  at 1 ms, the same prompt, 1 answer token: the prefill worker, which has its 6 whole blocks,
#      yields it at 1010 us, and nothing is moved.
#   C  at 2 ms, the same prompt, 2 answer tokens: the decoding worker has the 6 blocks too, so one
#      is moved, 2,097,152 bytes, 4,661 ns: 28,661 ns.
#
# usage: tests/cli/disagg.sh DYNO
set -euo pipefail
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"

printf '%s\n' \
    '{"timestamp": 0, "input_length": 100, "output_length": 11, "hash_ids": [1]}' \
    '{"timestamp": 1, "input_length": 100, "output_length": 1, "hash_ids": [1]}' \
    '{"timestamp": 2, "input_length": 100, "output_length": 2, "hash_ids": [1]}' >three.jsonl
one=(replay --trace three.jsonl --device null --num-gpu-blocks-override 100 --progress=false)

# rows: of the last run.
rows() {
    sqlite3 runs.db 'SELECT id, worker, prefill_worker, cached_tokens, queue_ns, prefill_ns,
        transfer_ns, decode_ns, e2e_ns FROM request WHERE run = (SELECT max(run) FROM request)
        ORDER BY id'
}

works "${one[@]}" --disagg always --json always.json
[[ $(head -1 out) == "llama-3.1-8b on 2 x h100, vllm, round_robin, 1 prefill + 1 decode" ]]
[[ $(number always.json transfers.count) == 2 ]]
[[ $(number always.json transfers.bytes) == 16777216 ]]
if has_sqlite; then
    rows >always
    diff -u - always <<'END'
0|0|1|0|0|10000|56623|100000|166623
1|0|1|96|0|10000|0|0|10000
2|0|1|96|0|10000|28661|10000|48661
END
    sqlite3 runs.db 'SELECT request, kind, from_worker, to_worker, tokens, began_ns, wait_ns
        FROM transfer ORDER BY request' >moved
    diff -u - moved <<'END'
0|handoff|1|0|100|10000|56623
2|handoff|1|0|100|2010000|28661
END
    # Both went over the same two links, in the time that their bytes took; the first of them before
    # a sample.
    works "${one[@]}" --disagg always --sample-every 1ms --json links.json
    [[ $(number links.json links.count) == 2 ]]
    [[ $(number links.json links.fullest.bytes) == 16777216 ]]
    grep -qF '"name": "peer 0 in"' links.json
    grep -qF '2 in use, the fullest: peer 0 in' out
    sqlite3 runs.db 'SELECT name, l.bytes, l.busy_ns, at_ns, since_ns, s.bytes, s.busy_ns
        FROM link AS l JOIN link_sample AS s ON s.run = l.run AND s.link = l.number
        WHERE l.run = (SELECT max(id) FROM run) ORDER BY name' >links
    diff -u - links <<'END'
peer 0 in|16777216|37284|1000000|0|14680064|32623
peer 1 out|16777216|37284|1000000|0|14680064|32623
END
    # Pulled: the first token comes 10 us after the blocks; B, which has no other, as above.
    works "${one[@]}" --disagg always --set disagg.style=pull
    rows >pull
    diff -u - pull <<'END'
0|0|1|0|0|76623|0|100000|176623
1|0|1|96|0|10000|0|0|10000
2|0|1|96|0|48661|0|10000|58661
END
    # A hop of 5 us later.
    works "${one[@]}" --disagg always --set disagg.style=pull --set disagg.hop=5us
    [[ $(rows | head -1) == '0|0|1|0|0|81623|0|100000|181623' ]]
    # Prompts on two GPUs, in a node of their own: 14,680,064 bytes at 50 a ns are 293,602 ns,
    # beside 20 us, two NICs of 5 us, and a piece more for the keys and the values of 32 layers of
    # 7 blocks.
    works "${one[@]}" --disagg always --set prefill.tp=2
    [[ $(head -1 out) == *"on 2 x h100 + 1 x h100, vllm, round_robin, 1 prefill + 1 decode" ]]
    [[ $(rows | head -1) == '0|0|1|0|0|10000|771602|100000|881602' ]]
    works "${one[@]}" --disagg always --set prefill.tp=2 --set disagg.piece=0s
    [[ $(rows | head -1) == '0|0|1|0|0|10000|323602|100000|433602' ]]
    # Six blocks there: the prompt of seven is served whole.
    works "${one[@]}" --disagg always --set prefill.blocks=6
    [[ $(rows | head -1) == '0|0||0|0|10000|0|100000|110000' ]]
    # Whole requests, by a policy, and those of 96 tokens and fewer that are not cached.
    works "${one[@]}" --disagg never
    rows >never
    diff -u - never <<'END'
0|0||0|0|10000|0|100000|110000
1|0||96|0|10000|0|0|10000
2|0||96|0|10000|0|10000|20000
END
    works "${one[@]}" --disagg cached_threshold:4
    rows >cached
    diff -u - cached <<'END'
0|0|1|0|0|10000|56623|100000|166623
1|0||96|0|10000|0|0|10000
2|0||96|0|10000|0|10000|20000
END
else
    echo "the rows were skipped: no sqlite3 here"
fi

# With a planner a worker has the weights of its role: a prompt of 4,000 tokens is computed sooner
# by those in 8 bits, and the answer takes what it took.
prompt=(replay --arrival poisson:1 --requests 1 --input-tokens 4000 --output-tokens 20 --db none
        --intervals none --disagg always --model llama-3.1-8b --gpu h100)
for how in '' '--set prefill.weights=fp8' \
    '--set prefill.weights=fp8 --planner static --budget 2 --workers 3'; do
    read -ra words <<<"$how"
    works "${prompt[@]}" "${words[@]}" --json unlike.json
    number unlike.json ttft_ms.mean >>ttft
    number unlike.json tpot_ms.mean >>tpot
done
[[ $(sort -u tpot | wc -l) == 1 ]] || fail "answers by other weights: $(cat tpot)"
awk '{ ttft[NR] = $1 } END { exit !(ttft[2] < 0.8 * ttft[1] && ttft[3] == ttft[2]) }' ttft ||
    fail "prompts by the weights of their role: $(cat ttft)"

# Contradictions.
nothing=(replay --trace three.jsonl)
known='known are always, never, threshold:TOKENS, cached_threshold:TOKENS, load:TOKENS'
known+=', predicted'
refuses 2 "--workers and --disagg contradict each other: --prefill and --decode say how many there\
 are" \
    "${nothing[@]}" --disagg always --workers 4
refuses 2 "--prefill has no meaning without --disagg POLICY" "${nothing[@]}" --prefill 3
refuses 2 "--topology has no meaning without --disagg POLICY, --tier or --peers" \
    "${nothing[@]}" --topology two.yaml
refuses 2 "--set prefill.gpu has no meaning without --disagg POLICY" \
    "${nothing[@]}" --set prefill.gpu=h200
listed="\`dyno help models\` lists them, and a path to a YAML file will do"
refuses 1 "'unreal' is not a GPU that dyno knows; $listed" \
    "${nothing[@]}" --disagg always --set prefill.gpu=unreal
refuses 1 "disagg.style both needs disagg.deadline: blocks that wait for a prompt and a prompt\
 that waits for blocks would wait for ever" \
    "${nothing[@]}" --disagg always --set disagg.style=both
refuses 2 "--set disagg.transfer and --set disagg.style cannot be together: only what is pushed\
 has a place to go to while its prompt is computed" \
    "${nothing[@]}" --disagg always --set disagg.style=pull --set disagg.transfer=layers
refuses 2 "'sometimes' is no policy of serving requests in halves; $known" \
    "${nothing[@]}" --disagg sometimes
refuses 2 "'threshold' does not say how many tokens; $known" \
    "${nothing[@]}" --disagg threshold
refuses 2 "'threshold:x' does not end in a number of tokens; $known" \
    "${nothing[@]}" --disagg threshold:x
refuses 2 "--device and --disagg cannot be together: nothing moves KV between such workers; cpu,\
 cuda and sim can" \
    "${nothing[@]}" --disagg always --device remote
# A planner that has workers change their role.
refuses 2 "prefill.tp and --planner cannot be together: a planner moves GPUs from one role to\
 the other, and these are not alike" \
    "${nothing[@]}" --disagg always --planner static --set prefill.tp=2
refuses 2 "planner.start and --disagg contradict each other: --prefill and --decode say how\
 many of either role there are when the run begins" \
    "${nothing[@]}" --disagg always --planner static --set planner.start=1
refuses 2 "planner.min 0 and --disagg contradict each other: requests in halves need a worker of\
 either role; give planner.min 1 or more" \
    "${nothing[@]}" --disagg always --planner static --set planner.min=0
refuses 2 "--prefill 3 and --decode 2, with which the run begins, must be at least planner.min (1)\
 each and within the limits together: 4 workers" \
    "${nothing[@]}" --disagg always --prefill 3 --decode 2 --planner static --budget 4
refuses 2 "planner.budget (3 GPUs), planner.max and fleet.workers allow 3 workers of 1 GPUs each,\
 fewer than planner.min (2) of either role; raise them" \
    "${nothing[@]}" --disagg always --planner static --budget 3 --set planner.min=2 --workers 8
refuses 2 "--workers and --disagg contradict each other: --prefill and --decode say how many\
 there are" \
    "${nothing[@]}" --disagg always --prefill 3 --decode 2 --planner static --workers 4
refuses 2 "--journal and --disagg cannot be together: a journal has no place for what simulated \
links do" \
    "${nothing[@]}" --disagg always --journal j

# What was printed means the same again, with such workers and without.
works "${nothing[@]}" --disagg threshold:50 --prefill 2 --print-scenario
cp out printed.yaml
works replay printed.yaml --db :memory: --device null
[[ $(head -1 out) == "llama-3.1-8b on 3 x h100, vllm, round_robin, 2 prefill + 1 decode" ]]

# A topology of one's own: 3 us of overhead, 7 blocks of 1 us and 10 us of latency, then NICs of
# 1 GB/s.  C begins to move 2 ms after A, which has 12,680,064 bytes left then; C's 6 blocks are not
# there yet, so it moves all 7.  Halved, A takes 25,360,128 ns more, and C has 2,000,000 bytes left:
# both take 27,380,128 ns, and 14,700,064 where transfers do not share.
cat >slow.yaml <<'END'
overhead: 3us
block_overhead: 1us
switches: [{name: spine}, {name: rack, up: spine, bandwidth: 10GB/s}]
nodes:
  - {workers: 1, link: 10GB/s, nic: 2GB/s, nic_latency: 4us, switch: spine}
  - {workers: 1, link: 10GB/s, nic: 1GB/s, nic_latency: 6us, switch: rack}
END
if has_sqlite; then
    for sharing in 'fair 27380128 0 27380128' 'alone 14700064 0 14700064'; do
        works "${one[@]}" --disagg always --topology slow.yaml --set links.sharing="${sharing%% *}"
        [[ $(rows | cut -d '|' -f 7 | tr '\n' ' ') == "${sharing#* } " ]]
    done
fi

# bad WORDS TEXT: such a file is refused with these words.
bad() {
    printf '%s\n' "$2" >bad.yaml
    if "$dyno" "${one[@]}" --disagg always --topology bad.yaml >out 2>err; then
        fail "this topology was taken: $2"
    fi
    grep -qF "$1" err || fail "$(cat err): not $1"
}
node='{workers: 2, link: 1GB/s, nic: 1GB/s}'
bad "line 1, column 17: no count: '0'; it must be a whole number" 'nodes: [{count: 0, workers: 2}]'
bad "there is no key 'nic'; it is required here" 'nodes: [{workers: 2, link: 1GB/s}]'
bad "unknown key 'nics'; did you mean nic?" 'nodes: [{workers: 2, link: 1GB/s, nics: 1GB/s}]'
bad "no bandwidth: '1GB'; it must be from 1MB/s" 'nodes: [{workers: 2, link: 1GB, nic: 1GB/s}]'
bad "no bandwidth: '0B/s'" 'nodes: [{workers: 2, link: 0B/s, nic: 1GB/s}]'
bad "no switch is called 'spin'; did you mean spine?" 'switches: [{name: spine}]
nodes: [{workers: 2, link: 1GB/s, nic: 1GB/s, switch: spin}]'
bad 'node 1 of the file is at no switch' "{switches: [{name: spine}], nodes: [$node]}"
bad 'the topology has places for 1 workers, but the fleet has 2' \
    'nodes: [{workers: 1, link: 1GB/s, nic: 1GB/s}]'
bad "a second switch 'a'" 'switches: [{name: a}, {name: a}]'
bad 'there are no nodes' 'overhead: 1us'
bad "key 'nodes'; it is given twice" "{nodes: [$node], nodes: [$node]}"
bad "key 'switches'; it is given twice" "{switches: [], switches: [], nodes: [$node]}"
bad "key 'overhead'; it is given twice" "{overhead: 1us, overhead: 2us, nodes: [$node]}"
bad "unknown key 'node'; known keys are overhead" "{node: [$node]}"
bad 'switch spine is the top: there is no link above it for a bandwidth or a latency' \
    "{switches: [{name: spine, bandwidth: 1GB/s}], nodes: [$node]}"
bad 'the topology has places for 100000000 workers: 1000000 are the most' \
    'nodes: [{count: 100000, workers: 1000, link: 1GB/s, nic: 1GB/s}]'
bad 'no time:' 'overhead: 2s'
bad 'a mapping' '- 1'
bad 'did not find expected node content' '{nodes: ['
refuses 1 "the topology 'absent.yaml' cannot be opened: No such file or directory" \
    "${one[@]}" --disagg always --topology absent.yaml
