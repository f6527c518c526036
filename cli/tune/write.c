/* The best scenario as a file: what was given, with what was found in its place. */
#include <stdlib.h>

#include "cli/tune/tune.h"
#include "reports/text_file.h"

/* What the file begins with. */
static void print_head(const struct dyno_tune *tune, const struct dyno_tune_trial *best, FILE *out)
{
    char text[4096];

    dyno_tune_point_print(&tune->space, &best->point, text, sizeof text);
    (void)fprintf(out, "# Found by dyno tune: %s\n", best->number > 0 ? text : "as it was given");
    for (uint32_t i = 0; i < dyno_tune_aims_metric_count(&tune->aims); i++) {
        const struct dyno_gate_metric *metric = dyno_tune_aims_metric(&tune->aims, i);

        dyno_tune_value_print(metric, best->result.metrics[i], text, sizeof text);
        (void)fprintf(out, "# %s %s\n", metric->name, text);
    }
}

dyno_status dyno_tune_write(const struct dyno_tune *tune, struct dyno_error *error)
{
    const struct dyno_tune_trial *best = tune->trials[tune->best];
    struct dyno_arms arms = {.count = 1};
    struct dyno_arm *arm = &arms.items[0];
    struct dyno_arm_scenario with;
    char *text = NULL;
    size_t size;
    FILE *out;
    dyno_status status = DYNO_OK;

    for (uint32_t i = 0; best->number > 0 && i < tune->space.count && status == DYNO_OK; i++) {
        if (asprintf(&arm->settings[arm->setting_count++], "%s=%s", tune->space.items[i].row->name,
                     best->point.values[i]) < 0) {
            status = dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
        }
    }
    if (status == DYNO_OK) {
        status = dyno_arm_scenario_open(&with, arm, tune->argc, tune->argv, NULL, error);
    }
    if (status == DYNO_OK) {
        out = open_memstream(&text, &size);
        if (out) {
            print_head(tune, best, out);
            dyno_scenario_print_given(&with.options, out);
        }
        if (out && fclose(out) == 0) {
            text[size - 1] = '\0'; /* a line end is written behind it */
            status = dyno_text_write(tune->options.out, text, error);
        } else {
            status = dyno_fail(error, DYNO_NO_MEMORY, "out of memory for the scenario");
        }
        free(text);
        dyno_arm_scenario_close(&with);
    }
    dyno_arms_release(&arms);
    return status;
}
