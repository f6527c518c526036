#include "cli/sure/aims.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/units.h"
#include "core/base/words.h"

enum { NAME_MAX_BYTES = 64 };

/* ---- names of metrics ------------------------------------------------------------------------ */

/* "ttft_ms.p95" -> "ttft_p95", "goodput.per_gpu" -> "goodput_per_gpu". */
static void shorten(const char *name, char out[NAME_MAX_BYTES])
{
    size_t used = 0;

    for (const char *at = name; *at && used < NAME_MAX_BYTES - 1; at++) {
        if (strncmp(at, "_ms.", 4) == 0) {
            at += 2;
            continue;
        }
        out[used++] = *at == '.' ? '_' : *at;
    }
    out[used] = '\0';
}

/* Whether `typed` is a metric's name: the whole of it, the short form, or what follows its section
 * ("gpu_hours" of "fleet.gpu_hours"). */
static bool is_called(const char *name, const char *typed)
{
    char brief[NAME_MAX_BYTES];
    const char *dot = strchr(name, '.');

    shorten(name, brief);
    return strcmp(name, typed) == 0 || strcmp(brief, typed) == 0 ||
           (dot && strstr(name, "_ms.") == NULL && strcmp(dot + 1, typed) == 0);
}

static dyno_status unknown_metric(const char *flag, const char *typed, struct dyno_error *error)
{
    uint32_t count = dyno_gate_metric_count();
    char(*briefs)[NAME_MAX_BYTES] = calloc(count, sizeof *briefs);
    char quoted[DYNO_QUOTE_MAX];
    struct dyno_nearest nearest;
    const char *near;

    dyno_nearest_start(&nearest, typed);
    for (uint32_t i = 0; i < count && briefs; i++) {
        struct dyno_gate_metric metric = dyno_gate_metric_at(i);

        shorten(metric.name, briefs[i]);
        dyno_nearest_offer(&nearest, briefs[i]);
    }
    near = dyno_nearest_word(&nearest);
    (void)dyno_fail(error, DYNO_BAD_INPUT, "%s: %s is no metric; %s%s%s", flag,
                    dyno_quote(quoted, typed), near ? "did you mean '" : "docs/gate.md lists them",
                    near ? near : "", near ? "'?" : "");
    free(briefs);
    return DYNO_BAD_INPUT;
}

/* "models.chat.ttft_p99": likewise behind the model's name. */
static bool find_of_model(const char *typed, struct dyno_gate_metric *out)
{
    uint32_t length = dyno_gate_metric_model_length(typed);

    for (uint32_t i = 0; length > 0 && i < dyno_gate_metric_model_count(); i++) {
        struct dyno_gate_metric metric = dyno_gate_metric_model_at(i);
        char name[2 * NAME_MAX_BYTES];

        (void)snprintf(name, sizeof name, "%.*s%s", (int)length + 8, typed, metric.name);
        if (is_called(metric.name, typed + length + 8)) {
            return dyno_gate_metric_find(out, name);
        }
    }
    return false;
}

static dyno_status find_metric(const char *flag, const char *typed, struct dyno_gate_metric *out,
                               struct dyno_error *error)
{
    if (find_of_model(typed, out)) {
        return DYNO_OK;
    }
    for (uint32_t i = 0; i < dyno_gate_metric_count(); i++) {
        struct dyno_gate_metric metric = dyno_gate_metric_at(i);

        if (is_called(metric.name, typed)) {
            *out = metric;
            return DYNO_OK;
        }
    }
    return unknown_metric(flag, typed, error);
}

/* The words between commas, one after another: the next of *text without blanks around it; false:
 * there is none left. */
static bool next_word(const char **text, char *out, size_t size)
{
    size_t length, used = 0;

    if (!*text) {
        return false;
    }
    length = strcspn(*text, ",");
    for (size_t i = 0; i < length && used < size - 1; i++) {
        if (!isspace((unsigned char)(*text)[i])) {
            out[used++] = (*text)[i];
        }
    }
    out[used] = '\0';
    *text = (*text)[length] ? *text + length + 1 : NULL;
    return true;
}

/* ---- goals ----------------------------------------------------------------------------------- */

