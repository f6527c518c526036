/* `dyno swarm`: many random worlds, each run in a process of its own, leapt and stepped, and every
 * promise looked at after every turn.
 *
 * A world that breaks a promise is named by its seed: the same seed draws the same world again. */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backends/host/allowance.h"
#include "cli/assembly/assembly.h"
#include "cli/commands.h"
#include "cli/file_command.h"
#include "cli/scenario/command_line.h"
#include "cli/swarm/promises.h"
#include "cli/swarm/world.h"
#include "core/base/words.h"

/* A world that goes round in circles is ended; one that does not takes milliseconds. */
enum { CPU_SECONDS_MAX = 30 };
enum { JOBS_MAX = 64, SETTINGS_MAX = 32, SAID_BYTES = 2048, SHOWN_MAX = 10 };

struct swarm_options {
    uint64_t seeds, first;
    uint32_t jobs;
    const char *settings;
    bool print, is_quiet;
};

#define AT(field) offsetof(struct swarm_options, field)

static const struct dyno_option rows[] = {
    {.name = "swarm.seeds",
     .flag = "seeds",
     .value = "N",
     .help = "how many worlds",
     .initial = "100",
     .type = DYNO_OPTION_U64,
     .offset = AT(seeds),
     .min = 1,
     .max = 1000000000},
    {.name = "swarm.seed",
     .flag = "seed",
     .value = "N",
     .help = "the seed of the first world; the next has the next",
     .initial = "1",
     .type = DYNO_OPTION_U64,
     .offset = AT(first),
     .max = UINT64_MAX / 2},
    {.name = "swarm.jobs",
     .flag = "jobs",
     .value = "N",
     .help = "worlds at a time; auto is one for each core",
     .initial = "auto",
     .special = "auto",
     .type = DYNO_OPTION_U32,
     .offset = AT(jobs),
     .min = 1,
     .max = JOBS_MAX},
    {.name = "swarm.set",
     .flag = "set",
     .value = "OPTION=VALUE",
     .help = "an option of every world, over what was drawn; may be given again",
     .initial = "none",
     .special = "none",
     .type = DYNO_OPTION_TEXT,
     .offset = AT(settings),
     .is_list = true,
     .min = 1},
    {.name = "swarm.print",
     .flag = "print",
     .help = "print the worlds as commands, and run none",
     .initial = "false",
     .type = DYNO_OPTION_BOOL,
     .offset = AT(print)},
    {.name = "swarm.quiet",
     .flag = "quiet",
     .help = "no progress on a terminal",
     .initial = "false",
     .type = DYNO_OPTION_BOOL,
     .offset = AT(is_quiet)},
};

enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };

static void print_help(void)
{
    puts("Usage: dyno swarm [--OPTION VALUE]...\n\n"
         "Try the fleet in random worlds: each seed draws a simulated fleet, its traffic and\n"
         "clients that give up. Each world is run twice, leaping and step by step, and must come "
         "to\n"
         "the same; every promise of docs/architecture.md is looked at after every turn. A world\n"
         "that breaks one is named with the line that repeats it, and the exit status is 1.\n");
    dyno_file_command_rows_help(rows, ROW_COUNT);
}

/* What became of a world, as its process tells it. */
enum fate { HELD, REFUSED, BROKEN };

struct outcome {
    enum fate fate;
    bool is_planned, is_parted, is_cut, has_models;
    bool is_moved; /* GPUs changed their role */
    bool is_tiered;
    bool is_pulling; /* prompts came from other workers' GPUs */
    uint64_t digest, requests, turns, cached, preemptions, refused, cancelled, faults, migrated;
};

/* ---- one world ------------------------------------------------------------------------------- */

static dyno_status run_assembly(struct dyno_assembly *assembly,
                                const struct dyno_scenario *scenario,
                                struct dyno_swarm_promises *promises, struct dyno_error *error)
{
    assembly->put_before = dyno_swarm_put_before;
    assembly->before_context = promises;
    promises->sink.ops = &dyno_swarm_sink_ops;
    DYNO_TRY(dyno_assembly_open(assembly, scenario, &promises->sink, NULL, 0, error));
    DYNO_TRY(dyno_assembly_run(assembly, error));
    dyno_swarm_conclude(promises);
    return DYNO_OK;
}

