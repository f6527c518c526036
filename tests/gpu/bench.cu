/* Times each kernel on a GPU and prints a JSON object a line: what, its time, and the bytes or
 * operations that it cannot do without.  First come the two ceilings: a copy on the device, and a
 * product of matrices by cuBLASLt.
 */
#include "tests/gpu/bench.cuh"

#include <cstdlib>
#include <cublasLt.h>
#include <cuda_runtime.h>
#include <vector>

#include "kernels/cuda/attention.h"
#include "kernels/cuda/blocks.h"
#include "kernels/cuda/norm.h"
#include "kernels/cuda/rope.h"
#include "kernels/cuda/rows.h"

extern "C" {
#include "kernels/rope.h"
}

namespace
{

using namespace bench;

void bench_copy()
{
    constexpr size_t bytes = size_t{4} << 30;
    auto *from = random_bytes(bytes), *to = take<unsigned char>(bytes);

    tell({"ceiling: copy", "4 GiB", 2.0 * bytes, 0.0},
         [=]() { CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice)); });
}

void bench_product()
{
    constexpr size_t side = 8192, workspace_bytes = size_t{64} << 20;
    unsigned short *a = random_bf16(side * side), *b = random_bf16(side * side);
    unsigned short *c = take<unsigned short>(side * side);
    void *workspace = take<unsigned char>(workspace_bytes);
    cublasLtHandle_t handle;
    cublasLtMatmulDesc_t product;
    cublasLtMatrixLayout_t layout;
    cublasLtMatmulPreference_t preference;
    cublasLtMatmulHeuristicResult_t found;
    cublasOperation_t turned = CUBLAS_OP_T;
    int count = 0;
    size_t most = workspace_bytes;

    CHECK(cublasLtCreate(&handle));
    CHECK(cublasLtMatmulDescCreate(&product, CUBLAS_COMPUTE_32F, CUDA_R_32F));
    CHECK(cublasLtMatmulDescSetAttribute(product, CUBLASLT_MATMUL_DESC_TRANSA, &turned,
                                         sizeof turned));
    CHECK(cublasLtMatrixLayoutCreate(&layout, CUDA_R_16BF, side, side, side));
    CHECK(cublasLtMatmulPreferenceCreate(&preference));
    CHECK(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                               &most, sizeof most));
    CHECK(cublasLtMatmulAlgoGetHeuristic(handle, product, layout, layout, layout, layout,
                                         preference, 1, &found, &count));
    check(count > 0, "cublasLtMatmulAlgoGetHeuristic");
    tell({"ceiling: product", "8192 x 8192 x 8192 bf16, cuBLASLt", 6.0 * side * side,
          2.0 * side * side * side},
         [=]() {
             float one = 1.0F, none = 0.0F;

             CHECK(cublasLtMatmul(handle, product, &one, a, layout, b, layout, &none, c, layout, c,
                                  layout, &found.algo, workspace, workspace_bytes, nullptr));
         });
    CHECK(cublasLtMatmulPreferenceDestroy(preference));
    CHECK(cublasLtMatrixLayoutDestroy(layout));
    CHECK(cublasLtMatmulDescDestroy(product));
    CHECK(cublasLtDestroy(handle));
}

void bench_norm()
{
    constexpr unsigned rows = 16384, columns = 4096;
    size_t count = size_t{rows} * columns;
    dyno_cuda_norm_job job = {};

    job.element = DYNO_ELEMENT_BF16;
    job.rows = rows;
    job.columns = columns;
    job.epsilon = 1e-5F;
    job.x = random_bf16(count);
    job.residual = random_bf16(count);
    job.weight = random_bf16(columns);
    job.out = take<unsigned short>(count);
    job.x_stride = columns;
    tell({"norm", "16384 x 4096 bf16, residual", 8.0 * static_cast<double>(count), 0.0},
         [=]() { CHECK(dyno_cuda_norm(&job, nullptr)); });
}

void bench_silu()
{
    constexpr unsigned rows = 8192, columns = 14336;
    size_t count = size_t{rows} * columns;
    dyno_cuda_silu_job job = {};
    unsigned short *both = random_bf16(2 * count);

    job.element = DYNO_ELEMENT_BF16;
    job.rows = rows;
    job.columns = columns;
    job.gate = both;
    job.up = both + columns;
    job.stride = 2 * columns;
    job.out = take<unsigned short>(count);
    tell({"silu", "8192 x 14336 bf16", 6.0 * static_cast<double>(count), 0.0},
         [=]() { CHECK(dyno_cuda_silu(&job, nullptr)); });
}

