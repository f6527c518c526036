/* A scenario: every option of a run as one plain struct, filled from defaults, an engine profile, a
 * YAML file, --set and flags, in that order, each value with its origin.  Texts that are "none" are
 * NULL; what "0: profile's" stands for is filled in by dyno_scenario_load.  The rows in
 * cli/scenario/option_rows.c are the only list: command line, file, --help, --print-scenario, the
 * database and the tests all read them. */
#ifndef DYNO_CLI_SCENARIO_SCENARIO_H
#define DYNO_CLI_SCENARIO_SCENARIO_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "core/base/options.h"
#include "core/base/time.h"
#include "reports/reports.h"

struct dyno_scenario {
    struct {
        uint64_t seed;           /* run.seed            --seed */
        const char *clock;       /* run.clock           --clock: virtual, wall */
        const char *device;      /* run.device          --device: sim, null, cpu, cuda, remote */
        const char *ends;        /* run.ends            --ends: recorded, model */
        dyno_ns sample_every_ns; /* run.sample_every: telemetry */
        dyno_ns duration_max_ns; /* run.duration_max: stop there; 0: never */
    } run;
    struct {
        const char *path;      /* trace.path          --trace */
        const char *format;    /* trace.format        --format */
        uint32_t block_tokens; /* trace.block_tokens: 0: the format's */
        uint64_t skip_bad;     /* trace.skip_bad      --skip-bad */
        uint32_t sort_window;  /* trace.sort_window */
        bool ignore_unknown;   /* trace.ignore_unknown */
        uint64_t skip;         /* trace.skip          --skip: pass over so many first */
        uint64_t requests;    /* trace.requests      --requests: at most; of a generator: exactly */
        uint32_t max_tokens;  /* trace.max_tokens */
        double speedup;       /* trace.speedup       --speedup */
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
        uint32_t prefix_depth,
            prefix_branches;       /* generate.prefix_depth, generate.prefix_branches */
        const char *session_turns; /* generate.session_turns */
        const char *turn_tokens;   /* generate.turn_tokens; NULL: as input_tokens */
        const char *think_time;    /* generate.think_time */
        const char *turn_gap;      /* generate.turn_gap; NULL: turns think */
        dyno_ns tick_ns;           /* generate.tick; 0: none */
        const char *tenants;       /* generate.tenants; NULL: none */
        const char *priorities;    /* generate.priorities; NULL: all are 0 */
    } generate;
    struct {
        const char *name;       /* model.name          --model: a name, or a path to config.json */
        const char *weights;    /* model.weights: bf16, fp8, int4 */
        const char *fp8_scales; /* model.fp8_scales: dynamic, static */
        const char *kv;         /* model.kv: bf16, fp8 */
    } model;
    struct {
        const char *gpu;       /* fleet.gpu           --gpu: a name, or a YAML file */
        uint32_t workers;      /* fleet.workers       --workers */
        const char *endpoints; /* fleet.endpoints    --worker: URLs, with commas between them */
        const char *models;    /* fleet.models       --models: NULL: one, by model.name */
        uint32_t tp;           /* fleet.tp            --tp */
        uint32_t threads;      /* fleet.threads       --threads: of a worker; 0: auto */
        const char *at;        /* fleet.at            --workers-at; NULL: in this process */
        const char *transport; /* fleet.transport: auto, shm, tcp */
        dyno_ns reconnect_ns;  /* fleet.reconnect: to those that are gone; 0: never */
        dyno_ns silence_ns;    /* fleet.silence: of those that hang; 0: for ever */
        bool expert_parallel;  /* fleet.expert_parallel */
    } fleet;
    struct {
        const char *policy;       /* disagg.policy       --disagg; NULL: every request is whole */
        uint32_t prefill;         /* disagg.prefill      --prefill: workers that compute prompts */
        uint32_t decode;          /* disagg.decode       --decode: workers that decode */
        const char *router;       /* disagg.router: among those that decode */
        dyno_ns deadline_ns;      /* disagg.deadline: to wait for blocks; 0: for ever */
        dyno_ns move_deadline_ns; /* disagg.move_deadline: for blocks on their way; 0: for ever */
        uint32_t move_retries;    /* disagg.move_retries */
        const char *style;        /* disagg.style: push, pull, both */
        const char *transfer;     /* disagg.transfer: push: whole, layers */
        dyno_ns hop_ns;           /* disagg.hop: pull: until the other worker is asked */
        dyno_ns fetch_block_ns;   /* disagg.fetch_block: pull: of a pass, for each block */
        dyno_ns piece_ns;         /* disagg.piece: of a block cut for an unequal split */
    } disagg;
    struct {
        const char *gpu;       /* prefill.gpu; NULL: fleet.gpu */
        uint32_t tp;           /* prefill.tp; 0: fleet.tp */
        const char *weights;   /* prefill.weights; same, bf16, fp8, int4 */
        uint32_t blocks;       /* prefill.blocks; 0: auto */
        const char *at;        /* prefill.at           --prefill-at; NULL: in this process */
        const char *transport; /* prefill.transport; auto, shm, tcp */
    } prefill;
    struct {
        const char *topology; /* links.topology       --topology; NULL: the GPU's own figures */
        const char *sharing;  /* links.sharing: fair, alone */
    } links;
    struct {
        const char *levels; /* tiers.levels         --tier: "g2=64GiB,g3=2TiB:node"; NULL: none */
        const char *store;  /* tiers.store: what the fastest of them takes ... */
        const char *store_below;  /* tiers.store_below: ... and those below it */
        const char *evict;        /* tiers.evict: what they give up first */
        uint32_t chunk_tokens;    /* tiers.chunk_tokens; 0: a block */
        bool peers;               /* tiers.peers          --peers: what other workers' GPUs hold */
        dyno_ns peer_deadline_ns; /* tiers.peer_deadline  0: as long as it takes */
        const char *file;         /* tiers.file: where g3 lies, for real; NULL: nowhere for long */
    } tiers;
    struct {
        const char *engine;        /* engine.profile       --engine */
        uint32_t batch_tokens_max; /* batch.tokens_max     --max-num-batched-tokens; 0: profile's */
        uint32_t seqs_max;         /* batch.seqs_max       --max-num-seqs; 0: profile's */
        uint32_t prefill_interval; /* batch.prefill_interval */
        uint32_t lookahead;        /* batch.lookahead */
        uint32_t steps_max;        /* batch.steps_max */
        uint32_t context_max;      /* batch.context_max    --max-model-len; 0: the model's */
        uint32_t queue_max;        /* batch.queue_max */
        double watermark;          /* batch.watermark; negative: profile's */
        const char *admission;     /* batch.admission: profile, pass, estimate, no-evict */
        const char *queue_order;   /* batch.queue_order: profile, fcfs, lpm */
        const char *reserve_prompt;   /* batch.reserve_prompt: profile, true, false */
        const char *async_scheduling; /* batch.async_scheduling: profile, true, false */
        bool mixed_chunk;             /* batch.mixed_chunk */
        const char *chunked_prefill;  /* batch.chunked_prefill: profile, true, false */
        double new_token_ratio;       /* batch.new_token_ratio; negative: profile's */
    } batch;
    struct {
        uint32_t block_tokens; /* kv.block_tokens          --block-size; 0: profile's */
        uint32_t blocks;       /* kv.blocks                --num-gpu-blocks-override; 0: derived */
        double memory_utilization; /* kv.memory_utilization --gpu-memory-utilization; negative:
                                      the engine's */
        bool prefix_cache;         /* kv.prefix_cache */
        const char *hit_when;      /* kv.hit_when: profile, scheduled, completed */
        bool bound_belady; /* kv.bound_belady: also compute the hit rate with perfect foresight */
    } kv;
    struct {
        const char *policy; /* router.policy       --router */
        const char *plugin; /* router.plugin       --policy: a shared object */
        const char *args;   /* router.args */
        double temperature; /* router.temperature */
        bool temperature_absolute;
        double overlap_credit, overlap_decay, prefill_load_scale,
            decode_request_weight; /* router.kv.* */
        bool track_prefill_tokens, track_active_blocks;
        double peer_credit;        /* router.tier_credit.peers */
        double tier_credit[3];     /* router.tier_credit.g2, g3, g4 */
        uint32_t session_replicas; /* router.session.replicas */
        bool session_sticky;       /* router.session.sticky */
        dyno_ns event_delay_ns;    /* router.event_delay */
        double event_loss;         /* router.event_loss */
        dyno_ns guess_ttl_ns;      /* router.approx.ttl */
        uint32_t guess_blocks_max; /* router.approx.size_max */
        uint32_t replicas;         /* router.replicas: routers over one fleet */
        const char *spread;        /* router.spread: turns, session */
        dyno_ns sync_delay_ns;     /* router.sync_delay; 0: never */
    } router;
    struct {
        const char *policy;           /* queue.policy */
        uint32_t busy_inflight;       /* queue.busy_inflight; 0: no threshold */
        uint64_t busy_prefill_tokens; /* queue.busy_prefill_tokens; 0: no threshold */
        double busy_kv;               /* queue.busy_kv; negative: no threshold */
        uint32_t count_max;           /* queue.depth_max */
        uint64_t tokens_max;          /* queue.tokens_max; 0: any */
        dyno_ns timeout_ns;           /* queue.timeout; 0: never */
        const char *classes;          /* queue.classes */
        uint32_t quantum;             /* queue.quantum: tokens */
        double output_cost;           /* queue.output_cost */
    } queue;
    struct {
        const char *policy;          /* planner.policy       --planner: none, static, load, ... */
        uint32_t budget_gpus;        /* planner.budget       --budget; 0: all */
        uint32_t workers_min;        /* planner.min */
        uint32_t workers_max;        /* planner.max: 0: all */
        uint32_t start;              /* planner.start: 0: as many as may be */
        dyno_ns every_ns;            /* planner.every */
        const char *startup;         /* planner.startup: a law of seconds */
        const char *change;          /* planner.change: likewise; NULL: as startup */
        double start_failure;        /* planner.start_failure */
        dyno_ns warmup_ns;           /* planner.warmup */
        uint32_t first_passes;       /* planner.first_passes */
        dyno_ns first_pass_extra_ns; /* planner.first_pass_extra */
        dyno_ns metric_delay_ns;     /* planner.metric_delay */
        double metric_loss;          /* planner.metric_loss */
        const char *predictor;       /* planner.predictor */
        uint32_t window;             /* planner.window: ticks */
        dyno_ns season_ns;           /* planner.season: 0: none */
        double queue_up, queue_down, use_up, use_down; /* planner.queue_up ... */
        double headroom;                               /* planner.headroom */
        dyno_ns cooldown_ns;                           /* planner.cooldown */
        bool regret;                                   /* planner.regret */
    } planner;
    struct {
        const char *list;        /* faults.list         --fault: "worker:2@120s=dead"; NULL: none */
        dyno_ns death_every_ns;  /* faults.death_every: mean, of a worker; 0: none are drawn */
        dyno_ns death_for_ns;    /* faults.death_for: mean; its place is broken; 0: it is not */
        dyno_ns stall_every_ns;  /* faults.stall_every; 0: none are drawn */
        dyno_ns stall_for_ns;    /* faults.stall_for */
        uint32_t stall_slowness; /* faults.stall_slowness; 0: frozen */
        dyno_ns link_every_ns;   /* faults.link_every; 0: none are drawn */
        dyno_ns link_for_ns;     /* faults.link_for */
        uint32_t link_slowness;  /* faults.link_slowness; 0: down */
        const char *restart;     /* faults.restart: a law of seconds */
        dyno_ns notice_ns;       /* faults.notice */
        uint32_t migrations_max; /* faults.migration_limit */
    } faults;
    struct {
        dyno_ns ttft_ns, tpot_ns, itl_ns, e2e_ns; /* slo.ttft ...   --slo ttft=2s,tpot=50ms */
    } slo;
    struct {
        bool energy;           /* cost.energy: report it, and costs */
        double idle_share;     /* cost.idle_share: of a GPU's limit, drawn by one that is up */
        double gpu_hour_price; /* cost.gpu_hour */
        double kwh_price;      /* cost.kwh */
    } cost;
    struct { /* gpu timing: negative: the GPU's default (sim/timing.c) */
        double gemm_flops_efficiency, gemm_memory_efficiency, prefill_attention_efficiency,
            decode_attention_efficiency, host_us, host_us_per_sequence, ingest_us,
            ingest_us_per_token, response_us;
        const char *calibration; /* timing.calibration  --calibration: a file made by dyno fit */
        const char *machine;     /* timing.machine      --machine: a file made by dyno calibrate */
        const char *host;        /* timing.host: whose host costs; "engine": the profile's */
    } timing;
    struct {
        const char *db;        /* output.db          --db */
        const char *json;      /* output.json        --json */
        const char *host_json; /* output.host_json   --host-json */
        const char *journal;   /* output.journal     --journal: for dyno rerun */
        const char *intervals; /* output.intervals   --intervals: "auto" or replicas */
        bool decisions;        /* output.decisions   --decisions: record candidates and scores */
        bool progress; /* output.progress    --progress / --no-progress: auto on a terminal */
    } output;
    struct {
        const char *address;    /* serve.address          --address */
        uint32_t port;          /* serve.port             --port: 0: any */
        const char *model_name; /* serve.model_name       --served-model-name; NULL: by model */
        const char *tls_certificate;     /* serve.tls_certificate  --ssl-certfile */
        const char *tls_key;             /* serve.tls_key          --ssl-keyfile */
        const char *cors_origin;         /* serve.cors_origin      --cors-origin */
        const char *api_keys;            /* serve.api_keys         --api-keys */
        bool vllm_metrics;               /* serve.vllm_metrics     --vllm-metrics */
        const char *record;              /* serve.record           --record */
        const char *record_salt_env;     /* serve.record_salt_env */
        uint64_t record_bytes_max;       /* serve.record_size_max: 0: without end */
        uint32_t record_files_max;       /* serve.record_files_max */
        uint64_t record_queue_bytes_max; /* serve.record_queue_max */
        uint64_t db_bytes_max;           /* serve.db_size_max: 0: without end */
        dyno_ns db_age_max_ns;           /* serve.db_age_max: 0: for ever */
        const char *log_level;           /* serve.log_level        --log-level */
        const char *log_format;          /* serve.log_format       --log-format */
        const char *worker_api_key_env;  /* serve.worker_api_key_env  --worker-api-key-env */
        dyno_ns health_every_ns;         /* serve.health_every */
        uint32_t health_failures;        /* serve.health_failures */
        uint32_t worker_retries;         /* serve.worker_retries */
        dyno_ns worker_silence_ns;       /* serve.worker_silence */
        uint32_t requests_max;           /* serve.requests_max: in flight and waiting */
        uint32_t connections_max;        /* serve.connections_max */
        uint64_t header_bytes_max;       /* serve.header_max */
        uint64_t body_bytes_max;         /* serve.body_max */
        uint64_t unsent_bytes_max;       /* serve.unsent_max */
        dyno_ns head_timeout_ns;         /* serve.head_timeout */
        dyno_ns idle_timeout_ns;         /* serve.idle_timeout */
        dyno_ns write_timeout_ns;        /* serve.write_timeout */
        dyno_ns grace_ns;                /* serve.grace */
    } serve;
};

