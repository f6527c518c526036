#include "reports/gate_metric.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Latencies have these statistics each. */
static const char *const latencies[] = {"ttft_ms",
                                        "itl_ms",
                                        "tpot_ms",
                                        "e2e_ms",
                                        "phases_ms.ingest",
                                        "phases_ms.queue",
                                        "phases_ms.onboard",
                                        "phases_ms.prefill",
                                        "phases_ms.transfer",
                                        "phases_ms.decode",
                                        "queue.wait_ms"};
static const char *const statistics[] = {"mean", "p50", "p90", "p95", "p99", "max"};

static const struct dyno_gate_metric others[] = {
    {"requests.completed", DYNO_GATE_COUNT, 1},
    {"requests.rejected", DYNO_GATE_COUNT, -1},
    {"requests.cancelled", DYNO_GATE_COUNT, -1},
    {"requests.failed", DYNO_GATE_COUNT, -1},
    {"duration_s", DYNO_GATE_S, -1},
    {"throughput.requests_per_s", DYNO_GATE_PER_S, 1},
    {"throughput.input_tokens_per_s", DYNO_GATE_PER_S, 1},
    {"throughput.output_tokens_per_s", DYNO_GATE_PER_S, 1},
    {"goodput.requests_per_s", DYNO_GATE_PER_S, 1},
    {"goodput.fraction", DYNO_GATE_SHARE, 1},
    {"goodput.per_gpu", DYNO_GATE_PER_S, 1},
    {"kv.token_hit_rate", DYNO_GATE_SHARE, 1},
    {"kv.block_hit_rate", DYNO_GATE_SHARE, 1},
    {"kv.evicted_blocks", DYNO_GATE_COUNT, -1},
    {"kv.preemptions", DYNO_GATE_COUNT, -1},
    {"fleet.gpu_hours", DYNO_GATE_HOURS, -1},
    {"fleet.busy_fraction", DYNO_GATE_SHARE, 0},
    {"fleet.mfu", DYNO_GATE_SHARE, 1},
    {"fleet.mbu", DYNO_GATE_SHARE, 1},
    {"fleet.kv_use", DYNO_GATE_SHARE, 0},
    {"planner.decisions", DYNO_GATE_COUNT, 0},
    {"planner.gpu_hours", DYNO_GATE_HOURS, -1},
    {"faults.ready_share", DYNO_GATE_SHARE, 1},
    {"faults.requests_migrated", DYNO_GATE_COUNT, -1},
    {"faults.requests_lost", DYNO_GATE_COUNT, -1},
    {"faults.tokens_recomputed", DYNO_GATE_COUNT, -1},
    {"cost.gpu_watts", DYNO_GATE_WATTS, -1},
    {"cost.energy_kwh", DYNO_GATE_KWH, -1},
    {"cost.total", DYNO_GATE_COUNT, -1},
    {"cost.per_million_output_tokens", DYNO_GATE_COUNT, -1},
};

/* Of one of several models; docs/metrics.md. */
static const char *const model_latencies[] = {"ttft_ms", "itl_ms", "tpot_ms", "e2e_ms"};
static const char *const model_statistics[] = {"mean", "p50", "p99"};

static const struct dyno_gate_metric model_others[] = {
    {"requests", DYNO_GATE_COUNT, 0},       {"completed", DYNO_GATE_COUNT, 1},
    {"requests_per_s", DYNO_GATE_PER_S, 1}, {"output_tokens_per_s", DYNO_GATE_PER_S, 1},
    {"goodput_per_s", DYNO_GATE_PER_S, 1},  {"goodput_fraction", DYNO_GATE_SHARE, 1},
    {"token_hit_rate", DYNO_GATE_SHARE, 1}, {"busy_fraction", DYNO_GATE_SHARE, 0},
    {"gpu_hours", DYNO_GATE_HOURS, -1},
};

enum {
    LATENCIES = sizeof latencies / sizeof latencies[0],
    STATISTICS = sizeof statistics / sizeof statistics[0],
    OTHERS = sizeof others / sizeof others[0],
    METRICS = LATENCIES * STATISTICS + OTHERS,
    MODEL_LATENCIES = sizeof model_latencies / sizeof model_latencies[0],
    MODEL_STATISTICS = sizeof model_statistics / sizeof model_statistics[0],
    MODEL_METRICS =
        MODEL_LATENCIES * MODEL_STATISTICS + sizeof model_others / sizeof model_others[0],
};

