/* Products with weights.  Of 8 bits they are read as they are for few rows; for more, one strip
 * after the other becomes 16-bit elements, in memory that all strips share so that it stays in the
 * cache, and is multiplied as such. */
#include <assert.h>

#include "backends/cuda/forward_parts.h"
#include "kernels/cuda/gemv.h"
#include "kernels/cuda/widen.h"

enum { STRIP_ROWS = 8 }; /* a strip has a multiple of so many, so that results are aligned */

/* With 16-bit elements. */
static dyno_status multiply_wide(const struct dyno_cuda_pass *pass,
                                 const struct dyno_cuda_product *product, const void *weights)
{
    struct dyno_cuda_gemm_job job = {.element = pass->forward->model->element,
                                     .kind = DYNO_CUDA_WEIGHTS_16,
                                     .y_is_float = product->y_is_float,
                                     .n = pass->rows,
                                     .rows = product->rows,
                                     .columns = product->weights->columns,
                                     .weights = weights,
                                     .x = product->x,
                                     .x_stride = product->weights->columns,
                                     .residual = product->residual,
                                     .bias = product->bias,
                                     .y = product->y,
                                     .y_stride = product->y_stride,
                                     .weight_scale = 1.0F,
                                     .x_scale = 1.0F};

    DYNO_CUDA_LAUNCH(dyno_cuda_gemm(pass->forward->gemm, &job, pass->forward->stream), pass->error);
    return DYNO_OK;
}

static dyno_status multiply_few(const struct dyno_cuda_pass *pass,
                                const struct dyno_cuda_product *product)
{
    const struct dyno_cuda_matrix *weights = product->weights;
    struct dyno_cuda_gemv_job job = {.element = pass->forward->model->element,
                                     .kind = weights->kind,
                                     .y_is_float = product->y_is_float,
                                     .n = pass->rows,
                                     .rows = product->rows,
                                     .columns = weights->columns,
                                     .group = weights->group,
                                     .weights = weights->weights,
                                     .scales = weights->scales,
                                     .x = product->x,
                                     .x_stride = weights->columns,
                                     .residual = product->residual,
                                     .bias = product->bias,
                                     .y = product->y,
                                     .y_stride = product->y_stride};

    DYNO_CUDA_LAUNCH(dyno_cuda_gemv(&job, pass->forward->stream), pass->error);
    return DYNO_OK;
}

/* Rows [first, first + count) of the matrix: they become on.widened. */
static dyno_status widen(const struct dyno_cuda_pass *pass, const struct dyno_cuda_matrix *weights,
                         uint64_t first, uint32_t count)
{
    uint64_t scale_bytes =
        weights->kind == DYNO_CUDA_WEIGHTS_E4M3 ? sizeof(float) : sizeof(uint16_t);
    struct dyno_cuda_widen_job job = {
        .element = pass->forward->model->element,
        .kind = weights->kind,
        .rows = count,
        .columns = weights->columns,
        .group = weights->group,
        .weights = (const char *)weights->weights + first * weights->columns,
        .scales = (const char *)weights->scales +
                  first * (weights->columns / weights->group) * scale_bytes,
        .out = pass->forward->on.widened};

    DYNO_CUDA_LAUNCH(dyno_cuda_widen(&job, pass->forward->stream), pass->error);
    return DYNO_OK;
}

/* Of a product, what of it is made of those rows. */
static struct dyno_cuda_product strip_of(const struct dyno_cuda_product *product, uint64_t first,
                                         uint32_t count)
{
    struct dyno_cuda_product strip = *product;

    strip.rows = count;
    strip.bias = product->bias ? dyno_cuda_at(product->bias, first) : NULL;
    strip.residual = product->residual ? dyno_cuda_at(product->residual, first) : NULL;
    strip.y = product->y_is_float ? (void *)((float *)product->y + first)
                                  : dyno_cuda_at(product->y, first);
    return strip;
}

static dyno_status multiply_strips(const struct dyno_cuda_pass *pass,
                                   const struct dyno_cuda_product *product)
{
    uint64_t row_bytes = product->weights->columns * sizeof(uint16_t);
    uint32_t strip_rows =
        (uint32_t)(pass->forward->widened_bytes / row_bytes) / STRIP_ROWS * STRIP_ROWS;

    assert(strip_rows > 0); /* rows are bounded (matrix.h) */
    for (uint32_t first = 0; first < product->rows; first += strip_rows) {
        uint32_t left = product->rows - first, count = left < strip_rows ? left : strip_rows;
        struct dyno_cuda_product strip = strip_of(product, first, count);

        DYNO_TRY(widen(pass, product->weights, first, count));
        DYNO_TRY(multiply_wide(pass, &strip, pass->forward->on.widened));
    }
    return DYNO_OK;
}

dyno_status dyno_cuda_pass_multiply(const struct dyno_cuda_pass *pass,
                                    const struct dyno_cuda_product *product)
{
    struct dyno_cuda_product whole = *product;

    whole.y_stride = product->y_stride > 0 ? product->y_stride : product->rows;
    if (product->weights->kind == DYNO_CUDA_WEIGHTS_16) {
        return multiply_wide(pass, &whole, product->weights->weights);
    }
    return pass->rows <= DYNO_CUDA_GEMV_MAX ? multiply_few(pass, &whole)
                                            : multiply_strips(pass, &whole);
}
