/* The state machine of requests in halves, over two fleets of local workers. */
#include "core/worker/handoff.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/heap.h"
#include "core/base/map.h"
#include "core/base/pool.h"
#include "core/base/slab.h"

enum phase { WAIT, PREFILL, MOVE };

/* A request that is not in one place yet. */
struct passage {
    struct dyno_request request; /* its spans are ours */
    enum phase phase;
    uint32_t decode_worker, prefill_worker;
    uint32_t decode_place, prompt_place;
    uint32_t blocks;    /* to be moved */
    dyno_ns started_at; /* the transfer */
    bool cancelled;     /* its client went while it was on its way */
};

struct handoff {
    struct dyno_workers base;
    struct dyno_handoff_config config;
    struct dyno_workers *decode, *prefill;
    struct dyno_pool passages;
    struct dyno_map passage_of; /* request id -> its place in passages */
    struct dyno_slab spans;
    struct dyno_heap deadlines; /* of those in WAIT, by their place */
    uint32_t *ready; /* [ready_count] whose blocks are reserved and whose prompts are to be sent */
    uint32_t ready_count, ready_capacity;
    dyno_ns now;
    bool stirred;   /* one fleet has changed what the other must settle */
    bool abandoned; /* what the prefill workers tell now is of requests that have ended */
    uint64_t transfers, given_up;
    unsigned __int128 bytes, wait_ns;
};

static struct handoff *handoff_of(struct dyno_workers *workers)
{
    return (void *)workers; /* its first member */
}

static const struct handoff *const_handoff_of(const struct dyno_workers *workers)
{
    return (const void *)workers;
}

static uint32_t decoders(const struct handoff *handoff)
{
    return handoff->config.decode.worker_count;
}

/* ---- passages -------------------------------------------------------------------------------- */

static uint32_t find(const struct handoff *handoff, uint64_t id)
{
    const uint32_t *place = dyno_map_find(&handoff->passage_of, id);

    return place ? *place : DYNO_POOL_NONE;
}

static struct passage *at(const struct handoff *handoff, uint32_t place)
{
    return dyno_pool_at(&handoff->passages, place);
}

static size_t spans_bytes(const struct dyno_request *request)
{
    return request->span_count * sizeof(struct dyno_span);
}

static dyno_status copy_request(struct handoff *handoff, struct dyno_request *to,
                                const struct dyno_request *from)
{
    struct dyno_span *spans = NULL;

    *to = *from;
    if (from->span_count > 0) {
        spans = dyno_slab_take(&handoff->spans, spans_bytes(from));
        if (!spans) {
            return DYNO_NO_MEMORY;
        }
        memcpy(spans, from->spans, spans_bytes(from));
    }
    to->spans = spans;
    return DYNO_OK;
}

static dyno_status reserve(struct handoff *handoff)
{
    uint32_t capacity = handoff->passages.capacity;

    if (capacity > handoff->ready_capacity) {
        uint32_t *ready = realloc(handoff->ready, capacity * sizeof *ready);

        if (!ready) {
            return DYNO_NO_MEMORY;
        }
        handoff->ready = ready;
        handoff->ready_capacity = capacity;
    }
    return dyno_heap_reserve(&handoff->deadlines, capacity);
}

/* Where it decodes is filled in when that is known. */
static dyno_status begin(struct handoff *handoff, dyno_ns now, const struct dyno_request *request,
                         uint32_t *place)
{
    uint32_t *known;

    *place = dyno_pool_take(&handoff->passages);
    if (*place == DYNO_POOL_NONE) {
        return DYNO_NO_MEMORY;
    }
    *at(handoff, *place) = (struct passage){.phase = WAIT};
    DYNO_TRY(copy_request(handoff, &at(handoff, *place)->request, request));
    DYNO_TRY(reserve(handoff));
    known = dyno_map_put(&handoff->passage_of, request->id, *place, NULL);
    if (!known) {
        return DYNO_NO_MEMORY;
    }
    *known = *place;
    if (handoff->config.deadline_ns > 0) {
        dyno_heap_set(&handoff->deadlines, *place, now + handoff->config.deadline_ns);
    }
    return DYNO_OK;
}

