/* End to end: mean TTFT and TPOT of servers under a closed loop, predicted by simulating the same
 * closed loop (cli/accuracy/rows.h). */
#include <stdlib.h>
#include <string.h>

#include "cli/accuracy/accuracy.h"
#include "cli/accuracy/rows.h"
#include "core/base/map.h"

enum { GROUPS_MAX = 64, KEY_MAX = 160 };

struct group {
    char key[KEY_MAX];
    struct dyno_errors ttft, tpot;
};

struct groups {
    struct group items[GROUPS_MAX];
    uint32_t count;
};

/* A row, and what is predicted of it. */
struct row {
    struct dyno_served_row served;
    double ttft_ms, tpot_ms;
};

static dyno_status predict(struct row *row, struct dyno_error *error)
{
    struct dyno_experiment *experiment = calloc(1, sizeof *experiment);
    dyno_status status;
    char line[1024];

    if (!experiment) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    dyno_served_line(&row->served, line, sizeof line);
    status = dyno_experiment_run(experiment, line, NULL, error);
    if (status == DYNO_OK) {
        const struct dyno_metrics *metrics = &experiment->assembly.metrics;

        row->ttft_ms = dyno_histogram_mean(&metrics->ttft) * 1e-6;
        row->tpot_ms = dyno_histogram_mean(&metrics->tpot) * 1e-6;
        dyno_served_wait(&row->served, &row->ttft_ms, row->tpot_ms);
        dyno_experiment_close(experiment);
    }
    free(experiment);
    return status;
}

/* One server: an engine, a model and its weights on so many GPUs of a kind. */
static uint64_t server_of(const struct dyno_served_row *row)
{
    char name[256];
    uint64_t key = 0;

    (void)snprintf(name, sizeof name, "%s %s %s %s %.0f", row->engine, row->gpu, row->model,
                   row->weights, row->tp);
    for (const char *at = name; *at; at++) {
        key = dyno_mix(key ^ (uint64_t)(unsigned char)*at);
    }
    return key;
}

static bool add(struct groups *groups, const char *key, const struct row *row)
{
    uint64_t server = server_of(&row->served);
    uint32_t i = 0;

    while (i < groups->count && strcmp(groups->items[i].key, key) != 0) {
        i++;
    }
    if (i == GROUPS_MAX) {
        return false;
    }
    if (i == groups->count) {
        (void)snprintf(groups->items[groups->count++].key, KEY_MAX, "%s", key);
    }
    return dyno_errors_add(&groups->items[i].ttft, row->ttft_ms, row->served.ttft_ms, server) &&
           dyno_errors_add(&groups->items[i].tpot, row->tpot_ms, row->served.tpot_ms, server);
}

static const char *load_of(double concurrency)
{
    return concurrency <= 16   ? "to 16 in flight"
           : concurrency <= 64 ? "17 to 64 in flight"
                               : "above 64 in flight";
}

/* Rows that cannot be right: prompts of 4,000 tokens. */
static bool is_suspect(const struct dyno_served_row *row)
{
    return row->isl == 4000;
}

/* Those from which the trip was set (rows.h), and the others; without what cannot be right. */
static bool add_parts(struct groups *groups, const struct row *row, bool is_held)
{
    return add(groups, is_held ? "all, held out of the trip" : "all, looked at for the trip",
               row) &&
           (is_suspect(&row->served) || add(groups, "all, but for the suspect seven", row));
}

/* In all and in parts, by engine, by engine and system, by engine and load. */
static bool add_everywhere(struct groups *groups, const struct row *row, bool is_held)
{
    char key[KEY_MAX];
    bool ok = add(groups, "all", row) && add_parts(groups, row, is_held) &&
              add(groups, row->served.engine, row);

    (void)snprintf(key, sizeof key, "%s, %s, %s, %s", row->served.engine, row->served.gpu,
                   row->served.model, row->served.weights);
    ok = ok && add(groups, key, row);
    (void)snprintf(key, sizeof key, "%s, %s", row->served.engine, load_of(row->served.concurrency));
    return ok && add(groups, key, row);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct group *)a)->key, ((const struct group *)b)->key);
}

