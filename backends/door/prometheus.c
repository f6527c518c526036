#include "backends/door/prometheus.h"

#include <stddef.h>

#include "backends/door/memory_text.h"
#include "backends/door/prometheus_parts.h"

#define AT(field) offsetof(struct dyno_telemetry, field)

/* What every worker tells, one family each. */
enum worker_number {
    RUNNING,
    WAITING,
    GENERATED,
    PROMPT,
    CACHED,
    ONBOARDED,
    PULLED,
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
    case ONBOARDED:
        return worker->onboarded_tokens;
    case PULLED:
        return worker->pulled_tokens;
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
        [ONBOARDED] = {"dyno_onboarded_prompt_tokens_total", "counter",
                       "Of dyno_cached_prompt_tokens_total, those that came from lower tiers."},
        [PULLED] = {"dyno_pulled_prompt_tokens_total", "counter",
                    "Of dyno_cached_prompt_tokens_total, those that came from other workers."},
        [PREEMPTIONS] = {"dyno_preemptions_total", "counter",
                         "How often requests that ended were set back to make room."},
    };

    for (uint32_t which = 0; which < WORKER_NUMBERS; which++) {
        dyno_lines_family(out, families[which].name, families[which].type, families[which].help);
        for (uint32_t i = 0; i < telemetry->worker_count; i++) {
            const struct dyno_worker_telemetry *worker = &telemetry->workers[i];

            dyno_lines_count(out, families[which].name,
                             DYNO_LABELS({"model", worker->model}, {"worker", worker->name}),
                             number_of(worker, which));
        }
    }
}

/* Of a worker's blocks in one tier. */
static void put_blocks(FILE *out, const struct dyno_worker_telemetry *worker, uint32_t level,
                       const uint64_t blocks[3])
{
    static const char *const states[] = {"used", "idle", "free"};
    char tier[16];

    (void)snprintf(tier, sizeof tier, "g%u", level);
    for (size_t i = 0; i < 3; i++) {
        dyno_lines_count(out, "dyno_kv_blocks",
                         DYNO_LABELS({"model", worker->model}, {"worker", worker->name},
                                     {"tier", tier}, {"state", states[i]}),
                         blocks[i]);
    }
}

static void put_worker_kv(FILE *out, const struct dyno_worker_telemetry *worker)
{
    const struct dyno_sample_record *latest = &worker->latest;
    uint64_t taken = (uint64_t)latest->blocks_used + latest->blocks_idle;

    put_blocks(out, worker, 1,
               (uint64_t[]){latest->blocks_used, latest->blocks_idle,
                            latest->blocks_total > taken ? latest->blocks_total - taken : 0});
    for (uint32_t i = 0; i < latest->tier_count; i++) {
        const struct dyno_tier_sample *tier = &latest->tiers[i];

        taken = (uint64_t)tier->blocks_moving + tier->blocks_kept;
        put_blocks(out, worker, tier->level,
                   (uint64_t[]){tier->blocks_moving, tier->blocks_kept,
                                tier->blocks_total > taken ? tier->blocks_total - taken : 0});
    }
}