static dyno_status add_goal(struct dyno_tune_aims *aims, const char *word, struct dyno_error *error)
{
    struct dyno_tune_goal goal = {.sign = 0};

    if (strncmp(word, "max:", 4) == 0 || strncmp(word, "min:", 4) == 0) {
        goal.sign = word[1] == 'a' ? 1 : -1;
        word += 4;
    }
    DYNO_TRY(find_metric("--goal", word, &goal.metric, error));
    goal.sign = goal.sign ? goal.sign : goal.metric.better;
    if (goal.sign == 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "--goal: neither side of %s is better; say max:%s or min:%s",
                         goal.metric.name, word, word);
    }
    for (uint32_t i = 0; i < aims->goal_count; i++) {
        if (strcmp(aims->goals[i].metric.name, goal.metric.name) == 0) {
            return dyno_fail(error, DYNO_BAD_INPUT, "--goal: %s is given twice", goal.metric.name);
        }
    }
    if (aims->goal_count == DYNO_TUNE_GOALS_MAX) {
        return dyno_fail(error, DYNO_BAD_INPUT, "--goal: more than %d; make limits of some",
                         DYNO_TUNE_GOALS_MAX);
    }
    aims->goals[aims->goal_count++] = goal;
    return DYNO_OK;
}

dyno_status dyno_tune_aims_goals(struct dyno_tune_aims *aims, const char *text,
                                 struct dyno_error *error)
{
    char word[NAME_MAX_BYTES];

    while (next_word(&text, word, sizeof word)) {
        DYNO_TRY(add_goal(aims, word, error));
    }
    return DYNO_OK;
}

/* ---- limits ---------------------------------------------------------------------------------- */

/* A bound in the metric's unit; a share is "0.4" or "40%". */
static bool read_bound(const struct dyno_gate_metric *metric, const char *text, double *out)
{
    char *end;

    if (metric->unit == DYNO_GATE_SHARE) {
        *out = strtod(text, &end);
        if (end != text && strcmp(end, "%") == 0) {
            *out /= 100.0;
            end++;
        }
        return end != text && *end == '\0' && *out >= 0.0 && *out <= 1.0;
    }
    *out = dyno_gate_unit_parse(metric->unit, text);
    return *out >= 0.0;
}

static dyno_status add_limit(struct dyno_tune_aims *aims, const char *word,
                             struct dyno_error *error)
{
    size_t length = strcspn(word, "<>");
    struct dyno_tune_limit limit = {.is_strict = word[length] && word[length + 1] != '='};
    const char *bound = word + length + (limit.is_strict ? 1 : 2);
    char name[NAME_MAX_BYTES], quoted[DYNO_QUOTE_MAX];

    if (word[length] == '\0' || length == 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "--subject: %s is not METRIC<BOUND, such as ttft_p95<500ms",
                         dyno_quote(quoted, word));
    }
    (void)snprintf(name, sizeof name, "%.*s", (int)length, word);
    DYNO_TRY(find_metric("--subject", name, &limit.metric, error));
    limit.is_upper = word[length] == '<';
    if (!read_bound(&limit.metric, bound, &limit.bound)) {
        return dyno_fail(
            error, DYNO_BAD_INPUT, "--subject: %s is no bound on %s; expected one such as %s",
            dyno_quote(quoted, bound), limit.metric.name,
            limit.metric.unit == DYNO_GATE_SHARE ? "95%"
                                                 : dyno_gate_unit_example(limit.metric.unit));
    }
    if (aims->limit_count == DYNO_TUNE_LIMITS_MAX) {
        return dyno_fail(error, DYNO_BAD_INPUT, "--subject: more than %d limits",
                         DYNO_TUNE_LIMITS_MAX);
    }
    (void)snprintf(limit.text, sizeof limit.text, "%s", word);
    aims->limits[aims->limit_count++] = limit;
    return DYNO_OK;
}

dyno_status dyno_tune_aims_limits(struct dyno_tune_aims *aims, const char *text,
                                  struct dyno_error *error)
{
    char word[96];

    while (next_word(&text, word, sizeof word)) {
        DYNO_TRY(add_limit(aims, word, error));
    }
    return DYNO_OK;
}

/* ---- what they ask --------------------------------------------------------------------------- */

uint32_t dyno_tune_aims_metric_count(const struct dyno_tune_aims *aims)
{
    return aims->goal_count + aims->limit_count;
}

const struct dyno_gate_metric *dyno_tune_aims_metric(const struct dyno_tune_aims *aims,
                                                     uint32_t index)
{
    return index < aims->goal_count ? &aims->goals[index].metric
                                    : &aims->limits[index - aims->goal_count].metric;
}

