/* What the loop adds to passes of a real device: the time from a pass's end to the start of the one
 * that follows it at once, beside how long passes take.
 *
 * usage: bench_turn [OPTION of dyno replay]...
 *
 * Runs the load on this machine's processor, as `dyno replay --device cpu` does.  A pass follows at
 * once where the turn of the loop that learnt of the end of one formed the next: between them lie
 * the wakeup of the loop, what it does with what the pass did, the forming of the next pass and the
 * wakeup of the worker's thread.  Counted are passes of one worker.  Printed are medians, and what
 * all that lies between passes takes in percent of the passes that follow.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/assembly/assembly.h"

enum { PASSES_MAX = 1 << 20 };

struct spy {
    const struct dyno_device_ops *real;
    struct dyno_device_ops ops;
    dyno_ns reaped_at, ended; /* when the loop learnt of the last pass, and when that ended */
    bool follows;             /* the pass in flight */
    double *gaps, *lengths;   /* [PASSES_MAX] of passes that follow, in ns */
    size_t count, steps;
};

static struct spy spy;

static void submit(struct dyno_device *device, dyno_ns now, const struct dyno_pass *pass)
{
    spy.follows = spy.ended > 0 && spy.reaped_at == now;
    spy.real->submit(device, now, pass);
}

static bool reap(struct dyno_device *device, dyno_ns now, struct dyno_completion *out)
{
    if (!spy.real->reap(device, now, out)) {
        return false;
    }
    if (spy.follows && spy.count < PASSES_MAX) {
        spy.gaps[spy.count] = (double)(out->start - spy.ended);
        spy.lengths[spy.count++] = (double)(out->at - out->start);
        spy.steps += out->steps;
    }
    spy.reaped_at = now;
    spy.ended = out->at;
    return true;
}

static bool stand_before(struct dyno_device *device)
{
    spy.real = device->ops;
    spy.ops = *device->ops;
    spy.ops.submit = submit;
    spy.ops.reap = reap;
    device->ops = &spy.ops;
    spy.gaps = calloc(PASSES_MAX, sizeof(double));
    spy.lengths = calloc(PASSES_MAX, sizeof(double));
    return spy.gaps && spy.lengths;
}

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

static double sum_of(const double *values, size_t count)
{
    double sum = 0.0;

    for (size_t i = 0; i < count; i++) {
        sum += values[i];
    }
    return sum;
}

static void print(const char *title)
{
    double gaps = sum_of(spy.gaps, spy.count), lengths = sum_of(spy.lengths, spy.count);

    if (spy.count == 0) {
        (void)puts("no pass followed another at once");
        return;
    }
    qsort(spy.gaps, spy.count, sizeof *spy.gaps, by_value);
    qsort(spy.lengths, spy.count, sizeof *spy.lengths, by_value);
    (void)printf("%s\n%zu passes that followed at once, of %.1f steps on the mean\n"
                 "between passes  %8.1f us (median)\n"
                 "a pass          %8.1f us (median)\n"
                 "the loop adds   %8.2f %% (medians), %.2f %% (sums)\n",
                 title, spy.count, (double)spy.steps / (double)spy.count,
                 spy.gaps[spy.count / 2] / 1e3, spy.lengths[spy.count / 2] / 1e3,
                 100.0 * spy.gaps[spy.count / 2] / spy.lengths[spy.count / 2],
                 100.0 * gaps / lengths);
}

static dyno_status run(int argc, char **argv, struct dyno_error *error)
{
    static char device[] = "--device", cpu[] = "cpu";
    struct dyno_scenario scenario;
    struct dyno_options options;
    struct dyno_assembly assembly = {0};
    enum dyno_scenario_ask ask;
    char **words = calloc((size_t)argc + 3, sizeof *words);

    if (!words) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    memcpy(words, argv, (size_t)argc * sizeof *words);
    words[argc++] = device;
    words[argc++] = cpu;
    DYNO_TRY(dyno_scenario_load(&scenario, &options, argc, words, &ask, error));
    DYNO_TRY(dyno_assembly_open(&assembly, &scenario, NULL, NULL, 0, error));
    if (scenario.fleet.workers != 1 || !stand_before(assembly.device)) {
        return dyno_fail(error, DYNO_BAD_INPUT, "passes of one worker are counted");
    }
    DYNO_TRY(dyno_assembly_run(&assembly, error));
    print(assembly.title);
    dyno_assembly_close(&assembly);
    dyno_options_close(&options);
    free(words);
    return DYNO_OK;
}

int main(int argc, char **argv)
{
    struct dyno_error error = {0};

    if (run(argc, argv, &error) != DYNO_OK) {
        (void)fprintf(stderr, "bench_turn: %s\n", error.text);
        return EXIT_FAILURE;
    }
    free(spy.gaps);
    free(spy.lengths);
    return EXIT_SUCCESS;
}
