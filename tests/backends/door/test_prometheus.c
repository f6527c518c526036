/* The text that Prometheus reads: parsed here by its own rules, and held to numbers worked out by
 * hand. */
#include "backends/door/prometheus.h"

#include <ctype.h>
#include <dlfcn.h>

#include "backends/door/memory_text.h"
#include "backends/door/prometheus_parts.h"
#include "tests/backends/door/feed.h"

enum { SERIES_MAX = 4096, NAME_MAX_LETTERS = 400 };

struct series {
    char name[NAME_MAX_LETTERS]; /* with its labels, as it stands in the text */
    double value;
};

static struct dyno_telemetry *telemetry;
static struct series series[SERIES_MAX];
static size_t series_count;
static char family[NAME_MAX_LETTERS], type[32]; /* that the lines being read belong to */
static char families[256][NAME_MAX_LETTERS];
static size_t family_count;

static void set_up(void)
{
    telemetry = open_named("small", 2);
}

static void tear_down(void)
{
    dyno_telemetry_close(telemetry);
}

static const char *skip_name(const char *at)
{
    const char *start = at;

    while (isalnum((unsigned char)*at) || *at == '_' || *at == ':') {
        at++;
    }
    ck_assert_msg(at > start && !isdigit((unsigned char)*start), "no name at '%.40s'", start);
    return at;
}

/* After the opening quote, to after the closing one. */
static const char *skip_quoted(const char *at)
{
    while (*at != '"') {
        ck_assert_msg(*at && *at != '\n', "a label's value without an end");
        if (*at == '\\') {
            at++;
            ck_assert_msg(*at == '\\' || *at == '"' || *at == 'n', "\\%c is no escape", *at);
        }
        at++;
    }
    return at + 1;
}

static const char *skip_labels(const char *at)
{
    if (*at != '{') {
        return at;
    }
    do {
        at = skip_name(at + 1);
        ck_assert(at[0] == '=' && at[1] == '"');
        at = skip_quoted(at + 2);
    } while (*at == ',');
    ck_assert_msg(*at == '}', "labels end with '%.10s'", at);
    return at + 1;
}

static void read_comment(const char *line)
{
    char name[NAME_MAX_LETTERS];

    if (sscanf(line, "# TYPE %399s %31s", name, type) == 2) {
        ck_assert_msg(strcmp(name, family) == 0, "TYPE of %s after HELP of %s", name, family);
        ck_assert(strcmp(type, "counter") == 0 || strcmp(type, "gauge") == 0 ||
                  strcmp(type, "histogram") == 0);
        if (strcmp(type, "counter") == 0) {
            ck_assert_msg(strcmp(name + strlen(name) - 6, "_total") == 0, "%s", name);
        }
        return;
    }
    ck_assert_msg(sscanf(line, "# HELP %399s", family) == 1, "'%s'", line);
    for (size_t i = 0; i < family_count; i++) {
        ck_assert_msg(strcmp(families[i], family) != 0, "%s is there twice", family);
    }
    ck_assert_uint_lt(family_count, 256);
    memcpy(families[family_count++], family, sizeof family);
}

static void belongs(const char *line, const char *end)
{
    size_t length = (size_t)(end - line), own = strlen(family);
    const char *rest = line + own;

    ck_assert_msg(length >= own && strncmp(line, family, own) == 0, "'%s' in %s", line, family);
    if (strcmp(type, "histogram") == 0) {
        ck_assert(strncmp(rest, "_bucket{", 8) == 0 || strncmp(rest, "_sum", 4) == 0 ||
                  strncmp(rest, "_count", 6) == 0);
    } else {
        ck_assert_uint_eq(length, own);
    }
}

static void read_sample(const char *line)
{
    const char *name_end = skip_name(line);
    const char *end = skip_labels(name_end);
    struct series *one = &series[series_count];
    char *rest;

    belongs(line, name_end);
    ck_assert_msg(*end == ' ', "'%s' has no value", line);
    ck_assert_uint_lt(series_count, SERIES_MAX);
    ck_assert_uint_lt((size_t)(end - line), sizeof one->name);
    memcpy(one->name, line, (size_t)(end - line));
    one->name[end - line] = '\0';
    one->value = strtod(end, &rest);
    ck_assert_msg(rest > end && *rest == '\0', "'%s' has no number", line);
    for (size_t i = 0; i < series_count; i++) {
        ck_assert_msg(strcmp(series[i].name, one->name) != 0, "%s is there twice", one->name);
    }
    series_count++;
}

