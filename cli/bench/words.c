#include "cli/bench/words.h"

#include <stdlib.h>
#include <string.h>

#include "cli/help.h"
#include "core/base/math.h"
#include "core/base/units.h"
#include "core/base/words.h"

enum { WORDS_BESIDE = 8 };

/* Another name for a flag of ours or of the scenario's. */
static const struct alias {
    const char *typed, *flag, *help;
} aliases[] = {
    {"base-url", "url", "--url"},
    {"num-prompts", "requests", "--requests"},
    {"input-len", "input-tokens", "--input-tokens"},
    {"random-input-len", "input-tokens", "--input-tokens"},
    {"output-len", "output-tokens", "--output-tokens"},
    {"random-output-len", "output-tokens", "--output-tokens"},
};

enum { ALIASES = sizeof aliases / sizeof aliases[0] };

/* A command line on its way through. */
struct reader {
    struct dyno_bench_options *options;
    int argc, at;
    char **argv;
    const char *rate, *burstiness, *concurrency, *inflight;
    bool has_source; /* a trace, an arrival or a scenario file says when requests come */
    struct dyno_error *error;
};

static void add_word(struct reader *reader, const char *word)
{
    reader->options->words[reader->options->word_count++] = (char *)(uintptr_t)word;
}

static dyno_status set_row(const struct reader *reader, const struct dyno_option *row,
                           const char *text)
{
    const struct dyno_option_origin origin = {.source = DYNO_SOURCE_FLAG, .where = row->flag};

    return dyno_options_set(&reader->options->rows, row, text, &origin, reader->error);
}

/* The value of the flag at `typed`: behind '=', or the next word, which is then taken. */
static dyno_status take_value(struct reader *reader, const char *typed, const char **out)
{
    const char *equals = strchr(typed, '=');
    char quoted[DYNO_QUOTE_MAX];

    if (equals) {
        *out = equals + 1;
    } else if (reader->at < reader->argc) {
        *out = reader->argv[reader->at++];
    } else {
        return dyno_fail(reader->error, DYNO_BAD_INPUT, "%s needs a value",
                         dyno_quote(quoted, typed));
    }
    return DYNO_OK;
}

/* ---- bench's own flags ----------------------------------------------------------------------- */

static const struct dyno_option *own_row(const struct reader *reader, const char *flag,
                                         bool *is_negated)
{
    const struct dyno_option *row = dyno_options_find_flag(&reader->options->rows, flag);

    *is_negated = false;
    if (!row && strncmp(flag, "no-", 3) == 0) {
        row = dyno_options_find_flag(&reader->options->rows, flag + 3);
        *is_negated = row && row->type == DYNO_OPTION_BOOL;
        return *is_negated ? row : NULL;
    }
    return row;
}

static dyno_status take_own(struct reader *reader, const struct dyno_option *row, const char *typed,
                            bool is_negated)
{
    const char *text = "";

    if (row->type == DYNO_OPTION_BOOL) {
        const char *equals = strchr(typed, '=');

        return set_row(reader, row, is_negated ? "false" : equals ? equals + 1 : "true");
    }
    DYNO_TRY(take_value(reader, typed, &text));
    return set_row(reader, row, text);
}

/* ---- others' names --------------------------------------------------------------------------- */

/* Those whose meaning depends on each other; false: it is none of them. */
static bool take_pacing(struct reader *reader, const char *flag, const char *typed,
                        dyno_status *status)
{
    const struct {
        const char *flag;
        const char **value;
    } flags[] = {{"request-rate", &reader->rate},
                 {"burstiness", &reader->burstiness},
                 {"concurrency", &reader->concurrency},
                 {"max-concurrency", &reader->inflight}};

    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (strcmp(flag, flags[i].flag) == 0) {
            *status = take_value(reader, typed, flags[i].value);
            return true;
        }
    }
    return false;
}

static const char *find_alias(const char *flag)
{
    for (size_t i = 0; i < ALIASES; i++) {
        if (strcmp(aliases[i].typed, flag) == 0) {
            return aliases[i].flag;
        }
    }
    return NULL;
}

