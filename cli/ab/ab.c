/* `dyno ab`: the same requests through one fleet under several arms, compared request by request,
 * with intervals, and a verdict that does not say more than they do. */
#include "cli/ab/ab.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "cli/assembly/run_frame.h"
#include "cli/commands.h"
#include "cli/file_command.h"
#include "cli/help.h"
#include "cli/own_words.h"
#include "core/base/words.h"

enum { EXIT_INVALID = 4 };

#define AT(field) offsetof(struct dyno_ab_options, field)
#define DAY_NS    (86400 * DYNO_S)

static const struct dyno_option rows[] = {
    {.name = "ab.seeds",
     .flag = "seeds",
     .value = "N",
     .type = DYNO_OPTION_U32,
     .offset = AT(seeds),
     .initial = "1",
     .min = 1,
     .max = DYNO_AB_SEEDS_MAX,
     .help = "run every arm under so many seeds, from run.seed on; with 5 or more of a generator "
             "intervals are over seeds"},
    {.name = "ab.jobs",
     .flag = "jobs",
     .value = "N",
     .type = DYNO_OPTION_U32,
     .offset = AT(jobs),
     .initial = "0",
     .max = 64,
     .help = "simulations at once; 0: as many as processors"},
    {.name = "ab.goal",
     .flag = "goal",
     .value = "METRIC",
     .type = DYNO_OPTION_TEXT,
     .offset = AT(goal),
     .initial = "auto",
     .special = "auto",
     .min = 1,
     .help = "what ranks the arms: a metric of the table, such as ttft_ms.p99; auto: "
             "goodput.fraction where there are objectives (--slo), else e2e_ms.mean"},
    {.name = "ab.json",
     .flag = "json",
     .value = "FILE",
     .type = DYNO_OPTION_TEXT,
     .offset = AT(json),
     .initial = "none",
     .special = "none",
     .min = 1,
     .help = "arms, differences and verdict as JSON; - prints it instead of the table"},
    {.name = "ab.windows",
     .flag = "windows",
     .value = "N",
     .type = DYNO_OPTION_U32,
     .offset = AT(windows),
     .initial = "1",
     .min = 1,
     .max = 24,
     .help = "also the effect in each of so many equal parts of the time"},
    {.name = "ab.from",
     .flag = "from",
     .value = "TIME",
     .type = DYNO_OPTION_DURATION,
     .offset = AT(from_ns),
     .initial = "0",
     .max = 3650 * DAY_NS,
     .help = "compare only requests that arrive then or later; those before warm up"},
    {.name = "ab.until",
     .flag = "until",
     .value = "TIME",
     .type = DYNO_OPTION_DURATION,
     .offset = AT(until_ns),
     .initial = "0",
     .max = 3650 * DAY_NS,
     .help = "compare only requests that arrive before; 0: all"},
    {.name = "ab.draws",
     .flag = "draws",
     .value = "N",
     .type = DYNO_OPTION_U32,
     .offset = AT(draws),
     .initial = "1000",
     .min = 100,
     .max = 100000,
     .help = "how often the bootstrap draws"},
};

enum { ROWS = sizeof rows / sizeof rows[0] };

static void print_help(void)
{
    uint32_t width = dyno_help_width(stdout);

    puts("Usage: dyno ab [SCENARIO.yaml] --a NAME=VALUE --b NAME=VALUE [--c ...]\n"
         "               [--OPTION VALUE]...\n\n"
         "Compare arms of a scenario: the same requests, of the same lengths and, in an open\n"
         "loop, at the same times, under each.  An arm is what it sets otherwise: any option of\n"
         "the fleet, by its name or its flag.  The table has every figure with the 95 % interval\n"
         "of its difference; the verdict ranks only what the intervals tell apart.  docs/ab.md.\n\n"
         "Examples:\n"
         "  dyno ab --trace trace.jsonl --workers 8 --a router=round_robin --b router=kv\n"
         "  dyno ab fleet.yaml --a router=kv --b router=kv,router.temperature=0.5 --seeds 10\n"
         "  dyno ab --arrival poisson:20 --requests 5000 --slo ttft=1s,tpot=50ms \\\n"
         "          --a batch.tokens_max=2048 --b batch.tokens_max=8192 --json ab.json\n");
    dyno_help_entry(stdout, width, 28, "--a, --b, ... --h NAME=VALUE",
                    "what this arm sets; several with commas between them, or the flag again");
    dyno_file_command_rows_help(rows, ROWS);
    dyno_help_entry(stdout, width, 28, "--db FILE", "where every run is recorded [runs.db]");
    puts("\nAll other options are those of `dyno replay`.\n"
         "Exit status: 0 done, 1 a run failed, 2 wrong use, 4 the comparison is INVALID.");
}

