/* Scenario files and command lines under seeded mutation: whatever comes, the answer is a status
 * and a sentence, and what was taken prints and reads back.  A failure names its seed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/scenario/file.h"
#include "cli/scenario/scenario.h"
#include "core/base/rng.h"
#include "tests/check_main.h"

enum { SIZE_MAX_BYTES = 4096, ROUNDS = 400, WORDS_MAX = 8 };

static const char *const seeds[] = {
    "router: {policy: kv, kv: {overlap_credit: 1}}\nfleet:\n  workers: 8\n  gpu: h100\n",
    "trace:\n  path: \"a b.jsonl\"\n  format: mooncake\nslo: {ttft: 2s, tpot: 50ms}\n",
    "kv:\n  block_tokens: 16 # engine\n  memory_utilization: 0.9\n---\nbatch: {steps_max: 1}\n",
    "generate: &a\n  arrival: 'poisson:20'\n  duration: 5min\nmodel: *a\nrun: !!map {seed: 1}\n",
    "? fleet\n: {workers: 1}\noutput:\n  json: |\n    -\n  db: >\n    runs.db\n",
};

/* Pieces that mean something to a YAML reader or to an option. */
static const char *const pieces[] = {
    "{",       "}",    "[",  "]",  ": ", "\n",  "  ",  "- ",    "&a", "*a",     "!!b",
    "|",       ">",    "'",  "\"", "#",  "~",   "?",   "%",     "\t", "---",    "..",
    "\\u0000", "\xff", "\r", "0",  "-1", "1e9", "nan", "fleet", "kv", "profile"};

static size_t insert(char *text, size_t size, size_t at, const char *piece)
{
    size_t length = strlen(piece);

    if (size + length > SIZE_MAX_BYTES) {
        return size;
    }
    memmove(text + at + length, text + at, size - at);
    memcpy(text + at, piece, length);
    return size + length;
}

static size_t mutate(struct dyno_rng *rng, char *text, size_t size)
{
    size_t at = dyno_rng_below(rng, size + 1), length = dyno_rng_below(rng, 16);

    switch (dyno_rng_below(rng, 5)) {
    case 0: /* flip a bit */
        if (at < size) {
            text[at] = (char)(text[at] ^ 1 << dyno_rng_below(rng, 8));
        }
        return size;
    case 1: /* cut a stretch */
        length = length < size - at ? length : size - at;
        memmove(text + at, text + at + length, size - at - length);
        return size - length;
    case 2: /* cut off the end */
        return at;
    case 3: { /* repeat a stretch elsewhere */
        char copy[17] = "";

        length = length < size - at ? length : size - at;
        memcpy(copy, text + at, length);
        return insert(text, size, dyno_rng_below(rng, size + 1), copy);
    }
    default:
        return insert(text, size, at,
                      pieces[dyno_rng_below(rng, sizeof(pieces) / sizeof(pieces[0]))]);
    }
}

static size_t printed(const struct dyno_options *options, char **text)
{
    size_t size = 0;
    FILE *stream = open_memstream(text, &size);

    dyno_scenario_print(options, stream);
    fclose(stream);
    return size;
}

static void open_options(struct dyno_options *options, struct dyno_scenario *scenario)
{
    struct dyno_error error;

    ck_assert_int_eq(
        dyno_options_open(options, dyno_scenario_rows, dyno_scenario_row_count, scenario, &error),
        DYNO_OK);
}

/* What was taken must print as a file that gives the same values. */
static void check_taken(const struct dyno_options *options, int seed)
{
    struct dyno_scenario scenario;
    struct dyno_options again;
    struct dyno_error error = {0};
    char *text = NULL, one[DYNO_OPTION_TEXT_MAX], two[DYNO_OPTION_TEXT_MAX];
    size_t size = printed(options, &text);

    open_options(&again, &scenario);
    ck_assert_msg(dyno_scenario_text_read(&again, "again", text, size, &error) == DYNO_OK,
                  "seed %d: %s", seed, error.text);
    for (uint32_t i = 0; i < options->count; i++) {
        ck_assert_msg(strcmp(dyno_options_print(options, &options->rows[i], one),
                             dyno_options_print(&again, &options->rows[i], two)) == 0,
                      "seed %d: %s", seed, options->rows[i].name);
    }
    dyno_options_close(&again);
    free(text);
}