/* "--requests": the scenario's words are whole flags; made here they are literals. */
static dyno_status take_alias(struct reader *reader, const char *flag, const char *typed)
{
    static const char *const literals[] = {"--requests", "--input-tokens", "--output-tokens"};
    const char *text = "";

    DYNO_TRY(take_value(reader, typed, &text));
    for (size_t i = 0; i < sizeof literals / sizeof literals[0]; i++) {
        if (strcmp(literals[i] + 2, flag) == 0) {
            add_word(reader, literals[i]);
            add_word(reader, text);
            return DYNO_OK;
        }
    }
    return set_row(reader, dyno_options_find_flag(&reader->options->rows, flag), text);
}

static bool is_of_scenario(const char *flag)
{
    for (uint32_t i = 0; i < dyno_scenario_row_count; i++) {
        const struct dyno_option *row = &dyno_scenario_rows[i];

        if (row->flag && (strcmp(row->flag, flag) == 0 ||
                          (row->type == DYNO_OPTION_BOOL && strncmp(flag, "no-", 3) == 0 &&
                           strcmp(row->flag, flag + 3) == 0))) {
            return true;
        }
    }
    return strcmp(flag, "set") == 0 || strcmp(flag, "slo") == 0;
}

static dyno_status unknown_flag(const struct reader *reader, const char *flag, const char *typed)
{
    const struct dyno_options *own = &reader->options->rows;
    struct dyno_nearest nearest;
    char quoted[DYNO_QUOTE_MAX];
    const char *near;

    dyno_nearest_start(&nearest, flag);
    for (uint32_t i = 0; i < own->count; i++) {
        dyno_nearest_offer(&nearest, own->rows[i].flag);
    }
    for (uint32_t i = 0; i < dyno_scenario_row_count; i++) {
        dyno_nearest_offer(&nearest, dyno_scenario_rows[i].flag);
    }
    for (size_t i = 0; i < ALIASES; i++) {
        dyno_nearest_offer(&nearest, aliases[i].typed);
    }
    near = dyno_nearest_word(&nearest);
    return dyno_fail(reader->error, DYNO_BAD_INPUT, "unknown option %s; %s%s%s",
                     dyno_quote(quoted, typed),
                     near ? "did you mean '--" : "'dyno bench --help' lists them", near ? near : "",
                     near ? "'?" : "");
}

static dyno_status take_flag(struct reader *reader, const char *typed)
{
    char flag[DYNO_OPTION_NAME_MAX] = "";
    size_t size = strcspn(typed, "=");
    const struct dyno_option *row;
    dyno_status status = DYNO_OK;
    bool is_negated;

    if (strncmp(typed, "--", 2) == 0 && size - 2 < sizeof flag) {
        memcpy(flag, typed + 2, size - 2);
    }
    row = own_row(reader, flag, &is_negated);
    if (row) {
        return take_own(reader, row, typed, is_negated);
    }
    if (take_pacing(reader, flag, typed, &status)) {
        return status;
    }
    if (find_alias(flag)) {
        return take_alias(reader, find_alias(flag), typed);
    }
    if (!is_of_scenario(flag)) {
        return unknown_flag(reader, flag, typed);
    }
    reader->has_source |= strcmp(flag, "trace") == 0 || strcmp(flag, "arrival") == 0;
    add_word(reader, typed);
    return DYNO_OK;
}

/* ---- pacing ---------------------------------------------------------------------------------- */

/* vLLM's rate: a Poisson process, or one of gamma gaps whose shape is the burstiness; inf is all at
 * once, or as many as may be in flight. */
