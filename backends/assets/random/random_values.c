/* The values of a planned tensor, a row at a time. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "backends/assets/random/random_plan.h"
#include "core/base/map.h"
#include "kernels/element.h"
#include "kernels/half.h"

enum { CHUNK = 4096 };           /* elements made at once; whole blocks of Q8_0 */
enum { BATCH_BYTES = 32 << 20 }; /* written at once, unless one row is more */

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

/* Rows of one tensor that a team makes, to lie one behind the other. */
struct batch {
    const struct dyno_random_plan *plan;
    const struct dyno_planned_tensor *tensor;
    uint32_t first; /* row of the file */
    uint32_t rows_per_matrix;
    size_t row_bytes;
    float *values;  /* [workers][CHUNK] */
    uint8_t *bytes; /* [rows][row_bytes] */
};

static void make_row(const struct batch *batch, const struct row *row, uint8_t *out, float *values)
{
    for (uint32_t at = 0; at < row->count; at += CHUNK) {
        uint32_t count = row->count - at < CHUNK ? row->count - at : CHUNK;

        make_values(values, batch->tensor, batch->plan->model->element, row, at, count);
        out += encode(out, batch->tensor->element, values, count);
    }
}

static void make_rows(void *argument, uint32_t first, uint32_t last, uint32_t worker)
{
    const struct batch *batch = argument;

    for (uint32_t i = first; i < last; i++) {
        uint32_t at = batch->first + i;
        struct row row = batch->tensor->columns == 0
                             ? vector_row(batch->plan, batch->tensor, at)
                             : row_at(batch->plan, batch->tensor, at / batch->rows_per_matrix,
                                      at % batch->rows_per_matrix);

        make_row(batch, &row, batch->bytes + i * batch->row_bytes,
                 batch->values + (size_t)worker * CHUNK);
    }
}

/* All of the tensor's rows, as many at a time as fit. */
static dyno_status write_rows(struct batch *batch, uint32_t rows, uint32_t rows_at_once,
                              dyno_status (*put)(void *context, const void *data, size_t size),
                              void *context)
{
    for (; batch->first < rows; batch->first += rows_at_once) {
        uint32_t left = rows - batch->first, count = left < rows_at_once ? left : rows_at_once;

        dyno_team_run(batch->plan->team, count, 1, make_rows, batch);
        DYNO_TRY(put(context, batch->bytes, count * batch->row_bytes));
    }
    return DYNO_OK;
}

/* How the tensor lies in the file: how many rows of how many elements. */
static uint32_t count_rows(const struct dyno_planned_tensor *tensor, uint32_t *elements)
{
    bool is_paired = tensor->order == DYNO_ORDER_PAIRED;

    if (tensor->columns == 0) {
        *elements = is_paired ? 1 : tensor->rows;
        return is_paired ? tensor->rows : 1;
    }
    if (tensor->order == DYNO_ORDER_TRANSPOSED) {
        *elements = tensor->rows;
        return tensor->columns;
    }
    *elements = tensor->columns;
    return tensor->rows;
}

dyno_status dyno_planned_write(const struct dyno_random_plan *plan,
                               const struct dyno_planned_tensor *tensor,
                               dyno_status (*put)(void *context, const void *data, size_t size),
                               void *context, struct dyno_error *error)
{
    uint32_t elements, stack = tensor->stack ? tensor->stack : 1;
    uint32_t rows = count_rows(tensor, &elements), rows_at_once;
    struct batch batch = {.plan = plan,
                          .tensor = tensor,
                          .rows_per_matrix = rows,
                          .row_bytes = dyno_row_bytes(tensor->element, elements),
                          .values = malloc(dyno_team_workers(plan->team) * CHUNK * sizeof(float))};
    dyno_status status;

    assert(rows > 0 && batch.row_bytes > 0);
    rows *= stack;
    rows_at_once = (uint32_t)(BATCH_BYTES / batch.row_bytes);
    rows_at_once = rows_at_once > rows ? rows : rows_at_once;
    rows_at_once = rows_at_once == 0 ? 1 : rows_at_once;
    batch.bytes = malloc(rows_at_once * batch.row_bytes);
    if (!batch.values || !batch.bytes) {
        status = dyno_fail(error, DYNO_NO_MEMORY, "no memory for a row of weights");
    } else {
        status = write_rows(&batch, rows, rows_at_once, put, context);
    }
    free(batch.values);
    free(batch.bytes);
    return status;
}