/* ---- the command line -------------------------------------------------------------------------
 */

static const char *value_of(const char *typed)
{
    return dyno_arms_is_flag(typed) ? "NAME=VALUE, such as router=kv" : NULL;
}

static dyno_status take_arm(void *context, const char *typed, const char *value,
                            struct dyno_error *error)
{
    struct dyno_ab *ab = context;

    return dyno_arms_add(&ab->arms, typed, value, error);
}

static dyno_status find_goal(struct dyno_ab *ab, struct dyno_error *error)
{
    const struct dyno_scenario *scenario = &ab->runs.items[0].with.scenario;
    bool has_slo = scenario->slo.ttft_ns || scenario->slo.tpot_ns || scenario->slo.itl_ns ||
                   scenario->slo.e2e_ns;
    const char *goal = ab->options.goal;
    struct dyno_nearest nearest;
    char quoted[DYNO_QUOTE_MAX];
    const char *near;

    goal = goal ? goal : has_slo ? "goodput.fraction" : "e2e_ms.mean";
    ab->goal = dyno_paired_metric_find(goal);
    if (ab->goal < DYNO_PAIRED_METRICS) {
        return strcmp(goal, "goodput.fraction") != 0 || has_slo
                   ? DYNO_OK
                   : dyno_fail(
                         error, DYNO_BAD_INPUT,
                         "--goal: goodput.fraction needs objectives: --slo ttft=2s,tpot=50ms");
    }
    dyno_nearest_start(&nearest, goal);
    for (uint32_t i = 0; i < DYNO_PAIRED_METRICS; i++) {
        dyno_nearest_offer(&nearest, dyno_paired_metrics[i].name);
    }
    near = dyno_nearest_word(&nearest);
    return dyno_fail(error, DYNO_BAD_INPUT, "--goal: %s is no metric of ab; %s%s%s",
                     dyno_quote(quoted, goal), near ? "did you mean '" : "docs/ab.md lists them",
                     near ? near : "", near ? "'?" : "");
}

/* ---- what is compared -------------------------------------------------------------------------
 */

/* Keep the pairs that arrived within the limits. */
static void cut_window(struct dyno_pairing *pairing, const struct dyno_ab_options *options)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < pairing->count; i++) {
        dyno_ns at = pairing->records[0][i].arrival_ns;

        if (at < options->from_ns || (options->until_ns > 0 && at >= options->until_ns)) {
            continue;
        }
        for (uint32_t arm = 0; arm < pairing->arms; arm++) {
            pairing->records[arm][kept] = pairing->records[arm][i];
        }
        pairing->places[kept++] = pairing->places[i];
    }
    pairing->count = kept;
}

/* The first place where any arm parts from the first one, under the first seed where one does. */
static void find_parting(struct dyno_ab *ab, uint32_t seed)
{
    const struct dyno_pairing *pairing = &ab->pairings[seed];
    dyno_ns earliest = DYNO_NEVER;

    for (uint32_t arm = 1; arm < ab->runs.arms && (!ab->parts || ab->parting_seed == seed); arm++) {
        dyno_ns when;
        uint32_t at = dyno_pairing_parts_at(pairing, 0, arm, &when);

        if (when >= earliest) {
            continue;
        }
        earliest = when;
        ab->parts = true;
        ab->parting_seed = seed;
        ab->parting_arms[1] = arm;
        ab->parting.sides[0].record = pairing->records[0][at];
        ab->parting.sides[1].record = pairing->records[arm][at];
    }
}

