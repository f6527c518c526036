/* Forming a pass: who computes what next, and who must wait, by the engine's order.
 *
 * DYNO_ORDER_MIXED (vLLM V1, TensorRT-LLM): every decoding sequence takes one token of the budget,
 * then the prompt left unfinished goes on, then waiting requests are admitted while budget, slots
 * and blocks last.  Where blocks run out for running sequences the newest is preempted, and nobody
 * is admitted in that pass.
 *
 * DYNO_ORDER_PREFILL_FIRST (SGLang): a pass of prompts only, if one can be formed; else a decode
 * pass.  With mixed_chunk whoever decodes goes along in a pass of prompts: their tokens and blocks
 * are taken off before prompts get any.  Who is refused for want of memory or slots is not asked
 * again until a decode pass has begun with fewer sequences than the one before; where blocks run
 * out for running sequences, those with the fewest generated tokens are retracted
 * (core/worker/estimate.c).
 *
 * Where passes are scheduled ahead, a sequence that ended in the last pass still holds its memory
 * while this one is formed, and is computed once more unless its end was foreseen.
 *
 * A prompt is only cut when the budget is used up, so at most one running sequence has an
 * unfinished prompt, and it is the newest.
 *
 * Why a leap may go on while requests wait: a refusal stays a refusal as long as only decode steps
 * take blocks.  Free blocks only become fewer, and slots and budget do not change until a sequence
 * ends, which ends the pass.  (Admission by estimate could change its mind: it is not asked, see
 * above; where it is, a pass has one step.)
 */
#include <assert.h>

#include "core/base/array.h"
#include "core/base/usual.h"
#include "core/worker/fleet.h"

static dyno_status add_slice(struct dyno_worker *worker, struct dyno_slice slice)
{
    if (DYNO_RARELY(worker->slice_count == worker->slice_capacity) &&
        !dyno_array_reserve(&worker->slices, &worker->slice_capacity, worker->slice_count + 1U,
                            sizeof *worker->slices)) {
        return DYNO_NO_MEMORY;
    }
    worker->slices[worker->slice_count++] = slice;
    return DYNO_OK;
}

dyno_status dyno_batch_prompt(struct dyno_local *local, struct dyno_worker *worker, uint32_t index,
                              uint32_t tokens, uint32_t blocks, dyno_ns now)
{
    struct dyno_seq *seq = &local->seqs[index];
    uint32_t whole = (seq->computed + tokens) / local->config.worker.block_tokens;
    uint32_t to = whole < seq->chain_blocks ? whole : seq->chain_blocks, cached = 0;

    if (!local->config.worker.hit_when_scheduled) {
        to = seq->held_blocks; /* what it computes may be hit when it is there */
    }
    dyno_kv_take(&worker->cache, blocks, now);
    if (DYNO_RARELY(worker->places)) {
        DYNO_TRY(dyno_kv_places_take(worker->places, seq->slot, blocks));
        cached = dyno_tables_cached(local, worker, seq, tokens, to);
    }
    worker->blocks_held += blocks;
    worker->budget -= tokens;
    if (to > seq->held_blocks) {
        if (DYNO_RARELY(worker->places)) {
            DYNO_TRY(dyno_kv_places_seal(worker->places, seq->slot, seq->links, seq->link_count,
                                         seq->held_blocks, to));
        }
        DYNO_TRY(dyno_kv_seal(&worker->cache, seq->links, seq->link_count,
                              seq->link_count - seq->span_count, seq->held_blocks, to, now));
        seq->held_blocks = to;
    }
    if (DYNO_RARELY(seq->half == DYNO_PROMPT_HALF) && local->config.halves.prompt_begun &&
        seq->computed + tokens == seq->target) {
        local->config.halves.prompt_begun(local->config.halves.context, seq->record.id);
    }
    return add_slice(worker, (struct dyno_slice){.slot = seq->slot,
                                                 .first = seq->computed,
                                                 .tokens = tokens,
                                                 .cached = cached,
                                                 .yields = seq->computed + tokens == seq->target});
}

