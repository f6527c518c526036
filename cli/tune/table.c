/* What `dyno tune` prints. */
#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/tune/tune.h"

enum {
    SHOWN = 10,
    FRONT_SHOWN = 40,
    WIDTH = 100,
    SETTINGS_WIDTH_MIN = 40,
    VALUE_MAX = 48,
    TEXT_MAX = 4096
};

/* ---- trials ---------------------------------------------------------------------------------- */

/* Whether a metric has a column: the first time that it is named. */
static bool is_shown(const struct dyno_tune *tune, uint32_t metric)
{
    const char *name = dyno_tune_aims_metric(&tune->aims, metric)->name;

    for (uint32_t i = 0; i < metric; i++) {
        if (strcmp(dyno_tune_aims_metric(&tune->aims, i)->name, name) == 0) {
            return false;
        }
    }
    return true;
}

/* How wide the column of a metric is. */
static int width_of(const struct dyno_gate_metric *metric)
{
    int width = (int)strlen(metric->name);

    return (width > 10 ? width : 10) + 2;
}

static int table_width(const struct dyno_tune *tune)
{
    int width = 8;

    for (uint32_t i = 0; i < dyno_tune_aims_metric_count(&tune->aims); i++) {
        width += is_shown(tune, i) ? width_of(dyno_tune_aims_metric(&tune->aims, i)) : 0;
    }
    return width + 1;
}

/* Settings behind the figures, after `owed` blanks, or below them where there is no room; broken at
 * blanks. */
static void print_settings(FILE *out, const char *text, int owed, int column)
{
    bool is_below = column > WIDTH - SETTINGS_WIDTH_MIN;
    int left = is_below ? 8 : column, at = left;

    (void)fprintf(out, "%s%*s", is_below ? "\n" : "", is_below ? left : owed, "");
    while (*text) {
        int length = (int)strcspn(text, " ");

        if (at > left && at + 1 + length > WIDTH) {
            (void)fprintf(out, "\n%*s", left, "");
            at = left;
        }
        (void)fprintf(out, "%s%.*s", at > left ? " " : "", length, text);
        at += length + (at > left);
        text += length + (text[length] == ' ');
    }
    fputs("\n", out);
}

/* Whether a limit on this metric is not kept to. */
static bool is_missed(const struct dyno_tune *tune, const struct dyno_tune_trial *trial,
                      const char *metric)
{
    for (uint32_t i = 0; i < tune->aims.limit_count; i++) {
        struct dyno_tune_aims one = {.limit_count = 1, .limits = {tune->aims.limits[i]}};
        struct dyno_tune_result result = {
            .metrics = {trial->result.metrics[tune->aims.goal_count + i]}};

        if (strcmp(one.limits[0].metric.name, metric) == 0 &&
            dyno_tune_excess(&one, &result) > 0.0) {
            return true;
        }
    }
    return false;
}

static void print_trial(const struct dyno_tune *tune, const struct dyno_tune_trial *trial,
                        FILE *out)
{
    char text[TEXT_MAX];
    int owed = 1; /* blanks, so that no line ends with one */

    (void)fprintf(out, "%7" PRIu32, trial->number);
    for (uint32_t i = 0; i < dyno_tune_aims_metric_count(&tune->aims); i++) {
        const struct dyno_gate_metric *metric = dyno_tune_aims_metric(&tune->aims, i);

        if (!is_shown(tune, i)) {
            continue;
        }
        dyno_tune_value_print(metric, trial->result.metrics[i], text, VALUE_MAX);
        (void)fprintf(out, "%*s", owed + width_of(metric) - 1, text);
        owed = is_missed(tune, trial, metric->name) ? 0 : 1;
        fputs(owed ? "" : "!", out);
    }
    dyno_tune_point_print(&tune->space, &trial->point, text, sizeof text);
    print_settings(out, trial->number == 0 ? "(as given)" : text, owed + 1, table_width(tune));
}

static void print_heads(const struct dyno_tune *tune, FILE *out)
{
    (void)fprintf(out, "%7s", "point");
    for (uint32_t i = 0; i < dyno_tune_aims_metric_count(&tune->aims); i++) {
        const struct dyno_gate_metric *metric = dyno_tune_aims_metric(&tune->aims, i);

        if (!is_shown(tune, i)) {
            continue;
        }
        (void)fprintf(out, "%*s", width_of(metric), metric->name);
    }
    fputs("\n", out);
}

