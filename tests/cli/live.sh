#!/usr/bin/env bash
# Runs for real: a small model of random weights on this machine's processor.  Nothing here depends
# on how fast it is.
#
# usage: tests/cli/live.sh DYNO
set -euo pipefail
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"

works model random --like llama-3.1-8b --layers 2 --hidden 64 --heads 4 --kv-heads 2 --head-dim 16 \
    --intermediate 128 --vocab 512 --context 512 --dtype f32 -o tiny.gguf
works model random --like qwen3-0.6b --layers 2 --hidden 64 --heads 4 --kv-heads 2 --head-dim 16 \
    --intermediate 128 --vocab 512 --context 512 -o tiny
load=(--arrival poisson:200 --requests 60 --input-tokens "uniform:20,200"
      --output-tokens "uniform:2,20" --set generate.prefix_groups=3
      --set generate.prefix_tokens=64)

# Every request ends, with as many tokens as the same load has when it is simulated; and prompts
# that share identities share blocks.
works replay "${load[@]}" --device null --db none --json simulated.json
for model in tiny.gguf tiny; do
    works replay "${load[@]}" --device cpu --model "$model" --threads 2 --db live.db \
        --json live.json --journal journal
    for key in requests.completed trace.input_tokens trace.output_tokens; do
        [[ $(number live.json $key) == $(number simulated.json $key) ]] ||
            fail "$model: $key is $(number live.json $key), not $(number simulated.json $key)"
    done
    grep -Eq 'Fleet +1 worker on this machine.s cpu' out
    works rerun journal
    grep -q '^The same' out
done
awk -v hits="$(number live.json kv.token_hit_rate)" 'BEGIN { exit !(hits > 0.3) }' ||
    fail "prompts that share 64 tokens hit $(number live.json kv.token_hit_rate) of them"

# The shortest command line of all computes something: its load fits the model that comes along.
works replay --device cpu --arrival poisson:100 --requests 3 --db none --json short.json
[[ $(number short.json requests.completed) == 3 &&
    $(number short.json trace.input_tokens) == 768 ]] ||
    fail "of load as it is by default $(number short.json requests.completed) requests completed"

# A trace, which brings its own lengths.
works trace synth -o trace.jsonl --arrival poisson:200 --requests 10 --input-tokens uniform:20,200 \
    --output-tokens uniform:2,20 --prefix-groups 2 --prefix-tokens 64 --block-tokens 16
works replay --device cpu --trace trace.jsonl --model tiny --db none --json trace.json
[[ $(number trace.json requests.completed) == 10 ]] ||
    fail "of a trace of 10 requests $(number trace.json requests.completed) completed"

# A model that ends by itself, several workers, preemption in a small cache.
works replay "${load[@]}" --device cpu --model tiny --threads 1 --workers 2 --router kv --db none \
    --ends model --json ends.json
works replay "${load[@]}" --device cpu --model tiny --threads 1 --db none --set kv.blocks=40 \
    --json small.json --journal journal
[[ $(number small.json requests.completed) == 60 ]] || fail "a small cache lost requests"
works rerun journal

# Measure, simulate what was measured, and compare.
works calibrate --model tiny --threads 1 --rounds 5 --pause 10ms --tier-file kv.blocks \
    -o machine.json
[[ ! -e kv.blocks ]] || fail 'the file of KV that was measured stayed'
grep -Eq '"idle_ns": \[\[1, [0-9]+\], \[2, ' machine.json || fail "no pauses: $(cat machine.json)"
works replay "${load[@]}" --machine machine.json --model tiny --db none
grep -Fq 'tiny on 1 x measured cpu' out
works validate --machine machine.json "${load[@]}" --db validation.db --repeats 2 \
    --json validation.json
for name in TTFT TPOT E2E; do
    grep -Eq "^$name +mean" out || fail "validate says nothing of $name: $(cat out)"
done
[[ $(grep -c "another live run's:" out) == 3 ]] || fail "not how far the machine is from itself"
grep -Eq '^decode, right behind a prompt +[1-9]' out || fail "no passes: $(cat out)"
for key in ttft_ms.error.count tpot_ms.requests e2e_ms.requests; do
    [[ $(number validation.json $key) == 60 ]] ||
        fail "$key is $(number validation.json $key) of 60 requests"
done
[[ $(number validation.json ttft_ms.live_run_error.count) == 120 ]] ||
    fail "two live runs of 60 requests are not 120"
if has_sqlite; then
    [[ $(sqlite3 validation.db 'select count(*), count(distinct id) from validation_error') == \
        '120|60' ]] ||
        fail "validation_error has not every request of both live runs"
    [[ $(sqlite3 validation.db "select count(*) from run where command like 'dyno replay %'") == \
        3 ]] ||
        fail "runs do not say what repeats them"
fi
works validate --machine=machine.json "${load[@]}" --db none --repeats=1
grep -q 'not known of one live run' out || fail "one live run is taken for more: $(cat out)"

# Measured between the live runs: the same kind of file, which serves again.
works validate --calibrate between.json --model tiny --threads 1 --rounds 5 "${load[@]}" \
    --repeats 2 --db between.db --json between-1.json
