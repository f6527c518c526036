#include "reports/verdict.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/math.h"
#include "reports/format.h"
#include "reports/stats/distributions.h"
#include "reports/stats/tests.h"

#define ALPHA 0.05

const char *dyno_verdict_name(enum dyno_verdict_kind kind)
{
    static const char *const names[] = {"RANKED", "NOT_RANKED", "SAME", "INVALID"};

    return names[kind];
}

static int decimals_of(double value)
{
    double size = fabs(value);

    return size >= 1000.0 ? 0 : size >= 100.0 ? 1 : 2;
}

char *dyno_verdict_value(char out[DYNO_VERDICT_VALUE_MAX], uint32_t metric, double value,
                         bool is_difference)
{
    char number[DYNO_FORMAT_MAX];
    bool is_latency = dyno_paired_metrics[metric].is_latency;
    double shown = is_latency ? value : 100.0 * value;
    const char *unit = is_latency ? "ms" : is_difference ? "points" : "%";

    dyno_format_fixed(number, shown, is_latency ? decimals_of(shown) : 1);
    (void)snprintf(out, DYNO_VERDICT_VALUE_MAX, "%s%s %s", is_difference && shown > 0.0 ? "+" : "",
                   number, unit);
    return out;
}

/* ---- who is told apart ------------------------------------------------------------------------
 */

/* 1: b is better, -1: a is; 0: the interval holds 0, or is not known, or too much was asked. */
static int told_by(const struct dyno_estimate *difference, double adjusted, bool higher_is_better)
{
    if (!(adjusted < ALPHA) || !isfinite(difference->low) ||
        (difference->low <= 0.0 && difference->high >= 0.0)) {
        return 0;
    }
    return (difference->value > 0.0) == higher_is_better ? 1 : -1;
}

static void rank_by_goal(struct dyno_verdict *out, const struct dyno_verdict_input *input)
{
    enum { PAIRS_MAX = DYNO_PAIRED_ARMS_MAX * DYNO_PAIRED_ARMS_MAX };
    double p[PAIRS_MAX], adjusted[PAIRS_MAX];
    uint32_t count = 0, at = 0;

    for (uint32_t a = 0; a < input->arms; a++) {
        for (uint32_t b = a + 1; b < input->arms; b++) {
            p[count++] = input->figures->difference[a][b][input->goal].p;
        }
    }
    dyno_holm(adjusted, p, count);
    for (uint32_t a = 0; a < input->arms; a++) {
        for (uint32_t b = a + 1; b < input->arms; b++, at++) {
            out->p[a][b] = adjusted[at];
            out->rank[a][b] = told_by(&input->figures->difference[a][b][input->goal], adjusted[at],
                                      dyno_paired_metrics[input->goal].higher_is_better);
        }
    }
}

static void tell_by_metrics(struct dyno_verdict *out, const struct dyno_verdict_input *input)
{
    enum { ALL_MAX = DYNO_PAIRED_ARMS_MAX * DYNO_PAIRED_ARMS_MAX * DYNO_PAIRED_METRICS };
    double p[ALL_MAX], adjusted[ALL_MAX];
    uint32_t count = 0, at = 0;

    for (uint32_t a = 0; a < input->arms; a++) {
        for (uint32_t b = a + 1; b < input->arms; b++) {
            for (uint32_t i = 0; i < DYNO_PAIRED_METRICS; i++) {
                p[count++] = input->figures->difference[a][b][i].p;
            }
        }
    }
    dyno_holm(adjusted, p, count);
    for (uint32_t a = 0; a < input->arms; a++) {
        for (uint32_t b = a + 1; b < input->arms; b++) {
            for (uint32_t i = 0; i < DYNO_PAIRED_METRICS; i++) {
                out->told[a][b][i] = told_by(&input->figures->difference[a][b][i], adjusted[at++],
                                             dyno_paired_metrics[i].higher_is_better);
            }
        }
    }
}

/* The same seen from `arm`: 1: it is better than `other`. */
static int rank_of(const struct dyno_verdict *verdict, uint32_t arm, uint32_t other)
{
    return arm < other ? -verdict->rank[arm][other] : verdict->rank[other][arm];
}

static int find_best(const struct dyno_verdict *verdict, uint32_t arms)
{
    for (uint32_t arm = 0; arm < arms; arm++) {
        bool beats_all = true;

        for (uint32_t other = 0; other < arms; other++) {
            beats_all = beats_all && (other == arm || rank_of(verdict, arm, other) > 0);
        }
        if (beats_all) {
            return (int)arm;
        }
    }
    return -1;
}

/* ---- what it would take -----------------------------------------------------------------------
 */

static void find_need(struct dyno_verdict *out, const struct dyno_verdict_input *input,
                      const struct dyno_estimate *difference)
{
    double effect = fabs(difference->value);

    if (!(difference->error > 0.0) || !(effect > 0.0)) {
        out->more_seeds = input->same_traffic ? 0 : UINT32_MAX;
        return;
    }
    if (input->same_traffic) {
        double ratio =
            (dyno_normal_quantile(0.975) + dyno_normal_quantile(0.8)) * difference->error / effect;

        out->times_as_long = ratio * ratio > 1.0 ? ratio * ratio : 1.0;
    } else {
        uint32_t all = dyno_replicates_needed(effect, difference->error * dyno_sqrt(input->seeds));

        out->more_seeds = all == UINT32_MAX ? all : all > input->seeds ? all - input->seeds : 1;
    }
}

/* ---- words ------------------------------------------------------------------------------------
 */

