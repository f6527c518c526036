#include "sim/gpu.h"

#include "sim/answers.h"

static void cost(const void *timing, const struct dyno_pass *pass, struct dyno_pass_cost *out)
{
    dyno_timing_cost(timing, pass, out);
}

dyno_status dyno_sim_gpu_open(struct dyno_device **out, uint32_t worker_count,
                              const struct dyno_timing *timing, struct dyno_answers *answers)
{
    return dyno_paced_device_open(out, &(struct dyno_paced_config){
                                           .name = "sim",
                                           .help = "simulated GPUs",
                                           .worker_count = worker_count,
                                           .cost = cost,
                                           .cost_context = timing,
                                           .answer = dyno_answers_get,
                                           .answer_context = answers,
                                       });
}
