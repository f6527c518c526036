/* Sequences: their memory, the lists they stand in, the decode set, and giving blocks back. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/array.h"
#include "core/base/usual.h"
#include "core/worker/first_record.h"
#include "core/worker/fleet.h"

enum { SEQS_MIN = 64 };

static dyno_status grow_seqs(struct dyno_local *local)
{
    uint32_t count = local->seqs_capacity ? 2 * local->seqs_capacity : SEQS_MIN;
    struct dyno_seq *seqs = realloc(local->seqs, count * sizeof *seqs);

    if (!seqs) {
        return DYNO_NO_MEMORY;
    }
    for (uint32_t i = local->seqs_capacity; i < count; i++) {
        seqs[i].next = i + 1 < count ? i + 1 : DYNO_NO_SEQ;
    }
    local->seqs = seqs;
    local->seqs_unused = local->seqs_capacity;
    local->seqs_capacity = count;
    return DYNO_OK;
}

static size_t links_bytes(uint32_t span_count)
{
    return (span_count + (size_t)1) * sizeof(struct dyno_kv_link);
}

static void copy_spans(struct dyno_seq *seq, const struct dyno_request *request)
{
    for (uint32_t i = 0; i < request->span_count; i++) {
        seq->links[i] = (struct dyno_kv_link){.span = request->spans[i].id,
                                              .blocks = request->spans[i].blocks,
                                              .run = DYNO_KV_NO_RUN};
        seq->chain_blocks += request->spans[i].blocks;
    }
}

/* It goes on where it was when its worker was lost: what is known of it stays, what it generated is
 * to be recomputed behind its prompt. */
static void resume(const struct dyno_local *local, struct dyno_seq *seq,
                   const struct dyno_resume *before)
{
    const struct dyno_request_record *record = &before->record;

    seq->before = before;
    seq->is_resumed = true;
    seq->computed_before = before->computed;
    seq->generated = record->output_tokens;
    seq->target += seq->generated;
    seq->last_token_at =
        seq->generated > 0 ? record->last_token_ns - local->config.worker.response_ns : 0;
    seq->record.prefill_worker = record->prefill_worker;
    seq->record.cached_tokens = record->cached_tokens;
    seq->record.onboarded_tokens = record->onboarded_tokens;
    seq->record.preemptions = record->preemptions;
    seq->record.migrations = record->migrations;
    seq->record.admitted_ns = record->admitted_ns;
    seq->record.first_token_ns = record->first_token_ns;
    seq->record.onboard_ns = record->onboard_ns;
    seq->record.transfer_ns = record->transfer_ns;
}

dyno_status dyno_seq_make(struct dyno_local *local, const struct dyno_request *request,
                          uint32_t worker, uint32_t *out)
{
    struct dyno_seq *seq;

    if (local->seqs_unused == DYNO_NO_SEQ) {
        DYNO_TRY(grow_seqs(local));
    }
    seq = &local->seqs[local->seqs_unused];
    *out = local->seqs_unused;
    local->seqs_unused = seq->next;
    *seq = (struct dyno_seq){
        .prev = DYNO_NO_SEQ, .next = DYNO_NO_SEQ, .target = request->prompt_tokens};
    dyno_first_record_begin(&seq->record, request, worker); /* in place: a copy would wait for it */
    if (local->config.worker.prefix_cache) {
        seq->span_count = seq->link_count = request->span_count;
    }
    seq->links = dyno_slab_take(&local->slab, links_bytes(seq->span_count));
    if (!seq->links) {
        return DYNO_NO_MEMORY;
    }
    if (seq->span_count > 0) {
        copy_spans(seq, request);
    }
    if (DYNO_RARELY(request->before != NULL)) {
        resume(local, seq, request->before);
    }
    return DYNO_OK;
}

void dyno_seq_free(struct dyno_local *local, uint32_t index)
{
    struct dyno_seq *seq = &local->seqs[index];

    dyno_slab_give(&local->slab, seq->links, links_bytes(seq->span_count));
    seq->links = NULL;
    seq->next = local->seqs_unused;
    local->seqs_unused = index;
}

/* ---- lists ----------------------------------------------------------------------------------- */

