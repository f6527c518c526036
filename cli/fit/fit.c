/* `dyno fit`: a calibration from tables of kernels; from a benchmark: cli/fit/from.c. */
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/commands.h"
#include "cli/file_command.h"
#include "cli/fit/from.h"
#include "cli/fit/kernel_tables.h"
#include "cli/scenario/calibration_file.h"
#include "core/base/map.h"
#include "core/base/words.h"
#include "sim/fit.h"

enum { TABLES_MAX = 32 };

struct fit_options {
    const char *gpu, *model, *source; /* gpu NULL: not given */
};

struct arguments {
    const struct fit_options *options;
    const char *output;
    const struct dyno_file_words *tables;
};

#define AT(field) offsetof(struct fit_options, field)

static const struct dyno_option rows[] = {
    {.name = "fleet.gpu",
     .flag = "gpu",
     .value = "GPU",
     .help = "what was measured",
     .initial = "none",
     .special = "none",
     .type = DYNO_OPTION_TEXT,
     .offset = AT(gpu),
     .min = 1},
    {.name = "model.name",
     .flag = "model",
     .value = "MODEL",
     .help = "whose layers the tables are, a built-in model",
     .initial = "llama-3.1-8b",
     .type = DYNO_OPTION_TEXT,
     .offset = AT(model),
     .min = 1},
    {.name = "calibration.source",
     .flag = "source",
     .value = "TEXT",
     .help = "where the measurements come from, for the record",
     .initial = "tables of measured kernels",
     .type = DYNO_OPTION_TEXT,
     .offset = AT(source),
     .min = 1},
};

enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };

static const char needs[] = "--gpu GPU, -o FILE and at least one table, or --from RECORDING";

static void print_help(void)
{
    puts("Usage: dyno fit --gpu GPU [--model MODEL] [--source TEXT] -o FILE TABLE...\n"
         "       dyno fit --gpu GPU --from RECORDING (-o FILE | --check) [OPTION...]\n\n"
         "Make a calibration, for `dyno replay --calibration FILE`.\n\n"
         "From tables of measured kernels, CSV and gzipped CSV: AIConfigurator's gemm,\n"
         "context_attention, generation_attention and custom_allreduce, LLMServingSim's\n"
         "attention, dense and per_sequence (of --model, llama-3.1-8b unless said).\n\n"
         "From a benchmark of a server, recognised by what is in the file: the JSON of\n"
         "`vllm bench serve --save-result` (better with --save-detailed), AIPerf's\n"
         "profile_export.jsonl, a recorded run (requests.jsonl beside meta.json), or a database\n"
         "of dyno's own (its last run).  Its requests are replayed as OPTIONs of `dyno replay`\n"
         "say (--model, --engine, --tp, --concurrency, ...), which win over what the recording\n"
         "says of the engine, and what passes cost is changed until TTFT, TPOT and E2E agree.\n\n"
         "Says of every parameter how well it is determined; one that is not is left as it was.\n\n"
         "  --gpu GPU      what was measured\n"
         "  --model MODEL  tables: whose layers they are, a built-in model; else what was served\n"
         "  --source TEXT  where the measurements come from, for the record\n"
         "  --from FILE    the recorded benchmark\n"
         "  --prompts FILE its prompts in tokens (JSON lines, input_tok_ids), to find shared "
         "prefixes\n"
         "  --check        fit nothing: lay the recording beside what is predicted\n"
         "  -o FILE        write the calibration there");
}

static dyno_status configure(struct dyno_timing_config *config, const struct arguments *arguments,
                             struct dyno_error *error)
{
    const struct fit_options *options = arguments->options;
    const struct dyno_model *model = dyno_model_find(options->model);
    const struct dyno_gpu *gpu = dyno_gpu_find(options->gpu);
    char quoted[DYNO_QUOTE_MAX];

    if (!model || !gpu) {
        return dyno_fail(
            error, DYNO_NOT_FOUND, "%s is not a built-in %s; `dyno help models` lists them",
            dyno_quote(quoted, model ? options->gpu : options->model), model ? "GPU" : "model");
    }
    *config = (struct dyno_timing_config){
        .model = *model, .gpu = *gpu, .tp = 1, .seqs_max = 1, .batch_tokens_max = 1};
    dyno_timing_defaults(&config->parameters, gpu);
    return DYNO_OK;
}

/* Of every measured time, in order: tells two sets of measurements apart, no more. */
static uint64_t hash_of(const struct dyno_kernel_samples *samples)
{
    uint64_t hash = samples->count;

    for (size_t i = 0; i < samples->count; i++) {
        uint64_t bits;

        memcpy(&bits, &samples->items[i].us, sizeof bits);
        hash = dyno_mix(hash ^ bits);
    }
    return hash;
}