/* Of several goals the whole front; else the best of them; and the scenario as given. */
static void print_trials(const struct dyno_tune *tune, FILE *out)
{
    struct dyno_tune_trial **order = dyno_tune_ranking(tune);
    uint32_t most = tune->aims.goal_count > 1 ? FRONT_SHOWN : SHOWN, shown = 0;
    bool is_given_shown = false;

    if (!order) {
        return;
    }
    print_heads(tune, out);
    for (uint32_t i = 0; i < tune->trial_count && shown < most; i++) {
        if (*order[i]->refused ||
            (tune->aims.goal_count > 1 && !dyno_tune_is_on_front(tune, order[i]))) {
            continue; /* what was refused has no figures, and is told below */
        }
        print_trial(tune, order[i], out);
        is_given_shown = is_given_shown || order[i]->number == 0;
        shown++;
    }
    if (!is_given_shown) {
        fputs("    ...\n", out);
        print_trial(tune, tune->trials[0], out);
    }
    free(order);
}

/* ---- above and below ------------------------------------------------------------------------- */

static void print_head(const struct dyno_tune *tune, FILE *out)
{
    const struct dyno_tune_part *tuned = &tune->tuned;

    (void)fprintf(out, "%" PRIu32 " point%s (%s), tuned on ", tune->points,
                  tune->points == 1 ? "" : "s", tune->options.search);
    if (tuned->requests > 0) {
        (void)fprintf(out, "%" PRIu64 " requests", tuned->requests);
    } else {
        (void)fprintf(out, "%.0f s of requests", (double)tuned->duration_ns * 1e-9);
    }
    (void)fprintf(out, "; %" PRIu32 " runs, %" PRIu32 " of them found\n", tune->runs,
                  tune->runs_found);
    for (uint32_t i = 0; i < tune->aims.goal_count; i++) {
        (void)fprintf(out, "%-12s%s, %s is better\n", i == 0 ? "goal" : "",
                      tune->aims.goals[i].metric.name,
                      tune->aims.goals[i].sign > 0 ? "more" : "less");
    }
    for (uint32_t i = 0; i < tune->aims.limit_count; i++) {
        (void)fprintf(out, "%-12s%s\n", i == 0 ? "subject to" : "", tune->aims.limits[i].text);
    }
    if (tune->aims.goal_count > 1) {
        fputs("shown        the Pareto front: points that no other beats in every goal\n", out);
    }
    fputs("\n", out);
}

static void print_refused(const struct dyno_tune *tune, FILE *out)
{
    const char *first = NULL;
    uint32_t count = 0;

    for (uint32_t i = tune->trial_count; i-- > 1;) {
        if (*tune->trials[i]->refused) {
            first = tune->trials[i]->refused;
            count++;
        }
    }
    if (first) {
        (void)fprintf(out, "\n%" PRIu32 " point%s refused; the first: %s\n", count,
                      count == 1 ? " was" : "s were", first);
    }
}

/* ---- the check ------------------------------------------------------------------------------- */

enum { INTERVAL_MAX = 2 * VALUE_MAX + 8 };

/* A value without its unit. */
static void print_number(const struct dyno_gate_metric *metric, double value, char *out)
{
    dyno_tune_value_print(metric, value, out, VALUE_MAX);
    if (isfinite(value)) {
        out[strcspn(out, " ")] = '\0';
    }
}

static void print_interval(const struct dyno_gate_metric *metric,
                           const struct dyno_estimate *estimate, char out[INTERVAL_MAX])
{
    char low[VALUE_MAX], high[VALUE_MAX];

    print_number(metric, estimate->low, low);
    print_number(metric, estimate->high, high);
    (void)snprintf(out, INTERVAL_MAX, isfinite(estimate->low) ? "%s to %s" : "n/a", low, high);
}

/* Shares differ by points. */
static void print_difference(const struct dyno_gate_metric *metric, double value,
                             char out[VALUE_MAX])
{
    dyno_tune_value_print(metric, value, out, VALUE_MAX);
    if (metric->unit == DYNO_GATE_SHARE && isfinite(value)) {
        (void)snprintf(strchr(out, '%'), sizeof "points", "points");
    }
}

/* A metric of every side with its interval, and of the differences. */
static void print_checked(const struct dyno_tune *tune, uint32_t metric, FILE *out)
{
    const struct dyno_tune_check *check = &tune->check;
    const struct dyno_gate_metric *about = dyno_tune_aims_metric(&tune->aims, metric);
    static const char *const names[] = {"as given", "best", "second best"};
    static const char *const less[] = {"best - as given", "", "best - second best"};
    char text[VALUE_MAX], interval[INTERVAL_MAX];
    uint32_t sides = check->sides;
    bool is_long = strlen(about->name) >= 26; /* then a line of its own */

    assert(sides <= DYNO_TUNE_SIDES_MAX);
    if (is_long) {
        (void)fprintf(out, "%s\n", about->name);
    }
    for (uint32_t i = 0; i < sides; i++) {
        dyno_tune_value_print(about, check->sure.results[i].metrics[metric], text, VALUE_MAX);
        print_interval(about, &check->sure.side[i][metric], interval);
        (void)fprintf(out, "%-26s%-20s%14s   %s\n", i == 0 && !is_long ? about->name : "", names[i],
                      text, interval);
    }
    for (uint32_t i = 0; i < sides; i += 2) {
        print_difference(about, check->sure.difference[i][metric].value, text);
        print_interval(about, &check->sure.difference[i][metric], interval);
        (void)fprintf(out, "%-26s%-20s%14s   %s\n", "", less[i], text, interval);
    }
}

