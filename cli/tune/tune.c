/* `dyno tune`: the options of a scenario that serve its traffic best. */
#include "cli/tune/tune.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/assembly/run_frame.h"
#include "cli/commands.h"
#include "cli/file_command.h"
#include "cli/help.h"
#include "cli/own_words.h"
#include "cli/tune/load.h"

#define AT(field) offsetof(struct dyno_tune_options, field)

static const char *search_name(uint32_t index)
{
    return dyno_tune_searches[index].name;
}

static const char *const executors[] = {"local", "slurm", NULL};

#define NUMBER_ROW(option, field_name, initial_text, least, most, text)                            \
    {                                                                                              \
        .name = "tune." option, .flag = option, .value = "N", .type = DYNO_OPTION_U32,             \
        .offset = AT(field_name), .initial = initial_text, .min = least, .max = most, .help = text \
    }

static const struct dyno_option rows[] = {
    {.name = "tune.search",
     .flag = "search",
     .value = "HOW",
     .type = DYNO_OPTION_CHOICE,
     .offset = AT(search),
     .initial = "grid",
     .choice = search_name,
     .help = "how points are chosen (docs/tune.md)"},
    {.name = "tune.trials",
     .flag = "trials",
     .value = "N",
     .type = DYNO_OPTION_U32,
     .offset = AT(trials),
     .initial = "auto",
     .special = "auto",
     .min = 1,
     .max = DYNO_TUNE_TRIALS_MAX,
     .help = "points to try at most; auto: the whole grid, or as many as the search is used to"},
    NUMBER_ROW("points", points, "5", 2, DYNO_TUNE_VALUES_MAX,
               "of a range on a grid, where it has no number of its own (LOW..HIGH/N)"),
    NUMBER_ROW("seeds", seeds, "1", 1, DYNO_TUNE_SEEDS_MAX,
               "run every trial under so many seeds, and judge their mean"),
    NUMBER_ROW("windows", windows, "4", 1, 1000,
               "cut the requests of a trace into so many windows, of as many requests each"),
    NUMBER_ROW("hold-out", held_out, "1", 0, 999,
               "the last windows, on which what was found is checked; of a generator: other seeds; "
               "0: none"),
    NUMBER_ROW("draws", draws, "1000", 100, 100000, "how often the bootstrap draws"),
    NUMBER_ROW("jobs", jobs, "0", 0, 64, "simulations at once; 0: as many as processors"),
    {.name = "tune.executor",
     .flag = "executor",
     .value = "WHERE",
     .type = DYNO_OPTION_CHOICE,
     .offset = AT(executor),
     .initial = "local",
     .choices = executors,
     .help = "where trials run: on this machine, or as an array job of Slurm, whose databases are "
             "merged"},
    NUMBER_ROW("shards", shards, "8", 1, 10000, "tasks of the array job"),
    {.name = "tune.shard",
     .flag = "shard",
     .value = "K/N",
     .type = DYNO_OPTION_TEXT,
     .offset = AT(shard),
     .initial = "none",
     .special = "none",
     .min = 1,
     .help = "run only every Nth point, from the Kth on, and report nothing: one of N independent "
             "shards, from 0"},
    {.name = "tune.merge",
     .flag = "merge",
     .value = "FILES",
     .type = DYNO_OPTION_TEXT,
     .offset = AT(merge),
     .initial = "none",
     .special = "none",
     .min = 1,
     .help = "take over the trials of these databases first; several with commas between them"},
    {.name = "tune.out",
     .flag = "out",
     .value = "FILE.yaml",
     .type = DYNO_OPTION_TEXT,
     .offset = AT(out),
     .initial = "none",
     .special = "none",
     .min = 1,
     .help = "write the best scenario, for dyno replay and dyno serve; also -o"},
    {.name = "tune.pick",
     .flag = "pick",
     .value = "POINT",
     .type = DYNO_OPTION_U32,
     .offset = AT(pick),
     .initial = "best",
     .special = "best",
     .min = 1,
     .max = DYNO_TUNE_TRIALS_MAX,
     .help = "the point to check and to write, of the front of several goals, say"},
    {.name = "tune.json",
     .flag = "json",
     .value = "FILE",
     .type = DYNO_OPTION_TEXT,
     .offset = AT(json),
     .initial = "none",
     .special = "none",
     .min = 1,
     .help = "trials, front and check as JSON; - prints it instead of the table"},
};

enum { ROWS = sizeof rows / sizeof rows[0] };