static void print_fit(const struct dyno_fit *fit)
{
    (void)printf("%-34s %12s %12s %10s %8s %12s\n", "parameter", "before", "after", "+- %",
                 "samples", "mean error %");
    for (uint32_t i = 0; i < fit->fitted_count; i++) {
        const struct dyno_fitted *fitted = &fit->fitted[i];

        if (fitted->standard_error < 0) {
            (void)printf("%-34s %12.5g  not determined by these measurements: left out\n",
                         fitted->row->name, fitted->before);
        } else {
            (void)printf("%-34s %12.5g %12.5g %10.1f %8" PRIu32 " %12.1f\n", fitted->row->name,
                         fitted->before, fitted->after, 100 * fitted->standard_error,
                         fitted->samples, fitted->error_percent);
        }
    }
}

static dyno_status write_calibration(const struct arguments *arguments, const struct dyno_fit *fit,
                                     const struct dyno_kernel_samples *samples,
                                     struct dyno_error *error)
{
    struct dyno_calibration *calibration = calloc(1, sizeof *calibration);
    time_t now = time(NULL);
    struct tm today;
    dyno_status status;

    if (!calibration) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    (void)snprintf(calibration->gpu, sizeof calibration->gpu, "%s", arguments->options->gpu);
    (void)snprintf(calibration->source, sizeof calibration->source, "%s",
                   arguments->options->source);
    (void)snprintf(calibration->data, sizeof calibration->data, "%016" PRIx64, hash_of(samples));
    if (gmtime_r(&now, &today)) {
        (void)strftime(calibration->date, sizeof calibration->date, "%Y-%m-%d", &today);
    }
    dyno_calibration_fill(calibration, fit, samples->items, samples->count);
    status = dyno_calibration_write(calibration, arguments->output, error);
    free(calibration);
    return status;
}

static dyno_status fit_all(const struct arguments *arguments, struct dyno_kernel_samples *samples,
                           struct dyno_error *error)
{
    struct dyno_timing_config config;
    struct dyno_fit fit;

    DYNO_TRY(configure(&config, arguments, error));
    for (size_t i = 0; i < arguments->tables->count; i++) {
        DYNO_TRY(dyno_kernel_samples_read(samples, arguments->tables->at[i], &config.model, error));
    }
    DYNO_TRY(dyno_fit_kernels(&fit, &config, samples->items, samples->count, error));
    print_fit(&fit);
    return write_calibration(arguments, &fit, samples, error);
}

static bool is_given(int argc, char **argv, const char *flag)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], flag) == 0) {
            return true;
        }
    }
    return false;
}

/* The tables that were named, which run gets behind the options. */
struct command {
    struct fit_options options; /* its first member: the rows fill it */
    struct dyno_file_words tables;
};

static int run(const char *file, const void *values)
{
    const struct command *command = values;
    const struct arguments arguments = {
        .options = &command->options, .output = file, .tables = &command->tables};
    struct dyno_kernel_samples samples = {0};
    struct dyno_error error = {0};
    dyno_status status;

    if (!command->options.gpu || command->tables.count == 0) {
        (void)dyno_fail(&error, DYNO_BAD_INPUT, "fit needs %s", needs);
        return dyno_command_complain(&error, DYNO_EXIT_USAGE);
    }
    status = fit_all(&arguments, &samples, &error);
    dyno_kernel_samples_release(&samples);
    return status == DYNO_OK ? DYNO_EXIT_OK : dyno_command_complain(&error, DYNO_EXIT_FAILED);
}

int dyno_command_fit(int argc, char **argv)
{
    const char *tables[TABLES_MAX];
    struct command values = {.tables = {.at = tables, .most = TABLES_MAX, .name = "tables"}};

    if (is_given(argc, argv, "--from")) {
        if (is_given(argc, argv, "--help") || is_given(argc, argv, "-h")) {
            print_help();
            return DYNO_EXIT_OK;
        }
        return dyno_fit_from(argc, argv);
    }
    return dyno_file_command_run(&(struct dyno_file_command){.command = "fit",
                                                             .file_flag = "-o",
                                                             .others = &values.tables,
                                                             .needs = needs,
                                                             .rows = rows,
                                                             .row_count = ROW_COUNT,
                                                             .values = &values,
                                                             .print_help = print_help,
                                                             .run = run},
                                 argc, argv);
}
