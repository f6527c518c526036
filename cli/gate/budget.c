/* The file's rows are made here, three for each metric, so that the reader of scenario files does
 * the reading: unknown and repeated keys, lines and columns. */
#include "cli/gate/budget.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/gate/budget_models.h"
#include "cli/scenario/file.h"
#include "core/base/words.h"

enum { NAME_MAX = 96, FIXED_ROWS = 4, FIELDS = 3 };

/* What the rows fill. */
struct texts {
    const char *behavior, *tolerance, *false_alarms;
    uint32_t rounds_max;
    const char *of_metric[DYNO_GATE_BUDGETS_MAX][FIELDS]; /* relative, absolute, sides */
};

struct table {
    struct texts texts;
    struct dyno_gate_metric metrics[DYNO_GATE_BUDGETS_MAX]; /* [metric_count] */
    uint32_t metric_count;
    char names[DYNO_GATE_BUDGETS_MAX * FIELDS][NAME_MAX];
    struct dyno_option rows[FIXED_ROWS + DYNO_GATE_BUDGETS_MAX * FIELDS];
    uint32_t row_count;
};

static const char *const behaviors[] = {"exact", "within_budget", NULL};
static const char *const sides[] = {"worse", "both", NULL};

static const struct dyno_option fixed_rows[FIXED_ROWS] = {
    {.name = "behavior",
     .type = DYNO_OPTION_CHOICE,
     .offset = offsetof(struct texts, behavior),
     .initial = "exact",
     .choices = behaviors,
     .help = "exact: any drift is told"},
    {.name = "host_time.tolerance",
     .type = DYNO_OPTION_TEXT,
     .offset = offsetof(struct texts, tolerance),
     .initial = "5%",
     .min = 1,
     .help = "slower by more is a regression"},
    {.name = "host_time.false_alarms",
     .type = DYNO_OPTION_TEXT,
     .offset = offsetof(struct texts, false_alarms),
     .initial = "1%",
     .min = 1,
     .help = "of a whole suite, at most"},
    {.name = "host_time.rounds_max",
     .type = DYNO_OPTION_U32,
     .offset = offsetof(struct texts, rounds_max),
     .initial = "30",
     .min = 2,
     .max = 1000,
     .help = "then nothing was shown"},
};

/* All metrics, and those of the models that the file names. */
static void list_metrics(struct table *table, const struct dyno_gate_models *models)
{
    assert(dyno_gate_metric_count() + DYNO_MODELS_MAX * dyno_gate_metric_model_count() <=
           DYNO_GATE_BUDGETS_MAX);
    for (uint32_t i = 0; i < dyno_gate_metric_count(); i++) {
        table->metrics[table->metric_count++] = dyno_gate_metric_at(i);
    }
    for (uint32_t i = 0; i < models->count * dyno_gate_metric_model_count(); i++) {
        struct dyno_gate_metric metric =
            dyno_gate_metric_model_at(i % dyno_gate_metric_model_count());
        char name[NAME_MAX];

        (void)snprintf(name, sizeof name, "models.%s.%s",
                       models->names[i / dyno_gate_metric_model_count()], metric.name);
        if (dyno_gate_metric_find(&metric, name)) {
            table->metrics[table->metric_count++] = metric;
        }
    }
}

static void make_rows(struct table *table)
{
    static const char *const fields[FIELDS] = {"relative", "absolute", "sides"};

    memcpy(table->rows, fixed_rows, sizeof fixed_rows);
    table->row_count = FIXED_ROWS;
    for (uint32_t i = 0; i < table->metric_count; i++) {
        struct dyno_gate_metric metric = table->metrics[i];

        for (uint32_t j = 0; j < FIELDS; j++) {
            char *name = table->names[i * FIELDS + j];

            (void)snprintf(name, NAME_MAX, "budgets.%s.%s", metric.name, fields[j]);
            table->rows[table->row_count++] = (struct dyno_option){
                .name = name,
                .type = j == 2 ? DYNO_OPTION_CHOICE : DYNO_OPTION_TEXT,
                .offset = offsetof(struct texts, of_metric) +
                          (i * (size_t)FIELDS + j) * sizeof(const char *),
                .initial = j == 2 ? "worse" : "none",
                .special = j == 2 ? NULL : "none",
                .min = 1,
                .choices = j == 2 ? sides : NULL,
                .help = "",
            };
        }
    }
}

/* "5%" as 0.05; negative: it is none. */
static double per_cent(const char *text)
{
    char *end;
    double value = strtod(text, &end);

    return end != text && strcmp(end, "%") == 0 && isfinite(value) && value >= 0.0 ? value / 100
                                                                                   : -1.0;
}

/* "budgets.yml:3:12: budgets.ttft_ms.p99.absolute: WHY" */
static dyno_status refuse(const struct dyno_options *options, const char *name, const char *why,
                          struct dyno_error *error)
{
    const struct dyno_option *row = dyno_options_find(options, name);
    char place[256];

    dyno_option_place(row, dyno_options_origin(options, row), place, sizeof place);
    return dyno_fail(error, DYNO_BAD_INPUT, "%s: %s", place, why);
}

