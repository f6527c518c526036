/* QK-norm, rotary embedding and the write into blocks, a warp a head. */
#include "kernels/cuda/rope.h"

#include "kernels/cuda/number.cuh"

namespace
{

using namespace dyno;

constexpr unsigned block_warps = 8;

enum part { QUERY, KEY, VALUE };

/* Of one head, what a lane needs to make elements of it. */
template <class T> struct head {
    const T *from;
    const T *norm; /* null: none */
    float scale;   /* of the norm */
    const float *row;
    unsigned pairs;
    bool adjacent;
};

template <class T> __device__ float normed(const head<T> &head, unsigned d)
{
    float value = to_float(head.from[d]);

    return head.norm ? value * head.scale * to_float(head.norm[d]) : value;
}

/* Dimension d, turned: its pair is (first, second). */
template <class T> __device__ float turned(const head<T> &head, unsigned d)
{
    unsigned pair, first, second;
    float cosine, sine, a, b;

    if (d >= 2 * head.pairs) {
        return normed(head, d);
    }
    pair = head.adjacent ? d / 2 : d % head.pairs;
    first = head.adjacent ? 2 * pair : pair;
    second = head.adjacent ? first + 1 : pair + head.pairs;
    cosine = head.row[2 * pair];
    sine = head.row[2 * pair + 1];
    a = normed(head, first);
    b = normed(head, second);
    return d == first ? a * cosine - b * sine : b * cosine + a * sine;
}

template <class T> __device__ float norm_scale(const T *from, unsigned head_dim, float epsilon)
{
    float squares = 0.0F;

    for (unsigned d = lane_index(); d < head_dim; d += warp_lanes) {
        squares += to_float(from[d]) * to_float(from[d]);
    }
    return rsqrtf(lanes_sum(squares) / static_cast<float>(head_dim) + epsilon);
}

template <class T>
__device__ head<T> head_of(const dyno_cuda_rope_job &job, part part, unsigned index, unsigned token)
{
    const unsigned head_dim = job.kv.head_dim;
    size_t stride = part == QUERY ? job.query_stride : job.kv_stride;
    const void *base = part == QUERY ? job.query : part == KEY ? job.key : job.value;
    const void *norm = part == QUERY ? job.query_norm : part == KEY ? job.key_norm : nullptr;
    unsigned position = job.position[token];
    head<T> head;

    position = position < job.positions ? position : job.positions - 1;
    head.from = static_cast<const T *>(base) + token * stride + index * head_dim;
    head.norm = static_cast<const T *>(norm);
    head.pairs = part == VALUE ? 0 : job.pairs;
    head.adjacent = job.adjacent;
    head.row = job.table + static_cast<size_t>(position) * 2 * job.pairs;
    head.scale = norm ? norm_scale(head.from, head_dim, job.epsilon) : 1.0F;
    return head;
}

/* In place: what a lane writes is read by others before, so all read first. */
template <class T>
__device__ void write_query(const dyno_cuda_rope_job &job, const head<T> &head, unsigned index,
                            unsigned token)
{
    constexpr unsigned held_max = 8; /* head_dim is at most 256 */
    T *to = static_cast<T *>(job.query) + token * job.query_stride + index * job.kv.head_dim;
    float held[held_max];

#pragma unroll
    for (unsigned i = 0; i < held_max; i++) {
        unsigned d = i * warp_lanes + lane_index();

        held[i] = d < job.kv.head_dim ? turned(head, d) : 0.0F;
    }
    __syncwarp();
#pragma unroll
    for (unsigned i = 0; i < held_max; i++) {
        unsigned d = i * warp_lanes + lane_index();

        if (d < job.kv.head_dim) {
            to[d] = of_float<T>(held[i]);
        }
    }
}

template <class T, class K>
__device__ void write_slot(const dyno_cuda_rope_job &job, const head<T> &head, part part,
                           unsigned index, unsigned slot)
{
    const dyno_cuda_kv &kv = job.kv;
    unsigned block = slot / kv.block_tokens, token = slot % kv.block_tokens;
    float scale = 1.0F / (part == KEY ? kv.key_scale : kv.value_scale);
    K *to = static_cast<K *>(part == KEY ? kv.keys : kv.values) + block * kv.block_stride +
            (static_cast<size_t>(index) * kv.block_tokens + token) * kv.head_dim;

    if (block >= kv.blocks) {
        return;
    }
    for (unsigned d = lane_index(); d < kv.head_dim; d += warp_lanes) {
        to[d] = of_float<K>(turned(head, d) * scale);
    }
}

template <class T, class K>
__global__ void __launch_bounds__(block_warps *warp_lanes) rope_store(dyno_cuda_rope_job job)
{
    unsigned index = blockIdx.y * block_warps + warp_index(), token = blockIdx.x;

    if (index < job.heads) {
        write_query<T>(job, head_of<T>(job, QUERY, index, token), index, token);
    } else if (index < job.heads + 2 * job.kv.kv_heads) {
        part part = index < job.heads + job.kv.kv_heads ? KEY : VALUE;
        unsigned slot = job.slot[token];

        index = (index - job.heads) % job.kv.kv_heads;
        if (slot != DYNO_CUDA_NO_SLOT) {
            write_slot<T, K>(job, head_of<T>(job, part, index, token), part, index, slot);
        }
    }
}

bool is_supported(const dyno_cuda_rope_job *job)
{
    constexpr unsigned head_dim_max = 256, heads_max = 4096;
    const dyno_cuda_kv *kv = &job->kv;

    return (job->element == DYNO_ELEMENT_F16 || job->element == DYNO_ELEMENT_BF16) &&
           dyno_cuda_kv_is_whole(kv) && job->heads >= 1 && job->heads <= heads_max &&
           kv->kv_heads <= heads_max && kv->head_dim <= head_dim_max &&
           job->pairs <= kv->head_dim / 2 &&
           (job->pairs == 0 || (job->table && job->positions >= 1)) && job->position && job->slot &&
           job->query && job->key && job->value &&
           job->query_stride >= static_cast<uint64_t>(job->heads) * kv->head_dim &&
           job->kv_stride >= static_cast<uint64_t>(kv->kv_heads) * kv->head_dim;
}

template <class T> void launch_rope(const dyno_cuda_rope_job *job, cudaStream_t stream)
{
    dim3 grid(job->tokens, divide_up(job->heads + 2 * job->kv.kv_heads, block_warps));
    constexpr unsigned threads = block_warps * warp_lanes;

    switch (job->kv.element) {
    case DYNO_CUDA_KV_F16:
        DYNO_LAUNCH((rope_store<T, f16>), grid, threads, 0, stream, *job);
        break;
    case DYNO_CUDA_KV_BF16:
        DYNO_LAUNCH((rope_store<T, bf16>), grid, threads, 0, stream, *job);
        break;
    case DYNO_CUDA_KV_E4M3:
        DYNO_LAUNCH((rope_store<T, e4m3>), grid, threads, 0, stream, *job);
        break;
    }
}

} /* namespace */

int dyno_cuda_rope(const struct dyno_cuda_rope_job *job, dyno_cuda_stream stream)
{
    if (!is_supported(job)) {
        return DYNO_CUDA_REFUSED;
    }
    if (job->tokens == 0) {
        return 0;
    }
    if (job->element == DYNO_ELEMENT_F16) {
        launch_rope<f16>(job, stream);
    } else {
        launch_rope<bf16>(job, stream);
    }
    return DYNO_CUDA_CHECK(cudaGetLastError());
}
