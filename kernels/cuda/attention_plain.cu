/* Attention for any shape: a block a query and head, whose warps share out the positions and put
 * their sums together at the end. */
#include "kernels/cuda/attention_parts.cuh"

namespace dyno
{

bool attention_is_whole(const dyno_cuda_attention_job *job)
{
    constexpr unsigned head_dim_max = 256, heads_max = 65535;
    uint64_t wide = static_cast<uint64_t>(job->heads) * job->kv.head_dim;

    return (job->element == DYNO_ELEMENT_F16 || job->element == DYNO_ELEMENT_BF16) &&
           dyno_cuda_kv_is_whole(&job->kv) && job->kv.head_dim <= head_dim_max && job->heads >= 1 &&
           job->heads <= heads_max && job->heads % job->kv.kv_heads == 0 && job->slices &&
           job->table && job->table_width >= 1 && job->query && job->out &&
           job->query != job->out && job->query_stride >= wide && job->out_stride >= wide;
}

} /* namespace dyno */

namespace
{

using namespace dyno;

constexpr unsigned warps = 4, dims_max = 8; /* of a lane: head_dim is at most 256 */

/* A running softmax: sum and total are relative to e^largest. */
struct state {
    float largest, sum;
    float total[dims_max];
};

__device__ void add(state *state, float score, const float *value)
{
    float largest = fmaxf(state->largest, score), kept = exp2f(state->largest - largest);
    float power = exp2f(score - largest);

    state->sum = state->sum * kept + power;
#pragma unroll
    for (unsigned i = 0; i < dims_max; i++) {
        state->total[i] = state->total[i] * kept + power * value[i];
    }
    state->largest = largest;
}

template <class K>
__device__ void read_dims(const K *from, unsigned head_dim, float scale, float *to)
{
#pragma unroll
    for (unsigned i = 0; i < dims_max; i++) {
        unsigned d = i * warp_lanes + lane_index();

        to[i] = d < head_dim ? to_float(from[d]) * scale : 0.0F;
    }
}

template <class K>
__device__ void attend(const dyno_cuda_attention_job &job, unsigned sequence, unsigned kv_head,
                       span span, const float *query, state *state)
{
    const dyno_cuda_kv &kv = job.kv;
    const K *keys = static_cast<const K *>(kv.keys), *values = static_cast<const K *>(kv.values);

    for (unsigned j = span.begin + warp_index(); j < span.end; j += warps) {
        unsigned block = block_at(job, sequence, j / kv.block_tokens);
        float held[dims_max], score = 0.0F;
        size_t at;

        if (block == no_block) {
            continue;
        }
        at = kv_at(kv, block, j % kv.block_tokens, kv_head);
        read_dims(keys + at, kv.head_dim, kv.key_scale, held);
#pragma unroll
        for (unsigned i = 0; i < dims_max; i++) {
            score += query[i] * held[i];
        }
        score = lanes_sum(score);
        read_dims(values + at, kv.head_dim, kv.value_scale, held);
        add(state, score, held);
    }
}

/* The warps' states, put together by the first warp. */
struct gathered {
    float largest[warps], sum[warps], total[warps][dims_max * warp_lanes];
};

__device__ void gather(const state &state, gathered *all)
{
    all->largest[warp_index()] = state.largest;
    all->sum[warp_index()] = state.sum;
#pragma unroll
    for (unsigned i = 0; i < dims_max; i++) {
        all->total[warp_index()][i * warp_lanes + lane_index()] = state.total[i];
    }
}

template <class T> __device__ void put_together(const gathered &all, unsigned head_dim, T *out)
{
    float largest = -INFINITY, sum = 0.0F;

    for (unsigned w = 0; w < warps; w++) {
        largest = fmaxf(largest, all.largest[w]);
    }
    for (unsigned w = 0; w < warps; w++) {
        sum += all.sum[w] > 0.0F ? all.sum[w] * exp2f(all.largest[w] - largest) : 0.0F;
    }
    for (unsigned d = lane_index(); d < head_dim; d += warp_lanes) {
        float total = 0.0F;

        for (unsigned w = 0; w < warps; w++) {
            total += all.sum[w] > 0.0F ? all.total[w][d] * exp2f(all.largest[w] - largest) : 0.0F;
        }
        out[d] = of_float<T>(sum > 0.0F ? total / sum : 0.0F);
    }
}

/* Grid: queries of a slice, heads, slices. */
template <class T, class K>
__global__ void __launch_bounds__(warps *warp_lanes) attention_plain(dyno_cuda_attention_job job)
{
    __shared__ gathered all;
    dyno_cuda_attention_slice slice = job.slices[blockIdx.z];
    unsigned head = blockIdx.y, kv_head = head / (job.heads / job.kv.kv_heads);
    size_t row = slice.row + blockIdx.x;
    state state = {-INFINITY, 0.0F, {}};
    float query[dims_max];

    if (blockIdx.x >= slice.count) {
        return;
    }
    read_dims(static_cast<const T *>(job.query) + row * job.query_stride + head * job.kv.head_dim,
              job.kv.head_dim, job.scale * log2_e, query);
    attend<K>(job, slice.sequence, kv_head, seen_by(job, slice.first + blockIdx.x), query, &state);
    gather(state, &all);
    __syncthreads();
    if (warp_index() == 0) {
        put_together(all, job.kv.head_dim,
                     static_cast<T *>(job.out) + row * job.out_stride + head * job.kv.head_dim);
    }
}

template <class T> void launch_plain(const dyno_cuda_attention_job *job, cudaStream_t stream)
{
    dim3 grid(job->slice_max, job->heads, job->slice_count);
    constexpr unsigned threads = warps * warp_lanes;

    switch (job->kv.element) {
    case DYNO_CUDA_KV_F16:
        DYNO_LAUNCH((attention_plain<T, f16>), grid, threads, 0, stream, *job);
        break;
    case DYNO_CUDA_KV_BF16:
        DYNO_LAUNCH((attention_plain<T, bf16>), grid, threads, 0, stream, *job);
        break;
    case DYNO_CUDA_KV_E4M3:
        DYNO_LAUNCH((attention_plain<T, e4m3>), grid, threads, 0, stream, *job);
        break;
    }
}

} /* namespace */

int dyno_cuda_attention_plain(const struct dyno_cuda_attention_job *job, dyno_cuda_stream stream)
{
    constexpr unsigned slices_max = 65535;

    if (!attention_is_whole(job) || job->slice_count > slices_max) {
        return DYNO_CUDA_REFUSED;
    }
    if (job->slice_count == 0 || job->slice_max == 0) {
        return 0;
    }
    if (job->element == DYNO_ELEMENT_F16) {
        launch_plain<f16>(job, stream);
    } else {
        launch_plain<bf16>(job, stream);
    }
    return DYNO_CUDA_CHECK(cudaGetLastError());
}
