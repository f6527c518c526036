/* Requests in halves, over two fleets of local workers: what is the same whether blocks are pushed
 * (handoff_push.c) or pulled (handoff_pull.c). */
#include "core/worker/handoff.h"

#include <assert.h>
#include <stdlib.h>

#include "core/base/array.h"
#include "core/worker/handoff_parts.h"

static struct dyno_handoff *handoff_of(struct dyno_workers *workers)
{
    return (void *)workers; /* its first member */
}

static const struct dyno_handoff *const_handoff_of(const struct dyno_workers *workers)
{
    return (const void *)workers;
}

static uint32_t find(const struct dyno_handoff *handoff, uint64_t id)
{
    return dyno_handoff_find(handoff, id);
}

static struct dyno_passage *at(const struct dyno_handoff *handoff, uint32_t place)
{
    return dyno_handoff_at(handoff, place);
}

static const struct dyno_handoff_way *way_of(const struct dyno_handoff *handoff)
{
    switch (handoff->config.style) {
    case DYNO_HANDOFF_PULL:
        return &dyno_handoff_pull;
    case DYNO_HANDOFF_BOTH:
        return &dyno_handoff_both;
    case DYNO_HANDOFF_PUSH:
        break;
    }
    return &dyno_handoff_push;
}

/* ---- what both ways call --------------------------------------------------------------------- */

static dyno_status reserve(struct dyno_handoff *handoff)
{
    uint32_t capacity = handoff->passages.pool.capacity;

    if (!dyno_array_reserve(&handoff->ready, &handoff->ready_capacity, capacity,
                            sizeof *handoff->ready)) {
        return DYNO_NO_MEMORY;
    }
    return dyno_heap_reserve(&handoff->deadlines, capacity);
}

dyno_status dyno_handoff_begin(struct dyno_handoff *handoff, const struct dyno_request *request,
                               uint32_t decode_worker, uint32_t *place)
{
    DYNO_TRY(dyno_passages_begin(&handoff->passages, request, place));
    at(handoff, *place)->decode_worker = decode_worker;
    at(handoff, *place)->tokens_ahead = request->prompt_tokens;
    handoff->tokens_ahead += request->prompt_tokens;
    return reserve(handoff);
}

/* Its prompt is computed, or will not be. */
static void is_not_ahead(struct dyno_handoff *handoff, struct dyno_passage *passage)
{
    handoff->tokens_ahead -= passage->tokens_ahead;
    passage->tokens_ahead = 0;
}

void dyno_handoff_end(struct dyno_handoff *handoff, uint32_t place)
{
    is_not_ahead(handoff, at(handoff, place));
    dyno_heap_remove(&handoff->deadlines, place);
    dyno_passages_end(&handoff->passages, place);
}

void dyno_handoff_await(struct dyno_handoff *handoff, uint32_t place)
{
    if (handoff->config.deadline_ns > 0) {
        dyno_heap_set(&handoff->deadlines, place, handoff->now + handoff->config.deadline_ns);
    } else {
        dyno_heap_remove(&handoff->deadlines, place);
    }
}

void dyno_handoff_note_ready(struct dyno_handoff *handoff, uint32_t place)
{
    uint64_t id = at(handoff, place)->request.id;
    uint32_t *ready = handoff->ready, to = handoff->ready_count++;

    for (; to > 0 && at(handoff, ready[to - 1])->request.id > id; to--) {
        ready[to] = ready[to - 1];
    }
    ready[to] = place;
}

void dyno_handoff_tell_first_token(const struct dyno_handoff *handoff, uint64_t id)
{
    handoff->config.listener.first_token(handoff->config.listener.context, id);
}

dyno_status dyno_handoff_send_prompt(struct dyno_handoff *handoff, uint32_t place,
                                     uint32_t tokens_max, bool *entered)
{
    const struct dyno_handoff_router *router = &handoff->config.router;
    struct dyno_passage *passage = at(handoff, place);
    struct dyno_request request;
    uint32_t worker = 0, prompt;

    DYNO_TRY(router->pick(router->context, handoff->now, &passage->request, &worker));
    passage->prefill_worker = worker;
    request = passage->request;
    request.max_tokens = tokens_max;
    DYNO_TRY(dyno_half_enter_prompt(handoff->prefill, handoff->now, worker, &request, &prompt));
    *entered = prompt != DYNO_NO_WORKER;
    if (*entered) {
        at(handoff, place)->prompt_place = prompt;
    }
    return DYNO_OK;
}

