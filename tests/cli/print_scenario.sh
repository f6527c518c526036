#!/usr/bin/env bash
# --print-scenario: every option, its value and where it came from, as a file that reads back.
#
# usage: tests/cli/print_scenario.sh DYNO
set -euo pipefail

dyno=$(readlink -f "$1")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

cat >fleet.yaml <<'END'
# Layers: this file goes over the defaults, the command line over this file.
fleet: {gpu: h200, workers: 4}
router:
  policy: kv
  kv: {overlap_credit: 0.5}
END

"$dyno" replay fleet.yaml --trace "it's a trace.jsonl" --workers 8 --engine sglang \
    --slo ttft=2s,tpot=50ms --set batch.steps_max=1 --no-progress --json - --print-scenario >printed

diff -u - printed <<'END'
run:
  seed: 1                                    # default
  clock: virtual                             # default
  device: sim                                # default
  ends: recorded                             # default
  sample_every: 1s                           # default
  duration_max: never                        # default
trace:
  path: 'it''s a trace.jsonl'                # --trace
  format: auto                               # default
  block_tokens: format                       # default
  skip_bad: 0                                # default
  sort_window: 1024                          # default
  ignore_unknown: false                      # default
  skip: 0                                    # default
  requests: all                              # default
  max_tokens: recorded                       # default
  speedup: 1                                 # default
  concurrency: none                          # default
  max_concurrency: none                      # default
generate:
  arrival: none                              # default
  input_tokens: 1024                         # default
  output_tokens: 128                         # default
  duration: none                             # default
  prefix_groups: none                        # default
  prefix_tokens: 512                         # default
  prefix_zipf: 1                             # default
  prefix_depth: 0                            # default
  prefix_branches: 2                         # default
  session_turns: 1                           # default
  turn_tokens: same                          # default
  think_time: 0                              # default
  turn_gap: none                             # default
  tick: none                                 # default
  tenants: none                              # default
  priorities: none                           # default
model:
  name: llama-3.1-8b                         # default
  weights: bf16                              # default
  fp8_scales: dynamic                        # default
  kv: bf16                                   # default
fleet:
  gpu: h200                                  # fleet.yaml:2
  workers: 8                                 # --workers
  endpoints: none                            # default
  models: none                               # default
  tp: 1                                      # default
  threads: auto                              # default
  at: here                                   # default
  transport: auto                            # default
  reconnect: 1min                            # default
  silence: 10s                               # default
  expert_parallel: false                     # default
disagg:
  policy: none                               # default
  prefill: 1                                 # default
  decode: 1                                  # default
  router: least_loaded                       # default
  deadline: none                             # default
  move_deadline: none                        # default
  move_retries: 1                            # default
  style: push                                # default
  transfer: whole                            # default
  hop: 0s                                    # default
  fetch_block: 0s                            # default
  piece: 1us                                 # default
prefill:
  gpu: same                                  # default
  tp: same                                   # default
  weights: same                              # default
  blocks: auto                               # default
  at: here                                   # default
  transport: auto                            # default
links:
  topology: none                             # default
  sharing: fair                              # default
tiers:
  levels: none                               # default
  store: all                                 # default
  store_below: all                           # default
  evict: lru                                 # default
  chunk_tokens: block                        # default
  peers: false                               # default
  peer_deadline: none                        # default
  file: none                                 # default
engine:
  profile: sglang                            # --engine
batch:
  tokens_max: 8192                           # engine profile sglang, by the GPU
  seqs_max: 1024                             # engine profile sglang, by the GPU
  prefill_interval: 1                        # default
  lookahead: 0                               # default
  steps_max: 1                               # --set
  context_max: model                         # default
  queue_max: none                            # default
  watermark: 0                               # engine profile sglang
  chunked_prefill: true                      # engine profile sglang
  mixed_chunk: false                         # default
  admission: estimate                        # engine profile sglang
  queue_order: fcfs                          # engine profile sglang
  reserve_prompt: false                      # engine profile sglang
  async_scheduling: true                     # engine profile sglang
  new_token_ratio: 0.7                       # engine profile sglang
