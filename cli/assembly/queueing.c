#include "cli/assembly/queueing.h"

struct dyno_dispatch_busy dyno_queueing_busy(const struct dyno_scenario *scenario,
                                             uint32_t worker_blocks)
{
    struct dyno_dispatch_busy busy = {.inflight = scenario->queue.busy_inflight,
                                      .prefill_tokens = scenario->queue.busy_prefill_tokens};

    if (scenario->queue.busy_kv > 0.0) {
        busy.blocks = (uint64_t)(scenario->queue.busy_kv * worker_blocks);
        busy.blocks += busy.blocks == 0;
    }
    return busy;
}

struct dyno_lobby_config dyno_queueing_lobby(const struct dyno_scenario *scenario)
{
    struct dyno_lobby_config config = {
        .admit = {.policy = dyno_admit_find(scenario->queue.policy),
                  .quantum = scenario->queue.quantum},
        .wait_ns = scenario->queue.timeout_ns,
        .count_max = scenario->queue.count_max,
        .tokens_max = scenario->queue.tokens_max,
        .output_cost = scenario->queue.output_cost,
    };

    (void)dyno_admit_classes_parse(&config.admit.classes, scenario->queue.classes, NULL);
    return config;
}

void dyno_queueing_report(const struct dyno_scenario *scenario, const struct dyno_loop *loop,
                          uint32_t models, struct dyno_queue_report *out)
{
    *out = (struct dyno_queue_report){.policy = scenario->queue.policy};
    for (uint32_t i = 0; i < models; i++) {
        const struct dyno_lobby_totals *totals = dyno_loop_lobby(loop, i);

        out->waited += totals->waited;
        if (totals->count_peak > out->requests_peak) {
            out->requests_peak = totals->count_peak;
        }
        if (totals->tokens_peak > out->tokens_peak) {
            out->tokens_peak = totals->tokens_peak;
        }
    }
}
