/* A scenario: every option of a run as one plain struct, filled from defaults, an engine profile, a
 * YAML file, --set and flags, in that order, each value with its origin.  The rows in
 * cli/scenario_rows.c are the only list: command line, file, --help, --print-scenario, the database
 * and the tests all read them. */
#ifndef DYNO_CLI_SCENARIO_H
#define DYNO_CLI_SCENARIO_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/time.h"

struct dyno_scenario {
    struct {
        uint64_t seed;       /* run.seed            --seed */
        const char *clock;   /* run.clock           --clock: virtual, wall */
        const char *device;  /* run.device          --device: sim, null */
        dyno_ns sample_every_ns; /* run.sample_every: telemetry */
        dyno_ns duration_max_ns; /* run.duration_max: stop there; 0: never */
    } run;
    struct {
        const char *path;    /* trace.path          --trace */
        const char *format;  /* trace.format        --format */
        uint32_t block_tokens; /* trace.block_tokens: 0: the format's */
        uint64_t skip_bad;   /* trace.skip_bad      --skip-bad */
        uint32_t sort_window; /* trace.sort_window */
        uint64_t requests;   /* trace.requests      --requests: at most; of a generator: exactly */
        uint32_t max_tokens; /* trace.max_tokens */
        double speedup;      /* trace.speedup       --speedup */
        uint32_t concurrency; /* trace.concurrency  --concurrency: closed loop over a trace */
        uint32_t inflight_max; /* trace.max_concurrency  --max-concurrency */
    } trace;
    struct {
        const char *arrival;       /* generate.arrival        --arrival */
        const char *input_tokens;  /* generate.input_tokens   --input-tokens */
        const char *output_tokens; /* generate.output_tokens  --output-tokens */
        dyno_ns duration_ns;       /* generate.duration       --duration */
        uint32_t prefix_groups;    /* generate.prefix_groups */
        const char *prefix_tokens; /* generate.prefix_tokens */
        double prefix_zipf;        /* generate.prefix_zipf */
        uint32_t prefix_depth, prefix_branches; /* generate.prefix_depth, generate.prefix_branches */
        uint32_t session_turns;    /* generate.session_turns */
        const char *think_time;    /* generate.think_time */
    } generate;
    struct {
        const char *name;    /* model.name          --model: a name, or a path to config.json */
        const char *weights; /* model.weights: bf16, fp8, int4 */
        const char *kv;      /* model.kv: bf16, fp8 */
    } model;
    struct {
        const char *gpu;     /* fleet.gpu           --gpu: a name, or a YAML file */
        uint32_t workers;    /* fleet.workers       --workers */
        uint32_t tp;         /* fleet.tp            --tp */
        bool expert_parallel; /* fleet.expert_parallel */
    } fleet;
    struct {
        const char *engine;        /* engine.profile       --engine */
        uint32_t batch_tokens_max; /* batch.tokens_max     --max-num-batched-tokens; 0: profile's */
        uint32_t seqs_max;         /* batch.seqs_max       --max-num-seqs; 0: profile's */
        uint32_t steps_max;        /* batch.steps_max */
        uint32_t context_max;      /* batch.context_max    --max-model-len; 0: the model's */
        uint32_t queue_max;        /* batch.queue_max */
        double watermark;          /* batch.watermark; negative: profile's */
        const char *chunked_prefill; /* batch.chunked_prefill: profile, true, false */
        double new_token_ratio;    /* batch.new_token_ratio; negative: profile's */
    } batch;
    struct {
        uint32_t block_tokens; /* kv.block_tokens          --block-size; 0: profile's */
        uint32_t blocks;       /* kv.blocks                --num-gpu-blocks-override; 0: derived */
        double memory_utilization; /* kv.memory_utilization --gpu-memory-utilization */
        bool prefix_cache;     /* kv.prefix_cache */
        const char *hit_when;  /* kv.hit_when: profile, scheduled, completed */
        bool bound_belady;     /* kv.bound_belady: also compute the hit rate with perfect foresight */
    } kv;
    struct {
        const char *policy;  /* router.policy       --router */
        const char *plugin;  /* router.plugin       --policy: a shared object */
        const char *args;    /* router.args */
        double temperature;  /* router.temperature */
        bool temperature_absolute;
        double overlap_credit, overlap_decay, prefill_load_scale, decode_request_weight; /* router.kv.* */
        bool track_prefill_tokens, track_active_blocks;
        uint32_t session_replicas; /* router.session.replicas */
        dyno_ns event_delay_ns; /* router.event_delay */
        double event_loss;      /* router.event_loss */
        dyno_ns guess_ttl_ns;   /* router.approx.ttl */
        uint32_t guess_blocks_max; /* router.approx.size_max */
    } router;
    struct {
        dyno_ns ttft_ns, tpot_ns, itl_ns, e2e_ns; /* slo.ttft ...   --slo ttft=2s,tpot=50ms */
    } slo;
    struct { /* gpu timing: negative: the GPU's default (sim/timing.c) */
        double gemm_flops_efficiency, gemm_memory_efficiency, prefill_attention_efficiency,
            decode_attention_efficiency, host_us, host_us_per_sequence, ingest_us,
            ingest_us_per_token, response_us;
    } timing;
    struct {
        const char *db;        /* output.db          --db */
        const char *json;      /* output.json        --json */
        const char *host_json; /* output.host_json   --host-json */
        bool decisions;        /* output.decisions   --decisions: record candidates and scores */
        bool progress;         /* output.progress    --progress / --no-progress: auto on a terminal */
    } output;
};

#endif