void dyno_seq_prepend(struct dyno_local *local, struct dyno_seq_list *list, uint32_t seq)
{
    local->seqs[seq].next = list->first;
    local->seqs[seq].prev = DYNO_NO_SEQ;
    if (list->first == DYNO_NO_SEQ) {
        list->last = seq;
    } else {
        local->seqs[list->first].prev = seq;
    }
    list->first = seq;
    list->count++;
}

/* ---- the decode set -------------------------------------------------------------------------- */

static uint32_t steps_since_joining(const struct dyno_worker *worker, const struct dyno_seq *seq)
{
    return seq->state == SEQ_DECODE ? (uint32_t)(worker->step - seq->joined_step) : 0;
}

uint32_t dyno_seq_tokens(const struct dyno_worker *worker, const struct dyno_seq *seq)
{
    return seq->computed + steps_since_joining(worker, seq);
}

uint32_t dyno_seq_generated(const struct dyno_worker *worker, const struct dyno_seq *seq)
{
    return seq->generated + steps_since_joining(worker, seq);
}

/* The phase at which the sequence will take a block: when its tokens, and those ahead, are a whole
 * number of blocks. */
static uint32_t taking_phase(const struct dyno_local *local, const struct dyno_worker *worker,
                             const struct dyno_seq *seq)
{
    uint32_t size = worker->takers.size;
    uint32_t over = (seq->computed + local->config.worker.lookahead) % size;
    uint32_t phase = worker->phase + (over > 0 ? size - over : 0);

    return phase < size ? phase : phase - size;
}

/* Add to, or take from, the sequences that joined at `at` and have not decoded since. */
static dyno_status count_joiner(struct dyno_worker *worker, dyno_ns at, int change)
{
    for (uint32_t i = worker->joiners_count; i-- > 0;) {
        if (worker->joiners[i].at == at) {
            worker->joiners[i].count += (uint32_t)change;
            worker->joined_count += (uint32_t)change;
            if (worker->joined_count == 0) {
                worker->joiners_count = 0;
            }
            return DYNO_OK;
        }
    }
    assert(change > 0);
    if (DYNO_RARELY(worker->joiners_count == worker->joiners_capacity) &&
        !dyno_array_reserve(&worker->joiners, &worker->joiners_capacity, worker->joiners_count + 1U,
                            sizeof *worker->joiners)) {
        return DYNO_NO_MEMORY;
    }
    worker->joiners[worker->joiners_count++] = (struct dyno_joiners){.at = at, .count = 1};
    worker->joined_count++;
    return DYNO_OK;
}

/* When it joins: more may come than the estimate counts. */
static bool is_long(const struct dyno_seq *seq)
{
    uint32_t left = seq->tokens_max - seq->generated;

    return dyno_estimate_clip(left) < left;
}

dyno_status dyno_seq_join_decode(struct dyno_local *local, struct dyno_worker *worker,
                                 uint32_t index, dyno_ns at)
{
    struct dyno_seq *seq = &local->seqs[index];

    seq->state = SEQ_DECODE;
    worker->tokens_reserved -= seq->reserved;
    seq->reserved = 0;
    seq->joined_step = worker->step;
    seq->last_token_at = at;
    worker->decode_count++;
    worker->decode_tokens += seq->computed;
    seq->phase = taking_phase(local, worker, seq);
    worker->catch_up += dyno_seq_catch_up(local, seq);
    dyno_takers_add(&worker->takers, seq->phase);
    worker->tokens_left += seq->tokens_max - seq->generated;
    worker->long_count += is_long(seq);
    return count_joiner(worker, at, 1);
}

void dyno_seq_leave_decode(struct dyno_local *local, struct dyno_worker *worker, uint32_t index)
{
    struct dyno_seq *seq = &local->seqs[index];

    dyno_takers_remove(&worker->takers, seq->phase);
    worker->decode_count--;
    worker->long_count -= is_long(seq);
    if (worker->step == seq->joined_step) {
        (void)count_joiner(worker, seq->last_token_at, -1);
        worker->catch_up -= dyno_seq_catch_up(local, seq);
    } else {
        seq->ahead = local->config.worker.lookahead;
        seq->last_token_at = worker->last_decode_at;
    }
    seq->computed = dyno_seq_tokens(worker, seq);
    seq->generated = dyno_seq_generated(worker, seq);
    seq->state = SEQ_PROMPT;
    worker->decode_tokens -= seq->computed;
    worker->tokens_left -= seq->tokens_max - seq->generated;
}