kv:
  block_tokens: 1                            # engine profile sglang
  blocks: auto                               # default
  memory_utilization: 0.906                  # engine profile sglang, by the GPU
  prefix_cache: true                         # default
  hit_when: completed                        # engine profile sglang
  bound_belady: true                         # default
router:
  policy: kv                                 # fleet.yaml:4
  plugin: none                               # default
  args: ''                                   # default
  temperature: 0                             # default
  temperature_absolute: false                # default
  event_delay: 0s                            # default
  event_loss: 0                              # default
  kv:
    overlap_credit: 0.5                      # fleet.yaml:5
    overlap_decay: 0                         # default
    prefill_load_scale: 1                    # default
    decode_request_weight: 0                 # default
    track_prefill_tokens: true               # default
    track_active_blocks: true                # default
  tier_credit:
    peers: 0                                 # default
    g2: 0.75                                 # default
    g3: 0.25                                 # default
    g4: 0.25                                 # default
  session:
    replicas: 64                             # default
    sticky: false                            # default
  approx:
    ttl: 2min                                # default
    size_max: 1048576                        # default
  replicas: 1                                # default
  spread: turns                              # default
  sync_delay: none                           # default
queue:
  policy: fcfs                               # default
  busy_inflight: none                        # default
  busy_prefill_tokens: none                  # default
  busy_kv: none                              # default
  depth_max: 100000                          # default
  tokens_max: none                           # default
  timeout: 10min                             # default
  classes: '-1:4,0:2,1:1'                    # default
  quantum: 2048                              # default
  output_cost: 0                             # default
planner:
  policy: none                               # default
  budget: all                                # default
  min: 1                                     # default
  max: all                                   # default
  start: max                                 # default
  every: 10s                                 # default
  startup: 60                                # default
  change: startup                            # default
  start_failure: 0                           # default
  warmup: 30s                                # default
  first_passes: 0                            # default
  first_pass_extra: 0s                       # default
  metric_delay: 0s                           # default
  metric_loss: 0                             # default
  predictor: arima                           # default
  window: 16                                 # default
  season: none                               # default
  queue_up: 4                                # default
  queue_down: 0.5                            # default
  use_up: 0.8                                # default
  use_down: 0.4                              # default
  headroom: 0.8                              # default
  cooldown: 2min                             # default
  regret: false                              # default
faults:
  list: none                                 # default
  death_every: none                          # default
  death_for: 0s                              # default
  stall_every: none                          # default
  stall_for: 10s                             # default
  stall_slowness: frozen                     # default
  link_every: none                           # default
  link_for: 10s                              # default
  link_slowness: down                        # default
  restart: 60                                # default
  notice: 0s                                 # default
  migration_limit: 3                         # default
slo:
  ttft: 2s                                   # --slo ttft
  tpot: 50ms                                 # --slo tpot
  itl: none                                  # default
  e2e: none                                  # default
cost:
  energy: false                              # default
  idle_share: 0.15                           # default
  gpu_hour: 0                                # default
  kwh: 0                                     # default
timing:
  calibration: none                          # default
  gemm_flops_efficiency: auto                # default
  gemm_memory_efficiency: auto               # default
  prefill_attention_efficiency: auto         # default
  decode_attention_efficiency: auto          # default
  machine: none                              # default
  host: engine                               # default
  host_us: auto                              # default
  host_us_per_sequence: auto                 # default
  ingest_us: auto                            # default
  ingest_us_per_token: auto                  # default
  response_us: auto                          # default
output:
  db: runs.db                                # default
  json: '-'                                  # --json
  host_json: none                            # default
  journal: none                              # default
  intervals: auto                            # default
  decisions: false                           # default
  progress: false                            # --no-progress
