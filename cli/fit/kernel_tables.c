/* One row a format: its columns, and what a line of it measures. */
#include "cli/fit/kernel_tables.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cli/fit/measured.h"
#include "core/base/array.h"

enum { US_PER_MS = 1000, MESSAGE_BYTES_MAX = 128 << 20, HEAD_DIM = 128, COLUMNS_MAX = 10 };
enum {
    BYTES_PER_ELEMENT = 2
}; /* of a message, whose size is in elements: int8 takes half as long */

/* What a line is turned into. */
struct line {
    const char *const *texts;    /* [COLUMNS_MAX] */
    double numbers[COLUMNS_MAX]; /* of those that are; else 0 */
    const struct dyno_model *model;
};

/* Fills a sample; false: the line is none of ours. */
typedef bool take_line(struct dyno_kernel_sample *sample, const struct line *line);

static bool take_gemm(struct dyno_kernel_sample *sample, const struct line *line)
{
    bool fp8 = strcmp(line->texts[0], "fp8") == 0;

    *sample = (struct dyno_kernel_sample){.kernel = DYNO_KERNEL_GEMM,
                                          .dtype = fp8 ? DYNO_FP8 : DYNO_BF16,
                                          .rows = line->numbers[1],
                                          .columns = line->numbers[2],
                                          .depth = line->numbers[3],
                                          .us = line->numbers[4] * US_PER_MS};
    return fp8 || strcmp(line->texts[0], "bfloat16") == 0;
}

static bool take_heads(struct dyno_kernel_sample *sample, const struct line *line)
{
    sample->kernel = DYNO_KERNEL_ATTENTION;
    sample->dtype = strcmp(line->texts[0], "fp8") == 0 ? DYNO_FP8 : DYNO_BF16;
    sample->heads = line->numbers[3];
    sample->kv_heads = line->numbers[4];
    sample->head_dim = line->numbers[5];
    sample->us = line->numbers[7] * US_PER_MS;
    return line->numbers[5] == HEAD_DIM && line->numbers[6] == 0;
}

static bool take_context(struct dyno_kernel_sample *sample, const struct line *line)
{
    *sample =
        (struct dyno_kernel_sample){.prompts = line->numbers[1], .prompt_tokens = line->numbers[2]};
    return take_heads(sample, line) && sample->dtype == DYNO_BF16;
}

/* `step` tokens are in the cache before this one. */
static bool take_generation(struct dyno_kernel_sample *sample, const struct line *line)
{
    *sample = (struct dyno_kernel_sample){.decodes = line->numbers[1],
                                          .decode_context = line->numbers[2] + 1};
    return take_heads(sample, line);
}

static bool take_all_reduce(struct dyno_kernel_sample *sample, const struct line *line)
{
    *sample = (struct dyno_kernel_sample){.kernel = DYNO_KERNEL_ALL_REDUCE,
                                          .gpus = line->numbers[1],
                                          .bytes = line->numbers[2] * BYTES_PER_ELEMENT,
                                          .us = line->numbers[3] * US_PER_MS};
    return strstr(line->texts[0], "graph") && sample->bytes <= MESSAGE_BYTES_MAX;
}

static bool take_attention(struct dyno_kernel_sample *sample, const struct line *line)
{
    *sample = (struct dyno_kernel_sample){.kernel = DYNO_KERNEL_ATTENTION,
                                          .prompts = line->numbers[0] > 0,
                                          .prompt_tokens = line->numbers[0],
                                          .prompt_context = line->numbers[1],
                                          .decodes = line->numbers[2],
                                          .decode_context = line->numbers[3],
                                          .us = line->numbers[4],
                                          .heads = line->model->heads,
                                          .kv_heads = line->model->kv_heads,
                                          .head_dim = line->model->head_dim};
    return line->numbers[0] > 0 || line->numbers[2] > 0;
}

/* The small kernels of a layer are left out: a compiler fuses them, so they are not what a server
 * runs. */
static bool take_dense(struct dyno_kernel_sample *sample, const struct line *line)
{
    const struct dyno_model *model = line->model;
    double q = (double)model->heads * model->head_dim;
    double kv = 2.0 * model->kv_heads * model->head_dim;
    const struct {
        const char *name;
        double in, out;
    } shapes[] = {{"qkv_proj", model->hidden, q + kv},
                  {"o_proj", q, model->hidden},
                  {"gate_up_proj", model->hidden, 2.0 * model->intermediate},
                  {"down_proj", model->intermediate, model->hidden}};

    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        if (strcmp(line->texts[0], shapes[i].name) == 0) {
            *sample = (struct dyno_kernel_sample){.kernel = DYNO_KERNEL_GEMM,
                                                  .rows = line->numbers[1],
                                                  .columns = shapes[i].out,
                                                  .depth = shapes[i].in,
                                                  .us = line->numbers[2]};
            return true;
        }
    }
    return false;
}

