/* RMSNorm: a plain version, and one with the row in registers. */
#include "kernels/cuda/norm.h"

#include "kernels/cuda/number.cuh"

namespace
{

using namespace dyno;

constexpr unsigned plain_threads = 256, threads_max = 1024, vectors_max = 4;

struct rows {
    const void *x;
    void *residual;
    const void *weight;
    void *out;
    size_t x_stride;
    unsigned columns;
    float epsilon;
};

template <class T> __global__ void __launch_bounds__(plain_threads) norm_plain(rows rows)
{
    __shared__ float partial[plain_threads / warp_lanes];
    size_t row = blockIdx.x;
    const T *x = static_cast<const T *>(rows.x) + row * rows.x_stride;
    T *residual = static_cast<T *>(rows.residual);
    const T *weight = static_cast<const T *>(rows.weight);
    T *out = static_cast<T *>(rows.out) + row * rows.columns;
    float squares = 0.0F, scale;

    let_launch_after_start();
    wait_for_launch_before();
    for (unsigned i = threadIdx.x; i < rows.columns; i += plain_threads) {
        float value = to_float(x[i]);

        if (residual) {
            T sum = of_float<T>(value + to_float(residual[row * rows.columns + i]));

            residual[row * rows.columns + i] = sum;
            value = to_float(sum);
        }
        squares += value * value;
    }
    squares = block_sum(squares, partial);
    scale = rsqrtf(squares / static_cast<float>(rows.columns) + rows.epsilon);
    for (unsigned i = threadIdx.x; i < rows.columns; i += plain_threads) {
        float value = to_float(residual ? residual[row * rows.columns + i] : x[i]);

        out[i] = of_float<T>(value * scale * to_float(weight[i]));
    }
}

template <class T> __device__ float squares_of(const vector_of<T> &vector)
{
    float squares = 0.0F;

#pragma unroll
    for (unsigned i = 0; i < vector_of<T>::count; i++) {
        squares += to_float(vector.at[i]) * to_float(vector.at[i]);
    }
    return squares;
}

template <class T> __device__ vector_of<T> sum_of(const vector_of<T> &a, const vector_of<T> &b)
{
    vector_of<T> sum;

#pragma unroll
    for (unsigned i = 0; i < vector_of<T>::count; i++) {
        sum.at[i] = of_float<T>(to_float(a.at[i]) + to_float(b.at[i]));
    }
    return sum;
}

template <class T>
__device__ vector_of<T> scaled(const vector_of<T> &x, float scale, const vector_of<T> &weight)
{
    vector_of<T> out;

#pragma unroll
    for (unsigned i = 0; i < vector_of<T>::count; i++) {
        out.at[i] = of_float<T>(to_float(x.at[i]) * scale * to_float(weight.at[i]));
    }
    return out;
}

/* Thread t holds the vectors t, t + threads, ... of the row, `vectors` at most. */
template <class T, unsigned vectors>
__global__ void __launch_bounds__(threads_max) norm_vector(rows rows)
{
    __shared__ float partial[threads_max / warp_lanes];
    constexpr unsigned width = vector_of<T>::count;
    size_t row = blockIdx.x;
    const T *x = static_cast<const T *>(rows.x) + row * rows.x_stride;
    T *residual = static_cast<T *>(rows.residual);
    const T *weight = static_cast<const T *>(rows.weight);
    T *out = static_cast<T *>(rows.out) + row * rows.columns;
    vector_of<T> held[vectors];
    float squares = 0.0F, scale;

    let_launch_after_start();
    wait_for_launch_before();
#pragma unroll
    for (unsigned v = 0; v < vectors; v++) {
        unsigned first = (v * blockDim.x + threadIdx.x) * width;

        if (first < rows.columns) {
            held[v] = load_vector(x + first);
            if (residual) {
                held[v] = sum_of(held[v], load_vector(residual + row * rows.columns + first));
                store_vector(residual + row * rows.columns + first, held[v]);
            }
            squares += squares_of(held[v]);
        }
    }
    squares = block_sum(squares, partial);
    scale = rsqrtf(squares / static_cast<float>(rows.columns) + rows.epsilon);
#pragma unroll
    for (unsigned v = 0; v < vectors; v++) {
        unsigned first = (v * blockDim.x + threadIdx.x) * width;

        if (first < rows.columns) {
            store_vector(out + first, scaled(held[v], scale, load_vector(weight + first)));
        }
    }
}

bool is_supported(const dyno_cuda_norm_job *norm)
{
    return (norm->element == DYNO_ELEMENT_F16 || norm->element == DYNO_ELEMENT_BF16) &&
           norm->columns >= 1 && norm->x_stride >= norm->columns && norm->x && norm->weight &&
           norm->out && norm->out != norm->residual &&
           (norm->out != norm->x || norm->x_stride == norm->columns);
}

bool is_supported_in_vectors(const dyno_cuda_norm_job *norm)
{
    constexpr unsigned width = 8;

    return norm->columns % width == 0 && norm->columns <= threads_max * vectors_max * width &&
           is_aligned(norm->x, norm->x_stride * 2) && is_aligned(norm->residual, 0) &&
           is_aligned(norm->weight, 0) && is_aligned(norm->out, 0);
}

rows rows_of(const dyno_cuda_norm_job *norm)
{
    return {norm->x,        norm->residual, norm->weight, norm->out,
            norm->x_stride, norm->columns,  norm->epsilon};
}

template <class T> void launch_vector(const dyno_cuda_norm_job *norm, cudaStream_t stream)
{
    constexpr unsigned width = vector_of<T>::count, threads_liked = 256;
    unsigned held = norm->columns / width; /* vectors of a row */
    unsigned vectors = divide_up(held, threads_liked), threads;

    vectors = vectors > vectors_max ? vectors_max : vectors;
    threads = divide_up(divide_up(held, vectors), warp_lanes) * warp_lanes;
    switch (vectors) {
    case 1:
        DYNO_LAUNCH_AFTER((norm_vector<T, 1>), norm->rows, threads, 0, stream, rows_of(norm));
        break;
    case 2:
        DYNO_LAUNCH_AFTER((norm_vector<T, 2>), norm->rows, threads, 0, stream, rows_of(norm));
        break;
    case 3:
        DYNO_LAUNCH_AFTER((norm_vector<T, 3>), norm->rows, threads, 0, stream, rows_of(norm));
        break;
    default:
        DYNO_LAUNCH_AFTER((norm_vector<T, 4>), norm->rows, threads, 0, stream, rows_of(norm));
    }
}

} /* namespace */

