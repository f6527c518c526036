/* What `dyno validate` found, as a table and as JSON. */
#include <inttypes.h>

#include "cli/machine/validation.h"
#include "reports/json_file.h"

static const char *const measure_names[DYNO_VALIDATION_MEASURES] = {"TTFT", "TPOT", "E2E",
                                                                    "onboard", "transfer"};
static const char *const measure_keys[DYNO_VALIDATION_MEASURES] = {"ttft_ms", "tpot_ms", "e2e_ms",
                                                                   "onboard_ms", "transfer_ms"};
static const char *const figure_names[DYNO_VALIDATION_FIGURES] = {"mean", "p50", "p90", "p99"};
static const char *const pass_names[DYNO_PASS_KINDS] = {
    "prompt, after a pause", "prompt, right behind another", "decode, right behind a prompt",
    "decode, further"};

static double percent_off(double simulated, double real)
{
    return 100.0 * (simulated / real - 1.0);
}

/* ---- the table ------------------------------------------------------------------------------- */

static void print_figure(const char *name, const char *what, uint32_t repeats,
                         const struct dyno_validation_figure *figure, FILE *out)
{
    char range[48] = "";

    if (repeats > 1) {
        (void)snprintf(range, sizeof range, "%.3f to %.3f", figure->least, figure->most);
    }
    (void)fprintf(out, "%-8s %-5s %12.3f %22s %12.3f %+9.1f %%\n", name, what, figure->real, range,
                  figure->simulated, percent_off(figure->simulated, figure->real));
}

static void print_measure(const char *name, uint32_t repeats,
                          const struct dyno_validation_measure *measure, FILE *out)
{
    if (measure->requests == 0) {
        return;
    }
    for (uint32_t i = 0; i < DYNO_VALIDATION_FIGURES; i++) {
        print_figure(i == 0 ? name : "", figure_names[i], repeats, &measure->figures[i], out);
    }
    (void)fprintf(
        out, "%-8s one request's error: median %.1f %%, p90 %.1f %%, mean %+.1f %%, of %u\n", "",
        measure->error.median, measure->error.p90, measure->error.bias, measure->requests);
    if (measure->machine.count > 0) {
        (void)fprintf(out, "%-8s another live run's:  median %.1f %%, p90 %.1f %%, mean %+.1f %%\n",
                      "", measure->machine.median, measure->machine.p90, measure->machine.bias);
    }
}

static void print_passes(const struct dyno_validation *validation, FILE *out)
{
    (void)fprintf(out, "\n%-30s %8s %8s %14s %14s %11s %11s\n", "passes of the live runs", "passes",
                  "steps", "us a step", "predicted", "in all", "median");
    for (uint32_t i = 0; i < DYNO_PASS_KINDS; i++) {
        const struct dyno_pass_class *class = &validation->passes[i];

        if (class->steps > 0 && class->real_ns > 0.0) {
            (void)fprintf(out,
                          "%-30s %8" PRIu64 " %8" PRIu64 " %14.1f %14.1f %+9.1f %% %+9.1f %%\n",
                          pass_names[i], class->passes, class->steps,
                          class->real_ns / 1e3 / (double)class->steps,
                          class->predicted_ns / 1e3 / (double)class->steps,
                          percent_off(class->predicted_ns, class->real_ns), class->error);
        }
    }
}

void dyno_validation_print(const struct dyno_validation *validation, FILE *out)
{
    (void)fprintf(out, "%-14s %12s %22s %12s %11s\n", "ms", "real",
                  validation->repeats > 1 ? "of the live runs" : "", "simulated", "error");
    for (uint32_t i = 0; i < DYNO_VALIDATION_MEASURES; i++) {
        print_measure(measure_names[i], validation->repeats, &validation->measures[i], out);
    }
    if (validation->repeats == 1) {
        (void)fputs("How far the machine is from itself is not known of one live run; --repeats 3 "
                    "tells.\n",
                    out);
    }
    if (validation->measures[0].requests < validation->requests) {
        (void)fprintf(out, "%u of %u requests did not complete in every run: they are left out.\n",
                      validation->requests - validation->measures[0].requests,
                      validation->requests);
    }
    print_passes(validation, out);
    dyno_validation_moved_print(&validation->moved, validation->repeats, out);
    dyno_validation_plan_print(&validation->plan, validation->repeats, out);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static json_t *errors_of(const struct dyno_error_figures *figures)
{
    if (figures->count == 0) {
        return json_null();
    }
    return json_pack("{s:o, s:o, s:o, s:I}", "median_percent", dyno_json_number(figures->median),
                     "p90_percent", dyno_json_number(figures->p90), "mean_percent",
                     dyno_json_number(figures->bias), "count", (json_int_t)figures->count);
}

static json_t *measure_of(const struct dyno_validation_measure *measure)
{
    json_t *object =
        json_pack("{s:I, s:o, s:o}", "requests", (json_int_t)measure->requests, "error",
                  errors_of(&measure->error), "live_run_error", errors_of(&measure->machine));

    for (uint32_t i = 0; object && measure->requests > 0 && i < DYNO_VALIDATION_FIGURES; i++) {
        if (json_object_set_new(object, figure_names[i],
                                dyno_validation_figure_json(&measure->figures[i])) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

static json_t *passes_of(const struct dyno_pass_class *class)
{
    return json_pack("{s:I, s:I, s:o, s:o, s:o}", "passes", (json_int_t) class->passes, "steps",
                     (json_int_t) class->steps, "real_ms", dyno_json_number(class->real_ns / 1e6),
                     "predicted_ms", dyno_json_number(class->predicted_ns / 1e6),
                     "median_error_percent", dyno_json_number(class->error));
}

static bool fill(json_t *root, json_t *passes, const struct dyno_validation *validation)
{
    bool fits = json_object_set_new(root, "live_runs", json_integer(validation->repeats)) == 0 &&
                json_object_set_new(root, "requests", json_integer(validation->requests)) == 0;

    for (uint32_t i = 0; fits && i < DYNO_VALIDATION_MEASURES; i++) {
        fits =
            json_object_set_new(root, measure_keys[i], measure_of(&validation->measures[i])) == 0;
    }
    for (uint32_t i = 0; fits && i < DYNO_PASS_KINDS; i++) {
        fits = json_object_set_new(passes, dyno_pass_kind_name(i),
                                   passes_of(&validation->passes[i])) == 0;
    }
    return fits && json_object_set(root, "passes", passes) == 0 &&
           json_object_set_new(root, "kv", dyno_validation_moved_json(&validation->moved)) == 0 &&
           json_object_set_new(root, "planner", dyno_validation_plan_json(&validation->plan)) == 0;
}

dyno_status dyno_validation_json(const struct dyno_validation *validation, const char *path,
                                 struct dyno_error *error)
{
    json_t *root = json_object(), *passes = json_object();

    if (!root || !passes || !fill(root, passes, validation)) {
        json_decref(root);
        root = NULL;
    }
    json_decref(passes);
    return dyno_json_file_write(root, path, error);
}