static void end(struct handoff *handoff, uint32_t place)
{
    struct passage *passage = at(handoff, place);
    void *spans = (void *)(uintptr_t)passage->request.spans; /* ours */

    dyno_heap_remove(&handoff->deadlines, place);
    dyno_map_remove(&handoff->passage_of, passage->request.id);
    if (spans) {
        dyno_slab_give(&handoff->spans, spans, spans_bytes(&passage->request));
    }
    dyno_pool_give(&handoff->passages, place);
}

/* ---- what the fleet that decodes tells ------------------------------------------------------- */

static void on_first_token(void *context, uint64_t id)
{
    const struct handoff *handoff = context;

    handoff->config.listener.first_token(handoff->config.listener.context, id);
}

static void on_kv_changed(void *context, uint32_t worker, dyno_ns when, uint64_t span,
                          uint32_t blocks)
{
    const struct dyno_worker_listener *listener = &((struct handoff *)context)->config.listener;

    listener->kv_changed(listener->context, worker, when, span, blocks);
}

/* Of either fleet. */
static void on_kv_resident(void *context, dyno_ns when, uint64_t span, bool held)
{
    const struct dyno_worker_listener *listener = &((struct handoff *)context)->config.listener;

    listener->kv_resident(listener->context, when, span, held);
}

/* A request's life is over. */
static dyno_status on_ended(void *context, const struct dyno_request_record *record)
{
    struct handoff *handoff = context;
    uint32_t place = find(handoff, record->id);

    if (place != DYNO_POOL_NONE) {
        end(handoff, place);
    }
    return handoff->config.listener.ended(handoff->config.listener.context, record);
}

/* Its prompt is sent when all workers that decode have formed their passes: these form in no
 * particular order, and routing goes by the order of requests. */
static dyno_status on_reserved(void *context, dyno_ns now, uint64_t id, uint32_t blocks)
{
    struct handoff *handoff = context;
    uint32_t place = find(handoff, id), to = handoff->ready_count++;
    struct passage *passage = at(handoff, place);

    (void)now;
    assert(passage->phase == WAIT);
    dyno_heap_remove(&handoff->deadlines, place);
    passage->phase = PREFILL;
    passage->blocks = blocks;
    for (; to > 0 && at(handoff, handoff->ready[to - 1])->request.id > id; to--) {
        handoff->ready[to] = handoff->ready[to - 1];
    }
    handoff->ready[to] = place;
    return DYNO_OK;
}

static dyno_status send_prompt(struct handoff *handoff, uint32_t place)
{
    const struct dyno_handoff_router *router = &handoff->config.router;
    struct passage *passage = at(handoff, place);
    dyno_ns now = handoff->now;
    struct dyno_request request;
    uint32_t worker = 0, prompt;

    DYNO_TRY(router->pick(router->context, now, &passage->request, &worker));
    passage->prefill_worker = worker;
    request = passage->request;
    request.max_tokens = dyno_half_tokens_max(handoff->decode, passage->decode_place);
    DYNO_TRY(dyno_half_enter_prompt(handoff->prefill, now, worker, &request, &prompt));
    if (prompt != DYNO_NO_WORKER) { /* else it has ended, and the passage with it */
        at(handoff, place)->prompt_place = prompt;
    }
    return DYNO_OK;
}

/* ---- what the fleet that computes prompts tells ---------------------------------------------- */

static void on_prompt_first_token(void *context, uint64_t id)
{
    struct handoff *handoff = context;

    if (handoff->abandoned) {
        return;
    }
    handoff->config.router.first_token(handoff->config.router.context, id);
    on_first_token(context, id);
}

static void note(struct handoff *handoff, const struct passage *passage,
                 const struct dyno_request_record *record, dyno_ns first_token_at)
{
    dyno_half_note_prompt(handoff->decode, passage->decode_place, record,
                          decoders(handoff) + passage->prefill_worker, first_token_at);
}

static dyno_status on_prompt_done(void *context, const struct dyno_request_record *record,
                                  dyno_ns when)
{
    struct handoff *handoff = context;
    struct passage *passage = at(handoff, find(handoff, record->id));

    assert(passage->phase == PREFILL);
    passage->phase = MOVE;
    passage->started_at = when;
    note(handoff, passage, record, when);
    return handoff->config.links->ops->submit(
        handoff->config.links, handoff->now,
        &(struct dyno_transfer){.id = record->id,
                                .from = decoders(handoff) + passage->prefill_worker,
                                .to = passage->decode_worker,
                                .blocks = passage->blocks,
                                .block_bytes = handoff->config.block_bytes});
}