static void print_help(void)
{
    uint32_t width = dyno_help_width(stdout);

    puts("Usage: dyno tune [SCENARIO.yaml] --vary NAME=VALUES ... --goal METRIC\n"
         "               [--subject LIMITS] [--OPTION VALUE]...\n\n"
         "Vary options of a scenario and find the values that serve its traffic best: highest or\n"
         "lowest by the goal, within the limits.  Every trial is a run in the database, and is\n"
         "found there when the same command is given again.  docs/tune.md.\n\n"
         "Examples:\n"
         "  dyno tune fleet.yaml --vary planner.every=1s..300s --vary planner.headroom=0.5..1 \\\n"
         "            --goal goodput_per_gpu --subject 'ttft_p95<500ms, tpot_p95<50ms'\n"
         "  dyno tune --trace trace.jsonl --workers 8 --vary router=kv,session,lmetric \\\n"
         "            --vary batch.tokens_max=1024..16384 --goal ttft_p95 -o best.yaml\n");
    dyno_help_entry(stdout, width, 28, "--vary NAME=VALUES",
                    "an option and its values: a range LOW..HIGH, or a list with commas; again for "
                    "each option");
    dyno_help_entry(stdout, width, 28, "--goal METRIC",
                    "what is to be high or low (max:, min:); several give a Pareto front");
    dyno_help_entry(stdout, width, 28, "--subject LIMITS",
                    "what has to hold: 'ttft_p95<500ms, kv.token_hit_rate>=40%'");
    dyno_file_command_rows_help(rows, ROWS);
    dyno_help_entry(stdout, width, 28, "--db FILE", "where every trial is a run [tune.db]");
    puts("\nSearches:");
    for (const struct dyno_tune_search *search = dyno_tune_searches; search->name; search++) {
        dyno_help_entry(stdout, width, 28, search->name, search->help);
    }
    puts("\nAll other options are those of `dyno replay`.\n"
         "Exit status: 0 done, 1 a run failed or it was interrupted, 2 wrong use, 4 no point keeps "
         "to\nthe limits.");
}

/* ---- the command line -------------------------------------------------------------------------
 */

struct words {
    struct dyno_tune *tune;
    const char **vary; /* [vary_count] until --points is known */
    uint32_t vary_count;
    struct dyno_own_words own;
};

/* Words that are no option's row: they may be given again. */
static const struct {
    const char *flag, *value;
} repeated[] = {{"--vary", "NAME=VALUES, such as planner.every=1s..300s"},
                {"--goal", "METRIC, such as goodput_per_gpu"},
                {"--subject", "LIMITS, such as 'ttft_p95<500ms'"}};

enum { REPEATED = sizeof repeated / sizeof repeated[0] };

/* The index of a repeated word; REPEATED: it is none. */
static uint32_t repeated_of(const char *typed)
{
    uint32_t i = 0;

    while (i < REPEATED && !dyno_own_words_is(typed, repeated[i].flag)) {
        i++;
    }
    return i;
}

static const char *value_of(const char *typed)
{
    uint32_t which = repeated_of(typed);

    return which < REPEATED ? repeated[which].value : NULL;
}

static dyno_status take_repeated(void *context, const char *typed, const char *value,
                                 struct dyno_error *error)
{
    struct words *words = context;

    switch (repeated_of(typed)) {
    case 0:
        words->vary[words->vary_count++] = value;
        return DYNO_OK;
    case 1:
        return dyno_tune_aims_goals(&words->tune->aims, value, error);
    default:
        return dyno_tune_aims_limits(&words->tune->aims, value, error);
    }
}

/* What is varied, and by what it is judged. */
static dyno_status check_words(const struct words *words, struct dyno_error *error)
{
    struct dyno_tune *tune = words->tune;

    for (uint32_t i = 0; i < words->vary_count; i++) {
        DYNO_TRY(dyno_tune_space_add(&tune->space, words->vary[i], tune->options.points, error));
    }
    if (tune->space.count == 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "tune needs something to vary, such as --vary planner.every=1s..300s");
    }
    return tune->aims.goal_count > 0
               ? DYNO_OK
               : dyno_fail(error, DYNO_BAD_INPUT,
                           "tune needs a goal, such as --goal goodput_per_gpu or --goal ttft_p95");
}

/* ---- tuning -----------------------------------------------------------------------------------
 */

static dyno_status run_search(struct dyno_tune *tune, struct dyno_error *error)
{
    const struct dyno_tune_search *search = dyno_tune_searches;

    while (strcmp(search->name, tune->options.search) != 0) {
        search++;
    }
    if (!dyno_tune_add(tune, 0, NULL, 1.0)) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    DYNO_TRY(dyno_tune_run(tune, 0, error));
    return search->run(tune, error);
}

/* The point that --pick names, as if it were the best. */
static dyno_status pick(struct dyno_tune *tune, struct dyno_error *error)
{
    for (uint32_t i = 1; i < tune->trial_count; i++) {
        const struct dyno_tune_trial *trial = tune->trials[i];

        if (trial->number == tune->options.pick && trial->share >= 1.0 && !*trial->refused) {
            tune->best = i;
            return DYNO_OK;
        }
    }
    return dyno_fail(error, DYNO_BAD_INPUT,
                     "--pick %u: no such point was tried on all requests; there are %u points",
                     tune->options.pick, tune->points);
}

static dyno_status find_best(struct dyno_tune *tune, struct dyno_error *error)
{
    for (uint32_t i = 1; i < tune->trial_count; i++) {
        if (dyno_tune_is_before(tune, tune->trials[i], tune->trials[tune->best])) {
            tune->best = i;
        }
    }
    if (tune->options.pick > 0) {
        return pick(tune, error);
    }
    for (uint32_t i = 0; i < tune->trial_count; i++) {
        if (*tune->trials[i]->refused == '\0') {
            return DYNO_OK;
        }
    }
    return dyno_fail(error, DYNO_BAD_INPUT, "every point is refused; the first: %s",
                     tune->trials[tune->trial_count > 1]->refused);
}

