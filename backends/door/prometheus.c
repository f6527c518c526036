#include "backends/door/prometheus.h"

#include "backends/door/memory_text.h"
#include "backends/door/prometheus_parts.h"

/* What every worker tells, one family each. */
enum worker_number {
    RUNNING,
    WAITING,
    GENERATED,
    PROMPT,
    CACHED,
    PREEMPTIONS,
    WORKER_NUMBERS,
};

static uint64_t number_of(const struct dyno_worker_telemetry *worker, enum worker_number which)
{
    switch (which) {
    case RUNNING:
        return worker->latest.running;
    case WAITING:
        return worker->latest.waiting;
    case GENERATED:
        return worker->latest.tokens_out;
    case PROMPT:
        return worker->prompt_tokens;
    case CACHED:
        return worker->cached_tokens;
    case PREEMPTIONS:
        return worker->preemptions;
    case WORKER_NUMBERS:
        break;
    }
    return 0;
}

static void put_worker_numbers(FILE *out, const struct dyno_telemetry *telemetry)
{
    static const struct {
        const char *name, *type, *help;
    } families[WORKER_NUMBERS] = {
        [RUNNING] = {"dyno_requests_running", "gauge", "Requests that a worker computes."},
        [WAITING] = {"dyno_requests_waiting", "gauge", "Requests in a worker's queue."},
        [GENERATED] = {"dyno_worker_generated_tokens_total", "counter",
                       "Tokens that a worker has generated."},
        [PROMPT] = {"dyno_prompt_tokens_total", "counter",
                    "Prompt tokens of requests that ended after a worker had begun them."},
        [CACHED] = {"dyno_cached_prompt_tokens_total", "counter",
                    "Of dyno_prompt_tokens_total, those that were found in the KV cache."},
        [PREEMPTIONS] = {"dyno_preemptions_total", "counter",
                         "How often requests that ended were set back to make room."},
    };

    for (uint32_t which = 0; which < WORKER_NUMBERS; which++) {
        dyno_lines_family(out, families[which].name, families[which].type, families[which].help);
        for (uint32_t i = 0; i < telemetry->worker_count; i++) {
            const struct dyno_worker_telemetry *worker = &telemetry->workers[i];

            dyno_lines_count(out, families[which].name, DYNO_LABELS({"worker", worker->name}),
                             number_of(worker, which));
        }
    }
}

/* Of a worker's blocks in one tier. */
static void put_blocks(FILE *out, const char *worker, uint32_t level, const uint64_t blocks[3])
{
    static const char *const states[] = {"used", "idle", "free"};
    char tier[16];

    (void)snprintf(tier, sizeof tier, "g%u", level);
    for (size_t i = 0; i < 3; i++) {
        dyno_lines_count(out, "dyno_kv_blocks",
                         DYNO_LABELS({"worker", worker}, {"tier", tier}, {"state", states[i]}),
                         blocks[i]);
    }
}

static void put_worker_kv(FILE *out, const struct dyno_worker_telemetry *worker)
{
    const struct dyno_sample_record *latest = &worker->latest;
    uint64_t taken = (uint64_t)latest->blocks_used + latest->blocks_idle;

    put_blocks(out, worker->name, 1,
               (uint64_t[]){latest->blocks_used, latest->blocks_idle,
                            latest->blocks_total > taken ? latest->blocks_total - taken : 0});
    for (uint32_t i = 0; i < latest->tier_count; i++) {
        const struct dyno_tier_sample *tier = &latest->tiers[i];

        taken = (uint64_t)tier->blocks_moving + tier->blocks_kept;
        put_blocks(out, worker->name, tier->level,
                   (uint64_t[]){tier->blocks_moving, tier->blocks_kept,
                                tier->blocks_total > taken ? tier->blocks_total - taken : 0});
    }
}

static void put_kv(FILE *out, const struct dyno_telemetry *telemetry)
{
    dyno_lines_family(out, "dyno_kv_blocks", "gauge",
                      "KV blocks by state: used by requests, idle with contents that may be hit, "
                      "free.");
    for (uint32_t i = 0; i < telemetry->worker_count; i++) {
        put_worker_kv(out, &telemetry->workers[i]);
    }
    dyno_lines_family(out, "dyno_kv_block_tokens", "gauge", "Tokens that a KV block holds.");
    dyno_lines_count(out, "dyno_kv_block_tokens", DYNO_NO_LABELS, telemetry->block_tokens);
    if (telemetry->block_bytes > 0) {
        dyno_lines_family(out, "dyno_kv_block_bytes", "gauge", "Size of a KV block.");
        dyno_lines_count(out, "dyno_kv_block_bytes", DYNO_NO_LABELS, telemetry->block_bytes);
    }
}

