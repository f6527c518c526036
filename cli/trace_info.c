/* `dyno trace info FILE`: what a trace holds, as aligned text or as JSON. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#include "cli/commands.h"
#include "cli/file_command.h"
#include "cli/trace.h"
#include "core/base/time.h"
#include "traces/traces.h"

enum { LABEL_WIDTH = 20, OUTCOME_WIDTH = 24 };

struct info_options {
    const char *format;
    uint32_t block_tokens;
    uint64_t skip_bad;
    uint32_t sort_window;
    uint64_t requests;
    bool ignore_unknown;
    bool json;
};

#define AT(field) offsetof(struct info_options, field)

static const char *const formats[] = {"auto", "mooncake", "azure", "burstgpt", "bailian", NULL};

static const struct dyno_option rows[] = {
    {.name = "trace.format",
     .flag = "format",
     .value = "FORMAT",
     .help = "auto (recognised by its first lines), mooncake, azure, burstgpt or bailian",
     .initial = "auto",
     .type = DYNO_OPTION_CHOICE,
     .offset = AT(format),
     .choices = formats},
    {.name = "trace.block_tokens",
     .flag = "block-tokens",
     .value = "TOKENS",
     .help = "tokens of one block identity in the trace; format means the format's own",
     .initial = "format",
     .special = "format",
     .type = DYNO_OPTION_U32,
     .offset = AT(block_tokens),
     .min = 1,
     .max = 1048576},
    {.name = "trace.skip_bad",
     .flag = "skip-bad",
     .value = "N",
     .help = "lines that may be bad: they are skipped, counted and listed",
     .initial = "0",
     .type = DYNO_OPTION_U64,
     .offset = AT(skip_bad),
     .max = UINT64_MAX},
    {.name = "trace.sort_window",
     .flag = "sort-window",
     .value = "LINES",
     .help = "how many lines out of order one may be and still be put in its place",
     .initial = "1024",
     .type = DYNO_OPTION_U32,
     .offset = AT(sort_window),
     .max = 1048576},
    {.name = "trace.requests",
     .flag = "requests",
     .value = "N",
     .help = "look at the first N requests only",
     .initial = "all",
     .special = "all",
     .type = DYNO_OPTION_U64,
     .offset = AT(requests),
     .min = 1,
     .max = UINT64_MAX},
    {.name = "trace.ignore_unknown",
     .flag = "ignore-unknown",
     .help = "pass over columns that the format does not know",
     .initial = "false",
     .type = DYNO_OPTION_BOOL,
     .offset = AT(ignore_unknown)},
    {.name = "output.json",
     .flag = "json",
     .help = "print JSON",
     .initial = "false",
     .type = DYNO_OPTION_BOOL,
     .offset = AT(json)},
};

enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };

static void print_help(void)
{
    puts("Usage: dyno trace info [--OPTION VALUE]... FILE\n\n"
         "What a trace holds. FILE may be - (standard input) or gzip. Everything that a replay\n"
         "would refuse is refused here too.\n");
    dyno_file_command_rows_help(rows, ROW_COUNT);
}

static double seconds(const struct dyno_trace_summary *summary)
{
    return (double)summary->span_ns / (double)DYNO_S;
}

static double rate(const struct dyno_trace_summary *summary)
{
    return summary->span_ns ? (double)summary->counts.requests / seconds(summary) : 0;
}

static double hit_fraction(const struct dyno_trace_counts *counts)
{
    return counts->block_refs ? (double)counts->block_refs_seen / (double)counts->block_refs : 0;
}

static void count_line(const char *label, uint64_t count)
{
    printf("%-*s%12" PRIu64 "\n", LABEL_WIDTH, label, count);
}

static void token_line(const char *label, const struct dyno_token_summary *tokens)
{
    printf("%-*s%12.2f%10" PRIu32 "%10" PRIu32 "%10" PRIu32 "%10" PRIu32 "\n", LABEL_WIDTH, label,
           tokens->mean, tokens->p50, tokens->p90, tokens->p99, tokens->max);
}

static void print_blocks(const struct dyno_trace_counts *counts)
{
    count_line("block references", counts->block_refs);
    if (counts->block_bound_cut) {
        printf("%-*s%12s  too many to remember\n", LABEL_WIDTH, "distinct blocks", "-");
        return;
    }
    count_line("distinct blocks", counts->block_refs_distinct);
    printf("%-*s%12.3f  %% of references, in an unbounded cache shared by all\n", LABEL_WIDTH,
           "prefix hits", 100 * hit_fraction(counts));
}

static void print_recorded(const struct dyno_trace_counts *counts)
{
    count_line("recorded lines", counts->recorded);
    for (int i = 0; i < DYNO_OUTCOMES; i++) {
        if (counts->recorded_outcomes[i]) {
            printf("  %-*s%6" PRIu64 "\n", OUTCOME_WIDTH, dyno_outcome_name((enum dyno_outcome)i),
                   counts->recorded_outcomes[i]);
        }
    }
    if (counts->recorded_lost) {
        count_line("lost, not recorded", counts->recorded_lost);
    }
    if (counts->recorded_torn) {
        count_line("cut off at its end", counts->recorded_torn);
    }
    count_line("places out of order", counts->places_off_max);
}

static void print_text(const struct dyno_trace_summary *summary)
{
    const struct dyno_trace_counts *counts = &summary->counts;

    printf("%-*s%12s\n", LABEL_WIDTH, "format", summary->format);
    count_line("requests", counts->requests);
    printf("%-*s%12.3f\n", LABEL_WIDTH, "span, s", seconds(summary));
    printf("%-*s%12.3f\n", LABEL_WIDTH, "requests per second", rate(summary));
    printf("%-*s%12s%10s%10s%10s%10s\n", LABEL_WIDTH, "tokens", "mean", "p50", "p90", "p99", "max");
    token_line("  input", &summary->input);
    token_line("  output", &summary->output);
    print_blocks(counts);
    count_line("sessions", counts->sessions);
    count_line("  requests in them", summary->session_requests);
    if (counts->recorded) {
        print_recorded(counts);
    }
    if (counts->failed_dropped) {
        count_line("failed, dropped", counts->failed_dropped);
    }
    if (counts->lines_skipped) {
        count_line("lines skipped", counts->lines_skipped);
    }
    for (size_t i = 0; i < summary->skipped_count; i++) {
        printf("  %s\n", summary->skipped[i]);
    }
}

static void print_tokens_json(const char *key, const struct dyno_token_summary *tokens)
{
    printf("  \"%s\": {\"mean\": %.6f, \"min\": %" PRIu32 ", \"p50\": %" PRIu32
           ", \"p90\": %" PRIu32 ", \"p99\": %" PRIu32 ", \"max\": %" PRIu32 "},\n",
           key, tokens->mean, tokens->min, tokens->p50, tokens->p90, tokens->p99, tokens->max);
}

static void print_recorded_json(const struct dyno_trace_counts *counts)
{
    printf("  \"recorded\": {\"lines\": %" PRIu64, counts->recorded);
    for (int i = 0; i < DYNO_OUTCOMES; i++) {
        printf(", \"%s\": %" PRIu64, dyno_outcome_name((enum dyno_outcome)i),
               counts->recorded_outcomes[i]);
    }
    printf(", \"lost\": %" PRIu64 ", \"torn\": %" PRIu64 ", \"places_off_max\": %" PRIu64 "},\n",
           counts->recorded_lost, counts->recorded_torn, counts->places_off_max);
}

static void print_json(const struct dyno_trace_summary *summary)
{
    const struct dyno_trace_counts *counts = &summary->counts;

    printf("{\n  \"format\": \"%s\",\n  \"requests\": %" PRIu64 ",\n", summary->format,
           counts->requests);
    printf("  \"span_s\": %.9f,\n  \"requests_per_s\": %.6f,\n", seconds(summary), rate(summary));
    print_tokens_json("input_tokens", &summary->input);
    print_tokens_json("output_tokens", &summary->output);
    printf("  \"blocks\": {\"references\": %" PRIu64, counts->block_refs);
    if (!counts->block_bound_cut) {
        printf(", \"distinct\": %" PRIu64 ", \"prefix_hits\": %" PRIu64
               ", \"unbounded_hit_rate\": %.8f",
               counts->block_refs_distinct, counts->block_refs_seen, hit_fraction(counts));
    }
    printf("},\n  \"sessions\": {\"count\": %" PRIu64 ", \"requests\": %" PRIu64 "},\n",
           counts->sessions, summary->session_requests);
    if (counts->recorded) {
        print_recorded_json(counts);
    }
    printf("  \"failed_dropped\": %" PRIu64 ",\n  \"lines_skipped\": %" PRIu64 "\n}\n",
           counts->failed_dropped, counts->lines_skipped);
}

static int run(const char *file, const void *values)
{
    const struct info_options *options = values;
    const struct dyno_trace_config config = {.path = file,
                                             .format = options->format,
                                             .trace_block_tokens = options->block_tokens,
                                             .skip_bad_max = options->skip_bad,
                                             .sort_window = options->sort_window,
                                             .requests_max = options->requests,
                                             .ignore_unknown = options->ignore_unknown};
    struct dyno_trace_summary summary;
    struct dyno_error error;

    if (dyno_trace_summarise(&summary, &config, &error) != DYNO_OK) {
        return dyno_command_complain(&error, DYNO_EXIT_FAILED);
    }
    if (options->json) {
        print_json(&summary);
    } else {
        print_text(&summary);
    }
    dyno_trace_summary_release(&summary);
    return DYNO_EXIT_OK;
}

int dyno_trace_info(int argc, char **argv)
{
    struct info_options values;

    return dyno_file_command_run(
        &(struct dyno_file_command){.command = "trace info",
                                    .needs = "a file: dyno trace info FILE",
                                    .rows = rows,
                                    .row_count = ROW_COUNT,
                                    .values = &values,
                                    .print_help = print_help,
                                    .run = run},
        argc, argv);
}