/* The search is over: check, write and report.  The exit status. */
static int finish(struct dyno_tune *tune)
{
    const char *json = tune->options.json;
    struct dyno_error error = {0};
    dyno_status status = dyno_tune_check(tune, &error);

    if (status == DYNO_OK && tune->options.out) {
        status = dyno_tune_write(tune, &error);
    }
    if (status == DYNO_OK && json) {
        status = dyno_tune_json(tune, json, &error);
    }
    if (status != DYNO_OK) {
        return dyno_command_complain(&error, DYNO_EXIT_FAILED);
    }
    if (!json || strcmp(json, "-") != 0) {
        dyno_tune_print(tune, stdout);
    }
    return tune->trials[tune->best]->excess > 0.0 ? DYNO_TUNE_EXIT_NONE : DYNO_EXIT_OK;
}

/* Trials of elsewhere first. */
static dyno_status gather(struct dyno_tune *tune, int argc, char **argv, struct dyno_error *error)
{
    DYNO_TRY(dyno_tune_merge(tune, error));
    return strcmp(tune->options.executor, "slurm") == 0 && tune->shards == 0
               ? dyno_tune_submit(tune, argc, argv, error)
               : DYNO_OK;
}

/* `rest` are the scenario's words of argv. */
static int run(struct dyno_tune *tune, int rest_count, char **rest, int argc, char **argv)
{
    struct dyno_error error = {0};
    dyno_status status;

    if (dyno_tune_read_shard(tune, &error) != DYNO_OK ||
        dyno_tune_load(tune, rest_count, rest, &error) != DYNO_OK ||
        dyno_frame_check_writable("--json", tune->options.json, &error) != DYNO_OK ||
        dyno_frame_check_writable("-o", tune->options.out, &error) != DYNO_OK ||
        dyno_tune_open_database(tune, &error) != DYNO_OK) {
        return dyno_command_complain(&error, DYNO_EXIT_USAGE);
    }
    tune->interrupted = dyno_frame_interrupts();
    tune->shows_progress = tune->given.scenario.output.progress && isatty(STDERR_FILENO);
    status = gather(tune, argc, argv, &error);
    if (status == DYNO_OK) {
        status = run_search(tune, &error);
    }
    dyno_tune_end_progress(tune);
    if (status == DYNO_OK && tune->shards > 0) {
        printf("shard %" PRIu32 " of %" PRIu32 ": %" PRIu32 " runs, %" PRIu32 " of them found\n",
               tune->shard, tune->shards, tune->runs, tune->runs_found);
        return DYNO_EXIT_OK;
    }
    if (status == DYNO_OK) {
        status = find_best(tune, &error);
    }
    if (status != DYNO_OK) {
        return dyno_command_complain(&error,
                                     status == DYNO_BAD_INPUT ? DYNO_EXIT_USAGE : DYNO_EXIT_FAILED);
    }
    return finish(tune);
}

static int read_and_run(struct words *words, int argc, char **argv)
{
    struct dyno_error error = {0};
    dyno_status status;

    if (dyno_options_open(words->own.options, rows, ROWS, &words->tune->options, &error) !=
            DYNO_OK ||
        dyno_tune_space_open(&words->tune->space, &error) != DYNO_OK) {
        return dyno_command_complain(&error, DYNO_EXIT_FAILED);
    }
    status = dyno_own_words_read(&words->own, argc, argv, &error);
    if (status == DYNO_OK && words->own.wants_help) {
        print_help();
        return DYNO_EXIT_OK;
    }
    if (status == DYNO_OK) {
        status = check_words(words, &error);
    }
    return status == DYNO_OK ? run(words->tune, words->own.rest_count, words->own.rest, argc, argv)
                             : dyno_command_complain(&error, DYNO_EXIT_USAGE);
}

int dyno_command_tune(int argc, char **argv)
{
    struct dyno_options options = {0};
    struct words words = {.tune = calloc(1, sizeof *words.tune),
                          .vary = calloc((size_t)argc + 1, sizeof(const char *)),
                          .own = {.options = &options,
                                  .output_flag = "out",
                                  .value_of = value_of,
                                  .take = take_repeated,
                                  .context = &words,
                                  .rest = calloc((size_t)argc + 1, sizeof *words.own.rest)}};
    struct dyno_error error = {0};
    int exit_status;

    if (words.tune && words.vary && words.own.rest) {
        exit_status = read_and_run(&words, argc, argv);
        dyno_tune_unload(words.tune);
    } else {
        (void)dyno_fail(&error, DYNO_NO_MEMORY, "out of memory");
        exit_status = dyno_command_complain(&error, DYNO_EXIT_FAILED);
    }
    dyno_options_close(&options);
    free(words.own.rest);
    free(words.vary);
    free(words.tune);
    return exit_status;
}