static dyno_status refuse_text(const struct dyno_options *options, const char *name,
                               const char *text, const char *due, struct dyno_error *error)
{
    char quoted[DYNO_QUOTE_MAX], why[256];

    (void)snprintf(why, sizeof why, "%s is not %s", dyno_quote(quoted, text), due);
    return refuse(options, name, why, error);
}

static dyno_status take_share(double *out, const struct dyno_options *options, const char *name,
                              const char *text, struct dyno_error *error)
{
    *out = per_cent(text);
    return *out > 0.0 && *out < 1.0
               ? DYNO_OK
               : refuse_text(options, name, text, "a share between 0% and 100%, such as 5%", error);
}

/* What is given for one metric, if anything is. */
static dyno_status take_metric(struct dyno_gate_budgets *out, const struct table *table,
                               const struct dyno_options *options, uint32_t index,
                               struct dyno_error *error)
{
    const char *const *texts = table->texts.of_metric[index];
    const char *const names = table->names[(size_t)index * FIELDS];
    const struct dyno_option *sides_row =
        dyno_options_find(options, table->names[index * FIELDS + 2]);
    bool has_sides = dyno_options_origin(options, sides_row)->source != DYNO_SOURCE_DEFAULT;
    struct dyno_gate_budget budget = {.metric = table->metrics[index],
                                      .relative = texts[0] ? per_cent(texts[0]) : -1.0,
                                      .absolute = -1.0,
                                      .both_sides = strcmp(texts[2], "both") == 0};
    char due[128];

    if (!texts[0] && !texts[1]) {
        return has_sides ? refuse(options, sides_row->name,
                                  "without 'relative' or 'absolute' there is no budget", error)
                         : DYNO_OK;
    }
    if (texts[0] && budget.relative < 0.0) {
        return refuse_text(options, names, texts[0], "a share of the base's value, such as 5%",
                           error);
    }
    if (texts[1]) {
        budget.absolute = dyno_gate_unit_parse(budget.metric.unit, texts[1]);
        (void)snprintf(due, sizeof due, "a difference in its unit, such as %s",
                       dyno_gate_unit_example(budget.metric.unit));
    }
    if (texts[1] && budget.absolute < 0.0) {
        return refuse_text(options, table->names[index * FIELDS + 1], texts[1], due, error);
    }
    if (budget.metric.better == 0 && !budget.both_sides) {
        return refuse(options, texts[0] ? names : table->names[index * FIELDS + 1],
                      "neither more nor less of it is worse, so a budget needs 'sides: both'",
                      error);
    }
    out->items[out->count++] = budget;
    return DYNO_OK;
}

static dyno_status take_all(struct dyno_gate_budgets *out, const struct table *table,
                            const struct dyno_options *options, struct dyno_error *error)
{
    const struct texts *texts = &table->texts;

    *out = (struct dyno_gate_budgets){.within_budget = strcmp(texts->behavior, "exact") != 0,
                                      .rounds_max = texts->rounds_max};
    DYNO_TRY(take_share(&out->tolerance, options, "host_time.tolerance", texts->tolerance, error));
    DYNO_TRY(take_share(&out->false_alarms, options, "host_time.false_alarms", texts->false_alarms,
                        error));
    for (uint32_t i = 0; i < table->metric_count; i++) {
        DYNO_TRY(take_metric(out, table, options, i, error));
    }
    if (out->within_budget && out->count == 0) {
        return refuse(options, "behavior", "within_budget needs a budget", error);
    }
    return DYNO_OK;
}

dyno_status dyno_gate_budgets_read(struct dyno_gate_budgets *out, const char *path,
                                   struct dyno_error *error)
{
    struct table *table = calloc(1, sizeof *table);
    FILE *file = path ? fopen(path, "rb") : NULL;
    struct dyno_gate_models models = {.count = 0};
    struct dyno_options options;
    dyno_status status;

    if (!table) {
        status = dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    } else if (path && !file) {
        status = dyno_fail(error, errno == ENOENT ? DYNO_NOT_FOUND : DYNO_IO,
                           "%s: the budgets cannot be opened: %s", path, strerror(errno));
    } else {
        if (file) {
            dyno_gate_models_find(&models, file);
        }
        list_metrics(table, &models);
        make_rows(table);
        status = dyno_options_open(&options, table->rows, table->row_count, &table->texts, error);
        if (status == DYNO_OK) {
            status = path ? dyno_scenario_file_read(&options, path, error) : DYNO_OK;
            if (status == DYNO_OK) {
                status = take_all(out, table, &options, error);
            }
            dyno_options_close(&options);
        }
    }
    if (file) {
        (void)fclose(file);
    }
    free(table);
    return status;
}

const struct dyno_gate_budget *dyno_gate_budget_of(const struct dyno_gate_budgets *budgets,
                                                   const char *metric)
{
    for (uint32_t i = 0; i < budgets->count; i++) {
        if (strcmp(budgets->items[i].metric.name, metric) == 0) {
            return &budgets->items[i];
        }
    }
    return NULL;
}
