/* Weights of 8 bits as elements of 16: the same element wherever it is made. */
#ifndef DYNO_KERNELS_CUDA_EIGHT_BITS_CUH
#define DYNO_KERNELS_CUDA_EIGHT_BITS_CUH

#include "kernels/cuda/gemv_parts.cuh"

namespace dyno
{

/* Of a byte its number, and the type of a scale. */
struct integers {
    template <class T> using scale = T;

    static __device__ __forceinline__ float value(unsigned byte)
    {
        return static_cast<float>(static_cast<int8_t>(byte));
    }
};

struct floats {
    template <class> using scale = float;

    static __device__ __forceinline__ float value(unsigned byte)
    {
        return to_float(e4m3{static_cast<uint8_t>(byte)});
    }
};

/* Eight of them, with one scale. */
template <class T, class W>
__device__ __forceinline__ vector_of<T> widened(const uint2 &words, float scale)
{
    vector_of<T> out;

#pragma unroll
    for (unsigned i = 0; i < vector_of<T>::count; i++) {
        unsigned word = i < 4 ? words.x : words.y;

        out.at[i] = of_float<T>(W::value(word >> i % 4 * 8 & 255) * scale);
    }
    return out;
}

} /* namespace dyno */

#endif
