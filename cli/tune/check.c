/* The best point on requests that it was not tuned on, beside the scenario as given and the second
 * best: whole runs, as `dyno ab` makes them. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/arms/arm_runs.h"
#include "cli/tune/tune.h"

const char *dyno_tune_verdict_name(enum dyno_tune_verdict verdict)
{
    static const char *const names[] = {"UNCHECKED", "HOLDS", "UNSURE", "EXCEEDS", "WORSE"};

    return names[verdict];
}

/* The best trial of another point; 0: there is none that could be judged. */
static uint32_t second_best(const struct dyno_tune *tune)
{
    uint32_t second = 0;

    for (uint32_t i = 1; i < tune->trial_count; i++) {
        const struct dyno_tune_trial *trial = tune->trials[i];

        if (i != tune->best && isfinite(trial->excess) && trial->share >= 1.0 &&
            (second == 0 || dyno_tune_is_before(tune, trial, tune->trials[second]))) {
            second = i;
        }
    }
    return second;
}

/* ---- runs ------------------------------------------------------------------------------------ */

/* The trial of a side, on what it is checked on; its point stays the other's. */
static struct dyno_tune_trial trial_of(const struct dyno_tune *tune, uint32_t side)
{
    struct dyno_tune_trial trial = *tune->trials[tune->check.trials[side]];

    trial.is_held_out = tune->check.is_held_out;
    trial.share = 1.0;
    return trial;
}

static uint64_t first_seed(const struct dyno_tune *tune)
{
    return tune->check.is_held_out ? tune->held_out.seed : tune->tuned.seed;
}

static dyno_status find(const struct dyno_tune *tune, const struct dyno_tune_trial *trial,
                        uint64_t seed, int64_t *run, struct dyno_error *error)
{
    char *settings = dyno_tune_settings(tune, trial, seed);
    dyno_status status =
        settings ? dyno_tuning_find(tune->tuning,
                                    &(struct dyno_trial_row){.settings = settings,
                                                             .point = trial->number,
                                                             .is_held_out = trial->is_held_out,
                                                             .share = trial->share},
                                    run, error)
                 : dyno_fail(error, DYNO_NO_MEMORY, "out of memory");

    free(settings);
    return status;
}

/* Whether the database has every run of a side: then it is not recorded again. */
static dyno_status look_up(struct dyno_tune *tune, uint32_t side, bool *is_there,
                           struct dyno_error *error)
{
    struct dyno_tune_trial trial = trial_of(tune, side);

    *is_there = tune->tuning != NULL;
    for (uint32_t i = 0; i < tune->options.seeds && *is_there; i++) {
        int64_t run = 0;

        DYNO_TRY(find(tune, &trial, first_seed(tune) + i, &run, error));
        *is_there = run != 0;
        tune->check.runs[side] = i == 0 ? run : tune->check.runs[side];
    }
    return DYNO_OK;
}

/* The sides as arms. */
static dyno_status make_arms(struct dyno_tune *tune, struct dyno_arms *arms,
                             bool is_there[DYNO_TUNE_SIDES_MAX], struct dyno_error *error)
{
    for (uint32_t i = 0; i < tune->check.sides; i++) {
        struct dyno_arm *arm = &arms->items[arms->count++];
        struct dyno_tune_trial trial = trial_of(tune, i);
        char *seed = NULL;

        *arm = (struct dyno_arm){.letter = (char)('a' + (int)i)};
        DYNO_TRY(look_up(tune, i, &is_there[i], error));
        if (dyno_tune_arm(tune, &trial, arm) != DYNO_OK ||
            asprintf(&seed, "run.seed=%" PRIu64, first_seed(tune)) < 0) {
            return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
        }
        arm->settings[arm->setting_count++] = seed;
        if (is_there[i] && asprintf(&arm->settings[arm->setting_count++], "output.db=none") < 0) {
            return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
        }
    }
    return DYNO_OK;
}