/* It ended before anything was moved: its first token was its last, or there was none. */
static dyno_status on_prompt_ended(void *context, const struct dyno_request_record *record)
{
    struct handoff *handoff = context;
    uint32_t place = find(handoff, record->id);
    const struct passage *passage;

    if (handoff->abandoned || place == DYNO_POOL_NONE) {
        return DYNO_OK;
    }
    passage = at(handoff, place);
    assert(passage->phase == PREFILL);
    handoff->config.router.ended(handoff->config.router.context, record->id);
    note(handoff, passage, record,
         record->output_tokens > 0
             ? record->last_token_ns - handoff->config.prefill.worker.response_ns
             : 0);
    handoff->stirred = true;
    return dyno_half_end(handoff->decode, handoff->now, passage->decode_place, record->outcome);
}

static void on_prompt_kv_changed(void *context, uint32_t worker, dyno_ns when, uint64_t span,
                                 uint32_t blocks)
{
    const struct dyno_handoff_router *router = &((struct handoff *)context)->config.router;

    router->kv_changed(router->context, worker, when, span, blocks);
}

/* ---- the seam -------------------------------------------------------------------------------- */

static bool is_in_halves(struct handoff *handoff, dyno_ns now, uint32_t worker,
                         const struct dyno_request *request)
{
    struct dyno_handoff_view view = {.prompt_tokens = request->prompt_tokens};

    if (!handoff->config.policy->in_halves_ever ||
        !dyno_half_could_hold(handoff->prefill, request)) {
        return false;
    }
    view.cached_tokens = dyno_half_cached_tokens(handoff->decode, now, worker, request);
    return handoff->config.policy->in_halves(handoff->config.policy_tokens, &view);
}

static dyno_status handoff_submit(struct dyno_workers *workers, dyno_ns now, uint32_t worker,
                                  const struct dyno_request *request)
{
    struct handoff *handoff = handoff_of(workers);
    uint32_t place, decode;

    handoff->now = now;
    if (!is_in_halves(handoff, now, worker, request)) {
        return handoff->decode->ops->submit(handoff->decode, now, worker, request);
    }
    DYNO_TRY(begin(handoff, now, request, &place));
    at(handoff, place)->decode_worker = worker;
    DYNO_TRY(dyno_half_enter_decode(handoff->decode, now, worker, request, &decode));
    if (decode != DYNO_NO_WORKER) { /* else it was refused, and the passage has ended */
        at(handoff, place)->decode_place = decode;
    }
    return DYNO_OK;
}

static dyno_status handoff_cancel(struct dyno_workers *workers, dyno_ns now, uint32_t worker,
                                  uint64_t id)
{
    struct handoff *handoff = handoff_of(workers);
    uint32_t place = find(handoff, id);
    struct passage *passage;

    handoff->now = now;
    if (place == DYNO_POOL_NONE || at(handoff, place)->phase == WAIT) {
        return handoff->decode->ops->cancel(handoff->decode, now, worker, id);
    }
    passage = at(handoff, place);
    if (passage->phase == PREFILL) {
        return handoff->prefill->ops->cancel(handoff->prefill, now, passage->prefill_worker, id);
    }
    passage->cancelled = true;
    return DYNO_OK;
}

/* The transfer has ended: the lease does, and the request decodes. */
static dyno_status arrive(struct handoff *handoff, const struct dyno_arrival *arrival)
{
    uint32_t place = find(handoff, arrival->id);
    const struct passage passage = *at(handoff, place);

    assert(passage.phase == MOVE);
    handoff->stirred = true;
    handoff->transfers++;
    handoff->bytes += (unsigned __int128)passage.blocks * handoff->config.block_bytes;
    handoff->wait_ns += arrival->at - passage.started_at;
    handoff->config.router.ended(handoff->config.router.context, arrival->id);
    DYNO_TRY(dyno_half_release(handoff->prefill, handoff->now, passage.prompt_place));
    if (passage.cancelled) { /* which ends the passage */
        return dyno_half_end(handoff->decode, handoff->now, passage.decode_place,
                             DYNO_CANCELLED_BY_CLIENT);
    }
    end(handoff, place);
    return dyno_half_arrive(handoff->decode, handoff->now, passage.decode_place);
}

