/* Where blocks lie, for a device that stores KV (core/kv/places.h): those of decode steps, and what
 * of a prompt lies in its place already.
 *
 * The ledger takes blocks for the decode set as a whole; here they are given to the sequences that
 * need them: by step, and within a step in the order in which sequences run.  A sequence needs a
 * block for a step that writes a token where its table ends.
 */
#include <assert.h>

#include "core/worker/fleet.h"

/* Tokens that it has blocks for before step `step` of the pass (its first is 0). */
static uint64_t covered(const struct dyno_local *local, const struct dyno_worker *worker,
                        const struct dyno_seq *seq, uint32_t step)
{
    return (uint64_t)dyno_seq_tokens(worker, seq) + local->config.worker.lookahead + step;
}

/* Whether the sequence takes a block at that step. */
static bool takes_at(const struct dyno_local *local, const struct dyno_worker *worker,
                     const struct dyno_seq *seq, uint32_t step)
{
    return seq->state == SEQ_DECODE &&
           covered(local, worker, seq, step) % local->config.worker.block_tokens == 0;
}

dyno_status dyno_tables_first_step(struct dyno_local *local, struct dyno_worker *worker)
{
    for (uint32_t i = worker->running.first; i != DYNO_NO_SEQ; i = local->seqs[i].next) {
        const struct dyno_seq *seq = &local->seqs[i];
        uint32_t blocks = takes_at(local, worker, seq, 0) ? 1 : 0;

        if (seq->state == SEQ_DECODE && seq->joined_step == worker->step) {
            blocks += dyno_seq_catch_up(local, seq);
        }
        if (blocks > 0) {
            DYNO_TRY(dyno_kv_places_take(worker->places, seq->slot, blocks));
        }
    }
    return DYNO_OK;
}

dyno_status dyno_tables_look_ahead(struct dyno_local *local, struct dyno_worker *worker)
{
    dyno_kv_places_lend_start(worker->places, &worker->cache);
    for (uint32_t step = 1; step < worker->pass_steps; step++) {
        for (uint32_t i = worker->running.first; i != DYNO_NO_SEQ; i = local->seqs[i].next) {
            if (takes_at(local, worker, &local->seqs[i], step)) {
                DYNO_TRY(dyno_kv_places_lend(worker->places, &worker->cache, local->seqs[i].slot));
            }
        }
    }
    return DYNO_OK;
}

void dyno_tables_settle(struct dyno_local *local, struct dyno_worker *worker, uint32_t steps)
{
    if (worker->pass_steps == 1) {
        return;
    }
    dyno_kv_places_lend_settle(worker->places, (uint32_t)dyno_ledger_demand(worker, 1, steps - 1));
    for (uint32_t i = worker->running.first; i != DYNO_NO_SEQ; i = local->seqs[i].next) {
        const struct dyno_seq *seq = &local->seqs[i];

        if (seq->state == SEQ_DECODE) {
            dyno_kv_places_trim(worker->places, seq->slot,
                                dyno_blocks_of(local, covered(local, worker, seq, steps)));
        }
    }
}

uint32_t dyno_tables_cached(const struct dyno_local *local, const struct dyno_worker *worker,
                            const struct dyno_seq *seq, uint32_t tokens, uint32_t to)
{
    uint32_t there =
        dyno_kv_places_resident(worker->places, seq->links, seq->link_count, seq->held_blocks, to);
    uint64_t end = (uint64_t)(seq->held_blocks + there) * local->config.worker.block_tokens;

    if (end <= seq->computed) {
        return 0;
    }
    return end - seq->computed < tokens ? (uint32_t)(end - seq->computed) : tokens;
}