/* ---- what the fleet that decodes tells ------------------------------------------------------- */

static void on_first_token(void *context, uint64_t id)
{
    dyno_handoff_tell_first_token(context, id);
}

static void on_kv_changed(void *context, uint32_t worker, dyno_ns when, uint64_t span,
                          uint32_t blocks)
{
    const struct dyno_worker_listener *listener =
        &((struct dyno_handoff *)context)->config.listener;

    listener->kv_changed(listener->context, worker, when, span, blocks);
}

/* Of either fleet. */
static void on_kv_resident(void *context, dyno_ns when, uint64_t span, bool held)
{
    const struct dyno_worker_listener *listener =
        &((struct dyno_handoff *)context)->config.listener;

    listener->kv_resident(listener->context, when, span, held);
}

/* A request's life is over.  What was pulled may have a lease left. */
static dyno_status on_ended(void *context, const struct dyno_request_record *record)
{
    struct dyno_handoff *handoff = context;
    uint32_t place = find(handoff, record->id);

    if (place != DYNO_POOL_NONE) {
        if (way_of(handoff)->first_token_here && !handoff->giving_up) {
            DYNO_TRY(dyno_handoff_give_lease(handoff, at(handoff, place)));
        }
        dyno_handoff_end(handoff, place);
    }
    return handoff->config.listener.ended(handoff->config.listener.context, record);
}

/* What comes of it is done when all workers that decode have formed their passes: these form in no
 * particular order, and routing goes by the order of requests. */
static dyno_status on_reserved(void *context, dyno_ns now, uint64_t id, uint32_t blocks)
{
    struct dyno_handoff *handoff = context;
    uint32_t place = find(handoff, id);
    struct dyno_passage *passage = at(handoff, place);

    (void)now;
    assert(passage->phase == DYNO_PASSAGE_WAIT);
    dyno_heap_remove(&handoff->deadlines, place);
    passage->blocks = blocks;
    dyno_handoff_note_ready(handoff, place);
    return DYNO_OK;
}

/* ---- what the fleet that computes prompts tells ---------------------------------------------- */

static void on_prompt_first_token(void *context, uint64_t id)
{
    struct dyno_handoff *handoff = context;

    if (handoff->abandoned || find(handoff, id) == DYNO_POOL_NONE) {
        return; /* or it is computed for nothing */
    }
    handoff->config.router.first_token(handoff->config.router.context, handoff->now, id);
    if (!way_of(handoff)->first_token_here) {
        dyno_handoff_tell_first_token(handoff, id);
    }
}

static void on_prompt_begun(void *context, uint64_t id)
{
    struct dyno_handoff *handoff = context;

    dyno_handoff_note_ready(handoff, find(handoff, id));
}

static dyno_status on_prompt_done(void *context, const struct dyno_request_record *record,
                                  dyno_ns when)
{
    struct dyno_handoff *handoff = context;
    uint32_t place = find(handoff, record->id);
    struct dyno_passage *passage = at(handoff, place);

    assert(passage->phase == DYNO_PASSAGE_PREFILL || way_of(handoff)->cancels_waiting);
    passage->started_at = when;
    is_not_ahead(handoff, passage);
    return way_of(handoff)->prompt_done(handoff, place, record, when);
}

static dyno_status on_prompt_ended(void *context, const struct dyno_request_record *record)
{
    struct dyno_handoff *handoff = context;
    uint32_t place = find(handoff, record->id);

    if (place != DYNO_POOL_NONE) {
        return way_of(handoff)->prompt_ended(handoff, place, record);
    }
    if (!handoff->abandoned) { /* it was computed for nothing */
        handoff->config.router.ended(handoff->config.router.context, handoff->now, record->id);
    }
    return DYNO_OK;
}

static void on_prompt_kv_changed(void *context, uint32_t worker, dyno_ns when, uint64_t span,
                                 uint32_t blocks)
{
    const struct dyno_handoff_router *router = &((struct dyno_handoff *)context)->config.router;

    router->kv_changed(router->context, worker, when, span, blocks);
}

/* ---- the seam -------------------------------------------------------------------------------- */