/* ---- leaving the running list ---------------------------------------------------------------- */

/* After a preemption what it generated may still be found: its whole blocks beyond the request's
 * spans go under a span of its own. */
static dyno_status keep_generated(struct dyno_local *local, struct dyno_worker *worker,
                                  struct dyno_seq *seq, dyno_ns now)
{
    static const uint64_t private_root = 0x9d3f5c1b7a2e4860ULL;
    struct dyno_kv_link *own = &seq->links[seq->span_count];
    uint32_t whole = seq->computed / local->config.worker.block_tokens;
    uint32_t spans_blocks = seq->chain_blocks;

    if (seq->link_count > seq->span_count) {
        spans_blocks -= own->blocks;
    }
    if (whole <= spans_blocks || whole <= seq->held_blocks) {
        return DYNO_OK;
    }
    if (seq->link_count == seq->span_count) {
        *own = (struct dyno_kv_link){.span = dyno_chain(private_root, seq->record.id),
                                     .run = DYNO_KV_NO_RUN};
        seq->link_count++;
    }
    own->blocks = whole - spans_blocks;
    seq->chain_blocks = whole;
    if (DYNO_RARELY(worker->places)) {
        DYNO_TRY(dyno_kv_places_seal(worker->places, seq->slot, seq->links, seq->link_count,
                                     seq->held_blocks, whole));
    }
    DYNO_TRY(
        dyno_kv_seal(&worker->cache, seq->links, seq->link_count, 1, seq->held_blocks, whole, now));
    seq->held_blocks = whole;
    return DYNO_OK;
}

dyno_status dyno_seq_give_blocks(struct dyno_local *local, struct dyno_worker *worker,
                                 struct dyno_seq *seq, bool keep)
{
    uint32_t own = dyno_seq_blocks(local, seq) - seq->held_blocks;

    if (keep && local->config.worker.prefix_cache) {
        if (DYNO_RARELY(worker->places)) {
            dyno_kv_places_retire(worker->places, seq->slot, seq->held_blocks);
        }
        DYNO_TRY(dyno_kv_retire(&worker->cache, own));
    } else {
        if (DYNO_RARELY(worker->places)) {
            dyno_kv_places_drop(worker->places, seq->slot, seq->held_blocks);
        }
        dyno_kv_drop(&worker->cache, own);
    }
    if (seq->held_blocks > 0) {
        dyno_kv_let_go(&worker->cache, seq->links, seq->link_count, seq->held_blocks);
    }
    if (DYNO_RARELY(worker->places) && seq->state == SEQ_LEASED) {
        dyno_kv_places_remove(worker->places, seq->slot);
    }
    seq->held_blocks = 0;
    worker->shrunk = true;
    return DYNO_OK;
}

/* Give back the slot, and what is set aside and counted for a running sequence. */
static void give_place(struct dyno_local *local, struct dyno_worker *worker, struct dyno_seq *seq)
{
    if (seq->computed > local->totals.context_max) {
        local->totals.context_max = seq->computed;
    }
    worker->tokens_reserved -= seq->reserved;
    seq->reserved = 0;
    worker->blocks_promised -= dyno_seq_blocks_max(local, seq);
    worker->blocks_held -= dyno_seq_blocks(local, seq);
    worker->slots_free[worker->slots_free_count++] = seq->slot;
    worker->shrunk = true;
}

/* Give back all blocks, deepest first, and the place for another.  The sequence is not in the
 * decode set any more.  `keep`: what only it holds stays behind, idle. */
static dyno_status give_back(struct dyno_local *local, struct dyno_worker *worker, uint32_t index,
                             bool keep)
{
    struct dyno_seq *seq = &local->seqs[index];

    DYNO_TRY(dyno_seq_give_blocks(local, worker, seq, keep));
    give_place(local, worker, seq);
    return DYNO_OK;
}

static void leave_running(struct dyno_local *local, struct dyno_worker *worker, uint32_t index)
{
    const struct dyno_seq *seq = &local->seqs[index];

    local->config.device->ops->shut(local->config.device, seq->record.worker, seq->slot);
    dyno_seq_unlink(local, &worker->running, index);
    if (worker->partial == index) {
        worker->partial = DYNO_NO_SEQ;
    }
}

