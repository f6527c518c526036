/* Local workers: the request-level seam over batching, caches and a device. */
#include "core/worker/local.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/usual.h"
#include "core/worker/first_record.h"
#include "core/worker/fleet.h"
#include "core/worker/tiers.h"

static struct dyno_local *local_of(struct dyno_workers *workers)
{
    return (void *)workers; /* its first member */
}

static const struct dyno_local *const_local_of(const struct dyno_workers *workers)
{
    return (const void *)workers;
}

/* ---- submit ---------------------------------------------------------------------------------- */

/* A worker's arrays are made when its first request comes, so that idle fleets are cheap. */
static dyno_status warm_up(const struct dyno_local *local, struct dyno_worker *worker)
{
    uint32_t seqs_max = local->config.worker.seqs_max;

    worker->seq_of_slot = malloc(seqs_max * sizeof *worker->seq_of_slot);
    worker->slots_free = malloc(seqs_max * sizeof *worker->slots_free);
    if (!worker->seq_of_slot || !worker->slots_free) {
        return DYNO_NO_MEMORY;
    }
    DYNO_TRY(dyno_takers_init(&worker->takers, local->config.worker.block_tokens));
    for (uint32_t i = 0; i < seqs_max; i++) {
        worker->slots_free[i] = seqs_max - 1 - i;
    }
    worker->slots_free_count = seqs_max;
    if (local->config.device->ops->stores_kv) {
        DYNO_TRY(dyno_kv_places_open(&worker->places, local->config.worker.blocks, seqs_max));
        worker->cache.places = worker->places;
    }
    return DYNO_OK;
}

static dyno_status refuse(struct dyno_local *local, const struct dyno_request *request,
                          uint32_t worker, enum dyno_outcome outcome)
{
    struct dyno_request_record record = dyno_first_record(request, worker);

    record.outcome = outcome;
    return local->config.listener.ended(local->config.listener.context, &record);
}

bool dyno_local_could_hold(const struct dyno_local *local, const struct dyno_request *request)
{
    return dyno_worker_could_hold(&local->config.worker, request->prompt_tokens);
}

/* How much it may generate: by its own limit and the worker's, and of a prompt that goes on
 * elsewhere one token here. */
static void limit_tokens(const struct dyno_local *local, const struct dyno_request *request,
                         enum dyno_half half, struct dyno_seq *seq)
{
    uint64_t limit = dyno_worker_tokens_max(&local->config.worker) - request->prompt_tokens;

    seq->half = half;
    seq->tokens_max = request->max_tokens < limit ? request->max_tokens : (uint32_t)limit;
    seq->tokens_in_all = seq->tokens_max;
    if (half == DYNO_PROMPT_HALF) {
        seq->tokens_max = 1;
        seq->tokens_in_all = request->max_tokens;
    }
}

dyno_status dyno_local_enter(struct dyno_local *local, dyno_ns now, uint32_t index,
                             const struct dyno_request *request, enum dyno_half half, uint32_t *out)
{
    const struct dyno_worker_config *config = &local->config.worker;
    struct dyno_worker *worker = &local->workers[index];
    uint32_t seq;
    dyno_ns ready;

    *out = DYNO_NO_SEQ;
    if (DYNO_RARELY(!dyno_local_could_hold(local, request))) {
        return refuse(local, request, index, DYNO_REJECTED_PROMPT_TOO_LONG);
    }
    if (config->queue_max > 0 && !request->before && /* who was let in once is */
        worker->waiting.count + worker->ingest.count >= config->queue_max) {
        return refuse(local, request, index, DYNO_REJECTED_QUEUE_FULL);
    }
    if (DYNO_RARELY(!worker->takers.at)) {
        DYNO_TRY(warm_up(local, worker));
    }
    DYNO_TRY(dyno_seq_make(local, request, index, &seq));
    *out = seq;
    limit_tokens(local, request, half, &local->seqs[seq]);
    ready = dyno_ingested_at(local, worker, request->prompt_tokens, now);
    worker->ingest_free_at = ready;
    local->seqs[seq].state = SEQ_INGEST;
    local->seqs[seq].record.ready_ns = ready;
    dyno_seq_append(local, &worker->ingest, seq);
    if (worker->ingest.count == 1) {
        dyno_ingest_await(local, worker);
    }
    return DYNO_OK;
}

static dyno_status local_submit(struct dyno_workers *workers, dyno_ns now, uint32_t index,
                                const struct dyno_request *request)
{
    uint32_t seq;

    return dyno_local_enter(local_of(workers), now, index, request, DYNO_WHOLE, &seq);
}