[[ $(number between-1.json ttft_ms.live_run_error.count) == 120 ]] || fail "$(cat between-1.json)"
[[ $(number between.json threads) == 1 ]] || fail "what was measured: $(cat between.json)"
works validate --machine between.json "${load[@]}" --db none --repeats 1 --json between-2.json
[[ $(number between-1.json ttft_ms.mean.simulated) == \
    $(number between-2.json ttft_ms.mean.simulated) ]] || fail "the file is not what was measured"
if has_sqlite; then
    [[ $(sqlite3 between.db "select count(*) from run
        where command like '%--machine between.json%'") == 1 ]] ||
        fail "the simulated run does not say what repeats it"
fi

# A worker of two ranks is another machine.
works calibrate --model tiny --threads 2 --tp 2 --rounds 5 --pause 10ms -o ranks.json
grep -q '"tp": 2' ranks.json || fail "no ranks: $(cat ranks.json)"
works replay "${load[@]}" --machine ranks.json --db none
works validate --machine ranks.json "${load[@]}" --db none --repeats 1
refuses 2 "--tp is 2, and machine.json was measured with 1; \
\`dyno calibrate --tp 2 -o FILE\` measures such a worker" \
    replay "${load[@]}" --machine machine.json --tp 2 --db none

refuses 2 '--device and --clock contradict each other: what computes takes its time' \
    replay --device cpu --clock virtual "${load[@]}"
refuses 2 '--gpu and --device contradict each other: no GPU is simulated' \
    replay --device cpu --gpu h100 "${load[@]}"
for words in "" "--arrival poisson:5 --requests 5"; do
    # shellcheck disable=SC2086
    refuses 2 "validate needs --machine FILE, which \`dyno calibrate -o FILE\` makes, or \
--calibrate FILE, which makes one while it validates" validate $words
done
refuses 2 '--machine FILE says what was measured and --calibrate FILE measures: leave one out' \
    validate --machine machine.json --calibrate other.json "${load[@]}"
refuses 2 "--calibrate measures CPUs between live runs, and --device is 'null'; \
\`dyno calibrate\` measures a GPU" \
    validate --calibrate other.json --device null "${load[@]}"
refuses 2 "validate.calibrate: nothing can be written into the folder of absent/other.json: \
No such file or directory" \
    validate --calibrate absent/other.json "${load[@]}"
refuses 2 '--calibrate needs a value: FILE' validate "${load[@]}" --calibrate
refuses 1 "none of 0 requests completed in every run: there is nothing to compare; \
do prompts and answers fit the model's context?" validate --machine machine.json \
    --arrival poisson:0.0001 --requests 1 --db none --repeats 1 --duration-max 1ms
# Where no request fits, nobody waits for the last of them: here an hour.
for at in 0 3600000; do
    printf '{"timestamp": %d, "input_length": 5000, "output_length": 1, "hash_ids": [%s]}\n' \
        $at "$(seq -s, 10)"
done >long.jsonl
for words in --device=cpu --clock=wall; do
    refuses 1 'no request fits: the shortest prompt has 5000 tokens, and a worker takes 255 at'\
' most and one of the answer (batch.context_max, kv.blocks); ask shorter ones, or a model with'\
' more context' replay $words --trace long.jsonl --max-model-len 256 --db none
done
works replay --trace long.jsonl --max-model-len 256 --db none # which takes no time
refuses 2 "--repeats: '0' is not a whole number from 1 to 100" \
    validate --machine machine.json "${load[@]}" --repeats 0
refuses 2 "--journal is of one run, and validate makes several; \
\`dyno replay --device cpu\` writes it" \
    validate --machine machine.json "${load[@]}" --journal x
refuses 2 'calibrate needs a file to write: -o FILE' calibrate
refuses 2 '-o: nothing can be written into the folder of absent/x.json: No such file or directory' \
    calibrate -o absent/x.json
if ! "$dyno" doctor --require cuda >/dev/null 2>&1; then
    "$dyno" calibrate --device cuda --model tiny -o x >out 2>err && fail "a GPU was measured"
    grep -Eq 'this build has no CUDA device|CUDA' err || fail "$(cat err)"
fi
refuses 2 "--threads: '0' is not a whole number from 1 to 256, or 'auto'" calibrate --threads 0 -o x
refuses 2 "--pause: '1ms' is not a duration from 10ms to 10s (units: ns, us, ms, s, min, h)" \
    calibrate --pause 1ms -o x
refuses 2 "--device: 'gpu' is not one of cpu, cuda; did you mean 'cpu'?" calibrate --device gpu -o x
refuses 2 "unknown option '--round'; did you mean '--rounds'?" calibrate --round 9 -o x
printf '{"dyno_machine": 1, "model": "tiny", "device": "cpu", "threads": 1, "rows_ns": [[2, 1]]}' \
    >bad.json
refuses 2 'bad.json: yields_ns: expected 1 to 32 pairs [count, nanoseconds]' \
    replay "${load[@]}" --machine bad.json --model tiny --db none
for words in replay validate 'replay --print-scenario'; do
    # shellcheck disable=SC2086 # several words
    refuses 2 "the machine none.json cannot be read: No such file or directory; \`dyno calibrate\
 -o FILE\` measures one" $words "${load[@]}" --machine none.json --db none
done
