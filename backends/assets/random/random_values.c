/* The values of a planned tensor, a row at a time. */
#include <stdlib.h>
#include <string.h>

#include "backends/assets/random/random_plan.h"
#include "core/base/map.h"
#include "kernels/element.h"
#include "kernels/half.h"

enum { ELEMENT_BYTES_MAX = 4 };
enum { CHUNK = 4096 }; /* elements made at once; whole blocks of Q8_0 */

/* A row of the file that is being made. */
struct row {
    uint64_t key;
    uint64_t first, stride; /* its element i is value first + i * stride of the matrix */
    uint32_t count;
};

/* Four uniform 16-bit numbers of one 64-bit mixture: their sum has mean 131,070 and variance
 * (2^32 - 1) / 3. */
static float value_of(uint64_t key, uint64_t i)
{
    static const float scale = 0.02F / 37837.2275F;
    uint64_t bits = dyno_mix(key + i * 0x9e3779b97f4a7c15U);
    int32_t sum =
        (int32_t)((bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48));

    return (float)(sum - 131070) * scale;
}

/* To what the model's type holds, so that an F32 vector of a BF16 model is the same in every
 * format. */
static float rounded(enum dyno_element element, float value)
{
    switch (element) {
    case DYNO_ELEMENT_F16:
        return dyno_half_to_float(dyno_half_of_float(value));
    case DYNO_ELEMENT_BF16:
        return dyno_bf16_to_float(dyno_bf16_of_float(value));
    case DYNO_ELEMENT_F32:
    case DYNO_ELEMENT_Q8_0:
    case DYNO_ELEMENTS:
        break;
    }
    return value;
}

/* [count] floats in the file's type; returns the bytes. */
static size_t encode(uint8_t *out, enum dyno_element element, const float *values, size_t count)
{
    switch (element) {
    case DYNO_ELEMENT_F32:
        memcpy(out, values, count * sizeof(*values));
        break;
    case DYNO_ELEMENT_F16:
    case DYNO_ELEMENT_BF16:
        for (size_t i = 0; i < count; i++) {
            uint16_t half = element == DYNO_ELEMENT_F16 ? dyno_half_of_float(values[i])
                                                        : dyno_bf16_of_float(values[i]);

            memcpy(out + i * sizeof(half), &half, sizeof(half));
        }
        break;
    case DYNO_ELEMENT_Q8_0:
        dyno_q8_0_of_floats(values, (uint32_t)count, out);
        break;
    case DYNO_ELEMENTS:
        break;
    }
    return dyno_row_bytes(element, (uint32_t)count);
}

static void make_values(float *out, const struct dyno_planned_tensor *tensor,
                        enum dyno_element precision, const struct row *row, uint32_t at,
                        uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t place = row->first + (uint64_t)(at + i) * row->stride;

        if (tensor->values) {
            out[i] = tensor->values[place];
        } else if (tensor->is_ones) {
            out[i] = 1;
        } else {
            out[i] = rounded(precision, value_of(row->key, place));
        }
    }
}

/* Which row of the matrix lies in row `row` of the file: half-split pairs (i, i + d/2) of a head
 * become neighbours (2i, 2i + 1). */
static uint32_t unpaired(uint32_t row, uint32_t head_dim)
{
    uint32_t in_head = row % head_dim;

    return row - in_head + in_head % 2 * (head_dim / 2) + in_head / 2;
}

static struct row row_at(const struct dyno_random_plan *plan,
                         const struct dyno_planned_tensor *tensor, uint32_t stacked, uint32_t at)
{
    uint64_t key = dyno_chain(plan->model->seed, tensor->role);
    uint32_t from = at;
    struct row row;

    key = dyno_chain(key, tensor->layer);
    row.key = dyno_chain(key, tensor->expert + stacked);
    row.stride = 1;
    row.count = tensor->columns;
    row.first = (uint64_t)from * tensor->columns;
    if (tensor->order == DYNO_ORDER_TRANSPOSED) {
        row.first = at;
        row.stride = tensor->columns;
        row.count = tensor->rows;
    } else if (tensor->order == DYNO_ORDER_PAIRED) {
        from = unpaired(at, plan->model->shape.model.head_dim);
        row.first = (uint64_t)from * tensor->columns;
    }
    return row;
}

/* A vector is one row; one of paired rows is as many rows of one element. */
static struct row vector_row(const struct dyno_random_plan *plan,
                             const struct dyno_planned_tensor *tensor, uint32_t at)
{
    struct row row = row_at(plan, tensor, 0, 0);
    bool paired = tensor->order == DYNO_ORDER_PAIRED;

    row.first = paired ? unpaired(at, plan->model->shape.model.head_dim) : 0;
    row.count = paired ? 1 : tensor->rows;
    return row;
}

struct output {
    dyno_status (*put)(void *context, const void *data, size_t size);
    void *context;
    float *values; /* [CHUNK] */
    uint8_t *bytes;
};

static dyno_status write_row(const struct dyno_random_plan *plan,
                             const struct dyno_planned_tensor *tensor, const struct row *row,
                             const struct output *output)
{
    for (uint32_t at = 0; at < row->count; at += CHUNK) {
        uint32_t count = row->count - at < CHUNK ? row->count - at : CHUNK;

        make_values(output->values, tensor, plan->model->element, row, at, count);
        DYNO_TRY(output->put(output->context, output->bytes,
                             encode(output->bytes, tensor->element, output->values, count)));
    }
    return DYNO_OK;
}

static dyno_status write_vector(const struct dyno_random_plan *plan,
                                const struct dyno_planned_tensor *tensor,
                                const struct output *output)
{
    uint32_t rows = tensor->order == DYNO_ORDER_PAIRED ? tensor->rows : 1;

    for (uint32_t at = 0; at < rows; at++) {
        struct row row = vector_row(plan, tensor, at);

        DYNO_TRY(write_row(plan, tensor, &row, output));
    }
    return DYNO_OK;
}

static dyno_status write_matrices(const struct dyno_random_plan *plan,
                                  const struct dyno_planned_tensor *tensor,
                                  const struct output *output)
{
    uint32_t stack = tensor->stack ? tensor->stack : 1;
    uint32_t rows = tensor->order == DYNO_ORDER_TRANSPOSED ? tensor->columns : tensor->rows;

    for (uint32_t i = 0; i < stack; i++) {
        for (uint32_t at = 0; at < rows; at++) {
            struct row row = row_at(plan, tensor, i, at);

            DYNO_TRY(write_row(plan, tensor, &row, output));
        }
    }
    return DYNO_OK;
}

dyno_status dyno_planned_write(const struct dyno_random_plan *plan,
                               const struct dyno_planned_tensor *tensor,
                               dyno_status (*put)(void *context, const void *data, size_t size),
                               void *context, struct dyno_error *error)
{
    struct output output = {.put = put,
                            .context = context,
                            .values = malloc(CHUNK * sizeof(float)),
                            .bytes = malloc((size_t)CHUNK * ELEMENT_BYTES_MAX)};
    dyno_status status;

    if (!output.values || !output.bytes) {
        status = dyno_fail(error, DYNO_NO_MEMORY, "no memory for a row of weights");
    } else if (tensor->columns == 0) {
        status = write_vector(plan, tensor, &output);
    } else {
        status = write_matrices(plan, tensor, &output);
    }
    free(output.values);
    free(output.bytes);
    return status;
}