/* Go on with the unfinished prompt.  False in *scheduled: no blocks for it now. */
static dyno_status continue_partial(struct dyno_local *local, struct dyno_worker *worker,
                                    dyno_ns now, bool *scheduled)
{
    uint32_t index = worker->partial;
    struct dyno_seq *seq = &local->seqs[index];
    uint32_t left = seq->target - seq->computed;
    uint32_t tokens = left < worker->budget ? left : worker->budget;
    uint32_t ahead = local->config.worker.lookahead;
    uint32_t blocks = dyno_blocks_of(local, (uint64_t)seq->computed + tokens + ahead) -
                      dyno_seq_blocks(local, seq);

    while ((uint64_t)blocks + worker->blocks_along > dyno_kv_available(&worker->cache) &&
           dyno_onboard_yield(local, worker)) {
    }
    *scheduled =
        tokens > 0 && (uint64_t)blocks + worker->blocks_along <= dyno_kv_available(&worker->cache);
    if (!*scheduled) {
        return DYNO_OK;
    }
    worker->partial = DYNO_NO_SEQ;
    seq->ahead = ahead;
    return dyno_batch_prompt(local, worker, index, tokens, blocks, now);
}

/* ---- admission ------------------------------------------------------------------------------- */

enum verdict { ADMITTED, NO_ROOM /* blocks or slots */, NO_BUDGET /* of this pass */ };

struct admission {
    uint32_t hit_blocks;  /* found in cache ... */
    uint32_t idle_blocks; /* ... of which nobody holds */
    uint32_t tokens;      /* of the first slice */
    uint32_t blocks;      /* to take for it ... */
    uint32_t whole;       /* ... and for all of the prompt */
};

static bool fits_beside_others(const struct dyno_local *local, const struct dyno_worker *worker,
                               const struct dyno_seq *seq, const struct admission *admission)
{
    uint64_t need = admission->blocks;

    switch (local->config.worker.admission) {
    case DYNO_ADMIT_CHUNK:
        need = local->config.worker.reserve_prompt ? admission->whole : need;
        need += local->watermark_blocks;
        break;
    case DYNO_ADMIT_ESTIMATE:
        return dyno_estimate_fits(local, worker, seq, admission->hit_blocks,
                                  admission->idle_blocks);
    case DYNO_ADMIT_NO_EVICT: /* TensorRT-LLM: all it can ever need, beside what was promised */
        need = dyno_seq_blocks_max(local, seq) - (uint64_t)admission->hit_blocks +
               (worker->blocks_promised - worker->blocks_held);
        break;
    }
    return need + admission->idle_blocks <= dyno_kv_available(&worker->cache);
}

static bool fits(const struct dyno_local *local, const struct dyno_worker *worker,
                 const struct dyno_seq *seq, const struct admission *admission)
{
    uint64_t available = dyno_kv_available(&worker->cache);
    uint64_t need = (uint64_t)admission->blocks + admission->idle_blocks;

    if (need + worker->blocks_along > available) {
        return false;
    }
    return fits_beside_others(local, worker, seq, admission) || dyno_worker_is_alone(worker);
}

/* SGLang's max_prefill_tokens: what is left of it when others are in the pass. */
static bool is_too_long_for_the_rest(const struct dyno_local *local,
                                     const struct dyno_worker *worker, uint32_t left)
{
    const struct dyno_worker_config *config = &local->config.worker;
    uint32_t in_pass = config->batch_tokens_max - worker->budget;

    return config->prefill_tokens_max > 0 && worker->slice_count > 0 &&
           (uint64_t)left + in_pass >= config->prefill_tokens_max;
}

/* Whether the waiting sequence can start now, and how. */
static enum verdict plan_admission(const struct dyno_local *local, const struct dyno_worker *worker,
                                   struct dyno_seq *seq, struct admission *out)
{
    const struct dyno_worker_config *config = &local->config.worker;
    uint32_t findable = (seq->target - 1) / config->block_tokens; /* one token is always computed */
    uint32_t computed, left;

    if (DYNO_RARELY(worker->slots_free_count == 0)) {
        return NO_ROOM;
    }
    if (seq->link_count > 0) {
        out->hit_blocks =
            dyno_kv_find(&worker->cache, seq->links, seq->link_count, findable, &out->idle_blocks);
    }
    computed = out->hit_blocks * config->block_tokens;
    left = seq->target - computed;
    if (left > worker->budget && !config->chunked_prefill &&
        seq->record.preemptions + seq->record.migrations == 0) {
        return NO_BUDGET; /* what is recomputed may be cut: it may exceed every pass */
    }
    out->tokens = left < worker->budget ? left : worker->budget;
    out->blocks = dyno_blocks_of(local, (uint64_t)computed + out->tokens) - out->hit_blocks;
    out->whole = dyno_blocks_of(local, seq->target) - out->hit_blocks;
    if (!fits(local, worker, seq, out)) {
        return NO_ROOM;
    }
    return is_too_long_for_the_rest(local, worker, left) ? NO_BUDGET : ADMITTED;
}

