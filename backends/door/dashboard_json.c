#include "backends/door/dashboard_json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "backends/door/memory_text.h"
#include "backends/door/telemetry_parts.h"

enum { POINT_S = 5, WINDOW_S = DYNO_WINDOW_SECONDS - POINT_S };

/* A string of clean UTF-8, as telemetry's names are: no control character is in it. */
static void put_string(FILE *out, const char *text)
{
    (void)fputc('"', out);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') {
            (void)fputc('\\', out);
        }
        (void)fputc(*text, out);
    }
    (void)fputc('"', out);
}

static void put_string_or_null(FILE *out, const char *text)
{
    if (text) {
        put_string(out, text);
    } else {
        (void)fputs("null", out);
    }
}

/* NAN is what there is nothing to tell of. */
static void put_number(FILE *out, double value)
{
    if (isfinite(value)) {
        (void)fprintf(out, "%.6g", value);
    } else {
        (void)fputs("null", out);
    }
}

static double share(uint64_t part, uint64_t whole)
{
    return whole ? (double)part / (double)whole : (double)NAN;
}

static double quantile_ms(const struct dyno_sketch *sketch, double fraction)
{
    dyno_ns value = dyno_sketch_quantile(sketch, fraction);

    return value == DYNO_NEVER ? (double)NAN : (double)value / 1e6;
}

static void put_tier(FILE *out, uint32_t level, uint64_t used, uint64_t idle, uint64_t total)
{
    (void)fprintf(out, "{\"tier\":\"g%u\",\"used\":%llu,\"idle\":%llu,\"total\":%llu}", level,
                  (unsigned long long)used, (unsigned long long)idle, (unsigned long long)total);
}

/* The GPU's own memory, then the pools that the worker uses below it. */
static void put_worker_kv(FILE *out, const struct dyno_sample_record *latest)
{
    (void)fputs("\"kv\":[", out);
    put_tier(out, 1, latest->blocks_used, latest->blocks_idle, latest->blocks_total);
    for (uint32_t i = 0; i < latest->tier_count; i++) {
        const struct dyno_tier_sample *tier = &latest->tiers[i];

        (void)fputc(',', out);
        put_tier(out, tier->level, tier->blocks_moving, tier->blocks_kept, tier->blocks_total);
    }
    (void)fputc(']', out);
}

/* Add what a worker's last minutes were asked for, and what of it was found in its cache. */
static void add_prompts(const struct dyno_worker_telemetry *worker, dyno_ns now,
                        struct dyno_prompt_minute *sum)
{
    uint64_t minute = now / (60 * DYNO_S);

    for (uint32_t i = 0; i < DYNO_PROMPT_MINUTES; i++) {
        if (worker->minutes[i].minute + DYNO_PROMPT_MINUTES > minute) {
            sum->tokens += worker->minutes[i].tokens;
            sum->cached_tokens += worker->minutes[i].cached_tokens;
            sum->onboarded_tokens += worker->minutes[i].onboarded_tokens;
            sum->pulled_tokens += worker->minutes[i].pulled_tokens;
        }
    }
}

/* The rate of hits, and what of it came from lower tiers, and from other workers. */
static void put_hit_rate(FILE *out, const struct dyno_prompt_minute *sum)
{
    (void)fputs("\"hit_rate\":", out);
    put_number(out, share(sum->cached_tokens, sum->tokens));
    (void)fputs(",\"onboarded_rate\":", out);
    put_number(out, share(sum->onboarded_tokens, sum->tokens));
    (void)fputs(",\"pulled_rate\":", out);
    put_number(out, share(sum->pulled_tokens, sum->tokens));
    (void)fputc(',', out);
}

static void put_fleet(FILE *out, const struct dyno_telemetry *telemetry, dyno_ns now)
{
    const struct dyno_fleet_look *look = &telemetry->look;
    struct dyno_prompt_minute prompts = {0};

    (void)fprintf(out,
                  "\"fleet\":{\"in_flight\":%llu,\"running\":%llu,\"waiting\":%llu,"
                  "\"connections\":%u,",
                  (unsigned long long)dyno_telemetry_in_flight(telemetry),
                  (unsigned long long)look->running, (unsigned long long)look->waiting,
                  telemetry->connections);
    for (uint32_t i = 0; i < telemetry->worker_count; i++) {
        add_prompts(&telemetry->workers[i], now, &prompts);
    }
    put_hit_rate(out, &prompts);
    (void)fputs("\"kv\":[", out); /* pools below may be shared: a sum would count them twice */
    put_tier(out, 1, look->blocks_used, look->blocks_idle, look->blocks_total);
    (void)fputc(']', out);
    (void)fputs("},\n", out);
}

