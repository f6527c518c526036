#include "cli/accuracy/rows.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAVES = 10, SEQS_MAX = 128, BATCH_WAIT_PASSES = 20 };

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

/* InferenceX's script for TensorRT-LLM has prompts of these settings wait for more prompts, up to
 * 20 passes (`batch_wait_timeout_iters`). */
static double wait_of(const struct dyno_served_row *row)
{
    bool waits = row->spread && strcmp(row->engine, "trtllm") == 0 && row->isl == 1024 &&
                 row->osl == 1024 && row->tp < 8;

    return waits ? BATCH_WAIT_PASSES : 0;
}

static dyno_status read_row(struct dyno_served_row *row, const struct dyno_measured *measured,
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
    row->wait_passes = wait_of(row);
    return DYNO_OK;
}

/* "0.12.0" is before 0.14, from which on vLLM schedules asynchronously. */
static const char *host_of(const struct dyno_served_row *row)
{
    return strcmp(row->engine, "vllm") == 0 && row->version < 0.14 ? "vllm-sync" : "engine";
}

/* The tokens and sequences of a pass.  InferenceX's script gives TensorRT-LLM a pass as long as the
 * longest sequence; NVIDIA's recipe limits a pass to one prompt and the decodes of all others. */
static void pass_of(const struct dyno_served_row *row, double *tokens, double *seqs)
{
    enum { SHORT = 2248, LONG = 9416, SPREAD_SEQS = 2048 }; /* InferenceX's --max-model-len */

    if (row->spread) {
        *seqs = SPREAD_SEQS;
        *tokens = row->isl + row->osl <= 2048 ? SHORT : LONG;
    } else {
        *seqs = row->concurrency > SEQS_MAX ? row->concurrency : SEQS_MAX;
        *tokens = row->isl + *seqs - 1;
    }
}

/* The engine's settings in the benchmark.  NVIDIA's fp8 Llama has static scales, Qwen's fp8
 * checkpoints have not. */
static void settings_of(const struct dyno_served_row *row, char *text, size_t size)
{
    double tokens, seqs;

    pass_of(row, &tokens, &seqs);
    if (strcmp(row->engine, "sglang") == 0) {
        (void)snprintf(text, size, "--gpu-memory-utilization 0.8");
    } else {
        (void)snprintf(
            text, size, "--max-num-batched-tokens %.0f --max-num-seqs %.0f%s%s", tokens, seqs,
            strcmp(row->engine, "trtllm") == 0 ? " --set batch.chunked_prefill=false" : "",
            strncmp(row->model, "llama", strlen("llama")) == 0 ? " --set model.fp8_scales=static"
                                                               : "");
    }
}

/* A length: that one, or spread evenly down to 80 % of it. */
static void length_of(const struct dyno_served_row *row, double tokens, char *text, size_t size)
{
    if (row->spread) {
        (void)snprintf(text, size, "uniform:%.0f,%.0f", 0.8 * tokens, tokens);
    } else {
        (void)snprintf(text, size, "%.0f", tokens);
    }
}

void dyno_served_line(const struct dyno_served_row *row, char *line, size_t size)
{
    char input[64], output[64], settings[160];

    length_of(row, row->isl, input, sizeof input);
    length_of(row, row->osl, output, sizeof output);
    settings_of(row, settings, sizeof settings);
    (void)snprintf(line, size,
                   "--engine %s --model %s --gpu %s --tp %.0f --weights %s --kv-cache-dtype %s "
                   "--arrival concurrency:%.0f --input-tokens %s --output-tokens %s "
                   "--requests %.0f --set kv.prefix_cache=false --sample-every never "
                   "--set timing.host=%s --set timing.response_us=" DYNO_SERVED_TRIP_US " %s",
                   row->engine, row->model, row->gpu, row->tp, row->weights, row->kv,
                   row->concurrency, input, output, WAVES * row->concurrency, host_of(row),
                   settings);
}

dyno_status dyno_served_open(struct dyno_measured *measured, const char *path,
                             struct dyno_error *error)
{
    return dyno_measured_open(measured, path, columns, error);
}

dyno_status dyno_served_next(struct dyno_measured *measured, struct dyno_served_row *row, bool *got,
                             struct dyno_error *error)
{
    DYNO_TRY(dyno_measured_next(measured, got, error));
    return *got ? read_row(row, measured, error) : DYNO_OK;
}

void dyno_served_wait(const struct dyno_served_row *row, double *ttft_ms, double tpot_ms)
{
    *ttft_ms += row->wait_passes * tpot_ms;
}