/* Run it once.  What breaks, also while the run goes on, is said on standard error. */
static void run_once(const struct dyno_swarm_world *world, struct dyno_scenario *scenario,
                     struct outcome *out)
{
    struct dyno_assembly *assembly = calloc(1, sizeof *assembly);
    struct dyno_swarm_promises promises = {.seed = world->seed, .storm = world->storm};
    struct dyno_error error = {0};
    dyno_status status = DYNO_NO_MEMORY;

    if (assembly) {
        status = run_assembly(assembly, scenario, &promises, &error);
    }
    if (status == DYNO_BAD_INPUT && promises.turns == 0) {
        out->fate = REFUSED;
        (void)fprintf(stderr, "%s\n", error.text);
    } else if (status != DYNO_OK) {
        out->fate = BROKEN;
        (void)fprintf(stderr, "the run failed: %s\n", error.text);
    } else if (promises.broken[0] != '\0') {
        out->fate = BROKEN;
        (void)fprintf(stderr, "%s\n", promises.broken);
    }
    if (status == DYNO_OK) {
        out->is_cut = assembly->result.cut;
        out->is_moved = assembly->planning.roster &&
                        dyno_roster_totals(assembly->planning.roster, 0).changes > 0;
        out->is_pulling = assembly->totals.peers.hit_blocks > 0;
        dyno_assembly_close(assembly);
    }
    out->is_planned = dyno_planning_is_on(scenario);
    out->has_models = scenario->fleet.models != NULL;
    out->is_parted = scenario->disagg.policy != NULL;
    out->is_tiered = scenario->tiers.levels != NULL;
    out->digest = promises.digest;
    out->requests = promises.records;
    out->turns = promises.turns;
    out->cached = promises.cached;
    out->preemptions = promises.preemptions;
    out->refused = promises.refused;
    out->cancelled = promises.cancelled;
    out->faults = promises.faults;
    out->migrated = promises.migrated;
    dyno_swarm_promises_release(&promises);
    free(assembly);
}

static void run_world(const struct dyno_swarm_world *world, struct outcome *out)
{
    struct dyno_swarm_world words = *world; /* the options point into what they are read from */
    struct dyno_scenario scenario;
    struct dyno_options options;
    enum dyno_scenario_ask ask;
    struct dyno_error error;
    struct outcome stepped = {.fate = HELD};

    for (int i = 0; i < words.argc; i++) {
        words.argv[i] = words.words[i];
    }
    if (dyno_scenario_load(&scenario, &options, words.argc, words.argv, &ask, &error) != DYNO_OK) {
        out->fate = REFUSED;
        (void)fprintf(stderr, "%s\n", error.text);
        return;
    }
    scenario.output.decisions = true;
    run_once(world, &scenario, out);
    if (out->fate == HELD) {
        scenario.batch.steps_max = 1;
        run_once(world, &scenario, &stepped);
        out->fate = stepped.fate;
        if (stepped.fate == HELD && stepped.digest != out->digest) {
            out->fate = BROKEN;
            (void)fprintf(stderr, "leaping and stepping tell different histories\n");
        }
    }
    dyno_options_close(&options);
}

/* ---- many processes -------------------------------------------------------------------------- */

struct child {
    pid_t pid; /* 0: none */
    int outcome, said;
    struct dyno_swarm_world world;
};

struct swarm {
    const struct swarm_options *options;
    char *settings[SETTINGS_MAX + 1];
    struct child children[JOBS_MAX];
    uint32_t jobs;
    uint64_t started, ended, held, refused, broken;
    char first_refusal[SAID_BYTES]; /* "": none */
    uint64_t planned, several, parted, moved, tiered, pulling, everything, cut, hitting, preempting,
        refusing, cancelling, faulty, migrating, requests, turns;
};

static int fail_to_start(void)
{
    struct dyno_error error;

    (void)dyno_fail(&error, DYNO_IO, "swarm cannot start a process: %s", strerror(errno));
    return dyno_command_complain(&error, DYNO_EXIT_FAILED);
}

static bool start(struct child *child)
{
    const struct rlimit enough = {.rlim_cur = CPU_SECONDS_MAX, .rlim_max = CPU_SECONDS_MAX};
    int outcome[2], said[2];
    struct outcome result = {.fate = HELD};

    if (pipe(outcome) != 0) {
        return false;
    }
    if (pipe(said) != 0) {
        (void)close(outcome[0]);
        (void)close(outcome[1]);
        return false;
    }
    child->pid = fork();
    if (child->pid == 0) {
        (void)dup2(said[1], STDERR_FILENO);
        (void)close(outcome[0]);
        (void)close(said[0]);
        (void)close(said[1]);
        (void)setrlimit(RLIMIT_CPU, &enough);
        run_world(&child->world, &result);
        _exit(write(outcome[1], &result, sizeof result) == sizeof result ? 0 : 1);
    }
    (void)close(outcome[1]);
    (void)close(said[1]);
    child->outcome = outcome[0];
    child->said = said[0];
    if (child->pid < 0) {
        child->pid = 0;
        (void)close(outcome[0]);
        (void)close(said[0]);
        return false;
    }
    return true;
}