/* Whether all of a prompt that is computed elsewhere has room, and what is here already. */
static enum verdict plan_reservation(const struct dyno_local *local,
                                     const struct dyno_worker *worker, struct dyno_seq *seq,
                                     struct admission *out)
{
    uint32_t findable = seq->record.prompt_tokens / local->config.worker.block_tokens;

    if (DYNO_RARELY(worker->slots_free_count == 0)) {
        return NO_ROOM;
    }
    if (seq->link_count > 0) {
        out->hit_blocks =
            dyno_kv_find(&worker->cache, seq->links, seq->link_count, findable, &out->idle_blocks);
    }
    out->blocks = out->whole = dyno_blocks_of(local, seq->record.prompt_tokens) - out->hit_blocks;
    return fits(local, worker, seq, out) ? ADMITTED : NO_ROOM;
}

static void count_first_admission(struct dyno_local *local, struct dyno_seq *seq,
                                  const struct admission *admission, dyno_ns now)
{
    uint32_t size = local->config.worker.block_tokens;

    seq->record.admitted_ns = now;
    seq->record.cached_tokens = admission->hit_blocks * size;
    local->totals.prompt_blocks += seq->record.prompt_tokens / size;
    local->totals.prompt_blocks_hit += admission->hit_blocks;
}

static dyno_status start_prompt(struct dyno_local *local, struct dyno_worker *worker,
                                uint32_t index, const struct admission *admission, dyno_ns now)
{
    struct dyno_seq *seq = &local->seqs[index];
    struct dyno_device *device = local->config.device;

    dyno_seq_unlink(local, &worker->waiting, index);
    dyno_seq_append(local, &worker->running, index);
    seq->state = SEQ_PROMPT;
    seq->slot = worker->slots_free[--worker->slots_free_count];
    worker->seq_of_slot[seq->slot] = index;
    device->ops->open(device, seq->record.worker, seq->slot, seq->record.id, seq->generated,
                      seq->tokens_in_all);
    if (seq->record.admitted_ns == DYNO_NEVER) {
        count_first_admission(local, seq, admission, now);
        if (DYNO_RARELY(seq->move != 0)) {
            dyno_onboard_count(local, seq);
        }
    } else if (seq->computed_before > 0) {
        dyno_seq_count_recomputed(local, seq, admission->hit_blocks);
    }
    worker->blocks_promised += dyno_seq_blocks_max(local, seq);
    worker->blocks_held += admission->hit_blocks;
    seq->reserved = dyno_estimate_clip(seq->tokens_max);
    worker->tokens_reserved += seq->reserved;
    seq->computed = admission->hit_blocks * local->config.worker.block_tokens;
    seq->ahead = 0;
    seq->held_blocks = admission->hit_blocks;
    DYNO_TRY(dyno_kv_hold(&worker->cache, seq->links, admission->hit_blocks));
    if (DYNO_RARELY(worker->places)) {
        DYNO_TRY(dyno_kv_places_hold(worker->places, seq->slot, seq->links, admission->hit_blocks));
    }
    if (DYNO_RARELY(seq->move != 0)) {
        dyno_onboard_end(local, worker, index);
    }
    return dyno_batch_prompt(local, worker, index, admission->tokens, admission->blocks, now);
}

/* A pass is made of those that the scheduler knows of; an idle one takes who is there. */
static bool is_hidden(const struct dyno_local *local, const struct dyno_worker *worker,
                      uint32_t index, dyno_ns now)
{
    return worker->decode_count + worker->slice_count + worker->ghost_count > 0 &&
           !dyno_seq_is_seen(local, worker, &local->seqs[index], now);
}