/* Limits that are kept, but not for sure. */
static void print_edges(const struct dyno_tune *tune, FILE *out)
{
    const struct dyno_tune_check *check = &tune->check;

    for (uint32_t i = 0; i < tune->aims.limit_count && check->excess[1] <= 0.0; i++) {
        const struct dyno_tune_limit *limit = &tune->aims.limits[i];
        const struct dyno_estimate *is = &check->sure.side[1][tune->aims.goal_count + i];

        if (limit->is_upper ? is->high > limit->bound : is->low < limit->bound) {
            (void)fprintf(out, "(the interval of %s reaches beyond its limit, %s)\n",
                          limit->metric.name, limit->text);
        }
    }
}

/* What the verdict says, in a sentence. */
static void print_words(const struct dyno_tune *tune, FILE *out)
{
    static const char *const words[] = {
        [DYNO_TUNE_UNCHECKED] = "no point is better than the scenario as given",
        [DYNO_TUNE_HOLDS] = "it is better than the scenario as given here too",
        [DYNO_TUNE_UNSURE] = ("it cannot be told from the scenario as given here: the\n"
                              "interval of the difference holds 0, or is not known"),
        [DYNO_TUNE_EXCEEDS] = "it does not keep to the limits here",
        [DYNO_TUNE_WORSE] = "it is worse than the scenario as given here",
    };
    const struct dyno_tune_check *check = &tune->check;

    (void)fprintf(out, "\n%s: ", dyno_tune_verdict_name(check->verdict));
    if (check->verdict == DYNO_TUNE_HOLDS && check->excess[0] > 0.0) {
        fputs("it keeps to the limits here too, and the scenario as given does not\n", out);
        return;
    }
    if (check->verdict != DYNO_TUNE_EXCEEDS) {
        (void)fprintf(out, "by %s ", tune->aims.goals[0].metric.name);
    }
    (void)fprintf(out, "%s\n", words[check->verdict]);
}

static void print_verdict(const struct dyno_tune *tune, FILE *out)
{
    print_words(tune, out);
    if (tune->check.verdict == DYNO_TUNE_UNCHECKED) {
        return;
    }
    print_edges(tune, out);
    if (!tune->check.is_held_out) {
        fputs("(on the very requests that it was chosen by, which flatters it: nothing was held "
              "out)\n",
              out);
    }
}

static void print_check(const struct dyno_tune *tune, FILE *out)
{
    const struct dyno_tune_check *check = &tune->check;
    char text[TEXT_MAX];

    if (check->verdict != DYNO_TUNE_UNCHECKED) {
        dyno_tune_point_print(&tune->space, &tune->trials[check->trials[1]]->point, text,
                              sizeof text);
        (void)fprintf(out, "\n%s: point %" PRIu32 ", ",
                      tune->options.pick > 0      ? "Picked"
                      : tune->aims.goal_count > 1 ? "Best by the first goal"
                                                  : "Best",
                      tune->trials[check->trials[1]]->number);
        print_settings(out, text, 0, 16);
        (void)fprintf(out, "\nChecked on %" PRIu32 " requests that it was %stuned on",
                      check->requests, check->is_held_out ? "not " : "");
        if (check->sure.by_seeds) {
            (void)fprintf(out, ", 95 %% intervals over %" PRIu32 " seeds\n", tune->options.seeds);
        } else {
            (void)fprintf(out, ", 95 %% intervals by %.0f blocks of time\n", check->sure.blocks);
        }
        for (uint32_t i = 0; i < dyno_tune_aims_metric_count(&tune->aims); i++) {
            if (is_shown(tune, i)) {
                print_checked(tune, i, out);
            }
        }
    }
    print_verdict(tune, out);
}

void dyno_tune_print(const struct dyno_tune *tune, FILE *out)
{
    print_head(tune, out);
    print_trials(tune, out);
    print_refused(tune, out);
    print_check(tune, out);
    if (tune->options.out) {
        (void)fprintf(out, "\nThe scenario is in %s.\n", tune->options.out);
    }
}
