/* The ledger of a leap: which blocks the steps of a decode pass take, and when.
 *
 * Step s takes takers[s mod block_tokens] blocks at the instant it starts; any block_tokens steps in a
 * row take one block for every sequence.  The ledger is lazy: blocks are taken when somebody looks
 * (a router, a sample, the end of the pass), stamped with when they should have been.
 */
#include <assert.h>

#include "core/worker/fleet.h"

static uint32_t takers_at(const struct dyno_local *local, const struct dyno_worker *worker,
                          uint64_t step)
{
    return worker->takers[(worker->step + step) % local->config.worker.block_tokens];
}

uint64_t dyno_ledger_demand(const struct dyno_local *local, const struct dyno_worker *worker,
                            uint32_t from, uint32_t count)
{
    uint32_t size = local->config.worker.block_tokens;
    uint64_t demand = (uint64_t)(count / size) * worker->decode_count;

    for (uint32_t i = 0; i < count % size; i++) {
        demand += takers_at(local, worker, (uint64_t)from + i);
    }
    return demand;
}

uint32_t dyno_ledger_steps(const struct dyno_local *local, const struct dyno_worker *worker,
                           uint32_t steps_max)
{
    uint32_t size = local->config.worker.block_tokens;
    uint64_t left = dyno_kv_available(&worker->cache);
    uint64_t steps = 1 + left / worker->decode_count * size;

    if (steps >= steps_max) {
        return steps_max;
    }
    left %= worker->decode_count;
    for (uint32_t i = 0; i < size && steps < steps_max; i++, steps++) {
        uint32_t need = takers_at(local, worker, steps);

        if (need > left) {
            break;
        }
        left -= need;
    }
    return (uint32_t)steps;
}

void dyno_ledger_take(struct dyno_local *local, struct dyno_worker *worker, uint32_t to,
                      dyno_ns (*boundary)(const void *context, uint32_t step), const void *context)
{
    uint64_t demand;

    if (to <= worker->steps_taken) {
        return;
    }
    demand = dyno_ledger_demand(local, worker, worker->steps_taken, to - worker->steps_taken);
    worker->blocks_held += demand;
    if (demand <= worker->cache.free) {
        dyno_kv_take(&worker->cache, (uint32_t)demand, 0); /* evicts nothing: the time is not used */
        worker->steps_taken = to;
        return;
    }
    for (; worker->steps_taken < to; worker->steps_taken++) {
        uint32_t need = takers_at(local, worker, worker->steps_taken);

        if (need > 0) {
            dyno_kv_take(&worker->cache, need, boundary(context, worker->steps_taken));
        }
    }
}

uint32_t dyno_ledger_next_eviction(const struct dyno_local *local,
                                   const struct dyno_worker *worker)
{
    uint32_t size = local->config.worker.block_tokens;
    uint64_t left = worker->cache.free;
    uint64_t step = worker->steps_taken + left / worker->decode_count * size;

    for (left %= worker->decode_count; step < worker->pass_steps; step++) {
        uint32_t need = takers_at(local, worker, step);

        if (need > left) {
            return (uint32_t)step;
        }
        left -= need;
    }
    return worker->pass_steps;
}