static void put_busy(FILE *out, const struct dyno_telemetry *telemetry)
{
    dyno_lines_family(out, "dyno_worker_busy_seconds_total", "counter",
                      "Time that a worker has spent in passes.");
    for (uint32_t i = 0; i < telemetry->worker_count; i++) {
        const struct dyno_worker_telemetry *worker = &telemetry->workers[i];

        dyno_lines_real(out, "dyno_worker_busy_seconds_total",
                        DYNO_LABELS({"worker", worker->name}),
                        (double)worker->latest.busy_ns / 1e9);
    }
}

static void put_requests(FILE *out, const struct dyno_telemetry *telemetry)
{
    dyno_lines_family(out, "dyno_requests_received_total", "counter",
                      "Requests to generate that have arrived.");
    dyno_lines_count(out, "dyno_requests_received_total", DYNO_NO_LABELS, telemetry->received);
    dyno_lines_family(out, "dyno_requests_ended_total", "counter",
                      "Requests that have ended, by how.");
    for (uint32_t i = 0; i < DYNO_END_COUNT; i++) {
        dyno_lines_count(out, "dyno_requests_ended_total",
                         DYNO_LABELS({"outcome", dyno_end_word(i)}), telemetry->ends[i]);
    }
    dyno_lines_family(out, "dyno_requests_in_flight", "gauge",
                      "Requests that have arrived and not ended.");
    dyno_lines_count(out, "dyno_requests_in_flight", DYNO_NO_LABELS,
                     dyno_telemetry_in_flight(telemetry));
    dyno_lines_family(out, "dyno_generated_tokens_total", "counter",
                      "Tokens of answers, as the door saw them.");
    dyno_lines_count(out, "dyno_generated_tokens_total", DYNO_NO_LABELS, telemetry->output_tokens);
}

static void put_door(FILE *out, const struct dyno_telemetry *telemetry)
{
    dyno_lines_family(out, "dyno_connections_open", "gauge", "Connections of clients.");
    dyno_lines_count(out, "dyno_connections_open", DYNO_NO_LABELS, telemetry->connections);
    dyno_lines_family(out, "dyno_http_responses_total", "counter",
                      "Responses to any path, by status.");
    for (int status = 100; status < DYNO_HTTP_STATUSES; status++) {
        char code[16];

        if (telemetry->answers[status] > 0) {
            (void)snprintf(code, sizeof code, "%d", status);
            dyno_lines_count(out, "dyno_http_responses_total", DYNO_LABELS({"code", code}),
                             telemetry->answers[status]);
        }
    }
}

static void put_durations(FILE *out, const struct dyno_telemetry *telemetry)
{
    const struct {
        const char *name, *help;
        const struct dyno_ladder *ladder;
    } rows[] = {
        {"dyno_request_read_seconds", "From a whole request to its being posted to the fleet.",
         &telemetry->read},
        {"dyno_request_to_loop_seconds",
         "From a request's being posted until the loop took it: the loop's thread had to come.",
         &telemetry->to_loop},
        {"dyno_first_token_in_fleet_seconds",
         "From there until the fleet told its first token: queue, batch and device.",
         &telemetry->in_fleet},
        {"dyno_first_token_to_door_seconds",
         "From there until the door heard of it: the door's thread had to come.",
         &telemetry->to_door},
        {"dyno_time_to_first_byte_seconds",
         "From a whole request to the first bytes of its stream in the kernel.",
         &telemetry->first_byte},
        {"dyno_time_to_first_token_seconds", "From arrival to the first token.", &telemetry->ttft},
        {"dyno_inter_token_latency_seconds", "From one token of an answer to the next.",
         &telemetry->itl},
        {"dyno_time_per_output_token_seconds",
         "A completed request's decode time over its tokens but the first.", &telemetry->tpot},
        {"dyno_request_duration_seconds", "From arrival to the last token; completed requests.",
         &telemetry->e2e},
        {"dyno_request_queue_seconds", "Ready and not yet begun; completed requests.",
         &telemetry->queue},
        {"dyno_request_prefill_seconds", "From the begin to the first token; completed requests.",
         &telemetry->prefill},
        {"dyno_request_decode_seconds", "From the first to the last token; completed requests.",
         &telemetry->decode},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        dyno_lines_ladder(out, rows[i].name, rows[i].help, DYNO_NO_LABELS, rows[i].ladder, DYNO_S);
    }
    dyno_lines_ladder(out, "dyno_request_prompt_tokens", "Prompt tokens of completed requests.",
                      DYNO_NO_LABELS, &telemetry->prompt_length, 1);
    dyno_lines_ladder(out, "dyno_request_generated_tokens",
                      "Generated tokens of completed requests.", DYNO_NO_LABELS,
                      &telemetry->output_length, 1);
}