static dyno_status pair_up(struct dyno_ab *ab, struct dyno_error *error)
{
    uint32_t seeds = ab->runs.seeds, arms = ab->runs.arms;

    ab->pairings = calloc(seeds, sizeof *ab->pairings);
    ab->records = calloc((size_t)arms * seeds, sizeof(const struct dyno_request_record *));
    ab->counts = calloc(seeds, sizeof *ab->counts);
    if (!ab->pairings || !ab->records || !ab->counts) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory for the pairs");
    }
    for (uint32_t seed = 0; seed < seeds; seed++) {
        const struct dyno_request_record *of_arm[DYNO_ARMS_MAX];
        uint32_t counts[DYNO_ARMS_MAX];

        for (uint32_t arm = 0; arm < arms; arm++) {
            of_arm[arm] = ab->runs.items[arm * seeds + seed].records;
            counts[arm] = ab->runs.items[arm * seeds + seed].record_count;
        }
        if (dyno_pairing_make(&ab->pairings[seed], arms, of_arm, counts) != DYNO_OK) {
            return dyno_fail(error, DYNO_NO_MEMORY, "out of memory for the pairs");
        }
        find_parting(ab, seed);
        ab->unpaired += ab->pairings[seed].unpaired;
        ab->arrivals_moved += ab->pairings[seed].arrivals_moved;
        cut_window(&ab->pairings[seed], &ab->options);
        for (uint32_t arm = 0; arm < arms; arm++) {
            ab->records[arm * seeds + seed] = ab->pairings[seed].records[arm];
        }
        ab->counts[seed] = ab->pairings[seed].count;
        ab->requests += ab->pairings[seed].count;
    }
    return DYNO_OK;
}

/* Why nothing can be said, if so. */
static void find_invalid(struct dyno_ab *ab)
{
    for (uint32_t i = 0; i < ab->runs.arms * ab->runs.seeds && !*ab->invalid; i++) {
        const struct dyno_arm_run *run = &ab->runs.items[i];
        char letter = ab->arms.items[i / ab->runs.seeds].letter;

        if (run->limit == DYNO_HARNESS_NULL) {
            (void)snprintf(ab->invalid, sizeof ab->invalid,
                           "arm %c ran on the null device, which computes nothing: its times are "
                           "the harness's own",
                           letter);
        } else if (run->limit == DYNO_HARNESS_CPU) {
            (void)snprintf(ab->invalid, sizeof ab->invalid,
                           "in arm %c the harness, not the fleet, was the limit: its thread "
                           "computed for %.0f %% of the time",
                           letter, 100.0 * run->cpu_fraction);
        } else if (run->cut) {
            (void)snprintf(ab->invalid, sizeof ab->invalid,
                           "arm %c was cut short before its last request had ended", letter);
        }
    }
    if (!*ab->invalid && ab->unpaired > 0) {
        (void)snprintf(ab->invalid, sizeof ab->invalid,
                       "%u requests of arm %c are not in every arm, or not as long, or not for the "
                       "same model",
                       ab->unpaired, ab->arms.items[0].letter);
    }
    if (!*ab->invalid && ab->requests == ab->figures.incomplete) {
        (void)snprintf(ab->invalid, sizeof ab->invalid,
                       ab->requests == 0 ? "no request arrived between --from and --until"
                                         : "no request was completed in every arm");
    }
}

static void judge(struct dyno_ab *ab)
{
    char letters[DYNO_ARMS_MAX];

    find_invalid(ab);
    for (uint32_t i = 0; i < ab->runs.arms; i++) {
        letters[i] = ab->arms.items[i].letter;
    }
    dyno_verdict_make(&ab->verdict, &(struct dyno_verdict_input){
                                        .figures = &ab->figures,
                                        .arms = ab->runs.arms,
                                        .seeds = ab->runs.seeds,
                                        .letters = letters,
                                        .goal = ab->goal,
                                        .same_traffic = ab->runs.same_traffic,
                                        .is_same = !ab->parts,
                                        .invalid = *ab->invalid ? ab->invalid : NULL,
                                    });
}

static dyno_status compare(struct dyno_ab *ab, struct dyno_error *error)
{
    const struct dyno_scenario *scenario = &ab->runs.items[0].with.scenario;
    uint32_t seeds = ab->runs.seeds;

    DYNO_TRY(pair_up(ab, error));
    ab->input = (struct dyno_paired_input){
        .arms = ab->runs.arms,
        .streams = seeds,
        .same_traffic = ab->runs.same_traffic,
        .by_order = ab->runs.by_order,
        .slo = {.ttft_ns = scenario->slo.ttft_ns,
                .tpot_ns = scenario->slo.tpot_ns,
                .itl_ns = scenario->slo.itl_ns,
                .e2e_ns = scenario->slo.e2e_ns},
        .records = ab->records,
        .counts = ab->counts,
        .draws = ab->options.draws,
        .seed = scenario->run.seed,
    };
    if (dyno_paired_compute(&ab->figures, &ab->input) != DYNO_OK ||
        dyno_ab_classify(ab) != DYNO_OK) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory for the intervals");
    }
    DYNO_TRY(dyno_ab_figure_runs(ab, error));
    if (ab->parts && !ab->runs.is_live) {
        DYNO_TRY(dyno_parting_look(
            &ab->parting, &ab->runs.items[ab->parting_seed].with.scenario,
            &ab->runs.items[ab->parting_arms[1] * seeds + ab->parting_seed].with.scenario, error));
    }
    judge(ab);
    return DYNO_OK;
}