/* What a scenario is loaded for. */
enum dyno_scenario_use { DYNO_USE_REPLAY = 1, DYNO_USE_SERVE = 2 };

/* Whether an option means something to `use`: by its section, with few exceptions. */
bool dyno_scenario_row_is_for(const struct dyno_option *row, enum dyno_scenario_use use);

/* What `use` takes where nothing is given, in words; "none": nothing. */
const char *dyno_scenario_row_default(const struct dyno_option *row, enum dyno_scenario_use use);

/* The rows, in the order of the sections, and what each section is about (NULL-name-terminated). */
struct dyno_scenario_section {
    const char *name, *help;
    unsigned uses; /* of DYNO_USE_: for whom its options mean something */
};

extern const struct dyno_option dyno_scenario_rows[];
extern const uint32_t dyno_scenario_row_count;
extern const struct dyno_scenario_section dyno_scenario_sections[];

#define DYNO_POLICY_PLUGIN "plugin" /* router.policy when router.plugin is given */

/* What a command line asks for. */
enum dyno_scenario_ask {
    DYNO_ASK_RUN,
    DYNO_ASK_HELP,  /* --help */
    DYNO_ASK_PRINT, /* --print-scenario */
};

/* Fill `scenario` from the defaults, a scenario file (the one argument that is no option), and
 * --set and flags, each over what came before; of two on the command line the later wins.  What
 * is then still the engine profile's takes the profile's value.  argv[0] is the command's name.
 *
 * On success the caller closes `options` (dyno_options_close) when the scenario is no longer
 * needed: the scenario's texts and the origin of every value live there; both structs stay where
 * they are until then.  On failure nothing is left to close, and `error` is one sentence.  With
 * DYNO_ASK_HELP nothing but the defaults was looked at; with DYNO_ASK_PRINT the scenario may lack
 * something to replay.  Errors: DYNO_BAD_INPUT, DYNO_NOT_FOUND, DYNO_IO, DYNO_NO_MEMORY. */
