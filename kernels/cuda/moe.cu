/* Mixtures of experts: a warp a token chooses, a warp an expert finds its slots. */
#include "kernels/cuda/moe.h"

#include "kernels/cuda/number.cuh"

namespace
{

using namespace dyno;

constexpr unsigned warps = 4, threads = 256, width = 8;

/* The largest of all lanes' values, of equal ones that with the lowest id. */
__device__ void best_of_lanes(float *value, unsigned *id)
{
    for (unsigned step = warp_lanes / 2; step > 0; step /= 2) {
        float other = __shfl_xor_sync(all_lanes, *value, step);
        unsigned other_id = __shfl_xor_sync(all_lanes, *id, step);

        if (other > *value || (other == *value && other_id < *id)) {
            *value = other;
            *id = other_id;
        }
    }
}

/* The best of this lane's experts that comes after (value, id) in the order of choice. */
__device__ void next_of_lane(const float *logits, unsigned experts, float after, unsigned after_id,
                             float *value, unsigned *id)
{
    *value = -INFINITY;
    *id = ~0U;
    for (unsigned expert = lane_index(); expert < experts; expert += warp_lanes) {
        float logit = fmaxf(logits[expert], -INFINITY); /* that of a NaN, too */
        bool later = after_id == ~0U || logit < after || (logit == after && expert > after_id);

        if (later && (*id == ~0U || logit > *value)) {
            *value = logit;
            *id = expert;
        }
    }
}

__global__ void __launch_bounds__(warps *warp_lanes) moe_choose(dyno_cuda_moe_job job)
{
    unsigned token = blockIdx.x * warps + warp_index(), id = ~0U;
    const float *logits = job.logits + static_cast<size_t>(token) * job.experts;
    size_t slot = static_cast<size_t>(token) * job.chosen;
    float value = 0.0F, largest = 0.0F, sum = 0.0F;

    if (token >= job.tokens) {
        return;
    }
    for (unsigned choice = 0; choice < job.chosen; choice++) {
        float next;
        unsigned next_id;

        next_of_lane(logits, job.experts, value, id, &next, &next_id);
        best_of_lanes(&next, &next_id);
        value = next;
        id = next_id;
        largest = choice == 0 ? value : largest;
        sum += expf(value - largest);
        if (lane_index() == 0) {
            job.expert[slot + choice] = id;
            job.weight[slot + choice] = expf(value - largest);
        }
    }
    if (!job.normalize) {
        sum = 0.0F;
        for (unsigned expert = lane_index(); expert < job.experts; expert += warp_lanes) {
            sum += expf(logits[expert] - largest);
        }
        sum = lanes_sum(sum);
    }
    if (lane_index() == 0) {
        for (unsigned choice = 0; choice < job.chosen; choice++) {
            job.weight[slot + choice] /= sum;
        }
    }
}

/* A warp an expert: how many slots come before its own, then each of its own. */
__global__ void __launch_bounds__(warps *warp_lanes) moe_order(dyno_cuda_moe_job job)
{
    unsigned expert = blockIdx.x * warps + warp_index();
    unsigned slots = job.tokens * job.chosen, before = 0;

    if (expert > job.experts) {
        return;
    }
    for (unsigned slot = lane_index(); slot < slots; slot += warp_lanes) {
        before += job.expert[slot] < expert;
    }
    before = lanes_sum(before);
    if (lane_index() == 0) {
        job.expert_first[expert] = before;
    }
    for (unsigned first = 0; first < slots; first += warp_lanes) {
        unsigned slot = first + lane_index();
        bool own = slot < slots && job.expert[slot] == expert;
        unsigned votes = __ballot_sync(all_lanes, own);

        if (own) {
            job.place[slot] =
                before + static_cast<unsigned>(__popc(votes & ((1U << lane_index()) - 1)));
        }
        before += static_cast<unsigned>(__popc(votes));
    }
}

__global__ void __launch_bounds__(threads) moe_gather(dyno_cuda_moe_job job, uint64_t vectors)
{
    uint64_t index = static_cast<uint64_t>(blockIdx.x) * threads + threadIdx.x;
    unsigned row_vectors = job.columns / width;
    uint64_t slot = index / row_vectors, at = index % row_vectors;

    if (index < vectors) {
        static_cast<uint4 *>(job.gathered)[job.place[slot] * uint64_t{row_vectors} + at] =
            static_cast<const uint4 *>(job.x)[slot / job.chosen * row_vectors + at];
    }
}

template <class T>
__global__ void __launch_bounds__(threads) moe_combine(dyno_cuda_moe_job job, uint64_t vectors)
{
    uint64_t index = static_cast<uint64_t>(blockIdx.x) * threads + threadIdx.x;
    uint64_t token = index / (job.columns / width), at = index % (job.columns / width) * width;
    float sum[width] = {};
    vector_of<T> vector = {};

    if (index >= vectors) {
        return;
    }
    if (job.residual) {
        vector = load_vector(static_cast<const T *>(job.residual) + index * width);
    }
    for (unsigned choice = 0; choice < job.chosen; choice++) {
        uint64_t slot = token * job.chosen + choice;
        vector_of<T> mixed = load_vector(static_cast<const T *>(job.mixed) +
                                         uint64_t{job.place[slot]} * job.columns + at);

#pragma unroll
        for (unsigned i = 0; i < width; i++) {
            sum[i] += job.weight[slot] * to_float(mixed.at[i]);
        }
    }
#pragma unroll
    for (unsigned i = 0; i < width; i++) {
        vector.at[i] = of_float<T>(sum[i] + (job.residual ? to_float(vector.at[i]) : 0.0F));
    }
    store_vector(static_cast<T *>(job.out) + index * width, vector);
}

/* What all three need. */
bool is_whole(const dyno_cuda_moe_job *job)
{
    constexpr uint64_t slots_max = 1U << 31;

    return job->experts >= 1 && job->experts <= DYNO_CUDA_EXPERTS_MAX && job->chosen >= 1 &&
           job->chosen <= job->experts && job->chosen <= DYNO_CUDA_CHOSEN_MAX &&
           uint64_t{job->tokens} * job->chosen < slots_max && job->place;
}

/* `rows` of them by one launch. */
bool moves_rows(const dyno_cuda_moe_job *job, uint64_t rows)
{
    constexpr uint64_t vectors_max = (uint64_t{1} << 31) * threads;

    return is_whole(job) && job->columns >= width && job->columns % width == 0 &&
           rows * (job->columns / width) < vectors_max &&
           (job->element == DYNO_ELEMENT_F16 || job->element == DYNO_ELEMENT_BF16);
}

unsigned blocks_of(uint64_t vectors)
{
    return static_cast<unsigned>(divide_up<uint64_t>(vectors, threads));
}

} /* namespace */

