/* The runs of a gate: each side's program replays each scenario into a database of its own, as many
 * at once as may be; and host times, one at a time on one processor. */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/host/allowance.h"
#include "cli/child.h"
#include "cli/gate/gate.h"
#include "reports/stats/sequential.h"

enum { JOBS_MAX = 64, WORDS_MAX = 16 };

/* Whether head's runs stay, all in one database. */
static bool saves_runs(const struct dyno_gate *gate)
{
    return gate->options.save && !dyno_gate_is_baseline(gate->options.save);
}

static dyno_status start(struct dyno_child *child, const struct dyno_gate *gate,
                         const struct dyno_gate_case *one, int side, const char *database,
                         struct dyno_error *error)
{
    char *argv[WORDS_MAX] = {NULL};
    char replay[] = "replay", db[] = "--db", no_progress[] = "--no-progress", set[] = "--set";
    char intervals[] = "--intervals", none[] = "none"; /* a gate compares what they are around */
    int count = 0;

    argv[count++] = (char *)(uintptr_t)gate->sides[side].program;
    argv[count++] = replay;
    argv[count++] = (char *)(uintptr_t)one->files[side];
    argv[count++] = no_progress;
    argv[count++] = intervals;
    argv[count++] = none;
    argv[count++] = db;
    argv[count++] = (char *)(uintptr_t)database;
    if (side == 1 && gate->options.head_set) {
        argv[count++] = set;
        argv[count++] = (char *)(uintptr_t)gate->options.head_set;
    }
    return dyno_child_start(child, argv, error);
}

static void note_end(struct dyno_gate_case *one, int side, const struct dyno_child_end *end)
{
    if (*one->invalid || (end->exited && end->status == 0)) {
        return;
    }
    (void)snprintf(one->invalid, sizeof one->invalid, "%s ended with %s %d: %.400s",
                   side ? "head" : "base", end->exited ? "status" : "signal", end->status,
                   *end->said ? end->said : "it said nothing");
}

/* ---- what is replayed once --------------------------------------------------------------------
 */

struct task {
    uint32_t index; /* of the case */
    int side;
    char database[4200];
    struct dyno_child child;
};

/* A program that is content and replayed nothing is no dyno. */
static void note_nothing(struct dyno_gate_case *one, const struct task *task)
{
    if (!*one->invalid && access(task->database, F_OK) != 0) {
        (void)snprintf(one->invalid, sizeof one->invalid,
                       "%s ended with status 0 and left no run: is it a dyno?",
                       task->side ? "head" : "base");
    }
}

static dyno_status finish(struct dyno_gate *gate, struct task *task, struct dyno_error *error)
{
    struct dyno_gate_case *one = &gate->cases[task->index];
    struct dyno_error why = {.status = DYNO_OK};
    struct dyno_child_end end;

    DYNO_TRY(dyno_child_wait(&task->child, &end, error));
    one->cpu_ms += end.cpu_ms;
    note_end(one, task->side, &end);
    note_nothing(one, task);
    if (!*one->invalid &&
        dyno_stored_run_read(&one->runs[task->side], task->database,
                             saves_runs(gate) && task->side ? one->name : NULL, &why) != DYNO_OK) {
        (void)snprintf(one->invalid, sizeof one->invalid, "%.500s", why.text);
    }
    if (!saves_runs(gate) || task->side == 0) {
        (void)unlink(task->database);
    }
    return DYNO_OK;
}

static void read_stored(struct dyno_gate *gate, uint32_t index)
{
    struct dyno_gate_case *one = &gate->cases[index];
    struct dyno_error why = {.status = DYNO_OK};

    if ((gate->sides[0].kind == DYNO_GATE_BASELINE
             ? dyno_baseline_read(&one->runs[0], &one->digest, gate->sides[0].text, one->name, &why)
             : dyno_stored_run_read(&one->runs[0], gate->sides[0].text, one->name, &why)) !=
        DYNO_OK) {
        (void)snprintf(one->invalid, sizeof one->invalid, "%.500s", why.text);
    }
}

static uint32_t jobs_of(const struct dyno_gate *gate)
{
    uint32_t jobs = gate->options.jobs;

    if (saves_runs(gate)) {
        return 1; /* one database, one writer */
    }
    jobs = jobs > 0 ? jobs : dyno_allowed_cores();
    return jobs < JOBS_MAX ? jobs : JOBS_MAX;
}

/* A window of `jobs` children slides over all tasks: when the oldest has ended, the next starts. */
static dyno_status run_all(struct dyno_gate *gate, const char *folder, struct task *tasks,
                           struct dyno_error *error)
{
    uint32_t jobs = jobs_of(gate), total = 2 * gate->case_count, begun = 0, ended = 0;
    dyno_status status = DYNO_OK;

    while (ended < total) {
        struct task *task = &tasks[begun];

        if (begun < total && begun - ended < jobs && status == DYNO_OK) {
            task->index = begun / 2;
            task->side = (int)(begun % 2);
            begun++;
            if (task->side == 0 && dyno_gate_is_past(&gate->sides[0])) {
                read_stored(gate, task->index);
                continue;
            }
            (void)snprintf(task->database, sizeof task->database, "%.4000s/%u.db", folder, begun);
            if (task->side == 1 && saves_runs(gate)) {
                (void)snprintf(task->database, sizeof task->database, "%.4000s",
                               gate->options.save);
            }
            status = start(&task->child, gate, &gate->cases[task->index], task->side,
                           task->database, error);
        } else if (ended == begun) {
            break;
        } else {
            task = &tasks[ended++];
            if (task->child.pid > 0 && finish(gate, task, error) != DYNO_OK) {
                status = error->status;
            }
        }
    }
    return status;
}

