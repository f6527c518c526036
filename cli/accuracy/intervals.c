/* How often the 95 % intervals of `--intervals` hold what was measured: mean TTFT and TPOT of the
 * rows of `e2e_dense.csv`, with the defaults and with kernels alone fitted to tables.
 *
 * What passes and waiting have beside their kernels was set from every other row
 * (sim/uncertainty.c); those rows and the others are counted apart. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/accuracy/accuracy.h"
#include "cli/accuracy/rows.h"
#include "cli/fit/kernel_tables.h"
#include "cli/replay/intervals.h"
#include "cli/scenario/calibration_file.h"

enum { REPLICAS = 20, MEAN_TTFT = 0, MEAN_TPOT = 3, SETS = 6 };

static const char *const set_names[SETS] = {
    "looked at",        "held out",       "held out, sglang",
    "held out, trtllm", "held out, vllm", "held out, h200, kernels fitted to its tables"};

enum set { LOOKED_AT, HELD, HELD_SGLANG, HELD_TRTLLM, HELD_VLLM, HELD_KERNELS };

static const char *const kernel_tables[] = {
    "h200/gemm_vllm_0.24.0__gemm_perf.csv.gz",
    "h200/attention_vllm_0.24.0__context_attention_perf.csv.gz",
    "h200/attention_vllm_0.24.0__generation_attention_perf.csv.gz",
    "h200/comm_vllm_0.24.0__custom_allreduce_perf.csv.gz"};

/* Of one latency: how many intervals held the measurement, and how wide they were. */
struct coverage {
    uint32_t rows, within;
    double widths; /* half of them, as logarithms, summed */
};

struct tally {
    struct coverage ttft[SETS], tpot[SETS];
};

static void count(struct coverage *coverage, double low, double high, double measured)
{
    coverage->rows++;
    coverage->within += low <= measured && measured <= high;
    coverage->widths += 0.5 * log(high / low);
}

/* ---- one row --------------------------------------------------------------------------------- */

static dyno_status predict(const struct dyno_served_row *row, const char *calibration,
                           struct dyno_intervals *out, struct dyno_error *error)
{
    struct dyno_experiment *experiment = calloc(1, sizeof *experiment);
    char line[2048];
    dyno_status status;
    size_t used;

    if (!experiment) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    dyno_served_line(row, line, sizeof line);
    used = strlen(line);
    if (calibration) {
        (void)snprintf(line + used, sizeof line - used, " --calibration %s", calibration);
    }
    status = dyno_experiment_run(experiment, line, NULL, error);
    if (status == DYNO_OK) {
        status = dyno_intervals_compute(out, &experiment->scenario, REPLICAS, error);
        dyno_experiment_close(experiment);
    }
    free(experiment);
    return status;
}

static void tally_row(struct tally *tally, enum set set, const struct dyno_served_row *row,
                      const struct dyno_intervals *intervals)
{
    struct dyno_interval ttft = intervals->items[MEAN_TTFT], tpot = intervals->items[MEAN_TPOT];

    dyno_served_wait(row, &ttft.low, tpot.low);
    dyno_served_wait(row, &ttft.high, tpot.high);
    count(&tally->ttft[set], ttft.low, ttft.high, row->ttft_ms);
    count(&tally->tpot[set], tpot.low, tpot.high, row->tpot_ms);
}

static enum set set_of(const struct dyno_served_row *row)
{
    return strcmp(row->engine, "sglang") == 0   ? HELD_SGLANG
           : strcmp(row->engine, "trtllm") == 0 ? HELD_TRTLLM
                                                : HELD_VLLM;
}

static dyno_status judge(struct tally *tally, const struct dyno_served_row *row, bool is_held,
                         const char *calibration, struct dyno_error *error)
{
    struct dyno_intervals intervals;

    DYNO_TRY(predict(row, NULL, &intervals, error));
    tally_row(tally, is_held ? HELD : LOOKED_AT, row, &intervals);
    if (is_held) {
        tally_row(tally, set_of(row), row, &intervals);
    }
    if (is_held && calibration && strcmp(row->gpu, "h200") == 0) {
        DYNO_TRY(predict(row, calibration, &intervals, error));
        tally_row(tally, HELD_KERNELS, row, &intervals);
    }
    return DYNO_OK;
}

/* ---- kernels alone --------------------------------------------------------------------------- */