/* What the process said before it ended, to its first newline. */
static void hear(int from, char said[SAID_BYTES])
{
    size_t used = 0;
    ssize_t got;

    while (used < SAID_BYTES - 1 && (got = read(from, said + used, SAID_BYTES - 1 - used)) > 0) {
        used += (size_t)got;
    }
    said[used] = '\0';
    said[strcspn(said, "\n")] = '\0';
}

static void name_world(const struct swarm *swarm, struct child *child, const char *why)
{
    char *command = dyno_command_line(child->world.argc, child->world.argv);

    printf("seed %" PRIu64 ": %s\n  again: dyno swarm --seed %" PRIu64 " --seeds 1%s%s\n"
           "  as a run: %s\n",
           child->world.seed, why, child->world.seed, swarm->options->settings ? " --set " : "",
           swarm->options->settings ? swarm->options->settings : "", command ? command : "");
    if (child->world.storm > 0) {
        printf("  (where %.0f %% of the clients give up, which is no option of a run)\n",
               100 * child->world.storm);
    }
    free(command);
}

static void add_outcome(struct swarm *swarm, const struct outcome *outcome)
{
    swarm->held += outcome->fate == HELD;
    swarm->refused += outcome->fate == REFUSED;
    swarm->planned += outcome->is_planned;
    swarm->several += outcome->has_models;
    swarm->parted += outcome->is_parted;
    swarm->moved += outcome->is_moved;
    swarm->tiered += outcome->is_tiered;
    swarm->pulling += outcome->is_pulling;
    swarm->everything += outcome->is_moved && outcome->is_tiered && outcome->faults > 0;
    swarm->cut += outcome->is_cut;
    swarm->hitting += outcome->cached > 0;
    swarm->preempting += outcome->preemptions > 0;
    swarm->refusing += outcome->refused > 0;
    swarm->cancelling += outcome->cancelled > 0;
    swarm->faulty += outcome->faults > 0;
    swarm->migrating += outcome->migrated > 0;
    swarm->requests += outcome->requests;
    swarm->turns += outcome->turns;
}

static void finish(struct swarm *swarm, struct child *child)
{
    struct outcome outcome;
    char said[SAID_BYTES], why[SAID_BYTES + 64];
    int status = 0;
    bool is_whole;

    hear(child->said, said);
    is_whole = read(child->outcome, &outcome, sizeof outcome) == sizeof outcome;
    (void)close(child->outcome);
    (void)close(child->said);
    while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR) {
    }
    child->pid = 0;
    swarm->ended++;
    if (is_whole && outcome.fate != BROKEN) {
        add_outcome(swarm, &outcome);
        if (outcome.fate == REFUSED && swarm->first_refusal[0] == '\0') {
            (void)snprintf(swarm->first_refusal, sizeof swarm->first_refusal, "%s", said);
        }
        return;
    }
    swarm->broken++;
    if (swarm->broken > SHOWN_MAX) {
        return;
    }
    (void)snprintf(why, sizeof why, "%s%s",
                   is_whole ? "" : "it died: ", said[0] ? said : "it said nothing");
    name_world(swarm, child, why);
}

static void show_progress(const struct swarm *swarm)
{
    if (!swarm->options->is_quiet && isatty(STDERR_FILENO)) {
        (void)fprintf(stderr, "\r%" PRIu64 " of %" PRIu64 " worlds%s", swarm->ended,
                      swarm->options->seeds, swarm->ended == swarm->options->seeds ? "\n" : "");
    }
}

