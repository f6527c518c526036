/* A run is given up: what its steps had done is settled, and everybody who is left ends. */
#include "core/worker/fleet.h"

static dyno_status abandon_list(struct dyno_local *local, struct dyno_worker *worker,
                                const struct dyno_seq_list *list, enum dyno_outcome outcome)
{
    while (list->count > 0) {
        DYNO_TRY(dyno_seq_finish(local, worker, list->first, outcome));
    }
    return DYNO_OK;
}

void dyno_local_forget_pass(struct dyno_local *local, struct dyno_worker *worker)
{
    for (uint32_t i = 0; worker->busy && i < worker->slice_count; i++) {
        const struct dyno_slice *slice = &worker->slices[i];

        local->seqs[worker->seq_of_slot[slice->slot]].computed += slice->tokens;
    }
    worker->busy = false;
}

void dyno_local_end_leap(struct dyno_local *local, uint32_t index, dyno_ns now)
{
    struct dyno_worker *worker = &local->workers[index];
    struct dyno_in_flight pass = {.device = local->config.device, .worker = index};
    uint32_t started, completed;

    if (!worker->busy || !worker->pass_decode || worker->pass_steps == 1) {
        return;
    }
    pass.device->ops->progress(pass.device, index, now, &started, &completed);
    dyno_ledger_take(local, worker, completed + 1, dyno_local_boundary, &pass);
    if (completed > 0) {
        pass.device->ops->stop(pass.device, index, dyno_local_boundary(&pass, completed), 0);
    }
}

dyno_ns dyno_local_quiesce(struct dyno_workers *workers, dyno_ns now)
{
    struct dyno_local *local = (void *)workers; /* its first member */
    struct dyno_device *device = local->config.device;
    dyno_ns ended;

    if (!device->ops->is_real) {
        return now;
    }
    for (uint32_t i = 0; i < local->config.worker_count; i++) {
        device->ops->stop(device, i, now, 0);
    }
    ended = device->ops->quiesce(device);
    return ended > now ? ended : now;
}

dyno_status dyno_local_abandon(struct dyno_workers *workers, dyno_ns now, enum dyno_outcome outcome)
{
    struct dyno_local *local = (void *)workers; /* its first member */

    now = dyno_local_quiesce(workers, now);
    for (uint32_t i = 0; !local->config.device->ops->is_real && i < local->config.worker_count;
         i++) {
        dyno_local_end_leap(local, i, now);
    }
    local->abandoned = true;
    DYNO_TRY(workers->ops->settle(workers, now));
    for (uint32_t i = 0; i < local->config.worker_count; i++) {
        struct dyno_worker *worker = &local->workers[i];

        /* A device that is real has ended every pass by now, but one that it could not compute:
         * nobody had looked for that yet. */
        worker->halted |= worker->busy && local->config.device->ops->is_real;
        dyno_local_forget_pass(local, worker);
        DYNO_TRY(dyno_cancel_settle(local, worker));
    }
    for (uint32_t i = 0; i < local->config.worker_count; i++) {
        struct dyno_worker *worker = &local->workers[i];

        DYNO_TRY(abandon_list(local, worker, &worker->running, outcome));
        DYNO_TRY(abandon_list(local, worker, &worker->reserved, outcome));
        DYNO_TRY(abandon_list(local, worker, &worker->arrived, outcome));
        DYNO_TRY(abandon_list(local, worker, &worker->leased, outcome));
        DYNO_TRY(abandon_list(local, worker, &worker->onboarding, outcome));
        DYNO_TRY(abandon_list(local, worker, &worker->waiting, outcome));
        DYNO_TRY(abandon_list(local, worker, &worker->ingest, outcome));
        DYNO_TRY(dyno_seq_release_ended(local, worker));
    }
    if (local->config.tiers) {
        dyno_tiers_abandon(local);
    }
    return DYNO_OK;
}
