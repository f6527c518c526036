/* The same telemetry under the names and labels that vLLM gives out.
 *
 * Old names (gpu_cache_usage_perc, gpu_prefix_cache_..., time_per_output_token_seconds) are kept
 * beside those that replaced them, for there are readers that know only the old ones. */
#include <stddef.h>

#include "backends/door/prometheus_parts.h"

enum engine_number { RUNNING, WAITING, PROMPT, GENERATED, QUERIES, HITS, PREEMPTIONS };

static uint64_t number_of(const struct dyno_worker_telemetry *worker, enum engine_number which)
{
    switch (which) {
    case RUNNING:
        return worker->latest.running;
    case WAITING:
        return worker->latest.waiting;
    case PROMPT:
    case QUERIES:
        return worker->prompt_tokens;
    case GENERATED:
        return worker->latest.tokens_out;
    case HITS:
        return worker->cached_tokens;
    case PREEMPTIONS:
        return worker->preemptions;
    }
    return 0;
}

/* What the worker serves. */
static const char *model_of(const struct dyno_telemetry *telemetry, uint32_t worker)
{
    const char *model = telemetry->workers[worker].model;

    return model ? model : telemetry->model;
}

/* A worker's number, for label values. */
static const char *engine_of(char text[16], uint32_t worker)
{
    (void)snprintf(text, 16, "%u", worker);
    return text;
}

static void put_numbers(FILE *out, const struct dyno_telemetry *telemetry)
{
    static const struct {
        const char *name, *type, *help;
        enum engine_number which;
    } rows[] = {
        {"vllm:num_requests_running", "gauge", "Requests that an engine computes.", RUNNING},
        {"vllm:num_requests_waiting", "gauge", "Requests in an engine's queue.", WAITING},
        {"vllm:prompt_tokens_total", "counter", "Prompt tokens.", PROMPT},
        {"vllm:generation_tokens_total", "counter", "Generated tokens.", GENERATED},
        {"vllm:prefix_cache_queries_total", "counter", "Prompt tokens looked up.", QUERIES},
        {"vllm:prefix_cache_hits_total", "counter", "Prompt tokens found.", HITS},
        {"vllm:gpu_prefix_cache_queries_total", "counter", "Old name.", QUERIES},
        {"vllm:gpu_prefix_cache_hits_total", "counter", "Old name.", HITS},
        {"vllm:num_preemptions_total", "counter", "Requests set back.", PREEMPTIONS},
    };
    char engine[16];

    for (size_t row = 0; row < sizeof rows / sizeof rows[0]; row++) {
        dyno_lines_family(out, rows[row].name, rows[row].type, rows[row].help);
        for (uint32_t i = 0; i < telemetry->worker_count; i++) {
            dyno_lines_count(out, rows[row].name,
                             DYNO_LABELS({"model_name", model_of(telemetry, i)},
                                         {"engine", engine_of(engine, i)}),
                             number_of(&telemetry->workers[i], rows[row].which));
        }
    }
}

static void put_usage(FILE *out, const struct dyno_telemetry *telemetry, const char *name)
{
    char engine[16];

    dyno_lines_family(out, name, "gauge", "Share of KV blocks that requests hold, 0 to 1.");
    for (uint32_t i = 0; i < telemetry->worker_count; i++) {
        const struct dyno_sample_record *latest = &telemetry->workers[i].latest;

        dyno_lines_real(
            out, name,
            DYNO_LABELS({"model_name", model_of(telemetry, i)}, {"engine", engine_of(engine, i)}),
            latest->blocks_total ? (double)latest->blocks_used / latest->blocks_total : 0);
    }
}

static void put_cache_config(FILE *out, const struct dyno_telemetry *telemetry)
{
    char engine[16], block_size[16], blocks[16];

    (void)snprintf(block_size, sizeof block_size, "%u", telemetry->block_tokens);
    dyno_lines_family(out, "vllm:cache_config_info", "gauge", "1, with the cache's size.");
    for (uint32_t i = 0; i < telemetry->worker_count; i++) {
        (void)snprintf(blocks, sizeof blocks, "%u", telemetry->workers[i].latest.blocks_total);
        dyno_lines_count(out, "vllm:cache_config_info",
                         DYNO_LABELS({"engine", engine_of(engine, i)}, {"block_size", block_size},
                                     {"num_gpu_blocks", blocks}),
                         1);
    }
}

static void put_success(FILE *out, const struct dyno_telemetry *telemetry)
{
    uint64_t completed = telemetry->ends[DYNO_COMPLETED];
    const struct {
        const char *reason;
        uint64_t count;
    } rows[] = {
        {"stop", completed - telemetry->cut},
        {"length", telemetry->cut},
        {"abort",
         telemetry->ends[DYNO_CANCELLED_BY_CLIENT] + telemetry->ends[DYNO_CANCELLED_AT_END]},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        dyno_lines_count(
            out, "vllm:request_success_total",
            DYNO_LABELS({"model_name", telemetry->model}, {"finished_reason", rows[i].reason}),
            rows[i].count);
    }
}

static void put_successes(FILE *out, const struct dyno_telemetry *telemetry)
{
    const char *label;

    dyno_lines_family(out, "vllm:request_success_total", "counter", "Requests that finished.");
    for (uint32_t i = 0; i < dyno_telemetry_parts(telemetry); i++) {
        put_success(out, dyno_telemetry_part(telemetry, i, &label));
    }
}

#define AT(field) offsetof(struct dyno_telemetry, field)

static void put_ladders(FILE *out, const struct dyno_telemetry *telemetry)
{
    static const struct {
        const char *name, *help;
        size_t offset;
        uint64_t per_unit;
    } rows[] = {
        {"vllm:time_to_first_token_seconds", "TTFT.", AT(ttft), DYNO_S},
        {"vllm:inter_token_latency_seconds", "Gaps between tokens.", AT(itl), DYNO_S},
        {"vllm:time_per_output_token_seconds", "Old name.", AT(itl), DYNO_S},
        {"vllm:request_time_per_output_token_seconds", "TPOT.", AT(tpot), DYNO_S},
        {"vllm:e2e_request_latency_seconds", "Whole requests.", AT(e2e), DYNO_S},
        {"vllm:request_queue_time_seconds", "In the queue.", AT(queue), DYNO_S},
        {"vllm:request_prefill_time_seconds", "In prefill.", AT(prefill), DYNO_S},
        {"vllm:request_decode_time_seconds", "In decode.", AT(decode), DYNO_S},
        {"vllm:request_prompt_tokens", "Prompt lengths.", AT(prompt_length), 1},
        {"vllm:request_generation_tokens", "Answer lengths.", AT(output_length), 1},
    };
    const char *label;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        dyno_lines_family(out, rows[i].name, "histogram", rows[i].help);
        for (uint32_t j = 0; j < dyno_telemetry_parts(telemetry); j++) {
            const struct dyno_telemetry *part = dyno_telemetry_part(telemetry, j, &label);
            const void *ladder = (const char *)part + rows[i].offset;

            dyno_lines_ladder(out, rows[i].name, DYNO_LABELS({"model_name", part->model}), ladder,
                              rows[i].per_unit);
        }
    }
}

void dyno_prometheus_vllm(FILE *out, const struct dyno_telemetry *telemetry)
{
    put_numbers(out, telemetry);
    put_usage(out, telemetry, "vllm:kv_cache_usage_perc");
    put_usage(out, telemetry, "vllm:gpu_cache_usage_perc");
    put_cache_config(out, telemetry);
    put_successes(out, telemetry);
    put_ladders(out, telemetry);
}
