/* What a case comes to: metrics, then requests, then host time; the heaviest finding counts. */
#include <math.h>
#include <string.h>

#include "cli/gate/gate.h"

const char *dyno_gate_verdict_name(enum dyno_gate_verdict verdict)
{
    static const char *const names[] = {"PASS", "IMPROVEMENT", "BEHAVIOR_CHANGED", "INVALID",
                                        "REGRESSION"};

    return names[verdict];
}

int dyno_gate_exit_status(enum dyno_gate_verdict verdict)
{
    static const int statuses[] = {0, 0, 3, 4, 1};

    return statuses[verdict];
}

static bool is_equal(double a, double b)
{
    return (isnan(a) && isnan(b)) || a == b;
}

bool dyno_gate_passes(const struct dyno_gate_budget *budget, double base, double head)
{
    double size = fabs(head - base);

    return (budget->relative < 0.0 || size > budget->relative * fabs(base)) &&
           (budget->absolute < 0.0 || size > budget->absolute);
}

enum dyno_gate_verdict dyno_gate_judge_metric(const struct dyno_gate_budget *budget, double base,
                                              double head)
{
    bool is_worse;

    if (!budget || !dyno_gate_passes(budget, base, head)) {
        return DYNO_GATE_BEHAVIOR_CHANGED;
    }
    is_worse = budget->metric.better == 0 || (head > base) != (budget->metric.better > 0);
    return is_worse || budget->both_sides ? DYNO_GATE_REGRESSION : DYNO_GATE_IMPROVEMENT;
}

static void add_finding(struct dyno_gate_case *one, const struct dyno_gate_budgets *budgets,
                        const char *metric, double base, double head)
{
    const struct dyno_gate_budget *budget = dyno_gate_budget_of(budgets, metric);
    struct dyno_gate_finding *finding = &one->findings[one->finding_count];

    one->metrics_compared++;
    if (budget && !*one->invalid && (isnan(base) || isnan(head))) {
        (void)snprintf(one->invalid, sizeof one->invalid, "%s has a budget, but is undefined in %s",
                       metric, isnan(base) ? "base" : "head");
    }
    if (is_equal(base, head) || one->finding_count == DYNO_GATE_FINDINGS_MAX) {
        return;
    }
    *finding = (struct dyno_gate_finding){.base = base, .head = head, .budget = budget};
    (void)snprintf(finding->metric, sizeof finding->metric, "%s", metric);
    finding->verdict = isnan(base) || isnan(head) ? DYNO_GATE_BEHAVIOR_CHANGED
                                                  : dyno_gate_judge_metric(budget, base, head);
    one->finding_count++;
}

/* Whether a run served the model that a metric is of. */
static bool serves(const struct dyno_stored_run *run, const char *metric)
{
    size_t length = dyno_gate_metric_model_length(metric);

    for (uint32_t i = 0; i < run->metric_count; i++) {
        if (strncmp(run->metrics[i].name, metric, length + 8) == 0) { /* "models.NAME." */
            return true;
        }
    }
    return false;
}

/* What is of a model counts where either side serves it. */
static bool is_asked(const struct dyno_gate_case *one, const char *metric)
{
    return dyno_gate_metric_model_length(metric) == 0 || serves(&one->runs[0], metric) ||
           serves(&one->runs[1], metric);
}

/* Metrics of both sides; one that only one of them knows (another version) is compared where it has
 * a budget. */
static void compare_metrics(struct dyno_gate_case *one, const struct dyno_gate_budgets *budgets)
{
    const struct dyno_stored_run *base = &one->runs[0], *head = &one->runs[1];

    for (uint32_t i = 0, j = 0; i < base->metric_count && j < head->metric_count;) {
        int order = strcmp(base->metrics[i].name, head->metrics[j].name);

        if (order == 0) {
            add_finding(one, budgets, base->metrics[i].name, base->metrics[i].value,
                        head->metrics[j].value);
        }
        i += order <= 0;
        j += order >= 0;
    }
    for (uint32_t i = 0; i < budgets->count && !*one->invalid; i++) {
        const char *name = budgets->items[i].metric.name;

        if (is_asked(one, name) && (isnan(dyno_stored_run_metric(base, name)) ||
                                    isnan(dyno_stored_run_metric(head, name)))) {
            (void)snprintf(one->invalid, sizeof one->invalid,
                           "%s has a budget, but is undefined in %s", name,
                           isnan(dyno_stored_run_metric(base, name)) ? "base" : "head");
        }
    }
}

