/* SGLang's estimate of the memory that answers will need, and what it does when it was wrong.
 *
 * A request is admitted if its prompt, its max_tokens (4,096 counted at most) and a share of what
 * running sequences may still generate fit.  The share, the new-token ratio, begins at 0.7, falls
 * to 0.14 of that in 600 decode steps that had room, and begins anew after a pause.  Where a step
 * has no room, sequences are retracted, and the ratio becomes what those that stay have shown to
 * need: (generated + 20 each) / (max_tokens + 1).
 *
 * The ratio is a function of the worker's step counter, in whole numbers, so that a leap finds the
 * same ratio as its steps would.  Source: SGLang 0.5, scheduler.py, schedule_policy.py
 * (PrefillAdder), schedule_batch.py (retract_decode), environ.py.
 */
#include "core/worker/fleet.h"

enum { DECAY_STEPS = 600, RETRACT_STEPS = 20 };

static const uint64_t one = 1ULL << 32;

uint64_t dyno_estimate_ratio(const struct dyno_local *local, const struct dyno_worker *worker)
{
    uint64_t decay = (local->ratio_first - local->ratio_min) / DECAY_STEPS;
    uint64_t steps = worker->step > worker->ratio_step ? worker->step - worker->ratio_step : 0;
    uint64_t above = worker->ratio > local->ratio_min ? worker->ratio - local->ratio_min : 0;

    if (steps == 0 || decay == 0) {
        return worker->ratio;
    }
    return steps <= above / decay ? worker->ratio - steps * decay : local->ratio_min;
}

void dyno_estimate_reset(const struct dyno_local *local, struct dyno_worker *worker)
{
    worker->ratio = local->ratio_first;
    worker->ratio_step = worker->step;
}

/* What the decode set may still generate, as the estimate counts it. */
static uint64_t tokens_left(const struct dyno_local *local, const struct dyno_worker *worker)
{
    uint64_t left = 0;

    if (worker->long_count == 0) {
        return worker->tokens_left;
    }
    for (uint32_t i = worker->running.first; i != DYNO_NO_SEQ; i = local->seqs[i].next) {
        const struct dyno_seq *seq = &local->seqs[i];

        if (seq->state == SEQ_DECODE) {
            left += dyno_estimate_clip(seq->tokens_max - dyno_seq_generated(worker, seq));
        }
    }
    return left;
}

bool dyno_estimate_fits(const struct dyno_local *local, const struct dyno_worker *worker,
                        const struct dyno_seq *seq, uint32_t hit_blocks, uint32_t idle_blocks)
{
    uint64_t size = local->config.worker.block_tokens;
    uint64_t have = (uint64_t)(dyno_kv_available(&worker->cache) - idle_blocks) * size;
    uint64_t prompt =
        (uint64_t)dyno_blocks_of(local, seq->target) * size - (uint64_t)hit_blocks * size;
    uint32_t answer = dyno_estimate_clip(seq->tokens_max - seq->generated);
    uint64_t tokens = prompt + answer + worker->tokens_along + worker->tokens_reserved;
    unsigned __int128 need = (unsigned __int128)tokens * one;

    need += (unsigned __int128)tokens_left(local, worker) * dyno_estimate_ratio(local, worker);
    return need < (unsigned __int128)have * one;
}

/* The fewest generated tokens, then the longest prompt, then the newest. */
static uint32_t worst(const struct dyno_local *local, const struct dyno_worker *worker)
{
    uint32_t found = DYNO_NO_SEQ, found_generated = 0;

    for (uint32_t i = worker->running.first; i != DYNO_NO_SEQ; i = local->seqs[i].next) {
        const struct dyno_seq *seq = &local->seqs[i];
        uint32_t generated = dyno_seq_generated(worker, seq);

        if (seq->state == SEQ_DECODE &&
            (found == DYNO_NO_SEQ || generated < found_generated ||
             (generated == found_generated &&
              seq->record.prompt_tokens >= local->seqs[found].record.prompt_tokens))) {
            found = i;
            found_generated = generated;
        }
    }
    return found;
}

/* What those that stay have shown to need.  The step to come does not lower it. */
static void raise_ratio(const struct dyno_local *local, struct dyno_worker *worker)
{
    uint64_t generated = 0, tokens_max = 0, shown;

    for (uint32_t i = worker->running.first; i != DYNO_NO_SEQ; i = local->seqs[i].next) {
        const struct dyno_seq *seq = &local->seqs[i];

        if (seq->state == SEQ_DECODE) {
            generated += dyno_seq_generated(worker, seq) + RETRACT_STEPS;
            tokens_max += seq->tokens_max;
        }
    }
    shown = (uint64_t)((unsigned __int128)generated * one / (tokens_max + 1));
    worker->ratio = shown < one ? shown : one;
    worker->ratio_step = worker->step + 1;
}

dyno_status dyno_estimate_retract(struct dyno_local *local, struct dyno_worker *worker)
{
    do {
        DYNO_TRY(dyno_seq_retract(local, worker, worst(local, worker)));
    } while (worker->decode_count > 1 &&
             dyno_ledger_next(worker) > dyno_kv_available(&worker->cache));
    raise_ratio(local, worker);
    return DYNO_OK;
}
