/* What a finished pass did: tokens, gaps between them, first tokens, ends. */
#include <assert.h>

#include "core/base/usual.h"
#include "core/worker/fleet.h"

static dyno_ns completion_boundary(const void *context, uint32_t step)
{
    const struct dyno_completion *completion = context;

    if (DYNO_RARELY(completion->boundaries)) {
        return completion->boundaries[step];
    }
    if (step == 0) {
        return completion->start;
    }
    return dyno_step_boundary(completion->start, completion->carry, completion->first,
                              completion->growth, step);
}

/* When the first step ended. */
static inline dyno_ns first_step_end(const struct dyno_completion *completion)
{
    unsigned __int128 ticks = (unsigned __int128)completion->carry + completion->first;

    return DYNO_RARELY(completion->boundaries)
               ? completion->boundaries[1]
               : completion->start + (dyno_ns)(ticks >> DYNO_TICK_BITS);
}

/* The gaps that are steps: the first one for `first_count` sequences, each further one for `count`.
 */
static void add_steps(struct dyno_histogram *itl, const struct dyno_completion *completion,
                      uint32_t first_count, uint32_t count)
{
    uint64_t carry = completion->carry;

    if (DYNO_RARELY(completion->boundaries)) {
        for (uint32_t i = 0; i < completion->steps; i++) {
            uint32_t sequences = i == 0 ? first_count : count;

            if (sequences > 0) {
                dyno_histogram_add(itl, completion->boundaries[i + 1] - completion->boundaries[i],
                                   sequences);
            }
        }
        return;
    }
    if (first_count == count) {
        dyno_histogram_add_steps(itl, carry, completion->first, completion->growth,
                                 completion->steps, count);
        return;
    }
    if (first_count > 0) {
        dyno_histogram_add_steps(itl, carry, completion->first, completion->growth, 1, first_count);
    }
    if (completion->steps > 1) {
        carry = (carry + completion->first) & (DYNO_TICKS_PER_NS - 1);
        dyno_histogram_add_steps(itl, carry, completion->first + completion->growth,
                                 completion->growth, completion->steps - 1, count);
    }
}

/* The gap each sequence of the decode set saw at the pass's first step.  Sequences whose last token
 * came just when the pass started saw the step itself; the others waited longer. */
static void add_gaps(struct dyno_local *local, struct dyno_worker *worker,
                     const struct dyno_completion *completion)
{
    struct dyno_histogram *itl = local->config.itl;
    uint32_t decoding = worker->decode_count - worker->joined_count, contiguous = 0;

    for (uint32_t i = 0; i < worker->joiners_count; i++) {
        if (worker->joiners[i].at == completion->start) {
            contiguous += worker->joiners[i].count;
        } else if (worker->joiners[i].count > 0) {
            dyno_histogram_add(itl, first_step_end(completion) - worker->joiners[i].at,
                               worker->joiners[i].count);
        }
    }
    if (worker->last_decode_at == completion->start) {
        contiguous += decoding;
    } else if (decoding > 0) {
        dyno_histogram_add(itl, first_step_end(completion) - worker->last_decode_at, decoding);
    }
    add_steps(itl, completion, contiguous, worker->decode_count);
    worker->joiners_count = worker->joined_count = 0;
}

static void settle_decode(struct dyno_local *local, struct dyno_worker *worker,
                          const struct dyno_completion *completion)
{
    uint64_t steps = completion->steps, count = worker->decode_count;

    if (completion->steps > worker->steps_taken) {
        dyno_ledger_take(local, worker, completion->steps, completion_boundary, completion);
    }
    if (count == 0) {
        return;
    }
    assert(worker->steps_taken == completion->steps || local->abandoned || worker->halted);
    if (DYNO_RARELY(worker->places)) {
        dyno_tables_settle(local, worker, completion->steps);
    }
    add_gaps(local, worker, completion);
    local->totals.decode_tokens += count * steps;
    local->totals.kv_tokens_read += (unsigned __int128)(worker->decode_tokens + count) * steps +
                                    count * (steps * (steps - 1) / 2);
    worker->decode_tokens += count * steps;
    worker->tokens_left -= count * steps;
    worker->tokens_out += count * steps;
    worker->step += steps;
    worker->phase = dyno_worker_phase(worker, completion->steps);
    worker->last_decode_at = completion->at;
}