static dyno_status report(struct dyno_ab *ab, struct dyno_error *error)
{
    const char *json = ab->options.json;

    if (!json || strcmp(json, "-") != 0) {
        dyno_ab_print(ab, stdout);
    }
    return json ? dyno_ab_json(ab, json, error) : DYNO_OK;
}

static void close_all(struct dyno_ab *ab)
{
    for (uint32_t i = 0; ab->pairings && i < ab->runs.seeds; i++) {
        dyno_pairing_release(&ab->pairings[i]);
    }
    free(ab->pairings);
    free(ab->records);
    free(ab->counts);
    free(ab->classes);
    dyno_arm_runs_close(&ab->runs);
    dyno_arms_release(&ab->arms);
}

/* Load, run, compare, report.  The exit status. */
static int run(struct dyno_ab *ab, int argc, char **argv)
{
    struct dyno_arm_plan plan = {.arms = &ab->arms,
                                 .argc = argc,
                                 .argv = argv,
                                 .seeds = ab->options.seeds,
                                 .jobs = ab->options.jobs};
    struct dyno_error error = {0};
    dyno_status status;

    if (dyno_arm_runs_open(&ab->runs, &plan, &error) != DYNO_OK ||
        find_goal(ab, &error) != DYNO_OK) {
        return dyno_command_complain(&error, DYNO_EXIT_USAGE);
    }
    plan.interrupted = dyno_frame_interrupts();
    status = dyno_frame_check_writable("--json", ab->options.json, &error);
    if (status == DYNO_OK) {
        status = dyno_arm_runs_run(&ab->runs, &plan, &error);
    }
    if (status == DYNO_OK) {
        status = compare(ab, &error);
    }
    if (status == DYNO_OK) {
        status = report(ab, &error);
    }
    if (status != DYNO_OK) {
        return dyno_command_complain(&error, DYNO_EXIT_FAILED);
    }
    return ab->verdict.kind == DYNO_VERDICT_INVALID ? EXIT_INVALID : DYNO_EXIT_OK;
}

static int read_and_run(struct dyno_ab *ab, struct dyno_own_words *words, int argc, char **argv)
{
    struct dyno_error error = {0};
    dyno_status status;

    if (dyno_options_open(words->options, rows, ROWS, &ab->options, &error) != DYNO_OK) {
        return dyno_command_complain(&error, DYNO_EXIT_FAILED);
    }
    status = dyno_own_words_read(words, argc, argv, &error);
    if (status == DYNO_OK && words->wants_help) {
        print_help();
        return DYNO_EXIT_OK;
    }
    if (status == DYNO_OK) {
        status = dyno_arms_check(&ab->arms, &error);
    }
    return status == DYNO_OK ? run(ab, words->rest_count, words->rest)
                             : dyno_command_complain(&error, DYNO_EXIT_USAGE);
}

int dyno_command_ab(int argc, char **argv)
{
    struct dyno_ab *ab = calloc(1, sizeof *ab);
    struct dyno_options options = {0};
    struct dyno_own_words words = {.options = &options,
                                   .value_of = value_of,
                                   .take = take_arm,
                                   .context = ab,
                                   .rest = calloc((size_t)argc + 1, sizeof *words.rest)};
    struct dyno_error error = {0};
    int exit_status;

    if (ab && words.rest) {
        exit_status = read_and_run(ab, &words, argc, argv);
        close_all(ab);
    } else {
        (void)dyno_fail(&error, DYNO_NO_MEMORY, "out of memory");
        exit_status = dyno_command_complain(&error, DYNO_EXIT_FAILED);
    }
    dyno_options_close(&options);
    free(words.rest);
    free(ab);
    return exit_status;
}
