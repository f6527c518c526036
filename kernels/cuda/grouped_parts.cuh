/* What the kernels of grouped.h share: which jobs they take, and which tile is a block's. */
#ifndef DYNO_KERNELS_CUDA_GROUPED_PARTS_CUH
#define DYNO_KERNELS_CUDA_GROUPED_PARTS_CUH

#include "kernels/cuda/grouped.h"
#include "kernels/cuda/moe.h"
#include "kernels/cuda/number.cuh"

namespace dyno
{

__host__ __device__ constexpr unsigned smaller(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

struct grouped_tile {
    unsigned expert, first_place, places, first_row; /* places: 0, there is no such tile */
};

/* The block's tile.  Lanes look at 32 experts at a time: one has ceil(its places / tile_places)
 * tiles for each of row_tiles. */
static __device__ grouped_tile find_tile(const dyno_cuda_grouped_job &job, unsigned tile_places,
                                         unsigned tile_rows)
{
    unsigned row_tiles = divide_up(job.rows, tile_rows);
    unsigned before = 0, wanted = blockIdx.x / row_tiles;

    for (unsigned first = 0; first < job.experts; first += warp_lanes) {
        unsigned expert = first + lane_index();
        unsigned begin = job.expert_first[smaller(expert, job.experts)];
        unsigned end = job.expert_first[smaller(expert + 1, job.experts)];
        unsigned own = divide_up(end - begin, tile_places), up_to = own;

        for (unsigned step = 1; step < warp_lanes; step *= 2) {
            unsigned lower = __shfl_up_sync(all_lanes, up_to, step);

            up_to += lane_index() >= step ? lower : 0;
        }
        up_to += before;
        if (unsigned found = __ballot_sync(all_lanes, up_to > wanted)) {
            unsigned lane = static_cast<unsigned>(__ffs(static_cast<int>(found))) - 1;
            unsigned count = __shfl_sync(all_lanes, own, lane);
            unsigned at = blockIdx.x - (__shfl_sync(all_lanes, up_to, lane) - count) * row_tiles;

            begin = __shfl_sync(all_lanes, begin, lane) + at % count * tile_places;
            end = __shfl_sync(all_lanes, end, lane);
            return {first + lane, begin, smaller(end - begin, tile_places), at / count * tile_rows};
        }
        before = __shfl_sync(all_lanes, up_to, warp_lanes - 1);
    }
    return {};
}

/* How many tiles of so many places there can be: an expert that has places has one tile that may
 * not be full. */
static inline unsigned grouped_tiles(const dyno_cuda_grouped_job &job, unsigned tile_places)
{
    return job.slots / tile_places + smaller(job.slots, job.experts);
}

static inline bool grouped_has_scales(const dyno_cuda_grouped_job *job)
{
    constexpr unsigned width = 8;

    return job->scales && job->group >= width && job->group % width == 0 &&
           job->columns % job->group == 0;
}

static inline bool grouped_is_supported(const dyno_cuda_grouped_job *job)
{
    constexpr uint64_t blocks_max = 1U << 31;
    constexpr unsigned width = 8, places_least = 16, rows_least = 128; /* of tiles */

    return (job->element == DYNO_ELEMENT_F16 || job->element == DYNO_ELEMENT_BF16) &&
           (job->kind == DYNO_CUDA_WEIGHTS_16 ||
            ((job->kind == DYNO_CUDA_WEIGHTS_INT8 || job->kind == DYNO_CUDA_WEIGHTS_E4M3) &&
             grouped_has_scales(job))) &&
           job->experts >= 1 && job->experts <= DYNO_CUDA_EXPERTS_MAX && job->columns >= width &&
           job->columns % width == 0 && job->rows % width == 0 && job->expert_first &&
           job->weights && job->x && job->y && job->x != job->y && job->x_stride >= job->columns &&
           job->y_stride >= job->rows && is_aligned(job->weights, 0) &&
           is_aligned(job->x, job->x_stride * 2) && is_aligned(job->y, job->y_stride * 2) &&
           (uint64_t{job->slots} / places_least + job->experts) *
                   (uint64_t{job->rows} / rows_least + 1) <
               blocks_max;
}

} /* namespace dyno */

#endif