/* ---- settle, form, sync ---------------------------------------------------------------------- */

/* Passes that have ended by `now`. */
static dyno_status settle_passes(struct dyno_local *local, dyno_ns now)
{
    struct dyno_device *device = local->config.device;
    struct dyno_completion completion;

    while (dyno_device_may_be_due(device, now) && device->ops->reap(device, now, &completion)) {
        DYNO_TRY(dyno_settle_completion(local, &completion, now));
        local->pulls_due = DYNO_RARELY(local->pulls_wait) ? now : local->pulls_due;
    }
    return DYNO_OK;
}

/* What is on its way by `now`.  True in *any: something happened, and may have cut a pass at this
 * very instant. */
static dyno_status settle_tiers(struct dyno_local *local, dyno_ns now, bool *any)
{
    *any = local->links && dyno_links_next(local->links) <= now;
    if (*any) {
        DYNO_TRY(dyno_tiers_settle(local, now, any));
    }
    if (DYNO_RARELY(local->pulls_due <= now)) {
        DYNO_TRY(dyno_peers_ask(local, now));
        *any = true;
    }
    if (DYNO_RARELY(local->pulls_late <= now)) { /* what arrived by now was in time */
        DYNO_TRY(dyno_peers_expire(local, now));
        *any = true;
    }
    return DYNO_OK;
}

static dyno_status local_settle(struct dyno_workers *workers, dyno_ns now)
{
    struct dyno_local *local = local_of(workers);
    bool again = false;

    do {
        DYNO_TRY(settle_passes(local, now));
        if (DYNO_RARELY(local->config.tiers)) {
            DYNO_TRY(settle_tiers(local, now, &again));
        }
    } while (again);
    if (dyno_alarms_next(&local->ingest) <= now) {
        dyno_ingest_settle(local, now);
    }
    return DYNO_OK;
}

static dyno_status local_cancel(struct dyno_workers *workers, dyno_ns now, uint32_t worker,
                                uint64_t id)
{
    return dyno_cancel(local_of(workers), now, worker, id);
}

dyno_ns dyno_local_boundary(const void *in_flight, uint32_t step)
{
    const struct dyno_in_flight *pass = in_flight;

    return pass->device->ops->step_start(pass->device, pass->worker, step);
}

uint32_t dyno_local_sync_worker(struct dyno_local *local, uint32_t index, dyno_ns now)
{
    struct dyno_worker *worker = &local->workers[index];
    struct dyno_in_flight pass = {.device = local->config.device, .worker = index};
    uint32_t started, completed;

    if (!worker->busy) {
        return 0;
    }
    pass.device->ops->progress(pass.device, index, now, &started, &completed);
    if (worker->pass_decode && worker->pass_steps > 1) {
        dyno_ledger_take(local, worker, started, dyno_local_boundary, &pass);
    }
    return completed;
}

void dyno_local_touch(struct dyno_local *local, uint32_t index, dyno_ns now)
{
    struct dyno_worker *worker = &local->workers[index];

    dyno_local_sync_worker(local, index, now);
    if (!worker->busy) {
        dyno_local_mark_dirty(local, worker);
    } else if (worker->pass_steps > 1) {
        local->config.device->ops->stop(local->config.device, index, now, 0);
    }
}

static void local_sync(struct dyno_workers *workers, dyno_ns now)
{
    struct dyno_local *local = local_of(workers);

    for (uint32_t i = 0; local->config.device->ops->is_real && i < local->config.worker_count;
         i++) {
        dyno_local_sync_worker(local, i, now); /* when a step will start is not known ahead */
    }
    while (dyno_alarms_next(&local->visible) < now) {
        uint32_t index = dyno_alarms_owner(&local->visible);
        const struct dyno_worker *worker = &local->workers[index];
        uint32_t step;

        dyno_local_sync_worker(local, index, now);
        step = dyno_ledger_next_eviction(local, worker);
        if (step < worker->pass_steps) {
            dyno_alarms_set(
                &local->visible, index,
                local->config.device->ops->step_start(local->config.device, index, step));
        } else {
            dyno_alarms_set(&local->visible, index, DYNO_NEVER);
        }
    }
}

/* Workers may share a tier: who comes first is not to depend on how they became dirty.  Descending:
 * the last one is taken first. */
static void order_dirty(struct dyno_local *local)
{
    for (uint32_t i = 1; i < local->dirty_count; i++) {
        uint32_t index = local->dirty[i], to = i;

        for (; to > 0 && local->dirty[to - 1] < index; to--) {
            local->dirty[to] = local->dirty[to - 1];
        }
        local->dirty[to] = index;
    }
}

