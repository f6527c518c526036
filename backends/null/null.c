#include "backends/null/null.h"

/* The step time travels as the cost's context: the device has no other state of its own. */
static void constant(const void *context, const struct dyno_pass *pass, struct dyno_pass_cost *out)
{
    (void)pass;
    out->first = (uint64_t)(uintptr_t)context * DYNO_TICKS_PER_NS;
    out->growth = 0;
    out->steps_max = UINT32_MAX;
}

dyno_status dyno_null_open(struct dyno_device **out, uint32_t worker_count, dyno_ns step_ns,
                           uint32_t (*answer)(void *context, uint64_t id), void *answer_context)
{
    return dyno_paced_device_open(out,
                                  &(struct dyno_paced_config){
                                      .name = "null",
                                      .help = "every step takes the same time, nothing is computed",
                                      .worker_count = worker_count,
                                      .cost = constant,
                                      .cost_context = (const void *)(uintptr_t)step_ns,
                                      .answer = answer,
                                      .answer_context = answer_context,
                                  });
}
