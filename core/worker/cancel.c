/* Clients that have gone.
 *
 * Who is in no pass leaves at once.  A pass in flight is not taken apart: whom it computes is
 * marked, and leaves when it has ended, which a leap does at its next step.  It does so too for
 * somebody who only waited: those behind may be admitted now.
 */
#include "core/worker/fleet.h"

static uint32_t find_in(const struct dyno_local *local, const struct dyno_seq_list *list,
                        uint64_t id)
{
    uint32_t index = list->first;

    while (index != DYNO_NO_SEQ &&
           (local->seqs[index].record.id != id || local->seqs[index].cancelled)) {
        index = local->seqs[index].next;
    }
    return index;
}

static uint32_t find(const struct dyno_local *local, const struct dyno_worker *worker, uint64_t id)
{
    const struct dyno_seq_list *const lists[] = {
        &worker->running, &worker->arrived, &worker->onboarding, &worker->waiting, &worker->ingest};
    uint32_t index = DYNO_NO_SEQ;

    for (uint32_t i = 0; i < sizeof lists / sizeof lists[0] && index == DYNO_NO_SEQ; i++) {
        index = find_in(local, lists[i], id);
    }
    return index;
}

static dyno_status leave(struct dyno_local *local, struct dyno_worker *worker, uint32_t index)
{
    struct dyno_seq *seq = &local->seqs[index];
    bool was_ingested = seq->state == SEQ_INGEST;

    if (was_ingested) {
        seq->record.ready_ns = DYNO_NEVER; /* it never was */
    }
    DYNO_TRY(dyno_seq_finish(local, worker, index, DYNO_CANCELLED_BY_CLIENT));
    if (was_ingested) {
        dyno_ingest_changed(local, worker);
    }
    return DYNO_OK;
}

dyno_status dyno_cancel(struct dyno_local *local, dyno_ns now, uint32_t index, uint64_t id)
{
    struct dyno_worker *worker = &local->workers[index];
    struct dyno_seq *seq;
    bool is_computed;
    uint32_t found;

    dyno_ingest_take_ready(local, worker, now); /* who is ready counts as one who waits */
    found = find(local, worker, id);
    if (found == DYNO_NO_SEQ) {
        return DYNO_OK;
    }
    seq = &local->seqs[found];
    is_computed = worker->busy && (seq->state == SEQ_PROMPT || seq->state == SEQ_DECODE);
    dyno_local_touch(local, index, now);
    if (is_computed) {
        seq->cancelled = true;
        worker->cancelled_count++;
        return DYNO_OK;
    }
    return leave(local, worker, found);
}

dyno_status dyno_cancel_settle(struct dyno_local *local, struct dyno_worker *worker)
{
    uint32_t index = worker->running.first;

    while (index != DYNO_NO_SEQ && worker->cancelled_count > 0) {
        uint32_t next = local->seqs[index].next;

        if (local->seqs[index].cancelled) {
            DYNO_TRY(leave(local, worker, index));
        }
        index = next;
    }
    return DYNO_OK;
}