static void check(struct dyno_gate_case *one)
{
    if (*one->invalid) {
        return;
    }
    if (one->drift.unpaired > 0) {
        (void)snprintf(one->invalid, sizeof one->invalid,
                       "%u requests are not on both sides, or not as long: these are not the same "
                       "requests",
                       one->drift.unpaired);
    } else if (!(dyno_stored_run_metric(&one->runs[0], "requests.completed") > 0.0)) {
        (void)snprintf(one->invalid, sizeof one->invalid, "base completed no request");
    }
}

static void heavier(enum dyno_gate_verdict *verdict, enum dyno_gate_verdict other)
{
    if (other > *verdict) {
        *verdict = other;
    }
}

static void conclude(struct dyno_gate_case *one, const struct dyno_gate_budgets *budgets)
{
    bool improved = false, changed = one->drift.any;

    if (*one->invalid) { /* then what differs says nothing */
        one->verdict = DYNO_GATE_INVALID;
        one->finding_count = 0;
        one->drift.changed = 0;
        return;
    }
    one->verdict = DYNO_GATE_PASS;
    for (uint32_t i = 0; i < one->finding_count; i++) {
        improved = improved || one->findings[i].verdict == DYNO_GATE_IMPROVEMENT;
        changed = changed || one->findings[i].verdict == DYNO_GATE_BEHAVIOR_CHANGED;
        if (one->findings[i].verdict == DYNO_GATE_REGRESSION) {
            heavier(&one->verdict, DYNO_GATE_REGRESSION);
        }
    }
    if (improved) {
        heavier(&one->verdict, DYNO_GATE_IMPROVEMENT);
    } else if (changed && !budgets->within_budget) {
        heavier(&one->verdict, DYNO_GATE_BEHAVIOR_CHANGED);
    }
    heavier(&one->verdict, one->host.verdict);
}

/* Requests of a baseline are digests: whether any is another is known, and not which. */
static void compare_digests(struct dyno_gate_case *one)
{
    struct dyno_run_digest head = dyno_run_digest_of(&one->runs[1]);

    one->drift.requests = one->runs[1].record_count;
    one->drift.any = head.served != one->digest.served;
    if (head.requests != one->digest.requests || head.asked != one->digest.asked) {
        (void)snprintf(one->invalid, sizeof one->invalid,
                       "the requests are not those of the baseline, or not as long");
    }
}

/* What changed between what was read of a case. */
static dyno_status compare(const struct dyno_gate *gate, struct dyno_gate_case *one)
{
    if (gate->sides[0].kind == DYNO_GATE_BASELINE) {
        compare_digests(one);
    } else {
        DYNO_TRY(dyno_drift_find(&one->drift, one->runs[0].records, one->runs[0].record_count,
                                 one->runs[1].records, one->runs[1].record_count));
    }
    compare_metrics(one, &gate->budgets);
    check(one);
    return DYNO_OK;
}

/* A budget of a model that no scenario serves is a mistake, such as a wrong letter in its name. */
static dyno_status check_models(const struct dyno_gate *gate, struct dyno_error *error)
{
    for (uint32_t i = 0; i < gate->budgets.count; i++) {
        const char *metric = gate->budgets.items[i].metric.name;
        bool is_there = false;

        for (uint32_t j = 0; j < gate->case_count; j++) {
            is_there = is_there || *gate->cases[j].invalid || is_asked(&gate->cases[j], metric);
        }
        if (!is_there) {
            return dyno_fail(error, DYNO_BAD_INPUT,
                             "%s has a budget, but no scenario of the suite serves a model called "
                             "%.*s",
                             metric, (int)dyno_gate_metric_model_length(metric), metric + 7);
        }
    }
    return DYNO_OK;
}

dyno_status dyno_gate_judge(struct dyno_gate *gate, struct dyno_error *error)
{
    DYNO_TRY(check_models(gate, error));
    gate->verdict = DYNO_GATE_PASS;
    for (uint32_t i = 0; i < gate->case_count; i++) {
        struct dyno_gate_case *one = &gate->cases[i];

        if (!*one->invalid && gate->sides[0].kind != DYNO_GATE_SERVER &&
            compare(gate, one) != DYNO_OK) {
            return dyno_fail(error, DYNO_NO_MEMORY, "out of memory for the requests");
        }
        conclude(one, &gate->budgets);
        heavier(&gate->verdict, one->verdict);
    }
    return DYNO_OK;
}
