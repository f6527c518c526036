#include "core/worker/halves.h"

#include <assert.h>

#include "core/worker/fleet.h"

static struct dyno_local *local_of(struct dyno_workers *workers)
{
    return (void *)workers; /* its first member */
}

static const struct dyno_local *const_local_of(const struct dyno_workers *workers)
{
    return (const void *)workers;
}

static struct dyno_worker *worker_of(const struct dyno_local *local, uint32_t place)
{
    return &local->workers[local->seqs[place].record.worker];
}

/* ---- what the batch calls -------------------------------------------------------------------- */

/* As for a request that became ready: a pass is made of those that the scheduler knows of. */
static bool is_hidden(const struct dyno_local *local, const struct dyno_worker *worker,
                      const struct dyno_seq *seq, dyno_ns now)
{
    return worker->decode_count + worker->ghost_count > 0 &&
           local->config.worker.async_scheduling && worker->settled_at == now &&
           seq->arrived_at > worker->last_step_start;
}

dyno_status dyno_half_join(struct dyno_local *local, struct dyno_worker *worker, dyno_ns now)
{
    struct dyno_device *device = local->config.device;

    while (worker->arrived.count > 0) {
        uint32_t index = worker->arrived.first;
        struct dyno_seq *seq = &local->seqs[index];

        if (is_hidden(local, worker, seq, now)) {
            worker->hidden = true;
            break;
        }
        dyno_seq_unlink(local, &worker->arrived, index);
        dyno_seq_append(local, &worker->running, index);
        seq->half = DYNO_WHOLE; /* what is left of it is like any other */
        device->ops->open(device, seq->record.worker, seq->slot, seq->record.id, seq->generated,
                          seq->tokens_in_all);
        device->ops->join(device, seq->record.worker, seq->slot);
        DYNO_TRY(dyno_seq_join_decode(local, worker, index, seq->last_token_at));
    }
    return DYNO_OK;
}

dyno_status dyno_half_start(struct dyno_local *local, struct dyno_worker *worker, dyno_ns now)
{
    struct dyno_device *device = local->config.device;

    while (worker->arrived.count > 0 && worker->budget > 0) {
        uint32_t index = worker->arrived.first;
        struct dyno_seq *seq = &local->seqs[index];

        if (is_hidden(local, worker, seq, now)) {
            worker->hidden = true;
            break;
        }
        dyno_seq_unlink(local, &worker->arrived, index);
        dyno_seq_append(local, &worker->running, index);
        seq->half = DYNO_WHOLE;
        seq->state = SEQ_PROMPT;
        seq->computed = seq->target - 1;
        device->ops->open(device, seq->record.worker, seq->slot, seq->record.id, seq->generated,
                          seq->tokens_in_all);
        DYNO_TRY(dyno_batch_prompt(local, worker, index, 1, 0, now));
    }
    return DYNO_OK;
}

/* What the pass takes longer for the blocks that it asks for: an hour at most. */
static void add_fetch(const struct dyno_local *local, struct dyno_worker *worker, uint32_t blocks)
{
    const unsigned __int128 most = (unsigned __int128)3600 * DYNO_S << DYNO_TICK_BITS;
    unsigned __int128 ticks =
        (unsigned __int128)blocks * local->config.worker.fetch_block_ticks + worker->host_ticks;

    worker->host_ticks = (uint64_t)(ticks < most ? ticks : most);
}

dyno_status dyno_half_reserve(struct dyno_local *local, struct dyno_worker *worker, uint32_t index,
                              uint32_t hit_blocks, uint32_t blocks, dyno_ns now)
{
    struct dyno_seq *seq = &local->seqs[index];

    dyno_seq_unlink(local, &worker->waiting, index);
    dyno_seq_append(local, &worker->reserved, index);
    seq->state = SEQ_RESERVED;
    seq->slot = worker->slots_free[--worker->slots_free_count];
    worker->seq_of_slot[seq->slot] = index;
    worker->blocks_promised += dyno_seq_blocks_max(local, seq);
    worker->blocks_held += hit_blocks + blocks;
    seq->reserved = dyno_estimate_clip(seq->tokens_max);
    worker->tokens_reserved += seq->reserved;
    seq->computed = seq->record.prompt_tokens;
    seq->ahead = 0;
    seq->held_blocks = hit_blocks;
    DYNO_TRY(dyno_kv_hold(&worker->cache, seq->links, hit_blocks));
    dyno_kv_take(&worker->cache, blocks, now);
    if (DYNO_RARELY(worker->places)) {
        DYNO_TRY(dyno_kv_places_hold(worker->places, seq->slot, seq->links, hit_blocks));
        DYNO_TRY(dyno_kv_places_take(worker->places, seq->slot, blocks));
    }
    add_fetch(local, worker, blocks);
    return local->config.halves.reserved(local->config.halves.context, now, seq->record.id, blocks);
}

