/* Pieces of contexts put together: what attention_decode leaves in scratch becomes rows of the
 * result.  Launched so that it may start before that has ended. */
#ifndef DYNO_KERNELS_CUDA_ATTENTION_DECODE_JOIN_CUH
#define DYNO_KERNELS_CUDA_ATTENTION_DECODE_JOIN_CUH

#include "kernels/cuda/attention_decode_tile.cuh"
#include "kernels/cuda/attention_decode_work.cuh"

namespace dyno
{

constexpr unsigned join_threads = 256;

/* What is added up of some tokens, and of others: relative to the larger base, and rounded in
 * one way wherever it is inlined. */
__device__ __forceinline__ void add_part(part added, const vector_of<float> &its_total, part *state,
                                         vector_of<float> *total)
{
    float largest = fmaxf(state->base, added.base);
    float kept = state->sum > 0.0F ? power_of_two(state->base - largest) : 0.0F;
    float its_kept = added.sum > 0.0F ? power_of_two(added.base - largest) : 0.0F;

    state->base = largest;
    state->sum = fmaf(added.sum, its_kept, state->sum * kept);
#pragma unroll
    for (unsigned i = 0; i < total->count; i++) {
        total->at[i] = fmaf(its_total.at[i], its_kept, total->at[i] * kept);
    }
}

/* Of the query and head that `parts` are of, at the dimensions from `at` on. */
template <class T, unsigned head_dim>
__device__ __forceinline__ void write_joined(const decode &decode, unsigned row, unsigned head,
                                             unsigned at, part state, vector_of<float> total)
{
    const dyno_cuda_attention_job &job = decode.job;
    T *to = static_cast<T *>(job.out) + row * job.out_stride + head * head_dim + at;

#pragma unroll
    for (unsigned i = 0; i < total.count; i++) {
        to[i] = of_float<T>(state.sum > 0.0F ? total.at[i] / state.sum * job.kv.value_scale : 0.0F);
    }
}

/* Lanes that have a vector each of a total: a team. */
template <unsigned head_dim> constexpr unsigned team_lanes = head_dim / vector_of<float>::count;
template <unsigned head_dim> constexpr unsigned teams = join_threads / team_lanes<head_dim>;

/* The pieces of one query and head, a block each: a team has every teams-th piece, and then the
 * teams' are joined in order.  Grid: heads, slices. */
template <class T, unsigned head_dim>
__global__ void __launch_bounds__(join_threads) attention_join(decode decode)
{
    __shared__ float totals[teams<head_dim>][head_dim];
    __shared__ part states[teams<head_dim>];
    const parts parts = parts_of(decode, blockIdx.y, blockIdx.x);
    dyno_cuda_attention_slice slice = decode.job.slices[blockIdx.y];
    pieces pieces = pieces_of(decode, slice);
    unsigned team = threadIdx.x / team_lanes<head_dim>;
    unsigned at = threadIdx.x % team_lanes<head_dim> * vector_of<float>::count;
    part state = {-INFINITY, 0.0F};
    vector_of<float> total = {};

    wait_for_launch_before(); /* with nothing to do, too: what follows waits for this one alone */
    if (pieces.end - pieces.begin <= 1) {
        return;
    }
#pragma unroll 4
    for (unsigned p = pieces.begin + team; p < pieces.end; p += teams<head_dim>) {
        add_part(parts.parts[p], load_vector(parts.totals + p * head_dim + at), &state, &total);
    }
    store_vector(&totals[team][at], total);
    if (at == 0) {
        states[team] = state;
    }
    __syncthreads();
    if (team == 0) {
        for (unsigned t = 1; t < teams<head_dim>; t++) {
            add_part(states[t], load_vector(&totals[t][at]), &state, &total);
        }
        write_joined<T, head_dim>(decode, slice.row, blockIdx.x, at, state, total);
    }
}

/* The same, bit for bit, where no sequence has more pieces than a block has teams: a team has a
 * query and head, of which there may be many.  Grid: all of them. */
template <class T, unsigned head_dim>
__global__ void __launch_bounds__(join_threads) attention_join_few(decode decode)
{
    unsigned index = blockIdx.x * teams<head_dim> + threadIdx.x / team_lanes<head_dim>;
    unsigned slice_index = index / decode.job.heads, head = index % decode.job.heads;
    unsigned at = threadIdx.x % team_lanes<head_dim> * vector_of<float>::count;
    const parts parts = parts_of(decode, slice_index, head);
    dyno_cuda_attention_slice slice;
    pieces pieces;
    part state = {-INFINITY, 0.0F};
    vector_of<float> total = {};

    if (slice_index >= decode.job.slice_count) {
        return;
    }
    slice = decode.job.slices[slice_index];
    pieces = pieces_of(decode, slice);
    wait_for_launch_before(); /* as above; of every block some thread comes here */
    if (pieces.end - pieces.begin <= 1) {
        return;
    }
#pragma unroll 4
    for (unsigned p = pieces.begin; p < pieces.end; p++) {
        add_part(parts.parts[p], load_vector(parts.totals + p * head_dim + at), &state, &total);
    }
    write_joined<T, head_dim>(decode, slice.row, head, at, state, total);
}

} /* namespace dyno */

#endif