static dyno_status note_runs(struct dyno_tune *tune, const struct dyno_arm_runs *runs,
                             const bool is_there[DYNO_TUNE_SIDES_MAX], struct dyno_error *error)
{
    for (uint32_t i = 0; i < runs->arms * runs->seeds && tune->tuning; i++) {
        uint32_t side = i / runs->seeds;
        struct dyno_tune_trial trial = trial_of(tune, side);
        char *settings;
        dyno_status status;

        if (is_there[side]) {
            continue;
        }
        settings = dyno_tune_settings(tune, &trial, first_seed(tune) + i % runs->seeds);
        if (!settings) {
            return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
        }
        status = dyno_tuning_note(tune->tuning, runs->items[i].run_id,
                                  &(struct dyno_trial_row){.settings = settings,
                                                           .point = trial.number,
                                                           .is_held_out = trial.is_held_out,
                                                           .share = trial.share},
                                  error);
        free(settings);
        DYNO_TRY(status);
        if (i % runs->seeds == 0) {
            tune->check.runs[side] = runs->items[i].run_id;
        }
    }
    return DYNO_OK;
}

/* ---- the verdict ----------------------------------------------------------------------------- */

/* By the first goal: told apart where the interval of the difference lies on one side of 0. */
static enum dyno_tune_verdict judge(const struct dyno_tune *tune)
{
    const struct dyno_tune_check *check = &tune->check;
    const struct dyno_estimate *difference = &check->sure.difference[0][0];
    int sign = tune->aims.goals[0].sign;

    if (check->excess[1] > 0.0) {
        return DYNO_TUNE_EXCEEDS;
    }
    if (check->excess[0] > 0.0) {
        return DYNO_TUNE_HOLDS; /* as given they are not kept to */
    }
    if (!isfinite(difference->low) || (difference->low <= 0.0 && difference->high >= 0.0)) {
        return DYNO_TUNE_UNSURE;
    }
    return sign * difference->value > 0.0 ? DYNO_TUNE_HOLDS : DYNO_TUNE_WORSE;
}

static dyno_status compare(struct dyno_tune *tune, const struct dyno_arm_runs *runs,
                           struct dyno_error *error)
{
    struct dyno_tune_check *check = &tune->check;

    DYNO_TRY(dyno_tune_sure_compute(&check->sure, runs, &tune->aims, tune->options.draws, error));
    for (uint32_t i = 0; i < check->sides; i++) {
        check->excess[i] = dyno_tune_excess(&tune->aims, &check->sure.results[i]);
    }
    for (uint32_t i = 0; i < runs->seeds; i++) {
        check->requests += runs->items[i].record_count;
        if (runs->items[i].cut) {
            return dyno_fail(error, DYNO_IO, "interrupted during the check; %s",
                             tune->tuning ? "the same command goes on from here"
                                          : "nothing was kept");
        }
    }
    check->verdict = judge(tune);
    return DYNO_OK;
}

dyno_status dyno_tune_check(struct dyno_tune *tune, struct dyno_error *error)
{
    struct dyno_tune_check *check = &tune->check;
    struct dyno_arms arms = {.count = 0};
    struct dyno_arm_plan plan = {.arms = &arms,
                                 .argc = tune->argc,
                                 .argv = tune->argv,
                                 .seeds = tune->options.seeds,
                                 .jobs = tune->options.jobs,
                                 .interrupted = tune->interrupted};
    bool is_there[DYNO_TUNE_SIDES_MAX];
    struct dyno_arm_runs runs;
    dyno_status status;

    if (tune->best == 0) {
        return DYNO_OK;
    }
    check->is_held_out = tune->options.held_out > 0;
    check->trials[1] = tune->best;
    check->trials[2] = second_best(tune);
    check->sides = check->trials[2] > 0 ? 3 : 2;
    status = make_arms(tune, &arms, is_there, error);
    if (status == DYNO_OK) {
        status = dyno_arm_runs_open(&runs, &plan, error);
    }
    if (status == DYNO_OK) {
        status = dyno_arm_runs_run(&runs, &plan, error);
        if (status == DYNO_OK) {
            status = note_runs(tune, &runs, is_there, error);
        }
        if (status == DYNO_OK) {
            status = compare(tune, &runs, error);
        }
        dyno_arm_runs_close(&runs);
    }
    dyno_arms_release(&arms);
    return status;
}
