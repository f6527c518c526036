/* QK-norm, rotary embedding and the write into blocks: a plain version, a warp a head, and one in
 * vectors of 16 bytes. */
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
__global__ void __launch_bounds__(block_warps *warp_lanes) rope_plain(dyno_cuda_rope_job job)
{
    unsigned index = blockIdx.y * block_warps + warp_index(), token = blockIdx.x;

    let_launch_after_start();
    wait_for_launch_before();
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

/* In vectors a head is shared out over head_dim / 16 lanes.  Each has one vector of the first half
 * and one of the second, so that pairs of either kind are whole in a lane. */
constexpr unsigned vector_threads = 128, vector_blocks = 7, width = 8, heads_at_once = 2;

struct lane_part {
    uint4 half[2]; /* vectors as they came: apart, elements take a register each */
};

template <class T> __device__ __forceinline__ void read_vector(const uint4 &words, float *value)
{
    union {
        uint4 words;
        vector_of<T> vector;
    } both;

    both.words = words;
#pragma unroll
    for (unsigned i = 0; i < width; i++) {
        value[i] = to_float(both.vector.at[i]);
    }
}

/* Two of these are the halves of a word, and the upper halves of floats. */
template <> __device__ __forceinline__ void read_vector<bf16>(const uint4 &words, float *value)
{
    constexpr unsigned half = 16, upper = 0xffff0000U;
    const unsigned word[] = {words.x, words.y, words.z, words.w};

#pragma unroll
    for (unsigned i = 0; i < width / 2; i++) {
        value[2 * i] = __uint_as_float(word[i] << half);
        value[2 * i + 1] = __uint_as_float(word[i] & upper);
    }
}

/* The turn of the pairs that a lane has. */
struct lane_turn {
    float cosine[width], sine[width];
};

/* A job, and what is the same for all threads: computed once, by the host. */
struct vector_job {
    dyno_cuda_rope_job job;
    unsigned lanes_shift;             /* a head's lanes, a power of two */
    unsigned block_shift;             /* of block_tokens; no_shift: that is no power of two */
    float key_inverse, value_inverse; /* of the scales */
};
constexpr unsigned no_shift = 32;

/* A thread's work: heads `first` and `first + step` of a token, if they are below `heads`. */
struct token_work {
    const dyno_cuda_rope_job &job;
    unsigned token, position;
    unsigned lanes, lane, first, step, heads; /* heads: of queries, keys and values */
};

__device__ __forceinline__ part part_of(const dyno_cuda_rope_job &job, unsigned head)
{
    return head < job.heads ? QUERY : head < job.heads + job.kv.kv_heads ? KEY : VALUE;
}

/* Where a lane's first vector of a head begins; the other is half a head further. */
template <class T> __device__ __forceinline__ T *place_of(const token_work &work, unsigned head)
{
    const dyno_cuda_rope_job &job = work.job;
    const unsigned head_dim = job.kv.head_dim;
    const void *base = job.query;
    size_t stride = job.query_stride;

    if (head >= job.heads) {
        head -= job.heads;
        base = head < job.kv.kv_heads ? job.key : job.value;
        head = head < job.kv.kv_heads ? head : head - job.kv.kv_heads;
        stride = job.kv_stride;
    }
    return const_cast<T *>(static_cast<const T *>(base)) + work.token * stride +
           static_cast<size_t>(head) * head_dim + work.lane * width;
}

template <class T>
__device__ __forceinline__ void load_parts(const token_work &work,
                                           lane_part (&parts)[heads_at_once])
{
#pragma unroll
    for (unsigned i = 0; i < heads_at_once; i++) {
        if (work.first + i * work.step < work.heads) {
            const T *from = place_of<T>(work, work.first + i * work.step);

            parts[i].half[0] = *reinterpret_cast<const uint4 *>(from);
            parts[i].half[1] = *reinterpret_cast<const uint4 *>(from + work.job.kv.head_dim / 2);
        }
    }
}

/* Pair p is that of cosine[p]; of adjacent ones the first half's vector has four. */
template <bool adjacent> __device__ __forceinline__ lane_turn load_turn(const token_work &work)
{
    constexpr unsigned words = 4;
    const dyno_cuda_rope_job &job = work.job;
    unsigned position = work.position < job.positions ? work.position : job.positions - 1;
    lane_turn turn;
    const float *row = job.table + static_cast<size_t>(position) * job.kv.head_dim;

#pragma unroll
    for (unsigned i = 0; i < 2 * width; i += words) {
        unsigned at = adjacent ? work.lane * width + i % width + i / width * job.kv.head_dim / 2
                               : work.lane * 2 * width + i;
        float4 both = *reinterpret_cast<const float4 *>(row + at);

        turn.cosine[i / 2] = both.x;
        turn.sine[i / 2] = both.y;
        turn.cosine[i / 2 + 1] = both.z;
        turn.sine[i / 2 + 1] = both.w;
    }
    return turn;
}

/* The values of a lane to a head's norm; all lanes of a head come, with `norm` NULL if it has none.
 */
template <class T>
__device__ __forceinline__ void norm_part(const token_work &work, const void *norm,
                                          float (&value)[2][width])
{
    float squares = 0.0F, scale;

#pragma unroll
    for (unsigned i = 0; i < 2 * width; i++) {
        squares += value[i / width][i % width] * value[i / width][i % width];
    }
    scale = rsqrtf(lanes_sum(squares, work.lanes) / static_cast<float>(work.job.kv.head_dim) +
                   work.job.epsilon);
    if (!norm) {
        return;
    }
#pragma unroll
    for (unsigned half = 0; half < 2; half++) {
        float weight[width];

        read_vector<T>(*reinterpret_cast<const uint4 *>(static_cast<const T *>(norm) +
                                                        work.lane * width +
                                                        half * work.job.kv.head_dim / 2),
                       weight);
#pragma unroll
        for (unsigned i = 0; i < width; i++) {
            value[half][i] = value[half][i] * scale * weight[i];
        }
    }
}

template <bool adjacent>
__device__ __forceinline__ void turn_part(const lane_turn &turn, float (&value)[2][width])
{
#pragma unroll
    for (unsigned p = 0; p < width; p++) {
        float *first = adjacent ? &value[p / (width / 2)][p % (width / 2) * 2] : &value[0][p];
        float *second = adjacent ? first + 1 : &value[1][p];
        float a = *first, b = *second;

        *first = a * turn.cosine[p] - b * turn.sine[p];
        *second = b * turn.cosine[p] + a * turn.sine[p];
    }
}

template <class T> __device__ __forceinline__ void store_values(T *to, const float (&value)[width])
{
    uint32_t pair[width / 2];

#pragma unroll
    for (unsigned i = 0; i < width / 2; i++) {
        pair[i] = round_pair(T{}, value[2 * i], value[2 * i + 1]);
    }
    if constexpr (sizeof(T) == 1) {
        *reinterpret_cast<uint2 *>(to) = {pair[0] | pair[1] << 16, pair[2] | pair[3] << 16};
    } else {
        *reinterpret_cast<uint4 *>(to) = {pair[0], pair[1], pair[2], pair[3]};
    }
}

/* Elements of 16 bits have no scale. */
template <class K>
__device__ __forceinline__ void store_slot(const token_work &work, const vector_job &all, part part,
                                           unsigned slot, unsigned head, float (&value)[2][width])
{
    const dyno_cuda_kv &kv = work.job.kv;
    unsigned block = all.block_shift == no_shift ? slot / kv.block_tokens : slot >> all.block_shift;
    unsigned token = slot - block * kv.block_tokens;
    K *to = static_cast<K *>(part == KEY ? kv.keys : kv.values) + block * kv.block_stride +
            (head * kv.block_tokens + token) * size_t{kv.head_dim} + work.lane * width;

    if (slot == DYNO_CUDA_NO_SLOT || block >= kv.blocks) {
        return;
    }
    if constexpr (sizeof(K) == 1) {
        float scale = part == KEY ? all.key_inverse : all.value_inverse;

#pragma unroll
        for (unsigned i = 0; i < 2 * width; i++) {
            value[i / width][i % width] *= scale;
        }
    }
    store_values(to, value[0]);
    store_values(to + kv.head_dim / 2, value[1]);
}

template <class T, class K, bool adjacent, bool normed>
__device__ __forceinline__ void finish_part(const token_work &work, const vector_job &all,
                                            unsigned slot, const lane_turn &turn,
                                            const lane_part &from, unsigned head)
{
    const dyno_cuda_rope_job &job = work.job;
    part part = part_of(job, head);
    float value[2][width];

    read_vector<T>(from.half[0], value[0]);
    read_vector<T>(from.half[1], value[1]);
    if (normed) {
        norm_part<T>(work,
                     part == QUERY ? job.query_norm
                     : part == KEY ? job.key_norm
                                   : nullptr,
                     value);
    }
    if (part != VALUE) {
        turn_part<adjacent>(turn, value);
    }
    if (head >= work.heads) {
        return;
    }
    if (part == QUERY) {
        T *to = place_of<T>(work, head);

        store_values(to, value[0]);
        store_values(to + job.kv.head_dim / 2, value[1]);
    } else {
        head -= part == KEY ? job.heads : job.heads + job.kv.kv_heads;
        store_slot<K>(work, all, part, slot, head, value);
    }
}

/* normed: some heads are. */
template <class T, class K, bool adjacent, bool normed>
__global__ void __launch_bounds__(vector_threads, vector_blocks)
    rope_vector(const __grid_constant__ vector_job all)
{
    const dyno_cuda_rope_job &job = all.job;
    const unsigned lanes = 1U << all.lanes_shift, step = vector_threads >> all.lanes_shift;
    const unsigned token = blockIdx.x, first = blockIdx.y * heads_at_once * step;
    const unsigned heads = job.heads + 2 * job.kv.kv_heads;
    lane_part parts[heads_at_once] = {};
    lane_turn turn;

    let_launch_after_start();
    wait_for_launch_before();

    const token_work work = {job,
                             token,
                             job.position[token],
                             lanes,
                             threadIdx.x & (lanes - 1),
                             first + (threadIdx.x >> all.lanes_shift),
                             step,
                             heads};
    const unsigned slot = job.slot[token];

    load_parts<T>(work, parts);
    turn = load_turn<adjacent>(work);
#pragma unroll
    for (unsigned i = 0; i < heads_at_once; i++) {
        finish_part<T, K, adjacent, normed>(work, all, slot, turn, parts[i], work.first + i * step);
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

/* Heads are whole vectors for 1, 2, ... 16 lanes, and all of them is turned. */
bool is_supported_in_vectors(const dyno_cuda_rope_job *job)
{
    const dyno_cuda_kv *kv = &job->kv;
    const unsigned lanes = kv->head_dim / (2 * width);
    const size_t kv_bytes = dyno_cuda_kv_bytes(kv->element);

    return kv->head_dim % (2 * width) == 0 && (lanes & (lanes - 1)) == 0 &&
           2 * job->pairs == kv->head_dim && is_aligned(job->table, 0) &&
           is_aligned(job->query, job->query_stride * 2) &&
           is_aligned(job->key, job->kv_stride * 2) && is_aligned(job->value, 0) &&
           is_aligned(job->query_norm, 0) && is_aligned(job->key_norm, 0) &&
           is_aligned(kv->keys, kv->block_stride * kv_bytes) && is_aligned(kv->values, 0);
}

unsigned log2_of(unsigned power)
{
    unsigned shift = 0;

    while (power >> shift > 1) {
        shift++;
    }
    return shift;
}

vector_job vector_job_of(const dyno_cuda_rope_job *job)
{
    const dyno_cuda_kv &kv = job->kv;
    bool is_power = (kv.block_tokens & (kv.block_tokens - 1)) == 0;

    return {*job, log2_of(kv.head_dim / (2 * width)),
            is_power ? log2_of(kv.block_tokens) : no_shift, 1.0F / kv.key_scale,
            1.0F / kv.value_scale};
}

template <class T, class K, bool normed>
void launch_vector(const vector_job &all, dim3 grid, cudaStream_t stream)
{
    if (all.job.adjacent) {
        DYNO_LAUNCH_AFTER((rope_vector<T, K, true, normed>), grid, vector_threads, 0, stream, all);
    } else {
        DYNO_LAUNCH_AFTER((rope_vector<T, K, false, normed>), grid, vector_threads, 0, stream, all);
    }
}

template <class T, class K>
void launch_kind(const dyno_cuda_rope_job *job, bool in_vectors, cudaStream_t stream)
{
    const unsigned heads = job->heads + 2 * job->kv.kv_heads;
    const unsigned lanes = job->kv.head_dim / (2 * width);

    if (!in_vectors) {
        dim3 grid(job->tokens, divide_up(heads, block_warps));

        DYNO_LAUNCH_AFTER((rope_plain<T, K>), grid, block_warps * warp_lanes, 0, stream, *job);
    } else {
        dim3 grid(job->tokens, divide_up(heads * lanes, vector_threads * heads_at_once));
        vector_job all = vector_job_of(job);

        if (job->query_norm || job->key_norm) {
            launch_vector<T, K, true>(all, grid, stream);
        } else {
            launch_vector<T, K, false>(all, grid, stream);
        }
    }
}

template <class T>
void launch_element(const dyno_cuda_rope_job *job, bool in_vectors, cudaStream_t stream)
{
    switch (job->kv.element) {
    case DYNO_CUDA_KV_F16:
        launch_kind<T, f16>(job, in_vectors, stream);
        break;
    case DYNO_CUDA_KV_BF16:
        launch_kind<T, bf16>(job, in_vectors, stream);
        break;
    case DYNO_CUDA_KV_E4M3:
        launch_kind<T, e4m3>(job, in_vectors, stream);
        break;
    }
}

int launch(const dyno_cuda_rope_job *job, bool in_vectors, cudaStream_t stream)
{
    if (job->tokens == 0) {
        return 0;
    }
    if (job->element == DYNO_ELEMENT_F16) {
        launch_element<f16>(job, in_vectors, stream);
    } else {
        launch_element<bf16>(job, in_vectors, stream);
    }
    return DYNO_CUDA_CHECK(cudaGetLastError());
}

} /* namespace */

int dyno_cuda_rope_plain(const struct dyno_cuda_rope_job *job, dyno_cuda_stream stream)
{
    return is_supported(job) ? launch(job, false, stream) : DYNO_CUDA_REFUSED;
}

int dyno_cuda_rope_vector(const struct dyno_cuda_rope_job *job, dyno_cuda_stream stream)
{
    return is_supported(job) && is_supported_in_vectors(job) ? launch(job, true, stream)
                                                             : DYNO_CUDA_REFUSED;
}

int dyno_cuda_rope(const struct dyno_cuda_rope_job *job, dyno_cuda_stream stream)
{
    return is_supported(job) ? launch(job, is_supported_in_vectors(job), stream)
                             : DYNO_CUDA_REFUSED;
}
