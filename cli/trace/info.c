/* `dyno trace info FILE`: what a trace holds, as aligned text or as JSON. */
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>

#include "cli/bars.h"
#include "cli/commands.h"
#include "cli/file_command.h"
#include "cli/trace/figures.h"
#include "cli/trace/reading.h"
#include "cli/trace/trace.h"
#include "core/base/time.h"
#include "traces/traces.h"

enum { LABEL_WIDTH = 20, OUTCOME_WIDTH = 24, HIT_BAR_CELLS = 20 };
enum { COUNTS_A_LINE = 16 };
enum { CURVE_OCTAVES = 10, CURVE_STEPS_JSON = 8 }; /* of cache sizes, and points in one */

struct info_options {
    const char *format;
    uint32_t block_tokens;
    uint64_t skip_bad;
    uint32_t sort_window;
    uint64_t requests;
    bool ignore_unknown;
    bool json;
    const char *figures, *formats; /* figures NULL: none */
};

#define AT(field) offsetof(struct info_options, field)

static const struct dyno_option rows[] = {
    DYNO_READING_FORMAT("format", "", AT(format)),
    DYNO_READING_BLOCK_TOKENS("block-tokens", "the trace", AT(block_tokens)),
    DYNO_READING_SKIP_BAD(": they are skipped, counted and listed", AT(skip_bad)),
    DYNO_READING_SORT_WINDOW(AT(sort_window)),
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
    {.name = "info.figures",
     .flag = "figures",
     .value = "DIR",
     .help = "draw the rate over time, lengths, sessions, and what a cache of any size would have "
             "held, into this folder (with gnuplot)",
     .initial = "none",
     .special = "none",
     .type = DYNO_OPTION_TEXT,
     .offset = AT(figures),
     .min = 1},
    {.name = "info.formats",
     .flag = "formats",
     .value = "LIST",
     .help = "of those figures: svg, png, pdf, with commas between",
     .initial = "svg",
     .type = DYNO_OPTION_TEXT,
     .offset = AT(formats),
     .min = 1},
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

static void head_line(const char *label)
{
    printf("%-*s%12s%10s%10s%10s%10s\n", LABEL_WIDTH, label, "mean", "p50", "p90", "p99", "max");
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

/* Lengths as bars, a power of two each, without those at both ends that nobody has. */
static void length_line(const char *label, const struct dyno_token_summary *tokens,
                        const char *what)
{
    uint32_t first = 0, end = DYNO_TOKEN_OCTAVES;
    char bars[DYNO_BARS_BYTES];

    while (first < end && tokens->octaves[first] == 0) {
        first++;
    }
    while (end > first && tokens->octaves[end - 1] == 0) {
        end--;
    }
    dyno_bars(bars, tokens->octaves + first, end - first);
    printf("%-*s%s  from %u to %u %s, twice as many a bar\n", LABEL_WIDTH, label, bars, 1U << first,
           1U << end, what);
}

static void rate_line(const struct dyno_timeline *arrivals)
{
    double width_s = (double)arrivals->width_ns / (double)DYNO_S;
    char bars[DYNO_BARS_BYTES];
    uint64_t most = 0;

    for (uint32_t i = 0; i < arrivals->bins; i++) {
        most = arrivals->count[i] > most ? arrivals->count[i] : most;
    }
    dyno_bars(bars, arrivals->count, arrivals->bins);
    printf("%-*s%s  %g s a bar, at most %.4g/s\n", LABEL_WIDTH, "  over time", bars, width_s,
           (double)most / width_s);
}

/* The smallest cache has a fraction of the distinct blocks, the largest all of them. */
static size_t cache_size(size_t distinct, double octaves_below)
{
    return (size_t)ceil((double)distinct / exp2(octaves_below));
}

static void print_curve(const struct dyno_trace_summary *summary)
{
    uint64_t references;
    const uint64_t *hits;
    size_t distinct, before = 0;

    if (dyno_reuse_is_cut(summary->reuse)) {
        return;
    }
    dyno_reuse_curve(summary->reuse, &hits, &distinct, &references);
    printf("%-*s%12s%14s%10s\n", LABEL_WIDTH, "in one LRU cache", "blocks", "tokens", "hits, %");
    for (int octave = CURVE_OCTAVES; octave >= 0; octave--) {
        size_t size = cache_size(distinct, octave);
        double rate = references ? (double)hits[size] / (double)references : 0;

        if (size == before) {
            continue;
        }
        printf("%-*s%12zu%14" PRIu64 "%10.3f", LABEL_WIDTH, "", size,
               (uint64_t)size * summary->block_tokens, 100 * rate);
        for (int cell = 0; cell < (int)lround(rate * HIT_BAR_CELLS); cell++) {
            fputs(cell ? "█" : "  █", stdout);
        }
        putchar('\n');
        before = size;
    }
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
    rate_line(&summary->arrivals);
    head_line("tokens");
    token_line("  input", &summary->input);
    token_line("  output", &summary->output);
    length_line("  input", &summary->input, "tokens");
    length_line("  output", &summary->output, "tokens");
    print_blocks(counts);
    if (counts->block_refs > 0) {
        print_curve(summary);
    }
    count_line("sessions", counts->sessions);
    count_line("  requests in them", summary->session_requests);
    if (summary->session_requests > 0) {
        head_line("  in each");
        token_line("", &summary->turns);
        length_line("", &summary->turns, "requests");
    }
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

static void print_numbers_json(const struct dyno_token_summary *tokens)
{
    printf("{\"mean\": %.6f, \"min\": %" PRIu32 ", \"p50\": %" PRIu32 ", \"p90\": %" PRIu32
           ", \"p99\": %" PRIu32 ", \"max\": %" PRIu32 "}",
           tokens->mean, tokens->min, tokens->p50, tokens->p90, tokens->p99, tokens->max);
}

static void print_sessions_json(const struct dyno_trace_summary *summary)
{
    printf("  \"sessions\": {\"count\": %" PRIu64 ", \"requests\": %" PRIu64,
           summary->counts.sessions, summary->session_requests);
    if (summary->session_requests > 0) {
        printf(",\n    \"turns\": ");
        print_numbers_json(&summary->turns);
    }
    puts("},");
}

static void print_tokens_json(const char *key, const struct dyno_token_summary *tokens)
{
    printf("  \"%s\": ", key);
    print_numbers_json(tokens);
    puts(",");
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

/* A list of counts, in lines of a width that can be read. */
static void print_counts_json(const uint64_t *counts, uint32_t count)
{
    putchar('[');
    for (uint32_t i = 0; i < count; i++) {
        printf("%s%" PRIu64, i == 0 ? "" : i % COUNTS_A_LINE == 0 ? ",\n    " : ", ", counts[i]);
    }
    putchar(']');
}

static void print_octaves_json(const char *key, const struct dyno_token_summary *tokens)
{
    printf("  \"%s\": ", key);
    print_counts_json(tokens->octaves, DYNO_TOKEN_OCTAVES);
    puts(",");
}

static void print_arrivals_json(const struct dyno_timeline *arrivals)
{
    printf("  \"arrivals\": {\"bin_s\": %.9f, \"requests\": ",
           (double)arrivals->width_ns / (double)DYNO_S);
    print_counts_json(arrivals->count, arrivals->bins);
    puts("},");
}

static void print_curve_json(const struct dyno_trace_summary *summary)
{
    uint64_t references;
    const uint64_t *hits;
    size_t distinct, before = 0;

    if (summary->counts.block_refs == 0 || dyno_reuse_is_cut(summary->reuse)) {
        return;
    }
    dyno_reuse_curve(summary->reuse, &hits, &distinct, &references);
    printf("  \"lru_curve\": {\"block_tokens\": %" PRIu32 ", \"points\": [", summary->block_tokens);
    for (int step = CURVE_OCTAVES * CURVE_STEPS_JSON; step >= 0; step--) {
        size_t size = cache_size(distinct, (double)step / CURVE_STEPS_JSON);

        if (size != before) {
            printf("%s\n    {\"blocks\": %zu, \"hits\": %" PRIu64 ", \"hit_rate\": %.8f}",
                   before ? "," : "", size, hits[size], (double)hits[size] / (double)references);
        }
        before = size;
    }
    puts("]},");
}

static void print_json(const struct dyno_trace_summary *summary)
{
    const struct dyno_trace_counts *counts = &summary->counts;

    printf("{\n  \"format\": \"%s\",\n  \"requests\": %" PRIu64 ",\n", summary->format,
           counts->requests);
    printf("  \"span_s\": %.9f,\n  \"requests_per_s\": %.6f,\n", seconds(summary), rate(summary));
    print_tokens_json("input_tokens", &summary->input);
    print_tokens_json("output_tokens", &summary->output);
    print_octaves_json("input_octaves", &summary->input);
    print_octaves_json("output_octaves", &summary->output);
    print_arrivals_json(&summary->arrivals);
    print_curve_json(summary);
    printf("  \"blocks\": {\"references\": %" PRIu64, counts->block_refs);
    if (!counts->block_bound_cut) {
        printf(", \"distinct\": %" PRIu64 ", \"prefix_hits\": %" PRIu64
               ", \"unbounded_hit_rate\": %.8f",
               counts->block_refs_distinct, counts->block_refs_seen, hit_fraction(counts));
    }
    printf("},\n");
    print_sessions_json(summary);
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
    dyno_status status = DYNO_OK;

    if (dyno_trace_summarise(&summary, &config, &error) != DYNO_OK) {
        return dyno_command_complain(&error, DYNO_EXIT_FAILED);
    }
    if (options->figures) {
        status = dyno_trace_figures(&summary, options->figures, options->formats, &error);
    }
    if (status == DYNO_OK && options->json) {
        print_json(&summary);
    } else if (status == DYNO_OK) {
        print_text(&summary);
    }
    dyno_trace_summary_release(&summary);
    return status == DYNO_OK
               ? DYNO_EXIT_OK
               : dyno_command_complain(&error, status == DYNO_BAD_INPUT ? DYNO_EXIT_USAGE
                                                                        : DYNO_EXIT_FAILED);
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