static dyno_status local_form(struct dyno_workers *workers, dyno_ns now)
{
    struct dyno_local *local = local_of(workers);

    if (DYNO_RARELY(local->config.tiers)) {
        order_dirty(local);
    }
    if (DYNO_RARELY(local->peers)) {
        local_sync(workers, now); /* so that what is known of the others is not older for a leap */
    }
    while (local->dirty_count > 0) {
        uint32_t index = local->dirty[--local->dirty_count];

        local->workers[index].dirty = false;
        if (!local->workers[index].busy && !DYNO_RARELY(local->workers[index].halted)) {
            DYNO_TRY(dyno_batch_form(local, index, now));
        }
    }
    return DYNO_OK;
}

/* What has ended lets go of its blocks when the next pass is formed; so this is asked after form.
 */
static bool local_stop(struct dyno_workers *workers, dyno_ns now, uint32_t index)
{
    struct dyno_local *local = local_of(workers);
    struct dyno_worker *worker = &local->workers[index];

    if (worker->busy || worker->dirty || worker->halted ||
        worker->running.count + worker->waiting.count > 0 ||
        worker->ingest.count + worker->ended.count + worker->onboarding.count > 0 ||
        worker->moves_on_way + worker->moves_held > 0 ||
        worker->reserved.count + worker->arrived.count + worker->leased.count > 0 ||
        (local->config.tiers && !dyno_tiers_is_at_rest(local, index))) {
        return false;
    }
    dyno_kv_forget_idle(&worker->cache, now);
    if (local->config.tiers) {
        dyno_tiers_stop(local, index, now);
    }
    worker->passes_cold = local->config.worker.first_passes;
    return true;
}

static dyno_ns local_next(const struct dyno_workers *workers)
{
    return dyno_local_next(const_local_of(workers));
}

/* ---- looking, and the end -------------------------------------------------------------------- */

static void local_sample(struct dyno_workers *workers, dyno_ns now, uint32_t index,
                         struct dyno_sample_record *out)
{
    struct dyno_local *local = local_of(workers);
    struct dyno_worker *worker = &local->workers[index];
    uint32_t completed = dyno_local_sync_worker(local, index, now), used;

    used = worker->cache.own + worker->cache.shared;
    *out = (struct dyno_sample_record){
        .at = now,
        .worker = index,
        .running = worker->running.count,
        .waiting = worker->waiting.count + worker->ingest.count + worker->reserved.count +
                   worker->arrived.count + worker->onboarding.count,
        .elsewhere = worker->reserved.count + worker->arrived.count,
        .blocks_used = used,
        .blocks_idle = worker->cache.idle,
        .blocks_total = worker->cache.capacity,
        .tokens_out = worker->tokens_out +
                      (worker->pass_decode ? (uint64_t)completed * worker->decode_count : 0),
        .busy_ns = worker->busy_ns + (worker->busy ? now - worker->busy_since : 0),
        .steps = worker->steps_done + completed,
        .prefill_tokens = worker->prefill_tokens,
    };
    if (local->config.tiers) {
        dyno_tiers_sample(local, index, out);
    }
    local->totals.block_ns_used += /* a straight line between two looks */
        (unsigned __int128)(worker->sampled_used + used) * (now - worker->sampled_at) / 2;
    worker->sampled_at = now;
    worker->sampled_used = used;
}

static void local_totals(const struct dyno_workers *workers, struct dyno_fleet_totals *out)
{
    const struct dyno_local *local = const_local_of(workers);

    *out = local->totals;
    out->workers = local->config.worker_count;
    out->gpus = local->config.worker_count * local->config.gpus_per_worker;
    for (uint32_t i = 0; i < local->config.worker_count; i++) {
        out->blocks_total += local->workers[i].cache.capacity;
        out->evicted_blocks += local->workers[i].cache.evicted_blocks;
        out->busy_ns += local->workers[i].busy_ns;
    }
}

static void local_close(struct dyno_workers *workers)
{
    struct dyno_local *local = local_of(workers);

    for (uint32_t i = 0; local->workers && i < local->config.worker_count; i++) {
        struct dyno_worker *worker = &local->workers[i];

        dyno_kv_cache_release(&worker->cache);
        dyno_kv_places_close(worker->places);
        free(worker->seq_of_slot);
        free(worker->slots_free);
        dyno_takers_release(&worker->takers);
        free(worker->joiners);
        free(worker->slices);
    }
    free(local->workers);
    free(local->seqs);
    free(local->dirty);
    dyno_slab_release(&local->slab);
    dyno_alarms_release(&local->ingest);
    dyno_alarms_release(&local->visible);
    dyno_map_release(&local->asked);
    dyno_peers_close(local->peers);
    free(local);
}

