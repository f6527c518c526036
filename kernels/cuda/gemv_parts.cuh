/* What the small products of gemv.h share. */
#ifndef DYNO_KERNELS_CUDA_GEMV_PARTS_CUH
#define DYNO_KERNELS_CUDA_GEMV_PARTS_CUH

#include "kernels/cuda/gemv.h"
#include "kernels/cuda/number.cuh"

namespace dyno
{

constexpr unsigned gemv_width = 8; /* columns that are read together */

/* A scale that is a float already. */
__device__ __forceinline__ float to_float(float value)
{
    return value;
}

/* A sum becomes element `at` of y. */
template <class T>
__device__ __forceinline__ void gemv_finish(const dyno_cuda_gemv_job &job, float sum, unsigned row,
                                            size_t at)
{
    if (job.bias) {
        sum += to_float(static_cast<const T *>(job.bias)[row]);
    }
    if (job.residual) {
        sum += to_float(static_cast<const T *>(job.residual)[at]);
    }
    if (job.y_is_float) {
        static_cast<float *>(job.y)[at] = sum;
    } else {
        static_cast<T *>(job.y)[at] = of_float<T>(sum);
    }
}

static inline bool gemv_is_supported(const dyno_cuda_gemv_job *job)
{
    bool quantised = job->kind != DYNO_CUDA_WEIGHTS_16;

    return (job->element == DYNO_ELEMENT_F16 || job->element == DYNO_ELEMENT_BF16) &&
           job->kind <= DYNO_CUDA_WEIGHTS_E4M3 && job->n <= DYNO_CUDA_GEMV_MAX &&
           job->columns >= gemv_width && job->columns % gemv_width == 0 && job->weights && job->x &&
           job->y && job->x != job->y && is_aligned(job->weights, 0) &&
           is_aligned(job->x, job->x_stride * 2) && job->x_stride >= job->columns &&
           job->y_stride >= job->rows && !(job->y_is_float && job->residual) &&
           (!quantised || (job->scales && job->group >= gemv_width &&
                           job->group % gemv_width == 0 && job->columns % job->group == 0));
}

} /* namespace dyno */

#endif
