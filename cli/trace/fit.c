/* `dyno trace fit FILE`: the generator's options that come closest to a trace, and how close. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/file_command.h"
#include "cli/trace/reading.h"
#include "cli/trace/trace.h"
#include "core/base/time.h"
#include "traces/traces.h"

enum { LABEL_WIDTH = 28, DEFAULT_BLOCK_TOKENS = 512, SEEDS_MAX = 1000 };

/* Caches that hits are compared in: parts of all blocks. */
static const struct {
    const char *label;
    double part;
} caches[] = {
    {"  endless cache", 1.0},
    {"  a quarter of all blocks", 1.0 / 4},
    {"  a sixteenth", 1.0 / 16},
    {"  a 64th", 1.0 / 64},
};

enum { CACHES = sizeof caches / sizeof caches[0] };

struct fit_options {
    const char *format;
    uint32_t block_tokens, common_min, sort_window, seeds;
    uint64_t skip_bad, seed;
};

#define AT(field) offsetof(struct fit_options, field)

static const struct dyno_option rows[] = {
    DYNO_READING_FORMAT("format", "", AT(format)),
    DYNO_READING_BLOCK_TOKENS("block-tokens", "the trace", AT(block_tokens)),
    {.name = "fit.common",
     .flag = "common",
     .value = "N",
     .help = "a block that more than N requests have is a common prefix, and no conversation's",
     .initial = "100",
     .type = DYNO_OPTION_U32,
     .offset = AT(common_min),
     .min = 1,
     .max = UINT32_MAX},
    DYNO_READING_SKIP_BAD(": they are left out", AT(skip_bad)),
    DYNO_READING_SORT_WINDOW(AT(sort_window)),
    {.name = "run.seed",
     .flag = "seed",
     .value = "N",
     .help = "the first of the generated traces that are compared",
     .initial = "1",
     .type = DYNO_OPTION_U64,
     .offset = AT(seed),
     .max = UINT64_MAX - SEEDS_MAX},
    {.name = "fit.seeds",
     .flag = "seeds",
     .value = "N",
     .help = "try so many, and take the one whose prefix hits come closest",
     .initial = "8",
     .type = DYNO_OPTION_U32,
     .offset = AT(seeds),
     .min = 1,
     .max = SEEDS_MAX},
};

enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };

static void print_help(void)
{
    puts("Usage: dyno trace fit [--OPTION VALUE]... FILE\n\n"
         "The options of `dyno trace synth` that make a trace which resembles this one, and how\n"
         "far what they make is off: a load that can be given away, or made larger than it was.\n");
    dyno_file_command_rows_help(rows, ROW_COUNT);
}

static bool has_turns(const struct dyno_trace_fit *fit)
{
    return strcmp(fit->turns, "1") != 0;
}

static void print_command(const struct dyno_trace_fit *fit, uint64_t seed, uint32_t block_tokens)
{
    printf("dyno trace synth --requests %" PRIu64 " --arrival %s \\\n"
           "    --input-tokens %s --output-tokens %s",
           fit->requests, fit->arrival, fit->input.text, fit->output.text);
    if (fit->prefix_groups > 0) {
        printf(" \\\n    --prefix-groups %" PRIu32 " --prefix-tokens %s --prefix-zipf %.3f",
               fit->prefix_groups, fit->prefix.text, fit->prefix_zipf);
    }
    if (has_turns(fit)) {
        printf(" \\\n    --session-turns %s", fit->turns);
        if (fit->turn_input.text[0]) {
            printf(" \\\n    --turn-tokens %s", fit->turn_input.text);
        }
        printf(" --%s %s", fit->is_timed ? "turn-gap" : "think-time", fit->pause.text);
    }
    if (fit->tick_ns > 0) {
        bool is_whole = fit->tick_ns % DYNO_S == 0;

        printf(" --tick %" PRIu64 "%s", fit->tick_ns / (is_whole ? DYNO_S : DYNO_MS),
               is_whole ? "s" : "ms");
    }
    if (block_tokens != DEFAULT_BLOCK_TOKENS) {
        printf(" --block-tokens %" PRIu32, block_tokens);
    }
    printf(" \\\n    --seed %" PRIu64 " -o FILE\n\n", seed);
}

