/* A thread has 8 columns of a row: it reads 8 bytes and writes 16. */
#include "kernels/cuda/widen.h"

#include "kernels/cuda/eight_bits.cuh"

namespace
{

using namespace dyno;

constexpr unsigned threads = 256, width = gemv_width;
constexpr uint64_t vectors_max = (uint64_t{1} << 31) * threads; /* of a launch */

template <class T, class W>
__global__ void __launch_bounds__(threads) widen(dyno_cuda_widen_job job, uint64_t vectors)
{
    uint64_t index = static_cast<uint64_t>(blockIdx.x) * threads + threadIdx.x;
    unsigned row_vectors = job.columns / width, groups = job.columns / job.group;
    uint2 words;
    float scale;

    if (index >= vectors) {
        return;
    }
    words = static_cast<const uint2 *>(job.weights)[index];
    scale = to_float(static_cast<const typename W::template scale<T> *>(
        job.scales)[index / row_vectors * groups + index % row_vectors * width / job.group]);
    store_vector(static_cast<T *>(job.out) + index * width, widened<T, W>(words, scale));
}

template <class T>
void launch(const dyno_cuda_widen_job &job, uint64_t vectors, cudaStream_t stream)
{
    unsigned blocks = static_cast<unsigned>(divide_up<uint64_t>(vectors, threads));

    if (job.kind == DYNO_CUDA_WEIGHTS_INT8) {
        DYNO_LAUNCH((widen<T, integers>), blocks, threads, 0, stream, job, vectors);
    } else {
        DYNO_LAUNCH((widen<T, floats>), blocks, threads, 0, stream, job, vectors);
    }
}

} /* namespace */

int dyno_cuda_widen(const struct dyno_cuda_widen_job *job, dyno_cuda_stream stream)
{
    uint64_t vectors = static_cast<uint64_t>(job->rows) * (job->columns / width);

    if ((job->element != DYNO_ELEMENT_F16 && job->element != DYNO_ELEMENT_BF16) ||
        (job->kind != DYNO_CUDA_WEIGHTS_INT8 && job->kind != DYNO_CUDA_WEIGHTS_E4M3) ||
        job->columns < width || job->columns % width != 0 || job->group < width ||
        job->group % width != 0 || job->columns % job->group != 0 || !job->weights ||
        !job->scales || !job->out || reinterpret_cast<uintptr_t>(job->weights) % width != 0 ||
        !is_aligned(job->out, 0) || vectors >= vectors_max) {
        return DYNO_CUDA_REFUSED;
    }
    if (vectors == 0) {
        return 0;
    }
    if (job->element == DYNO_ELEMENT_F16) {
        launch<f16>(*job, vectors, stream);
    } else {
        launch<bf16>(*job, vectors, stream);
    }
    return DYNO_CUDA_CHECK(cudaGetLastError());
}