dyno_status dyno_seq_lease(struct dyno_local *local, struct dyno_worker *worker, uint32_t index)
{
    struct dyno_seq *seq = &local->seqs[index];

    dyno_seq_leave_decode(local, worker, index);
    leave_running(local, worker, index);
    give_place(local, worker, seq);
    dyno_seq_append(local, &worker->leased, index);
    seq->state = SEQ_LEASED;
    return DYNO_RARELY(worker->places) ? dyno_kv_places_park(worker->places, seq->slot, &seq->slot)
                                       : DYNO_OK;
}

static dyno_status stop_running(struct dyno_local *local, struct dyno_worker *worker,
                                uint32_t index, bool keep)
{
    leave_running(local, worker, index);
    return give_back(local, worker, index, keep);
}

/* Everything is to be recomputed, what it generated included. */
static void wait_again(struct dyno_local *local, struct dyno_seq *seq)
{
    seq->target = seq->record.prompt_tokens + seq->generated;
    seq->computed = 0;
    seq->record.preemptions++;
    local->totals.preemptions++;
    seq->state = SEQ_WAITING;
}

dyno_status dyno_seq_preempt(struct dyno_local *local, struct dyno_worker *worker, uint32_t index,
                             dyno_ns now)
{
    struct dyno_seq *seq = &local->seqs[index];

    if (seq->state == SEQ_DECODE) {
        dyno_seq_leave_decode(local, worker, index);
        if (local->config.worker.prefix_cache) {
            DYNO_TRY(keep_generated(local, worker, seq, now));
        }
    }
    DYNO_TRY(stop_running(local, worker, index, true));
    wait_again(local, seq);
    dyno_seq_prepend(local, &worker->waiting, index);
    return DYNO_OK;
}

dyno_status dyno_seq_retract(struct dyno_local *local, struct dyno_worker *worker, uint32_t index)
{
    dyno_seq_leave_decode(local, worker, index);
    DYNO_TRY(stop_running(local, worker, index, false));
    wait_again(local, &local->seqs[index]);
    dyno_seq_append(local, &worker->waiting, index);
    return DYNO_OK;
}

/* The pass to come was scheduled while it ran: it holds what it has until that has been formed. */
static void hold_ended(struct dyno_local *local, struct dyno_worker *worker, uint32_t index)
{
    struct dyno_seq *seq = &local->seqs[index];

    leave_running(local, worker, index);
    dyno_seq_append(local, &worker->ended, index);
    seq->state = SEQ_ENDED;
    if (!local->config.worker.foresees_limit || seq->generated < seq->tokens_max) {
        worker->ghost_count++;
        worker->ghost_context += seq->computed + 1;
    }
}

/* Stop a running sequence for good.  True in *held: it is kept until the next pass is formed. */
static dyno_status finish_running(struct dyno_local *local, struct dyno_worker *worker,
                                  uint32_t index, enum dyno_outcome outcome, bool *held)
{
    struct dyno_seq *seq = &local->seqs[index];
    bool is_new = seq->state == SEQ_DECODE && seq->joined_step == worker->step;

    if (seq->state == SEQ_DECODE) {
        dyno_seq_leave_decode(local, worker, index);
    }
    *held = outcome == DYNO_COMPLETED && local->config.worker.async_scheduling;
    if (*held) {
        hold_ended(local, worker, index);
        return DYNO_OK;
    }
    worker->full = worker->full && !is_new; /* it never joined the others, who are as many */
    return stop_running(local, worker, index, true);
}

dyno_status dyno_seq_release_ended(struct dyno_local *local, struct dyno_worker *worker)
{
    while (worker->ended.count > 0) {
        uint32_t index = worker->ended.first;

        dyno_seq_unlink(local, &worker->ended, index);
        DYNO_TRY(give_back(local, worker, index, true));
        dyno_seq_free(local, index);
    }
    worker->ghost_count = 0;
    worker->ghost_context = 0;
    return DYNO_OK;
}

