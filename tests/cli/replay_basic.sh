#!/usr/bin/env bash
# `dyno replay` on a trace of two requests, whose every number can be computed by hand: the null
# device takes 10 us a step and there is no host time.
#
#   A  at 0 ms, 100 prompt tokens, 11 answer tokens: its first comes at 10 us, its last at 110 us.
#   B  at 1 ms, the same prompt, 1 answer token: at 1010 us.  Of its 100 tokens 6 whole blocks of 16
#      are found, 96 tokens.
#
# usage: tests/cli/replay_basic.sh DYNO
set -euo pipefail
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"

printf '%s\n' \
    '{"timestamp": 0, "input_length": 100, "output_length": 11, "hash_ids": [1]}' \
    '{"timestamp": 1, "input_length": 100, "output_length": 1, "hash_ids": [1]}' >two.jsonl

works replay --trace two.jsonl --device null --num-gpu-blocks-override 100 --slo ttft=9us,e2e=1ms \
    --json two.json --host-json host.json

# The table, as far as it does not depend on the model.  Of 2 values p50 is the smaller, the others
# are the larger, each by the middle of its bucket.
sed -n '1,15p' out >table
diff -u - table <<'END'
llama-3.1-8b on 1 x h100, vllm, round_robin
───────────────────────────────────────────

Requests        2 completed, 0 rejected, 0 cancelled, 0 failed
                200 input tokens (mean 100), 12 output tokens (mean 6)
                1 ms simulated

Latency, ms          mean      p50      p90      p95      p99      max        n
  TTFT              0.010    0.010    0.010    0.010    0.010    0.010        2
  ITL               0.010    0.010    0.010    0.010    0.010    0.010       10
  TPOT              0.010    0.010    0.010    0.010    0.010    0.010        1
  E2E               0.060    0.010    0.110    0.110    0.110    0.110        2

Where time goes  mean, ms   of e2e
  ingest             0.00    0.0 %
END
says out 'Throughput      1,980 requests/s, 198,020 input tokens/s, 11,881 output tokens/s' \
    '                within ttft <= 9us, e2e <= 1ms' \
    'KV cache        hit rate 48.0 % of prompt tokens, 50.0 % of whole prompt blocks' \
    '                in use   n/a of 100 blocks, 0 evicted, 0 preemptions'

# The summary.  2 requests in 1010 us are 1980.198 a second; busy are 11 + 1 steps of 10 us; one GPU
# for 1010 us is 0.00101 / 3600 hours.  Nobody's first token comes within 9 us.
flat two.json >numbers
says numbers 'trace.requests 2' 'trace.input_tokens 200' 'trace.output_tokens 12' \
    'requests.completed 2' 'requests.rejected 0' 'requests.cancelled 0' 'requests.failed 0' \
    'ttft_ms.count 2' 'ttft_ms.mean 0.01' 'ttft_ms.std 0.0' 'ttft_ms.min 0.01' 'ttft_ms.max 0.01' \
    'itl_ms.count 10' 'itl_ms.mean 0.01' 'itl_ms.std 0.0' 'itl_ms.max 0.01' \
    'tpot_ms.count 1' 'tpot_ms.mean 0.01' \
    'e2e_ms.count 2' 'e2e_ms.mean 0.06' 'e2e_ms.std 0.05' 'e2e_ms.min 0.01' 'e2e_ms.max 0.11' \
    'phases_ms.queue.mean 0.0' 'phases_ms.prefill.mean 0.01' 'phases_ms.decode.mean 0.05' \
    'throughput.requests_per_s 1980.1980198' 'throughput.input_tokens_per_s 198019.80198' \
    'throughput.output_tokens_per_s 11881.1881188' \
    'goodput.requests_per_s 0.0' 'goodput.fraction 0.0' 'goodput.per_gpu 0.0' \
    'kv.token_hit_rate 0.48' 'kv.block_hit_rate 0.5' 'kv.unbounded_hit_rate 0.5' \
    'kv.evicted_blocks 0' 'kv.preemptions 0' \
    'fleet.workers 1' 'fleet.gpus 1' 'fleet.gpu_hours 2.80555555556e-7' \
    'fleet.busy_fraction 0.118811881188' 'fleet.kv_use null' 'duration_s 0.00101'
