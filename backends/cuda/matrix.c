#include "backends/cuda/matrix.h"

#include <assert.h>
#include <string.h>

#include "kernels/half.h"

enum { VECTOR = 8 }; /* columns that kernels read together, and that have one scale */

/* ---- how it lies ----------------------------------------------------------------------------- */

static struct dyno_cuda_matrix form_of(const struct dyno_weights *weights,
                                       const struct dyno_matrix *from, struct dyno_shard_part part)
{
    struct dyno_cuda_matrix wide = {.columns = part.count}, form = wide;
    const struct dyno_narrow *narrow;
    uint32_t row;

    if (part.count > DYNO_CUDA_NARROW_COLUMNS_MAX || part.count % VECTOR != 0) {
        return wide;
    }
    if (from->element == DYNO_ELEMENT_Q8_0) {
        form.kind = DYNO_CUDA_WEIGHTS_INT8;
        form.group = DYNO_Q8_0_ELEMENTS;
    } else if ((narrow = dyno_weights_narrow(weights, from, &row)) != NULL) {
        form.kind = DYNO_CUDA_WEIGHTS_E4M3;
        form.group = narrow->block_columns < narrow->columns ? narrow->block_columns : part.count;
    } else {
        return wide;
    }
    return form.group % VECTOR == 0 && part.count % form.group == 0 && part.count > 0 &&
                   (form.group == part.count || part.first % form.group == 0)
               ? form
               : wide;
}

struct dyno_cuda_matrix dyno_cuda_matrix_form(const struct dyno_weights *weights,
                                              const struct dyno_matrix *const *parts,
                                              uint32_t part_count, struct dyno_shard_part part)
{
    struct dyno_cuda_matrix form = form_of(weights, parts[0], part);

    for (uint32_t i = 1; i < part_count; i++) {
        struct dyno_cuda_matrix other = form_of(weights, parts[i], part);

        if (other.kind != form.kind || other.group != form.group) {
            return (struct dyno_cuda_matrix){.columns = part.count};
        }
    }
    return form;
}

static uint64_t row_bytes(const struct dyno_cuda_matrix *matrix)
{
    return matrix->columns * (matrix->kind == DYNO_CUDA_WEIGHTS_16 ? sizeof(uint16_t) : 1);
}

static uint64_t scale_bytes(const struct dyno_cuda_matrix *matrix)
{
    return matrix->kind == DYNO_CUDA_WEIGHTS_16
               ? 0
               : (uint64_t)matrix->columns / matrix->group *
                     (matrix->kind == DYNO_CUDA_WEIGHTS_E4M3 ? sizeof(float) : sizeof(uint16_t));
}

void dyno_cuda_matrix_take(struct dyno_cuda_matrix *matrix, struct dyno_cuda_arena *arena,
                           uint64_t rows)
{
    matrix->weights = dyno_cuda_take(arena, rows * row_bytes(matrix));
    matrix->scales = dyno_cuda_take(arena, rows * scale_bytes(matrix));
}

/* ---- the load -------------------------------------------------------------------------------- */

/* A row's part of something, on its way. */
struct source {
    const struct dyno_cuda_matrix *to;
    const struct dyno_matrix *from;
    const struct dyno_narrow *narrow; /* of E4M3 */
    uint32_t first_row;               /* there */
    uint32_t first;                   /* column of the part */
    enum dyno_element element;
};

/* Block `index` of a row of Q8_0: its scale, then its elements. */
static const char *block_of(const struct source *source, uint32_t row, uint32_t index)
{
    return (const char *)source->from->data +
           row * dyno_row_bytes(DYNO_ELEMENT_Q8_0, source->from->columns) +
           ((size_t)source->first / DYNO_Q8_0_ELEMENTS + index) * DYNO_Q8_0_BYTES;
}

static void fill_integers(const void *context, uint32_t row, void *to)
{
    const struct source *source = context;

    for (uint32_t i = 0; i < source->to->columns / DYNO_Q8_0_ELEMENTS; i++) {
        memcpy((char *)to + (size_t)i * DYNO_Q8_0_ELEMENTS,
               block_of(source, row, i) + sizeof(uint16_t), DYNO_Q8_0_ELEMENTS);
    }
}

static void fill_integer_scales(const void *context, uint32_t row, void *to)
{
    const struct source *source = context;
    uint16_t *scales = to;

    for (uint32_t i = 0; i < source->to->columns / DYNO_Q8_0_ELEMENTS; i++) {
        uint16_t half;

        memcpy(&half, block_of(source, row, i), sizeof half);
        scales[i] = source->element == DYNO_ELEMENT_F16
                        ? half
                        : dyno_bf16_of_float(dyno_half_to_float(half));
    }
}

static void fill_floats(const void *context, uint32_t row, void *to)
{
    const struct source *source = context;
    const struct dyno_narrow *narrow = source->narrow;

    memcpy(to, narrow->narrow + (size_t)(source->first_row + row) * narrow->columns + source->first,
           source->to->columns);
}

static void fill_float_scales(const void *context, uint32_t row, void *to)
{
    const struct source *source = context;
    const struct dyno_narrow *narrow = source->narrow;
    uint32_t across = (narrow->columns - 1) / narrow->block_columns + 1;
    const float *from =
        narrow->scale + (size_t)((source->first_row + row) / narrow->block_rows) * across;
    float *scales = to;

    for (uint32_t i = 0; i < source->to->columns / source->to->group; i++) {
        scales[i] = from[(source->first + i * source->to->group) / narrow->block_columns];
    }
}

/* The kernels read what they are given as const; here it is written. */
static void *writable(const void *memory, uint64_t offset)
{
    return (char *)(uintptr_t)memory + offset;
}

dyno_status dyno_cuda_matrix_load(const struct dyno_cuda_matrix *matrix, uint64_t row,
                                  const struct dyno_weights *weights,
                                  const struct dyno_matrix *from, struct dyno_shard_part part,
                                  enum dyno_element element, struct dyno_cuda_upload *upload,
                                  struct dyno_error *error)
{
    bool is_float = matrix->kind == DYNO_CUDA_WEIGHTS_E4M3;
    struct source source = {.to = matrix, .from = from, .first = part.first, .element = element};
    void *to = writable(matrix->weights, row * row_bytes(matrix));
    void *scales = writable(matrix->scales, row * scale_bytes(matrix));

    assert(part.count == matrix->columns);
    if (matrix->kind == DYNO_CUDA_WEIGHTS_16) {
        return dyno_cuda_upload_columns(upload, to, from, part.first, part.count, element, error);
    }
    if (is_float) {
        source.narrow = dyno_weights_narrow(weights, from, &source.first_row);
        assert(source.narrow); /* or the form would be another */
    }
    DYNO_TRY(dyno_cuda_upload_rows(upload, to, from->rows, row_bytes(matrix),
                                   is_float ? fill_floats : fill_integers, &source, error));
    return dyno_cuda_upload_rows(upload, scales, from->rows, scale_bytes(matrix),
                                 is_float ? fill_float_scales : fill_integer_scales, &source,
                                 error);
}
