#include "cli/fit/from.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/commands.h"
#include "cli/fit/run.h"
#include "cli/fit/served_figures.h"
#include "cli/scenario/calibration_file.h"

enum { WORDS_MAX = 200 };

struct arguments {
    const char *from, *prompts, *output, *source;
    bool check;
    char *words[WORDS_MAX]; /* what is the scenario's */
    int word_count;
};

static dyno_status take_arguments(struct arguments *arguments, int argc, char **argv,
                                  struct dyno_error *error)
{
    const struct {
        const char *flag;
        const char **to;
    } flags[] = {{"--from", &arguments->from},
                 {"--prompts", &arguments->prompts},
                 {"--source", &arguments->source},
                 {"-o", &arguments->output}};

    for (int i = 1; i < argc; i++) {
        const char **to = NULL;

        for (size_t j = 0; j < sizeof flags / sizeof flags[0]; j++) {
            to = strcmp(argv[i], flags[j].flag) == 0 ? flags[j].to : to;
        }
        if (to && i + 1 == argc) {
            return dyno_fail(error, DYNO_BAD_INPUT, "%s needs a value", argv[i]);
        }
        if (to) {
            *to = argv[++i];
        } else if (strcmp(argv[i], "--check") == 0) {
            arguments->check = true;
        } else if (arguments->word_count == WORDS_MAX) {
            return dyno_fail(error, DYNO_BAD_INPUT, "more than %d arguments", WORDS_MAX);
        } else {
            arguments->words[arguments->word_count++] = argv[i];
        }
    }
    if (!arguments->from || (!arguments->output && !arguments->check)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "fit needs --from FILE, and -o FILE for the calibration or --check");
    }
    return DYNO_OK;
}

/* ---- what is said ---------------------------------------------------------------------------- */

static void print_recording(const struct dyno_served_replay *replay, const char *path)
{
    const struct dyno_served_run *run = &replay->run;

    (void)printf("%s: %s%s%s, %" PRIu64 " requests", path, run->tool, run->date[0] ? ", " : "",
                 run->date, run->completed);
    if (run->left_out > 0) {
        (void)printf(" (%" PRIu64 " more failed, were cancelled or a warm-up: left out)",
                     run->left_out);
    }
    if (replay->scenario.trace.concurrency > 0) {
        (void)printf(", %" PRIu32 " always in flight", replay->scenario.trace.concurrency);
    } else if (run->request_count == 0) {
        (void)printf(", sent as %s", replay->scenario.generate.arrival);
        if (replay->scenario.trace.inflight_max > 0) {
            (void)printf(" by a client with at most %" PRIu32 " in flight",
                         replay->scenario.trace.inflight_max);
        }
    } else if (!run->is_timed && run->rate_per_s > 0) {
        (void)printf(", sent evenly, %g a second: their times were not recorded", run->rate_per_s);
    } else {
        (void)printf(", sent at their recorded times");
    }
    (void)printf("\n\n");
}

static void print_why_not(const struct dyno_fit_run *fit, uint32_t i)
{
    switch (fit->result.determined[i]) {
    case DYNO_WITHOUT_EFFECT:
        (void)printf("left as it was: less than 1 %% of the times changes with it\n");
        break;
    case DYNO_TOO_VAGUE:
        if (fit->result.left_at[i] < 1) {
            (void)printf("left as it was: the recording tells it to +- %.0f %% only\n",
                         100 * fit->result.left_at[i]);
        } else {
            (void)printf("left as it was: the recording cannot tell it from others\n");
        }
        break;
    default:
        (void)printf("left as it was: too few %s for one more parameter\n",
                     fit->requests ? "requests" : "figures");
        break;
    }
}