/* Fit the H200's kernels to its tables, into `path`.  False in *made: a table is missing. */
static dyno_status fit_kernels(const struct dyno_accuracy *accuracy, const char *path, bool *made,
                               struct dyno_error *error)
{
    struct dyno_timing_config config = {.model = *dyno_model_find("llama-3.1-8b"),
                                        .gpu = *dyno_gpu_find("h200"),
                                        .tp = 1,
                                        .seqs_max = 1,
                                        .batch_tokens_max = 1};
    struct dyno_calibration *calibration = calloc(1, sizeof *calibration);
    struct dyno_fit *fit = calloc(1, sizeof *fit);
    struct dyno_kernel_samples samples = {0};
    dyno_status status =
        calibration && fit ? DYNO_OK : dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    char table[1024];

    *made = true;
    dyno_timing_defaults(&config.parameters, &config.gpu);
    for (size_t i = 0; i < sizeof kernel_tables / sizeof kernel_tables[0] && *made; i++) {
        *made = dyno_accuracy_find(accuracy, kernel_tables[i], table, sizeof table);
        if (*made && status == DYNO_OK) {
            status = dyno_kernel_samples_read(&samples, table, &config.model, error);
        }
    }
    if (*made && status == DYNO_OK) {
        status = dyno_fit_kernels(fit, &config, samples.items, samples.count, error);
    }
    if (*made && status == DYNO_OK) {
        (void)snprintf(calibration->gpu, sizeof calibration->gpu, "%s", config.gpu.name);
        (void)snprintf(calibration->source, sizeof calibration->source, "tables of kernels");
        dyno_calibration_fill(calibration, fit, samples.items, samples.count);
        status = dyno_calibration_write(calibration, path, error);
    }
    dyno_kernel_samples_release(&samples);
    free(calibration);
    free(fit);
    return status;
}

/* ---- the section ----------------------------------------------------------------------------- */

static dyno_status judge_all(struct tally *tally, const char *path, const char *calibration,
                             struct dyno_error *error)
{
    struct dyno_measured measured;
    struct dyno_served_row row;
    dyno_status status;
    uint32_t number = 0;
    bool got = true;

    DYNO_TRY(dyno_served_open(&measured, path, error));
    while ((status = dyno_served_next(&measured, &row, &got, error)) == DYNO_OK && got) {
        status = judge(tally, &row, number++ % 2 == 1, calibration, error);
        if (status != DYNO_OK) {
            break;
        }
    }
    dyno_measured_close(&measured);
    return status;
}

static void print(const struct dyno_accuracy *accuracy, const struct tally *tally)
{
    (void)fputs("| rows | number | TPOT within its interval, % | mean half-width, % | TTFT within "
                "its interval, % | mean half-width, % |\n|---|---:|---:|---:|---:|---:|\n",
                accuracy->out);
    for (uint32_t set = 0; set < SETS; set++) {
        const struct coverage *ttft = &tally->ttft[set], *tpot = &tally->tpot[set];

        if (tpot->rows > 0) {
            (void)fprintf(accuracy->out, "| %s | %u | %.0f | %.0f | %.0f | %.0f |\n",
                          set_names[set], tpot->rows, 100.0 * tpot->within / tpot->rows,
                          100.0 * tpot->widths / tpot->rows, 100.0 * ttft->within / ttft->rows,
                          100.0 * ttft->widths / ttft->rows);
        }
    }
}

dyno_status dyno_accuracy_intervals(const struct dyno_accuracy *accuracy, struct dyno_error *error)
{
    char path[1024], calibration[] = "/tmp/dyno-accuracy-XXXXXX";
    struct tally tally = {0};
    dyno_status status;
    bool made = false;
    int file;

    if (!dyno_accuracy_find(accuracy, "e2e_dense.csv", path, sizeof path)) {
        return DYNO_OK;
    }
    file = mkstemp(calibration);
    if (file < 0) {
        return dyno_fail(error, DYNO_IO, "cannot make a temporary file %s", calibration);
    }
    (void)close(file);
    status = fit_kernels(accuracy, calibration, &made, error);
    if (status == DYNO_OK) {
        status = judge_all(&tally, path, made ? calibration : NULL, error);
    }
    (void)unlink(calibration);
    if (status == DYNO_OK) {
        print(accuracy, &tally);
    }
    return status;
}
