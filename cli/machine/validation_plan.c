#include "cli/machine/validation_plan.h"

#include <inttypes.h>
#include <string.h>

#include "cli/json_maker.h"

/* ---- two runs -------------------------------------------------------------------------------- */

/* Looks of two runs, which belong together by tick; at one tick roles have one order. */
struct pairing {
    const struct dyno_listener *a, *b;
    dyno_ns every_ns;
    size_t next_a, next_b;
};

static uint64_t tick_of(const struct pairing *pairing, const struct dyno_plan_record *look)
{
    return look->at / pairing->every_ns;
}

/* The next two; false: there are no more. */
static bool next_pair(struct pairing *pairing, const struct dyno_plan_record **a,
                      const struct dyno_plan_record **b)
{
    while (pairing->next_a < pairing->a->plan_count && pairing->next_b < pairing->b->plan_count) {
        *a = &pairing->a->plans[pairing->next_a];
        *b = &pairing->b->plans[pairing->next_b];
        uint64_t tick_a = tick_of(pairing, *a), tick_b = tick_of(pairing, *b);

        pairing->next_a += tick_a <= tick_b;
        pairing->next_b += tick_b <= tick_a;
        if (tick_a == tick_b) {
            return true;
        }
    }
    return false;
}

static bool decides(const struct dyno_plan_record *look)
{
    return look->desired != look->before;
}

static bool are_alike(const struct dyno_plan_record *a, const struct dyno_plan_record *b)
{
    return a->before == b->before && a->ready == b->ready && a->starting == b->starting &&
           a->draining == b->draining && a->coming == b->coming && a->heard == b->heard &&
           a->running == b->running && a->waiting == b->waiting && a->lobby == b->lobby;
}

static void count_pair(struct dyno_plan_agreement *agreement, const struct dyno_plan_record *a,
                       const struct dyno_plan_record *b)
{
    bool same = a->desired == b->desired, alike = are_alike(a, b);
    bool decided = decides(a) || decides(b);

    agreement->looks++;
    agreement->looks_same += same;
    agreement->decisions += decided;
    agreement->decisions_same += same && decides(a) && decides(b);
    agreement->alike += alike;
    agreement->alike_same += alike && same;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static double decisions_of(const struct dyno_listener *run)
{
    double count = 0.0;

    for (size_t i = 0; i < run->plan_count; i++) {
        count += decides(&run->plans[i]);
    }
    return count;
}

/* One live run against the simulation. */
static void hold_against(struct dyno_validation_plan *out, const struct dyno_listener *live,
                         uint32_t run, const struct dyno_listener *simulated, dyno_ns every_ns)
{
    struct pairing pairing = {.a = &live[run], .b = simulated, .every_ns = every_ns};
    const struct dyno_plan_record *a, *b;

    while (next_pair(&pairing, &a, &b)) {
        count_pair(&out->simulated, a, b);
        if (a->desired != b->desired && (!out->differs || b->at < out->pretended.at)) {
            out->differs = true;
            out->differs_run = run;
            out->real = *a;
            out->pretended = *b;
        }
    }
}

static void hold_against_each_other(struct dyno_plan_agreement *out,
                                    const struct dyno_listener *live, uint32_t repeats,
                                    dyno_ns every_ns)
{
    for (uint32_t i = 0; i < repeats; i++) {
        for (uint32_t j = i + 1; j < repeats; j++) {
            struct pairing pairing = {.a = &live[i], .b = &live[j], .every_ns = every_ns};
            const struct dyno_plan_record *a, *b;

            while (next_pair(&pairing, &a, &b)) {
                count_pair(out, a, b);
            }
        }
    }
}

void dyno_validation_plan(struct dyno_validation_plan *out, const struct dyno_listener *live,
                          uint32_t repeats, const struct dyno_listener *simulated, dyno_ns every_ns)
{
    double looks[DYNO_VALIDATION_REPEATS_MAX], decisions[DYNO_VALIDATION_REPEATS_MAX];

    memset(out, 0, sizeof *out);
    for (uint32_t run = 0; run < repeats; run++) {
        looks[run] = (double)live[run].plan_count;
        decisions[run] = decisions_of(&live[run]);
        hold_against(out, live, run, simulated, every_ns);
    }
    hold_against_each_other(&out->live, live, repeats, every_ns);
    out->looks = dyno_validation_figure(looks, repeats, (double)simulated->plan_count);
    out->decisions = dyno_validation_figure(decisions, repeats, decisions_of(simulated));
}

/* ---- told ------------------------------------------------------------------------------------ */

static void print_figure(const char *name, uint32_t repeats,
                         const struct dyno_validation_figure *figure, FILE *out)
{
    char range[48] = "";

    if (repeats > 1) {
        (void)snprintf(range, sizeof range, "%.0f to %.0f", figure->least, figure->most);
    }
    (void)fprintf(out, "%-23s %12.0f %22s %12.0f %+11.0f\n", name, figure->real, range,
                  figure->simulated, figure->simulated - figure->real);
}

static double percent(uint64_t part, uint64_t whole)
{
    return whole > 0 ? 100.0 * (double)part / (double)whole : 100.0;
}

static void print_agreement(const char *who, const struct dyno_plan_agreement *agreement, FILE *out)
{
    (void)fprintf(out,
                  "  %-14s as many workers wanted at %.1f %% of %" PRIu64 " looks; %" PRIu64
                  " of %" PRIu64 " decisions the same\n",
                  who, percent(agreement->looks_same, agreement->looks), agreement->looks,
                  agreement->decisions_same, agreement->decisions);
    (void)fprintf(out,
                  "  %-14s where both saw the same workers and requests, at %" PRIu64 " of %" PRIu64
                  " looks\n",
                  "", agreement->alike_same, agreement->alike);
}

static void print_look(const char *who, const struct dyno_plan_record *look, FILE *out)
{
    (void)fprintf(out,
                  "    %-12s %" PRIu32 " -> %" PRIu32 " (%s), %" PRIu32 " asked for; %" PRIu32
                  " ready, %" PRIu32 " starting, %" PRIu32 " running, %" PRIu32 " waiting, %.3g "
                  "requests/s\n",
                  who, look->before, look->desired, look->reason, look->asked, look->ready,
                  look->starting, look->running, look->waiting + look->lobby, look->rate);
}

void dyno_validation_plan_print(const struct dyno_validation_plan *plan, uint32_t repeats,
                                FILE *out)
{
    if (plan->looks.most == 0.0) {
        return;
    }
    (void)fprintf(out, "\n%-23s %12s %22s %12s %11s\n", "planner", "real",
                  repeats > 1 ? "of the live runs" : "", "simulated", "difference");
    print_figure("looks", repeats, &plan->looks, out);
    print_figure("decisions", repeats, &plan->decisions, out);
    print_agreement("simulation:", &plan->simulated, out);
    if (repeats > 1) {
        print_agreement("two live runs:", &plan->live, out);
    }
    if (plan->differs) {
        (void)fprintf(out, "  the first difference, at %.3f s, %s (live run %" PRIu32 "):\n",
                      (double)plan->pretended.at / 1e9, plan->pretended.role,
                      plan->differs_run + 1);
        print_look("real", &plan->real, out);
        print_look("simulated", &plan->pretended, out);
    }
}

static json_t *agreement_json(const struct dyno_plan_agreement *agreement)
{
    if (agreement->looks == 0) {
        return json_null();
    }
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "looks", (json_int_t)agreement->looks,
                     "looks_same", (json_int_t)agreement->looks_same, "decisions",
                     (json_int_t)agreement->decisions, "decisions_same",
                     (json_int_t)agreement->decisions_same, "alike", (json_int_t)agreement->alike,
                     "alike_same", (json_int_t)agreement->alike_same);
}