static void print_fit(const struct dyno_fit_run *fit)
{
    (void)printf("%-30s %12s %12s %10s\n", "parameter", "before", "after", "+- %");
    for (uint32_t i = 0; i < fit->candidates; i++) {
        const struct dyno_timing_row *row = &dyno_timing_rows[fit->places[i]];
        struct dyno_timing_parameters before = fit->before, after = fit->after;
        const char *was = (char *)&before + row->offset, *is = (char *)&after + row->offset;
        double from, to;

        memcpy(&from, was, sizeof from);
        memcpy(&to, is, sizeof to);
        if (fit->result.determined[i] == DYNO_DETERMINED) {
            double variance = fit->result.covariance[i][i];

            (void)printf("%-30s %12.5g %12.5g %10.1f\n", row->name, from, to, 100 * sqrt(variance));
        } else {
            (void)printf("%-30s %12.5g  ", row->name, from);
            print_why_not(fit, i);
        }
    }
    (void)printf("\nmean |log error|: %.2f %% before, %.2f %% after (%zu %s that err together)\n",
                 100 * fit->result.start_error, 100 * fit->result.mean_error, fit->groups,
                 fit->requests ? "blocks of requests" : "figures");
    if (fit->first_half >= 0) {
        (void)printf("held out: fitted to the first half of the requests alone, %.2f %% there and "
                     "%.2f %% on the second (%.2f %% before)\n",
                     100 * fit->first_half, 100 * fit->second_half, 100 * fit->second_half_before);
    } else {
        (void)printf("held out: not judged, there are too few requests\n");
    }
    (void)printf("\n");
}

/* ---- the calibration ------------------------------------------------------------------------- */

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash && slash[1] ? slash + 1 : path;
}

static dyno_status write_calibration(const struct arguments *arguments,
                                     const struct dyno_fit_run *fit,
                                     const struct dyno_served_replay *replay,
                                     struct dyno_error *error)
{
    struct dyno_calibration *calibration = calloc(1, sizeof *calibration);
    const struct dyno_served_run *run = &replay->run;
    time_t now = time(NULL);
    struct tm today;
    dyno_status status;

    if (!calibration) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    dyno_fit_run_calibrate(fit, replay, calibration);
    if (arguments->source) {
        (void)snprintf(calibration->source, sizeof calibration->source, "%s", arguments->source);
    } else {
        (void)snprintf(calibration->source, sizeof calibration->source,
                       "%.80s: %.63s%s%.31s, %" PRIu64 " requests to %.40s",
                       file_name(arguments->from), run->tool, run->date[0] ? ", " : "", run->date,
                       run->completed, replay->timing.model.name);
    }
    if (gmtime_r(&now, &today)) {
        (void)strftime(calibration->date, sizeof calibration->date, "%Y-%m-%d", &today);
    }
    status = dyno_calibration_write(calibration, arguments->output, error);
    free(calibration);
    return status;
}

static dyno_status fit_replay(const struct arguments *arguments, struct dyno_served_replay *replay,
                              struct dyno_error *error)
{
    struct dyno_fit_run *fit = calloc(1, sizeof *fit);
    dyno_status status;

    if (!fit) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    status = dyno_fit_run(fit, replay, true, error);
    if (status == DYNO_OK) {
        print_fit(fit);
        status = write_calibration(arguments, fit, replay, error);
    }
    free(fit);
    return status;
}

static dyno_status run(const struct arguments *arguments, struct dyno_error *error)
{
    struct dyno_served_replay *replay = calloc(1, sizeof *replay);
    dyno_status status;

    if (!replay) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    status = dyno_served_replay_open(replay, arguments->from, arguments->prompts, arguments->words,
                                     arguments->word_count, error);
    if (status == DYNO_OK) {
        print_recording(replay, arguments->from);
        status = arguments->check ? DYNO_OK : fit_replay(arguments, replay, error);
        if (status == DYNO_OK) {
            status = dyno_served_print(replay, stdout, error);
        }
        dyno_served_replay_close(replay);
    }
    free(replay);
    return status;
}

int dyno_fit_from(int argc, char **argv)
{
    struct arguments arguments = {0};
    struct dyno_error error = {0};

    if (take_arguments(&arguments, argc, argv, &error) != DYNO_OK) {
        return dyno_command_complain(&error, DYNO_EXIT_USAGE);
    }
    return run(&arguments, &error) == DYNO_OK ? DYNO_EXIT_OK
                                              : dyno_command_complain(&error, DYNO_EXIT_FAILED);
}