static void read_all(dyno_ns now, bool vllm_names)
{
    char *text, *line, *next;
    size_t size;

    series_count = family_count = 0;
    ck_assert_int_eq(dyno_prometheus_write(telemetry, now, vllm_names, &text, &size), DYNO_OK);
    ck_assert_uint_eq(strlen(text), size);
    ck_assert_int_eq(text[size - 1], '\n');
    for (line = text; *line; line = next + 1) {
        next = strchr(line, '\n');
        *next = '\0';
        if (*line == '#') {
            read_comment(line);
        } else {
            read_sample(line);
        }
    }
    free(text);
}

/* -1: it is not there. */
static double value_of(const char *name)
{
    for (size_t i = 0; i < series_count; i++) {
        if (strcmp(series[i].name, name) == 0) {
            return series[i].value;
        }
    }
    return -1;
}

static void look(uint32_t worker, uint32_t running)
{
    const struct dyno_sample_record sample = {
        .at = 4 * DYNO_S,
        .worker = worker,
        .running = running,
        .waiting = 7,
        .blocks_used = 30,
        .blocks_idle = 20,
        .blocks_total = 120,
        .tier_count = 1,
        .tiers = {{.level = 3, .blocks_moving = 4, .blocks_kept = 50, .blocks_total = 60}},
        .tokens_out = 55,
        .busy_ns = 2500 * DYNO_MS};

    dyno_telemetry_sampled(telemetry, &sample);
}

START_TEST(every_line_of_an_idle_server_is_well_formed)
{
    read_all(0, true);
    ck_assert_double_eq(value_of("dyno_requests_received_total"), 0);
    ck_assert_double_eq(value_of("dyno_time_to_first_token_seconds_count"), 0);
}
END_TEST

START_TEST(counts_are_what_was_told)
{
    serve(telemetry, 1, DYNO_S);
    serve(telemetry, 1, 2 * DYNO_S);
    dyno_telemetry_received(telemetry, 3 * DYNO_S);
    dyno_telemetry_received(telemetry, 3 * DYNO_S);
    dyno_telemetry_refused(telemetry, 3 * DYNO_S, DYNO_REFUSED_OVERLOADED);
    dyno_telemetry_answered(telemetry, 200);
    dyno_telemetry_answered(telemetry, 200);
    dyno_telemetry_answered(telemetry, 429);
    dyno_telemetry_connections(telemetry, 3);
    look(0, 4);
    look(1, 5);
    read_all(5 * DYNO_S, false);
    ck_assert_double_eq(value_of("dyno_build_info{version=\"1.2.3\",model=\"small\"}"), 1);
    ck_assert_double_eq(value_of("dyno_uptime_seconds"), 5);
    ck_assert_double_eq(value_of("dyno_requests_received_total"), 4);
    ck_assert_double_eq(value_of("dyno_requests_ended_total{outcome=\"completed\"}"), 2);
    ck_assert_double_eq(value_of("dyno_requests_ended_total{outcome=\"overloaded\"}"), 1);
    ck_assert_double_eq(value_of("dyno_requests_in_flight"), 1);
    ck_assert_double_eq(value_of("dyno_generated_tokens_total"), 22);
    ck_assert_double_eq(value_of("dyno_connections_open"), 3);
    ck_assert_double_eq(value_of("dyno_http_responses_total{code=\"200\"}"), 2);
    ck_assert_double_eq(value_of("dyno_http_responses_total{code=\"429\"}"), 1);
    ck_assert_double_eq(value_of("dyno_requests_running{worker=\"1\"}"), 5);
    ck_assert_double_eq(value_of("dyno_requests_waiting{worker=\"0\"}"), 7);
    ck_assert_double_eq(value_of("dyno_prompt_tokens_total{worker=\"1\"}"), 200);
    ck_assert_double_eq(value_of("dyno_cached_prompt_tokens_total{worker=\"1\"}"), 120);
    ck_assert_double_eq(value_of("dyno_onboarded_prompt_tokens_total{worker=\"1\"}"), 80);
    ck_assert_double_eq(value_of("dyno_pulled_prompt_tokens_total{worker=\"1\"}"), 10);
    ck_assert_double_eq(value_of("dyno_preemptions_total{worker=\"1\"}"), 2);
    ck_assert_double_eq(value_of("dyno_prompt_tokens_total{worker=\"0\"}"), 0);
    ck_assert_double_eq(value_of("dyno_worker_generated_tokens_total{worker=\"0\"}"), 55);
    ck_assert_double_eq(value_of("dyno_worker_busy_seconds_total{worker=\"0\"}"), 2.5);
    ck_assert_double_eq(value_of("dyno_kv_blocks{worker=\"0\",tier=\"g1\",state=\"used\"}"), 30);
    ck_assert_double_eq(value_of("dyno_kv_blocks{worker=\"0\",tier=\"g1\",state=\"idle\"}"), 20);
    ck_assert_double_eq(value_of("dyno_kv_blocks{worker=\"0\",tier=\"g1\",state=\"free\"}"), 70);
    ck_assert_double_eq(value_of("dyno_kv_blocks{worker=\"1\",tier=\"g3\",state=\"used\"}"), 4);
    ck_assert_double_eq(value_of("dyno_kv_blocks{worker=\"1\",tier=\"g3\",state=\"idle\"}"), 50);
    ck_assert_double_eq(value_of("dyno_kv_blocks{worker=\"1\",tier=\"g3\",state=\"free\"}"), 6);
    ck_assert_double_eq(value_of("dyno_kv_block_bytes"), 2048);
    ck_assert_double_eq(value_of("vllm:num_requests_running{model_name=\"small\",engine=\"0\"}"),
                        -1);
}
END_TEST