/* Those who waited for blocks until now are served whole. */
static void expire(struct handoff *handoff)
{
    while (dyno_heap_key(&handoff->deadlines) <= handoff->now) {
        uint32_t place = dyno_heap_top(&handoff->deadlines).id;
        uint32_t decode = at(handoff, place)->decode_place;

        end(handoff, place);
        handoff->given_up++;
        handoff->stirred = true;
        dyno_half_take_over(handoff->decode, handoff->now, decode);
    }
}

static dyno_status handoff_settle(struct dyno_workers *workers, dyno_ns now)
{
    struct handoff *handoff = handoff_of(workers);
    struct dyno_links *links = handoff->config.links;
    struct dyno_arrival arrival;

    handoff->now = now;
    do { /* until neither fleet, nor what is on its way, has news for the other */
        handoff->stirred = false;
        DYNO_TRY(handoff->decode->ops->settle(handoff->decode, now));
        DYNO_TRY(handoff->prefill->ops->settle(handoff->prefill, now));
        while (links->ops->reap(links, now, &arrival)) {
            DYNO_TRY(arrive(handoff, &arrival));
        }
        expire(handoff);
    } while (handoff->stirred);
    return DYNO_OK;
}

static dyno_status handoff_form(struct dyno_workers *workers, dyno_ns now)
{
    struct handoff *handoff = handoff_of(workers);

    handoff->now = now;
    do { /* until no prompt that is refused makes room for another one */
        handoff->stirred = false;
        handoff->ready_count = 0;
        DYNO_TRY(handoff->decode->ops->form(handoff->decode, now));
        if (handoff->ready_count > 0) {
            handoff->prefill->ops->sync(handoff->prefill, now);
        }
        for (uint32_t i = 0; i < handoff->ready_count; i++) {
            DYNO_TRY(send_prompt(handoff, handoff->ready[i]));
        }
    } while (handoff->stirred);
    DYNO_TRY(handoff->prefill->ops->settle(handoff->prefill, now)); /* prompts sent are ready */
    return handoff->prefill->ops->form(handoff->prefill, now);
}

static void handoff_sync(struct dyno_workers *workers, dyno_ns now)
{
    struct handoff *handoff = handoff_of(workers);

    handoff->decode->ops->sync(handoff->decode, now);
    handoff->prefill->ops->sync(handoff->prefill, now);
}

static dyno_ns earlier(dyno_ns a, dyno_ns b)
{
    return a < b ? a : b;
}

static dyno_ns handoff_next(const struct dyno_workers *workers)
{
    const struct handoff *handoff = const_handoff_of(workers);
    dyno_ns pass = earlier(handoff->decode->ops->next(handoff->decode),
                           handoff->prefill->ops->next(handoff->prefill));
    dyno_ns way = earlier(handoff->config.links->ops->next(handoff->config.links),
                          dyno_heap_key(&handoff->deadlines));

    return earlier(pass, way);
}

static void handoff_sample(struct dyno_workers *workers, dyno_ns now, uint32_t worker,
                           struct dyno_sample_record *out)
{
    struct handoff *handoff = handoff_of(workers);

    if (worker < decoders(handoff)) {
        handoff->decode->ops->sample(handoff->decode, now, worker, out);
        return;
    }
    handoff->prefill->ops->sample(handoff->prefill, now, worker - decoders(handoff), out);
    out->worker = worker;
}

static void handoff_totals(const struct dyno_workers *workers, struct dyno_fleet_totals *out)
{
    const struct handoff *handoff = const_handoff_of(workers);
    struct dyno_fleet_totals prefill;

    handoff->decode->ops->totals(handoff->decode, out);
    handoff->prefill->ops->totals(handoff->prefill, &prefill);
    dyno_fleet_totals_add(out, &prefill);
    out->transfers = handoff->transfers;
    out->transfer_bytes = handoff->bytes;
    out->transfer_wait_ns = handoff->wait_ns;
    out->transfers_given_up = handoff->given_up;
}

static dyno_status handoff_abandon(struct dyno_workers *workers, dyno_ns now,
                                   enum dyno_outcome outcome)
{
    struct handoff *handoff = handoff_of(workers);