int dyno_cuda_norm_plain(const struct dyno_cuda_norm_job *norm, dyno_cuda_stream stream)
{
    if (!is_supported(norm)) {
        return DYNO_CUDA_REFUSED;
    }
    if (norm->rows == 0) {
        return 0;
    }
    if (norm->element == DYNO_ELEMENT_F16) {
        DYNO_LAUNCH_AFTER(norm_plain<f16>, norm->rows, plain_threads, 0, stream, rows_of(norm));
    } else {
        DYNO_LAUNCH_AFTER(norm_plain<bf16>, norm->rows, plain_threads, 0, stream, rows_of(norm));
    }
    return DYNO_CUDA_CHECK(cudaGetLastError());
}

int dyno_cuda_norm_vector(const struct dyno_cuda_norm_job *norm, dyno_cuda_stream stream)
{
    if (!is_supported(norm) || !is_supported_in_vectors(norm)) {
        return DYNO_CUDA_REFUSED;
    }
    if (norm->rows == 0) {
        return 0;
    }
    if (norm->element == DYNO_ELEMENT_F16) {
        launch_vector<f16>(norm, stream);
    } else {
        launch_vector<bf16>(norm, stream);
    }
    return DYNO_CUDA_CHECK(cudaGetLastError());
}

int dyno_cuda_norm(const struct dyno_cuda_norm_job *norm, dyno_cuda_stream stream)
{
    return is_supported_in_vectors(norm) ? dyno_cuda_norm_vector(norm, stream)
                                         : dyno_cuda_norm_plain(norm, stream);
}