for histogram in ttft_ms itl_ms tpot_ms e2e_ms; do
    for key in count mean std min p50 p90 p95 p99 max; do
        number two.json "$histogram.$key" >/dev/null
    done
done
number two.json fleet.mfu >/dev/null
number two.json fleet.mbu >/dev/null

# Facts of this machine are elsewhere, and only there.
for key in wall_s requests_per_wall_s peak_rss_bytes; do
    number host.json "$key" >/dev/null
    if grep -q "$key" two.json; then
        fail "$key is in the summary"
    fi
done
grep -Eq '^[0-9.]+ s on this machine: [0-9]+ requests/s, [0-9]+ MiB at most$' err

# The database: one run, every stamp (and behind them the parts: client_wait, ingest,
# prefill, ttft, e2e, transfer, decode, onboard, queue), every option.
"$dyno" runs runs.db >list
grep -Eq '^  1  finished +2 +0.01 .* 48.0 %  llama-3.1-8b on 1 x h100, vllm, round_robin$' list
if has_sqlite; then
    sqlite3 runs.db >rows <<'END'
SELECT run, id, outcome, worker, prefill_worker, session, tenant, priority, prompt_tokens,
       output_tokens, cached_tokens, preemptions FROM request ORDER BY id;
SELECT scheduled_ns, arrival_ns, held_ns, ready_ns, admitted_ns, first_token_ns, last_token_ns,
       client_wait_ns, ingest_ns, queue_ns, prefill_ns, transfer_ns, decode_ns, ttft_ns, e2e_ns
FROM request ORDER BY id;
SELECT id, status, substr(command, 1, 46) FROM run;
SELECT value, origin FROM run_option WHERE name = 'kv.blocks';
SELECT outcome, requests FROM run_outcome;
SELECT count(*) FROM sample;
SELECT sum(ingest_ns + queue_ns + onboard_ns + prefill_ns + transfer_ns + decode_ns - e2e_ns)
    FROM request;
END
    diff -u - rows <<'END'
1|0|0|0||||0|100|11|0|0
1|1|0|0||||0|100|1|96|0
0|0|0|0|0|10000|110000|0|0|0|10000|0|100000|10000|110000
1000000|1000000|0|1000000|1000000|1010000|1010000|0|0|0|10000|0|0|10000|10000
1|finished|dyno replay --trace two.jsonl --device null --
100|--num-gpu-blocks-override
completed|2
0
0
END
else
    echo "the rows were skipped: no sqlite3 here"
fi

# A second run goes beside the first; with :memory: nothing is kept.
works replay --trace two.jsonl --device null --num-gpu-blocks-override 100
"$dyno" runs runs.db >list
grep -Eq '^  2  finished +2 ' list
mkdir empty
(cd empty && works replay --trace ../two.jsonl --device null --db :memory:)
[[ $(ls empty) == $'err\nout' ]] || fail "--db :memory: left $(ls empty)"

# A look at the worker every millisecond: one, at 1 ms, when B has just come and waits for its pass.
works replay --trace two.jsonl --device null --num-gpu-blocks-override 100 --sample-every 1ms \
    --db looks.db
if has_sqlite; then
    looks=$(sqlite3 looks.db 'SELECT at_ns, running, waiting, blocks_total, tokens_out FROM sample')
    [[ $looks == '1000000|0|1|100|11' ]] || fail "not one look at 1 ms: $looks"
fi

# Decisions, when asked for: who was chosen and what the router believed.
works replay --trace two.jsonl --device null --num-gpu-blocks-override 100 --router kv --workers 2 \
    --decisions --db decisions.db
if has_sqlite; then
    decisions=$(sqlite3 decisions.db 'SELECT request, at_ns, overlap_blocks FROM decision')
    [[ $decisions == $'0|0|0\n1|1000000|6' ]] || fail "decisions: $decisions"
    [[ $(sqlite3 decisions.db 'SELECT count(*) FROM decision_candidate') == 4 ]]
fi
