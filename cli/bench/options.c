#include "cli/bench/options.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench/words.h"
#include "cli/help.h"
#include "core/base/words.h"

enum { FLAG_COLUMN = 30 };

#define AT(field) offsetof(struct dyno_bench_options, field)

static const char *const endpoints[] = {"completions", "chat", NULL};
static const char *const prompt_kinds[] = {"text", "tokens", NULL};

static const struct dyno_option rows[] = {
    {.name = "bench.url",
     .flag = "url",
     .value = "URL",
     .type = DYNO_OPTION_TEXT,
     .offset = AT(url_text),
     .initial = "http://127.0.0.1:8000",
     .min = 1,
     .help = "the server, with or without /v1"},
    {.name = "bench.endpoint",
     .flag = "endpoint",
     .value = "WHICH",
     .type = DYNO_OPTION_CHOICE,
     .offset = AT(endpoint),
     .initial = "completions",
     .choices = endpoints,
     .help = "what is asked: completions (/v1/completions) or chat (/v1/chat/completions)"},
    {.name = "bench.model",
     .flag = "model",
     .value = "NAME",
     .type = DYNO_OPTION_TEXT,
     .offset = AT(model),
     .initial = "served",
     .special = "served",
     .min = 1,
     .help = "which model to ask; served means the first that the server lists"},
    {.name = "bench.api_key_env",
     .flag = "api-key-env",
     .value = "VARIABLE",
     .type = DYNO_OPTION_TEXT,
     .offset = AT(api_key_env),
     .initial = "none",
     .special = "none",
     .min = 1,
     .help = "the environment variable that holds the API key"},
    {.name = "bench.ca_file",
     .flag = "ca-file",
     .value = "FILE",
     .type = DYNO_OPTION_TEXT,
     .offset = AT(trusted),
     .initial = "system",
     .special = "system",
     .min = 1,
     .help = "whom to trust about an https server (PEM); system means whom this machine trusts"},
    {.name = "bench.prompt_as",
     .flag = "prompt-as",
     .value = "KIND",
     .type = DYNO_OPTION_CHOICE,
     .offset = AT(prompt_as),
     .initial = "text",
     .choices = prompt_kinds,
     .help = "prompts are text, or lists of token ids: tokens (completions only)"},
    {.name = "bench.tokenizer",
     .flag = "tokenizer",
     .value = "PATH",
     .type = DYNO_OPTION_TEXT,
     .offset = AT(tokenizer),
     .initial = "none",
     .special = "none",
     .min = 1,
     .help = "the model's tokenizer (its folder, tokenizer.json, a .gguf file): prompts then have "
             "exactly as many tokens as the trace says"},
    {.name = "bench.vocabulary",
     .flag = "vocabulary",
     .value = "N",
     .type = DYNO_OPTION_U32,
     .offset = AT(vocabulary),
     .initial = "2000",
     .min = 16,
     .max = 1u << 20,
     .help = "token ids of prompts without a tokenizer are from N/8 to N - 1"},
    {.name = "bench.ignore_eos",
     .flag = "ignore-eos",
     .type = DYNO_OPTION_BOOL,
     .offset = AT(ignore_eos),
     .initial = "true",
     .help = "ask that answers are as long as recorded (engines know it; some services refuse it)"},
    {.name = "bench.extra_body",
     .flag = "extra-body",
     .value = "JSON",
     .type = DYNO_OPTION_TEXT,
     .offset = AT(extra_body),
     .initial = "none",
     .special = "none",
     .min = 1,
     .help = "an object whose members every request gets: {\"temperature\":0}"},
    {.name = "bench.connections",
     .flag = "connections",
     .value = "N",
     .type = DYNO_OPTION_U32,
     .offset = AT(connections_max),
     .initial = "20000",
     .min = 1,
     .max = 1u << 20,
     .help = "connections at most; a request that finds none free fails"},
    {.name = "bench.connect_timeout",
     .flag = "connect-timeout",
     .value = "TIME",
     .type = DYNO_OPTION_DURATION,
     .offset = AT(connect_timeout_ns),
     .initial = "10s",
     .min = DYNO_MS,
     .max = 3600 * DYNO_S,
     .help = "a request fails if no connection comes about for so long"},
    {.name = "bench.timeout",
     .flag = "timeout",
     .value = "TIME",
     .type = DYNO_OPTION_DURATION,
     .offset = AT(silence_timeout_ns),
     .initial = "10min",
     .min = DYNO_MS,
     .max = 86400 * DYNO_S,
     .help = "a request fails if the server is silent for so long"},
    {.name = "bench.save",
     .flag = "save",
     .value = "FILE",
     .type = DYNO_OPTION_TEXT,
     .offset = AT(save),
     .initial = "none",
     .special = "none",
     .min = 1,
     .help = "write the result as `vllm bench serve --save-detailed` does"},
    {.name = "bench.export_aiperf",
     .flag = "export-aiperf",
     .value = "FOLDER",
     .type = DYNO_OPTION_TEXT,
     .offset = AT(export_aiperf),
     .initial = "none",
     .special = "none",
     .min = 1,
     .help =
         "write a profile_export.jsonl into it, and profile_export_aiperf.json, as AIPerf does"},
};

enum { ROWS = sizeof rows / sizeof rows[0] };

/* What of a scenario says something to a client. */
static const char *const sections[] = {"trace", "generate", "slo", NULL};
static const char *const names[] = {
    "run.seed",         "run.sample_every", "run.duration_max",
    "kv.block_tokens",  "output.db",        "output.json",
    "output.host_json", "output.progress",  NULL,
};

