/* `dyno fit`: a calibration from tables of kernels; from a benchmark: cli/fit_from.c. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/calibration_file.h"
#include "cli/commands.h"
#include "cli/fit_from.h"
#include "cli/kernel_tables.h"
#include "core/base/map.h"
#include "core/base/words.h"
#include "sim/fit.h"

enum { TABLES_MAX = 32 };

struct arguments {
    const char *gpu, *model, *output, *source;
    const char *tables[TABLES_MAX];
    size_t table_count;
};

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

static dyno_status take_arguments(struct arguments *arguments, int argc, char **argv,
                                  struct dyno_error *error)
{
    const struct {
        const char *flag;
        const char **to;
    } flags[] = {{"--gpu", &arguments->gpu},
                 {"--model", &arguments->model},
                 {"--source", &arguments->source},
                 {"-o", &arguments->output}};
    char quoted[DYNO_QUOTE_MAX];

    for (int i = 1; i < argc; i++) {
        const char **to = NULL;

        for (size_t j = 0; j < sizeof flags / sizeof flags[0]; j++) {
            to = strcmp(argv[i], flags[j].flag) == 0 ? flags[j].to : to;
        }
        if (to && i + 1 == argc) {
            return dyno_fail(error, DYNO_BAD_INPUT, "%s needs a value", argv[i]);
        }
        if (to) {
            *to = argv[++i];
        } else if (argv[i][0] == '-') {
            return dyno_fail(error, DYNO_BAD_INPUT,
                             "unknown option %s; 'dyno fit --help' lists them",
                             dyno_quote(quoted, argv[i]));
        } else if (arguments->table_count == TABLES_MAX) {
            return dyno_fail(error, DYNO_BAD_INPUT, "fit takes at most %d tables", TABLES_MAX);
        } else {
            arguments->tables[arguments->table_count++] = argv[i];
        }
    }
    if (!arguments->gpu || !arguments->output || !arguments->table_count) {
        return dyno_fail(
            error, DYNO_BAD_INPUT,
            "fit needs --gpu GPU, -o FILE and at least one table, or --from RECORDING");
    }
    return DYNO_OK;
}

static dyno_status configure(struct dyno_timing_config *config, const struct arguments *arguments,
                             struct dyno_error *error)
{
    const char *name = arguments->model ? arguments->model : "llama-3.1-8b";
    const struct dyno_model *model = dyno_model_find(name);
    const struct dyno_gpu *gpu = dyno_gpu_find(arguments->gpu);
    char quoted[DYNO_QUOTE_MAX];

    if (!model || !gpu) {
        return dyno_fail(
            error, DYNO_NOT_FOUND, "%s is not a built-in %s; `dyno help models` lists them",
            dyno_quote(quoted, model ? arguments->gpu : name), model ? "GPU" : "model");
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
    (void)snprintf(calibration->gpu, sizeof calibration->gpu, "%s", arguments->gpu);
    (void)snprintf(calibration->source, sizeof calibration->source, "%s",
                   arguments->source ? arguments->source : "tables of measured kernels");
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
    for (size_t i = 0; i < arguments->table_count; i++) {
        DYNO_TRY(dyno_kernel_samples_read(samples, arguments->tables[i], &config.model, error));
    }
    DYNO_TRY(dyno_fit_kernels(&fit, &config, samples->items, samples->count, error));
    print_fit(&fit);
    return write_calibration(arguments, &fit, samples, error);
}

static bool has(int argc, char **argv, const char *flag)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], flag) == 0) {
            return true;
        }
    }
    return false;
}

int dyno_command_fit(int argc, char **argv)
{
    struct dyno_kernel_samples samples = {0};
    struct arguments arguments = {0};
    struct dyno_error error = {0};
    dyno_status status;

    if (has(argc, argv, "--help") || has(argc, argv, "-h")) {
        print_help();
        return DYNO_EXIT_OK;
    }
    if (has(argc, argv, "--from")) {
        return dyno_fit_from(argc, argv);
    }
    if (take_arguments(&arguments, argc, argv, &error) != DYNO_OK) {
        return dyno_command_complain(&error, DYNO_EXIT_USAGE);
    }
    status = fit_all(&arguments, &samples, &error);
    dyno_kernel_samples_release(&samples);
    return status == DYNO_OK ? DYNO_EXIT_OK : dyno_command_complain(&error, DYNO_EXIT_FAILED);
}