static void print_summary(const struct swarm *swarm)
{
    printf("%" PRIu64 " worlds, seeds %" PRIu64 " to %" PRIu64 ", leapt and stepped: every promise "
           "held in %" PRIu64 "\n",
           swarm->ended, swarm->options->first, swarm->options->first + swarm->ended - 1,
           swarm->held);
    printf("  %" PRIu64 " requests, %" PRIu64 " turns looked at; %" PRIu64
           " worlds contradicted themselves and were refused\n",
           swarm->requests, swarm->turns, swarm->refused);
    printf("  worlds with prefix hits %" PRIu64 ", preemptions %" PRIu64 ", refusals %" PRIu64
           ", cancellations %" PRIu64 ",\n  a planner %" PRIu64 ", halves %" PRIu64
           ", GPUs that change their role %" PRIu64 ", an early end %" PRIu64 ",\n  faults %" PRIu64
           ", requests that went on elsewhere %" PRIu64 ", tiers %" PRIu64
           ", prompts from peers %" PRIu64
           ",\n  GPUs that change their role, tiers and faults at once %" PRIu64
           ", two models %" PRIu64 "\n",
           swarm->hitting, swarm->preempting, swarm->refusing, swarm->cancelling, swarm->planned,
           swarm->parted, swarm->moved, swarm->cut, swarm->faulty, swarm->migrating, swarm->tiered,
           swarm->pulling, swarm->everything, swarm->several);
    if (swarm->broken > 0) {
        printf("  %" PRIu64 " BROKE A PROMISE\n", swarm->broken);
    }
}

/* Keep every place busy; worlds are concluded in the order of their seeds, so that what is printed
 * does not depend on which is faster. */
static int run_all(struct swarm *swarm)
{
    struct dyno_error error;

    while (swarm->ended < swarm->options->seeds) {
        struct child *oldest = &swarm->children[swarm->ended % swarm->jobs];

        while (swarm->started < swarm->options->seeds &&
               swarm->started < swarm->ended + swarm->jobs) {
            struct child *child = &swarm->children[swarm->started % swarm->jobs];

            dyno_swarm_draw(&child->world, swarm->options->first + swarm->started, swarm->settings);
            (void)fflush(stdout);
            if (!start(child)) {
                return fail_to_start();
            }
            swarm->started++;
        }
        finish(swarm, oldest);
        show_progress(swarm);
    }
    if (swarm->held + swarm->broken == 0) {
        (void)dyno_fail(&error, DYNO_BAD_INPUT, "no world could be run: %.400s",
                        swarm->first_refusal);
        return dyno_command_complain(&error, DYNO_EXIT_USAGE);
    }
    print_summary(swarm);
    return swarm->broken > 0 ? DYNO_EXIT_FAILED : DYNO_EXIT_OK;
}

static int print_worlds(const struct swarm *swarm)
{
    for (uint64_t i = 0; i < swarm->options->seeds; i++) {
        struct dyno_swarm_world world;
        char *command;

        dyno_swarm_draw(&world, swarm->options->first + i, swarm->settings);
        command = dyno_command_line(world.argc, world.argv);
        if (command) {
            puts(command);
        }
        free(command);
    }
    return DYNO_EXIT_OK;
}

static int refuse_file(const char *file)
{
    struct dyno_error error;
    char quoted[DYNO_QUOTE_MAX];

    (void)dyno_fail(&error, DYNO_BAD_INPUT, "swarm takes options only, and not %s",
                    dyno_quote(quoted, file));
    return dyno_command_complain(&error, DYNO_EXIT_USAGE);
}

static int try_worlds(const struct swarm_options *options)
{
    struct swarm *swarm = calloc(1, sizeof *swarm);
    char *settings = strdup(options->settings ? options->settings : "");
    int result = DYNO_EXIT_FAILED, count = 0;

    if (swarm && settings) {
        for (char *rest = settings; rest && count < SETTINGS_MAX;) {
            char *word = strsep(&rest, ",");

            if (word[0] != '\0') {
                swarm->settings[count++] = word;
            }
        }
        swarm->options = options;
        swarm->jobs = options->jobs ? options->jobs : dyno_allowed_cores();
        swarm->jobs = swarm->jobs < JOBS_MAX ? swarm->jobs : JOBS_MAX;
        result = options->print ? print_worlds(swarm) : run_all(swarm);
    }
    free(settings);
    free(swarm);
    return result;
}

static int run(const char *file, const void *values)
{
    return file ? refuse_file(file) : try_worlds(values);
}

int dyno_command_swarm(int argc, char **argv)
{
    struct swarm_options values;

    return dyno_file_command_run(&(struct dyno_file_command){.command = "swarm",
                                                             .rows = rows,
                                                             .row_count = ROW_COUNT,
                                                             .values = &values,
                                                             .print_help = print_help,
                                                             .run = run},
                                 argc, argv);
}
