/* `dyno sensitivity`: what each knob of the scheduler and each parameter of the timing does to
 * TTFT, TPOT and capacity, one at a time, around a scenario of the user's choice.
 *
 * Capacity is the output tokens a second of the same requests behind clients that always keep more
 * in flight than the fleet can run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/assembly/assembly.h"
#include "cli/commands.h"

enum { ARGUMENTS_MAX = 256, CROWD = 2 /* clients for every running sequence */ };

/* A row: an option, and what it is set to: a text, or a factor on what it is. */
struct knob {
    const char *option;
    const char *text; /* NULL: a factor */
    double factor;
    const char *engine; /* whose knob it is; NULL: everybody's */
};

static const struct knob knobs[] = {
    {"kv.blocks", NULL, 0.5, NULL},
    {"kv.blocks", NULL, 0.9, NULL},
    {"kv.blocks", NULL, 1.1, NULL},
    {"kv.prefix_cache", "false", 0, NULL},
    {"kv.hit_when", "completed", 0, NULL},
    {"kv.block_tokens", "64", 0, NULL},
    {"batch.tokens_max", NULL, 0.25, NULL},
    {"batch.tokens_max", NULL, 4.0, NULL},
    {"batch.seqs_max", NULL, 0.25, NULL},
    {"batch.seqs_max", NULL, 4.0, NULL},
    {"batch.watermark", "0.05", 0, NULL},
    {"batch.lookahead", "16", 0, NULL},
    {"batch.reserve_prompt", "false", 0, "vllm"},
    {"batch.async_scheduling", "false", 0, NULL},
    {"batch.prefill_interval", "4", 0, NULL},
    {"batch.mixed_chunk", "true", 0, "sglang"},
    {"batch.queue_order", "lpm", 0, "sglang"},
    {"batch.new_token_ratio", "0.3", 0, "sglang"},
    {"batch.admission", "no-evict", 0, NULL},
    {"engine.profile", "sglang", 0, NULL},
    {"engine.profile", "trtllm", 0, NULL},
    {"timing.gemm_flops_efficiency", NULL, 0.9, NULL},
    {"timing.gemm_memory_efficiency", NULL, 0.9, NULL},
    {"timing.prefill_attention_efficiency", NULL, 0.9, NULL},
    {"timing.decode_attention_efficiency", NULL, 0.9, NULL},
    {"timing.host_us", NULL, 2.0, NULL},
    {"timing.host_us_per_sequence", NULL, 2.0, NULL},
    {"timing.ingest_us", NULL, 2.0, NULL},
    {"timing.ingest_us_per_token", NULL, 2.0, NULL},
    {"timing.response_us", NULL, 2.0, NULL},
};

enum { KNOBS = sizeof knobs / sizeof knobs[0] };

struct outcome {
    double ttft_ms, tpot_ms, tokens_per_s;
    const char *engine;
};

/* What the base of a factor is: as the fleet was really put together, whatever was derived. */
static double value_in_use(const struct dyno_assembly *assembly, const char *option)
{
    const struct dyno_timing_parameters *timing = &assembly->timing_config.parameters;
    const struct {
        const char *option;
        double value;
    } in_use[] = {
        {"kv.blocks", assembly->worker.blocks},
        {"batch.tokens_max", assembly->worker.batch_tokens_max},
        {"batch.seqs_max", assembly->worker.seqs_max},
        {"timing.gemm_flops_efficiency", timing->gemm_flops_efficiency},
        {"timing.gemm_memory_efficiency", timing->gemm_memory_efficiency},
        {"timing.prefill_attention_efficiency", timing->prefill_attention_efficiency},
        {"timing.decode_attention_efficiency", timing->decode_attention_efficiency},
        {"timing.host_us", timing->host_us},
        {"timing.host_us_per_sequence", timing->host_us_per_sequence},
        {"timing.ingest_us", timing->ingest_us},
        {"timing.ingest_us_per_token", timing->ingest_us_per_token},
        {"timing.response_us", timing->response_us},
    };

    for (size_t i = 0; i < sizeof in_use / sizeof in_use[0]; i++) {
        if (strcmp(in_use[i].option, option) == 0) {
            return in_use[i].value;
        }
    }
    return 0.0;
}

static dyno_status run_once(struct dyno_assembly *assembly, const struct dyno_scenario *scenario,
                            struct dyno_error *error)
{
    memset(assembly, 0, sizeof *assembly);
    DYNO_TRY(dyno_assembly_open(assembly, scenario, NULL, NULL, 0, error));
    return dyno_assembly_run(assembly, error);
}

/* Both runs of a scenario: as it is, and crowded.  With `values`, what the knobs stand at. */
static dyno_status measure(const struct dyno_scenario *asked, struct outcome *out, double *values,
                           struct dyno_error *error)
{
    struct dyno_assembly *assembly = calloc(1, sizeof *assembly);
    struct dyno_scenario scenario = *asked;
    dyno_status status;