/* A sequence's prompt is all in KV: its next token is out. */
static dyno_status settle_yield(struct dyno_local *local, struct dyno_worker *worker,
                                uint32_t index, dyno_ns at)
{
    struct dyno_seq *seq = &local->seqs[index];

    seq->generated++;
    worker->tokens_out++;
    if (seq->record.first_token_ns == DYNO_NEVER) {
        seq->record.first_token_ns = at + local->config.worker.response_ns;
        if (!DYNO_RARELY(seq->is_orphan)) {
            local->config.listener.first_token(local->config.listener.context, seq->record.id);
        }
    } else {
        dyno_histogram_add(local->config.itl, at - seq->last_token_at, 1);
        if (DYNO_RARELY(seq->is_resumed)) { /* the first that this worker yields */
            local->config.listener.first_token(local->config.listener.context, seq->record.id);
            seq->is_resumed = false;
        }
    }
    return dyno_seq_join_decode(local, worker, index, at);
}

static dyno_status settle_slice(struct dyno_local *local, struct dyno_worker *worker,
                                const struct dyno_slice *slice, dyno_ns at)
{
    uint32_t index = worker->seq_of_slot[slice->slot];
    struct dyno_seq *seq = &local->seqs[index];
    uint64_t tokens = slice->tokens;

    seq->computed += slice->tokens;
    local->totals.prefill_tokens += tokens;
    worker->prefill_tokens += tokens;
    local->totals.attention_pairs +=
        (unsigned __int128)tokens * slice->first + tokens * (tokens + 1) / 2;
    if (local->config.worker.prefix_cache && !local->config.worker.hit_when_scheduled &&
        !DYNO_RARELY(seq->is_orphan)) { /* whose spans may have lost their meaning */
        uint32_t whole = seq->computed / local->config.worker.block_tokens;
        uint32_t to = whole < seq->chain_blocks ? whole : seq->chain_blocks;

        if (to > seq->held_blocks) {
            if (DYNO_RARELY(worker->places)) {
                DYNO_TRY(dyno_kv_places_seal(worker->places, seq->slot, seq->links, seq->link_count,
                                             seq->held_blocks, to));
            }
            DYNO_TRY(dyno_kv_seal(&worker->cache, seq->links, seq->link_count,
                                  seq->link_count - seq->span_count, seq->held_blocks, to, at));
            seq->held_blocks = to;
        }
    }
    if (!slice->yields) {
        worker->partial = index;
        return DYNO_OK;
    }
    DYNO_TRY(settle_yield(local, worker, index, at));
    if (DYNO_RARELY(local->config.tiers) && !local->abandoned) {
        DYNO_TRY(dyno_store(local, worker, index, worker->settled_at));
    }
    return DYNO_OK;
}

/* Prompts that are computed and go on elsewhere. */
static dyno_status lease_halves(struct dyno_local *local, struct dyno_worker *worker, dyno_ns at)
{
    for (uint32_t i = 0; i < worker->slice_count; i++) {
        if (worker->slices[i].yields) {
            DYNO_TRY(dyno_half_lease(local, worker, worker->slices[i].slot, at));
        }
    }
    return DYNO_OK;
}

dyno_status dyno_settle_completion(struct dyno_local *local,
                                   const struct dyno_completion *completion, dyno_ns now)
{
    struct dyno_worker *worker = &local->workers[completion->worker];

    assert(worker->busy && completion->steps >= 1 && completion->steps <= worker->pass_steps);
    worker->busy = false;
    dyno_alarms_set(&local->visible, completion->worker, DYNO_NEVER);
    worker->busy_ns += completion->at - worker->busy_since;
    worker->last_step_start = completion->steps == 1
                                  ? completion->start
                                  : completion_boundary(completion, completion->steps - 1);
    worker->settled_at = now;
    local->totals.passes++;
    local->totals.steps += completion->steps;
    worker->steps_done += completion->steps;
    worker->rounds += completion->steps;
    if (worker->pass_decode) {
        settle_decode(local, worker, completion);
    }
    for (uint32_t i = 0; i < worker->slice_count; i++) {
        DYNO_TRY(settle_slice(local, worker, &worker->slices[i], completion->at));
    }
    for (uint32_t i = 0; i < completion->ended_count; i++) {
        DYNO_TRY(dyno_seq_finish(local, worker, worker->seq_of_slot[completion->ended[i]],
                                 DYNO_COMPLETED));
    }
    if (DYNO_RARELY(worker->cancelled_count > 0) && !local->abandoned) {
        DYNO_TRY(dyno_cancel_settle(local, worker));
    }
    if (DYNO_RARELY(local->config.halves.prompt_done) && !local->abandoned) {
        DYNO_TRY(lease_halves(local, worker, completion->at));
    }
    dyno_local_mark_dirty(local, worker);
    return DYNO_OK;
}
