/* The tuning as JSON (docs/tune.md lists the keys). */
#include <math.h>

#include "cli/json_maker.h"
#include "cli/tune/tune.h"
#include "reports/json_file.h"

static json_t *goals_of(struct dyno_json_maker *maker, const struct dyno_tune *tune)
{
    json_t *array = json_array();

    for (uint32_t i = 0; i < tune->aims.goal_count; i++) {
        dyno_json_append(maker, array,
                         json_pack("{s:s, s:s}", "metric", tune->aims.goals[i].metric.name,
                                   "better", tune->aims.goals[i].sign > 0 ? "more" : "less"));
    }
    return array;
}

static json_t *limits_of(struct dyno_json_maker *maker, const struct dyno_tune *tune)
{
    json_t *array = json_array();

    for (uint32_t i = 0; i < tune->aims.limit_count; i++) {
        const struct dyno_tune_limit *limit = &tune->aims.limits[i];

        dyno_json_append(maker, array,
                         json_pack("{s:s, s:s, s:o}", "metric", limit->metric.name, "side",
                                   limit->is_upper ? "at most" : "at least", "bound",
                                   dyno_json_number(limit->bound)));
    }
    return array;
}

static json_t *settings_of(struct dyno_json_maker *maker, const struct dyno_tune *tune,
                           const struct dyno_tune_trial *trial)
{
    json_t *object = json_object();

    for (uint32_t i = 0; i < tune->space.count && trial->number > 0; i++) {
        dyno_json_put(maker, object, tune->space.items[i].row->name,
                      json_string(trial->point.values[i]));
    }
    return object;
}

static json_t *trial_of(struct dyno_json_maker *maker, const struct dyno_tune *tune,
                        const struct dyno_tune_trial *trial)
{
    json_t *object = json_object(), *metrics = json_object();

    dyno_json_put(maker, object, "point", json_integer(trial->number));
    dyno_json_put(maker, object, "settings", settings_of(maker, tune, trial));
    dyno_json_put(maker, object, "share", dyno_json_number(trial->share));
    if (*trial->refused) {
        dyno_json_put(maker, object, "refused", json_string(trial->refused));
    }
    for (uint32_t i = 0; i < dyno_tune_aims_metric_count(&tune->aims); i++) {
        dyno_json_put(maker, metrics, dyno_tune_aims_metric(&tune->aims, i)->name,
                      dyno_json_number(*trial->refused ? NAN : trial->result.metrics[i]));
    }
    dyno_json_put(maker, object, "metrics", metrics);
    dyno_json_put(maker, object, "within_limits", json_boolean(!(trial->excess > 0.0)));
    dyno_json_put(maker, object, "run", trial->run > 0 ? json_integer(trial->run) : json_null());
    return object;
}

static json_t *estimates_of(struct dyno_json_maker *maker, const struct dyno_tune *tune,
                            const struct dyno_estimate *estimates, const char *value_name)
{
    json_t *object = json_object();

    for (uint32_t i = 0; i < dyno_tune_aims_metric_count(&tune->aims); i++) {
        dyno_json_put(maker, object, dyno_tune_aims_metric(&tune->aims, i)->name,
                      json_pack("{s:o, s:o, s:o}", value_name, dyno_json_number(estimates[i].value),
                                "low", dyno_json_number(estimates[i].low), "high",
                                dyno_json_number(estimates[i].high)));
    }
    return object;
}

static json_t *check_of(struct dyno_json_maker *maker, const struct dyno_tune *tune)
{
    static const char *const names[] = {"as_given", "best", "second_best"};
    const struct dyno_tune_check *check = &tune->check;
    json_t *object = json_object();

    dyno_json_put(maker, object, "verdict", json_string(dyno_tune_verdict_name(check->verdict)));
    if (check->verdict == DYNO_TUNE_UNCHECKED) {
        return object;
    }
    dyno_json_put(maker, object, "held_out", json_boolean(check->is_held_out));
    dyno_json_put(maker, object, "requests", json_integer(check->requests));
    dyno_json_put(maker, object, "intervals",
                  json_string(check->sure.by_seeds ? "seeds" : "blocks"));
    for (uint32_t i = 0; i < check->sides; i++) {
        json_t *side = json_object();

        dyno_json_put(maker, side, "point", json_integer(tune->trials[check->trials[i]]->number));
        dyno_json_put(maker, side, "run",
                      check->runs[i] > 0 ? json_integer(check->runs[i]) : json_null());
        dyno_json_put(maker, side, "within_limits", json_boolean(!(check->excess[i] > 0.0)));
        dyno_json_put(maker, side, "metrics",
                      estimates_of(maker, tune, check->sure.side[i], "value"));
        if (i != 1) {
            dyno_json_put(maker, side, "difference",
                          estimates_of(maker, tune, check->sure.difference[i], "mean"));
        }
        dyno_json_put(maker, object, names[i], side);
    }
    return object;
}

/* The points that no other beats in every goal. */
static json_t *front_of(struct dyno_json_maker *maker, const struct dyno_tune *tune)
{
    json_t *array = json_array();

    for (uint32_t i = 0; i < tune->trial_count; i++) {
        if (dyno_tune_is_on_front(tune, tune->trials[i])) {
            dyno_json_append(maker, array, json_integer(tune->trials[i]->number));
        }
    }
    return array;
}

dyno_status dyno_tune_json(const struct dyno_tune *tune, const char *path, struct dyno_error *error)
{
    struct dyno_json_maker maker = {.failed = false};
    json_t *root = json_object(), *trials = json_array();

    dyno_json_put(&maker, root, "search", json_string(tune->options.search));
    dyno_json_put(&maker, root, "goals", goals_of(&maker, tune));
    dyno_json_put(&maker, root, "limits", limits_of(&maker, tune));
    dyno_json_put(&maker, root, "points", json_integer(tune->points));
    for (uint32_t i = 0; i < tune->trial_count; i++) {
        dyno_json_append(&maker, trials, trial_of(&maker, tune, tune->trials[i]));
    }
    dyno_json_put(&maker, root, "trials", trials);
    dyno_json_put(&maker, root, "front", front_of(&maker, tune));
    dyno_json_put(&maker, root, "best", trial_of(&maker, tune, tune->trials[tune->best]));
    dyno_json_put(&maker, root, "check", check_of(&maker, tune));
    if (maker.failed) {
        json_decref(root);
        root = NULL;
    }
    return dyno_json_file_write(root, path, error);
}
