/* End to end: mean TTFT and TPOT of servers under a closed loop, predicted by simulating the same
 * closed loop.
 *
 * A row is one benchmark: `batch_size` requests are always in flight, every prompt and answer has
 * the stated length, nothing is shared between prompts.  Its means are over all requests, the ones
 * of the start included, as load generators report them. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cli/accuracy.h"

enum {
    WAVES = 10,
    GROUPS_MAX = 64,
    KEY_MAX = 160,
    PASS_EXTRA_TOKENS = 1500 + 128,
    STREAM_INTERVAL = 20
};

enum column {
    ID,
    BACKEND,
    VERSION,
    MODEL,
    SYSTEM,
    PRECISION,
    ISL,
    OSL,
    CONCURRENCY,
    TP,
    TTFT,
    TPOT,
    COLUMNS
};

static const char *const columns[COLUMNS + 1] = {
    "id",  "backend", "backend_version", "model_path", "system",          "precision",
    "isl", "osl",     "batch_size",      "tp_size",    "silicon_ttft_ms", "silicon_tpot_ms",
    NULL};

struct row {
    char engine[16], model[64], gpu[32];
    const char *weights, *kv;
    double isl, osl, concurrency, tp;
    double version;          /* "0.12.0" -> 0.12 */
    bool spread;             /* lengths are spread, not fixed */
    double interval;         /* the server sends so many tokens at a time */
    double ttft_ms, tpot_ms; /* measured */
    double predicted_ttft_ms, predicted_tpot_ms;
};

struct group {
    char key[KEY_MAX];
    struct dyno_errors ttft, tpot;
};

struct groups {
    struct group items[GROUPS_MAX];
    uint32_t count;
};

/* "Qwen/Qwen3-32B" -> "qwen3-32b", "h100_sxm" -> "h100". */
static void plain_name(char *out, size_t size, const char *text)
{
    const char *slash = strrchr(text, '/');
    size_t i = 0;

    for (text = slash ? slash + 1 : text; *text && *text != '_' && i + 1 < size; text++) {
        out[i++] = (char)tolower((unsigned char)*text);
    }
    out[i] = '\0';
}

/* InferenceX's scripts set TensorRT-LLM's stream_interval to 20 for some settings; which ones the
 * table does not say, but the first tokens of these come 20 steps late. */
static double interval_of(const struct row *row)
{
    bool every_20 = row->spread && strcmp(row->engine, "trtllm") == 0 && row->isl == 1024 &&
                    row->osl == 1024 && row->tp < 8;

    return every_20 ? STREAM_INTERVAL : 1;
}

static dyno_status read_row(struct row *row, const struct dyno_measured *measured,
                            struct dyno_error *error)
{
    const struct {
        enum column column;
        double *to;
    } numbers[] = {{ISL, &row->isl}, {OSL, &row->osl},      {CONCURRENCY, &row->concurrency},
                   {TP, &row->tp},   {TTFT, &row->ttft_ms}, {TPOT, &row->tpot_ms}};

    plain_name(row->engine, sizeof row->engine, measured->fields[BACKEND]);
    plain_name(row->model, sizeof row->model, measured->fields[MODEL]);
    plain_name(row->gpu, sizeof row->gpu, measured->fields[SYSTEM]);
    row->version = strtod(measured->fields[VERSION], NULL);
    row->spread = strncmp(measured->fields[ID], "20", 2) == 0; /* a dated id: InferenceX */
    row->weights = strcmp(measured->fields[PRECISION], "fp8") == 0 ? "fp8" : "bf16";
    /* The fp8 checkpoints that TensorRT-LLM is given ask for an fp8 cache; the others do not. */
    row->kv = strcmp(row->engine, "trtllm") == 0 ? row->weights : "bf16";
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        DYNO_TRY(dyno_measured_number(measured, numbers[i].column, numbers[i].to, error));
    }
    row->interval = interval_of(row);
    return DYNO_OK;
}

/* "0.12.0" is before 0.14, from which on vLLM schedules asynchronously. */
static const char *host_of(const struct row *row)
{
    return strcmp(row->engine, "vllm") == 0 && row->version < 0.14 ? "vllm-sync" : "engine";
}

/* The engine's settings in the benchmark: what each source's own scripts say.  NVIDIA's fp8 Llama
 * has static scales, Qwen's fp8 checkpoints have not. */
static void settings_of(const struct row *row, char *text, size_t size)
{
    if (strcmp(row->engine, "sglang") == 0) {
        (void)snprintf(text, size, "--gpu-memory-utilization 0.85");
    } else {
        (void)snprintf(
            text, size, "--max-num-batched-tokens %.0f%s%s", row->isl + PASS_EXTRA_TOKENS,
            strcmp(row->engine, "trtllm") == 0 ? " --set batch.chunked_prefill=false" : "",
            strncmp(row->model, "llama", strlen("llama")) == 0 ? " --set model.fp8_scales=static"
                                                               : "");
    }
}