dyno_status dyno_half_lease(struct dyno_local *local, struct dyno_worker *worker, uint32_t slot,
                            dyno_ns at)
{
    uint32_t index = worker->seq_of_slot[slot];
    struct dyno_request_record record;

    if (local->seqs[index].half != DYNO_PROMPT_HALF || local->seqs[index].state != SEQ_DECODE) {
        return DYNO_OK; /* it is whole, or has ended with this token */
    }
    DYNO_TRY(dyno_seq_lease(local, worker, index));
    record = local->seqs[index].record;
    record.output_tokens = 1;
    return local->config.halves.prompt_done(local->config.halves.context, &record, at);
}

/* ---- what the hand-off calls ----------------------------------------------------------------- */

bool dyno_half_could_hold(const struct dyno_workers *workers, const struct dyno_request *request)
{
    return dyno_local_could_hold(const_local_of(workers), request);
}

uint32_t dyno_half_cached_tokens(struct dyno_workers *workers, dyno_ns now, uint32_t worker,
                                 const struct dyno_request *request)
{
    struct dyno_local *local = local_of(workers);

    if (!local->config.worker.prefix_cache) {
        return 0;
    }
    dyno_local_sync_worker(local, worker, now);
    return dyno_kv_count(&local->workers[worker].cache, request->spans, request->span_count,
                         UINT32_MAX) *
           local->config.worker.block_tokens;
}

void dyno_half_load(const struct dyno_workers *workers, uint32_t worker, uint32_t *decoding,
                    uint32_t *waiting)
{
    const struct dyno_worker *of = &const_local_of(workers)->workers[worker];

    *decoding = of->decode_count;
    *waiting = of->waiting.count + of->ingest.count;
}

dyno_status dyno_half_enter_decode(struct dyno_workers *workers, dyno_ns now, uint32_t worker,
                                   const struct dyno_request *request, uint32_t *place)
{
    return dyno_local_enter(local_of(workers), now, worker, request, DYNO_DECODE_HALF, place);
}

dyno_status dyno_half_enter_prompt(struct dyno_workers *workers, dyno_ns now, uint32_t worker,
                                   const struct dyno_request *request, uint32_t *place)
{
    return dyno_local_enter(local_of(workers), now, worker, request, DYNO_PROMPT_HALF, place);
}

const uint32_t *dyno_half_table(const struct dyno_workers *workers, uint32_t place, uint32_t *count)
{
    const struct dyno_local *local = const_local_of(workers);
    const struct dyno_seq *seq = &local->seqs[place];
    const struct dyno_kv_places *places = worker_of(local, place)->places;

    if (!places) {
        return NULL;
    }
    assert(seq->state == SEQ_RESERVED || seq->state == SEQ_LEASED || seq->state == SEQ_PROMPT);
    *count = dyno_kv_places_count(places, seq->slot);
    return dyno_kv_places_table(places, seq->slot);
}

uint32_t dyno_half_tokens_max(const struct dyno_workers *workers, uint32_t place)
{
    return const_local_of(workers)->seqs[place].tokens_max;
}

void dyno_half_note_prompt(struct dyno_workers *workers, uint32_t place,
                           const struct dyno_request_record *prompt, uint32_t prefill_worker,
                           dyno_ns at)
{
    struct dyno_seq *seq = &local_of(workers)->seqs[place];

    if (prompt->ready_ns < seq->record.ready_ns) {
        seq->record.ready_ns = prompt->ready_ns; /* it was there before it was here */
    }
    seq->record.prefill_worker = prefill_worker;
    seq->record.admitted_ns = prompt->admitted_ns;
    seq->record.cached_tokens = prompt->cached_tokens;
    seq->record.onboarded_tokens = prompt->onboarded_tokens;
    seq->record.onboard_ns = prompt->onboard_ns;
    seq->record.preemptions +=
        prompt->preemptions - (seq->before ? seq->before->record.preemptions : 0);
    seq->record.first_token_ns = prompt->first_token_ns;
    seq->generated = prompt->output_tokens;
    seq->last_token_at = at;
}