static dyno_status admit_waiting(struct dyno_local *local, struct dyno_worker *worker, dyno_ns now)
{
    while (worker->waiting.count > 0 && worker->budget > 0) {
        uint32_t index = worker->waiting.first;
        struct admission admission = {0};
        enum verdict verdict;
        bool is_half, waits = false;

        if (is_hidden(local, worker, index, now)) {
            worker->hidden = true;
            break;
        }
        is_half = DYNO_RARELY(local->seqs[index].half == DYNO_DECODE_HALF);
        verdict = is_half ? plan_reservation(local, worker, &local->seqs[index], &admission)
                          : plan_admission(local, worker, &local->seqs[index], &admission);
        if (verdict != ADMITTED) {
            worker->full =
                verdict == NO_ROOM && local->config.worker.order == DYNO_ORDER_PREFILL_FIRST;
            break;
        }
        if (DYNO_RARELY(local->config.tiers) && !is_half) {
            DYNO_TRY(dyno_onboard(local, worker, index, admission.hit_blocks, admission.idle_blocks,
                                  now, &waits));
        }
        if (!DYNO_RARELY(waits)) {
            DYNO_TRY(is_half ? dyno_half_reserve(local, worker, index, admission.hit_blocks,
                                                 admission.blocks, now)
                             : start_prompt(local, worker, index, &admission, now));
        }
    }
    return DYNO_OK;
}

/* ---- the two orders -------------------------------------------------------------------------- */

/* Preempt from the newest until there are blocks for the decode set's next step. */
static __attribute__((noinline)) dyno_status preempt_for_decode(struct dyno_local *local,
                                                                struct dyno_worker *worker,
                                                                dyno_ns now, bool *preempted)
{
    while (worker->decode_count > 0 &&
           dyno_ledger_next(worker) > dyno_kv_available(&worker->cache)) {
        if (dyno_onboard_yield(local, worker)) {
            continue;
        }
        DYNO_TRY(dyno_seq_preempt(local, worker, worker->running.last, now));
        *preempted = true;
    }
    return DYNO_OK;
}

/* Take the blocks of the decode set's next step, preempting from the newest until they are there.
 */
static inline dyno_status prepare_decode(struct dyno_local *local, struct dyno_worker *worker,
                                         dyno_ns now, bool *preempted)
{
    uint32_t demand = dyno_ledger_next(worker);

    worker->steps_taken = 0;
    if (DYNO_RARELY(demand > dyno_kv_available(&worker->cache))) {
        DYNO_TRY(preempt_for_decode(local, worker, now, preempted));
        demand = dyno_ledger_next(worker);
    }
    if (worker->decode_count > 0) {
        dyno_kv_take(&worker->cache, demand, now);
        worker->blocks_held += demand;
        worker->steps_taken = 1;
        if (DYNO_RARELY(worker->places)) {
            DYNO_TRY(dyno_tables_first_step(local, worker));
        }
        worker->catch_up = 0;
    }
    return DYNO_OK;
}

/* vLLM's prefill cadence: this step is not one for prompts, unless the last one left some over. */
static bool defers_prompts(const struct dyno_local *local, const struct dyno_worker *worker)
{
    uint32_t interval = local->config.worker.prefill_interval;

    return interval > 1 && worker->rounds % interval != 0 && !worker->prefills_bound &&
           worker->decode_count > 0;
}

static dyno_status form_mixed(struct dyno_local *local, struct dyno_worker *worker, dyno_ns now,
                              bool *settled)
{
    bool preempted = false, scheduled = true;

    DYNO_TRY(prepare_decode(local, worker, now, &preempted));
    worker->budget -= worker->decode_count + worker->ghost_count;
    worker->pass_decode = worker->decode_count > 0;
    if (defers_prompts(local, worker)) {
        *settled = !preempted;
        return DYNO_OK;
    }
    if (DYNO_RARELY(worker->arrived.count > 0) && !preempted) {
        DYNO_TRY(dyno_half_start(local, worker, now));
    }
    if (worker->partial != DYNO_NO_SEQ) {
        DYNO_TRY(continue_partial(local, worker, now, &scheduled));
        if (!scheduled && worker->budget > 0) {
            DYNO_TRY(dyno_seq_preempt(local, worker, worker->partial, now));
            preempted = true;
        }
    }
    if (worker->waiting.count > 0 && !preempted && worker->partial == DYNO_NO_SEQ) {
        DYNO_TRY(admit_waiting(local, worker, now));
    }
    worker->prefills_bound =
        worker->waiting.count > 0 && !is_hidden(local, worker, worker->waiting.first, now);
    *settled = !preempted && worker->partial == DYNO_NO_SEQ;
    return DYNO_OK;
}

/* Decodes may go along with prompts: their tokens and blocks come first.  Who was refused is asked
 * again once a pass with decodes has begun with fewer of them. */