static dyno_status write_arrival(struct reader *reader)
{
    char *arrival = reader->options->arrival;
    size_t size = sizeof reader->options->arrival;
    double rate = 0, shape = 1;

    if (reader->rate && strcmp(reader->rate, "inf") != 0 &&
        (dyno_parse_double(reader->rate, &rate) != DYNO_UNITS_OK || !(rate > 0))) {
        return dyno_fail(reader->error, DYNO_BAD_INPUT,
                         "--request-rate is a number of requests a second, or inf");
    }
    if (reader->burstiness &&
        (dyno_parse_double(reader->burstiness, &shape) != DYNO_UNITS_OK || !(shape > 0))) {
        return dyno_fail(reader->error, DYNO_BAD_INPUT,
                         "--burstiness is a number above 0: 1 is Poisson, less is burstier");
    }
    if (rate > 0 && shape != 1) {
        (void)snprintf(arrival, size, "gamma:%.17g,%.17g", rate, 1 / dyno_sqrt(shape));
    } else if (rate > 0) {
        (void)snprintf(arrival, size, "poisson:%.17g", rate);
    } else if (reader->inflight) {
        (void)snprintf(arrival, size, "concurrency:%s", reader->inflight);
        reader->inflight = NULL;
    } else {
        (void)snprintf(arrival, size, "constant:1000000");
    }
    add_word(reader, "--arrival");
    add_word(reader, arrival);
    return DYNO_OK;
}

/* How many at once, or how often, as the scenario says it. */
static dyno_status settle_pacing(struct reader *reader)
{
    if (reader->burstiness && !reader->rate) {
        return dyno_fail(reader->error, DYNO_BAD_INPUT, "--burstiness needs --request-rate");
    }
    if (reader->rate && (reader->has_source || reader->concurrency)) {
        return dyno_fail(reader->error, DYNO_BAD_INPUT,
                         "--request-rate says when requests come, and so does another option");
    }
    if (reader->rate) {
        DYNO_TRY(write_arrival(reader));
    } else if (reader->concurrency && !reader->has_source) {
        (void)snprintf(reader->options->arrival, sizeof reader->options->arrival, "concurrency:%s",
                       reader->concurrency);
        add_word(reader, "--arrival");
        add_word(reader, reader->options->arrival);
    } else if (reader->concurrency) {
        add_word(reader, "--concurrency");
        add_word(reader, reader->concurrency);
    }
    if (reader->inflight) {
        add_word(reader, "--max-concurrency");
        add_word(reader, reader->inflight);
    }
    return DYNO_OK;
}

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), end_size = strlen(end);

    return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

dyno_status dyno_bench_words_read(struct dyno_bench_options *options, int argc, char **argv,
                                  struct dyno_error *error)
{
    struct reader reader = {
        .options = options, .argc = argc, .at = 1, .argv = argv, .error = error};

    options->words = calloc((size_t)argc * 2 + WORDS_BESIDE, sizeof *options->words);
    if (!options->words) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    add_word(&reader, argv[0]);
    while (reader.at < argc && !options->help) {
        const char *typed = argv[reader.at++];

        if (strcmp(typed, "--help") == 0 || strcmp(typed, "-h") == 0) {
            options->help = true;
        } else if (strncmp(typed, "--", 2) == 0) {
            DYNO_TRY(take_flag(&reader, typed));
        } else { /* the value of a flag of the scenario's, or a scenario file */
            reader.has_source |= ends_with(typed, ".yaml") || ends_with(typed, ".yml");
            add_word(&reader, typed);
        }
    }
    return options->help ? DYNO_OK : settle_pacing(&reader);
}

void dyno_bench_words_help(FILE *out, uint32_t width, uint32_t column)
{
    for (size_t i = 0; i < ALIASES; i++) {
        char head[64];

        (void)snprintf(head, sizeof head, "--%s", aliases[i].typed);
        dyno_help_entry(out, width, column, head, aliases[i].help);
    }
    dyno_help_entry(out, width, column, "--request-rate R",
                    "requests a second, Poisson; inf means all at once, or --max-concurrency of "
                    "them");
    dyno_help_entry(out, width, column, "--burstiness X",
                    "with it: the gaps' gamma shape; 1 is Poisson, less is burstier");
}