dyno_status dyno_scenario_load(struct dyno_scenario *scenario, struct dyno_options *options,
                               int argc, char **argv, enum dyno_scenario_ask *ask,
                               struct dyno_error *error);

/* The same scenario to serve: requests come from outside, so that what it says of a trace or a
 * generator is passed over in a file, and refused on the command line.  The clock is the wall's.
 * Unless somebody names the device it is the CPU; but where a GPU, or a model without weights, is
 * named, it is that GPU, simulated. */
dyno_status dyno_scenario_load_to_serve(struct dyno_scenario *scenario,
                                        struct dyno_options *options, int argc, char **argv,
                                        enum dyno_scenario_ask *ask, struct dyno_error *error);

/* Every option, its value and where it came from, as a scenario file (--print-scenario). */
void dyno_scenario_print(const struct dyno_options *options, FILE *out);

/* Only what somebody gave, and nothing of what a run leaves behind (output.*): a scenario to go on
 * with.  And the device, which is another one by default where a scenario is served, unless it is a
 * measured machine. */
void dyno_scenario_print_given(const struct dyno_options *options, FILE *out);

/* Every option as rows for a database: options->count of them, in the order of the rows; NULL when
 * memory is out.  Released by dyno_scenario_option_rows_free. */
struct dyno_run_option_row *dyno_scenario_option_rows(const struct dyno_options *options);
void dyno_scenario_option_rows_free(struct dyno_run_option_row *rows, uint32_t count);

#endif