void dyno_local_check(const struct dyno_workers *workers)
{
    const struct dyno_local *local = const_local_of(workers);

    for (uint32_t i = 0; i < local->config.worker_count; i++) {
        const struct dyno_worker *worker = &local->workers[i];

        dyno_kv_cache_check(&worker->cache);
        if (worker->places && !worker->busy && !worker->halted) { /* else a step never ended */
            dyno_kv_places_check(worker->places, &worker->cache);
        }
        assert(worker->ended.count == 0);
        assert(worker->running.count + worker->reserved.count + worker->arrived.count +
                   worker->slots_free_count ==
               (worker->takers.at ? local->config.worker.seqs_max : 0));
        assert(worker->busy || worker->dirty || worker->halted ||
               worker->reserved.count + worker->leased.count + worker->moves_on_way > 0 ||
               (worker->running.count == 0 && worker->waiting.count == 0));
        (void)worker;
    }
    if (local->config.tiers) {
        dyno_tiers_check(local->config.tiers);
    }
}

static const struct dyno_workers_ops local_ops = {
    .name = "local",
    .submit = local_submit,
    .cancel = local_cancel,
    .settle = local_settle,
    .form = local_form,
    .stop = local_stop,
    .halt = dyno_local_halt,
    .lose = dyno_local_lose,
    .sync = local_sync,
    .next = local_next,
    .sample = local_sample,
    .totals = local_totals,
    .abandon = dyno_local_abandon,
    .close = local_close,
};

/* ---- open ------------------------------------------------------------------------------------ */

static dyno_status check_config(const struct dyno_local_config *config, struct dyno_error *error)
{
    const struct dyno_worker_config *worker = &config->worker;

    if (worker->batch_tokens_max < worker->seqs_max) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "batch.tokens_max (%u) is smaller than batch.seqs_max (%u): every running "
                         "sequence needs one token of each pass; raise the one or lower the other",
                         worker->batch_tokens_max, worker->seqs_max);
    }
    if (worker->admission == DYNO_ADMIT_ESTIMATE &&
        !(worker->new_token_ratio >= 0.0 && worker->new_token_ratio <= 1.0)) {
        return dyno_fail(error, DYNO_BAD_INPUT, "batch.new_token_ratio must lie between 0 and 1");
    }
    if (worker->order == DYNO_ORDER_PREFILL_FIRST && worker->admission == DYNO_ADMIT_CHUNK) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "batch.admission pass admits prompts that may have to stop half-way, and "
                         "%s does not go on decoding until they are done; say estimate or no-evict",
                         worker->engine);
    }
    if (worker->prefill_interval > 1 && worker->order != DYNO_ORDER_MIXED) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "batch.prefill_interval (%u) spaces prompts out among decodes, but %s "
                         "computes them in passes of their own; leave it at 1",
                         worker->prefill_interval, worker->engine);
    }
    if (worker->mixed_chunk && worker->order != DYNO_ORDER_PREFILL_FIRST) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "batch.mixed_chunk lets decodes go along in passes of prompts, and %s has "
                         "one pass for both anyway; leave it false",
                         worker->engine);
    }
    if (worker->mixed_chunk && !worker->chunked_prefill) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "batch.mixed_chunk needs batch.chunked_prefill: prompts are cut to make "
                         "room for decodes");
    }
    if (worker->queue_order == DYNO_QUEUE_LPM && worker->order != DYNO_ORDER_PREFILL_FIRST) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "batch.queue_order lpm, longest prefix first, is an order of sglang only; "
                         "%s serves fcfs",
                         worker->engine);
    }
    if (!(worker->watermark >= 0.0 && worker->watermark < 1.0)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "batch.watermark must be a fraction from 0 to below 1");
    }
    if (worker->blocks == 0 || worker->block_tokens == 0 || worker->seqs_max == 0 ||
        worker->steps_max == 0 || config->worker_count == 0) {
        return dyno_fail(
            error, DYNO_BAD_INPUT,
            "a fleet needs workers, and a worker needs blocks, block tokens, sequences "
            "and steps: at least one of each");
    }
    if (worker->lookahead >= (uint64_t)worker->blocks * worker->block_tokens) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "batch.lookahead (%u) tokens take all %u KV blocks of %u tokens: no "
                         "sequence could run; lower it",
                         worker->lookahead, worker->blocks, worker->block_tokens);
    }
    return DYNO_OK;
}