static void print_groups(const struct dyno_accuracy *accuracy, struct groups *groups)
{
    qsort(groups->items, groups->count, sizeof groups->items[0], by_key);
    (void)fprintf(accuracy->out,
                  "| servers | rows | TPOT: mean abs error, %% | median | p90 | mean error | TTFT: "
                  "mean abs error, %% | median | p90 | mean error |\n"
                  "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n");
    for (uint32_t i = 0; i < groups->count; i++) {
        struct dyno_error_figures tpot = dyno_errors_figures(&groups->items[i].tpot);
        struct dyno_error_figures ttft = dyno_errors_figures(&groups->items[i].ttft);
        char tpot_text[DYNO_MAPE_TEXT_MAX], ttft_text[DYNO_MAPE_TEXT_MAX];

        (void)fprintf(accuracy->out,
                      "| %s | %u | %s | %.1f | %.1f | %+.1f | %s | %.1f | %.1f | %+.1f |\n",
                      groups->items[i].key, tpot.count, dyno_mape_text(tpot_text, &tpot),
                      tpot.median, tpot.p90, tpot.bias, dyno_mape_text(ttft_text, &ttft),
                      ttft.median, ttft.p90, ttft.bias);
    }
}

static dyno_status predict_all(struct dyno_measured *measured, struct groups *groups, FILE *details,
                               struct dyno_error *error)
{
    uint32_t number = 0;
    struct row row;
    bool got;

    for (;;) {
        DYNO_TRY(dyno_served_next(measured, &row.served, &got, error));
        if (!got) {
            return DYNO_OK;
        }
        DYNO_TRY(predict(&row, error));
        if (!add_everywhere(groups, &row, number++ % 2 == 1)) {
            return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
        }
        if (details) {
            (void)fprintf(details, "%s,%s,%s,%s,%.0f,%.0f,%.0f,%.0f,%.2f,%.2f,%.3f,%.3f\n",
                          row.served.engine, row.served.gpu, row.served.model, row.served.weights,
                          row.served.tp, row.served.isl, row.served.osl, row.served.concurrency,
                          row.served.ttft_ms, row.ttft_ms, row.served.tpot_ms, row.tpot_ms);
        }
    }
}

static dyno_status report(const struct dyno_accuracy *accuracy, struct dyno_measured *measured,
                          struct groups *groups, struct dyno_error *error)
{
    FILE *details = dyno_accuracy_details(accuracy, "served.csv");
    dyno_status status;

    if (details) {
        (void)fputs("engine,gpu,model,weights,tp,isl,osl,concurrency,ttft_ms,predicted_ttft_ms,"
                    "tpot_ms,predicted_tpot_ms\n",
                    details);
    }
    status = predict_all(measured, groups, details, error);
    if (details) {
        (void)fclose(details);
    }
    if (status == DYNO_OK) {
        print_groups(accuracy, groups);
    }
    return status;
}

dyno_status dyno_accuracy_served(const struct dyno_accuracy *accuracy, struct dyno_error *error)
{
    struct groups *groups;
    struct dyno_measured measured;
    dyno_status status;
    char path[1024];

    if (!dyno_accuracy_find(accuracy, "e2e_dense.csv", path, sizeof path)) {
        return DYNO_OK;
    }
    groups = calloc(1, sizeof *groups);
    if (!groups) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    status = dyno_served_open(&measured, path, error);
    if (status == DYNO_OK) {
        status = report(accuracy, &measured, groups, error);
        dyno_measured_close(&measured);
    }
    for (uint32_t i = 0; i < groups->count; i++) {
        dyno_errors_release(&groups->items[i].ttft);
        dyno_errors_release(&groups->items[i].tpot);
    }
    free(groups);
    return status;
}