static void put_worker(FILE *out, const struct dyno_worker_telemetry *worker, const char *role,
                       dyno_ns now)
{
    const struct dyno_sample_record *latest = &worker->latest;
    dyno_ns span_ns = latest->at - worker->earlier.at;
    struct dyno_prompt_minute prompts = {0};
    uint64_t ago_s = now > latest->at ? (now - latest->at) / DYNO_S : 0;

    (void)fputs("{\"name\":", out);
    put_string(out, worker->name);
    (void)fputs(",\"model\":", out);
    put_string_or_null(out, worker->model);
    (void)fputs(",\"role\":", out);
    put_string_or_null(out, role);
    (void)fputs(",\"state\":", out);
    put_string_or_null(out, latest->state);
    (void)fprintf(out, ",\"running\":%u,\"waiting\":%u,", latest->running, latest->waiting);
    put_worker_kv(out, latest);
    (void)fputs(",\"busy\":", out);
    put_number(out, share(latest->busy_ns - worker->earlier.busy_ns, span_ns));
    (void)fputs(",\"tokens_per_s\":", out);
    put_number(out, share(latest->tokens_out - worker->earlier.tokens_out, span_ns) * 1e9);
    (void)fputc(',', out);
    add_prompts(worker, now, &prompts);
    put_hit_rate(out, &prompts);
    (void)fputs("\"seen_s\":", out);
    put_number(out, worker->looked ? (double)ago_s : (double)NAN);
    (void)fputc('}', out);
}

static void put_workers(FILE *out, const struct dyno_telemetry *telemetry, dyno_ns now)
{
    (void)fputs("\"workers\":[", out);
    for (uint32_t i = 0; i < telemetry->worker_count; i++) {
        const char *role = i < telemetry->prefill_from ? "decode" : "prefill";

        (void)fputs(i ? ",\n" : "", out);
        put_worker(out, &telemetry->workers[i], telemetry->prefill_from > 0 ? role : NULL, now);
    }
    (void)fputs("],\n", out);
}

static const char columns[] =
    "\"columns\":[\"at_s\",\"requests_per_s\",\"errors_per_s\",\"prompt_tokens_per_s\","
    "\"output_tokens_per_s\",\"running\",\"waiting\",\"kv_used\",\"kv_idle\",\"hit_rate\","
    "\"ttft_p50_ms\",\"ttft_p95_ms\",\"tpot_p50_ms\",\"tpot_p95_ms\"],\n";

static uint64_t errors_of(const uint64_t ends[DYNO_END_COUNT])
{
    uint64_t errors = 0;

    for (uint32_t i = 0; i < DYNO_END_COUNT; i++) {
        errors += i == DYNO_COMPLETED || i == DYNO_CANCELLED_BY_CLIENT ? 0 : ends[i];
    }
    return errors;
}

static void put_point(FILE *out, uint64_t at_s, const struct dyno_span_counts *span)
{
    const struct dyno_fleet_look *look = &span->look;
    uint64_t blocks = span->looked ? look->blocks_total : 0;
    const double values[] = {
        share(span->received, span->seconds),
        share(errors_of(span->ends), span->seconds),
        share(span->prompt_tokens, span->seconds),
        share(span->output_tokens, span->seconds),
        span->looked ? (double)look->running : (double)NAN,
        span->looked ? (double)look->waiting : (double)NAN,
        share(look->blocks_used, blocks),
        share(look->blocks_idle, blocks),
        share(span->cached_tokens, span->prompt_tokens),
        quantile_ms(&span->ttft, 0.5),
        quantile_ms(&span->ttft, 0.95),
        quantile_ms(&span->tpot, 0.5),
        quantile_ms(&span->tpot, 0.95),
    };

    (void)fprintf(out, "[%llu", (unsigned long long)at_s);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        (void)fputc(',', out);
        put_number(out, values[i]);
    }
    (void)fputc(']', out);
}

/* The first point that is shown at second `end`: one that the window still holds whole. */
static uint64_t first_point(uint64_t end, uint64_t since_s)
{
    uint64_t first = end > WINDOW_S ? (end - WINDOW_S + POINT_S - 1) / POINT_S * POINT_S : 0;
    uint64_t asked = since_s / POINT_S * POINT_S;

    return asked > first ? asked : first;
}

static void put_points(FILE *out, const struct dyno_telemetry *telemetry, uint64_t end,
                       uint64_t since_s)
{
    uint64_t first = first_point(end, since_s);
    struct dyno_span_counts span;

    (void)fputs("\"points\":[", out);
    for (uint64_t at_s = first; at_s < end; at_s += POINT_S) {
        (void)fputs(at_s > first ? ",\n" : "", out);
        dyno_window_sum(telemetry->window, at_s, at_s + POINT_S < end ? at_s + POINT_S : end,
                        &span);
        put_point(out, at_s, &span);
    }
    (void)fputs("],\n", out);
}

static void put_errors(FILE *out, const struct dyno_telemetry *telemetry, uint64_t end)
{
    const char *between = "";
    uint64_t recent[DYNO_END_COUNT];

    dyno_window_ends(telemetry->window, end > WINDOW_S ? end - WINDOW_S : 0, recent);
    (void)fputs("\"errors\":[", out);
    for (uint32_t i = 0; i < DYNO_END_COUNT; i++) {
        if (i != DYNO_COMPLETED && telemetry->ends[i] > 0) {
            (void)fprintf(out, "%s{\"reason\":\"%s\",\"recent\":%llu,\"total\":%llu}", between,
                          dyno_end_word(i), (unsigned long long)recent[i],
                          (unsigned long long)telemetry->ends[i]);
            between = ",";
        }
    }
    (void)fputs("],\n", out);
}