START_TEST(durations_stand_on_the_rung_that_is_not_below_them)
{
    for (uint32_t i = 0; i < 3; i++) {
        serve(telemetry, 0, i * DYNO_S);
    }
    read_all(5 * DYNO_S, false);
    ck_assert_double_eq(value_of("dyno_time_to_first_token_seconds_bucket{le=\"0.02\"}"), 0);
    ck_assert_double_eq(value_of("dyno_time_to_first_token_seconds_bucket{le=\"0.05\"}"), 3);
    ck_assert_double_eq(value_of("dyno_time_to_first_token_seconds_bucket{le=\"+Inf\"}"), 3);
    ck_assert_double_eq(value_of("dyno_time_to_first_token_seconds_sum"), 0.15);
    ck_assert_double_eq(value_of("dyno_time_to_first_token_seconds_count"), 3);
    ck_assert_double_eq(value_of("dyno_inter_token_latency_seconds_count"), 30);
    ck_assert_double_eq(value_of("dyno_inter_token_latency_seconds_sum"), 0.6);
    ck_assert_double_eq(value_of("dyno_time_per_output_token_seconds_sum"), 0.06);
    ck_assert_double_eq(value_of("dyno_request_duration_seconds_sum"), 0.75);
    ck_assert_double_eq(value_of("dyno_request_queue_seconds_sum"), 0.03);
    ck_assert_double_eq(value_of("dyno_request_prefill_seconds_sum"), 0.12);
    ck_assert_double_eq(value_of("dyno_request_decode_seconds_sum"), 0.6);
    ck_assert_double_eq(value_of("dyno_request_prompt_tokens_bucket{le=\"50\"}"), 0);
    ck_assert_double_eq(value_of("dyno_request_prompt_tokens_bucket{le=\"100\"}"), 3);
    ck_assert_double_eq(value_of("dyno_request_generated_tokens_sum"), 33);
}
END_TEST

START_TEST(spans_between_stamps_that_are_missing_are_not_counted)
{
    struct dyno_request_record record = record_of(DYNO_NO_WORKER, DYNO_S);

    dyno_telemetry_received(telemetry, DYNO_S);
    record.ready_ns = record.admitted_ns = record.first_token_ns = DYNO_NEVER;
    dyno_telemetry_ended(telemetry, 2 * DYNO_S, &record, false);
    read_all(2 * DYNO_S, false);
    ck_assert_double_eq(value_of("dyno_request_duration_seconds_count"), 1);
    ck_assert_double_eq(value_of("dyno_request_queue_seconds_count"), 0);
    ck_assert_double_eq(value_of("dyno_request_prefill_seconds_count"), 0);
    ck_assert_double_eq(value_of("dyno_request_decode_seconds_count"), 0);
    ck_assert_double_eq(value_of("dyno_time_per_output_token_seconds_count"), 0);
}
END_TEST

START_TEST(buckets_never_shrink_and_end_at_the_count)
{
    double before = 0;
    size_t buckets = 0;

    for (uint32_t i = 0; i < 70; i++) {
        dyno_telemetry_first_token(telemetry, DYNO_S, (uint64_t)1 << (i < 64 ? i : 63));
    }
    read_all(DYNO_S, false);
    for (size_t i = 0; i < series_count; i++) {
        if (strncmp(series[i].name, "dyno_time_to_first_token_seconds_bucket", 39) == 0) {
            ck_assert_double_ge(series[i].value, before);
            before = series[i].value;
            buckets++;
        }
    }
    ck_assert_uint_eq(buckets, DYNO_LADDER_RUNGS + 1);
    ck_assert_double_eq(before, 70);
}
END_TEST

