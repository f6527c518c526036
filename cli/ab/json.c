/* The comparison as JSON (docs/ab.md lists the keys). */
#include <math.h>

#include "cli/ab/ab.h"
#include "cli/json_maker.h"
#include "reports/json_file.h"

static json_t *letter_of(const struct dyno_ab *ab, uint32_t arm)
{
    return json_stringn(&ab->arms.items[arm].letter, 1);
}

static json_t *estimate(const struct dyno_estimate *estimate, const char *value_name)
{
    return json_pack("{s:o, s:o, s:o}", value_name, dyno_json_number(estimate->value), "low",
                     dyno_json_number(estimate->low), "high", dyno_json_number(estimate->high));
}

static json_t *metrics_of(struct dyno_json_maker *maker, const struct dyno_estimate *estimates,
                          const char *value_name)
{
    json_t *object = json_object();

    for (uint32_t i = 0; i < DYNO_PAIRED_METRICS; i++) {
        if (isfinite(estimates[i].value)) {
            dyno_json_put(maker, object, dyno_paired_metrics[i].name,
                          estimate(&estimates[i], value_name));
        }
    }
    return object;
}

/* The same of what a run has one of. */
static void put_run_figures(struct dyno_json_maker *maker, json_t *object, const struct dyno_ab *ab,
                            uint32_t a, uint32_t b)
{
    for (uint32_t i = 0; i < DYNO_AB_RUN_FIGURES; i++) {
        const struct dyno_ab_run_figure *figure = &ab->run_figures[i];
        const struct dyno_estimate *one = a == b ? &figure->arm[b] : &figure->difference[a][b];

        if (isfinite(one->value)) {
            dyno_json_put(maker, object, figure->name, estimate(one, a == b ? "value" : "mean"));
        }
    }
}

/* All differences of a pair of arms. */
static json_t *differences_of(struct dyno_json_maker *maker, const struct dyno_ab *ab, uint32_t a,
                              uint32_t b)
{
    json_t *object = metrics_of(maker, ab->figures.difference[a][b], "mean");

    put_run_figures(maker, object, ab, a, b);
    return object;
}

static json_t *arms_of(struct dyno_json_maker *maker, const struct dyno_ab *ab)
{
    json_t *array = json_array();

    for (uint32_t arm = 0; arm < ab->runs.arms; arm++) {
        json_t *object = json_object(), *runs = json_array(), *metrics;

        dyno_json_put(maker, object, "name", letter_of(ab, arm));
        dyno_json_put(maker, object, "settings", json_string(ab->arms.items[arm].label));
        dyno_json_put(maker, object, "title",
                      json_string(ab->runs.items[arm * ab->runs.seeds].title));
        metrics = metrics_of(maker, ab->figures.arm[arm], "value");
        put_run_figures(maker, metrics, ab, arm, arm);
        dyno_json_put(maker, object, "metrics", metrics);
        for (uint32_t seed = 0; seed < ab->runs.seeds; seed++) {
            dyno_json_append(maker, runs,
                             json_integer(ab->runs.items[arm * ab->runs.seeds + seed].run_id));
        }
        dyno_json_put(maker, object, "runs", runs);
        dyno_json_append(maker, array, object);
    }
    return array;
}

static const char *rank_name(const struct dyno_ab *ab, uint32_t a, uint32_t b, char text[2])
{
    int rank = ab->verdict.rank[a][b];

    text[0] = ab->arms.items[rank > 0 ? b : a].letter;
    text[1] = '\0';
    return rank == 0 ? "none" : text;
}

static json_t *comparisons_of(struct dyno_json_maker *maker, const struct dyno_ab *ab)
{
    json_t *array = json_array();

    for (uint32_t a = 0; a < ab->runs.arms; a++) {
        for (uint32_t b = a + 1; b < ab->runs.arms; b++) {
            json_t *object = json_object();
            char text[2];

            dyno_json_put(maker, object, "from", letter_of(ab, a));
            dyno_json_put(maker, object, "to", letter_of(ab, b));
            dyno_json_put(maker, object, "differences", differences_of(maker, ab, a, b));
            dyno_json_put(maker, object, "better", json_string(rank_name(ab, a, b, text)));
            dyno_json_put(maker, object, "p", dyno_json_number(ab->verdict.p[a][b]));
            dyno_json_put(maker, object, "ended_earlier", json_integer(ab->figures.wins[a][b]));
            dyno_json_put(maker, object, "ended_later", json_integer(ab->figures.losses[a][b]));
            dyno_json_append(maker, array, object);
        }
    }
    return array;
}