static void make_room_along(struct dyno_worker *worker)
{
    if (worker->mixed) {
        worker->full = worker->full && !worker->shrunk;
        worker->shrunk = false;
    }
    worker->tokens_along = worker->decode_count + worker->ghost_count;
    worker->blocks_along = worker->decode_count > 0 ? dyno_ledger_next(worker) : 0;
    worker->budget -= worker->tokens_along;
}

static dyno_status form_prefill_first(struct dyno_local *local, struct dyno_worker *worker,
                                      dyno_ns now, bool *settled)
{
    bool preempted = false, scheduled = true;

    if (local->config.worker.mixed_chunk) {
        make_room_along(worker);
    }
    worker->pass_decode = false;
    if (worker->arrived.count > 0 && worker->blocks_along <= dyno_kv_available(&worker->cache)) {
        DYNO_TRY(dyno_half_start(local, worker, now));
    }
    if (worker->partial != DYNO_NO_SEQ) {
        DYNO_TRY(continue_partial(local, worker, now, &scheduled));
    }
    if (scheduled && !worker->full) {
        DYNO_TRY(dyno_queue_sort(local, worker, now));
        DYNO_TRY(admit_waiting(local, worker, now));
    }
    *settled = scheduled;
    worker->tokens_along = worker->blocks_along = 0;
    worker->mixed = local->config.worker.mixed_chunk && worker->slice_count > 0;
    if (worker->mixed) {
        DYNO_TRY(prepare_decode(local, worker, now, &preempted));
        worker->pass_decode = worker->decode_count > 0;
        assert(!preempted); /* there was room for them */
    }
    if (worker->slice_count == 0) {
        if (worker->decode_count > 1 &&
            dyno_ledger_next(worker) > dyno_kv_available(&worker->cache)) {
            DYNO_TRY(dyno_estimate_retract(local, worker));
            worker->shrunk = true;
        }
        DYNO_TRY(prepare_decode(local, worker, now, &preempted));
        worker->pass_decode = worker->decode_count > 0;
        *settled = *settled && !preempted && !(worker->full && worker->shrunk);
        worker->full = worker->full && !worker->shrunk;
        worker->shrunk = false;
    }
    return DYNO_OK;
}

/* As many as a pass may have: to the next step that prompts may go into. */
static uint32_t steps_to_prompts(const struct dyno_worker *worker,
                                 const struct dyno_worker_config *config)
{
    uint32_t left;

    if (config->prefill_interval <= 1) {
        return config->steps_max;
    }
    left = config->prefill_interval - (uint32_t)(worker->rounds % config->prefill_interval);
    return left < config->steps_max ? left : config->steps_max;
}

/* How many steps the pass may have. */
static uint32_t steps_of(const struct dyno_local *local, const struct dyno_worker *worker,
                         bool settled)
{
    const struct dyno_worker_config *config = &local->config.worker;
    bool changeable = config->admission == DYNO_ADMIT_ESTIMATE && !worker->full;
    bool freed_for_somebody = /* or for later steps, whose places would be wrong */
        (worker->ended.count > 0 && (worker->waiting.count > 0 || worker->places)) ||
        (DYNO_RARELY(worker->places) && dyno_worker_moves(worker));

    if (worker->slice_count > 0 || !settled || worker->hidden || worker->ghost_count > 0 ||
        worker->host_ticks > 0 || worker->passes_cold > 0 || freed_for_somebody ||
        (changeable && worker->waiting.count > 0)) {
        return 1;
    }
    return dyno_ledger_steps(worker, steps_to_prompts(worker, config));
}

static void note_extent(struct dyno_local *local, const struct dyno_worker *worker)
{
    uint32_t tokens = local->config.worker.batch_tokens_max - worker->budget;
    uint32_t sequences = worker->pass_decode ? worker->decode_count : 0;

    tokens = tokens > sequences ? tokens : sequences;
    if (tokens > local->totals.pass_tokens_max) {
        local->totals.pass_tokens_max = tokens;
    }
    if (sequences > local->totals.sequences_max) {
        local->totals.sequences_max = sequences;
    }
}