int dyno_cuda_moe_route(const struct dyno_cuda_moe_job *job, dyno_cuda_stream stream)
{
    if (!is_whole(job) || !job->logits || !job->expert || !job->weight || !job->expert_first) {
        return DYNO_CUDA_REFUSED;
    }
    if (job->tokens > 0) {
        DYNO_LAUNCH(moe_choose, divide_up(job->tokens, warps), warps * warp_lanes, 0, stream, *job);
    }
    DYNO_LAUNCH(moe_order, divide_up(job->experts + 1, warps), warps * warp_lanes, 0, stream, *job);
    return DYNO_CUDA_CHECK(cudaGetLastError());
}

int dyno_cuda_moe_gather(const struct dyno_cuda_moe_job *job, dyno_cuda_stream stream)
{
    uint64_t vectors = uint64_t{job->tokens} * job->chosen * (job->columns / width);

    if (!moves_rows(job, uint64_t{job->tokens} * job->chosen) || !job->x || !job->gathered ||
        !is_aligned(job->x, 0) || !is_aligned(job->gathered, 0)) {
        return DYNO_CUDA_REFUSED;
    }
    if (vectors == 0) {
        return 0;
    }
    DYNO_LAUNCH(moe_gather, blocks_of(vectors), threads, 0, stream, *job, vectors);
    return DYNO_CUDA_CHECK(cudaGetLastError());
}

int dyno_cuda_moe_combine(const struct dyno_cuda_moe_job *job, dyno_cuda_stream stream)
{
    uint64_t vectors = uint64_t{job->tokens} * (job->columns / width);

    if (!moves_rows(job, job->tokens) || !job->mixed || !job->weight || !job->out ||
        job->out == job->mixed || !is_aligned(job->mixed, 0) || !is_aligned(job->out, 0) ||
        !is_aligned(job->residual, 0)) {
        return DYNO_CUDA_REFUSED;
    }
    if (vectors == 0) {
        return 0;
    }
    if (job->element == DYNO_ELEMENT_F16) {
        DYNO_LAUNCH(moe_combine<f16>, blocks_of(vectors), threads, 0, stream, *job, vectors);
    } else {
        DYNO_LAUNCH(moe_combine<bf16>, blocks_of(vectors), threads, 0, stream, *job, vectors);
    }
    return DYNO_CUDA_CHECK(cudaGetLastError());
}