static void say(struct dyno_verdict *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(struct dyno_verdict *out, const char *format, ...)
{
    size_t used = strlen(out->words);
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(out->words + used, sizeof out->words - used, format, arguments);
    va_end(arguments);
}

static void say_ranked(struct dyno_verdict *out, const struct dyno_verdict_input *input, uint32_t a,
                       uint32_t b)
{
    const struct dyno_estimate *difference = &input->figures->difference[a][b][input->goal];
    char by[DYNO_VERDICT_VALUE_MAX], low[DYNO_VERDICT_VALUE_MAX], high[DYNO_VERDICT_VALUE_MAX];
    bool b_is_better = out->rank[a][b] > 0;
    double base = input->figures->arm[a][input->goal].value;

    say(out, "%s%c is better than %c by %s: %c - %c is %s", *out->words ? " " : "",
        input->letters[b_is_better ? b : a], input->letters[b_is_better ? a : b],
        dyno_paired_metrics[input->goal].name, input->letters[b], input->letters[a],
        dyno_verdict_value(by, input->goal, difference->value, true));
    if (dyno_paired_metrics[input->goal].is_latency && base > 0.0) {
        say(out, " (%+.1f %%)", 100.0 * difference->value / base);
    }
    say(out, ", 95 %% interval %s to %s.",
        dyno_verdict_value(low, input->goal, difference->low, true),
        dyno_verdict_value(high, input->goal, difference->high, true));
}

static void say_need(struct dyno_verdict *out, const struct dyno_verdict_input *input)
{
    if (input->same_traffic && out->times_as_long > 0.0) {
        say(out,
            " Seeds do not change a recorded trace: one of its kind, %.1f times as long, would "
            "show "
            "a difference as large as this one in four of five tries.",
            out->times_as_long);
    } else if (out->more_seeds == UINT32_MAX) {
        say(out, " No number of seeds below a million would show a difference as small as this.");
    } else if (out->more_seeds > 0) {
        say(out,
            " %u more seed%s would show a difference as large as this one in four of five tries.",
            out->more_seeds, out->more_seeds == 1 ? "" : "s");
    }
}

static void say_not_ranked(struct dyno_verdict *out, const struct dyno_verdict_input *input,
                           uint32_t a, uint32_t b)
{
    const struct dyno_estimate *difference = &input->figures->difference[a][b][input->goal];
    char low[DYNO_VERDICT_VALUE_MAX], high[DYNO_VERDICT_VALUE_MAX];
    const char *name = dyno_paired_metrics[input->goal].name;

    say(out, "%s%c and %c cannot be ranked by %s: ", *out->words ? " " : "", input->letters[a],
        input->letters[b], name);
    if (!isfinite(difference->value)) {
        say(out, "it is not defined for both.");
        return;
    }
    if (!isfinite(difference->low)) {
        say(out, "the run is too short for an interval.");
        return;
    }
    if (difference->low <= 0.0 && difference->high >= 0.0) {
        say(out, "the 95 %% interval of %c - %c, %s to %s, holds 0.", input->letters[b],
            input->letters[a], dyno_verdict_value(low, input->goal, difference->low, true),
            dyno_verdict_value(high, input->goal, difference->high, true));
    } else {
        say(out, "of so many pairs of arms one would differ as much by chance (p = %.2g, Holm).",
            out->p[a][b]);
    }
    out->more_seeds = 0;
    out->times_as_long = 0.0;
    find_need(out, input, difference);
    say_need(out, input);
}

/* "Also better: x, y." of what else tells the winner from another. */
static void say_others(struct dyno_verdict *out, const struct dyno_verdict_input *input, uint32_t a,
                       uint32_t b, int sign, const char *head)
{
    bool any = false;

    for (uint32_t i = 0; i < DYNO_PAIRED_METRICS; i++) {
        if (i != input->goal && out->told[a][b][i] == sign) {
            say(out, "%s%s", any ? ", " : head, dyno_paired_metrics[i].name);
            any = true;
        }
    }
    if (any) {
        say(out, ".");
    }
}

static void say_pairs(struct dyno_verdict *out, const struct dyno_verdict_input *input)
{
    for (uint32_t a = 0; a < input->arms; a++) {
        for (uint32_t b = a + 1; b < input->arms; b++) {
            if (out->rank[a][b] != 0) {
                say_ranked(out, input, a, b);
            } else {
                say_not_ranked(out, input, a, b);
            }
            if (input->arms == 2) {
                int better = out->rank[a][b] != 0 ? out->rank[a][b] : 1;

                say_others(out, input, a, b, better,
                           out->rank[a][b] ? " Also better: " : " But b is better by ");
                say_others(out, input, a, b, -better,
                           out->rank[a][b] ? " But worse: " : " And a is better by ");
            }
        }
    }
}

void dyno_verdict_make(struct dyno_verdict *out, const struct dyno_verdict_input *input)
{
    *out = (struct dyno_verdict){.best = -1};
    if (input->invalid) {
        out->kind = DYNO_VERDICT_INVALID;
        say(out, "INVALID: %s.", input->invalid);
        return;
    }
    if (input->is_same) {
        out->kind = DYNO_VERDICT_SAME;
        say(out, "No difference: every request was served the same in every arm.");
        return;
    }
    rank_by_goal(out, input);
    tell_by_metrics(out, input);
    out->best = find_best(out, input->arms);
    out->kind = out->best >= 0 ? DYNO_VERDICT_RANKED : DYNO_VERDICT_NOT_RANKED;
    say_pairs(out, input);
    if (input->arms > 2 && out->best >= 0) {
        say(out, " %c is better than every other.", input->letters[out->best]);
    }
}
