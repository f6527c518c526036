/* `dyno bench-sim`: how fast the simulator is on this machine.
 *
 * Reading is left out (the source is read ahead into memory); everything else that a replay
 * computes is in: routing, caches, passes, metrics.  Rounds alternate over the cases so that a slow
 * moment of the machine does not fall on one of them; the median of the rounds is shown.  Beside
 * the clock's time stands the processor's, which leaves out when others had it.
 *
 * The cases are two routers with two sizes of blocks; with --as-is it is the scenario as it was
 * given, alone.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/assembly/assembly.h"
#include "cli/commands.h"

enum { CASES = 4, ROUNDS_DEFAULT = 5, ROUNDS_MAX = 101, ARGUMENTS_MAX = 256 };

struct bench_case {
    const char *router;
    uint32_t block_tokens;
    double requests_per_s[ROUNDS_MAX];     /* by the clock */
    double requests_per_cpu_s[ROUNDS_MAX]; /* by the processor's time */
    uint64_t requests, turns;
    double simulated_s;
};

static double seconds_now(clockid_t clock)
{
    struct timespec now;

    (void)clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static dyno_status run_case(struct bench_case *bench, uint32_t round,
                            const struct dyno_scenario *asked, struct dyno_error *error)
{
    struct dyno_assembly *assembly = calloc(1, sizeof *assembly);
    struct dyno_scenario scenario = *asked;
    dyno_status status;
    double started, cpu_started;

    if (!assembly) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    scenario.router.policy = bench->router;
    scenario.router.plugin = NULL;
    scenario.kv.block_tokens = bench->block_tokens;
    scenario.kv.bound_belady = false;
    status = dyno_assembly_open(assembly, &scenario, NULL, NULL, DYNO_PRELOAD, error);
    if (status == DYNO_OK) {
        started = seconds_now(CLOCK_MONOTONIC);
        cpu_started = seconds_now(CLOCK_THREAD_CPUTIME_ID);
        status = dyno_assembly_run(assembly, error);
        bench->requests = assembly->metrics.requests;
        bench->turns = assembly->result.turns;
        bench->simulated_s = (double)assembly->result.end_ns * 1e-9;
        bench->requests_per_s[round] =
            (double)bench->requests / (seconds_now(CLOCK_MONOTONIC) - started);
        bench->requests_per_cpu_s[round] =
            (double)bench->requests / (seconds_now(CLOCK_THREAD_CPUTIME_ID) - cpu_started);
        dyno_assembly_close(assembly);
    }
    free(assembly);
    return status;
}

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

static void print_case(struct bench_case *bench, uint32_t rounds)
{
    double median, seconds;

    qsort(bench->requests_per_s, rounds, sizeof bench->requests_per_s[0], by_value);
    qsort(bench->requests_per_cpu_s, rounds, sizeof bench->requests_per_cpu_s[0], by_value);
    median = bench->requests_per_s[rounds / 2];
    seconds = (double)bench->requests / median;
    (void)printf("  %-12s %6u %12.0f %12.0f %12.0f %12.0f %10.2f %12.0f %8.1f\n", bench->router,
                 bench->block_tokens, median, bench->requests_per_s[0],
                 bench->requests_per_s[rounds - 1], bench->requests_per_cpu_s[rounds / 2],
                 seconds * 1e6 / (double)bench->requests, bench->simulated_s / seconds,
                 (double)bench->turns / (double)bench->requests);
}

/* Take `--rounds N` and `--as-is` out of the arguments; the rest are those of `dyno replay`. */
static int take_own(int argc, char **argv, char **rest, uint32_t *rounds, bool *as_is)
{
    int count = 0;

    for (int i = 0; i < argc && count < ARGUMENTS_MAX; i++) {
        if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc) {
            char *end;
            long value = strtol(argv[++i], &end, 10);

            *rounds = *end == '\0' && value >= 1 && value <= ROUNDS_MAX ? (uint32_t)value : 0;
        } else if (strcmp(argv[i], "--as-is") == 0) {
            *as_is = true;
        } else {
            rest[count++] = argv[i];
        }
    }
    return count;
}

static dyno_status bench(const struct dyno_scenario *scenario, bool as_is, uint32_t rounds,
                         struct dyno_error *error)
{
    uint32_t count = as_is ? 1 : CASES;
    struct bench_case *cases = calloc(count, sizeof *cases);
    dyno_status status = DYNO_OK;

    if (!cases) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    for (uint32_t i = 0; i < count; i++) {
        cases[i].router = as_is ? scenario->router.policy : i % 2 == 0 ? "round_robin" : "kv";
        cases[i].block_tokens = as_is ? scenario->kv.block_tokens : i < 2 ? 512 : 16;
    }
    for (uint32_t round = 0; round < rounds && status == DYNO_OK; round++) {
        for (uint32_t i = 0; i < count && status == DYNO_OK; i++) {
            status = run_case(&cases[i], round, scenario, error);
        }
    }
    if (status == DYNO_OK) {
        (void)printf("Simulator speed: %llu requests, %u workers, one core, reading left out, "
                     "median of %u rounds\n\n",
                     (unsigned long long)cases[0].requests, scenario->fleet.workers, rounds);
        (void)printf("  %-12s %6s %12s %12s %12s %12s %10s %12s %8s\n", "router", "block",
                     "requests/s", "slowest", "fastest", "per CPU s", "us each", "x real time",
                     "turns");
        for (uint32_t i = 0; i < count; i++) {
            print_case(&cases[i], rounds);
        }
    }
    free(cases);
    return status;
}

int dyno_command_bench_sim(int argc, char **argv)
{
    struct dyno_scenario scenario;
    struct dyno_options options;
    struct dyno_error error = {0};
    enum dyno_scenario_ask ask;
    char *rest[ARGUMENTS_MAX];
    uint32_t rounds = ROUNDS_DEFAULT;
    bool as_is = false;
    int count = take_own(argc, argv, rest, &rounds, &as_is);
    dyno_status status;

    if (rounds == 0) {
        (void)dyno_fail(&error, DYNO_BAD_INPUT, "--rounds takes a number from 1 to %d", ROUNDS_MAX);
        return dyno_command_complain(&error, DYNO_EXIT_USAGE);
    }
    if (dyno_scenario_load(&scenario, &options, count, rest, &ask, &error) != DYNO_OK) {
        return dyno_command_complain(&error, DYNO_EXIT_USAGE);
    }
    if (ask != DYNO_ASK_RUN) {
        (void)puts("dyno bench-sim [--rounds N] [--as-is] [any option of dyno replay]: how fast "
                   "this machine simulates; as is: with the router and the blocks that are given, "
                   "instead of two routers with blocks of 512 and of 16");
        dyno_options_close(&options);
        return DYNO_EXIT_OK;
    }
    if (scenario.trace.path && strcmp(scenario.trace.path, "-") == 0) {
        dyno_options_close(&options);
        (void)dyno_fail(
            &error, DYNO_BAD_INPUT,
            "bench-sim reads its trace once for every round: standard input will not do, "
            "name a file");
        return dyno_command_complain(&error, DYNO_EXIT_USAGE);
    }
    status = bench(&scenario, as_is, rounds, &error);
    dyno_options_close(&options);
    return status == DYNO_OK ? DYNO_EXIT_OK : dyno_command_complain(&error, DYNO_EXIT_FAILED);
}