static dyno_status handoff_submit(struct dyno_workers *workers, dyno_ns now, uint32_t worker,
                                  const struct dyno_request *request)
{
    struct dyno_handoff *handoff = handoff_of(workers);

    handoff->now = now;
    return dyno_handoff_is_in_halves(handoff, worker, request)
               ? way_of(handoff)->submit(handoff, now, worker, request)
               : handoff->decode->ops->submit(handoff->decode, now, worker, request);
}

static dyno_status handoff_cancel(struct dyno_workers *workers, dyno_ns now, uint32_t worker,
                                  uint64_t id)
{
    struct dyno_handoff *handoff = handoff_of(workers);
    uint32_t place = find(handoff, id);

    handoff->now = now;
    if (place == DYNO_POOL_NONE ||
        (at(handoff, place)->phase == DYNO_PASSAGE_WAIT && !way_of(handoff)->cancels_waiting)) {
        return handoff->decode->ops->cancel(handoff->decode, now, worker, id);
    }
    if (at(handoff, place)->phase == DYNO_PASSAGE_MOVE) {
        at(handoff, place)->cancelled = true;
        return DYNO_OK;
    }
    return way_of(handoff)->cancel(handoff, place);
}

/* The transfer has ended: the lease does, and the request decodes. */
static dyno_status arrive(struct dyno_handoff *handoff, const struct dyno_arrival *arrival)
{
    uint32_t place = find(handoff, arrival->id & ~DYNO_FIRST_PART);
    struct dyno_passage *passage = at(handoff, place);
    uint32_t decode = passage->decode_place;

    passage->parts--;
    if (passage->parts > 0 || passage->phase == DYNO_PASSAGE_PREFILL) {
        return DYNO_OK; /* the last layers are still to come */
    }
    handoff->stirred = true;
    if (passage->is_over) {
        return dyno_half_end(handoff->decode, handoff->now, decode, passage->outcome);
    }
    handoff->transfers++;
    handoff->moved_blocks += passage->blocks;
    handoff->bytes += (unsigned __int128)passage->blocks * handoff->config.block_bytes;
    handoff->wait_ns += arrival->at - passage->started_at;
    DYNO_TRY(dyno_handoff_give_lease(handoff, passage));
    if (passage->cancelled) { /* which ends the passage */
        return dyno_half_end(handoff->decode, handoff->now, decode, DYNO_CANCELLED_BY_CLIENT);
    }
    dyno_handoff_end(handoff, place);
    return dyno_half_arrive(handoff->decode, handoff->now, decode);
}

static dyno_status take_arrivals(struct dyno_handoff *handoff)
{
    struct dyno_links *links = handoff->config.links;
    struct dyno_arrival arrival;

    while (dyno_links_reap(links, handoff->now, &arrival)) {
        DYNO_TRY(arrive(handoff, &arrival));
    }
    return DYNO_OK;
}

/* Who waited for blocks until now is served whole. */
static dyno_status give_up_waiting(struct dyno_handoff *handoff, uint32_t place)
{
    uint32_t decode = at(handoff, place)->decode_place;

    if (way_of(handoff)->give_up) {
        return way_of(handoff)->give_up(handoff, place);
    }
    handoff->given_up++;
    DYNO_TRY(dyno_handoff_give_lease(handoff, at(handoff, place)));
    dyno_handoff_end(handoff, place);
    dyno_half_take_over(handoff->decode, handoff->now, decode);
    return DYNO_OK;
}

static dyno_status expire(struct dyno_handoff *handoff)
{
    handoff->ready_count = 0;
    while (dyno_heap_key(&handoff->deadlines) <= handoff->now) {
        uint32_t place = dyno_heap_top(&handoff->deadlines).id;

        handoff->stirred = true;
        if (at(handoff, place)->phase == DYNO_PASSAGE_HOP) {
            dyno_heap_remove(&handoff->deadlines, place);
            dyno_handoff_note_ready(handoff, place);
        } else if (at(handoff, place)->phase == DYNO_PASSAGE_MOVE) {
            DYNO_TRY(dyno_handoff_overdue(handoff, place));
        } else {
            DYNO_TRY(give_up_waiting(handoff, place));
        }
    }
    return handoff->ready_count > 0 ? way_of(handoff)->hopped(handoff) : DYNO_OK;
}