/* Every other block of a pool, so that pieces are of one block. */
void bench_blocks()
{
    constexpr unsigned count = 1024;
    constexpr size_t block_bytes = size_t{2} << 20;
    std::vector<unsigned> source;
    dyno_cuda_blocks_job job = {};

    for (unsigned i = 0; i < count; i++) {
        source.push_back((i * 389 % count) * 2);
    }
    job.count = count;
    job.block_bytes = block_bytes;
    job.source = take_copy(source);
    job.source_blocks = 2 * count;
    job.target_blocks = count;
    job.from = take<unsigned char>(2 * count * block_bytes);
    job.to = take<unsigned char>(count * block_bytes);
    tell({"blocks: gather", "1024 x 2 MiB", 2.0 * count * block_bytes, 0.0},
         [=]() { CHECK(dyno_cuda_blocks(&job, nullptr)); });
}

/* Llama-3-8B's heads. */
constexpr unsigned heads = 32, kv_heads = 8, head_dim = 128, block_tokens = 16;

dyno_cuda_kv kv_of(unsigned blocks, dyno_cuda_kv_element element)
{
    size_t stride = size_t{kv_heads} * block_tokens * head_dim, count = blocks * stride;
    dyno_cuda_kv kv = {element, blocks,  block_tokens, kv_heads, head_dim,
                       stride,  nullptr, nullptr,      1.0F,     1.0F};

    for (void **side : {&kv.keys, &kv.values}) {
        if (element == DYNO_CUDA_KV_E4M3) {
            *side = random_bytes(count);
        } else {
            *side = random_bf16(count);
        }
    }
    return kv;
}

void bench_rope()
{
    constexpr unsigned tokens = 8192, pairs = head_dim / 2;
    std::vector<float> table(size_t{tokens} * pairs * 2);
    std::vector<double> frequency(pairs);
    std::vector<unsigned> position;
    dyno_cuda_rope_job job = {};

    dyno_rope_frequencies(500000.0, pairs, frequency.data());
    dyno_rope_table(frequency.data(), 1.0, pairs, tokens, table.data());
    for (unsigned i = 0; i < tokens; i++) {
        position.push_back(i);
    }
    job.element = DYNO_ELEMENT_BF16;
    job.tokens = tokens;
    job.heads = heads;
    job.pairs = pairs;
    job.table = take_copy(table);
    job.positions = tokens;
    job.position = job.slot = take_copy(position);
    job.query_stride = heads * head_dim;
    job.kv_stride = kv_heads * head_dim;
    job.query = random_bf16(tokens * job.query_stride);
    job.key = random_bf16(tokens * job.kv_stride);
    job.value = random_bf16(tokens * job.kv_stride);
    job.kv = kv_of(tokens / block_tokens, DYNO_CUDA_KV_BF16);
    tell({"rope and write", "8192 tokens, 32 + 8 heads of 128",
          4.0 * tokens * (heads + 2 * kv_heads) * head_dim, 0.0},
         [=]() { CHECK(dyno_cuda_rope(&job, nullptr)); });
}

using attention = int(const dyno_cuda_attention_job *, dyno_cuda_stream);

/* Blocks of all sequences lie mixed. */
dyno_cuda_attention_job attention_of(unsigned sequences, unsigned context, unsigned queries,
                                     dyno_cuda_kv_element element)
{
    unsigned width = context / block_tokens, blocks = sequences * width;
    std::vector<unsigned> table;
    std::vector<dyno_cuda_attention_slice> slices;
    dyno_cuda_attention_job job = {};

    for (unsigned i = 0; i < blocks; i++) {
        table.push_back(static_cast<unsigned>(i * 7919ULL % blocks));
    }
    for (unsigned i = 0; i < sequences; i++) {
        slices.push_back({i, context - queries, queries, i * queries});
    }
    job.element = DYNO_ELEMENT_BF16;
    job.heads = heads;
    job.scale = 0.08838834764F;
    job.slice_count = sequences;
    job.slice_max = queries;
    job.context_max = context;
    job.slices = take_copy(slices);
    job.table = take_copy(table);
    job.table_width = width;
    job.query_stride = job.out_stride = heads * head_dim;
    job.query = random_bf16(size_t{sequences} * queries * heads * head_dim);
    job.out = take<unsigned short>(size_t{sequences} * queries * heads * head_dim);
    job.kv = kv_of(blocks, element);
    job.scratch = take<unsigned char>(dyno_cuda_decode_scratch(&job) + 16);
    return job;
}