START_TEST(a_dashboard_made_for_vllm_finds_its_names)
{
    serve(telemetry, 1, DYNO_S);
    look(0, 4);
    look(1, 5);
    read_all(5 * DYNO_S, true);
    ck_assert_double_eq(value_of("vllm:num_requests_running{model_name=\"small\",engine=\"0\"}"),
                        4);
    ck_assert_double_eq(value_of("vllm:num_requests_waiting{model_name=\"small\",engine=\"1\"}"),
                        7);
    ck_assert_double_eq(value_of("vllm:kv_cache_usage_perc{model_name=\"small\",engine=\"0\"}"),
                        0.25);
    ck_assert_double_eq(value_of("vllm:gpu_cache_usage_perc{model_name=\"small\",engine=\"0\"}"),
                        0.25);
    ck_assert_double_eq(value_of("vllm:prefix_cache_hits_total{model_name=\"small\",engine=\"1\"}"),
                        60);
    ck_assert_double_eq(
        value_of("vllm:prefix_cache_queries_total{model_name=\"small\",engine=\"1\"}"), 100);
    ck_assert_double_eq(
        value_of("vllm:cache_config_info{engine=\"0\",block_size=\"16\",num_gpu_blocks=\"120\"}"),
        1);
    ck_assert_double_eq(
        value_of("vllm:request_success_total{model_name=\"small\",finished_reason=\"length\"}"), 1);
    ck_assert_double_eq(
        value_of("vllm:request_success_total{model_name=\"small\",finished_reason=\"stop\"}"), 0);
    ck_assert_double_eq(
        value_of("vllm:time_to_first_token_seconds_bucket{model_name=\"small\",le=\"0.05\"}"), 1);
    ck_assert_double_eq(value_of("vllm:inter_token_latency_seconds_count{model_name=\"small\"}"),
                        10);
    ck_assert_double_eq(value_of("vllm:e2e_request_latency_seconds_sum{model_name=\"small\"}"),
                        0.25);
}
END_TEST

/* The library of the tests: two GPUs, the second a degree warmer and a GiB fuller. */
static struct dyno_nvml_watch *open_gpus(const char *variant)
{
    struct dyno_nvml_watch *watch = NULL;
    struct dyno_error error;
    char path[512];

    (void)snprintf(path, sizeof(path), "%s/nvml_%s/libnvidia-ml.so.1", DYNO_TEST_NVML, variant);
    ck_assert_ptr_nonnull(dlopen(path, RTLD_NOW));
    ck_assert_int_eq(dyno_nvml_watch_open(&watch, &error), DYNO_OK);
    return watch;
}

#define GPU(name) "dyno_gpu_" name "{gpu=\"1\",uuid=\"GPU-1\",name=\"Fake H200\"}"
#define THROTTLED(reason)                                                                          \
    "dyno_gpu_throttled{gpu=\"1\",uuid=\"GPU-1\",name=\"Fake H200\",reason=\"" reason "\"}"

START_TEST(gpus_are_told_in_base_units)
{
    struct dyno_nvml_watch *watch = open_gpus("whole");

    telemetry->gpus = watch;
    read_all(0, true);
    ck_assert_double_eq_tol(value_of(GPU("busy_ratio")), 0.75, 1e-9);
    ck_assert_double_eq_tol(value_of(GPU("memory_busy_ratio")), 0.5, 1e-9);
    ck_assert_double_eq(value_of(GPU("memory_bytes")), 161061273600.0);
    ck_assert_double_eq(value_of(GPU("memory_used_bytes")), 2147483648.0);
    ck_assert_double_eq_tol(value_of(GPU("power_watts")), 350.5, 1e-9);
    ck_assert_double_eq_tol(value_of(GPU("energy_joules_total")), 5e6, 1e-3);
    ck_assert_double_eq(value_of(GPU("sm_clock_hertz")), 1755e6);
    ck_assert_double_eq(value_of(GPU("memory_clock_hertz")), 3201e6);
    ck_assert_double_eq(value_of(GPU("temperature_celsius")), 41);
    ck_assert_double_eq(value_of(GPU("ecc_corrected_total")), 12);
    ck_assert_double_eq(value_of(GPU("ecc_uncorrected_total")), 1);
    ck_assert_double_eq(value_of(THROTTLED("power_cap")), 1);
    ck_assert_double_eq(value_of(THROTTLED("hardware_thermal")), 1);
    ck_assert_double_eq(value_of(THROTTLED("thermal")), 0);
    dyno_nvml_watch_close(watch);
}
END_TEST