static bool is_read(const char *name)
{
    for (size_t i = 0; sections[i]; i++) {
        size_t size = strlen(sections[i]);

        if (strncmp(name, sections[i], size) == 0 && name[size] == '.') {
            return true;
        }
    }
    for (size_t i = 0; names[i]; i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* A scenario file may say more, for it may be simulated too; a command line may not. */
static dyno_status refuse_idle(const struct dyno_options *scenario, struct dyno_error *error)
{
    for (uint32_t i = 0; i < scenario->count; i++) {
        const struct dyno_option *row = &scenario->rows[i];
        const struct dyno_option_origin *origin = dyno_options_origin(scenario, row);
        char place[256];

        if ((origin->source == DYNO_SOURCE_SET || origin->source == DYNO_SOURCE_FLAG) &&
            !is_read(row->name)) {
            dyno_option_place(row, origin, place, sizeof place);
            return dyno_fail(error, DYNO_BAD_INPUT,
                             "%s says something of a simulation; dyno bench asks a server", place);
        }
    }
    return DYNO_OK;
}

static dyno_status check(struct dyno_bench_options *options, struct dyno_error *error)
{
    DYNO_TRY(dyno_url_parse(&options->url, options->url_text, error));
    if (strcmp(options->prompt_as, "tokens") == 0 && strcmp(options->endpoint, "chat") == 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "--prompt-as tokens and --endpoint chat contradict each other: a message "
                         "is text");
    }
    return refuse_idle(&options->scenario_rows, error);
}

static dyno_status load_scenario(struct dyno_bench_options *options, struct dyno_error *error)
{
    enum dyno_scenario_ask ask;

    return dyno_scenario_load(&options->scenario, &options->scenario_rows, options->word_count,
                              options->words, &ask, error);
}

dyno_status dyno_bench_options_parse(struct dyno_bench_options *options, int argc, char **argv,
                                     struct dyno_error *error)
{
    dyno_status status;

    memset(options, 0, sizeof *options);
    DYNO_TRY(dyno_options_open(&options->rows, rows, ROWS, options, error));
    status = dyno_bench_words_read(options, argc, argv, error);
    if (status == DYNO_OK && !options->help) {
        status = load_scenario(options, error);
        if (status == DYNO_OK) {
            status = check(options, error);
        }
    }
    if (status != DYNO_OK) {
        dyno_bench_options_close(options);
    }
    return status;
}

void dyno_bench_options_close(struct dyno_bench_options *options)
{
    dyno_options_close(&options->scenario_rows);
    dyno_options_close(&options->rows);
    free(options->words);
    options->words = NULL;
}

static void free_row(struct dyno_run_option_row *row)
{
    free((char *)(uintptr_t)row->value);
    free((char *)(uintptr_t)row->origin);
}

struct dyno_run_option_row *dyno_bench_option_rows(const struct dyno_bench_options *options,
                                                   uint32_t *count)
{
    struct dyno_run_option_row *own = dyno_scenario_option_rows(&options->rows);
    struct dyno_run_option_row *other = dyno_scenario_option_rows(&options->scenario_rows);
    struct dyno_run_option_row *all =
        calloc(options->rows.count + options->scenario_rows.count, sizeof *all);

    *count = 0;
    if (!own || !other || !all) {
        dyno_scenario_option_rows_free(own, options->rows.count);
        dyno_scenario_option_rows_free(other, options->scenario_rows.count);
        free(all);
        return NULL;
    }
    for (uint32_t i = 0; i < options->rows.count; i++) {
        all[(*count)++] = own[i];
    }
    for (uint32_t i = 0; i < options->scenario_rows.count; i++) {
        if (is_read(other[i].name)) {
            all[(*count)++] = other[i];
        } else {
            free_row(&other[i]);
        }
    }
    free(own);
    free(other);
    return all;
}

static void help_row(FILE *out, uint32_t width, const struct dyno_option *row)
{
    char head[96], text[512];

    (void)snprintf(head, sizeof head, "--%s%s%s%s", row->type == DYNO_OPTION_BOOL ? "[no-]" : "",
                   row->flag, row->value ? " " : "", row->value ? row->value : "");
    (void)snprintf(text, sizeof text, "%s [%s]", row->help, row->initial);
    dyno_help_entry(out, width, FLAG_COLUMN, head, text);
}

void dyno_bench_help(FILE *out)
{
    uint32_t width = dyno_help_width(out);

    fputs(
        "Usage: dyno bench [SCENARIO.yaml] [--url URL] [--OPTION VALUE]...\n\n"
        "Ask a server of the OpenAI interface what a trace or a generator asks, and report it as\n"
        "`dyno replay` reports a simulation.\n\n"
        "Examples:\n"
        "  dyno bench --url http://127.0.0.1:8000 --arrival poisson:4 --requests 100\n"
        "  dyno bench --trace trace.jsonl --endpoint chat --slo ttft=2s,tpot=50ms\n"
        "  dyno bench --concurrency 64 --requests 1000 --input-tokens 1024 --output-tokens 128\n\n",
        out);
    for (size_t i = 0; i < ROWS; i++) {
        help_row(out, width, &rows[i]);
    }
    fputs("\nWhat is asked and what is left behind, as in `dyno replay --help`:\n", out);
    for (uint32_t i = 0; i < dyno_scenario_row_count; i++) {
        if (dyno_scenario_rows[i].flag && is_read(dyno_scenario_rows[i].name)) {
            help_row(out, width, &dyno_scenario_rows[i]);
        }
    }
    dyno_help_entry(out, width, FLAG_COLUMN, "--slo ttft=TIME,...",
                    "what a request must meet to count as goodput: any of ttft, tpot, itl, e2e");
    fputs("\nAs `vllm bench serve` has them:\n", out);
    dyno_bench_words_help(out, width, FLAG_COLUMN);
}