/* Where they are known for all models. */
static void put_block_bytes(FILE *out, const struct dyno_telemetry *telemetry)
{
    const char *model;

    for (uint32_t i = 0; i < dyno_telemetry_parts(telemetry); i++) {
        if (dyno_telemetry_part(telemetry, i, &model)->block_bytes == 0) {
            return;
        }
    }
    dyno_lines_family(out, "dyno_kv_block_bytes", "gauge", "Size of a KV block.");
    for (uint32_t i = 0; i < dyno_telemetry_parts(telemetry); i++) {
        const struct dyno_telemetry *part = dyno_telemetry_part(telemetry, i, &model);

        dyno_lines_count(out, "dyno_kv_block_bytes", DYNO_LABELS({"model", model}),
                         part->block_bytes);
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
    put_block_bytes(out, telemetry);
}

static void put_busy(FILE *out, const struct dyno_telemetry *telemetry)
{
    dyno_lines_family(out, "dyno_worker_busy_seconds_total", "counter",
                      "Time that a worker has spent in passes.");
    for (uint32_t i = 0; i < telemetry->worker_count; i++) {
        const struct dyno_worker_telemetry *worker = &telemetry->workers[i];

        dyno_lines_real(out, "dyno_worker_busy_seconds_total",
                        DYNO_LABELS({"model", worker->model}, {"worker", worker->name}),
                        (double)worker->latest.busy_ns / 1e9);
    }
}

/* What was sent away before it was known which of several models it asked for has no model. */
static void put_received(FILE *out, const struct dyno_telemetry *telemetry)
{
    uint64_t rest = telemetry->received;
    const char *model;

    dyno_lines_family(out, "dyno_requests_received_total", "counter",
                      "Requests to generate that have arrived.");
    for (uint32_t i = 0; i < dyno_telemetry_parts(telemetry); i++) {
        const struct dyno_telemetry *part = dyno_telemetry_part(telemetry, i, &model);

        dyno_lines_count(out, "dyno_requests_received_total", DYNO_LABELS({"model", model}),
                         part->received);
        rest -= part->received;
    }
    if (telemetry->model_count > 0) {
        dyno_lines_count(out, "dyno_requests_received_total", DYNO_NO_LABELS, rest);
    }
}

static void put_ended(FILE *out, const struct dyno_telemetry *telemetry, uint32_t how)
{
    uint64_t rest = telemetry->ends[how];
    const char *model;

    for (uint32_t i = 0; i < dyno_telemetry_parts(telemetry); i++) {
        const struct dyno_telemetry *part = dyno_telemetry_part(telemetry, i, &model);

        dyno_lines_count(out, "dyno_requests_ended_total",
                         DYNO_LABELS({"model", model}, {"outcome", dyno_end_word(how)}),
                         part->ends[how]);
        rest -= part->ends[how];
    }
    if (telemetry->model_count > 0) {
        dyno_lines_count(out, "dyno_requests_ended_total",
                         DYNO_LABELS({"outcome", dyno_end_word(how)}), rest);
    }
}

static void put_requests(FILE *out, const struct dyno_telemetry *telemetry)
{
    const char *model;

    put_received(out, telemetry);
    dyno_lines_family(out, "dyno_requests_ended_total", "counter",
                      "Requests that have ended, by how.");
    for (uint32_t i = 0; i < DYNO_END_COUNT; i++) {
        put_ended(out, telemetry, i);
    }
    dyno_lines_family(out, "dyno_requests_in_flight", "gauge",
                      "Requests that have arrived and not ended.");
    for (uint32_t i = 0; i < dyno_telemetry_parts(telemetry); i++) {
        const struct dyno_telemetry *part = dyno_telemetry_part(telemetry, i, &model);

        dyno_lines_count(out, "dyno_requests_in_flight", DYNO_LABELS({"model", model}),
                         dyno_telemetry_in_flight(part));
    }
    dyno_lines_family(out, "dyno_generated_tokens_total", "counter",
                      "Tokens of answers, as the door saw them.");
    for (uint32_t i = 0; i < dyno_telemetry_parts(telemetry); i++) {
        const struct dyno_telemetry *part = dyno_telemetry_part(telemetry, i, &model);

        dyno_lines_count(out, "dyno_generated_tokens_total", DYNO_LABELS({"model", model}),
                         part->output_tokens);
    }
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

/* A family with the ladder that lies at `offset` in the telemetry of each model. */
static void put_ladders(FILE *out, const struct dyno_telemetry *telemetry, const char *name,
                        const char *help, size_t offset, uint64_t per_unit)
{
    const char *model;

    dyno_lines_family(out, name, "histogram", help);
    for (uint32_t i = 0; i < dyno_telemetry_parts(telemetry); i++) {
        const struct dyno_telemetry *part = dyno_telemetry_part(telemetry, i, &model);
        const void *ladder = (const char *)part + offset;

        dyno_lines_ladder(out, name, DYNO_LABELS({"model", model}), ladder, per_unit);
    }
}

static void put_durations(FILE *out, const struct dyno_telemetry *telemetry)
{
    static const struct {
        const char *name, *help;
        size_t offset;
    } rows[] = {
        {"dyno_request_read_seconds", "From a whole request to its being posted to the fleet.",
         AT(read)},
        {"dyno_request_to_loop_seconds",
         "From a request's being posted until the loop took it: the loop's thread had to come.",
         AT(to_loop)},
        {"dyno_first_token_in_fleet_seconds",
         "From there until the fleet told its first token: queue, batch and device.", AT(in_fleet)},
        {"dyno_first_token_to_door_seconds",
         "From there until the door heard of it: the door's thread had to come.", AT(to_door)},
        {"dyno_time_to_first_token_seconds", "From arrival to the first token.", AT(ttft)},
        {"dyno_inter_token_latency_seconds", "From one token of an answer to the next.", AT(itl)},
        {"dyno_time_per_output_token_seconds",
         "A completed request's decode time over its tokens but the first.", AT(tpot)},
        {"dyno_request_duration_seconds", "From arrival to the last token; completed requests.",
         AT(e2e)},
        {"dyno_request_queue_seconds", "Ready and not yet begun; completed requests.", AT(queue)},
        {"dyno_request_prefill_seconds", "From the begin to the first token; completed requests.",
         AT(prefill)},
        {"dyno_request_decode_seconds", "From the first to the last token; completed requests.",
         AT(decode)},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        put_ladders(out, telemetry, rows[i].name, rows[i].help, rows[i].offset, DYNO_S);
    }
    dyno_lines_family(out, "dyno_time_to_first_byte_seconds", "histogram",
                      "From a whole request to the first bytes of its stream in the kernel.");
    dyno_lines_ladder(out, "dyno_time_to_first_byte_seconds", DYNO_NO_LABELS,
                      &telemetry->first_byte, DYNO_S);
    put_ladders(out, telemetry, "dyno_request_prompt_tokens",
                "Prompt tokens of completed requests.", AT(prompt_length), 1);
    put_ladders(out, telemetry, "dyno_request_generated_tokens",
                "Generated tokens of completed requests.", AT(output_length), 1);
}

/* One line of each role: "serve", or "decode" and "prefill". */
static void put_plan_workers(FILE *out, const struct dyno_plan_telemetry *plan, const char *model)
{
    static const char *const states[] = {"ready", "starting", "draining"};

    for (uint32_t i = 0; i < DYNO_PLAN_ROLES; i++) {
        const struct dyno_plan_record *latest = &plan->latest[i];
        const uint32_t counts[] = {latest->ready, latest->starting, latest->draining};

        for (uint32_t j = 0; plan->ticked[i] && j < sizeof counts / sizeof counts[0]; j++) {
            dyno_lines_count(
                out, "dyno_planner_workers",
                DYNO_LABELS({"model", model}, {"state", states[j]}, {"role", latest->role}),
                counts[j]);
        }
    }
}

static void put_plan_desired(FILE *out, const struct dyno_plan_telemetry *plan, const char *model)
{
    for (uint32_t i = 0; i < DYNO_PLAN_ROLES; i++) {
        const struct dyno_plan_record *latest = &plan->latest[i];

        if (plan->ticked[i]) {
            dyno_lines_count(
                out, "dyno_planner_workers_desired",
                DYNO_LABELS({"model", model}, {"reason", latest->reason}, {"role", latest->role}),
                latest->desired);
        }
    }
}

static void put_plan_rates(FILE *out, const struct dyno_plan_telemetry *plan, const char *model)
{
    const struct dyno_plan_record *latest = &plan->latest[0];

    dyno_lines_real(out, "dyno_planner_requests_per_second",
                    DYNO_LABELS({"model", model}, {"of", "now"}), latest->rate);
    dyno_lines_real(out, "dyno_planner_requests_per_second",
                    DYNO_LABELS({"model", model}, {"of", "forecast"}), latest->forecast_rate);
}

static void put_plan_changes(FILE *out, const struct dyno_plan_telemetry *plan, const char *model)
{
    dyno_lines_count(out, "dyno_planner_changes_total", DYNO_LABELS({"model", model}),
                     plan->change_count);
}

static void put_last_change(FILE *out, const struct dyno_plan_telemetry *plan, const char *model)
{
    uint64_t last = plan->change_count - 1;
    const struct dyno_plan_record *change = &plan->changes[last % DYNO_PLAN_CHANGES_KEPT];

    if (plan->change_count > 0) {
        dyno_lines_real(out, "dyno_planner_last_change_seconds",
                        DYNO_LABELS({"model", model}, {"reason", change->reason}),
                        (double)change->at / 1e9);
    }
}

/* Of a fleet whose size is decided while it serves, once it was decided for the first time. */
static void put_planner(FILE *out, const struct dyno_telemetry *telemetry)
{
    static const struct {
        const char *name, *type, *help;
        void (*put)(FILE *out, const struct dyno_plan_telemetry *plan, const char *model);
        bool needs_change;
    } families[] = {
        {"dyno_planner_workers", "gauge", "Workers by state, as the planner saw them last.",
         put_plan_workers, false},
        {"dyno_planner_workers_desired", "gauge",
         "Workers that the planner wants, with why it wanted no other number.", put_plan_desired,
         false},
        {"dyno_planner_requests_per_second", "gauge",
         "Requests since the planner's last look, and to come by its forecast.", put_plan_rates,
         false},
        {"dyno_planner_changes_total", "counter",
         "How often the planner wanted another number of workers.", put_plan_changes, false},
        {"dyno_planner_last_change_seconds", "gauge", "The uptime at which it last did, and why.",
         put_last_change, true},
    };
    const char *model;

    if (!telemetry->has_planner || !telemetry->plan.ticked[0]) {
        return;
    }
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        if (families[i].needs_change && telemetry->plan.change_count == 0) {
            continue;
        }
        dyno_lines_family(out, families[i].name, families[i].type, families[i].help);
        for (uint32_t j = 0; j < dyno_telemetry_parts(telemetry); j++) {
            const struct dyno_telemetry *part = dyno_telemetry_part(telemetry, j, &model);

            families[i].put(out, &part->plan, model);
        }
    }
}

/* One line of each model. */
static void put_build(FILE *out, const struct dyno_telemetry *telemetry)
{
    const char *label;

    dyno_lines_family(out, "dyno_build_info", "gauge", "1, with what is served by what.");
    for (uint32_t i = 0; i < dyno_telemetry_parts(telemetry); i++) {
        const struct dyno_telemetry *part = dyno_telemetry_part(telemetry, i, &label);

        dyno_lines_count(out, "dyno_build_info",
                         DYNO_LABELS({"version", part->version}, {"model", part->model}), 1);
    }
}

dyno_status dyno_prometheus_write(const struct dyno_telemetry *telemetry, dyno_ns now,
                                  bool vllm_names, char **text, size_t *size)
{
    struct dyno_memory_text memory;
    FILE *out;

    DYNO_TRY(dyno_memory_text_open(&memory));
    out = memory.file;
    put_build(out, telemetry);
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