/* What the planner saw and wants of each role. */
static const char *put_roles(FILE *out, const struct dyno_plan_telemetry *plan, const char *model,
                             const char *between)
{
    for (uint32_t i = 0; i < DYNO_PLAN_ROLES; i++) {
        const struct dyno_plan_record *latest = &plan->latest[i];

        if (plan->ticked[i]) {
            (void)fprintf(out, "%s{\"model\":", between);
            put_string_or_null(out, model);
            (void)fprintf(out,
                          ",\"role\":\"%s\",\"desired\":%u,\"ready\":%u,\"starting\":%u,"
                          "\"draining\":%u,\"reason\":\"%s\"}",
                          latest->role, latest->desired, latest->ready, latest->starting,
                          latest->draining, latest->reason);
            between = ",";
        }
    }
    return between;
}

static void put_planner_now(FILE *out, const struct dyno_telemetry *telemetry)
{
    const char *between = "", *model;

    if (!telemetry->plan.ticked[0]) { /* of the others nothing is told before */
        (void)fputs("\"planner_now\":null,\n", out);
        return;
    }
    (void)fputs("\"planner_now\":[", out);
    for (uint32_t i = 0; i < dyno_telemetry_parts(telemetry); i++) {
        const struct dyno_telemetry *part = dyno_telemetry_part(telemetry, i, &model);

        between = put_roles(out, &part->plan, model, between);
    }
    (void)fputs("],\n", out);
}

/* What changed the fleet's size, the oldest first. */
static void put_planner_changes(FILE *out, const struct dyno_telemetry *telemetry)
{
    const struct dyno_plan_telemetry *plan = &telemetry->plan;
    uint64_t first = plan->change_count > DYNO_PLAN_CHANGES_KEPT
                         ? plan->change_count - DYNO_PLAN_CHANGES_KEPT
                         : 0;

    (void)fputs("\"planner\":[", out);
    for (uint64_t i = first; i < plan->change_count; i++) {
        const struct dyno_plan_record *change = &plan->changes[i % DYNO_PLAN_CHANGES_KEPT];
        bool is_all = strcmp(change->role, "serve") == 0;
        const char *model = NULL;

        (void)dyno_telemetry_part(telemetry, change->model, &model);
        (void)fprintf(out, "%s{\"at_s\":%llu,\"model\":", i > first ? ",\n" : "",
                      (unsigned long long)(change->at / DYNO_S));
        put_string_or_null(out, model);
        (void)fprintf(out,
                      ",\"text\":\"%u %s%sworkers instead of %u (%s): %.3g "
                      "requests/s, %.3g to come, %u running, %u waiting\"}",
                      change->desired, is_all ? "" : change->role, is_all ? "" : " ",
                      change->before, change->reason, change->rate, change->forecast_rate,
                      change->running, change->waiting + change->lobby);
    }
    (void)fputs("]}\n", out);
}

static void put_planner(FILE *out, const struct dyno_telemetry *telemetry)
{
    if (!telemetry->has_planner) {
        (void)fputs("\"planner_now\":null,\"planner\":null}\n", out);
        return;
    }
    put_planner_now(out, telemetry);
    put_planner_changes(out, telemetry);
}

/* By which requests ask for them. */
static void put_models(FILE *out, const struct dyno_telemetry *telemetry)
{
    const char *label;

    (void)fputs(",\"models\":", out);
    for (uint32_t i = 0; i < dyno_telemetry_parts(telemetry); i++) {
        (void)fputc(i > 0 ? ',' : '[', out);
        put_string(out, dyno_telemetry_part(telemetry, i, &label)->model);
    }
    (void)fputc(']', out);
}

dyno_status dyno_telemetry_json(const struct dyno_telemetry *telemetry, dyno_ns now,
                                uint64_t since_s, char **text, size_t *size)
{
    dyno_ns latest = now > telemetry->now ? now : telemetry->now;
    uint64_t end = latest / DYNO_S;
    struct dyno_memory_text memory;

    DYNO_TRY(dyno_memory_text_open(&memory));
    (void)fprintf(memory.file, "{\"now_s\":%llu,\"model\":", (unsigned long long)end);
    put_string(memory.file, telemetry->model);
    put_models(memory.file, telemetry);
    (void)fputs(",\"version\":", memory.file);
    put_string(memory.file, telemetry->version);
    (void)fprintf(memory.file, ",\"point_s\":%d,\"window_s\":%d,\n", POINT_S, WINDOW_S);
    put_fleet(memory.file, telemetry, latest);
    put_workers(memory.file, telemetry, latest);
    (void)fputs(columns, memory.file);
    put_points(memory.file, telemetry, end, since_s);
    put_errors(memory.file, telemetry, end);
    put_planner(memory.file, telemetry);
    return dyno_memory_text_take(&memory, text, size);
}
