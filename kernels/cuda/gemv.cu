/* A matrix and few activations: a warp has a row, so that its lanes read neighbouring vectors of 8
 * columns, several of them under way; the activations come from the caches. */
#include "kernels/cuda/gemv.h"

#include "kernels/cuda/gemv_parts.cuh"

namespace
{

using namespace dyno;

constexpr unsigned warps = 4, width = gemv_width;

/* 8 weights of a row as floats, by their kind. */
template <class T> struct whole {
    static constexpr unsigned bytes = 16;
    template <class> using scale = T;

    static __device__ __forceinline__ void read(const uint4 &words, float, float *to)
    {
        union {
            uint4 words;
            vector_of<T> vector;
        } both = {words};

#pragma unroll
        for (unsigned i = 0; i < width; i++) {
            to[i] = to_float(both.vector.at[i]);
        }
    }
};

struct int8 {
    static constexpr unsigned bytes = 8;
    template <class T> using scale = T;

    static __device__ __forceinline__ void read(const uint2 &words, float scale, float *to)
    {
#pragma unroll
        for (unsigned i = 0; i < width; i++) {
            unsigned word = i < 4 ? words.x : words.y;

            to[i] = scale * static_cast<float>(static_cast<int8_t>(word >> i % 4 * 8 & 255));
        }
    }
};

struct float8 {
    static constexpr unsigned bytes = 8;
    template <class> using scale = float;

    static __device__ __forceinline__ void read_four(unsigned word, float *to)
    {
        uint32_t pairs[2];

        f16_of_e4m3(word, pairs);
#pragma unroll
        for (unsigned i = 0; i < 4; i++) {
            to[i] = to_float(f16{static_cast<uint16_t>(pairs[i / 2] >> i % 2 * 16)});
        }
    }

    static __device__ __forceinline__ void read(const uint2 &words, float scale, float *to)
    {
        read_four(words.x, to);
        read_four(words.y, to + 4);
#pragma unroll
        for (unsigned i = 0; i < width; i++) {
            to[i] *= scale;
        }
    }
};

struct int4_pair {
    static constexpr unsigned bytes = 4;
    template <class T> using scale = T;

    static __device__ __forceinline__ void read(unsigned word, float scale, float *to)
    {
#pragma unroll
        for (unsigned i = 0; i < width; i++) {
            to[i] = scale * static_cast<float>(static_cast<int>(word >> i * 4 & 15) - 8);
        }
    }
};

/* What a lane holds of 8 weights. */
template <unsigned bytes> struct word_of;
template <> struct word_of<16> {
    using type = uint4;
};
template <> struct word_of<8> {
    using type = uint2;
};
template <> struct word_of<4> {
    using type = unsigned;
};

template <class T, class W>
__device__ __forceinline__ float scale_at(const dyno_cuda_gemv_job &job, unsigned row, unsigned k)
{
    if (W::bytes == 16) {
        return 1.0F;
    }
    return to_float(static_cast<const typename W::template scale<T> *>(
        job.scales)[static_cast<size_t>(row) * (job.columns / job.group) + k / job.group]);
}

template <class T, class W, unsigned n>
__global__ void __launch_bounds__(warps *warp_lanes) gemv(dyno_cuda_gemv_job job)
{
    using word = typename word_of<W::bytes>::type;
    unsigned row = blockIdx.x * warps + warp_index();
    const word *weights =
        static_cast<const word *>(job.weights) + static_cast<size_t>(row) * (job.columns / width);
    float sum[n] = {};

    if (row >= job.rows) {
        return;
    }
#pragma unroll(n > 2 ? 1 : 2)
    for (unsigned v = lane_index(); v < job.columns / width; v += warp_lanes) {
        float weight[width];

        W::read(weights[v], scale_at<T, W>(job, row, v * width), weight);
#pragma unroll
        for (unsigned i = 0; i < n; i++) {
            vector_of<T> x =
                load_vector(static_cast<const T *>(job.x) + i * job.x_stride + v * width);

#pragma unroll
            for (unsigned k = 0; k < width; k++) {
                sum[i] += weight[k] * to_float(x.at[k]);
            }
        }
    }
#pragma unroll
    for (unsigned i = 0; i < n; i++) {
        float total = lanes_sum(sum[i]);
        size_t at = i * job.y_stride + row;

        if (lane_index() == 0) {
            gemv_finish<T>(job, total, row, at);
        }
    }
}

template <class T, class W, unsigned n>
void launch(const dyno_cuda_gemv_job &job, cudaStream_t stream)
{
    DYNO_LAUNCH((gemv<T, W, n>), divide_up(job.rows, warps), warps * warp_lanes, 0, stream, job);
}

/* Activations [first, first + n) of a job. */
dyno_cuda_gemv_job part_of(const dyno_cuda_gemv_job *job, unsigned first)
{
    constexpr size_t bytes = 2;
    dyno_cuda_gemv_job part = *job;

    part.x = static_cast<const char *>(job->x) + first * job->x_stride * bytes;
    part.y = static_cast<char *>(job->y) +
             first * job->y_stride * (job->y_is_float ? sizeof(float) : bytes);
    if (job->residual) {
        part.residual = static_cast<const char *>(job->residual) + first * job->y_stride * bytes;
    }
    return part;
}

/* 1, 2, 4 or 8 activations at a time; the sums are the same. */
template <class T, class W> void launch_all(const dyno_cuda_gemv_job *job, cudaStream_t stream)
{
    unsigned first = 0;

    for (; first + 8 <= job->n; first += 8) {
        launch<T, W, 8>(part_of(job, first), stream);
    }
    if (job->n & 4) {
        launch<T, W, 4>(part_of(job, first), stream);
        first += 4;
    }
    if (job->n & 2) {
        launch<T, W, 2>(part_of(job, first), stream);
        first += 2;
    }
    if (job->n & 1) {
        launch<T, W, 1>(part_of(job, first), stream);
    }
}

template <class T> void launch_kind(const dyno_cuda_gemv_job *job, cudaStream_t stream)
{
    switch (job->kind) {
    case DYNO_CUDA_WEIGHTS_16:
        launch_all<T, whole<T>>(job, stream);
        break;
    case DYNO_CUDA_WEIGHTS_INT8:
        launch_all<T, int8>(job, stream);
        break;
    case DYNO_CUDA_WEIGHTS_INT4:
        launch_all<T, int4_pair>(job, stream);
        break;
    case DYNO_CUDA_WEIGHTS_E4M3:
        launch_all<T, float8>(job, stream);
        break;
    }
}

} /* namespace */

int dyno_cuda_gemv_plain(const struct dyno_cuda_gemv_job *job, dyno_cuda_stream stream)
{
    if (!gemv_is_supported(job)) {
        return DYNO_CUDA_REFUSED;
    }
    if (job->n == 0 || job->rows == 0) {
        return 0;
    }
    if (job->element == DYNO_ELEMENT_F16) {
        launch_kind<f16>(job, stream);
    } else {
        launch_kind<bf16>(job, stream);
    }
    return DYNO_CUDA_CHECK(cudaGetLastError());
}
