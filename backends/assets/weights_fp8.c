/* Matrices of e4m3 become bf16, element times scale rounded once, as DeepSeek's fp8_cast_bf16.py
 * makes them: every device then computes with them as with any others.
 *
 * The scale of "X.weight" is "X.weight_scale_inv" or "X.weight_scale": one number, one a row, or
 * one a block.  Scales of activations ("X.input_scale") are for products in 8 bits, and idle here.
 *
 * What the matrix was is kept beside it, for devices that compute with that.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/assets/memory_blocks.h"
#include "backends/assets/weights_parts.h"
#include "backends/host/allowance.h"
#include "core/base/words.h"
#include "kernels/element.h"
#include "kernels/fp8.h"
#include "kernels/half.h"
#include "kernels/team.h"

enum { NAME_MAX = 192, ROWS_GRAIN = 16, THREADS_MAX = 8 };

/* A matrix on its way. */
struct job {
    const uint8_t *from; /* [rows][columns] e4m3 */
    uint16_t *to;        /* likewise bf16 */
    uint32_t rows, columns;
    const float *scale; /* [rows / block_rows][columns / block_columns], both rounded up */
    uint32_t block_rows, block_columns;
    float values[256]; /* of every e4m3 */
};

static uint32_t blocks_of(uint32_t side, uint32_t block)
{
    return (side - 1) / block + 1;
}

static void convert_rows(void *argument, uint32_t first, uint32_t last, uint32_t worker)
{
    const struct job *job = argument;
    uint32_t across = blocks_of(job->columns, job->block_columns);

    (void)worker;
    for (uint32_t row = first; row < last; row++) {
        const float *scale = job->scale + (size_t)(row / job->block_rows) * across;
        const uint8_t *from = job->from + (size_t)row * job->columns;
        uint16_t *to = job->to + (size_t)row * job->columns;

        for (uint32_t column = 0; column < job->columns; column++) {
            to[column] =
                dyno_bf16_of_float(job->values[from[column]] * scale[column / job->block_columns]);
        }
    }
}

static bool is_fp8(const struct dyno_tensor *tensor)
{
    return tensor->element == DYNO_ELEMENTS && strcmp(tensor->type, "F8_E4M3") == 0;
}

static uint64_t elements_of(const struct dyno_tensor *tensor)
{
    uint64_t count = 1;

    for (uint32_t i = 0; i < tensor->rank; i++) {
        count *= tensor->shape[i];
    }
    return count;
}

static dyno_status refuse(const struct dyno_tensor *tensor, const char *why,
                          struct dyno_error *error)
{
    char path[DYNO_QUOTE_MAX], name[DYNO_QUOTE_MAX], shape[DYNO_TENSOR_SHAPE_TEXT];

    return dyno_fail(error, DYNO_BAD_INPUT, "%s: tensor %s of shape %s %s",
                     dyno_quote(path, tensor->file->path), dyno_quote(name, tensor->name),
                     dyno_tensor_shape_text(shape, tensor->shape, tensor->rank), why);
}

static dyno_status find_scale(const struct dyno_opening *opening, const struct dyno_tensor *weight,
                              struct dyno_tensor **out, struct dyno_error *error)
{
    static const char *const endings[] = {"_scale_inv", "_scale"};
    char name[NAME_MAX];

    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        int length = snprintf(name, sizeof name, "%s%s", weight->name, endings[i]);

        *out = length < NAME_MAX ? dyno_tensors_find(&opening->tensors, name) : NULL;
        if (*out) {
            return (*out)->element <= DYNO_ELEMENT_BF16
                       ? DYNO_OK
                       : refuse(*out, "is a scale, which must be F32, F16 or BF16", error);
        }
    }
    return refuse(weight,
                  "is of e4m3 and has no scale: no tensor of its name with _scale_inv or "
                  "_scale behind it",
                  error);
}

/* Which part of the matrix has one scale: what the scales' number says. */
static dyno_status find_blocks(struct job *job, const struct dyno_fp8_config *config,
                               const struct dyno_tensor *scale, struct dyno_error *error)
{
    uint64_t rows = scale->rank > 0 ? scale->shape[0] : 1;
    uint64_t columns = scale->rank > 1 ? scale->shape[1] : 1;

    if (config->block_rows > 0 && scale->rank == 2 &&
        rows == blocks_of(job->rows, config->block_rows) &&
        columns == blocks_of(job->columns, config->block_columns)) {
        job->block_rows = config->block_rows;
        job->block_columns = config->block_columns;
        return DYNO_OK;
    }
    job->block_columns = job->columns;
    if (elements_of(scale) == 1) {
        job->block_rows = job->rows;
        return DYNO_OK;
    }
    if (scale->rank > 0 && scale->rank <= 2 && rows == job->rows && columns == 1) {
        job->block_rows = 1;
        return DYNO_OK;
    }
    return refuse(scale,
                  config->block_rows > 0
                      ? "does not fit its matrix: one scale, one a row or one a block of "
                        "\"weight_block_size\" (\"block_structure\") is expected"
                      : "does not fit its matrix: one scale or one a row is expected",
                  error);
}

/* The scales as floats; of the set's memory. */
static dyno_status read_scale(struct job *job, struct dyno_opening *opening,
                              struct dyno_tensor *scale, struct dyno_error *error)
{
    uint64_t count = elements_of(scale);
    float *values = dyno_memory_take(&opening->tensors.memory, (size_t)count, sizeof *values);
    struct dyno_matrix row = {scale->element, 1, (uint32_t)count, scale->data};

