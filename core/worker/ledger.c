/* The ledger of a leap: which blocks the steps of a decode pass take, and when.
 *
 * Step s takes takers.at[s mod block_tokens] blocks at the instant it starts; any block_tokens
 * steps in a row take one block for every sequence.  The ledger is lazy: blocks are taken when
 * somebody looks (a router, a sample, the end of the pass), stamped with when they should have
 * been.
 */
#include "core/worker/fleet.h"

/* Whether taking a block may evict something that somebody listens for. */
static bool anybody_hears(const struct dyno_local *local, const struct dyno_worker *worker)
{
    return local->kv_listener.changed && worker->cache.idle_named > 0;
}

uint64_t dyno_ledger_demand(const struct dyno_worker *worker, uint32_t from, uint32_t count)
{
    const struct dyno_takers *takers = &worker->takers;
    uint32_t phase = dyno_worker_phase(worker, from);
    uint64_t rounds = 0;

    if (count >= takers->size) {
        rounds = count / takers->size;
        count %= takers->size;
    }
    return rounds * takers->count + dyno_takers_sum(takers, phase, count);
}

uint32_t dyno_ledger_steps(const struct dyno_worker *worker, uint32_t steps_max)
{
    const struct dyno_takers *takers = &worker->takers;
    uint32_t left = dyno_kv_available(&worker->cache);
    uint64_t steps = 1;

    if (left >= takers->count) { /* a few more may fit; where a leap ends changes nothing */
        steps += (uint64_t)(left / takers->count) * takers->size;
    } else if (steps_max > 1) {
        steps += dyno_takers_steps(takers, dyno_worker_phase(worker, 1), left);
    }
    return steps < steps_max ? (uint32_t)steps : steps_max;
}

void dyno_ledger_take(struct dyno_local *local, struct dyno_worker *worker, uint32_t to,
                      dyno_ns (*boundary)(const void *context, uint32_t step), const void *context)
{
    uint64_t demand;

    if (to <= worker->steps_taken) {
        return;
    }
    demand = dyno_ledger_demand(worker, worker->steps_taken, to - worker->steps_taken);
    worker->blocks_held += demand;
    if (demand <= worker->cache.free) {
        dyno_kv_take(&worker->cache, (uint32_t)demand, 0); /* nothing is evicted at any time */
        worker->steps_taken = to;
        return;
    }
    if (!anybody_hears(local, worker) || !local->config.listener.kv_times) {
        dyno_kv_take(&worker->cache, (uint32_t)demand, boundary(context, to - 1));
        worker->steps_taken = to;
        return;
    }
    for (; worker->steps_taken < to; worker->steps_taken++) {
        uint32_t need = worker->takers.at[dyno_worker_phase(worker, worker->steps_taken)];

        if (need > 0) {
            dyno_kv_take(&worker->cache, need, boundary(context, worker->steps_taken));
        }
    }
}

uint32_t dyno_ledger_next_eviction(const struct dyno_local *local, const struct dyno_worker *worker)
{
    const struct dyno_takers *takers = &worker->takers;
    uint32_t free = worker->cache.free;
    uint64_t step = worker->steps_taken;

    if (!anybody_hears(local, worker)) {
        return worker->pass_steps;
    }
    step += (uint64_t)(free / takers->count) * takers->size;
    if (step < worker->pass_steps) {
        step += dyno_takers_steps(takers, dyno_worker_phase(worker, worker->steps_taken),
                                  free % takers->count);
    }
    return step < worker->pass_steps ? (uint32_t)step : worker->pass_steps;
}