/* Take a sequence that does not run out of where it stands, with what it holds given back. */
static dyno_status leave_line(struct dyno_local *local, struct dyno_worker *worker, uint32_t index)
{
    struct dyno_seq *seq = &local->seqs[index];

    switch (seq->state) {
    case SEQ_INGEST:
        dyno_seq_unlink(local, &worker->ingest, index);
        break;
    case SEQ_WAITING:
        dyno_seq_unlink(local, &worker->waiting, index);
        dyno_onboard_end(local, worker, index);
        break;
    case SEQ_ONBOARD:
        dyno_seq_unlink(local, &worker->onboarding, index);
        dyno_onboard_end(local, worker, index);
        break;
    case SEQ_RESERVED:
        dyno_seq_unlink(local, &worker->reserved, index);
        DYNO_TRY(give_back(local, worker, index, false)); /* nothing is in its blocks */
        break;
    case SEQ_ARRIVED:
        dyno_seq_unlink(local, &worker->arrived, index);
        DYNO_TRY(give_back(local, worker, index, true));
        break;
    case SEQ_LEASED:
        dyno_seq_unlink(local, &worker->leased, index);
        DYNO_TRY(dyno_seq_give_blocks(local, worker, seq, true));
        break;
    case SEQ_PROMPT:
    case SEQ_DECODE: /* they run */
    case SEQ_ENDED:  /* it was told of */
        assert(false);
        break;
    }
    return DYNO_OK;
}

dyno_status dyno_seq_unreserve(struct dyno_local *local, struct dyno_worker *worker, uint32_t index)
{
    struct dyno_seq *seq = &local->seqs[index];

    DYNO_TRY(leave_line(local, worker, index));
    seq->computed = 0;
    seq->state = SEQ_WAITING;
    dyno_seq_prepend(local, &worker->waiting, index);
    return DYNO_OK;
}

/* Take it out of the worker, and write what there is to tell of it. */
static dyno_status close_life(struct dyno_local *local, struct dyno_worker *worker, uint32_t index,
                              enum dyno_outcome outcome, struct dyno_request_record *record)
{
    struct dyno_seq *seq = &local->seqs[index];
    bool held = false;

    if (!DYNO_RARELY(seq->state != SEQ_PROMPT && seq->state != SEQ_DECODE)) {
        DYNO_TRY(finish_running(local, worker, index, outcome, &held));
    } else {
        DYNO_TRY(leave_line(local, worker, index));
    }
    worker->cancelled_count -= seq->cancelled;
    seq->record.outcome = outcome;
    seq->record.output_tokens = seq->generated;
    if (seq->generated <= 1) {
        seq->record.transfer_ns = 0; /* no token waited for it */
    }
    if (seq->generated > 0) {
        seq->record.last_token_ns = seq->last_token_at + local->config.worker.response_ns;
    }
    if (DYNO_RARELY(seq->before != NULL) && seq->before->record.ready_ns != DYNO_NEVER) {
        seq->record.ready_ns = seq->before->record.ready_ns; /* it was, on the first worker */
    }
    *record = seq->record;
    if (!held) {
        dyno_seq_free(local, index);
    }
    return DYNO_OK;
}

dyno_status dyno_seq_finish(struct dyno_local *local, struct dyno_worker *worker, uint32_t index,
                            enum dyno_outcome outcome)
{
    bool is_orphan = local->seqs[index].is_orphan;
    struct dyno_request_record record;

    DYNO_TRY(close_life(local, worker, index, outcome, &record));
    if (DYNO_RARELY(is_orphan)) {
        return DYNO_OK;
    }
    return local->config.listener.ended(local->config.listener.context, &record);
}

dyno_status dyno_seq_lose(struct dyno_local *local, struct dyno_worker *worker, uint32_t index,
                          uint32_t computed)
{
    struct dyno_resume how_far = {.computed = computed};
    bool is_orphan = local->seqs[index].is_orphan;

    if (local->seqs[index].state == SEQ_INGEST &&
        local->seqs[index].record.admitted_ns == DYNO_NEVER) { /* also nowhere else */
        local->seqs[index].record.ready_ns = DYNO_NEVER;
    }
    DYNO_TRY(close_life(local, worker, index, DYNO_FAILED, &how_far.record));
    return is_orphan ? DYNO_OK
                     : local->config.listener.lost(local->config.listener.context, &how_far);
}