    if (!assembly) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    scenario.kv.bound_belady = false;
    status = run_once(assembly, &scenario, error);
    if (status == DYNO_OK) {
        out->engine = assembly->worker.engine;
        out->ttft_ms = dyno_histogram_mean(&assembly->metrics.ttft) * 1e-6;
        out->tpot_ms = dyno_histogram_mean(&assembly->metrics.tpot) * 1e-6;
        for (size_t i = 0; values && i < KNOBS; i++) {
            values[i] = value_in_use(assembly, knobs[i].option);
        }
        scenario.trace.concurrency = CROWD * assembly->worker.seqs_max * scenario.fleet.workers;
        scenario.trace.inflight_max = 0;
        dyno_assembly_close(assembly);
        status = run_once(assembly, &scenario, error);
    }
    if (status == DYNO_OK) {
        out->tokens_per_s =
            (double)assembly->metrics.output_tokens / ((double)assembly->result.end_ns * 1e-9);
    }
    dyno_assembly_close(assembly);
    free(assembly);
    return status;
}

/* Load the user's scenario with one knob turned (NULL: none) and measure it. */
static dyno_status measure_with(int argc, char **argv, const char *setting, struct outcome *out,
                                double *values, struct dyno_error *error)
{
    char *arguments[ARGUMENTS_MAX + 2];
    char set_flag[] = "--set", turned[128];
    struct dyno_scenario scenario;
    struct dyno_options options;
    enum dyno_scenario_ask ask;
    dyno_status status;
    int count = argc;

    memcpy(arguments, argv, (size_t)argc * sizeof *argv);
    if (setting) {
        (void)snprintf(turned, sizeof turned, "%s", setting);
        arguments[count++] = set_flag;
        arguments[count++] = turned;
    }
    DYNO_TRY(dyno_scenario_load(&scenario, &options, count, arguments, &ask, error));
    if (ask != DYNO_ASK_RUN) {
        status = dyno_fail(error, DYNO_BAD_INPUT,
                           "dyno sensitivity prints a table, not a scenario: "
                           "dyno replay --print-scenario does that");
    } else {
        status = measure(&scenario, out, values, error);
    }
    dyno_options_close(&options);
    return status;
}

static void print_change(double now, double before)
{
    if (before > 0.0) {
        (void)printf(" %+9.1f %%", 100.0 * (now / before - 1.0));
    } else {
        (void)printf(" %11s", "n/a");
    }
}

static void write_setting(char *out, size_t size, const struct knob *knob, double value)
{
    bool whole = strncmp(knob->option, "timing.", 7) != 0;

    if (knob->text) {
        (void)snprintf(out, size, "%s=%s", knob->option, knob->text);
    } else if (whole) {
        (void)snprintf(out, size, "%s=%.0f", knob->option, value * knob->factor);
    } else {
        (void)snprintf(out, size, "%s=%.9g", knob->option, value * knob->factor);
    }
}

static dyno_status print_table(int argc, char **argv, struct dyno_error *error)
{
    double values[KNOBS] = {0};
    struct outcome base = {.engine = ""}, turned = {0};

    DYNO_TRY(measure_with(argc, argv, NULL, &base, values, error));
    (void)printf("%-46s %11s %11s %11s\n", "knob", "TTFT", "TPOT", "capacity");
    (void)printf("%-46s %8.1f ms %8.2f ms %5.0f tok/s\n", "as asked", base.ttft_ms, base.tpot_ms,
                 base.tokens_per_s);
    for (size_t i = 0; i < KNOBS; i++) {
        struct dyno_error refused = {0};
        char setting[128];

        if (knobs[i].engine && strcmp(knobs[i].engine, base.engine) != 0) {
            continue;
        }
        write_setting(setting, sizeof setting, &knobs[i], values[i]);
        (void)printf("%-46s", setting);
        if (measure_with(argc, argv, setting, &turned, NULL, &refused) != DYNO_OK) {
            (void)printf(" refused: %s\n", refused.text);
            continue;
        }
        print_change(turned.ttft_ms, base.ttft_ms);
        print_change(turned.tpot_ms, base.tpot_ms);
        print_change(turned.tokens_per_s, base.tokens_per_s);
        (void)printf("\n");
    }
    return DYNO_OK;
}

static void print_help(void)
{
    puts("Usage: dyno sensitivity [SCENARIO.yaml] [--OPTION VALUE]... [--set NAME=VALUE]...\n\n"
         "What each knob of the scheduler and each parameter of the timing does to TTFT, TPOT and\n"
         "capacity when it alone is turned.  The options are those of `dyno replay --help`.");
}

int dyno_command_sensitivity(int argc, char **argv)
{
    struct dyno_error error = {0};

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help();
            return DYNO_EXIT_OK;
        }
    }
    if (argc > ARGUMENTS_MAX) {
        (void)dyno_fail(&error, DYNO_BAD_INPUT, "more than %d arguments", ARGUMENTS_MAX);
        return dyno_command_complain(&error, DYNO_EXIT_USAGE);
    }
    if (print_table(argc, argv, &error) != DYNO_OK) {
        return dyno_command_complain(&error, DYNO_EXIT_USAGE);
    }
    return DYNO_EXIT_OK;
}
