/* A block has a tile of y: some places of one expert times tile_rows rows of its matrix.  Which, it
 * finds in the experts' first places; the launch has as many blocks as there can be tiles, and
 * those that are left over end at once.  Tiles of the same weights are neighbours, for the
 * second-level cache.
 *
 * x is A and the weights are B of mma m16n8k16; both come through shared memory, tile_columns
 * columns at a time, several of these stages under way.  Weights of 8 bits go by way of registers,
 * the next ones read while these are multiplied. */
#include "kernels/cuda/grouped.h"

#include "kernels/cuda/eight_bits.cuh"
#include "kernels/cuda/grouped_parts.cuh"
#include "kernels/cuda/mma.cuh"

namespace
{

using namespace dyno;

constexpr unsigned warps = 4, threads = warps * warp_lanes, tile_rows = 128, tile_columns = 64;
constexpr unsigned width = 8, chunks = tile_columns / width; /* vectors of a row of a tile */
constexpr unsigned mma_places = 16, mma_rows = 8, mma_columns = 16;

/* How the warps share out a tile of `places_of` places: warps_of_places of them side by side. */
template <unsigned places_of, unsigned warps_of_places, unsigned stages_of> struct plan {
    static constexpr unsigned places = places_of, stages = stages_of;
    static constexpr unsigned warp_places = places / warps_of_places;
    static constexpr unsigned warp_rows = tile_rows / (warps / warps_of_places);
    static constexpr unsigned place_tiles = warp_places / mma_places;
    static constexpr unsigned row_tiles = warp_rows / mma_rows;
};

template <class T, class P> struct stage {
    T x[P::places * tile_columns];
    T weights[tile_rows * tile_columns];
};

/* Rows of a tile that a thread has a vector of, and which. */
constexpr unsigned rows_at_once = threads / chunks;
__device__ __forceinline__ unsigned row_of(unsigned i)
{
    return i * rows_at_once + threadIdx.x / chunks;
}

/* What a thread copies of x, with what is constant over the columns. */
template <class T, class P> struct source {
    const T *x; /* of the tile's first place */
    uint64_t x_stride;
    unsigned columns, places; /* that there are */

    __device__ __forceinline__ source(const dyno_cuda_grouped_job &job, const grouped_tile &at)
        : x(static_cast<const T *>(job.x) + at.first_place * job.x_stride), x_stride(job.x_stride),
          columns(job.columns), places(at.places)
    {
    }

    /* Columns [first, first + tile_columns): what is not there becomes zeros. */
    __device__ __forceinline__ void fetch(unsigned first, stage<T, P> *to) const
    {
        unsigned chunk = threadIdx.x % chunks, column = first + chunk * width;

#pragma unroll
        for (unsigned i = 0; i < P::places / rows_at_once; i++) {
            bool seen = row_of(i) < places && column < columns;

            copy_async(tile_chunk<chunks>(to->x, row_of(i), chunk),
                       seen ? x + row_of(i) * x_stride + column : x, seen);
        }
    }
};

/* And of the weights: of 16 bits they go to shared memory by themselves. */
template <class T> struct of_16_bits {
    const T *weights; /* of the tile's first row */
    unsigned columns, rows;

    __device__ __forceinline__ of_16_bits(const dyno_cuda_grouped_job &job, const grouped_tile &at)
        : weights(static_cast<const T *>(job.weights) +
                  (static_cast<size_t>(at.expert) * job.rows + at.first_row) * job.columns),
          columns(job.columns), rows(smaller(job.rows - at.first_row, tile_rows))
    {
    }

    template <class P> __device__ __forceinline__ void begin(unsigned first, stage<T, P> *to) const
    {
        unsigned chunk = threadIdx.x % chunks, column = first + chunk * width;

#pragma unroll
        for (unsigned i = 0; i < tile_rows / rows_at_once; i++) {
            bool seen = row_of(i) < rows && column < columns;

            copy_async(tile_chunk<chunks>(to->weights, row_of(i), chunk),
                       seen ? weights + static_cast<size_t>(row_of(i)) * columns + column : weights,
                       seen);
        }
    }

    template <class P> __device__ __forceinline__ void end(stage<T, P> *) const
    {
    }
};

/* Of 8 bits a thread has them between begin and end, and writes what they become. */
template <class T, class W> struct of_8_bits {
    using scale = typename W::template scale<T>;
    const uint8_t *weights;
    const scale *scales;
    unsigned columns, rows, group;
    uint2 held[tile_rows / rows_at_once];
    float held_scale[tile_rows / rows_at_once];

    __device__ __forceinline__ of_8_bits(const dyno_cuda_grouped_job &job, const grouped_tile &at)
        : columns(job.columns), rows(smaller(job.rows - at.first_row, tile_rows)), group(job.group)
    {
        size_t first = static_cast<size_t>(at.expert) * job.rows + at.first_row;

        weights = static_cast<const uint8_t *>(job.weights) + first * columns;
        scales = static_cast<const scale *>(job.scales) + first * (columns / group);
    }

    template <class P> __device__ __forceinline__ void begin(unsigned first, stage<T, P> *)
    {
        unsigned column = first + threadIdx.x % chunks * width, groups = columns / group;

#pragma unroll
        for (unsigned i = 0; i < tile_rows / rows_at_once; i++) {
            held[i] = make_uint2(0, 0);
            held_scale[i] = 0.0F;
            if (row_of(i) < rows && column < columns) {
                held[i] = *reinterpret_cast<const uint2 *>(
                    weights + static_cast<size_t>(row_of(i)) * columns + column);
                held_scale[i] =
                    to_float(scales[static_cast<size_t>(row_of(i)) * groups + column / group]);
            }
        }
    }

    template <class P> __device__ __forceinline__ void end(stage<T, P> *to) const
    {
#pragma unroll
        for (unsigned i = 0; i < tile_rows / rows_at_once; i++) {
            store_vector(tile_chunk<chunks>(to->weights, row_of(i), threadIdx.x % chunks),
                         widened<T, W>(held[i], held_scale[i]));
        }
    }
};

template <class P> struct sums {
    float at[P::place_tiles][P::row_tiles][4];
};

/* A warp's part of the tile. */
template <class P> __device__ __forceinline__ unsigned warp_place()
{
    return warp_index() % (P::places / P::warp_places) * P::warp_places;
}
template <class P> __device__ __forceinline__ unsigned warp_row()
{
    return warp_index() / (P::places / P::warp_places) * P::warp_rows;
}

template <class T, class P>
__device__ __forceinline__ void multiply(stage<T, P> &from, sums<P> *sum)
{
    unsigned lane = lane_index();

#pragma unroll
    for (unsigned k = 0; k < tile_columns / mma_columns; k++) {
        uint32_t x[P::place_tiles][4], weights[P::row_tiles / 2][4];

#pragma unroll
        for (unsigned i = 0; i < P::place_tiles; i++) {
            load_matrices(x[i],
                          tile_chunk<chunks>(from.x, warp_place<P>() + i * mma_places + lane % 16,
                                             2 * k + lane / 16));
        }
#pragma unroll
        for (unsigned i = 0; i < P::row_tiles / 2; i++) {
            load_matrices(weights[i], tile_chunk<chunks>(from.weights,
                                                         warp_row<P>() + 2 * i * mma_rows +
                                                             lane / 16 * 8 + lane % 8,
                                                         2 * k + lane / 8 % 2));
        }
#pragma unroll
        for (unsigned i = 0; i < P::place_tiles; i++) {
#pragma unroll
            for (unsigned j = 0; j < P::row_tiles; j++) {
                multiply_add(T{}, sum->at[i][j], x[i], weights[j / 2][j % 2 * 2],
                             weights[j / 2][j % 2 * 2 + 1]);
            }
        }
    }
}

template <class T, class P>
__device__ __forceinline__ void write(const dyno_cuda_grouped_job &job, const grouped_tile &at,
                                      const sums<P> &sum)
{
    unsigned g = lane_index() / 4, t = lane_index() % 4;

#pragma unroll
    for (unsigned i = 0; i < P::place_tiles * P::row_tiles * 2; i++) {
        unsigned place_tile = i / 2 / P::row_tiles, row_tile = i / 2 % P::row_tiles, half = i % 2;
        unsigned place = warp_place<P>() + place_tile * mma_places + half * 8 + g;
        unsigned row = at.first_row + warp_row<P>() + row_tile * mma_rows + 2 * t;
        const float *pair = &sum.at[place_tile][row_tile][2 * half];

        if (place < at.places && row < job.rows) {
            *reinterpret_cast<uint32_t *>(static_cast<T *>(job.y) +
                                          (at.first_place + place) * job.y_stride + row) =
                pack_pair<T>(pair[0], pair[1]);
        }
    }
}

template <class T, class P, class W>
__global__ void __launch_bounds__(threads, 2) grouped(dyno_cuda_grouped_job job)
{
    DYNO_DYNAMIC_SHARED(shared);
    auto *stages = reinterpret_cast<stage<T, P> *>(shared);
    unsigned steps = divide_up(job.columns, tile_columns);
    grouped_tile at = find_tile(job, P::places, tile_rows);
    sums<P> sum = {};

    if (at.places == 0) {
        return;
    }
    source<T, P> from(job, at);
    W weights(job, at);
    bool has_work = warp_place<P>() < at.places;

    for (unsigned step = 0; step < P::stages - 1; step++) {
        if (step < steps) {
            from.fetch(step * tile_columns, &stages[step]);
            weights.begin(step * tile_columns, &stages[step]);
            weights.end(&stages[step]);
        }
        copies_commit();
    }
    for (unsigned step = 0; step < steps; step++) {
        unsigned next = step + P::stages - 1;
        stage<T, P> *filled = &stages[next % P::stages];

        copies_wait<P::stages - 2>();
        __syncthreads(); /* step's stage is there, and nobody uses next's any more */
        if (next < steps) {
            from.fetch(next * tile_columns, filled);
            weights.begin(next * tile_columns, filled);
        }
        copies_commit();
        if (has_work) {
            multiply(stages[step % P::stages], &sum);
        }
        if (next < steps) {
            weights.end(filled);
        }
    }
    copies_wait<0>();
    write<T, P>(job, at, sum);
}

template <class T, class P, class W>
int launch_weights(const dyno_cuda_grouped_job *job, cudaStream_t stream)
{
    constexpr int bytes = sizeof(stage<T, P>) * P::stages;
    unsigned tiles = grouped_tiles(*job, P::places);

    if (DYNO_CUDA_CHECK(cudaFuncSetAttribute(grouped<T, P, W>,
                                             cudaFuncAttributeMaxDynamicSharedMemorySize, bytes))) {
        return DYNO_CUDA_FAILED;
    }
    DYNO_LAUNCH((grouped<T, P, W>), tiles * divide_up(job->rows, tile_rows), threads, bytes, stream,
                *job);
    return DYNO_CUDA_CHECK(cudaGetLastError());
}

template <class T, class P> int launch(const dyno_cuda_grouped_job *job, cudaStream_t stream)
{
    switch (job->kind) {
    case DYNO_CUDA_WEIGHTS_INT8:
        return launch_weights<T, P, of_8_bits<T, integers>>(job, stream);
    case DYNO_CUDA_WEIGHTS_E4M3:
        return launch_weights<T, P, of_8_bits<T, floats>>(job, stream);
    default:
        return launch_weights<T, P, of_16_bits<T>>(job, stream);
    }
}

/* Tiles about as high as an expert has places on average: weights are read once, and products with
 * zeros are few. */
template <class T> int launch_plan(const dyno_cuda_grouped_job *job, cudaStream_t stream)
{
    using few = plan<32, 1, 5>; /* 100 KiB, which not every GPU has (8.6, 8.9) */
    unsigned places = divide_up(job->slots, job->experts);

    if (places <= 8) {
        return launch<T, plan<16, 1, 5>>(job, stream);
    }
    if (places <= 24 && block_can_share(sizeof(stage<T, few>) * few::stages)) {
        return launch<T, few>(job, stream);
    }
    if (places <= 96) {
        return launch<T, plan<64, 2, 4>>(job, stream);
    }
    return launch<T, plan<128, 2, 3>>(job, stream);
}

} /* namespace */

int dyno_cuda_grouped_mma(const struct dyno_cuda_grouped_job *job, dyno_cuda_stream stream)
{
    if (!grouped_is_supported(job)) {
        return DYNO_CUDA_REFUSED;
    }
    if (job->slots == 0 || job->rows == 0) {
        return 0;
    }
    return job->element == DYNO_ELEMENT_F16 ? launch_plan<f16>(job, stream)
                                            : launch_plan<bf16>(job, stream);
}
