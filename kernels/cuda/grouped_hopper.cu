/* Experts' products on Hopper: a block has a tile of 128 places and 256 rows.  One warp fetches
 * 64 columns of x and of the weights at a time, by TMA, into a ring of stages; two warp groups
 * multiply 64 places each by wgmma, and give a stage back when all that read it is done.
 *
 * Past the last row and column TMA writes zeros.  Past an expert's last place lie places of the
 * next, which are multiplied with the wrong matrix, and not written. */
#include "kernels/cuda/grouped_parts.cuh"
#include "kernels/cuda/hopper.cuh"
#include "kernels/cuda/hopper_host.cuh"

#if defined(__CUDA_ARCH__) && !defined(__CUDA_ARCH_FEAT_SM90_ALL)
#pragma nv_diag_suppress 177 /* nothing of it is used for other architectures */
#endif

namespace
{

using namespace dyno;

constexpr unsigned groups = 2, group_places = 64, tile_places = groups * group_places;
constexpr unsigned half_rows = 128, halves = 2, tile_rows = halves * half_rows;
constexpr unsigned panels = 1, stages = 4, columns = DYNO_PANEL_COLUMNS,
                   steps_of_stage = columns / 16;
constexpr unsigned threads = groups * group_threads + warp_lanes;
constexpr unsigned dimensions = 5; /* of a map: hopper.cuh's fetch_box */
constexpr unsigned warps_of_groups = groups * group_threads / warp_lanes;

template <class T> struct __align__(DYNO_PANEL_ATOM_BYTES) storage
{
    T x[stages][tile_places * columns];
    T weights[stages][tile_rows * columns];
    uint64_t full[stages], free[stages];
};

/* Where one is in the ring. */
struct ring {
    unsigned stage = 0, parity = 0;

