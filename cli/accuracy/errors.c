/* Relative errors and what is said of them; a replay in process. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/accuracy/accuracy.h"
#include "core/base/array.h"
#include "reports/stats/distributions.h"

enum { CLUSTERS_MIN = 4 };

static bool add_to_cluster(struct dyno_errors *errors, uint64_t key, double size)
{
    uint32_t i = 0;

    while (i < errors->cluster_count && errors->clusters[i].key != key) {
        i++;
    }
    if (!dyno_array_reserve(&errors->clusters, &errors->cluster_capacity, i + 1U,
                            sizeof *errors->clusters)) {
        return false;
    }
    if (i == errors->cluster_count) {
        errors->clusters[errors->cluster_count++] = (struct dyno_error_cluster){.key = key};
    }
    errors->clusters[i].sum += size;
    errors->clusters[i].count++;
    return true;
}

bool dyno_errors_add(struct dyno_errors *errors, double predicted, double measured,
                     uint64_t cluster)
{
    if (!dyno_array_reserve(&errors->values, &errors->capacity, errors->count + 1U,
                            sizeof *errors->values)) {
        return false;
    }
    errors->values[errors->count++] = predicted / measured - 1;
    return add_to_cluster(errors, cluster, fabs(predicted / measured - 1));
}

void dyno_errors_release(struct dyno_errors *errors)
{
    free(errors->values);
    free(errors->clusters);
    *errors = (struct dyno_errors){0};
}

static int by_size(const void *a, const void *b)
{
    double left = fabs(*(const double *)a), right = fabs(*(const double *)b);

    return (left > right) - (left < right);
}

/* The ceil(fraction x count)-th smallest in size. */
static double quantile(const struct dyno_errors *errors, double fraction)
{
    double rank = ceil(fraction * errors->count);

    return fabs(errors->values[rank < 1 ? 0 : (uint32_t)rank - 1]);
}

/* Whole clusters are what varies, not points. */
static void find_interval(struct dyno_error_figures *figures, const struct dyno_errors *errors)
{
    double clusters = errors->cluster_count, mean = figures->mape / 100, squares = 0, off;

    if (errors->cluster_count < CLUSTERS_MIN || !(mean > 0)) {
        return;
    }
    for (uint32_t i = 0; i < errors->cluster_count; i++) {
        off = errors->clusters[i].sum - errors->clusters[i].count * mean;
        squares += off * off;
    }
    off = sqrt(clusters / (clusters - 1) * squares) / errors->count / mean;
    off *= dyno_t_quantile(0.975, clusters - 1);
    figures->mape_low = figures->mape * exp(-off);
    figures->mape_high = figures->mape * exp(off);
}

struct dyno_error_figures dyno_errors_figures(struct dyno_errors *errors)
{
    struct dyno_error_figures figures = {.mape_low = NAN, .mape_high = NAN, .count = errors->count};

    if (errors->count == 0) {
        return figures;
    }
    qsort(errors->values, errors->count, sizeof errors->values[0], by_size);
    for (uint32_t i = 0; i < errors->count; i++) {
        figures.mape += 100 * fabs(errors->values[i]) / errors->count;
        figures.bias += 100 * errors->values[i] / errors->count;
    }
    figures.median = 100 * quantile(errors, 0.5);
    figures.p90 = 100 * quantile(errors, 0.9);
    find_interval(&figures, errors);
    return figures;
}

const char *dyno_mape_text(char out[DYNO_MAPE_TEXT_MAX], const struct dyno_error_figures *figures)
{
    if (isnan(figures->mape_low)) {
        (void)snprintf(out, DYNO_MAPE_TEXT_MAX, "%.1f", figures->mape);
    } else {
        (void)snprintf(out, DYNO_MAPE_TEXT_MAX, "%.1f (%.1f to %.1f)", figures->mape,
                       figures->mape_low, figures->mape_high);
    }
    return out;
}

/* ---- a replay in process --------------------------------------------------------------------- */

enum { WORDS_MAX = 64 };

/* Cut `line` at its spaces.  Returns how many words there are. */
static int cut_words(char *line, char **words)
{
    static char name[] = "replay";
    int count = 0;
    char *word;

    words[count++] = name;
    while ((word = strsep(&line, " ")) && count < WORDS_MAX) {
        if (*word) {
            words[count++] = word;
        }
    }
    return count;
}

dyno_status dyno_experiment_run(struct dyno_experiment *experiment, const char *line,
                                struct dyno_sink *sink, struct dyno_error *error)
{
    enum dyno_scenario_ask ask;
    char *words[WORDS_MAX];
    char *copy = strdup(line);
    dyno_status status;

    if (!copy) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    status = dyno_scenario_load(&experiment->scenario, &experiment->options, cut_words(copy, words),
                                words, &ask, error);
    free(copy);
    DYNO_TRY(status);
    status = dyno_assembly_open(&experiment->assembly, &experiment->scenario, sink, NULL, 0, error);
    if (status == DYNO_OK) {
        status = dyno_assembly_run(&experiment->assembly, error);
    }
    if (status != DYNO_OK) {
        dyno_experiment_close(experiment);
    }
    return status;
}

void dyno_experiment_close(struct dyno_experiment *experiment)
{
    dyno_assembly_close(&experiment->assembly);
    dyno_options_close(&experiment->options);
}
