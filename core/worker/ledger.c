/* The ledger of a leap: which blocks the steps of a decode pass take, and when.
 *
 * Step s takes takers[s mod block_tokens] blocks at the instant it starts; any block_tokens steps
 * in a row take one block for every sequence.  The ledger is lazy: blocks are taken when somebody
 * looks (a router, a sample, the end of the pass), stamped with when they should have been.
 */
#include <assert.h>

#include "core/worker/fleet.h"

/* A walk over the phases of successive steps, without a division each. */
struct walk {
    const uint32_t *takers;
    uint32_t size, phase;
};

static struct walk walk_from(const struct dyno_local *local, const struct dyno_worker *worker,
                             uint64_t step)
{
    uint32_t size = local->config.worker.block_tokens;

    return (struct walk){
        .takers = worker->takers, .size = size, .phase = (uint32_t)((worker->step + step) % size)};
}

static uint32_t walk_next(struct walk *walk)
{
    uint32_t need = walk->takers[walk->phase];

    walk->phase = walk->phase + 1 == walk->size ? 0 : walk->phase + 1;
    return need;
}

/* Whether taking a block may evict something that somebody listens for. */
static bool anybody_hears(const struct dyno_local *local, const struct dyno_worker *worker)
{
    return local->kv_listener.changed && worker->cache.idle_named > 0;
}

static uint64_t sum(const uint32_t *takers, uint32_t count)
{
    uint64_t sum_of_them = 0;

    for (uint32_t i = 0; i < count; i++) {
        sum_of_them += takers[i];
    }
    return sum_of_them;
}

uint64_t dyno_ledger_demand(const struct dyno_local *local, const struct dyno_worker *worker,
                            uint32_t from, uint32_t count)
{
    uint32_t size = local->config.worker.block_tokens;
    uint64_t demand = (uint64_t)(count / size) * worker->decode_count;
    uint32_t rest = count % size;
    struct walk walk = walk_from(local, worker, from);
    uint32_t to_end = size - walk.phase < rest ? size - walk.phase : rest;

    return demand + sum(walk.takers + walk.phase, to_end) + sum(walk.takers, rest - to_end);
}

uint32_t dyno_ledger_steps(const struct dyno_local *local, const struct dyno_worker *worker,
                           uint32_t steps_max)
{
    uint32_t size = local->config.worker.block_tokens;
    uint64_t left = dyno_kv_available(&worker->cache);
    uint64_t steps = 1 + left / worker->decode_count * size;
    struct walk walk;

    if (steps >= steps_max) {
        return steps_max;
    }
    if (steps > 1) {
        return (uint32_t)steps; /* a few more may fit; where a leap ends changes nothing */
    }
    walk = walk_from(local, worker, steps);
    for (uint32_t i = 0; i < size && steps < steps_max; i++, steps++) {
        uint32_t need = walk_next(&walk);

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
    struct walk walk;
    uint64_t demand;

    if (to <= worker->steps_taken) {
        return;
    }
    demand = dyno_ledger_demand(local, worker, worker->steps_taken, to - worker->steps_taken);
    worker->blocks_held += demand;
    if (demand <= worker->cache.free || !anybody_hears(local, worker) ||
        !local->config.listener.kv_times) {
        dyno_kv_take(&worker->cache, (uint32_t)demand, boundary(context, to - 1));
        worker->steps_taken = to;
        return;
    }
    walk = walk_from(local, worker, worker->steps_taken);
    for (; worker->steps_taken < to; worker->steps_taken++) {
        uint32_t need = walk_next(&walk);

        if (need > 0) {
            dyno_kv_take(&worker->cache, need, boundary(context, worker->steps_taken));
        }
    }
}

uint32_t dyno_ledger_next_eviction(const struct dyno_local *local, const struct dyno_worker *worker)
{
    uint32_t size = local->config.worker.block_tokens;
    uint64_t left = worker->cache.free;
    uint64_t step = worker->steps_taken + left / worker->decode_count * size;
    struct walk walk;

    if (!anybody_hears(local, worker)) {
        return worker->pass_steps;
    }
    walk = walk_from(local, worker, step);
    for (left %= worker->decode_count; step < worker->pass_steps; step++) {
        uint32_t need = walk_next(&walk);

        if (need > left) {
            return (uint32_t)step;
        }
        left -= need;
    }
    return worker->pass_steps;
}