static void compare(const char *label, double trace, double generated)
{
    printf("%-*s%12.6g%12.6g", LABEL_WIDTH, label, trace, generated);
    if (trace != 0) {
        printf("%+9.1f %%", 100 * (generated / trace - 1));
    }
    putchar('\n');
}

static void compare_tokens(const char *label, const struct dyno_token_summary *trace,
                           const struct dyno_token_summary *generated)
{
    printf("%s\n", label);
    compare("  mean", trace->mean, generated->mean);
    compare("  p50", trace->p50, generated->p50);
    compare("  p90", trace->p90, generated->p90);
    compare("  p99", trace->p99, generated->p99);
}

static double rate_of(const struct dyno_trace_summary *summary)
{
    return summary->span_ns
               ? (double)summary->counts.requests / ((double)summary->span_ns / (double)DYNO_S)
               : 0;
}

/* The share of block references that a cache hits which is a part of all blocks' size. */
static double hits_in(const struct dyno_trace_summary *summary, double part)
{
    uint64_t references;
    const uint64_t *hits;
    size_t distinct;

    dyno_reuse_curve(summary->reuse, &hits, &distinct, &references);
    return references ? 100 * (double)hits[(size_t)((double)distinct * part)] / (double)references
                      : 0;
}

static bool has_hits(const struct dyno_trace_summary *summary)
{
    return summary->counts.block_refs > 0 && !summary->counts.block_bound_cut;
}

static void compare_hits(const struct dyno_trace_summary *trace,
                         const struct dyno_trace_summary *generated)
{
    if (!has_hits(trace) || generated->counts.block_bound_cut) {
        return;
    }
    puts("prefix hits, % of blocks");
    for (int i = 0; i < CACHES; i++) {
        compare(caches[i].label, hits_in(trace, caches[i].part),
                hits_in(generated, caches[i].part));
    }
}

/* How far the hits of a generated trace are off in all caches together, as shares of the trace's.
 */
static double hits_off(const struct dyno_trace_summary *trace,
                       const struct dyno_trace_summary *generated)
{
    double off = 0;

    for (int i = 0; i < CACHES && has_hits(trace) && has_hits(generated); i++) {
        double hits = hits_in(trace, caches[i].part);

        off += hits > 0 ? fabs(hits_in(generated, caches[i].part) / hits - 1) : 0;
    }
    return off;
}

static void print_comparison(const struct dyno_trace_fit *fit,
                             const struct dyno_trace_summary *trace,
                             const struct dyno_trace_summary *generated)
{
    printf("%-*s%12s%12s%11s\n", LABEL_WIDTH, "", "trace", "generated", "off");
    compare("requests per second", rate_of(trace), rate_of(generated));
    compare("  in a second, p90", trace->crowds.p90, generated->crowds.p90);
    compare("  in a second, p99", trace->crowds.p99, generated->crowds.p99);
    compare_tokens("prompt tokens", &trace->input, &generated->input);
    compare_tokens("answer tokens", &trace->output, &generated->output);
    compare_hits(trace, generated);
    printf("\nlaws and what they were fitted to: new prompt tokens %.1f %%",
           100 * fit->input.distance);
    if (fit->turn_input.text[0]) {
        printf(" (later turns' %.1f %%)", 100 * fit->turn_input.distance);
    }
    printf(", answers %.1f %%", 100 * fit->output.distance);
    if (has_turns(fit)) {
        printf(", %s %.1f %%", fit->is_timed ? "gaps" : "think times", 100 * fit->pause.distance);
    }
    puts(" apart where\nthey are farthest (Kolmogorov-Smirnov)");
}

