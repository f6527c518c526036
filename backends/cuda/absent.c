/* In the place of the CUDA device in a build without it. */
#include "backends/cuda/device.h"
#include "backends/cuda/kv_links.h"
#include "backends/cuda/solo.h"

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

dyno_status dyno_cuda_links_open(struct dyno_links **out,
                                 const struct dyno_cuda_links_config *config,
                                 struct dyno_error *error)
{
    (void)out;
    (void)config;
    return say(error);
}

dyno_status dyno_cuda_solo_open(struct dyno_cuda_solo **out, const struct dyno_weights *weights,
                                uint32_t context, uint32_t threads, bool narrow,
                                struct dyno_error *error)
{
    (void)out;
    (void)weights;
    (void)context;
    (void)threads;
    (void)narrow;
    return say(error);
}

void dyno_cuda_solo_close(struct dyno_cuda_solo *solo)
{
    (void)solo; /* NULL: none is ever open */
}

dyno_status dyno_cuda_solo_run(struct dyno_cuda_solo *solo, const uint32_t *tokens, uint32_t first,
                               uint32_t count, const float **logits, struct dyno_error *error)
{
    (void)solo;
    (void)tokens;
    (void)first;
    (void)count;
    (void)logits;
    return say(error);
}
