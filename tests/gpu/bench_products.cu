/* Products: few activations, many, and those of a mixture's experts. */
#include "kernels/cuda/gemm.h"
#include "kernels/cuda/gemv.h"
#include "kernels/cuda/grouped.h"
#include "tests/gpu/bench.cuh"

using namespace bench;

/* Llama-3-8B's gate and up. */
static constexpr unsigned rows = 28672, columns = 4096;

/* Weights of several layers take turns, for one layer's of 4 bits would stay in the second-level
 * cache. */
static void bench_gemv(dyno_cuda_weights kind, unsigned n, const char *shape)
{
    constexpr unsigned group = 128, layers = 8;
    size_t count = size_t{rows} * columns, scales = count / group;
    size_t bytes = kind == DYNO_CUDA_WEIGHTS_16     ? 2 * count
                   : kind == DYNO_CUDA_WEIGHTS_INT8 ? count
                                                    : count / 2;
    unsigned short *weights = random_bf16(layers * bytes / 2);
    unsigned layer = 0;
    dyno_cuda_gemv_job job = {};

    job.element = DYNO_ELEMENT_BF16;
    job.kind = kind;
    job.n = n;
    job.rows = rows;
    job.columns = columns;
    job.group = group;
    job.scales = random_bf16(scales);
    job.x = random_bf16(size_t{n} * columns);
    job.x_stride = columns;
    job.y = take<unsigned short>(size_t{n} * rows);
    job.y_stride = rows;
    tell({"gemv", shape,
          static_cast<double>(bytes) +
              (kind == DYNO_CUDA_WEIGHTS_16 ? 0.0 : 2.0 * static_cast<double>(scales)),
          0.0},
         [=]() mutable {
             job.weights = weights + layer * (bytes / 2);
             layer = (layer + 1) % layers;
             CHECK(dyno_cuda_gemv(&job, nullptr));
         });
}

/* e4m3 has twice the rate of products, so half its operations are told. */
static void bench_gemm(dyno_cuda_weights kind, unsigned n, const char *shape)
{
    constexpr size_t workspace_bytes = size_t{32} << 20;
    constexpr unsigned layers = 2;
    bool narrow = kind == DYNO_CUDA_WEIGHTS_E4M3;
    size_t count = size_t{rows} * columns, unit = narrow ? 1 : 2;
    unsigned char *weights = narrow
                                 ? random_bytes(layers * count)
                                 : reinterpret_cast<unsigned char *>(random_bf16(layers * count));
    unsigned layer = 0;
    struct dyno_cuda_gemm *gemm;
    dyno_cuda_gemm_job job = {};

    CHECK(dyno_cuda_gemm_open(&gemm, workspace_bytes));
    job.element = DYNO_ELEMENT_BF16;
    job.kind = kind;
    job.n = n;
    job.rows = rows;
    job.columns = columns;
    job.x = narrow ? static_cast<void *>(random_bytes(size_t{n} * columns))
                   : static_cast<void *>(random_bf16(size_t{n} * columns));
    job.x_stride = columns;
    job.y = take<unsigned short>(size_t{n} * rows);
    job.y_stride = rows;
    job.weight_scale = job.x_scale = 1.0F;
    tell({"gemm", shape,
          static_cast<double>(unit * (count + size_t{n} * columns) + 2 * size_t{n} * rows),
          static_cast<double>(unit * count) * n},
         [=]() mutable {
             job.weights = weights + layer * count * unit;
             layer = (layer + 1) % layers;
             CHECK(dyno_cuda_gemm(gemm, &job, nullptr));
         });
    dyno_cuda_gemm_close(gemm);
}

struct mixture {
    unsigned experts, chosen, rows, columns, tokens;
};

/* Each slot goes to an expert at random. */
static void bench_grouped(const mixture &of, const char *shape)
{
    unsigned slots = of.tokens * of.chosen, state = 1, used = 0;
    size_t count = size_t{of.rows} * of.columns;
    std::vector<unsigned> first(of.experts + 1);
    dyno_cuda_grouped_job job = {};

    for (unsigned slot = 0; slot < slots; slot++) {
        state = state * 1664525U + 1013904223U;
        first[1 + (state >> 8) % of.experts]++;
    }
    for (unsigned expert = 0; expert < of.experts; expert++) {
        used += first[expert + 1] > 0;
        first[expert + 1] += first[expert];
    }
    job.element = DYNO_ELEMENT_BF16;
    job.experts = of.experts;
    job.slots = slots;
    job.rows = of.rows;
    job.columns = of.columns;
    job.expert_first = take_copy(first);
    job.weights = random_bf16(of.experts * count);
    job.x = random_bf16(size_t{slots} * of.columns);
    job.x_stride = of.columns;
    job.y = take<unsigned short>(size_t{slots} * of.rows);
    job.y_stride = of.rows;
    tell({"grouped", shape,
          2.0 * static_cast<double>(used * count + size_t{slots} * (of.rows + of.columns)),
          2.0 * slots * static_cast<double>(count)},
         [=]() { CHECK(dyno_cuda_grouped(&job, nullptr)); });
}

void bench_products()
{
    bench_gemv(DYNO_CUDA_WEIGHTS_16, 1, "28672 x 4096 bf16, 1 activation");
    bench_gemv(DYNO_CUDA_WEIGHTS_16, 8, "28672 x 4096 bf16, 8 activations");
    bench_gemv(DYNO_CUDA_WEIGHTS_16, 16, "28672 x 4096 bf16, 16 activations");
    bench_gemv(DYNO_CUDA_WEIGHTS_INT8, 1, "28672 x 4096 int8, 1 activation");
    bench_gemv(DYNO_CUDA_WEIGHTS_INT4, 1, "28672 x 4096 int4, 1 activation");
    bench_gemv(DYNO_CUDA_WEIGHTS_INT4, 8, "28672 x 4096 int4, 8 activations");
    bench_gemm(DYNO_CUDA_WEIGHTS_16, 64, "28672 x 4096 bf16, 64 activations");
    bench_gemm(DYNO_CUDA_WEIGHTS_16, 4096, "28672 x 4096 bf16, 4096 activations");
    bench_gemm(DYNO_CUDA_WEIGHTS_E4M3, 64, "28672 x 4096 e4m3, 64 activations");
    bench_gemm(DYNO_CUDA_WEIGHTS_E4M3, 4096, "28672 x 4096 e4m3, 4096 activations");
    bench_grouped({8, 2, 14336, 4096, 64}, "64 tokens, 2 of 8 experts, 4096 to 14336");
    bench_grouped({8, 2, 14336, 4096, 512}, "512 tokens, 2 of 8 experts, 4096 to 14336");
    bench_grouped({128, 8, 768, 2048, 64}, "64 tokens, 8 of 128 experts, 2048 to 768");
    bench_grouped({128, 8, 768, 2048, 512}, "512 tokens, 8 of 128 experts, 2048 to 768");
}
