/* What a block may do wrong with barriers that count, boxes, products, and the fences between. */
#include "kernels/half.h"
#include "tests/cuda_emulation/self_test.h"

namespace self_test
{

namespace
{

enum hopper_mistake {
    nothing,
    nobody_arrives,
    too_many_arrive,
    box_forgotten,
    product_forgotten,
    odd_box,
    barrier_unknown,
    box_over_words,
    product_of_words,
    product_unfenced
};

/* One warp's product of zeros with zeros, 8 rows of which a thread each wrote one. */
__device__ void multiply_words(unsigned char *dynamic, bool fences)
{
    const uint64_t at = 1ULL << 62 | emulation::shared_offset(dynamic) >> 4;
    float sums[64];

    for (unsigned i = 0; i < 512; i++) {
        dynamic[threadIdx.x * 512 + i] = 0;
    }
    if (fences) {
        emulation::fence_async();
    }
    __syncthreads();
    emulation::products_fence();
    emulation::product_begin(
        {sums, 128, nullptr, at, at | 64ULL << 32, false, dyno_half_to_float, 0});
    emulation::products_commit();
    emulation::products_wait(0);
}

__global__ void hopper_wrongly(const __grid_constant__ CUtensorMap map, hopper_mistake mistake)
{
    DYNO_DYNAMIC_SHARED(shared);
    unsigned char *dynamic = shared + (-emulation::shared_offset(shared) & 1023);
    auto *barrier = reinterpret_cast<uint64_t *>(dynamic + 32768);
    const unsigned at[5] = {0, 0, 0, 0, 0};
    float sums[64];

    if (threadIdx.x == 0) {
        emulation::phases_init(barrier, 1);
        if (mistake != barrier_unknown) {
            emulation::phases_are_set();
        }
        dynamic[16] = 1;
        if (mistake == nothing) {
            emulation::fence_async();
        }
    }
    __syncthreads();
    switch (mistake) {
    case nobody_arrives:
        emulation::phases_wait(barrier, 0);
        break;
    case too_many_arrive:
        emulation::phases_arrive(barrier, 16);
        break;
    case nothing:
    case box_over_words:
        if (threadIdx.x == 0) {
            emulation::phases_arrive(barrier, 1024);
            emulation::fetch_box(&map, dynamic, barrier, at);
        }
        emulation::phases_wait(barrier, 0);
        multiply_words(dynamic, true);
        break;
    case box_forgotten:
    case barrier_unknown:
    case odd_box:
        if (threadIdx.x == 0) {
            emulation::fetch_box(&map, dynamic + (mistake == odd_box ? 4096 + 128 : 4096), barrier,
                                 at);
        }
        break;
    case product_of_words:
        multiply_words(dynamic, false);
        break;
    case product_forgotten:
        emulation::products_fence();
        emulation::product_begin({sums, 128, nullptr, 0, 0, false, dyno_half_to_float, 0});
        break;
    case product_unfenced:
        emulation::product_begin({sums, 128, nullptr, 0, 0, false, dyno_half_to_float, 0});
        break;
    }
}

template <hopper_mistake mistake> void hopper_goes_wrong()
{
    const cuuint64_t size[5] = {64, 8, 1, 1, 1}, stride[4] = {128, 1024, 1024, 1024};
    const cuuint32_t box[5] = {64, 8, 1, 1, 1}, step[5] = {1, 1, 1, 1, 1};
    CUtensorMap map;

    if (cuTensorMapEncodeTiled(&map, CU_TENSOR_MAP_DATA_TYPE_FLOAT16, 5, device_of<uint16_t>(512),
                               size, stride, box, step, CU_TENSOR_MAP_INTERLEAVE_NONE,
                               CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                               CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) != CUDA_SUCCESS) {
        abort();
    }
    DYNO_LAUNCH(hopper_wrongly, 1, 32, 33 * 1024, nullptr, map, mistake);
}

} /* namespace */

const mistake hopper_mistakes[] = {
    {"phase that nobody ends", hopper_goes_wrong<nobody_arrives>, "waits for a barrier's phase",
     found_by::both},
    {"too many arrivals", hopper_goes_wrong<too_many_arrive>, "more than 1 arrivals",
     found_by::both},
    {"box not waited for", hopper_goes_wrong<box_forgotten>, "1 boxes on their way",
     found_by::both},
    {"box to an odd place", hopper_goes_wrong<odd_box>, "which is not aligned", found_by::both},
    {"box for an unknown barrier", hopper_goes_wrong<barrier_unknown>, "no fence has made known",
     found_by::both},
    {"box over words without a fence", hopper_goes_wrong<box_over_words>,
     "is written asynchronously, and thread 0", found_by::shadow},
    {"product of words without a fence", hopper_goes_wrong<product_of_words>,
     "is read asynchronously, and thread", found_by::shadow},
    {"product without a fence", hopper_goes_wrong<product_unfenced>, "begins without wgmma.fence",
     found_by::both},
    {"product not waited for", hopper_goes_wrong<product_forgotten>, "products that it did not",
     found_by::both},
    {},
};

void hopper_goes_right()
{
    hopper_goes_wrong<nothing>();
    expect(cudaDeviceSynchronize() == cudaSuccess, "boxes and products that are right are not");
}

} /* namespace self_test */