START_TEST(a_mutated_scenario_file_is_read_or_refused)
{
    struct dyno_rng rng;

    dyno_rng_init(&rng, (uint64_t)_i, "scenario file fuzz");
    for (int round = 0; round < ROUNDS; round++) {
        const char *start = seeds[dyno_rng_below(&rng, sizeof(seeds) / sizeof(seeds[0]))];
        struct dyno_error error = {0};
        struct dyno_scenario scenario;
        struct dyno_options options;
        size_t size = strlen(start);
        char text[SIZE_MAX_BYTES], *exact;

        memcpy(text, start, size);
        for (uint64_t n = dyno_rng_below(&rng, 6); n > 0; n--) {
            size = mutate(&rng, text, size);
        }
        exact = malloc(size + 1); /* so that a read past the end is seen */
        memcpy(exact, text, size);
        open_options(&options, &scenario);
        if (dyno_scenario_text_read(&options, "fuzz", exact, size, &error) == DYNO_OK) {
            check_taken(&options, _i);
        } else {
            ck_assert_msg(strlen(error.text) > 0 && !strchr(error.text, '\n'), "seed %d: %s", _i,
                          error.text);
        }
        dyno_options_close(&options);
        free(exact);
    }
}
END_TEST

/* One argument: a flag or a --set of some row, with a value of some piece; then mutated. */
static void draw_argument(struct dyno_rng *rng, char out[SIZE_MAX_BYTES])
{
    const struct dyno_option *row =
        &dyno_scenario_rows[dyno_rng_below(rng, dyno_scenario_row_count)];
    const char *piece = pieces[dyno_rng_below(rng, sizeof(pieces) / sizeof(pieces[0]))];
    size_t size;

    snprintf(out, SIZE_MAX_BYTES, "%s%s=%s",
             row->flag ? "--" : "--set=", row->flag ? row->flag : row->name,
             dyno_rng_below(rng, 2) ? row->initial : piece);
    if (dyno_rng_below(rng, 4) == 0) {
        size = mutate(rng, out, strlen(out));
        out[size < SIZE_MAX_BYTES ? size : SIZE_MAX_BYTES - 1] = '\0';
    }
}

START_TEST(a_mutated_command_line_is_read_or_refused)
{
    static char words[WORDS_MAX][SIZE_MAX_BYTES];
    struct dyno_rng rng;

    ck_assert_ptr_nonnull(freopen("/dev/null", "r", stdin)); /* "-" may come out as a file */
    dyno_rng_init(&rng, (uint64_t)_i, "command line fuzz");
    for (int round = 0; round < ROUNDS; round++) {
        char *argv[WORDS_MAX + 2] = {"replay", "--print-scenario"};
        int argc = 2 + (int)dyno_rng_below(&rng, WORDS_MAX);
        enum dyno_scenario_ask ask;
        struct dyno_scenario scenario;
        struct dyno_options options = {0};
        struct dyno_error error = {0};

        for (int i = 2; i < argc; i++) {
            draw_argument(&rng, words[i - 2]);
            argv[i] = words[i - 2];
        }
        if (dyno_scenario_load(&scenario, &options, argc, argv, &ask, &error) == DYNO_OK) {
            check_taken(&options, _i);
            dyno_options_close(&options);
        } else {
            ck_assert_msg(strlen(error.text) > 0, "seed %d: no sentence", _i);
        }
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *fuzz = tcase_create("fuzz");

    tcase_set_timeout(fuzz, 120);
    tcase_add_loop_test(fuzz, a_mutated_scenario_file_is_read_or_refused, 0, 20);
    tcase_add_loop_test(fuzz, a_mutated_command_line_is_read_or_refused, 0, 10);
    suite_add_tcase(suite, fuzz);
}

DYNO_CHECK_MAIN("scenario fuzz", add_cases)