static struct dyno_gate_metric make(uint32_t index)
{
    struct dyno_gate_metric metric = {.unit = DYNO_GATE_MS, .better = -1};

    if (index >= LATENCIES * STATISTICS) {
        return others[index - LATENCIES * STATISTICS];
    }
    (void)snprintf(metric.name, sizeof metric.name, "%s.%s", latencies[index / STATISTICS],
                   statistics[index % STATISTICS]);
    return metric;
}

uint32_t dyno_gate_metric_count(void)
{
    return METRICS;
}

struct dyno_gate_metric dyno_gate_metric_at(uint32_t index)
{
    return make(index);
}

uint32_t dyno_gate_metric_model_count(void)
{
    return MODEL_METRICS;
}

struct dyno_gate_metric dyno_gate_metric_model_at(uint32_t index)
{
    struct dyno_gate_metric metric = {.unit = DYNO_GATE_MS, .better = -1};

    if (index >= MODEL_LATENCIES * MODEL_STATISTICS) {
        return model_others[index - MODEL_LATENCIES * MODEL_STATISTICS];
    }
    (void)snprintf(metric.name, sizeof metric.name, "%s.%s",
                   model_latencies[index / MODEL_STATISTICS],
                   model_statistics[index % MODEL_STATISTICS]);
    return metric;
}

uint32_t dyno_gate_metric_model_length(const char *name)
{
    size_t length = strncmp(name, "models.", 7) == 0 ? strcspn(name + 7, ".") : 0;

    return length > 0 && name[7 + length] == '.' ? (uint32_t)length : 0;
}

static bool find_of_model(struct dyno_gate_metric *out, const char *name)
{
    uint32_t length = dyno_gate_metric_model_length(name);

    for (uint32_t i = 0; length > 0 && i < MODEL_METRICS; i++) {
        *out = dyno_gate_metric_model_at(i);
        if (strcmp(out->name, name + 7 + length + 1) == 0 && strlen(name) < sizeof out->name) {
            memcpy(out->name, name, strlen(name) + 1);
            return true;
        }
    }
    return false;
}

bool dyno_gate_metric_find(struct dyno_gate_metric *out, const char *name)
{
    for (uint32_t i = 0; i < METRICS; i++) {
        *out = make(i);
        if (strcmp(out->name, name) == 0) {
            return true;
        }
    }
    return find_of_model(out, name);
}

/* The suffixes of a unit, and what each is worth. */
struct suffix {
    enum dyno_gate_unit unit;
    const char *text;
    double worth;
};

static const struct suffix suffixes[] = {
    {DYNO_GATE_MS, "ms", 1},
    {DYNO_GATE_MS, "us", 1e-3},
    {DYNO_GATE_MS, "s", 1e3},
    {DYNO_GATE_SHARE, "points", 0.01},
    {DYNO_GATE_PER_S, "/s", 1},
    {DYNO_GATE_COUNT, "", 1},
    {DYNO_GATE_S, "s", 1},
    {DYNO_GATE_S, "ms", 1e-3},
    {DYNO_GATE_S, "min", 60},
    {DYNO_GATE_HOURS, "h", 1},
    {DYNO_GATE_HOURS, "min", 1.0 / 60},
    {DYNO_GATE_WATTS, "W", 1},
    {DYNO_GATE_WATTS, "kW", 1e3},
    {DYNO_GATE_KWH, "kWh", 1},
    {DYNO_GATE_KWH, "Wh", 1e-3},
};

double dyno_gate_unit_parse(enum dyno_gate_unit unit, const char *text)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || !isfinite(value) || value < 0.0) {
        return -1.0;
    }
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        if (suffixes[i].unit == unit && strcmp(suffixes[i].text, end) == 0) {
            return value * suffixes[i].worth;
        }
    }
    return -1.0;
}

const char *dyno_gate_unit_example(enum dyno_gate_unit unit)
{
    static const char *const examples[] = {"2ms", "1points", "3/s", "20",
                                           "1s",  "0.1h",    "50W", "1.5kWh"};

    return examples[unit];
}