static dyno_status handoff_settle(struct dyno_workers *workers, dyno_ns now)
{
    struct dyno_handoff *handoff = handoff_of(workers);

    handoff->now = now;
    do { /* until neither fleet, nor what is on its way, has news for the other */
        handoff->stirred = false;
        DYNO_TRY(dyno_handoff_fleet_settle(handoff->decode, now));
        DYNO_TRY(dyno_handoff_fleet_settle(handoff->prefill, now));
        DYNO_TRY(take_arrivals(handoff));
        DYNO_TRY(expire(handoff));
        handoff->stirred = handoff->stirred || dyno_handoff_fleet_next(handoff->decode) <= now ||
                           dyno_handoff_fleet_next(handoff->prefill) <= now;
    } while (handoff->stirred);
    return DYNO_OK;
}

/* The passes that decode, and what those who got blocks there do next. */
static dyno_status form_decode(struct dyno_handoff *handoff)
{
    handoff->stirred = false;
    handoff->ready_count = 0;
    DYNO_TRY(handoff->decode->ops->form(handoff->decode, handoff->now));
    if (handoff->ready_count == 0) {
        return DYNO_OK;
    }
    handoff->prefill->ops->sync(handoff->prefill, handoff->now);
    for (uint32_t i = 0; i < handoff->ready_count; i++) {
        DYNO_TRY(way_of(handoff)->reserved(handoff, handoff->ready[i]));
    }
    return take_arrivals(handoff); /* of what takes no time */
}

static dyno_status handoff_form(struct dyno_workers *workers, dyno_ns now)
{
    struct dyno_handoff *handoff = handoff_of(workers);

    handoff->now = now;
    do { /* until no prompt that is refused makes room for another one */
        DYNO_TRY(form_decode(handoff));
    } while (handoff->stirred);
    DYNO_TRY(dyno_handoff_fleet_settle(handoff->prefill, now)); /* prompts sent are ready */
    handoff->ready_count = 0;
    DYNO_TRY(handoff->prefill->ops->form(handoff->prefill, now));
    if (handoff->ready_count > 0) {
        DYNO_TRY(way_of(handoff)->begun(handoff));
        return take_arrivals(handoff); /* of what takes no time */
    }
    return DYNO_OK;
}

static bool handoff_stop(struct dyno_workers *workers, dyno_ns now, uint32_t worker)
{
    struct dyno_handoff *handoff = handoff_of(workers);
    uint32_t decoders = dyno_handoff_decoders(handoff);

    return worker < decoders
               ? handoff->decode->ops->stop(handoff->decode, now, worker)
               : handoff->prefill->ops->stop(handoff->prefill, now, worker - decoders);
}

static void handoff_sync(struct dyno_workers *workers, dyno_ns now)
{
    struct dyno_handoff *handoff = handoff_of(workers);

    handoff->decode->ops->sync(handoff->decode, now);
    handoff->prefill->ops->sync(handoff->prefill, now);
}

static dyno_ns earlier(dyno_ns a, dyno_ns b)
{
    return a < b ? a : b;
}

static dyno_ns handoff_next(const struct dyno_workers *workers)
{
    const struct dyno_handoff *handoff = const_handoff_of(workers);
    dyno_ns pass = earlier(dyno_handoff_fleet_next(handoff->decode),
                           dyno_handoff_fleet_next(handoff->prefill));
    dyno_ns way =
        earlier(dyno_links_next(handoff->config.links), dyno_heap_key(&handoff->deadlines));

    return earlier(pass, way);
}

static void handoff_sample(struct dyno_workers *workers, dyno_ns now, uint32_t worker,
                           struct dyno_sample_record *out)
{
    struct dyno_handoff *handoff = handoff_of(workers);

    if (worker < dyno_handoff_decoders(handoff)) {
        handoff->decode->ops->sample(handoff->decode, now, worker, out);
        return;
    }
    handoff->prefill->ops->sample(handoff->prefill, now, worker - dyno_handoff_decoders(handoff),
                                  out);
    out->worker = worker;
}

static dyno_status handoff_abandon(struct dyno_workers *workers, dyno_ns now,
                                   enum dyno_outcome outcome)
{
    struct dyno_handoff *handoff = handoff_of(workers);

    handoff->now = now = dyno_local_quiesce(handoff->prefill, now);
    handoff->giving_up = true;
    DYNO_TRY(handoff->decode->ops->abandon(handoff->decode, now, outcome));
    handoff->abandoned = true;
    return handoff->prefill->ops->abandon(handoff->prefill, now, outcome);
}