START_TEST(what_a_gpu_does_not_tell_has_no_line)
{
    struct dyno_nvml_watch *watch = open_gpus("old");

    telemetry->gpus = watch;
    read_all(0, true);
    ck_assert_double_eq(
        value_of("dyno_gpu_memory_used_bytes{gpu=\"1\",uuid=\"\",name=\"Fake H200\"}"),
        2147483648.0);
    for (size_t i = 0; i < series_count; i++) {
        ck_assert_ptr_null(strstr(series[i].name, "dyno_gpu_power"));
        ck_assert_ptr_null(strstr(series[i].name, "dyno_gpu_throttled"));
        ck_assert_ptr_null(strstr(series[i].name, "dyno_gpu_ecc"));
    }
    dyno_nvml_watch_close(watch);
}
END_TEST

START_TEST(hostile_names_stay_inside_their_quotes)
{
    dyno_telemetry_close(telemetry);
    telemetry = open_named("a\"} 1 \\ {b", 1);
    read_all(0, true);
    ck_assert_double_eq(value_of("dyno_build_info{version=\"1.2.3\",model=\"a\\\"} 1 \\\\ {b\"}"),
                        1);
}
END_TEST

START_TEST(a_planner_tells_what_it_wants_and_why)
{
    read_all(0, false);
    ck_assert_double_eq(value_of("dyno_planner_changes_total"), -1); /* there is none */
    dyno_telemetry_close(telemetry);
    telemetry = open_named("small", 3);
    plan(telemetry, 3 * DYNO_S, 1, 2, "up");
    plan(telemetry, 4 * DYNO_S, 2, 2, "waiting");
    read_all(5 * DYNO_S, false);
    ck_assert_double_eq(value_of("dyno_planner_workers{state=\"ready\",role=\"serve\"}"), 2);
    ck_assert_double_eq(value_of("dyno_planner_workers{state=\"starting\",role=\"serve\"}"), 1);
    ck_assert_double_eq(value_of("dyno_planner_workers_desired{reason=\"waiting\",role=\"serve\"}"),
                        2);
    ck_assert_double_eq(value_of("dyno_planner_requests_per_second{of=\"forecast\"}"), 3);
    ck_assert_double_eq(value_of("dyno_planner_changes_total"), 1);
    ck_assert_double_eq(value_of("dyno_planner_last_change_seconds{reason=\"up\"}"), 3);
}
END_TEST

/* Two workers of one model, and one of the other. */
static void open_several(void)
{
    static const struct dyno_telemetry_model models[] = {
        {.name = "chat", .worker_count = 2, .block_bytes = 2048},
        {.name = "co\"de", .worker_count = 1, .block_bytes = 512}};
    const struct dyno_telemetry_config config = {.model = "chat, co\"de",
                                                 .version = "1.2.3",
                                                 .worker_count = 3,
                                                 .block_tokens = 16,
                                                 .models = models,
                                                 .model_count = 2,
                                                 .has_planner = true};
    struct dyno_error error;

    dyno_telemetry_close(telemetry);
    ck_assert_msg(dyno_telemetry_open(&telemetry, &config, &error) == DYNO_OK, "%s", error.text);
}