dyno_ns dyno_tune_aims_objective(const struct dyno_tune_aims *aims, const char *latency)
{
    size_t length = strlen(latency);
    double tightest_ms = 0.0;

    for (uint32_t i = 0; i < aims->limit_count; i++) {
        const struct dyno_tune_limit *limit = &aims->limits[i];

        if (limit->is_upper && strncmp(limit->metric.name, latency, length) == 0 &&
            strncmp(limit->metric.name + length, "_ms.", 4) == 0 &&
            (tightest_ms <= 0.0 || limit->bound < tightest_ms)) {
            tightest_ms = limit->bound;
        }
    }
    return (dyno_ns)(tightest_ms * 1e6 + 0.5);
}

bool dyno_tune_aims_name(const struct dyno_tune_aims *aims, const char *prefix)
{
    for (uint32_t i = 0; i < dyno_tune_aims_metric_count(aims); i++) {
        if (strncmp(dyno_tune_aims_metric(aims, i)->name, prefix, strlen(prefix)) == 0) {
            return true;
        }
    }
    return false;
}

double dyno_tune_summary_value(const struct dyno_summary *summary, const char *name)
{
    for (uint32_t i = 0; i < summary->row_count; i++) {
        const struct dyno_summary_row *row = &summary->rows[i];

        if (strcmp(row->name, name) == 0) {
            return row->kind == DYNO_SUMMARY_UNKNOWN ? NAN
                   : row->kind == DYNO_SUMMARY_COUNT ? (double)row->count
                                                     : row->real;
        }
    }
    return NAN;
}

/* ---- judging --------------------------------------------------------------------------------- */

double dyno_tune_excess(const struct dyno_tune_aims *aims, const struct dyno_tune_result *result)
{
    double excess = 0.0;

    for (uint32_t i = 0; i < dyno_tune_aims_metric_count(aims); i++) {
        if (!isfinite(result->metrics[i])) {
            return INFINITY;
        }
    }
    for (uint32_t i = 0; i < aims->limit_count; i++) {
        const struct dyno_tune_limit *limit = &aims->limits[i];
        double over = result->metrics[aims->goal_count + i] - limit->bound;

        over = limit->is_upper ? over : -over;
        if (over > 0.0 || (over >= 0.0 && limit->is_strict)) {
            excess += (over > 0.0 ? over : 1e-9) / (limit->bound > 0.0 ? limit->bound : 1.0);
        }
    }
    return excess;
}

bool dyno_tune_better(const struct dyno_tune_aims *aims, const struct dyno_tune_result *a,
                      const struct dyno_tune_result *b)
{
    double over_a = dyno_tune_excess(aims, a), over_b = dyno_tune_excess(aims, b);

    if (over_a < over_b || over_b < over_a) {
        return over_a < over_b;
    }
    for (uint32_t i = 0; i < aims->goal_count && isfinite(over_a); i++) {
        double by = aims->goals[i].sign * (a->metrics[i] - b->metrics[i]);

        if (by > 0.0 || by < 0.0) {
            return by > 0.0;
        }
    }
    return false;
}

bool dyno_tune_dominates(const struct dyno_tune_aims *aims, const struct dyno_tune_result *a,
                         const struct dyno_tune_result *b)
{
    bool is_better = false;

    for (uint32_t i = 0; i < aims->goal_count; i++) {
        double by = aims->goals[i].sign * (a->metrics[i] - b->metrics[i]);

        if (by < 0.0) {
            return false;
        }
        is_better = is_better || by > 0.0;
    }
    return is_better;
}

void dyno_tune_value_print(const struct dyno_gate_metric *metric, double value, char *out,
                           size_t size)
{
    static const char *const units[] = {
        [DYNO_GATE_MS] = " ms",   [DYNO_GATE_PER_S] = " /s", [DYNO_GATE_COUNT] = "",
        [DYNO_GATE_S] = " s",     [DYNO_GATE_HOURS] = " h",  [DYNO_GATE_SHARE] = " %",
        [DYNO_GATE_WATTS] = " W", [DYNO_GATE_KWH] = " kWh"};
    double shown = metric->unit == DYNO_GATE_SHARE ? 100.0 * value : value;

    if (!isfinite(value)) {
        (void)snprintf(out, size, "n/a");
        return;
    }
    (void)snprintf(out, size, fabs(shown) >= 1000.0 ? "%.0f%s" : "%.4g%s", shown,
                   units[metric->unit]);
}
