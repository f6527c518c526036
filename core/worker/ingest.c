/* Ingest: from a request's arrival at its worker until a pass can take it in.
 *
 * A worker ingests its requests one at a time, so that they become ready in the order in which they
 * came, and when is known as soon as they do.
 */
#include "core/base/usual.h"
#include "core/worker/fleet.h"

/* Requests are ingested one at a time (one tokeniser thread a worker). */
dyno_ns dyno_ingested_at(const struct dyno_local *local, const struct dyno_worker *worker,
                         uint32_t prompt_tokens, dyno_ns now)
{
    const struct dyno_worker_config *config = &local->config.worker;
    dyno_ns start = worker->ingest_free_at > now ? worker->ingest_free_at : now;

    return start + config->ingest_ns +
           (dyno_ns)(((unsigned __int128)config->ingest_token_ticks * prompt_tokens) >>
                     DYNO_TICK_BITS);
}

/* Those whose ingest is over wait for a pass.  On a device that is real they are ready when they
 * are seen to be, but for those whose prompts another worker has admitted since. */
void dyno_ingest_take_ready(struct dyno_local *local, struct dyno_worker *worker, dyno_ns now)
{
    while (worker->ingest.count > 0) {
        uint32_t index = worker->ingest.first;
        struct dyno_seq *seq = &local->seqs[index];

        if (seq->record.ready_ns > now) {
            return;
        }
        if (DYNO_RARELY(local->config.device->ops->is_real) &&
            seq->record.admitted_ns == DYNO_NEVER) {
            seq->record.ready_ns = now;
        }
        seq->state = SEQ_WAITING;
        dyno_seq_unlink(local, &worker->ingest, index);
        dyno_seq_append(local, &worker->waiting, index);
    }
}

/* Somebody will be ready `at`: a leap in flight ends at its next step then, so that he can be
 * admitted, unless somebody before him was refused and still is.  Where passes are scheduled ahead,
 * the one that starts with that step could not see him: the leap takes it along. */
static void stop_leap(struct dyno_local *local, struct dyno_worker *worker, dyno_ns at)
{
    if (worker->pass_steps > 1 && worker->waiting.count == 0) {
        local->config.device->ops->stop(local->config.device, dyno_worker_index(local, worker), at,
                                        local->config.worker.async_scheduling ? 1 : 0);
    }
}

/* Nothing happens when a request becomes ready while a pass is in flight: the pass is told ahead
 * when to end, and whoever forms the next one finds him.  Only an idle worker has to be woken.  (A
 * real device cannot be told ahead.) */
void dyno_ingest_await(struct dyno_local *local, struct dyno_worker *worker)
{
    dyno_ns at;

    if (worker->ingest.count == 0) {
        return;
    }
    at = local->seqs[worker->ingest.first].record.ready_ns;
    if (!worker->busy || local->config.device->ops->is_real) {
        dyno_alarms_set(&local->ingest, dyno_worker_index(local, worker), at);
    } else {
        stop_leap(local, worker, at);
    }
}

void dyno_ingest_changed(struct dyno_local *local, struct dyno_worker *worker)
{
    dyno_alarms_set(&local->ingest, dyno_worker_index(local, worker), DYNO_NEVER);
    dyno_ingest_await(local, worker);
}

void dyno_ingest_settle(struct dyno_local *local, dyno_ns now)
{
    while (dyno_alarms_next(&local->ingest) <= now) {
        struct dyno_worker *worker = &local->workers[dyno_alarms_owner(&local->ingest)];

        dyno_alarms_set(&local->ingest, dyno_worker_index(local, worker), DYNO_NEVER);
        if (worker->busy) {
            stop_leap(local, worker, now);
            dyno_ingest_take_ready(local, worker, now);
            dyno_ingest_await(local, worker);
        } else {
            dyno_local_mark_dirty(local, worker);
        }
    }
}