/* What is fed to a model's telemetry is the whole's too. */
START_TEST(models_are_told_apart_and_summed)
{
    struct dyno_telemetry *chat, *code;
    struct dyno_request_record record = record_of(2, 0);

    open_several();
    chat = dyno_telemetry_of(telemetry, 0);
    code = dyno_telemetry_of(telemetry, 1);
    dyno_telemetry_received(telemetry, DYNO_S); /* for nobody that there is */
    dyno_telemetry_refused(telemetry, DYNO_S, DYNO_REFUSED_NOT_FOUND);
    dyno_telemetry_received(chat, DYNO_S);
    dyno_telemetry_received(code, DYNO_S);
    dyno_telemetry_first_token(code, DYNO_S, 50 * DYNO_MS);
    dyno_telemetry_ended(code, 2 * DYNO_S, &record, true);
    plan(code, 3 * DYNO_S, 1, 2, "up");
    read_all(5 * DYNO_S, true);

    ck_assert_double_eq(value_of("dyno_build_info{version=\"1.2.3\",model=\"chat\"}"), 1);
    ck_assert_double_eq(value_of("dyno_requests_received_total"), 1);
    ck_assert_double_eq(value_of("dyno_requests_received_total{model=\"chat\"}"), 1);
    ck_assert_double_eq(value_of("dyno_requests_in_flight{model=\"chat\"}"), 1);
    ck_assert_double_eq(value_of("dyno_requests_in_flight{model=\"co\\\"de\"}"), 0);
    ck_assert_double_eq(value_of("dyno_requests_ended_total{outcome=\"not_found\"}"), 1);
    ck_assert_double_eq(
        value_of("dyno_requests_ended_total{model=\"co\\\"de\",outcome=\"completed\"}"), 1);
    ck_assert_double_eq(value_of("dyno_time_to_first_token_seconds_count{model=\"chat\"}"), 0);
    ck_assert_double_eq(value_of("dyno_time_to_first_token_seconds_count{model=\"co\\\"de\"}"), 1);
    ck_assert_double_eq(value_of("dyno_prompt_tokens_total{model=\"co\\\"de\",worker=\"2\"}"), 100);
    ck_assert_double_eq(value_of("dyno_prompt_tokens_total{model=\"chat\",worker=\"1\"}"), 0);
    ck_assert_double_eq(value_of("dyno_kv_block_bytes{model=\"co\\\"de\"}"), 512);
    ck_assert_double_eq(value_of("dyno_planner_changes_total{model=\"co\\\"de\"}"), 1);
    ck_assert_double_eq(value_of("dyno_planner_changes_total{model=\"chat\"}"), 0);
    ck_assert_double_eq(
        value_of("vllm:request_success_total{model_name=\"co\\\"de\",finished_reason=\"length\"}"),
        1);
    ck_assert_double_eq(value_of("vllm:prompt_tokens_total{model_name=\"chat\",engine=\"0\"}"), 0);
    ck_assert_double_eq(value_of("vllm:prompt_tokens_total{model_name=\"co\\\"de\",engine=\"2\"}"),
                        100);
}
END_TEST

START_TEST(a_line_end_in_a_label_is_escaped)
{
    struct dyno_memory_text memory;
    char *text;
    size_t size;

    ck_assert_int_eq(dyno_memory_text_open(&memory), DYNO_OK);
    dyno_lines_count(memory.file, "x", DYNO_LABELS({"a", "1\n2"}, {"b", ""}), 3);
    ck_assert_int_eq(dyno_memory_text_take(&memory, &text, &size), DYNO_OK);
    ck_assert_str_eq(text, "x{a=\"1\\n2\",b=\"\"} 3\n");
    free(text);
}
END_TEST

START_TEST(a_sum_is_exact_after_years)
{
    struct dyno_ladder ladder = {.unit = DYNO_LADDER_UNIT_NS};
    struct dyno_memory_text memory;
    char *text;
    size_t size;

    dyno_ladder_add(&ladder, 1000000000000000001, 100000);
    ck_assert_int_eq(dyno_memory_text_open(&memory), DYNO_OK);
    dyno_lines_ladder(memory.file, "x", DYNO_NO_LABELS, &ladder, DYNO_S);
    ck_assert_int_eq(dyno_memory_text_take(&memory, &text, &size), DYNO_OK);
    ck_assert_ptr_nonnull(strstr(text, "x_sum 100000000000000.000100000\n"));
    free(text);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("prometheus");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, gpus_are_told_in_base_units);
    tcase_add_test(tc, what_a_gpu_does_not_tell_has_no_line);
    tcase_add_test(tc, every_line_of_an_idle_server_is_well_formed);
    tcase_add_test(tc, counts_are_what_was_told);
    tcase_add_test(tc, durations_stand_on_the_rung_that_is_not_below_them);
    tcase_add_test(tc, spans_between_stamps_that_are_missing_are_not_counted);
    tcase_add_test(tc, buckets_never_shrink_and_end_at_the_count);
    tcase_add_test(tc, a_dashboard_made_for_vllm_finds_its_names);
    tcase_add_test(tc, hostile_names_stay_inside_their_quotes);
    tcase_add_test(tc, a_planner_tells_what_it_wants_and_why);
    tcase_add_test(tc, models_are_told_apart_and_summed);
    tcase_add_test(tc, a_line_end_in_a_label_is_escaped);
    tcase_add_test(tc, a_sum_is_exact_after_years);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("prometheus", add_cases)