/* Where the contexts would stay in the second-level cache, several batches take turns. */
void bench_decode(unsigned sequences, unsigned context, dyno_cuda_kv_element element,
                  const char *shape)
{
    constexpr double bytes_least = 5e8;
    double bytes = 2.0 * sequences * context * kv_heads * head_dim * dyno_cuda_kv_bytes(element);
    unsigned batches = 1 + static_cast<unsigned>(bytes_least / bytes), turn = 0;
    dyno_cuda_attention_job job = attention_of(sequences * batches, context, 1, element);
    const dyno_cuda_attention_slice *slices = job.slices;

    job.slice_count = sequences;
    tell({"attention, decode", shape, bytes, 0.0}, [=]() mutable {
        job.slices = slices + turn * sequences;
        turn = (turn + 1) % batches;
        CHECK(dyno_cuda_attention_decode(&job, nullptr));
    });
}

/* The last `queries` of each context. */
void bench_prefill(unsigned sequences, unsigned context, unsigned queries, attention *launch,
                   const char *shape)
{
    dyno_cuda_attention_job job = attention_of(sequences, context, queries, DYNO_CUDA_KV_BF16);
    double seen = context - (queries - 1.0) / 2.0; /* by a query, on average */

    tell({"attention, prefill", shape, 0.0, 4.0 * sequences * queries * seen * heads * head_dim},
         [=]() { CHECK(launch(&job, nullptr)); });
}

void bench_attention()
{
    bench_decode(64, 4096, DYNO_CUDA_KV_BF16, "64 x 4096, 32/8 heads of 128, bf16");
    bench_decode(64, 4096, DYNO_CUDA_KV_E4M3, "64 x 4096, 32/8 heads of 128, e4m3");
    bench_decode(256, 1024, DYNO_CUDA_KV_BF16, "256 x 1024, 32/8 heads of 128, bf16");
    bench_decode(256, 1024, DYNO_CUDA_KV_E4M3, "256 x 1024, 32/8 heads of 128, e4m3");
    bench_decode(64, 1024, DYNO_CUDA_KV_BF16, "64 x 1024, 32/8 heads of 128, bf16");
    bench_decode(64, 1024, DYNO_CUDA_KV_E4M3, "64 x 1024, 32/8 heads of 128, e4m3");
    bench_decode(8, 4096, DYNO_CUDA_KV_BF16, "8 x 4096, 32/8 heads of 128, bf16");
    bench_decode(8, 4096, DYNO_CUDA_KV_E4M3, "8 x 4096, 32/8 heads of 128, e4m3");
    bench_decode(1, 8192, DYNO_CUDA_KV_BF16, "1 x 8192, 32/8 heads of 128, bf16");
    bench_decode(1, 8192, DYNO_CUDA_KV_E4M3, "1 x 8192, 32/8 heads of 128, e4m3");
    bench_decode(1, 131072, DYNO_CUDA_KV_BF16, "1 x 131072, 32/8 heads of 128, bf16");
    bench_decode(1, 131072, DYNO_CUDA_KV_E4M3, "1 x 131072, 32/8 heads of 128, e4m3");
    bench_prefill(1, 8192, 8192, dyno_cuda_attention_prefill,
                  "8192 causal, 32/8 heads of 128, bf16");
    bench_prefill(1, 8192, 8192, dyno_cuda_attention_prefill_mma,
                  "8192 causal, 32/8 heads of 128, bf16, mma");
    bench_prefill(1, 16384, 16384, dyno_cuda_attention_prefill,
                  "16384 causal, 32/8 heads of 128, bf16");
    bench_prefill(8, 2048, 2048, dyno_cuda_attention_prefill,
                  "8 x 2048 causal, 32/8 heads of 128, bf16");
    bench_prefill(1, 8192, 512, dyno_cuda_attention_prefill,
                  "512 after 7680, 32/8 heads of 128, bf16");
}

} /* namespace */

int main()
{
    bench_copy();
    bench_product();
    bench_norm();
    bench_silu();
    bench_blocks();
    bench_rope();
    bench_attention();
    bench_products();
    bench_sample();
    return EXIT_SUCCESS;
}