    if (count > INT32_MAX) {
        return refuse(scale, "has more scales than can be read", error);
    }
    if (!values) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the scales of a model's weights");
    }
    dyno_matrix_read(&row, 0, 0, (uint32_t)count, values);
    job->scale = values;
    scale->used = true;
    return DYNO_OK;
}

static struct dyno_narrow narrow_of(const struct job *job)
{
    return (struct dyno_narrow){.wide = job->to,
                                .narrow = job->from,
                                .scale = job->scale,
                                .rows = job->rows,
                                .columns = job->columns,
                                .block_rows = job->block_rows,
                                .block_columns = job->block_columns};
}

/* *narrow becomes what it was. */
static dyno_status convert(struct dyno_opening *opening, const struct dyno_fp8_config *config,
                           struct dyno_tensor *tensor, struct dyno_team *team,
                           struct dyno_narrow *narrow, struct dyno_error *error)
{
    struct dyno_tensor *scale = NULL;
    struct job job = {.from = tensor->data};

    if (tensor->rank != 2 || tensor->shape[0] < 1 || tensor->shape[0] > INT32_MAX ||
        tensor->shape[1] < 1 || tensor->shape[1] > INT32_MAX) {
        return refuse(tensor, "is of e4m3, which only matrices may be", error);
    }
    job.rows = (uint32_t)tensor->shape[0];
    job.columns = (uint32_t)tensor->shape[1];
    DYNO_TRY(find_scale(opening, tensor, &scale, error));
    assert(scale);
    DYNO_TRY(find_blocks(&job, config, scale, error));
    DYNO_TRY(read_scale(&job, opening, scale, error));
    job.to =
        dyno_memory_take(&opening->tensors.memory, (size_t)elements_of(tensor), sizeof *job.to);
    if (!job.to) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for a model's weights in 16 bits");
    }
    for (uint32_t i = 0; i < 256; i++) {
        job.values[i] = dyno_e4m3_to_float((uint8_t)i);
    }
    dyno_team_run(team, job.rows, ROWS_GRAIN, convert_rows, &job);
    tensor->element = DYNO_ELEMENT_BF16;
    tensor->data = (const uint8_t *)job.to;
    tensor->bytes = elements_of(tensor) * sizeof *job.to;
    *narrow = narrow_of(&job);
    return DYNO_OK;
}

static bool ends_in(const char *text, const char *ending)
{
    size_t length = strlen(text), size = strlen(ending);

    return length >= size && strcmp(text + length - size, ending) == 0;
}

static int by_place(const void *a, const void *b)
{
    uintptr_t left = (uintptr_t)((const struct dyno_narrow *)a)->wide;
    uintptr_t right = (uintptr_t)((const struct dyno_narrow *)b)->wide;

    return left < right ? -1 : left > right;
}

static dyno_status convert_all(struct dyno_opening *opening, const struct dyno_fp8_config *config,
                               uint32_t count, struct dyno_team *team, struct dyno_error *error)
{
    struct dyno_narrow *narrow =
        dyno_memory_take(&opening->tensors.memory, (size_t)count + 1, sizeof *narrow);
    uint32_t made = 0;

    if (!narrow) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for %u matrices", count);
    }
    for (size_t i = 0; i < opening->tensors.count; i++) {
        struct dyno_tensor *tensor = &opening->tensors.items[i];

        if (is_fp8(tensor)) {
            DYNO_TRY(convert(opening, config, tensor, team, &narrow[made++], error));
        } else if (tensor->element != DYNO_ELEMENTS && (ends_in(tensor->name, ".input_scale") ||
                                                        ends_in(tensor->name, ".input_scale_ub"))) {
            tensor->used = true;
        }
    }
    assert(made == count);
    qsort(narrow, made, sizeof *narrow, by_place);
    opening->weights.narrow = narrow;
    opening->weights.narrow_count = made;
    return DYNO_OK;
}

const struct dyno_narrow *dyno_weights_narrow(const struct dyno_weights *weights,
                                              const struct dyno_matrix *matrix, uint32_t *row)
{
    uintptr_t at = (uintptr_t)matrix->data;
    uint32_t low = 0, high = weights->narrow_count; /* the last one that begins before is below */
    const struct dyno_narrow *found;
    uint64_t offset;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if ((uintptr_t)weights->narrow[middle].wide <= at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == 0 || matrix->element != DYNO_ELEMENT_BF16) {
        return NULL;
    }
    found = &weights->narrow[low - 1];
    offset = (at - (uintptr_t)found->wide) / sizeof *found->wide;
    if (matrix->columns != found->columns || offset % found->columns != 0 ||
        offset / found->columns + matrix->rows > found->rows) {
        return NULL;
    }
    *row = (uint32_t)(offset / found->columns);
    return found;
}

dyno_status dyno_weights_widen(struct dyno_opening *opening, const struct dyno_fp8_config *config,
                               struct dyno_error *error)
{
    uint32_t cores = dyno_allowed_cores();
    struct dyno_team *team;
    uint64_t bytes = 0;
    uint32_t count = 0;
    dyno_status status;

    if (!config->is_fp8) {
        return DYNO_OK;
    }
    for (size_t i = 0; i < opening->tensors.count; i++) {
        const struct dyno_tensor *tensor = &opening->tensors.items[i];

        bytes += is_fp8(tensor) ? tensor->bytes * sizeof(uint16_t) : 0;
        count += is_fp8(tensor);
    }
    DYNO_TRY(dyno_memory_check(opening->path, bytes, dyno_allowed_memory_bytes(), error));
    team = dyno_team_open(cores < THREADS_MAX ? cores : THREADS_MAX);
    if (!team) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no threads to read a model's weights with");
    }
    status = convert_all(opening, config, count, team, error);
    dyno_team_close(team);
    return status;
}