static bool take_sequences(struct dyno_kernel_sample *sample, const struct line *line)
{
    bool logits = strcmp(line->texts[0], "lm_head") == 0;

    *sample = (struct dyno_kernel_sample){.kernel = logits ? DYNO_KERNEL_GEMM : DYNO_KERNEL_SAMPLER,
                                          .rows = line->numbers[1],
                                          .columns = line->model->vocab,
                                          .depth = line->model->hidden,
                                          .us = line->numbers[2]};
    return logits || strcmp(line->texts[0], "sampler") == 0;
}

static const struct format {
    const char *sign; /* the header begins with it */
    const char *columns[COLUMNS_MAX];
    take_line *take;
} formats[] = {
    {"kernel_source,gemm_dtype,m", {"gemm_dtype", "m", "n", "k", "latency"}, take_gemm},
    {"kernel_source,kv_cache_dtype,batch_size,isl",
     {"kv_cache_dtype", "batch_size", "isl", "num_heads", "num_key_value_heads", "head_dim",
      "window_size", "latency"},
     take_context},
    {"kernel_source,kv_cache_dtype,batch_size,step",
     {"kv_cache_dtype", "batch_size", "step", "num_heads", "num_key_value_heads", "head_dim",
      "window_size", "latency"},
     take_generation},
    {"kernel_source,num_gpus",
     {"kernel_source", "num_gpus", "message_size", "latency"},
     take_all_reduce},
    {"prefill_chunk,",
     {"prefill_chunk", "kv_prefill", "n_decode", "kv_decode", "time_us"},
     take_attention},
    {"layer,tokens", {"layer", "tokens", "time_us"}, take_dense},
    {"layer,sequences", {"layer", "sequences", "time_us"}, take_sequences},
};

void dyno_kernel_samples_release(struct dyno_kernel_samples *samples)
{
    free(samples->items);
    *samples = (struct dyno_kernel_samples){0};
}

static dyno_status add(struct dyno_kernel_samples *samples, const struct dyno_kernel_sample *sample,
                       struct dyno_error *error)
{
    if (!dyno_array_reserve(&samples->items, &samples->capacity, samples->count + 1,
                            sizeof *samples->items)) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    samples->items[samples->count++] = *sample;
    return DYNO_OK;
}

static dyno_status find_format(const struct format **out, const char *path,
                               struct dyno_error *error)
{
    struct dyno_lines lines;
    dyno_status status;
    const char *header = "";
    size_t length;
    bool got;

    *out = NULL;
    DYNO_TRY(dyno_lines_open(&lines, path, NULL, 0, error));
    status = dyno_lines_next(&lines, &header, &length, &got, error);
    for (size_t i = 0; status == DYNO_OK && got && i < sizeof formats / sizeof formats[0]; i++) {
        if (strncmp(header, formats[i].sign, strlen(formats[i].sign)) == 0) {
            *out = &formats[i];
        }
    }
    dyno_lines_close(&lines);
    if (status == DYNO_OK && !*out) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s is not a table of kernels that dyno knows, by its header", path);
    }
    return status;
}

static dyno_status read_rows(struct dyno_kernel_samples *samples, struct dyno_measured *measured,
                             const struct format *format, const struct dyno_model *model,
                             struct dyno_error *error)
{
    struct line line = {.texts = measured->fields, .model = model};
    struct dyno_kernel_sample sample;
    bool got;

    for (;;) {
        DYNO_TRY(dyno_measured_next(measured, &got, error));
        if (!got) {
            return DYNO_OK;
        }
        for (uint32_t i = 0; i < measured->column_count; i++) {
            line.numbers[i] = 0;
            (void)dyno_measured_number(measured, i, &line.numbers[i], NULL);
        }
        if (format->take(&sample, &line)) {
            DYNO_TRY(add(samples, &sample, error));
        }
    }
}

dyno_status dyno_kernel_samples_read(struct dyno_kernel_samples *samples, const char *path,
                                     const struct dyno_model *model, struct dyno_error *error)
{
    struct dyno_measured measured;
    const struct format *format;
    const char *columns[COLUMNS_MAX + 1] = {NULL};
    dyno_status status;

    DYNO_TRY(find_format(&format, path, error));
    assert(format);
    memcpy(columns, format->columns, sizeof format->columns);
    DYNO_TRY(dyno_measured_open(&measured, path, columns, error));
    status = read_rows(samples, &measured, format, model, error);
    dyno_measured_close(&measured);
    return status;
}