serve:
  address: 127.0.0.1                         # default
  port: 8000                                 # default
  model_name: model                          # default
  tls_certificate: none                      # default
  tls_key: none                              # default
  cors_origin: none                          # default
  api_keys: none                             # default
  vllm_metrics: false                        # default
  record: none                               # default
  record_salt_env: none                      # default
  record_size_max: 1GiB                      # default
  record_files_max: 10                       # default
  record_queue_max: 64MiB                    # default
  db_size_max: 1GiB                          # default
  db_age_max: none                           # default
  log_level: warning                         # default
  log_format: text                           # default
  worker_api_key_env: none                   # default
  health_every: 2s                           # default
  health_failures: 3                         # default
  worker_retries: 2                          # default
  worker_silence: 10min                      # default
  requests_max: 16384                        # default
  connections_max: 16384                     # default
  header_max: 64KiB                          # default
  body_max: 16MiB                            # default
  unsent_max: 4MiB                           # default
  head_timeout: 30s                          # default
  idle_timeout: 2min                         # default
  write_timeout: 30s                         # default
  grace: 30s                                 # default
END

# Fed back, the values are the same; only where they came from is not.
"$dyno" replay printed --print-scenario >again
diff -u <(sed 's/ *# .*//' printed) <(sed 's/ *# .*//' again)
if [[ $(grep -c ': ' again) -ne $(grep -c '# printed:[0-9]*$' again) ]]; then
    echo "a value of a printed scenario does not come from it"
    exit 1
fi

# A file with nothing in it is the defaults; standard input is a file, too.
"$dyno" replay --print-scenario >defaults
echo '# nothing' | "$dyno" replay - --print-scenario | diff -u defaults -
echo 'fleet: {workers: 3}' | "$dyno" replay - --print-scenario >piped
grep -q '^  workers: 3  *# standard input:1$' piped

# How much vLLM takes at once follows the GPU; where workers, or models, are on unlike ones each has
# its own, and what is said wins over both.  Fed back, the fleet is the same.
limits_are() {
    local expected=$1
    shift
    "$dyno" replay "$@" --print-scenario >printed
    "$dyno" replay printed --print-scenario >again
    diff -u <(sed 's/ *# .*//' printed) <(sed 's/ *# .*//' again)
    sed -n '/^batch:/,/^kv:/s/^  \(tokens\|seqs\)_max: *\([^ ]*\) *# /\2 /p' printed >limits
    diff -u <(printf '%b\n' "$expected") limits
}
limits_are '8192 engine profile vllm, by the GPU\n1024 engine profile vllm, by the GPU' --gpu h100
limits_are '2048 engine profile vllm, by the GPU\n256 engine profile vllm, by the GPU' --gpu a100
limits_are '64 --max-num-batched-tokens\n64 engine profile vllm, by the GPU' --gpu h100 \
    --max-num-batched-tokens 64
each="profile engine profile vllm, by each worker's GPU"
limits_are "$each\\n$each" --gpu h100 --disagg always --set prefill.gpu=l40s
limits_are "$each\\n$each" --models name=a:gpu=h200,name=b:gpu=l40s
limits_are '8192 engine profile vllm, by the GPU\n1024 engine profile vllm, by the GPU' \
    --models name=a:gpu=h200,name=b:gpu=h100
limits_are '8192 engine profile trtllm\n2048 engine profile trtllm' --gpu l40s --engine trtllm
limits_are '8192 engine profile vllm\n256 engine profile vllm' --device null
printf '%s\n' 'name: mine' 'like: h100' 'memory: 69GiB' >mine.yaml
limits_are '2048 engine profile vllm, by the GPU\n256 engine profile vllm, by the GPU' \
    --gpu ./mine.yaml

# Names that users of Dynamo look for are understood, and printed as our own.
printf '%s\n' 'planner: {policy: load, interval: 7s}' \
    'router: {kv: {temperature: 0.25}}' >known.yaml
"$dyno" replay known.yaml --print-scenario >printed
grep -q '^  every: 7s  *# known.yaml:1$' printed
grep -q '^  temperature: 0.25  *# known.yaml:2$' printed
"$dyno" replay --set router.kv.temperature=0.5 --print-scenario >printed
grep -q '^  temperature: 0.5  *# --set$' printed
if printf 'planner: {policy: load, interval: 7s, every: 8s}' | "$dyno" replay - --print-scenario \
    2>said; then
    echo "one option under both its names was taken" >&2
    exit 1
fi
grep -q "key 'planner.every' stands here again" said