/* One line of each role: "serve", or "decode" and "prefill". */
static void put_planner_counts(FILE *out, const struct dyno_plan_telemetry *plan)
{
    static const char *const states[] = {"ready", "starting", "draining"};

    dyno_lines_family(out, "dyno_planner_workers", "gauge",
                      "Workers by state, as the planner saw them last.");
    for (uint32_t i = 0; i < DYNO_PLAN_ROLES; i++) {
        const struct dyno_plan_record *latest = &plan->latest[i];
        const uint32_t counts[] = {latest->ready, latest->starting, latest->draining};

        for (uint32_t j = 0; plan->ticked[i] && j < sizeof counts / sizeof counts[0]; j++) {
            dyno_lines_count(out, "dyno_planner_workers",
                             DYNO_LABELS({"state", states[j]}, {"role", latest->role}), counts[j]);
        }
    }
    dyno_lines_family(out, "dyno_planner_workers_desired", "gauge",
                      "Workers that the planner wants, with why it wanted no other number.");
    for (uint32_t i = 0; i < DYNO_PLAN_ROLES; i++) {
        const struct dyno_plan_record *latest = &plan->latest[i];

        if (plan->ticked[i]) {
            dyno_lines_count(out, "dyno_planner_workers_desired",
                             DYNO_LABELS({"reason", latest->reason}, {"role", latest->role}),
                             latest->desired);
        }
    }
}

/* Of a fleet whose size is decided while it serves, once it was decided for the first time. */
static void put_planner(FILE *out, const struct dyno_telemetry *telemetry)
{
    const struct dyno_plan_telemetry *plan = &telemetry->plan;
    const struct dyno_plan_record *latest = &plan->latest[0], *last;

    if (!telemetry->has_planner || !plan->ticked[0]) {
        return;
    }
    put_planner_counts(out, plan);
    dyno_lines_family(out, "dyno_planner_requests_per_second", "gauge",
                      "Requests since the planner's last look, and to come by its forecast.");
    dyno_lines_real(out, "dyno_planner_requests_per_second", DYNO_LABELS({"of", "now"}),
                    latest->rate);
    dyno_lines_real(out, "dyno_planner_requests_per_second", DYNO_LABELS({"of", "forecast"}),
                    latest->forecast_rate);
    dyno_lines_family(out, "dyno_planner_changes_total", "counter",
                      "How often the planner wanted another number of workers.");
    dyno_lines_count(out, "dyno_planner_changes_total", DYNO_NO_LABELS, plan->change_count);
    if (plan->change_count > 0) {
        last = &plan->changes[(plan->change_count - 1) % DYNO_PLAN_CHANGES_KEPT];
        dyno_lines_family(out, "dyno_planner_last_change_seconds", "gauge",
                          "The uptime at which it last did, and why.");
        dyno_lines_real(out, "dyno_planner_last_change_seconds",
                        DYNO_LABELS({"reason", last->reason}), (double)last->at / 1e9);
    }
}

dyno_status dyno_prometheus_write(const struct dyno_telemetry *telemetry, dyno_ns now,
                                  bool vllm_names, char **text, size_t *size)
{
    struct dyno_memory_text memory;
    FILE *out;

    DYNO_TRY(dyno_memory_text_open(&memory));
    out = memory.file;
    dyno_lines_family(out, "dyno_build_info", "gauge", "1, with what is served by what.");
    dyno_lines_count(out, "dyno_build_info",
                     DYNO_LABELS({"version", telemetry->version}, {"model", telemetry->model}), 1);
    dyno_lines_family(out, "dyno_uptime_seconds", "gauge", "Time since the start.");
    dyno_lines_real(out, "dyno_uptime_seconds", DYNO_NO_LABELS, (double)now / 1e9);
    put_requests(out, telemetry);
    put_door(out, telemetry);
    put_worker_numbers(out, telemetry);
    put_busy(out, telemetry);
    put_kv(out, telemetry);
    put_planner(out, telemetry);
    put_durations(out, telemetry);
    if (telemetry->gpus) {
        dyno_prometheus_gpus(out, telemetry->gpus);
    }
    if (vllm_names) {
        dyno_prometheus_vllm(out, telemetry);
    }
    return dyno_memory_text_take(&memory, text, size);
}