static json_t *classes_of(struct dyno_json_maker *maker, const struct dyno_ab *ab)
{
    json_t *array = json_array();

    for (uint32_t i = 0; i < ab->class_count; i++) {
        const struct dyno_ab_class *one = &ab->classes[i];

        for (uint32_t arm = 1; arm < ab->runs.arms; arm++) {
            json_t *object = json_object();

            dyno_json_put(maker, object, "kind", json_string(one->kind));
            dyno_json_put(maker, object, "class", json_string(one->label));
            dyno_json_put(maker, object, "requests", json_integer(one->figures.requests));
            dyno_json_put(maker, object, "from", letter_of(ab, 0));
            dyno_json_put(maker, object, "to", letter_of(ab, arm));
            dyno_json_put(maker, object, "differences",
                          metrics_of(maker, one->figures.difference[0][arm], "mean"));
            dyno_json_append(maker, array, object);
        }
    }
    return array;
}

static json_t *side_of(struct dyno_json_maker *maker, const struct dyno_ab *ab, uint32_t index)
{
    const struct dyno_parting_side *side = &ab->parting.sides[index];
    json_t *object = json_object(), *candidates = json_array();

    dyno_json_put(maker, object, "arm", letter_of(ab, ab->parting_arms[index]));
    dyno_json_put(maker, object, "worker",
                  side->record.worker == DYNO_NO_WORKER ? json_null()
                                                        : json_integer(side->record.worker));
    for (uint32_t i = 0; i < side->candidate_count; i++) {
        dyno_json_append(maker, candidates,
                         json_pack("{s:I, s:o}", "worker", (json_int_t)side->candidates[i], "score",
                                   side->scored ? dyno_json_number(side->scores[i]) : json_null()));
    }
    dyno_json_put(maker, object, "overlap_blocks",
                  side->is_known ? json_integer(side->overlap_blocks) : json_null());
    dyno_json_put(maker, object, "candidates", candidates);
    return object;
}

static json_t *parting_of(struct dyno_json_maker *maker, const struct dyno_ab *ab)
{
    const struct dyno_request_record *record = &ab->parting.sides[0].record;
    json_t *object = json_object(), *sides = json_array();

    if (!ab->parts) {
        json_decref(object);
        json_decref(sides);
        return json_null();
    }
    dyno_json_put(maker, object, "request", json_integer((json_int_t)record->id));
    dyno_json_put(maker, object, "arrival_ns", json_integer((json_int_t)record->arrival_ns));
    dyno_json_put(maker, object, "prompt_tokens", json_integer(record->prompt_tokens));
    dyno_json_append(maker, sides, side_of(maker, ab, 0));
    dyno_json_append(maker, sides, side_of(maker, ab, 1));
    dyno_json_put(maker, object, "arms", sides);
    return object;
}

static void put_verdict(struct dyno_json_maker *maker, json_t *root, const struct dyno_ab *ab)
{
    const struct dyno_verdict *verdict = &ab->verdict;

    dyno_json_put(maker, root, "verdict", json_string(verdict->words));
    dyno_json_put(maker, root, "status", json_string(dyno_verdict_name(verdict->kind)));
    dyno_json_put(maker, root, "best",
                  verdict->best >= 0 ? letter_of(ab, (uint32_t)verdict->best) : json_null());
    dyno_json_put(maker, root, "more_seeds",
                  verdict->more_seeds == UINT32_MAX ? json_null()
                                                    : json_integer(verdict->more_seeds));
    dyno_json_put(maker, root, "times_as_long",
                  dyno_json_number(verdict->times_as_long > 0.0 ? verdict->times_as_long : NAN));
}

dyno_status dyno_ab_json(const struct dyno_ab *ab, const char *path, struct dyno_error *error)
{
    struct dyno_json_maker maker = {.failed = false};
    json_t *root = json_object();

    dyno_json_put(&maker, root, "requests", json_integer(ab->requests));
    dyno_json_put(&maker, root, "seeds", json_integer(ab->runs.seeds));
    dyno_json_put(&maker, root, "goal", json_string(dyno_paired_metrics[ab->goal].name));
    dyno_json_put(&maker, root, "intervals",
                  json_string(ab->figures.by_replicates ? "seeds" : "blocks"));
    dyno_json_put(&maker, root, "incomplete", json_integer(ab->figures.incomplete));
    dyno_json_put(&maker, root, "arrivals_moved", json_integer(ab->arrivals_moved));
    dyno_json_put(&maker, root, "arms", arms_of(&maker, ab));
    dyno_json_put(&maker, root, "differences", differences_of(&maker, ab, 0, 1));
    dyno_json_put(&maker, root, "comparisons", comparisons_of(&maker, ab));
    dyno_json_put(&maker, root, "classes", classes_of(&maker, ab));
    dyno_json_put(&maker, root, "parting", parting_of(&maker, ab));
    put_verdict(&maker, root, ab);
    if (maker.failed) {
        json_decref(root);
        root = NULL;
    }
    return dyno_json_file_write(root, path, error);
}
