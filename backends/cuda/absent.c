/* In the place of the CUDA device in a build without it. */
#include "backends/cuda/device.h"

static dyno_status say(struct dyno_error *error)
{
    return dyno_fail(error, DYNO_UNSUPPORTED,
                     "this build has no CUDA device: configure with 'cmake --preset cuda' where "
                     "the CUDA toolkit is installed");
}

dyno_status dyno_cuda_device_blocks(uint32_t *out, const struct dyno_cuda_config *config,
                                    struct dyno_error *error)
{
    (void)out;
    (void)config;
    return say(error);
}

dyno_status dyno_cuda_device_open(struct dyno_device **out, const struct dyno_cuda_config *config,
                                  struct dyno_error *error)
{
    (void)out;
    (void)config;
    return say(error);
}