/* A length: that one, or spread evenly down to 80 % of it. */
static void length_of(const struct row *row, double tokens, char *text, size_t size)
{
    if (row->spread) {
        (void)snprintf(text, size, "uniform:%.0f,%.0f", 0.8 * tokens, tokens);
    } else {
        (void)snprintf(text, size, "%.0f", tokens);
    }
}

static void scenario_line(const struct row *row, char *line, size_t size)
{
    char input[64], output[64], settings[128];

    length_of(row, row->isl, input, sizeof input);
    length_of(row, row->osl, output, sizeof output);
    settings_of(row, settings, sizeof settings);
    (void)snprintf(line, size,
                   "--engine %s --model %s --gpu %s --tp %.0f --weights %s --kv-cache-dtype %s "
                   "--arrival concurrency:%.0f --input-tokens %s --output-tokens %s "
                   "--requests %.0f --set kv.prefix_cache=false --sample-every never "
                   "--set timing.host=%s %s",
                   row->engine, row->model, row->gpu, row->tp, row->weights, row->kv,
                   row->concurrency, input, output, WAVES * row->concurrency, host_of(row),
                   settings);
}

static dyno_status predict(struct row *row, struct dyno_error *error)
{
    struct dyno_experiment *experiment = calloc(1, sizeof *experiment);
    dyno_status status;
    char line[1024];

    if (!experiment) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    scenario_line(row, line, sizeof line);
    status = dyno_experiment_run(experiment, line, NULL, error);
    if (status == DYNO_OK) {
        const struct dyno_metrics *metrics = &experiment->assembly.metrics;

        row->predicted_ttft_ms = dyno_histogram_mean(&metrics->ttft) * 1e-6;
        row->predicted_tpot_ms = dyno_histogram_mean(&metrics->tpot) * 1e-6;
        row->predicted_ttft_ms += (row->interval - 1) * row->predicted_tpot_ms;
        row->predicted_tpot_ms *= (row->osl - row->interval) / (row->osl - 1);
        dyno_experiment_close(experiment);
    }
    free(experiment);
    return status;
}

static bool add(struct groups *groups, const char *key, const struct row *row)
{
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
    return dyno_errors_add(&groups->items[i].ttft, row->predicted_ttft_ms, row->ttft_ms) &&
           dyno_errors_add(&groups->items[i].tpot, row->predicted_tpot_ms, row->tpot_ms);
}

static const char *load_of(double concurrency)
{
    return concurrency <= 16   ? "to 16 in flight"
           : concurrency <= 64 ? "17 to 64 in flight"
                               : "above 64 in flight";
}

/* In all, by engine, by engine and system, by engine and load. */
static bool add_everywhere(struct groups *groups, const struct row *row)
{
    char key[KEY_MAX];
    bool ok = add(groups, "all", row) && add(groups, row->engine, row);

    (void)snprintf(key, sizeof key, "%s, %s, %s, %s", row->engine, row->gpu, row->model,
                   row->weights);
    ok = ok && add(groups, key, row);
    (void)snprintf(key, sizeof key, "%s, %s", row->engine, load_of(row->concurrency));
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

        (void)fprintf(accuracy->out,
                      "| %s | %u | %.1f | %.1f | %.1f | %+.1f | %.1f | %.1f | %.1f | %+.1f |\n",
                      groups->items[i].key, tpot.count, tpot.mape, tpot.median, tpot.p90, tpot.bias,
                      ttft.mape, ttft.median, ttft.p90, ttft.bias);
    }
}

static dyno_status predict_all(struct dyno_measured *measured, struct groups *groups, FILE *details,
                               struct dyno_error *error)
{
    struct row row;
    bool got;

    for (;;) {
        DYNO_TRY(dyno_measured_next(measured, &got, error));
        if (!got) {
            return DYNO_OK;
        }
        DYNO_TRY(read_row(&row, measured, error));
        DYNO_TRY(predict(&row, error));
        if (!add_everywhere(groups, &row)) {
            return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
        }
        if (details) {
            (void)fprintf(details, "%s,%s,%s,%s,%.0f,%.0f,%.0f,%.0f,%.2f,%.2f,%.3f,%.3f\n",
                          row.engine, row.gpu, row.model, row.weights, row.tp, row.isl, row.osl,
                          row.concurrency, row.ttft_ms, row.predicted_ttft_ms, row.tpot_ms,
                          row.predicted_tpot_ms);
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
    status = dyno_measured_open(&measured, path, columns, error);
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