static void handoff_close(struct dyno_workers *workers)
{
    struct dyno_handoff *handoff = handoff_of(workers);

    if (handoff->decode) {
        handoff->decode->ops->close(handoff->decode);
    }
    if (handoff->prefill) {
        handoff->prefill->ops->close(handoff->prefill);
    }
    dyno_passages_release(&handoff->passages);
    dyno_heap_release(&handoff->deadlines);
    free(handoff->ready);
    free(handoff->heard);
    free(handoff);
}

void dyno_handoff_check(const struct dyno_workers *workers)
{
    const struct dyno_handoff *handoff = const_handoff_of(workers);

    dyno_local_check(handoff->decode);
    dyno_local_check(handoff->prefill);
    assert(handoff->deadlines.count <= handoff->passages.place_of.count);
}

static const struct dyno_workers_ops handoff_ops = {
    .name = "handoff",
    .submit = handoff_submit,
    .cancel = handoff_cancel,
    .settle = handoff_settle,
    .form = handoff_form,
    .stop = handoff_stop,
    .halt = dyno_handoff_halt,
    .lose = dyno_handoff_lose,
    .sync = handoff_sync,
    .next = handoff_next,
    .sample = handoff_sample,
    .totals = dyno_handoff_totals,
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
    if (!config->decode.device->ops->join) {
        return dyno_fail(error, DYNO_UNSUPPORTED,
                         "device %s cannot go on with KV that another worker computed",
                         config->decode.device->ops->name);
    }
    if (config->decode.device->ops->stores_kv && config->layers > 1 &&
        !config->links->moves_layers) {
        return dyno_fail(error, DYNO_UNSUPPORTED,
                         "device %s tells nobody of single layers, or links %s move none",
                         config->decode.device->ops->name, config->links->ops->name);
    }
    if (config->layers > 1 && config->style != DYNO_HANDOFF_PUSH) {
        return dyno_fail(error, DYNO_BAD_INPUT, "only what is pushed moves layer by layer");
    }
    if (config->style == DYNO_HANDOFF_BOTH && config->deadline_ns == 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "disagg.style both needs disagg.deadline: blocks that wait for a prompt "
                         "and a prompt that waits for blocks would wait for ever");
    }
    return DYNO_OK;
}

static void listen(struct dyno_handoff *handoff)
{
    const struct dyno_worker_listener *outer = &handoff->config.listener;
    const struct dyno_handoff_router *router = &handoff->config.router;

    handoff->config.decode.listener = (struct dyno_worker_listener){
        .context = handoff,
        .first_token = on_first_token,
        .ended = on_ended,
        .lost = dyno_handoff_on_lost,
        .kv_changed = outer->kv_changed ? on_kv_changed : NULL,
        .kv_times = outer->kv_times,
        .kv_resident = outer->kv_resident ? on_kv_resident : NULL,
    };
    handoff->config.decode.halves =
        (struct dyno_half_listener){.context = handoff,
                                    .reserved = on_reserved,
                                    .first_token_here = way_of(handoff)->first_token_here};
    handoff->config.prefill.listener = (struct dyno_worker_listener){
        .context = handoff,
        .first_token = on_prompt_first_token,
        .ended = on_prompt_ended,
        .lost = dyno_handoff_on_prompt_lost,
        .kv_changed = router->kv_changed ? on_prompt_kv_changed : NULL,
        .kv_times = router->kv_times,
        .kv_resident = outer->kv_resident ? on_kv_resident : NULL,
    };
    handoff->config.prefill.halves = (struct dyno_half_listener){
        .context = handoff,
        .prompt_done = on_prompt_done,
        .prompt_begun = handoff->config.layers > 1 ? on_prompt_begun : NULL};
}

dyno_status dyno_handoff_open(struct dyno_workers **out, const struct dyno_handoff_config *config,
                              struct dyno_error *error)
{
    struct dyno_handoff *handoff;
    dyno_status status;

    DYNO_TRY(check_config(config, error));
    handoff = calloc(1, sizeof *handoff);
    if (!handoff) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for hand-offs");
    }
    handoff->base.ops = &handoff_ops;
    handoff->config = *config;
    dyno_passages_init(&handoff->passages);
    listen(handoff);
    handoff->heard =
        calloc(config->decode.worker_count + config->prefill.worker_count, sizeof *handoff->heard);
    status = handoff->heard ? dyno_local_open(&handoff->decode, &handoff->config.decode, error)
                            : dyno_fail(error, DYNO_NO_MEMORY, "no memory for hand-offs");
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