    __device__ __forceinline__ void step()
    {
        stage = (stage + 1) % stages;
        parity ^= stage == 0;
    }
};

template <class T>
__device__ void fetch(const CUtensorMap *x, const CUtensorMap *weights, const grouped_tile &at,
                      unsigned columns_of_job, storage<T> *to)
{
    ring ring;

    for (unsigned column = 0; column < columns_of_job; column += columns) {
        barrier_wait(&to->free[ring.stage], ring.parity ^ 1); /* the first round is free */
        barrier_expect(&to->full[ring.stage], sizeof to->x[0] + sizeof to->weights[0]);
        fetch_box(x, to->x[ring.stage], &to->full[ring.stage], {column, at.first_place, 0, 0, 0});
        fetch_box(weights, to->weights[ring.stage], &to->full[ring.stage],
                  {column, at.first_row, at.expert, 0, 0});
        ring.step();
    }
}

struct sums {
    float half[halves][64];
};

template <class T>
__device__ __forceinline__ void begin_stage(const storage<T> &from, unsigned stage, unsigned group,
                                            bool add, sums *sum)
{
    unsigned x = shared_address(from.x[stage]) + group * group_places * DYNO_PANEL_ROW_BYTES;
    unsigned weights = shared_address(from.weights[stage]);

    registers_fence(sum->half[0]);
    registers_fence(sum->half[1]);
    products_begin();
#pragma unroll
    for (unsigned step = 0; step < steps_of_stage; step++) {
#pragma unroll
        for (unsigned half = 0; half < halves; half++) {
            multiply_shared(
                T(), sum->half[half], dyno_wgmma_rows(x, panels, step),
                dyno_wgmma_rows(weights + half * half_rows * DYNO_PANEL_ROW_BYTES, panels, step),
                add || step > 0);
        }
    }
    products_commit();
}

/* A stage's products are waited for when the next one's have begun. */
template <class T>
__device__ __forceinline__ void multiply(storage<T> *from, unsigned stage_count, unsigned group,
                                         sums *sum)
{
    ring now;
    unsigned before = 0;

    for (unsigned i = 0; i < stage_count; i++) {
        barrier_wait(&from->full[now.stage], now.parity);
        begin_stage(*from, now.stage, group, i > 0, sum);
        products_wait<1>();
        if (i > 0 && lane_index() == 0) {
            barrier_arrive(&from->free[before]);
        }
        before = now.stage;
        now.step();
    }
    products_wait<0>();
    registers_fence(sum->half[0]);
    registers_fence(sum->half[1]);
}

/* A group without places keeps pace. */
template <class T> __device__ __forceinline__ void skip(storage<T> *from, unsigned stage_count)
{
    ring now;

    for (unsigned i = 0; i < stage_count; i++) {
        barrier_wait(&from->full[now.stage], now.parity);
        if (lane_index() == 0) {
            barrier_arrive(&from->free[now.stage]);
        }
        now.step();
    }
}

template <class T>
__device__ __forceinline__ void write(const dyno_cuda_grouped_job &job, const grouped_tile &at,
                                      unsigned group, const sums &sum)
{
    unsigned place = group * group_places + warp_index() % 4 * 16 + lane_index() / 4;
    unsigned row = at.first_row + lane_index() % 4 * 2;

#pragma unroll
    for (unsigned lower = 0; lower < 2; lower++) {
        T *y = static_cast<T *>(job.y) + (at.first_place + place + lower * 8) * job.y_stride + row;

        if (place + lower * 8 >= at.places) {
            continue;
        }
#pragma unroll
        for (unsigned j = 0; j < tile_rows / 8; j++) {
            const float *pair = &sum.half[j / 16][j % 16 * 4 + lower * 2];

            if (row + j * 8 < job.rows) {
                *reinterpret_cast<uint32_t *>(y + j * 8) = pack_pair<T>(pair[0], pair[1]);
            }
        }
    }
}

template <class T> __device__ __forceinline__ void set_barriers(storage<T> *held)
{
    for (unsigned stage = 0; stage < stages; stage++) {
        barrier_init(&held->full[stage], 1);
        barrier_init(&held->free[stage], warps_of_groups);
    }
    barriers_are_set();
}

template <class T>
__global__ void __launch_bounds__(threads, 1)
    grouped_hopper(const __grid_constant__ dyno_cuda_grouped_job job,
                   const __grid_constant__ CUtensorMap x,
                   const __grid_constant__ CUtensorMap weights)
{
#if defined(__CUDA_ARCH_FEAT_SM90_ALL) || !defined(__CUDACC__)
    DYNO_DYNAMIC_SHARED(dynamic);
    auto *held = reinterpret_cast<storage<T> *>(
        dynamic + (-shared_address(dynamic) & (DYNO_PANEL_ATOM_BYTES - 1)));
    unsigned group = __shfl_sync(all_lanes, threadIdx.x / group_threads, 0);
    unsigned stage_count = divide_up(job.columns, columns);
    grouped_tile at = find_tile(job, tile_places, tile_rows);

    if (at.places == 0) {
        return;
    }
    if (threadIdx.x == 0) {
        map_prefetch(&x);
        map_prefetch(&weights);
        set_barriers(held);
    }
    __syncthreads();
    if (group == groups) {
        if (lane_index() == 0) {
            fetch(&x, &weights, at, job.columns, held);
        }
    } else if (group * group_places < at.places) {
        sums sum;

        multiply(held, stage_count, group, &sum);
        write<T>(job, at, group, sum);
    } else {
        skip(held, stage_count);
    }
#endif
}

/* [count][rows][columns] with a stride between rows, and boxes of box_rows rows. */
bool make_map(dyno_element element, const void *array, const cuuint64_t (&size)[dimensions],
              uint64_t row_stride, unsigned box_rows, CUtensorMap *map)
{
    static const auto encode = map_encoder();
    const cuuint64_t matrix = 2 * row_stride * size[1], all = matrix * size[2];
    const cuuint64_t stride[dimensions - 1] = {2 * row_stride, matrix, all, all};
    const cuuint32_t box[dimensions] = {columns, box_rows, 1, 1, 1};
    const cuuint32_t step[dimensions] = {1, 1, 1, 1, 1};
    auto type = element == DYNO_ELEMENT_F16 ? CU_TENSOR_MAP_DATA_TYPE_FLOAT16
                                            : CU_TENSOR_MAP_DATA_TYPE_BFLOAT16;

    return encode && encode(map, type, dimensions, const_cast<void *>(array), size, stride, box,
                            step, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                            CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                            CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) == CUDA_SUCCESS;
}

template <class T>
int launch(const dyno_cuda_grouped_job *job, const CUtensorMap *x, const CUtensorMap *weights,
           cudaStream_t stream)
{
    constexpr int bytes = sizeof(storage<T>) + DYNO_PANEL_ATOM_BYTES;
    unsigned blocks = grouped_tiles(*job, tile_places) * divide_up(job->rows, tile_rows);

    if (DYNO_CUDA_CHECK(cudaFuncSetAttribute(grouped_hopper<T>,
                                             cudaFuncAttributeMaxDynamicSharedMemorySize, bytes))) {
        return DYNO_CUDA_FAILED;
    }
    DYNO_LAUNCH(grouped_hopper<T>, blocks, threads, bytes, stream, *job, *x, *weights);
    return DYNO_CUDA_CHECK(cudaGetLastError());
}

} /* namespace */

int dyno_cuda_grouped_wgmma(const struct dyno_cuda_grouped_job *job, dyno_cuda_stream stream)
{
    static const bool is_here = hopper_processors() > 0;
    CUtensorMap x, weights;

    if (!is_here || !grouped_is_supported(job) || job->kind != DYNO_CUDA_WEIGHTS_16) {
        return DYNO_CUDA_REFUSED;
    }
    if (job->slots == 0 || job->rows == 0) {
        return 0;
    }
    if (!make_map(job->element, job->x, {job->columns, job->slots, 1, 1, 1}, job->x_stride,
                  tile_places, &x) ||
        !make_map(job->element, job->weights, {job->columns, job->rows, job->experts, 1, 1},
                  job->columns, tile_rows, &weights)) {
        return DYNO_CUDA_REFUSED;
    }
    return job->element == DYNO_ELEMENT_F16 ? launch<f16>(job, &x, &weights, stream)
                                            : launch<bf16>(job, &x, &weights, stream);
}

int dyno_cuda_grouped(const struct dyno_cuda_grouped_job *job, dyno_cuda_stream stream)
{
    constexpr unsigned many = 32; /* places of an expert, as measured on an H200 */
    int status = DYNO_CUDA_REFUSED;

    if (job->experts > 0 && job->slots / job->experts >= many) {
        status = dyno_cuda_grouped_wgmma(job, stream);
    }
    return status == DYNO_CUDA_REFUSED ? dyno_cuda_grouped_mma(job, stream) : status;
}
