/* A worker that falls silent, and is found to be lost.
 *
 * What its finished steps have done is settled; the pass in flight never ends, and what it would
 * have yielded nobody ever hears of.  Until somebody notices, the worker keeps all it has, and
 * forms no pass.  Then every request that is on it is given back, as far as it came, and the worker
 * is as if it had just been made: no blocks, nobody in line, every slot free.
 */
#include <assert.h>

#include "core/worker/fleet.h"

/* What the steps of a leap that lie behind have done.  Returns since when the worker is in the step
 * that is lost. */
static dyno_status settle_steps(struct dyno_local *local, uint32_t index, dyno_ns now,
                                dyno_ns *since)
{
    struct dyno_device *device = local->config.device;
    struct dyno_completion completion;

    *since = local->workers[index].busy_since;
    dyno_local_end_leap(local, index, now);
    if (device->ops->reap(device, now, &completion)) {
        assert(completion.worker == index); /* the others are settled */
        *since = completion.at;
        return dyno_settle_completion(local, &completion, now);
    }
    return DYNO_OK;
}

dyno_status dyno_local_halt(struct dyno_workers *workers, dyno_ns now, uint32_t index)
{
    struct dyno_local *local = (void *)workers; /* its first member */
    struct dyno_worker *worker = &local->workers[index];
    struct dyno_completion completion;
    dyno_ns since = worker->busy_since;

    worker->halted = true;
    dyno_ingest_take_ready(local, worker, now); /* the others never were */
    if (!worker->busy) {
        worker->slice_count = 0;
        return DYNO_OK;
    }
    if (!local->config.device->ops->is_real) {
        DYNO_TRY(settle_steps(local, index, now, &since));
    }
    if (local->config.device->ops->drop(local->config.device, index, now, &completion)) {
        since = completion.at;
        DYNO_TRY(dyno_settle_completion(local, &completion, now > since ? now : since));
        worker->slice_count = 0; /* it was all of the pass, or one that had none */
    }
    worker->busy_ns += now > since ? now - since : 0;
    dyno_local_forget_pass(local, worker);
    dyno_alarms_set(&local->visible, index, DYNO_NEVER);
    return dyno_cancel_settle(local, worker);
}

/* Tokens that the pass which never ended counted as computed for a sequence. */
static uint32_t unfinished_tokens(const struct dyno_worker *worker, const struct dyno_seq *seq)
{
    for (uint32_t i = 0; seq->state == SEQ_PROMPT && i < worker->slice_count; i++) {
        if (worker->slices[i].slot == seq->slot) {
            return worker->slices[i].tokens;
        }
    }
    return 0;
}

static dyno_status lose_list(struct dyno_local *local, struct dyno_worker *worker,
                             const struct dyno_seq_list *list)
{
    while (list->count > 0) {
        const struct dyno_seq *seq = &local->seqs[list->first];
        uint32_t computed = dyno_seq_tokens(worker, seq) - unfinished_tokens(worker, seq);

        DYNO_TRY(dyno_seq_lose(local, worker, list->first, computed));
    }
    return DYNO_OK;
}

/* Whatever went by what was on the worker, and how it went on. */
static void forget_past(struct dyno_local *local, struct dyno_worker *worker, dyno_ns now)
{
    assert(worker->decode_count + worker->joined_count + worker->cancelled_count == 0);
    assert(worker->moves_on_way + worker->moves_held + worker->onboarded == 0);
    assert(worker->partial == DYNO_NO_SEQ && worker->tokens_reserved + worker->tokens_left == 0);
    worker->blocks_held = worker->blocks_promised = 0; /* of the step that never ended */
    worker->joiners_count = 0;
    worker->catch_up = 0;
    worker->slice_count = 0;
    worker->steps_taken = 0;
    worker->pass_decode = worker->full = worker->shrunk = worker->mixed = worker->hidden = false;
    worker->prefills_bound = false;
    worker->rounds = 0;
    worker->ingest_free_at = now;
    worker->passes_cold = local->config.worker.first_passes;
    dyno_estimate_reset(local, worker);
    dyno_alarms_set(&local->ingest, dyno_worker_index(local, worker), DYNO_NEVER);
}

/* What only says where blocks lie is not kept while everything goes, and is as new then. */
static void put_places_back(struct dyno_worker *worker, struct dyno_kv_places *places)
{
    if (places) {
        dyno_kv_places_forget(places);
        worker->places = worker->cache.places = places;
    }
}

dyno_status dyno_local_lose(struct dyno_workers *workers, dyno_ns now, uint32_t index)
{
    struct dyno_local *local = (void *)workers; /* its first member */
    struct dyno_worker *worker = &local->workers[index];
    struct dyno_kv_places *places = worker->places;

    assert(worker->halted);
    worker->places = worker->cache.places = NULL;
    DYNO_TRY(dyno_seq_release_ended(local, worker)); /* who was told of already */
    DYNO_TRY(lose_list(local, worker, &worker->running));
    DYNO_TRY(lose_list(local, worker, &worker->arrived));
    DYNO_TRY(lose_list(local, worker, &worker->reserved));
    DYNO_TRY(lose_list(local, worker, &worker->leased));
    DYNO_TRY(lose_list(local, worker, &worker->onboarding));
    DYNO_TRY(lose_list(local, worker, &worker->waiting));
    DYNO_TRY(lose_list(local, worker, &worker->ingest));
    if (local->config.tiers) {
        DYNO_TRY(dyno_tiers_lose(local, index, now));
    }
    dyno_kv_drop(&worker->cache, worker->cache.own); /* the step that never ended had taken them */
    assert(worker->cache.shared == 0);
    dyno_kv_forget_idle(&worker->cache, now);
    assert(worker->cache.free == worker->cache.capacity);
    forget_past(local, worker, now);
    put_places_back(worker, places);
    worker->halted = false;
    return DYNO_OK;
}

void dyno_seq_count_recomputed(struct dyno_local *local, struct dyno_seq *seq, uint32_t hit_blocks)
{
    uint32_t found = hit_blocks * local->config.worker.block_tokens;

    local->totals.tokens_recomputed +=
        seq->computed_before > found ? seq->computed_before - found : 0;
    seq->computed_before = 0;
}