static json_t *look_json(const struct dyno_plan_record *look)
{
    return json_pack("{s:I, s:s, s:I, s:I, s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "at_ns",
                     (json_int_t)look->at, "role", look->role, "before", (json_int_t)look->before,
                     "asked", (json_int_t)look->asked, "desired", (json_int_t)look->desired,
                     "reason", look->reason, "ready", (json_int_t)look->ready, "starting",
                     (json_int_t)look->starting, "draining", (json_int_t)look->draining, "running",
                     (json_int_t)look->running, "waiting", (json_int_t)look->waiting, "lobby",
                     (json_int_t)look->lobby, "rate", look->rate);
}

static json_t *difference_json(const struct dyno_validation_plan *plan)
{
    struct dyno_json_maker maker = {.failed = false};
    json_t *object;

    if (!plan->differs) {
        return json_null();
    }
    object = json_object();
    dyno_json_put(&maker, object, "live_run", json_integer(plan->differs_run + 1));
    dyno_json_put(&maker, object, "real", look_json(&plan->real));
    dyno_json_put(&maker, object, "simulated", look_json(&plan->pretended));
    if (maker.failed) {
        json_decref(object);
        return NULL;
    }
    return object;
}

json_t *dyno_validation_plan_json(const struct dyno_validation_plan *plan)
{
    struct dyno_json_maker maker = {.failed = false};
    json_t *root;

    if (plan->looks.most == 0.0) {
        return json_null();
    }
    root = json_object();
    dyno_json_put(&maker, root, "looks", dyno_validation_figure_json(&plan->looks));
    dyno_json_put(&maker, root, "decisions", dyno_validation_figure_json(&plan->decisions));
    dyno_json_put(&maker, root, "simulation", agreement_json(&plan->simulated));
    dyno_json_put(&maker, root, "live_runs", agreement_json(&plan->live));
    dyno_json_put(&maker, root, "first_difference", difference_json(plan));
    if (maker.failed) {
        json_decref(root);
        return NULL;
    }
    return root;
}