static dyno_status submit(struct dyno_local *local, uint32_t index, uint32_t steps, dyno_ns now)
{
    struct dyno_worker *worker = &local->workers[index];
    struct dyno_device *device = local->config.device;
    bool with_ghosts = /* a pass of prompts leaves out all that decode */
        local->config.worker.order == DYNO_ORDER_MIXED || worker->slice_count == 0 || worker->mixed;

    note_extent(local, worker);
    if (DYNO_RARELY(worker->passes_cold > 0)) {
        worker->passes_cold--;
        worker->host_ticks += local->config.worker.first_pass_ticks;
    }
    worker->busy = true;
    worker->busy_since = now;
    worker->pass_steps = steps;
    if (DYNO_RARELY(worker->places) && steps > 1) {
        DYNO_TRY(dyno_tables_look_ahead(local, worker));
    }
    device->ops->submit(device, now,
                        &(struct dyno_pass){
                            .worker = index,
                            .steps_max = steps,
                            .slice_count = worker->slice_count,
                            .slices = worker->slices,
                            .decode = worker->pass_decode,
                            .decode_count = worker->pass_decode ? worker->decode_count : 0,
                            .decode_context = worker->pass_decode
                                                  ? worker->decode_tokens + worker->decode_count
                                                  : 0,
                            .ghost_count = with_ghosts ? worker->ghost_count : 0,
                            .ghost_context = with_ghosts ? worker->ghost_context : 0,
                            .host_ticks = worker->host_ticks,
                            .tables = worker->places ? dyno_kv_places_tables(worker->places) : NULL,
                        });
    if (worker->ended.count > 0) {
        DYNO_TRY(dyno_seq_release_ended(local, worker));
        if (steps > 1) { /* nobody waits: what forming the second step would make of it */
            worker->full = worker->shrunk = false;
        }
    }
    if (steps > 1 && local->kv_listener.changed && !device->ops->is_real) {
        uint32_t step = dyno_ledger_next_eviction(local, worker);

        if (step < steps) {
            dyno_alarms_set(&local->visible, index, device->ops->step_start(device, index, step));
        }
    }
    dyno_ingest_await(local, worker);
    return DYNO_OK;
}

dyno_status dyno_batch_form(struct dyno_local *local, uint32_t index, dyno_ns now)
{
    struct dyno_worker *worker = &local->workers[index];
    bool settled = true;

    assert(!worker->busy);
    if (worker->ingest.count > 0) {
        dyno_ingest_take_ready(local, worker, now);
    }
    if (worker->ended.count > 0 && worker->decode_count + worker->ghost_count == 0 &&
        worker->partial == DYNO_NO_SEQ) {
        DYNO_TRY(dyno_seq_release_ended(local, worker)); /* there was nothing to schedule ahead */
    }
    worker->slice_count = 0;
    worker->hidden = false;
    worker->host_ticks = 0;
    if (DYNO_RARELY(worker->arrived.count > 0) && !local->config.halves.first_token_here) {
        DYNO_TRY(dyno_half_join(local, worker, now));
    }
    if (DYNO_RARELY(worker->onboarded > 0)) {
        dyno_onboard_join(local, worker, now);
    }
    if (worker->running.count + worker->waiting.count + worker->ghost_count +
            worker->arrived.count ==
        0) {
        dyno_estimate_reset(local, worker);
        worker->rounds = 0;
        dyno_ingest_await(local, worker);
        return DYNO_OK;
    }
    worker->budget = local->config.worker.batch_tokens_max;
    if (local->config.worker.order == DYNO_ORDER_MIXED) {
        DYNO_TRY(form_mixed(local, worker, now, &settled));
    } else {
        DYNO_TRY(form_prefill_first(local, worker, now, &settled));
    }
    if (worker->slice_count + worker->decode_count + worker->ghost_count == 0) {
        /* With nothing running, the head of the queue fits, unless others hold blocks for what is
         * on its way: then their turn comes first. */
        DYNO_TRY(dyno_seq_release_ended(local, worker));
        if (worker->arrived.count + worker->onboarded > 0) {
            return dyno_batch_form(local, index, now); /* they were hidden by whom it preempted */
        }
        worker->full = false;
        dyno_estimate_reset(local, worker);
        DYNO_TRY(admit_waiting(local, worker, now));
        if (worker->slice_count == 0 && worker->waiting.count > 0 && worker->moves_on_way == 0) {
            while (dyno_onboard_yield(local, worker)) { /* those who wait are in each other's way */
            }
            DYNO_TRY(admit_waiting(local, worker, now));
        }
        if (worker->slice_count == 0) {
            assert(worker->reserved.count + worker->leased.count + worker->moves_on_way > 0 ||
                   worker->waiting.count == 0);
            dyno_ingest_await(local, worker);
            return DYNO_OK;
        }
    }
    return submit(local, index, steps_of(local, worker, settled), now);
}