    handoff->now = now;
    DYNO_TRY(handoff->decode->ops->abandon(handoff->decode, now, outcome));
    handoff->abandoned = true;
    return handoff->prefill->ops->abandon(handoff->prefill, now, outcome);
}

static void handoff_close(struct dyno_workers *workers)
{
    struct handoff *handoff = handoff_of(workers);

    if (handoff->decode) {
        handoff->decode->ops->close(handoff->decode);
    }
    if (handoff->prefill) {
        handoff->prefill->ops->close(handoff->prefill);
    }
    dyno_pool_release(&handoff->passages);
    dyno_map_release(&handoff->passage_of);
    dyno_slab_release(&handoff->spans);
    dyno_heap_release(&handoff->deadlines);
    free(handoff->ready);
    free(handoff);
}

void dyno_handoff_check(const struct dyno_workers *workers)
{
    const struct handoff *handoff = const_handoff_of(workers);

    dyno_local_check(handoff->decode);
    dyno_local_check(handoff->prefill);
    assert(handoff->deadlines.count <= handoff->passage_of.count);
}

static const struct dyno_workers_ops handoff_ops = {
    .name = "handoff",
    .submit = handoff_submit,
    .cancel = handoff_cancel,
    .settle = handoff_settle,
    .form = handoff_form,
    .sync = handoff_sync,
    .next = handoff_next,
    .sample = handoff_sample,
    .totals = handoff_totals,
    .abandon = handoff_abandon,
    .close = handoff_close,
};

/* ---- open ------------------------------------------------------------------------------------ */

static dyno_status check_config(const struct dyno_handoff_config *config, struct dyno_error *error)
{
    if (config->decode.worker.block_tokens != config->prefill.worker.block_tokens) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "a KV block has %u tokens where prompts are computed and %u where they "
                         "are decoded; give both the same",
                         config->prefill.worker.block_tokens, config->decode.worker.block_tokens);
    }
    if (!config->decode.device->ops->join || config->decode.device->ops->stores_kv) {
        return dyno_fail(error, DYNO_UNSUPPORTED,
                         "device %s cannot go on with KV that another worker computed",
                         config->decode.device->ops->name);
    }
    return DYNO_OK;
}

static void listen(struct handoff *handoff)
{
    const struct dyno_worker_listener *outer = &handoff->config.listener;
    const struct dyno_handoff_router *router = &handoff->config.router;

    handoff->config.decode.listener = (struct dyno_worker_listener){
        .context = handoff,
        .first_token = on_first_token,
        .ended = on_ended,
        .kv_changed = outer->kv_changed ? on_kv_changed : NULL,
        .kv_times = outer->kv_times,
        .kv_resident = outer->kv_resident ? on_kv_resident : NULL,
    };
    handoff->config.decode.halves =
        (struct dyno_half_listener){.context = handoff, .reserved = on_reserved};
    handoff->config.prefill.listener = (struct dyno_worker_listener){
        .context = handoff,
        .first_token = on_prompt_first_token,
        .ended = on_prompt_ended,
        .kv_changed = router->kv_changed ? on_prompt_kv_changed : NULL,
        .kv_times = router->kv_times,
        .kv_resident = outer->kv_resident ? on_kv_resident : NULL,
    };
    handoff->config.prefill.halves =
        (struct dyno_half_listener){.context = handoff, .prompt_done = on_prompt_done};
}

dyno_status dyno_handoff_open(struct dyno_workers **out, const struct dyno_handoff_config *config,
                              struct dyno_error *error)
{
    struct handoff *handoff;
    dyno_status status;

    DYNO_TRY(check_config(config, error));
    handoff = calloc(1, sizeof *handoff);
    if (!handoff) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for hand-offs");
    }
    handoff->base.ops = &handoff_ops;
    handoff->config = *config;
    dyno_pool_init(&handoff->passages, sizeof(struct passage));
    listen(handoff);
    status = dyno_local_open(&handoff->decode, &handoff->config.decode, error);
    if (status == DYNO_OK) {
        status = dyno_local_open(&handoff->prefill, &handoff->config.prefill, error);
    }
    if (status != DYNO_OK) {
        handoff_close(&handoff->base);
        return status;
    }
    *out = &handoff->base;
    return DYNO_OK;
}