dyno_status dyno_half_arrive(struct dyno_workers *workers, dyno_ns now, uint32_t place)
{
    struct dyno_local *local = local_of(workers);
    struct dyno_worker *worker = worker_of(local, place);
    struct dyno_seq *seq = &local->seqs[place];
    uint32_t whole = seq->computed / local->config.worker.block_tokens;
    uint32_t to = whole < seq->chain_blocks ? whole : seq->chain_blocks;

    assert(seq->state == SEQ_RESERVED);
    dyno_local_touch(local, seq->record.worker, now);
    dyno_seq_unlink(local, &worker->reserved, place);
    dyno_seq_append(local, &worker->arrived, place);
    seq->state = SEQ_ARRIVED;
    seq->arrived_at = now;
    seq->record.transfer_ns = seq->generated > 0 ? now - seq->last_token_at : 0;
    if (to > seq->held_blocks) {
        if (DYNO_RARELY(worker->places)) {
            DYNO_TRY(dyno_kv_places_seal(worker->places, seq->slot, seq->links, seq->link_count,
                                         seq->held_blocks, to));
        }
        DYNO_TRY(dyno_kv_seal(&worker->cache, seq->links, seq->link_count, 0, seq->held_blocks, to,
                              now));
        seq->held_blocks = to;
    }
    return DYNO_OK;
}

dyno_status dyno_half_end(struct dyno_workers *workers, dyno_ns now, uint32_t place,
                          enum dyno_outcome outcome)
{
    struct dyno_local *local = local_of(workers);
    struct dyno_worker *worker = worker_of(local, place);
    enum dyno_seq_state state;

    dyno_ingest_take_ready(local, worker, now); /* who is ready counts as one who waits */
    state = local->seqs[place].state;
    assert(state == SEQ_RESERVED || state == SEQ_WAITING || state == SEQ_INGEST);
    dyno_local_touch(local, local->seqs[place].record.worker, now);
    DYNO_TRY(dyno_seq_finish(local, worker, place, outcome));
    if (state == SEQ_INGEST) {
        dyno_ingest_changed(local, worker);
    }
    return DYNO_OK;
}

void dyno_half_take_over(struct dyno_workers *workers, dyno_ns now, uint32_t place)
{
    struct dyno_local *local = local_of(workers);
    struct dyno_seq *seq = &local->seqs[place];

    assert(seq->state == SEQ_WAITING || seq->state == SEQ_INGEST);
    seq->half = DYNO_WHOLE;
    if (seq->generated > 0) { /* as if it had been preempted */
        seq->target = seq->record.prompt_tokens + seq->generated;
        seq->record.preemptions++;
        local->totals.preemptions++;
    }
    dyno_local_touch(local, seq->record.worker, now);
}

dyno_status dyno_half_fall_back(struct dyno_workers *workers, dyno_ns now, uint32_t place)
{
    struct dyno_local *local = local_of(workers);
    struct dyno_worker *worker = worker_of(local, place);

    if (local->seqs[place].state == SEQ_RESERVED) {
        dyno_local_touch(local, local->seqs[place].record.worker, now);
        DYNO_TRY(dyno_seq_unreserve(local, worker, place));
    }
    dyno_half_take_over(workers, now, place);
    return DYNO_OK;
}

bool dyno_half_is_leased(const struct dyno_workers *workers, uint32_t place)
{
    return const_local_of(workers)->seqs[place].state == SEQ_LEASED;
}

bool dyno_half_is_cancelled(const struct dyno_workers *workers, uint32_t place)
{
    return const_local_of(workers)->seqs[place].cancelled;
}

dyno_status dyno_half_orphan(struct dyno_workers *workers, dyno_ns now, uint32_t place)
{
    struct dyno_local *local = local_of(workers);
    struct dyno_seq *seq = &local->seqs[place];

    assert(seq->half == DYNO_PROMPT_HALF && seq->state != SEQ_LEASED);
    seq->is_orphan = true;
    return seq->cancelled ? DYNO_OK : dyno_cancel(local, now, seq->record.worker, seq->record.id);
}

bool dyno_half_orphan_any(struct dyno_workers *workers, uint64_t id)
{
    struct dyno_local *local = local_of(workers);

    for (uint32_t i = 0; i < local->config.worker_count; i++) {
        uint32_t index = local->workers[i].running.first;

        for (; index != DYNO_NO_SEQ; index = local->seqs[index].next) {
            struct dyno_seq *seq = &local->seqs[index];

            if (seq->record.id == id && seq->cancelled && !seq->is_orphan) {
                seq->is_orphan = true;
                return true;
            }
        }
    }
    return false;
}

dyno_status dyno_half_release(struct dyno_workers *workers, dyno_ns now, uint32_t place)
{
    struct dyno_local *local = local_of(workers);
    struct dyno_worker *worker = worker_of(local, place);

    assert(local->seqs[place].state == SEQ_LEASED);
    dyno_local_touch(local, local->seqs[place].record.worker, now);
    dyno_seq_unlink(local, &worker->leased, place);
    DYNO_TRY(dyno_seq_give_blocks(local, worker, &local->seqs[place], true));
    dyno_seq_free(local, place);
    return DYNO_OK;
}