dyno_status dyno_gate_folder(char folder[DYNO_GATE_PATH_MAX], struct dyno_error *error)
{
    const char *where = getenv("TMPDIR");

    (void)snprintf(folder, DYNO_GATE_PATH_MAX, "%.4000s/dyno-gate-XXXXXX",
                   where && *where ? where : "/tmp");
    return mkdtemp(folder) ? DYNO_OK
                           : dyno_fail(error, DYNO_IO, "no folder for the runs at %s: %s", folder,
                                       strerror(errno));
}

dyno_status dyno_gate_run(struct dyno_gate *gate, struct dyno_error *error)
{
    struct task *tasks = calloc(2 * (size_t)gate->case_count, sizeof *tasks);
    char folder[DYNO_GATE_PATH_MAX];
    dyno_status status;

    if (!tasks) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    status = dyno_gate_folder(folder, error);
    if (status == DYNO_OK) {
        status = run_all(gate, folder, tasks, error);
    }
    (void)rmdir(folder);
    free(tasks);
    return status;
}

/* ---- host time --------------------------------------------------------------------------------
 */

enum { ROUNDS_MAX = 1000 };

struct timing {
    double ms[2][ROUNDS_MAX];
    uint32_t rounds;
    struct dyno_sequential slower, faster;
};

static dyno_status time_one(struct dyno_gate *gate, struct dyno_gate_case *one, int side,
                            double *out, struct dyno_error *error)
{
    struct dyno_child child;
    struct dyno_child_end end;

    DYNO_TRY(start(&child, gate, one, side, ":memory:", error));
    DYNO_TRY(dyno_child_wait(&child, &end, error));
    note_end(one, side, &end);
    *out = end.cpu_ms;
    one->cpu_ms += end.cpu_ms;
    return DYNO_OK;
}

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

static double median_of(double *values, uint32_t count)
{
    qsort(values, count, sizeof *values, by_value);
    return values[count / 2];
}

/* Rounds until both questions are answered: is head slower, is base? */
static dyno_status time_case(struct dyno_gate *gate, struct dyno_gate_case *one,
                             struct timing *timing, struct dyno_error *error)
{
    enum dyno_sequential_verdict slower = DYNO_SEQUENTIAL_GOES_ON;
    enum dyno_sequential_verdict faster = DYNO_SEQUENTIAL_GOES_ON;
    double alpha = gate->budgets.false_alarms / gate->case_count;
    struct dyno_sequential test = {
        .tolerance = gate->budgets.tolerance, .alpha = alpha, .beta = 0.05};

    timing->rounds = 0;
    timing->slower = timing->faster = test;
    while (timing->rounds < gate->budgets.rounds_max && !*one->invalid &&
           slower != DYNO_SEQUENTIAL_SLOWER && faster != DYNO_SEQUENTIAL_SLOWER &&
           (slower == DYNO_SEQUENTIAL_GOES_ON || faster == DYNO_SEQUENTIAL_GOES_ON)) {
        int first = (int)(timing->rounds % 2); /* base first, then head first */
        uint32_t round = timing->rounds++;

        DYNO_TRY(time_one(gate, one, first, &timing->ms[first][round], error));
        DYNO_TRY(time_one(gate, one, !first, &timing->ms[!first][round], error));
        if (slower == DYNO_SEQUENTIAL_GOES_ON) {
            slower =
                dyno_sequential_add(&timing->slower, timing->ms[0][round], timing->ms[1][round]);
        }
        if (faster == DYNO_SEQUENTIAL_GOES_ON) {
            faster =
                dyno_sequential_add(&timing->faster, timing->ms[1][round], timing->ms[0][round]);
        }
    }
    one->host = (struct dyno_gate_host){
        .rounds = timing->rounds,
        .base_ms = median_of(timing->ms[0], timing->rounds),
        .head_ms = median_of(timing->ms[1], timing->rounds),
        .decided = slower == DYNO_SEQUENTIAL_SLOWER || faster == DYNO_SEQUENTIAL_SLOWER ||
                   (slower != DYNO_SEQUENTIAL_GOES_ON && faster != DYNO_SEQUENTIAL_GOES_ON),
        .verdict = slower == DYNO_SEQUENTIAL_SLOWER   ? DYNO_GATE_REGRESSION
                   : faster == DYNO_SEQUENTIAL_SLOWER ? DYNO_GATE_IMPROVEMENT
                                                      : DYNO_GATE_PASS,
    };
    return DYNO_OK;
}

/* From now on this process and its children run on one processor; false: it may not be said. */
static bool pin(cpu_set_t *before)
{
    cpu_set_t one;
    size_t last = CPU_SETSIZE;

    if (sched_getaffinity(0, sizeof *before, before) != 0) {
        return false;
    }
    for (size_t i = 0; i < CPU_SETSIZE; i++) {
        last = CPU_ISSET(i, before) ? i : last;
    }
    CPU_ZERO(&one);
    if (last < CPU_SETSIZE) {
        CPU_SET(last, &one);
    }
    return last < CPU_SETSIZE && sched_setaffinity(0, sizeof one, &one) == 0;
}

dyno_status dyno_gate_time(struct dyno_gate *gate, struct dyno_error *error)
{
    struct timing *timing = calloc(1, sizeof *timing);
    dyno_status status = DYNO_OK;
    cpu_set_t before;
    bool pinned;

    if (!timing) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    pinned = pin(&before);
    for (uint32_t i = 0; i < gate->case_count && status == DYNO_OK; i++) {
        if (!*gate->cases[i].invalid) {
            status = time_case(gate, &gate->cases[i], timing, error);
        }
    }
    if (pinned) {
        (void)sched_setaffinity(0, sizeof before, &before);
    }
    free(timing);
    return status;
}