static void told(void *context, uint32_t worker, dyno_ns at, uint64_t span, uint32_t blocks)
{
    const struct dyno_worker_listener *listener = &((struct dyno_local *)context)->config.listener;

    listener->kv_changed(listener->context, worker, at, span, blocks);
}

static void told_peers(void *context, uint32_t worker, dyno_ns at, uint64_t span, uint32_t blocks)
{
    const struct dyno_local *local = context;

    dyno_peers_hear(local->peers, worker, at, span, blocks);
    if (local->config.listener.kv_changed) {
        told(context, worker, at, span, blocks);
    }
}

static void told_resident(void *context, dyno_ns at, uint64_t span, bool held)
{
    const struct dyno_worker_listener *listener = &((struct dyno_local *)context)->config.listener;

    listener->kv_resident(listener->context, at, span, held);
}

static bool is_warm(const struct dyno_local_config *config, uint32_t worker)
{
    return worker >= config->warm_from && worker - config->warm_from < config->warm_count;
}

static dyno_status init_workers(struct dyno_local *local)
{
    uint32_t count = local->config.worker_count;

    local->workers = calloc(count, sizeof *local->workers);
    local->dirty = malloc(count * sizeof *local->dirty);
    if (!local->workers || !local->dirty) {
        return DYNO_NO_MEMORY;
    }
    DYNO_TRY(dyno_alarms_init(&local->ingest, count));
    DYNO_TRY(dyno_alarms_init(&local->visible, count));
    for (uint32_t i = 0; i < count; i++) {
        struct dyno_worker *worker = &local->workers[i];

        worker->ingest.first = worker->ingest.last = DYNO_NO_SEQ;
        worker->waiting.first = worker->waiting.last = DYNO_NO_SEQ;
        worker->running.first = worker->running.last = DYNO_NO_SEQ;
        worker->ended.first = worker->ended.last = DYNO_NO_SEQ;
        worker->reserved.first = worker->reserved.last = DYNO_NO_SEQ;
        worker->arrived.first = worker->arrived.last = DYNO_NO_SEQ;
        worker->leased.first = worker->leased.last = DYNO_NO_SEQ;
        worker->onboarding.first = worker->onboarding.last = DYNO_NO_SEQ;
        worker->partial = DYNO_NO_SEQ;
        worker->passes_cold = is_warm(&local->config, i) ? 0 : local->config.worker.first_passes;
        dyno_estimate_reset(local, worker);
        DYNO_TRY(dyno_kv_cache_init(&worker->cache, i, local->config.worker.blocks,
                                    &local->kv_listener));
    }
    return DYNO_OK;
}

dyno_status dyno_local_open(struct dyno_workers **out, const struct dyno_local_config *config,
                            struct dyno_error *error)
{
    struct dyno_local *local;
    dyno_status status;

    DYNO_TRY(check_config(config, error));
    local = calloc(1, sizeof *local);
    if (!local) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the workers");
    }
    local->base.ops = &local_ops;
    local->config = *config;
    local->links = config->tiers ? dyno_tiers_links(config->tiers) : NULL;
    local->seqs_unused = DYNO_NO_SEQ;
    local->ratio_first = (uint64_t)(config->worker.new_token_ratio * 0x1p32);
    local->ratio_min = local->ratio_first * 14 / 100; /* SGLang's min_new_token_ratio_factor */
    local->watermark_blocks = (uint32_t)(config->worker.watermark * config->worker.blocks);
    local->pulls_due = local->pulls_late = DYNO_NEVER;
    local->kv_listener.context = local;
    local->kv_listener.changed = config->listener.kv_changed ? told : NULL;
    local->kv_listener.resident = config->listener.kv_resident ? told_resident : NULL;
    status = init_workers(local);
    if (status == DYNO_OK && config->tiers && dyno_tiers_have_peers(config->tiers)) {
        local->kv_listener.changed = told_peers;
        status = dyno_peers_open(&local->peers, config->worker_count);
    }
    if (status != DYNO_OK) {
        local_close(&local->base);
        return dyno_fail(error, status, "no memory for %u workers", config->worker_count);
    }
    if (!config->tiers && config->device->due) {
        local->base.due[0] = config->device->due;
        local->base.due[1] = dyno_alarms_next_place(&local->ingest);
        local->base.startable = &local->dirty_count;
    }
    *out = &local->base;
    return DYNO_OK;
}