/* Generate into a file that nobody else sees, and look at it as at any trace. */
static dyno_status summarise_generated(struct dyno_trace_summary *out,
                                       const struct dyno_trace_fit *fit, uint64_t seed,
                                       uint32_t block_tokens, struct dyno_error *error)
{
    const struct dyno_generator_config generator = dyno_trace_fit_config(fit, seed);
    const char *folder = getenv("TMPDIR");
    char path[4096];
    struct dyno_trace_config config = {.path = path, .format = "mooncake"};
    dyno_status status;
    int file;

    (void)snprintf(path, sizeof path, "%s/dyno-fit-XXXXXX", folder ? folder : "/tmp");
    file = mkstemp(path);
    if (file < 0) {
        return dyno_fail(error, DYNO_IO, "%s: %s; expected a folder for a file of a moment", path,
                         strerror(errno));
    }
    (void)close(file);
    status = dyno_trace_write(path, "mooncake", block_tokens, &generator, NULL, error);
    if (status == DYNO_OK) {
        status = dyno_trace_summarise(out, &config, error);
    }
    (void)unlink(path);
    return status;
}

/* The generated trace that comes closest, and its seed.  What is drawn once, such as how long the
 * prefixes are that most share, is not what it is on average in any one of them. */
static dyno_status find_closest(struct dyno_trace_summary *out, uint64_t *seed,
                                const struct dyno_trace_fit *fit,
                                const struct dyno_trace_summary *trace,
                                const struct fit_options *options, uint32_t block_tokens,
                                struct dyno_error *error)
{
    uint32_t seeds = has_hits(trace) ? options->seeds : 1;

    *seed = options->seed;
    DYNO_TRY(summarise_generated(out, fit, *seed, block_tokens, error));
    for (uint32_t i = 1; i < seeds; i++) {
        struct dyno_trace_summary next = {0}, left;
        dyno_status status =
            summarise_generated(&next, fit, options->seed + i, block_tokens, error);

        if (status != DYNO_OK) {
            dyno_trace_summary_release(out);
            return status;
        }
        left = next;
        if (hits_off(trace, &next) < hits_off(trace, out)) {
            left = *out;
            *out = next;
            *seed = options->seed + i;
        }
        dyno_trace_summary_release(&left);
    }
    return DYNO_OK;
}

static int show(const struct dyno_trace_fit *fit, const struct dyno_trace_summary *trace,
                const struct fit_options *options)
{
    uint32_t block_tokens = trace->block_tokens ? trace->block_tokens : DEFAULT_BLOCK_TOKENS;
    struct dyno_trace_summary generated = {0};
    struct dyno_error error;
    uint64_t seed;

    if (find_closest(&generated, &seed, fit, trace, options, block_tokens, &error) != DYNO_OK) {
        return dyno_command_complain(&error, DYNO_EXIT_FAILED);
    }
    print_command(fit, seed, block_tokens);
    print_comparison(fit, trace, &generated);
    dyno_trace_summary_release(&generated);
    return DYNO_EXIT_OK;
}

static int run(const char *file, const void *values)
{
    const struct fit_options *options = values;
    const struct dyno_trace_config config = {.path = file,
                                             .format = options->format,
                                             .trace_block_tokens = options->block_tokens,
                                             .skip_bad_max = options->skip_bad,
                                             .sort_window = options->sort_window};
    struct dyno_trace_summary trace = {0};
    struct dyno_trace_fit fit;
    struct dyno_error error;
    int result;

    if (strcmp(file, "-") == 0) {
        (void)dyno_fail(&error, DYNO_BAD_INPUT,
                        "trace fit reads its trace twice; expected a file, not standard input");
        return dyno_command_complain(&error, DYNO_EXIT_USAGE);
    }
    if (dyno_trace_fit(&fit, &config, options->common_min, &error) != DYNO_OK ||
        dyno_trace_summarise(&trace, &config, &error) != DYNO_OK) {
        return dyno_command_complain(&error, DYNO_EXIT_FAILED);
    }
    result = show(&fit, &trace, options);
    dyno_trace_summary_release(&trace);
    return result;
}

int dyno_trace_fit_command(int argc, char **argv)
{
    struct fit_options values;

    return dyno_file_command_run(&(struct dyno_file_command){.command = "trace fit",
                                                             .needs = "a file: dyno trace fit FILE",
                                                             .rows = rows,
                                                             .row_count = ROW_COUNT,
                                                             .values = &values,
                                                             .print_help = print_help,
                                                             .run = run},
                                 argc, argv);
}
